//! Every wrong configuration gives one clear error; the first request shows what else can be wrong.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prometheus::Registry;
use rcgen::{CertificateParams, KeyPair};
use tokio::net::TcpListener;

use super::call::Answer;
use super::*;

/// A directory that ends with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("client-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A kubeconfig with these lines for the cluster and the user, context `here`.
fn kubeconfig(cluster: &str, user: &str) -> String {
    let indent = |text: &str| text.lines().map(|line| format!("    {line}\n")).collect::<String>();
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: here\ncontexts:\n- name: here\n  context:\n    \
         cluster: c\n    user: u\n- name: there\n  context:\n    cluster: c\n    user: u\nclusters:\n- name: c\n  \
         cluster:\n{}users:\n- name: u\n  user:\n{}",
        indent(cluster),
        indent(user)
    )
}

fn metrics() -> RequestMetrics {
    RequestMetrics::new(&Registry::new()).unwrap()
}

async fn clients(path: &Path, master: Option<&str>) -> Result<Clients, ClientError> {
    let flags = Flags { kubeconfig: Some(path.to_owned()), master: master.map(str::to_owned) };
    Clients::new(&flags, &Environment::default(), &metrics()).await
}

async fn error_of(text: &str) -> String {
    let scratch = Scratch::new();
    let path = scratch.write("kubeconfig", text);
    let Err(error) = clients(&path, None).await else { panic!("accepted:\n{text}") };
    assert!(!error.may_pass());
    error.to_string().replace(&scratch.0.display().to_string(), "DIR")
}

#[test]
fn the_flag_wins_then_the_pod_then_the_environment_then_the_home_directory() {
    let scratch = Scratch::new();
    let (named, home) = (scratch.write("named", ""), scratch.write(".kube/config", ""));
    scratch.write("token", "t");
    let all = Environment {
        kubeconfig: Some(format!("{}:{}", scratch.0.join("missing").display(), named.display()).into()),
        home: Some(scratch.0.clone()),
        service: true,
        account: scratch.0.clone(),
    };
    let flags = Flags { kubeconfig: Some("flag".into()), master: None };
    let files = |path: &Path, origin| Source::Files { paths: vec![path.to_owned()], origin };
    assert_eq!(choose(&flags, &all), files(Path::new("flag"), "--kubeconfig"));
    let flags = Flags { kubeconfig: Some("".into()), master: Some(String::new()) };
    assert_eq!(choose(&flags, &all), Source::ServiceAccount);
    let no_pod = Environment { service: false, ..all.clone() };
    assert_eq!(choose(&flags, &no_pod), files(&named, "KUBECONFIG"));
    let no_token = Environment { account: "/nowhere".into(), ..all };
    assert_eq!(choose(&flags, &no_token), files(&named, "KUBECONFIG"));
    let only_home = Environment { kubeconfig: None, ..no_pod };
    assert_eq!(choose(&flags, &only_home), files(&home, "~/.kube/config"));
    let bare = Environment::default();
    let flags = Flags { master: Some("https://a".into()), ..flags };
    assert_eq!(choose(&flags, &bare), Source::Anonymous);
}

fn choose(flags: &Flags, environment: &Environment) -> Source {
    config::choose(flags, environment).unwrap()
}

#[test]
fn without_any_configuration_the_error_says_what_was_looked_for() {
    let environment = Environment {
        kubeconfig: Some("/nowhere/config".into()),
        home: None,
        service: true,
        account: "/nowhere".into(),
    };
    assert_eq!(
        config::choose(&Flags::default(), &environment).unwrap_err().to_string(),
        "no way to the API server is configured: --kubeconfig and --master are not set, this is a Pod but has no \
         token (/nowhere/token is missing), KUBECONFIG names /nowhere/config, which does not exist"
    );
}

#[tokio::test]
async fn a_kubeconfig_that_is_missing_is_named_with_what_named_it() {
    let error = clients(Path::new("/nowhere/config"), None).await.err().unwrap().to_string();
    assert!(
        error.starts_with("kubeconfig /nowhere/config (from --kubeconfig) cannot be read: No such"),
        "{error}"
    );
}

#[tokio::test]
async fn a_kubeconfig_that_cannot_be_parsed_is_named_and_shows_no_secret() {
    let text = kubeconfig("server: https://a", "token: s3cr3t\nnothing: [");
    let error = error_of(&text).await;
    assert!(error.starts_with("kubeconfig DIR/kubeconfig is not valid: "), "{error}");
    assert!(!error.contains("s3cr3t"), "{error}");
}

#[tokio::test]
async fn a_context_that_is_wrong_is_named_with_those_that_are_there() {
    let good = kubeconfig("server: https://a", "token: t");
    assert_eq!(
        error_of(&good.replace("current-context: here", "current-context: where")).await,
        r#"kubeconfig DIR/kubeconfig: current-context "where" is not there; expected one of here, there"#
    );
    assert_eq!(
        error_of(&good.replace("current-context: here\n", "")).await,
        "kubeconfig DIR/kubeconfig has no current-context; expected the name of one of its contexts (here, there)"
    );
    assert_eq!(
        error_of(
            &good.replace("cluster: c\n    user: u\n- name: there", "cluster: d\n    user: u\n- name: there")
        )
        .await,
        r#"kubeconfig DIR/kubeconfig: cluster "d" of the current context is not there"#
    );
    assert_eq!(
        error_of(&kubeconfig("insecure-skip-tls-verify: true", "token: t")).await,
        r#"kubeconfig DIR/kubeconfig: cluster "c" of the current context has no server"#
    );
}

#[tokio::test]
async fn a_server_that_is_no_url_is_named_with_its_origin() {
    assert_eq!(
        error_of(&kubeconfig("server: 10.0.0.1:6443", "token: t")).await,
        r#"kubeconfig DIR/kubeconfig, cluster "c": server "10.0.0.1:6443" is not a URL (it has no scheme); expected https://host:port"#
    );
    let scratch = Scratch::new();
    let path = scratch.write("kubeconfig", &kubeconfig("server: https://a", "token: t"));
    for (master, problem) in [("ftp://a", "its scheme is neither https nor http"), ("https://", "")] {
        let error = clients(&path, Some(master)).await.err().unwrap().to_string();
        assert!(error.starts_with(&format!("--master: server {master:?} is not a URL")), "{error}");
        assert!(error.contains(problem), "{error}");
    }
}

#[tokio::test]
async fn certificates_and_keys_that_cannot_be_used_are_named() {
    for (cluster, user, expected) in [
        (
            "server: https://a\ncertificate-authority: ca.crt",
            "token: t",
            "the certificate authority of kubeconfig DIR/kubeconfig cannot be used: DIR/ca.crt: No such file",
        ),
        (
            "server: https://a\ncertificate-authority-data: '%%'",
            "token: t",
            "the certificate authority of kubeconfig DIR/kubeconfig cannot be used: its data is not base64",
        ),
        (
            "server: https://a",
            "client-certificate: me.crt\nclient-key: me.key",
            "the client certificate cannot be used: DIR/me.crt: No such file",
        ),
        (
            "server: https://a",
            "client-certificate-data: aGk=\nclient-key-data: aGk=",
            "the client certificate",
        ),
        ("server: https://a", "tokenFile: /nowhere/token", "the token or credential command cannot be used:"),
    ] {
        let error = error_of(&kubeconfig(cluster, user)).await;
        assert!(error.starts_with(expected), "{error}\nexpected {expected}");
    }
}

#[tokio::test]
async fn master_overrides_the_server() {
    let scratch = Scratch::new();
    for cluster in ["server: https://a", "insecure-skip-tls-verify: true"] {
        let path = scratch.write("kubeconfig", &kubeconfig(cluster, "token: t"));
        let clients = clients(&path, Some("https://b:6443")).await.unwrap();
        assert_eq!(clients.server, "https://b:6443");
    }
    let flags = Flags { kubeconfig: None, master: Some("127.0.0.1:8080".into()) };
    let clients = Clients::new(&flags, &Environment::default(), &metrics()).await.unwrap();
    assert_eq!(clients.server, "http://127.0.0.1:8080", "without scheme it is http, as for client-go");
}

/// A server on loopback that answers every request the same way; over TLS with this certificate.
async fn serve(code: u16, body: &'static str, tls: Option<Arc<rustls::ServerConfig>>) -> (String, Arc<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let scheme = if tls.is_some() { "https" } else { "http" };
    let seen = Arc::new(Seen::default());
    let shared = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let seen = Arc::clone(&shared);
            let answer = hyper::service::service_fn(move |request: Request<Incoming>| {
                seen.requests.fetch_add(1, Ordering::SeqCst);
                let agent = request.headers().get(header::USER_AGENT).cloned();
                *seen.agent.lock() = agent.map(|agent| agent.to_str().unwrap().to_owned());
                let response = Response::builder().status(StatusCode::from_u16(code).unwrap());
                let response = response.header(header::RETRY_AFTER, "0").body(body.to_owned()).unwrap();
                async move { Ok::<_, Infallible>(response) }
            });
            let tls = tls.clone();
            shared.connections.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new()).http1_only();
                match tls {
                    None => drop(server.serve_connection(TokioIo::new(stream), answer).await),
                    Some(tls) => {
                        if let Ok(stream) = tokio_rustls::TlsAcceptor::from(tls).accept(stream).await {
                            drop(server.serve_connection(TokioIo::new(stream), answer).await);
                        }
                    }
                }
            });
        }
    });
    (format!("{scheme}://127.0.0.1:{port}"), seen)
}

#[derive(Default)]
struct Seen {
    requests: AtomicUsize,
    connections: AtomicUsize,
    agent: parking_lot::Mutex<Option<String>>,
}

async fn probe(server: &str, ca: Option<&str>) -> Result<ServerVersion, ClientError> {
    let scratch = Scratch::new();
    let authority = ca.map(|pem| scratch.write("ca.crt", pem)).map(|_| "\ncertificate-authority: ca.crt");
    let cluster = format!("server: {server}{}", authority.unwrap_or_default());
    let path = scratch.write("kubeconfig", &kubeconfig(&cluster, "token: t"));
    clients(&path, None).await?.probe().await
}

#[tokio::test]
async fn pitfall_9_the_first_request_says_who_we_are_and_learns_the_version() {
    let (server, seen) = serve(200, r#"{"major":"1","minor":"36","gitVersion":"v1.36.3"}"#, None).await;
    assert_eq!(probe(&server, None).await.unwrap().git_version, "v1.36.3");
    let agent = seen.agent.lock().clone().unwrap();
    assert_eq!(agent, format!("endpointslice-controller/{}", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn a_server_that_does_not_want_us_is_named() {
    let body = r#"{"kind":"Status","code":401,"reason":"Unauthorized","message":"Unauthorized"}"#;
    let (server, _) = serve(401, body, None).await;
    let error = probe(&server, None).await.unwrap_err();
    assert!(!error.may_pass());
    assert_eq!(
        error.to_string(),
        format!(
            "the API server {server} does not know who we are (401 Unauthorized); expected a token or client \
             certificate that it accepts and that has not expired"
        )
    );
    let (server, _) = serve(403, r#"{"message":"no","code":403}"#, None).await;
    assert!(matches!(probe(&server, None).await, Err(ClientError::Forbidden { .. })));
    let (server, _) = serve(200, "<html>", None).await;
    assert!(matches!(probe(&server, None).await, Err(ClientError::NotKubernetes { .. })));
}

#[tokio::test]
async fn pitfall_1_nothing_is_retried_behind_our_back() {
    let (server, seen) = serve(503, "starting", None).await;
    let error = probe(&server, None).await.unwrap_err();
    assert!(error.may_pass());
    let said = format!("the API server {server} answered 503 to GET /version: starting; expected 200");
    assert_eq!(error.to_string(), said);
    assert_eq!(seen.requests.load(Ordering::SeqCst), 1);
}

/// Clients of a server that answers so, and what each is for.
async fn of_server(code: u16) -> (Arc<Seen>, [(&'static str, Client); 3]) {
    let (server, seen) = serve(code, "{}", None).await;
    let path = Scratch::new();
    let path = path.write("kubeconfig", &kubeconfig(&format!("server: {server}"), "token: t"));
    let clients = clients(&path, None).await.unwrap();
    (seen, [("watches", clients.watches), ("writes", clients.writes), ("lease", clients.lease)])
}

async fn send(client: &Client, method: Method) -> Answer {
    let request = Request::builder().method(method).uri("/apis/x").body(b"{}".to_vec()).unwrap();
    call(client, request, Duration::from_secs(10)).await.unwrap()
}

/// kube repeats a POST that met 429, 503 or 504 by itself: the object may be there already.
#[tokio::test]
async fn pitfall_1_a_write_that_meets_429_503_or_504_is_sent_once() {
    for code in [429, 503, 504] {
        let (seen, clients) = of_server(code).await;
        for (number, (what, client)) in clients.iter().enumerate() {
            for (sent, method) in [Method::POST, Method::PUT, Method::DELETE].into_iter().enumerate() {
                assert_eq!(send(client, method).await.code, code);
                assert_eq!(seen.requests.load(Ordering::SeqCst), 3 * number + sent + 1, "{what} {code}");
            }
        }
    }
}

/// One client has one worker and one pool: a burst of writes must not hold up the lease.
#[tokio::test]
async fn pitfall_11_watches_writes_and_the_lease_have_connections_of_their_own() {
    let (seen, clients) = of_server(200).await;
    for _ in 0..3 {
        for (_, client) in &clients {
            send(client, Method::GET).await;
        }
    }
    assert_eq!(seen.connections.load(Ordering::SeqCst), 3, "each its own, and kept");
}

#[tokio::test]
async fn a_server_that_is_not_there_may_come() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let error = probe(&format!("http://127.0.0.1:{port}"), None).await.unwrap_err();
    assert!(error.may_pass());
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("the API server http://127.0.0.1:{port} cannot be reached: ")),
        "{text}"
    );
    assert!(text.contains("refused"), "{text}");
}

/// A certificate that is its own authority, for this name; expired or not.
fn certificate(name: &str, expired: bool) -> (String, Arc<rustls::ServerConfig>) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    if expired {
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    }
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let pem = certificate.pem();
    let key = rustls_pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    (pem, Arc::new(config))
}

#[tokio::test]
async fn tls_that_fails_says_which_certificate_and_why() {
    let body = r#"{"gitVersion":"v1.36.3"}"#;
    let (good, config) = certificate("127.0.0.1", false);
    let (server, _) = serve(200, body, Some(config)).await;
    assert!(probe(&server, Some(&good)).await.is_ok());

    let (other, _) = certificate("127.0.0.1", false);
    let (expired, expired_config) = certificate("127.0.0.1", true);
    let (expired_server, _) = serve(200, body, Some(expired_config)).await;
    let (elsewhere, elsewhere_config) = certificate("10.9.9.9", false);
    let (elsewhere_server, _) = serve(200, body, Some(elsewhere_config)).await;
    for (server, authority, words) in [
        (&server, &other, "not signed by the certificate authority that is configured"),
        (&expired_server, &expired, "the certificate of the API server has expired"),
        (&elsewhere_server, &elsewhere, "the certificate of the API server is for another name"),
    ] {
        let error = probe(server, Some(authority)).await.unwrap_err();
        assert!(matches!(error, ClientError::Tls { .. }), "{error:?}");
        assert!(!error.may_pass());
        let text = error.to_string();
        assert!(text.contains(server.as_str()) && text.contains(words), "{text}\nexpected {words}");
    }
}
