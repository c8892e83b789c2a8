//! Each scenario with each program, and the comparison of what stands at the end.

use std::sync::Arc;
use std::time::Instant;

use clap::Parser;

use crate::curve;
use crate::options::{Only, Options};
use crate::published::{Published, differences};
use crate::report::{self, Measured, Round};
use crate::scenarios::{self, Scenario};
use crate::steps::Measuring;
use crate::subject::Kind;
use crate::support::bulk::Bulk;
use crate::support::real::{Cluster, Etcd, RealStage, programs};

pub fn main() {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(measure_all(&options));
}

async fn measure_all(options: &Options) {
    if programs().is_none() {
        return;
    }
    let mut runs = Vec::new();
    for run in 1..=options.runs {
        runs.push(Vec::new());
        for scenario in scenarios::chosen(options) {
            eprintln!("run {run}: {}", scenario.name);
            let round = measure_both(scenario, options).await;
            report::print(&round);
            runs.last_mut().expect("a run").push(round);
            // What was measured so far outlives an interruption.
            keep(options, &runs);
        }
    }
    if options.runs > 1 {
        report::print_ratios(&runs);
    }
    let lost: usize = runs
        .iter()
        .flatten()
        .flat_map(|round| &round.measured)
        .filter(|one| one.kind == Kind::Ours)
        .map(|one| one.lost)
        .sum();
    assert_eq!(lost, 0, "changes that ours never showed in a slice");
}

fn keep(options: &Options, runs: &[Vec<Round>]) {
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&report::json(options, runs)).expect("JSON");
        std::fs::write(path, text).expect("write the JSON file");
    }
    if let Some(path) = &options.svg
        && let Some(svg) = runs.last().and_then(|run| curve::draw(run))
    {
        std::fs::write(path, svg).expect("write the SVG file");
    }
}

async fn measure_both(scenario: Scenario, options: &Options) -> Round {
    let bulk = Bulk::plan(scenario.size);
    let mut measured = Vec::new();
    let mut ends = Vec::new();
    for kind in [Kind::Ours, Kind::Peer] {
        let skipped = if kind == Kind::Ours { Only::Peer } else { Only::Ours };
        if options.only == skipped {
            continue;
        }
        let (one, end) = measure(kind, &bulk, &scenario, options).await;
        measured.push(one);
        ends.push(end);
    }
    if let [ours, peer] = ends.as_slice() {
        let differences = differences(ours, peer);
        assert!(
            differences.is_empty(),
            "the two ended otherwise: no ratio is of use\n{}",
            differences.join("\n")
        );
    }
    Round { scenario, measured }
}

async fn measure(kind: Kind, bulk: &Bulk, scenario: &Scenario, options: &Options) -> (Measured, Published) {
    let programs = programs().expect("they were there");
    // An etcd of its own for each, so that the second does not meet a larger one.
    let etcd = Arc::new(Etcd::start(programs).await);
    let started = Instant::now();
    bulk.load(&etcd, &format!("/{}", kind.name())).await;
    eprintln!("  {}: {} Pods loaded in {:.1?}", kind.name(), bulk.size.pods, started.elapsed());
    let cluster = Arc::new(Cluster::start(kind.name(), etcd.clone(), programs, &[]).await);
    let stage = RealStage::new(cluster.clone(), None).await;
    let mut measuring = Measuring::new(kind, &stage, bulk, scenario, options).await;
    for step in &scenario.steps {
        measuring.step(*step).await;
    }
    let end = measuring.finish().await;
    (measuring.out, end)
}
