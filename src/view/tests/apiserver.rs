//! A model of the API server's slices: objects, a version counter, and its whole history.

use std::collections::BTreeMap;

use super::*;

/// A slice as the server has it.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) slice: Slice,
    pub(super) finalizer: bool,
}

/// What one version did to the object of one name.
#[derive(Clone, Debug)]
pub(super) struct Past {
    pub(super) version: Version,
    pub(super) before: Option<Slice>,
    pub(super) after: Option<Slice>,
}

#[derive(Default)]
pub(super) struct Server {
    pub(super) objects: BTreeMap<Key, Stored>,
    pub(super) history: Vec<Past>,
    born: u32,
}

/// Whether our watch shows it.
pub(super) fn ours(slice: &Option<Slice>) -> Option<&Slice> {
    slice.as_ref().filter(|slice| slice.managed_by().is_some())
}

pub(super) fn owned_by(slice: &Slice) -> Option<(Loop, Key)> {
    Some((slice.managed_by()?, slice.service_key()?))
}

impl Server {
    pub(super) fn version(&self) -> Version {
        self.history.len() as Version
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Slice> {
        self.objects.get(key).map(|stored| &stored.slice)
    }

    /// Stores the object, or removes it: one version.
    pub(super) fn set(&mut self, key: &Key, stored: Option<Stored>) -> Option<Slice> {
        let version = self.version() + 1;
        let before = self.get(key).cloned();
        let after = stored.as_ref().map(|stored| stored.slice.clone().at(version));
        match (stored, &after) {
            (Some(stored), Some(slice)) => {
                drop(self.objects.insert(key.clone(), Stored { slice: slice.clone(), ..stored }));
            }
            _ => drop(self.objects.remove(key)),
        }
        self.history.push(Past { version, before, after: after.clone() });
        after
    }

    pub(super) fn create(&mut self, slice: Slice) -> Option<Slice> {
        if self.objects.contains_key(&slice.key) {
            return None;
        }
        self.born += 1;
        let slice = Slice { uid: Uid::new(&format!("born {}", self.born)), ..slice };
        self.set(&slice.key.clone(), Some(Stored { slice, finalizer: false }))
    }

    /// An unchanged PUT is not stored.
    pub(super) fn update(&mut self, slice: Slice) -> Option<Slice> {
        let stored = self.objects.get(&slice.key)?.clone();
        if stored.slice == slice.clone().at(stored.slice.version) {
            return Some(stored.slice);
        }
        self.set(&slice.key.clone(), Some(Stored { slice, ..stored }))
    }

    /// With a finalizer the object stays and is returned.
    pub(super) fn delete(&mut self, key: &Key) -> Option<Slice> {
        let stored = self.objects.get(key)?.clone();
        if !stored.finalizer {
            return self.set(key, None);
        }
        self.update(Slice { deleting: true, ..stored.slice })
    }

    /// What a list at this version shows.
    pub(super) fn at(&self, version: Version) -> Vec<Slice> {
        let mut all: BTreeMap<Key, Slice> = BTreeMap::new();
        for past in self.history.iter().take(version as usize) {
            match (&past.after, &past.before) {
                (Some(slice), _) => drop(all.insert(slice.key.clone(), slice.clone())),
                (None, Some(slice)) => drop(all.remove(&slice.key)),
                (None, None) => {}
            }
        }
        all.into_values().filter(|slice| slice.managed_by().is_some()).collect()
    }
}

/// A write of ours as it is sent.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // there are a handful
pub(super) enum Request {
    Create(Slice),
    Update { base: Slice, slice: Slice },
    Delete { base: Slice },
}

/// How it is answered.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // there are a handful
pub(super) enum Reply {
    Stored(Slice),
    Deleted,
    NotFound,
    Refused,
}

/// What the server makes of a write of ours.
pub(super) fn run(server: &mut Server, request: &Request) -> Reply {
    let current = |server: &Server, base: &Slice| {
        let held = server.get(&base.key)?;
        Some(held.uid == base.uid && held.version == base.version)
    };
    match request {
        Request::Create(slice) => server.create(slice.clone()).map_or(Reply::Refused, Reply::Stored),
        Request::Update { base, slice } => match current(server, base) {
            None => Reply::NotFound,
            Some(false) => Reply::Refused,
            Some(true) => server.update(slice.clone()).map_or(Reply::NotFound, Reply::Stored),
        },
        Request::Delete { base } => match current(server, base) {
            None => Reply::NotFound,
            Some(false) => Reply::Refused,
            Some(true) => server.delete(&base.key).map_or(Reply::Deleted, Reply::Stored),
        },
    }
}
