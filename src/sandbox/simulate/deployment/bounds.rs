//! How many Pods a rollout may have beyond the wanted number, and how many may be missing.

use serde_json::Value;

use super::sets::Set;

/// A number, or the share of `total` that a percentage says, rounded up or down.
fn scaled(value: &Value, total: i64, up: bool) -> i64 {
    if let Some(number) = value.as_i64() {
        return number;
    }
    let percent = value.as_str().and_then(|text| text.strip_suffix('%')?.parse::<i64>().ok()).unwrap_or(0);
    let hundredfold = percent.saturating_mul(total);
    if up { (hundredfold + 99).div_euclid(100) } else { hundredfold.div_euclid(100) }
}

/// What a Deployment wants of its rollouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) replicas: i64,
    pub(super) rolling: bool,
    /// How many there may be beyond `replicas`, before it is seen that one bound has to be above 0.
    pub(super) surge: i64,
    pub(super) max_unavailable: i64,
}

impl Bounds {
    pub(super) fn of(deployment: &Value) -> Bounds {
        let replicas = deployment["spec"]["replicas"].as_i64().unwrap_or(1);
        let strategy = &deployment["spec"]["strategy"];
        let rolling = strategy["type"] != "Recreate";
        if !rolling {
            return Bounds { replicas, rolling, surge: 0, max_unavailable: 0 };
        }
        let of = |field: &str, up| scaled(&strategy["rollingUpdate"][field], replicas, up);
        let surge = of("maxSurge", true);
        let mut max_unavailable = of("maxUnavailable", false);
        if surge == 0 && max_unavailable == 0 {
            max_unavailable = 1;
        }
        Bounds { replicas, rolling, surge, max_unavailable: max_unavailable.min(replicas) }
    }

    /// The most Pods that there may be.
    pub(super) fn most(self) -> i64 {
        self.replicas + self.surge
    }

    /// The least Pods that have to be available.
    pub(super) fn least(self) -> i64 {
        self.replicas - self.max_unavailable
    }

    /// How large the new ReplicaSet may become now, when all have `total` Pods.
    pub(super) fn new_size(self, current: i64, total: i64) -> i64 {
        if !self.rolling {
            return self.replicas;
        }
        if total >= self.most() {
            return current;
        }
        current + (self.most() - total).min(self.replicas - current)
    }

    /// By how much a ReplicaSet changes when `to_add` Pods are shared out, of which `added` are.
    pub(super) fn share(self, set: &Set, status_replicas: i64, to_add: i64, added: i64) -> i64 {
        if set.replicas() == 0 || to_add == 0 || to_add == added {
            return 0;
        }
        let left = to_add - added;
        let fraction = self.fraction(set, status_replicas);
        if to_add > 0 { fraction.min(left) } else { fraction.max(left) }
    }

    fn fraction(self, set: &Set, status_replicas: i64) -> i64 {
        if self.replicas == 0 {
            return -set.replicas();
        }
        let before = match set.number_of(super::sets::MAX_REPLICAS) {
            Some(most) if most != 0 => most,
            _ if status_replicas == 0 => return 0,
            _ => status_replicas,
        };
        // half away from zero, all numbers being positive
        let size = (2 * set.replicas() * self.most() + before) / (2 * before);
        size - set.replicas()
    }
}
