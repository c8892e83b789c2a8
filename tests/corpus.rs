//! `tests/corpus.md` says which test plays which report. This test reads it, and the source: no row
//! and no test may be missing, and none may be there without being run.

#![allow(clippy::expect_used, clippy::panic)] // outside of #[test] functions too

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Every report and fact that a test must play, by section of the table.
const WANTED: [(&str, &[&str]); 4] = [
    (
        "Upstream controllers",
        &[
            "#141592",
            "#94720",
            "#125359",
            "#100033",
            "#92928",
            "#93374",
            "#93520",
            "#108267",
            "#108779",
            "ports of the same name",
            "#141304",
            "hypershift#8264",
            "KEP-4858",
            "#118376",
            "#91072",
            "#103576",
            "#105987",
            "#107927",
            "#110639",
            "late zone label",
            "replaced node",
            "#133474",
            "#102683",
            "#98116",
            "#102731",
            "#114155",
            "#94171",
            "#124131",
            "#134739",
            "#84280",
            "#107091",
            "#88745",
            "#116011",
            "#81360",
            "headless label",
            "deleted after restart",
            "null lists",
            "digit first",
            "63 characters",
            "#138736",
            "#129838",
        ],
    ),
    (
        "Consumers",
        &[
            "kube_proxy headless",
            "kube_proxy ports",
            "kube_proxy hints",
            "kube_proxy never",
            "Traefik",
            "Envoy Gateway",
            "ingress-nginx",
            "Linkerd",
            "trigger time",
            "updated in place",
        ],
    ),
    ("Security", &["CVE-2021-25740", "CVE-2021-25737", "least RBAC", "one tenant"]),
    (
        "kube 5.0",
        &[
            "pitfall 1",
            "pitfall 2",
            "pitfall 3",
            "pitfall 4",
            "pitfall 5",
            "pitfall 6",
            "pitfall 7",
            "pitfall 8",
            "pitfall 9",
            "pitfall 10",
            "pitfall 11",
            "pitfall 12",
            "pitfall 13",
        ],
    ),
];

#[test]
fn every_report_is_played_by_a_test_that_bears_its_number_and_is_run() {
    let (rows, sources) = (rows(&read(Path::new("tests/corpus.md"))), sources());
    let mut wrong = Vec::new();
    for (section, wanted) in WANTED {
        let of_section = rows.iter().filter(|row| row.section == section);
        let there: Vec<&str> = of_section.map(|row| row.number.as_str()).collect();
        for number in wanted {
            match there.iter().filter(|held| *held == number).count() {
                1 => {}
                rows => wrong.push(format!("{section}: {number} has {rows} rows")),
            }
        }
        for number in there.iter().filter(|number| !wanted.contains(number)) {
            wrong.push(format!("{section}: nobody asked for {number}: name it in this test, too"));
        }
    }
    for row in &rows {
        let number = &row.number;
        if row.what.len() < 20 || row.promise.len() < 10 {
            wrong.push(format!("{number}: what happened, and what is promised?"));
        }
        for test in &row.tests {
            if let Err(reason) = runs(&sources, test) {
                wrong.push(format!("{number}: {test} {reason}"));
            }
        }
        if !row.tests.iter().any(|test| bears(test, number)) {
            wrong.push(format!("{number}: none of {:?} bears it in its name", row.tests));
        }
    }
    for (file, tests) in &sources {
        for name in tests.keys() {
            for number in reports(name) {
                let known = |row: &Row| row.number.ends_with(&format!("#{number}"));
                if !rows.iter().any(|row| known(row) && row.tests.contains(&format!("{file}::{name}"))) {
                    wrong.push(format!("{file}::{name} is in no row of #{number}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

struct Row {
    section: String,
    number: String,
    what: String,
    promise: String,
    tests: Vec<String>,
}

fn rows(text: &str) -> Vec<Row> {
    let mut section = "";
    let mut rows = Vec::new();
    for line in text.lines() {
        section = line.strip_prefix("## ").unwrap_or(section);
        let Some(line) = line.strip_prefix("| ") else { continue };
        let cells: Vec<&str> = line.trim_end_matches('|').split(" | ").map(str::trim).collect();
        let [number, what, promise, tests] = cells[..] else { panic!("four cells: {line}") };
        if number != "number" {
            rows.push(Row {
                section: section.to_owned(),
                number: number.to_owned(),
                what: what.to_owned(),
                promise: promise.to_owned(),
                tests: tests.split_whitespace().map(|test| test.trim_matches('`').to_owned()).collect(),
            });
        }
    }
    rows
}

/// Whether the name of this test has the number, or the words, of the row in it.
fn bears(test: &str, number: &str) -> bool {
    let name = test.rsplit("::").next().unwrap_or_default();
    let words: Vec<String> = number
        .to_lowercase()
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    format!("_{name}_").contains(&format!("_{}_", words.join("_")))
}

/// The numbers of reports in a test's name: `issues_98116_and_102731_…`.
fn reports(name: &str) -> Vec<String> {
    let rest = name.strip_prefix("issue_").or_else(|| name.strip_prefix("issues_"));
    let words = rest.into_iter().flat_map(|rest| rest.split('_'));
    words
        .take_while(|w| *w == "and" || w.parse::<u32>().is_ok())
        .filter(|w| *w != "and")
        .map(str::to_owned)
        .collect()
}

/// Whether the test is one that `cargo test` runs.
fn runs(sources: &BTreeMap<String, BTreeMap<String, Attributes>>, test: &str) -> Result<(), String> {
    let Some((file, name)) = test.split_once("::") else { return Err("is not file::name".into()) };
    let tests = sources.get(file).ok_or("is in a file that no test program includes")?;
    let attributes = tests.get(name).ok_or("does not exist")?;
    let is = |wanted: &str| attributes.iter().any(|line| line.starts_with(wanted));
    if !is("#[test]") && !is("#[tokio::test") {
        return Err(format!("is no test, it has {attributes:?}"));
    }
    match attributes.iter().find(|line| line.contains("ignore") || line.starts_with("#[cfg")) {
        Some(line) => Err(format!("is not always run: {line}")),
        None => Ok(()),
    }
}

/// The attributes that stand before a function.
type Attributes = BTreeSet<String>;

/// The functions of every file that is compiled into the library's tests or a test program, found by
/// following `mod` from the roots.
fn sources() -> BTreeMap<String, BTreeMap<String, Attributes>> {
    let mut roots = vec![PathBuf::from("src/lib.rs")];
    for entry in fs::read_dir(root().join("tests")).expect("tests") {
        let name = entry.expect("an entry").file_name();
        let path = Path::new("tests").join(&name);
        if path.extension().is_some_and(|extension| extension == "rs") {
            roots.push(path);
        } else if root().join(&path).join("main.rs").is_file() {
            roots.push(path.join("main.rs"));
        }
    }
    let mut sources = BTreeMap::new();
    for file in roots {
        follow(&file, true, &mut sources);
    }
    sources
}

fn follow(file: &Path, is_root: bool, sources: &mut BTreeMap<String, BTreeMap<String, Attributes>>) {
    let text = read(file);
    let (folder, stem) = (file.parent().expect("a folder"), file.file_stem().expect("a name"));
    let below = if is_root || stem == "mod" { folder.to_path_buf() } else { folder.join(stem) };
    let mut functions = BTreeMap::new();
    let mut attributes = Attributes::new();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
        if line.starts_with("#[") {
            attributes.insert(line.to_owned());
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let after = |keyword: &str| words.iter().position(|w| *w == keyword).and_then(|at| words.get(at + 1));
        if let Some(name) = after("mod").and_then(|name| name.strip_suffix(';')) {
            let path =
                attributes.iter().find_map(|line| line.strip_prefix("#[path = \"")?.strip_suffix("\"]"));
            let next = match path {
                Some(path) => folder.join(path),
                None => [below.join(format!("{name}.rs")), below.join(name).join("mod.rs")]
                    .into_iter()
                    .find(|path| root().join(path).is_file())
                    .unwrap_or_else(|| panic!("mod {name} of {}", file.display())),
            };
            follow(&next, false, sources);
        }
        if let Some(name) = after("fn") {
            let name = name.split(['(', '<']).next().unwrap_or_default();
            functions.insert(name.to_owned(), std::mem::take(&mut attributes));
        }
        attributes.clear();
    }
    let mut path = PathBuf::new();
    for part in file.components() {
        if part.as_os_str() == ".." {
            path.pop();
        } else {
            path.push(part)
        }
    }
    sources.insert(path.display().to_string(), functions);
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &Path) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
