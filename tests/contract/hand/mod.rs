//! Sequences made by hand: one at least for everything that the sandbox promises.

mod deletes;
mod discovery;
mod endpoints;
mod events;
mod leases;
mod lists;
mod namespaces;
mod nodes;
pub mod objects;
mod patches;
mod pods;
mod services;
mod slices;
mod tables;
mod verbs;
mod watches;
mod workloads;

use super::step::{Script, Sequence};

/// What one sequence is called and how it is written.
pub type Scene = (&'static str, fn(&mut Script));

/// The sequences of each subject.
pub const SUBJECTS: &[(&str, &[Scene])] = &[
    ("verbs", verbs::SCENES),
    ("lists", lists::SCENES),
    ("watches", watches::SCENES),
    ("patches", patches::SCENES),
    ("deletes", deletes::SCENES),
    ("discovery", discovery::SCENES),
    ("tables", tables::SCENES),
    ("services", services::SCENES),
    ("slices", slices::SCENES),
    ("endpoints", endpoints::SCENES),
    ("pods", pods::SCENES),
    ("nodes", nodes::SCENES),
    ("leases", leases::SCENES),
    ("events", events::SCENES),
    ("namespaces", namespaces::SCENES),
    ("workloads", workloads::SCENES),
];

/// Those in which the server forgets its history: they need it for themselves.
pub const FORGETTING: &[Scene] = watches::FORGETTING;

pub fn sequences(scenes: &[Scene]) -> Vec<Sequence> {
    let write = |(name, scene): &Scene| {
        let mut script = Script::new(*name);
        scene(&mut script);
        script.done()
    };
    scenes.iter().map(write).collect()
}
