//! Readiness that comes and goes by itself.

use std::collections::HashMap;
use std::time::Duration;

use rand::Rng;

use super::clock::Due;
use super::world::World;
use crate::sandbox::store::Key;

/// How long a Pod that lost its readiness is without it, on average.
const AWAY: Duration = Duration::from_secs(2);

/// The Pods that run, in no particular order: one of them is chosen in constant time.
#[derive(Default)]
pub(super) struct Running {
    keys: Vec<Key>,
    places: HashMap<Key, usize, foldhash::fast::RandomState>,
}

impl Running {
    pub(super) fn put(&mut self, key: &Key) {
        if !self.places.contains_key(key) {
            self.places.insert(key.clone(), self.keys.len());
            self.keys.push(key.clone());
        }
    }

    pub(super) fn remove(&mut self, key: &Key) {
        let Some(place) = self.places.remove(key) else { return };
        self.keys.swap_remove(place);
        if let Some(moved) = self.keys.get(place) {
            self.places.insert(moved.clone(), place);
        }
    }
}

impl World {
    /// When flapping is wanted, sets the time of the next. Each is two changes: away, and back.
    pub(super) fn plan_flap(&mut self) {
        if self.options.flap > 0.0 {
            let pause = 2.0 / self.options.flap * self.random.random_range(0.5..1.5);
            self.timers.after(Duration::try_from_secs_f64(pause).unwrap_or(Duration::MAX / 4), Due::Flap);
        }
    }

    /// One Pod loses its readiness, for a while.
    pub(super) fn flap(&mut self) {
        self.plan_flap();
        if self.running.keys.is_empty() {
            return;
        }
        let key = self.running.keys[self.random.random_range(0..self.running.keys.len())].clone();
        let Some(row) = self.pods.get(&key).filter(|row| row.containers_ready) else { return };
        let uid = row.object.uid.clone();
        if self.write_readiness(&key, &uid, false) {
            let away = self.delay(AWAY);
            self.timers.after(away, Due::FlapBack(key, uid));
        }
    }
}
