//! The state machine: which state follows which.
//!
//! `List` (a page at a time) → `Open` → `Watching` → `Open` … A failure adds a `Pause` in front of the
//! state that is tried again. A list follows only when the watch cannot be resumed, when somebody asked
//! for one, or when an object could not be decoded.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use super::failure::{Backoff, Doing, Failure, Told};
use super::handle::{Shared, StreamHandle};
use super::list::Listing;
use super::metrics::{ResourceMetrics, StreamMetrics};
use super::request::Fresh;
use super::transport::Transport;
use super::undecodable::Undecodable;
use super::watch::Watching;
use super::{ListMode, Listed, Sink, StreamConfig};
use crate::kubeapi::decode::{DecodeError, Decoder, Wire};
use crate::model::{Meta, Version};

/// So often a list or a watch is found behind what was shown before a consistent read decides.
const BEHIND: u32 = 2;

/// One resource, listed and watched.
pub struct Stream<D: Decoder, S: Sink<Row = D::Row>> {
    pub(super) config: StreamConfig,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) decoder: D,
    pub(super) sink: Arc<S>,
    pub(super) shared: Arc<Shared>,
    pub(super) asked: watch::Receiver<u64>,
    pub(super) metrics: ResourceMetrics,
    pub(super) told: Told,
    pub(super) undecodable: Undecodable,
    pub(super) unknown_told: bool,
    /// Lists are fetched as the beginning of a watch.
    pub(super) streaming: bool,
    /// Protobuf is asked for: until something came that only JSON says.
    pub(super) protobuf: bool,
    /// What has been shown.
    pub(super) shown: Version,
    pub(super) list_backoff: Backoff,
    /// Reset only by what a watch sends: lists that succeed in between prove nothing.
    pub(super) watch_backoff: Backoff,
    /// Since a watch last sent something: how often it had expired, was silent, was behind.
    pub(super) expired: u32,
    pub(super) silent: u32,
    pub(super) behind: u32,
}

/// What the stream does next.
pub(super) enum State<R> {
    /// Fetch the next page of a list.
    List(Listing<R>),
    /// Open a watch at the version that was shown.
    Open,
    /// Ask for the newest version, and nothing else.
    Look,
    /// Read an open watch.
    Watching(Watching),
    /// Wait, then go on.
    Pause { until: Instant, then: Box<State<R>> },
}

impl<D: Decoder, S: Sink<Row = D::Row>> Stream<D, S> {
    /// A stream that has not begun, and its handle.
    pub fn new(
        config: StreamConfig,
        transport: Arc<dyn Transport>,
        decoder: D,
        sink: Arc<S>,
        metrics: &StreamMetrics,
    ) -> (Stream<D, S>, StreamHandle) {
        let shared = Arc::new(Shared::new());
        let metrics = metrics.of(config.resource, shared.life.clone());
        let stream = Stream {
            transport,
            protobuf: decoder.reads_protobuf(),
            decoder,
            sink,
            asked: shared.asked.subscribe(),
            told: Told::new(config.resource, &config.path),
            undecodable: Undecodable::new(metrics.undecodable.clone()),
            metrics,
            unknown_told: false,
            streaming: config.list_mode == ListMode::Streaming,
            shown: 0,
            list_backoff: Backoff::default(),
            watch_backoff: Backoff::default(),
            expired: 0,
            silent: 0,
            behind: 0,
            shared: Arc::clone(&shared),
            config,
        };
        (stream, StreamHandle { shared })
    }

    /// A stream in a task of its own. It ends with the runtime, or when the task is aborted.
    pub fn spawn(
        config: StreamConfig,
        transport: Arc<dyn Transport>,
        decoder: D,
        sink: Arc<S>,
        metrics: &StreamMetrics,
    ) -> (StreamHandle, tokio::task::JoinHandle<()>) {
        let (stream, handle) = Stream::new(config, transport, decoder, sink, metrics);
        (handle, tokio::spawn(stream.run()))
    }

    /// Lists and watches for ever; to stop it, drop it.
    pub async fn run(mut self) {
        self.shared.life.sign();
        let mut state = State::List(self.consistent());
        loop {
            state = self.step(state).await;
        }
    }

    async fn step(&mut self, state: State<D::Row>) -> State<D::Row> {
        match state {
            State::List(listing) => self.list(listing).await,
            State::Open => self.open().await,
            State::Look => self.look().await,
            State::Watching(watching) => self.read(watching).await,
            State::Pause { until, then } => {
                sleep_until(until).await;
                *then
            }
        }
    }

    /// This state, after a pause.
    pub(super) fn pause(&self, pause: Duration, then: State<D::Row>) -> State<D::Row> {
        State::Pause { until: Instant::now() + pause, then: Box::new(then) }
    }

    /// A list that answers everybody who has asked for one up to now.
    pub(super) fn consistent(&self) -> Listing<D::Row> {
        Listing::new(Fresh::Consistent, *self.asked.borrow())
    }

    /// A list that decides whether versions went back for good.
    pub(super) fn deciding(&self) -> Listing<D::Row> {
        Listing { deciding: true, ..self.consistent() }
    }

    /// A list that any API server may answer. Version 0 is never asked for.
    pub(super) fn not_older(&self) -> Listing<D::Row> {
        match self.shown {
            0 => self.consistent(),
            shown => Listing::new(Fresh::NotOlderThan(shown), 0),
        }
    }

    /// Whether somebody asked for a consistent list who has not been answered.
    pub(super) fn is_asked(&self) -> bool {
        *self.asked.borrow() > self.shared.answered.borrow().number
    }

    /// What is held may not be trusted before the next list.
    pub(super) fn lose(&self) {
        self.shared.lost.send_replace(true);
    }

    /// The version of the watch has expired: a list, from the second time on a consistent one, since a
    /// cache may answer with the very version that has expired.
    pub(super) fn watch_expired(&mut self, doing: Doing, failure: &Failure) -> State<D::Row> {
        self.lose();
        self.expired += 1;
        if self.expired == 1 {
            return State::List(self.not_older());
        }
        self.told.failed(doing, failure);
        let pause = self.watch_backoff.after(failure);
        self.pause(pause, State::List(self.consistent()))
    }

    /// An API server is behind what was shown: `again` may meet another one; in the end one consistent
    /// read decides whether versions went back.
    pub(super) fn is_behind(
        &mut self,
        doing: Doing,
        failure: &Failure,
        again: State<D::Row>,
    ) -> State<D::Row> {
        self.told.failed(doing, failure);
        self.behind += 1;
        let next = if self.behind < BEHIND {
            again
        } else {
            self.lose();
            State::List(self.deciding())
        };
        let pause = if doing == Doing::List { &mut self.list_backoff } else { &mut self.watch_backoff }
            .after(failure);
        self.pause(pause, next)
    }

    /// An object that cannot be decoded: counted, and told once for its uid and version.
    pub(super) fn is_undecodable(&mut self, meta: &Meta, error: &DecodeError) -> bool {
        self.metrics.decode_errors.inc();
        let new = self.undecodable.met(meta);
        if new {
            let resource = self.config.resource;
            warn!(resource, "{resource} {} (version {}) cannot be decoded: {error}", meta.key, meta.version);
        }
        new
    }

    /// Something came in protobuf that only JSON may say whole: JSON from now on. What is being read is
    /// to be read again.
    pub(super) fn want_json(&mut self, error: &DecodeError) {
        if std::mem::replace(&mut self.protobuf, false) {
            self.metrics.restarted("undecodable");
            let resource = self.config.resource;
            info!(resource, "{resource} are read as JSON from now on, not as protobuf: {error}");
        }
    }

    /// Something of which not even the name can be read.
    pub(super) fn unreadable(&self, error: &DecodeError) -> Failure {
        self.metrics.decode_errors.inc();
        Failure::Unreadable(error.to_string())
    }

    /// One object of a list or a streaming list. One without a readable name is left out: which row is
    /// its old one cannot be known, and the others are not to wait for it.
    pub(super) fn read_object(
        &mut self,
        deciding: bool,
        wire: Wire,
        object: &[u8],
    ) -> Option<(Meta, Listed<D::Row>)> {
        let meta = match self.decoder.meta(wire, object) {
            Err(error) if wire == Wire::Protobuf => {
                self.want_json(&error);
                return None;
            }
            Ok(meta) => meta,
            Err(error) => {
                let failure = self.unreadable(&error);
                self.told.failed(Doing::Read, &failure);
                return None;
            }
        };
        // After versions went back, the same uid and version may be another state.
        if !deciding && !self.sink.wants(&meta) {
            return Some((meta, Listed::Unchanged));
        }
        match self.decoder.decode(wire, object) {
            Ok(row) => Some((meta, Listed::Row(row))),
            Err(error) if wire == Wire::Protobuf => {
                self.want_json(&error);
                None
            }
            Err(error) => {
                self.is_undecodable(&meta, &error);
                Some((meta, Listed::Undecodable))
            }
        }
    }
}

/// Ends when somebody asks for a consistent list.
pub(super) async fn asked(asked: &mut watch::Receiver<u64>, answered: u64) {
    if asked.wait_for(|number| *number > answered).await.is_err() {
        // The stream itself holds the sender: not reached.
        std::future::pending::<()>().await;
    }
}
