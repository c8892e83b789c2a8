//! Canonical subsets: the same state, however it is written, gives the same slices.

use endpointslice_controller::model::{EndpointsAddress, Subset};

use crate::support::{address, endpoints, mirrored, pod, port, shape, subset};

fn slices_of(subsets: Vec<Subset>) -> Vec<String> {
    shape(&mirrored(endpoints(subsets)))
}

fn addresses(ready: Vec<EndpointsAddress>, not_ready: Vec<EndpointsAddress>, ports: &[i32]) -> Subset {
    let ports = ports.iter().map(|number| port(&format!("p{number}"), *number)).collect();
    Subset { addresses: ready, not_ready, ports }
}

fn with_uid(ip: &str, uid: &str) -> EndpointsAddress {
    pod(ip, &format!("pod-{uid}"), uid)
}

#[test]
fn nothing_gives_no_slice() {
    assert_eq!(slices_of(vec![]), [""; 0]);
    assert_eq!(slices_of(vec![subset(&[], &[], &[])]), [""; 0]);
    assert_eq!(slices_of(vec![subset(&[], &[], &[("a", 111)])]), [""; 0]);
}

#[test]
fn a_subset_without_ports_gives_a_slice_without_ports() {
    assert_eq!(slices_of(vec![subset(&["1.2.3.4"], &[], &[])]), ["IPv4 [] 1.2.3.4"]);
    assert_eq!(slices_of(vec![subset(&[], &["1.2.3.4"], &[])]), ["IPv4 [] !1.2.3.4"]);
}

#[test]
fn a_subset_without_ports_gives_way_to_a_port_with_the_same_addresses() {
    let same = vec![subset(&["1.2.3.4"], &[], &[]), subset(&["1.2.3.4"], &[], &[("a", 1)])];
    assert_eq!(slices_of(same), ["IPv4 [a:1] 1.2.3.4"]);
    let other = vec![subset(&["1.2.3.4", "1.2.3.5"], &[], &[]), subset(&["1.2.3.4"], &[], &[("a", 1)])];
    assert_eq!(slices_of(other), ["IPv4 [] 1.2.3.4 1.2.3.5", "IPv4 [a:1] 1.2.3.4"]);
}

#[test]
fn each_port_has_the_addresses_of_all_subsets_that_name_it() {
    let subsets =
        vec![subset(&["10.0.0.1"], &[], &[("a", 80)]), subset(&["10.0.0.2"], &[], &[("a", 80), ("b", 443)])];
    assert_eq!(slices_of(subsets), ["IPv4 [a:80] 10.0.0.1 10.0.0.2", "IPv4 [b:443] 10.0.0.2"]);
}

#[test]
fn ports_with_the_same_addresses_are_in_one_slice() {
    let two = |ports: [i32; 2]| {
        slices_of(vec![
            addresses(vec![address("1.2.3.4")], vec![], &ports[..1]),
            addresses(vec![address("1.2.3.4")], vec![], &ports[1..]),
        ])
    };
    assert_eq!(two([111, 222]), ["IPv4 [p111:111 p222:222] 1.2.3.4"]);
    assert_eq!(two([111, 111]), ["IPv4 [p111:111] 1.2.3.4"]);
}

#[test]
fn ports_whose_addresses_differ_in_readiness_are_apart() {
    let subsets = vec![
        addresses(vec![with_uid("1.2.3.4", "uid-1")], vec![], &[111]),
        addresses(vec![], vec![with_uid("1.2.3.4", "uid-1")], &[222]),
    ];
    assert_eq!(slices_of(subsets), ["IPv4 [p111:111] 1.2.3.4@uid-1", "IPv4 [p222:222] !1.2.3.4@uid-1"]);
}

#[test]
fn not_ready_wins_in_one_subset_and_over_two() {
    let one = vec![subset(&["1.2.3.4"], &["1.2.3.4"], &[("a", 1)])];
    assert_eq!(slices_of(one), ["IPv4 [a:1] !1.2.3.4"]);
    for turned in [false, true] {
        let mut two = vec![subset(&["1.2.3.4"], &[], &[("a", 1)]), subset(&[], &["1.2.3.4"], &[("a", 1)])];
        if turned {
            two.reverse();
        }
        assert_eq!(slices_of(two), ["IPv4 [a:1] !1.2.3.4"]);
    }
}

#[test]
fn an_address_is_known_by_ip_and_uid() {
    let subsets = vec![
        addresses(vec![address("5.6.7.8")], vec![], &[1]),
        addresses(vec![], vec![with_uid("5.6.7.8", "uid-1")], &[1]),
        addresses(vec![], vec![with_uid("1.2.3.4", "uid-1")], &[1]),
        addresses(vec![], vec![address("1.2.3.4")], &[1]),
    ];
    assert_eq!(
        slices_of(subsets),
        ["IPv4 [p1:1] 5.6.7.8 !1.2.3.4 !1.2.3.4@uid-1 !5.6.7.8@uid-1"],
        "ready first, then not ready, each by IP and then uid"
    );
}

#[test]
fn the_first_occurrence_supplies_the_other_fields() {
    let named = |host: &str| EndpointsAddress { hostname: Some(host.into()), ..address("1.2.3.4") };
    let subsets = vec![
        addresses(vec![named("first")], vec![], &[1]),
        addresses(vec![], vec![named("second")], &[1, 2]),
    ];
    let slices = mirrored(endpoints(subsets));
    let hosts: Vec<_> = slices.iter().flat_map(|s| &s.endpoints).map(|e| e.hostname.clone()).collect();
    assert_eq!(hosts, [Some("first".into())]);
    assert_eq!(shape(&slices), ["IPv4 [p1:1 p2:2] !1.2.3.4"]);
}

#[test]
fn three_addresses_and_three_ports_jumbled() {
    let subsets = vec![
        addresses(vec![address("1.2.3.4")], vec![], &[111]),
        addresses(vec![address("1.2.3.5")], vec![], &[222]),
        addresses(vec![address("1.2.3.6")], vec![], &[111]),
        addresses(vec![address("1.2.3.5")], vec![], &[333]),
    ];
    assert_eq!(slices_of(subsets), ["IPv4 [p111:111] 1.2.3.4 1.2.3.6", "IPv4 [p222:222 p333:333] 1.2.3.5"]);
}

#[test]
fn ports_of_the_same_name_stay_in_separate_slices() {
    let subsets = vec![
        subset(&["10.0.0.1"], &[], &[("a", 80), ("b", 90)]),
        subset(&["10.0.0.1"], &[], &[("a", 81), ("a", 82)]),
    ];
    assert_eq!(
        slices_of(subsets),
        ["IPv4 [a:80 b:90] 10.0.0.1", "IPv4 [a:81] 10.0.0.1", "IPv4 [a:82] 10.0.0.1"]
    );
}

#[test]
fn equal_app_protocols_are_equal_by_value() {
    let with = |app: Option<&str>, ip: &str| {
        let mut made = subset(&[ip], &[], &[("a", 1)]);
        made.ports[0].app_protocol = app.map(Into::into);
        made
    };
    assert_eq!(
        slices_of(vec![with(Some("http"), "1.1.1.1"), with(Some("http"), "1.1.1.2")]),
        ["IPv4 [a:1] 1.1.1.1 1.1.1.2"]
    );
    assert_eq!(
        slices_of(vec![with(Some("http"), "1.1.1.1"), with(None, "1.1.1.2")]),
        ["IPv4 [a:1] 1.1.1.1", "IPv4 [a:1] 1.1.1.2"]
    );
}
