//! A watch: opened at the version that was shown, read frame by frame, resumed where it ended.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::warn;

use super::failure::{Doing, Failure};
use super::handle::SILENCE;
use super::list::Listing;
use super::machine::{State, Stream, asked};
use super::transport::TransportError;
use super::{Change, Sink};
use crate::kubeapi::decode::{Decoder, FrameKind, Frames, Wire};
use crate::model::{Meta, Version};

/// How long a watch may take to be accepted. After a connection fell silent the next one may be a dead
/// one too, taken from the pool: what is left of it there ends within 90 s.
const OPEN_LIMIT: Duration = Duration::from_secs(30);
/// A watch that ends sooner is not opened again at once.
const SHORT: Duration = Duration::from_secs(5);
/// So often a watch may be silent from beginning to end before the newest version is asked for: a
/// watch at a version that no longer exists is accepted, and silent. So is one of a resource of
/// which nothing was written since the API server started, for as long as that stays so: it sends no
/// bookmarks before the first event.
const SILENT: u32 = 3;

/// An open watch.
pub(super) struct Watching {
    pub(super) body: BoxStream<'static, Result<Bytes, TransportError>>,
    pub(super) frames: Frames,
    opened: Instant,
}

impl Watching {
    pub(super) fn new(wire: Wire, body: BoxStream<'static, Result<Bytes, TransportError>>) -> Watching {
        Watching { body, frames: Frames::of(wire), opened: Instant::now() }
    }
}

/// Why reading a watch was interrupted.
enum Heard {
    Asked,
    UndecodableDue,
    Silence,
    Chunk(Option<Result<Bytes, TransportError>>),
}

impl<D: Decoder, S: Sink<Row = D::Row>> Stream<D, S> {
    /// Opens a watch. That it is accepted is a sign of life.
    pub(super) async fn open(&mut self) -> State<D::Row> {
        let request =
            self.transport.get(self.config.watch_uri(self.shown), self.config.watch_accept(self.protobuf));
        let answered = self.shared.answered.borrow().number;
        let response = tokio::select! {
            biased;
            () = asked(&mut self.asked, answered) => return self.list_as_asked(),
            response = timeout(OPEN_LIMIT, request) => response,
        };
        let failure = match response {
            Ok(Ok(response)) if response.status == 200 => {
                self.shared.life.sign();
                self.told.works(Doing::Open);
                return State::Watching(Watching::new(response.wire, response.body));
            }
            Ok(Ok(response)) => Failure::of_response(response).await,
            Ok(Err(error)) => Failure::Connection(error),
            Err(_) => Failure::Late(OPEN_LIMIT),
        };
        self.metrics.restarted(failure.reason());
        match failure {
            Failure::Expired(_) => self.watch_expired(Doing::Open, &failure),
            Failure::Behind(_) => self.is_behind(Doing::Open, &failure, State::Open),
            _ => self.open_again(Doing::Open, &failure),
        }
    }

    fn open_again(&mut self, doing: Doing, failure: &Failure) -> State<D::Row> {
        self.told.failed(doing, failure);
        let pause = self.watch_backoff.after(failure);
        self.pause(pause, State::Open)
    }

    fn list_as_asked(&self) -> State<D::Row> {
        self.metrics.restarted("asked");
        State::List(self.consistent())
    }

    /// Takes what the watch has sent, then waits for more.
    pub(super) async fn read(&mut self, mut watching: Watching) -> State<D::Row> {
        let wire = watching.frames.wire();
        loop {
            let frame = watching.frames.next_frame().map_err(|error| self.unreadable(&error));
            let taken = match frame {
                Ok(None) => break,
                Ok(Some(frame)) => self.take(wire, &frame),
                Err(failure) => Err(failure),
            };
            if let Err(failure) = taken {
                return self.watch_failed(failure);
            }
        }
        match self.listen(&mut watching).await {
            Heard::Asked => self.list_as_asked(),
            Heard::UndecodableDue => {
                self.metrics.restarted("undecodable");
                State::List(self.not_older())
            }
            Heard::Silence => self.fell_silent(),
            Heard::Chunk(Some(Ok(chunk))) => {
                self.shared.life.sign();
                watching.frames.push(&chunk);
                State::Watching(watching)
            }
            Heard::Chunk(Some(Err(error))) => self.broke_off(Failure::Connection(error)),
            Heard::Chunk(None) if watching.frames.between_frames() => self.ended(watching.opened),
            Heard::Chunk(None) => {
                self.broke_off(Failure::Unreadable("the watch ended in the middle of an event".to_owned()))
            }
        }
    }

    async fn listen(&mut self, watching: &mut Watching) -> Heard {
        let answered = self.shared.answered.borrow().number;
        let due = self.undecodable.due();
        let silence = self.shared.life.last() + SILENCE;
        tokio::select! {
            biased;
            () = asked(&mut self.asked, answered) => Heard::Asked,
            () = sleep_until(due.unwrap_or(silence)), if due.is_some() => Heard::UndecodableDue,
            chunk = watching.body.next() => Heard::Chunk(chunk),
            () = sleep_until(silence) => Heard::Silence,
        }
    }

    /// The server ended the watch as agreed: it is resumed.
    fn ended(&mut self, opened: Instant) -> State<D::Row> {
        self.metrics.restarted("end");
        if opened.elapsed() < SHORT {
            let pause = self.watch_backoff.next();
            return self.pause(pause, State::Open);
        }
        self.watch_backoff.reset();
        State::Open
    }

    /// The connection broke: worth a word only when it goes on like that.
    fn broke_off(&mut self, failure: Failure) -> State<D::Row> {
        self.metrics.restarted(failure.reason());
        if self.watch_backoff.is_reset() {
            let pause = self.watch_backoff.next();
            return self.pause(pause, State::Open);
        }
        self.open_again(Doing::Read, &failure)
    }

    /// Nothing came for too long: the watch is opened again where it was, without a list. No word of
    /// it as long as that works: where nothing changes it is the ordinary.
    fn fell_silent(&mut self) -> State<D::Row> {
        self.metrics.restarted(Failure::Silent(SILENCE).reason());
        self.silent += 1;
        if self.silent < SILENT {
            return State::Open;
        }
        self.silent = 0;
        State::Look
    }

    /// Asks for the newest version: if it is older than what was shown, a list decides whether
    /// versions went back for good.
    pub(super) async fn look(&mut self) -> State<D::Row> {
        match timeout(SILENCE, self.newest_version()).await.unwrap_or(Err(Failure::Late(SILENCE))) {
            Ok(newest) if newest < self.shown => {
                let failure = Failure::Old { got: newest, shown: self.shown };
                self.metrics.restarted(failure.reason());
                self.list_after(&failure, self.deciding())
            }
            Ok(_) => State::Open,
            Err(failure) => self.open_again(Doing::Open, &failure),
        }
    }

    fn watch_failed(&mut self, failure: Failure) -> State<D::Row> {
        self.metrics.restarted(failure.reason());
        match failure {
            Failure::Expired(_) => self.watch_expired(Doing::Read, &failure),
            Failure::Behind(_) => self.is_behind(Doing::Read, &failure, State::Open),
            Failure::Old { .. } => self.list_after(&failure, self.deciding()),
            // An event was lost with it: what follows is not to be built on.
            Failure::Unreadable(_) => self.list_after(&failure, self.not_older()),
            _ => self.open_again(Doing::Read, &failure),
        }
    }

    /// The watch is no longer to be trusted: a list follows.
    fn list_after(&mut self, failure: &Failure, listing: Listing<D::Row>) -> State<D::Row> {
        self.told.failed(Doing::Read, failure);
        self.lose();
        let pause = self.watch_backoff.after(failure);
        self.pause(pause, State::List(listing))
    }

    /// Takes one frame. An error ends the watch.
    fn take(&mut self, wire: Wire, frame: &[u8]) -> Result<(), Failure> {
        let frame = wire.read_frame(frame).map_err(|error| self.unreadable(&error))?;
        match frame.kind {
            FrameKind::Error => return Err(Failure::of_status(200, frame.object, None)),
            FrameKind::Unknown(kind) => {
                if !std::mem::replace(&mut self.unknown_told, true) {
                    let resource = self.config.resource;
                    warn!(
                        resource,
                        "an event of the unknown type {kind:?} on the watch of {resource} is ignored"
                    );
                }
                return Ok(());
            }
            FrameKind::Bookmark => {
                let version =
                    wire.read_bookmark(frame.object).map_err(|error| self.unreadable(&error))?.version;
                self.newer(version)?;
                self.tell(version, Change::Bookmark(version));
            }
            FrameKind::Upserted | FrameKind::Deleted => {
                let meta = self.decoder.meta(wire, frame.object).map_err(|error| self.unreadable(&error))?;
                self.newer(meta.version)?;
                let version = meta.version;
                let change = if frame.kind == FrameKind::Deleted {
                    self.undecodable.over(&meta.uid);
                    Change::Deleted(meta)
                } else {
                    self.upserted(meta, wire, frame.object)?
                };
                self.tell(version, change);
            }
        }
        Ok(())
    }

    fn upserted(&mut self, meta: Meta, wire: Wire, object: &[u8]) -> Result<Change<D::Row>, Failure> {
        if meta.version > 0 && !self.sink.wants(&meta) {
            return Ok(Change::Bookmark(meta.version));
        }
        Ok(match self.decoder.decode(wire, object) {
            Ok(row) => {
                self.undecodable.over(&meta.uid);
                Change::Upserted(meta, row)
            }
            Err(error) if wire == Wire::Protobuf => {
                self.want_json(&error);
                return Err(Failure::Unreadable(error.to_string()));
            }
            Err(error) => {
                if self.is_undecodable(&meta, &error) {
                    self.undecodable.want_list();
                }
                Change::Undecodable(meta)
            }
        })
    }

    /// A watch does not go back. A version that could not be read (0) says nothing.
    fn newer(&self, version: Version) -> Result<(), Failure> {
        if version != 0 && version < self.shown {
            return Err(Failure::Old { got: version, shown: self.shown });
        }
        Ok(())
    }

    /// Shows an event; whoever waits for its version is told afterwards.
    fn tell(&mut self, version: Version, change: Change<D::Row>) {
        self.sink.event(change);
        self.watch_backoff.reset();
        self.expired = 0;
        self.silent = 0;
        self.behind = 0;
        self.told.works(Doing::Read);
        if version > self.shown {
            self.shown = version;
            self.shared.version.send_replace(version);
        }
    }
}
