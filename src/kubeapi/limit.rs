//! How fast requests may be sent: a token bucket in which one reserves a place and is told how long
//! to wait for it, so that waiting is the caller's and the order of arrival is kept.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// A token bucket: `burst` requests at once, then `qps` a second.
#[derive(Debug)]
pub struct TokenBucket {
    qps: f64,
    burst: f64,
    level: Mutex<Level>,
}

#[derive(Debug)]
struct Level {
    // Below zero: that many requests have been promised a place and still wait for it.
    tokens: f64,
    at: Instant,
}

impl TokenBucket {
    /// A full bucket. `qps` 0 (or what is not a positive number) means no limit; a `burst` of 0 counts as 1,
    /// since with none nothing could ever be sent.
    pub fn new(qps: f64, burst: u32) -> TokenBucket {
        let burst = f64::from(burst.max(1));
        TokenBucket { qps, burst, level: Mutex::new(Level { tokens: burst, at: Instant::now() }) }
    }

    /// Whether there is a limit at all.
    pub fn limits(&self) -> bool {
        self.qps > 0.0
    }

    /// Takes the next place and returns how long to wait for it, from `now` on. Zero: go ahead.
    pub fn reserve(&self, now: Instant) -> Duration {
        if !self.limits() {
            return Duration::ZERO;
        }
        let mut level = self.level.lock();
        let gained = now.saturating_duration_since(level.at).as_secs_f64() * self.qps;
        level.tokens = (level.tokens + gained).min(self.burst) - 1.0;
        level.at = level.at.max(now);
        Duration::try_from_secs_f64((-level.tokens / self.qps).max(0.0)).unwrap_or(Duration::MAX)
    }

    /// Waits for the next place; returns how long that took.
    pub async fn wait(&self) -> Duration {
        let wait = self.reserve(Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn without_qps_nothing_waits() {
        let bucket = TokenBucket::new(0.0, 0);
        assert!((0..10_000).all(|_| bucket.reserve(Instant::now()).is_zero()));
        assert!(!bucket.limits());
    }

    #[tokio::test(start_paused = true)]
    async fn the_burst_goes_at_once_and_the_rest_one_by_one() {
        let bucket = TokenBucket::new(10.0, 3);
        let waits: Vec<u128> = (0..6).map(|_| bucket.reserve(Instant::now()).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 100, 200, 300]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_bucket_fills_up_to_the_burst_and_no_further() {
        let bucket = TokenBucket::new(10.0, 2);
        let now = Instant::now();
        assert!((0..2).all(|_| bucket.reserve(now).is_zero()));
        let later = now + Duration::from_secs(3600);
        let waits: Vec<u128> = (0..3).map(|_| bucket.reserve(later).as_millis()).collect();
        assert_eq!(waits, [0, 0, 100]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_long_run_rate_is_the_one_that_was_set() {
        let bucket = TokenBucket::new(20.0, 30);
        let start = Instant::now();
        for _ in 0..230 {
            bucket.wait().await;
        }
        let took = start.elapsed().as_secs_f64();
        assert!((took - 10.0).abs() < 0.3, "200 requests past the burst at 20 a second took {took} s");
    }

    #[tokio::test(start_paused = true)]
    async fn an_instant_that_lies_back_brings_no_tokens() {
        let bucket = TokenBucket::new(1.0, 1);
        let now = Instant::now() + Duration::from_secs(10);
        assert!(bucket.reserve(now).is_zero());
        assert_eq!(bucket.reserve(now - Duration::from_secs(5)), Duration::from_secs(1));
        assert_eq!(bucket.reserve(now), Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_of_none_still_lets_requests_through() {
        let bucket = TokenBucket::new(1.0, 0);
        assert!(bucket.reserve(Instant::now()).is_zero());
        assert_eq!(bucket.reserve(Instant::now()), Duration::from_secs(1));
    }
}
