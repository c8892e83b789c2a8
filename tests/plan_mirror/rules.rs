//! What is mirrored, and how it looks.

use std::sync::Arc;

use endpointslice_controller::model::{
    AddressType, Conditions, Endpoints, EndpointsAddress, Labels, MirrorSnapshot, Protocol, Refusal, Subset,
    Text, labels,
};
use endpointslice_controller::plan::Stage;
use endpointslice_controller::plan::mirror::plan;

use crate::support::{
    ENDPOINTS_UID, address, endpoints, key, managed_by_us, mirrored, operations, pod, service, settle, shape,
    slice, snapshot, subset, with_max,
};

const HTTP: &[(&str, i32)] = &[("http", 80)];

fn one(ip: &str) -> Endpoints {
    endpoints(vec![subset(&[ip], &[], HTTP)])
}

fn labelled(pairs: &[(&str, &str)]) -> Endpoints {
    Endpoints { labels: Labels::new(pairs.iter().copied()), ..one("10.0.0.1") }
}

fn annotated(pairs: &[(&str, &str)]) -> Endpoints {
    Endpoints { annotations: Labels::new(pairs.iter().copied()), ..one("10.0.0.1") }
}

/// These slices all go, whoever owns them, and nothing is created.
fn assert_not_mirrored(mut snapshot: MirrorSnapshot) {
    let mut strange = slice("b", &[("x", 1)], &["10.0.0.9"]);
    strange.owners = Arc::from([]);
    let mut named = slice("c", &[], &["10.0.0.8"]);
    named.address_type = AddressType::Other("FQDN".into());
    snapshot.slices = vec![Arc::new(strange), Arc::new(slice("a", HTTP, &["10.0.0.1"])), Arc::new(named)];
    let (plan, left) = settle(&snapshot);
    let deleted: Vec<_> = plan.writes.iter().map(|w| w.slice.key.name.as_str()).collect();
    assert_eq!(deleted, ["a", "b", "c"]);
    assert!(plan.writes.iter().all(|write| write.stage == Stage::Deletes));
    assert_eq!(left, []);
    assert_eq!(plan.figures.families, []);
}

#[test]
fn endpoints_that_do_not_exist_are_not_mirrored() {
    let mut gone = snapshot(one("10.0.0.1"), vec![]);
    gone.endpoints = None;
    assert_not_mirrored(gone);
}

#[test]
fn the_skip_label_counts_only_if_it_is_exactly_true() {
    assert_not_mirrored(snapshot(labelled(&[(labels::SKIP_MIRROR, "true")]), vec![]));
    for value in ["false", "True", "", "yes"] {
        assert_eq!(mirrored(labelled(&[(labels::SKIP_MIRROR, value)])).len(), 1, "{value:?}");
    }
}

#[test]
fn an_old_leader_lock_is_not_mirrored_whatever_the_value() {
    assert_not_mirrored(snapshot(annotated(&[(labels::LEADER, "")]), vec![]));
}

#[test]
fn issue_94171_endpoints_are_mirrored_as_soon_as_their_service_is_there() {
    let mut early = snapshot(one("10.0.0.1"), vec![]);
    early.service = None;
    assert_not_mirrored(early.clone());
    early.service = Some(Arc::new(service()));
    assert_eq!(operations(&plan(&early)), ["create IPv4 [http:80] 10.0.0.1"]);
}

#[test]
fn endpoints_of_a_service_with_a_selector_are_not_mirrored() {
    let mut selecting = service();
    selecting.selector = Some(Labels::new([("app", "web")]));
    let mut snapshot = snapshot(one("10.0.0.1"), vec![]);
    snapshot.service = Some(Arc::new(selecting));
    assert_not_mirrored(snapshot);
}

#[test]
fn the_type_of_the_service_and_the_writer_of_the_endpoints_do_not_matter() {
    let mut external = service();
    external.external_name = true;
    let left_behind = labelled(&[(labels::ENDPOINTS_MANAGED_BY, "endpoint-controller")]);
    let mut snapshot = snapshot(left_behind, vec![]);
    snapshot.service = Some(Arc::new(external));
    let (_, slices) = settle(&snapshot);
    assert_eq!(shape(&slices), ["IPv4 [http:80] 10.0.0.1"]);
    assert!(slices[0].labels.has(labels::ENDPOINTS_MANAGED_BY, "endpoint-controller"));
}

#[test]
fn each_family_has_its_slice_and_none_without_addresses() {
    let dual = subset(&["10.0.0.1", "fd00::1"], &["fd00::2"], HTTP);
    let slices = mirrored(endpoints(vec![dual]));
    assert_eq!(shape(&slices), ["IPv4 [http:80] 10.0.0.1", "IPv6 [http:80] fd00::1 !fd00::2"]);
    assert_ne!(slices[0].key.name, slices[1].key.name);
    assert_eq!(shape(&mirrored(one("fd00::1"))), ["IPv6 [http:80] fd00::1"]);

    let none = snapshot(endpoints(vec![]), slices);
    assert_eq!(settle(&none).1, [], "no placeholder");
}

#[test]
fn an_endpoint_has_ready_target_node_and_host_name_and_no_more() {
    let full = EndpointsAddress {
        hostname: Some("web-0".into()),
        node_name: Some(Text::new("node-a")),
        ..pod("10.0.0.1", "pod-1", "uid-1")
    };
    let mut subset = subset(&[], &[], HTTP);
    subset.addresses.push(full.clone());
    let slices = mirrored(endpoints(vec![subset]));
    let endpoint = &slices[0].endpoints[0];
    assert_eq!(endpoint.conditions, Conditions { ready: Some(true), serving: None, terminating: None });
    assert_eq!(endpoint.target_ref.as_deref(), full.target_ref.as_ref());
    assert_eq!(endpoint.node_name, full.node_name);
    assert_eq!(endpoint.hostname, full.hostname);
    assert_eq!((&endpoint.zone, &endpoint.hints), (&None, &None));
}

#[test]
fn issue_102683_an_address_that_is_not_ready_is_mirrored_as_not_ready() {
    let slices = mirrored(endpoints(vec![subset(&["10.0.0.2"], &["10.0.0.1"], HTTP)]));
    assert_eq!(shape(&slices), ["IPv4 [http:80] 10.0.0.2 !10.0.0.1"]);
    assert_eq!(slices[0].endpoints[1].conditions.ready, Some(false), "false, not absent");
}

#[test]
fn kep_4858_addresses_are_canonical_and_collapse_with_not_ready_winning() {
    let texts = subset(&["010.0.0.1", "::ffff:10.0.0.2", "FD00:0::1"], &["10.0.0.1", "fd00::2"], HTTP);
    assert_eq!(
        shape(&mirrored(endpoints(vec![texts]))),
        ["IPv4 [http:80] !10.0.0.1 10.0.0.2", "IPv6 [http:80] fd00::1 !fd00::2"]
    );
}

#[test]
fn ports_have_name_protocol_number_and_app_protocol() {
    let mut subset = subset(&["10.0.0.1"], &[], &[("", 53)]);
    subset.ports[0].protocol = Protocol::UDP;
    subset.ports[0].app_protocol = Some(Text::new("dns"));
    let slices = mirrored(endpoints(vec![subset]));
    let port = &slices[0].ports[0];
    assert_eq!(port.name, Some(Text::new("")), "empty, not absent");
    assert_eq!((port.protocol.as_str(), port.port), ("UDP", Some(53)));
    assert_eq!(port.app_protocol, Some(Text::new("dns")));
}

#[test]
fn the_limit_counts_both_families_ready_ones_first_and_skips_what_is_invalid() {
    let many = subset(&["10.0.0.3", "fd00::1", "bad", "10.0.0.1"], &["10.0.0.0", "10.0.0.2"], HTTP);
    let (plan, slices) = settle(&with_max(snapshot(endpoints(vec![many]), vec![]), 3));
    // Ready by IP text: 10.0.0.1, 10.0.0.3, bad, fd00::1. Then the limit is reached.
    assert_eq!(shape(&slices), ["IPv4 [http:80] 10.0.0.1 10.0.0.3", "IPv6 [http:80] fd00::1"]);
    assert_eq!(plan.figures.skipped, 3);
    assert_eq!(plan.figures.refused, [(Refusal::Unparsable, 1)]);
}

#[test]
fn the_limit_is_for_each_canonical_subset() {
    let subsets = vec![
        subset(&["10.0.0.1", "10.0.0.2"], &[], HTTP),
        subset(&["10.0.0.3", "10.0.0.4"], &[], &[("other", 81)]),
    ];
    let (_, slices) = settle(&with_max(snapshot(endpoints(subsets), vec![]), 1));
    assert_eq!(shape(&slices), ["IPv4 [http:80] 10.0.0.1", "IPv4 [other:81] 10.0.0.3"]);
}

#[test]
fn one_thousand_addresses_are_mirrored_and_the_next_is_not() {
    let ips: Vec<String> = (0..1001).map(|n| format!("10.0.{}.{}", n / 250, n % 250)).collect();
    let ips: Vec<&str> = ips.iter().map(String::as_str).collect();
    let (plan, slices) = settle(&snapshot(endpoints(vec![subset(&ips, &[], HTTP)]), vec![]));
    assert_eq!(slices.iter().map(|slice| slice.endpoints.len()).collect::<Vec<_>>(), [1000]);
    assert_eq!(plan.figures.skipped, 1);
}

#[test]
fn skipped_addresses_are_reported_apart_and_on_change_only() {
    let many = || subset(&["10.0.0.1", "10.0.0.2", "10.0.0.3"], &["127.0.0.1", "nonsense"], HTTP);
    let first = with_max(snapshot(endpoints(vec![many()]), vec![]), 1);
    let (plan_one, slices) = settle(&first);
    let said: Vec<_> = plan_one.reports.iter().map(|r| (r.warning, r.reason, r.message.clone())).collect();
    assert_eq!(
        said,
        [
            (
                true,
                "InvalidIPAddress",
                "Addresses that are not mirrored because they cannot be published: 2. The first is \
                 \"127.0.0.1\": a loopback address"
                    .into()
            ),
            (
                true,
                "TooManyAddressesToMirror",
                "Addresses that are not mirrored because a subset has more than 1: 2".into()
            ),
        ]
    );
    assert_eq!(plan_one.figures.refused, [(Refusal::Unparsable, 1), (Refusal::Loopback, 1)]);

    let mut fewer = many();
    fewer.addresses.pop();
    let mut changed = with_max(snapshot(endpoints(vec![fewer]), slices), 1);
    changed.memory = plan_one.memory;
    let plan_two = plan(&changed);
    let reasons: Vec<_> = plan_two.reports.iter().map(|report| report.reason).collect();
    assert_eq!(reasons, ["TooManyAddressesToMirror"], "only what changed is said again");

    let mut cured = snapshot(one("10.0.0.1"), vec![]);
    cured.memory = plan_two.memory;
    assert!(plan(&cured).memory.reported.is_empty(), "what is cured may be said anew when it comes back");
}

#[test]
fn addresses_that_cannot_be_published_are_counted_for_each_reason() {
    let bad = ["127.0.0.1", "nonsense", "127.0.0.2", "127.0.0.3"];
    let (plan, _) = settle(&snapshot(endpoints(vec![subset(&["10.0.0.1"], &bad, HTTP)]), vec![]));
    assert_eq!(plan.figures.refused, [(Refusal::Unparsable, 1), (Refusal::Loopback, 3)]);
}

#[test]
fn hypershift_8264_what_the_api_server_would_refuse_is_left_out_and_the_rest_is_mirrored() {
    let mut strange = subset(&["10.0.0.2"], &[], &[("http", 80), ("Not_A_Label", 81), ("app", 82)]);
    strange.ports[2].app_protocol = Some(Text::new("not qualified!"));
    strange.addresses.push(EndpointsAddress {
        hostname: Some("Bad_Host".into()),
        node_name: Some(Text::new("bad node")),
        ..address("10.0.0.3")
    });
    let mut unknown = subset(&["10.0.0.4"], &[], &[("quic", 90)]);
    unknown.ports[0].protocol = Protocol::new("QUIC");
    let (plan, slices) = settle(&snapshot(endpoints(vec![strange, unknown]), vec![]));
    assert_eq!(shape(&slices), ["IPv4 [app:82 http:80] 10.0.0.2 10.0.0.3"]);
    let endpoint = &slices[0].endpoints[1];
    assert_eq!((&endpoint.hostname, &endpoint.node_name), (&None, &None));
    assert!(slices[0].ports.iter().all(|port| port.app_protocol.is_none()));
    let said: Vec<_> = plan.reports.iter().map(|report| report.message.as_str()).collect();
    assert_eq!(
        said,
        [
            "Not mirrored: appProtocol \"not qualified!\": expected a qualified name; it is left out",
            "Not mirrored: hostname \"Bad_Host\": expected a DNS label; it is left out",
            "Not mirrored: nodeName \"bad node\": expected a DNS subdomain; it is left out",
            "Not mirrored: port name \"Not_A_Label\": expected a DNS label; the port is left out",
            "Not mirrored: protocol \"QUIC\": expected TCP, UDP or SCTP; the port is left out",
        ]
    );
}

#[test]
fn cve_2021_25740_labels_are_all_of_the_endpoints_with_ours_winning() {
    let tricky = labelled(&[
        ("app", "web"),
        (labels::HEADLESS, ""),
        (labels::SERVICE_NAME, "another-service"),
        (labels::MANAGED_BY, "endpointslice-controller.k8s.io"),
    ]);
    let slices = mirrored(tricky);
    assert!(managed_by_us(&slices[0]));
    assert!(slices[0].labels.has("app", "web") && slices[0].labels.has(labels::HEADLESS, ""));
    assert_eq!(slices[0].labels.len(), 4);
}

#[test]
fn issues_98116_and_102731_annotations_are_mirrored_but_for_trigger_time_and_last_applied() {
    let slices = mirrored(annotated(&[
        ("x", "y"),
        (labels::TRIGGER_TIME, "2026-11-21T00:00:00Z"),
        (labels::LAST_APPLIED, "{}"),
    ]));
    assert_eq!(slices[0].annotations, Labels::new([("x", "y")]));
}

#[test]
fn a_new_slice_is_owned_by_the_endpoints_and_has_a_computed_name() {
    let slices = mirrored(one("10.0.0.1"));
    let [owner] = &*slices[0].owners else { panic!("one owner") };
    assert_eq!((&*owner.api_version, &*owner.kind, &*owner.name), ("v1", "Endpoints", "web"));
    assert_eq!(owner.uid.to_string(), ENDPOINTS_UID);
    assert_eq!((owner.controller, owner.block_owner_deletion), (Some(true), Some(true)));
    assert_eq!(slices[0].generate_name, "web-");
    assert!(slices[0].key.name.starts_with("web-") && slices[0].key.name.len() == 9);

    let mut taken = snapshot(one("10.0.0.1"), vec![]);
    taken.names.insert(slices[0].key.name.clone());
    let second = plan(&taken).writes[0].slice.key.name.clone();
    assert_ne!(second, slices[0].key.name);
    taken.memory.refused.insert(second.clone());
    let third = plan(&taken);
    assert_ne!(third.writes[0].slice.key.name, second);
    assert!(third.memory.refused.contains(&second), "a refused name stays remembered");
    taken.salt = Some(1);
    assert_ne!(plan(&taken).writes[0].slice.key.name, third.writes[0].slice.key.name);
}

/// Whoever may write Endpoints gets slices written: in their own namespace, filed under their own
/// name, whatever they say of other namespaces, Services and managers.
#[test]
fn cve_2021_25740_endpoints_reach_into_no_other_namespace_and_no_other_service() {
    let mut claims = labelled(&[
        (labels::SERVICE_NAME, "victim"),
        (labels::MANAGED_BY, "endpointslice-controller.k8s.io"),
        ("kubernetes.io/metadata.name", "kube-system"),
    ]);
    let mut elsewhere = pod("10.0.0.9", "api", "uid-9");
    elsewhere.target_ref.as_mut().unwrap().namespace = Text::new("kube-system");
    claims.subsets = vec![Subset { addresses: vec![elsewhere], ..subset(&[], &[], HTTP) }];
    for slice in mirrored(claims) {
        assert_eq!(slice.key.namespace, key().namespace);
        assert!(managed_by_us(&slice), "{:?}", slice.labels);
    }
}

/// Loopback and link-local addresses would lead to the host itself: never in a slice, and alone the
/// reason for no failure.
#[test]
fn cve_2021_25737_loopback_and_link_local_addresses_are_never_mirrored() {
    let bad = ["127.0.0.1", "169.254.169.254", "::1", "fe80::1", "0.0.0.0", "224.0.0.1"];
    let mut all = vec!["10.0.0.1"];
    all.extend(bad);
    let (plan, slices) = settle(&snapshot(endpoints(vec![subset(&all, &["127.0.0.2"], HTTP)]), vec![]));
    assert_eq!(shape(&slices), ["IPv4 [http:80] 10.0.0.1"]);
    assert!(plan.reports.iter().any(|report| report.reason == "InvalidIPAddress"), "{:?}", plan.reports);
    let (_, none) = settle(&snapshot(endpoints(vec![subset(&bad, &[], HTTP)]), slices));
    assert_eq!(none, []);
}

#[test]
fn a_port_without_a_number_is_no_port() {
    let (_, slices) = settle(&snapshot(endpoints(vec![subset(&["10.0.0.1"], &[], &[("http", 0)])]), vec![]));
    assert_eq!((slices.len(), slices[0].ports.len(), slices[0].endpoints.len()), (1, 0, 1));
}
