//! The Dockerfile as data: its stages and their instructions. What is not understood is a failure,
//! so that no instruction is left out unseen.

use std::path::Path;

/// One `FROM` and what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// What it starts from, with its digest.
    pub base: String,
    /// Its name (`AS`), or nothing.
    pub name: String,
    pub steps: Vec<Step>,
}

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Arg {
        name: String,
        default: Option<String>,
    },
    Copy {
        from: Option<String>,
        sources: Vec<String>,
        to: String,
    },
    Entrypoint(Vec<String>),
    Cmd(Vec<String>),
    Label(String),
    /// The text that the shell gets.
    Run(String),
    User(String),
    Workdir(String),
    /// `STOPSIGNAL`, `EXPOSE`: said to whoever runs the image; they change nothing in it.
    Said(String),
}

/// Reads the Dockerfile of this repository.
pub fn read() -> Vec<Stage> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("Dockerfile");
    parse(&std::fs::read_to_string(path).expect("read the Dockerfile"))
}

/// The stages of a Dockerfile.
pub fn parse(text: &str) -> Vec<Stage> {
    let mut stages: Vec<Stage> = Vec::new();
    for line in instructions(text) {
        let (word, rest) = line.split_once(char::is_whitespace).expect("an instruction with its argument");
        let rest = rest.trim();
        if word == "FROM" {
            stages.push(from(rest));
        } else {
            stages.last_mut().expect("FROM comes first").steps.push(step(word, rest));
        }
    }
    stages
}

/// Each instruction as one text; a line that goes on keeps its backslash and line break, as the shell
/// wants them.
fn instructions(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        if goes_on {
            let last = all.last_mut().expect("a line to go on with");
            last.push('\n');
            last.push_str(line);
        } else if !line.trim().is_empty() {
            all.push(line.to_string());
        }
        goes_on = line.ends_with('\\');
    }
    all
}

fn from(rest: &str) -> Stage {
    let mut words = rest.split_whitespace().filter(|word| !word.starts_with("--"));
    let base = words.next().expect("FROM names an image").to_string();
    let name = match (words.next(), words.next()) {
        (Some(word), Some(name)) if word.eq_ignore_ascii_case("as") => name.to_string(),
        (None, None) => String::new(),
        other => panic!("FROM {rest}: {other:?} is not understood"),
    };
    Stage { base, name, steps: Vec::new() }
}

fn step(word: &str, rest: &str) -> Step {
    match word {
        "ARG" => match rest.split_once('=') {
            Some((name, default)) => Step::Arg { name: name.into(), default: Some(default.into()) },
            None => Step::Arg { name: rest.into(), default: None },
        },
        "COPY" => copy(rest),
        "ENTRYPOINT" => Step::Entrypoint(list(rest)),
        "CMD" => Step::Cmd(list(rest)),
        "LABEL" => Step::Label(rest.into()),
        "RUN" => {
            assert!(
                !rest.starts_with("--") && !rest.starts_with('['),
                "RUN {rest}: only shell steps are understood"
            );
            Step::Run(rest.into())
        }
        "USER" => Step::User(rest.into()),
        "WORKDIR" => Step::Workdir(rest.into()),
        "STOPSIGNAL" | "EXPOSE" => Step::Said(format!("{word} {rest}")),
        other => panic!("the instruction {other} is not understood"),
    }
}

fn copy(rest: &str) -> Step {
    let (flags, words): (Vec<&str>, Vec<&str>) =
        rest.split_whitespace().partition(|word| word.starts_with("--"));
    let mut from = flags.iter().map(|flag| {
        let from = flag.strip_prefix("--from=");
        from.unwrap_or_else(|| panic!("COPY {rest}: the flag {flag} is not understood")).to_string()
    });
    let (to, sources) = words.split_last().expect("COPY names what and where to");
    Step::Copy {
        from: from.next_back(),
        sources: sources.iter().map(|source| source.to_string()).collect(),
        to: to.to_string(),
    }
}

/// The exec form: a JSON list.
fn list(rest: &str) -> Vec<String> {
    serde_json::from_str(rest).expect("the exec form, a JSON list: the shell form needs a shell in the image")
}

#[test]
fn a_dockerfile_is_read_as_it_stands() {
    let stages = parse(
        "# one\nFROM --platform=$BUILDPLATFORM a:1@sha256:0 AS build\nARG X\nRUN one \\\n# between\n  && two\n\n\
         COPY a b ./\nFROM scratch\nCOPY --from=build /a /b\nUSER 1:1\nENTRYPOINT [\"/a\"]\n",
    );
    let copied = |from: Option<&str>, sources: &[&str], to: &str| Step::Copy {
        from: from.map(str::to_string),
        sources: sources.iter().map(|source| source.to_string()).collect(),
        to: to.to_string(),
    };
    let build = Stage {
        base: "a:1@sha256:0".into(),
        name: "build".into(),
        steps: vec![
            Step::Arg { name: "X".into(), default: None },
            Step::Run("one \\\n  && two".into()),
            copied(None, &["a", "b"], "./"),
        ],
    };
    let last = Stage {
        base: "scratch".into(),
        name: String::new(),
        steps: vec![
            copied(Some("build"), &["/a"], "/b"),
            Step::User("1:1".into()),
            Step::Entrypoint(vec!["/a".into()]),
        ],
    };
    assert_eq!(stages, [build, last]);
}
