//! One cluster with many histories side by side, which is frozen and let loose again and again: the
//! peer goes, the histories go on, a dump is taken, the peer comes back and is followed.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::judge::Verdict;
use super::numbers::{Verb, Write};
use crate::support::history::{Change, History, Outcome, apply_all};
use crate::support::pods::{endpoints, service, service_without_selector};
use crate::support::process::scratch;
use crate::support::real::RealStage;
use crate::support::world::SERVICE_NAME;
use crate::support::{Api, Peer, Stage, World, eventually, quiet_cluster};

const SLICES: &str = "/apis/discovery.k8s.io/v1/endpointslices";
/// Histories that are played at the same time.
const AT_ONCE: usize = 4;
/// Longer than the second that a changed slice or a failed sync waits in the peer's queue.
const QUIET: Duration = Duration::from_secs(3);
/// Machines may be busy.
const WITHIN: Duration = Duration::from_secs(240);

/// A state in which nobody writes, and what the peer wrote when it was let loose.
pub struct Frozen {
    /// Which freeze of which cluster.
    pub name: String,
    pub max: usize,
    /// All objects that `kubectl get` printed.
    pub items: Vec<Value>,
    pub peer: Vec<Write>,
    /// What the peer logged.
    pub log: String,
}

pub struct Cluster<'a> {
    stage: &'a RealStage,
    max: usize,
    played: Vec<(World, History)>,
    /// A namespace for what tells when the peer has come to the end of its queues.
    markers: World,
    marks: usize,
    peer: Option<Peer>,
}

impl<'a> Cluster<'a> {
    /// Makes the population of each history, with no controller there.
    pub async fn populate(stage: &'a RealStage, max: usize, histories: Vec<History>) -> Cluster<'a> {
        let played: Vec<(World, History)> = stream::iter(histories)
            .map(|history| async move {
                let world = World::named(stage.api(), &format!("seed-{}", history.seed)).await;
                let refused = apply_all(&world, &history.start).await;
                assert!(refused.is_empty(), "seed {}: refused: {refused:#?}", history.seed);
                (world, history)
            })
            .buffered(AT_ONCE)
            .collect()
            .await;
        let markers = World::named(stage.api(), "markers").await;
        Cluster { stage, max, played, markers, marks: 0, peer: None }
    }

    /// Plays one step of every history.
    pub async fn play(&self, step: usize) {
        stream::iter(&self.played)
            .for_each_concurrent(AT_ONCE, |(world, history)| async move {
                for change in history.steps.get(step).into_iter().flatten() {
                    apply(world, history.seed, change).await;
                }
            })
            .await;
    }

    /// Waits until the peer has nothing to do, and stops it.
    pub async fn stop_peer(&mut self) {
        let Some(peer) = self.peer.take() else { return };
        let follower = Follower::start(self.stage).await;
        self.marker().await;
        follower.quiet().await;
        peer.terminate(Duration::from_secs(60)).await;
    }

    /// Begins the deletion of some Services and Endpoints, which a finalizer holds.
    pub async fn begin_deletions(&self) {
        let hold = json!({"metadata": {"finalizers": ["history.example.org/hold"]}});
        for (collection, every) in [("services", 4), ("endpoints", 5)] {
            stream::iter(&self.played)
                .for_each_concurrent(AT_ONCE, |(world, _)| async {
                    let objects = world.api().list(&world.path(collection)).await.expect("list objects");
                    for object in objects.iter().step_by(every) {
                        let name = object["metadata"]["name"].as_str().expect("a name");
                        world.patch(collection, name, hold.clone()).await;
                        world.delete(collection, name).await;
                    }
                })
                .await;
        }
    }

    /// Takes a dump, lets the peer loose, and judges what it wrote: once it is quiet, and while that does
    /// not do, again for as long as a failed sync might wait to be tried again.
    pub async fn let_loose(&mut self, name: &str, judge: impl Fn(&Frozen) -> Verdict) -> Verdict {
        assert!(self.peer.is_none(), "the peer runs");
        let follower = Follower::start(self.stage).await;
        let file = scratch().join(format!("dump-{}.json", self.max));
        let mut dump = quiet_cluster::dump(self.stage, &file);
        assert!(follower.writes().is_empty(), "somebody wrote while nobody was there");
        let items = match dump["items"].take() {
            Value::Array(items) => items,
            other => panic!("a dump without items: {other}"),
        };
        let peer = Peer::start(self.stage, &[&format!("--max-endpoints-per-slice={}", self.max)]).await;
        self.marker().await;
        let mut frozen =
            Frozen { name: name.to_string(), max: self.max, items, peer: Vec::new(), log: String::new() };
        let started = Instant::now();
        let verdict = loop {
            follower.quiet().await;
            frozen.peer = follower.writes();
            frozen.log = peer.process().log();
            let verdict = judge(&frozen);
            if verdict.unexplained.is_empty() || started.elapsed() > RETRIED_WITHIN {
                break verdict;
            }
        };
        self.peer = Some(peer);
        verdict
    }

    /// Waits until the peer has handled what was in its queues before this call.
    async fn marker(&mut self) {
        self.marks += 1;
        let (selected, mirrored) = (format!("selected-{}", self.marks), format!("mirrored-{}", self.marks));
        self.markers.service(service(&selected, &selected).port("", 80, "80")).await;
        self.markers.service(service_without_selector(&mirrored).port("", 80, "80")).await;
        let subsets = json!([{"addresses": [{"ip": "10.198.0.1"}], "ports": [{"port": 80}]}]);
        self.markers.endpoints(endpoints(&mirrored, subsets)).await;
        eventually("the peer has handled the markers", WITHIN, || async {
            let slices = self.markers.all_slices().await;
            let has = |name: &String| {
                slices.iter().any(|slice| slice["metadata"]["labels"][SERVICE_NAME] == **name)
            };
            if has(&selected) && has(&mirrored) { Ok(()) } else { Err("not yet".to_string()) }
        })
        .await;
    }
}

/// How long the peer may take to try again what failed: 1, 2, 4, 8 seconds.
const RETRIED_WITHIN: Duration = Duration::from_secs(20);

async fn apply(world: &World, seed: u64, change: &Change) {
    if let Outcome::Refused(why) = change.apply(world).await {
        panic!("seed {seed}: {change}: {why}");
    }
}

/// Follows the slices of the cluster from the moment it was made.
struct Follower {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

struct Seen {
    writes: Vec<Write>,
    last: Instant,
    /// Why it follows no more.
    ended: Option<String>,
}

impl Follower {
    async fn start(stage: &RealStage) -> Follower {
        let api = stage.api().clone();
        let (_, version) = api.list_at(SLICES).await.expect("list slices");
        let seen = Arc::new(Mutex::new(Seen { writes: Vec::new(), last: Instant::now(), ended: None }));
        let task = tokio::spawn(follow(api, version, seen.clone()));
        Follower { seen, task }
    }

    fn writes(&self) -> Vec<Write> {
        let seen = lock(&self.seen);
        assert!(seen.ended.is_none(), "the watch of slices ended: {:?}", seen.ended);
        seen.writes.clone()
    }

    /// Waits until nothing was written for [`QUIET`], from now on.
    async fn quiet(&self) {
        let now = Instant::now();
        eventually("the slices of the cluster are quiet", WITHIN, || async {
            let since = lock(&self.seen).last.max(now).elapsed();
            if since >= QUIET { Ok(()) } else { Err(format!("written {since:?} ago")) }
        })
        .await;
    }
}

/// Follows from a version on. An API server closes a watch whose client is slow, as on a busy machine it is;
/// it goes on from where it ended, so that no event is missed.
async fn follow(api: Api, mut version: String, seen: Arc<Mutex<Seen>>) {
    loop {
        let mut events = match api.watch(SLICES, &version, "").await {
            Ok(events) => events,
            Err(refusal) => {
                lock(&seen).ended = Some(refusal.to_string());
                return;
            }
        };
        while let Some(Ok(event)) = events.next().await {
            let verb = match event.kind.as_str() {
                "ADDED" => Some(Verb::Create),
                "MODIFIED" => Some(Verb::Update),
                "DELETED" => Some(Verb::Delete),
                "BOOKMARK" => None,
                _ => {
                    lock(&seen).ended = Some(event.object.to_string());
                    return;
                }
            };
            let at = &event.object["metadata"]["resourceVersion"];
            version = at.as_str().expect("an event with a version").to_string();
            if let Some(verb) = verb {
                let mut seen = lock(&seen);
                seen.writes.push(Write { verb, slice: event.object });
                seen.last = Instant::now();
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
