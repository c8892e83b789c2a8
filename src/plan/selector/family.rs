//! One address type of one Service: what stands and what is desired become numbers, the arrangement
//! of the numbers becomes writes.

use std::borrow::Cow;
use std::sync::Arc;

use super::metadata::Metadata;
use super::numbering::Numbering;
use super::survey::Survey;
use crate::model::{AddressType, Addresses, Endpoint, Loop, Port, Service, Slice};
use crate::plan::arrange::{self, Content, Existing, Group, Held, Identity, Problem, Step, Wanted};
use crate::plan::endpoint::{self, Candidate, Words};
use crate::plan::hints::report::Outcome;
use crate::plan::hints::{self, Fate, Rule, Topology};
use crate::plan::names::Names;
use crate::plan::{FamilyFigures, Operation, Stage, Write};

/// What all address types of a Service have in common.
pub struct Common<'a> {
    /// The Service.
    pub service: &'a Service,
    /// Labels, owner and annotations of its slices.
    pub metadata: Metadata<'a>,
    /// Where hints come from.
    pub rule: Rule,
    /// How they are found.
    pub topology: Topology,
    /// The desired side.
    pub survey: Survey<'a>,
    /// Endpoints a slice may have.
    pub max: usize,
}

/// The plan of one address type.
pub struct Planned {
    /// The writes, in order within each stage.
    pub writes: Vec<Write>,
    /// Counts for the metrics.
    pub figures: FamilyFigures,
    /// What topology mode Auto came to, for a Service that is in it.
    pub auto: Option<Outcome>,
}

/// A Pod that has an address of this type.
struct Desired<'a> {
    candidate: &'a Candidate<'a>,
    group: usize,
    addresses: Addresses,
}

/// Endpoints as they are written: the allocation that stands where nothing differs, else a new one.
struct Maker<'a, 'b> {
    common: &'a Common<'a>,
    desired: &'b [Desired<'a>],
    numbering: &'b Numbering<'b>,
    words: Words,
    made: Vec<Option<Arc<Endpoint>>>,
}

/// Plans one address type. `slices` are those that the Service owns, sorted by name.
pub fn plan(
    common: &Common<'_>,
    address_type: &AddressType,
    slices: &[&Arc<Slice>],
    names: &mut Names<'_>,
) -> Planned {
    let desired = desired(&common.survey, address_type);
    let mut numbering = Numbering::with_capacity(desired.len());
    let problem = problem(common, &desired, slices, &mut numbering);
    let steps = arrange::arrange(&problem);
    let figures = figures(address_type, &problem, &steps, desired.len());
    let mut maker = Maker {
        common,
        made: vec![None; desired.len()],
        desired: &desired,
        numbering: &numbering,
        words: Words::new(),
    };
    let mut contents = contents(&problem, &steps, slices, &mut maker);
    let auto = common.topology.settle(&mut contents).map(|state| Outcome {
        address_type: address_type.clone(),
        state,
        hinted_before: hinted(slices),
    });
    Planned { writes: writes(common, address_type, &steps, contents, slices, names), figures, auto }
}

/// Whether some endpoint hints at a zone.
fn hinted(slices: &[&Arc<Slice>]) -> bool {
    let mut endpoints = slices.iter().flat_map(|slice| &slice.endpoints);
    endpoints.any(|endpoint| endpoint.hints.as_ref().is_some_and(|hints| !hints.for_zones.is_empty()))
}

fn desired<'a>(survey: &'a Survey<'a>, address_type: &AddressType) -> Vec<Desired<'a>> {
    let with_addresses = survey.candidates.iter().map(|(candidate, group)| Desired {
        candidate,
        group: *group,
        addresses: endpoint::addresses(candidate.pod, address_type),
    });
    with_addresses.filter(|desired| !desired.addresses.as_slice().is_empty()).collect()
}

/// States the problem in numbers. Desired endpoints have the identities 0, 1, 2… in their order.
fn problem<'n, 'a: 'n>(
    common: &'n Common<'a>,
    desired: &'n [Desired<'a>],
    slices: &'n [&'n Arc<Slice>],
    numbering: &mut Numbering<'n>,
) -> Problem {
    let mut groups: Vec<Group> = common
        .survey
        .groups
        .ports
        .iter()
        .map(|ports| Group { port_names: numbering.port_names(ports), wanted: Vec::new() })
        .collect();
    for one in desired {
        let identity = numbering.desired(one.candidate, &one.addresses);
        let addresses = numbering.addresses(identity).to_vec();
        groups[one.group].wanted.push(Wanted { identity, addresses });
    }
    let slices = slices.iter().map(|slice| existing(common, desired, slice, numbering)).collect();
    let live = !common.service.deleting;
    Problem { max: common.max, placeholder: live, create: live, groups, slices }
}

fn existing<'n, 'a: 'n>(
    common: &'n Common<'a>,
    desired: &[Desired<'a>],
    slice: &'n Slice,
    numbering: &mut Numbering<'n>,
) -> Existing {
    let mut members = Vec::with_capacity(slice.endpoints.len());
    for endpoint in &slice.endpoints {
        let identity = numbering.held(endpoint);
        let changed =
            desired.get(identity as usize).is_some_and(|desired| !desired.candidate.matches(endpoint));
        members.push(Held { identity, addresses: numbering.addresses(identity).to_vec(), changed });
    }
    let fits = common.metadata.fits(slice);
    Existing {
        name: slice.key.name.clone(),
        group: common.survey.groups.find(&slice.ports),
        port_names: numbering.port_names(&slice.ports),
        placeholder: fits && members.is_empty() && slice.ports.is_empty(),
        relabel: !fits,
        members,
    }
}

/// Counts as upstream does, group by group: what no slice of its group held was added, what a slice
/// of a desired group loses was removed.
fn figures(address_type: &AddressType, problem: &Problem, steps: &[Step], desired: usize) -> FamilyFigures {
    let mut group_of: Vec<Option<usize>> = vec![None; desired];
    for (position, group) in problem.groups.iter().enumerate() {
        for wanted in &group.wanted {
            group_of[wanted.identity as usize] = Some(position);
        }
    }
    let (mut removed, mut updated) = (0, 0);
    for slice in problem.slices.iter().filter(|slice| slice.group.is_some()) {
        for member in &slice.members {
            match group_of.get_mut(member.identity as usize) {
                Some(group) if *group == slice.group => {
                    *group = None;
                    updated += usize::from(member.changed);
                }
                _ => removed += 1,
            }
        }
    }
    let created = steps.iter().filter(|step| matches!(step, Step::Create { .. })).count();
    let deleted = steps.iter().filter(|step| matches!(step, Step::Delete { .. })).count();
    let per_group = problem.groups.iter().map(|group| group.wanted.len().div_ceil(problem.max.max(1)));
    FamilyFigures {
        address_type: address_type.clone(),
        added: group_of.iter().flatten().count(),
        removed,
        updated,
        desired_endpoints: desired,
        slices: (problem.slices.len() + created).saturating_sub(deleted),
        desired_slices: per_group.sum::<usize>().max(1),
    }
}

/// The contents of all slices: one for each step (empty for a delete), then the untouched slices.
fn contents<'s>(
    problem: &Problem,
    steps: &[Step],
    slices: &[&'s Arc<Slice>],
    maker: &mut Maker<'_, '_>,
) -> Vec<hints::Content<'s>> {
    let mut last: Vec<Option<usize>> = vec![None; slices.len()];
    for (at, step) in steps.iter().enumerate() {
        if let Step::Update { slice, .. } | Step::Delete { slice } = step {
            last[*slice] = Some(at);
        }
    }
    let mut contents = Vec::with_capacity(steps.len() + slices.len());
    for (at, step) in steps.iter().enumerate() {
        let (fate, endpoints) = match step {
            Step::Create { members, .. } => (Fate::Written, maker.all(members)),
            Step::Update { slice, content, members } => {
                let fate = if last[*slice] == Some(at) { Fate::Written } else { Fate::WrittenForNow };
                (fate, maker.rewritten(&problem.slices[*slice], slices[*slice], *content, members))
            }
            Step::Delete { .. } => (Fate::Written, Vec::new()),
        };
        contents.push(hints::Content { fate, endpoints: Cow::Owned(endpoints) });
    }
    for (position, slice) in slices.iter().enumerate() {
        let untouched = last[position].is_none();
        let endpoints = if untouched { slice.endpoints.as_slice() } else { &[] };
        let fate = if untouched { Fate::Untouched } else { Fate::Written };
        contents.push(hints::Content { fate, endpoints: Cow::Borrowed(endpoints) });
    }
    contents
}

impl Maker<'_, '_> {
    /// A slice keeps its endpoints to the letter where none is dropped or changed: then labels are
    /// put right or endpoints appended. Else all are made anew.
    fn rewritten(
        &mut self,
        existing: &Existing,
        slice: &Slice,
        content: Content,
        members: &[Identity],
    ) -> Vec<Arc<Endpoint>> {
        let same_group = match content {
            Content::Group(group) => existing.group == Some(group),
            Content::Placeholder => false,
        };
        let held = &existing.members;
        let kept = same_group
            && held.len() <= members.len()
            && held.iter().zip(members).all(|(held, member)| held.identity == *member && !held.changed);
        if !kept {
            return self.all(members);
        }
        let mut endpoints = slice.endpoints.clone();
        endpoints.extend(self.all(&members[held.len()..]));
        endpoints
    }

    fn all(&mut self, members: &[Identity]) -> Vec<Arc<Endpoint>> {
        members.iter().filter_map(|identity| self.make(*identity)).collect()
    }

    /// The endpoint of this identity; one that is not desired is as it stands. `None` cannot be: every
    /// identity is desired or stands.
    fn make(&mut self, identity: Identity) -> Option<Arc<Endpoint>> {
        let holder = self.numbering.holder(identity);
        let Some(desired) = self.desired.get(identity as usize) else { return holder.cloned() };
        let made = self.made.get_mut(identity as usize)?;
        if let Some(made) = made {
            return Some(Arc::clone(made));
        }
        let candidate = desired.candidate;
        let ready = candidate.conditions.ready == Some(true);
        let hints = self.common.rule.wanted(ready, candidate.zone, candidate.node_name);
        let endpoint = match holder.filter(|held| candidate.is(held, &desired.addresses, hints.as_ref())) {
            Some(held) => Arc::clone(held),
            None => candidate.build(&self.words, desired.addresses.clone(), hints),
        };
        *made = Some(Arc::clone(&endpoint));
        Some(endpoint)
    }
}

/// The writes of the steps, then those of slices that only hints make be written.
fn writes(
    common: &Common<'_>,
    address_type: &AddressType,
    steps: &[Step],
    contents: Vec<hints::Content<'_>>,
    slices: &[&Arc<Slice>],
    names: &mut Names<'_>,
) -> Vec<Write> {
    let mut writes = Vec::new();
    let mut contents = contents.into_iter();
    for (step, held) in steps.iter().zip(contents.by_ref()) {
        writes.push(match step {
            Step::Create { content, first, .. } => {
                let ports = ports(common, *content, None);
                let service = &common.service.key.name;
                let name = names.next(Loop::Selector, &common.service.uid, service, address_type, &ports);
                let slice = common.metadata.create(name, address_type);
                let stage = if *first { Stage::Creates } else { Stage::Updates };
                let slice = Slice { ports, endpoints: held.endpoints.into_owned(), ..slice };
                Write { operation: Operation::Create, stage, slice, base: None }
            }
            Step::Update { slice, content, .. } => {
                let base = slices[*slice];
                update(common, base, ports(common, *content, Some(base)), held.endpoints.into_owned())
            }
            Step::Delete { slice } => delete(slices[*slice], Stage::Deletes),
        });
    }
    for (base, held) in slices.iter().zip(contents) {
        if let (Fate::Written, Cow::Owned(endpoints)) = (held.fate, held.endpoints) {
            writes.push(update(common, base, Arc::clone(&base.ports), endpoints));
        }
    }
    writes
}

fn update(
    common: &Common<'_>,
    base: &Arc<Slice>,
    ports: Arc<[Port]>,
    endpoints: Vec<Arc<Endpoint>>,
) -> Write {
    let slice = Slice { ports, endpoints, ..common.metadata.update(base) };
    Write { operation: Operation::Update, stage: Stage::Updates, slice, base: Some(Arc::clone(base)) }
}

/// The delete of this slice.
pub fn delete(base: &Arc<Slice>, stage: Stage) -> Write {
    let slice = Slice::clone(base);
    Write { operation: Operation::Delete, stage, slice, base: Some(Arc::clone(base)) }
}

/// The ports to write: those that stand where only their order differs.
fn ports(common: &Common<'_>, content: Content, base: Option<&Arc<Slice>>) -> Arc<[Port]> {
    let groups = &common.survey.groups;
    match (content, base) {
        (Content::Group(group), Some(base)) if groups.find(&base.ports) == Some(group) => {
            Arc::clone(&base.ports)
        }
        (Content::Group(group), _) => Arc::clone(&groups.ports[group]),
        (Content::Placeholder, _) => Arc::from([]),
    }
}
