//! The oracle of never-absent on one twin: before each step it promises what is desired throughout,
//! and counts what a consumer that follows the watch lost.

use std::collections::{BTreeMap, BTreeSet};

use super::desired::Pair;
use crate::support::consumer::Live;
use crate::support::{Consumer, World};

/// What one consumer saw over a history.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Slice events.
    pub events: usize,
    /// Live addresses (with a port name) that were promised, summed over the steps.
    pub promised: usize,
    /// Those that were in no slice at some moment of their step.
    pub lost: usize,
    /// A few of them, for people.
    pub examples: Vec<String>,
}

impl Tally {
    pub fn add(&mut self, other: &Tally) {
        self.events += other.events;
        self.promised += other.promised;
        self.lost += other.lost;
        self.examples.extend(other.examples.iter().take(3).cloned());
        self.examples.truncate(12);
    }
}

pub struct Oracle {
    consumer: Consumer,
    /// Losses that were counted already.
    counted: usize,
    promised: BTreeSet<Live>,
    pub tally: Tally,
}

impl Oracle {
    pub async fn follow(world: &World) -> Oracle {
        let consumer = Consumer::follow(world).await;
        Oracle { consumer, counted: 0, promised: BTreeSet::new(), tally: Tally::default() }
    }

    pub fn consumer(&self) -> &Consumer {
        &self.consumer
    }

    /// Promises what is live and there; answers what is live and not there.
    pub fn promise(&mut self, live: &BTreeMap<String, BTreeSet<Pair>>) -> Vec<Live> {
        let present = self.consumer.present();
        let all = live.iter().flat_map(|(service, pairs)| {
            pairs.iter().map(|(address, port)| (service.clone(), address.clone(), port.clone()))
        });
        let (there, missing): (BTreeSet<Live>, Vec<Live>) = {
            let (there, missing): (Vec<Live>, Vec<Live>) = all.partition(|live| present.contains(live));
            (there.into_iter().collect(), missing)
        };
        let mut by_port: BTreeMap<(&String, &Option<String>), Vec<String>> = BTreeMap::new();
        for (service, address, port) in &there {
            by_port.entry((service, port)).or_default().push(address.clone());
        }
        for ((service, port), addresses) in by_port {
            self.consumer.promise(service, &addresses, &[port.as_deref()]);
        }
        self.tally.promised += there.len();
        self.promised = there;
        missing
    }

    /// Takes all promises back, and counts.
    pub fn close(&mut self) {
        let losses = self.consumer.losses();
        let mut lost: BTreeMap<Live, String> = BTreeMap::new();
        for loss in &losses[self.counted.min(losses.len())..] {
            lost.entry(loss.live.clone()).or_insert_with(|| loss.after.clone());
        }
        self.counted = losses.len();
        self.tally.lost += lost.len();
        let examples = lost.iter().take(5).map(|(live, after)| format!("{live:?} after {after}"));
        self.tally.examples.extend(examples);
        let mut by_service: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (service, address, _) in std::mem::take(&mut self.promised) {
            by_service.entry(service).or_default().push(address);
        }
        for (service, addresses) in by_service {
            self.consumer.release(&service, &addresses);
        }
        self.tally.events += self.consumer.counts().total();
        self.consumer.forget_writes();
    }
}
