//! Compares what the peer wrote from a frozen state with what `plan` says, and finds the rules that
//! explain what differs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::cluster::Frozen;
use super::numbers::{
    Key, Numbers, Part, Slices, Verb, Write, difference, key_of, numbers, part, service_of, slices,
};
use super::plan::plan;
use super::rules::{Facts, How, RULES, Rule, changes_nothing};

/// What came of one frozen state of a whole cluster.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    /// Services.
    pub states: usize,
    /// Those for which either side writes.
    pub with_writes: usize,
    /// Those whose numbers are equal.
    pub equal: usize,
    /// Those of which rules explain all that differs.
    pub explained: usize,
    /// In how many of them each rule had a part.
    pub fired: BTreeMap<&'static str, usize>,
    pub unexplained: Vec<String>,
    /// States that differ when `plan` is told another maximum.
    pub control: usize,
}

impl Verdict {
    pub fn add(&mut self, other: Verdict) {
        self.states += other.states;
        self.with_writes += other.with_writes;
        self.equal += other.equal;
        self.explained += other.explained;
        self.control += other.control;
        self.unexplained.extend(other.unexplained);
        for (rule, count) in other.fired {
            *self.fired.entry(rule).or_default() += count;
        }
    }
}

/// Rules that together explain a part, and the plan that they need.
type Names = BTreeSet<&'static str>;

struct Judge<'a> {
    frozen: &'a Frozen,
    before: Slices,
    ours: Vec<Write>,
}

/// Judges all Services of the histories' namespaces.
pub fn judge(frozen: &Frozen) -> Verdict {
    let before = slices(&frozen.items);
    let ours = plan(&frozen.items, frozen.max);
    Judge { frozen, before, ours }.verdict()
}

impl Judge<'_> {
    fn verdict(&self) -> Verdict {
        let mut verdict = Verdict::default();
        let (ours, peer) = (numbers(&self.before, &self.ours), numbers(&self.before, &self.frozen.peer));
        let other = numbers(&self.before, &plan(&self.frozen.items, self.frozen.max + 1));
        let none = Numbers::default();
        let mut differ: Vec<Key> = Vec::new();
        for key in self.keys() {
            let (one, two) = (ours.get(&key).unwrap_or(&none), peer.get(&key).unwrap_or(&none));
            verdict.states += 1;
            verdict.with_writes += usize::from(one.written() + two.written() > 0);
            verdict.control += usize::from(other.get(&key).unwrap_or(&none) != two);
            if one == two {
                verdict.equal += 1;
            } else {
                differ.push(key);
            }
        }
        let variants = self.variants(&differ);
        for key in differ {
            match self.explain(&key, &variants) {
                Ok(rules) => {
                    verdict.explained += 1;
                    rules.into_iter().for_each(|rule| *verdict.fired.entry(rule).or_default() += 1);
                }
                Err(text) => verdict.unexplained.push(text),
            }
        }
        verdict
    }

    fn keys(&self) -> impl Iterator<Item = Key> {
        let services = self.frozen.items.iter().filter(|object| object["kind"] == "Service");
        services.map(key_of).filter(|(namespace, _)| namespace.starts_with("seed-"))
    }

    fn find(&self, kind: &str, key: &Key) -> Option<&Value> {
        self.frozen.items.iter().find(|object| object["kind"] == kind && key_of(object) == *key)
    }

    fn facts(&self, key: &Key) -> Facts<'_> {
        let mark = format!("key=\"{}/{}\" err=", key.0, key.1);
        Facts {
            service: self.find("Service", key).expect("the Service of a state"),
            endpoints: self.find("Endpoints", key),
            failures: self.frozen.log.lines().filter(|line| line.contains(&mark)).collect(),
        }
    }

    /// What `plan` says when the reasons of some rules are not in the slices of these Services, for each
    /// set of such rules, the small sets first.
    fn variants(&self, keys: &[Key]) -> Vec<(Names, Vec<Write>)> {
        let mut variants = vec![(Names::new(), self.ours.clone())];
        let rules: Vec<&Rule> = RULES.iter().filter(|rule| matches!(rule.how, How::Without(_))).collect();
        let facts: BTreeMap<&Key, Facts<'_>> = keys.iter().map(|key| (key, self.facts(key))).collect();
        let namespaces: BTreeSet<&str> = keys.iter().map(|key| key.0.as_str()).collect();
        for mask in 1..1usize << rules.len() {
            let chosen: Vec<&&Rule> = rules
                .iter()
                .enumerate()
                .filter(|(at, _)| mask >> at & 1 == 1)
                .map(|(_, rule)| rule)
                .collect();
            let mut changed = vec![false; chosen.len()];
            let mut items: Vec<Value> = Vec::new();
            for item in &self.frozen.items {
                let namespace = item["metadata"]["namespace"].as_str();
                if namespace.is_some_and(|namespace| !namespaces.contains(namespace)) {
                    continue;
                }
                let mut item = item.clone();
                if item["kind"] == "EndpointSlice"
                    && let Some(facts) = facts.get(&service_of(&item))
                {
                    for (at, rule) in chosen.iter().enumerate() {
                        if let How::Without(without) = rule.how {
                            changed[at] |= without(facts, &mut item);
                        }
                    }
                }
                items.push(item);
            }
            if changed.iter().all(|changed| *changed) {
                variants.push((chosen.iter().map(|rule| rule.name).collect(), plan(&items, self.frozen.max)));
            }
        }
        variants.sort_by_key(|(names, _)| names.len());
        variants
    }

    /// The rules that explain all that differs of a Service, or what differs.
    fn explain(&self, key: &Key, variants: &[(Names, Vec<Write>)]) -> Result<Names, String> {
        let facts = self.facts(key);
        let of = |writes: &[Write]| -> Vec<Write> {
            writes.iter().filter(|write| service_of(&write.slice) == *key).cloned().collect()
        };
        let slices: Slices = self
            .before
            .iter()
            .filter(|(_, slice)| service_of(slice) == *key)
            .map(|(at, slice)| (at.clone(), slice.clone()))
            .collect();
        let count = |writes: &[Write]| numbers(&slices, writes).remove(key).unwrap_or_default();
        let peer = of(&self.frozen.peer);
        let parts: BTreeSet<Part> = peer
            .iter()
            .chain(&of(&self.ours))
            .map(|write| part(&write.slice))
            .chain(slices.values().map(part))
            .collect();
        let ours: Vec<(Names, Vec<Write>)> =
            variants.iter().map(|(names, writes)| (names.clone(), of(writes))).collect();
        let mut names = Names::new();
        for part in parts {
            let only = |numbers: Numbers| numbers.only(&part);
            let mut candidates = self
                .peers(&facts, &slices, &peer)
                .into_iter()
                .flat_map(|(peer_rules, peer)| {
                    let numbers = only(count(&peer));
                    let mut all = vec![(peer_rules.clone(), numbers.clone())];
                    for rule in &RULES {
                        if let How::NoPlaceholder(applies) = rule.how
                            && applies(&facts)
                        {
                            let with = peer_rules.iter().copied().chain([rule.name]).collect::<Names>();
                            all.extend(
                                numbers
                                    .without_placeholder()
                                    .into_iter()
                                    .map(|numbers| (with.clone(), numbers)),
                            );
                        }
                    }
                    all
                })
                .flat_map(|(peer_rules, peer)| {
                    ours.iter()
                        .flat_map(|(rules, writes)| {
                            let extra = RULES
                                .iter()
                                .find(|rule| matches!(rule.how, How::Together))
                                .map(|rule| rule.name);
                            [
                                (rules.clone(), only(count(writes))),
                                (
                                    rules.iter().copied().chain(extra).collect(),
                                    only(count(writes)).together(writes, &part),
                                ),
                            ]
                        })
                        .map(move |(rules, ours)| {
                            (rules.union(&peer_rules).copied().collect::<Names>(), ours == peer)
                        })
                        .collect::<Vec<_>>()
                })
                .filter(|(_, equal)| *equal)
                .map(|(rules, _)| rules)
                .collect::<Vec<_>>();
            candidates.sort_by_key(Names::len);
            if let Some(found) = candidates.into_iter().next() {
                names.extend(found);
                continue;
            }
            let fails =
                RULES.iter().find(|rule| matches!(rule.how, How::Fails(fails) if fails(&facts, &part)));
            match fails {
                Some(rule) => drop(names.insert(rule.name)),
                None => {
                    return Err(self.tell(key, &facts, &only(count(&of(&self.ours))), &only(count(&peer))));
                }
            }
        }
        Ok(names)
    }

    /// The peer's writes, and those without the ones that a rule says are none.
    fn peers(&self, facts: &Facts<'_>, slices: &Slices, peer: &[Write]) -> Vec<(Names, Vec<Write>)> {
        let mut all = vec![(Names::new(), peer.to_vec())];
        let mut standing = slices.clone();
        let (mut kept, mut names) = (Vec::new(), Names::new());
        for write in peer {
            let at = key_of(&write.slice);
            let rule = standing.get(&at).and_then(|before| {
                RULES.iter().find(|rule| matches!(rule.how, How::Nothing(nothing) if nothing(facts, before) && changes_nothing(before, write)))
            });
            match rule {
                Some(rule) => drop(names.insert(rule.name)),
                None => kept.push(write.clone()),
            }
            match write.verb {
                Verb::Delete => standing.remove(&at),
                _ => standing.insert(at, write.slice.clone()),
            };
        }
        if !names.is_empty() {
            all.push((names, kept));
        }
        all
    }

    fn tell(&self, key: &Key, facts: &Facts<'_>, ours: &Numbers, peer: &Numbers) -> String {
        let mut text = format!(
            "{} of maximum {}: {}/{}\n{}",
            self.frozen.name,
            self.frozen.max,
            key.0,
            key.1,
            difference(ours, peer)
        );
        for line in facts.failures.iter().take(3) {
            text.push_str(&format!("  log: {line}\n"));
        }
        let of_key = |write: &&Write| service_of(&write.slice) == *key;
        let objects = [Some(facts.service), facts.endpoints].into_iter().flatten();
        let slices = self.before.values().filter(|slice| service_of(slice) == *key);
        for object in objects.chain(slices) {
            text.push_str(&format!("  before: {}\n", brief(object)));
        }
        for (side, writes) in [("ours", &self.ours), ("kube-controller-manager", &self.frozen.peer)] {
            for write in writes.iter().filter(of_key) {
                text.push_str(&format!("  {side}: {:?} {}\n", write.verb, brief(&write.slice)));
            }
        }
        text
    }
}

fn brief(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
    object
}
