//! An hour of healthy churn in simulated time, in which no alert may fire: two replicas under load,
//! a rolling update, a leader that is killed, an API server that restarts, a tenant whose quota is
//! full for a while, deployments that roll; and an hour of an empty cluster.
//!
//! The series are what the program exports in such an hour, written down sample by sample. That the
//! hour is not simply empty is shown twice: alerts are *pending* in it, and the same hour with a
//! trouble that stays makes them fire.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use crate::fires::with_job;
use crate::programs::programs;
use crate::promtool::test_rules;

const SCRAPE: usize = 15;
const HOUR: usize = 3600;

/// Series by name, a sample (or none) at each scrape.
#[derive(Default)]
struct Series(BTreeMap<String, Vec<Option<f64>>>);

/// One replica, from the start of its process on.
#[derive(Clone)]
struct Replica {
    instance: &'static str,
    leads: bool,
    seconds: f64,
    syncs: f64,
    failures: f64,
    writes: f64,
    slow: f64,
}

/// What goes on at one moment, the same for all replicas.
#[derive(Clone, Copy, Default)]
struct Moment {
    syncs_per_second: f64,
    failures_per_second: f64,
    in_backoff: f64,
    /// Seconds since the API server went away.
    api_gone: f64,
    slices: f64,
    desired_slices: f64,
}

impl Series {
    fn put(&mut self, at: usize, name: &str, instance: &str, labels: &str, value: f64) {
        let labels = if labels.is_empty() { String::new() } else { format!(",{labels}") };
        let samples =
            self.0.entry(with_job(&format!("{name}{{instance=\"{instance}\"{labels}}}"))).or_default();
        samples.resize(at, None);
        samples.push(Some(value));
    }

    fn scrape(&mut self, at: usize, replica: &Replica, now: &Moment) {
        let age = |period: f64| now.api_gone + replica.seconds % period;
        let own = replica.instance;
        self.put(at, "up", own, "", 1.0);
        self.put(at, "leader_election_master_status", own, "name=\"l\"", f64::from(u8::from(replica.leads)));
        // Pods come and go all the time; nothing is ever written to some resources.
        self.put(at, AGE, own, "resource=\"pods\"", age(2.0));
        self.put(at, AGE, own, "resource=\"nodes\"", age(75.0));
        for resource in ["pods", "nodes"] {
            let labels = format!("resource=\"{resource}\"");
            self.put(at, "endpointslice_undecodable_objects", own, &labels, 0.0);
        }
        self.put(at, "endpointslice_sync_failures_total", own, "loop=\"selector\"", replica.failures);
        self.put(at, "endpointslice_sync_failures_total", own, "loop=\"mirroring\"", 0.0);
        for (name, share) in [("endpoint_slice", 0.9), ("endpoint_slice_mirroring", 0.1)] {
            let labels = format!("name=\"{name}\"");
            self.put(
                at,
                "workqueue_work_duration_seconds_count",
                own,
                &labels,
                (replica.syncs * share).floor(),
            );
        }
        for (le, value) in [("0.1", 0.97), ("1", 1.0), ("5", 1.0), ("+Inf", 1.0)] {
            let all = (replica.writes * value).floor() + if le == "+Inf" { replica.slow } else { 0.0 };
            self.put(at, LATENCY, own, &format!("loop=\"selector\",le=\"{le}\""), all);
            self.put(at, LATENCY, own, &format!("loop=\"mirroring\",le=\"{le}\""), 0.0);
        }
        self.put(at, "endpointslice_addresses_refused_total", own, "reason=\"loopback\"", 0.0);
        if replica.leads {
            self.put(at, "endpointslice_services_in_backoff", own, "loop=\"selector\"", now.in_backoff);
            self.put(at, "endpointslice_services_in_backoff", own, "loop=\"mirroring\"", 0.0);
            self.put(at, "endpointslice_orphaned_slices", own, "", 0.0);
            for (prefix, slices, desired) in [
                ("endpoint_slice_controller", now.slices, now.desired_slices),
                ("endpoint_slice_mirroring_controller", 3.0, 3.0),
            ] {
                self.put(at, &format!("{prefix}_num_endpoint_slices"), own, "", slices);
                self.put(at, &format!("{prefix}_desired_endpoint_slices"), own, "", desired);
            }
        }
    }

    /// As promtool takes it. A series that is not scraped any more is marked as stale, as a target
    /// that fails or goes is.
    fn input(&self, scrapes: usize) -> Vec<Value> {
        let text = |samples: &Vec<Option<f64>>| {
            let mut text = String::new();
            let mut before = false;
            for at in 0..scrapes {
                let sample = samples.get(at).copied().flatten();
                let _ = match sample {
                    Some(value) => write!(text, "{value} "),
                    None if before => write!(text, "stale "),
                    None => write!(text, "_ "),
                };
                before = sample.is_some();
            }
            text
        };
        let one = |(series, samples)| json!({"series": series, "values": text(samples)});
        self.0.iter().map(one).collect()
    }
}

const AGE: &str = "endpointslice_watch_last_event_age_seconds";
const LATENCY: &str = "endpointslice_change_to_write_seconds_bucket";

impl Replica {
    fn new(instance: &'static str) -> Replica {
        Replica { instance, leads: false, seconds: 0.0, syncs: 0.0, failures: 0.0, writes: 0.0, slow: 0.0 }
    }

    fn work(&mut self, now: &Moment) {
        let step = SCRAPE as f64;
        self.seconds += step;
        if self.leads && now.api_gone == 0.0 {
            self.syncs += now.syncs_per_second * step;
            self.writes += now.syncs_per_second * step * 0.6;
        }
        if self.leads {
            self.syncs += now.failures_per_second * step;
            self.failures += now.failures_per_second * step;
        }
    }

    /// Takes the lead: every Service is synced once.
    fn take_lead(&mut self) {
        self.leads = true;
        self.syncs += 1200.0;
    }
}

/// The events of the hour, by their second.
fn churn(second: usize, replicas: &mut Vec<Replica>, trouble_stays: bool) -> Moment {
    let during = |from: usize, to: usize| (from * 60..to * 60).contains(&second);
    let mut now =
        Moment { syncs_per_second: 4.0, slices: 1500.0, desired_slices: 1300.0, ..Moment::default() };
    let lead = |replicas: &mut Vec<Replica>, instance: &str| {
        replicas.iter_mut().filter(|replica| replica.instance == instance).for_each(Replica::take_lead);
    };
    match second {
        0 => {
            *replicas = vec![Replica::new("a"), Replica::new("b")];
            lead(replicas, "a");
        }
        // A rolling update with surge: the leader releases its lease as it goes.
        600 => replicas.push(Replica::new("c")),
        630 => replicas.retain(|replica| replica.instance != "b"),
        645 => replicas.push(Replica::new("d")),
        660 => {
            replicas.retain(|replica| replica.instance != "a");
            lead(replicas, "c");
        }
        // The leader is killed; the standby waits for the lease to run out, the other one is restarted.
        1500 => replicas.retain(|replica| replica.instance != "c"),
        1530 => lead(replicas, "d"),
        1560 => replicas.push(Replica::new("c")),
        // The API server was away for longer than a lease: whoever led has ended and comes back.
        2145 => {
            replicas.iter_mut().for_each(|replica| *replica = Replica::new(replica.instance));
        }
        2205 => lead(replicas, "c"),
        _ => {}
    }
    if (2100..2190).contains(&second) || (trouble_stays && second >= 2100) {
        now.api_gone = (second - 2100) as f64 + 1.0;
        now.failures_per_second = 10.0;
    }
    // A tenant's quota is full for ten minutes.
    if during(40, 50) {
        (now.in_backoff, now.failures_per_second) = (3.0, 0.06);
    }
    // What could not be written meanwhile is written then, late.
    if during(50, 51) || second == 2220 {
        replicas.iter_mut().filter(|replica| replica.leads).for_each(|replica| replica.slow += 1.0);
    }
    // Deployments roll and scale down: slices empty out before they are filled again.
    if during(15, 55) {
        (now.slices, now.desired_slices) = (1900.0, 1000.0);
    }
    now
}

/// An hour of these events: what fired in it, and what was pending, must be exactly this.
fn hour(
    name: &str,
    events: impl Fn(usize, &mut Vec<Replica>) -> Moment,
    fired: &[&str],
    pending: &[&str],
) -> Value {
    let mut series = Series::default();
    let mut replicas = Vec::new();
    for at in 0..=HOUR / SCRAPE {
        let now = events(at * SCRAPE, &mut replicas);
        for replica in &mut replicas {
            replica.work(&now);
            series.scrape(at, replica, &now);
        }
    }
    let seen = |state: &str, alerts: &[&str]| {
        let samples: Vec<Value> = alerts
            .iter()
            .map(|alert| json!({"labels": format!("{{alertname=\"EndpointSliceController{alert}\"}}"), "value": 1}))
            .collect();
        let expr = format!("group by (alertname) (count_over_time(ALERTS{{alertstate=\"{state}\"}}[1h]))");
        json!({"expr": expr, "eval_time": "1h", "exp_samples": samples})
    };
    json!({
        "name": name,
        "interval": format!("{SCRAPE}s"),
        "input_series": series.input(HOUR / SCRAPE + 1),
        "promql_expr_test": [seen("firing", fired), seen("pending", pending)],
    })
}

/// Two replicas and nothing to do. Histograms have no observation, nothing was ever synced.
fn empty(second: usize, replicas: &mut Vec<Replica>) -> Moment {
    if second == 0 {
        *replicas = vec![Replica::new("a"), Replica::new("b")];
        replicas[0].leads = true;
    }
    Moment::default()
}

/// In a quiet cluster all that is synced may be the one Service that fails: each of its syncs.
fn one_service_fails(second: usize, replicas: &mut Vec<Replica>) -> Moment {
    let now = empty(second, replicas);
    if second < 300 {
        return now;
    }
    // 0, 1, 3, 7, 15, 31 and 63 s after the first time, then every 48 to 60 s.
    let failures_per_second = if second < 360 { 0.1 } else { 1.0 / 50.0 };
    Moment { failures_per_second, in_backoff: 1.0, ..now }
}

#[test]
fn a_single_service_that_fails_in_a_quiet_cluster_is_told_as_that_and_not_as_many() {
    let Some(programs) = programs() else { return };
    let alerts = ["ServicesInBackoff"];
    test_rules(programs, "one-service", &[hour("one Service", one_service_fails, &alerts, &alerts)]);
}

#[test]
fn no_alert_fires_in_an_hour_of_healthy_churn() {
    let Some(programs) = programs() else { return };
    let expected = ["NoLeader", "ServicesInBackoff", "SyncErrors"];
    let calm = |second, replicas: &mut Vec<Replica>| churn(second, replicas, false);
    test_rules(programs, "healthy-hour", &[hour("churn", calm, &[], &expected)]);
}

#[test]
fn no_alert_fires_in_an_hour_of_an_empty_cluster() {
    let Some(programs) = programs() else { return };
    test_rules(programs, "empty-hour", &[hour("empty", empty, &[], &[])]);
}

/// Else the hour above would prove nothing.
#[test]
fn the_same_hour_in_which_the_api_server_stays_away_is_no_quiet_one() {
    let Some(programs) = programs() else { return };
    let trouble = |second, replicas: &mut Vec<Replica>| churn(second, replicas, true);
    let fired = ["StaleWatch", "SyncErrors"];
    let pending = ["NoLeader", "ServicesInBackoff", "StaleWatch", "SyncErrors"];
    test_rules(programs, "troubled-hour", &[hour("trouble", trouble, &fired, &pending)]);
}
