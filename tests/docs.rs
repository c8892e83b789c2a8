//! The documents point at what is there: every relative link in every Markdown file of the
//! repository leads to a file, and to a heading of it where it names one.

#![allow(clippy::expect_used, clippy::panic)] // outside of #[test] functions too

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

#[test]
fn every_relative_link_leads_somewhere() {
    let documents = documents();
    assert!(documents.contains(&PathBuf::from("README.md")), "{documents:?}");
    let mut broken = Vec::new();
    let mut seen = 0;
    for document in &documents {
        let text = fs::read_to_string(root().join(document)).expect("read a document");
        for link in links(&text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            seen += 1;
            if let Err(problem) = follow(document, &link) {
                broken.push(format!("{}: {link}: {problem}", document.display()));
            }
        }
    }
    assert!(seen > 5, "{seen} links: the test reads nothing");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Whether a link of this document leads to something.
fn follow(document: &Path, link: &str) -> Result<(), String> {
    let (path, heading) = link.split_once('#').unwrap_or((link, ""));
    let target = match path {
        "" => document.to_path_buf(),
        path => normal(&document.parent().expect("a folder").join(path))?,
    };
    if !root().join(&target).exists() {
        return Err(format!("{} is not there", target.display()));
    }
    if heading.is_empty() {
        return Ok(());
    }
    let text = fs::read_to_string(root().join(&target)).map_err(|error| error.to_string())?;
    let anchors = anchors(&text);
    if anchors.contains(heading) { Ok(()) } else { Err(format!("no such heading; there are {anchors:?}")) }
}

/// The path without `..`, which must not lead out of the repository.
fn normal(path: &Path) -> Result<PathBuf, String> {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => parts.push(name),
            Component::CurDir => {}
            Component::ParentDir if parts.pop() => {}
            _ => return Err("it leads out of the repository".into()),
        }
    }
    Ok(parts)
}

/// Targets of inline links and pictures, and of link definitions.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in prose(text) {
        let line: String = line.split('`').step_by(2).collect();
        for (at, _) in line.match_indices("](") {
            let rest = &line[at + 2..];
            let end = rest.find(')').expect("a link ends on its line");
            let target = rest[..end].split_whitespace().next().unwrap_or_default();
            found.push(target.trim_matches(['<', '>']).to_string());
        }
        if let Some((label, target)) = line.split_once("]: ")
            && label.starts_with('[')
            && !label.starts_with("[^")
        {
            found.push(target.split_whitespace().next().unwrap_or_default().to_string());
        }
    }
    found
}

/// The names that the headings can be linked by, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for line in prose(text).iter().filter(|line| line.starts_with('#')) {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        let name: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let numbered = (1..).map(|number| format!("{name}-{number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !anchors.contains(name));
        anchors.extend(free);
    }
    anchors
}

/// The lines outside of blocks of code.
fn prose(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            code = !code;
        } else if !code {
            lines.push(line);
        }
    }
    lines
}

#[test]
fn links_and_headings_are_read_as_github_reads_them() {
    let text = "# One, two\n[a](b.md#c) ![d](e.png \"title\") `[no](code)`\n```\n[no](block)\n```\n[f]: g.md\n# One, two\n## Flags of `run`\n";
    assert_eq!(links(text), ["b.md#c", "e.png", "g.md"]);
    assert_eq!(anchors(text), ["one-two", "one-two-1", "flags-of-run"].map(String::from).into());
    let readme = Path::new("README.md");
    assert!(follow(readme, "no-such-file.md").is_err());
    assert!(follow(readme, "../outside.md").is_err());
    assert!(follow(readme, "README.md#no-such-heading").is_err());
    assert!(follow(readme, "CONTRIBUTING.md#the-house").is_ok());
    assert!(follow(Path::new("docs/design.md"), "../CONTRIBUTING.md#manners").is_ok());
}

/// The Markdown files that git knows or would know.
fn documents() -> Vec<PathBuf> {
    let output = Command::new("git")
        .current_dir(root())
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.md"])
        .output()
        .expect("run git");
    let text = String::from_utf8(output.stdout).expect("names in UTF-8");
    text.split_terminator('\0').map(PathBuf::from).filter(|file| root().join(file).is_file()).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
