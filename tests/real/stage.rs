//! The stage of this binary: the real one. `tests/on_sandbox` has another module of this name.

use crate::support::Controller;
use crate::support::real::{RealStage, served_with_controller};

pub use crate::support::real::exclusive;

pub type TheStage = RealStage;
/// The controller that all tests share.
pub type Held = &'static Controller;

/// The shared cluster and its controller.
pub async fn served() -> Option<(TheStage, Held)> {
    served_with_controller().await
}
