//! Who gets a turn: each line one, again and again, until nobody waits and nothing is due.

use std::collections::hash_map::Entry;

use tokio::time::Instant;

use super::clock::Due;
use super::rows::Stage;
use super::world::World;
use crate::sandbox::kinds::Kind;
use crate::sandbox::store::Key;

impl World {
    /// Does up to `budget` pieces of what there is to do now. False: there is nothing left.
    pub(super) fn work(&mut self, budget: usize) -> bool {
        for _ in 0..budget {
            if self.nodes_made < self.options.nodes {
                self.nodes_made += 1;
                self.make_node(self.nodes_made);
                continue;
            }
            if !self.turn() {
                self.settled = true;
                return false;
            }
        }
        true
    }

    /// One of each line, and what is due. False: nothing was.
    fn turn(&mut self) -> bool {
        let mut any = false;
        if let Some(name) = self.node_line.pop() {
            self.sync_node(&name);
            any = true;
        }
        if let Some(key) = self.deployment_line.pop() {
            self.sync_deployment(&key);
            any = true;
        }
        if let Some(key) = self.set_line.pop() {
            self.sync_set(&key);
            any = true;
        }
        if let Some(key) = self.pending.pop() {
            self.schedule(&key);
            any = true;
        }
        if let Some(key) = self.kubelets.pop() {
            self.kubelet(&key);
            any = true;
        }
        if let Some(due) = self.timers.take() {
            self.due(due);
            any = true;
        }
        any
    }

    fn due(&mut self, due: Due) {
        match due {
            Due::Start(key, uid) => {
                if self.start(&key, uid, false) {
                    self.say_of_containers(&key, "Started");
                }
            }
            Due::Ready(key, uid) => self.become_ready(&key, uid),
            Due::FlapBack(key, uid) => self.become_ready(&key, uid),
            Due::Ended(key, uid) => self.ended(&key, uid),
            Due::Remove(key, uid) => {
                if let Some(row) = self.pod(&key, &uid) {
                    // when finalizers keep it, the next change is the next attempt
                    row.stage = Stage::Idle;
                    let _ = self.delete(Kind::Pod, &key, &uid, Some(0));
                }
            }
            Due::Homeless(key, uid) => self.homeless(&key, &uid),
            Due::Flap => self.flap(),
            Due::Heartbeat(name, uid) => self.heartbeat(&name, uid),
            Due::Check(kind, key) => {
                self.checks.remove(&(kind, key.clone()));
                match kind {
                    Kind::Deployment => self.deployment_line.push(&key),
                    _ => self.set_line.push(&key),
                }
            }
        }
    }

    /// Lets a ReplicaSet or Deployment be looked at again at that moment, or before.
    pub(super) fn check_at(&mut self, kind: Kind, key: &Key, moment: Instant) {
        let planned = self.checks.entry((kind, key.clone()));
        match planned {
            Entry::Occupied(planned) if *planned.get() <= moment => return,
            Entry::Occupied(mut planned) => {
                planned.insert(moment);
            }
            Entry::Vacant(free) => {
                free.insert(moment);
            }
        }
        self.timers.at(moment, Due::Check(kind, key.clone()));
    }
}
