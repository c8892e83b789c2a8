use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use prometheus::{IntCounter, Registry};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::*;

const DEADLINE: Duration = Duration::from_secs(20);

/// A site that is being served on a port of its own.
struct Served {
    address: SocketAddr,
    end: Option<oneshot::Sender<()>>,
    running: JoinHandle<std::io::Result<()>>,
}

impl Served {
    fn start(site: Site, certificates: Option<Arc<Certificates>>) -> Served {
        let bound = bind("--metrics-bind-address", "127.0.0.1:0").unwrap().unwrap();
        let address = bound.address();
        let (end, ended) = oneshot::channel::<()>();
        let shutdown = async move {
            let _ = ended.await;
        };
        let running = tokio::spawn(serve(bound, Arc::new(site), certificates, shutdown));
        Served { address, end: Some(end), running }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn get(&self, path: &str) -> (u16, String) {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await
    }

    async fn get_as(&self, path: &str, authorization: &str) -> (u16, String) {
        let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\n");
        self.ask(&format!("{head}Connection: close\r\n\r\n")).await
    }

    async fn ask(&self, request: &str) -> (u16, String) {
        let (status, _, body) = talk(self.connect().await, request).await;
        (status, body)
    }

    async fn stop(mut self) {
        self.end.take().unwrap().send(()).unwrap();
        in_time(self.running).await.unwrap().unwrap();
    }
}

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.expect("an answer in time")
}

/// Sends a request, reads to the end: status, head, body.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, request: &str) -> (u16, String, String) {
    in_time(async {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A TLS peer that closes without notice is an error after the last byte.
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {answer:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_lowercase(), body.to_owned())
    })
    .await
}

fn site() -> Site {
    let registry = Registry::new();
    let syncs = IntCounter::new("endpoint_slice_controller_syncs", "Syncs").unwrap();
    syncs.inc();
    registry.register(Box::new(syncs)).unwrap();
    Site::new(registry)
}

#[tokio::test]
async fn metrics_are_served_as_text_and_counters_keep_their_names() {
    let served = Served::start(site(), None);
    let request = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let (status, head, body) = talk(served.connect().await, request).await;
    assert_eq!(status, 200);
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    assert!(body.contains("\nendpoint_slice_controller_syncs 1\n"), "{body}");
}

#[tokio::test]
async fn health_pages_read_like_those_of_kubernetes() {
    let synced = Arc::new(AtomicBool::new(false));
    let ready = Arc::clone(&synced);
    let site = site().live(Check::new("workers", || Ok(()))).ready(Check::new("caches", move || match ready
        .load(Ordering::Relaxed)
    {
        true => Ok(()),
        false => Err("pods are not synced".to_owned()),
    }));
    let served = Served::start(site, None);
    let ok = (200, "ok".to_owned());
    assert_eq!(served.get("/livez").await, ok);
    assert_eq!(served.get("/healthz").await, ok);
    let verbose = "[+]ping ok\n[+]workers ok\nlivez check passed\n".to_owned();
    assert_eq!(served.get("/livez?verbose").await, (200, verbose.clone()));
    assert_eq!(served.get("/livez/?verbose=1").await, (200, verbose));
    let failed = "[+]ping ok\n[-]caches failed: pods are not synced\nreadyz check failed\n".to_owned();
    assert_eq!(served.get("/readyz").await, (500, failed));
    let excluded = "[+]ping ok\n[+]caches excluded: ok\nreadyz check passed\n".to_owned();
    assert_eq!(served.get("/readyz?verbose&exclude=caches").await, (200, excluded));
    synced.store(true, Ordering::Relaxed);
    assert_eq!(served.get("/readyz").await, ok);
}

#[tokio::test]
async fn an_unknown_path_is_answered_with_what_there_is_and_only_get_and_head_are_served() {
    let served = Served::start(site(), None);
    let (status, body) = served.get("/debug/pprof").await;
    assert_eq!(status, 404);
    assert_eq!(body, "/debug/pprof is not served here; what is: /healthz /livez /metrics /readyz\n");
    assert_eq!(served.get("/").await.0, 404);
    let (status, head, _) = talk(
        served.connect().await,
        "POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
    )
    .await;
    assert_eq!(status, 405);
    assert!(head.contains("allow: get, head"), "{head}");
    let (status, head, body) =
        talk(served.connect().await, "HEAD /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert_eq!((status, body.as_str()), (200, ""));
    assert!(head.contains("content-length: 2"), "{head}");
}

#[tokio::test]
async fn a_slow_client_does_not_hold_up_others() {
    let served = Served::start(site(), None);
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut stream = served.connect().await;
        stream.write_all(b"GET /livez HTT").await.unwrap();
        slow.push(stream);
    }
    assert_eq!(served.get("/livez").await.0, 200);
    let (status, _, _) = talk(slow.pop().unwrap(), "P/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn connections_are_bounded_and_a_place_that_becomes_free_is_used() {
    let served = Served::start(site(), None);
    let mut open = Vec::new();
    for _ in 0..connection::CONNECTIONS {
        let mut stream = served.connect().await;
        stream.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut answer = [0; 15];
        in_time(stream.read_exact(&mut answer)).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        open.push(stream);
    }
    let mut waiting = served.connect().await;
    waiting.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut byte = [0];
    assert!(timeout(Duration::from_millis(200), waiting.read(&mut byte)).await.is_err(), "one too many");
    open.pop();
    assert_eq!(in_time(waiting.read(&mut byte)).await.unwrap(), 1);
}

#[tokio::test]
async fn the_end_closes_idle_connections_and_frees_the_port() {
    let served = Served::start(site(), None);
    let mut idle = served.connect().await;
    idle.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut some = [0; 15];
    in_time(idle.read_exact(&mut some)).await.unwrap();
    let address = served.address.to_string();
    let begun = tokio::time::Instant::now();
    served.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(4), "an idle connection held up the end");
    let mut rest = Vec::new();
    in_time(idle.read_to_end(&mut rest)).await.unwrap();
    bind("--metrics-bind-address", &address).unwrap().unwrap();
}

/// Knows two tokens.
struct Doorkeeper;

impl ScrapeAuth for Doorkeeper {
    fn allowed<'a>(
        &'a self,
        token: &'a str,
        path: &'a str,
        verb: &'a str,
    ) -> BoxFuture<'a, Result<Decision, String>> {
        assert_eq!((path, verb), ("/metrics", "get"));
        Box::pin(async move {
            match token {
                "prometheus" => Ok(Decision::Allowed),
                "tenant" => Ok(Decision::Denied),
                "outage" => Err("connection refused".to_owned()),
                _ => Ok(Decision::Unauthenticated),
            }
        })
    }
}

#[tokio::test]
async fn only_who_may_scrapes_and_health_pages_stay_open() {
    let served = Served::start(site().auth(Arc::new(Doorkeeper)), None);
    for (authorization, status) in [
        ("Bearer prometheus", 200),
        ("bearer prometheus", 200),
        ("Bearer tenant", 403),
        ("Bearer outage", 500),
        ("Bearer forged", 401),
        ("Bearer ", 401),
        ("Basic prometheus", 401),
        ("prometheus", 401),
    ] {
        let (answered, body) = served.get_as("/metrics", authorization).await;
        assert_eq!(answered, status, "{authorization}: {body}");
        assert_eq!(body.contains("endpoint_slice_controller_syncs"), status == 200);
    }
    let request = "GET /metrics/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let (status, head, _) = talk(served.connect().await, request).await;
    assert_eq!(status, 401);
    assert!(head.contains("www-authenticate: bearer"), "{head}");
    assert_eq!(served.get("/livez").await.0, 200);
    assert_eq!(served.get("/readyz").await.0, 200);
}

fn connector(root: CertificateDer<'static>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(root).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

async fn get_over_tls(served: &Served, root: CertificateDer<'static>) -> std::io::Result<(u16, String)> {
    let name = ServerName::try_from("localhost").unwrap();
    let stream = in_time(connector(root).connect(name, served.connect().await)).await?;
    let (status, _, body) =
        talk(stream, "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    Ok((status, body))
}

#[tokio::test]
async fn https_with_a_self_signed_certificate_works() {
    let certificates = Arc::new(Certificates::self_signed(&["localhost".to_owned()]).unwrap());
    let served = Served::start(site(), Some(Arc::clone(&certificates)));
    let answer = get_over_tls(&served, certificates.leaf().unwrap()).await.unwrap();
    assert_eq!(answer, (200, "ok".to_owned()));
    let other = Certificates::self_signed(&["localhost".to_owned()]).unwrap();
    assert!(get_over_tls(&served, other.leaf().unwrap()).await.is_err(), "each process has its own");
}

#[tokio::test]
async fn a_handshake_that_does_not_come_does_not_hold_up_others() {
    let certificates = Arc::new(Certificates::self_signed(&["localhost".to_owned()]).unwrap());
    let served = Served::start(site(), Some(Arc::clone(&certificates)));
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(served.connect().await);
    }
    let mut plain = served.connect().await;
    plain.write_all(b"GET /livez HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(get_over_tls(&served, certificates.leaf().unwrap()).await.unwrap().0, 200);
    served.stop().await;
}

/// Two PEM files in a directory of their own.
struct Pems(PathBuf);

impl Pems {
    fn new(test: &str) -> Pems {
        let directory = std::env::temp_dir().join(format!("endpointslice-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        Pems(directory)
    }

    fn certificate(&self) -> PathBuf {
        self.0.join("tls.crt")
    }

    fn key(&self) -> PathBuf {
        self.0.join("tls.key")
    }

    /// Writes a new pair and gives the certificate.
    fn renew(&self) -> CertificateDer<'static> {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(self.certificate(), made.cert.pem()).unwrap();
        std::fs::write(self.key(), made.signing_key.serialize_pem()).unwrap();
        made.cert.der().clone()
    }

    async fn read(&self) -> Result<Certificates, TlsError> {
        Certificates::from_files(&self.certificate(), &self.key()).await
    }
}

impl Drop for Pems {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn until_shown(certificates: &Certificates, expected: &CertificateDer<'static>) {
    in_time(async {
        while certificates.leaf().as_ref() != Some(expected) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_certificate_that_is_renewed_is_picked_up() {
    let pems = Pems::new("renewed");
    let first = pems.renew();
    let certificates = pems.read().await.unwrap().look_every(Duration::from_millis(5));
    let certificates = Arc::new(certificates);
    let served = Served::start(site(), Some(Arc::clone(&certificates)));
    assert_eq!(get_over_tls(&served, first.clone()).await.unwrap().0, 200);

    let second = pems.renew();
    until_shown(&certificates, &second).await;
    assert_eq!(get_over_tls(&served, second).await.unwrap().0, 200);
    assert!(get_over_tls(&served, first).await.is_err(), "the old one is no longer shown");
}

#[tokio::test]
async fn files_that_cannot_be_used_are_errors_that_name_them() {
    let pems = Pems::new("unusable");
    let named = |path: &Path| path.display().to_string();
    let error = pems.read().await.err().unwrap().to_string();
    assert!(error.starts_with(&format!("{}: cannot be read: ", named(&pems.certificate()))), "{error}");
    pems.renew();
    let certificate = std::fs::read(pems.certificate()).unwrap();
    pems.renew();
    std::fs::write(pems.certificate(), certificate).unwrap();
    let error = pems.read().await.err().unwrap().to_string();
    let both = format!("{} and {} cannot be used together: ", named(&pems.certificate()), named(&pems.key()));
    assert!(error.starts_with(&both), "{error}");
    std::fs::write(pems.key(), "no key").unwrap();
    let error = pems.read().await.err().unwrap().to_string();
    assert!(
        error.starts_with(&format!("{}: expected a private key in PEM: ", named(&pems.key()))),
        "{error}"
    );
    std::fs::write(pems.certificate(), "").unwrap();
    let error = pems.read().await.err().unwrap().to_string();
    let expected = format!("{}: expected certificates in PEM: there is none", named(&pems.certificate()));
    assert_eq!(error, expected);
}
