//! A controller that works against [`Api`], and what the tests do with it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use endpointslice_controller::control::events::{EventRecorder, EventSink};
use endpointslice_controller::control::metrics::ControlMetrics;
use endpointslice_controller::control::write::Writer;
use endpointslice_controller::control::{ControlConfig, Controller};
use endpointslice_controller::model::*;
use endpointslice_controller::view::Change;

use crate::api::{Api, Events};
use crate::build;

pub struct World {
    pub api: Arc<Api>,
    pub controller: Arc<Controller>,
    pub registry: prometheus::Registry,
    pub events: Arc<Events>,
}

pub fn config() -> ControlConfig {
    ControlConfig {
        settings: Settings::default(),
        loops: vec![Loop::Selector, Loop::Mirroring],
        workers: 3,
        mirroring_workers: 2,
        batch_period: Duration::ZERO,
        mirroring_batch_period: Duration::ZERO,
    }
}

/// A controller at work, with the Nodes `n1` and `n2` and nothing else.
pub fn world() -> World {
    world_with(Arc::new(Api::default()), config())
}

/// A controller that begins with the slices that stand in `api`.
pub fn world_with(api: Arc<Api>, config: ControlConfig) -> World {
    let world = not_started(api, config);
    world.start();
    world
}

pub fn not_started(api: Arc<Api>, config: ControlConfig) -> World {
    let registry = prometheus::Registry::new();
    let metrics = Arc::new(ControlMetrics::new(&registry).unwrap());
    let writer: Arc<dyn Writer> = Arc::clone(&api) as Arc<dyn Writer>;
    let events = Arc::new(Events::default());
    let (recorder, worker) = EventRecorder::new(Arc::clone(&events) as Arc<dyn EventSink>);
    tokio::spawn(worker.run());
    let controller = Controller::new(config, writer, recorder, metrics);
    api.connect(&controller);
    for name in ["n1", "n2"] {
        let node = build::node(name, Some("zone-a"));
        controller.node(Change::Upserted(meta(&node.key, &node.uid, node.version), node));
    }
    let version = api.state.lock().version.max(1);
    let listed = api
        .slices()
        .into_iter()
        .map(|s| (meta(&s.key, &s.uid, s.version), endpointslice_controller::view::Listed::Row(s)));
    controller.slice(Change::Replaced(listed.collect(), version));
    api.state.lock().pending.clear();
    controller.spawn_workers();
    World { api, controller, registry, events }
}

pub fn meta(key: &Key, uid: &Uid, version: Version) -> Meta {
    Meta { key: key.clone(), uid: uid.clone(), version }
}

impl World {
    pub fn start(&self) {
        self.controller.start(None);
        for which in [Loop::Selector, Loop::Mirroring] {
            self.controller.let_plan(which, true);
        }
    }

    pub fn service(&self, mut service: Service) {
        service.version = self.api.tick();
        self.api.state.lock().services.insert(service.key.clone(), service.clone());
        self.controller.service(Change::Upserted(meta(&service.key, &service.uid, service.version), service));
    }

    pub fn no_service(&self, service: &Service) {
        let version = self.api.tick();
        self.api.state.lock().services.remove(&service.key);
        self.controller.service(Change::Deleted(meta(&service.key, &service.uid, version)));
    }

    pub fn pod(&self, mut pod: Pod) {
        pod.version = self.api.tick();
        self.controller.pod(Change::Upserted(meta(&pod.key, &pod.uid, pod.version), pod));
    }

    pub fn no_pod(&self, pod: &Pod) {
        let version = self.api.tick();
        self.controller.pod(Change::Deleted(meta(&pod.key, &pod.uid, version)));
    }

    pub fn node(&self, mut node: Node) {
        node.version = self.api.tick();
        self.controller.node(Change::Upserted(meta(&node.key, &node.uid, node.version), node));
    }

    pub fn no_node(&self, node: &Node) {
        let version = self.api.tick();
        self.controller.node(Change::Deleted(meta(&node.key, &node.uid, version)));
    }

    pub fn endpoints(&self, mut endpoints: Endpoints) {
        endpoints.version = self.api.tick();
        self.api.state.lock().endpoints.insert(endpoints.key.clone(), endpoints.clone());
        let meta = meta(&endpoints.key, &endpoints.uid, endpoints.version);
        self.controller.endpoints(Change::Upserted(meta, endpoints));
    }

    pub fn no_endpoints(&self, endpoints: &Endpoints) {
        let version = self.api.tick();
        self.api.state.lock().endpoints.remove(&endpoints.key);
        self.controller.endpoints(Change::Deleted(meta(&endpoints.key, &endpoints.uid, version)));
    }

    /// Endpoints that the control plane writes: our stream of them shows their metadata alone.
    pub fn marked(&self, mut endpoints: Endpoints) {
        endpoints.version = self.api.tick();
        let meta = meta(&endpoints.key, &endpoints.uid, endpoints.version);
        self.api.state.lock().endpoints.insert(endpoints.key.clone(), endpoints);
        self.controller.marked_endpoints(Change::Upserted(meta.clone(), meta));
    }

    /// The slices that bear this Service's name, by name.
    pub fn slices(&self, service: &str) -> Vec<Slice> {
        let mut slices = self.api.slices();
        slices.retain(|slice| slice.service().is_some_and(|name| name == service));
        slices
    }

    /// Syncs of the selector loop that ended like this.
    pub fn syncs(&self, result: &str) -> f64 {
        self.metric("endpoint_slice_controller_syncs", &[("result", result)])
    }

    /// Fails unless every write was stored at its first try and nobody was warned.
    pub fn assert_no_friction(&self) {
        let state = self.api.state.lock();
        assert_eq!(state.log.len(), state.stored, "a write was refused: {:?}", state.log);
        assert_eq!(*self.events.0.lock(), Vec::<String>::new());
    }

    /// Lets (paused) time pass until nothing is left to do, and says so if that takes longer than a
    /// quarter of an hour.
    pub async fn settle(&self) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(900);
        loop {
            let before = (self.api.writes(), self.api.state.lock().reads);
            tokio::time::sleep(Duration::from_secs(130)).await;
            let quiet = before == (self.api.writes(), self.api.state.lock().reads);
            if quiet && self.controller.queue(Loop::Selector).depth() == 0 {
                return;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "writing does not stop: {:?}",
                self.api.state.lock().log
            );
        }
    }

    /// Addresses in slices that bear this Service's name, with how often each is there.
    pub fn addresses(&self, service: &str) -> Vec<String> {
        let mut all: Vec<String> = self
            .api
            .slices()
            .iter()
            .filter(|slice| slice.service().is_some_and(|name| name == service))
            .flat_map(|slice| slice.endpoints.iter().flat_map(|e| e.addresses.as_slice().to_vec()))
            .map(|address| address.to_string())
            .collect();
        all.sort();
        all
    }

    /// The value of a metric with these labels, the count of a histogram; 0 when it is not there.
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let wanted: BTreeSet<(String, String)> =
            labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        for family in self.registry.gather() {
            if family.name() != name {
                continue;
            }
            for metric in family.get_metric() {
                let has: BTreeSet<(String, String)> =
                    metric.get_label().iter().map(|l| (l.name().to_owned(), l.value().to_owned())).collect();
                if wanted.is_subset(&has) {
                    let observed = metric.get_histogram().get_sample_count() as f64;
                    return metric.get_counter().get_value() + metric.get_gauge().get_value() + observed;
                }
            }
        }
        0.0
    }
}
