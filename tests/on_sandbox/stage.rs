//! The stage of this binary: a sandbox for each test.

use crate::support::Controller;
use crate::support::sandbox::SandboxStage;

pub type TheStage = SandboxStage;
/// A controller of the test's own.
pub type Held = Box<Controller>;

/// A sandbox with a controller.
pub async fn served() -> Option<(TheStage, Held)> {
    let stage = SandboxStage::start().await;
    let controller = Controller::start(&stage, &[]).await;
    Some((stage, Box::new(controller)))
}

/// A sandbox with nothing on it. It is always there; the real stage may not be.
pub async fn exclusive() -> Option<TheStage> {
    Some(SandboxStage::start().await)
}
