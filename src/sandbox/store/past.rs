//! Lists of what stood at an earlier version, and lists in pages: made of what stands now and the changes
//! since then, undone.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::{Compacted, Key, Object, Shelf, Store};
use crate::sandbox::kinds::Kind;

/// A part of a list.
#[derive(Clone, Debug)]
pub struct Page {
    /// The version at which the list stood like this.
    pub version: u64,
    /// The objects in the order of their keys.
    pub objects: Vec<Arc<Object>>,
    /// How many objects follow the last one, admitted or not.
    pub remaining: usize,
}

impl Store {
    /// The objects of a kind as they stood at `version` (`None`: now), all or those of one namespace, those
    /// after the key `after` that `admits` lets through, at most `limit` (0: all).
    ///
    /// # Errors
    /// When the changes since `version` are no longer all remembered.
    pub fn page(
        &self,
        kind: Kind,
        namespace: Option<&str>,
        version: Option<u64>,
        after: Option<&Key>,
        limit: usize,
        admits: impl Fn(&Object) -> bool,
    ) -> Result<Page, Compacted> {
        let state = self.state.lock();
        let shelf = &state.shelves[kind.index()];
        let at = version.unwrap_or(state.version);
        let undone = undone(shelf, at)?;
        let from = match (after, namespace) {
            (Some(key), _) => Bound::Excluded(key.clone()),
            (None, Some(namespace)) => Bound::Included(Key::new(namespace, "")),
            (None, None) => Bound::Unbounded,
        };
        let inside = |key: &Key| namespace.is_none_or(|namespace| key.namespace == namespace);
        let mut page = Page { version: at, objects: Vec::new(), remaining: 0 };
        let mut take = |object: &Arc<Object>| {
            if limit > 0 && page.objects.len() == limit {
                page.remaining += 1;
            } else if admits(object) {
                page.objects.push(Arc::clone(object));
            }
        };
        let mut now = shelf
            .objects
            .range((from.clone(), Bound::Unbounded))
            .take_while(|(key, _)| inside(key))
            .peekable();
        let mut then = undone.range((from, Bound::Unbounded)).take_while(|(key, _)| inside(key)).peekable();
        loop {
            match (now.peek(), then.peek()) {
                (None, None) => break,
                (Some((key, _)), Some((other, _))) if key < other => {
                    now.next().into_iter().for_each(|(_, object)| take(object));
                }
                (Some(_), None) => now.next().into_iter().for_each(|(_, object)| take(object)),
                (standing, Some((other, _))) => {
                    if standing.is_some_and(|(key, _)| key == other) {
                        now.next();
                    }
                    if let Some((_, Some(object))) = then.next() {
                        take(object);
                    }
                }
            }
        }
        Ok(page)
    }
}

/// What the objects that changed after `version` were at that version.
fn undone(shelf: &Shelf, version: u64) -> Result<BTreeMap<Key, Option<Arc<Object>>>, Compacted> {
    let mut objects = BTreeMap::new();
    if version < shelf.oldest {
        return Err(Compacted { oldest: shelf.oldest });
    }
    let from = shelf.history.partition_point(|change| change.object.version <= version);
    for change in shelf.history.iter().skip(from) {
        objects.entry(change.object.key.clone()).or_insert_with(|| change.before.clone());
    }
    Ok(objects)
}
