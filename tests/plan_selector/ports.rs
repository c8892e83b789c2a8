//! From the ports of a Service and its Pods to the ports of slices, and to groups.

use std::sync::Arc;

use endpointslice_controller::model::*;
use endpointslice_controller::plan::{Operation, selector};

use crate::apply::Standing;
use crate::build::*;
use crate::{assert_quiet, count, only, settle};

fn with_ports(ports: Vec<ServicePort>) -> Service {
    Service { ports, ..service() }
}

/// The ports that are written for one Pod with these container ports.
fn resolved(ports: Vec<ServicePort>, containers: &[(&str, i32, Protocol)]) -> Vec<Port> {
    let one = Pod { ports: container_ports(containers), ..pod(1) };
    let (plan, _) = settle(&snapshot(with_ports(ports), vec![one]));
    only(&plan).ports.to_vec()
}

#[test]
fn a_number_is_taken_as_it_is_and_zero_means_the_services_own() {
    let ports =
        vec![service_port("a", 80, TargetPort::Number(8080)), service_port("b", 81, TargetPort::Number(0))];
    assert_eq!(resolved(ports, &[]), [port("a", 8080), port("b", 81)]);
}

#[test]
fn a_name_digits_or_not_is_looked_up_with_its_protocol() {
    let containers = [("http", 1, Protocol::UDP), ("http", 2, Protocol::TCP), ("8080", 3, Protocol::TCP)];
    assert_eq!(resolved(vec![service_port("", 80, by_name("http"))], &containers), [port("", 2)]);
    assert_eq!(resolved(vec![service_port("", 80, by_name("8080"))], &containers), [port("", 3)]);
    let udp = ServicePort { protocol: Protocol::UDP, ..service_port("", 80, by_name("http")) };
    let expected = Port { protocol: Protocol::UDP, ..port("", 1) };
    assert_eq!(resolved(vec![udp], &containers), [expected]);
}

#[test]
fn issue_129838_of_two_container_ports_of_one_name_the_first_in_pod_order_counts() {
    let containers = [("http", 9, Protocol::TCP), ("http", 1, Protocol::TCP)];
    assert_eq!(resolved(vec![service_port("", 80, by_name("http"))], &containers), [port("", 9)]);
}

#[test]
fn a_port_that_is_not_found_is_left_out_for_that_pod_only() {
    let service = with_ports(vec![
        service_port("http", 80, by_name("http")),
        service_port("admin", 81, by_name("admin")),
    ]);
    let with = |n, ports: &[(&str, i32, Protocol)]| Pod { ports: container_ports(ports), ..pod(n) };
    let both = with(1, &[("http", 1, Protocol::TCP), ("admin", 2, Protocol::TCP)]);
    let one = with(2, &[("http", 1, Protocol::TCP)]);
    let none = with(3, &[]);
    let (_, standing) = settle(&snapshot(service, vec![both, one, none]));
    let mut ports: Vec<Vec<Port>> = standing.slices.values().map(|slice| slice.ports.to_vec()).collect();
    ports.sort();
    assert_eq!(ports, [vec![], vec![port("admin", 2), port("http", 1)], vec![port("http", 1)]]);
    assert!(standing.slices.values().all(|slice| slice.endpoints.len() == 1));
}

#[test]
fn issue_133474_a_headless_service_without_ports_has_slices_without_ports() {
    let headless =
        Service { cluster_ip: "None".into(), labels: Labels::new([("a", "b")]), ..with_ports(vec![]) };
    let (plan, standing) = settle(&snapshot(headless, pods(0..2)));
    assert_eq!((only(&plan).ports.len(), only(&plan).endpoints.len()), (0, 2));
    assert_eq!(standing.slices.len(), 1);
}

#[test]
fn the_order_of_ports_is_fixed_and_another_order_is_not_rewritten() {
    let a = service_port("a", 1, TargetPort::Number(1));
    let b = service_port("b", 2, TargetPort::Number(2));
    assert_eq!(resolved(vec![b.clone(), a.clone()], &[]), [port("a", 1), port("b", 2)]);

    let reversed: Arc<[Port]> = Arc::from([port("b", 2), port("a", 1)]);
    let before = Slice { ports: Arc::clone(&reversed), ..slice("web-a", [&pod(1)]) };
    let service = with_ports(vec![a, b]);
    assert_quiet(&with_slices([before.clone()], snapshot(service.clone(), pods(1..2))));
    let filled = selector::plan(&with_slices([before], snapshot(service, pods(1..3))));
    assert_eq!(only(&filled).ports, reversed, "nor when the slice is written for another reason");
}

#[test]
fn absent_and_empty_names_and_app_protocols_differ() {
    let right = port("", 8080);
    let absent_name = Port { name: None, ..right.clone() };
    let empty_protocol = Port { app_protocol: Some(Text::default()), ..right.clone() };
    for other in [absent_name, empty_protocol] {
        let before = Slice { ports: Arc::from([other]), ..slice("web-a", [&pod(1)]) };
        let (plan, _) = settle(&with_slices([before], snapshot(service(), pods(1..2))));
        assert_eq!(
            (plan.writes[0].operation, &only(&plan).ports[..]),
            (Operation::Update, &[right.clone()][..])
        );
    }
}

#[test]
fn each_field_of_a_port_makes_a_group() {
    let right = port("", 8080);
    for other in [
        Port { name: Some(Text::new("x")), ..right.clone() },
        Port { port: Some(1), ..right.clone() },
        Port { port: None, ..right.clone() },
        Port { protocol: Protocol::UDP, ..right.clone() },
        Port { app_protocol: Some(Text::new("h2c")), ..right.clone() },
    ] {
        let before = Slice { ports: Arc::from([other]), ..slice("web-a", [&pod(1)]) };
        let (plan, _) = settle(&with_slices([before], snapshot(service(), pods(1..2))));
        assert_eq!(*only(&plan).ports, *std::slice::from_ref(&right));
    }
}

#[test]
fn name_protocol_and_app_protocol_are_the_service_ports() {
    let odd = ServicePort {
        protocol: Protocol::SCTP,
        app_protocol: Some(Text::new("kubernetes.io/h2c")),
        ..service_port("x", 80, TargetPort::Number(7))
    };
    let expected = Port {
        name: Some(Text::new("x")),
        protocol: Protocol::SCTP,
        port: Some(7),
        app_protocol: Some(Text::new("kubernetes.io/h2c")),
    };
    assert_eq!(resolved(vec![odd], &[]), [expected]);
}

#[test]
fn a_port_that_the_api_server_would_refuse_is_left_out_and_the_others_published() {
    let good = service_port("a", 1, TargetPort::Number(1));
    let number = TargetPort::Number(2);
    for bad in [
        service_port("a", 2, number.clone()),
        service_port("Not_A_Label", 2, number.clone()),
        ServicePort { protocol: Protocol::new("SMOKE"), ..service_port("b", 2, number.clone()) },
    ] {
        let (plan, _) = settle(&snapshot(with_ports(vec![good.clone(), bad]), pods(1..2)));
        assert_eq!(only(&plan).ports[..], [port("a", 1)]);
        assert_eq!(plan.reports.len(), 1, "{:?}", plan.reports);
        assert!(plan.reports[0].warning && plan.reports[0].message.contains("Service ns/web"));
    }
    let odd = ServicePort { app_protocol: Some(Text::new("a b")), ..service_port("b", 2, number) };
    let (plan, _) = settle(&snapshot(with_ports(vec![good, odd]), pods(1..2)));
    assert_eq!(only(&plan).ports[..], [port("a", 1), port("b", 2)]);
    assert_eq!(plan.reports.len(), 1);
}

#[test]
fn a_group_is_desired_as_soon_as_one_eligible_pod_resolves_to_it() {
    // An empty slice of a desired group is unchanged, of a group that is not desired it is deleted.
    let empty = Slice { ports: Arc::from([port("", 8080)]), ..slice("web-e", []) };
    let lost = Pod { node: Some(Text::new("gone")), ..pod(1) };
    let other_family = Pod { ips: ips(&["fd00::1"]), ..pod(1) };
    for eligible in [lost, other_family] {
        let plan = selector::plan(&with_slices([empty.clone()], snapshot(service(), vec![eligible])));
        assert_eq!(plan.writes, []);
        assert_eq!(plan.figures.families[0].desired_slices, 1);
    }
    let terminal = Pod { terminal: true, ..pod(1) };
    let plan = selector::plan(&with_slices([empty], snapshot(service(), vec![terminal])));
    assert_eq!((count(&plan, Operation::Update), plan.writes.len()), (1, 1), "it becomes the placeholder");
    assert!(only(&plan).ports.is_empty());
}

/// The API server prints `null` for an empty list: a headless Service without ports, and the placeholder.
#[test]
fn null_lists_of_ports_and_endpoints_are_empty_lists_and_cost_no_write() {
    let read = |slice: Slice| {
        let mut json = wire::slice_value(&slice);
        for field in ["ports", "endpoints"] {
            if json[field].as_array().is_some_and(Vec::is_empty) {
                json[field] = serde_json::Value::Null;
            }
        }
        wire::decode_slice(json.to_string().as_bytes()).unwrap()
    };
    let bare = Service { cluster_ip: "None".into(), ports: vec![], ..service() };
    for pods in [vec![pod(1)], vec![]] {
        let (_, standing) = settle(&snapshot(bare.clone(), pods.clone()));
        let stands = Slice::clone(&standing.slices.values().next().unwrap().clone());
        let null = read(stands.clone());
        assert_eq!(null, stands);
        assert!(null.ports.is_empty() && null.endpoints.len() == pods.len());
        assert_quiet(&with_slices([null], snapshot(bare.clone(), pods)));
    }
}

#[test]
fn pods_that_change_places_between_two_groups_are_in_some_slice_after_each_write() {
    let service = with_ports(vec![service_port("", 80, by_name("http"))]);
    let with = |n, number| Pod { ports: container_ports(&[("http", number, Protocol::TCP)]), ..pod(n) };
    let of = |name, number, held: [Pod; 2]| Slice {
        ports: Arc::from([port("", number)]),
        ..slice(name, held.iter())
    };
    // Both slices are full, and each has what the other needs: whichever is written first loses one.
    let before = with_max(
        2,
        with_slices(
            [of("web-a", 1, [pod(0), pod(1)]), of("web-b", 2, [pod(2), pod(3)])],
            snapshot(service, vec![with(0, 1), with(1, 2), with(2, 1), with(3, 2)]),
        ),
    );
    let (plan, _) = settle(&before);
    let mut standing = Standing::new(before.slices.iter().cloned());
    standing.apply(&plan, |now| assert_eq!(now.merged().len(), 4, "{:?}", now.merged()));
    assert_eq!(plan.writes.len(), 3, "one more than there are slices");
}

#[test]
fn an_address_without_ports_is_another_name_than_the_same_under_the_first_port() {
    let service = with_ports(vec![service_port("", 80, by_name("http"))]);
    let of = |n, ports: &[(&str, i32, Protocol)]| Pod { ports: container_ports(ports), ..pod(n) };
    let (http, none) = ([("http", 1, Protocol::TCP)], []);
    let slices = [
        Slice { ports: Arc::from([port("", 1)]), ..slice("web-a", &pods(0..2)) },
        Slice { ports: Arc::from([]), ..slice("web-b", &pods(2..4)) },
    ];
    let now = vec![of(0, &http), of(1, &none), of(2, &http), of(3, &none)];
    let (plan, _) = settle(&with_max(2, with_slices(slices, snapshot(service, now))));
    assert_eq!(plan.writes.len(), 2, "what they had is wanted by nobody, so neither waits for the other");
}
