//! The scheduler: a Pod without a Node gets the emptiest that fits, in the zone that has the fewest of
//! its siblings. Room is counted in Pods; requests of CPU and memory and the affinity between Pods are not looked
//! at.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Value, json};
use smol_str::SmolStr;

use super::events::Source;
use super::rows::{NodeRow, Taint};
use super::selector::Selector;
use super::world::World;
use crate::sandbox::kinds::Kind;
use crate::sandbox::store::{Key, Object};

/// The Nodes by zone and by how many Pods they have.
#[derive(Default)]
pub(super) struct Places {
    nodes: HashMap<SmolStr, Place, foldhash::fast::RandomState>,
    zones: BTreeMap<SmolStr, BTreeSet<(usize, SmolStr)>>,
    /// How many Pods an owner has in each zone.
    siblings: HashMap<SmolStr, BTreeMap<SmolStr, usize>, foldhash::fast::RandomState>,
}

struct Place {
    zone: SmolStr,
    load: usize,
    open: bool,
}

impl Places {
    /// A Node without Pods. Only open ones are chosen.
    pub(super) fn put(&mut self, name: &SmolStr, zone: &SmolStr, open: bool) {
        if open {
            self.zones.entry(zone.clone()).or_default().insert((0, name.clone()));
        }
        self.nodes.insert(name.clone(), Place { zone: zone.clone(), load: 0, open });
    }

    /// Whether the Node is known like this.
    pub(super) fn has(&self, name: &SmolStr, zone: &SmolStr, open: bool) -> bool {
        self.nodes.get(name).is_some_and(|place| place.zone == *zone && place.open == open)
    }

    pub(super) fn remove(&mut self, name: &SmolStr) {
        let Some(place) = self.nodes.remove(name) else { return };
        self.take_out(&place, name);
    }

    fn take_out(&mut self, place: &Place, name: &SmolStr) {
        if let Some(zone) = self.zones.get_mut(&place.zone) {
            zone.remove(&(place.load, name.clone()));
            if zone.is_empty() {
                self.zones.remove(&place.zone);
            }
        }
    }

    /// A Pod more or less on a Node.
    pub(super) fn count(&mut self, name: &SmolStr, owner: Option<&SmolStr>, more: bool) {
        let Some(mut place) = self.nodes.remove(name) else { return };
        self.take_out(&place, name);
        place.load = if more { place.load + 1 } else { place.load.saturating_sub(1) };
        if place.open {
            self.zones.entry(place.zone.clone()).or_default().insert((place.load, name.clone()));
        }
        if let Some(owner) = owner {
            let zones = self.siblings.entry(owner.clone()).or_default();
            let count = zones.entry(place.zone.clone()).or_default();
            *count = if more { *count + 1 } else { count.saturating_sub(1) };
            if *count == 0 {
                zones.remove(&place.zone);
                if zones.is_empty() {
                    self.siblings.remove(owner);
                }
            }
        }
        self.nodes.insert(name.clone(), place);
    }

    /// The open Nodes, best first, for a Pod of this owner.
    fn in_order<'a>(&'a self, owner: Option<&SmolStr>) -> impl Iterator<Item = &'a SmolStr> {
        let siblings = owner.and_then(|owner| self.siblings.get(owner));
        let mut zones: Vec<_> = self
            .zones
            .iter()
            .map(|(zone, nodes)| {
                let near = siblings.and_then(|siblings| siblings.get(zone)).copied().unwrap_or(0);
                (near, nodes.first().map_or(0, |(load, _)| *load), zone, nodes)
            })
            .collect();
        zones.sort_by_key(|(near, load, zone, _)| (*near, *load, *zone));
        zones.into_iter().flat_map(|(_, _, _, nodes)| nodes.iter().map(|(_, name)| name))
    }

    fn load(&self, name: &SmolStr) -> usize {
        self.nodes.get(name).map_or(0, |place| place.load)
    }
}

/// What a Pod asks of its Node.
struct Wishes {
    selector: Selector,
    /// `requiredDuringSchedulingIgnoredDuringExecution` of node affinity: one of them.
    terms: Option<Vec<(Selector, Option<SmolStr>)>>,
    tolerations: Vec<Value>,
}

const UNSCHEDULABLE: &str = "node(s) were unschedulable";
const TAINTED: &str = "node(s) had untolerated taint(s)";
const UNSELECTED: &str = "node(s) didn't match Pod's node affinity/selector";
const FULL: &str = "Too many pods";

impl Wishes {
    fn read(pod: &Value) -> Wishes {
        let spec = &pod["spec"];
        let required = &spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
        let terms = required["nodeSelectorTerms"].as_array().map(|terms| {
            terms
                .iter()
                .map(|term| {
                    let fields = term["matchFields"].as_array().into_iter().flatten();
                    let names = fields.filter_map(|field| field["values"][0].as_str());
                    (Selector::read(term), names.map(SmolStr::from).next())
                })
                .collect()
        });
        Wishes {
            selector: Selector::of_map(&spec["nodeSelector"]),
            terms,
            tolerations: spec["tolerations"].as_array().cloned().unwrap_or_default(),
        }
    }

    fn tolerates(&self, taint: &Taint) -> bool {
        self.tolerations.iter().any(|toleration| {
            let text = |field: &str| toleration[field].as_str().unwrap_or_default();
            let key = text("key").is_empty() && text("operator") == "Exists" || text("key") == taint.key;
            let value = text("operator") == "Exists" || text("value") == taint.value;
            let effect = text("effect").is_empty() || text("effect") == taint.effect;
            key && value && effect
        })
    }

    /// Why the Node does not fit, if it does not: the first reason in the scheduler's order.
    fn refusal(&self, node: &NodeRow, load: usize) -> Option<&'static str> {
        let cordon = Taint {
            key: "node.kubernetes.io/unschedulable".into(),
            value: SmolStr::default(),
            effect: "NoSchedule".into(),
        };
        if (node.unschedulable || node.going) && !self.tolerates(&cordon) {
            return Some(UNSCHEDULABLE);
        }
        let hard = |taint: &&Taint| taint.effect == "NoSchedule" || taint.effect == "NoExecute";
        if node.taints.iter().filter(hard).any(|taint| !self.tolerates(taint)) {
            return Some(TAINTED);
        }
        let in_terms = self.terms.as_ref().is_none_or(|terms| {
            terms.iter().any(|(selector, name)| {
                let named = name.as_ref().is_none_or(|name| *name == node.object.key.name);
                named && (name.is_some() || !selector.is_empty()) && selector.selects(&node.object)
            })
        });
        if !in_terms || !self.selector.selects(&node.object) {
            return Some(UNSELECTED);
        }
        (load >= node.room).then_some(FULL)
    }
}

impl World {
    /// Finds a Node for a Pod, or says why there is none.
    pub(super) fn schedule(&mut self, key: &Key) {
        let Some(row) = self.pods.get(key) else { return };
        if !row.node.is_empty() || !row.is_active() || row.gated {
            return;
        }
        let object = Arc::clone(&row.object);
        let wishes = Wishes::read(&object.value());
        let fits = |name: &SmolStr| {
            self.nodes.get(name).is_some_and(|node| wishes.refusal(node, self.places.load(name)).is_none())
        };
        let chosen = self.places.in_order(row.owner.as_ref()).find(|name| fits(name)).cloned();
        // a Pod that tolerates the cordon may go where no other does
        let chosen = chosen.or_else(|| self.nodes.keys().find(|name| fits(name)).cloned());
        match chosen {
            Some(node) => self.bind(key, &object, &node),
            None => self.pend(key, &object, &wishes),
        }
    }

    fn bind(&mut self, key: &Key, object: &Arc<Object>, node: &SmolStr) {
        let binding = json!({"metadata": {"uid": object.uid}, "target": {"kind": "Node", "name": node}});
        let bound = self.store.bind(key, &binding, false);
        if let Ok(bound) = &bound {
            self.see(bound);
            self.unschedulable.remove(key);
            let message = format!("Successfully assigned {}/{} to {node}", key.namespace, key.name);
            self.say(object, Source::Scheduler("Binding"), false, "Scheduled", message);
        }
    }

    fn pend(&mut self, key: &Key, object: &Arc<Object>, wishes: &Wishes) {
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for (name, node) in &self.nodes {
            if let Some(reason) = wishes.refusal(node, self.places.load(name)) {
                *reasons.entry(reason).or_default() += 1;
            }
        }
        let room_matters = reasons.contains_key(FULL);
        let message = no_fit(self.nodes.len(), &reasons);
        self.unschedulable.insert(key.clone(), room_matters);
        let now = self.clock.now();
        let text = message.clone();
        let _ = self.modify(Kind::Pod, key, &object.uid, Some("status"), |pod| {
            let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
            let old = conditions.clone().find(|condition| condition["type"] == "PodScheduled");
            if old.is_some_and(|old| old["status"] == "False" && old["message"] == text.as_str()) {
                return;
            }
            let since = match old {
                Some(old) if old["status"] == "False" => old["lastTransitionTime"].clone(),
                _ => now.into(),
            };
            let condition = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                "message": text, "lastProbeTime": null, "lastTransitionTime": since,
                "observedGeneration": pod["metadata"]["generation"]});
            set_condition(pod, condition);
        });
        self.say(object, Source::Scheduler("Scheduling"), true, "FailedScheduling", message);
    }

    /// A Pod went: those that found no room may find some.
    pub(super) fn room_was_made(&mut self) {
        if self.unschedulable.is_empty() {
            return;
        }
        for (key, room_matters) in &self.unschedulable {
            if *room_matters {
                self.pending.push(key);
            }
        }
    }
}

/// The scheduler's sentence.
fn no_fit(nodes: usize, reasons: &BTreeMap<&str, usize>) -> String {
    if nodes == 0 {
        return "no nodes available to schedule pods".to_owned();
    }
    let mut counted: Vec<String> =
        reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    counted.sort();
    let full = reasons.get(FULL).copied().unwrap_or(0);
    let mut preemption = Vec::new();
    if full > 0 {
        preemption.push(format!("{full} No preemption victims found for incoming pod"));
    }
    if nodes > full {
        preemption.push(format!("{} Preemption is not helpful for scheduling", nodes - full));
    }
    preemption.sort();
    format!(
        "0/{nodes} nodes are available: {}. no new claims to deallocate, preemption: 0/{nodes} nodes are \
         available: {}.",
        counted.join(", "),
        preemption.join(", ")
    )
}

/// Sets a condition in the place of the one of its type, or behind the others.
pub(super) fn set_condition(object: &mut Value, condition: Value) {
    if !object["status"]["conditions"].is_array() {
        object["status"]["conditions"] = json!([]);
    }
    let Some(conditions) = object["status"]["conditions"].as_array_mut() else { return };
    match conditions.iter_mut().find(|other| other["type"] == condition["type"]) {
        Some(other) => *other = condition,
        None => conditions.push(condition),
    }
}
