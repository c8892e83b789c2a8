//! What is compared of a Service: how many slices were created, updated and deleted, and how large
//! those of each group are then. Which endpoint is where is not: the peer draws that.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;

use crate::support::consumer::Counts;
use crate::support::world::{MANAGED_BY, MIRRORING_LOOP, SELECTOR_LOOP, SERVICE_NAME};

/// Namespace and name.
pub type Key = (String, String);

/// Slices by namespace and name.
pub type Slices = BTreeMap<Key, Value>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Create,
    Update,
    Delete,
}

/// One write of either side; a delete has the slice as it was.
#[derive(Debug, Clone)]
pub struct Write {
    pub verb: Verb,
    pub slice: Value,
}

/// A loop, by its managed-by value, and an address type.
pub type Part = (String, String);

/// A part and ports.
pub type Group = (String, String, String);

/// The numbers of one Service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbers {
    pub writes: BTreeMap<Part, Counts>,
    /// The sizes of the slices that stand then, ascending.
    pub sizes: BTreeMap<Group, Vec<usize>>,
}

/// The Service whose slice this is.
pub fn service_of(slice: &Value) -> Key {
    (text(&slice["metadata"]["namespace"]), text(&slice["metadata"]["labels"][SERVICE_NAME]))
}

pub fn key_of(object: &Value) -> Key {
    (text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]))
}

/// The slices among the objects of a dump.
pub fn slices(items: &[Value]) -> Slices {
    let slices = items.iter().filter(|object| object["kind"] == "EndpointSlice");
    slices.map(|slice| (key_of(slice), slice.clone())).collect()
}

/// The numbers of each Service that has any.
pub fn numbers(before: &Slices, writes: &[Write]) -> BTreeMap<Key, Numbers> {
    let mut all: BTreeMap<Key, Numbers> = BTreeMap::new();
    let mut after = before.clone();
    for write in writes {
        let counts =
            all.entry(service_of(&write.slice)).or_default().writes.entry(part(&write.slice)).or_default();
        match write.verb {
            Verb::Create => counts.created += 1,
            Verb::Update => counts.updated += 1,
            Verb::Delete => counts.deleted += 1,
        }
        match write.verb {
            Verb::Delete => after.remove(&key_of(&write.slice)),
            _ => after.insert(key_of(&write.slice), write.slice.clone()),
        };
    }
    for slice in after.values().filter(|slice| ours(slice)) {
        let (manager, address_type) = part(slice);
        let size = slice["endpoints"].as_array().map_or(0, Vec::len);
        let sizes = &mut all.entry(service_of(slice)).or_default().sizes;
        sizes.entry((manager, address_type, ports(slice))).or_default().push(size);
    }
    all.values_mut().flat_map(|numbers| numbers.sizes.values_mut()).for_each(|sizes| sizes.sort_unstable());
    all
}

fn ours(slice: &Value) -> bool {
    let by = &slice["metadata"]["labels"][MANAGED_BY];
    by == SELECTOR_LOOP || by == MIRRORING_LOOP
}

pub fn part(slice: &Value) -> Part {
    (text(&slice["metadata"]["labels"][MANAGED_BY]), text(&slice["addressType"]))
}

/// The ports in one order; absent fields and null are the same.
fn ports(slice: &Value) -> String {
    let port = |port: &Value| {
        ["name", "protocol", "port", "appProtocol"].map(|field| port[field].to_string()).join(" ")
    };
    let mut all: Vec<String> = slice["ports"].as_array().into_iter().flatten().map(port).collect();
    all.sort();
    all.join(", ")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_string()
}

impl Numbers {
    pub fn written(&self) -> usize {
        self.writes.values().map(|counts| counts.total()).sum()
    }

    /// Those of one part.
    pub fn only(&self, part: &Part) -> Numbers {
        let writes = self.writes.iter().filter(|(found, _)| *found == part);
        let sizes = self.sizes.iter().filter(|((manager, kind, _), _)| (manager, kind) == (&part.0, &part.1));
        Numbers {
            writes: writes.map(|(part, counts)| (part.clone(), *counts)).collect(),
            sizes: sizes.map(|(group, sizes)| (group.clone(), sizes.clone())).collect(),
        }
    }

    /// Whether all slices that stand then are among those of `other`.
    pub fn among(&self, other: &Numbers) -> bool {
        self.sizes.iter().all(|(group, sizes)| {
            let mut left = other.sizes.get(group).cloned().unwrap_or_default();
            sizes.iter().all(|size| {
                let at = left.iter().position(|other| other == size);
                at.map(|at| left.remove(at)).is_some()
            })
        })
    }

    /// How many slices stand then.
    pub fn slices(&self) -> usize {
        self.sizes.values().map(Vec::len).sum()
    }

    /// Those of one part with each extra write taken together with the one that it goes with: the two
    /// updates of one slice; a create and the delete of a slice that could have been recycled into it.
    pub fn together(mut self, writes: &[Write], part: &Part, recyclable: impl Fn(&Value) -> bool) -> Numbers {
        let Some(counts) = self.writes.get_mut(part) else { return self };
        let of_part = || writes.iter().filter(|write| self::part(&write.slice) == *part);
        let updated: Vec<Key> =
            of_part().filter(|write| write.verb == Verb::Update).map(|write| key_of(&write.slice)).collect();
        counts.updated = updated.iter().collect::<BTreeSet<_>>().len();
        let could = |write: &&Write| write.verb == Verb::Delete && recyclable(&write.slice);
        let pairs = counts.created.min(of_part().filter(could).count());
        counts.created -= pairs;
        counts.deleted -= pairs;
        counts.updated += pairs;
        self
    }

    /// Those of one part if one placeholder less were kept, or made of a slice that goes.
    pub fn without_placeholder(&self) -> Vec<Numbers> {
        let mut all = Vec::new();
        for (group, sizes) in &self.sizes {
            if !group.2.is_empty() || sizes.first() != Some(&0) {
                continue;
            }
            let mut less = self.clone();
            match sizes.len() {
                1 => drop(less.sizes.remove(group)),
                _ => drop(less.sizes.get_mut(group).map(|sizes| sizes.remove(0))),
            }
            let counts = less.writes.entry((group.0.clone(), group.1.clone())).or_default();
            counts.deleted += 1;
            let updated = counts.updated;
            all.push(less.clone());
            if updated > 0 {
                less.writes.values_mut().for_each(|counts| counts.updated -= 1);
                all.push(less);
            }
        }
        all
    }
}

/// What differs, for people.
pub fn difference(ours: &Numbers, peer: &Numbers) -> String {
    let mut text = String::new();
    let parts: Vec<&Part> = ours.writes.keys().chain(peer.writes.keys()).collect();
    for part in sorted(parts) {
        let (one, two) = (ours.writes.get(part), peer.writes.get(part));
        if one != two {
            let _ = writeln!(text, "  {part:?}: ours {:?}, kube-controller-manager {:?}", one, two);
        }
    }
    let groups: Vec<&Group> = ours.sizes.keys().chain(peer.sizes.keys()).collect();
    for group in sorted(groups) {
        let (one, two) = (ours.sizes.get(group), peer.sizes.get(group));
        if one != two {
            let _ = writeln!(text, "  {group:?}: ours {one:?}, kube-controller-manager {two:?}");
        }
    }
    text
}

fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort();
    list.dedup();
    list
}
