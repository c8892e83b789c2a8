//! Rules excuse what they are for, and nothing beside it.

use serde_json::{Map, Value, json};

use super::{Facts, explain, may_sleep};
use crate::compare::{Said, groups};
use crate::pair::Complaint;
use crate::support::history::{Change, Kind, Operation, State, Tampering};
use crate::support::world::{MIRRORING_LOOP, SELECTOR_LOOP};

/// The world of one Service `s` with two Pods on a Node.
fn state(service: Value) -> State {
    let mut state = State::default();
    let mut spec =
        json!({"selector": {"app": "s"}, "ipFamilies": ["IPv4"], "ports": [{"name": "http", "port": 80}]});
    spec.as_object_mut().expect("a map").extend(service.as_object().cloned().unwrap_or_default());
    let mut create = |kind, object| state.apply(&Operation::Create(kind, object));
    create(Kind::Service, json!({"metadata": {"name": "s"}, "spec": spec}));
    create(Kind::Node, json!({"metadata": {"name": "n"}}));
    for (name, ip) in [("p-1", "10.0.0.1"), ("p-2", "10.0.0.2")] {
        let status = json!({"phase": "Running", "podIPs": [{"ip": ip}]});
        create(
            Kind::Pod,
            json!({"metadata": {"name": name, "labels": {"app": "s"}}, "spec": {"nodeName": "n"}, "status": status}),
        );
    }
    state
}

fn slice(manager: &str, addresses: &[&str]) -> Said {
    Said {
        manager: manager.to_string(),
        address_type: "IPv4".to_string(),
        ports: vec![json!({"name": "http", "port": 80, "protocol": "TCP"})],
        labels: Map::new(),
        annotations: Map::new(),
        owners: Vec::new(),
        generate_name: json!("s-"),
        finalizers: Value::Null,
        going: false,
        endpoints: addresses
            .iter()
            .map(|ip| json!({"addresses": [ip], "conditions": {"ready": true}}))
            .collect(),
    }
}

fn with(said: Said, change: impl Fn(&mut Said)) -> Said {
    let mut said = said;
    change(&mut said);
    said
}

fn tampered(how: Tampering) -> Vec<Change> {
    let operation = Operation::Tamper { service: "s".to_string(), nth: 0, how };
    vec![Change { number: 0, why: String::new(), operation }]
}

/// The rules that fire, if both are equal with them.
fn explained(
    state: &State,
    past: &[Change],
    peer: Complaint,
    ours: Said,
    theirs: Said,
) -> Option<Vec<&'static str>> {
    let facts = Facts { service: "s", past, state, peer_restarted: false, peer };
    let (mut ours, mut theirs) = (vec![ours], vec![theirs]);
    let fired = explain(&facts, &mut ours, &mut theirs);
    (groups(&ours) == groups(&theirs)).then_some(fired)
}

const SAYS_NOTHING: Complaint = Complaint { failed: false, stuck: false, exists: false };
const FAILED: Complaint = Complaint { failed: true, stuck: false, exists: false };
const STUCK: Complaint = Complaint { failed: true, stuck: true, exists: false };
const BOTH: [&str; 2] = ["10.0.0.1", "10.0.0.2"];

fn headless(said: &mut Said) {
    said.labels.insert("service.kubernetes.io/headless".to_string(), json!(""));
}

#[test]
fn a_wrong_headless_label_is_excused_in_the_peer_and_not_in_ours() {
    let state = state(json!({}));
    let (right, wrong) = (slice(SELECTOR_LOOP, &BOTH), with(slice(SELECTOR_LOOP, &BOTH), headless));
    let found = explained(&state, &[], SAYS_NOTHING, right.clone(), wrong.clone());
    assert_eq!(found, Some(vec!["headless label repaired"]));
    assert_eq!(explained(&state, &[], SAYS_NOTHING, wrong, right), None);
}

#[test]
fn a_peer_that_is_stuck_is_excused_only_while_ours_is_complete() {
    let (state, past) = (state(json!({})), tampered(Tampering::TakeOver("x".to_string())));
    let (all, one) = (slice(SELECTOR_LOOP, &BOTH), slice(SELECTOR_LOOP, &BOTH[..1]));
    assert_eq!(explained(&state, &past, STUCK, all.clone(), one.clone()), Some(vec!["peer is stuck"]));
    assert_eq!(explained(&state, &past, STUCK, one.clone(), all.clone()), None);
    assert_eq!(
        explained(&state, &past, FAILED, all.clone(), one.clone()),
        None,
        "it does not say that it is"
    );
    assert_eq!(explained(&state, &[], STUCK, all, one), None, "there is no cause for it");
}

#[test]
fn a_refused_address_excuses_the_peer_and_not_ours() {
    let mut state = state(json!({}));
    let status = json!({"podIPs": [{"ip": "169.254.1.1"}]});
    state.apply(&Operation::PatchStatus(Kind::Pod, "p-2".to_string(), status));
    let (right, wrong) = (slice(SELECTOR_LOOP, &BOTH[..1]), slice(SELECTOR_LOOP, &BOTH));
    assert_eq!(explained(&state, &[], FAILED, right.clone(), wrong.clone()), Some(vec!["address refused"]));
    assert_eq!(explained(&state, &[], FAILED, wrong, right), None);
}

/// Seeds 71 and 85 failed once: the peer asks for a name that is taken, again and again.
#[test]
fn a_peer_that_asks_for_a_taken_name_is_excused_only_while_ours_is_complete() {
    let mut state = state(json!({"selector": {}}));
    let subsets = json!([{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"name": "http", "port": 80}]}]);
    state.apply(&Operation::Create(Kind::Endpoints, json!({"metadata": {"name": "s"}, "subsets": subsets})));
    let (right, old) = (slice(MIRRORING_LOOP, &BOTH[..1]), slice(MIRRORING_LOOP, &BOTH[1..]));
    let exists = Complaint { exists: true, ..FAILED };
    let found = explained(&state, &[], exists, right.clone(), old.clone());
    assert_eq!(found, Some(vec!["name exists in the peer"]));
    assert_eq!(explained(&state, &[], exists, old.clone(), right.clone()), None);
    assert_eq!(explained(&state, &[], FAILED, right, old), None, "it does not say so");
}

/// Seed 27 failed once: the peer keeps of such an address what came last.
#[test]
fn an_address_in_both_states_under_a_port_with_app_protocol_is_not_ready() {
    let mut state = state(json!({"selector": {}}));
    let port = json!({"name": "http", "port": 80, "protocol": "TCP", "appProtocol": "http"});
    let addresses = json!([{"ip": "10.0.0.1"}]);
    let subsets =
        json!([{"addresses": addresses, "ports": [port]}, {"notReadyAddresses": addresses, "ports": [port]}]);
    state.apply(&Operation::Create(Kind::Endpoints, json!({"metadata": {"name": "s"}, "subsets": subsets})));
    let ready = with(slice(MIRRORING_LOOP, &BOTH[..1]), |said| said.ports = vec![port.clone()]);
    let not_ready = with(ready.clone(), |said| said.endpoints[0]["conditions"]["ready"] = json!(false));
    let found = explained(&state, &[], SAYS_NOTHING, not_ready.clone(), ready.clone());
    assert_eq!(found, Some(vec!["ports by value"]));
    assert_eq!(explained(&state, &[], SAYS_NOTHING, ready, not_ready), None);
}

#[test]
fn a_rule_that_was_not_needed_does_not_count() {
    // The annotation is taken off both; it is the label that differs.
    let state = state(json!({}));
    let past = tampered(Tampering::Annotate("note".to_string(), "x".to_string()));
    let noted = with(slice(SELECTOR_LOOP, &BOTH), |said| {
        said.annotations.insert("note".to_string(), json!("x"));
    });
    let found = explained(&state, &past, SAYS_NOTHING, noted.clone(), with(noted, headless));
    assert_eq!(found, Some(vec!["headless label repaired"]));
}

#[test]
fn the_peer_may_sleep_only_for_a_reason() {
    let state = state(json!({}));
    let why = |past: &[Change], peer| {
        may_sleep(&Facts { service: "s", past, state: &state, peer_restarted: false, peer })
    };
    assert_eq!(why(&[], SAYS_NOTHING), Vec::<&str>::new());
    assert_eq!(why(&[], FAILED), ["peer waits after a failure"]);
    assert_eq!(why(&tampered(Tampering::Delete), SAYS_NOTHING), Vec::<&str>::new());
    assert_eq!(why(&tampered(Tampering::NoOwner), SAYS_NOTHING), ["owner or annotation edited"]);
    let zone = Operation::Patch(Kind::Node, "n".to_string(), json!({}));
    let past = [Change { number: 0, why: "node: zone changed".to_string(), operation: zone }];
    assert_eq!(why(&past, SAYS_NOTHING), ["node changes zone"]);
}
