//! The Deployment controller: a ReplicaSet for each template, and the way from the old ones to the new
//! one.

mod bounds;
mod rolling;
mod sets;
mod status;

use std::sync::Arc;

use serde_json::Value;
use tokio::time::Instant;

use super::events::Source;
use super::replicaset::{adopt, controller_reference, release};
use super::rows::PodRow;
use super::world::World;
use crate::sandbox::kinds::Kind;
use crate::sandbox::status::Status;
use crate::sandbox::store::{Key, Object};
use bounds::Bounds;
use sets::{REVISION, Set};
use status::{Conditions, PROGRESSING};

const SOURCE: Source<'static> = Source::Controller("deployment-controller");

/// A Deployment while it is worked on.
struct Rollout {
    object: Arc<Object>,
    /// As it was read; its revision is changed in place.
    value: Value,
    bounds: Bounds,
    paused: bool,
    /// Oldest first.
    sets: Vec<Set>,
    /// The one of today's template, in `sets`.
    new: Option<usize>,
    conditions: Conditions,
    collisions: Option<i64>,
}

impl Rollout {
    fn new_set(&self) -> Option<&Set> {
        self.sets.get(self.new?)
    }

    /// The places of the old ReplicaSets.
    fn old(&self) -> Vec<usize> {
        (0..self.sets.len()).filter(|at| Some(*at) != self.new).collect()
    }

    /// How many Pods the ReplicaSets together are to have.
    fn total(&self) -> i64 {
        self.sets.iter().map(Set::replicas).sum()
    }

    /// The revision of today's template.
    fn revision(&self) -> i64 {
        self.old().into_iter().map(|at| self.sets[at].revision()).max().unwrap_or(0) + 1
    }
}

impl World {
    /// Takes a Deployment one step further, and brings its status up to date.
    pub(super) fn sync_deployment(&mut self, key: &Key) {
        let Some(row) = self.deployments.get(key) else { return };
        if row.selector.is_empty() {
            return;
        }
        let object = Arc::clone(&row.object);
        let value = object.value();
        let going = !value["metadata"]["deletionTimestamp"].is_null();
        let sets = self.claim_sets(&object, going);
        let list = value["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let mut rollout = Rollout {
            bounds: Bounds::of(&value),
            paused: value["spec"]["paused"].as_bool().unwrap_or(false),
            new: sets.iter().position(|set| set.is_of(&value["spec"]["template"])),
            collisions: value["status"]["collisionCount"].as_i64(),
            conditions: Conditions { list, now: self.clock.now() },
            sets,
            value,
            object,
        };
        let result = if going { Ok(false) } else { self.roll(&mut rollout) };
        rollout.note_availability();
        if result == Ok(true) {
            rollout.note_progress(self.clock.seconds());
        }
        self.write_status(&rollout);
        if let Err(why) = result {
            tracing::debug!(deployment = %key.name, %why, "not rolled");
            let pause = self.backoff(key);
            self.check_at(Kind::Deployment, key, Instant::now() + pause);
        } else {
            self.failures.remove(key);
            if let Some(second) = rollout.next_check() {
                let moment = self.clock.moment(second);
                self.check_at(Kind::Deployment, key, moment);
            }
        }
    }

    /// One step. True: how the rollout progresses is to be noted.
    fn roll(&mut self, rollout: &mut Rollout) -> Result<bool, Status> {
        rollout.note_pause();
        self.revise(rollout)?;
        if rollout.paused || is_scaled(rollout) {
            self.scale_all(rollout)?;
            if rollout.paused {
                self.clean_up(rollout)?;
            }
            return Ok(false);
        }
        if rollout.bounds.rolling {
            self.roll_over(rollout)?
        } else {
            self.recreate(rollout)?
        }
        Ok(true)
    }

    /// A Deployment's ReplicaSets, oldest first, after those that fit were taken over and those that do not
    /// let go.
    fn claim_sets(&mut self, deployment: &Arc<Object>, going: bool) -> Vec<Set> {
        let Some(selector) = self.deployments.get(&deployment.key).map(|row| row.selector.clone()) else {
            return Vec::new();
        };
        let namespace = &deployment.key.namespace;
        let orphans: Vec<Key> = match going {
            true => Vec::new(),
            false => World::of_namespace(&self.orphan_sets, namespace).cloned().collect(),
        };
        for key in orphans {
            let Some(row) = self.sets.get(&key).filter(|row| selector.selects(&row.object)) else { continue };
            let uid = row.object.uid.clone();
            let reference = controller_reference(deployment);
            let _ = self.modify(Kind::ReplicaSet, &key, &uid, None, |set| adopt(set, reference));
        }
        let owned: Vec<Key> = self.owned.get(&deployment.uid).into_iter().flatten().cloned().collect();
        let mut sets = Vec::new();
        for key in owned {
            let Some(row) = self.sets.get(&key) else { continue };
            if selector.selects(&row.object) {
                sets.push(Set::new(Arc::clone(&row.object)));
                continue;
            }
            let uid = row.object.uid.clone();
            let _ = self.modify(Kind::ReplicaSet, &key, &uid, None, |set| release(set, &deployment.uid));
        }
        sets.sort_by(|a, b| (a.created(), a.name()).cmp(&(b.created(), b.name())));
        sets
    }

    /// Brings the revision of an existing newest ReplicaSet, and of the Deployment, up to date.
    fn revise(&mut self, rollout: &mut Rollout) -> Result<(), Status> {
        let Some(at) = rollout.new else { return Ok(()) };
        let revision = rollout.revision();
        let mut wanted = rollout.sets[at].value.clone();
        let min_ready = &rollout.value["spec"]["minReadySeconds"];
        let slower =
            wanted["spec"]["minReadySeconds"].as_i64().unwrap_or(0) != min_ready.as_i64().unwrap_or(0);
        if sets::annotate_new(&mut wanted, &rollout.value, revision) || slower {
            let annotations = wanted["metadata"]["annotations"].take();
            let min_ready = min_ready.clone();
            self.change_set(rollout, at, |set| {
                set["metadata"]["annotations"] = annotations;
                set["spec"]["minReadySeconds"] = min_ready;
            })?;
        }
        let revision = rollout.sets[at].revision().to_string();
        sets::annotate(&mut rollout.value, REVISION, &revision);
        if rollout.deadline().is_some() && rollout.conditions.get(PROGRESSING).is_none() {
            let message = format!("Found new replica set \"{}\"", rollout.sets[at].name());
            rollout.conditions.set(PROGRESSING, "True", "FoundNewReplicaSet", &message);
        }
        Ok(())
    }

    /// Makes the ReplicaSet of today's template, if there is none. `Err`: it could not be made.
    fn make_set(&mut self, rollout: &mut Rollout) -> Result<(), Status> {
        if rollout.new.is_some() {
            return Ok(());
        }
        let hash = sets::hash_of(&rollout.value["spec"]["template"], rollout.collisions);
        let revision = rollout.revision();
        let replicas = rollout.bounds.new_size(0, rollout.total());
        let mut set = sets::new_set(&rollout.object, &rollout.value, &hash);
        set["spec"]["replicas"] = replicas.into();
        sets::annotate_new(&mut set, &rollout.value, revision);
        sets::annotate_size(&mut set, rollout.bounds);
        let name = set["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        match self.store.create(Kind::ReplicaSet, &rollout.object.key.namespace, set, false) {
            Ok(made) => {
                self.see(&made);
                rollout.new = Some(rollout.sets.len());
                rollout.sets.push(Set::new(made));
                if replicas > 0 {
                    let message = format!("Scaled up replica set {name} from 0 to {replicas}");
                    self.say(&rollout.object, SOURCE, false, "ScalingReplicaSet", message);
                }
            }
            Err(why) if why.reason == "AlreadyExists" => {
                // somebody else's, or of another template: the next name is another
                rollout.collisions = Some(rollout.collisions.unwrap_or(0) + 1);
                return Err(why);
            }
            Err(why) => {
                let message = format!("Failed to create new replica set \"{name}\": {}", why.message);
                if rollout.deadline().is_some() {
                    rollout.conditions.set(PROGRESSING, "False", "ReplicaSetCreateError", &message);
                }
                self.say(&rollout.object, SOURCE, true, "ReplicaSetCreateError", message);
                return Err(why);
            }
        }
        sets::annotate(&mut rollout.value, REVISION, &revision.to_string());
        if rollout.deadline().is_some() {
            let message = format!("Created new replica set \"{name}\"");
            rollout.conditions.set(PROGRESSING, "True", "NewReplicaSetCreated", &message);
        }
        Ok(())
    }

    fn change_set(
        &mut self,
        rollout: &mut Rollout,
        at: usize,
        change: impl FnOnce(&mut Value),
    ) -> Result<(), Status> {
        let object = Arc::clone(&rollout.sets[at].object);
        let changed = self.modify(Kind::ReplicaSet, &object.key, &object.uid, None, change)?;
        rollout.sets[at] = Set::new(changed);
        Ok(())
    }

    /// Gives a ReplicaSet another size. True: it had another.
    fn scale_set(&mut self, rollout: &mut Rollout, at: usize, size: i64) -> Result<bool, Status> {
        if rollout.sets[at].replicas() == size { Ok(false) } else { self.resize_set(rollout, at, size) }
    }

    /// The same, and what is noted on it is brought up to date also when its size stays.
    fn resize_set(&mut self, rollout: &mut Rollout, at: usize, size: i64) -> Result<bool, Status> {
        let before = rollout.sets[at].replicas();
        let bounds = rollout.bounds;
        let noted = sets::annotate_size(&mut rollout.sets[at].value.clone(), bounds);
        if before == size && !noted {
            return Ok(false);
        }
        self.change_set(rollout, at, |set| {
            set["spec"]["replicas"] = size.into();
            sets::annotate_size(set, bounds);
        })?;
        if before != size {
            let way = if size > before { "up" } else { "down" };
            let name = rollout.sets[at].name();
            let message = format!("Scaled {way} replica set {name} from {before} to {size}");
            self.say(&rollout.object, SOURCE, false, "ScalingReplicaSet", message);
        }
        Ok(before != size)
    }

    /// Removes the oldest of the old ReplicaSets without Pods, beyond those that are kept to go back to.
    fn clean_up(&mut self, rollout: &Rollout) -> Result<(), Status> {
        let limit = rollout.value["spec"]["revisionHistoryLimit"].as_i64().unwrap_or(10);
        let going = |set: &Set| !set.value["metadata"]["deletionTimestamp"].is_null();
        let mut old: Vec<&Set> =
            rollout.old().into_iter().map(|at| &rollout.sets[at]).filter(|set| !going(set)).collect();
        let extra = old.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
        old.sort_by_key(|set| set.revision());
        for set in old.into_iter().take(extra) {
            let observed = set.value["status"]["observedGeneration"].as_i64().unwrap_or(0);
            let behind = set.value["metadata"]["generation"].as_i64().unwrap_or(0) > observed;
            if set.status("replicas") == 0 && set.replicas() == 0 && !behind {
                self.delete(Kind::ReplicaSet, &set.object.key, &set.object.uid, None)?;
            }
        }
        Ok(())
    }

    /// Whether Pods of the old ReplicaSets are still there.
    fn old_pods_run(&self, rollout: &Rollout) -> bool {
        let pods = |set: &Set| self.owned.get(&set.object.uid);
        rollout.old().into_iter().any(|at| {
            let set = &rollout.sets[at];
            let mut pods = pods(set).into_iter().flatten().filter_map(|key| self.pods.get(key));
            set.status("replicas") > 0 || pods.any(|pod: &PodRow| !pod.is_over())
        })
    }

    fn write_status(&mut self, rollout: &Rollout) {
        let status = rollout.status();
        let before = rollout.object.value();
        let revision = rollout.value["metadata"]["annotations"][REVISION].clone();
        if before["status"] == status && before["metadata"]["annotations"][REVISION] == revision {
            return;
        }
        let object = Arc::clone(&rollout.object);
        let _ = self.modify(Kind::Deployment, &object.key, &object.uid, Some("status"), |deployment| {
            deployment["status"] = status;
            if let Some(revision) = revision.as_str() {
                sets::annotate(deployment, REVISION, revision);
            }
        });
    }
}

/// Whether somebody changed the number of replicas since the ReplicaSets were sized.
fn is_scaled(rollout: &Rollout) -> bool {
    let active = rollout.sets.iter().filter(|set| set.replicas() > 0);
    active
        .filter_map(|set| set.number_of(sets::DESIRED_REPLICAS))
        .any(|desired| desired != rollout.bounds.replicas)
}
