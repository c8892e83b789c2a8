//! The run: three maxima side by side, a table, and what it promises.

use std::time::Instant;

use super::cluster::Cluster;
use super::crossing::crossing;
use super::judge::{Verdict, judge};
use super::rules::RULES;
use crate::support::history::{History, Shape};
use crate::support::real::{self, RealStage};

const MAXIMA: [usize; 3] = [3, 10, 100];
/// Steps between two freezes: one that the peer sees happen, and two that it finds when it comes back.
const STEPS: usize = 3;

/// How much is played for each maximum.
#[derive(Clone, Copy)]
struct Scale {
    first: u64,
    seeds: u64,
    rounds: usize,
    /// A run that was asked for.
    full: bool,
    /// The documented one.
    documented: bool,
}

impl Scale {
    fn read() -> Scale {
        let number = |variable: &str| std::env::var(variable).ok().and_then(|text| text.parse::<u64>().ok());
        let seeds = number("FROZEN_SEEDS");
        Scale {
            first: number("FROZEN_FIRST").unwrap_or(0),
            seeds: seeds.unwrap_or(2),
            rounds: number("FROZEN_ROUNDS").unwrap_or(if seeds.is_some() { 5 } else { 2 }) as usize,
            full: seeds.is_some(),
            documented: number("FROZEN_FIRST").is_none() && seeds >= Some(12),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plan_says_the_numbers_that_the_peer_writes_from_a_frozen_state() {
    let scale = Scale::read();
    let play = |max| async move {
        let stage = real::exclusive().await?;
        Some((max, play(&stage, max, scale).await))
    };
    let played = futures::future::join_all(MAXIMA.map(play)).await;
    let Some(verdicts) = played.into_iter().collect::<Option<Vec<_>>>() else { return };
    print_table(&verdicts);
    let mut sum = Verdict::default();
    verdicts.into_iter().for_each(|(_, verdict)| sum.add(verdict));
    for text in sum.unexplained.iter().take(10) {
        println!("\n{text}");
    }
    assert_eq!(sum.unexplained.len(), 0, "states that no rule explains");
    assert!(sum.control > 0, "another maximum must be seen");
    let enough = if scale.full { 500 } else { 90 };
    assert!(sum.with_writes >= enough, "{} states with writes", sum.with_writes);
    for rule in RULES.iter().filter(|rule| scale.documented && !rule.by_chance()) {
        assert!(sum.fired.contains_key(rule.name), "never fired: {}", rule.name);
    }
}

/// Plays the histories on one cluster and judges each of its frozen states.
async fn play(stage: &RealStage, max: usize, scale: Scale) -> Verdict {
    let started = Instant::now();
    let shape = Shape {
        services: 24,
        steps: scale.rounds * STEPS,
        operations: 14,
        auto_every: 0,
        restart_every: 0,
        // More than one slice, and not too many Pods to make.
        large: (max * 5 / 2).clamp(24, 160),
    };
    // Each maximum has histories of its own.
    let first = scale.first + max as u64 * 1000;
    let mut histories: Vec<History> = (first..first + scale.seeds).map(|seed| draw(seed, &shape)).collect();
    histories.push(crossing(first + scale.seeds, shape.steps, STEPS));
    // One at most: the hints of mode Auto depend on all Nodes of the cluster.
    histories.push(draw(first + scale.seeds + 1, &Shape { auto_every: 1, services: 12, ..shape }));
    let mut cluster = Cluster::populate(stage, max, histories).await;
    let mut sum = Verdict::default();
    for round in 0..=scale.rounds {
        if round > 0 {
            let step = (round - 1) * STEPS;
            cluster.play(step).await;
            cluster.stop_peer().await;
            for step in step + 1..step + STEPS {
                cluster.play(step).await;
            }
        }
        if round == scale.rounds {
            cluster.begin_deletions().await;
        }
        let verdict = cluster.let_loose(&format!("round {round}"), judge).await;
        println!(
            "maximum {max}, round {round} at {:?}: {} states, {} with writes, {} equal, {} unexplained",
            started.elapsed(),
            verdict.states,
            verdict.with_writes,
            verdict.equal,
            verdict.unexplained.len()
        );
        sum.add(verdict);
    }
    sum
}

/// A history. In three of four no Pod has an address that the API server refuses: with one of them
/// the peer fails to write the whole family of every Service that selects it, the large ones first.
fn draw(seed: u64, shape: &Shape) -> History {
    let history = History::draw(seed, shape);
    if seed.is_multiple_of(4) {
        return history;
    }
    let text = serde_json::to_string(&history).expect("a history as text");
    let text = text.replace("\"169.254.1.", "\"10.197.1.").replace("\"fe80::1\"", "\"fd00:7::1\"");
    serde_json::from_str(&text).expect("a history")
}

fn print_table(verdicts: &[(usize, Verdict)]) {
    let line = |name: &str, count: &dyn Fn(&Verdict) -> usize| {
        let counts: Vec<usize> = verdicts.iter().map(|(_, verdict)| count(verdict)).collect();
        let cells: String = counts.iter().map(|count| format!("{count:>8}")).collect();
        println!("{name:36}{cells}{:>8}", counts.iter().sum::<usize>());
    };
    let heads: String = verdicts.iter().map(|(max, _)| format!("{max:>8}")).collect();
    println!("\n{:36}{heads}{:>8}", "maximum of endpoints in a slice", "all");
    line("frozen states (Services)", &|verdict| verdict.states);
    line("  for which something is written", &|verdict| verdict.with_writes);
    line("equal", &|verdict| verdict.equal);
    line("  of those with writes", &|verdict| verdict.equal_with_writes);
    line("explained", &|verdict| verdict.explained);
    for rule in &RULES {
        line(&format!("  {}", rule.name), &|verdict| verdict.fired.get(rule.name).copied().unwrap_or(0));
    }
    line("unexplained", &|verdict| verdict.unexplained.len());
    line("control: differ with maximum + 1", &|verdict| verdict.control);
    println!();
    for rule in &RULES {
        println!("{:36}{}", rule.name, rule.reason);
    }
}
