//! Each alert over series that are made up: it fires after its `for`, with these labels and these
//! words, and is over when the trouble is.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::programs::programs;
use crate::promtool::test_rules;
use crate::rules::alerts;

/// How one alert comes and goes. Series have a sample every 30 s, in promtool's notation.
struct Case {
    alert: &'static str,
    what: &'static str,
    series: Vec<(&'static str, &'static str)>,
    /// Minutes at which it does not fire yet, at which it fires, and at which it is over.
    before: u32,
    at: u32,
    over: u32,
    labels: &'static [(&'static str, &'static str)],
    /// What stands for `{{ $value … }}` in the description.
    value: &'static str,
}

const JOB: (&str, &str) = ("job", "endpointslice-controller");

#[rustfmt::skip]
fn cases() -> Vec<Case> {
    vec![
        Case {
            alert: "Down", what: "no target is left",
            series: vec![(r#"up{instance="a:8080"}"#, "1x19 _x30 1x20")],
            // A series without samples is found for another five minutes where no marker ended it.
            before: 18, at: 21, over: 26, labels: &[], value: "",
        },
        Case {
            alert: "Down", what: "no target answers",
            series: vec![(r#"up{instance="a:8080"}"#, "1x19 0x30 1x20"), (r#"up{instance="b:8080"}"#, "0x69")],
            before: 14, at: 16, over: 26, labels: &[], value: "",
        },
        Case {
            alert: "ReplicaDown", what: "one of two",
            series: vec![(r#"up{instance="a:8080"}"#, "1x120"), (r#"up{instance="b:8080"}"#, "1x19 0x40 1x20")],
            before: 24, at: 26, over: 31, labels: &[("instance", "b:8080"), JOB], value: "",
        },
        Case {
            alert: "NoLeader", what: "two standbys, one of them new",
            series: vec![
                (r#"leader_election_master_status{name="l",instance="a:8080"}"#, "1x19 0x40 1x20"),
                (r#"leader_election_master_status{name="l",instance="b:8080"}"#, "_x30 0x60"),
            ],
            before: 14, at: 16, over: 31, labels: &[JOB, ("name", "l")], value: "",
        },
        Case {
            alert: "TwoLeaders", what: "in two namespaces",
            series: vec![
                (r#"leader_election_master_status{name="l",namespace="x",instance="a:8080"}"#, "1x100"),
                (r#"leader_election_master_status{name="l",namespace="y",instance="b:8080"}"#, "0x9 1x20 0x60"),
                (r#"leader_election_master_status{name="l",namespace="x",instance="c:8080"}"#, "0x100"),
            ],
            before: 6, at: 8, over: 16, labels: &[JOB, ("name", "l")], value: "2",
        },
        Case {
            alert: "SyncErrors", what: "one sync in four fails, in both loops together",
            series: vec![
                (r#"endpointslice_sync_failures_total{loop="selector",instance="a:8080"}"#, "0x20 0+10x60 600x60"),
                (r#"endpointslice_sync_failures_total{loop="mirroring",instance="a:8080"}"#, "0x20 0+5x60 300x60"),
                (r#"workqueue_work_duration_seconds_count{name="endpoint_slice",instance="a:8080"}"#, "0+40x140"),
                (r#"workqueue_work_duration_seconds_count{name="endpoint_slice_mirroring",instance="a:8080"}"#, "0+20x140"),
            ],
            before: 19, at: 30, over: 50, labels: &[JOB], value: "25%",
        },
        Case {
            alert: "SyncErrors", what: "the loop moves to another replica, which fails as well",
            series: vec![
                (r#"endpointslice_sync_failures_total{loop="selector",instance="a:8080"}"#, "0x10 0+10x30 _x100"),
                (r#"workqueue_work_duration_seconds_count{name="endpoint_slice",instance="a:8080"}"#, "0+20x40 _x100"),
                (r#"endpointslice_sync_failures_total{loop="selector",instance="b:8080"}"#, "0x40 0+10x30 300x90"),
                (r#"workqueue_work_duration_seconds_count{name="endpoint_slice",instance="b:8080"}"#, "0x40 0+20x120"),
            ],
            before: 14, at: 30, over: 55, labels: &[JOB], value: "50%",
        },
        Case {
            alert: "ServicesInBackoff", what: "one Service of the mirroring loop, over a change of leaders",
            series: vec![
                (r#"endpointslice_services_in_backoff{loop="mirroring",instance="a:8080"}"#, "0x19 1x20 _x100"),
                (r#"endpointslice_services_in_backoff{loop="mirroring",instance="b:8080"}"#, "_x38 3x40 0x60"),
                (r#"endpointslice_services_in_backoff{loop="selector",instance="a:8080"}"#, "0x38 _x100"),
            ],
            before: 24, at: 27, over: 42, labels: &[JOB, ("loop", "mirroring")], value: "3",
        },
        Case {
            alert: "StaleWatch", what: "the stream of one resource is dead on one replica",
            series: vec![
                (r#"endpointslice_watch_last_event_age_seconds{resource="pods",instance="a:8080"}"#, "0+30x40 0 15 30 45 60"),
                (r#"endpointslice_watch_last_event_age_seconds{resource="nodes",instance="a:8080"}"#, "0 30 60 0 30 60 0 30 60 0 30 60 0 30 60 0 30 60"),
            ],
            before: 5, at: 9, over: 21,
            labels: &[("instance", "a:8080"), JOB, ("resource", "pods")], value: "9m 0s",
        },
        Case {
            alert: "Slow", what: "two changes of a hundred take longer than five seconds",
            series: vec![
                (r#"endpointslice_change_to_write_seconds_bucket{loop="selector",le="1",instance="a:8080"}"#, "0+98x60 5880+100x60"),
                (r#"endpointslice_change_to_write_seconds_bucket{loop="selector",le="5",instance="a:8080"}"#, "0+98x60 5880+100x60"),
                (r#"endpointslice_change_to_write_seconds_bucket{loop="selector",le="10",instance="a:8080"}"#, "0+100x120"),
                (r#"endpointslice_change_to_write_seconds_bucket{loop="selector",le="+Inf",instance="a:8080"}"#, "0+100x120"),
                (r#"endpointslice_change_to_write_seconds_bucket{loop="mirroring",le="+Inf",instance="a:8080"}"#, "0x120"),
            ],
            before: 14, at: 20, over: 40, labels: &[JOB, ("loop", "selector")], value: "7.5s",
        },
        Case {
            alert: "PoorPacking", what: "a large cluster was scaled down",
            series: vec![
                (r#"endpoint_slice_controller_num_endpoint_slices{instance="a:8080"}"#, "500x300"),
                (r#"endpoint_slice_controller_desired_endpoint_slices{instance="a:8080"}"#, "450x10 150x200 400x90"),
                (r#"endpoint_slice_mirroring_controller_num_endpoint_slices{instance="a:8080"}"#, "50x300"),
                (r#"endpoint_slice_mirroring_controller_desired_endpoint_slices{instance="a:8080"}"#, "50x300"),
            ],
            before: 64, at: 70, over: 110, labels: &[JOB], value: "2.75",
        },
        Case {
            alert: "OrphanedSlices", what: "a Service lost its selector",
            series: vec![(r#"endpointslice_orphaned_slices{instance="a:8080"}"#, "0x19 2x150 0x60")],
            before: 69, at: 71, over: 90, labels: &[JOB], value: "2",
        },
        Case {
            alert: "UndecodableObjects", what: "one Pod, on both replicas",
            series: vec![
                (r#"endpointslice_undecodable_objects{resource="pods",instance="a:8080"}"#, "0x9 1x30 0x30"),
                (r#"endpointslice_undecodable_objects{resource="pods",instance="b:8080"}"#, "0x9 1x30 0x30"),
                (r#"endpointslice_undecodable_objects{resource="nodes",instance="b:8080"}"#, "0x70"),
            ],
            before: 9, at: 11, over: 21, labels: &[JOB, ("resource", "pods")], value: "1",
        },
        Case {
            alert: "AddressesRefused", what: "at a sync",
            series: vec![
                (r#"endpointslice_addresses_refused_total{reason="loopback",instance="a:8080"}"#, "0x19 4x400"),
                (r#"endpointslice_addresses_refused_total{reason="zoned",instance="a:8080"}"#, "0x420"),
            ],
            before: 14, at: 17, over: 75, labels: &[JOB, ("reason", "loopback")], value: "",
        },
        Case {
            alert: "AddressesRefused", what: "before the first scrape of a new leader",
            series: vec![(r#"endpointslice_addresses_refused_total{reason="zoned",instance="a:8080"}"#, "_x20 2x400")],
            before: 14, at: 17, over: 75, labels: &[JOB, ("reason", "zoned")], value: "",
        },
    ]
}

impl Case {
    fn name(&self) -> String {
        format!("EndpointSliceController{}", self.alert)
    }

    fn test(&self) -> Value {
        let series: Vec<Value> = self
            .series
            .iter()
            .map(|(series, values)| json!({"series": with_job(series), "values": values}))
            .collect();
        json!({
            "name": format!("{}: {}", self.name(), self.what),
            "interval": "30s",
            "input_series": series,
            "alert_rule_test": [
                {"eval_time": minutes(self.before), "alertname": self.name(), "exp_alerts": []},
                {"eval_time": minutes(self.at), "alertname": self.name(), "exp_alerts": [self.expected()]},
                {"eval_time": minutes(self.over), "alertname": self.name(), "exp_alerts": []},
            ],
        })
    }

    /// The alert as it must be at `at`: its words are those of the rule file, with this test's values.
    fn expected(&self) -> Value {
        let rules = alerts();
        let rule = rules.iter().find(|rule| rule.name == self.name()).expect("an alert of this name");
        let mut labels: Map<String, Value> =
            self.labels.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        labels.insert("severity".to_owned(), json!(rule.severity));
        let words = rule.annotations.iter().map(|(name, text)| (name.clone(), json!(self.filled_in(text))));
        json!({"exp_labels": labels, "exp_annotations": words.collect::<Map<String, Value>>()})
    }

    fn filled_in(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{ ") {
            let (template, after) = after.split_once(" }}").expect("the end of a template");
            filled += before;
            filled += match template.strip_prefix("$labels.") {
                Some(label) => self.labels.iter().find(|(name, _)| *name == label).expect("a label").1,
                None => {
                    assert!(template.starts_with("$value") && !self.value.is_empty(), "{template}");
                    self.value
                }
            };
            rest = after;
        }
        filled + rest
    }
}

/// The series under the job that the rules ask for.
pub fn with_job(series: &str) -> String {
    series.replacen('{', "{job=\"endpointslice-controller\",", 1)
}

pub fn minutes(minutes: u32) -> String {
    format!("{minutes}m")
}

#[test]
fn each_alert_fires_when_it_should_and_is_over_when_the_trouble_is() {
    let Some(programs) = programs() else { return };
    let cases = cases();
    let tested: BTreeSet<String> = cases.iter().map(Case::name).collect();
    let all: BTreeSet<String> = alerts().into_iter().map(|alert| alert.name).collect();
    assert_eq!(tested, all, "each alert is tested");
    let tests: Vec<Value> = cases.iter().map(Case::test).collect();
    test_rules(programs, "fires", &tests);
}
