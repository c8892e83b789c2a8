//! The course of an election: standby until the lease is taken, leading until it is lost or released.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::elector::{Attempt, Elector, Tenure};
use super::{LeaderState, LeaseApi, LeaseChange};
use crate::control::write::Event;
use crate::model::Time;

// How often a replica that holds itself back looks whether it has become a good candidate.
const GATE: Duration = Duration::from_millis(100);
const WORDS: Duration = Duration::from_secs(10);
const LAST_WORDS: Duration = Duration::from_millis(500);
const RELEASE_LIMIT: Duration = Duration::from_secs(4);

pub(super) struct Task {
    elector: Elector,
    candidate: Box<dyn Fn() -> bool + Send + Sync>,
    state: watch::Sender<LeaderState>,
    stop: watch::Receiver<bool>,
    free_since: Option<Instant>,
    /// The lease is free, and we leave it to others for now.
    holding_back: bool,
}

/// Why a standby woke up.
enum Wake {
    /// It is time to read the Lease again.
    Poll,
    /// The Lease has run out, or it is time to look whether we have become a good candidate.
    Due,
    /// A watch shows something new.
    Change(LeaseChange),
}

/// What ends leading.
enum End {
    Lost,
    Stopped,
}

impl Task {
    pub(super) fn new(
        elector: Elector,
        candidate: Box<dyn Fn() -> bool + Send + Sync>,
        state: watch::Sender<LeaderState>,
        stop: watch::Receiver<bool>,
    ) -> Task {
        Task { elector, candidate, state, stop, free_since: None, holding_back: false }
    }

    pub(super) async fn run(mut self) -> LeaderState {
        let mut stop = self.stop.clone();
        // The futures are dropped where a stop arrives; `release` finds out what became of their requests.
        let stopped = tokio::select! {
            biased;
            () = wanted(&mut stop) => true,
            () = self.standby() => false,
        };
        if stopped {
            return self.released(false).await;
        }
        self.lead();
        let end = tokio::select! {
            biased;
            () = wanted(&mut stop) => End::Stopped,
            () = self.leading() => End::Lost,
        };
        match end {
            End::Stopped => self.released(true).await,
            End::Lost => self.lost().await,
        }
    }

    /// Waits and tries until the lease is ours.
    async fn standby(&mut self) {
        let (found, mut changes) = mpsc::channel(16);
        let api = Arc::clone(&self.elector.api);
        let _follower = Follower(tokio::spawn(follow(api, self.elector.config.retry_period, found)));
        let mut poll_at = Instant::now();
        loop {
            let wake = tokio::select! {
                biased;
                Some(change) = changes.recv() => Wake::Change(change),
                () = sleep_until(self.due(poll_at)) => {
                    if Instant::now() >= poll_at { Wake::Poll } else { Wake::Due }
                }
            };
            let taken = match wake {
                Wake::Poll => {
                    poll_at = Instant::now() + self.elector.pause();
                    self.attempt(true).await
                }
                Wake::Due if self.holds_back() => false,
                Wake::Due | Wake::Change(LeaseChange::Gone) => self.attempt(true).await,
                Wake::Change(LeaseChange::Stands(lease)) => {
                    self.elector.shown(lease);
                    self.attempt(false).await
                }
            };
            if taken {
                return;
            }
        }
    }

    /// When to wake up at the latest.
    fn due(&self, poll_at: Instant) -> Instant {
        let now = Instant::now();
        match self.elector.tenure(now) {
            Tenure::Held { until } => poll_at.min(until),
            _ if self.holding_back => poll_at.min(now + GATE),
            _ => poll_at,
        }
    }

    async fn attempt(&mut self, read: bool) -> bool {
        let attempt = match if read { self.elector.read().await } else { Ok(()) } {
            Err(failed) => failed,
            Ok(()) if self.holds_back() => return false,
            Ok(()) => self.elector.claim().await,
        };
        if let Attempt::Failed { message } = &attempt {
            tracing::warn!(lease = %self.elector.config.name, %message, "the lease could not be taken");
        }
        attempt == Attempt::Holding
    }

    /// Whether a free lease is left to others: no good candidate, and not free for long.
    fn holds_back(&mut self) -> bool {
        let now = Instant::now();
        if matches!(self.elector.tenure(now), Tenure::Held { .. }) {
            self.free_since = None;
            self.holding_back = false;
            return false;
        }
        let since = *self.free_since.get_or_insert(now);
        self.holding_back = now < since + self.elector.config.lease_duration && !(self.candidate)();
        self.holding_back
    }

    fn lead(&mut self) {
        let config = &self.elector.config;
        let generation = self.elector.generation();
        tracing::info!(lease = %config.name, identity = %config.identity, generation, "took the lease, leading");
        self.elector.metrics.master.set(1);
        let nanos = i64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX);
        self.state.send_replace(LeaderState::Leading { since: Time::from_nanos(nanos), generation });
        let (api, event) = (Arc::clone(&self.elector.api), self.elector.event("became leader"));
        tokio::spawn(async move { say(&*api, event, WORDS).await });
    }

    /// Renews until the lease is lost.
    async fn leading(&mut self) {
        let retry = self.elector.config.retry_period;
        let mut next = Instant::now() + retry;
        loop {
            sleep_until(next).await;
            let started = Instant::now();
            let deadline = self.elector.fence.deadline().unwrap_or(started);
            if started >= deadline {
                tracing::error!(lease = %self.elector.config.name, "the lease was not renewed in time");
                return;
            }
            match self.elector.renew().await {
                Attempt::Holding => next = started + retry,
                Attempt::Held => {
                    let holder = self.elector.holder();
                    tracing::error!(lease = %self.elector.config.name, %holder, "somebody else holds the lease");
                    return;
                }
                Attempt::Failed { message } => {
                    tracing::warn!(lease = %self.elector.config.name, %message, "the lease could not be renewed");
                    next = (started + retry).min(deadline);
                }
            }
        }
    }

    async fn lost(self) -> LeaderState {
        self.elector.fence.close();
        self.elector.metrics.master.set(0);
        self.state.send_replace(LeaderState::Lost);
        say(&*self.elector.api, self.elector.event("stopped leading"), LAST_WORDS).await;
        LeaderState::Lost
    }

    async fn released(mut self, leading: bool) -> LeaderState {
        if timeout(RELEASE_LIMIT, self.elector.release()).await.is_err() {
            tracing::warn!(lease = %self.elector.config.name, "the lease could not be released in time");
        }
        self.elector.metrics.master.set(0);
        if leading {
            say(&*self.elector.api, self.elector.event("stopped leading"), LAST_WORDS).await;
        }
        self.state.send_replace(LeaderState::Released);
        LeaderState::Released
    }
}

/// Returns when a stop is wanted; also when nobody is left who could want it.
async fn wanted(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn say(api: &dyn LeaseApi, event: Event, limit: Duration) {
    match timeout(limit, api.post_event(event)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "the Event about the lease was not posted"),
        Err(_) => tracing::debug!("the Event about the lease was not posted in time"),
    }
}

/// The task that follows the Lease; it ends with this.
struct Follower(JoinHandle<()>);

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Hands on what a watch shows, and opens another one when it ends.
async fn follow(api: Arc<dyn LeaseApi>, pause: Duration, found: mpsc::Sender<LeaseChange>) {
    let mut told = false;
    loop {
        match api.watch().await {
            Ok(mut changes) => {
                told = false;
                while let Some(change) = changes.next().await {
                    if found.send(change).await.is_err() {
                        return;
                    }
                }
            }
            Err(error) if !told => {
                told = true;
                tracing::warn!(%error, "the Lease cannot be watched, so a release is seen at the next poll only");
            }
            Err(_) => {}
        }
        tokio::time::sleep(pause).await;
    }
}
