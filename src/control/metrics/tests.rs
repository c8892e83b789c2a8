use std::collections::BTreeSet;

use prometheus::TextEncoder;

use super::*;
use crate::model::AddressType;
use crate::plan::FamilyFigures;

struct Page {
    registry: Registry,
    metrics: ControlMetrics,
}

impl Page {
    fn new() -> Page {
        let registry = Registry::new();
        let metrics = ControlMetrics::new(&registry).unwrap();
        Page { registry, metrics }
    }

    fn text(&self) -> String {
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap()
    }

    fn value(&self, series: &str) -> Option<f64> {
        let text = self.text();
        let (_, value) = text.lines().filter_map(|l| l.rsplit_once(' ')).find(|(name, _)| *name == series)?;
        Some(value.parse().unwrap())
    }
}

fn family(address_type: AddressType, counts: [usize; 6]) -> FamilyFigures {
    let [added, removed, updated, desired_endpoints, slices, desired_slices] = counts;
    FamilyFigures { address_type, added, removed, updated, desired_endpoints, slices, desired_slices }
}

fn dual() -> Figures {
    Figures {
        families: vec![
            family(AddressType::IPv4, [3, 1, 2, 150, 3, 2]),
            family(AddressType::IPv6, [5, 0, 1, 20, 1, 1]),
        ],
        ..Figures::default()
    }
}

const SELECTOR: &str = "endpoint_slice_controller";
const MIRRORING: &str = "endpoint_slice_mirroring_controller";

#[test]
fn names_types_and_labels_are_those_of_kube_controller_manager() {
    let page = Page::new();
    page.metrics.set_leading(true);
    let figures = Figures { traffic_distribution: Some("PreferClose".to_owned()), ..dual() };
    for which in [Loop::Selector, Loop::Mirroring] {
        let metrics = page.metrics.of(which);
        metrics.observe_sync(&Key::new("ns", "web"), &figures);
        metrics.slices_changed(&figures, 2);
        metrics.synced(SyncResult::Success, Duration::from_millis(3));
        metrics.wrote(Operation::Create);
    }
    let text = page.text();
    let types: BTreeSet<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    let expected = [
        ("endpoint_slice_controller_endpoints_added_per_sync", "histogram"),
        ("endpoint_slice_controller_endpoints_removed_per_sync", "histogram"),
        ("endpoint_slice_controller_endpoints_desired", "gauge"),
        ("endpoint_slice_controller_num_endpoint_slices", "gauge"),
        ("endpoint_slice_controller_desired_endpoint_slices", "gauge"),
        ("endpoint_slice_controller_changes", "counter"),
        ("endpoint_slice_controller_endpointslices_changed_per_sync", "histogram"),
        ("endpoint_slice_controller_syncs", "counter"),
        ("endpoint_slice_controller_services_count_by_traffic_distribution", "gauge"),
        ("endpoint_slice_mirroring_controller_endpoints_added_per_sync", "histogram"),
        ("endpoint_slice_mirroring_controller_endpoints_updated_per_sync", "histogram"),
        ("endpoint_slice_mirroring_controller_endpoints_removed_per_sync", "histogram"),
        ("endpoint_slice_mirroring_controller_addresses_skipped_per_sync", "histogram"),
        ("endpoint_slice_mirroring_controller_endpoints_sync_duration", "histogram"),
        ("endpoint_slice_mirroring_controller_endpoints_desired", "gauge"),
        ("endpoint_slice_mirroring_controller_num_endpoint_slices", "gauge"),
        ("endpoint_slice_mirroring_controller_desired_endpoint_slices", "gauge"),
        ("endpoint_slice_mirroring_controller_changes", "counter"),
    ];
    for (name, kind) in expected {
        assert!(types.contains(format!("{name} {kind}").as_str()), "{name} {kind} in {types:#?}");
    }
    let upstream = types.iter().filter(|line| line.starts_with("endpoint_slice_")).count();
    assert_eq!(upstream, expected.len(), "none but these: {types:#?}");
    for series in [
        "endpoint_slice_controller_changes{operation=\"create\"} 1",
        "endpoint_slice_controller_changes{operation=\"delete\"} 0",
        "endpoint_slice_controller_syncs{result=\"success\"} 1",
        "endpoint_slice_controller_syncs{result=\"stale\"} 0",
        "endpoint_slice_controller_syncs{result=\"error\"} 0",
        "endpoint_slice_controller_endpointslices_changed_per_sync_sum{topology=\"Disabled\",traffic_distribution=\"PreferClose\"} 2",
        "endpoint_slice_controller_endpoints_added_per_sync_bucket{le=\"2\"} 0",
        "endpoint_slice_controller_endpoints_added_per_sync_bucket{le=\"32768\"} 2",
        "endpoint_slice_mirroring_controller_endpoints_sync_duration_bucket{le=\"0.001\"} 0",
        "endpoint_slice_mirroring_controller_endpoints_sync_duration_bucket{le=\"16.384\"} 1",
    ] {
        assert!(text.lines().any(|line| line == series), "{series} in\n{text}");
    }
}

#[test]
fn the_selector_loop_observes_each_address_type_and_the_mirroring_loop_both_in_one() {
    let page = Page::new();
    for which in [Loop::Selector, Loop::Mirroring] {
        page.metrics.of(which).observe_sync(&Key::new("ns", "web"), &Figures { skipped: 7, ..dual() });
    }
    let value = |subsystem: &str, name: &str| page.value(&format!("{subsystem}_{name}")).unwrap();
    assert_eq!(value(SELECTOR, "endpoints_added_per_sync_count"), 2.0);
    assert_eq!(value(SELECTOR, "endpoints_added_per_sync_sum"), 8.0);
    assert_eq!(value(MIRRORING, "endpoints_added_per_sync_count"), 1.0);
    assert_eq!(value(MIRRORING, "endpoints_added_per_sync_sum"), 8.0);
    assert_eq!(value(MIRRORING, "endpoints_updated_per_sync_sum"), 3.0);
    assert_eq!(value(MIRRORING, "addresses_skipped_per_sync_sum"), 7.0);
}

#[test]
fn both_families_of_a_service_count_in_the_sums_and_a_resync_does_not_count_twice() {
    let page = Page::new();
    page.metrics.set_leading(true);
    let selector = page.metrics.of(Loop::Selector);
    let sums = || {
        ["endpoints_desired", "num_endpoint_slices", "desired_endpoint_slices"]
            .map(|name| page.value(&format!("{SELECTOR}_{name}")).unwrap())
    };
    selector.observe_sync(&Key::new("ns", "web"), &dual());
    selector.observe_sync(&Key::new("ns", "web"), &dual());
    selector.observe_sync(&Key::new("ns", "other"), &dual());
    assert_eq!(sums(), [340.0, 8.0, 6.0]);
    selector.forget(&Key::new("ns", "other"));
    selector.forget(&Key::new("ns", "never-seen"));
    assert_eq!(sums(), [170.0, 4.0, 3.0]);
    selector.observe_sync(&Key::new("ns", "web"), &Figures::default());
    assert_eq!(sums(), [0.0; 3]);
    assert_eq!(page.value(&format!("{MIRRORING}_endpoints_desired")), Some(0.0), "each loop has its own");
}

#[test]
fn a_traffic_distribution_once_seen_stays_at_zero() {
    let page = Page::new();
    page.metrics.set_leading(true);
    let selector = page.metrics.of(Loop::Selector);
    let count = |value: &str| {
        let name = "services_count_by_traffic_distribution";
        page.value(&format!("{SELECTOR}_{name}{{traffic_distribution=\"{value}\"}}"))
    };
    let figures = |value: Option<&str>| Figures { traffic_distribution: value.map(str::to_owned), ..dual() };
    selector.observe_sync(&Key::new("ns", "a"), &figures(Some("PreferClose")));
    selector.observe_sync(&Key::new("ns", "b"), &figures(Some("PreferClose")));
    assert_eq!((count("PreferClose"), count("PreferSameNode")), (Some(2.0), None));
    selector.observe_sync(&Key::new("ns", "a"), &figures(Some("PreferSameNode")));
    selector.observe_sync(&Key::new("ns", "b"), &figures(None));
    assert_eq!((count("PreferClose"), count("PreferSameNode")), (Some(0.0), Some(1.0)));
}

#[test]
fn gauges_of_sync_state_exist_only_while_leading() {
    let page = Page::new();
    let figures = Figures { without_endpoints: Some("no-pods"), ..dual() };
    page.metrics.of(Loop::Selector).observe_sync(&Key::new("ns", "web"), &figures);
    page.metrics.set_orphaned(4);
    page.metrics.sample_queue(
        Loop::Mirroring,
        Box::new(|| Some(QueueFigures { in_backoff: 3, ..QueueFigures::default() })),
    );
    let state = || {
        [
            "endpoint_slice_controller_endpoints_desired",
            "endpoint_slice_mirroring_controller_num_endpoint_slices",
            "endpointslice_services_without_endpoints{reason=\"no-pods\"}",
            "endpointslice_services_in_backoff{loop=\"mirroring\"}",
            "endpointslice_orphaned_slices",
        ]
        .map(|series| page.value(series))
    };
    assert_eq!(state(), [None; 5]);
    page.metrics.set_leading(true);
    assert_eq!(state(), [Some(170.0), Some(0.0), Some(1.0), Some(3.0), Some(4.0)]);
    page.metrics.set_leading(false);
    assert_eq!(state(), [None; 5]);
    assert!(page.value("endpoint_slice_controller_changes{operation=\"create\"}").is_some());
}

#[test]
fn refused_addresses_failures_and_caches_are_counted_by_label() {
    let page = Page::new();
    let figures = Figures { refused: vec![(Refusal::Loopback, 2), (Refusal::Unparsable, 1)], ..dual() };
    page.metrics.of(Loop::Selector).observe_sync(&Key::new("ns", "a"), &figures);
    page.metrics.of(Loop::Mirroring).observe_sync(&Key::new("ns", "a"), &figures);
    page.metrics.set_cache("pods", 10, 4096);
    page.metrics.of(Loop::Selector).change_written(Duration::from_millis(20));
    page.metrics.of(Loop::Mirroring).failed();
    for (series, value) in [
        ("endpointslice_addresses_refused_total{reason=\"loopback\"}", 4.0),
        ("endpointslice_addresses_refused_total{reason=\"zoned\"}", 0.0),
        ("endpointslice_cache_objects{resource=\"pods\"}", 10.0),
        ("endpointslice_cache_bytes{resource=\"pods\"}", 4096.0),
        ("endpointslice_change_to_write_seconds_count{loop=\"selector\"}", 1.0),
        ("endpointslice_change_to_write_seconds_count{loop=\"mirroring\"}", 0.0),
        ("endpointslice_sync_failures_total{loop=\"selector\"}", 0.0),
        ("endpointslice_sync_failures_total{loop=\"mirroring\"}", 1.0),
    ] {
        assert_eq!(page.value(series), Some(value), "{series}");
    }
}
