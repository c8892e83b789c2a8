//! Set-up of the clients: where the API server is and who we are ([`config`]), the clients built from
//! that, and a first request that shows whether they work ([`Clients::probe`]).
//!
//! There are three clients, each with connections of its own, so that a burst of watches cannot hold
//! up a write, and writes cannot hold up the renewal of the lease. None of them repeats a request by
//! itself: a POST that is sent twice without our knowing is a twin. None has a read timeout; every
//! request but a watch runs under the time limit of [`call`].

pub mod call;
pub mod config;
mod error;

use std::time::Duration;

use http::{HeaderValue, Request, header};
use kube::client::ClientBuilder;
use kube::{Client, Config};
use serde::Deserialize;

use super::metrics::{HostMetrics, RequestMetrics};
use call::{CallError, call};
pub use config::{Environment, Flags, Source, own_namespace};
pub use error::ClientError;

/// What we call ourselves towards the API server.
pub const USER_AGENT: &str = concat!("endpointslice-controller/", env!("CARGO_PKG_VERSION"));

const PROBE_LIMIT: Duration = Duration::from_secs(10);

/// The clients.
#[derive(Clone)]
pub struct Clients {
    /// For lists and watches.
    pub watches: Client,
    /// For writes of slices and Events, and for live reads.
    pub writes: Client,
    /// For the lease.
    pub lease: Client,
    /// URL of the API server.
    pub server: String,
    /// Metrics of requests to it.
    pub metrics: HostMetrics,
}

/// What the API server says of itself.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct ServerVersion {
    /// `v1.36.3`.
    #[serde(rename = "gitVersion", default)]
    pub git_version: String,
    /// `1`.
    #[serde(default)]
    pub major: String,
    /// `36`, on some distributions with a `+` behind.
    #[serde(default)]
    pub minor: String,
}

impl Clients {
    /// Finds the configuration and builds the clients; connects nowhere yet (but runs the credential
    /// command of a kubeconfig that names one). To be called within a tokio runtime.
    ///
    /// # Errors
    /// When the configuration is missing or wrong; the error names what, and where it stands.
    pub async fn new(
        flags: &Flags,
        environment: &Environment,
        metrics: &RequestMetrics,
    ) -> Result<Clients, ClientError> {
        let source = config::choose(flags, environment)?;
        let config = config::load(&source, flags.master.as_deref()).await?;
        Clients::from_config(config, metrics)
    }

    /// The clients for this configuration.
    ///
    /// # Errors
    /// When certificates, keys or tokens that it names cannot be used.
    pub fn from_config(mut config: Config, metrics: &RequestMetrics) -> Result<Clients, ClientError> {
        // kube takes the process's provider; one that is installed already is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        config.default_retry = false;
        config.read_timeout = None;
        config.headers.push((header::USER_AGENT, HeaderValue::from_static(USER_AGENT)));
        let server = config.cluster_url.to_string();
        let host = config.cluster_url.authority().map_or("none", |authority| authority.as_str());
        let metrics = metrics.host(host);
        let build = |connect: Duration| -> Result<Client, ClientError> {
            let mut config = config.clone();
            config.connect_timeout = Some(connect);
            let builder = ClientBuilder::try_from(config).map_err(|e| ClientError::of_build(&server, e))?;
            Ok(builder.with_layer(&metrics).build())
        };
        Ok(Clients {
            watches: build(Duration::from_secs(10))?,
            writes: build(Duration::from_secs(5))?,
            lease: build(Duration::from_secs(3))?,
            server: server.trim_end_matches('/').to_owned(),
            metrics,
        })
    }

    /// Asks the API server for its version, once. Whether to try again is the caller's decision:
    /// [`ClientError::may_pass`] says whether that could help.
    ///
    /// # Errors
    /// One that names the server and what is wrong: not reachable, TLS, not authenticated, no
    /// Kubernetes API.
    pub async fn probe(&self) -> Result<ServerVersion, ClientError> {
        let server = self.server.clone();
        let request = Request::get("/version")
            .body(Vec::new())
            .map_err(|e| ClientError::Build { server: server.clone(), message: e.to_string() })?;
        let answer = match call(&self.writes, request, PROBE_LIMIT).await {
            Ok(answer) => answer,
            Err(CallError::TimedOut { limit }) => return Err(ClientError::Slow { server, limit }),
            Err(error) => return Err(ClientError::of_call(server, &error)),
        };
        match answer.code {
            200 => serde_json::from_slice(&answer.body)
                .map_err(|e| ClientError::NotKubernetes { server, message: e.to_string() }),
            401 => Err(ClientError::Unauthorized { server, message: answer.status().message }),
            403 => Err(ClientError::Forbidden { server, message: answer.status().message }),
            code => Err(ClientError::Answer { server, code, message: answer.status().message }),
        }
    }
}

#[cfg(test)]
mod tests;
