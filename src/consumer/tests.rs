//! What a consumer sees of slices in which something is odd, and that following them event by event
//! comes to the same as merging what stands.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a test that panics fails")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use smol_str::SmolStr;

use super::*;
use crate::model::{AddressType, Conditions, Key, Protocol, Slice, Text, wire};

fn slice(name: &str, ports: Value, endpoints: Value) -> Slice {
    changed(name, ports, endpoints, |_| ())
}

fn changed(name: &str, ports: Value, endpoints: Value, change: impl FnOnce(&mut Value)) -> Slice {
    let labels = json!({"kubernetes.io/service-name": "web"});
    let mut object = json!({
        "metadata": {"namespace": "ns", "name": name, "uid": name, "resourceVersion": "1", "labels": labels},
        "addressType": "IPv4", "ports": ports, "endpoints": endpoints,
    });
    change(&mut object);
    wire::decode_slice(object.to_string().as_bytes()).unwrap()
}

fn http() -> Value {
    json!([{"name": "http", "port": 80, "protocol": "TCP"}])
}

fn at(address: &str) -> Value {
    json!([{"addresses": [address]}])
}

fn port(name: Option<&str>) -> PortKey {
    PortKey { service: Key::new("ns", "web"), address_type: AddressType::IPv4, port: name.map(Text::new) }
}

fn of(port: &PortKey, address: &str) -> AddressKey {
    AddressKey { port: port.clone(), address: address.into() }
}

/// Port names with the addresses under each.
fn lines<'a>(slices: impl IntoIterator<Item = &'a Slice>, reading: Reading) -> Vec<String> {
    let line = |(key, view): (&PortKey, &PortView)| {
        let addresses: Vec<&str> = view.addresses.keys().map(SmolStr::as_str).collect();
        let port = key.port.as_deref().map_or("-".to_owned(), |name| format!("{name:?}"));
        format!("{} {} {port} {}", key.service, key.address_type, addresses.join(","))
    };
    merge(slices, reading).iter().map(line).collect()
}

const READY: State = State { ready: true, serving: true, terminating: false };

#[test]
fn an_address_in_several_slices_counts_once() {
    let endpoints = json!([{"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.2"]}]);
    let slices = [slice("a", http(), endpoints), slice("b", http(), at("10.0.0.1"))];
    assert_eq!(lines(&slices, Reading::Everything), [r#"ns/web IPv4 "http" 10.0.0.1,10.0.0.2"#]);
    assert_eq!(merge(&slices, Reading::Everything)[&port(Some("http"))].counts().ready, 2);
}

#[test]
fn absent_conditions_are_read_as_the_api_documents_them() {
    let read = |ready, serving, terminating| State::from(Conditions { ready, serving, terminating });
    assert_eq!(read(None, None, None), READY);
    // A mirrored endpoint that is not ready: nothing else is said of it.
    assert_eq!(read(Some(false), None, None), State { ready: false, ..READY });
    assert_eq!(read(None, Some(false), None), State { serving: false, ..READY });
    let draining = State { ready: false, serving: true, terminating: true };
    assert_eq!(read(Some(false), Some(true), Some(true)), draining);
    let nulls =
        json!([{"addresses": ["10.0.0.1"], "conditions": {"ready": null}}, {"addresses": ["10.0.0.2"]}]);
    let merged = merge(&[slice("a", http(), nulls)], Reading::Everything);
    assert!(merged[&port(Some("http"))].addresses.values().all(|state| *state == READY));
}

#[test]
fn slices_of_any_manager_count_and_those_of_no_service_do_not() {
    let managed = |name: &str, manager: Value| {
        let address = format!("10.0.0.{name}");
        changed(name, http(), at(&address), |slice| {
            slice["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"] = manager;
        })
    };
    let labelled = |name: &str, labels: Value| {
        changed(name, http(), at("10.9.9.9"), |slice| slice["metadata"]["labels"] = labels)
    };
    let slices = [
        managed("1", json!("endpointslice-controller.k8s.io")),
        managed("2", json!("staff")),
        slice("3", http(), at("10.0.0.3")),
        labelled("none", Value::Null),
        labelled("empty", json!({"kubernetes.io/service-name": ""})),
    ];
    for reading in [Reading::Everything, Reading::KubeProxy] {
        assert_eq!(lines(&slices, reading), [r#"ns/web IPv4 "http" 10.0.0.1,10.0.0.2,10.0.0.3"#]);
    }
}

#[test]
fn a_slice_that_is_being_deleted_counts_until_it_is_gone() {
    let slice = changed("a", http(), at("10.0.0.1"), |slice| {
        slice["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    });
    assert!(slice.deleting);
    assert_eq!(lines([&slice], Reading::KubeProxy), [r#"ns/web IPv4 "http" 10.0.0.1"#]);
}

#[test]
fn address_types_services_and_namespaces_are_apart() {
    let with = |name: &str, path: &'static str, value: &str, address: &str| {
        changed(name, http(), at(address), |slice| *slice.pointer_mut(path).unwrap() = json!(value))
    };
    let slices = [
        slice("a", http(), at("10.0.0.1")),
        with("b", "/addressType", "IPv6", "fd00::1"),
        with("c", "/addressType", "FQDN", "web.example.com"),
        with("d", "/metadata/namespace", "other", "10.0.0.1"),
        with("e", "/metadata/labels/kubernetes.io~1service-name", "db", "10.0.0.1"),
    ];
    let expected = [
        r#"ns/db IPv4 "http" 10.0.0.1"#,
        r#"ns/web IPv4 "http" 10.0.0.1"#,
        r#"ns/web IPv6 "http" fd00::1"#,
        r#"ns/web FQDN "http" web.example.com"#,
        r#"other/web IPv4 "http" 10.0.0.1"#,
    ];
    assert_eq!(lines(&slices, Reading::Everything), expected);
    let without_fqdn: Vec<&str> = expected.into_iter().filter(|line| !line.contains("FQDN")).collect();
    assert_eq!(lines(&slices, Reading::KubeProxy), without_fqdn);
}

#[test]
fn ports_are_looked_up_by_name() {
    let both = json!([{"name": "http", "port": 8080, "protocol": "TCP"}, {"name": "dns", "port": 53, "protocol": "UDP"}]);
    let other = json!([{"name": "http", "port": 9090, "protocol": "TCP"}]);
    let slices = [slice("a", both, at("10.0.0.1")), slice("b", other, at("10.0.0.2"))];
    let expected = [r#"ns/web IPv4 "dns" 10.0.0.1"#, r#"ns/web IPv4 "http" 10.0.0.1,10.0.0.2"#];
    assert_eq!(lines(&slices, Reading::Everything), expected);
    let targets = &merge(&slices, Reading::Everything)[&port(Some("http"))].targets;
    assert!(targets.iter().eq(&[(Protocol::TCP, Some(8080)), (Protocol::TCP, Some(9090))]));
}

#[test]
fn odd_ports_are_published_and_kube_proxy_leaves_them_out() {
    for (ports, everything, proxied) in [
        (json!(null), "-", None),
        (json!([]), "-", None),
        (json!([{"port": 80}]), r#""""#, None),
        (json!([{"name": "", "port": 80}]), r#""""#, Some(r#""""#)),
        (json!([{"name": "all", "port": null}]), r#""all""#, None),
        (json!([{"name": "zero", "port": 0}]), r#""zero""#, None),
    ] {
        let slice = slice("a", ports, at("10.0.0.1"));
        let line = |port: &str| format!("ns/web IPv4 {port} 10.0.0.1");
        assert_eq!(lines([&slice], Reading::Everything), [line(everything)]);
        assert_eq!(lines([&slice], Reading::KubeProxy), proxied.map(line).into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn kube_proxy_leaves_out_headless_slices_and_those_of_another_proxy() {
    for label in ["service.kubernetes.io/headless", "service.kubernetes.io/service-proxy-name"] {
        let slice = changed("a", http(), at("10.0.0.1"), |slice| {
            slice["metadata"]["labels"][label] = json!("");
        });
        assert_eq!(lines([&slice], Reading::Everything).len(), 1);
        assert_eq!(lines([&slice], Reading::KubeProxy), Vec::<String>::new());
    }
}

#[test]
fn one_ip_is_one_address_however_it_is_written_and_kube_proxy_takes_the_first() {
    let endpoints = json!([
        {"addresses": ["010.0.0.01", "10.0.0.2"]}, {"addresses": ["10.0.0.1"]}, {"addresses": []},
        {"addresses": ["no-ip"]},
    ]);
    let slice = slice("a", http(), endpoints);
    assert_eq!(lines([&slice], Reading::Everything), [r#"ns/web IPv4 "http" 10.0.0.1,10.0.0.2,no-ip"#]);
    assert_eq!(lines([&slice], Reading::KubeProxy), [r#"ns/web IPv4 "http" 10.0.0.1,no-ip"#]);
}

/// kubernetes/kubernetes: the IP of a Pod that terminates is given to a new one before it is gone.
#[test]
fn of_two_endpoints_with_one_ip_the_one_that_does_not_terminate_counts() {
    let old = json!({"addresses": ["10.0.0.1"], "conditions": {"ready": true, "serving": true, "terminating": true}});
    let new = json!({"addresses": ["10.0.0.1"], "conditions": {"ready": false, "serving": false}});
    let expected = State { ready: false, serving: false, terminating: false };
    for pair in [[&old, &new], [&new, &old]] {
        let apart = [slice("a", http(), json!([pair[0]])), slice("b", http(), json!([pair[1]]))];
        let together = [slice("a", http(), json!(pair))];
        for slices in [&apart[..], &together[..]] {
            let merged = merge(slices, Reading::Everything);
            assert_eq!(merged[&port(Some("http"))].addresses["10.0.0.1"], expected);
        }
    }
}

#[test]
fn a_follower_tells_what_each_event_gained_and_lost() {
    let http_port = port(Some("http"));
    let mut follower = Follower::new(Reading::Everything);
    let first = follower.put(&slice("a", http(), at("10.0.0.1")));
    assert_eq!((first.gained, first.lost), (vec![of(&http_port, "10.0.0.1")], vec![]));
    // It moves: create before delete.
    assert!(follower.put(&slice("b", http(), at("10.0.0.1"))).is_empty());
    let holders: Vec<String> =
        follower.holders(&http_port, "10.0.0.1").map(|(key, _)| key.to_string()).collect();
    assert_eq!(holders, ["ns/a", "ns/b"]);
    assert!(follower.remove(&Key::new("ns", "a")).is_empty());
    assert!(follower.has(&http_port, "10.0.0.1"));
    // The port is renamed: what was under the old name is lost there.
    let renamed = follower.put(&slice("b", json!([{"name": "web", "port": 80}]), at("10.0.0.1")));
    assert_eq!(renamed.gained, [of(&port(Some("web")), "10.0.0.1")]);
    assert_eq!(renamed.lost, [of(&http_port, "10.0.0.1")]);
    // Gone, and gone once more.
    assert_eq!(follower.remove(&Key::new("ns", "b")).lost, [of(&port(Some("web")), "10.0.0.1")]);
    assert!(follower.remove(&Key::new("ns", "b")).is_empty());
    assert_eq!((follower.addresses().count(), follower.merged()), (0, Merged::new()));
}

#[test]
fn a_slice_that_changes_its_service_or_ceases_to_be_used_takes_its_addresses_along() {
    let mut follower = Follower::new(Reading::KubeProxy);
    follower.put(&slice("a", http(), at("10.0.0.1")));
    let moved = changed("a", http(), at("10.0.0.1"), |slice| {
        slice["metadata"]["labels"]["kubernetes.io/service-name"] = json!("db");
    });
    let change = follower.put(&moved);
    assert_eq!(change.lost, [of(&port(Some("http")), "10.0.0.1")]);
    assert_eq!(change.gained[0].port.service, Key::new("ns", "db"));
    let headless = changed("a", http(), at("10.0.0.1"), |slice| {
        slice["metadata"]["labels"]["service.kubernetes.io/headless"] = json!("");
    });
    assert_eq!(follower.put(&headless).lost.len(), 1);
    assert_eq!(follower.slices().count(), 0);
}

#[test]
fn a_new_list_is_one_step() {
    let mut follower = Follower::new(Reading::Everything);
    follower.put(&slice("a", http(), at("10.0.0.1")));
    follower.put(&slice("b", http(), at("10.0.0.2")));
    // While nobody looked the two changed places and a third came.
    let change = follower.replace(&[
        slice("a", http(), at("10.0.0.2")),
        slice("c", http(), json!([{"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.3"]}])),
    ]);
    assert_eq!((change.gained, change.lost), (vec![of(&port(Some("http")), "10.0.0.3")], vec![]));
    assert_eq!(follower.replace(&[]).lost.len(), 3);
}

/// A slice of few names, ports and addresses, so that they meet; odd ones too.
fn any_slice() -> impl Strategy<Value = Slice> {
    let condition = || prop::option::of(any::<bool>());
    let endpoint = (0..6u8, 0..6u8, condition(), condition(), condition());
    let name = prop::sample::select(vec!["a", "b", "c", "d"]);
    let ports = prop::sample::select(vec![
        json!(null),
        http(),
        json!([{"port": 80}]),
        json!([{"name": "http", "port": 81}, {"name": "web", "port": 82}]),
        json!([{"name": "web", "port": null}]),
    ]);
    let labels = prop::sample::select(vec![
        json!({"kubernetes.io/service-name": "web"}),
        json!({"kubernetes.io/service-name": "web"}),
        json!({"kubernetes.io/service-name": "db"}),
        json!({"kubernetes.io/service-name": "web", "service.kubernetes.io/headless": ""}),
        json!({}),
    ]);
    (name, ports, labels, prop::collection::vec(endpoint, 0..5), 0..4u8).prop_map(
        |(name, ports, labels, endpoints, address_type)| {
            let one = |(first, second, ready, serving, terminating): &(u8, u8, _, _, _)| {
                let conditions = json!({"ready": ready, "serving": serving, "terminating": terminating});
                let addresses: Vec<String> = [first, second].map(|n| format!("10.0.0.{n}")).into();
                json!({"addresses": addresses, "conditions": conditions})
            };
            let endpoints = endpoints.iter().map(one).collect();
            changed(name, ports, endpoints, |slice| {
                slice["metadata"]["labels"] = labels;
                slice["addressType"] = json!(["IPv4", "IPv4", "IPv6", "FQDN"][usize::from(address_type)]);
            })
        },
    )
}

fn keys(merged: &Merged) -> Vec<AddressKey> {
    merged.iter().flat_map(|(port, view)| view.addresses.keys().map(|address| of(port, address))).collect()
}

fn minus(from: &[AddressKey], what: &[AddressKey]) -> Vec<AddressKey> {
    from.iter().filter(|key| !what.contains(key)).cloned().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn following_comes_to_the_same_as_merging_what_stands(
        events in prop::collection::vec((any_slice(), 0..4u8), 1..25),
        proxied in any::<bool>(),
        relist in prop::collection::vec(any_slice(), 0..4),
    ) {
        let reading = if proxied { Reading::KubeProxy } else { Reading::Everything };
        let mut follower = Follower::new(reading);
        let mut standing: BTreeMap<Key, Slice> = BTreeMap::new();
        let mut before = Merged::new();
        let steps = events.into_iter().map(Some).chain([None]);
        for step in steps {
            let change = match step {
                Some((slice, 0)) => {
                    standing.remove(&slice.key);
                    follower.remove(&slice.key)
                }
                Some((slice, _)) => {
                    standing.insert(slice.key.clone(), slice.clone());
                    follower.put(&slice)
                }
                None => {
                    standing = relist.iter().map(|slice| (slice.key.clone(), slice.clone())).collect();
                    follower.replace(standing.values())
                }
            };
            let after = merge(standing.values(), reading);
            prop_assert_eq!(follower.merged(), after.clone());
            let sorted = |mut all: Vec<AddressKey>| { all.sort(); all };
            prop_assert_eq!(sorted(change.gained), minus(&keys(&after), &keys(&before)));
            prop_assert_eq!(sorted(change.lost), minus(&keys(&before), &keys(&after)));
            for key in keys(&before).into_iter().chain(keys(&after)) {
                let expected = after.get(&key.port).and_then(|view| view.addresses.get(&key.address));
                prop_assert_eq!(follower.state(&key.port, &key.address), expected.copied());
                prop_assert_eq!(follower.has(&key.port, &key.address), expected.is_some());
                let holds = |slice: &Slice| {
                    let content = Content::of(slice, reading);
                    content.is_some_and(|content| {
                        content.port_keys().contains(&key.port) && content.has_address(&key.address)
                    })
                };
                let mut holders: Vec<Key> =
                    follower.holders(&key.port, &key.address).map(|(slice, _)| slice.clone()).collect();
                holders.sort();
                let expected: Vec<Key> =
                    standing.values().filter(|slice| holds(slice)).map(|slice| slice.key.clone()).collect();
                prop_assert_eq!(holders, expected);
            }
            before = after;
        }
    }

    #[test]
    fn the_order_of_slices_does_not_matter(mut slices in prop::collection::vec(any_slice(), 0..6)) {
        let merged = merge(&slices, Reading::Everything);
        slices.reverse();
        prop_assert_eq!(merge(&slices, Reading::Everything), merged);
    }
}
