//! Differences that are meant: one rule for each, with its reason, and as narrow as it can be said.
//!
//! There are two kinds. Some differences stay: [`explain`] takes them out of what both twins say, and
//! what is left must be equal. Others are of time only: the peer sleeps where we wake, so it is woken
//! ([`may_sleep`] says whether there is a reason why it may sleep), and then all must be equal.

mod mirrored;
mod published;
mod selector;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::auto;
use super::compare::{Groups, Said, groups};
use super::desired::selects;
use super::pair::Complaint;
use crate::support::history::{Change, Kind, Operation, State, Tampering};
use crate::support::world::{MIRRORING_LOOP, SELECTOR_LOOP};

pub use published::astray;

/// How often each rule was needed.
pub type Fired = BTreeMap<&'static str, usize>;

/// A rule: its name, and why the difference is meant.
pub struct Rule {
    pub name: &'static str,
    pub reason: &'static str,
}

/// All rules, in the order in which a summary prints them.
pub const RULES: [Rule; 24] = [
    Rule {
        name: EXISTS,
        reason: "upstream's mirroring asks for a new slice under the name of one that it is about to recycle, and does not get past the conflict; ours never pairs slices of two address types",
    },
    Rule {
        name: TAKEN,
        reason: "slices that somebody tampered with while they were meant to differ stay as they were on both, where no loop looks after them",
    },
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
        reason: "Services that could have hints now are woken by Node changes; upstream wakes only overloaded ones, and sees a Node's CPU and role only when some Node comes, goes, or changes readiness or zone",
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

const EXISTS: &str = "name exists in the peer";
const TAKEN: &str = "taken over as they were";
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

/// A rule takes what is meant out of what ours and the peer say.
type Explain = fn(&Facts<'_>, &mut Vec<Said>, &mut Vec<Said>);

const EXPLAIN: [(&str, Explain); 13] = [
    (MIRRORED_OWNER, mirrored::owner_lost),
    (MIRRORED_HINT, mirrored::hint),
    (GENERATE_NAME, mirrored::generate_name),
    (PLACEHOLDER, selector::placeholder),
    (EMPTY, selector::empty),
    (AUTO, selector::auto_hints),
    (HEADLESS, selector::headless),
    (ANNOTATION, selector::annotation),
    (REFUSED, selector::refused_address),
    (STUCK, selector::stuck),
    (BY_VALUE, mirrored::by_value),
    (SAME_NAME, mirrored::same_name),
    (EXISTS, mirrored::name_exists),
];

/// Takes meant differences out of both; the names of the rules without which they would not be equal.
pub fn explain(facts: &Facts<'_>, ours: &mut Vec<Said>, peer: &mut Vec<Said>) -> Vec<&'static str> {
    let (first, second) = (ours.clone(), peer.clone());
    let mut fired = apply(facts, ours, peer, &|_| true);
    if groups(ours) == groups(peer) {
        let mut spared: Vec<&str> = Vec::new();
        for rule in fired.clone() {
            let (mut one, mut two) = (first.clone(), second.clone());
            apply(facts, &mut one, &mut two, &|name| name != rule && !spared.contains(&name));
            if groups(&one) == groups(&two) {
                spared.push(rule);
            }
        }
        fired.retain(|rule| !spared.contains(rule));
    }
    fired
}

/// Applies the wanted rules until nothing differs; those that changed something.
fn apply(
    facts: &Facts<'_>,
    ours: &mut Vec<Said>,
    peer: &mut Vec<Said>,
    wanted: &dyn Fn(&str) -> bool,
) -> Vec<&'static str> {
    let mut fired = Vec::new();
    let mut said = (groups(ours), groups(peer));
    for (name, rule) in EXPLAIN.iter().filter(|(name, _)| wanted(name)) {
        if said.0 == said.1 {
            break;
        }
        let before = (ours.clone(), peer.clone());
        rule(facts, ours, peer);
        if (&*ours, &*peer) != (&before.0, &before.1) {
            said = (groups(ours), groups(peer));
            fired.push(*name);
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

/// Whether the peer may still count Nodes as they were.
pub fn nodes_are_old(why: &[&'static str]) -> bool {
    why.contains(&AUTO_NODES)
}

/// Whether the reasons are such that ours may sleep too.
pub fn both_sleep(why: &[&'static str]) -> bool {
    why.contains(&NODE_GOES)
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
    for slices in [&mut *ours, &mut *peer] {
        slices.retain(|said| said.manager != SELECTOR_LOOP);
    }
    if ours.len() + peer.len() < before { vec![LEFT] } else { Vec::new() }
}

/// Takes out of both what nobody looks after, where somebody tampered while they differed for a reason (each
/// twin had its own slices to tamper with): what belongs to neither loop, and what is left where there is no
/// selector. It differs for ever then.
pub fn leave_out_taken(facts: &Facts<'_>, ours: &mut Vec<Said>, peer: &mut Vec<Said>) -> Vec<&'static str> {
    let before = ours.len() + peer.len();
    for slices in [&mut *ours, &mut *peer] {
        slices.retain(|said| said.manager == SELECTOR_LOOP || said.manager == MIRRORING_LOOP);
    }
    leave_out_left(facts, ours, peer);
    if ours.len() + peer.len() < before { vec![TAKEN] } else { Vec::new() }
}

fn owner(kind: &str, name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": kind, "name": name, "uid": "live", "controller": true, "blockOwnerDeletion": true})
}
