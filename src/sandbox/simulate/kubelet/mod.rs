//! The kubelets: what happens to a Pod from the moment when it has a Node.

mod containers;
mod status;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use serde_json::Value;
use smol_str::SmolStr;

use super::clock::Due;
use super::events::Source;
use super::rows::{Phase, Stage};
use super::world::World;
use crate::sandbox::kinds::Kind;
use crate::sandbox::store::Key;

/// How long the Pods of a Node that is not there are left alone: it may be about to come.
const HOMELESS: Duration = Duration::from_secs(5);

/// How long containers take to end, when they are given the time.
const ENDING: Duration = Duration::from_secs(1);

/// How long after its containers a Pod is removed.
const REMOVING: Duration = Duration::from_millis(200);

/// When a Node has no address left, this passes until the next attempt.
const NO_ADDRESS: Duration = Duration::from_secs(1);

impl World {
    /// A delay as the simulation's speed makes it, jittered by up to 30%.
    pub(super) fn delay(&mut self, usual: Duration) -> Duration {
        let factor = self.random.random_range(0.7..1.3) / self.options.speed;
        Duration::try_from_secs_f64(usual.as_secs_f64() * factor).unwrap_or(Duration::ZERO)
    }

    /// Looks at a Pod that changed, and begins what follows.
    pub(super) fn kubelet(&mut self, key: &Key) {
        let Some(row) = self.pods.get_mut(key) else { return };
        let uid = row.object.uid.clone();
        if row.node.is_empty() {
            if row.going.is_some() {
                let _ = self.delete(Kind::Pod, key, &uid, Some(0));
            }
            return;
        }
        if row.is_over() {
            // one that ends is removed when its time has come
            if row.going.is_some() && row.stage != Stage::Ending {
                let _ = self.delete(Kind::Pod, key, &uid, Some(0));
            }
            return;
        }
        if !self.nodes.contains_key(&row.node) {
            let pause = self.delay(HOMELESS);
            self.timers.after(pause, Due::Homeless(key.clone(), uid));
            return;
        }
        if let Some(grace) = row.going {
            if row.stage != Stage::Ending {
                row.stage = Stage::Ending;
                self.end(key, uid, grace);
            }
            return;
        }
        if row.phase == Phase::Pending && row.stage == Stage::Idle {
            row.stage = Stage::Starting;
            self.begin(key, uid);
        } else if row.phase == Phase::Running
            && row.has_gates
            && row.ready != (row.containers_ready && row.gates_open)
        {
            let now = self.clock.now();
            let _ = self.modify(Kind::Pod, key, &uid, Some("status"), |pod| status::conditions(pod, &now));
        } else if row.phase == Phase::Running && !self.settled && !row.containers_ready {
            let pause = self.options.ready_after; // it had begun when the simulation started
            let pause = self.delay(pause);
            self.timers.after(pause, Due::Ready(key.clone(), uid));
        }
    }

    fn begin(&mut self, key: &Key, uid: SmolStr) {
        let ready_after = self.options.ready_after;
        if ready_after.is_zero() {
            if self.start(key, uid.clone(), true) {
                self.say_of_containers(key, "Started");
            }
            return;
        }
        let now = self.clock.now();
        let hosts = self.host_addresses(key);
        let _ = self.modify(Kind::Pod, key, &uid, Some("status"), |pod| {
            status::creating(pod, &hosts, &now);
        });
        let ready_after = self.delay(ready_after);
        self.timers.after(ready_after.mul_f64(0.4), Due::Start(key.clone(), uid.clone()));
        self.timers.after(ready_after, Due::Ready(key.clone(), uid));
    }

    /// The containers start, `ready` at once or not yet. False: they cannot, or not now.
    pub(super) fn start(&mut self, key: &Key, uid: SmolStr, ready: bool) -> bool {
        let hosts = self.host_addresses(key);
        let Some(row) = self.pod(key, &uid).filter(|row| row.phase == Phase::Pending && row.is_active())
        else {
            return false;
        };
        let object = Arc::clone(&row.object);
        let node = row.node.clone();
        let addresses = match (row.host_network, row.addresses.is_empty()) {
            (true, _) => Some(hosts.clone()),
            (false, false) => Some(row.addresses.clone()),
            (false, true) => self.nodes.get_mut(&node).and_then(|node| node.ranges.take()),
        };
        let Some(addresses) = addresses.filter(|addresses| !addresses.is_empty()) else {
            if self.nodes.get(&node).is_some_and(|node| !node.pod_cidrs.is_empty()) {
                let message =
                    "Failed to create pod sandbox: no addresses are left in the Node's range".into();
                self.say(&object, Source::Kubelet(&node), true, "FailedCreatePodSandBox", message);
            }
            let pause = self.delay(NO_ADDRESS);
            self.timers.after(pause, Due::Start(key.clone(), uid));
            return false;
        };
        let ready = ready && !self.told.lock().contains(&uid);
        let now = self.clock.now();
        let started = self.modify(Kind::Pod, key, &uid, Some("status"), |pod| {
            status::running(pod, &hosts, &addresses, &now);
            if ready {
                containers::set_ready(pod, true);
            }
            status::conditions(pod, &now);
        });
        if started.is_err()
            && let Some(node) = self.nodes.get_mut(&node)
        {
            node.ranges.free(&addresses);
        }
        started.is_ok()
    }

    /// The containers of a Pod that runs become ready, unless somebody said that they are not.
    pub(super) fn become_ready(&mut self, key: &Key, uid: SmolStr) {
        let told = self.told.lock().contains(&uid);
        let Some(row) = self.pod(key, &uid).filter(|row| row.is_active()) else { return };
        if row.phase == Phase::Pending {
            // it found no address yet
            self.timers.after(NO_ADDRESS, Due::Ready(key.clone(), uid));
        } else if !told {
            self.write_readiness(key, &uid, true);
        }
    }

    /// Sets whether the containers of a running Pod are ready. False: it does not run.
    pub(super) fn write_readiness(&mut self, key: &Key, uid: &SmolStr, ready: bool) -> bool {
        let runs = |row: &&mut super::rows::PodRow| row.is_active() && row.phase == Phase::Running;
        if self.pod(key, uid).filter(runs).is_none() {
            return false;
        }
        let now = self.clock.now();
        let change = |pod: &mut Value| set_readiness(pod, ready, &now);
        self.modify(Kind::Pod, key, uid, Some("status"), change).is_ok()
    }

    fn end(&mut self, key: &Key, uid: SmolStr, grace: i64) {
        self.say_of_containers(key, "Killing");
        let grace = Duration::from_secs(u64::try_from(grace).unwrap_or(0));
        let ending = self.delay(ENDING).min(grace.mul_f64(0.9));
        self.timers.after(ending, Due::Ended(key.clone(), uid));
    }

    /// The containers of a Pod have ended: it is no longer ready, and is removed soon.
    pub(super) fn ended(&mut self, key: &Key, uid: SmolStr) {
        if self.pod(key, &uid).is_none() {
            return;
        }
        let now = self.clock.now();
        let _ = self.modify(Kind::Pod, key, &uid, Some("status"), |pod| status::ended(pod, &now));
        let removing = self.delay(REMOVING);
        self.timers.after(removing, Due::Remove(key.clone(), uid));
    }

    /// Looks again whether a Pod has a Node. Without one it goes, and nobody has to agree.
    pub(super) fn homeless(&mut self, key: &Key, uid: &SmolStr) {
        let Some(node) = self.pod(key, uid).map(|row| row.node.clone()) else { return };
        if !self.nodes.contains_key(&node) {
            let _ = self.delete(Kind::Pod, key, uid, Some(0));
        }
    }

    fn host_addresses(&self, key: &Key) -> Vec<IpAddr> {
        let node = self.pods.get(key).and_then(|row| self.nodes.get(&row.node));
        node.map(|node| node.addresses.clone()).unwrap_or_default()
    }

    /// Records what happens to each container of a Pod.
    pub(super) fn say_of_containers(&mut self, key: &Key, what: &str) {
        if !self.events.on() {
            return;
        }
        let Some(row) = self.pods.get(key) else { return };
        let (object, node) = (Arc::clone(&row.object), row.node.clone());
        for (name, image) in containers::of(&object.value()) {
            let mut say = |reason, message| {
                self.say(&object, Source::Container(&node, &name), false, reason, message);
            };
            if what == "Killing" {
                say("Killing", format!("Stopping container {name}"));
                continue;
            }
            let present = "already present on machine and can be accessed by the pod";
            say("Pulled", format!("Container image \"{image}\" {present}"));
            say("Created", "Container created".to_owned());
            say("Started", "Container started".to_owned());
        }
    }
}

/// Sets in a Pod whether its containers are ready, and what follows from it.
pub(super) fn set_readiness(pod: &mut Value, ready: bool, now: &str) {
    if pod["status"]["containerStatuses"].as_array().is_some_and(|list| !list.is_empty()) {
        containers::set_ready(pod, ready);
        status::conditions(pod, now);
    } else {
        status::say_ready(pod, ready, now); // made by somebody who left them out
    }
}

/// Whether containers of this Pod run, so that they can be ready or not.
pub(super) fn runs(pod: &Value) -> bool {
    pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null()
}
