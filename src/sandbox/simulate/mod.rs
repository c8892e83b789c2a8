//! Nodes and workloads that behave as in a real cluster: Deployments make ReplicaSets, these make Pods,
//! Pods get a Node and addresses, become ready and end.
//!
//! One task follows the store's changes and does what the controllers, the scheduler and the kubelets
//! would do, each in its file. Whatever it writes goes through the same checks as a person's writes. What was not
//! changed costs nothing: rows of the few fields that decide are kept, indexed by owner and Node.

mod addresses;
mod clock;
mod deployment;
mod events;
mod feed;
mod filing;
mod flap;
mod kubelet;
mod nodes;
mod replicaset;
mod rows;
mod schedule;
mod selector;
mod turns;
mod world;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::kinds::Kind;
use super::status::Status;
use super::store::{Key, Store};
use clock::Clock;
use feed::Feed;
use world::{Told, World};

/// How much is done before the store's changes are read again.
const BUDGET: usize = 200;

/// The longest sleep; tokio's timers do not reach far further.
const IDLE: Duration = Duration::from_secs(3600);

/// What is simulated, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many Nodes are made at the start, `node-0001` and on.
    pub nodes: u32,
    /// Over how many zones they are spread, `zone-a` and on; 0 counts as 1.
    pub zones: usize,
    /// Divides the delays of kubelets; above 0.
    pub speed: f64,
    /// What is random and is no id follows from it.
    pub seed: u64,
    /// From the binding of a Pod to its readiness, jittered by up to 30%. Zero: a Pod is started and made
    /// ready in one write.
    pub ready_after: Duration,
    /// Whether Kubernetes Events are recorded.
    pub events: bool,
    /// How many changes of readiness a second there are by themselves.
    pub flap: f64,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            nodes: 3,
            zones: 3,
            speed: 1.0,
            seed: 0,
            ready_after: Duration::from_secs(1),
            events: true,
            flap: 0.0,
        }
    }
}

/// A running simulation. It ends when it is dropped.
pub struct Simulation {
    store: Arc<Store>,
    clock: Arc<Clock>,
    told: Told,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Simulation {
    /// Starts to simulate the cluster that `store` holds, from whatever state it is in. To be called
    /// within a tokio runtime.
    #[must_use]
    pub fn start(store: Arc<Store>, options: Options) -> Simulation {
        let speed = if options.speed > 0.0 { options.speed } else { 1.0 };
        let options = Options { speed, ..options };
        let clock = Arc::new(Clock::new());
        let told = Told::default();
        let (stop, stopped) = oneshot::channel();
        // a Pod is bound only to a Node that is known: Nodes are heard of first
        let feeds = [Kind::Node, Kind::Deployment, Kind::ReplicaSet, Kind::Pod];
        let feeds = feeds.map(|kind| Feed::new(&store, kind));
        let world = World::new(Arc::clone(&store), options, Arc::clone(&clock), Arc::clone(&told));
        let task = tokio::spawn(run(world, feeds, stopped));
        Simulation { store, clock, told, stop: Some(stop), task }
    }

    /// Says whether a Pod's containers are ready, as a readiness probe would find; a Pod that does not run
    /// yet will not become ready before it is said so.
    ///
    /// # Errors
    /// There is no such Pod, or the change was refused.
    pub fn set_ready(&self, pod: &Key, ready: bool) -> Result<(), Status> {
        let object = self.store.get(Kind::Pod, pod).ok_or_else(|| Status::not_found(Kind::Pod, &pod.name))?;
        if ready {
            self.told.lock().remove(&object.uid);
        } else {
            self.told.lock().insert(object.uid.clone());
        }
        let now = self.clock.now();
        self.store.modify(Kind::Pod, pod, Some("status"), |pod| {
            if kubelet::runs(pod) {
                kubelet::set_readiness(pod, ready, &now);
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Ends it, after the write that is being made.
    pub async fn stop(mut self) {
        self.stop = None;
        let _ = (&mut self.task).await; // it ends either way
    }
}

async fn run(mut world: World, mut feeds: [Feed; 4], mut stopped: oneshot::Receiver<()>) {
    world.plan_flap();
    loop {
        for feed in &mut feeds {
            while let Some(news) = feed.next(&world.store) {
                world.hear(feed.kind(), news);
            }
        }
        let busy = world.work(BUDGET);
        if !matches!(stopped.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
            return;
        }
        if busy {
            tokio::task::yield_now().await;
            continue;
        }
        let next = world.timers.next().unwrap_or_else(|| Instant::now() + IDLE);
        let [nodes, deployments, sets, pods] = &mut feeds;
        tokio::select! {
            _ = &mut stopped => return,
            () = nodes.changed() => {}
            () = deployments.changed() => {}
            () = sets.changed() => {}
            () = pods.changed() => {}
            () = tokio::time::sleep_until(next) => {}
        }
    }
}
