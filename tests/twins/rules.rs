//! Differences that are meant: one rule for each, with its reason, and as narrow as it can be said.
//!
//! There are two kinds. Some differences stay: [`explain`] takes them out of what both twins say, and
//! what is left must be equal. Others are of time only: the peer sleeps where we wake, so it is woken
//! ([`may_sleep`] says whether there is a reason why it may sleep), and then all must be equal.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::compare::{Said, groups};
use super::desired::{self, refused, selects};
use crate::support::history::{Change, Kind, Operation, State, Tampering};
use crate::support::world::{MIRRORING_LOOP, SELECTOR_LOOP};

/// How often each rule fired.
pub type Fired = BTreeMap<&'static str, usize>;

/// A rule: its name, and why the difference is meant.
pub struct Rule {
    pub name: &'static str,
    pub reason: &'static str,
}

/// All rules, in the order in which a summary prints them.
pub const RULES: [Rule; 12] = [
    Rule {
        name: NODE_APPEARS,
        reason: "a Pod on an unknown Node wakes its Service when that Node appears; upstream waits for its backoff",
    },
    Rule {
        name: NODE_CHANGES,
        reason: "a changed zone wakes the Services with Pods on that Node; upstream keeps the old zone until the next sync",
    },
    Rule {
        name: NODE_GOES,
        reason: "a Node that goes wakes neither, so who syncs for another reason leaves its Pods out earlier; both are woken",
    },
    Rule {
        name: PHASE,
        reason: "a phase to or from terminal wakes its Services; upstream looks at readiness alone",
    },
    Rule {
        name: BOUND,
        reason: "a Pod that gets its Node wakes its Services; upstream waits for its backoff",
    },
    Rule {
        name: METADATA,
        reason: "an edited owner or annotation of a slice is repaired at once; upstream does not see it, since the generation stays",
    },
    Rule {
        name: NEVER_WROTE,
        reason: "a slice that was changed by somebody is repaired though this process never wrote it; upstream repairs only what it wrote since its start",
    },
    Rule {
        name: HEADLESS,
        reason: "the label headless is repaired on slices with endpoints too; upstream never does, and kube-proxy drops such slices",
    },
    Rule {
        name: REFUSED,
        reason: "an address that the API server refuses costs only itself; upstream fails to sync that family for ever",
    },
    Rule {
        name: ANNOTATION,
        reason: "a rewritten slice keeps annotations that are not ours; upstream drops them when it recycles a slice",
    },
    Rule {
        name: BY_VALUE,
        reason: "ports of Endpoints are compared by value; upstream compares appProtocol by pointer, and never joins equal ports that have one",
    },
    Rule {
        name: SAME_NAME,
        reason: "ports of one name stay in separate slices; upstream joins them, and the API server refuses that slice for ever",
    },
];

const NODE_APPEARS: &str = "node appears";
const NODE_CHANGES: &str = "node changes zone";
const NODE_GOES: &str = "node goes";
const PHASE: &str = "phase of a Pod";
const BOUND: &str = "Pod bound late";
const METADATA: &str = "owner or annotation edited";
const NEVER_WROTE: &str = "slice never written";
const HEADLESS: &str = "headless label repaired";
const REFUSED: &str = "address refused";
const ANNOTATION: &str = "annotation kept";
const BY_VALUE: &str = "ports by value";
const SAME_NAME: &str = "ports of one name";

const HEADLESS_LABEL: &str = "service.kubernetes.io/headless";

/// What a rule may know.
pub struct Facts<'a> {
    pub service: &'a str,
    /// What happened so far.
    pub past: &'a [Change],
    pub state: &'a State,
    /// The peer has forgotten what it wrote, since this history began.
    pub peer_restarted: bool,
}

impl<'a> Facts<'a> {
    fn object(&self, kind: Kind) -> Option<&'a Value> {
        self.state.get(kind, self.service)
    }

    /// The Pods that the Service selects now.
    fn pods(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let service = self.object(Kind::Service);
        self.state.all(Kind::Pod).filter(move |(_, pod)| service.is_some_and(|service| selects(service, pod)))
    }

    fn tampered(&self, how: impl Fn(&Tampering) -> bool) -> bool {
        self.past.iter().any(|change| match &change.operation {
            Operation::Tamper { service, how: found, .. } => service == self.service && how(found),
            _ => false,
        })
    }
}

/// Takes meant differences out of both; the names of the rules that did.
pub fn explain(facts: &Facts<'_>, ours: &mut Vec<Said>, peer: &mut Vec<Said>) -> Vec<&'static str> {
    type Explain = fn(&Facts<'_>, &mut Vec<Said>, &mut Vec<Said>);
    let all: [(&'static str, Explain); 5] = [
        (HEADLESS, headless),
        (ANNOTATION, annotation),
        (REFUSED, refused_address),
        (BY_VALUE, by_value),
        (SAME_NAME, same_name),
    ];
    let mut fired = Vec::new();
    for (name, rule) in all {
        let before = (groups(ours), groups(peer));
        if before.0 == before.1 {
            break;
        }
        rule(facts, ours, peer);
        if (groups(ours), groups(peer)) != before {
            fired.push(name);
        }
    }
    fired
}

/// Why the peer may still sleep though something is to be written.
pub fn may_sleep(facts: &Facts<'_>) -> Vec<&'static str> {
    let mut why = BTreeSet::new();
    for (name, pod) in facts.pods() {
        let node = pod["spec"]["nodeName"].as_str().unwrap_or_default();
        for change in facts.past.iter().filter(|change| change.why != "start") {
            match &change.operation {
                Operation::Create(Kind::Node, made) if made["metadata"]["name"] == node => {
                    why.insert(NODE_APPEARS);
                }
                Operation::Patch(Kind::Node, changed, _) if changed == node => {
                    why.insert(NODE_CHANGES);
                }
                Operation::Delete(Kind::Node, gone) if gone == node => {
                    why.insert(NODE_GOES);
                }
                Operation::PatchStatus(Kind::Pod, changed, status)
                    if changed == name && status["phase"].is_string() =>
                {
                    why.insert(PHASE);
                }
                Operation::Bind(bound, _) if bound == name => {
                    why.insert(BOUND);
                }
                _ => {}
            }
        }
    }
    let unseen =
        |how: &Tampering| matches!(how, Tampering::WrongOwner | Tampering::NoOwner | Tampering::Annotate(..));
    if facts.tampered(unseen) {
        why.insert(METADATA);
    }
    if facts.peer_restarted && facts.tampered(|_| true) {
        why.insert(NEVER_WROTE);
    }
    why.into_iter().collect()
}

/// Whether the reasons are such that ours may sleep too.
pub fn both_sleep(why: &[&'static str]) -> bool {
    why.contains(&NODE_GOES)
}

/// The peer's slices of the selector loop that have endpoints get the label as it should be.
fn headless(facts: &Facts<'_>, _: &mut Vec<Said>, peer: &mut Vec<Said>) {
    let Some(service) = facts.object(Kind::Service) else { return };
    let headless = service["spec"]["clusterIP"] == "None";
    for said in peer.iter_mut().filter(|said| said.manager == SELECTOR_LOOP && !said.endpoints.is_empty()) {
        match headless {
            true => said.labels.insert(HEADLESS_LABEL.to_string(), json!("")),
            false => said.labels.remove(HEADLESS_LABEL),
        };
    }
}

/// The annotation that histories put on slices is taken off where somebody put it.
fn annotation(facts: &Facts<'_>, ours: &mut Vec<Said>, peer: &mut Vec<Said>) {
    for said in ours.iter_mut().chain(peer.iter_mut()).filter(|said| said.manager == SELECTOR_LOOP) {
        for change in facts.past {
            if let Operation::Tamper { how: Tampering::Annotate(key, _), service, .. } = &change.operation
                && service == facts.service
            {
                said.annotations.remove(key);
            }
        }
    }
}

/// While a Pod has an address of a family that the API server refuses, the peer's slices of that
/// family are not looked at; ours must hold exactly what is desired.
fn refused_address(facts: &Facts<'_>, ours: &mut Vec<Said>, peer: &mut Vec<Said>) {
    let ended = |pod: &Value| ["Succeeded", "Failed"].iter().any(|phase| pod["status"]["phase"] == *phase);
    let addresses =
        facts.pods().filter(|(_, pod)| !ended(pod)).flat_map(|(_, pod)| pod["status"]["podIPs"].as_array());
    let bad = addresses.flatten().filter_map(|one| one["ip"].as_str()).filter(|ip| refused(ip));
    let types: BTreeSet<&str> = bad.map(|ip| if ip.contains(':') { "IPv6" } else { "IPv4" }).collect();
    for address_type in types {
        replace(facts, ours, peer, |said| said.manager == SELECTOR_LOOP && said.address_type == address_type);
    }
}

/// The peer's slices of some kind become ours, if ours publish exactly what is desired.
fn replace(facts: &Facts<'_>, ours: &[Said], peer: &mut Vec<Said>, which: impl Fn(&Said) -> bool) {
    let mine: Vec<&Said> = ours.iter().filter(|said| which(said)).collect();
    let all = desired::desired(facts.state);
    let desired = all.get(facts.service).cloned().unwrap_or_default();
    let published: BTreeSet<desired::Pair> = mine.iter().flat_map(|said| pairs(said)).collect();
    let of_types: BTreeSet<desired::Pair> = desired
        .into_iter()
        .filter(|(address, _)| {
            let address_type = if address.contains(':') { "IPv6" } else { "IPv4" };
            which(&Said { address_type: address_type.to_string(), ..blank(&mine) })
        })
        .collect();
    if published == of_types {
        let mine: Vec<Said> = mine.into_iter().cloned().collect();
        peer.retain(|said| !which(said));
        peer.extend(mine);
    }
}

/// A slice like these with nothing in it.
fn blank(like: &[&Said]) -> Said {
    let manager = like.first().map_or(SELECTOR_LOOP, |said| said.manager.as_str()).to_string();
    Said {
        manager,
        address_type: String::new(),
        ports: Vec::new(),
        labels: Map::new(),
        annotations: Map::new(),
        owners: Vec::new(),
        generate_name: Value::Null,
        finalizers: Value::Null,
        going: false,
        endpoints: Vec::new(),
    }
}

fn pairs(said: &Said) -> Vec<desired::Pair> {
    let names: Vec<Option<String>> = match said.ports.is_empty() {
        true => vec![None],
        false => said
            .ports
            .iter()
            .map(|port| Some(port["name"].as_str().unwrap_or_default().to_string()))
            .collect(),
    };
    let addresses = said.endpoints.iter().flat_map(|endpoint| endpoint["addresses"].as_array()).flatten();
    addresses
        .flat_map(|ip| names.iter().map(|name| (ip.as_str().unwrap_or_default().to_string(), name.clone())))
        .collect()
}

/// The ports of each subset of the Service's Endpoints.
fn subsets<'a>(facts: &Facts<'a>) -> Vec<Vec<&'a Value>> {
    let subsets = facts.object(Kind::Endpoints).and_then(|object| object["subsets"].as_array());
    let ports = |subset: &'a Value| subset["ports"].as_array().into_iter().flatten().collect();
    subsets.into_iter().flatten().map(ports).collect()
}

/// Where a port with appProtocol stands in more than one subset, mirrored slices are compared port
/// by port; an address that is not ready in one of them is not ready.
fn by_value(facts: &Facts<'_>, ours: &mut Vec<Said>, peer: &mut Vec<Said>) {
    let with = subsets(facts)
        .iter()
        .filter(|ports| ports.iter().any(|port| port["appProtocol"].is_string()))
        .count();
    if with > 1 {
        *ours = port_by_port(ours);
        *peer = port_by_port(peer);
    }
}

fn port_by_port(slices: &[Said]) -> Vec<Said> {
    let (mirrored, mut result): (Vec<&Said>, Vec<&Said>) =
        slices.iter().partition(|said| said.manager == MIRRORING_LOOP && !said.ports.is_empty());
    let mut singles: Vec<Said> = Vec::new();
    for said in mirrored {
        for port in &said.ports {
            let single = Said { ports: vec![port.clone()], endpoints: Vec::new(), ..said.clone() };
            let at =
                singles.iter().position(|known| Said { endpoints: Vec::new(), ..known.clone() } == single);
            let at = at.unwrap_or_else(|| {
                singles.push(single);
                singles.len() - 1
            });
            for endpoint in &said.endpoints {
                let known = singles[at]
                    .endpoints
                    .iter_mut()
                    .find(|known| known["addresses"] == endpoint["addresses"]);
                match known {
                    Some(known) if endpoint["conditions"]["ready"] == false => *known = endpoint.clone(),
                    Some(_) => {}
                    None => singles[at].endpoints.push(endpoint.clone()),
                }
            }
        }
    }
    let mut all: Vec<Said> = result.drain(..).cloned().collect();
    all.extend(singles);
    all
}

/// Where an address has two ports of one name, the peer's mirrored slices are not looked at; ours must
/// hold exactly what is desired.
fn same_name(facts: &Facts<'_>, ours: &mut Vec<Said>, peer: &mut Vec<Said>) {
    let subsets = subsets(facts);
    let mut numbers: BTreeMap<&str, Vec<(usize, &Value)>> = BTreeMap::new();
    for (at, ports) in subsets.iter().enumerate() {
        for port in ports {
            numbers.entry(port["name"].as_str().unwrap_or_default()).or_default().push((at, port));
        }
    }
    // By value, or by the pointer of appProtocol.
    let twice = |found: &Vec<(usize, &Value)>| {
        found.iter().any(|(_, one)| found.iter().any(|(_, two)| one["port"] != two["port"]))
            || found.len() > 1 && found.iter().any(|(_, one)| one["appProtocol"].is_string())
    };
    if numbers.values().any(twice) {
        replace(facts, ours, peer, |said| said.manager == MIRRORING_LOOP);
    }
}
