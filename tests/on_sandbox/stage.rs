//! The stage of this binary: a sandbox for each test.

use endpointslice_controller::sandbox::Kind;

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

/// How many writes of slices were stored; refused ones are not counted here.
pub async fn writes_asked(stage: &TheStage) -> u64 {
    let changes = stage.sandbox().store().changes(Kind::EndpointSlice, 0, usize::MAX);
    changes.expect("nothing was forgotten").len() as u64
}
