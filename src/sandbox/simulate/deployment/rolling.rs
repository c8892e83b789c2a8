//! From the old ReplicaSets to the new one: a few at a time, or all at once; and other sizes for those
//! that there are.

use super::Rollout;
use super::sets::{DESIRED_REPLICAS, Set};
use crate::sandbox::simulate::world::World;
use crate::sandbox::status::Status;

impl World {
    /// `RollingUpdate`: the new one grows as far as the surge allows, the old ones shrink as far as enough
    /// stays available.
    pub(super) fn roll_over(&mut self, rollout: &mut Rollout) -> Result<(), Status> {
        self.make_set(rollout)?;
        let Some(new) = rollout.new else { return Ok(()) };
        let (size, wanted) = (rollout.sets[new].replicas(), rollout.bounds.replicas);
        if size != wanted {
            let next = if size > wanted { wanted } else { rollout.bounds.new_size(size, rollout.total()) };
            if self.scale_set(rollout, new, next)? {
                return Ok(());
            }
        }
        if self.shrink_old(rollout, new)? {
            return Ok(());
        }
        if rollout.was_complete() {
            self.clean_up(rollout)?;
        }
        Ok(())
    }

    fn shrink_old(&mut self, rollout: &mut Rollout, new: usize) -> Result<bool, Status> {
        let active: Vec<usize> =
            rollout.old().into_iter().filter(|at| rollout.sets[*at].replicas() > 0).collect();
        if active.is_empty() {
            return Ok(false);
        }
        let least = rollout.bounds.least();
        let set = &rollout.sets[new];
        let missing = set.replicas() - set.status("availableReplicas");
        let mut spare = rollout.total() - least - missing;
        if spare <= 0 {
            return Ok(false);
        }
        // first those that are not available: nobody misses them
        let mut shrunk = false;
        for at in &active {
            let set = &rollout.sets[*at];
            let unhealthy = set.replicas() - set.status("availableReplicas");
            let fewer = unhealthy.min(spare);
            if fewer > 0 {
                let size = set.replicas() - fewer;
                shrunk |= self.scale_set(rollout, *at, size)?;
                spare -= fewer;
            }
        }
        let available: i64 = rollout.sets.iter().map(|set| set.status("availableReplicas")).sum();
        let mut spare = available - least;
        for at in &active {
            let size = rollout.sets[*at].replicas();
            let fewer = size.min(spare);
            if fewer > 0 {
                shrunk |= self.scale_set(rollout, *at, size - fewer)?;
                spare -= fewer;
            }
        }
        Ok(shrunk)
    }

    /// `Recreate`: the new one begins when no Pod of the old ones is left.
    pub(super) fn recreate(&mut self, rollout: &mut Rollout) -> Result<(), Status> {
        let mut shrunk = false;
        for at in rollout.old() {
            if rollout.sets[at].replicas() > 0 {
                shrunk |= self.scale_set(rollout, at, 0)?;
            }
        }
        if shrunk || self.old_pods_run(rollout) {
            return Ok(());
        }
        self.make_set(rollout)?;
        let Some(new) = rollout.new else { return Ok(()) };
        if rollout.sets[new].replicas() != rollout.bounds.replicas {
            self.scale_set(rollout, new, rollout.bounds.replicas)?;
        }
        if rollout.was_complete() {
            self.clean_up(rollout)?;
        }
        Ok(())
    }

    /// Another number of replicas, or a pause: nothing is rolled, only sizes change.
    pub(super) fn scale_all(&mut self, rollout: &mut Rollout) -> Result<(), Status> {
        let wanted = rollout.bounds.replicas;
        let active: Vec<usize> =
            (0..rollout.sets.len()).filter(|at| rollout.sets[*at].replicas() > 0).collect();
        let only = match active.as_slice() {
            [] => rollout.new.or_else(|| rollout.old().pop()),
            [one] => Some(*one),
            _ => None,
        };
        if active.len() < 2 {
            if let Some(only) = only.filter(|at| rollout.sets[*at].replicas() != wanted) {
                self.scale_set(rollout, only, wanted)?;
            }
            return Ok(());
        }
        if rollout.new_set().is_some_and(|set| is_saturated(set, wanted)) {
            let new = rollout.new;
            for at in active.into_iter().filter(|at| Some(*at) != new) {
                self.scale_set(rollout, at, 0)?;
            }
            return Ok(());
        }
        if rollout.bounds.rolling {
            self.share_out(rollout, active)?;
        }
        Ok(())
    }

    fn share_out(&mut self, rollout: &mut Rollout, mut active: Vec<usize>) -> Result<(), Status> {
        let bounds = rollout.bounds;
        let allowed = if bounds.replicas > 0 { bounds.most() } else { 0 };
        let to_add = allowed - rollout.total();
        // the largest first; of equal ones the newest when Pods are added, the oldest when they are taken
        let order = |at: &usize| {
            let at_place = i64::try_from(*at).unwrap_or(0); // oldest first
            (-rollout.sets[*at].replicas(), if to_add > 0 { -at_place } else { at_place })
        };
        active.sort_by_key(order);
        let noted = super::status::Counts::noted(&rollout.value).replicas;
        let mut added = 0;
        let mut sizes = Vec::new();
        for at in active {
            let share = bounds.share(&rollout.sets[at], noted, to_add, added);
            sizes.push((at, rollout.sets[at].replicas() + share));
            added += share;
        }
        if let Some((_, first)) = sizes.first_mut() {
            *first = (*first + to_add - added).max(0);
        }
        for (at, size) in sizes {
            self.resize_set(rollout, at, size)?;
        }
        Ok(())
    }
}

fn is_saturated(set: &Set, wanted: i64) -> bool {
    set.replicas() == wanted
        && set.number_of(DESIRED_REPLICAS) == Some(wanted)
        && set.status("availableReplicas") == wanted
}
