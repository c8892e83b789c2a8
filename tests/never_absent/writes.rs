//! Turns steps into writes of concrete slices, makes those writes side by side with failures, and
//! looks after each one whether a live name is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use endpointslice_controller::model::{
    AddressType, Addresses, Annotations, Endpoint, Key, Labels, Port, Protocol, Slice, TargetReference, Text,
    Uid,
};
use endpointslice_controller::plan::arrange::{Content, Existing, Held, NO_PORTS, Problem, Step};
use endpointslice_controller::plan::progress::{Outcome, Progress, Rules};
use endpointslice_controller::plan::{Operation, Stage, Write};

use crate::oracle::{Name, desired_names};
use crate::problems::Random;

/// How often, of a hundred writes, what goes wrong.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    pub failed: usize,
    pub unknown: usize,
    /// Switches the guard off.
    pub unguarded: bool,
}

/// What the API server has.
pub type Stored = BTreeMap<String, Slice>;

/// What came of a walk.
pub struct Walked {
    pub stored: Stored,
    pub sent: usize,
    pub skipped: usize,
    pub most_in_flight: usize,
}

fn endpoint(held: &Held) -> Arc<Endpoint> {
    let target = TargetReference {
        kind: Text::new("Pod"),
        name: format!("pod-{}", held.identity).into(),
        ..TargetReference::default()
    };
    Arc::new(Endpoint {
        addresses: Addresses::new(held.addresses.iter().map(|address| format!("a{address}").into())),
        conditions: Default::default(),
        hostname: None,
        target_ref: Some(Box::new(target)),
        node_name: None,
        zone: None,
        hints: None,
        foreign: None,
    })
}

fn slice(existing: &Existing, version: u64) -> Slice {
    let number = existing.group.map_or(999, |group| group as i32);
    let ports = existing.port_names.iter().filter(|name| **name != NO_PORTS).map(|name| Port {
        name: Some(Text::new(&format!("p{name}"))),
        protocol: Protocol::TCP,
        port: Some(number),
        app_protocol: None,
    });
    Slice {
        key: Key::new("ns", &existing.name),
        uid: Uid::new(&existing.name),
        version,
        generate_name: "web-".into(),
        labels: Labels::default(),
        annotations: Annotations::default(),
        deleting: false,
        owners: Arc::from([]),
        address_type: AddressType::IPv4,
        ports: ports.collect(),
        endpoints: existing.members.iter().map(endpoint).collect(),
        foreign: None,
    }
}

/// The slices that stand, and the writes of these steps. `unowned` slices go at the end.
pub fn writes(problem: &Problem, steps: &[Step], unowned: &[Existing]) -> (Vec<Arc<Slice>>, Vec<Write>) {
    let mut standing: Vec<Arc<Slice>> = problem.slices.iter().map(|it| Arc::new(slice(it, 1))).collect();
    let known: BTreeMap<u32, Held> = problem
        .slices
        .iter()
        .flat_map(|slice| slice.members.clone())
        .chain(problem.groups.iter().flat_map(|group| &group.wanted).map(|wanted| Held {
            identity: wanted.identity,
            addresses: wanted.addresses.clone(),
            changed: false,
        }))
        .map(|held| (held.identity, held))
        .collect();
    let content = |name: &str, content: &Content, members: &[u32]| {
        let (group, port_names) = match content {
            Content::Group(group) => (Some(*group), problem.groups[*group].port_names.clone()),
            Content::Placeholder => (None, vec![NO_PORTS]),
        };
        let members = members.iter().map(|identity| known[identity].clone()).collect();
        let existing =
            Existing { name: name.into(), group, port_names, members, relabel: false, placeholder: false };
        slice(&existing, 1)
    };
    let mut writes = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        writes.push(match step {
            Step::Create { content: what, members, first } => Write {
                operation: Operation::Create,
                stage: if *first { Stage::Creates } else { Stage::Updates },
                slice: Slice {
                    uid: Uid::default(),
                    version: 0,
                    ..content(&format!("new{number}"), what, members)
                },
                base: None,
            },
            Step::Update { slice, content: what, members } => Write {
                operation: Operation::Update,
                stage: Stage::Updates,
                slice: content(&problem.slices[*slice].name, what, members),
                base: Some(Arc::clone(&standing[*slice])),
            },
            Step::Delete { slice } => delete(&standing[*slice], Stage::Deletes),
        });
    }
    for existing in unowned {
        let slice = Arc::new(slice(existing, 1));
        writes.push(delete(&slice, Stage::Leftovers));
        standing.push(slice);
    }
    (standing, writes)
}

fn delete(slice: &Arc<Slice>, stage: Stage) -> Write {
    Write { operation: Operation::Delete, stage, slice: Slice::clone(slice), base: Some(Arc::clone(slice)) }
}

fn names(stored: &Stored) -> BTreeSet<Name> {
    let mut names = BTreeSet::new();
    for slice in stored.values() {
        let number = |text: &str| text[1..].parse::<u32>().expect("a letter and a number");
        let mut ports: Vec<u32> =
            slice.ports.iter().map(|port| number(port.name.as_ref().expect("a port name"))).collect();
        if ports.is_empty() {
            ports.push(NO_PORTS);
        }
        for address in slice.endpoints.iter().flat_map(|endpoint| endpoint.addresses.as_slice()) {
            names.extend(ports.iter().map(|port| (number(address), *port)));
        }
    }
    names
}

/// Stores a write as an API server would.
fn store(stored: &mut Stored, write: &Write) -> Outcome {
    let name = write.slice.key.name.to_string();
    match write.operation {
        Operation::Delete => {
            let found = stored.remove(&name).expect("a delete of a slice that stands");
            assert_eq!(found.version, write.slice.version, "a delete carries the version that stands");
            Outcome::Deleted
        }
        Operation::Update => {
            let found = stored.get_mut(&name).expect("an update of a slice that stands");
            assert_eq!(found.version, write.slice.version, "an update carries the version that stands");
            *found = Slice { version: found.version + 1, ..write.slice.clone() };
            Outcome::Stored(found.clone())
        }
        Operation::Create => {
            let created = Slice { version: 1, uid: Uid::new(&name), ..write.slice.clone() };
            assert!(stored.insert(name, created.clone()).is_none(), "a create of a slice that stands");
            Outcome::Stored(created)
        }
    }
}

/// Makes the writes side by side, in a random order of arrival.
///
/// # Errors
/// The live names that were absent after a write.
pub fn walk(
    problem: &Problem,
    standing: &[Arc<Slice>],
    writes: Vec<Write>,
    faults: Faults,
    random: &mut Random,
) -> Result<Walked, String> {
    let mut stored: Stored =
        standing.iter().map(|slice| (slice.key.name.to_string(), Slice::clone(slice))).collect();
    let live: BTreeSet<Name> = names(&stored).intersection(&desired_names(problem)).copied().collect();
    let rules = Rules { in_flight: random.within(1, 6), gaps_allowed: faults.unguarded };
    let mut progress = Progress::new(writes, standing, rules);
    let mut in_flight: Vec<(usize, Write, Option<Outcome>)> = Vec::new();
    let (mut sent, mut most_in_flight) = (0, 0);
    loop {
        let ready = progress.ready();
        sent += ready.len();
        in_flight.extend(ready.into_iter().map(|(number, write)| (number, write, None)));
        most_in_flight = most_in_flight.max(in_flight.len());
        assert!(in_flight.len() <= rules.in_flight, "more in flight than allowed");
        if in_flight.is_empty() {
            break;
        }
        // What is sent is stored at some moment, and answered at some later one.
        let at = random.within(0, in_flight.len() - 1);
        let (number, write, outcome) = &mut in_flight[at];
        if let Some(outcome) = outcome.take() {
            progress.answered(*number, outcome);
            in_flight.swap_remove(at);
            continue;
        }
        *outcome = Some(match random.within(1, 100) {
            luck if luck <= faults.failed => Outcome::Failed,
            luck if luck <= faults.failed + faults.unknown => {
                if random.chance(50) {
                    store(&mut stored, write);
                }
                Outcome::Unknown
            }
            _ => store(&mut stored, write),
        });
        let lost: Vec<Name> = live.difference(&names(&stored)).copied().collect();
        if !lost.is_empty() {
            return Err(format!("write {number} ({:?} {}) lost {lost:?}", write.operation, write.slice.key));
        }
    }
    assert!(progress.finished(), "nothing is in flight and nothing is ready, so it is finished");
    Ok(Walked { stored, sent, skipped: progress.skipped().len(), most_in_flight })
}

/// The problem of the next plan, made from what the API server has.
pub fn next_problem(problem: &Problem, stored: &Stored) -> Problem {
    let number =
        |text: &str| text.trim_start_matches(|c: char| !c.is_ascii_digit()).parse::<u32>().expect("a number");
    let slices = stored.iter().filter(|(name, _)| !name.starts_with("unowned-")).map(|(name, slice)| {
        let port_names: Vec<u32> = match slice.ports.is_empty() {
            true => vec![NO_PORTS],
            false => {
                slice.ports.iter().map(|port| number(port.name.as_ref().expect("a port name"))).collect()
            }
        };
        let of_number = slice.ports.first().and_then(|port| port.port).map(|port| port as usize);
        let group = match of_number {
            Some(group) => (group < problem.groups.len()).then_some(group),
            None => problem.groups.iter().position(|group| group.port_names == [NO_PORTS]),
        };
        let members = slice.endpoints.iter().map(|endpoint| Held {
            identity: number(&endpoint.target_ref.as_ref().expect("a target").name),
            addresses: endpoint.addresses.as_slice().iter().map(|address| number(address)).collect(),
            changed: false,
        });
        let members: Vec<Held> = members.collect();
        let placeholder = members.is_empty() && slice.ports.is_empty();
        Existing { name: name.into(), group, port_names, members, relabel: false, placeholder }
    });
    Problem { slices: slices.collect(), ..problem.clone() }
}
