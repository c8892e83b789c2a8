//! A rolling update: each Pod is followed by a new one with another address, and deleted when the new one
//! is published.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::changes::{Outcome, seen};
use crate::observer::Observer;
use crate::support::api::Api;
use crate::support::bulk::{self, BulkPod};

/// Pods that are replaced a second.
const PER_SECOND: u32 = 50;
/// How many may be on their way at once.
const SURGE: usize = 100;

/// Replaces these Pods. The latency is that from the Pod's status with an address to its slice.
pub async fn roll(api: &Api, observer: &Arc<Observer>, pods: &[&BulkPod], nodes: usize) -> Outcome {
    let surge = Arc::new(Semaphore::new(SURGE));
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / PER_SECOND);
    let mut replaced = JoinSet::new();
    let started = Instant::now();
    for (number, old) in pods.iter().enumerate() {
        ticks.tick().await;
        let slot = Arc::clone(&surge).acquire_owned().await.expect("the semaphore stays open");
        let (api, observer, old) = (api.clone(), Arc::clone(observer), (*old).clone());
        let new = BulkPod {
            name: format!("{}-new", old.name),
            address: format!("10.100.{}.{}", number >> 8, number & 255),
            ..old.clone()
        };
        replaced.spawn(async move {
            let _slot = slot;
            let body = bulk::pod(&new, number % nodes, "");
            let collection = format!("/api/v1/namespaces/{}/pods", new.namespace);
            let mut spec = body.clone();
            spec["metadata"].as_object_mut().expect("metadata").remove("uid");
            spec["metadata"].as_object_mut().expect("metadata").remove("ownerReferences");
            spec.as_object_mut().expect("a Pod").remove("status");
            // What was put into etcd was never checked.
            spec["spec"].as_object_mut().expect("a spec").remove("volumes");
            spec["spec"]["containers"][0].as_object_mut().expect("a container").remove("volumeMounts");
            api.create(&collection, &spec).await.expect("a new Pod");
            let status = json!({"status": body["status"]});
            api.patch(&format!("{collection}/{}/status", new.name), &status).await.expect("its status");
            let answered = Instant::now();
            let there = seen(&observer, &new.address, Some(true)).await;
            let options = json!({"gracePeriodSeconds": 0});
            api.delete_with(&format!("{collection}/{}", old.name), &options).await.expect("the old one goes");
            let gone = seen(&observer, &old.address, None).await;
            (answered, there.filter(|_| gone.is_some()))
        });
    }
    let mut outcome = Outcome::default();
    while let Some(change) = replaced.join_next().await {
        let (answered, seen) = change.expect("the task of a Pod");
        outcome.add(answered, seen);
    }
    outcome.took = started.elapsed();
    outcome.latencies.sort();
    outcome
}
