//! Nodes: those that the simulation makes and those that a person adds, what their kubelet reports, and
//! what the Node controllers add (ranges for Pods, the taint of a cordoned Node).

use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use serde_json::{Value, json};
use smol_str::SmolStr;

use super::addresses;
use super::clock::Due;
use super::rows::{NodeRow, Stage};
use super::world::World;
use crate::sandbox::kinds::Kind;
use crate::sandbox::store::{Key, Object};

/// How often a kubelet renews the times of its Node's conditions when nothing changes
/// (`nodeStatusReportFrequency`).
const HEARTBEAT: Duration = Duration::from_secs(300);

const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// `zone-a`, …, `zone-z`, `zone-aa`, …
fn zone_name(mut number: usize) -> String {
    let mut letters = Vec::new();
    loop {
        letters.push(char::from(b'a' + u8::try_from(number % 26).unwrap_or(0)));
        number /= 26;
        if number == 0 {
            break;
        }
        number -= 1;
    }
    format!("zone-{}", letters.iter().rev().collect::<String>())
}

impl World {
    /// Makes one of the simulation's own Nodes, unless one of its name exists.
    pub(super) fn make_node(&mut self, number: u32) {
        let name = format!("node-{number:04}");
        let index = usize::try_from(number - 1).unwrap_or(0);
        let ranges = addresses::pod_ranges(number);
        let mut node = json!({
            "metadata": {
                "name": name,
                "labels": {
                    "topology.kubernetes.io/region": "region-1",
                    "topology.kubernetes.io/zone": zone_name(index % self.options.zones.max(1)),
                },
            },
            "spec": {
                "podCIDR": ranges[0],
                "podCIDRs": ranges,
                "providerID": format!("sandbox://{name}"),
            },
        });
        self.report(&mut node, &name, number);
        let reported = node["status"].take();
        match self.store.create(Kind::Node, "", node, false) {
            Ok(object) => {
                self.see(&object);
                // a create may drop the status, as it does for other kinds
                let key = object.key.clone();
                let uid = object.uid.clone();
                let _ = self.modify(Kind::Node, &key, &uid, Some("status"), |node| {
                    node["status"] = reported;
                });
            }
            Err(why) if why.reason == "AlreadyExists" => {}
            Err(why) => tracing::warn!(name, %why, "the Node was not made"),
        }
    }

    /// What the kubelet of a Node sets, as far as it is not set.
    fn report(&self, node: &mut Value, name: &str, number: u32) {
        for (label, value) in
            [("kubernetes.io/hostname", name), ("kubernetes.io/os", "linux"), ("kubernetes.io/arch", "amd64")]
        {
            set_absent(&mut node["metadata"]["labels"][label], || value.into());
        }
        let now = self.clock.now();
        let status = &mut node["status"];
        let capacity = || {
            json!({"cpu": "32", "ephemeral-storage": "102625208Ki", "hugepages-1Gi": "0", "hugepages-2Mi": "0",
                "memory": "131923140Ki", "pods": "250"})
        };
        set_absent(&mut status["capacity"], capacity);
        set_absent(&mut status["allocatable"], capacity);
        set_absent(&mut status["addresses"], || {
            let [v4, v6] = addresses::of_node(number);
            json!([
                {"type": "InternalIP", "address": v4.to_string()},
                {"type": "InternalIP", "address": v6.to_string()},
                {"type": "Hostname", "address": name},
            ])
        });
        set_absent(&mut status["conditions"], || conditions(&now));
        set_absent(&mut status["daemonEndpoints"], || json!({"kubeletEndpoint": {"Port": 10250}}));
        set_absent(&mut status["nodeInfo"], || {
            let id = format!("{:032x}", u128::from(number) | 0x5a << 120);
            json!({
                "machineID": id, "systemUUID": id, "bootID": id,
                "kernelVersion": "6.12.57+deb13-cloud-amd64",
                "osImage": "Debian GNU/Linux 13 (trixie)",
                "containerRuntimeVersion": "containerd://2.2.1",
                "kubeletVersion": "v1.36.3", "kubeProxyVersion": "",
                "operatingSystem": "linux", "architecture": "amd64",
            })
        });
    }

    /// Takes in a Node.
    pub(super) fn see_node(&mut self, object: &Arc<Object>) {
        let name = &object.key.name;
        let mut row = NodeRow::read(object);
        let changed = match self.nodes.remove(name) {
            Some(old) => {
                if let Some(number) = old.number.filter(|number| Some(*number) != row.number) {
                    self.numbers.remove(&number);
                }
                let fits_alike = old.unschedulable == row.unschedulable
                    && old.taints == row.taints
                    && old.room == row.room
                    && old.object.labels == row.object.labels;
                if old.pod_cidrs == row.pod_cidrs {
                    row.ranges = old.ranges;
                } else {
                    self.note_addresses(name, &mut row);
                }
                !fits_alike
            }
            None => {
                self.note_addresses(name, &mut row);
                let pause = HEARTBEAT.mul_f64(self.random.random_range(0.5..1.0));
                self.timers.after(pause, Due::Heartbeat(name.clone(), object.uid.clone()));
                true
            }
        };
        self.numbers.extend(row.number);
        let (zone, open) = (row.zone(), !row.unschedulable && !row.going);
        if !self.places.has(name, &zone, open) {
            self.unplace(name);
            self.places.put(name, &zone, open);
            self.count_pods(name, true);
        }
        let is_new = changed && !row.going;
        self.nodes.insert(name.clone(), row);
        self.node_line.push(name);
        if is_new {
            let homeless = self.on_node.get(name).into_iter().flatten();
            let homeless: Vec<Key> = homeless
                .filter(|key| self.pods.get(*key).is_some_and(|pod| pod.stage == Stage::Idle))
                .cloned()
                .collect();
            for key in &homeless {
                self.kubelets.push(key);
            }
            for key in std::mem::take(&mut self.unschedulable).into_keys() {
                self.pending.push(&key);
            }
        }
    }

    fn unplace(&mut self, name: &SmolStr) {
        self.count_pods(name, false);
        self.places.remove(name);
    }

    fn count_pods(&mut self, name: &SmolStr, more: bool) {
        for key in self.on_node.get(name).into_iter().flatten() {
            if let Some(pod) = self.pods.get(key).filter(|pod| !pod.is_over()) {
                self.places.count(name, pod.owner.as_ref(), more);
            }
        }
    }

    fn note_addresses(&self, name: &SmolStr, row: &mut NodeRow) {
        for key in self.on_node.get(name).into_iter().flatten() {
            if let Some(pod) = self.pods.get(key).filter(|pod| !pod.host_network) {
                row.ranges.note(&pod.addresses);
            }
        }
    }

    /// Takes in that a Node is gone. Its Pods are looked after by [`World::kubelet`].
    pub(super) fn lose_node(&mut self, name: &SmolStr) {
        let Some(row) = self.nodes.remove(name) else { return };
        self.unplace(name);
        if let Some(number) = row.number {
            self.numbers.remove(&number);
        }
        self.wake_pods_of(name);
    }

    /// Brings a Node into the state in which the Node controllers and its kubelet want it.
    pub(super) fn sync_node(&mut self, name: &SmolStr) {
        let Some(row) = self.nodes.get(name).filter(|row| !row.going) else { return };
        let key = row.object.key.clone();
        let uid = row.object.uid.clone();
        if row.pod_cidrs.is_empty() {
            let Some(number) = (1..addresses::RANGES).find(|number| !self.numbers.contains(number)) else {
                tracing::warn!(%name, "no range is left for the Pods of this Node");
                return;
            };
            let ranges = addresses::pod_ranges(number);
            let _ = self.modify(Kind::Node, &key, &uid, None, |node| {
                node["spec"]["podCIDR"] = ranges[0].clone().into();
                node["spec"]["podCIDRs"] = json!(ranges);
            });
        }
        let Some(row) = self.nodes.get(name) else { return };
        let tainted =
            row.taints.iter().any(|taint| taint.key == UNSCHEDULABLE && taint.effect == "NoSchedule");
        if tainted != row.unschedulable {
            let wanted = row.unschedulable;
            let now = self.clock.now();
            let _ = self.modify(Kind::Node, &key, &uid, None, |node| {
                let mut taints = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
                taints.retain(|taint| taint["key"] != UNSCHEDULABLE || taint["effect"] != "NoSchedule");
                if wanted {
                    taints.push(json!({"key": UNSCHEDULABLE, "effect": "NoSchedule", "timeAdded": now}));
                }
                if taints.is_empty() {
                    if let Some(spec) = node["spec"].as_object_mut() {
                        spec.remove("taints");
                    }
                } else {
                    node["spec"]["taints"] = taints.into();
                }
            });
        }
        let Some(row) = self.nodes.get(name) else { return };
        if !row.reports {
            // a Node with a range of its own gets an address out of the same plan
            let number = row
                .number
                .or_else(|| (1..addresses::RANGES).rev().find(|number| !self.numbers.contains(number)));
            let mut wanted = row.object.value();
            self.numbers.extend(number);
            self.report(&mut wanted, name, number.unwrap_or(0));
            let labels = wanted["metadata"]["labels"].take();
            let status = wanted["status"].take();
            let _ = self.modify(Kind::Node, &key, &uid, None, |node| node["metadata"]["labels"] = labels);
            let _ = self.modify(Kind::Node, &key, &uid, Some("status"), |node| node["status"] = status);
        }
    }

    /// Renews the times of a Node's conditions.
    pub(super) fn heartbeat(&mut self, name: &SmolStr, uid: SmolStr) {
        let Some(row) = self.nodes.get(name).filter(|row| row.object.uid == uid) else { return };
        let key = row.object.key.clone();
        let now = self.clock.now();
        let _ = self.modify(Kind::Node, &key, &uid, Some("status"), |node| {
            for condition in node["status"]["conditions"].as_array_mut().into_iter().flatten() {
                condition["lastHeartbeatTime"] = now.clone().into();
            }
        });
        self.timers.after(HEARTBEAT, Due::Heartbeat(name.clone(), uid));
    }
}

fn set_absent(value: &mut Value, wanted: impl FnOnce() -> Value) {
    let empty = match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    };
    if empty {
        *value = wanted();
    }
}

fn conditions(now: &str) -> Value {
    let one = |name: &str, status: &str, reason: &str, message: &str| {
        json!({"type": name, "status": status, "reason": reason, "message": message,
            "lastHeartbeatTime": now, "lastTransitionTime": now})
    };
    json!([
        one(
            "MemoryPressure",
            "False",
            "KubeletHasSufficientMemory",
            "kubelet has sufficient memory available"
        ),
        one("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        one("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        one("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    ])
}
