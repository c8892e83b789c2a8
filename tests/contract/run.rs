//! Plays sequences on both servers and tells where they part.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};

use super::compare::{Verdict, compare};
use super::play::play;
use super::shrink::shortest;
use super::step::Sequence;
use crate::support::Stage;

/// How many differences are made short, and how long that may take for each.
const SHRUNK: usize = 4;
const SHRINK_WITHIN: Duration = Duration::from_secs(40);

/// A number from the environment.
pub fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {text:?}")),
        Err(_) => default,
    }
}

/// A namespace that no other sequence has.
pub fn namespace() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    format!("contract-{}-x", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The sequence on both, and what came of it.
pub async fn both(truth: &dyn Stage, ours: &dyn Stage, sequence: &Sequence) -> Verdict {
    let (one, two) = (namespace(), namespace());
    let (left, right) = futures::join!(play(truth, sequence, &one), play(ours, sequence, &two));
    compare(sequence, &left, &right)
}

/// What came of many sequences.
#[derive(Default)]
pub struct Report {
    pub sequences: usize,
    pub answers: usize,
    pub fired: BTreeMap<&'static str, usize>,
    /// The sequences with a difference that no rule explains.
    pub wrong: Vec<Sequence>,
    /// The names of the others.
    right: Vec<String>,
}

/// The sequences of which it is known that they differ and should not, from the README.
fn known() -> Vec<&'static str> {
    let readme = include_str!("../../src/sandbox/README.md");
    let names = readme.lines().filter_map(|line| line.strip_prefix("| \"")?.split_once('"'));
    names.map(|(name, _)| name).collect()
}

impl Report {
    pub fn add(&mut self, sequence: Sequence, verdict: &Verdict, took: Duration) {
        self.sequences += 1;
        self.answers += verdict.compared;
        verdict.fired.iter().for_each(|(rule, count)| *self.fired.entry(rule).or_default() += count);
        let shown = verdict.first_of_each_step();
        if shown.is_empty() {
            self.right.push(sequence.name);
            return;
        }
        println!("{} ({:.1} s): {} answers differ", sequence.name, took.as_secs_f64(), shown.len());
        for difference in shown {
            println!("  {difference}");
        }
        self.wrong.push(sequence);
    }

    /// Fails when something differs that no rule explains, but for what is known, and when something that is
    /// known differs no longer.
    pub fn judge(&self) {
        self.judge_but(&known());
    }

    /// The same where nothing is known to differ.
    pub fn judge_strictly(&self) {
        self.judge_but(&[]);
    }

    fn judge_but(&self, known: &[&str]) {
        println!("{} sequences, {} answers compared, meant: {:?}", self.sequences, self.answers, self.fired);
        let names = self.wrong.iter().map(|sequence| sequence.name.as_str());
        let wrong: Vec<&str> = names.filter(|name| !known.contains(name)).collect();
        let mended: Vec<&String> = self.right.iter().filter(|name| known.contains(&name.as_str())).collect();
        assert!(
            mended.is_empty(),
            "known differences that are no more, to be struck from the README: {mended:?}"
        );
        assert!(wrong.is_empty(), "sequences with differences that no rule explains: {wrong:#?}");
    }
}

/// Plays all of them, some at once. `CONTRACT_ONLY` is a part of the names of those that are wanted.
pub async fn all(truth: &dyn Stage, ours: &dyn Stage, sequences: Vec<Sequence>, at_once: usize) -> Report {
    let only = std::env::var("CONTRACT_ONLY").unwrap_or_default();
    let wanted = sequences.into_iter().filter(|sequence| sequence.name.contains(&only));
    let played = stream::iter(wanted).map(|sequence| async move {
        let started = Instant::now();
        let mut verdict = both(truth, ours, &sequence).await;
        // When a watch begins and what it begins with is a matter of moments, on the real server too: what
        // differs by chance does not differ twice.
        if !verdict.unexplained.is_empty() {
            let again = both(truth, ours, &sequence).await;
            if again.unexplained.is_empty() {
                println!("{} differed once, and not when it was played again:", sequence.name);
                verdict.first_of_each_step().iter().for_each(|difference| println!("  {difference}"));
                verdict = again;
            }
        }
        (sequence, verdict, started.elapsed())
    });
    let mut played = std::pin::pin!(played.buffer_unordered(at_once));
    let mut report = Report::default();
    while let Some((sequence, verdict, took)) = played.next().await {
        report.add(sequence, &verdict, took);
    }
    report
}

/// Prints the shortest sequences that show what is wrong.
pub async fn shorten(truth: &dyn Stage, ours: &dyn Stage, report: &Report) {
    for sequence in report.wrong.iter().take(SHRUNK) {
        let short = shortest_of(truth, ours, sequence.clone()).await;
        println!("the shortest that shows it: {short}");
    }
}

/// The shortest sequence whose first difference is at the same place of the same request.
pub async fn shortest_of(truth: &dyn Stage, ours: &dyn Stage, sequence: Sequence) -> Sequence {
    let Some(wanted) = place(&both(truth, ours, &sequence).await) else { return sequence };
    let shows = |part: Sequence| {
        let wanted = wanted.clone();
        async move { place(&both(truth, ours, &part).await) == Some(wanted) }
    };
    shortest(sequence, Instant::now() + SHRINK_WITHIN, shows).await
}

fn place(verdict: &Verdict) -> Option<(String, String)> {
    let first = verdict.unexplained.first()?;
    Some((first.step.to_string(), first.pointer.clone()))
}
