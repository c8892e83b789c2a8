//! The transcripts written down, and played.

use std::path::Path;
use std::time::{Duration, Instant};

use super::blank::blank;
use super::kubectl::Shell;
use super::lab::Lab;
use super::sandbox::Sandbox;
use super::support::real::programs;
use super::transcript::{self, Part};

/// How long an answer must stand still to be written down, and how often it is looked at.
const STILL: usize = 6;
const LOOK: Duration = Duration::from_millis(500);

/// How long the sandbox may take to settle.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);
/// The same where it is expected not to come out right.
const WRONG_WITHIN: Duration = Duration::from_secs(3);
/// So many differences tell enough.
const ENOUGH: usize = 5;

/// Commands that only read are asked again until the cluster has settled.
fn reads(command: &str) -> bool {
    let word = command.trim_start_matches("kubectl ").split(' ').next().unwrap_or_default();
    let status =
        command.starts_with("kubectl rollout status") || command.starts_with("kubectl rollout history");
    matches!(word, "get" | "describe" | "api-resources") || status
}

async fn hidden(shell: &Shell, command: &str) {
    let (succeeded, output) = shell.run(command).await;
    assert!(succeeded, "{command}\n{output}");
}

/// The answer when it no longer changes.
async fn settled(shell: &Shell, command: &str) -> String {
    let (mut last, mut same) = (String::new(), 0);
    loop {
        let answer = blank(command, &shell.run(command).await.1);
        same = if answer == last { same + 1 } else { 0 };
        if same == STILL || !reads(command) {
            return answer;
        }
        last = answer;
        tokio::time::sleep(LOOK).await;
    }
}

async fn record(shell: &Shell, file: &Path) {
    let text = std::fs::read_to_string(file).expect("read the transcript");
    let mut parts = transcript::read(&text);
    for part in &mut parts {
        match part {
            Part::Comment(_) => {}
            Part::Hidden(command) => hidden(shell, command).await,
            Part::Shown { command, answer } => *answer = settled(shell, command).await,
        }
    }
    std::fs::write(file, transcript::write(&parts)).expect("write the transcript");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes the transcripts anew, for review"]
async fn the_transcripts_are_written_down() {
    let programs = programs().expect("the control plane");
    let lab = Lab::start(programs).await;
    let shell = Shell::new(lab.kubeconfig(), programs, "lab");
    for file in transcript::all() {
        println!("{}", file.display());
        record(&shell, &file).await;
    }
}

/// Plays parts, and tells where the answers differ from what was written down.
async fn play(shell: &Shell, parts: &[Part], within: Duration) -> Vec<String> {
    let mut differences = Vec::new();
    for part in parts {
        match part {
            Part::Comment(_) => {}
            Part::Hidden(command) => hidden(shell, command).await,
            Part::Shown { command, answer } => {
                let started = Instant::now();
                let mut given = blank(command, &shell.run(command).await.1);
                while given != *answer && reads(command) && started.elapsed() < within {
                    tokio::time::sleep(LOOK / 5).await;
                    given = blank(command, &shell.run(command).await.1);
                }
                if given != *answer {
                    differences.push(format!("$ {command}\n--- expected\n{answer}--- given\n{given}"));
                }
            }
        }
        if differences.len() >= ENOUGH {
            break;
        }
    }
    differences
}

fn parts_of(file: &Path) -> Vec<Part> {
    transcript::read(&std::fs::read_to_string(file).expect("read the transcript"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_answers_as_a_real_cluster() {
    let Some(programs) = programs() else { return };
    let sandbox = Sandbox::start("whole", &[]).await;
    let shell = Shell::new(sandbox.kubeconfig(), programs, "whole");
    let mut differences = Vec::new();
    for file in transcript::all() {
        let parts = parts_of(&file);
        let shown = |part: &&Part| matches!(part, Part::Shown { .. });
        assert!(parts.iter().filter(shown).count() > 3, "{}: nothing was written down", file.display());
        let found = play(&shell, &parts, SETTLED_WITHIN).await;
        differences.extend(found.into_iter().map(|difference| format!("{}: {difference}", file.display())));
        if differences.len() >= ENOUGH {
            break;
        }
    }
    assert!(differences.is_empty(), "{} answers differ:\n{}", differences.len(), differences.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_field_is_found() {
    let Some(programs) = programs() else { return };
    let sandbox = Sandbox::start("wrong", &["--max-endpoints-per-slice=2"]).await;
    let shell = Shell::new(sandbox.kubeconfig(), programs, "wrong");
    let files = transcript::all();
    let parts = parts_of(files.first().expect("a transcript"));
    let differences = play(&shell, &parts, WRONG_WITHIN).await;
    assert!(
        differences.iter().any(|difference| difference.starts_with("$ kubectl get endpointslices")),
        "nothing differs: {differences:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_field_of_a_slice_that_is_made_wrong_is_found() {
    let Some(programs) = programs() else { return };
    let sandbox = Sandbox::start("fields", &[]).await;
    let shell = Shell::new(sandbox.kubeconfig(), programs, "fields");
    let files = transcript::all();
    let parts = parts_of(files.first().expect("a transcript"));
    assert_eq!(play(&shell, &parts, SETTLED_WITHIN).await, Vec::<String>::new());
    let Some(Part::Shown { command, answer }) = parts.last() else {
        panic!("the chapter ends with the whole slice")
    };
    let given = shell.run(command).await.1;
    assert_eq!(blank(command, &given), *answer);
    let mut fields = 0;
    for (place, line) in given.lines().enumerate() {
        let Some(wrong) = made_wrong(line) else { continue };
        let mut lines: Vec<String> = given.lines().map(str::to_owned).collect();
        lines[place] = wrong;
        assert_ne!(blank(command, &lines.join("\n")), *answer, "{line} became {}", lines[place]);
        fields += 1;
    }
    assert!(fields > 20, "{fields}");
}

/// The line with another value, where it has one that does not follow from chance.
fn made_wrong(line: &str) -> Option<String> {
    let by_chance = [
        "nodeName:",
        "zone:",
        "creationTimestamp:",
        "generation:",
        "resourceVersion:",
        "uid:",
        "trigger-time:",
    ];
    if by_chance.iter().any(|word| line.contains(word)) {
        return None;
    }
    let (name, value) = line.split_once(": ")?;
    Some(match value {
        "true" => format!("{name}: false"),
        "false" => format!("{name}: true"),
        other => format!("{name}: x{other}"),
    })
}
