//! Traefik, Envoy Gateway, ingress-nginx, and who measures latency by the trigger-time annotation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use endpointslice_controller::model::*;
use serde_json::Value;

use super::histories::{Played, play};
use super::{Consumer, Standing, address, list, name, replay, service as service_of};
use crate::api::Stored;
use crate::build::{by_name, container_ports, pod, pods, service, service_port};
use crate::mirroring::{by_hand, endpoints};
use crate::world::{World, config, not_started, world};

/// The events of a world so far.
fn history(world: &World) -> Vec<Stored> {
    world.api.state.lock().history.clone()
}

/// Services of every kind that ports, conditions and names can make a difference for, through a few changes.
async fn all_kinds() -> World {
    let world = world();
    let of = |name: &str, service: Service| {
        world.service(Service { key: Key::new("ns", name), uid: Uid::new(name), ..service })
    };
    pods(0..3).into_iter().for_each(|pod| world.pod(pod));
    world.pod(Pod { ports: container_ports(&[]), ready: false, ..pod(3) });
    of("unnamed", service());
    of("bare", Service { cluster_ip: "None".into(), ports: vec![], ..service() });
    let mut named = vec![service_port("web", 80, by_name("http")), service_port("no", 81, by_name("no"))];
    named[0].protocol = Protocol::UDP;
    of("named", Service { ports: named.clone(), ..service() });
    of("empty", Service { selector: Some(Labels::new([("app", "nobody")])), ..service() });
    of("not-ready", Service { publish_not_ready: true, ..service() });
    of("by-hand", by_hand());
    let mut mirrored = Endpoints { key: Key::new("ns", "by-hand"), ..endpoints(&["10.1.0.1"]) };
    mirrored.subsets[0].ports[0].name = "".into();
    let down = endpoints(&["10.1.0.2"]).subsets.remove(0).addresses;
    mirrored.subsets[0].not_ready = down;
    world.endpoints(mirrored);
    world.settle().await;
    named[0].protocol = Protocol::TCP;
    of("named", Service { ports: named, ..service() });
    world.pod(Pod { terminating: true, ..pod(1) });
    world.pod(Pod { ready: false, ..pod(2) });
    world.settle().await;
    world
}

/// Some of Traefik's providers take an absent `ready` for false: it is never absent.
#[tokio::test(start_paused = true)]
async fn traefik_finds_ready_on_every_endpoint() {
    let world = all_kinds().await;
    let mut standing = Standing::default();
    let mut read = 0;
    replay(&history(&world), &mut standing, |standing, _| {
        for slice in standing.0.values() {
            for endpoint in list(slice, "endpoints") {
                let conditions = &endpoint["conditions"];
                read += 1;
                assert!(conditions["ready"].is_boolean(), "{} of {}", endpoint, name(slice));
                let mirrored = service_of(slice) == "by-hand";
                for condition in ["serving", "terminating"] {
                    assert_eq!(conditions[condition].is_boolean(), !mirrored, "{condition}: {endpoint}");
                }
            }
        }
    });
    assert!(read > 50, "{read}");
}

/// Envoy Gateway takes name, protocol and number of a port without looking whether they are there.
struct EnvoyGateway {
    clusters: usize,
}

impl Consumer for EnvoyGateway {
    fn see(&mut self, _: Option<&Value>, after: Option<&Value>) {
        let there = |field: &Value, what: &str, slice: &Value| {
            assert!(!field.is_null(), "nil pointer dereference: {what} of a port of {}", name(slice));
        };
        let Some(slice) = after else { return };
        for port in list(slice, "ports") {
            there(&port["name"], "the name", slice);
            there(&port["protocol"], "the protocol", slice);
            there(&port["port"], "the number", slice);
            self.clusters += 1;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn envoy_gateway_finds_name_protocol_and_number_of_every_port() {
    let world = all_kinds().await;
    let mut gateway = EnvoyGateway { clusters: 0 };
    replay(&history(&world), &mut gateway, |_, _| ());
    assert!(gateway.clusters > 5, "{}", gateway.clusters);
}

/// ingress-nginx looks for slices whose names begin with the Service's, of long names with its first
/// 57 characters, and then at their label.
#[derive(Default)]
struct IngressNginx(Standing);

impl Consumer for IngressNginx {
    fn see(&mut self, before: Option<&Value>, after: Option<&Value>) {
        self.0.see(before, after);
    }
}

impl IngressNginx {
    fn of(&self, wanted: &str) -> BTreeSet<String> {
        let prefix = if wanted.len() >= 58 { &wanted[..57] } else { wanted };
        let slices = self.0.0.values().filter(|slice| name(slice).starts_with(prefix));
        slices.filter(|slice| service_of(slice) == wanted).map(name).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn ingress_nginx_finds_every_slice_by_the_name_of_its_service() {
    let world = world();
    pods(0..150).into_iter().for_each(|pod| world.pod(pod));
    let long = "a".repeat(63);
    let mut names: Vec<String> = [1, 56, 57, 58, 59, 63].map(|length| long[..length].to_owned()).to_vec();
    names.extend(["web", "web-2", "9-lives"].map(str::to_owned));
    for name in &names {
        world.service(Service { key: Key::new("ns", name), uid: Uid::new(name), ..service() });
    }
    world.service(Service { key: Key::new("ns", &long[..62]), uid: Uid::new("by hand"), ..by_hand() });
    world.endpoints(Endpoints { key: Key::new("ns", &long[..62]), ..endpoints(&["10.1.0.1"]) });
    names.push(long[..62].to_owned());
    world.settle().await;
    for n in (0..150).step_by(3) {
        world.no_pod(&pod(n));
    }
    world.settle().await;
    let (mut nginx, mut found) = (IngressNginx::default(), 0);
    replay(&history(&world), &mut nginx, |nginx, _| {
        for wanted in &names {
            let all = nginx.0.0.values().filter(|slice| service_of(slice) == *wanted);
            let all: BTreeSet<String> = all.map(name).collect();
            found += all.len();
            assert_eq!(nginx.of(wanted), all);
        }
    });
    assert!(found > 100);
    for slice in nginx.0.0.values() {
        let name = name(slice);
        assert!(name.len() <= 63 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{name}");
    }
}

/// CoreDNS and kube-proxy report the time from the annotation to now as the latency of the network:
/// it is the time of the change that a write answers, or there is none; and none is days old because
/// this process is young.
#[tokio::test(start_paused = true)]
async fn trigger_time_is_that_of_the_change_which_a_write_answers() {
    let world = world();
    pods(0..3).into_iter().for_each(|pod| world.pod(pod));
    world.service(service());
    world.settle().await;
    let stamp = |world: &World| {
        let slice = world.slices("web").remove(0);
        slice.annotations.get(labels::TRIGGER_TIME).map(|text| Time::parse(text).unwrap())
    };
    let changed =
        |n: usize, ready: bool, at: i64| Pod { ready, ready_since: Some(Time::from_secs(at)), ..pod(n) };
    assert_eq!(stamp(&world), service().created, "a new Service: since when it waits");
    world.pod(changed(1, false, 9000));
    world.settle().await;
    assert_eq!(stamp(&world), Some(Time::from_secs(9000)));
    world.no_pod(&pod(2));
    world.settle().await;
    assert_eq!(stamp(&world), None, "a Pod that goes tells no time");
    // Two in one write: the one that has waited longer.
    world.controller.let_plan(Loop::Selector, false);
    world.pod(changed(1, true, 9200));
    world.pod(changed(0, false, 9100));
    world.controller.let_plan(Loop::Selector, true);
    world.settle().await;
    assert_eq!(stamp(&world), Some(Time::from_secs(9100)));
    world.controller.stop();

    // While nobody looked, one Pod went and another came.
    let before = world.api.writes();
    let next = not_started(Arc::clone(&world.api), config());
    next.pod(changed(1, true, 9200));
    next.pod(changed(3, true, 9300));
    next.service(service());
    next.controller.start(Some(Time::from_secs(900_000)));
    next.controller.let_plan(Loop::Selector, true);
    next.settle().await;
    assert_eq!(next.api.writes(), before + 1);
    assert_eq!(stamp(&next), None, "nothing of before the start");
    next.pod(changed(1, false, 900_100));
    next.settle().await;
    assert_eq!(stamp(&next), Some(Time::from_secs(900_100)));
}

/// What all of them rely on: slices are updated where they are. Of a Service that changes in place no
/// slice is ever deleted and made again.
#[tokio::test(start_paused = true)]
async fn slices_are_updated_in_place_and_endpoints_never_moved() {
    for seed in 200..203 {
        let Played { history, first_rest, world, .. } = play(seed, 120, service()).await;
        let mut standing = Standing::default();
        let mut held: BTreeMap<String, String> = BTreeMap::new();
        replay(&history, &mut standing, |standing, number| {
            for slice in standing.0.values() {
                for endpoint in list(slice, "endpoints") {
                    let before = held.insert(address(endpoint), name(slice));
                    let moved = before.filter(|before| *before != name(slice));
                    assert_eq!(moved, None, "seed {seed}, event {number}: {}", address(endpoint));
                }
            }
        });
        let kept = &world.slices("web")[0];
        let first = history[..first_rest].iter().filter_map(|event| event.after.as_ref());
        assert!(first.map(|slice| &slice.uid).any(|uid| *uid == kept.uid), "the first slice is there still");
    }
    // Changes that come faster than they are written.
    let world = world();
    world.pod(pod(1));
    world.service(service());
    world.settle().await;
    let slice = world.slices("web").remove(0);
    for round in 0..10 {
        world.pod(Pod { ready: round % 2 == 1, ..pod(1) });
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    world.settle().await;
    assert_eq!(world.slices("web")[0].uid, slice.uid);
}
