//! The way without overlap: the two loops of kube-controller-manager stand under a Lease of their own
//! (leader migration, KEP-2436), and we compete for the same one. Whoever holds it works.

use std::time::Duration;

use crate::manager::{BOTH_ON, MIGRATION, Manager, migration};
use crate::scene::{Scene, seconds};
use crate::support::real::audit::Writer::{Ours, Upstream};
use crate::support::wait::SOON;
use crate::support::{Controller, eventually, real};

const OURS: [&str; 3] = [
    "--leader-elect=true",
    "--leader-elect-resource-name=endpointslice-migration",
    "--leader-elect-resource-namespace=kube-system",
];
/// What a Lease that is not given back costs with default durations, and one try more.
const KCM_TO_OURS: Duration = Duration::from_secs(20);

fn leads(controller: &Controller) -> bool {
    controller.log().contains("took the lease, leading")
}

async fn ours_leads(controller: &Controller) {
    eventually("we lead", SOON, || async { if leads(controller) { Ok(()) } else { Err(controller.log()) } })
        .await;
}

#[tokio::test]
async fn the_lease_of_a_migration_passes_to_kube_controller_manager_and_back() {
    let Some(stage) = real::audited().await else { return };
    let scene = Scene::new(stage, "migration").await;
    scene.allow_migration().await;
    let ours = Controller::start(&scene.stage, &OURS).await;
    ours_leads(&ours).await;
    scene.filled().await;
    ours.settled().await;
    let config = migration();
    let flags = [BOTH_ON, &config[0], &config[1]];
    let mut kcm = Manager::launch(&scene.stage, &flags);
    kcm.leads().await;
    kcm.says(&[
        "leader migration: starting main controllers",
        "attempting to acquire leader lease...\" lock=\"kube-system/endpointslice-migration\"",
    ])
    .await;

    let record = scene.record();
    assert_eq!(scene.change(&record, false, SOON).await.0, Ours);
    assert!(!kcm.has_loops());
    let before = scene.lease(MIGRATION).await;

    // Ours ends; kube-controller-manager goes on.
    let end = jiff::Timestamp::now();
    let (code, (by, waited)) = futures::join!(ours.terminate(SOON), scene.change(&record, true, SOON));
    assert_eq!((code, by), (0, Upstream));
    println!("ours to kube-controller-manager, SIGTERM: a change waits {}", seconds(waited));
    scene.only_the_probe_was_written(&record, &[Ours, Upstream]);
    println!("{before} -> {} ({end})", scene.lease(MIGRATION).await);

    // And back: it does not give its Lease back.
    let ours = Controller::start(&scene.stage, &OURS).await;
    assert!(!leads(&ours));
    let record = scene.record();
    kcm.signal("TERM");
    let (by, waited) = scene.change(&record, false, KCM_TO_OURS).await;
    assert_eq!(by, Ours);
    println!("kube-controller-manager to ours, SIGTERM: a change waits {}", seconds(waited));
    println!("kube-controller-manager exits with {}", kcm.exit(SOON).await);
    scene.only_the_probe_was_written(&record, &[Ours]);
    println!("{}", scene.lease(MIGRATION).await);
}
