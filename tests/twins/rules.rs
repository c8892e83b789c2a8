//! Differences that are meant: one rule for each, with its reason, and as narrow as it can be said.
//!
//! There are two kinds. Some differences stay: [`explain`] takes them out of what both twins say, and
//! what is left must be equal. Others are of time only: the peer sleeps where we wake, so it is woken
//! ([`may_sleep`] says whether there is a reason why it may sleep), and then all must be equal.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::auto;
use super::compare::{Groups, Said, groups};
use super::desired::{self, Pair, refused, selects};
use super::pair::Complaint;
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
pub const RULES: [Rule; 23] = [
    Rule {
        name: BACKOFF,
        reason: "a sync that failed in the peer is tried again after its backoff; ours did not fail (a slice that is gone is no error, a Node that is missing no reason to wait)",
    },
    Rule {
        name: EMPTY,
        reason: "an empty slice of a group that is desired, though no Pod of it has an address to publish, is there or not as the order of events was, in both",
    },
    Rule {
        name: MIRRORED_OWNER,
        reason: "a mirrored slice without owner gets it back; upstream looks only at owners that are there",
    },
    Rule {
        name: MIRRORED_HINT,
        reason: "hints in mirrored slices are taken off; upstream does not look at them",
    },
    Rule {
        name: AUTO,
        reason: "which hints move between zones is random upstream, and it may leave a zone short; ours is held to the bound itself",
    },
    Rule {
        name: AUTO_NODES,
        reason: "Services that could have hints now are woken by Node changes; upstream wakes only overloaded ones",
    },
    Rule {
        name: STUCK,
        reason: "a slice that left its Service (deleted and made again, or another manager's now) stays in upstream's tracker, and it never syncs that Service again (#141592); ours goes on",
    },
    Rule {
        name: GENERATE_NAME,
        reason: "a rewritten mirrored slice keeps its generateName; upstream drops it when it recycles a slice",
    },
    Rule {
        name: PLACEHOLDER,
        reason: "a placeholder of another owner is replaced; upstream keeps it, though garbage collection takes it away",
    },
    Rule {
        name: LEFT,
        reason: "slices that were meant to differ when the selector went stay as they were on both",
    },
    Rule {
        name: NOT_READY,
        reason: "hints of endpoints that are not ready depend on whether their slice was rebuilt, and upstream spreads endpoints at random",
    },
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
        reason: "the label headless is repaired; upstream does not look at it in slices that need no other write, and kube-proxy drops such slices",
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

const BACKOFF: &str = "peer waits after a failure";
const EMPTY: &str = "empty slice";
const MIRRORED_OWNER: &str = "owner of a mirrored slice";
const MIRRORED_HINT: &str = "hint in a mirrored slice";
const AUTO: &str = "hints of mode Auto";
const AUTO_NODES: &str = "Nodes of mode Auto";
const STUCK: &str = "peer is stuck";
const GENERATE_NAME: &str = "generateName kept";
const PLACEHOLDER: &str = "placeholder's owner";
const LEFT: &str = "left as they were";
const NOT_READY: &str = "hints of not ready";
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
    /// What it complains of.
    pub peer: Complaint,
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
    let all: [(&'static str, Explain); 13] = [
        (MIRRORED_OWNER, mirrored_owner),
        (MIRRORED_HINT, mirrored_hint),
        (GENERATE_NAME, generate_name),
        (NOT_READY, not_ready),
        (PLACEHOLDER, placeholder),
        (EMPTY, empty),
        (AUTO, auto_hints),
        (HEADLESS, headless),
        (ANNOTATION, annotation),
        (REFUSED, refused_address),
        (STUCK, stuck),
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
    let of_nodes = |change: &Change| matches!(change.operation.target(), Some((Kind::Node, _)));
    if facts.object(Kind::Service).is_some_and(auto::asked) && facts.past.iter().any(of_nodes) {
        why.insert(AUTO_NODES);
    }
    let unseen =
        |how: &Tampering| matches!(how, Tampering::WrongOwner | Tampering::NoOwner | Tampering::Annotate(..));
    if facts.peer.failed {
        why.insert(BACKOFF);
    }
    if facts.tampered(unseen) {
        why.insert(METADATA);
    }
    if facts.peer_restarted && facts.tampered(|_| true) {
        why.insert(NEVER_WROTE);
    }
    why.into_iter().collect()
}

/// The slices that nobody touches now, with nothing in them that changes by itself.
pub type Left = Groups;

/// Slices of the selector loop; where the Service has no selector (any more), nobody looks after them.
pub fn left_alone(_: &Facts<'_>, slices: &[Said]) -> Left {
    let mut slices: Vec<Said> = slices.iter().filter(|said| said.manager == SELECTOR_LOOP).cloned().collect();
    for said in &mut slices {
        said.owners.iter_mut().for_each(|owner| owner["uid"] = Value::Null);
        for endpoint in &mut said.endpoints {
            if let Some(target) = endpoint.get_mut("targetRef") {
                target["uid"] = Value::Null;
            }
        }
    }
    groups(&slices)
}

/// Takes them out of both, where the Service is such.
pub fn leave_out_left(facts: &Facts<'_>, ours: &mut Vec<Said>, peer: &mut Vec<Said>) -> Vec<&'static str> {
    let Some(spec) = facts.object(Kind::Service).map(|service| &service["spec"]) else { return Vec::new() };
    let selects = spec["selector"].as_object().is_some_and(|pairs| !pairs.is_empty());
    if selects && spec["type"] != "ExternalName" {
        return Vec::new();
    }
    let before = ours.len() + peer.len();
    for slices in [ours, peer] {
        slices.retain(|said| said.manager != SELECTOR_LOOP);
    }
    if before > 0 { vec![LEFT] } else { Vec::new() }
}

/// Whether the reasons are such that ours may sleep too.
pub fn both_sleep(why: &[&'static str]) -> bool {
    why.contains(&NODE_GOES)
}

/// Mirrored slices of the peer that somebody took the owner from get it back.
fn mirrored_owner(facts: &Facts<'_>, _: &mut Vec<Said>, peer: &mut Vec<Said>) {
    if !facts.tampered(|how| *how == Tampering::NoOwner) {
        return;
    }
    for said in peer.iter_mut().filter(|said| said.manager == MIRRORING_LOOP && said.owners.is_empty()) {
        said.owners = vec![owner("Endpoints", facts.service)];
    }
}

fn owner(kind: &str, name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": kind, "name": name, "uid": "live", "controller": true, "blockOwnerDeletion": true})
}

/// Empty slices beside others of their type are taken out of both, if a Pod has exactly their ports.
fn empty(facts: &Facts<'_>, ours: &mut Vec<Said>, peer: &mut Vec<Said>) {
    let Some(service) = facts.object(Kind::Service) else { return };
    let wanted: BTreeSet<Vec<Option<String>>> =
        facts.pods().map(|(_, pod)| desired::ports(&service["spec"], pod)).collect();
    for slices in [ours, peer] {
        let types: Vec<String> = slices.iter().map(|said| said.address_type.clone()).collect();
        slices.retain(|said| {
            let beside_others = types.iter().filter(|found| **found == said.address_type).count() > 1;
            let mut names = names(said);
            names.sort();
            let desired =
                wanted.iter().any(|wanted| wanted.iter().collect::<BTreeSet<_>>() == names.iter().collect());
            !(said.manager == SELECTOR_LOOP && said.endpoints.is_empty() && beside_others && desired)
        });
    }
}

/// Hints that somebody put into the peer's mirrored slices are taken off.
fn mirrored_hint(facts: &Facts<'_>, _: &mut Vec<Said>, peer: &mut Vec<Said>) {
    if !facts.tampered(|how| *how == Tampering::WrongHint) {
        return;
    }
    for said in peer.iter_mut().filter(|said| said.manager == MIRRORING_LOOP) {
        for endpoint in said.endpoints.iter_mut().filter_map(Value::as_object_mut) {
            endpoint.remove("hints");
        }
    }
}

/// In mode Auto the hints of ready endpoints are not compared, if both have some or none in each
/// family, and ours are as they must be.
fn auto_hints(facts: &Facts<'_>, ours: &mut Vec<Said>, peer: &mut Vec<Said>) {
    if !facts.object(Kind::Service).is_some_and(auto::asked) {
        return;
    }
    for address_type in ["IPv4", "IPv6"] {
        let of_type = |said: &&Said| said.manager == SELECTOR_LOOP && said.address_type == address_type;
        let mine: Vec<&Said> = ours.iter().filter(of_type).collect();
        let theirs: Vec<&Said> = peer.iter().filter(of_type).collect();
        if auto::hinted(&mine) != auto::hinted(&theirs) || !auto::right(facts.state, &mine) {
            return;
        }
    }
    for said in ours.iter_mut().chain(peer.iter_mut()).filter(|said| said.manager == SELECTOR_LOOP) {
        for endpoint in said.endpoints.iter_mut().filter_map(Value::as_object_mut) {
            endpoint.remove("hints");
        }
    }
}

/// A mirrored slice of the peer that has lost its generateName gets it back.
fn generate_name(facts: &Facts<'_>, _: &mut Vec<Said>, peer: &mut Vec<Said>) {
    for said in peer.iter_mut().filter(|said| said.manager == MIRRORING_LOOP && said.generate_name.is_null())
    {
        said.generate_name = json!(format!("{}-", facts.service));
    }
}

/// Endpoints of the selector loop that are not ready lose their hints.
fn not_ready(_: &Facts<'_>, ours: &mut Vec<Said>, peer: &mut Vec<Said>) {
    let slices = ours.iter_mut().chain(peer.iter_mut()).filter(|said| said.manager == SELECTOR_LOOP);
    for endpoint in slices.flat_map(|said| said.endpoints.iter_mut()) {
        if endpoint["conditions"]["ready"] != true
            && let Some(endpoint) = endpoint.as_object_mut()
        {
            endpoint.remove("hints");
        }
    }
}

/// A placeholder of the peer that belongs to nobody who lives becomes the Service's.
fn placeholder(facts: &Facts<'_>, _: &mut Vec<Said>, peer: &mut Vec<Said>) {
    let is_placeholder = |said: &&mut Said| {
        said.manager == SELECTOR_LOOP && said.ports.is_empty() && said.endpoints.is_empty()
    };
    for said in peer.iter_mut().filter(is_placeholder) {
        if !said.owners.iter().any(|owner| owner["uid"] == "live") {
            said.owners = vec![owner("Service", facts.service)];
        }
    }
}

/// The peer says that it will not sync this Service: ours must hold exactly what is desired.
fn stuck(facts: &Facts<'_>, ours: &mut Vec<Said>, peer: &mut Vec<Said>) {
    let recreated = || {
        let deleted = |change: &&Change| matches!(&change.operation, Operation::Delete(Kind::Service, name) if name == facts.service);
        facts.past.iter().any(|change| deleted(&change))
    };
    let left = |how: &Tampering| matches!(how, Tampering::TakeOver(_) | Tampering::ServiceName(_));
    if facts.peer.stuck && (facts.tampered(left) || recreated()) {
        replace(facts, ours, peer, SELECTOR_LOOP, None);
        replace(facts, ours, peer, MIRRORING_LOOP, None);
    }
}

/// The peer's slices of the selector loop get the label as it should be.
fn headless(facts: &Facts<'_>, _: &mut Vec<Said>, peer: &mut Vec<Said>) {
    let Some(service) = facts.object(Kind::Service) else { return };
    let headless = service["spec"]["clusterIP"] == "None";
    for said in peer.iter_mut().filter(|said| said.manager == SELECTOR_LOOP) {
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
        replace(facts, ours, peer, SELECTOR_LOOP, Some(address_type));
    }
}

/// The peer's slices of a loop (and of one type) become ours, if ours publish exactly what is desired.
fn replace(
    facts: &Facts<'_>,
    ours: &[Said],
    peer: &mut Vec<Said>,
    manager: &str,
    address_type: Option<&str>,
) {
    let of_type = |found: &str| address_type.is_none_or(|wanted| wanted == found);
    let which = |said: &Said| said.manager == manager && of_type(&said.address_type);
    let mine: Vec<Said> = ours.iter().filter(|said| which(said)).cloned().collect();
    let published: BTreeSet<Pair> = mine.iter().flat_map(pairs).collect();
    let mut desired = desired::desired(facts.state).remove(facts.service).unwrap_or_default();
    desired.retain(|(address, _)| of_type(if address.contains(':') { "IPv6" } else { "IPv4" }));
    if published == desired {
        peer.retain(|said| !which(said));
        peer.extend(mine);
    }
}

/// The names of its ports; no name where it has none.
fn names(said: &Said) -> Vec<Option<String>> {
    match said.ports.is_empty() {
        true => vec![None],
        false => said
            .ports
            .iter()
            .map(|port| Some(port["name"].as_str().unwrap_or_default().to_string()))
            .collect(),
    }
}

fn pairs(said: &Said) -> Vec<Pair> {
    let names = names(said);
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
        replace(facts, ours, peer, MIRRORING_LOOP, None);
    }
}
