//! Faults of the way between two programs: a TCP proxy that cuts, silences, slows and redirects the
//! connections that go through it. TLS passes through untouched, so what it breaks is what a network
//! breaks.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::process::scratch;
use super::stage::{Stage, User};

/// What happens to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Everything passes.
    None,
    /// Bytes of the server are held back for this long.
    Delay(Duration),
    /// Nothing passes, in neither direction, and the connection stays open.
    Silent,
    /// It is reset now.
    Reset,
    /// What the client sends passes; it is reset as soon as the server answers anything.
    LoseAnswer,
    /// It is reset after this many more bytes of the server, in the middle of what they belong to.
    Truncate(usize),
}

/// A proxy on a port of loopback. It belongs to the runtime that made it.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    target: Mutex<SocketAddr>,
    /// For connections that are made from now on.
    future: Mutex<Fault>,
    /// One for each connection that was made.
    present: Mutex<Vec<watch::Sender<Fault>>>,
    accepted: AtomicUsize,
}

impl Proxy {
    pub async fn start(target: SocketAddr) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind a port on loopback");
        let address = listener.local_addr().expect("the bound address");
        let shared = Arc::new(Shared {
            target: Mutex::new(target),
            future: Mutex::new(Fault::None),
            present: Mutex::default(),
            accepted: AtomicUsize::new(0),
        });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Proxy { address, shared, task }
    }

    /// One in front of the API server of `stage`.
    pub async fn before(stage: &dyn Stage) -> Proxy {
        let kubeconfig = read(&stage.kubeconfig(User::Admin));
        let server = kubeconfig["clusters"][0]["cluster"]["server"].as_str().expect("a server");
        let target = server.trim_start_matches("https://").parse().expect("an address");
        Proxy::start(target).await
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The kubeconfig of `user` on `stage`, with this proxy for its server.
    pub fn kubeconfig(&self, stage: &dyn Stage, user: User) -> PathBuf {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let mut kubeconfig = read(&stage.kubeconfig(user));
        kubeconfig["clusters"][0]["cluster"]["server"] = json!(format!("https://{}", self.address));
        let path = scratch().join(format!("proxied-{}.kubeconfig", NEXT.fetch_add(1, Ordering::Relaxed)));
        std::fs::write(&path, kubeconfig.to_string()).expect("write the kubeconfig");
        path
    }

    /// For the connections that are open now; those made later are not touched.
    pub fn present(&self, fault: Fault) {
        let mut present = lock(&self.shared.present);
        present.retain(|connection| !connection.is_closed());
        for connection in present.iter() {
            let _ = connection.send(fault);
        }
    }

    /// For the connections that are made from now on.
    pub fn future(&self, fault: Fault) {
        *lock(&self.shared.future) = fault;
    }

    /// For all.
    pub fn all(&self, fault: Fault) {
        self.future(fault);
        self.present(fault);
    }

    /// Sends connections that are made from now on elsewhere, and cuts those that are there.
    pub fn redirect(&self, target: SocketAddr) {
        *lock(&self.shared.target) = target;
        self.present(Fault::Reset);
    }

    /// How many connections were made so far.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.present(Fault::Reset);
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        shared.accepted.fetch_add(1, Ordering::SeqCst);
        let (sender, fault) = watch::channel(*lock(&shared.future));
        lock(&shared.present).push(sender);
        let target = *lock(&shared.target);
        tokio::spawn(carry(client, target, fault));
    }
}

/// Lives through one connection.
async fn carry(mut client: TcpStream, target: SocketAddr, mut fault: watch::Receiver<Fault>) {
    // Closing then sends RST, not FIN.
    let _ = client.set_zero_linger();
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut up, mut down) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    let mut passed = 0;
    loop {
        let now = *fault.borrow_and_update();
        let silent = now == Fault::Silent;
        tokio::select! {
            biased;
            changed = fault.changed() => {
                passed = 0;
                // The proxy is gone, and with it who could end a silence.
                if changed.is_err() || *fault.borrow() == Fault::Reset {
                    return;
                }
            }
            read = client.read(&mut up), if !silent => {
                let Ok(1..) = read else { return };
                let bytes = &up[..read.unwrap_or_default()];
                if server.write_all(bytes).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut down), if !silent => {
                let Ok(1..) = read else {
                    // The server has ended it as agreed: so the client sees it.
                    let _ = client.shutdown().await;
                    return;
                };
                let mut bytes = &down[..read.unwrap_or_default()];
                match now {
                    Fault::LoseAnswer | Fault::Reset => return,
                    Fault::Delay(time) => tokio::time::sleep(time).await,
                    Fault::Truncate(limit) => bytes = &bytes[..bytes.len().min(limit - passed)],
                    Fault::None | Fault::Silent => {}
                }
                passed += bytes.len();
                if client.write_all(bytes).await.is_err() || now == Fault::Truncate(passed) {
                    return;
                }
            }
        }
    }
}

fn read(kubeconfig: &std::path::Path) -> Value {
    let text = std::fs::read_to_string(kubeconfig).expect("read the kubeconfig");
    serde_json::from_str(&text).expect("the kubeconfigs of a stage are JSON")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
