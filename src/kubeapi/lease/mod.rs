//! Leader election on a Lease of coordination.k8s.io, by client-go's protocol: whoever holds the Lease
//! renews it every retry period; who does not see it change for its duration may take it over, by an
//! update with its resourceVersion, of which one succeeds. All durations are measured on the local
//! monotonic clock; the times that stand in the Lease are for people.
//!
//! What differs from client-go, always to the safe or quick side:
//! - The [`LeaseFence`] counts the renew deadline from before the renewal that succeeded last was sent.
//! - Standbys watch the Lease besides polling it, so a release is taken up at once.
//! - A leader that sees another holder stops at once; a Lease that is deleted while it was held is not
//!   made anew by a standby before the old one would have run out.
//! - What others wrote on the Lease stays.
//! - A replica that is no good candidate leaves a free Lease to others for up to one lease duration.

mod elector;
mod fence;
mod http;
mod object;
mod task;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use serde_json::Value;
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::metrics::LeaseMetrics;
use crate::control::write::Event;
use crate::model::Time;
use elector::Elector;
pub use fence::LeaseFence;
pub use http::KubeLease;

const JITTER: f64 = 1.2;

/// The settings of the election.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseConfig {
    /// `--leader-elect-resource-namespace`.
    pub namespace: String,
    /// `--leader-elect-resource-name`.
    pub name: String,
    /// Who we are: no two processes may ever be called the same, a restarted one neither.
    pub identity: String,
    /// `--leader-elect-lease-duration`.
    pub lease_duration: Duration,
    /// `--leader-elect-renew-deadline`.
    pub renew_deadline: Duration,
    /// `--leader-elect-retry-period`.
    pub retry_period: Duration,
}

/// Settings that cannot work.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("leader election: {what} is {value:?}; expected {expected}")]
pub struct LeaseConfigError {
    /// Which setting.
    pub what: &'static str,
    /// Its value.
    pub value: String,
    /// What would do.
    pub expected: String,
}

impl LeaseConfig {
    /// These names, with the default durations (15 s, 10 s, 2 s).
    pub fn new(namespace: &str, name: &str, identity: &str) -> LeaseConfig {
        LeaseConfig {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            identity: identity.to_owned(),
            lease_duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry_period: Duration::from_secs(2),
        }
    }

    /// Whether the settings can work: all durations positive, lease duration > renew deadline > 1.2 ×
    /// retry period, no name empty.
    ///
    /// # Errors
    /// The first setting that is wrong.
    pub fn validate(&self) -> Result<(), LeaseConfigError> {
        let wrong = |what, value: String, expected: String| Err(LeaseConfigError { what, value, expected });
        for (what, value) in
            [("namespace", &self.namespace), ("name", &self.name), ("identity", &self.identity)]
        {
            if value.is_empty() {
                return wrong(what, String::new(), "a name".into());
            }
        }
        if self.retry_period.is_zero() {
            return wrong("retry period", shown(self.retry_period), "more than 0".into());
        }
        let least = self.retry_period.mul_f64(JITTER);
        if self.renew_deadline <= least {
            let expected = format!("more than {} (1.2 times the retry period)", shown(least));
            return wrong("renew deadline", shown(self.renew_deadline), expected);
        }
        if self.lease_duration <= self.renew_deadline {
            let expected = format!("more than {} (the renew deadline)", shown(self.renew_deadline));
            return wrong("lease duration", shown(self.lease_duration), expected);
        }
        Ok(())
    }
}

fn shown(duration: Duration) -> String {
    format!("{duration:?}")
}

/// A new identity: host name and a random part, as client-go's users build it.
pub fn new_identity() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = match host.trim() {
        "" => "unknown",
        name => name,
    };
    // A random UUID (version 4).
    let random: u128 = rand::random();
    let random = (random & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{random:032x}");
    format!("{host}_{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// Where this process stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaderState {
    /// It does not hold the lease.
    Standby,
    /// It holds the lease.
    Leading {
        /// When it took it, by the wall clock.
        since: Time,
        /// How often the lease has changed hands (`leaseTransitions`).
        generation: u64,
    },
    /// It held the lease and could not renew it in time, or somebody else has it. Final: the process is to exit.
    Lost,
    /// It gave the lease back, or was stopped before it had it. Final.
    Released,
}

impl LeaderState {
    /// Whether nothing follows on this.
    pub fn is_final(self) -> bool {
        matches!(self, LeaderState::Lost | LeaderState::Released)
    }
}

/// Why a request for the Lease failed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum LeaseError {
    /// It was changed, created or deleted by somebody else.
    #[error("the Lease was changed by somebody else")]
    Conflict,
    /// Anything else; whether the request was carried out is not known.
    #[error("{message}")]
    Failed {
        /// What happened.
        message: String,
    },
}

/// What a watch of the Lease shows.
#[derive(Clone, Debug, PartialEq)]
pub enum LeaseChange {
    /// It stands like this.
    Stands(Value),
    /// It was deleted.
    Gone,
}

/// The requests that the election makes. Each ends within a time limit of the caller's.
pub trait LeaseApi: Send + Sync {
    /// The Lease, read consistently; `None` when there is none.
    fn get(&self) -> BoxFuture<'_, Result<Option<Value>, LeaseError>>;
    /// Creates it; returns it as it was stored.
    fn create(&self, lease: Value) -> BoxFuture<'_, Result<Value, LeaseError>>;
    /// Replaces it if it still has this resourceVersion; returns it as it was stored.
    fn update(&self, lease: Value) -> BoxFuture<'_, Result<Value, LeaseError>>;
    /// What becomes of it, beginning with how it stands. The stream may end at any time.
    fn watch(&self) -> BoxFuture<'_, Result<BoxStream<'static, LeaseChange>, LeaseError>>;
    /// Posts an Event.
    fn post_event(&self, event: Event) -> BoxFuture<'_, Result<(), LeaseError>>;
}

/// The election as the rest of the program sees it.
pub struct Lease {
    state: watch::Receiver<LeaderState>,
    fence: Arc<LeaseFence>,
    stop: watch::Sender<bool>,
    lease_duration: Duration,
    name: String,
}

impl Lease {
    /// Starts the election as a task. It ends, with its last state, when the lease was lost or released.
    ///
    /// While `candidate` returns false, this replica leaves a free lease alone, for at most one lease
    /// duration after it became free.
    ///
    /// # Errors
    /// When the settings cannot work.
    pub fn start(
        config: LeaseConfig,
        api: Arc<dyn LeaseApi>,
        candidate: impl Fn() -> bool + Send + Sync + 'static,
        metrics: LeaseMetrics,
    ) -> Result<(Lease, JoinHandle<LeaderState>), LeaseConfigError> {
        config.validate()?;
        let (state, seen) = watch::channel(LeaderState::Standby);
        let (stop, stopped) = watch::channel(false);
        let fence = Arc::new(LeaseFence::new());
        let lease = Lease {
            state: seen,
            fence: Arc::clone(&fence),
            stop,
            lease_duration: config.lease_duration,
            name: format!("{}/{}", config.namespace, config.name),
        };
        let elector = Elector::new(config, api, fence, metrics);
        let task = task::Task::new(elector, Box::new(candidate), state, stopped);
        Ok((lease, tokio::spawn(task.run())))
    }

    /// Where this process stands, and what becomes of it.
    pub fn state(&self) -> watch::Receiver<LeaderState> {
        self.state.clone()
    }

    /// The fence that every write has to pass.
    pub fn fence(&self) -> Arc<LeaseFence> {
        Arc::clone(&self.fence)
    }

    /// Ends the election: the fence is closed for good, and the lease is given back if it is held. Returns when
    /// that is done, or could not be done within five seconds. Not to be called while a write may still be
    /// carried out.
    pub async fn release(&self) {
        self.fence.close();
        let _ = self.stop.send(true);
        let mut state = self.state.clone();
        // An error means that the task is gone, and with it what there was to wait for.
        let _ = state.wait_for(|state| state.is_final()).await;
    }

    /// For liveness: fails when this process believes that it leads, and has not renewed the lease for
    /// its duration and `tolerance` on top (then it should have exited, and something is stuck).
    ///
    /// # Errors
    /// A sentence.
    pub fn check(&self, tolerance: Duration) -> Result<(), String> {
        let leading = matches!(*self.state.borrow(), LeaderState::Leading { .. });
        let silent = self.fence.last_renewal().map(|renewed| renewed.elapsed()).unwrap_or_default();
        if leading && silent > self.lease_duration + tolerance {
            return Err(format!("lease {} was not renewed for {} s", self.name, silent.as_secs()));
        }
        Ok(())
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("name", &self.name).field("state", &*self.state.borrow()).finish()
    }
}

#[cfg(test)]
mod tests;
