//! The streams of a running controller: what each lists and watches, and which part of the view it
//! feeds.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use kube::Client;
use parking_lot::Mutex;
use tokio::task::JoinSet;

use crate::control::Controller;
use crate::kubeapi::decode::{Decode, Either};
use crate::kubeapi::stream::{
    Change, ClientTransport, Compared, Listed, Sink, Stream, StreamConfig, StreamHandle, StreamMetrics,
};
use crate::model::labels::{ENDPOINTS_MANAGED_BY, MANAGED_BY};
use crate::model::wire::{self as json, protobuf};
use crate::model::{Key, Loop, Meta};
use crate::view::View;

/// The value of the label on Endpoints that the control plane's own controller writes.
const ENDPOINTS_CONTROLLER: &str = "endpoint-controller";
/// How long a stream may take to reach a version by itself before it is listed again.
const PATIENCE: Duration = Duration::from_millis(100);

/// One stream's way into the view.
struct Feed<R> {
    controller: Arc<Controller>,
    put: fn(&Controller, Change<R>),
    holds: fn(&View, &Meta) -> bool,
    held: fn(&View) -> usize,
    contains: fn(&View, &Key) -> bool,
}

impl<R: Send + Sync + 'static> Sink for Feed<R> {
    type Row = R;

    fn event(&self, change: Change<R>) {
        (self.put)(&self.controller, change);
    }

    fn wants(&self, meta: &Meta) -> bool {
        self.controller.with_view(|view| !(self.holds)(view, meta))
    }

    fn compare(&self, listed: &[(Meta, Listed<R>)]) -> Compared {
        self.controller.with_view(|view| {
            let held = (self.held)(view);
            let present = listed.iter().filter(|(meta, _)| (self.contains)(view, &meta.key)).count();
            Compared { held, missing: held.saturating_sub(present) }
        })
    }
}

/// The streams, and what is known of each. They end with it.
pub struct Feeds {
    slices: StreamHandle,
    /// The others, with the loops that plan from them.
    others: Vec<(StreamHandle, &'static [Loop])>,
    _tasks: JoinSet<()>,
}

impl Feeds {
    /// Starts the streams and waits until each has shown a complete list: the slices first, so that
    /// what they were made from is never older than they are.
    pub async fn start(controller: &Arc<Controller>, client: &Client, metrics: &StreamMetrics) -> Feeds {
        let opened = Opening { controller, client, metrics, tasks: Mutex::default() };
        let managers =
            format!("{MANAGED_BY} in ({}, {})", Loop::Selector.managed_by(), Loop::Mirroring.managed_by());
        let slices = opened.stream(
            StreamConfig {
                label_selector: Some(managers),
                ..StreamConfig::new("endpointslices", "/apis/discovery.k8s.io/v1/endpointslices")
            },
            protobuf::decode_slice,
            json::decode_slice,
            Feed {
                controller: Arc::clone(controller),
                put: Controller::slice,
                holds: |view, meta| view.slices.holds(meta),
                held: |view| view.slices.len(),
                contains: |view, key| view.slices.get(key).is_some(),
            },
        );
        slices.until_synced().await;

        const BOTH: &[Loop] = &[Loop::Selector, Loop::Mirroring];
        let mut others = vec![(
            opened.stream(
                StreamConfig::new("services", "/api/v1/services"),
                protobuf::decode_service,
                json::decode_service,
                Feed {
                    controller: Arc::clone(controller),
                    put: Controller::service,
                    holds: |view, meta| view.services.holds(meta),
                    held: |view| view.services.len(),
                    contains: |view, key| view.services.get(key).is_some(),
                },
            ),
            BOTH,
        )];
        if controller.runs(Loop::Selector) {
            others.extend(opened.of_selector().into_iter().map(|stream| (stream, &BOTH[..1])));
        }
        if controller.runs(Loop::Mirroring) {
            others.extend(opened.of_mirroring().into_iter().map(|stream| (stream, &BOTH[1..])));
        }
        join_all(others.iter().map(|(stream, _)| stream.until_synced())).await;
        Feeds { slices, others, _tasks: opened.tasks.into_inner() }
    }

    /// Reads the slices consistently, and waits until every stream has reached that version: by itself,
    /// or by a consistent list of its own.
    pub async fn catch_up(&self) {
        let version = self.slices.relist().await;
        join_all(self.others.iter().map(|(stream, _)| async move {
            if tokio::time::timeout(PATIENCE, stream.reached(version)).await.is_err() {
                stream.relist().await;
            }
        }))
        .await;
    }

    /// Lists everything again, consistently, one resource after the other: the slices first.
    pub async fn relist(&self) {
        self.slices.relist().await;
        for (stream, _) in &self.others {
            stream.relist().await;
        }
    }

    /// Whether a loop may plan from what its streams have shown.
    pub fn healthy(&self, which: Loop) -> bool {
        self.slices.healthy()
            && self.others.iter().all(|(stream, loops)| !loops.contains(&which) || stream.healthy())
    }

    /// Whether every stream is alive.
    pub fn all_healthy(&self) -> bool {
        self.slices.healthy() && self.others.iter().all(|(stream, _)| stream.healthy())
    }
}

/// What every stream is opened with.
struct Opening<'a> {
    controller: &'a Arc<Controller>,
    client: &'a Client,
    metrics: &'a StreamMetrics,
    tasks: Mutex<JoinSet<()>>,
}

impl Opening<'_> {
    fn stream<R: Send + Sync + 'static>(
        &self,
        config: StreamConfig,
        protobuf: Decode<R>,
        json: Decode<R>,
        feed: Feed<R>,
    ) -> StreamHandle {
        let transport = Arc::new(ClientTransport(self.client.clone()));
        let (stream, handle) =
            Stream::new(config, transport, Either { protobuf, json }, Arc::new(feed), self.metrics);
        self.tasks.lock().spawn(stream.run());
        handle
    }

    fn of_selector(&self) -> [StreamHandle; 2] {
        let pods = self.stream(
            StreamConfig::new("pods", "/api/v1/pods"),
            protobuf::decode_pod,
            json::decode_pod,
            Feed {
                controller: Arc::clone(self.controller),
                put: Controller::pod,
                holds: |view, meta| view.pods.holds(meta),
                held: |view| view.pods.len(),
                contains: |view, key| view.pods.get(key).is_some(),
            },
        );
        let nodes = self.stream(
            StreamConfig::new("nodes", "/api/v1/nodes"),
            protobuf::decode_node,
            json::decode_node,
            Feed {
                controller: Arc::clone(self.controller),
                put: Controller::node,
                holds: |_, _| false,
                held: |view| view.nodes.len(),
                contains: |view, key| view.nodes.contains_key(key.name.as_str()),
            },
        );
        [pods, nodes]
    }

    fn of_mirroring(&self) -> [StreamHandle; 2] {
        let written_by_hand = self.stream(
            StreamConfig {
                label_selector: Some(format!("{ENDPOINTS_MANAGED_BY}!={ENDPOINTS_CONTROLLER}")),
                ..StreamConfig::new("endpoints", "/api/v1/endpoints")
            },
            protobuf::decode_endpoints,
            json::decode_endpoints,
            Feed {
                controller: Arc::clone(self.controller),
                put: Controller::endpoints,
                holds: |view, meta| view.endpoints.holds(meta),
                held: |view| view.endpoints.rows_len(),
                contains: |view, key| view.endpoints.get(key).is_some(),
            },
        );
        let marked = self.stream(
            StreamConfig {
                label_selector: Some(format!("{ENDPOINTS_MANAGED_BY}={ENDPOINTS_CONTROLLER}")),
                metadata_only: true,
                ..StreamConfig::new("endpoints-metadata", "/api/v1/endpoints")
            },
            protobuf::read_meta,
            json::read_meta,
            Feed {
                controller: Arc::clone(self.controller),
                put: Controller::marked_endpoints,
                holds: |view, meta| view.endpoints.holds_marked(meta),
                held: |view| view.endpoints.marked_len(),
                contains: |view, key| view.endpoints.has_marked(key),
            },
        );
        [written_by_hand, marked]
    }
}
