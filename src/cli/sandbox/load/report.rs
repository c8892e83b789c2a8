//! What the load generator found.

use std::fmt::Write;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::process::Usage;
use crate::cli::sandbox::observer::Writes;
use crate::cli::sandbox::oracle::Unshown;

/// Upper bounds of the buckets that are printed, in milliseconds.
const BUCKETS: [u64; 11] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000];
/// How many lost changes are named.
pub const NAMED: usize = 5;
/// Cells of the longest bar.
const CELLS: f64 = 40.0;

/// The whole report; what `-o json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What was asked for.
    pub load: Asked,
    /// From nothing to complete slices.
    pub start: Start,
    /// While Pods changed.
    pub churn: Churn,
    /// Seconds from a Pod's change in the store to the slice in the store that shows it, while Pods changed.
    pub latency_seconds: Latency,
    /// This process: API server, store, generator and oracle.
    pub sandbox: Half,
    /// The controller, a process of its own.
    pub controller: Half,
}

/// What was asked for.
#[derive(Clone, Debug, Serialize)]
pub struct Asked {
    /// Nodes.
    pub nodes: usize,
    /// Services.
    pub services: usize,
    /// Pods in all.
    pub pods: usize,
    /// Changes a second.
    pub churn: f64,
    /// For how long.
    pub seconds: f64,
    /// Where chance began.
    pub seed: u64,
}

/// The way to complete slices, in seconds.
#[derive(Clone, Debug, Serialize)]
pub struct Start {
    /// Until all objects were stored, before the controller was started.
    pub fill_seconds: f64,
    /// From the controller's start to its first slice.
    pub first_slice_seconds: f64,
    /// From the controller's start until every Pod was seen in slices.
    pub complete_seconds: f64,
    /// Slices then.
    pub slices: usize,
    /// Writes until then.
    pub writes: Writes,
}

/// What happened while Pods changed.
#[derive(Clone, Debug, Serialize)]
pub struct Churn {
    /// For how long they changed.
    pub seconds: f64,
    /// Changes of readiness.
    pub changes: u64,
    /// Of these, those that were overtaken by another of the same Pod before they were seen, or that went
    /// back to what was still seen. They have no latency.
    pub superseded: u64,
    /// Addresses that slices do not show as they should 30 s after the last change, and those that
    /// they show and should not.
    pub lost: usize,
    /// The first of them.
    pub lost_first: Vec<String>,
    /// Writes, those after the last change too.
    pub writes: Writes,
}

/// A distribution, in seconds.
#[derive(Clone, Debug, Serialize)]
pub struct Latency {
    /// Changes that were seen.
    pub count: u64,
    /// Median.
    pub p50: f64,
    /// 90 of 100 were at most this.
    pub p90: f64,
    /// 99 of 100.
    pub p99: f64,
    /// All.
    pub max: f64,
    /// How many were at most so many seconds and more than the bucket before; the last has no bound.
    pub buckets: Vec<Bucket>,
}

/// A part of the distribution.
#[derive(Clone, Debug, Serialize)]
pub struct Bucket {
    /// Upper bound in seconds; `None`: no bound.
    pub up_to: Option<f64>,
    /// How many.
    pub count: u64,
}

/// What one process used.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Half {
    /// CPU seconds until slices were complete.
    pub start_cpu_seconds: f64,
    /// CPU seconds while Pods changed.
    pub churn_cpu_seconds: f64,
    /// Resident memory at the end, in bytes.
    pub resident_bytes: u64,
    /// The most that it was.
    pub resident_peak_bytes: u64,
}

impl Half {
    /// From what a process had used when slices were complete, and at the end. `begun`: what it had used before
    /// the objects were stored.
    #[must_use]
    pub fn new(begun: Usage, complete: Usage, end: Usage) -> Half {
        Half {
            start_cpu_seconds: complete.cpu_seconds - begun.cpu_seconds,
            churn_cpu_seconds: end.cpu_seconds - complete.cpu_seconds,
            resident_bytes: end.resident,
            resident_peak_bytes: end.resident_peak,
        }
    }
}

impl Latency {
    /// From microseconds.
    #[must_use]
    pub fn new(micros: &Histogram<u64>) -> Latency {
        let seconds = |micros: u64| micros as f64 / 1e6;
        let at = |quantile| seconds(micros.value_at_quantile(quantile));
        let mut from = 0;
        let mut buckets = Vec::new();
        for bound in BUCKETS {
            let to = bound * 1000;
            buckets.push(Bucket { up_to: Some(seconds(to)), count: between(micros, from, to) });
            from = to;
        }
        buckets.push(Bucket { up_to: None, count: between(micros, from, u64::MAX) });
        Latency {
            count: micros.len(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            max: if micros.is_empty() { 0.0 } else { seconds(micros.max()) },
            buckets,
        }
    }
}

/// How many are above `from` and at most `to`. (Values of a histogram are ranges: theirs is the upper end.)
fn between(micros: &Histogram<u64>, from: u64, to: u64) -> u64 {
    let inside = |at: u64| from < at && at <= to;
    micros
        .iter_recorded()
        .filter(|step| inside(step.value_iterated_to()))
        .map(|step| step.count_at_value())
        .sum()
}

/// One line for an address that is not seen as it should be.
#[must_use]
pub fn lost_line(lost: &Unshown) -> String {
    format!("{} {}: wanted {:?}, found {:?}", lost.service, lost.address, lost.wanted, lost.found)
}

impl Report {
    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let (asked, start, churn) = (&self.load, &self.start, &self.churn);
        let each = asked.pods / asked.services.max(1);
        writeln!(
            out,
            "{} Services with {each} Pods each on {} Nodes; {} changes/s for {}; seed {}",
            asked.services,
            asked.nodes,
            asked.churn,
            shown(asked.seconds),
            asked.seed
        )?;
        writeln!(out, "\nStart")?;
        writeln!(out, "  objects stored      {}", shown(start.fill_seconds))?;
        writeln!(
            out,
            "  first slice         {} after the controller's start",
            shown(start.first_slice_seconds)
        )?;
        writeln!(
            out,
            "  complete            {} after the controller's start: {} slices",
            shown(start.complete_seconds),
            start.slices
        )?;
        writeln!(out, "  writes              {}", written(&start.writes))?;
        writeln!(out, "\nChurn of {}", shown(churn.seconds))?;
        let rate = churn.changes as f64 / churn.seconds.max(f64::EPSILON);
        let superseded = match churn.superseded {
            0 => String::new(),
            many => format!(", {many} of them overtaken or undone before they were seen"),
        };
        writeln!(out, "  changes             {} ({rate:.0}/s){superseded}", churn.changes)?;
        writeln!(out, "  lost                {}", churn.lost)?;
        for line in &churn.lost_first {
            writeln!(out, "    {line}")?;
        }
        writeln!(out, "  writes              {}", written(&churn.writes))?;
        let latency = &self.latency_seconds;
        writeln!(
            out,
            "\nLatency from a Pod's change to its slice: p50 {}, p90 {}, p99 {}, max {}",
            shown(latency.p50),
            shown(latency.p90),
            shown(latency.p99),
            shown(latency.max)
        )?;
        self.histogram(out)?;
        writeln!(
            out,
            "\n{:<20}{:>12}{:>12}{:>14}{:>14}",
            "", "CPU start", "CPU churn", "memory", "memory peak"
        )?;
        for (name, half) in [("controller", &self.controller), ("sandbox", &self.sandbox)] {
            writeln!(
                out,
                "  {name:<18}{:>12}{:>12}{:>14}{:>14}",
                format!("{:.2} s", half.start_cpu_seconds),
                format!("{:.2} s", half.churn_cpu_seconds),
                bytes(half.resident_bytes),
                bytes(half.resident_peak_bytes)
            )?;
        }
        writeln!(
            out,
            "The controller is a process of its own; the sandbox is the API server, the generator and the oracle."
        )
    }

    fn histogram(&self, out: &mut String) -> std::fmt::Result {
        let buckets = &self.latency_seconds.buckets;
        let most = buckets.iter().map(|bucket| bucket.count).max().unwrap_or(0);
        let last = buckets.iter().rposition(|bucket| bucket.count > 0);
        for bucket in buckets.iter().take(last.map_or(0, |last| last + 1)) {
            let name = bucket.up_to.map_or_else(|| "more".to_owned(), |bound| format!("≤ {}", shown(bound)));
            let cells = (bucket.count as f64 / most as f64 * CELLS).ceil() as usize;
            writeln!(out, "  {name:<10}{:>8}  {}", bucket.count, "█".repeat(cells))?;
        }
        Ok(())
    }
}

fn written(writes: &Writes) -> String {
    format!(
        "{} ({} creates, {} updates, {} deletes), {} of slice events",
        writes.all(),
        writes.creates,
        writes.updates,
        writes.deletes,
        bytes(writes.event_bytes)
    )
}

/// Seconds for people.
#[must_use]
pub fn shown(seconds: f64) -> String {
    match seconds {
        s if s < 0.1 => format!("{} ms", trimmed(s * 1e3)),
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s => format!("{} s", trimmed(s)),
    }
}

/// One digit after the point, none where it is zero.
fn trimmed(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

fn bytes(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// Seconds of a duration.
#[must_use]
pub fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}
