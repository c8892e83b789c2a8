//! An API server with a version counter, somebody else who writes, and us: writes are executed and
//! answered, reads answered, events and lists shown at any time relative to each other. Whatever the
//! order, the view never goes back, ends as the server stands, and no key stays asleep that does not
//! know what stands.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::apiserver::{Reply, Request, Server, Stored, ours, owned_by, run};
use super::*;

const NAMES: [&str; 3] = ["x-1", "x-2", "x-3"];
const SERVICES: [&str; 2] = ["web", "front"];

type Owner = (Loop, Key);
type Fingerprint = BTreeMap<String, (Uid, Labels, Labels, bool)>;

/// What somebody else does to a slice.
#[derive(Clone, Copy, Debug)]
enum Foreign {
    Create(Loop),
    Edit(u32),
    MoveTo(usize),
    TakeOver,
    GiveBack(Loop),
    Delete,
    Finalizer(bool),
}

/// One move in the game. Places in lists are taken modulo their length.
#[derive(Clone, Copy, Debug)]
enum Move {
    Foreign { name: usize, service: usize, what: Foreign },
    SendCreate { name: usize, service: usize },
    SendUpdate { name: usize, content: u32 },
    SendDelete { name: usize },
    Execute(usize),
    Answer(usize),
    Lose(usize),
    Read { name: usize },
    ReadAnswer(usize),
    Show { skip_echoes: bool },
    Bookmark,
    Relist { back: u64, unchanged: bool },
    Sync { service: usize, which: Loop },
}

/// A write of ours on its way.
#[derive(Clone, Debug)]
struct Flight {
    key: Key,
    owner: Owner,
    request: Request,
    reply: Option<Reply>,
}

/// A live read on its way: what it found, and what its reader knew.
struct Read {
    key: Key,
    reader: Option<Owner>,
    known: Option<Uid>,
    found: Option<Slice>,
}

struct Game {
    server: Server,
    view: View,
    shown: Version,
    flights: Vec<Flight>,
    // Writes whose answer was lost; they may still be executed.
    lost: Vec<Request>,
    reads: Vec<Read>,
    // What each key knows of its slices since its last sync, and who is queued for another.
    seen: BTreeMap<Owner, Fingerprint>,
    queued: BTreeSet<Owner>,
    // For the invariants: the newest version seen of each uid; uids known to have ended.
    newest: BTreeMap<Uid, Version>,
    ended: BTreeSet<Uid>,
}

fn mark(slice: &Slice) -> (Uid, Labels, Labels, bool) {
    (slice.uid.clone(), slice.labels.clone(), slice.annotations.clone(), slice.deleting)
}

impl Game {
    fn new() -> Game {
        let mut view = View::new(Settings::default());
        view.start(None);
        Game {
            server: Server::default(),
            view,
            shown: 0,
            flights: Vec::new(),
            lost: Vec::new(),
            reads: Vec::new(),
            seen: BTreeMap::new(),
            queued: BTreeSet::new(),
            newest: BTreeMap::new(),
            ended: BTreeSet::new(),
        }
    }

    fn fingerprint(&self, (which, key): &Owner) -> Fingerprint {
        let slices = self.view.slices.of(*which, key);
        slices.iter().map(|slice| (slice.key.name.to_string(), mark(slice))).collect()
    }

    fn change(&mut self, change: impl FnOnce(&mut View, &mut Vec<Wake>)) {
        let mut wakes = Vec::new();
        change(&mut self.view, &mut wakes);
        self.queued.extend(wakes.into_iter().map(|wake| (wake.which, wake.key)));
    }

    fn sync(&mut self, owner: &Owner) {
        if self.flights.iter().all(|flight| flight.owner != *owner) {
            self.queued.remove(owner);
            self.seen.insert(owner.clone(), self.fingerprint(owner));
        }
    }

    fn play(&mut self, one: Move) {
        match one {
            Move::Foreign { name, service, what } => self.foreign(&key(NAMES[name]), SERVICES[service], what),
            Move::SendCreate { name, service } => {
                let slice = slice(NAMES[name], Loop::Selector, SERVICES[service]);
                let owner = (Loop::Selector, key(SERVICES[service]));
                if self.view.slices.get(&slice.key).is_none() {
                    let slice = Slice { uid: Uid::default(), ..slice };
                    self.send(slice.key.clone(), owner, Request::Create(slice));
                }
            }
            Move::SendUpdate { name, content } => {
                if let Some((base, owner)) = self.writable(name) {
                    let slice = filled(&base, content);
                    self.send(slice.key.clone(), owner, Request::Update { base, slice });
                }
            }
            Move::SendDelete { name } => {
                if let Some((base, owner)) = self.writable(name) {
                    self.send(base.key.clone(), owner, Request::Delete { base });
                }
            }
            Move::Execute(at) => {
                if let Some(at) = at.checked_rem(self.flights.len()) {
                    self.execute(at);
                } else if let Some(request) = self.lost.pop() {
                    run(&mut self.server, &request);
                }
            }
            Move::Answer(at) => {
                if let Some(at) = at.checked_rem(self.flights.len()) {
                    self.execute(at);
                    self.answer(at);
                }
            }
            Move::Lose(at) => {
                if let Some(at) = at.checked_rem(self.flights.len()) {
                    let flight = self.flights.remove(at);
                    if flight.reply.is_none() {
                        self.lost.push(flight.request);
                    }
                    self.change(|view, wakes| view.write_ends(&flight.key, Answered::Nothing, 0, wakes));
                    self.queued.insert(flight.owner);
                }
            }
            Move::Read { name } => {
                let key = key(NAMES[name]);
                let held = self.view.slices.get(&key);
                self.reads.push(Read {
                    reader: held.and_then(|held| owned_by(held)),
                    known: held.map(|held| held.uid.clone()),
                    found: self.server.get(&key).cloned(),
                    key,
                });
            }
            Move::ReadAnswer(at) => {
                if let Some(at) = at.checked_rem(self.reads.len()) {
                    let read = self.reads.remove(at);
                    self.read_answered(read);
                }
            }
            Move::Show { skip_echoes } => self.show(skip_echoes),
            Move::Bookmark => {
                let version = self.shown;
                self.change(|view, wakes| view.slice(Change::Bookmark(version), wakes));
            }
            Move::Relist { back, unchanged } => {
                let version = self.server.version().saturating_sub(back).max(self.shown);
                self.relist(version, unchanged);
            }
            Move::Sync { service, which } => self.sync(&(which, key(SERVICES[service]))),
        }
        self.check();
    }

    fn foreign(&mut self, key: &Key, service: &str, what: Foreign) {
        let held = self.server.objects.get(key).cloned();
        let relabelled = |which: Option<Loop>, service: &str, old: &Slice| Slice {
            labels: Labels::new([
                (MANAGED_BY, which.map_or("somebody", Loop::managed_by)),
                (SERVICE_NAME, service),
            ]),
            ..old.clone()
        };
        match (what, held) {
            (Foreign::Create(which), _) => drop(self.server.create(slice(&key.name, which, service))),
            (_, None) => {}
            (Foreign::Edit(content), Some(held)) => drop(self.server.update(filled(&held.slice, content))),
            (Foreign::MoveTo(to), Some(held)) => {
                let moved = relabelled(held.slice.managed_by(), SERVICES[to], &held.slice);
                self.server.update(moved);
            }
            (Foreign::TakeOver, Some(held)) => {
                drop(self.server.update(relabelled(None, service, &held.slice)))
            }
            (Foreign::GiveBack(which), Some(held)) => {
                drop(self.server.update(relabelled(Some(which), service, &held.slice)));
            }
            (Foreign::Delete, Some(_)) => drop(self.server.delete(key)),
            (Foreign::Finalizer(false), Some(held)) if held.slice.deleting => {
                drop(self.server.set(key, None))
            }
            (Foreign::Finalizer(finalizer), Some(held)) => {
                if !held.slice.deleting {
                    self.server.set(key, Some(Stored { finalizer, ..held }));
                }
            }
        }
    }

    /// A slice that a plan may write, and whose it is.
    fn writable(&self, name: usize) -> Option<(Slice, Owner)> {
        let base = self.view.slices.get(&key(NAMES[name]))?;
        let owner = owned_by(base)?;
        (!base.deleting).then(|| ((**base).clone(), owner))
    }

    fn send(&mut self, key: Key, owner: Owner, request: Request) {
        if self.flights.iter().any(|flight| flight.key == key) {
            return;
        }
        // The first write of a plan: the plan has just seen everything.
        self.sync(&owner);
        self.view.slices.write_begins(&key);
        self.flights.push(Flight { key, owner, request, reply: None });
    }

    fn execute(&mut self, at: usize) {
        let flight = &mut self.flights[at];
        if flight.reply.is_none() {
            flight.reply = Some(run(&mut self.server, &flight.request));
        }
    }

    fn answer(&mut self, at: usize) {
        let Flight { key, owner, request, reply } = self.flights.remove(at);
        let seen = self.seen.entry(owner.clone()).or_default();
        let answered = match (reply.unwrap(), request) {
            (Reply::Stored(slice), _) => {
                if owned_by(&slice).as_ref() == Some(&owner) {
                    seen.insert(key.name.to_string(), mark(&slice));
                }
                Answered::Stored(slice)
            }
            (Reply::Deleted, Request::Delete { base }) => {
                seen.remove(key.name.as_str());
                self.ended.insert(base.uid.clone());
                Answered::Deleted(base.uid)
            }
            (Reply::NotFound, Request::Delete { base } | Request::Update { base, .. }) => {
                seen.remove(key.name.as_str());
                self.queued.insert(owner);
                self.not_found(&key, &base.uid);
                Answered::Gone(base.uid)
            }
            _ => {
                self.queued.insert(owner);
                Answered::Nothing
            }
        };
        let stored = if let Answered::Stored(slice) = &answered { Some(slice.clone()) } else { None };
        self.change(|view, wakes| view.write_ends(&key, answered, 0, wakes));
        if let Some(stored) = stored {
            let held = self.view.slices.get(&key).map(|held| held.version);
            assert!(
                held >= Some(stored.version) || self.shown >= stored.version || self.knows_better(&stored),
                "our own write is seen at once: {stored:?}"
            );
        }
    }

    /// A 404 tells no version: it hides what the stream shows at this moment. What has left by then,
    /// and came back before it ended, is seen for the time between.
    fn not_found(&mut self, key: &Key, uid: &Uid) {
        if self.view.slices.get(key).is_some_and(|held| held.uid == *uid) {
            self.ended.insert(uid.clone());
        }
    }

    fn knows_better(&self, slice: &Slice) -> bool {
        self.ended.contains(&slice.uid)
            || self.newest.get(&slice.uid).is_some_and(|newest| *newest > slice.version)
    }

    fn read_answered(&mut self, read: Read) {
        self.queued.extend(read.reader);
        match (read.found, read.known) {
            (Some(found), _) => {
                let held = self.view.slices.get(&found.key).map(|held| held.version);
                if found.version > self.shown && held < Some(found.version) {
                    let newest = self.newest.entry(found.uid.clone()).or_default();
                    *newest = (*newest).max(found.version);
                }
                self.view.slice_was_answered(found);
            }
            (None, Some(uid)) if self.flights.iter().all(|flight| flight.key != read.key) => {
                self.not_found(&read.key, &uid);
                self.change(|view, wakes| view.write_ends(&read.key, Answered::Gone(uid), 0, wakes));
            }
            (None, _) => {}
        }
    }

    fn show(&mut self, skip_echoes: bool) {
        let Some(past) = self.server.history.get(self.shown as usize).cloned() else { return };
        self.shown = past.version;
        let change = match (ours(&past.before), ours(&past.after)) {
            (_, Some(after)) => {
                if skip_echoes && self.view.slices.holds(&after.meta()) {
                    return;
                }
                Change::Upserted(after.meta(), after.clone())
            }
            (Some(before), None) => {
                if past.after.is_some() {
                    // Lost to other hands looks like an end (see `not_found`).
                    self.ended.remove(&before.uid);
                }
                Change::Deleted(before.clone().at(past.version).meta())
            }
            (None, None) => return,
        };
        self.change(|view, wakes| view.slice(change, wakes));
    }

    fn relist(&mut self, version: Version, unchanged: bool) {
        let listed = self.server.at(version).into_iter().map(|slice| {
            let meta = slice.meta();
            let held = unchanged && self.view.slices.holds(&meta);
            (meta, if held { Listed::Unchanged } else { Listed::Row(slice) })
        });
        let listed = listed.collect();
        self.shown = version;
        self.change(|view, wakes| view.slice(Change::Replaced(listed, version), wakes));
    }

    fn check(&mut self) {
        for slice in self.view.slices.iter() {
            assert!(!self.ended.contains(&slice.uid), "what has ended stays hidden: {slice:?}");
            let newest = self.newest.entry(slice.uid.clone()).or_default();
            assert!(slice.version >= *newest, "the view never goes back: {slice:?}, {newest} was seen");
            *newest = slice.version;
        }
    }

    /// Everything is answered and shown.
    fn settle(mut self, list: bool) {
        while let Some(request) = self.lost.pop() {
            run(&mut self.server, &request);
        }
        while !self.flights.is_empty() {
            self.play(Move::Answer(0));
        }
        while !self.reads.is_empty() {
            self.play(Move::ReadAnswer(0));
        }
        if list {
            self.relist(self.server.version(), true);
        }
        while self.shown < self.server.version() {
            self.play(Move::Show { skip_echoes: true });
        }
        self.play(Move::Bookmark);
        let mut held: Vec<Slice> = self.view.slices.iter().map(|slice| (**slice).clone()).collect();
        held.sort_by(|a, b| a.key.cmp(&b.key));
        assert_eq!(held, self.server.at(self.server.version()), "the view is what the server has");
        assert!(self.view.slices.at_rest(), "nothing lies over the stream any more");
        for (which, service) in
            [Loop::Selector, Loop::Mirroring].into_iter().flat_map(|l| SERVICES.map(|s| (l, s)))
        {
            let owner = (which, key(service));
            let stands = self.fingerprint(&owner);
            let knows = self.seen.get(&owner).cloned().unwrap_or_default();
            assert!(
                self.queued.contains(&owner) || knows == stands,
                "{owner:?} sleeps and believes {knows:?}, but {stands:?} stands"
            );
        }
    }
}

fn any_loop() -> impl Strategy<Value = Loop> {
    prop_oneof![3 => Just(Loop::Selector), 1 => Just(Loop::Mirroring)]
}

fn any_foreign() -> impl Strategy<Value = Foreign> {
    prop_oneof![
        3 => any_loop().prop_map(Foreign::Create),
        3 => (0..3u32).prop_map(Foreign::Edit),
        2 => (0..2usize).prop_map(Foreign::MoveTo),
        1 => Just(Foreign::TakeOver),
        1 => any_loop().prop_map(Foreign::GiveBack),
        2 => Just(Foreign::Delete),
        1 => any::<bool>().prop_map(Foreign::Finalizer),
    ]
}

fn any_move() -> impl Strategy<Value = Move> {
    let (name, service, at) = (|| 0..3usize, || 0..2usize, || 0..4usize);
    prop_oneof![
        6 => (name(), service(), any_foreign())
            .prop_map(|(name, service, what)| Move::Foreign { name, service, what }),
        3 => (name(), service()).prop_map(|(name, service)| Move::SendCreate { name, service }),
        4 => (name(), 0..3u32).prop_map(|(name, content)| Move::SendUpdate { name, content }),
        3 => name().prop_map(|name| Move::SendDelete { name }),
        5 => at().prop_map(Move::Execute),
        5 => at().prop_map(Move::Answer),
        1 => at().prop_map(Move::Lose),
        2 => name().prop_map(|name| Move::Read { name }),
        2 => at().prop_map(Move::ReadAnswer),
        10 => any::<bool>().prop_map(|skip_echoes| Move::Show { skip_echoes }),
        1 => Just(Move::Bookmark),
        2 => (0..6u64, any::<bool>()).prop_map(|(back, unchanged)| Move::Relist { back, unchanged }),
        4 => (service(), any_loop()).prop_map(|(service, which)| Move::Sync { service, which }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whatever_the_order_the_view_ends_as_the_server_stands_and_nobody_concerned_stays_asleep(
        moves in prop::collection::vec(any_move(), 1..60), list in any::<bool>()
    ) {
        let mut game = Game::new();
        moves.into_iter().for_each(|one| game.play(one));
        game.settle(list);
    }
}
