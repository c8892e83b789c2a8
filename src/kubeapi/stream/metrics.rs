//! What is measured of the streams.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};
use tokio::time::Instant;

/// The metrics of all streams: `endpointslice_watch_last_event_age_seconds`,
/// `endpointslice_watch_restarts_total`, `endpointslice_decode_errors_total` and
/// `endpointslice_undecodable_objects`.
#[derive(Clone)]
pub struct StreamMetrics {
    restarts: IntCounterVec,
    decode_errors: IntCounterVec,
    undecodable: IntGaugeVec,
    ages: Ages,
}

/// Why a watch ended or a list was begun again: what [`Failure::reason`](super::failure::Failure::reason)
/// says, and what is no failure.
const REASONS: [&str; 9] =
    ["asked", "brake", "denied", "end", "error", "expired", "old", "silent", "undecodable"];

/// When each stream last gave a sign of life; the age is computed when it is asked for.
#[derive(Clone)]
struct Ages {
    gauge: GaugeVec,
    lives: Arc<Mutex<BTreeMap<&'static str, Life>>>,
}

/// The last sign of life of one stream.
#[derive(Clone, Debug)]
pub(super) struct Life(Arc<Mutex<Instant>>);

impl Life {
    pub(super) fn new() -> Life {
        Life(Arc::new(Mutex::new(Instant::now())))
    }

    pub(super) fn sign(&self) {
        *self.0.lock() = Instant::now();
    }

    pub(super) fn last(&self) -> Instant {
        *self.0.lock()
    }
}

/// The metrics of one stream.
#[derive(Clone)]
pub(super) struct ResourceMetrics {
    resource: &'static str,
    restarts: IntCounterVec,
    pub(super) decode_errors: IntCounter,
    pub(super) undecodable: IntGauge,
}

impl StreamMetrics {
    /// Registers the metrics.
    ///
    /// # Errors
    /// When metrics of these names are registered already.
    pub fn new(registry: &Registry) -> Result<StreamMetrics, prometheus::Error> {
        let restarts = IntCounterVec::new(
            Opts::new(
                "endpointslice_watch_restarts_total",
                "How often a watch ended or a list was begun again, by reason",
            ),
            &["resource", "reason"],
        )?;
        let decode_errors = IntCounterVec::new(
            Opts::new("endpointslice_decode_errors_total", "Objects that could not be decoded"),
            &["resource"],
        )?;
        let undecodable = IntGaugeVec::new(
            Opts::new(
                "endpointslice_undecodable_objects",
                "Objects whose present version cannot be decoded: the last one that could be stands for them",
            ),
            &["resource"],
        )?;
        let gauge = GaugeVec::new(
            Opts::new(
                "endpointslice_watch_last_event_age_seconds",
                "Seconds since the last sign of life of a watch",
            ),
            &["resource"],
        )?;
        let ages = Ages { gauge, lives: Arc::default() };
        registry.register(Box::new(restarts.clone()))?;
        registry.register(Box::new(decode_errors.clone()))?;
        registry.register(Box::new(undecodable.clone()))?;
        registry.register(Box::new(ages.clone()))?;
        Ok(StreamMetrics { restarts, decode_errors, undecodable, ages })
    }

    /// The metrics of this stream, which gives its signs of life there.
    pub(super) fn of(&self, resource: &'static str, life: Life) -> ResourceMetrics {
        self.ages.lives.lock().insert(resource, life);
        // From 0 on, so that the first one is seen as an increase.
        for reason in REASONS {
            self.restarts.with_label_values(&[resource, reason]);
        }
        ResourceMetrics {
            resource,
            restarts: self.restarts.clone(),
            decode_errors: self.decode_errors.with_label_values(&[resource]),
            undecodable: self.undecodable.with_label_values(&[resource]),
        }
    }
}

impl ResourceMetrics {
    /// Counts a restart.
    pub(super) fn restarted(&self, reason: &str) {
        debug_assert!(REASONS.contains(&reason), "{reason}");
        self.restarts.with_label_values(&[self.resource, reason]).inc();
    }
}

impl Collector for Ages {
    fn desc(&self) -> Vec<&Desc> {
        self.gauge.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        for (resource, life) in &*self.lives.lock() {
            self.gauge.with_label_values(&[resource]).set(life.last().elapsed().as_secs_f64());
        }
        self.gauge.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_are_at_0_for_every_reason_before_the_first() {
        let registry = Registry::new();
        let metrics = StreamMetrics::new(&registry).unwrap().of("pods", Life::new());
        let sums = || {
            let families = registry.gather();
            let family = families.iter().find(|f| f.name() == "endpointslice_watch_restarts_total").unwrap();
            let values: Vec<f64> = family.get_metric().iter().map(|m| m.get_counter().get_value()).collect();
            (values.len(), values.iter().sum::<f64>())
        };
        assert_eq!(sums(), (REASONS.len(), 0.0));
        metrics.restarted("silent");
        assert_eq!(sums(), (REASONS.len(), 1.0));
    }
}
