//! The transcripts written down, and played.

use std::path::Path;
use std::time::Duration;

use super::blank::blank;
use super::kubectl::Shell;
use super::lab::Lab;
use super::support::real::programs;
use super::transcript::{self, Part};

/// How long an answer must stand still to be written down, and how often it is looked at.
const STILL: usize = 6;
const LOOK: Duration = Duration::from_millis(500);

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
async fn the_transcripts_are_written_down() {
    if std::env::var_os("RECORD_TUTORIAL").is_none() {
        return;
    }
    let programs = programs().expect("the control plane");
    let lab = Lab::start(programs).await;
    let shell = Shell::new(lab.kubeconfig(), programs, "lab");
    for file in transcript::all() {
        println!("{}", file.display());
        record(&shell, &file).await;
    }
}
