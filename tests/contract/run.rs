//! Plays sequences on both servers and tells where they part.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::{StreamExt, stream};

use super::compare::{Verdict, compare};
use super::hand;
use super::play::play;
use super::step::Sequence;
use crate::support::{Stage, real};

/// Sequences that are played at once.
const AT_ONCE: usize = 6;

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

/// Plays all of them and fails when something differs that no rule explains.
pub async fn agree(
    truth: &dyn Stage,
    ours: &dyn Stage,
    sequences: Vec<Sequence>,
) -> BTreeMap<&'static str, usize> {
    let played = stream::iter(sequences).map(|sequence| async move {
        let verdict = both(truth, ours, &sequence).await;
        (sequence, verdict)
    });
    let played: Vec<(Sequence, Verdict)> = played.buffered(AT_ONCE).collect().await;
    let mut fired: BTreeMap<&'static str, usize> = BTreeMap::new();
    let (mut compared, mut wrong) = (0, Vec::new());
    for (sequence, verdict) in &played {
        compared += verdict.compared;
        verdict.fired.iter().for_each(|(rule, count)| *fired.entry(rule).or_default() += count);
        let shown = verdict.first_of_each_step();
        if !shown.is_empty() {
            println!("{}: {} answers differ", sequence.name, shown.len());
            for difference in shown {
                println!("  {difference}");
            }
            wrong.push(format!("{}: {}", sequence.name, verdict.unexplained.len()));
        }
    }
    println!("{} sequences, {compared} answers compared, meant: {fired:?}", played.len());
    assert!(wrong.is_empty(), "sequences with differences that no rule explains: {wrong:#?}");
    fired
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_run_on_the_real_server_is_the_same() {
    let Some(truth) = real::shared().await else { return };
    let sequences = hand::SUBJECTS.iter().flat_map(|(_, scenes)| hand::sequences(scenes)).collect();
    agree(&truth, &truth, sequences).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_run_on_the_real_server_is_the_same_when_history_is_forgotten() {
    let Some(truth) = real::exclusive().await else { return };
    for sequence in hand::sequences(hand::FORGETTING) {
        let left = play(&truth, &sequence, &namespace()).await;
        let right = play(&truth, &sequence, &namespace()).await;
        assert_eq!(compare(&sequence, &left, &right).unexplained.len(), 0);
    }
}
