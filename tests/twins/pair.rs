//! The two clusters, with our program on one and kube-controller-manager on the other.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use std::time::Duration;

use tokio::sync::{Mutex, RwLock, Semaphore};

use serde_json::{Value, json};

use crate::support::history::{Change, Kind, Operation, Program};
use crate::support::pods::{now, service};
use crate::support::real::{self, RealStage};
use crate::support::{Api, Controller, Peer, Stage, World, eventually};

const MARKED_WITHIN: Duration = Duration::from_secs(180);

/// Small, so that Services of a dozen Pods have several slices.
const FLAGS: [&str; 1] = ["--max-endpoints-per-slice=10"];

/// Ours and the peer's, in this order wherever there are two of something.
pub const SIDES: [&str; 2] = ["ours", "kube-controller-manager"];

pub struct Pair {
    pub stages: [RealStage; 2],
    controller: Mutex<Option<Controller>>,
    peer: Mutex<Option<Peer>>,
    peer_restarts: AtomicUsize,
    restarts: AtomicUsize,
    complaints: Mutex<Complaints>,
    /// Held for writing during a restart, for reading while somebody waits for rest.
    pub awake: RwLock<()>,
    marks: [World; 2],
    /// Held by a history whose Nodes count for mode Auto.
    pub auto: Semaphore,
}

impl Pair {
    /// `None` where there is no control plane.
    pub async fn start() -> Option<Pair> {
        let (one, two) = real::twins().await?;
        let controller = Controller::start(&one, &FLAGS).await;
        let peer = Peer::start(&two, &FLAGS).await;
        let marks = [World::named(one.api(), "restarts").await, World::named(two.api(), "restarts").await];
        Some(Pair {
            awake: RwLock::new(()),
            marks,
            stages: [one, two],
            controller: Mutex::new(Some(controller)),
            peer: Mutex::new(Some(peer)),
            peer_restarts: AtomicUsize::new(0),
            restarts: AtomicUsize::new(0),
            complaints: Mutex::new(Complaints::default()),
            auto: Semaphore::new(1),
        })
    }

    pub fn apis(&self) -> [&Api; 2] {
        [self.stages[0].api(), self.stages[1].api()]
    }

    /// Kills a program and starts it again; when this returns it has looked at everything that is there.
    pub async fn restart(&self, program: Program) {
        let _awake = self.awake.write().await;
        let side = match program {
            Program::Ours => {
                let mut controller = self.controller.lock().await;
                if let Some(old) = controller.take() {
                    old.kill();
                }
                *controller = Some(Controller::start(&self.stages[0], &FLAGS).await);
                0
            }
            Program::Peer => {
                let mut peer = self.peer.lock().await;
                if let Some(old) = peer.take() {
                    old.kill();
                }
                *peer = Some(Peer::start(&self.stages[1], &FLAGS).await);
                self.peer_restarts.fetch_add(1, Ordering::Relaxed);
                1
            }
        };
        // A Service that is made now is queued behind all that were found at the start.
        let world = &self.marks[side];
        let name = format!("mark-{}", self.restarts.fetch_add(1, Ordering::Relaxed));
        world.service(service(&name, &name).port("", 80, "80")).await;
        eventually("the program has handled a new Service", MARKED_WITHIN, || async {
            if world.slices(&name).await.is_empty() { Err("no slice".to_string()) } else { Ok(()) }
        })
        .await;
    }

    /// Puts the Pods and Nodes of a population straight into etcd, which costs a fraction of asking the API
    /// server; answers the other changes.
    pub async fn put(&self, namespace: &str, start: &[Change]) -> Vec<Change> {
        let direct =
            |change: &&Change| matches!(change.operation, Operation::Create(Kind::Pod | Kind::Node, _));
        let (stored, rest): (Vec<&Change>, Vec<&Change>) = start.iter().partition(direct);
        for (side, stage) in self.stages.iter().enumerate() {
            let (cluster, etcd) = (stage.cluster(), stage.cluster().etcd());
            let pairs = stored.iter().filter_map(|change| {
                let Operation::Create(kind, object) = &change.operation else { return None };
                let mut object = self.named(namespace, *kind, object);
                let name = object["metadata"]["name"].as_str()?.to_string();
                let number = change.number;
                let hash =
                    namespace.bytes().fold(5381u32, |hash, byte| hash.wrapping_mul(33) ^ u32::from(byte));
                object["metadata"]["uid"] = json!(format!("{hash:08x}-000{side}-4000-8000-{number:012x}"));
                object["metadata"]["creationTimestamp"] = json!(now());
                let key = match kind {
                    Kind::Node => format!("{}/minions/{name}", cluster.prefix()),
                    _ => {
                        object["metadata"]["namespace"] = json!(namespace);
                        format!("{}/pods/{namespace}/{name}", cluster.prefix())
                    }
                };
                Some((key, object.to_string()))
            });
            etcd.put_all(pairs.collect::<Vec<_>>()).await;
        }
        rest.into_iter().cloned().collect()
    }

    /// The object with the names of Nodes as they are in the cluster.
    fn named(&self, namespace: &str, kind: Kind, object: &Value) -> Value {
        let mut object = object.clone();
        let (parent, field) = if kind == Kind::Node { ("metadata", "name") } else { ("spec", "nodeName") };
        if let Some(name) = object[parent].get_mut(field) {
            *name = json!(format!("{namespace}-{}", name.as_str().unwrap_or_default()));
        }
        object
    }

    /// Takes a namespace away with everything in it, and its Nodes; cheaper than asking the API server.
    pub async fn forget(&self, namespace: &str) {
        for stage in &self.stages {
            let (cluster, etcd) = (stage.cluster(), stage.cluster().etcd());
            for kind in ["services/specs", "services/endpoints", "pods", "endpointslices", "events"] {
                etcd.delete_prefix(&format!("{}/{kind}/{namespace}/", cluster.prefix())).await;
            }
            etcd.delete_prefix(&format!("{}/minions/{namespace}-", cluster.prefix())).await;
        }
    }

    /// How often the peer has forgotten what it wrote.
    pub fn peer_restarts(&self) -> usize {
        self.peer_restarts.load(Ordering::Relaxed)
    }

    /// What our program printed since its last start.
    pub async fn log(&self) -> String {
        self.controller.lock().await.as_ref().map(Controller::log).unwrap_or_default()
    }

    /// The CPU that everything has used so far, for people.
    pub async fn cpu(&self) -> String {
        let of = |cpu: Duration| format!("{:.1} s", cpu.as_secs_f64());
        let servers = [0, 1].map(|side| of(self.stages[side].cluster().cpu()));
        let controller = self.controller.lock().await.as_ref().map(|program| of(program.process().cpu()));
        let peer = self.peer.lock().await.as_ref().map(|program| of(program.process().cpu()));
        format!(
            "CPU: API servers {servers:?}, etcd {}, ours {}, kube-controller-manager {} (since their last start)",
            of(self.stages[0].cluster().etcd().process().cpu()),
            controller.unwrap_or_default(),
            peer.unwrap_or_default()
        )
    }

    /// What the peer has said of this key since its last start.
    pub async fn peer_said(&self, namespace: &str, service: &str) -> Complaint {
        let peer = self.peer.lock().await;
        let Some(path) = peer.as_ref().map(|peer| peer.process().log_path().to_path_buf()) else {
            return Complaint::default();
        };
        let mut complaints = self.complaints.lock().await;
        complaints.read(&path);
        complaints.keys.get(&format!("{namespace}/{service}")).copied().unwrap_or_default()
    }
}

/// What the peer complains of for a key.
#[derive(Debug, Clone, Copy, Default)]
pub struct Complaint {
    /// A sync failed: it waits for its backoff.
    pub failed: bool,
    /// It takes its cache for old and does not sync.
    pub stuck: bool,
}

/// The complaints in the peer's log, read as far as it goes.
#[derive(Default)]
struct Complaints {
    path: PathBuf,
    read: u64,
    keys: BTreeMap<String, Complaint>,
}

impl Complaints {
    fn read(&mut self, path: &Path) {
        if self.path != path {
            *self = Complaints { path: path.to_path_buf(), ..Complaints::default() };
        }
        let Ok(mut file) = File::open(path) else { return };
        let mut text = Vec::new();
        let _ = file.seek(SeekFrom::Start(self.read)).and_then(|_| file.read_to_end(&mut text));
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.read += whole as u64;
        for line in String::from_utf8_lossy(&text[..whole]).lines().filter(|line| line.contains("\"Error ")) {
            let Some((key, rest)) = line.split_once("key=\"").and_then(|(_, rest)| rest.split_once('"'))
            else {
                continue;
            };
            let complaint = self.keys.entry(key.to_string()).or_default();
            complaint.failed = true;
            complaint.stuck |= rest.contains("EndpointSlice informer cache is out of date");
        }
    }
}
