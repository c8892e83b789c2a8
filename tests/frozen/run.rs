//! The run.

use std::collections::BTreeSet;

use super::cluster::{Cluster, Frozen};
use super::numbers::{Key, difference, key_of, numbers, slices};
use super::plan::plan;
use crate::support::history::{History, Shape};
use crate::support::real;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn live(frozen: &Frozen) -> BTreeSet<Key> {
    let services = frozen.items.iter().filter(|object| object["kind"] == "Service");
    services.map(key_of).filter(|(namespace, _)| namespace.starts_with("seed-")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn explore() {
    let max = number("FROZEN_MAX", 3) as usize;
    let Some(stage) = real::exclusive().await else { return };
    let rounds = number("FROZEN_ROUNDS", 2) as usize;
    let shape = Shape { services: 24, steps: rounds * 3, operations: 14, auto_every: 0, restart_every: 0, large: max * 5 / 2 };
    let first = number("FROZEN_FIRST", 0);
    let histories = (first..first + number("FROZEN_SEEDS", 2)).map(|seed| History::draw(seed, &shape)).collect();
    let started = std::time::Instant::now();
    let mut cluster = Cluster::populate(&stage, max, histories).await;
    println!("populated at {:?}", started.elapsed());
    for round in 0..=rounds {
        if round > 0 {
            let step = (round - 1) * 3;
            cluster.play(step).await;
            cluster.stop_peer().await;
            println!("stopped at {:?}", started.elapsed());
            cluster.play(step + 1).await;
            cluster.play(step + 2).await;
        }
        let frozen = cluster.let_loose(&format!("round {round}"), |_| true).await;
        println!("let loose at {:?}", started.elapsed());
        let before = slices(&frozen.items);
        let (ours, peer) = (numbers(&before, &plan(&frozen.items, max)), numbers(&before, &frozen.peer));
        let (mut states, mut pending, mut differ) = (0, 0, 0);
        for key in live(&frozen) {
            let one = ours.get(&key).cloned().unwrap_or_default();
            let two = peer.get(&key).cloned().unwrap_or_default();
            states += 1;
            pending += usize::from(one.written() + two.written() > 0);
            let text = difference(&one, &two);
            if text.is_empty() {
                continue;
            }
            differ += 1;
            println!("round {round}: {key:?}\n{text}");
            let mark = format!("{}/{}\"", key.0, key.1);
            let mut errors: Vec<&str> = frozen.log.lines().filter(|line| line.contains(&mark)).collect();
            errors.truncate(3);
            for line in errors {
                println!("    log {}", line.chars().take(500).collect::<String>());
            }
            if std::env::var_os("FROZEN_SHOW").is_some() {
                for item in &frozen.items {
                    let of = item["metadata"]["namespace"] == *key.0 && (item["metadata"]["name"] == *key.1 || item["metadata"]["labels"]["kubernetes.io/service-name"] == *key.1);
                    if of { 
                        let mut item = item.clone();
                        item["metadata"]["managedFields"].take();
                        item["metadata"]["annotations"].as_object_mut().map(|map| map.remove("kubectl.kubernetes.io/last-applied-configuration"));
                        println!("    {item}");
                    }
                }
                for write in frozen.peer.iter().filter(|write| super::numbers::service_of(&write.slice) == key) {
                    println!("    peer {:?} {}", write.verb, write.slice);
                }
            }
        }
        println!("max {max} round {round}: {states} states, {pending} with writes, {differ} differ");
    }
}
