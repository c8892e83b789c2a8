//! The load generator's report, for people and for programs.

use endpointslice_controller::cli::sandbox::load::process::Usage;
use endpointslice_controller::cli::sandbox::load::report::{Asked, Churn, Half, Latency, Report, Start};
use endpointslice_controller::cli::sandbox::observer::Writes;
use hdrhistogram::Histogram;

use crate::screen::compared;

fn report() -> Report {
    let mut latency = Histogram::new_with_bounds(1, 600_000_000, 3).unwrap();
    for (micros, count) in [(900, 40), (1_500, 30), (4_000, 20), (30_000, 9), (6_000_000, 1)] {
        latency.record_n(micros, count).unwrap();
    }
    let usage = |cpu_seconds, resident, resident_peak| Usage { cpu_seconds, resident, resident_peak };
    Report {
        load: Asked { nodes: 5, services: 10, pods: 100, churn: 20.0, seconds: 5.0, seed: 7 },
        start: Start {
            fill_seconds: 0.0421,
            first_slice_seconds: 0.151,
            complete_seconds: 1.25,
            slices: 10,
            writes: Writes { creates: 10, updates: 2, deletes: 0, event_bytes: 9_876 },
        },
        churn: Churn {
            seconds: 5.0,
            changes: 100,
            superseded: 3,
            lost: 2,
            lost_first: vec!["load-000/load-00001 100.64.0.9: wanted …".to_owned()],
            writes: Writes { creates: 1, updates: 97, deletes: 1, event_bytes: 1_234_567 },
        },
        latency_seconds: Latency::new(&latency),
        sandbox: Half::new(usage(0.1, 0, 0), usage(0.35, 0, 0), usage(0.95, 48_000_000, 52_500_000)),
        controller: Half::new(Usage::default(), usage(0.2, 0, 0), usage(0.5, 17_000_000, 17_100_000)),
    }
}

#[test]
fn people_read_a_page() {
    compared("tests/sandbox_command/snapshots/report.txt", &report().text());
}

#[test]
fn programs_read_seconds_and_bytes() {
    let json = serde_json::to_value(report()).unwrap();
    assert_eq!(json["churn"]["lost"], 2);
    assert_eq!(json["start"]["writes"]["creates"], 10);
    assert_eq!(json["controller"]["resident_peak_bytes"], 17_100_000);
    assert_eq!(json["latency_seconds"]["count"], 100);
    let p50 = json["latency_seconds"]["p50"].as_f64().unwrap();
    assert!((p50 - 0.0015).abs() < 1e-5, "{p50}");
    let counts: Vec<u64> = json["latency_seconds"]["buckets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bucket| bucket["count"].as_u64().unwrap())
        .collect();
    assert_eq!(counts, [40, 30, 20, 0, 0, 9, 0, 0, 0, 0, 0, 1]);
}

#[test]
fn nothing_that_was_seen_is_a_report_too() {
    let empty = Latency::new(&Histogram::new_with_bounds(1, 600_000_000, 3).unwrap());
    let report = Report { latency_seconds: empty, ..report() };
    assert!(report.text().contains("p50 0 ms, p90 0 ms, p99 0 ms, max 0 ms\n"), "{}", report.text());
}

#[test]
fn this_process_has_used_something() {
    let usage = Usage::of(std::process::id()).unwrap();
    assert!(usage.resident > 1_000_000 && usage.resident_peak >= usage.resident, "{usage:?}");
    assert!(Usage::of(u32::MAX).is_none());
}
