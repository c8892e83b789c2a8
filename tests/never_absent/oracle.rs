//! Makes steps on abstract slices and looks after each one whether a live name is lost; and the
//! numbers of the three steps, counted once more in another way.

use std::collections::{BTreeMap, BTreeSet};

use endpointslice_controller::plan::arrange::{
    Address, Content, Existing, Held, Identity, PortName, Problem, Step,
};

pub type Name = (Address, PortName);

/// What stands: by name of the slice its group, port names and members.
#[derive(Clone, Debug)]
pub struct State {
    pub slices: Vec<Option<Existing>>,
    addresses: BTreeMap<Identity, Vec<Address>>,
    created: usize,
}

/// Writes of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub creates: usize,
    pub updates: usize,
    pub deletes: usize,
}

impl Counts {
    pub fn of(steps: &[Step]) -> Counts {
        let mut counts = Counts::default();
        for step in steps {
            match step {
                Step::Create { .. } => counts.creates += 1,
                Step::Update { .. } => counts.updates += 1,
                Step::Delete { .. } => counts.deletes += 1,
            }
        }
        counts
    }

    pub fn sum(self) -> usize {
        self.creates + self.updates + self.deletes
    }
}

pub fn desired_names(problem: &Problem) -> BTreeSet<Name> {
    let mut names = BTreeSet::new();
    for group in &problem.groups {
        for address in group.wanted.iter().flat_map(|wanted| &wanted.addresses) {
            names.extend(group.port_names.iter().map(|port| (*address, *port)));
        }
    }
    names
}

impl State {
    pub fn new(problem: &Problem) -> State {
        let mut addresses = BTreeMap::new();
        for wanted in problem.groups.iter().flat_map(|group| &group.wanted) {
            addresses.insert(wanted.identity, wanted.addresses.clone());
        }
        for held in problem.slices.iter().flat_map(|slice| &slice.members) {
            addresses.insert(held.identity, held.addresses.clone());
        }
        State { slices: problem.slices.iter().cloned().map(Some).collect(), addresses, created: 0 }
    }

    pub fn names(&self) -> BTreeSet<Name> {
        let mut names = BTreeSet::new();
        for slice in self.slices.iter().flatten() {
            for address in slice.members.iter().flat_map(|member| &member.addresses) {
                names.extend(slice.port_names.iter().map(|port| (*address, *port)));
            }
        }
        names
    }

    pub fn make(&mut self, problem: &Problem, step: &Step) {
        match step {
            Step::Create { content, members, .. } => {
                self.created += 1;
                let name = format!("new{}", self.created);
                self.slices.push(Some(self.slice(problem, name, *content, members)));
            }
            Step::Update { slice, content, members } => {
                let name =
                    self.slices[*slice].as_ref().expect("an update of a slice that stands").name.clone();
                self.slices[*slice] = Some(self.slice(problem, name.to_string(), *content, members));
            }
            Step::Delete { slice } => {
                self.slices[*slice].take().expect("a delete of a slice that stands");
            }
        }
    }

    fn slice(&self, problem: &Problem, name: String, content: Content, members: &[Identity]) -> Existing {
        let (group, port_names) = match content {
            Content::Group(group) => (Some(group), problem.groups[group].port_names.clone()),
            Content::Placeholder => (None, vec![0]),
        };
        let held = |identity: &Identity| Held {
            identity: *identity,
            addresses: self.addresses[identity].clone(),
            changed: false,
        };
        Existing {
            name: name.into(),
            group,
            port_names,
            members: members.iter().map(held).collect(),
            relabel: false,
            placeholder: content == Content::Placeholder,
        }
    }

    /// The problem of the next plan, when nothing else changes.
    pub fn next_problem(&self, problem: &Problem) -> Problem {
        let mut slices: Vec<Existing> = self.slices.iter().flatten().cloned().collect();
        slices.sort_by(|a, b| a.name.cmp(&b.name));
        Problem { slices, ..problem.clone() }
    }

    /// Group and size of each slice, sorted.
    pub fn sizes(&self) -> Vec<(Option<usize>, usize)> {
        let mut sizes: Vec<_> =
            self.slices.iter().flatten().map(|slice| (slice.group, slice.members.len())).collect();
        sizes.sort_unstable();
        sizes
    }
}

/// Makes the steps one by one.
///
/// # Errors
/// The live names that were absent after a step.
pub fn run(problem: &Problem, steps: &[Step]) -> Result<State, String> {
    let mut state = State::new(problem);
    let live: BTreeSet<Name> = state.names().intersection(&desired_names(problem)).copied().collect();
    for (number, step) in steps.iter().enumerate() {
        state.make(problem, step);
        let lost: Vec<Name> = live.difference(&state.names()).copied().collect();
        if !lost.is_empty() {
            return Err(format!("step {number} ({step:?}) lost {lost:?}"));
        }
    }
    Ok(state)
}

/// Each wanted endpoint is in one slice of its group, nothing else is anywhere, and no slice is
/// filled beyond the maximum.
pub fn check_result(problem: &Problem, state: &State) -> Result<(), String> {
    let mut found: BTreeMap<Identity, usize> = BTreeMap::new();
    for (at, slice) in state.slices.iter().enumerate() {
        let Some(slice) = slice else { continue };
        let before = problem.slices.get(at).map_or(0, |slice| slice.members.len());
        if slice.members.len() > problem.max.max(before) {
            return Err(format!("{} has {} endpoints", slice.name, slice.members.len()));
        }
        for member in &slice.members {
            if let Some(other) = found.insert(member.identity, slice.group.unwrap_or(usize::MAX)) {
                return Err(format!("{} is in two slices (group {other})", member.identity));
            }
        }
    }
    let wanted: BTreeMap<Identity, usize> = problem
        .groups
        .iter()
        .enumerate()
        .flat_map(|(at, group)| group.wanted.iter().map(move |wanted| (wanted.identity, at)))
        .collect();
    if found == wanted { Ok(()) } else { Err(format!("found {found:?}, wanted {wanted:?}")) }
}

/// The three steps and recycling by bare numbers: counts of writes, and the sizes that result.
pub fn three_steps(problem: &Problem) -> (Counts, Vec<(Option<usize>, usize)>) {
    let mut counts = Counts::default();
    let mut sizes = Vec::new();
    let lost_groups = problem.slices.iter().filter(|slice| slice.group.is_none());
    counts.deletes += lost_groups.count();
    for (number, group) in problem.groups.iter().enumerate() {
        let mut desired: BTreeSet<Identity> = group.wanted.iter().map(|wanted| wanted.identity).collect();
        let (mut changed, mut unchanged) = (Vec::new(), Vec::new());
        for slice in problem.slices.iter().filter(|slice| slice.group == Some(number)) {
            let kept: Vec<&Held> =
                slice.members.iter().filter(|member| desired.remove(&member.identity)).collect();
            let touched = kept.len() < slice.members.len() || kept.iter().any(|member| member.changed);
            match (touched, kept.len()) {
                (true, 0) => counts.deletes += 1,
                (true, size) => changed.push(size),
                (false, size) if slice.relabel => changed.push(size),
                (false, size) => unchanged.push(size),
            }
        }
        let mut left = desired.len();
        changed.sort_unstable();
        for size in changed.iter_mut().rev() {
            while left > 0 && *size < problem.max {
                *size += 1;
                left -= 1;
            }
        }
        unchanged.sort_unstable();
        while left > 0 {
            let fitting = unchanged.iter().rposition(|size| size + left <= problem.max);
            match fitting.filter(|_| left < problem.max) {
                Some(at) => {
                    changed.push(unchanged.remove(at) + left);
                    left = 0;
                }
                None => {
                    let size = left.min(problem.max);
                    counts.creates += 1;
                    sizes.push((Some(number), size));
                    left -= size;
                }
            }
        }
        counts.updates += changed.len();
        sizes.extend(changed.iter().chain(&unchanged).map(|size| (Some(number), *size)));
    }
    if sizes.is_empty() && problem.placeholder {
        counts.creates += 1;
        sizes.push((None, 0));
    }
    let recycled = counts.creates.min(counts.deletes);
    counts.creates -= recycled;
    counts.deletes -= recycled;
    counts.updates += recycled;
    sizes.sort_unstable();
    (counts, sizes)
}
