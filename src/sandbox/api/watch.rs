//! Watches: what is new of a collection, as a stream of events.

mod event;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use rand::Rng;
use tokio::sync::watch as signal;
use tokio::time::{Instant, sleep_until};

use super::answer::Answer;
use super::route::Resource;
use super::selector::Selection;
use super::{Api, Bent, Cut, Request, SHORTEST_WATCH, accept, list};
use crate::sandbox::status::Status;
use crate::sandbox::store::{Change, Happened, Object};

use event::Shape;

/// Changes, or objects of the beginning, that are sent in one piece.
const AT_ONCE: usize = 256;
/// Between two bookmarks.
const BETWEEN_BOOKMARKS: Duration = Duration::from_secs(60);
/// The last bookmark comes so long before the end.
const LAST_BOOKMARK: Duration = Duration::from_secs(2);

pub(super) fn watch(
    api: &Arc<Api>,
    request: &Request,
    resource: &Resource,
    bent: &Bent,
) -> Result<Answer, Status> {
    let query = &request.query;
    list::check_options(request, true)?;
    let selection = Selection::of(resource, query)?;
    let form = accept::form(request.header(http::header::ACCEPT))?;
    let text = query.text("resourceVersion");
    let asked: u64 = match text {
        "" => 0,
        text => text.parse().map_err(|_| {
            let error = format!(
                "resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax"
            );
            Status::new(500, "", error)
        })?,
    };
    let timeout = match query.number("timeoutSeconds")? {
        Some(seconds @ 1..) => Duration::from_secs(seconds.unsigned_abs()),
        _ => SHORTEST_WATCH + SHORTEST_WATCH.mul_f64(rand::rng().random()),
    };
    // Without a version a watch begins with what stands, and says when that has been sent.
    let from_state = query.flag("sendInitialEvents").unwrap_or(asked == 0);
    let shape = Shape::new(request, resource, form, bent)?;
    let now = Instant::now();
    let mut watching = Watching {
        api: Arc::clone(api),
        changed: api.store.subscribe(resource.kind),
        bent_changed: api.faults.changed(),
        paused: api.paused.subscribe(),
        ending: api.ending.subscribe(),
        selection,
        shape,
        version: asked,
        first: VecDeque::new(),
        first_bookmark: false,
        bookmarks: query.flag("allowWatchBookmarks").unwrap_or(false),
        bookmarked: now,
        deadline: now + timeout,
        refusal: None,
        over: false,
    };
    if from_state {
        watching.begin(resource, asked);
    } else if asked == 0 {
        watching.version = api.store.version();
    }
    let pieces = stream::unfold(watching, |mut watching| async move {
        let piece = watching.next().await?;
        Some((Ok::<Bytes, Cut>(piece), watching))
    });
    Ok(Answer::stream(pieces.boxed()))
}

struct Watching {
    api: Arc<Api>,
    changed: signal::Receiver<u64>,
    bent_changed: signal::Receiver<u64>,
    paused: signal::Receiver<bool>,
    ending: signal::Receiver<bool>,
    selection: Selection,
    shape: Shape,
    /// Everything up to it has been sent.
    version: u64,
    /// What stood when the watch began and has not been sent.
    first: VecDeque<Arc<Object>>,
    /// The end of `first` is to be told.
    first_bookmark: bool,
    bookmarks: bool,
    bookmarked: Instant,
    deadline: Instant,
    /// Ends the watch as its last event.
    refusal: Option<Status>,
    over: bool,
}

/// Why a watch has nothing to do any longer.
enum Woken {
    Changed,
    Bookmark,
    End,
}

impl Watching {
    /// Notes what stands, at a version not older than `asked`.
    fn begin(&mut self, resource: &Resource, asked: u64) {
        let current = self.api.store.version();
        if asked > current {
            self.refusal = Some(Status::too_large(asked, current));
            return;
        }
        let selection = &self.selection;
        let namespace = resource.namespace.as_deref();
        let frozen = self.api.faults.frozen(resource.kind);
        let page =
            self.api.store.page(resource.kind, namespace, frozen, None, 0, |object| selection.admits(object));
        match page {
            Ok(page) => {
                self.version = page.version;
                self.first = page.objects.into();
                self.first_bookmark = self.bookmarks;
            }
            Err(compacted) => self.refusal = Some(too_old(frozen.unwrap_or(asked), compacted.oldest)),
        }
    }

    /// The next piece of the stream: one or more events. `None`: its end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            // An error means that the server is gone.
            self.paused.wait_for(|paused| !*paused).await.ok()?;
            if self.over || *self.ending.borrow() {
                return None;
            }
            if let Some(status) = self.refusal.take() {
                self.over = true;
                return Some(event::error(&status));
            }
            if let Some(piece) = self.beginning() {
                return Some(piece);
            }
            self.changed.borrow_and_update();
            self.bent_changed.borrow_and_update();
            let news = self.news();
            if self.refusal.is_some() {
                continue;
            }
            if !news.is_empty() {
                return Some(news.into());
            }
            match self.wait().await {
                Woken::Changed => {}
                Woken::End => return None,
                Woken::Bookmark => {
                    self.bookmarked = Instant::now();
                    return Some(self.shape.bookmark(self.version, false));
                }
            }
        }
    }

    fn beginning(&mut self) -> Option<Bytes> {
        if !self.first.is_empty() {
            let mut piece = Vec::new();
            for object in self.first.drain(..self.first.len().min(AT_ONCE)) {
                self.shape.event("ADDED", &object, &mut piece);
            }
            return Some(piece.into());
        }
        std::mem::take(&mut self.first_bookmark).then(|| self.shape.bookmark(self.version, true))
    }

    /// The events of what is new; empty where nothing of it is selected.
    fn news(&mut self) -> Vec<u8> {
        let kind = self.shape.kind;
        let mut events = Vec::new();
        loop {
            let (changes, mut reached) = match self.api.store.news(kind, self.version, AT_ONCE) {
                Ok(news) => news,
                Err(compacted) => {
                    self.refusal = Some(too_old(self.version, compacted.oldest.saturating_sub(1)));
                    return events;
                }
            };
            let frozen = self.api.faults.frozen(kind).unwrap_or(u64::MAX);
            reached = reached.min(frozen.max(self.version));
            let full = changes.len() == AT_ONCE && reached > self.version;
            for change in changes.iter().filter(|change| change.object.version <= frozen) {
                if !self.api.faults.hides(kind, change) {
                    self.event(change, &mut events);
                }
            }
            self.version = reached;
            if !events.is_empty() || !full {
                return events;
            }
        }
    }

    /// A change as whoever sees only a selection sees it.
    fn event(&mut self, change: &Change, into: &mut Vec<u8>) {
        let object = &change.object;
        let is = self.selection.admits(object);
        match (change.happened, &change.before) {
            (Happened::Deleted, _) => {
                if is {
                    self.shape.event("DELETED", object, into);
                }
            }
            (Happened::Modified, Some(before)) => match (self.selection.admits(before), is) {
                (true, true) => self.shape.event("MODIFIED", object, into),
                (false, true) => self.shape.event("ADDED", object, into),
                (true, false) => {
                    // It left: its last selected state, at the version at which it left.
                    let left = Object::new(before.kind, before.value(), object.version);
                    self.shape.event("DELETED", &left, into);
                }
                (false, false) => {}
            },
            (Happened::Added | Happened::Modified, _) => {
                if is {
                    self.shape.event("ADDED", object, into);
                }
            }
        }
    }

    async fn wait(&mut self) -> Woken {
        let regular = self.bookmarked + BETWEEN_BOOKMARKS;
        let last = self.deadline - LAST_BOOKMARK;
        let due = if last > self.bookmarked { regular.min(last) } else { regular };
        tokio::select! {
            changed = self.changed.changed() => if changed.is_ok() { Woken::Changed } else { Woken::End },
            changed = self.bent_changed.changed() => if changed.is_ok() { Woken::Changed } else { Woken::End },
            paused = self.paused.changed() => if paused.is_ok() { Woken::Changed } else { Woken::End },
            _ = self.ending.wait_for(|ending| *ending) => Woken::End,
            () = sleep_until(self.deadline) => Woken::End,
            () = sleep_until(due), if self.bookmarks => Woken::Bookmark,
        }
    }
}

fn too_old(version: u64, oldest: u64) -> Status {
    Status::expired(format!("too old resource version: {version} ({oldest})"))
}
