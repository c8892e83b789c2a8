//! What stands for `src/lib.rs` while mutants are tried: the model, the plan, and every suite that
//! holds the plan to its promises. In one crate a mutant costs one compilation, one link and one
//! program to run instead of seven.

extern crate self as endpointslice_controller;

pub mod model;
pub mod plan;

#[cfg(test)]
#[path = "../tests/never_absent/main.rs"]
mod never_absent;
#[cfg(test)]
#[path = "../tests/plan_auto.rs"]
mod plan_auto;
#[cfg(test)]
#[path = "../tests/plan_kept.rs"]
mod plan_kept;
#[cfg(test)]
#[path = "../tests/plan_mirror/main.rs"]
mod plan_mirror;
#[cfg(test)]
#[path = "../tests/plan_selector.rs"]
mod plan_selector;
