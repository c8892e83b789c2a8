//! The ReplicaSet controller: as many Pods as wanted, those that match and belong to nobody taken over,
//! those that no longer match let go.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use smol_str::SmolStr;
use tokio::time::Instant;

use super::events::Source;
use super::rows::PodRow;
use super::schedule::set_condition;
use super::selector::Selector;
use super::world::World;
use crate::sandbox::kinds::Kind;
use crate::sandbox::status::Status;
use crate::sandbox::store::{Key, Object};

/// How many Pods are made or deleted at a time, before others get their turn.
const BURST: usize = 100;

const SOURCE: Source<'static> = Source::Controller("replicaset-controller");

/// A reference to the controller of an object.
pub(super) fn controller_reference(of: &Object) -> Value {
    let info = of.kind.info();
    json!({"apiVersion": info.api_version(), "kind": info.kind, "name": of.key.name, "uid": of.uid,
        "controller": true, "blockOwnerDeletion": true})
}

/// Adds a reference to an object.
pub(super) fn adopt(object: &mut Value, reference: Value) {
    match object["metadata"]["ownerReferences"].as_array_mut() {
        Some(list) => list.push(reference),
        None => object["metadata"]["ownerReferences"] = json!([reference]),
    }
}

/// Removes the reference to an owner from an object.
pub(super) fn release(object: &mut Value, owner: &str) {
    let Some(list) = object["metadata"]["ownerReferences"].as_array_mut() else { return };
    list.retain(|reference| reference["uid"] != owner);
    if list.is_empty()
        && let Some(metadata) = object["metadata"].as_object_mut()
    {
        metadata.remove("ownerReferences");
    }
}

/// What a ReplicaSet's Pods amount to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    replicas: usize,
    fully_labeled: usize,
    ready: usize,
    available: usize,
    terminating: usize,
}

impl World {
    /// Brings a ReplicaSet's Pods to the wanted number, and its status up to date.
    pub(super) fn sync_set(&mut self, key: &Key) {
        let Some(row) = self.sets.get(key) else { return };
        let set = Arc::clone(&row.object);
        let selector = row.selector.clone();
        let value = set.value();
        if selector.is_empty() {
            return;
        }
        let going = !value["metadata"]["deletionTimestamp"].is_null();
        self.claim_pods(&set, &selector, going);
        let wanted = usize::try_from(value["spec"]["replicas"].as_i64().unwrap_or(1)).unwrap_or(0);
        let mut failure = None;
        if !going {
            failure = self.manage(&set, &value, wanted).err();
        }
        self.set_status(&set, &value, wanted, failure);
    }

    fn active_pods(&self, uid: &SmolStr) -> Vec<Key> {
        let owned = self.owned.get(uid).into_iter().flatten();
        owned.filter(|key| self.pods.get(*key).is_some_and(PodRow::is_active)).cloned().collect()
    }

    fn claim_pods(&mut self, set: &Arc<Object>, selector: &Selector, going: bool) {
        for key in self.active_pods(&set.uid) {
            let Some(pod) = self.pods.get(&key).filter(|pod| !selector.selects(&pod.object)) else {
                continue;
            };
            let uid = pod.object.uid.clone();
            let _ = self.modify(Kind::Pod, &key, &uid, None, |pod| release(pod, &set.uid));
        }
        if going {
            return;
        }
        let orphans: Vec<Key> = World::of_namespace(&self.orphan_pods, &set.key.namespace)
            .filter(|key| {
                let pod = self.pods.get(*key);
                pod.is_some_and(|pod| pod.is_active() && selector.selects(&pod.object))
            })
            .cloned()
            .collect();
        for key in orphans {
            let Some(uid) = self.pods.get(&key).map(|pod| pod.object.uid.clone()) else { continue };
            let _ = self.modify(Kind::Pod, &key, &uid, None, |pod| adopt(pod, controller_reference(set)));
        }
    }

    fn manage(&mut self, set: &Arc<Object>, value: &Value, wanted: usize) -> Result<(), Status> {
        let active = self.active_pods(&set.uid);
        if active.len() < wanted {
            let missing = wanted - active.len();
            for _ in 0..missing.min(BURST) {
                self.make_pod(set, value)?;
            }
            if missing > BURST {
                self.set_line.push(&set.key);
            }
        } else if active.len() > wanted {
            let extra = active.len() - wanted;
            for key in self.first_to_go(set, active).into_iter().take(extra.min(BURST)) {
                let Some(uid) = self.pods.get(&key).map(|pod| pod.object.uid.clone()) else { continue };
                self.delete(Kind::Pod, &key, &uid, None)?;
                self.say(set, SOURCE, false, "SuccessfulDelete", format!("Deleted pod: {}", key.name));
            }
            if extra > BURST {
                self.set_line.push(&set.key);
            }
        }
        Ok(())
    }

    fn make_pod(&mut self, set: &Arc<Object>, value: &Value) -> Result<(), Status> {
        let template = &value["spec"]["template"];
        let mut pod = json!({
            "metadata": {
                "generateName": format!("{}-", set.key.name),
                "ownerReferences": [controller_reference(set)],
            },
            "spec": template["spec"],
        });
        for field in ["labels", "annotations", "finalizers"] {
            if !template["metadata"][field].is_null() {
                pod["metadata"][field] = template["metadata"][field].clone();
            }
        }
        // another Pod may have the name that was drawn
        let mut made = self.store.create(Kind::Pod, &set.key.namespace, pod.clone(), false);
        for _ in 0..8 {
            match &made {
                Err(why) if why.reason == "AlreadyExists" => {
                    made = self.store.create(Kind::Pod, &set.key.namespace, pod.clone(), false);
                }
                _ => break,
            }
        }
        match made {
            Ok(pod) => {
                self.see(&pod);
                self.say(set, SOURCE, false, "SuccessfulCreate", format!("Created pod: {}", pod.key.name));
                Ok(())
            }
            Err(why) => {
                let message = format!("Error creating: {}", why.message);
                self.say(set, SOURCE, true, "FailedCreate", message);
                Err(why)
            }
        }
    }

    /// A ReplicaSet's Pods in the order in which they are deleted.
    fn first_to_go(&self, set: &Arc<Object>, mut pods: Vec<Key>) -> Vec<Key> {
        let owner = self.sets.get(&set.key).and_then(|row| row.owner.clone());
        let siblings: Vec<SmolStr> = match owner.and_then(|owner| self.owned.get(&owner)) {
            Some(keys) => {
                keys.iter().filter_map(|key| self.sets.get(key).map(|row| row.object.uid.clone())).collect()
            }
            None => vec![set.uid.clone()],
        };
        let mut together: HashMap<&SmolStr, usize> = HashMap::new();
        for key in siblings.iter().filter_map(|uid| self.owned.get(uid)).flatten() {
            if let Some(pod) = self.pods.get(key).filter(|pod| pod.is_active()) {
                *together.entry(&pod.node).or_default() += 1;
            }
        }
        let now = self.clock.seconds();
        let order = |key: &Key| {
            let pod = self.pods.get(key)?;
            let ready_for = if pod.ready { age(now, pod.ready_since) } else { 0 };
            Some((
                !pod.node.is_empty(),
                pod.phase,
                pod.ready,
                pod.cost,
                Reverse(together.get(&pod.node).copied().unwrap_or(0)),
                ready_for,
                Reverse(pod.restarts),
                age(now, pod.created),
                pod.object.uid.clone(),
            ))
        };
        pods.sort_by_cached_key(order);
        pods
    }

    fn count(&self, uid: &SmolStr, value: &Value) -> (Counts, Option<i64>) {
        let min_ready = value["spec"]["minReadySeconds"].as_i64().unwrap_or(0);
        let labels = Selector::of_map(&value["spec"]["template"]["metadata"]["labels"]);
        let now = self.clock.seconds();
        let mut counts = Counts::default();
        let mut next: Option<i64> = None;
        let owned = self.owned.get(uid).into_iter().flatten();
        for pod in owned.filter_map(|key| self.pods.get(key)) {
            if pod.is_over() {
                continue;
            }
            if pod.going.is_some() {
                counts.terminating += 1;
                continue;
            }
            counts.replicas += 1;
            counts.fully_labeled += usize::from(labels.selects(&pod.object));
            if pod.ready {
                counts.ready += 1;
                // the time is in whole seconds, cut off: one more, for the sum to be past
                let available_at = pod.ready_since + min_ready + i64::from(min_ready > 0);
                if min_ready == 0 || available_at <= now {
                    counts.available += 1;
                } else {
                    next = Some(next.map_or(available_at, |other| other.min(available_at)));
                }
            }
        }
        (counts, next)
    }

    fn set_status(&mut self, set: &Arc<Object>, value: &Value, wanted: usize, failure: Option<Status>) {
        let (counts, next) = self.count(&set.uid, value);
        if let Some(second) = next {
            let moment = self.clock.moment(second);
            self.check_at(Kind::ReplicaSet, &set.key, moment);
        }
        let generation = value["metadata"]["generation"].clone();
        let now = self.clock.now();
        let mut status = json!({
            "replicas": counts.replicas,
            "observedGeneration": generation,
            "terminatingReplicas": counts.terminating,
        });
        for (field, count) in [
            ("fullyLabeledReplicas", counts.fully_labeled),
            ("readyReplicas", counts.ready),
            ("availableReplicas", counts.available),
        ] {
            if count > 0 {
                status[field] = count.into();
            }
        }
        let failed = failure.is_some();
        if let Some(why) = failure {
            let old = &value["status"]["conditions"];
            status["conditions"] = old.clone();
            let standing = old.as_array().is_some_and(|list| list.iter().any(|one| one["type"] == FAILURE));
            if !standing {
                let reason = if counts.replicas < wanted { "FailedCreate" } else { "FailedDelete" };
                let mut holder = json!({"status": {"conditions": old}});
                set_condition(
                    &mut holder,
                    json!({"type": FAILURE, "status": "True", "reason": reason, "message": why.message,
                        "lastTransitionTime": now}),
                );
                status["conditions"] = holder["status"]["conditions"].take();
            }
        } else if let Some(old) = value["status"]["conditions"].as_array() {
            let kept: Vec<Value> = old.iter().filter(|one| one["type"] != FAILURE).cloned().collect();
            if !kept.is_empty() {
                status["conditions"] = kept.into();
            }
        }
        if value["status"] != status {
            let _ = self.modify(Kind::ReplicaSet, &set.key, &set.uid, Some("status"), |set| {
                // what was changed meanwhile has not been observed
                set["status"] = status;
            });
        }
        if failed {
            let pause = self.backoff(&set.key);
            self.check_at(Kind::ReplicaSet, &set.key, Instant::now() + pause);
        } else {
            self.failures.remove(&set.key);
        }
    }

    /// How long to wait after a failure: longer each time.
    pub(super) fn backoff(&mut self, key: &Key) -> Duration {
        let failures = self.failures.entry(key.clone()).or_default();
        *failures += 1;
        Duration::from_millis(500 << (*failures).min(8))
    }
}

const FAILURE: &str = "ReplicaFailure";

/// How old something is, coarsely: a Pod that is a little older than another counts as equally old.
fn age(now: i64, since: i64) -> u32 {
    u64::try_from(now.saturating_sub(since)).unwrap_or(0).checked_ilog2().map_or(0, |log| log + 1)
}
