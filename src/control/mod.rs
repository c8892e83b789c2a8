//! The loops: which change wakes which key, the work queue, workers, apply, Events.

pub mod events;
pub mod metrics;
pub mod queue;
