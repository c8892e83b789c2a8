//! The plan of the mirroring loop: the slices of one Endpoints object.
//!
//! 1. Not to be mirrored: every slice of the loop goes.
//! 2. [`desired`]: the object's canonical subsets give one slice for each set of ports and address
//!    type. There is no filling and no placeholder.
//! 3. Of the slices that stand, the first by name with these ports is kept; the others, and those
//!    with ports that are not desired, go.
//! 4. A slice that goes takes over the content of one that would be created ([`pairs`]).
//! 5. [`order`]: creates, then updates so that no live address is ever in no slice, then deletes.

mod content;
mod desired;
mod order;
mod pairs;
mod refused;
mod subsets;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use smol_str::SmolStr;

use self::content::{Common, Filled, fill};
use self::desired::{Desired, Group, desired, sorted};
use self::order::{Rewrite, Step, order};
use self::pairs::{PairNumbers, recycle};
use self::refused::LeftOut;
use super::names::Names;
use super::{FamilyFigures, Figures, Operation, Plan, Report, Stage, Write};
use crate::model::snapshot::Memory;
use crate::model::{AddressType, Endpoints, Loop, MirrorSnapshot, Slice};

/// Endpoints that the API server accepts in a slice.
const MAX_ENDPOINTS: usize = 1000;

/// What is to be written so that the slices mirror the Endpoints of this key.
pub fn plan(snapshot: &MirrorSnapshot) -> Plan {
    let mut standing: Vec<Arc<Slice>> = snapshot.slices.iter().filter(|s| !s.deleting).cloned().collect();
    standing.sort_by(|a, b| a.key.cmp(&b.key));
    match &snapshot.endpoints {
        Some(endpoints) if mirrored(endpoints, snapshot) => Mirror::new(snapshot, endpoints, standing).plan(),
        _ => Plan { writes: standing.iter().map(|s| delete(s, Stage::Deletes)).collect(), ..Plan::default() },
    }
}

fn mirrored(endpoints: &Endpoints, snapshot: &MirrorSnapshot) -> bool {
    endpoints.may_be_mirrored() && snapshot.service.as_ref().is_some_and(|s| s.selector.is_none())
}

fn delete(slice: &Arc<Slice>, stage: Stage) -> Write {
    Write { operation: Operation::Delete, stage, slice: Slice::clone(slice), base: Some(Arc::clone(slice)) }
}

/// A slice that is to be updated.
struct Update<'a> {
    base: Arc<Slice>,
    group: &'a Group,
    filled: Filled,
    recycled: bool,
}

/// What becomes of the slices of one address type.
#[derive(Default)]
struct Family<'a> {
    unchanged: Vec<Arc<Slice>>,
    updates: Vec<Update<'a>>,
    creates: Vec<&'a Group>,
    deletes: Vec<Arc<Slice>>,
    added: usize,
    updated: usize,
    removed: usize,
    desired_endpoints: usize,
    desired_slices: usize,
}

struct Mirror<'a> {
    endpoints: &'a Endpoints,
    common: Common<'a>,
    standing: Vec<Arc<Slice>>,
    /// Names that no create may take.
    taken: BTreeSet<SmolStr>,
    salt: Option<u64>,
    memory: &'a Memory,
    max: usize,
}

impl<'a> Mirror<'a> {
    fn new(snapshot: &'a MirrorSnapshot, endpoints: &'a Endpoints, standing: Vec<Arc<Slice>>) -> Mirror<'a> {
        let of_slices = snapshot.slices.iter().map(|slice| slice.key.name.clone());
        Mirror {
            endpoints,
            common: Common::new(endpoints),
            standing,
            taken: snapshot.names.iter().cloned().chain(of_slices).collect(),
            salt: snapshot.salt,
            memory: &snapshot.memory,
            max: snapshot.settings.mirroring_max_endpoints_per_subset,
        }
    }

    fn plan(&self) -> Plan {
        let Desired { groups, left_out } = desired(self.endpoints, self.max);
        let mut figures = Figures {
            skipped: left_out.invalid() + left_out.too_many,
            refused: left_out.addresses.iter().map(|(refusal, count, _)| (*refusal, *count)).collect(),
            without_endpoints: groups.is_empty().then_some("no-address"),
            ..Figures::default()
        };
        figures.refused.sort();
        let mut names = Names::new(&self.taken, &self.memory.refused, self.salt);
        let mut writes = Vec::new();
        for (address_type, mut family) in self.families(&groups) {
            recycle(&mut family);
            if self.endpoints.deleting {
                family.creates.clear();
            }
            if !matches!(address_type, AddressType::Other(_)) {
                figures.families.push(family.figures(address_type));
            }
            self.write(&family, &mut names, &mut writes);
        }
        // Stable: within a stage the order of the address type stays.
        writes.sort_by_key(|write: &Write| write.stage);
        let (reports, reported) = self.reports(&left_out);
        let memory = Memory { trigger: None, refused: self.memory.refused.clone(), reported };
        Plan { writes, memory, reports, figures, unknown_nodes: Vec::new() }
    }

    /// Step 3: which slice is kept, for what, and which go.
    fn families<'g>(&self, groups: &'g [Group]) -> BTreeMap<AddressType, Family<'g>> {
        let mut families: BTreeMap<AddressType, Family<'g>> =
            [AddressType::IPv4, AddressType::IPv6].map(|family| (family, Family::default())).into();
        let mut by_ports: BTreeMap<_, Vec<&Arc<Slice>>> = BTreeMap::new();
        for slice in &self.standing {
            by_ports.entry((&slice.address_type, sorted(&slice.ports))).or_default().push(slice);
        }
        for group in groups {
            let slices = by_ports.remove(&(&group.address_type, Arc::clone(&group.ports)));
            let family = families.entry(group.address_type.clone()).or_default();
            self.place(group, slices.unwrap_or_default(), family);
        }
        for ((address_type, ports), slices) in by_ports {
            let family = families.entry(address_type.clone()).or_default();
            // As upstream: ports that the other address type still has count as emptied.
            if groups.iter().any(|group| group.ports == ports) {
                family.removed += slices.iter().map(|slice| slice.endpoints.len()).sum::<usize>();
            }
            family.deletes.extend(slices.into_iter().cloned());
        }
        for family in families.values_mut() {
            family.deletes.sort_by(|a, b| a.key.cmp(&b.key));
        }
        families
    }

    fn place<'g>(&self, group: &'g Group, slices: Vec<&Arc<Slice>>, family: &mut Family<'g>) {
        family.desired_endpoints += group.endpoints.len();
        family.desired_slices += group.endpoints.len().div_ceil(self.max);
        let Some((kept, surplus)) = slices.split_first() else {
            family.added += group.endpoints.len();
            family.creates.push(group);
            return;
        };
        family.deletes.extend(surplus.iter().map(|slice| Arc::clone(slice)));
        let filled = fill(&kept.endpoints, group);
        family.added += filled.added;
        family.updated += filled.updated;
        family.removed += filled.removed;
        if filled.unchanged() && self.common.right(kept) {
            family.unchanged.push(Arc::clone(kept));
        } else {
            family.updates.push(Update { base: Arc::clone(kept), group, filled, recycled: false });
        }
    }

    /// Step 5: the writes of one address type.
    fn write(&self, family: &Family<'_>, names: &mut Names<'_>, writes: &mut Vec<Write>) {
        for group in &family.creates {
            writes.push(self.create(group, Stage::Creates, names));
        }
        let mut deletes = family.deletes.clone();
        for step in family.order(!self.endpoints.deleting) {
            match step {
                Step::Write(at) => writes.push(self.update(&family.updates[at], &[])),
                Step::Widen(at, keep) => writes.push(self.update(&family.updates[at], &keep)),
                Step::Replace(at) => {
                    writes.push(self.create(family.updates[at].group, Stage::Updates, names));
                    deletes.push(Arc::clone(&family.updates[at].base));
                }
            }
        }
        deletes.sort_by(|a, b| a.key.cmp(&b.key));
        writes.extend(deletes.iter().map(|slice| match slice.address_type {
            AddressType::Other(_) => delete(slice, Stage::Leftovers),
            _ => delete(slice, Stage::Deletes),
        }));
    }

    fn create(&self, group: &Group, stage: Stage, names: &mut Names<'_>) -> Write {
        let key = &self.endpoints.key;
        let name =
            names.next(Loop::Mirroring, &self.endpoints.uid, &key.name, &group.address_type, &group.ports);
        let slice = self.common.new_slice(name, group);
        Write { operation: Operation::Create, stage, slice, base: None }
    }

    /// An update; for a while with the endpoints of before at these positions, too.
    fn update(&self, update: &Update<'_>, also: &[usize]) -> Write {
        let kept = also.iter().map(|&at| &update.base.endpoints[at]);
        let endpoints = update.filled.endpoints.iter().chain(kept).cloned().collect();
        let ports = update.recycled.then_some(&update.group.ports);
        Write {
            operation: Operation::Update,
            stage: Stage::Updates,
            slice: self.common.rewritten(&update.base, ports, endpoints),
            base: Some(Arc::clone(&update.base)),
        }
    }

    /// What is to be said now, and what then is known to have been said.
    fn reports(&self, left_out: &LeftOut) -> (Vec<Report>, BTreeSet<String>) {
        let mut all: Vec<(&'static str, String)> = Vec::new();
        if let Some((refusal, _, first)) = left_out.addresses.first() {
            let count = left_out.invalid();
            all.push((
                "InvalidIPAddress",
                format!(
                    "Addresses that are not mirrored because they cannot be published: {count}. \
                     The first is {first:?}: {refusal}"
                ),
            ));
        }
        if left_out.too_many > 0 {
            let (count, max) = (left_out.too_many, self.max);
            all.push((
                "TooManyAddressesToMirror",
                format!("Addresses that are not mirrored because a subset has more than {max}: {count}"),
            ));
        }
        let fields = left_out.fields.iter();
        all.extend(fields.map(|field| ("FailedToUpdateEndpointSlices", format!("Not mirrored: {field}"))));

        let (mut reports, mut reported) = (Vec::new(), BTreeSet::new());
        for (reason, message) in all {
            let said = format!("{reason}: {message}");
            if !self.memory.reported.contains(&said) {
                reports.push(Report { warning: true, reason, message });
            }
            reported.insert(said);
        }
        (reports, reported)
    }
}

impl Family<'_> {
    fn figures(&self, address_type: AddressType) -> FamilyFigures {
        FamilyFigures {
            address_type,
            added: self.added,
            removed: self.removed,
            updated: self.updated,
            desired_endpoints: self.desired_endpoints,
            slices: self.unchanged.len() + self.updates.len() + self.creates.len(),
            desired_slices: self.desired_slices,
        }
    }

    fn order(&self, may_create: bool) -> Vec<Step> {
        let mut numbers = PairNumbers::default();
        let rewrites: Vec<Rewrite> = self
            .updates
            .iter()
            .map(|update| Rewrite {
                before: numbers.of_each(&update.base.ports, &update.base.endpoints),
                after: numbers.of(&update.group.ports, &update.group.endpoints),
                room: MAX_ENDPOINTS.saturating_sub(update.filled.endpoints.len()),
                recycled: update.recycled,
            })
            .collect();
        let mut held = Vec::new();
        for group in &self.creates {
            held.push((numbers.of(&group.ports, &group.endpoints), true));
        }
        for (slices, good) in [(&self.unchanged, true), (&self.deletes, false)] {
            for slice in slices {
                held.push((numbers.of(&slice.ports, &slice.endpoints), good));
            }
        }
        order(&rewrites, &held, may_create)
    }
}
