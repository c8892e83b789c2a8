//! Each folder of `src/` is a room that may know only some of the others (the table in the
//! documentation of the architecture). This test reads the paths in the source and fails when a room
//! names one it may not. Unit tests at the bottom of a file are free.

#![allow(clippy::expect_used)] // outside of #[test] functions too

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What a room may name of another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Use {
    Anything,
    /// Traits, and what is declared beside them in the same file (their methods speak of it).
    Traits,
}

const ROOMS: [&str; 9] =
    ["cli", "consumer", "control", "kubeapi", "model", "plan", "sandbox", "serve", "view"];

fn allowed(room: &str) -> BTreeMap<&'static str, Use> {
    let rules: &[(&str, Use)] = match room {
        "consumer" | "plan" | "view" | "sandbox" => &[("model", Use::Anything)],
        "control" => &[("model", Use::Anything), ("plan", Use::Anything), ("view", Use::Anything)],
        "kubeapi" => &[
            ("model", Use::Anything),
            ("view", Use::Anything),
            ("control", Use::Traits),
            ("serve", Use::Traits),
        ],
        "cli" => return ROOMS.iter().map(|room| (*room, Use::Anything)).collect(),
        _ => &[],
    };
    rules.iter().copied().collect()
}

#[test]
fn a_room_names_only_the_rooms_that_it_may_know() {
    let sources = sources();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (room, files) in &sources {
        let rules = allowed(room);
        for (file, text) in files {
            let depth = depth(file);
            for path in paths(text, depth) {
                seen += 1;
                let Some(other) = path.first().filter(|first| ROOMS.contains(&first.as_str())) else {
                    continue;
                };
                let fine = other == room
                    || match rules.get(other.as_str()) {
                        Some(Use::Anything) => true,
                        Some(Use::Traits) => beside_a_trait(&sources, other, &path),
                        None => false,
                    };
                if !fine {
                    wrong.push(format!("{}: crate::{}", file.display(), path.join("::")));
                }
            }
        }
    }
    assert!(seen > 0, "no path was found in src/: the test reads nothing");
    assert!(wrong.is_empty(), "these paths leave their room:\n{}", wrong.join("\n"));
}

#[test]
fn every_folder_of_src_is_a_room_of_the_table() {
    for child in fs::read_dir(src()).expect("read src/") {
        let path = child.expect("a child of src/").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let known = ROOMS.contains(&name.as_str()) || name == "lib" || name == "main";
        assert!(known, "src/{name} is not in the table of rooms");
    }
}

#[test]
fn paths_are_found_wherever_they_stand() {
    let text = "
        // use crate::cli::Comment;
        use crate::{model::{Pod, slice::Slice as S}, view};
        use super::super::plan::Plan;
        pub(crate) fn f(x: &crate::serve::Registry) { let s = \"crate::cli\"; }
        #[cfg(test)]
        mod tests { use crate::cli; }
    ";
    let found: Vec<String> = paths(text, 2).iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["model::Pod", "model::slice::Slice", "view", "serve::Registry", "plan::Plan"]);
    assert_eq!(paths("use super::super::plan::Plan;", 3), Vec::<Vec<String>>::new());
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The files of each room, with their text.
fn sources() -> BTreeMap<String, Vec<(PathBuf, String)>> {
    let mut rooms = BTreeMap::new();
    for room in ROOMS {
        let mut files = Vec::new();
        collect(&src().join(room), &mut files);
        let single = src().join(format!("{room}.rs"));
        if single.is_file() {
            files.push(single);
        }
        let read = |file: PathBuf| {
            let text = fs::read_to_string(&file).expect("read a source file");
            (file.strip_prefix(src()).expect("below src/").to_path_buf(), text)
        };
        rooms.insert(room.to_string(), files.into_iter().map(read).collect());
    }
    rooms
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(children) = fs::read_dir(folder) else { return };
    for child in children {
        let path = child.expect("a child of a folder").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            files.push(path);
        }
    }
}

/// How many `super::` lead from the module of this file to the crate's root.
fn depth(file: &Path) -> usize {
    let segments = file.components().count();
    if file.ends_with("mod.rs") { segments - 1 } else { segments }
}

/// Whether the thing that `path` names is declared in a file of `room` that declares a trait.
fn beside_a_trait(sources: &BTreeMap<String, Vec<(PathBuf, String)>>, room: &str, path: &[String]) -> bool {
    let Some(name) = path.last() else { return false };
    let kinds = ["trait", "struct", "enum", "type"];
    sources[room].iter().any(|(_, text)| {
        let text = code(text);
        let words: Vec<&str> = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        let has_trait = words.windows(2).any(|pair| pair == ["pub", "trait"]);
        has_trait && words.windows(3).any(|w| w[0] == "pub" && kinds.contains(&w[1]) && w[2] == name)
    })
}

/// Every path that starts at the crate's root, without `crate`.
fn paths(text: &str, depth: usize) -> Vec<Vec<String>> {
    let text = code(text);
    let up = "super::".repeat(depth);
    let mut found = BTreeSet::new();
    let mut all = Vec::new();
    for start in ["crate::", up.as_str()] {
        for (index, _) in text.match_indices(start) {
            let before = text[..index].chars().next_back().unwrap_or(' ');
            if before.is_alphanumeric() || before == '_' || before == ':' {
                continue;
            }
            tree(&mut text[index + start.len()..].chars().peekable(), &[], &mut all);
        }
    }
    all.retain(|path| !path.is_empty() && path[0] != "super" && found.insert(path.clone()));
    all
}

/// Reads a use tree (`a::{b, c::d}`) and adds its leaves.
fn tree(
    rest: &mut std::iter::Peekable<std::str::Chars<'_>>,
    before: &[String],
    leaves: &mut Vec<Vec<String>>,
) {
    let mut path = before.to_vec();
    loop {
        let mut word = String::new();
        while let Some(c) = rest.next_if(|c| c.is_alphanumeric() || *c == '_') {
            word.push(c);
        }
        if !word.is_empty() {
            path.push(word);
        }
        match rest.peek() {
            Some(':') => {
                rest.next();
                if rest.next_if(|c| *c == ':').is_none() {
                    break;
                }
            }
            Some('{') => return group(rest, &path, leaves),
            _ => break,
        }
    }
    leaves.push(path);
}

fn group(
    rest: &mut std::iter::Peekable<std::str::Chars<'_>>,
    before: &[String],
    leaves: &mut Vec<Vec<String>>,
) {
    rest.next();
    loop {
        while rest.next_if(|c| c.is_whitespace() || *c == ',').is_some() {}
        if rest.next_if(|c| *c == '}').is_some() || rest.peek().is_none() {
            return;
        }
        tree(rest, before, leaves);
        // A rename (`as Name`) or a glob.
        while rest.next_if(|c| *c != ',' && *c != '}').is_some() {}
    }
}

/// The text without comments, strings and the unit tests at the bottom.
fn code(text: &str) -> String {
    let mut kept = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("mod tests {") {
            break;
        }
        let mut in_string = false;
        let mut previous = ' ';
        let mut characters = line.chars().peekable();
        while let Some(c) = characters.next() {
            if !in_string && c == '/' && characters.peek() == Some(&'/') {
                break;
            }
            if c == '"' && previous != '\\' && previous != '\'' {
                in_string = !in_string;
            } else if !in_string {
                kept.push(c);
            }
            previous = c;
        }
        kept.push('\n');
    }
    kept
}
