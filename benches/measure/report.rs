//! The numbers as a table for people and as JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::options::Options;
use crate::scenarios::Scenario;
use crate::subject::Kind;

/// A line of the report.
#[derive(Debug, Clone)]
pub struct Line {
    pub what: String,
    pub unit: &'static str,
    pub value: f64,
}

/// Everything that was measured of one program in one scenario.
#[derive(Debug, Clone)]
pub struct Measured {
    pub kind: Kind,
    pub lines: Vec<Line>,
    /// Changes that no slice ever showed.
    pub lost: usize,
}

impl Measured {
    pub fn new(kind: Kind) -> Measured {
        Measured { kind, lines: Vec::new(), lost: 0 }
    }

    pub fn line(&mut self, what: impl Into<String>, unit: &'static str, value: f64) {
        self.lines.push(Line { what: what.into(), unit, value });
    }

    pub fn value(&self, what: &str) -> Option<f64> {
        self.lines.iter().find(|line| line.what == what).map(|line| line.value)
    }
}

/// One scenario with both programs.
#[derive(Debug, Clone)]
pub struct Round {
    pub scenario: Scenario,
    pub measured: Vec<Measured>,
}

/// What ours is to need of the peer's, at most: scenario, line, ratio.
const TARGETS: [(&str, &str, f64); 21] = [
    ("cluster", "fill: CPU until then", 1.0 / 4.0),
    ("cluster", "restart: CPU", 1.0 / 6.0),
    ("cluster", "restart: CPU of the API server", 1.0),
    ("cluster", "fill: peak memory", 1.0 / 15.0),
    ("cluster", "fill: resting memory", 1.0 / 15.0),
    ("cluster", "spread changes: CPU each", 1.0 / 15.0),
    ("cluster", "spread changes: slice writes each", 1.0),
    ("cluster", "spread changes: event bytes each", 1.0),
    ("cluster", "one Service: CPU each", 1.0 / 15.0),
    ("cluster", "one Service: latency p50", 1.0 / 3.0),
    ("cluster", "one Service: latency p99", 1.0 / 3.0),
    ("cluster", "rolling update: slice writes each", 1.0),
    ("cluster", "rolling update: event bytes each", 1.0),
    ("as shipped", "fill: every endpoint in a slice after", 1.0 / 20.0),
    ("as shipped", "spread changes: latency p50", 1.0 / 200.0),
    ("as shipped", "spread changes: latency p99", 1.0 / 200.0),
    ("one namespace", "fill: CPU until then", 1.0 / 30.0),
    ("one namespace", "fill: every endpoint in a slice after", 1.0 / 30.0),
    ("batch period 500 ms", "one Service: slice writes each", 1.0),
    ("batch period 500 ms", "one Service: event bytes each", 1.0),
    ("cluster", "fill: slice writes", 1.0),
];

fn target(scenario: &str, what: &str) -> Option<f64> {
    TARGETS.iter().find(|(of, line, _)| *of == scenario && *line == what).map(|(_, _, ratio)| *ratio)
}

/// Prints both side by side, and ours as a share of the peer's.
pub fn print(round: &Round) {
    let size = round.scenario.size;
    println!(
        "\n{}: {} Pods, {} Services, {} Nodes, {} namespaces, seed {}",
        round.scenario.name, size.pods, size.services, size.nodes, size.namespaces, size.seed
    );
    let names: Vec<String> = round.measured.iter().map(|one| format!("{:>12}", one.kind.name())).collect();
    println!("{:52} {:4} {}    ours/peer    to reach", "", "", names.join(" "));
    let Some(first) = round.measured.first() else { return };
    for line in &first.lines {
        let values: Vec<f64> = round.measured.iter().filter_map(|one| one.value(&line.what)).collect();
        let shown: Vec<String> = values.iter().map(|value| format!("{value:>12.3}")).collect();
        let ratio = ratio(round, &line.what).map_or(String::new(), |ratio| format!("{ratio:>12.4}"));
        let target =
            target(&round.scenario.name, &line.what).map_or(String::new(), |ratio| format!("{ratio:>11.4}"));
        println!("{:52} {:4} {} {ratio} {target}", line.what, line.unit, shown.join(" "));
    }
}

fn ratio(round: &Round, what: &str) -> Option<f64> {
    let of = |kind: Kind| round.measured.iter().find(|one| one.kind == kind)?.value(what);
    let (ours, peer) = (of(Kind::Ours)?, of(Kind::Peer)?);
    (peer > 0.0).then_some(ours / peer)
}

/// Prints the smallest, middle and largest ratio of each line over several runs.
pub fn print_ratios(runs: &[Vec<Round>]) {
    println!("\nours/peer over {} runs{:51}minimum    median   maximum   to reach", runs.len(), "");
    let mut ratios: BTreeMap<(usize, String, usize, String), Vec<f64>> = BTreeMap::new();
    for round in runs.iter().flat_map(|run| run.iter().enumerate()) {
        let (number, round) = round;
        for (at, line) in round.measured.first().map_or(&[][..], |one| &one.lines).iter().enumerate() {
            if let Some(ratio) = ratio(round, &line.what) {
                let key = (number, round.scenario.name.clone(), at, line.what.clone());
                ratios.entry(key).or_default().push(ratio);
            }
        }
    }
    for ((_, scenario, _, what), mut values) in ratios {
        values.sort_by(f64::total_cmp);
        let (least, middle, most) = (values[0], values[values.len() / 2], values[values.len() - 1]);
        let reach = target(&scenario, &what).map_or(String::new(), |ratio| format!("{ratio:>10.4}"));
        println!("{:72} {least:>9.4} {middle:>9.4} {most:>9.4} {reach}", format!("{scenario}: {what}"));
    }
}

/// The same numbers under the same names.
pub fn json(options: &Options, runs: &[Vec<Round>]) -> Value {
    let runs: Vec<Value> = runs.iter().map(|run| run.iter().map(round_json).collect()).collect();
    json!({
        "cpus": std::thread::available_parallelism().map_or(0, usize::from),
        "changesPerSecond": options.changes_per_second, "changeSeconds": options.change_seconds,
        "idleSeconds": options.idle_seconds, "oursFlags": options.ours_flag, "peerFlags": options.peer_flag,
        "runs": runs,
    })
}

fn round_json(round: &Round) -> Value {
    let size = round.scenario.size;
    let programs: Vec<Value> = round
        .measured
        .iter()
        .map(|one| {
            let lines: Vec<Value> = one
                .lines
                .iter()
                .map(|line| json!({"what": line.what, "unit": line.unit, "value": line.value}))
                .collect();
            json!({"name": one.kind.name(), "measured": lines})
        })
        .collect();
    json!({
        "scenario": round.scenario.name, "pods": size.pods, "services": size.services,
        "nodes": size.nodes, "namespaces": size.namespaces, "seed": size.seed, "programs": programs,
    })
}
