//! That a difference is seen, and that no rule hides more than its reason.

use serde_json::{Value, json};

use super::numbers::{Key, Numbers, Part, Slices, Verb, Write, difference, key_of, numbers};
use super::rules::{Facts, changes_nothing, hints_of_auto};
use crate::support::pods::set;
use crate::support::world::{MANAGED_BY, SELECTOR_LOOP, SERVICE_NAME, TRIGGER_TIME};

fn slice(name: &str, port: u16, addresses: &[&str]) -> Value {
    let endpoints: Vec<Value> = addresses.iter().map(|address| json!({"addresses": [address]})).collect();
    json!({
        "kind": "EndpointSlice",
        "metadata": {"namespace": "n", "name": name, "labels": {MANAGED_BY: SELECTOR_LOOP, SERVICE_NAME: "web"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
        "endpoints": endpoints,
    })
}

fn write(verb: Verb, slice: Value) -> Write {
    Write { verb, slice }
}

fn web() -> Key {
    ("n".to_string(), "web".to_string())
}

fn of_web(before: &[Value], writes: &[Write]) -> Numbers {
    let before: Slices = before.iter().map(|slice| (key_of(slice), slice.clone())).collect();
    numbers(&before, writes).remove(&web()).unwrap_or_default()
}

fn part() -> Part {
    (SELECTOR_LOOP.to_string(), "IPv4".to_string())
}

#[test]
fn each_kind_of_write_and_each_size_counts() {
    let before = [slice("a", 80, &["1", "2"]), slice("b", 81, &["3"])];
    let update = || write(Verb::Update, slice("a", 80, &["1", "2", "4"]));
    let base = of_web(&before, &[update()]);
    let others = [
        of_web(&before, &[]),
        of_web(&before, &[update(), update()]),
        of_web(&before, &[write(Verb::Update, slice("a", 80, &["1"]))]),
        of_web(&before, &[write(Verb::Update, slice("a", 82, &["1", "2", "4"]))]),
        of_web(&before, &[update(), write(Verb::Delete, before[1].clone())]),
        of_web(&before, &[update(), write(Verb::Create, slice("c", 80, &["5"]))]),
    ];
    assert!(difference(&base, &base.clone()).is_empty());
    for other in others {
        assert_ne!(base, other);
        assert!(!difference(&base, &other).is_empty());
    }
}

#[test]
fn who_is_in_a_slice_and_the_order_of_its_ports_do_not_count() {
    let two = |first: u16, second: u16| {
        let port =
            |number: u16| json!({"name": "http", "port": number, "protocol": "TCP", "appProtocol": null});
        let mut slice = slice("a", first, &["1", "2"]);
        slice["ports"] = json!([slice["ports"][0], port(second)]);
        slice
    };
    let one = of_web(&[], &[write(Verb::Create, two(80, 81))]);
    let mut other = two(81, 80);
    other["endpoints"][0]["addresses"] = json!(["9"]);
    assert_eq!(one, of_web(&[], &[write(Verb::Create, other)]));
}

#[test]
fn only_extra_writes_are_taken_together() {
    let before = [slice("a", 80, &["1"]), slice("b", 81, &["2"])];
    let [a, b] = before.each_ref().map(|slice| write(Verb::Update, slice.clone()));
    let together = |writes: &[Write], recyclable: bool| {
        of_web(&before, writes).only(&part()).together(writes, &part(), |_| recyclable).writes[&part()]
    };
    let twice = [a.clone(), b.clone(), a.clone()];
    assert_eq!(together(&twice, true), of_web(&before, &[a.clone(), b.clone()]).writes[&part()]);
    let anew = [write(Verb::Create, slice("c", 80, &["2"])), b, write(Verb::Delete, before[0].clone())];
    assert_eq!(together(&anew, true), of_web(&before, &[a.clone(), anew[1].clone()]).writes[&part()]);
    assert_eq!(together(&anew, false), of_web(&before, &anew).writes[&part()]);
    let created = [a, write(Verb::Create, slice("c", 80, &["2"]))];
    assert_eq!(together(&created, true), of_web(&before, &created).writes[&part()]);
}

#[test]
fn only_a_placeholder_can_be_gone() {
    let mut placeholder = slice("a", 80, &[]);
    assert!(of_web(&[placeholder.clone()], &[]).without_placeholder().is_empty());
    placeholder["ports"] = Value::Null;
    let less = of_web(&[placeholder.clone()], &[]).without_placeholder();
    assert_eq!(less, [of_web(&[placeholder.clone()], &[write(Verb::Delete, placeholder.clone())])]);
    placeholder["endpoints"] = json!([{"addresses": ["1"]}]);
    assert!(of_web(&[placeholder], &[]).without_placeholder().is_empty());
}

#[test]
fn slices_are_among_others_only_if_each_of_them_is_there() {
    let [one, two, more] = [&["1"][..], &["1", "2"], &["1", "2", "3"]];
    let all =
        of_web(&[slice("a", 80, one), slice("b", 80, two), slice("c", 80, two), slice("d", 81, more)], &[]);
    let some = |slices: &[Value]| of_web(slices, &[]).among(&all);
    assert!(some(&[slice("x", 80, two), slice("y", 80, two), slice("z", 81, more)]));
    assert!(!some(&[slice("x", 80, one), slice("y", 80, one)]));
    assert!(!some(&[slice("x", 81, two)]));
    assert!(!some(&[slice("x", 82, one)]));
}

#[test]
fn an_update_changes_nothing_when_only_its_order_its_version_and_its_trigger_time_are_new() {
    let mut before = slice("a", 80, &["1", "2"]);
    before["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
    let mut after = slice("a", 80, &["2", "1"]);
    after["metadata"]["resourceVersion"] = json!("7");
    after["metadata"]["annotations"] = json!({TRIGGER_TIME: "2026-01-01T00:00:00Z"});
    assert!(changes_nothing(&before, &write(Verb::Update, after.clone())));
    assert!(!changes_nothing(&before, &write(Verb::Delete, after.clone())));
    let changes: [(&str, Value); 7] = [
        ("/endpoints/0/conditions", json!({"ready": true})),
        ("/endpoints/0/hints", json!({"forZones": [{"name": "zone-a"}]})),
        ("/endpoints/2", json!({"addresses": ["3"]})),
        ("/ports/0/port", json!(81)),
        ("/metadata/labels/team", json!("a")),
        ("/metadata/annotations/note", json!("b")),
        ("/metadata/ownerReferences", json!([{"uid": "other"}])),
    ];
    for (pointer, value) in changes {
        let mut other = after.clone();
        set(&mut other, pointer, value);
        assert!(!changes_nothing(&before, &write(Verb::Update, other)), "{pointer}");
    }
}

#[test]
fn only_hints_of_mode_auto_are_not_counted() {
    let service = |mode: &str| json!({"metadata": {"annotations": {"service.kubernetes.io/topology-mode": mode}}, "spec": {}});
    let before = slice("a", 80, &["1"]);
    let mut hinted = before.clone();
    set(&mut hinted, "/endpoints/0/hints", json!({"forZones": [{"name": "zone-a"}]}));
    let mut moved = hinted.clone();
    set(&mut moved, "/endpoints/0/zone", json!("zone-b"));
    let none = |mode: &str, after: &Value| {
        let service = service(mode);
        let facts = Facts { service: &service, endpoints: None, failures: Vec::new() };
        hints_of_auto(&facts, &before, &write(Verb::Update, after.clone()))
    };
    assert!(none("Auto", &hinted));
    assert!(!none("Auto", &moved));
    assert!(!none("Disabled", &hinted));
}
