//! The way without overlap: the two loops of kube-controller-manager stand under a Lease of their own
//! (leader migration, KEP-2436), and we compete for the same one. Whoever holds it works.
//!
//! kube-controller-manager 1.36 cannot take a migrated Lease: it exits (the last test shows it). So the
//! others run that of 1.35 against the API server of 1.36.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::manager::{BOTH_OFF, BOTH_ON, MIGRATION, Manager, PREVIOUS, migration, migration_to};
use crate::scene::{PROBE, Scene, leads, others_work, seconds};
use crate::support::real::audit::Writer::{Ours, Upstream};
use crate::support::real::{self, RealStage};
use crate::support::wait::SOON;
use crate::support::{Controller, Stage, World, eventually};

const OURS: [&str; 3] = [
    "--leader-elect=true",
    "--leader-elect-resource-name=endpointslice-migration",
    "--leader-elect-resource-namespace=kube-system",
];
/// Short, where the number is not the point; both programs name them the same.
const SHORT: [&str; 3] = [
    "--leader-elect-lease-duration=4s",
    "--leader-elect-renew-deadline=3s",
    "--leader-elect-retry-period=500ms",
];
/// kube-controller-manager looks at the Lease every 2 to 4.4 s; the half second that is promised is measured in `rolling`.
const BEFORE_KCM_POLLS: Duration = Duration::from_millis(1500);
/// What a Lease that is not given back costs with default durations, and one try more.
const KCM_TO_OURS: Duration = Duration::from_secs(20);

/// A cluster, unless a program is missing.
async fn stage() -> Option<RealStage> {
    real::judge(PREVIOUS)?;
    real::audited().await
}

async fn ours_leads(controller: &Controller) {
    eventually("we lead", SOON, || async { if leads(controller) { Ok(()) } else { Err(controller.log()) } })
        .await;
}

/// The flags of a kube-controller-manager whose loops are under the Lease of the migration.
fn flags<'a>(controllers: &'a str, migration: &'a [String; 2], more: &[&'a str]) -> Vec<&'a str> {
    [controllers, migration[0].as_str(), migration[1].as_str()].iter().chain(more).copied().collect()
}

async fn waits_for_the_lease(kcm: &Manager) {
    kcm.says(&[
        "leader migration: starting main controllers",
        "lock=\"kube-system/endpointslice-migration\"",
    ])
    .await;
}

/// The same as [`OURS`] with short durations.
fn ours_short() -> Vec<&'static str> {
    OURS.iter().chain(&SHORT).copied().collect()
}

#[tokio::test]
async fn on_sigterm_the_lease_of_a_migration_passes_between_ours_to_upstream_and_back() {
    let Some(stage) = stage().await else { return };
    let scene = Scene::new(stage, "migration").await;
    scene.allow_migration().await;
    let first = Controller::start(&scene.stage, &OURS).await;
    ours_leads(&first).await;
    scene.filled().await;
    let second = Controller::start(&scene.stage, &OURS).await;
    first.settled().await;
    let config = migration();
    let mut kcm = Manager::launch_previous(&scene.stage, &flags(BOTH_ON, &config, &[]));
    kcm.leads().await;
    waits_for_the_lease(&kcm).await;

    let record = scene.record();
    assert_eq!(scene.change(&record, false, SOON).await.0, Ours);
    assert!(!leads(&second) && !kcm.has_loops());
    let lease = scene.lease(MIGRATION).await;

    // Among ours, although kube-controller-manager waits for it, too.
    let (code, (by, waited)) = futures::join!(first.terminate(SOON), scene.change(&record, true, SOON));
    println!("ours to ours, SIGTERM: a change waits {} ms", waited.as_millis());
    assert_eq!((code, by), (0, Ours));
    assert!(waited <= BEFORE_KCM_POLLS && leads(&second), "{waited:?}");

    // The last of ours ends; kube-controller-manager goes on.
    let (code, (by, waited)) = futures::join!(second.terminate(SOON), scene.change(&record, false, SOON));
    println!("ours to kube-controller-manager, SIGTERM: a change waits {}", seconds(waited));
    assert_eq!((code, by), (0, Upstream));
    scene.only_the_probe_was_written(&record, &[Ours, Upstream]);
    let after = scene.lease(MIGRATION).await;
    let transitions = |lease: &serde_json::Value| lease["leaseTransitions"].as_u64();
    assert_eq!(transitions(&after), transitions(&lease).map(|times| times + 2), "{lease} {after}");

    // And back: it does not give its Lease back.
    let ours = Controller::start(&scene.stage, &OURS).await;
    assert!(!leads(&ours));
    let record = scene.record();
    kcm.signal("TERM");
    let (by, waited) = scene.change(&record, true, KCM_TO_OURS).await;
    println!("kube-controller-manager to ours, SIGTERM: a change waits {}", seconds(waited));
    assert_eq!(by, Ours);
    println!("kube-controller-manager exited with {}", kcm.exit(SOON).await);
    scene.only_the_probe_was_written(&record, &[Ours]);
    let last = scene.lease(MIGRATION).await;
    assert_eq!(transitions(&last), transitions(&after).map(|times| times + 1), "{after} {last}");

    // It starts again and does its other work, and leaves the loops to us.
    let kcm = Manager::launch_previous(&scene.stage, &flags(BOTH_ON, &config, &[]));
    kcm.leads().await;
    others_work(&scene.stage, &scene.world).await;
    waits_for_the_lease(&kcm).await;
    assert_eq!(scene.change(&record, false, SOON).await.0, Ours);
    scene.only_the_probe_was_written(&record, &[Ours]);
    assert!(!kcm.has_loops());
}

#[tokio::test]
async fn a_kube_controller_manager_that_dies_with_the_lease_is_replaced_by_us() {
    let Some(stage) = stage().await else { return };
    let scene = Scene::new(stage, "dies").await;
    scene.allow_migration().await;
    let config = migration();
    let kcm = Manager::launch_previous(&scene.stage, &flags(BOTH_ON, &config, &[]));
    kcm.loops_run().await;
    scene.filled().await;
    let ours = Controller::start(&scene.stage, &OURS).await;
    let record = scene.record();
    assert_eq!(scene.change(&record, false, SOON).await.0, Upstream);
    assert!(!leads(&ours));
    kcm.kill();
    let (by, waited) = scene.change(&record, true, KCM_TO_OURS).await;
    println!("kube-controller-manager to ours, SIGKILL: a change waits {}", seconds(waited));
    assert_eq!(by, Ours);
    scene.only_the_probe_was_written(&record, &[Upstream, Ours]);
}

#[tokio::test]
async fn a_kube_controller_manager_that_froze_loses_the_lease_to_us_and_exits_whole_when_it_thaws() {
    let Some(stage) = stage().await else { return };
    let scene = Scene::new(stage, "froze").await;
    scene.allow_migration().await;
    let config = migration();
    let all = flags(BOTH_ON, &config, &SHORT);
    let mut kcm = Manager::launch_previous(&scene.stage, &all);
    kcm.loops_run().await;
    scene.filled().await;
    let ours = Controller::start(&scene.stage, &ours_short()).await;
    let record = scene.record();
    assert_eq!(scene.change(&record, false, SOON).await.0, Upstream);

    kcm.signal("STOP");
    let (by, waited) = scene.change(&record, true, KCM_TO_OURS).await;
    println!("kube-controller-manager frozen, lease of 4 s: a change waits {}", seconds(waited));
    assert_eq!(by, Ours);
    // What it would write when it wakes up is old by now.
    scene.consumer.release(PROBE, &["10.2.0.3".to_string()]);
    scene.world.delete("pods", &format!("{PROBE}-2")).await;
    let left = ["10.2.0.1".to_string(), "10.2.0.2".to_string()];
    scene.world.wait_addresses(PROBE, &left).await;
    ours.settled().await;
    scene.only_the_probe_was_written(&record, &[Upstream, Ours]);
    let record = scene.record();
    kcm.signal("CONT");
    let code = kcm.exit(SOON).await;
    println!("thawed: kube-controller-manager exits with {code}");
    assert_eq!(code, 1, "{}", kcm.tail(20));
    // It has no fence: until it notices, it may still send what it was about to write. That is refused,
    // because we have written that slice since.
    for asked in record.of_controllers() {
        println!("thawed: {:?} asks to {} {}: {}", asked.by, asked.verb, asked.slice, asked.code);
        assert_eq!((asked.by, asked.code), (Upstream, 409));
    }
    scene.world.wait_addresses(PROBE, &left).await;
    scene.consumer.assert_never_absent();

    // That is the cost: all its other controllers went with it, until it is started again.
    let world = World::new(&scene.stage, "orphan").await;
    let account = format!("/api/v1/namespaces/{}/serviceaccounts/default", world.namespace());
    assert_eq!(scene.stage.api().get(&account).await.err().map(|refusal| refusal.code), Some(404));
    let again = Manager::launch_previous(&scene.stage, &all);
    println!("the other controllers were back after {}", seconds(others_work(&scene.stage, &world).await));
    assert_eq!(scene.change(&record, false, SOON).await.0, Ours);
    assert!(!again.has_loops());
}

#[tokio::test]
async fn with_its_loops_off_kube_controller_manager_still_takes_the_lease_and_then_nobody_works() {
    let Some(stage) = stage().await else { return };
    let scene = Scene::new(stage, "nobody").await;
    scene.allow_migration().await;
    let configs = [migration(), migration_to("endpointslice-controller")];
    // The loops off by flag; or the file says that they are another component's.
    for (controllers, config) in [(BOTH_OFF, &configs[0]), (BOTH_ON, &configs[1])] {
        let kcm = Manager::launch_previous(&scene.stage, &flags(controllers, config, &SHORT));
        kcm.says(&["successfully acquired lease", "leader migration: starting migrated controllers"]).await;
        let ours = Controller::start(&scene.stage, &ours_short()).await;
        let record = scene.record();
        let holder = scene.holder(MIGRATION).await;
        let since = Instant::now();
        let renewed = RefCell::new(BTreeSet::new());
        eventually("it keeps the Lease for longer than a Lease lasts", SOON, || async {
            let lease = scene.lease(MIGRATION).await;
            renewed.borrow_mut().insert(lease["renewTime"].to_string());
            let times = renewed.borrow().len();
            if since.elapsed() > Duration::from_secs(6) && times > 3 {
                Ok(())
            } else {
                Err(format!("{times}"))
            }
        })
        .await;
        assert_eq!(scene.holder(MIGRATION).await, holder);
        assert!(!leads(&ours) && !kcm.has_loops());
        assert_eq!((record.of_controllers(), scene.world.all_slices().await), (vec![], vec![]));
        kcm.kill();
        drop(ours);
    }
}

#[tokio::test]
async fn kube_controller_manager_1_36_exits_when_it_takes_the_lease_and_ours_get_it_when_it_has_run_out() {
    let Some(stage) = real::audited().await else { return };
    let scene = Scene::new(stage, "exits").await;
    scene.allow_migration().await;
    let ours = Controller::start(&scene.stage, &ours_short()).await;
    ours_leads(&ours).await;
    scene.filled().await;
    ours.settled().await;
    let config = migration();
    let mut kcm = Manager::launch(&scene.stage, &flags(BOTH_ON, &config, &SHORT));
    kcm.leads().await;
    waits_for_the_lease(&kcm).await;
    others_work(&scene.stage, &scene.world).await;

    let record = scene.record();
    assert_eq!(ours.terminate(SOON).await, 0);
    let code = kcm.exit(SOON).await;
    let why = kcm.log().lines().find(|line| line.contains("already registered")).map(str::to_string);
    println!("kube-controller-manager 1.36 takes a migrated Lease: exit {code}: {why:?}");
    assert!(code == 1 && why.is_some() && !kcm.has_loops(), "{}", kcm.tail(30));
    assert_ne!(scene.holder(MIGRATION).await, "", "it keeps the Lease that it cannot use");
    let ours = Controller::start(&scene.stage, &ours_short()).await;
    let (by, waited) = scene.change(&record, false, KCM_TO_OURS).await;
    println!("a change waits {} for its Lease of 4 s to run out", seconds(waited));
    assert!(by == Ours && leads(&ours));
    scene.only_the_probe_was_written(&record, &[Ours]);
}
