//! The fence: open only while nobody else can hold the lease.
//!
//! It closes by itself at the last successful renewal plus the renew deadline, counted on the local
//! monotonic clock from *before* that renewal was sent. Nobody has to close it, so it holds too when the
//! process was frozen for a while: the first look after waking up finds it closed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::control::write::Fence;

/// The [`Fence`] of a [`Lease`](super::Lease).
#[derive(Debug)]
pub struct LeaseFence {
    origin: Instant,
    // Nanoseconds since `origin`; 0 means never.
    open_until: AtomicU64,
    renewed: AtomicU64,
    closed: AtomicBool,
}

impl LeaseFence {
    pub(super) fn new() -> LeaseFence {
        LeaseFence {
            // A moment earlier, so that no instant that is stored is 0.
            origin: Instant::now().checked_sub(Duration::from_secs(1)).unwrap_or_else(Instant::now),
            open_until: AtomicU64::new(0),
            renewed: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        }
    }

    /// A renewal that was sent at `sent` succeeded.
    pub(super) fn extend(&self, sent: Instant, renew_deadline: Duration) {
        self.renewed.fetch_max(self.nanos(sent), Ordering::SeqCst);
        self.open_until.fetch_max(self.nanos(sent + renew_deadline), Ordering::SeqCst);
    }

    /// Closes it for good.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// When it closes by itself; `None` when the lease was never held.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.instant(self.open_until.load(Ordering::SeqCst))
    }

    /// When the last renewal that succeeded was sent; `None` when the lease was never held.
    pub fn last_renewal(&self) -> Option<Instant> {
        self.instant(self.renewed.load(Ordering::SeqCst))
    }

    fn nanos(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.origin).as_nanos()).unwrap_or(u64::MAX)
    }

    fn instant(&self, nanos: u64) -> Option<Instant> {
        (nanos != 0).then(|| self.origin + Duration::from_nanos(nanos))
    }
}

impl Fence for LeaseFence {
    fn may_write(&self) -> bool {
        !self.closed.load(Ordering::SeqCst)
            && self.nanos(Instant::now()) < self.open_until.load(Ordering::SeqCst)
    }
}
