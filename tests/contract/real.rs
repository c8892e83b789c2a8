//! The recorder is right about what differs from run to run: two runs on the real server are equal.

use super::compare::compare;
use super::play::play;
use super::run::{all, namespace};
use super::{hand, random};
use crate::support::real;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_run_on_the_real_server_is_the_same() {
    let Some(truth) = real::shared().await else { return };
    let sequences = hand::SUBJECTS.iter().flat_map(|(_, scenes)| hand::sequences(scenes)).collect();
    all(&truth, &truth, sequences, 6).await.judge_strictly();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_run_of_random_sequences_on_the_real_server_is_the_same() {
    let Some(truth) = real::shared().await else { return };
    let seeds = super::run::number("CONTRACT_SEQUENCES", 20);
    all(&truth, &truth, (0..seeds).map(random::draw).collect(), 8).await.judge_strictly();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_run_on_the_real_server_is_the_same_when_history_is_forgotten() {
    let Some(truth) = real::exclusive().await else { return };
    for sequence in hand::sequences(hand::FORGETTING) {
        let left = play(&truth, &sequence, &namespace()).await;
        let right = play(&truth, &sequence, &namespace()).await;
        let verdict = compare(&sequence, &left, &right);
        verdict.first_of_each_step().iter().for_each(|difference| println!("{difference}"));
        assert!(verdict.unexplained.is_empty(), "{} differs from run to run", sequence.name);
    }
}
