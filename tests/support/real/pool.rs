//! Which cluster a test gets: one of its own for as long as it runs, or the one that is shared.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use super::super::controller::Controller;
use super::super::peer::Peer;
use super::super::process::scratch;
use super::apiserver::{Cluster, RealStage};
use super::audit;
use super::count;
use super::etcd::Etcd;
use super::programs::{Programs, programs};

/// How many clusters are lent at once; each costs about 300 MB.
const CLUSTERS: usize = 4;

/// What the API server of a lent cluster does besides the usual.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Usual,
    /// It keeps a record of writes of slices, and finds the webhooks of a Service by its slices.
    Audited,
}

struct Pool {
    permits: Arc<Semaphore>,
    waiting: Mutex<Waiting>,
}

/// Clusters that wait for their next test.
#[derive(Default)]
struct Waiting {
    clusters: Vec<(Kind, Arc<Cluster>)>,
    /// How many were ever started.
    started: usize,
}

fn pool() -> &'static Pool {
    static POOL: OnceLock<Pool> = OnceLock::new();
    POOL.get_or_init(|| Pool { permits: Arc::new(Semaphore::new(CLUSTERS)), waiting: Mutex::default() })
}

async fn etcd(programs: &Programs) -> Arc<Etcd> {
    static ETCD: OnceCell<Arc<Etcd>> = OnceCell::const_new();
    ETCD.get_or_init(|| async { Arc::new(Etcd::start(programs).await) }).await.clone()
}

/// A cluster for this test alone, empty, with no controller on it.
pub async fn exclusive() -> Option<RealStage> {
    let programs = programs()?;
    count::this_test();
    let permit = pool().permits.clone().acquire_owned().await.expect("the pool stays open");
    Some(lend(programs, permit, Kind::Usual).await)
}

/// The same, with an API server that keeps a record of every write of slices that was asked for
/// ([`audit::Record`]), and that calls the webhooks of a Service at an endpoint of its slices, without a
/// kube-proxy in between.
pub async fn audited() -> Option<RealStage> {
    let programs = programs()?;
    count::this_test();
    let permit = pool().permits.clone().acquire_owned().await.expect("the pool stays open");
    Some(lend(programs, permit, Kind::Audited).await)
}

/// Two empty clusters for this test alone.
pub async fn twins() -> Option<(RealStage, RealStage)> {
    let programs = programs()?;
    count::this_test();
    // Both at once: two tests that hold one each would wait for ever.
    let mut permits = pool().permits.clone().acquire_many_owned(2).await.expect("the pool stays open");
    let second = permits.split(1).expect("two permits");
    let (one, two) =
        futures::future::join(lend(programs, permits, Kind::Usual), lend(programs, second, Kind::Usual))
            .await;
    Some((one, two))
}

/// A cluster that all tests share, with no controller on it.
pub async fn shared() -> Option<RealStage> {
    static SHARED: OnceCell<Arc<Cluster>> = OnceCell::const_new();
    let programs = programs()?;
    count::this_test();
    let cluster = SHARED.get_or_init(|| start_cluster(programs, "shared")).await;
    Some(RealStage::new(cluster.clone(), None).await)
}

/// The shared cluster, on which our controller runs with default flags.
pub async fn served() -> Option<RealStage> {
    Some(served_with_controller().await?.0)
}

/// The same with that controller, whose log and metrics tests may read.
pub async fn served_with_controller() -> Option<(RealStage, &'static Controller)> {
    static SERVED: OnceCell<(Arc<Cluster>, Controller)> = OnceCell::const_new();
    let programs = programs()?;
    count::this_test();
    let start = || async {
        let cluster = start_cluster(programs, "served").await;
        let controller = Controller::start(&RealStage::new(cluster.clone(), None).await, &[]).await;
        (cluster, controller)
    };
    let (cluster, controller) = SERVED.get_or_init(start).await;
    Some((RealStage::new(cluster.clone(), None).await, controller))
}

/// The shared cluster on which the peer runs: what upstream does, for tests of the harness.
pub async fn served_by_peer() -> Option<RealStage> {
    static SERVED: OnceCell<(Arc<Cluster>, Peer)> = OnceCell::const_new();
    let programs = programs()?;
    count::this_test();
    let start = || async {
        let cluster = start_cluster(programs, "served-by-peer").await;
        let peer = Peer::start(&RealStage::new(cluster.clone(), None).await, &[]).await;
        (cluster, peer)
    };
    let (cluster, _) = SERVED.get_or_init(start).await;
    Some(RealStage::new(cluster.clone(), None).await)
}

async fn start_cluster(programs: &Programs, name: &str) -> Arc<Cluster> {
    Arc::new(Cluster::start(name, etcd(programs).await, programs, &[]).await)
}

async fn start_lent(programs: &Programs, number: usize, kind: Kind) -> Arc<Cluster> {
    let name = format!("lent-{number}");
    let flags = match kind {
        Kind::Usual => Vec::new(),
        Kind::Audited => {
            let folder = scratch().join(&name);
            std::fs::create_dir_all(&folder).expect("create the folder of the API server");
            let mut flags = audit::flags(&folder);
            flags.push("--enable-aggregator-routing=true".to_string());
            flags
        }
    };
    Arc::new(Cluster::start(&name, etcd(programs).await, programs, &flags).await)
}

async fn lend(programs: &Programs, permit: OwnedSemaphorePermit, kind: Kind) -> RealStage {
    let (waiting, number) = {
        let mut pool = waiting();
        let place = pool.clusters.iter().position(|(waits, _)| *waits == kind);
        let waiting = place.map(|place| pool.clusters.remove(place).1);
        if waiting.is_none() {
            pool.started += 1;
        }
        (waiting, pool.started)
    };
    let cluster = match waiting {
        Some(cluster) => {
            cluster.ready_again().await;
            cluster.wipe().await;
            cluster
        }
        None => start_lent(programs, number, kind).await,
    };
    let lent = Lent { cluster: cluster.clone(), kind, _permit: permit };
    RealStage::new(cluster, Some(Box::new(lent))).await
}

fn waiting() -> MutexGuard<'static, Waiting> {
    pool().waiting.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Gives the cluster back when the test ends, before the permit.
struct Lent {
    cluster: Arc<Cluster>,
    kind: Kind,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Lent {
    fn drop(&mut self) {
        waiting().clusters.push((self.kind, self.cluster.clone()));
    }
}
