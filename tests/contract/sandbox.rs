//! The sandbox answers as kube-apiserver does, subject by subject and in random sequences.

use super::rules::RULES;
use super::run::{Report, all, both, number, shorten};
use super::{hand, random};
use crate::support::real;
use crate::support::sandbox::SandboxStage;

/// Random sequences in a run that nobody asks to be longer.
const SEQUENCES: u64 = 120;
const AT_ONCE: usize = 6;

/// The sequences of a subject on both; what the rules explained is left for all of them together.
async fn subject(name: &str) {
    let Some(truth) = real::shared().await else { return };
    let ours = SandboxStage::start().await;
    let scenes = hand::SUBJECTS.iter().find(|(subject, _)| *subject == name).expect("a subject").1;
    let report = all(&truth, &ours, hand::sequences(scenes), AT_ONCE).await;
    report.judge();
}

macro_rules! subjects {
    ($($name:ident)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            subject(stringify!($name)).await;
        })*

        #[test]
        fn every_subject_is_played() {
            let names: Vec<&str> = hand::SUBJECTS.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

subjects! {
    verbs lists watches patches deletes discovery tables services slices endpoints pods nodes leases events
    namespaces workloads
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forgotten_history() {
    let Some(truth) = real::exclusive().await else { return };
    let ours = SandboxStage::start().await;
    let mut report = Report::default();
    for sequence in hand::sequences(hand::FORGETTING) {
        let started = std::time::Instant::now();
        let verdict = both(&truth, &ours, &sequence).await;
        report.add(sequence, &verdict, started.elapsed());
    }
    report.judge();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_sequences() {
    let Some(truth) = real::shared().await else { return };
    let ours = SandboxStage::start().await;
    let (first, count) = (number("CONTRACT_FIRST", 0), number("CONTRACT_SEQUENCES", SEQUENCES));
    println!("seeds {first} to {}", first + count - 1);
    let sequences = (first..first + count).map(random::draw).collect();
    let report = all(&truth, &ours, sequences, AT_ONCE).await;
    shorten(&truth, &ours, &report).await;
    report.judge();
}

/// What is meant to differ is written down, and nothing else is.
#[test]
fn every_rule_stands_in_the_readme() {
    let readme = include_str!("../../src/sandbox/README.md");
    let written: Vec<&str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split_once('`').map(|(name, _)| name))
        .collect();
    let names: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(written, names);
}
