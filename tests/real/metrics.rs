//! What a sync leaves in the metrics, counted on a cluster of its own.

use serde_json::json;

use crate::play::{lines, web};
use crate::stage;
use crate::support::controller::Metrics;
use crate::support::pods::{endpoints, service_without_selector};
use crate::support::wait::SOON;
use crate::support::{Consumer, Controller, World, eventually};

const SELECTOR: &str = "endpoint_slice_controller";
const MIRRORING: &str = "endpoint_slice_mirroring_controller";

/// The prefix and name of series, their labels, and the sum over them.
type Sum<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], f64);

/// Waits until these series have these sums.
async fn stand(controller: &Controller, wanted: &[Sum<'_>]) -> Metrics {
    eventually("the metrics", SOON, || async {
        let metrics = controller.metrics().await;
        for (prefix, name, labels, value) in wanted {
            let found = metrics.sum(&format!("{prefix}_{name}"), labels);
            if found != *value {
                return Err(format!("{prefix}_{name}{labels:?} is {found} and should be {value}"));
            }
        }
        Ok(metrics)
    })
    .await
}

#[tokio::test]
async fn every_sync_is_counted_as_upstream_counts_it() {
    let Some(stage) = stage::exclusive().await else { return };
    let controller = Controller::start(&stage, &[]).await;
    let world = World::new(&stage, "metrics").await;
    // A placeholder in each family.
    world.service(web("web").families(&["IPv4", "IPv6"])).await;
    stand(
        &controller,
        &[
            (SELECTOR, "changes", &[("operation", "create")], 2.0),
            (SELECTOR, "num_endpoint_slices", &[], 2.0),
            (SELECTOR, "desired_endpoint_slices", &[], 2.0),
            (SELECTOR, "endpoints_desired", &[], 0.0),
        ],
    )
    .await;
    let addresses = world.pods("web", 3, 1).await;
    world.wait_addresses("web", &addresses).await;
    stand(
        &controller,
        &[
            (SELECTOR, "changes", &[("operation", "create")], 2.0),
            (SELECTOR, "changes", &[("operation", "delete")], 0.0),
            (SELECTOR, "endpoints_desired", &[], 3.0),
            (SELECTOR, "endpoints_added_per_sync_sum", &[], 3.0),
            (SELECTOR, "endpoints_removed_per_sync_sum", &[], 0.0),
            (SELECTOR, "num_endpoint_slices", &[], 2.0),
        ],
    )
    .await;
    // One that is merely changed counts in neither.
    world.set_ready("web-0", false).await;
    let updates = controller.metrics().await.sum(&format!("{SELECTOR}_changes"), &[("operation", "update")]);
    assert!((1.0..=4.0).contains(&updates), "{updates}");
    world.delete("pods", "web-2").await;
    world.wait_addresses("web", &addresses[..2]).await;
    stand(
        &controller,
        &[
            (SELECTOR, "endpoints_added_per_sync_sum", &[], 3.0),
            (SELECTOR, "endpoints_removed_per_sync_sum", &[], 1.0),
            (SELECTOR, "endpoints_desired", &[], 2.0),
            (SELECTOR, "syncs", &[("result", "error")], 0.0),
            (SELECTOR, "syncs", &[("result", "stale")], 0.0),
        ],
    )
    .await;
    // The other loop.
    world.service(service_without_selector("ext").port("", 80, "80")).await;
    let subsets = json!([{"addresses": [{"ip": "192.0.2.1"}, {"ip": "192.0.2.2"}], "ports": [{"port": 80}]}]);
    world.endpoints(endpoints("ext", subsets)).await;
    stand(
        &controller,
        &[
            (MIRRORING, "changes", &[("operation", "create")], 1.0),
            (MIRRORING, "num_endpoint_slices", &[], 1.0),
            (MIRRORING, "desired_endpoint_slices", &[], 1.0),
            (MIRRORING, "endpoints_desired", &[], 2.0),
            (MIRRORING, "endpoints_added_per_sync_sum", &[], 2.0),
        ],
    )
    .await;
    world.delete("endpoints", "ext").await;
    stand(&controller, &[(MIRRORING, "changes", &[("operation", "delete")], 1.0)]).await;
    world.delete("services", "web").await;
    world.delete("services", "ext").await;
    let metrics = stand(
        &controller,
        &[
            (SELECTOR, "num_endpoint_slices", &[], 0.0),
            (SELECTOR, "desired_endpoint_slices", &[], 0.0),
            (SELECTOR, "endpoints_desired", &[], 0.0),
            (MIRRORING, "num_endpoint_slices", &[], 0.0),
            (MIRRORING, "endpoints_desired", &[], 0.0),
            (SELECTOR, "changes", &[("operation", "create")], 2.0),
        ],
    )
    .await;
    // Requests that write are as many as the changes; nothing else was sent.
    let sent = |method: &str| metrics.sum("rest_client_requests_total", &[("method", method)]);
    let changes = |operation: &str| {
        let of = |prefix: &str| metrics.sum(&format!("{prefix}_changes"), &[("operation", operation)]);
        of(SELECTOR) + of(MIRRORING)
    };
    assert_eq!((sent("POST"), sent("PUT"), sent("DELETE")), (3.0, changes("update"), 1.0));
    assert!(metrics.sum("endpointslice_change_to_write_seconds_count", &[]) > 0.0);
    assert!(controller.log().is_empty(), "{}", controller.log());
}

/// What writes nothing is counted as a sync and as nothing else.
#[tokio::test]
async fn a_sync_that_finds_nothing_to_do_sends_nothing() {
    let Some(stage) = stage::exclusive().await else { return };
    let controller = Controller::start(&stage, &[]).await;
    let world = World::new(&stage, "silent").await;
    let addresses = world.pods("web", 20, 1).await;
    world.service(web("web")).await;
    world.wait_addresses("web", &addresses).await;
    let consumer = Consumer::follow(&world).await;
    consumer.quiet(crate::play::FOREIGN, SOON).await;
    consumer.forget_writes();
    let before = controller.metrics().await;
    let synced = |metrics: &Metrics| metrics.sum(&format!("{SELECTOR}_syncs"), &[("result", "success")]);
    for round in 0..5 {
        let note = json!({"metadata": {"annotations": {"note": round.to_string()}}});
        world.patch("services", "web", note).await;
    }
    eventually("the syncs", SOON, || async {
        let now = synced(&controller.metrics().await);
        if now >= synced(&before) + 1.0 { Ok(()) } else { Err(now.to_string()) }
    })
    .await;
    let after = controller.metrics().await;
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let sent = |metrics: &Metrics| metrics.sum("rest_client_requests_total", &[("method", method)]);
        assert_eq!(sent(&after), sent(&before), "{method}");
    }
    assert_eq!(consumer.writes(), []);
    assert_eq!(lines(&world.slices("web").await).len(), 1);
}
