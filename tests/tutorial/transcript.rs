//! A transcript: commands with their answers.

use std::path::{Path, PathBuf};

/// A part of a transcript.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// `# …`, and empty lines before it.
    Comment(String),
    /// `$ …` with the answer, blanked.
    Shown { command: String, answer: String },
    /// `% …`: what is waited for; it must succeed, and its answer is not shown.
    Hidden(String),
}

/// The folder of the tutorial.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tutorial")
}

/// All transcripts, in the order in which they are played.
pub fn all() -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder().join("transcripts")).expect("the transcripts");
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "no transcripts");
    files
}

pub fn read(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            parts.push(Part::Shown { command: command.to_owned(), answer: String::new() });
        } else if let Some(command) = line.strip_prefix("% ") {
            parts.push(Part::Hidden(command.to_owned()));
        } else if line.starts_with("# ") {
            parts.push(Part::Comment(line.to_owned()));
        } else if let Some(Part::Shown { answer, .. }) = parts.last_mut() {
            answer.push_str(line);
            answer.push('\n');
        } else {
            assert!(line.is_empty(), "an answer without a command: {line}");
        }
    }
    for part in &mut parts {
        if let Part::Shown { answer, .. } = part {
            *answer = trimmed(answer);
        }
    }
    parts
}

/// Without empty lines at the end.
pub fn trimmed(answer: &str) -> String {
    match answer.trim_end() {
        "" => String::new(),
        answer => format!("{answer}\n"),
    }
}

pub fn write(parts: &[Part]) -> String {
    let mut text = String::new();
    let mut in_comment = true;
    for part in parts {
        match part {
            Part::Comment(line) => {
                if !in_comment {
                    text.push('\n');
                }
                text.push_str(&format!("{line}\n"));
            }
            Part::Shown { command, answer } => text.push_str(&format!("$ {command}\n{answer}")),
            Part::Hidden(command) => text.push_str(&format!("% {command}\n")),
        }
        in_comment = matches!(part, Part::Comment(_));
    }
    text
}
