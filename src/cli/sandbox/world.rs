//! Everything that runs inside the process of the sandbox: the API server, the simulated cluster, the
//! controller, and who looks at it all.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinError, JoinHandle};

use super::config::SandboxConfig;
use super::hands::Hands;
use super::kubeconfig::KubeconfigFile;
use super::log::Log;
use super::observer::Observer;
use super::screen::live::Stage;
use super::screen::picture::Facts;
use crate::cli::run::{self, End};
use crate::sandbox::simulate::{self, Simulation};
use crate::sandbox::{Kind, Sandbox, Store};

/// From the binding of a Pod to its readiness, at usual speed.
const READY_AFTER: Duration = Duration::from_millis(800);
/// How long changes are gathered before they are looked at: their times are those of the store, so
/// nothing is lost by it.
const GATHER: Duration = Duration::from_millis(10);
/// How long clients have to go at the end.
const FAREWELL: Duration = Duration::from_millis(200);

/// The task that runs the controller. It should not end before [`World::stop`].
pub type Controller = JoinHandle<anyhow::Result<End>>;
/// How a task that runs the controller ended.
type Ended = Result<anyhow::Result<End>, JoinError>;

/// See the module's text. The kubeconfig file goes with it.
pub struct World {
    /// The API's store.
    pub store: Arc<Store>,
    /// What happens in it.
    pub observer: Arc<Mutex<Observer>>,
    /// Where to reach the API.
    pub kubeconfig: KubeconfigFile,
    server: Sandbox,
    simulation: Arc<Simulation>,
    first_slice: watch::Receiver<Option<Duration>>,
    looking: JoinHandle<()>,
    controller: Option<oneshot::Sender<()>>,
    working: Option<oneshot::Receiver<()>>,
    born: Instant,
}

impl World {
    /// Starts the API server and the simulated cluster. `flap`: changes of readiness a second that come by
    /// themselves.
    ///
    /// # Errors
    /// The address is taken, or the kubeconfig cannot be written.
    pub async fn start(config: &SandboxConfig, flap: f64, born: Instant) -> anyhow::Result<World> {
        let address = SocketAddr::new(config.address, config.port);
        let server = Sandbox::start(address).await.context("--address and --port")?;
        let store = Arc::clone(server.store());
        let kubeconfig = KubeconfigFile::write(config.kubeconfig.as_deref(), &server.kubeconfig())?;
        let observer = Arc::new(Mutex::new(Observer::new(Arc::clone(&store), born)?));
        let (told, first_slice) = watch::channel(None);
        let looking = tokio::spawn(look(Arc::clone(&store), Arc::clone(&observer), told));
        let simulation = Simulation::start(
            Arc::clone(&store),
            simulate::Options {
                nodes: u32::try_from(config.nodes).unwrap_or(u32::MAX),
                zones: config.zones,
                speed: config.speed,
                seed: config.seed,
                ready_after: READY_AFTER,
                // A report of load is about slices: Events of Pods would only cost memory.
                events: config.load.is_none(),
                flap,
            },
        );
        Ok(World {
            store,
            observer,
            kubeconfig,
            server,
            simulation: Arc::new(simulation),
            first_slice,
            looking,
            controller: None,
            working: None,
            born,
        })
    }

    /// Starts the controller inside this process.
    pub fn controller(&mut self, config: &SandboxConfig) -> Controller {
        let config = config.controller(self.kubeconfig.path());
        let (stop, told) = oneshot::channel();
        let (ended, working) = oneshot::channel();
        self.controller = Some(stop);
        self.working = Some(working);
        tokio::spawn(async move {
            let end = run::until(&config, async {
                // Told or dropped: it ends either way.
                let _ = told.await;
            })
            .await;
            let _ = ended.send(());
            end
        })
    }

    /// Waits for the first slice: how long after the start it came.
    pub async fn first_slice(&self) -> Duration {
        let mut first = self.first_slice.clone();
        let seen = first.wait_for(Option::is_some).await.map(|first| *first);
        match seen {
            Ok(Some(first)) => first,
            // Who looks has ended: at the end of the sandbox only.
            _ => std::future::pending().await,
        }
    }

    /// What does not change while the sandbox runs.
    #[must_use]
    pub fn facts(&self, config: &SandboxConfig) -> Facts {
        Facts {
            server: self.server.url(),
            kubeconfig: self.kubeconfig.path().display().to_string(),
            room: config.control.settings.max_endpoints_per_slice,
        }
    }

    /// What a screen shows and acts on.
    #[must_use]
    pub fn stage(&self, facts: Facts, log: Log) -> Stage {
        Stage {
            observer: Arc::clone(&self.observer),
            store: Arc::clone(&self.store),
            hands: Hands::new(Arc::clone(&self.store), Arc::clone(&self.simulation)),
            born: self.born,
            facts,
            log,
        }
    }

    /// Waits until the Nodes that were asked for are there.
    pub async fn nodes(&self, config: &SandboxConfig) {
        let mut changed = self.store.subscribe(Kind::Node);
        while self.store.count(Kind::Node) < config.nodes {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// Ends it all, the controller first: it finds its API server to the last. The order of the rest does
    /// not matter to anybody.
    pub async fn stop(self) {
        drop(self.controller);
        if let Some(working) = self.working {
            // It ends with a word or without one.
            let _ = working.await;
        }
        self.looking.abort();
        drop(self.simulation);
        // Clients that are slow to go are cut off when the server is dropped.
        let _ = tokio::time::timeout(FAREWELL, self.server.stop()).await;
    }
}

/// Keeps the observer up.
async fn look(store: Arc<Store>, observer: Arc<Mutex<Observer>>, first: watch::Sender<Option<Duration>>) {
    let mut kinds = [Kind::Pod, Kind::EndpointSlice, Kind::Service, Kind::Endpoints, Kind::Event]
        .map(|kind| store.subscribe(kind));
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.tick().await;
    loop {
        {
            let mut observer = observer.lock();
            observer.catch_up();
            let seen = observer.first_slice();
            first.send_if_modified(|first| first.is_none() && std::mem::replace(first, seen) != seen);
        }
        let [pods, slices, services, endpoints, events] = &mut kinds;
        tokio::select! {
            _ = seconds.tick() => {
                let mut observer = observer.lock();
                observer.catch_up();
                observer.tick();
                continue;
            }
            _ = pods.changed() => {}
            _ = slices.changed() => {}
            _ = services.changed() => {}
            _ = endpoints.changed() => {}
            _ = events.changed() => {}
        }
        tokio::time::sleep(GATHER).await;
    }
}

/// Why a controller that should run has ended.
pub fn ended(ended: Ended) -> anyhow::Error {
    match ended {
        Ok(Ok(end)) => anyhow::anyhow!("the controller ended by itself: {end:?}"),
        Ok(Err(error)) => error.context("the controller ended"),
        Err(error) => anyhow::anyhow!("the controller ended: {error}"),
    }
}
