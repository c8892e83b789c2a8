//! The way by flags: kube-controller-manager hands its slices over to us, and we hand them back. Who
//! takes over finds nothing to write, and goes on from there.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::manager::{BOTH_OFF, BOTH_ON, Manager};
use crate::scene::{Scene, others_work, seconds, written};
use crate::support::pods::{endpoints, pod, service, service_without_selector};
use crate::support::real::RealStage;
use crate::support::real::audit::{Asked, Record, Writer};
use crate::support::wait::SOON;
use crate::support::world::{MIRRORING_LOOP, SELECTOR_LOOP};
use crate::support::{Consumer, Controller, Stage, World, quiet_cluster, real};

const SEED: u64 = 20_261_122;
/// kube-controller-manager keeps its Lease when it ends: 15 s, a try every 2 to 4.4 s, and its start.
const LEASE_NOT_GIVEN_BACK: Duration = Duration::from_secs(30);
const SLICES: &str = "/apis/discovery.k8s.io/v1/endpointslices";

/// Every slice of the cluster but those of `but`, with its version.
async fn versions(stage: &dyn Stage, but: &World) -> BTreeMap<(String, String), String> {
    let slices = stage.api().list(SLICES).await.expect("list slices");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    slices
        .iter()
        .map(|slice| &slice["metadata"])
        .filter(|metadata| metadata["namespace"] != but.namespace())
        .map(|m| ((text(&m["namespace"]), text(&m["name"])), text(&m["resourceVersion"])))
        .collect()
}

/// The slices that differ, for a message that can be read.
fn differences<'a>(
    before: &'a BTreeMap<(String, String), String>,
    after: &'a BTreeMap<(String, String), String>,
) -> Vec<&'a (String, String)> {
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(name)));
    names.filter(|name| before.get(name) != after.get(name)).collect()
}

/// A Service with everything that changes, run through by whoever is in charge now.
async fn changes_are_right(world: &World, round: u8) {
    let app = format!("app-{round}");
    let mut addresses = world.pods(&app, 5, 10 + round).await;
    world.service(service(&app, &app).port("http", 80, "8080")).await;
    world.wait_addresses(&app, &addresses).await;
    world.delete("pods", &format!("{app}-0")).await;
    addresses.remove(0);
    world.wait_addresses(&app, &addresses).await;
    world
        .patch(
            "services",
            &app,
            json!({"spec": {"ports": [{"name": "web", "port": 81, "targetPort": 8081}]}}),
        )
        .await;
    let all_on = |number: u64| {
        move |slices: &[Value]| {
            let ports: Vec<u64> =
                slices.iter().filter_map(|slice| slice["ports"][0]["port"].as_u64()).collect();
            let same = !ports.is_empty() && ports.iter().all(|port| *port == number);
            if same { Ok(()) } else { Err(format!("{ports:?}")) }
        }
    };
    world.wait_slices("the port has changed", &app, Duration::from_secs(30), all_on(8081)).await;
    world.wait_addresses(&app, &addresses).await;
    let external = format!("ext-{round}");
    world.service(service_without_selector(&external).port("http", 80, "80")).await;
    let subsets = json!([{"addresses": [{"ip": "192.0.2.7"}], "ports": [{"name": "http", "port": 80}]}]);
    world.endpoints(endpoints(&external, subsets)).await;
    world.wait_addresses(&external, &["192.0.2.7".to_string()]).await;
    // What those before us made is ours to change.
    for earlier in 0..round {
        let app = format!("app-{earlier}");
        let address = format!("10.200.{earlier}.{round}");
        let node = world.node_name("node");
        world.pod(pod(&format!("{app}-late-{round}"), &app, &address).on(&node)).await;
        let arrived = |slices: &[Value]| {
            let found = slices.iter().any(|slice| slice["endpoints"].to_string().contains(&address));
            if found && slices.len() == 1 { Ok(()) } else { Err(format!("{} slices", slices.len())) }
        };
        world.wait_slices("a late Pod", &app, Duration::from_secs(30), arrived).await;
    }
}

/// A consumer of each namespace that stands still, to which all that is there now is promised.
async fn consumers(stage: &dyn Stage) -> Vec<Consumer> {
    let mut all = Vec::new();
    for namespace in quiet_cluster::namespaces() {
        let consumer = Consumer::follow(&World::of(stage.api(), &namespace)).await;
        promise_present(&consumer);
        all.push(consumer);
    }
    all
}

fn promise_present(consumer: &Consumer) {
    for (service, address, port) in consumer.present() {
        consumer.promise(&service, &[address], &[port.as_deref()]);
    }
}

/// Pods of nodes that never were: the Pod garbage collector would take them in the middle of the test.
async fn collect_orphans(stage: &dyn Stage) {
    for pod in stage.api().list("/api/v1/pods").await.expect("list Pods") {
        if pod["spec"]["nodeName"] == "node-that-never-was" {
            let text = |field: &str| pod["metadata"][field].as_str().unwrap_or_default();
            let path = format!("/api/v1/namespaces/{}/pods/{}", text("namespace"), text("name"));
            stage.api().delete(&path).await.expect("delete a Pod");
        }
    }
}

/// What is watched through all hand-overs, and how the cluster stood before the first.
struct Watched<'a> {
    stage: &'a RealStage,
    marked: World,
    changing: Consumer,
    still: Vec<Consumer>,
    before: BTreeMap<(String, String), String>,
}

impl Watched<'_> {
    fn record(&self) -> Record {
        Record::begin(self.stage.cluster().folder())
    }

    /// A change in the gap, before anybody is there to write it.
    async fn change_in_the_gap(&self, round: u8) -> Timestamp {
        let changed = Timestamp::now();
        self.marked.set_ready(&format!("app-{round}-1"), false).await;
        changed
    }

    /// Whoever took over has written that one change and nothing else; nothing was lost.
    async fn only_the_gap_was_written(&self, record: &Record, round: u8, by: Writer) {
        quiet_cluster::quiet(self.stage.api()).await;
        let asked = record.of_controllers();
        let app = format!("app-{round}-");
        let right = |asked: &&Asked| {
            asked.by == by && asked.namespace == self.marked.namespace() && asked.slice.starts_with(&app)
        };
        let wrong: Vec<&Asked> = asked.iter().filter(|asked| !right(asked)).collect();
        assert!(wrong.is_empty(), "writes to slices that were right: {wrong:#?}");
        assert_eq!(asked.len(), 1, "{asked:#?}");
        let after = versions(self.stage, &self.marked).await;
        assert_eq!(differences(&self.before, &after), Vec::<&(String, String)>::new());
        println!(
            "round {round}: {} slices were right and not written, 1 was not and was written once",
            after.len()
        );
    }

    fn nothing_was_lost(&self) {
        self.changing.assert_never_absent();
        for consumer in &self.still {
            consumer.assert_never_absent();
            assert_eq!(consumer.writes(), []);
        }
    }
}

#[tokio::test]
async fn switched_off_and_on_by_flags_neither_side_writes_what_is_right_and_changes_under_each_are_right() {
    let Some(stage) = real::audited().await else { return };
    let mut kcm = Manager::launch(&stage, &[BOTH_ON]);
    kcm.leads().await;
    kcm.loops_run().await;
    // With its node before all else: a node that comes later changes the shares of Auto's hints, which
    // the peer notices at its next look only.
    let marked = World::new(&stage, "marked").await;
    marked.pods("first", 1, 9).await;
    quiet_cluster::generate(&stage, SEED).await;
    collect_orphans(&stage).await;
    let changing = Consumer::follow(&marked).await;
    changes_are_right(&marked, 0).await;
    quiet_cluster::quiet(stage.api()).await;
    let before = versions(&stage, &marked).await;
    assert!(before.len() > 200, "{} slices", before.len());
    for manager in [SELECTOR_LOOP, MIRRORING_LOOP] {
        let path = format!("{SLICES}?labelSelector=endpointslice.kubernetes.io/managed-by={manager}");
        assert!(!stage.api().list(&path).await.expect("list slices").is_empty(), "none of {manager}");
    }
    let still = consumers(&stage).await;
    let watched = Watched { stage: &stage, marked, changing, still, before };
    watched.changing.caught_up().await;
    promise_present(&watched.changing);

    // To us: kube-controller-manager is restarted with the two loops off, then we start.
    let record = watched.record();
    kcm.signal("TERM");
    println!("kube-controller-manager exits with {} on SIGTERM", kcm.exit(SOON).await);
    let changed = watched.change_in_the_gap(0).await;
    let mut kcm = Manager::launch(&stage, &[BOTH_OFF]);
    let started = Timestamp::now();
    let ours = Controller::launch(&stage, &["--leader-elect=true"]);
    let (by, waited) = written(&record, &watched.marked, "app-0", changed, SOON).await;
    let since =
        waited.saturating_sub(Duration::try_from(started.duration_since(changed)).unwrap_or_default());
    println!("to us: a change in the gap is written {} after our start", seconds(since));
    assert_eq!(by, Writer::Ours);
    ours.settled().await;
    watched.only_the_gap_was_written(&record, 0, Writer::Ours).await;
    kcm.leads().await;
    others_work(&stage, &World::new(&stage, "others").await).await;
    assert!(!kcm.has_loops(), "the loops were to be off");
    changes_are_right(&watched.marked, 1).await;
    ours.settled().await;
    assert_eq!(record.turns(), [Writer::Ours]);
    watched.changing.caught_up().await;
    promise_present(&watched.changing);

    // Back: we end, kube-controller-manager is restarted with the loops on.
    let record = watched.record();
    assert_eq!(ours.terminate(Duration::from_secs(1)).await, 0);
    kcm.signal("TERM");
    kcm.exit(SOON).await;
    let changed = watched.change_in_the_gap(1).await;
    let kcm = Manager::launch(&stage, &[BOTH_ON]);
    let (by, waited) = written(&record, &watched.marked, "app-1", changed, LEASE_NOT_GIVEN_BACK).await;
    println!(
        "back: a change in the gap waits {} for kube-controller-manager's own Lease to run out",
        seconds(waited)
    );
    assert_eq!(by, Writer::Upstream);
    watched.only_the_gap_was_written(&record, 1, Writer::Upstream).await;
    changes_are_right(&watched.marked, 2).await;
    quiet_cluster::quiet(stage.api()).await;
    assert_eq!(record.turns(), [Writer::Upstream]);
    watched.changing.caught_up().await;
    promise_present(&watched.changing);

    // And once more to us, with the peer's latest; this time it dies.
    let record = watched.record();
    kcm.kill();
    let changed = watched.change_in_the_gap(2).await;
    let ours = Controller::start(&stage, &["--leader-elect=true"]).await;
    written(&record, &watched.marked, "app-2", changed, SOON).await;
    ours.settled().await;
    watched.only_the_gap_was_written(&record, 2, Writer::Ours).await;
    watched.nothing_was_lost();
}

/// The gate is alpha in 1.36: without it the way back waits for a Lease to run out.
#[tokio::test]
async fn a_kube_controller_manager_that_gives_its_lease_back_makes_the_way_back_short() {
    const GATE: &str = "--feature-gates=ControllerManagerReleaseLeaderElectionLockOnExit=true";
    let Some(stage) = real::audited().await else { return };
    let scene = Scene::new(stage, "gate").await;
    let ours = Controller::start(&scene.stage, &["--leader-elect=true"]).await;
    let mut kcm = Manager::launch(&scene.stage, &[BOTH_OFF, GATE]);
    kcm.leads().await;
    scene.filled().await;
    ours.settled().await;

    let record = scene.record();
    assert_eq!(ours.terminate(Duration::from_secs(1)).await, 0);
    kcm.signal("TERM");
    kcm.exit(SOON).await;
    assert_eq!(scene.holder("kube-controller-manager").await, "", "it keeps its Lease");
    let _kcm = Manager::launch(&scene.stage, &[BOTH_ON, GATE]);
    let (by, waited) = scene.change(&record, false, SOON).await;
    println!("back, with the alpha gate: a change is written {} after the restart", seconds(waited));
    assert_eq!(by, Writer::Upstream);
    assert!(waited < Duration::from_secs(15), "as long as a Lease that has to run out: {waited:?}");
    scene.only_the_probe_was_written(&record, &[Writer::Upstream]);
}
