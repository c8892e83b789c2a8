//! Compares what the peer wrote from a frozen state with what `plan` says, and finds the rules that
//! explain what differs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::case::{Case, Names, Plans};
use super::cluster::Frozen;
use super::numbers::{Key, Numbers, Part, Slices, Write, difference, key_of, numbers, service_of, slices};
use super::plan::plan;
use super::rules::{Facts, How, RULES, Rule};

/// What came of one frozen state of a whole cluster.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    /// Services.
    pub states: usize,
    /// Those for which either side writes.
    pub with_writes: usize,
    /// Those whose numbers are equal.
    pub equal: usize,
    /// The equal ones for which something is written.
    pub equal_with_writes: usize,
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
        self.equal_with_writes += other.equal_with_writes;
        self.explained += other.explained;
        self.control += other.control;
        self.unexplained.extend(other.unexplained);
        for (rule, count) in other.fired {
            *self.fired.entry(rule).or_default() += count;
        }
    }
}

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
            let writes = usize::from(one.written() + two.written() > 0);
            verdict.with_writes += writes;
            verdict.control += usize::from(other.get(&key).unwrap_or(&none) != two);
            if one == two {
                verdict.equal += 1;
                verdict.equal_with_writes += writes;
            } else {
                differ.push(key);
            }
        }
        let plans = self.plans(&differ);
        for key in differ {
            match self.explain(&key, &plans) {
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

    /// What `plan` says of these Services, as they are and without the reasons of rules.
    fn plans(&self, keys: &[Key]) -> Plans {
        let facts: BTreeMap<&Key, Facts<'_>> = keys.iter().map(|key| (key, self.facts(key))).collect();
        let namespaces: BTreeSet<&str> = keys.iter().map(|key| key.0.as_str()).collect();
        let concerned = |item: &&Value| {
            item["metadata"]["namespace"].as_str().is_none_or(|name| namespaces.contains(name))
        };
        let items: Vec<Value> = self.frozen.items.iter().filter(concerned).cloned().collect();
        let rules: Vec<&Rule> = RULES.iter().filter(|rule| matches!(rule.how, How::Without(_))).collect();
        let mut variants = vec![(Names::new(), self.ours.clone())];
        for set in 1..1_usize << rules.len() {
            let chosen = (0..rules.len()).filter(|at| set >> at & 1 == 1).map(|at| rules[at]);
            let chosen: Vec<&Rule> = chosen.collect();
            let mut used = Names::new();
            let mut items = items.clone();
            for item in items.iter_mut().filter(|item| item["kind"] == "EndpointSlice") {
                let Some(facts) = facts.get(&service_of(item)) else { continue };
                for rule in &chosen {
                    if matches!(rule.how, How::Without(without) if without(facts, item)) {
                        used.insert(rule.name);
                    }
                }
            }
            if used.len() == chosen.len() {
                variants.push((used, plan(&items, self.frozen.max)));
            }
        }
        Plans { variants, alive: self.alive(items) }
    }

    fn alive(&self, mut items: Vec<Value>) -> Vec<Write> {
        let mut went = false;
        for item in items.iter_mut().filter(|item| item["kind"] == "Service" || item["kind"] == "Endpoints") {
            let metadata = item["metadata"].as_object_mut().expect("metadata");
            went |= metadata.remove("deletionTimestamp").is_some();
        }
        if went { plan(&items, self.frozen.max) } else { self.ours.clone() }
    }

    /// The rules that explain all that differs of a Service, or what differs.
    fn explain(&self, key: &Key, plans: &Plans) -> Result<Names, String> {
        let case = Case::new(key, self.facts(key), &self.before, plans, &self.frozen.peer);
        let mut names = Names::new();
        for part in case.parts() {
            match case.explained_by(&part) {
                Some(rules) => names.extend(rules),
                None => return Err(self.tell(key, &case, &part)),
            }
        }
        Ok(names)
    }

    fn tell(&self, key: &Key, case: &Case<'_>, part: &Part) -> String {
        let (ours, peer) = case.raw(part);
        let (name, max) = (&self.frozen.name, self.frozen.max);
        let mut text = format!("{name} of maximum {max}: {}/{}\n{}", key.0, key.1, difference(&ours, &peer));
        for line in case.facts.failures.iter().take(3) {
            text.push_str(&format!("  log: {line}\n"));
        }
        let objects = [Some(case.facts.service), case.facts.endpoints].into_iter().flatten();
        let slices = self.before.values().filter(|slice| service_of(slice) == *key);
        for object in objects.chain(slices) {
            text.push_str(&format!("  before: {}\n", brief(object)));
        }
        for (side, writes) in [("ours", &self.ours), ("kube-controller-manager", &self.frozen.peer)] {
            for write in writes.iter().filter(|write| service_of(&write.slice) == *key) {
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
