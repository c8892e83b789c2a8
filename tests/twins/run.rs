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
    let one = |seed| async move {
        let history = History::draw(seed, &Shape::default());
        let verdict = play(pair, &history, &format!("seed-{seed}")).await;
        println!("seed {seed} at {:?}: {:?} {:?}", started.elapsed(), verdict.fired, verdict.tallies);
        if let Some(difference) = &verdict.difference {
            println!("seed {seed}: step {}, {}:\n{}", difference.step, difference.service, difference.text);
            let part = history.keep(|change| {
                let text = change.to_string();
                let name = &difference.service;
                text.contains(&format!("\"{name}\""))
                    || text.contains(&format!("/{name} "))
                    || text.contains(&format!(" of {name}:"))
                    || text.contains(" node: ")
            });
            println!(
                "{}",
                part.to_string()
                    .lines()
                    .map(|line| line.chars().take(900).collect::<String>())
                    .collect::<Vec<_>>()
                    .join("\n")
            );
        }
        verdict
    };
    let shape = Shape::default();
    let (auto, ordinary): (Vec<u64>, Vec<u64>) = (first..first + count)
        .partition(|seed| History::draw(*seed, &Shape { services: 0, steps: 0, ..shape.clone() }).auto);
    let (mut verdicts, more): (Vec<_>, Vec<_>) = futures::future::join(
        stream::iter(ordinary).map(one).buffer_unordered(number("TWINS_AT_ONCE", 9) as usize).collect(),
        stream::iter(auto).map(one).buffer_unordered(1).collect(),
    )
    .await;
    verdicts.extend(more);
    for (side, name) in SIDES.iter().enumerate() {
        let mut sum = super::oracle::Tally::default();
        verdicts.iter().for_each(|verdict| sum.add(&verdict.tallies[side]));
        println!("{name}: {sum:?}");
    }
    let compared: usize = verdicts.iter().map(|verdict| verdict.compared).sum();
    let failed = verdicts.iter().filter(|verdict| verdict.difference.is_some()).count();
    println!("{compared} compared, {failed} of {count} differ");
    println!("{}", pair.log().await);
    println!("{}", pair.cpu().await);
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    println!("self {:?}", stat.split_whitespace().skip(13).take(2).collect::<Vec<_>>());
    assert_eq!(failed, 0);
}
