//! The protocol: what was last seen of the Lease and when, whether it may be taken, and the requests
//! that take, renew and release it.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use super::object::{Shown, blank, hold, release};
use super::{LeaseApi, LeaseConfig, LeaseError, LeaseFence};
use crate::control::write::{Event, Regarding};
use crate::kubeapi::metrics::LeaseMetrics;
use crate::model::{Key, Time, Uid};

/// Whose the Lease is, as far as can be seen from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tenure {
    /// It names us.
    Ours,
    /// It names somebody who has shown life; until then.
    Held { until: Instant },
    /// Nobody's, or of somebody who has not shown life for its duration, or not there.
    Free,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// The lease is ours; the fence was extended.
    Holding,
    /// Somebody else holds it.
    Held,
    /// It did not work out.
    Failed { message: String },
}

pub(super) struct Elector {
    pub(super) config: LeaseConfig,
    pub(super) api: Arc<dyn LeaseApi>,
    pub(super) fence: Arc<LeaseFence>,
    pub(super) metrics: LeaseMetrics,
    seen: Option<Seen>,
    /// The last read found no Lease.
    absent: bool,
    /// A request was sent that may have made the lease ours.
    claimed: bool,
}

/// What was last seen of the Lease.
struct Seen {
    lease: Value,
    shown: Shown,
    /// When its spec was first seen as it is.
    at: Instant,
}

impl Elector {
    pub(super) fn new(
        config: LeaseConfig,
        api: Arc<dyn LeaseApi>,
        fence: Arc<LeaseFence>,
        metrics: LeaseMetrics,
    ) -> Elector {
        metrics.master.set(0);
        Elector { config, api, fence, metrics, seen: None, absent: false, claimed: false }
    }

    pub(super) fn tenure(&self, now: Instant) -> Tenure {
        let Some(seen) = &self.seen else { return Tenure::Free };
        if seen.shown.holder == self.config.identity {
            return Tenure::Ours;
        }
        if seen.shown.holder.is_empty() {
            return Tenure::Free;
        }
        // One that vanished counts until it would have run out: its holder does not know yet.
        let until = seen.at + seen.shown.duration.unwrap_or(self.config.lease_duration);
        if until > now { Tenure::Held { until } } else { Tenure::Free }
    }

    /// Who holds the lease as far as can be seen; for log lines.
    pub(super) fn holder(&self) -> &str {
        self.seen.as_ref().map_or("", |seen| &seen.shown.holder)
    }

    pub(super) fn generation(&self) -> u64 {
        self.seen.as_ref().map_or(0, |seen| seen.shown.transitions)
    }

    /// A watch shows the Lease; older news than what is known is ignored.
    pub(super) fn shown(&mut self, lease: Value) {
        let version = Shown::read(&lease).version;
        if self.seen.as_ref().is_none_or(|seen| version > seen.shown.version) {
            self.see(lease, Instant::now());
        }
    }

    fn see(&mut self, lease: Value, now: Instant) {
        let shown = Shown::read(&lease);
        let at = match &self.seen {
            Some(seen) if seen.shown.spec == shown.spec => seen.at,
            _ => now,
        };
        self.absent = false;
        self.seen = Some(Seen { lease, shown, at });
    }

    /// Takes the lease if it may be taken, going by what was seen last (the update names its version).
    pub(super) async fn claim(&mut self) -> Attempt {
        if matches!(self.tenure(Instant::now()), Tenure::Held { .. }) {
            return Attempt::Held;
        }
        self.put().await
    }

    /// Reads the Lease.
    pub(super) async fn read(&mut self) -> Result<(), Attempt> {
        let read = self.limited(self.api.get()).await;
        match read {
            Ok(Some(lease)) => self.see(lease, Instant::now()),
            Ok(None) => self.absent = true,
            Err(error) => return Err(failed("read", &error)),
        }
        Ok(())
    }

    /// Renews the lease: by an update of what was seen last, and if that fails by reading it first.
    pub(super) async fn renew(&mut self) -> Attempt {
        if !self.absent && self.tenure(Instant::now()) == Tenure::Ours {
            let attempt = self.put().await;
            if attempt == Attempt::Holding {
                return attempt;
            }
            tracing::debug!(?attempt, "renewing the lease as it was seen last failed, reading it");
        }
        if let Err(failed) = self.read().await {
            return failed;
        }
        match self.tenure(Instant::now()) {
            Tenure::Held { .. } => return Attempt::Held,
            Tenure::Ours => self.metrics.slowpath.inc(),
            _ => {}
        }
        self.put().await
    }

    /// Writes the Lease as held by us.
    async fn put(&mut self) -> Attempt {
        let base = match &self.seen {
            Some(seen) if !self.absent => seen.lease.clone(),
            // Made anew, but our own transitions and times go on.
            Some(seen) => {
                let mut lease = blank(&self.config);
                lease["spec"] = seen.shown.spec.clone();
                lease
            }
            None => blank(&self.config),
        };
        let lease = hold(base, &self.config, Timestamp::now());
        self.claimed = true;
        let sent = Instant::now();
        let request =
            if self.absent || self.seen.is_none() { self.api.create(lease) } else { self.api.update(lease) };
        match self.limited(request).await {
            Ok(stored) => {
                self.see(stored, sent);
                if let Some(seen) = &mut self.seen {
                    seen.at = sent;
                }
                self.fence.extend(sent, self.config.renew_deadline);
                Attempt::Holding
            }
            Err(error) => failed("write", &error),
        }
    }

    /// Gives the lease back, if it is ours. The fence is closed first.
    pub(super) async fn release(&mut self) {
        self.fence.close();
        if !self.claimed {
            return;
        }
        // What was seen last usually is how it stands; after a conflict it is read.
        for attempt in 0..3 {
            if (attempt > 0 || self.tenure(Instant::now()) != Tenure::Ours) && self.read().await.is_err() {
                continue;
            }
            let seen = match &self.seen {
                Some(seen) if !self.absent && seen.shown.holder == self.config.identity => seen,
                _ => return,
            };
            let lease = release(seen.lease.clone(), Timestamp::now());
            match self.limited(self.api.update(lease)).await {
                Ok(stored) => {
                    tracing::info!(lease = %self.config.name, "released the lease");
                    return self.see(stored, Instant::now());
                }
                Err(error) => {
                    tracing::warn!(lease = %self.config.name, %error, "the lease could not be released")
                }
            }
        }
    }

    /// No request may take so long that there is no time for another before the renew deadline.
    async fn limited<T>(&self, request: BoxFuture<'_, Result<T, LeaseError>>) -> Result<T, LeaseError> {
        let now = Instant::now();
        let left = self.fence.deadline().map(|deadline| deadline.saturating_duration_since(now));
        let third = self.config.renew_deadline / 3;
        let limit = left.filter(|left| !left.is_zero()).map_or(third, |left| left.min(third));
        match tokio::time::timeout(limit, request).await {
            Ok(ended) => ended,
            Err(_) => {
                Err(LeaseError::Failed { message: format!("no answer within {} ms", limit.as_millis()) })
            }
        }
    }

    /// The Event `<identity> <what>` on the Lease.
    pub(super) fn event(&self, what: &str) -> Event {
        let now = Time::from_nanos(i64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX));
        let (uid, version) = match &self.seen {
            Some(seen) => (seen.lease["metadata"]["uid"].as_str().unwrap_or_default(), seen.shown.version),
            None => ("", 0),
        };
        Event {
            name: Event::name(&self.config.name, now),
            regarding: Regarding {
                api_version: "coordination.k8s.io/v1",
                kind: "Lease",
                key: Key::new(&self.config.namespace, &self.config.name),
                uid: Uid::new(uid),
                version,
            },
            component: "endpointslice-controller",
            warning: false,
            reason: "LeaderElection",
            message: format!("{} {what}", self.config.identity),
            first: now,
            last: now,
            count: 1,
        }
    }

    /// How long to wait for the next try: the retry period, and up to 1.2 times that on top.
    pub(super) fn pause(&self) -> Duration {
        self.config.retry_period.mul_f64(1.0 + super::JITTER * rand::random::<f64>())
    }
}

fn failed(what: &str, error: &LeaseError) -> Attempt {
    Attempt::Failed { message: format!("{what}: {error}") }
}
