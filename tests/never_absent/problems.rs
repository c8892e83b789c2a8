//! Random changes of a Service: what stands before, and what is desired after.

use std::collections::{BTreeMap, BTreeSet};

use endpointslice_controller::plan::arrange::{
    Address, Existing, Group, Held, Identity, PortName, Problem, Wanted,
};

/// Random numbers from a seed (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `low` to `high`, both included.
    pub fn within(&mut self, low: usize, high: usize) -> usize {
        low + (self.next() % (high - low + 1) as u64) as usize
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.within(1, 100) <= percent
    }

    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.within(0, at));
        }
    }
}

/// A kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    PortsOfAllChanged,
    GroupsMerged,
    PodsReplacedWithSameAddress,
    PodsAddedAndRemoved,
    Mixed,
    RandomGroups,
}

pub const CATEGORIES: [Category; 6] = [
    Category::PortsOfAllChanged,
    Category::GroupsMerged,
    Category::PodsReplacedWithSameAddress,
    Category::PodsAddedAndRemoved,
    Category::Mixed,
    Category::RandomGroups,
];

/// Ports: their names, and numbers that tell two groups of the same names apart.
pub type Ports = (Vec<PortName>, u32);

#[derive(Clone, Debug)]
pub struct Pod {
    pub identity: Identity,
    pub address: Address,
    pub ports: Ports,
}

/// A change: slices that stand and Pods that are desired.
#[derive(Clone, Debug)]
pub struct Change {
    pub max: usize,
    pub slices: Vec<(Ports, Vec<Pod>)>,
    pub pods: Vec<Pod>,
    pub changed: BTreeSet<Identity>,
    pub relabel: BTreeSet<usize>,
}

impl Change {
    /// A random change of this kind: 1 to 6 slices, at most 2 to 5 endpoints each.
    pub fn random(category: Category, random: &mut Random) -> Change {
        let max = random.within(2, 5);
        let kinds: Vec<Ports> =
            (0..random.within(1, 3)).map(|number| (some_names(random), number as u32)).collect();
        let mut slices = Vec::new();
        let mut pods: Vec<Pod> = Vec::new();
        for _ in 0..random.within(1, 6) {
            let ports = kinds[random.within(0, kinds.len() - 1)].clone();
            let members: Vec<Pod> = (0..random.within(1, max))
                .map(|_| {
                    let number = pods.len() as u32 + 1;
                    let pod = Pod { identity: number, address: 1000 + number, ports: ports.clone() };
                    pods.push(pod.clone());
                    pod
                })
                .collect();
            slices.push((ports, members));
        }
        let mut change = Change { max, slices, pods, changed: BTreeSet::new(), relabel: BTreeSet::new() };
        change.make(category, &kinds, random);
        change
    }

    fn make(&mut self, category: Category, kinds: &[Ports], random: &mut Random) {
        match category {
            Category::PortsOfAllChanged => {
                let shift = random.within(10, 20) as u32;
                let others: Vec<Vec<PortName>> = (0..4).map(|_| some_names(random)).collect();
                for pod in &mut self.pods {
                    let number = pod.ports.1;
                    pod.ports.1 += shift;
                    if shift.is_multiple_of(2) {
                        pod.ports.0 = others[number as usize].clone();
                    }
                }
            }
            Category::GroupsMerged => {
                let into = if random.chance(50) { kinds[0].clone() } else { (kinds[0].0.clone(), 50) };
                self.pods.iter_mut().for_each(|pod| pod.ports = into.clone());
            }
            Category::PodsReplacedWithSameAddress => self.replace(random),
            Category::PodsAddedAndRemoved => self.add_and_remove(random),
            Category::Mixed => {
                self.replace(random);
                self.add_and_remove(random);
                let share = random.within(0, 60);
                for pod in &mut self.pods {
                    if random.chance(share) {
                        pod.ports = kinds[random.within(0, kinds.len() - 1)].clone();
                    }
                }
                self.disturb(random);
            }
            Category::RandomGroups => {
                for pod in &mut self.pods {
                    pod.ports = kinds[random.within(0, kinds.len() - 1)].clone();
                }
            }
        }
    }

    fn replace(&mut self, random: &mut Random) {
        let share = random.within(10, 100);
        for pod in &mut self.pods {
            if random.chance(share) {
                pod.identity += 500;
            }
        }
    }

    fn add_and_remove(&mut self, random: &mut Random) {
        let share = random.within(0, 80);
        let kinds: Vec<Ports> = self.pods.iter().map(|pod| pod.ports.clone()).collect();
        self.pods.retain(|_| !random.chance(share));
        for number in 0..random.within(0, 8) as u32 {
            let ports = kinds[random.within(0, kinds.len() - 1)].clone();
            self.pods.push(Pod { identity: 2000 + number, address: 3000 + number, ports });
        }
    }

    /// Slices that somebody edited: duplicates, empty ones, wrong labels, a maximum that was lowered.
    fn disturb(&mut self, random: &mut Random) {
        for pod in &self.pods {
            if random.chance(20) {
                self.changed.insert(pod.identity);
            }
        }
        for at in 0..self.slices.len() {
            if random.chance(10) {
                self.relabel.insert(at);
            }
            if random.chance(10) {
                let from = random.within(0, self.slices.len() - 1);
                let copied = self.slices[from].1.first().cloned();
                self.slices[at].1.extend(copied);
            }
            if random.chance(5) {
                self.slices[at].1.clear();
            }
        }
        if random.chance(20) {
            self.max = self.max.saturating_sub(random.within(0, 2)).max(2);
        }
    }

    pub fn problem(&self) -> Problem {
        let mut groups: BTreeMap<Ports, Vec<Wanted>> = BTreeMap::new();
        for pod in &self.pods {
            let wanted = Wanted { identity: pod.identity, addresses: vec![pod.address] };
            groups.entry(pod.ports.clone()).or_default().push(wanted);
        }
        let kinds: Vec<Ports> = groups.keys().cloned().collect();
        let slices = self.slices.iter().enumerate().map(|(at, (ports, members))| Existing {
            name: format!("s{at}").into(),
            group: kinds.iter().position(|kind| kind == ports),
            port_names: ports.0.clone(),
            members: members
                .iter()
                .map(|pod| Held {
                    identity: pod.identity,
                    addresses: vec![pod.address],
                    changed: self.changed.contains(&pod.identity),
                })
                .collect(),
            relabel: self.relabel.contains(&at),
            placeholder: false,
        });
        Problem {
            max: self.max,
            placeholder: true,
            create: true,
            slices: slices.collect(),
            groups: groups
                .into_iter()
                .map(|((port_names, _), wanted)| Group { port_names, wanted })
                .collect(),
        }
    }
}

fn some_names(random: &mut Random) -> Vec<PortName> {
    match random.within(0, 5) {
        0 => vec![0],
        1 => vec![2],
        2 => vec![1, 2],
        _ => vec![1],
    }
}
