//! One Service of a frozen state, and the rules that explain what differs of it.

use std::collections::BTreeSet;

use super::numbers::{Key, Numbers, Part, Slices, Verb, Write, key_of, numbers, part, service_of};
use super::rules::{Facts, How, RULES, Side, recyclable};

/// Names of rules.
pub type Names = BTreeSet<&'static str>;

/// Writes from a dump in which some reasons are not there, and the rules whose reasons these are.
pub type Variant = (Names, Vec<Write>);

pub struct Case<'a> {
    key: &'a Key,
    pub facts: Facts<'a>,
    slices: Slices,
    /// As in [`Plans`].
    ours: Vec<Variant>,
    /// Those if neither the Service nor its Endpoints went.
    alive: Vec<Write>,
    peer: Vec<Write>,
}

/// What `plan` says of the dump, and of what it would be without some reasons.
pub struct Plans {
    /// First that of the dump as it is; the small sets of rules before larger ones of the same.
    pub variants: Vec<Variant>,
    /// If nothing had a deletionTimestamp.
    pub alive: Vec<Write>,
}

impl<'a> Case<'a> {
    pub fn new(key: &'a Key, facts: Facts<'a>, before: &Slices, plans: &Plans, peer: &[Write]) -> Case<'a> {
        let of_key = |writes: &[Write]| -> Vec<Write> {
            writes.iter().filter(|write| service_of(&write.slice) == *key).cloned().collect()
        };
        let slices = before.iter().filter(|(_, slice)| service_of(slice) == *key);
        Case {
            key,
            facts,
            slices: slices.map(|(key, slice)| (key.clone(), slice.clone())).collect(),
            ours: plans.variants.iter().map(|(names, writes)| (names.clone(), of_key(writes))).collect(),
            alive: of_key(&plans.alive),
            peer: of_key(peer),
        }
    }

    /// Loops and address types; each is planned on its own.
    pub fn parts(&self) -> BTreeSet<Part> {
        let writes = self.ours.iter().flat_map(|(_, writes)| writes).chain(&self.peer);
        writes.map(|write| part(&write.slice)).chain(self.slices.values().map(part)).collect()
    }

    /// The numbers of either side, as they are.
    pub fn raw(&self, part: &Part) -> (Numbers, Numbers) {
        (self.count(&self.ours[0].1, part), self.count(&self.peer, part))
    }

    /// The fewest rules that explain a part, none if it is equal; `None` if there are none.
    pub fn explained_by(&self, part: &Part) -> Option<Names> {
        let (ours, peers) = (self.our_numbers(part), self.peer_numbers(part));
        let equal = ours.iter().flat_map(|(one, of_ours)| {
            let same = peers.iter().filter(move |(_, of_peer)| of_ours == of_peer);
            same.map(move |(other, _)| one.union(other).copied().collect::<Names>())
        });
        equal.min_by_key(Names::len).or_else(|| {
            let explains = |how: &How| match how {
                How::Drawn(drawn) => drawn(&self.facts, part) && self.some_of_all(part),
                How::LeftOut(left_out) => left_out(&self.facts, part),
                _ => false,
            };
            RULES.iter().find(|rule| explains(&rule.how)).map(|rule| Names::from([rule.name]))
        })
    }

    /// Whether both write equally much, and leave equally many of the slices that there would be if nothing
    /// went.
    fn some_of_all(&self, part: &Part) -> bool {
        let (ours, peer) = self.raw(part);
        let all = self.count(&self.alive, part);
        ours.writes == peer.writes && ours.slices() == peer.slices() && ours.among(&all) && peer.among(&all)
    }

    fn count(&self, writes: &[Write], part: &Part) -> Numbers {
        numbers(&self.slices, writes).remove(self.key).unwrap_or_default().only(part)
    }

    fn our_numbers(&self, part: &Part) -> Vec<(Names, Numbers)> {
        let together = RULES.iter().find(|rule| matches!(rule.how, How::Together));
        let mut all = Vec::new();
        for (names, writes) in self.ours.iter().flat_map(|ours| self.with_and_without_none(ours, Side::Ours))
        {
            let numbers = self.count(&writes, part);
            if let Some(rule) = together {
                let numbers = numbers.clone().together(&writes, part, |slice| recyclable(&self.facts, slice));
                all.push((with(&names, rule.name), numbers));
            }
            all.push((names, numbers));
        }
        all
    }

    fn peer_numbers(&self, part: &Part) -> Vec<(Names, Numbers)> {
        let mut all = Vec::new();
        let peer = (Names::new(), self.peer.clone());
        for (names, writes) in self.with_and_without_none(&peer, Side::Peer) {
            let numbers = self.count(&writes, part);
            for rule in &RULES {
                if let How::NoPlaceholder(applies) = rule.how
                    && applies(&self.facts)
                {
                    let less = numbers.without_placeholder().into_iter();
                    all.extend(less.map(|numbers| (with(&names, rule.name), numbers)));
                }
            }
            all.push((names, numbers));
        }
        all
    }

    /// The writes of one side, and those without the ones that a rule says are none.
    fn with_and_without_none(&self, (names, writes): &Variant, side: Side) -> Vec<Variant> {
        let mut standing = self.slices.clone();
        let (mut kept, mut used) = (Vec::new(), names.clone());
        for write in writes {
            let key = key_of(&write.slice);
            let rule = standing.get(&key).and_then(|before| {
                RULES.iter().find(|rule| match rule.how {
                    How::Nothing(of, none) => {
                        (of == side || of == Side::Both) && none(&self.facts, before, write)
                    }
                    _ => false,
                })
            });
            match rule {
                Some(rule) => drop(used.insert(rule.name)),
                None => kept.push(write.clone()),
            }
            match write.verb {
                Verb::Delete => standing.remove(&key),
                _ => standing.insert(key, write.slice.clone()),
            };
        }
        let mut all = vec![(names.clone(), writes.clone())];
        if kept.len() < writes.len() {
            all.push((used, kept));
        }
        all
    }
}

fn with(names: &Names, name: &'static str) -> Names {
    names.iter().copied().chain([name]).collect()
}
