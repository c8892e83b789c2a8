//! Waiting for a condition with a deadline; the only way in which a test may let time pass.

use std::future::Future;
use std::time::{Duration, Instant};

/// How long a condition may take before the test fails.
pub type Deadline = Duration;

/// Enough for anything that a healthy controller does on a busy machine.
pub const SOON: Deadline = Duration::from_secs(30);

/// Asks `probe` until it answers `Ok`; fails with its last complaint when the deadline has passed.
pub async fn eventually<T, F, Fut>(what: &str, deadline: Deadline, mut probe: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, String>>,
{
    let started = Instant::now();
    let mut pause = Duration::from_millis(10);
    loop {
        let complaint = match probe().await {
            Ok(value) => return value,
            Err(complaint) => complaint,
        };
        assert!(started.elapsed() < deadline, "{what}: not within {deadline:?}; last seen: {complaint}");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(150));
    }
}
