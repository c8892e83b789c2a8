//! The numbers as a table for people and as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use crate::changes::Outcome;
use crate::run::Options;

/// Everything that was measured of one program.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    pub name: String,
    pub complete_wall: Duration,
    pub complete_cpu: Duration,
    pub start_cpu: Duration,
    pub start_api_cpu: Duration,
    pub start_peak_kib: u64,
    pub start_writes: u64,
    pub start_bytes: u64,
    pub resting_kib: u64,
    pub peak_kib: u64,
    pub idle_seconds: u64,
    pub idle_cpu: Duration,
    pub idle_slice_writes: u64,
    pub idle_event_writes: u64,
    pub idle_lease_writes: u64,
    pub idle_log_lines: usize,
    pub changes: Outcome,
    pub change_cpu: Duration,
    pub change_writes: u64,
    pub change_bytes: u64,
    pub restart_wall: Duration,
    pub restart_cpu: Duration,
    pub restart_peak_kib: u64,
    pub restart_writes: u64,
}

/// A line of the report: what, unit, value.
type Line = (&'static str, &'static str, f64);

impl Measured {
    fn lines(&self) -> Vec<Line> {
        let mib = |kib: u64| kib as f64 / 1024.0;
        let per_change = |value: f64| value / self.changes.answered.max(1) as f64;
        let millis = |duration: Duration| duration.as_secs_f64() * 1000.0;
        let minutes = (self.idle_seconds.max(1)) as f64 / 60.0;
        let mut lines = vec![
            ("start: every endpoint in a slice", "s", self.complete_wall.as_secs_f64()),
            ("start: CPU until then", "s", self.complete_cpu.as_secs_f64()),
            ("start: CPU until at rest", "s", self.start_cpu.as_secs_f64()),
            ("start: CPU of the API server", "s", self.start_api_cpu.as_secs_f64()),
            ("start: slice writes", "", self.start_writes as f64),
            ("start: bytes of slice events", "MiB", self.start_bytes as f64 / 1_048_576.0),
            ("start: peak memory", "MiB", mib(self.start_peak_kib)),
            ("resting memory", "MiB", mib(self.resting_kib)),
        ];
        if self.idle_seconds > 0 {
            lines.extend([
                ("idle: CPU a minute", "ms", millis(self.idle_cpu) / minutes),
                ("idle: slice writes", "", self.idle_slice_writes as f64),
                ("idle: event writes", "", self.idle_event_writes as f64),
                ("idle: lease writes", "", self.idle_lease_writes as f64),
                ("idle: log lines", "", self.idle_log_lines as f64),
            ]);
        }
        if self.changes.answered > 0 {
            lines.extend([
                ("changes: acknowledged", "", self.changes.answered as f64),
                ("changes: lost", "", self.changes.lost as f64),
                ("changes: took", "s", self.changes.took.as_secs_f64()),
                ("changes: latency p50", "ms", millis(self.changes.percentile(0.5))),
                ("changes: latency p99", "ms", millis(self.changes.percentile(0.99))),
                ("changes: latency max", "ms", millis(self.changes.percentile(1.0))),
                ("changes: CPU each", "ms", per_change(millis(self.change_cpu))),
                ("changes: slice writes each", "", per_change(self.change_writes as f64)),
                ("changes: event bytes each", "KiB", per_change(self.change_bytes as f64 / 1024.0)),
                ("changes: peak memory so far", "MiB", mib(self.peak_kib)),
            ]);
        }
        if self.restart_cpu > Duration::ZERO {
            lines.extend([
                ("restart: until at rest", "s", self.restart_wall.as_secs_f64()),
                ("restart: CPU", "s", self.restart_cpu.as_secs_f64()),
                ("restart: peak memory", "MiB", mib(self.restart_peak_kib)),
                ("restart: slice writes", "", self.restart_writes as f64),
            ]);
        }
        lines
    }
}

/// Prints both side by side, and ours as a share of the peer's.
pub fn print(options: &Options, measured: &[Measured]) {
    println!(
        "\n{} Pods, {} Services, {} Nodes, {} Namespaces, seed {}",
        options.pods, options.services, options.nodes, options.namespaces, options.seed
    );
    let names: Vec<String> = measured.iter().map(|one| format!("{:>12}", one.name)).collect();
    println!("{:36} {:4} {}    ours/peer", "", "", names.join(" "));
    let columns: Vec<Vec<Line>> = measured.iter().map(Measured::lines).collect();
    let Some(first) = columns.first() else { return };
    for (row, (what, unit, _)) in first.iter().enumerate() {
        let values: Vec<f64> = columns.iter().filter_map(|column| Some(column.get(row)?.2)).collect();
        let shown: Vec<String> = values.iter().map(|value| format!("{value:>12.2}")).collect();
        let ratio = match values[..] {
            [ours, peer] if peer > 0.0 => format!("{:>12.3}", ours / peer),
            _ => String::new(),
        };
        println!("{what:36} {unit:4} {} {ratio}", shown.join(" "));
    }
}

/// The same numbers under the same names.
pub fn json(options: &Options, measured: &[Measured]) -> Value {
    let programs: Vec<Value> = measured
        .iter()
        .map(|one| {
            let lines = one
                .lines()
                .into_iter()
                .map(|(what, unit, value)| json!({"what": what, "unit": unit, "value": value}));
            json!({"name": one.name, "measured": lines.collect::<Vec<_>>()})
        })
        .collect();
    json!({
        "pods": options.pods, "services": options.services, "nodes": options.nodes,
        "namespaces": options.namespaces, "seed": options.seed,
        "changes_per_second": options.changes_per_second, "programs": programs,
    })
}
