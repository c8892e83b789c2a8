//! Our own writes, laid over what the stream of slices has shown.
//!
//! Versions decide (architecture.md, decision 6). An answer enters at once, unless the stream is past
//! its version already. What we know to have ended stays hidden until the stream has shown that, too.
//! And nobody who is concerned by somebody else's hand is left without a wake: neither when the
//! answer of our own write comes later than the stream, nor when a live read is faster than it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::{After, Map, View, Wake, in_order};
use crate::model::{Key, Loop, Slice, Uid, Version};

/// Keys of the loops that a slice belongs, or belonged, to.
pub(crate) type Owners = BTreeSet<(Loop, Key)>;

/// The key of the loop that works on this slice.
pub(crate) fn owner(slice: &Slice) -> Option<(Loop, Key)> {
    Some((slice.managed_by()?, slice.service_key()?))
}

/// A write that is on its way.
#[derive(Default)]
struct Flight {
    writes: usize,
    // Whose slice it was when the write was sent: whoever writes.
    writer: Option<(Loop, Key)>,
    // What the stream showed meanwhile: our own among it, as the answers will tell.
    shown: Vec<Shown>,
    // What answers brought, by version, and uids that they ended.
    ours: BTreeMap<Version, Ours>,
    ended: BTreeSet<Uid>,
    // Versions went back since it was sent: its answer tells of a history that does not count.
    void: bool,
}

/// What was stored, and for whom.
struct Ours {
    uid: Uid,
    owner: Option<(Loop, Key)>,
}

/// A change that the stream showed while a write was on its way.
struct Shown {
    uid: Uid,
    version: Version,
    owners: Owners,
}

/// A uid that is hidden: we know more of it than the stream has shown.
struct Tombstone {
    // The newest version that is known of it. What the stream shows of before says nothing.
    known: Version,
    // It will not come back: every version is hidden. Else it is in other hands, and a newer version
    // than the one known brings it back.
    for_good: bool,
    // Who is to be woken when the stream shows it.
    owners: Owners,
}

impl Tombstone {
    fn hides(&self, version: Version) -> bool {
        self.for_good || version <= self.known
    }
}

/// What lies over the stream.
#[derive(Default)]
pub(crate) struct Overlay {
    tombstones: Map<Uid, Tombstone>,
    flights: Map<Key, Flight>,
    // Rows that a live read brought, with those who are to be woken when the stream shows it, too.
    found: Map<Key, Owners>,
    // Deleted by this process lately, with the second of it; the queue is in order of time.
    deleted: Map<Key, u64>,
    deletions: VecDeque<(u64, Key)>,
}

impl Overlay {
    /// Whether this version of the uid is not to be seen.
    pub(crate) fn hides(&self, uid: &Uid, version: Version) -> bool {
        self.tombstones.get(uid).is_some_and(|tombstone| tombstone.hides(version))
    }

    /// Whether the row of this key came by a live read, and its echo is still to be told.
    pub(crate) fn awaits_echo(&self, key: &Key) -> bool {
        self.found.contains_key(key)
    }

    /// The stream has shown this key: whom that is news to.
    pub(crate) fn echoed(&mut self, key: &Key) -> Owners {
        self.found.remove(key).unwrap_or_default()
    }

    /// The stream has shown a version that brings the uid back: whom that is news to.
    pub(crate) fn revived(&mut self, uid: &Uid) -> Owners {
        self.tombstones.remove(uid).map(|tombstone| tombstone.owners).unwrap_or_default()
    }

    /// The stream has shown that the uid went at this version: whom that is news to.
    pub(crate) fn end_shown(&mut self, uid: &Uid, version: Version) -> Owners {
        let known = self.tombstones.get(uid).map(|tombstone| tombstone.known);
        if known.is_some_and(|known| known <= version) { self.revived(uid) } else { Owners::default() }
    }

    /// A complete list at this version showed exactly these uids (`None`: nothing changed up to this
    /// version): whom that is news to.
    pub(crate) fn reached(&mut self, version: Version, listed: Option<&super::Set<Uid>>) -> Owners {
        let mut owners = Owners::default();
        self.tombstones.retain(|uid, tombstone| {
            let shown = match listed {
                None => tombstone.for_good,
                Some(listed) => tombstone.for_good && listed.contains(uid),
            };
            let stays = shown || tombstone.known > version;
            if !stays {
                owners.append(&mut tombstone.owners);
            }
            stays
        });
        owners
    }

    /// Versions went back for good: what was known by version does not count any more.
    pub(crate) fn void(&mut self) {
        self.tombstones.clear();
        for flight in self.flights.values_mut() {
            flight.shown.clear();
            flight.void = true;
        }
    }

    /// Whether this process deleted a slice of this name lately.
    pub(crate) fn deleted_lately(&self, key: &Key) -> bool {
        self.deleted.contains_key(key)
    }

    pub(crate) fn write_begins(&mut self, key: &Key, writer: Option<(Loop, Key)>) {
        let flight = self.flights.entry(key.clone()).or_default();
        flight.writes += 1;
        flight.writer = writer.or(flight.writer.take());
    }

    /// Remembers that this process deleted this name now.
    fn rests(&mut self, key: &Key, now: u64) {
        self.deleted.insert(key.clone(), now);
        self.deletions.push_back((now, key.clone()));
    }

    /// The next name that was deleted before `now − keep` and not again since.
    pub(crate) fn rested(&mut self, now: u64, keep: u64) -> Option<Key> {
        while self.deletions.front().is_some_and(|(at, _)| at.saturating_add(keep) <= now) {
            let (at, key) = self.deletions.pop_front()?;
            if self.deleted.get(&key) == Some(&at) {
                self.deleted.remove(&key);
                return Some(key);
            }
        }
        None
    }

    /// Whether nothing lies over the stream any more.
    #[cfg(test)]
    pub(crate) fn at_rest(&self) -> bool {
        self.tombstones.is_empty() && self.flights.is_empty() && self.found.is_empty()
    }
}

/// How a write ended, as far as the view is concerned.
#[derive(Clone, Debug)]
pub enum Answered {
    /// The object as the API server returned it.
    Stored(Slice),
    /// Deleted, no finalizer holds it.
    Deleted(Uid),
    /// The API server does not have it any more (404).
    Gone(Uid),
    /// Nothing was written, or it is not known whether.
    Nothing,
}

impl View {
    /// The answer of a write enters at once. `now`: seconds on a clock that only grows, for names that
    /// must not be given again too soon.
    pub fn write_ends(&mut self, key: &Key, answered: Answered, now: u64, wakes: &mut Vec<Wake>) {
        let from = wakes.len();
        let flight = self.slices.overlay.flights.get(key);
        let answered = if flight.is_some_and(|flight| flight.void) {
            self.wake_void(key, &answered, wakes);
            Answered::Nothing
        } else {
            answered
        };
        let (mut ours, mut ended) = (None, None);
        match answered {
            Answered::Stored(slice) => {
                ours = Some((slice.version, Ours { uid: slice.uid.clone(), owner: owner(&slice) }));
                if slice.deleting {
                    self.name_rests(key, now);
                }
                self.slice_was_stored(slice, wakes);
            }
            Answered::Deleted(uid) | Answered::Gone(uid) => {
                self.name_rests(key, now);
                self.slice_ended(key, &uid);
                ended = Some(uid);
            }
            Answered::Nothing => {}
        }
        self.flight_ends(key, ours, ended, wakes);
        in_order(wakes, from);
    }

    /// A slice that a live read returned: it counts unless the stream is already past it. When the
    /// stream shows it, too, those who are concerned are woken as by any change of somebody else.
    pub fn slice_was_answered(&mut self, slice: Slice) {
        if !self.slices.is_news(&slice) {
            return;
        }
        let held = self.slices.get(&slice.key).cloned();
        let mut owners: Owners = held.as_deref().and_then(owner).into_iter().collect();
        owners.append(&mut self.slices.overlay.echoed(&slice.key));
        if slice.managed_by().is_some() {
            owners.extend(owner(&slice));
            owners.append(&mut self.slices.overlay.revived(&slice.uid));
            self.slices.overlay.found.insert(slice.key.clone(), owners);
            self.slices.insert(Arc::new(slice));
        } else {
            // In other hands, whatever the stream has yet to show of before.
            let mut hide = |uid: &Uid, known, for_good, owners| {
                self.slices.overlay.tombstones.insert(uid.clone(), Tombstone { known, for_good, owners });
            };
            match held {
                Some(held) if held.uid != slice.uid => {
                    // The name is borne by another object: the one that is held is gone.
                    hide(&held.uid, held.version, true, owners);
                    hide(&slice.uid, slice.version, false, Owners::default());
                }
                _ => hide(&slice.uid, slice.version, false, owners),
            }
            self.slices.remove(&slice.key);
        }
    }

    fn slice_was_stored(&mut self, slice: Slice, wakes: &mut Vec<Wake>) {
        if !self.slices.is_news(&slice) || slice.managed_by().is_none() {
            return;
        }
        let (key, mine) = (slice.key.clone(), owner(&slice));
        let old = self.slices.insert(Arc::new(slice));
        if let Some(old) = old
            && self.slices.get(&key).is_some_and(|new| new.uid != old.uid)
        {
            // The name was free: somebody deleted the one that is held, and its end will not be seen.
            self.wake_owners(owner(&old), After::SliceBatch, wakes);
        }
        // Who wrote it needs no echo.
        let others = self.slices.overlay.echoed(&key).into_iter().filter(|one| Some(one) != mine.as_ref());
        let others: Owners = others.collect();
        if !others.is_empty() {
            self.slices.overlay.found.insert(key, others);
        }
    }

    fn slice_ended(&mut self, key: &Key, uid: &Uid) {
        // Only while the stream has not shown the end of it: a row is held exactly that long.
        let Some(held) = self.slices.get(key).filter(|held| held.uid == *uid).cloned() else { return };
        let mut owners = self.slices.overlay.echoed(key);
        owners.extend(owner(&held));
        // Who wrote it knows by the answer. Of a live read it is not known who made it, or when.
        let flight = self.slices.overlay.flights.get(key);
        if let Some(writer) = flight.and_then(|flight| flight.writer.as_ref()) {
            owners.remove(writer);
        }
        self.slices.remove(key);
        let tombstone = Tombstone { known: held.version, for_good: true, owners };
        self.slices.overlay.tombstones.insert(uid.clone(), tombstone);
    }

    /// What was written may not be there any more: its key is to look again.
    fn wake_void(&self, key: &Key, answered: &Answered, wakes: &mut Vec<Wake>) {
        let stored = if let Answered::Stored(slice) = answered { owner(slice) } else { None };
        let held = self.slices.get(key).and_then(|held| owner(held));
        self.wake_owners(stored.into_iter().chain(held), After::SliceBatch, wakes);
    }

    fn name_rests(&mut self, key: &Key, now: u64) {
        self.slices.overlay.rests(key, now);
        self.slices.name_taken(key);
    }

    fn flight_ends(
        &mut self,
        key: &Key,
        ours: Option<(Version, Ours)>,
        ended: Option<Uid>,
        wakes: &mut Vec<Wake>,
    ) {
        let Some(flight) = self.slices.overlay.flights.get_mut(key) else { return };
        flight.ours.extend(ours);
        flight.ended.extend(ended);
        flight.writes = flight.writes.saturating_sub(1);
        if flight.writes > 0 {
            return;
        }
        let Some(Flight { writer, shown, ours, ended, .. }) = self.slices.overlay.flights.remove(key) else {
            return;
        };
        if let Some((version, Ours { uid, owner })) = ours.last_key_value()
            && !ended.contains(uid)
            && self.slices.get(key).is_none_or(|held| held.uid != *uid || held.version != *version)
        {
            // The stream is past what we wrote, and perhaps never showed it: a list leaves out the steps.
            self.wake_owners(owner.clone(), After::SliceBatch, wakes);
        }
        for Shown { uid, version, mut owners } in shown {
            if ours.contains_key(&version) {
                continue;
            }
            if ended.contains(&uid) {
                // Who was faster does not matter to who wrote it, but to others.
                writer.iter().for_each(|writer| drop(owners.take(writer)));
            }
            self.wake_owners(owners, After::SliceBatch, wakes);
        }
    }

    /// The stream changed a slice, which concerns these: at once, or when the write of this key that
    /// is on its way has been answered, unless it was that very write.
    pub(crate) fn slice_changed(
        &mut self,
        key: &Key,
        uid: &Uid,
        version: Version,
        owners: Owners,
        after: After,
        wakes: &mut Vec<Wake>,
    ) {
        match self.slices.overlay.flights.get_mut(key) {
            Some(flight) => flight.shown.push(Shown { uid: uid.clone(), version, owners }),
            None => self.wake_owners(owners, after, wakes),
        }
    }

    pub(crate) fn wake_owners(
        &self,
        owners: impl IntoIterator<Item = (Loop, Key)>,
        after: After,
        wakes: &mut Vec<Wake>,
    ) {
        if self.started {
            wakes.extend(owners.into_iter().map(|(which, key)| Wake { which, key, after }));
        }
    }
}
