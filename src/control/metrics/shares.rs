//! Gauges that are sums over Services: each Service's share is kept, so that a sync changes the sums
//! by the difference, whatever the size of the cluster. They are exported only while leading: two
//! replicas must not both claim the cluster's slices.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGauge, IntGaugeVec, Opts, Registry, Result};

use self::share::Share;
use super::workqueue::SampleQueue;
use crate::model::{Key, Loop};
use crate::plan::Figures;

/// All gauges of sync state.
#[derive(Clone)]
pub(super) struct SyncState {
    leading: Arc<AtomicBool>,
    samples: Arc<Mutex<Vec<InBackoff>>>,
    selector: Sums,
    mirroring: Sums,
    traffic_distribution: IntGaugeVec,
    without_endpoints: IntGaugeVec,
    in_backoff: IntGaugeVec,
    orphaned: IntGauge,
}

/// The shares of one loop.
pub(super) struct LoopShares {
    shares: Mutex<Shares>,
    sums: Sums,
    traffic_distribution: Counts<String>,
    without_endpoints: Counts<&'static str>,
}

type Shares = HashMap<Key, Share, foldhash::fast::RandomState>;

// A queue, and the gauge of its keys in backoff.
type InBackoff = (IntGauge, Arc<SampleQueue>);

// The three gauges that both loops have.
#[derive(Clone)]
struct Sums {
    endpoints: IntGauge,
    slices: IntGauge,
    desired_slices: IntGauge,
}

// A gauge per value of a label, with its children at hand.
struct Counts<V> {
    family: IntGaugeVec,
    children: Mutex<HashMap<V, IntGauge, foldhash::fast::RandomState>>,
}

impl SyncState {
    pub(super) fn new(registry: &Registry) -> Result<SyncState> {
        let vector = |name, help, label| IntGaugeVec::new(Opts::new(name, help), &[label]);
        let state = SyncState {
            leading: Arc::default(),
            samples: Arc::default(),
            selector: Sums::new("endpoint_slice_controller")?,
            mirroring: Sums::new("endpoint_slice_mirroring_controller")?,
            traffic_distribution: vector(
                "endpoint_slice_controller_services_count_by_traffic_distribution",
                "Services by the trafficDistribution that is in force for them",
                "traffic_distribution",
            )?,
            without_endpoints: vector(
                "endpointslice_services_without_endpoints",
                "Services for which no endpoint is desired, by the reason",
                "reason",
            )?,
            in_backoff: vector(
                "endpointslice_services_in_backoff",
                "Services whose last sync failed and that are to be tried again",
                "loop",
            )?,
            orphaned: IntGauge::new(
                "endpointslice_orphaned_slices",
                "EndpointSlices of ours that stayed behind when their Service lost its selector",
            )?,
        };
        registry.register(Box::new(state.clone()))?;
        Ok(state)
    }

    pub(super) fn of(&self, which: Loop) -> LoopShares {
        LoopShares {
            shares: Mutex::default(),
            sums: match which {
                Loop::Selector => self.selector.clone(),
                Loop::Mirroring => self.mirroring.clone(),
            },
            traffic_distribution: Counts::new(&self.traffic_distribution),
            without_endpoints: Counts::new(&self.without_endpoints),
        }
    }

    pub(super) fn set_leading(&self, leading: bool) {
        self.leading.store(leading, Ordering::Release);
    }

    pub(super) fn set_orphaned(&self, slices: usize) {
        self.orphaned.set(slices as i64);
    }

    pub(super) fn sample(&self, which: Loop, sample: Arc<SampleQueue>) {
        let gauge = self.in_backoff.with_label_values(&[which.as_str()]);
        self.samples.lock().push((gauge, sample));
    }

    fn all(&self) -> [&dyn Collector; 10] {
        [
            &self.selector.endpoints,
            &self.selector.slices,
            &self.selector.desired_slices,
            &self.mirroring.endpoints,
            &self.mirroring.slices,
            &self.mirroring.desired_slices,
            &self.traffic_distribution,
            &self.without_endpoints,
            &self.in_backoff,
            &self.orphaned,
        ]
    }
}

impl Collector for SyncState {
    fn desc(&self) -> Vec<&Desc> {
        self.all().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        if !self.leading.load(Ordering::Acquire) {
            return Vec::new();
        }
        for (gauge, sample) in self.samples.lock().iter() {
            gauge.set(sample().unwrap_or_default().in_backoff as i64);
        }
        self.all().into_iter().flat_map(Collector::collect).collect()
    }
}

impl LoopShares {
    /// This is what the Service adds from now on.
    pub(super) fn set(&self, key: &Key, figures: &Figures) {
        let share = Share::of(figures);
        let mut shares = self.shares.lock();
        share.count(self, 1);
        if let Some(before) = shares.insert(key.clone(), share) {
            before.count(self, -1);
        }
    }

    /// The Service adds nothing any more.
    pub(super) fn forget(&self, key: &Key) {
        let mut shares = self.shares.lock();
        if let Some(before) = shares.remove(key) {
            before.count(self, -1);
        }
    }
}

/// What one Service adds. The one way to its numbers is [`Share::count`], which tests count.
mod share {
    use super::LoopShares;
    use crate::plan::Figures;

    #[derive(Default)]
    pub(super) struct Share {
        endpoints: i64,
        slices: i64,
        desired_slices: i64,
        traffic_distribution: Option<String>,
        without_endpoints: Option<&'static str>,
    }

    #[cfg(test)]
    thread_local! {
        pub(super) static COUNTED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
    }

    impl Share {
        pub(super) fn of(figures: &Figures) -> Share {
            let mut share = Share {
                traffic_distribution: figures.traffic_distribution.clone(),
                without_endpoints: figures.without_endpoints,
                ..Share::default()
            };
            for family in &figures.families {
                share.endpoints += family.desired_endpoints as i64;
                share.slices += family.slices as i64;
                share.desired_slices += family.desired_slices as i64;
            }
            share
        }

        /// Adds it to the sums this many times: 1, or −1 to take it back.
        pub(super) fn count(&self, shares: &LoopShares, times: i64) {
            #[cfg(test)]
            COUNTED.set(COUNTED.get() + 1);
            shares.sums.endpoints.add(times * self.endpoints);
            shares.sums.slices.add(times * self.slices);
            shares.sums.desired_slices.add(times * self.desired_slices);
            if let Some(distribution) = &self.traffic_distribution {
                shares.traffic_distribution.add(distribution, times);
            }
            if let Some(reason) = &self.without_endpoints {
                shares.without_endpoints.add(reason, times);
            }
        }
    }
}

impl Sums {
    fn new(subsystem: &str) -> Result<Sums> {
        let gauge = |name: &str, help| IntGauge::new(format!("{subsystem}_{name}"), help);
        Ok(Sums {
            endpoints: gauge("endpoints_desired", "Endpoints that are desired")?,
            slices: gauge("num_endpoint_slices", "EndpointSlices that exist")?,
            desired_slices: gauge(
                "desired_endpoint_slices",
                "EndpointSlices that would exist if each were filled before the next",
            )?,
        })
    }
}

impl<V: Clone + Eq + Hash + AsRef<str>> Counts<V> {
    fn new(family: &IntGaugeVec) -> Counts<V> {
        Counts { family: family.clone(), children: Mutex::default() }
    }

    fn add(&self, value: &V, count: i64) {
        let mut children = self.children.lock();
        if let Some(child) = children.get(value) {
            child.add(count);
            return;
        }
        let child = self.family.with_label_values(&[value.as_ref()]);
        child.add(count);
        children.insert(value.clone(), child);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AddressType;
    use crate::plan::FamilyFigures;

    /// Upstream added up all Services at each sync of one of them.
    #[test]
    fn issue_107091_a_sync_reads_the_share_of_no_other_service() {
        let reads_with = |services: usize| {
            let shares = SyncState::new(&Registry::new()).unwrap().of(Loop::Selector);
            let figures = |endpoints| Figures {
                families: vec![FamilyFigures {
                    address_type: AddressType::IPv4,
                    added: 0,
                    removed: 0,
                    updated: 0,
                    desired_endpoints: endpoints,
                    slices: 1,
                    desired_slices: 1,
                }],
                traffic_distribution: Some("PreferClose".into()),
                ..Figures::default()
            };
            let key = |n: usize| Key::new("ns", format!("service-{n}"));
            (0..services).for_each(|n| shares.set(&key(n), &figures(1)));
            let before = share::COUNTED.get();
            shares.set(&key(0), &figures(10));
            shares.forget(&key(1));
            assert_eq!(shares.sums.endpoints.get(), services as i64 - 2 + 10);
            share::COUNTED.get() - before
        };
        assert_eq!((reads_with(10), reads_with(3000)), (3, 3));
    }
}
