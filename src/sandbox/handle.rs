//! A running sandbox.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::api::{self, Api, Wire};
use super::faults::Faults;
use super::gc;
use super::status::Status;
use super::store::Store;

/// For requests that are being answered when the server stops.
const GRACE: Duration = Duration::from_secs(2);
const BACKLOG: u32 = 1024;

/// Why a sandbox cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Others could reach the address.
    #[error("the sandbox serves on loopback only, not on {0}: it asks nobody who they are")]
    NotLoopback(SocketAddr),
    /// The operating system refuses the address.
    #[error("{address}: {error}")]
    Address {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the operating system says.
        error: io::Error,
    },
    /// What every cluster has could not be stored.
    #[error(transparent)]
    Refused(#[from] Status),
}

/// What runs beside the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Dependents of deleted owners are removed, and deleted Namespaces emptied. Off, it is an API
    /// server without controllers.
    pub garbage_collection: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { garbage_collection: true }
    }
}

/// An API server in this process. It belongs to the runtime that started it, and ends when it is dropped.
pub struct Sandbox {
    api: Arc<Api>,
    running: Mutex<Option<Running>>,
    collecting: Option<JoinHandle<()>>,
}

struct Running {
    accepting: JoinHandle<JoinSet<()>>,
    stop: watch::Sender<bool>,
}

impl Sandbox {
    /// Starts an empty cluster on this address (port 0: any free one), with garbage collection.
    ///
    /// # Errors
    /// The address is not loopback, or cannot be had.
    pub async fn start(address: SocketAddr) -> Result<Sandbox, Failure> {
        Sandbox::start_with(address, Options::default()).await
    }

    /// Starts an empty cluster on this address (port 0: any free one).
    ///
    /// # Errors
    /// The address is not loopback, or cannot be had.
    pub async fn start_with(address: SocketAddr, options: Options) -> Result<Sandbox, Failure> {
        if !address.ip().is_loopback() {
            return Err(Failure::NotLoopback(address));
        }
        let failed = |error| Failure::Address { address, error };
        let listener = listen(address).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let store = Arc::new(Store::new());
        store.furnish(address.port())?;
        let collecting = options.garbage_collection.then(|| tokio::spawn(gc::follow(Arc::clone(&store))));
        let api = Arc::new(Api {
            store,
            faults: Arc::default(),
            paused: watch::Sender::new(false),
            ending: watch::Sender::new(false),
            address,
        });
        let running = Mutex::new(Some(run(listener, &api)));
        Ok(Sandbox { api, running, collecting })
    }

    /// What is stored; changes made here are seen by every client.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.api.store
    }

    /// What it is told to do wrong.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.api.faults
    }

    /// Where it listens, or listened before it was stopped.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.api.address
    }

    /// `http://127.0.0.1:PORT`
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.api.address)
    }

    /// A kubeconfig (YAML) with which kubectl works.
    #[must_use]
    pub fn kubeconfig(&self) -> String {
        format!(
            "apiVersion: v1\nkind: Config\nclusters:\n- name: sandbox\n  cluster:\n    server: {}\nusers:\n- name: \
             sandbox\n  user: {{}}\ncontexts:\n- name: sandbox\n  context:\n    cluster: sandbox\n    user: \
             sandbox\ncurrent-context: sandbox\n",
            self.url()
        )
    }

    /// Stops the server and keeps its state: watches end, requests that are being answered have two seconds,
    /// and whoever connects afterwards is refused.
    pub async fn stop(&self) {
        let Some(running) = self.running.lock().take() else { return };
        self.api.ending.send_replace(true);
        running.stop.send_replace(true);
        // A pause would hold them back.
        let paused = self.api.paused.send_replace(false);
        if let Ok(mut connections) = running.accepting.await {
            if !paused {
                let all = async { while connections.join_next().await.is_some() {} };
                // Who is not ready by then is cut off.
                let _ = timeout(GRACE, all).await;
            }
            connections.shutdown().await;
        }
    }

    /// Starts it again at the same address, after it was stopped if it runs, with its state. Pauses end.
    ///
    /// # Errors
    /// The operating system refuses the address: somebody else took it.
    pub async fn restart(&self) -> Result<(), Failure> {
        self.stop().await;
        let address = self.api.address;
        let listener = listen(address).map_err(|error| Failure::Address { address, error })?;
        self.api.ending.send_replace(false);
        *self.running.lock() = Some(run(listener, &self.api));
        Ok(())
    }

    /// Answers nothing from now on; connections stay open, and new ones are taken.
    pub fn pause(&self) {
        self.api.paused.send_replace(true);
    }

    /// Goes on after [`Sandbox::pause`]; what was asked meanwhile is answered.
    pub fn resume(&self) {
        self.api.paused.send_replace(false);
    }

    /// Forgets all changes up to now: older versions are answered 410.
    pub fn forget_history(&self) {
        self.api.store.compact();
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Some(collecting) = &self.collecting {
            collecting.abort();
        }
        if let Some(running) = self.running.lock().take() {
            // Its connections go with it.
            running.accepting.abort();
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Connections of before a restart may still be on their way out.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn run(listener: TcpListener, api: &Arc<Api>) -> Running {
    let stop = watch::Sender::new(false);
    let stopped = stop.subscribe();
    let accepting = tokio::spawn(accept(listener, Arc::clone(api), stopped));
    Running { accepting, stop }
}

/// Takes connections until it is told to stop, and gives those that are open.
async fn accept(listener: TcpListener, api: Arc<Api>, mut stopped: watch::Receiver<bool>) -> JoinSet<()> {
    let mut connections = JoinSet::new();
    loop {
        let ending = stopped.clone();
        tokio::select! {
            // It changes once, and an error means that nobody is left to stop it.
            _ = stopped.changed() => return connections,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(api::serve(Wire::new(stream), Arc::clone(&api), ending));
                }
                // It was reset before it was taken, or no file descriptor is left.
                Err(_) => sleep(Duration::from_millis(50)).await,
            },
        }
        while connections.try_join_next().is_some() {}
    }
}
