//! Faults on request, for tests: what the server does wrong, when and how often.
//!
//! A [`Rule`] says which requests meet a [`Fault`]; rules apply in the order in which they were made, and
//! a request meets the faults of every rule that it fits. What watches show is bent apart from that:
//! [`Faults::freeze`] and [`Faults::hide`] hold for the watches that are open as well.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::api::Verb;
use super::kinds::Kind;
use super::status::Status;
use super::store::{Change, Happened};

/// A refusal that has no cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP code.
    pub code: u16,
    /// Seconds, for the header `Retry-After`.
    pub retry_after: Option<u32>,
}

impl Refusal {
    /// A refusal with this code and without `Retry-After`.
    #[must_use]
    pub fn new(code: u16) -> Refusal {
        Refusal { code, retry_after: None }
    }

    pub(super) fn status(&self) -> Status {
        let (reason, message) = match self.code {
            401 => ("Unauthorized", "Unauthorized"),
            403 => ("Forbidden", "forbidden on purpose"),
            404 => ("NotFound", "the server could not find the requested resource"),
            409 => (
                "Conflict",
                "the object has been modified; please apply your changes to the latest version and try again",
            ),
            410 => ("Expired", "The resourceVersion for the provided list is too old."),
            429 => (
                "TooManyRequests",
                "the server has received too many requests and has asked us to try again later",
            ),
            500 => ("InternalError", "Internal error occurred: on purpose"),
            503 => ("ServiceUnavailable", "the server is currently unable to handle the request"),
            504 => (
                "Timeout",
                "the server was unable to return a response in the time allotted, but may still be processing the request",
            ),
            _ => ("", "refused on purpose"),
        };
        Status { retry_after: self.retry_after, ..Status::new(self.code, reason, message) }
    }
}

/// What goes wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not handled, but refused.
    Refuse(Refusal),
    /// It is handled, and then answered like this.
    StoreThenRefuse(Refusal),
    /// Its connection is reset before it is handled.
    ResetBefore,
    /// Its connection is reset after it was handled.
    ResetAfter,
    /// The answer begins (200) and never goes on; the connection stays open.
    HalfOpen,
    /// The connection is cut after so many bytes of the answer's body.
    Truncate(usize),
    /// The object of this name (empty: every object) is shown with wrong types in all its fields but the
    /// metadata, in reads and watches.
    Undecodable(String),
    /// It waits before it is handled.
    Delay(Duration),
    /// A list shows what stood at this version.
    Stale(u64),
}

/// Which requests meet a fault.
#[derive(Clone, Debug)]
pub struct Rule {
    /// `None`: whatever is done.
    pub verb: Option<Verb>,
    /// `None`: every kind.
    pub kind: Option<Kind>,
    /// Requests for the object of this name. `None`: for any and for collections.
    pub name: Option<String>,
    /// So many requests that fit pass before the first one that meets the fault.
    pub after: usize,
    /// So many requests meet it. `None`: all until the rule is dropped by [`Faults::clear`].
    pub times: Option<usize>,
    /// What they meet.
    pub fault: Fault,
}

impl Rule {
    /// Every request of this verb and kind, once.
    #[must_use]
    pub fn once(verb: Verb, kind: Kind, fault: Fault) -> Rule {
        Rule { verb: Some(verb), kind: Some(kind), name: None, after: 0, times: Some(1), fault }
    }

    /// Every request of this verb and kind, until [`Faults::clear`].
    #[must_use]
    pub fn always(verb: Verb, kind: Kind, fault: Fault) -> Rule {
        Rule { times: None, ..Rule::once(verb, kind, fault) }
    }

    fn fits(&self, verb: Verb, kind: Kind, name: Option<&str>) -> bool {
        self.verb.is_none_or(|own| own == verb)
            && self.kind.is_none_or(|own| own == kind)
            && self.name.as_deref().is_none_or(|own| name == Some(own))
    }
}

/// Counts how often a rule applied.
#[derive(Clone, Debug, Default)]
pub struct Met(Arc<AtomicUsize>);

impl Met {
    /// So many requests (or changes) met the fault so far.
    #[must_use]
    pub fn times(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

struct Script {
    rule: Rule,
    met: Met,
}

/// Changes that no watch shows.
struct Hidden {
    kind: Kind,
    name: Option<String>,
    happened: Option<Happened>,
    left: usize,
    /// The versions of the changes that were hidden: every watch hides the same.
    versions: BTreeSet<u64>,
    /// Changes up to this version are older than the wish.
    after: u64,
    met: Met,
}

#[derive(Default)]
struct State {
    scripts: Vec<Script>,
    hidden: Vec<Hidden>,
    frozen: BTreeMap<Kind, u64>,
}

/// What a sandbox is told to do wrong.
#[derive(Default)]
pub struct Faults {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

impl Faults {
    /// Adds a rule.
    pub fn add(&self, rule: Rule) -> Met {
        let met = Met::default();
        self.state.lock().scripts.push(Script { rule, met: met.clone() });
        met
    }

    /// Does everything right again.
    pub fn clear(&self) {
        *self.state.lock() = State::default();
        self.wake();
    }

    /// Shows watches of a kind, open and new ones, nothing after `version`, until [`thaw`](Faults::thaw).
    pub fn freeze(&self, kind: Kind, version: u64) {
        self.state.lock().frozen.insert(kind, version);
        self.wake();
    }

    /// Lets watches of a kind go on.
    pub fn thaw(&self, kind: Kind) {
        self.state.lock().frozen.remove(&kind);
        self.wake();
    }

    /// Hides from all watches the next `times` changes of a kind after version `after`, of the object of
    /// this name only, or of this sort only.
    pub fn hide(
        &self,
        kind: Kind,
        name: Option<&str>,
        happened: Option<Happened>,
        after: u64,
        times: usize,
    ) -> Met {
        let met = Met::default();
        let hidden = Hidden {
            kind,
            name: name.map(str::to_owned),
            happened,
            left: times,
            versions: BTreeSet::new(),
            after,
            met: met.clone(),
        };
        self.state.lock().hidden.push(hidden);
        met
    }

    /// The faults that a request meets.
    pub(super) fn take(&self, verb: Verb, kind: Kind, name: Option<&str>) -> Vec<Fault> {
        let mut met = Vec::new();
        for script in &mut self.state.lock().scripts {
            let rule = &mut script.rule;
            if !rule.fits(verb, kind, name) || rule.times == Some(0) {
                continue;
            }
            if rule.after > 0 {
                rule.after -= 1;
                continue;
            }
            rule.times = rule.times.map(|times| times - 1);
            script.met.0.fetch_add(1, Ordering::SeqCst);
            met.push(rule.fault.clone());
        }
        met
    }

    /// The version after which watches of a kind show nothing.
    pub(super) fn frozen(&self, kind: Kind) -> Option<u64> {
        self.state.lock().frozen.get(&kind).copied()
    }

    /// Whether watches do not show a change.
    pub(super) fn hides(&self, kind: Kind, change: &Change) -> bool {
        let version = change.object.version;
        for hidden in &mut self.state.lock().hidden {
            if hidden.versions.contains(&version) && hidden.kind == kind {
                return true;
            }
            let fits = hidden.kind == kind
                && version > hidden.after
                && hidden.left > 0
                && hidden.name.as_deref().is_none_or(|name| change.object.key.name == name)
                && hidden.happened.is_none_or(|happened| change.happened == happened);
            if fits {
                hidden.left -= 1;
                hidden.versions.insert(version);
                hidden.met.0.fetch_add(1, Ordering::SeqCst);
                return true;
            }
        }
        false
    }

    /// Wakes watches when what they show changes by a fault.
    pub(super) fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn wake(&self) {
        self.changed.send_modify(|count| *count += 1);
    }
}
