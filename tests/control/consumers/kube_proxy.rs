//! kube-proxy: follows slices without the headless label, merges them by Service port and address,
//! leaves out ports without a name or a number, and uses hints only if every ready endpoint has them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use endpointslice_controller::model::labels::HEADLESS as HEADLESS_KEY;
use endpointslice_controller::model::*;
use serde_json::Value;

use super::histories::{Played, play};
use super::{Consumer, HEADLESS, Standing, address, label, list, replay, service as service_of};
use crate::api::Stored;
use crate::build::{by_name, container_ports, node, pod, pods, service, service_port};
use crate::selector::ips;
use crate::world::world;

/// What it knows of one endpoint.
#[derive(Clone, Debug, Default)]
struct Known {
    ready: bool,
    zones: BTreeSet<String>,
    nodes: BTreeSet<String>,
}

#[derive(Default)]
pub struct KubeProxy {
    standing: Standing,
    /// Ports that it had to leave out.
    ignored: Vec<String>,
}

impl Consumer for KubeProxy {
    fn see(&mut self, before: Option<&Value>, after: Option<&Value>) {
        // A watch by label selector: what bears the label is not there.
        let shown = after.filter(|slice| label(slice, HEADLESS).is_none());
        if let Some(slice) = shown {
            let useless =
                |port: &&Value| !port["name"].is_string() || port["port"].as_i64().unwrap_or(0) == 0;
            let ports = list(slice, "ports").iter().filter(useless);
            self.ignored.extend(ports.map(|port| format!("{port} of {}", super::name(slice))));
        }
        self.standing.see(before, shown);
    }
}

impl KubeProxy {
    /// Endpoints of each port name of a Service.
    fn endpoints(&self, wanted: &str) -> BTreeMap<String, BTreeMap<String, Known>> {
        let mut all: BTreeMap<String, BTreeMap<String, Known>> = BTreeMap::new();
        for slice in self.standing.0.values().filter(|slice| service_of(slice) == wanted) {
            for port in list(slice, "ports") {
                let Some(name) = port["name"].as_str() else { continue };
                for endpoint in list(slice, "endpoints") {
                    let names = |hints: &str| {
                        let hints = endpoint["hints"][hints].as_array().cloned().unwrap_or_default();
                        hints.iter().filter_map(|hint| Some(hint["name"].as_str()?.to_owned())).collect()
                    };
                    let known = Known {
                        ready: endpoint["conditions"]["ready"].as_bool().unwrap_or(true),
                        zones: names("forZones"),
                        nodes: names("forNodes"),
                    };
                    all.entry(name.to_owned()).or_default().insert(address(endpoint), known);
                }
            }
        }
        all
    }

    /// The addresses that it sends traffic to on this node, and by what it chose them.
    fn chosen(&self, wanted: &str, port: &str, node: &str, zone: &str) -> (&'static str, BTreeSet<String>) {
        let all = self.endpoints(wanted).remove(port).unwrap_or_default();
        let ready: BTreeMap<&String, &Known> = all.iter().filter(|(_, known)| known.ready).collect();
        let by = |hints: fn(&Known) -> &BTreeSet<String>, me: &str| {
            let every = ready.values().all(|known| !hints(known).is_empty());
            (every && ready.values().any(|known| hints(known).contains(me))).then(|| {
                ready.iter().filter(|(_, k)| hints(k).contains(me)).map(|(a, _)| (*a).clone()).collect()
            })
        };
        if let Some(chosen) = by(|known| &known.nodes, node) {
            return ("node", chosen);
        }
        if let Some(chosen) = by(|known| &known.zones, zone) {
            return ("zone", chosen);
        }
        ("all", ready.keys().map(|address| (*address).clone()).collect())
    }
}

fn after(history: &[Stored]) -> KubeProxy {
    let mut proxy = KubeProxy::default();
    replay(history, &mut proxy, |_, _| ());
    proxy
}

/// Merged over all slices, an address that is ready all the time is sent traffic to all the time.
#[tokio::test(start_paused = true)]
async fn kube_proxy_never_misses_an_address_that_stays_ready() {
    for seed in 0..4 {
        let Played { history, first_rest, constant, .. } = play(seed, 160, service()).await;
        let mut proxy = KubeProxy::default();
        replay(&history, &mut proxy, |proxy, number| {
            if number + 1 >= first_rest {
                let (_, chosen) = proxy.chosen("web", "", "n1", "zone-a");
                let lost: Vec<_> = constant.iter().filter(|address| !chosen.contains(*address)).collect();
                assert!(lost.is_empty(), "seed {seed}, event {number}: {lost:?}");
            }
        });
        assert_eq!(proxy.ignored, Vec::<String>::new(), "seed {seed}");
    }
}

/// It does not see a slice that bears the headless label, whoever put it there.
#[tokio::test(start_paused = true)]
async fn kube_proxy_headless_label_put_or_removed_by_hand_is_repaired_and_addresses_come_back() {
    let world = world();
    pods(0..3).into_iter().for_each(|pod| world.pod(pod));
    world.service(service());
    let headless = Service {
        key: Key::new("ns", "bare"),
        uid: Uid::new("bare"),
        cluster_ip: "None".into(),
        ..service()
    };
    world.service(headless);
    world.settle().await;
    let seen = |name: &str| -> BTreeSet<String> {
        let history = world.api.state.lock().history.clone();
        after(&history).endpoints(name).into_values().flatten().map(|(address, _)| address).collect()
    };
    let all: BTreeSet<String> = ips(0..3).into_iter().collect();
    assert_eq!((seen("web"), seen("bare")), (all.clone(), BTreeSet::new()));
    let put = |label: Option<&'static str>| {
        move |mut slice: Slice| {
            let others = slice.labels.iter().filter(|(key, _)| key != HEADLESS_KEY).cloned();
            let label = label.map(|value| (HEADLESS_KEY.into(), value.into()));
            slice.labels = Labels::new(others.chain(label).collect::<Vec<_>>());
            Some(slice)
        }
    };
    for value in ["", "true"] {
        world.api.edit(&world.slices("web")[0].key.clone(), put(Some(value)));
        assert_eq!(seen("web"), BTreeSet::new(), "what the edit does to it");
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(seen("web"), all, "repaired");
    }
    world.api.edit(&world.slices("bare")[0].key.clone(), put(None));
    assert_eq!(seen("bare"), all, "rules for a Service that has no address");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(seen("bare"), BTreeSet::new(), "repaired");
}

/// Ports without a name, without a number, with 0: none of what we write is left out by it.
#[tokio::test(start_paused = true)]
async fn kube_proxy_ports_all_have_a_name_and_a_number() {
    let world = world();
    world.pod(pod(1));
    world.pod(Pod { ports: container_ports(&[("other", 9000, Protocol::TCP)]), ..pod(2) });
    let mut ported = service();
    ported.ports = vec![
        service_port("", 80, TargetPort::Number(0)),
        service_port("named", 81, by_name("http")),
        service_port("none", 82, by_name("nowhere")),
    ];
    world.service(ported);
    world.settle().await;
    let history = world.api.state.lock().history.clone();
    let proxy = after(&history);
    assert_eq!(proxy.ignored, Vec::<String>::new());
    let of_port = |port: &str| proxy.endpoints("web").remove(port).unwrap_or_default().into_keys().collect();
    let [unnamed, named, none]: [Vec<String>; 3] = ["", "named", "none"].map(of_port);
    assert_eq!((unnamed, named, none), (ips([1, 2]), ips([1]), vec![]));
}

/// At rest every ready endpoint has its hint, so that each zone (or node) keeps to its own.
#[tokio::test(start_paused = true)]
async fn kube_proxy_hints_are_complete_whenever_all_is_at_rest() {
    for (distribution, mode) in
        [("PreferClose", "zone"), ("PreferSameZone", "zone"), ("PreferSameNode", "node")]
    {
        let service = Service { traffic_distribution: Some(distribution.into()), ..service() };
        let Played { world, history, pods, .. } = play(41, 60, service).await;
        let proxy = after(&history);
        for (name, zone) in [("n1", "zone-a"), ("n2", "zone-b")] {
            let own = pods.values().filter(|p| p.node.as_deref() == Some(name) && p.ready && !p.terminating);
            let own: BTreeSet<String> = own.flat_map(|p| p.ips.good().map(|ip| ip.to_string())).collect();
            assert_eq!(proxy.chosen("web", "", name, zone), (mode, own), "{distribution} on {name}");
        }
        // One endpoint without a zone, and hints by zone are ignored everywhere: nobody is cut off.
        world.node(node("bare", None));
        world.pod(Pod { node: Some("bare".into()), ..pod(5000) });
        world.settle().await;
        let history = world.api.state.lock().history.clone();
        let (mode, chosen) = after(&history).chosen("web", "", "n3", "zone-c");
        assert_eq!(mode, "all");
        assert!(chosen.contains(&crate::build::ipv4(5000)));
    }
}

/// The model can fail: deleting before creating loses addresses.
#[tokio::test(start_paused = true)]
async fn kube_proxy_negative_control_a_delete_before_the_create_loses_addresses() {
    let world = world();
    pods(0..3).into_iter().for_each(|pod| world.pod(pod));
    world.service(service());
    world.settle().await;
    let slice = world.slices("web").remove(0);
    let moved = Slice { key: Key::new("ns", "web-other"), ..slice.clone() };
    let made = Stored { before: None, after: Some(moved) };
    let gone = Stored { before: Some(slice), after: None };
    let lost = |order: [&Stored; 2]| {
        let mut history = world.api.state.lock().history.clone();
        history.extend(order.into_iter().cloned());
        let (mut proxy, mut fewest) = (KubeProxy::default(), usize::MAX);
        replay(&history, &mut proxy, |proxy, _| {
            fewest = fewest.min(proxy.chosen("web", "", "n1", "zone-a").1.len());
        });
        fewest
    };
    assert_eq!((lost([&made, &gone]), lost([&gone, &made])), (3, 0));
}
