//! The stage of this binary: the real one. `tests/on_sandbox` has another module of this name.

use crate::support::real::{RealStage, served_with_controller};
use crate::support::{Controller, Stage};

pub use crate::support::real::exclusive;

pub type TheStage = RealStage;
/// The controller that all tests share.
pub type Held = &'static Controller;

/// The shared cluster and its controller.
pub async fn served() -> Option<(TheStage, Held)> {
    served_with_controller().await
}

/// How many writes of slices were asked for at the API server, refused ones among them.
pub async fn writes_asked(stage: &TheStage) -> u64 {
    let metrics = stage.api().text("/metrics").await.expect("the metrics of the API server");
    let of_slices = |line: &&str| {
        line.starts_with("apiserver_request_total{")
            && line.contains("resource=\"endpointslices\"")
            && ["POST", "PUT", "DELETE"].iter().any(|verb| line.contains(&format!("verb=\"{verb}\"")))
    };
    let counts = metrics.lines().filter(of_slices).filter_map(|line| line.rsplit_once(' '));
    let sum: u64 = counts.filter_map(|(_, count)| count.parse::<u64>().ok()).sum();
    assert!(sum > 0, "the API server counts no writes");
    sum
}
