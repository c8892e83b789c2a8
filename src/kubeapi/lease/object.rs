//! The Lease object: what leader election reads of it, and edits in the raw JSON, so that labels,
//! annotations and fields of others stay as they are.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::LeaseConfig;

/// What the election reads of a Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    /// Who holds it; empty when nobody does.
    pub holder: String,
    /// How long it is valid after a renewal; `None` when the Lease does not say.
    pub duration: Option<Duration>,
    /// How often it changed hands.
    pub transitions: u64,
    /// resourceVersion; 0 when there is none.
    pub version: u64,
    /// The whole spec: any change of it is a sign of life.
    pub spec: Value,
}

impl Shown {
    pub(super) fn read(lease: &Value) -> Shown {
        let spec = &lease["spec"];
        let seconds = spec["leaseDurationSeconds"].as_u64().filter(|seconds| *seconds > 0);
        Shown {
            holder: spec["holderIdentity"].as_str().unwrap_or_default().to_owned(),
            duration: seconds.map(Duration::from_secs),
            transitions: spec["leaseTransitions"].as_u64().unwrap_or(0),
            version: lease["metadata"]["resourceVersion"].as_str().and_then(|v| v.parse().ok()).unwrap_or(0),
            spec: spec.clone(),
        }
    }
}

/// A Lease that is not there yet, before [`hold`].
pub(super) fn blank(config: &LeaseConfig) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"namespace": config.namespace, "name": config.name},
        "spec": {},
    })
}

/// The Lease held by us from `now` on: renewed when it is ours already, else taken over.
pub(super) fn hold(lease: Value, config: &LeaseConfig, now: Timestamp) -> Value {
    let shown = Shown::read(&lease);
    let taken = shown.holder != config.identity;
    let first = shown.spec["leaseTransitions"].is_null() && shown.holder.is_empty();
    // Others see that we live by this text changing, whatever the wall clock does.
    let mut renewed = micro_time(now);
    if shown.spec["renewTime"].as_str() == Some(&renewed) {
        renewed = micro_time(now + Duration::from_micros(1));
    }
    edit(lease, |spec| {
        if taken {
            spec.insert("acquireTime".into(), json!(micro_time(now)));
            let transitions = if first { 0 } else { shown.transitions + 1 };
            spec.insert("leaseTransitions".into(), json!(transitions));
        }
        spec.insert("renewTime".into(), json!(renewed));
        spec.insert("holderIdentity".into(), json!(config.identity));
        // Rounded up: a candidate must never count less than we do.
        let seconds = config.lease_duration.as_secs() + u64::from(config.lease_duration.subsec_nanos() > 0);
        spec.insert("leaseDurationSeconds".into(), json!(seconds));
    })
}

/// The Lease released, as client-go does it: held by nobody, valid for a second.
pub(super) fn release(lease: Value, now: Timestamp) -> Value {
    edit(lease, |spec| {
        spec.insert("holderIdentity".into(), json!(""));
        spec.insert("leaseDurationSeconds".into(), json!(1));
        spec.insert("renewTime".into(), json!(micro_time(now)));
        spec.insert("acquireTime".into(), json!(micro_time(now)));
    })
}

/// Changes the spec; whatever is no object becomes one.
fn edit(lease: Value, change: impl FnOnce(&mut Map<String, Value>)) -> Value {
    let mut whole = match lease {
        Value::Object(whole) => whole,
        _ => Map::new(),
    };
    let mut spec = match whole.remove("spec") {
        Some(Value::Object(spec)) => spec,
        _ => Map::new(),
    };
    change(&mut spec);
    whole.insert("spec".into(), Value::Object(spec));
    Value::Object(whole)
}

/// `metav1.MicroTime`: always six digits.
fn micro_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> LeaseConfig {
        LeaseConfig::new("kube-system", "endpointslice-controller", "me")
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn times_have_six_digits() {
        assert_eq!(micro_time(at("2026-11-21T06:52:00Z")), "2026-11-21T06:52:00.000000Z");
        assert_eq!(micro_time(at("2026-11-21T06:52:00.123456789Z")), "2026-11-21T06:52:00.123456Z");
    }

    #[test]
    fn a_new_lease_has_no_transitions_and_a_renewal_keeps_them() {
        let first = hold(blank(&config()), &config(), at("2026-11-21T06:52:00Z"));
        assert_eq!(
            first["spec"],
            json!({
                "holderIdentity": "me", "leaseDurationSeconds": 15, "leaseTransitions": 0,
                "acquireTime": "2026-11-21T06:52:00.000000Z", "renewTime": "2026-11-21T06:52:00.000000Z",
            })
        );
        let renewed = hold(first, &config(), at("2026-11-21T06:52:02Z"));
        assert_eq!(renewed["spec"]["acquireTime"], "2026-11-21T06:52:00.000000Z");
        assert_eq!(renewed["spec"]["renewTime"], "2026-11-21T06:52:02.000000Z");
        assert_eq!(renewed["spec"]["leaseTransitions"], 0);
    }

    #[test]
    fn taking_over_counts_a_transition_also_from_a_released_lease() {
        for (holder, expected) in [("other", 8), ("", 8), ("me", 7)] {
            let lease = json!({"spec": {"holderIdentity": holder, "leaseTransitions": 7}});
            let held = hold(lease, &config(), at("2026-11-21T06:52:00Z"));
            assert_eq!(held["spec"]["leaseTransitions"], expected, "from {holder:?}");
        }
    }

    #[test]
    fn a_renewal_always_changes_the_lease() {
        let now = at("2026-11-21T06:52:00Z");
        let first = hold(blank(&config()), &config(), now);
        assert_ne!(hold(first.clone(), &config(), now)["spec"], first["spec"]);
    }

    #[test]
    fn what_others_wrote_stays() {
        let lease = json!({
            "metadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}, "resourceVersion": "7"},
            "spec": {"holderIdentity": "other", "strategy": "OldestEmulationVersion", "preferredHolder": "x", "new": 1},
        });
        for edited in [
            hold(lease.clone(), &config(), at("2026-11-21T06:52:00Z")),
            release(lease.clone(), at("2026-11-21T06:52:00Z")),
        ] {
            assert_eq!(edited["metadata"], lease["metadata"]);
            for field in ["strategy", "preferredHolder", "new"] {
                assert_eq!(edited["spec"][field], lease["spec"][field]);
            }
        }
    }

    #[test]
    fn a_fraction_of_a_second_is_rounded_up() {
        let config = LeaseConfig { lease_duration: Duration::from_millis(1500), ..config() };
        let held = hold(blank(&config), &config, at("2026-11-21T06:52:00Z"));
        assert_eq!(held["spec"]["leaseDurationSeconds"], 2);
    }

    #[test]
    fn a_released_lease_is_held_by_nobody_for_a_second() {
        let lease =
            json!({"spec": {"holderIdentity": "me", "leaseTransitions": 7, "leaseDurationSeconds": 15}});
        let spec = &release(lease, at("2026-11-21T06:52:00Z"))["spec"];
        assert_eq!((&spec["holderIdentity"], &spec["leaseDurationSeconds"]), (&json!(""), &json!(1)));
        assert_eq!(spec["leaseTransitions"], 7);
    }

    #[test]
    fn a_lease_of_any_shape_can_be_read_and_held() {
        for lease in [json!(null), json!({}), json!({"spec": null}), json!({"spec": {"holderIdentity": 5}})] {
            assert_eq!(Shown::read(&lease).holder, "");
            assert_eq!(hold(lease, &config(), at("2026-11-21T06:52:00Z"))["spec"]["holderIdentity"], "me");
        }
    }
}
