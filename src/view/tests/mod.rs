//! Promises of the view, each test named after one.

mod apiserver;
mod overlay;
mod relist;
mod rows;
mod server;
mod snapshots;
mod track;
mod wakes;
mod walk;
mod work;

use super::*;
use crate::model::labels::{MANAGED_BY, SERVICE_NAME};
use crate::model::pod::{Ips, PodIp};
use crate::model::{
    AddressType, Annotations, Endpoints, Labels, Node, Pod, Service, Slice, Text, TopologyMode, Uid,
    address::parse_ip,
};

/// The namespace of every row that a test does not say more about.
const NAMESPACE: &str = "a";

fn key(name: &str) -> Key {
    Key::new(NAMESPACE, name)
}

/// `"app=web,tier=front"`; empty for none.
fn labels(pairs: &str) -> Labels {
    Labels::new(pairs.split(',').filter_map(|pair| pair.split_once('=')))
}

fn pod(name: &str, pairs: &str) -> Pod {
    Pod {
        key: key(name),
        uid: Uid::new(&format!("pod {name}")),
        version: 0,
        labels: labels(pairs),
        node: Some(Text::new("n1")),
        ips: ip("10.0.0.1"),
        has_ip: true,
        hostname: None,
        subdomain: None,
        terminating: false,
        terminal: false,
        ready: true,
        ready_since: None,
        ports: [].into(),
    }
}

fn ip(text: &str) -> Ips {
    Ips::new(vec![PodIp::Ip(parse_ip(text).unwrap())])
}

/// A Service with this selector; without one when it is empty.
fn service(name: &str, selector: &str) -> Service {
    Service {
        key: key(name),
        uid: Uid::new(&format!("service {name}")),
        version: 0,
        created: None,
        labels: labels(""),
        deleting: false,
        external_name: false,
        selector: (!selector.is_empty()).then(|| labels(selector)),
        cluster_ip: "10.96.0.1".into(),
        ip_families: vec![AddressType::IPv4],
        publish_not_ready: false,
        ports: Vec::new(),
        traffic_distribution: None,
        topology_mode: TopologyMode::Disabled,
        topology_annotated: false,
    }
}

fn node(name: &str, zone: &str) -> Node {
    Node {
        key: Key::new("", name),
        uid: Uid::new(&format!("node {name}")),
        version: 0,
        zone: (!zone.is_empty()).then(|| Text::new(zone)),
        ready: true,
        cpu_milli: Some(4000),
        control_plane: false,
    }
}

fn endpoints(name: &str) -> Endpoints {
    Endpoints {
        key: key(name),
        uid: Uid::new(&format!("endpoints {name}")),
        version: 0,
        labels: labels(""),
        annotations: Annotations::default(),
        deleting: false,
        subsets: Vec::new(),
    }
}

/// A slice of the loop that is filed under this Service.
fn slice(name: &str, which: Loop, service: &str) -> Slice {
    Slice {
        key: key(name),
        uid: Uid::new(&format!("slice {name}")),
        version: 0,
        generate_name: Default::default(),
        labels: Labels::new([(MANAGED_BY, which.managed_by()), (SERVICE_NAME, service)]),
        annotations: Annotations::default(),
        deleting: false,
        owners: [].into(),
        address_type: AddressType::IPv4,
        ports: [].into(),
        endpoints: Vec::new(),
        foreign: None,
    }
}

/// The same slice with other content, told apart by a number.
fn filled(slice: &Slice, number: u32) -> Slice {
    let annotations = Labels::new([("content", number.to_string().as_str())]);
    Slice { annotations, ..slice.clone() }
}

/// The row of every resource: what the streams need to know of it.
trait Row: Clone {
    fn meta(&self) -> Meta;
    fn at(self, version: Version) -> Self;
}

macro_rules! row {
    ($($row:ty),*) => {$(
        impl Row for $row {
            fn meta(&self) -> Meta {
                Meta { key: self.key.clone(), uid: self.uid.clone(), version: self.version }
            }
            fn at(mut self, version: Version) -> Self {
                self.version = version;
                self
            }
        }
    )*};
}
row!(Pod, Service, Node, Endpoints, Slice);

/// A view with a stream for every resource; each change gets the next version and returns whom it
/// woke as sorted sentences: `selector web PodBatch`.
struct Stage {
    view: View,
    version: Version,
}

macro_rules! stream {
    ($put:ident, $list:ident, $bad:ident, $row:ty, $method:ident) => {
        /// Added or modified.
        fn $put(&mut self, row: $row) -> Vec<String> {
            let row = row.at(self.next());
            self.wakes(|view, wakes| view.$method(Change::Upserted(row.meta(), row), wakes))
        }
        /// A complete list of exactly these.
        fn $list(&mut self, rows: impl IntoIterator<Item = $row>) -> Vec<String> {
            let listed = rows.into_iter().map(|row| row.at(self.next())).collect::<Vec<_>>();
            let listed = listed.into_iter().map(|row| (row.meta(), Listed::Row(row))).collect();
            let version = self.next();
            self.wakes(|view, wakes| view.$method(Change::Replaced(listed, version), wakes))
        }
        /// Added or modified, and cannot be decoded.
        #[allow(dead_code)] // not every resource needs it
        fn $bad(&mut self, row: $row) -> Vec<String> {
            let meta = row.at(self.next()).meta();
            self.wakes(|view, wakes| view.$method(Change::Undecodable(meta), wakes))
        }
    };
}

impl Stage {
    fn new() -> Stage {
        Stage { view: View::new(Settings::default()), version: 0 }
    }

    /// A view that has been started.
    fn started() -> Stage {
        let mut stage = Stage::new();
        stage.start();
        stage
    }

    fn start(&mut self) {
        self.view.start(None);
    }

    fn next(&mut self) -> Version {
        self.version += 1;
        self.version
    }

    fn wakes(&mut self, change: impl FnOnce(&mut View, &mut Vec<Wake>)) -> Vec<String> {
        let mut wakes = Vec::new();
        change(&mut self.view, &mut wakes);
        let told: Vec<String> = wakes.iter().map(tell).collect();
        let mut sorted = told.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(sorted.len(), told.len(), "a change wakes each key once: {told:?}");
        sorted
    }

    fn gone<R: Row>(
        &mut self,
        row: R,
        change: impl FnOnce(&mut View, Change<R>, &mut Vec<Wake>),
    ) -> Vec<String> {
        let meta = row.at(self.next()).meta();
        self.wakes(|view, wakes| change(view, Change::Deleted(meta), wakes))
    }

    stream!(put_pod, list_pods, bad_pod, Pod, pod);
    stream!(put_service, list_services, bad_service, Service, service);
    stream!(put_node, list_nodes, bad_node, Node, node);
    stream!(put_endpoints, list_endpoints, bad_endpoints, Endpoints, endpoints);
    stream!(put_slice, list_slices, bad_slice, Slice, slice);

    fn put_marked(&mut self, name: &str) -> Vec<String> {
        let meta = endpoints(name).at(self.next()).meta();
        self.wakes(|view, wakes| view.marked_endpoints(Change::Upserted(meta.clone(), meta), wakes))
    }

    fn drop_marked(&mut self, name: &str) -> Vec<String> {
        let meta = endpoints(name).at(self.next()).meta();
        self.wakes(|view, wakes| view.marked_endpoints(Change::Deleted(meta), wakes))
    }

    /// The answer of a write, in the second 0.
    fn answer(&mut self, name: &str, answered: Answered) -> Vec<String> {
        self.wakes(|view, wakes| view.write_ends(&key(name), answered, 0, wakes))
    }

    /// Names of the slices of this key, with their versions.
    fn slices_of(&self, which: Loop, service: &str) -> Vec<(String, Version)> {
        let slices = self.view.slices.of(which, &key(service));
        slices.iter().map(|slice| (slice.key.name.to_string(), slice.version)).collect()
    }
}

fn tell(wake: &Wake) -> String {
    let key = &wake.key;
    let name = if key.namespace == NAMESPACE { key.name.to_string() } else { key.to_string() };
    format!("{} {name} {:?}", wake.which.as_str(), wake.after)
}
