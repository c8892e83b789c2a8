//! What every hand-over is tried on: a namespace with Services of both loops that nobody has a reason to
//! touch, one Service that changes, a consumer that counts what is lost, and the API server's record.

use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::pods::{Object, endpoints, service, service_without_selector};
use crate::support::real::audit::{Asked, Record, Writer};
use crate::support::real::{RealStage, apply_file};
use crate::support::wait::SOON;
use crate::support::{Consumer, Controller, Stage, World, eventually};

/// Services of each loop that stand still.
pub const STILL: usize = 40;
/// The Service that changes, and its Pods.
pub const PROBE: &str = "probe";
pub const PROBES: usize = 3;

pub struct Scene {
    pub stage: RealStage,
    pub world: World,
    pub consumer: Consumer,
}

impl Scene {
    /// Makes everything; whoever runs then is to fill it. [`Scene::filled`] waits for that.
    pub async fn new(stage: RealStage, name: &str) -> Scene {
        let world = World::new(&stage, name).await;
        world.pods("still", 4, 1).await;
        world.pods(PROBE, PROBES, 2).await;
        world.service(service(PROBE, PROBE).port("http", 80, "8080")).await;
        stream::iter(0..STILL)
            .for_each_concurrent(12, |number| {
                let world = &world;
                async move {
                    world
                        .service(service(&format!("still-{number}"), "still").port("http", 80, "8080"))
                        .await;
                    let name = format!("mirrored-{number}");
                    world.service(service_without_selector(&name).port("http", 80, "80")).await;
                    world.endpoints(mirrored(&name, number)).await;
                }
            })
            .await;
        let consumer = Consumer::follow(&world).await;
        Scene { stage, world, consumer }
    }

    /// Gives our account its permissions on the Lease of a migration, as the component does.
    pub async fn allow_migration(&self) {
        apply_file(self.stage.api(), "manifests/components/leader-migration/role.yaml").await;
    }

    /// Waits until every slice stands, and promises their addresses from then on.
    pub async fn filled(&self) {
        let addresses = |base: u8, count: usize| -> Vec<String> {
            (1..=count).map(|number| format!("10.{base}.0.{number}")).collect()
        };
        eventually("every Service has its slice", SOON, || async {
            let slices = self.world.all_slices().await.len();
            if slices == 2 * STILL + 1 { Ok(()) } else { Err(format!("{slices} slices")) }
        })
        .await;
        let (still, probes) = (addresses(1, 4), addresses(2, PROBES));
        self.world.wait_addresses(PROBE, &probes).await;
        self.world.wait_addresses("still-0", &still).await;
        self.consumer.caught_up().await;
        self.consumer.promise(PROBE, &probes, &[Some("http")]);
        for number in 0..STILL {
            self.consumer.promise(&format!("still-{number}"), &still, &[Some("http")]);
            self.consumer.promise(&format!("mirrored-{number}"), &[outside(number)], &[Some("http")]);
        }
    }

    /// The record of writes from now on.
    pub fn record(&self) -> Record {
        Record::begin(self.stage.cluster().folder())
    }

    /// Who holds a Lease of kube-system; empty when nobody does.
    pub async fn holder(&self, lease: &str) -> String {
        let spec = self.lease(lease).await;
        spec["holderIdentity"].as_str().unwrap_or_default().to_string()
    }

    pub async fn lease(&self, lease: &str) -> Value {
        let path = format!("/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/{lease}");
        self.stage.api().get(&path).await.map(|lease| lease["spec"].clone()).unwrap_or_default()
    }

    /// Changes the probe's first Pod, and waits until whoever works has written that. Answers who it
    /// was, and how long it took from the change.
    pub async fn change(&self, record: &Record, ready: bool, within: Duration) -> (Writer, Duration) {
        let changed = Timestamp::now();
        self.world.set_ready(&format!("{PROBE}-0"), ready).await;
        let written = written(record, &self.world, PROBE, changed, within).await;
        let shown = self.world.published(PROBE).await;
        assert!(shown.iter().any(|p| p.address == "10.2.0.1" && p.ready == ready), "{shown:?}");
        written
    }

    /// Nothing was lost, and of all slices only the probe's was written since `record` began, each time
    /// with success and by one of `by`, in this order.
    pub fn only_the_probe_was_written(&self, record: &Record, by: &[Writer]) {
        let asked = record.of_controllers();
        let others: Vec<&Asked> = asked
            .iter()
            .filter(|asked| {
                asked.namespace != self.world.namespace()
                    || !asked.slice.starts_with("probe-")
                    || asked.code != 200
            })
            .collect();
        assert!(others.is_empty(), "writes to slices that were right, or refused: {others:#?}");
        assert_eq!(record.turns(), by, "{asked:#?}");
        self.consumer.assert_never_absent();
    }
}

/// Whether this replica of ours has taken the lead.
pub fn leads(controller: &Controller) -> bool {
    controller.log().contains("took the lease, leading")
}

/// Waits until kube-controller-manager looks after what is not ours (a namespace gets its `default` service
/// account), and answers how long that took.
pub async fn others_work(stage: &RealStage, world: &World) -> Duration {
    let started = Instant::now();
    let path = format!("/api/v1/namespaces/{}/serviceaccounts/default", world.namespace());
    eventually("the other controllers work", SOON, || async {
        stage.api().get(&path).await.map(drop).map_err(|error| error.to_string())
    })
    .await;
    started.elapsed()
}

/// Waits for the first write to a slice of `service` after `changed`: whose it was, and how long it took.
pub async fn written(
    record: &Record,
    world: &World,
    service: &str,
    changed: Timestamp,
    within: Duration,
) -> (Writer, Duration) {
    let started = Instant::now();
    loop {
        let of_service = |asked: &Asked| {
            let suffix = asked.slice.strip_prefix(service).is_some_and(|rest| rest.starts_with('-'));
            asked.namespace == world.namespace() && suffix && asked.answered > changed && asked.code < 300
        };
        if let Some(write) = record.of_controllers().into_iter().find(of_service) {
            let took = write.answered.duration_since(changed);
            return (write.by, Duration::try_from(took).unwrap_or_default());
        }
        assert!(started.elapsed() < within, "nobody wrote {service} within {within:?}: {:#?}", record.all());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn mirrored(name: &str, number: usize) -> Object {
    let subsets = json!([{"addresses": [{"ip": outside(number)}], "ports": [{"name": "http", "port": 80}]}]);
    endpoints(name, subsets)
}

fn outside(number: usize) -> String {
    format!("192.0.2.{}", number + 1)
}

/// For people.
pub fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
