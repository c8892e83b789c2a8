//! The objects of a cluster at one moment, and the snapshot of each key that plans are made from.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use smol_str::SmolStr;

use crate::model::snapshot::Memory;
use crate::model::{
    Endpoints, Key, Labels, Loop, MirrorSnapshot, Node, Nodes, Pod, SelectorSnapshot, Service, Settings,
    Slice, Text, Version,
};
use crate::plan::{Plan, mirror, names, selector};

/// Everything that the two loops read, as rows.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    /// Services.
    pub services: BTreeMap<Key, Arc<Service>>,
    /// Pods.
    pub pods: BTreeMap<Key, Arc<Pod>>,
    /// Nodes by name.
    pub nodes: Nodes,
    /// Endpoints.
    pub endpoints: BTreeMap<Key, Arc<Endpoints>>,
    /// All EndpointSlices, those of others too: their names are taken.
    pub slices: BTreeMap<Key, Arc<Slice>>,
}

impl Cluster {
    /// Puts a Service in; of one key the newest version stays.
    pub fn service(&mut self, row: Service) {
        put(&mut self.services, row.key.clone(), row, |row| row.version);
    }

    /// Puts a Pod in.
    pub fn pod(&mut self, row: Pod) {
        put(&mut self.pods, row.key.clone(), row, |row| row.version);
    }

    /// Puts a Node in.
    pub fn node(&mut self, row: Node) {
        let name = Text::new(&row.key.name);
        if self.nodes.get(&name).is_none_or(|held| held.version <= row.version) {
            self.nodes.insert(name, Arc::new(row));
        }
    }

    /// Puts Endpoints in.
    pub fn endpoints(&mut self, row: Endpoints) {
        put(&mut self.endpoints, row.key.clone(), row, |row| row.version);
    }

    /// Puts an EndpointSlice in, whoever manages it.
    pub fn slice(&mut self, row: Slice) {
        put(&mut self.slices, row.key.clone(), row, |row| row.version);
    }
}

fn put<R>(all: &mut BTreeMap<Key, Arc<R>>, key: Key, row: R, version: impl Fn(&R) -> Version) {
    if all.get(&key).is_none_or(|held| version(held) <= version(&row)) {
        all.insert(key, Arc::new(row));
    }
}

/// Makes plans from a cluster.
pub(super) struct Planner<'a> {
    cluster: &'a Cluster,
    settings: Arc<Settings>,
    nodes: Arc<Nodes>,
    pods: PodsByPair,
    slices: BTreeMap<(Loop, Key), Vec<Arc<Slice>>>,
}

/// Pods by namespace and label pair.
type PodsByPair = HashMap<(Text, Text, Text), Vec<Arc<Pod>>, foldhash::fast::RandomState>;

impl<'a> Planner<'a> {
    pub fn new(cluster: &'a Cluster, settings: Settings) -> Planner<'a> {
        let mut pods = PodsByPair::default();
        for pod in cluster.pods.values() {
            for (name, value) in &pod.labels {
                let pair = (pod.key.namespace.clone(), name.clone(), value.clone());
                pods.entry(pair).or_default().push(Arc::clone(pod));
            }
        }
        let mut slices: BTreeMap<(Loop, Key), Vec<Arc<Slice>>> = BTreeMap::new();
        for slice in cluster.slices.values() {
            if let (Some(which), Some(key)) = (slice.managed_by(), slice.service_key()) {
                slices.entry((which, key)).or_default().push(Arc::clone(slice));
            }
        }
        Planner {
            cluster,
            settings: Arc::new(settings),
            nodes: Arc::new(cluster.nodes.clone()),
            pods,
            slices,
        }
    }

    /// The keys that a loop looks at.
    pub fn keys(&self, which: Loop) -> BTreeSet<Key> {
        match which {
            Loop::Selector => {
                let selecting = self.cluster.services.values().filter(|service| service.selects());
                selecting.map(|service| service.key.clone()).collect()
            }
            Loop::Mirroring => {
                let mirrored = self.slices.keys().filter(|(of, _)| *of == which).map(|(_, key)| key);
                self.cluster.endpoints.keys().chain(mirrored).cloned().collect()
            }
        }
    }

    /// The plan of a key, as it would be made at the start of the controller.
    pub fn plan(&self, which: Loop, key: &Key) -> Plan {
        let service = self.cluster.services.get(key).cloned();
        let slices = self.slices.get(&(which, key.clone())).cloned().unwrap_or_default();
        let names = self.names_near(key);
        let (memory, salt, settings) = (Memory::default(), None, Arc::clone(&self.settings));
        match (which, service) {
            (Loop::Mirroring, service) => mirror::plan(&MirrorSnapshot {
                key: key.clone(),
                endpoints: self.cluster.endpoints.get(key).cloned(),
                service,
                slices,
                names,
                memory,
                salt,
                settings,
            }),
            (Loop::Selector, Some(service)) => {
                let pods = service.selector.as_ref().map(|selector| self.selected(key, selector));
                selector::plan(&SelectorSnapshot {
                    pods: pods.unwrap_or_default(),
                    service,
                    nodes: Arc::clone(&self.nodes),
                    slices,
                    names,
                    memory,
                    epoch: None,
                    salt,
                    settings,
                })
            }
            (Loop::Selector, None) => Plan::default(),
        }
    }

    fn selected(&self, key: &Key, selector: &Labels) -> Vec<Arc<Pod>> {
        let with_pair = |(name, value): &(Text, Text)| {
            let pair = (key.namespace.clone(), name.clone(), value.clone());
            self.pods.get(&pair).map(Vec::as_slice).unwrap_or_default()
        };
        let fewest = selector.iter().map(with_pair).min_by_key(|pods| pods.len());
        let candidates = fewest.unwrap_or_default().iter();
        candidates.filter(|pod| pod.labels.contains_all(selector)).cloned().collect()
    }

    /// Names of slices in the namespace that a computed name of this key could meet.
    fn names_near(&self, key: &Key) -> BTreeSet<SmolStr> {
        let base = names::base(&key.name);
        let from = Key { namespace: key.namespace.clone(), name: SmolStr::new(&base) };
        let near = self.cluster.slices.range(from..);
        let near = near.take_while(|(at, _)| at.namespace == key.namespace && at.name.starts_with(&base));
        near.map(|(at, _)| at.name.clone()).collect()
    }
}
