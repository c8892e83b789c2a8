//! The promise "never absent" as consumers see it: plans of random histories are made write by write
//! on slices that stand, and the library's consumer module follows each event. An address that is
//! there before and after a plan must be there after every event; what is ready before and after must
//! be ready throughout.
//!
//! Three negative controls show that the oracle sees what it should: the same events with deletes first,
//! with a delete and a create in place of each update, and with the endpoints of slices of the same
//! ports dealt round by one, as the peer deals them by chance. `CONSUMER_ORACLE_SEED` repeats one seed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "support/apply.rs"]
mod apply;
#[path = "support/build.rs"]
mod build;
#[allow(dead_code, reason = "the tests of the mirroring loop use the rest")]
#[path = "plan_mirror/support.rs"]
mod mirroring;
#[path = "support/random.rs"]
mod world;

use std::collections::BTreeMap;
use std::iter::Sum;
use std::sync::Arc;

use apply::Standing;
use build::{by_name, container_ports, service_port};
use endpointslice_controller::consumer::{AddressKey, Follower, Reading, merge};
use endpointslice_controller::model::snapshot::Memory;
use endpointslice_controller::model::{
    EndpointsAddress, Key, MirrorSnapshot, Protocol, Slice, Subset, TargetPort,
};
use endpointslice_controller::plan::{Plan, mirror, selector};
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use world::World;

/// Random histories of each kind of change, and rounds of changes in each.
const HISTORIES: u64 = 80;
const ROUNDS: usize = 6;

/// One change of the selector loop's world, made in every round of a history.
type Change = fn(&mut World, &mut Random);

const CHANGES: [(&str, Change); 11] = [
    ("a port renamed beside one that stays", port_renamed),
    ("ports added and removed", ports_added_and_removed),
    ("the number of a port changed", number_changed),
    ("groups split and merged", groups_changed),
    ("Pods replaced at their addresses", pods_replaced),
    ("Pods added and removed", scaled),
    ("readiness", readiness_changed),
    ("families", families_changed),
    ("kind, labels, topology", service_changed),
    ("slices edited by others", slices_edited),
    ("anything", anything_changed),
];

struct Random(TestRng);

impl Random {
    fn new(seed: u64) -> Random {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Random(TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
    }

    fn below(&mut self, end: usize) -> usize {
        self.0.next_u32() as usize % end
    }

    fn pick<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }
}

/// These ports of the Service, each by a name that every Pod has; the numbers differ among Pods.
fn name_ports(world: &mut World, names: &[&str]) {
    let port = |(name, number): (&&str, i32)| service_port(name, number, by_name(name));
    world.service.ports = names.iter().zip(80..).map(port).collect();
    for (number, pod) in &mut world.pods {
        let first = 8080 + 10 * (number % 3) as i32;
        let ports: Vec<_> =
            names.iter().zip(first..).map(|(name, number)| (*name, number, Protocol::TCP)).collect();
        pod.ports = container_ports(&ports);
    }
}

fn port_renamed(world: &mut World, random: &mut Random) {
    name_ports(world, &["http", random.pick(&["admin", "stats", "debug"])]);
}

fn ports_added_and_removed(world: &mut World, random: &mut Random) {
    let all = ["http", "admin", "web", "stats"];
    name_ports(world, &all[..1 + random.below(all.len())]);
}

fn number_changed(world: &mut World, random: &mut Random) {
    let number = TargetPort::Number(random.pick(&[8080, 9090, 7070]));
    world.service.ports = vec![service_port("http", 80, number)];
}

fn groups_changed(world: &mut World, random: &mut Random) {
    world.service.ports = vec![service_port("http", 80, by_name("http"))];
    let numbers = 8080..8081 + random.below(4) as i32;
    for pod in world.pods.values_mut() {
        let number = numbers.start + random.below(numbers.len()) as i32;
        pod.ports = container_ports(&[("http", number, Protocol::TCP)]);
    }
}

/// Other Pods of the same ReplicaSet get the IPs of those that went, or two Pods change IPs.
fn pods_replaced(world: &mut World, random: &mut Random) {
    let share = 1 + random.below(4);
    for pod in world.pods.values_mut() {
        if random.below(share) == 0 {
            pod.key = Key::new(&pod.key.namespace, format!("web-{:x}", random.0.next_u32()));
        }
    }
    world.change((14, random.below(256) as u8, random.below(256) as u8));
    number_of_times(world, random, &[11]);
}

fn scaled(world: &mut World, random: &mut Random) {
    number_of_times(world, random, &[0, 7]);
}

fn readiness_changed(world: &mut World, random: &mut Random) {
    number_of_times(world, random, &[9, 20]);
}

fn families_changed(world: &mut World, random: &mut Random) {
    number_of_times(world, random, &[0, 4, 19]);
}

fn service_changed(world: &mut World, random: &mut Random) {
    number_of_times(world, random, &[12, 16, 17, 18]);
}

fn slices_edited(world: &mut World, random: &mut Random) {
    number_of_times(world, random, &[21]);
}

fn anything_changed(world: &mut World, random: &mut Random) {
    let all: Vec<u8> = (0..24).collect();
    number_of_times(world, random, &all);
    if random.below(4) == 0 {
        world.max = 1 + random.below(6);
    }
}

/// Up to a dozen of these numbered operations.
fn number_of_times(world: &mut World, random: &mut Random, operations: &[u8]) {
    for _ in 0..1 + random.below(12) {
        world.change((random.pick(operations), random.below(256) as u8, random.below(256) as u8));
    }
}

/// What a watch tells of one write.
#[derive(Clone)]
enum Event {
    Put(Arc<Slice>),
    Gone(Key),
}

/// What came of following plans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Figures {
    histories: usize,
    events: usize,
    /// Addresses, port by port, that are there before and after a plan; added up over the plans.
    live: usize,
    lost: usize,
    /// Of those that are ready before and after.
    not_ready: usize,
    /// Lost by the negative controls.
    controls: [usize; 3],
}

const CONTROLS: [&str; 3] = ["deletes first", "deleted and created", "dealt round"];

impl Sum for Figures {
    fn sum<I: Iterator<Item = Figures>>(all: I) -> Figures {
        all.fold(Figures::default(), |a, b| Figures {
            histories: a.histories + b.histories,
            events: a.events + b.events,
            live: a.live + b.live,
            lost: a.lost + b.lost,
            not_ready: a.not_ready + b.not_ready,
            controls: [0, 1, 2].map(|at| a.controls[at] + b.controls[at]),
        })
    }
}

/// What is there before and after, and whether it is ready both times.
fn live(before: &[Arc<Slice>], after: &[Arc<Slice>]) -> BTreeMap<AddressKey, bool> {
    let seen = |slices: &[Arc<Slice>]| merge(slices.iter().map(|slice| &**slice), Reading::Everything);
    let (before, after) = (seen(before), seen(after));
    let mut live = BTreeMap::new();
    for (port, view) in before {
        let Some(later) = after.get(&port) else { continue };
        for (address, state) in view.addresses {
            if let Some(then) = later.addresses.get(&address) {
                let ready = state.ready && then.ready;
                live.insert(AddressKey { port: port.clone(), address }, ready);
            }
        }
    }
    live
}

/// How many live addresses a consumer loses that sees these events, and how many it sees not ready
/// that are ready before and after.
fn losses(before: &[Arc<Slice>], events: &[Event], live: &BTreeMap<AddressKey, bool>) -> (usize, usize) {
    let mut follower = Follower::new(Reading::Everything);
    follower.replace(before.iter().map(|slice| &**slice));
    let (mut lost, mut not_ready) = (0, 0);
    for event in events {
        let change = match event {
            Event::Put(slice) => follower.put(slice),
            Event::Gone(slice) => follower.remove(slice),
        };
        lost += change.lost.iter().filter(|key| live.contains_key(key)).count();
        let ready = live.iter().filter(|(_, ready)| **ready);
        not_ready += ready
            .filter_map(|(key, _)| follower.state(&key.port, &key.address))
            .filter(|state| !state.ready)
            .count();
    }
    (lost, not_ready)
}

/// Makes the writes one by one, and follows them.
fn follow(standing: &mut Standing, plan: &Plan) -> Figures {
    let before = standing.all();
    let mut events = Vec::new();
    for write in &plan.writes {
        events.push(match standing.write(write).expect("a write that the API server takes") {
            Some(stored) => Event::Put(stored),
            None => Event::Gone(write.slice.key.clone()),
        });
    }
    let live = live(&before, &standing.all());
    let controls = [deletes_first(&events), deleted_and_created(&events), dealt_round(&events)];
    let (lost, not_ready) = losses(&before, &events, &live);
    Figures {
        histories: 0,
        events: events.len(),
        live: live.len(),
        lost,
        not_ready,
        controls: controls.map(|events| losses(&before, &events, &live).0),
    }
}

fn deletes_first(events: &[Event]) -> Vec<Event> {
    let mut other = events.to_vec();
    other.sort_by_key(|event| !matches!(event, Event::Gone(_)));
    other
}

fn deleted_and_created(events: &[Event]) -> Vec<Event> {
    let mut other = Vec::new();
    for event in events {
        if let Event::Put(slice) = event {
            other.push(Event::Gone(slice.key.clone()));
        }
        other.push(event.clone());
    }
    other
}

fn dealt_round(events: &[Event]) -> Vec<Event> {
    let mut other = events.to_vec();
    let mut by_ports: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (at, event) in events.iter().enumerate() {
        if let Event::Put(slice) = event {
            by_ports.entry((&slice.address_type, &slice.ports)).or_default().push(at);
        }
    }
    for places in by_ports.values() {
        for (at, from) in places.iter().zip(places.iter().cycle().skip(1)) {
            if let (Event::Put(slice), Event::Put(from)) = (&mut other[*at], &events[*from]) {
                Arc::make_mut(slice).endpoints = from.endpoints.clone();
            }
        }
    }
    other
}

fn selector_history(change: Change, seed: u64) -> Figures {
    let mut random = Random::new(seed);
    let mut world = World::new(1 + random.below(6), 1 + random.below(20));
    let rounds = (0..=ROUNDS).map(|round| {
        if round > 0 {
            change(&mut world, &mut random);
        }
        let plan = selector::plan(&world.snapshot());
        let mut standing = world.standing.clone();
        let figures = follow(&mut standing, &plan);
        world.rest(&plan, standing);
        figures
    });
    Figures { histories: 1, ..rounds.sum() }
}

fn some_subsets(random: &mut Random) -> Vec<Subset> {
    let ports = [("a", 80), ("a", 81), ("b", 90), ("c", 91), ("", 100)];
    let address = |random: &mut Random| -> EndpointsAddress {
        let number = random.below(12);
        let ip = if number < 9 { format!("10.0.0.{}", number + 1) } else { format!("fd00::{number}") };
        match random.below(4) {
            0 => mirroring::pod(&ip, "pod", ["uid-1", "uid-2"][random.below(2)]),
            _ => mirroring::address(&ip),
        }
    };
    let subset = |random: &mut Random| {
        let mut addresses = |count: usize| -> Vec<EndpointsAddress> {
            (0..random.below(count)).map(|_| address(random)).collect()
        };
        let (ready, not_ready) = (addresses(9), addresses(4));
        let mut of_subset: Vec<(&str, i32)> = ports.to_vec();
        of_subset.retain(|_| random.below(3) == 0);
        let ports = of_subset.iter().map(|(name, number)| mirroring::port(name, *number)).collect();
        Subset { addresses: ready, not_ready, ports }
    };
    (0..1 + random.below(3)).map(|_| subset(random)).collect()
}

fn mirroring_history(seed: u64) -> Figures {
    let mut random = Random::new(seed);
    let (mut standing, mut memory) = (Standing::default(), Memory::default());
    let mut subsets = some_subsets(&mut random);
    let max = 2 + random.below(20);
    let rounds = (0..=ROUNDS).map(|_| {
        // Half of the time a subset changes, else all of them.
        let changed = some_subsets(&mut random);
        match random.below(2) {
            0 => subsets[0] = changed[0].clone(),
            _ => subsets = changed,
        }
        let slices: Vec<Slice> = standing.all().iter().map(|slice| Slice::clone(slice)).collect();
        let snapshot = mirroring::snapshot(mirroring::endpoints(subsets.clone()), slices);
        let snapshot = MirrorSnapshot { memory: memory.clone(), ..mirroring::with_max(snapshot, max) };
        let plan = mirror::plan(&snapshot);
        memory = plan.memory.clone();
        follow(&mut standing, &plan)
    });
    Figures { histories: 1, ..rounds.sum() }
}

#[test]
fn no_consumer_loses_a_live_address_and_the_controls_do() {
    let seed = std::env::var("CONSUMER_ORACLE_SEED").ok();
    let seed = seed.map(|text| text.parse::<u64>().expect("CONSUMER_ORACLE_SEED: a number"));
    let seeds = seed.map_or(0..HISTORIES, |seed| seed..seed + 1);
    println!(
        "{:36} {:>9} {:>7} {:>7} {:>5} {:>9} {}",
        "change",
        "histories",
        "events",
        "live",
        "lost",
        "not ready",
        CONTROLS.join("  ")
    );
    let mut all = Vec::new();
    let kinds = CHANGES.iter().map(|(what, change)| (*what, Some(*change)));
    for (what, change) in kinds.chain([("mirrored Endpoints", None)]) {
        let of_seed = |seed: u64| {
            let figures =
                change.map_or_else(|| mirroring_history(seed), |change| selector_history(change, seed));
            assert_eq!(figures.lost, 0, "{what}: CONSUMER_ORACLE_SEED={seed}: {figures:?}");
            // Of one address and port name Endpoints may say both (for two numbers, or two uids), and
            // for a moment either can be all that is there.
            let open = change.is_none() || figures.not_ready == 0;
            assert!(open, "{what}: CONSUMER_ORACLE_SEED={seed}: {figures:?}");
            figures
        };
        let sum: Figures = seeds.clone().map(of_seed).sum();
        print(what, &sum);
        // A delete before a create is seen whatever the change.
        assert!(seed.is_some() || sum.controls[1] > 0, "{what}: {sum:?}");
        all.push(sum);
    }
    let sum: Figures = all.into_iter().sum();
    print("all", &sum);
    assert!(seed.is_some() || sum.controls.iter().all(|lost| *lost > 0), "{sum:?}");
}

fn print(what: &str, figures: &Figures) {
    let Figures { histories, events, live, lost, not_ready, controls: [first, created, dealt] } = figures;
    println!(
        "{what:36} {histories:9} {events:7} {live:7} {lost:5} {not_ready:9} {first:13} {created:20} {dealt:12}"
    );
}
