//! A Deployment's status: the counts, whether it is available, and how its rollout progresses.

use serde_json::{Value, json};

use super::super::clock::seconds_of;
use super::Rollout;
use super::sets::Set;

pub(super) const PROGRESSING: &str = "Progressing";
const AVAILABLE: &str = "Available";
const FAILURE: &str = "ReplicaFailure";
const DONE: &str = "NewReplicaSetAvailable";
const TIMED_OUT: &str = "ProgressDeadlineExceeded";
const PAUSED: &str = "DeploymentPaused";

/// A list of `DeploymentCondition`, and what time it is.
pub(super) struct Conditions {
    pub(super) list: Vec<Value>,
    pub(super) now: String,
}

impl Conditions {
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.list.iter().find(|condition| condition["type"] == name)
    }

    pub(super) fn reason(&self, name: &str) -> Option<&str> {
        self.get(name)?["reason"].as_str()
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.list.retain(|condition| condition["type"] != name);
    }

    /// Sets a condition; one with the same status and reason stays as it is.
    pub(super) fn set(&mut self, name: &str, status: &str, reason: &str, message: &str) {
        let mut since: Value = self.now.clone().into();
        if let Some(old) = self.get(name) {
            if old["status"] == status && old["reason"] == reason {
                return;
            }
            if old["status"] == status {
                since = old["lastTransitionTime"].clone();
            }
        }
        self.put(json!({"type": name, "status": status, "reason": reason, "message": message,
            "lastUpdateTime": self.now, "lastTransitionTime": since}));
    }

    fn put(&mut self, condition: Value) {
        let name = condition["type"].as_str().unwrap_or_default().to_owned();
        self.remove(&name);
        self.list.push(condition);
    }
}

fn sum<'a>(sets: impl Iterator<Item = &'a Set>, field: &str) -> i64 {
    sets.map(|set| set.status(field)).sum()
}

/// The counts of a status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) replicas: i64,
    pub(super) updated: i64,
    pub(super) ready: i64,
    pub(super) available: i64,
}

impl Counts {
    /// Those that a Deployment has noted.
    pub(super) fn noted(deployment: &Value) -> Counts {
        let of = |field: &str| deployment["status"][field].as_i64().unwrap_or(0);
        Counts {
            replicas: of("replicas"),
            updated: of("updatedReplicas"),
            ready: of("readyReplicas"),
            available: of("availableReplicas"),
        }
    }

    fn all(self, wanted: i64) -> bool {
        self.updated == wanted && self.replicas == wanted && self.available == wanted
    }
}

impl Rollout {
    /// Those that the ReplicaSets have.
    pub(super) fn counts(&self) -> Counts {
        Counts {
            replicas: sum(self.sets.iter(), "replicas"),
            updated: sum(self.new_set().into_iter(), "replicas"),
            ready: sum(self.sets.iter(), "readyReplicas"),
            available: sum(self.sets.iter(), "availableReplicas"),
        }
    }

    fn generation(&self) -> i64 {
        self.value["metadata"]["generation"].as_i64().unwrap_or(0)
    }

    /// Whether the status that stands says that all is done.
    pub(super) fn was_complete(&self) -> bool {
        let observed = self.value["status"]["observedGeneration"].as_i64().unwrap_or(0);
        Counts::noted(&self.value).all(self.bounds.replicas) && observed >= self.generation()
    }

    pub(super) fn deadline(&self) -> Option<i64> {
        let deadline = self.value["spec"]["progressDeadlineSeconds"].as_i64();
        deadline.filter(|seconds| *seconds != i64::from(i32::MAX))
    }

    /// A paused Deployment says so, and a resumed one, too.
    pub(super) fn note_pause(&mut self) {
        let reason = self.conditions.reason(PROGRESSING).map(str::to_owned);
        if self.deadline().is_none() || reason.as_deref() == Some(TIMED_OUT) {
            return;
        }
        let said = reason.as_deref() == Some(PAUSED);
        if self.paused && !said {
            self.conditions.set(PROGRESSING, "Unknown", PAUSED, "Deployment is paused");
        } else if !self.paused && said {
            self.conditions.set(PROGRESSING, "Unknown", "DeploymentResumed", "Deployment is resumed");
        }
    }

    /// Notes whether enough Pods are available.
    pub(super) fn note_availability(&mut self) {
        if self.counts().available >= self.bounds.least() {
            let message = "Deployment has minimum availability.";
            self.conditions.set(AVAILABLE, "True", "MinimumReplicasAvailable", message);
        } else {
            let message = "Deployment does not have minimum availability.";
            self.conditions.set(AVAILABLE, "False", "MinimumReplicasUnavailable", message);
        }
    }

    /// The status with the conditions as they were noted.
    pub(super) fn status(&self) -> Value {
        let counts = self.counts();
        let wanted: i64 = self.sets.iter().map(Set::replicas).sum();
        let mut status = json!({
            "observedGeneration": self.generation(),
            "terminatingReplicas": sum(self.sets.iter(), "terminatingReplicas"),
            "conditions": self.conditions.list,
        });
        for (field, count) in [
            ("replicas", counts.replicas),
            ("updatedReplicas", counts.updated),
            ("readyReplicas", counts.ready),
            ("availableReplicas", counts.available),
            ("unavailableReplicas", (wanted - counts.available).max(0)),
        ] {
            if count > 0 {
                status[field] = count.into();
            }
        }
        if let Some(collisions) = self.collisions {
            status["collisionCount"] = collisions.into();
        }
        status
    }

    /// Notes how the rollout progresses. `now` in seconds since 1970.
    pub(super) fn note_progress(&mut self, now: i64) {
        let counts = self.counts();
        let Some(deadline) = self.deadline() else {
            self.conditions.remove(PROGRESSING);
            return self.note_failures();
        };
        let current = self.conditions.get(PROGRESSING).cloned();
        let reason = self.conditions.reason(PROGRESSING).unwrap_or_default().to_owned();
        if !(counts.replicas == counts.updated && reason == DONE) {
            let (kind, name) = match self.new_set() {
                Some(set) => ("ReplicaSet", set.name()),
                None => ("Deployment", self.object.key.name.as_str()),
            };
            let subject = format!("{kind} \"{name}\"");
            if counts.all(self.bounds.replicas) {
                let message = format!("{subject} has successfully progressed.");
                self.conditions.set(PROGRESSING, "True", DONE, &message);
            } else if self.progresses(counts) {
                // it is put even if only its time changes: the deadline counts from it
                let now = self.conditions.now.clone();
                let since = match &current {
                    Some(current) if current["status"] == "True" => current["lastTransitionTime"].clone(),
                    _ => now.clone().into(),
                };
                self.conditions.put(json!({"type": PROGRESSING, "status": "True",
                    "reason": "ReplicaSetUpdated", "message": format!("{subject} is progressing."),
                    "lastUpdateTime": now, "lastTransitionTime": since}));
            } else if reason == TIMED_OUT || current.is_some_and(|current| late(&current, deadline, now)) {
                let message = format!("{subject} has timed out progressing.");
                self.conditions.set(PROGRESSING, "False", TIMED_OUT, &message);
            }
        }
        self.note_failures();
    }

    fn progresses(&self, counts: Counts) -> bool {
        let old = Counts::noted(&self.value);
        counts.updated > old.updated
            || counts.replicas - counts.updated < old.replicas - old.updated
            || counts.ready > old.ready
            || counts.available > old.available
    }

    fn note_failures(&mut self) {
        let failures = |set: &Set| {
            let list = set.value["status"]["conditions"].as_array()?;
            list.iter().find(|condition| condition["type"] == FAILURE).cloned()
        };
        let failure = self.new_set().and_then(failures).or_else(|| self.sets.iter().find_map(failures));
        match failure {
            Some(failure) => {
                let text = |field: &str| failure[field].as_str().unwrap_or_default().to_owned();
                self.conditions.set(FAILURE, &text("status"), &text("reason"), &text("message"));
            }
            None => self.conditions.remove(FAILURE),
        }
    }

    /// When it has to be looked at again for lack of progress, in seconds since 1970.
    pub(super) fn next_check(&self) -> Option<i64> {
        let deadline = self.deadline()?;
        let condition = self.conditions.get(PROGRESSING)?;
        let over = condition["reason"] == DONE || condition["reason"] == TIMED_OUT;
        if over || self.paused || self.counts().all(self.bounds.replicas) {
            return None;
        }
        Some(seconds_of(condition["lastUpdateTime"].as_str().unwrap_or_default()) + deadline + 1)
    }
}

fn late(condition: &Value, deadline: i64, now: i64) -> bool {
    let updated = condition["lastUpdateTime"].as_str().unwrap_or_default();
    condition["reason"] != DONE && seconds_of(updated) + deadline < now
}
