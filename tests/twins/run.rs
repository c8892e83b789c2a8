//! Twins over many seeds.

use futures::{StreamExt, stream};

use super::pair::{Pair, SIDES};
use super::play::play;
use crate::support::history::{History, Shape};

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twins_agree() {
    let Some(pair) = Pair::start().await else { return };
    let pair = &pair;
    let (first, count) = (number("TWINS_FIRST", 0), number("TWINS_SEEDS", 10));
    let started = std::time::Instant::now();
    let verdicts: Vec<_> = stream::iter(first..first + count)
        .map(|seed| async move {
            let history = History::draw(seed, &Shape::default());
            let verdict = play(pair, &history, &format!("seed-{seed}")).await;
            println!("seed {seed} at {:?}: {:?} {:?}", started.elapsed(), verdict.fired, verdict.tallies);
            if let Some(difference) = &verdict.difference {
                println!(
                    "seed {seed}: step {}, {}:\n{}",
                    difference.step, difference.service, difference.text
                );
                let name = &difference.service;
                for change in history.start.iter().chain(history.steps.iter().take(difference.step).flatten())
                {
                    let text = change.to_string();
                    if text.contains(&format!("\"{name}\""))
                        || text.contains(&format!("/{name} "))
                        || text.contains(&format!(" of {name}:"))
                        || text.contains("node: ")
                    {
                        println!("     {}", text.chars().take(1200).collect::<String>());
                    }
                }
            }
            verdict
        })
        .buffer_unordered(10)
        .collect()
        .await;
    for (side, name) in SIDES.iter().enumerate() {
        let mut sum = super::oracle::Tally::default();
        verdicts.iter().for_each(|verdict| sum.add(&verdict.tallies[side]));
        println!("{name}: {sum:?}");
    }
    let compared: usize = verdicts.iter().map(|verdict| verdict.compared).sum();
    let failed = verdicts.iter().filter(|verdict| verdict.difference.is_some()).count();
    println!("{compared} compared, {failed} of {count} differ");
    println!("{}", pair.log().await);
    assert_eq!(failed, 0);
}
