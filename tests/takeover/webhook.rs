//! An admission webhook as a process of its own would be: HTTPS on an address of this machine that is
//! not loopback (the API server refuses loopback addresses in slices), and it allows everything.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// An address of this machine at which its own processes can be reached, and that is not loopback.
///
/// # Panics
/// When it has none: then there is no address that a slice may bear.
pub fn own_address() -> IpAddr {
    // Nothing is sent: the kernel only picks the address that would be the sender.
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a UDP socket");
    let picked = socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr());
    let address = picked.map(|address| address.ip()).expect("this machine has an address besides loopback");
    assert!(!address.is_loopback() && !address.is_unspecified(), "{address} cannot stand in a slice");
    address
}

/// Runs until it is dropped.
pub struct Webhook {
    address: SocketAddr,
    certificate: String,
    calls: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Webhook {
    /// Serves as the Service `service` of `namespace`.
    pub async fn start(service: &str, namespace: &str) -> Webhook {
        let name = format!("{service}.{namespace}.svc");
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed([name]).expect("a certificate");
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS versions")
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .expect("a certificate with its key");
        let listener = TcpListener::bind((own_address(), 0)).await.expect("bind a port");
        let address = listener.local_addr().expect("the bound address");
        let calls = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(config)), Arc::clone(&calls)));
        Webhook { address, certificate: cert.pem(), calls, task }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// For the `caBundle` of its configuration.
    pub fn bundle(&self) -> String {
        BASE64_STANDARD.encode(&self.certificate)
    }

    /// How often it was asked.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, calls: Arc<AtomicUsize>) {
    loop {
        let Ok((connection, _)) = listener.accept().await else { continue };
        let (tls, calls) = (tls.clone(), Arc::clone(&calls));
        tokio::spawn(async move {
            let Ok(connection) = tls.accept(connection).await else { return };
            let service = service_fn(|request| {
                calls.fetch_add(1, Ordering::SeqCst);
                allow(request)
            });
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(connection), service)
                .await;
        });
    }
}

async fn allow(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    let review: Value = serde_json::from_slice(&body).unwrap_or_default();
    let answer = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "response": {"uid": review["request"]["uid"], "allowed": true},
    });
    let response = Response::new(Full::new(Bytes::from(answer.to_string())));
    Ok(response)
}
