//! The controller's whole job, small: everything that it does with the API server at least once. It ends
//! at the first check that fails, and says which.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::pods::{endpoints, node, pod, service, service_without_selector};
use crate::support::wait::SOON;
use crate::support::world::{
    MANAGED_BY, MIRRORING_LOOP, Published, SELECTOR_LOOP, SERVICE_NAME, published_by,
};
use crate::support::{Controller, Stage, World};

/// How long a check goes on once a request of the controller was refused during it,
const AFTER_A_REFUSAL: Duration = Duration::from_millis(1500);
/// and how long when one was refused before it, which may not concern it.
const AFTER_AN_OLD_REFUSAL: Duration = Duration::from_secs(10);
const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/endpointslice-controller";
const SECONDS: Duration = Duration::from_secs(10);
/// With an election, and a renewal that need not be waited for long.
const RETRY: &str = "--leader-elect-retry-period=500ms";

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// The loop of Services with a selector, and leader election.
    Selector,
    /// The loop that mirrors Endpoints.
    Mirroring,
    /// Metrics for those alone who may read them.
    Secure,
}

/// The check that failed, and what was seen then.
#[derive(Debug, Clone)]
pub struct Failure {
    pub check: &'static str,
    pub seen: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} failed: {}", self.check, self.seen)
    }
}

type Done<T = ()> = Result<T, Failure>;

/// Does all of it with the account of this kubeconfig.
///
/// # Errors
/// The first check that fails.
pub async fn whole(stage: &dyn Stage, kubeconfig: &Path, duty: Duty) -> Done {
    let flags: &[&str] = match duty {
        Duty::Selector => &[RETRY, "--controllers=endpointslice-controller"],
        Duty::Mirroring => &[
            RETRY,
            "--controllers=endpointslice-mirroring-controller",
            "--mirroring-max-endpoints-per-subset=1",
        ],
        Duty::Secure => &["--metrics-secure=true"],
    };
    let controller = Controller::launch_with(kubeconfig, flags);
    if duty == Duty::Secure {
        return scraped(&controller).await;
    }
    let job = Job { stage, world: World::new(stage, "job").await, controller };
    job.starts().await?;
    match duty {
        Duty::Selector => job.selector().await?,
        _ => job.mirroring().await?,
    }
    job.hands_over(kubeconfig, flags).await
}

struct Job<'a> {
    stage: &'a dyn Stage,
    world: World,
    controller: Controller,
}

impl Job<'_> {
    async fn starts(&self) -> Done {
        self.check("it lists everything and is ready", || async {
            self.controller.http().text("/readyz").await.map_err(|error| error.to_string())
        })
        .await?;
        self.check("it takes the Lease", || async { leads(&self.controller).await }).await
    }

    async fn selector(&self) -> Done {
        let world = &self.world;
        let mut addresses = world.pods("web", 2, 1).await;
        world.service(service("web", "web").port("http", 80, "8080")).await;
        self.published("a new Service gets its slice", "web", &addresses).await?;
        world.set_ready("web-1", false).await;
        self.check("a change of a Pod is written", || async {
            let published = world.published("web").await;
            told(published.iter().any(|endpoint| !endpoint.ready), &published)
        })
        .await?;
        let late = world.node_name("late");
        world.pod(pod("late", "web", "10.1.9.9").on(&late)).await;
        world.node(node(&late, "zone-a")).await;
        addresses.push("10.1.9.9".to_string());
        self.published("a Node that appears later lets its Pods be published", "web", &addresses).await?;
        self.unowned_slice_goes(SELECTOR_LOOP, "web").await?;
        self.taken_name_is_given_up(SELECTOR_LOOP, "web", &addresses).await?;
        // One zone cannot share anything out: an Event, and with the second try the same again.
        let mode =
            |mode: Value| json!({"metadata": {"annotations": {"service.kubernetes.io/topology-mode": mode}}});
        world.patch("services", "web", mode(json!("Auto"))).await;
        self.event("an Event is told", 1).await?;
        self.rests().await?;
        world.patch("services", "web", mode(Value::Null)).await;
        self.rests().await?;
        world.patch("services", "web", mode(json!("Auto"))).await;
        self.event("an Event that happens again is counted", 2).await
    }

    async fn mirroring(&self) -> Done {
        let world = &self.world;
        let subsets = |ips: &[&str]| {
            let addresses: Vec<Value> = ips.iter().map(|ip| json!({"ip": ip})).collect();
            json!([{"addresses": addresses, "ports": [{"port": 80}]}])
        };
        let address = |ip: &str| vec![ip.to_string()];
        world.service(service_without_selector("ext").port("", 80, "80")).await;
        world.endpoints(endpoints("ext", subsets(&["192.0.2.1"]))).await;
        self.published("new Endpoints are mirrored", "ext", &address("192.0.2.1")).await?;
        let edit = |ips: &[&str]| world.patch("endpoints", "ext", json!({"subsets": subsets(ips)}));
        edit(&["192.0.2.2"]).await;
        self.published("a change of Endpoints is written", "ext", &address("192.0.2.2")).await?;
        // Those of the control plane's own controller are watched without their addresses.
        world.service(service_without_selector("kept").port("", 80, "80")).await;
        let kept = endpoints("kept", subsets(&["192.0.2.3"]));
        world.endpoints(kept.label("endpoints.kubernetes.io/managed-by", "endpoint-controller")).await;
        self.published("Endpoints of the control plane are read one by one", "kept", &address("192.0.2.3"))
            .await?;
        self.taken_name_is_given_up(MIRRORING_LOOP, "ext", &address("192.0.2.2")).await?;
        edit(&["192.0.2.4", "192.0.2.5"]).await;
        self.event("an Event is told", 1).await?;
        edit(&["192.0.2.6"]).await;
        self.published("a change of Endpoints is written", "ext", &address("192.0.2.6")).await?;
        edit(&["192.0.2.4", "192.0.2.5"]).await;
        self.event("an Event that happens again is counted", 2).await?;
        // The API server deletes the Endpoints of a Service with it. These stay for a while: that the Service is
        // gone is then all that says that their slices have to go, in whatever order the two are seen.
        world.patch("endpoints", "ext", json!({"metadata": {"finalizers": ["example.org/stay"]}})).await;
        for (collection, name, check) in [
            ("services", "ext", "mirrored slices go with their Service, once it was read"),
            ("endpoints", "kept", "mirrored slices go with their Endpoints, once they were read"),
        ] {
            world.delete(collection, name).await;
            self.check(check, || async {
                let left = self.ours(MIRRORING_LOOP, name).await;
                told(left.is_empty(), &left)
            })
            .await?;
        }
        Ok(())
    }

    /// A slice under our label that no Service owns.
    async fn unowned_slice_goes(&self, manager: &str, service: &str) -> Done {
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": "unowned", "labels": {SERVICE_NAME: service, MANAGED_BY: manager}},
            "endpoints": [],
        });
        self.world.slice(slice).await;
        self.check("a slice that its Service does not own is deleted", || async {
            let left = self.ours(manager, service).await;
            told(left.iter().all(|slice| slice["metadata"]["name"] != "unowned"), &left)
        })
        .await
    }

    /// Somebody takes a slice over: the next one would have its name, is refused it, and reads who has it.
    async fn taken_name_is_given_up(&self, manager: &str, service: &str, addresses: &[String]) -> Done {
        for slice in self.ours(manager, service).await {
            let name = slice["metadata"]["name"].as_str().unwrap_or_default();
            let taken = json!({"metadata": {"labels": {MANAGED_BY: "somebody"}}});
            self.world.patch("endpointslices", name, taken).await;
        }
        self.check("a name that is taken is read and given up", || async {
            let slices = self.ours(manager, service).await;
            let found: usize =
                slices.iter().filter_map(|slice| Some(slice["endpoints"].as_array()?.len())).sum();
            told(found == addresses.len(), &slices)
        })
        .await
    }

    /// Another replica stands by, takes over when this one ends, and leaves the Lease to nobody.
    async fn hands_over(self, kubeconfig: &Path, flags: &[&str]) -> Done {
        let before = self.lease().await["spec"]["renewTime"].clone();
        self.check("the Lease is renewed", || async {
            let lease = self.lease().await;
            told(lease["spec"]["renewTime"] != before, &lease)
        })
        .await?;
        let standby = Controller::launch_with(kubeconfig, flags);
        let job = Job { stage: self.stage, world: self.world.clone(), controller: standby };
        let check = "a standby is ready";
        job.check(check, || async { job.controller.http().text("/readyz").await.map_err(|e| e.to_string()) })
            .await?;
        self.nothing_was_refused().await?;
        if self.controller.terminate(SECONDS).await != 0 {
            return Err(Failure {
                check: "the leader ends well",
                seen: "it did not exit with 0".to_string(),
            });
        }
        job.check("a standby takes the Lease over", || async { leads(&job.controller).await }).await?;
        job.nothing_was_refused().await?;
        let Job { stage, controller, .. } = job;
        if controller.terminate(SECONDS).await != 0 {
            return Err(Failure {
                check: "the leader ends well",
                seen: "it did not exit with 0".to_string(),
            });
        }
        let lease = stage.api().get(LEASE).await.expect("the Lease");
        match lease["spec"]["holderIdentity"] == "" {
            true => Ok(()),
            false => Err(Failure { check: "the Lease is released at the end", seen: lease.to_string() }),
        }
    }

    async fn nothing_was_refused(&self) -> Done {
        match refused(&self.controller).await {
            0.0 => Ok(()),
            count => Err(Failure { check: "no request is refused", seen: format!("{count} were") }),
        }
    }

    async fn published(&self, check: &'static str, service: &str, addresses: &[String]) -> Done {
        self.check(check, || async {
            // Somebody may have taken a slice over, and left it as it was.
            let mut slices = self.ours(SELECTOR_LOOP, service).await;
            slices.extend(self.ours(MIRRORING_LOOP, service).await);
            let published: BTreeSet<Published> = slices.iter().flat_map(published_by).collect();
            let found: Vec<&String> = published.iter().map(|endpoint| &endpoint.address).collect();
            let all =
                found.len() == addresses.len() && addresses.iter().all(|address| found.contains(&address));
            told(all, &published)
        })
        .await
    }

    /// Waits until nothing is queued any more.
    async fn rests(&self) -> Done {
        let adds = Cell::new(-1.0);
        self.check("it comes to rest", || async {
            let metrics = self.controller.metrics().await;
            let [depth, added, busy] =
                ["workqueue_depth", "workqueue_adds_total", "workqueue_unfinished_work_seconds"]
                    .map(|name| metrics.sum(name, &[]));
            told(depth == 0.0 && busy == 0.0 && adds.replace(added) == added, &depth)
        })
        .await
    }

    /// Waits for an Event that has happened so often.
    async fn event(&self, check: &'static str, count: u64) -> Done {
        self.check(check, || async {
            let events = self.stage.api().list(&self.world.path("events")).await.expect("list Events");
            let told_so_often = events.iter().any(|event| event["count"].as_u64() == Some(count));
            told(told_so_often, &events)
        })
        .await
    }

    /// The slices of a Service under this manager.
    async fn ours(&self, manager: &str, service: &str) -> Vec<Value> {
        let mut slices = self.world.slices(service).await;
        slices.retain(|slice| slice["metadata"]["labels"][MANAGED_BY] == manager);
        slices
    }

    async fn lease(&self) -> Value {
        self.stage.api().get(LEASE).await.unwrap_or_default()
    }

    /// Waits for what `probe` asks; not much longer once a request was refused.
    async fn check<T, F, Fut>(&self, check: &'static str, mut probe: F) -> Done<()>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, String>>,
    {
        let started = Instant::now();
        let before = refused(&self.controller).await;
        let mut since = None;
        loop {
            let Err(seen) = probe().await else { return Ok(()) };
            let refused = refused(&self.controller).await;
            if refused > before {
                since.get_or_insert_with(Instant::now);
            }
            let over = since.is_some_and(|since: Instant| since.elapsed() > AFTER_A_REFUSAL)
                || (refused > 0.0 && started.elapsed() > AFTER_AN_OLD_REFUSAL);
            if over {
                return Err(Failure { check, seen });
            }
            if started.elapsed() > SOON {
                let log = self.controller.process().tail(10);
                return Err(Failure { check, seen: format!("{seen}\n{log}") });
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }
}

/// How many requests of the controller were answered with 403.
async fn refused(controller: &Controller) -> f64 {
    let Ok(text) = controller.http().text("/metrics").await else { return 0.0 };
    let lines = text.lines().filter(|line| line.starts_with("rest_client_requests_total{code=\"403\""));
    lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
}

async fn leads(controller: &Controller) -> Result<(), String> {
    let text = controller.http().text("/metrics").await.map_err(|error| error.to_string())?;
    let leads =
        text.lines().any(|line| line.starts_with("leader_election_master_status{") && line.ends_with(" 1"));
    told(leads, &"it does not lead")
}

fn told(right: bool, seen: &impl fmt::Debug) -> Result<(), String> {
    if right { Ok(()) } else { Err(format!("{seen:?}")) }
}

/// Whoever may read metrics reads them, over TLS; others are told why they may not.
async fn scraped(controller: &Controller) -> Done {
    let url = format!("https://127.0.0.1:{}", controller.port());
    let started = Instant::now();
    // The probes need no token.
    while Api::unverified(&url, "none").text("/livez").await.is_err() {
        assert!(started.elapsed() < SOON, "{}", controller.process().tail(20));
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    for (check, token, wanted) in [
        ("an unknown token may not scrape", "forged", 401),
        ("who may not read /metrics may not scrape", "nobody-token", 403),
        ("who may read /metrics scrapes", "admin-token", 200),
    ] {
        let answer = Api::unverified(&url, token).text("/metrics").await;
        let code = answer.as_ref().map_or_else(|refusal| refusal.code, |_| 200);
        if code != wanted {
            return Err(Failure { check, seen: format!("{code}: {:?}", answer.err()) });
        }
    }
    Ok(())
}
