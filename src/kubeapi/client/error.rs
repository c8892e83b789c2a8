//! What can be wrong with the way to the API server: one error for each, with the thing, its value and
//! what was expected.

use std::path::PathBuf;
use std::time::Duration;

use kube::config::{KubeconfigError, LoadDataError};
use thiserror::Error;

use super::call::CallError;

/// Why the clients cannot be built, or the first request failed.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Neither flags nor the environment say where the API server is.
    #[error("no way to the API server is configured: --kubeconfig and --master are not set, {tried}")]
    NoConfig {
        /// What was looked for, and why it is not there.
        tried: String,
    },
    /// A kubeconfig cannot be read.
    #[error("kubeconfig {} (from {origin}) cannot be read: {message}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What named it.
        origin: &'static str,
        /// The operating system's words.
        message: String,
    },
    /// A kubeconfig is not one.
    #[error("kubeconfig {} is not valid: {message}", path.display())]
    Unparsable {
        /// The file, or several.
        path: PathBuf,
        /// What is wrong, with its place.
        message: String,
    },
    /// No context is chosen.
    #[error("kubeconfig {} has no current-context; expected the name of one of its contexts ({known})", path.display())]
    NoContext {
        /// The file, or several.
        path: PathBuf,
        /// The contexts that are there.
        known: String,
    },
    /// The context that is chosen is not there.
    #[error("kubeconfig {}: current-context {name:?} is not there; expected one of {known}", path.display())]
    UnknownContext {
        /// The file, or several.
        path: PathBuf,
        /// The context's name.
        name: String,
        /// The contexts that are there.
        known: String,
    },
    /// The cluster of the context is not there, or has no server.
    #[error("kubeconfig {}: cluster {name:?} of the current context {problem}", path.display())]
    Cluster {
        /// The file, or several.
        path: PathBuf,
        /// The cluster's name.
        name: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// An address of the API server cannot be understood.
    #[error("{origin}: server {value:?} is not a URL ({message}); expected https://host:port")]
    Server {
        /// The flag or file that gives it.
        origin: String,
        /// Its value.
        value: String,
        /// What is wrong.
        message: String,
    },
    /// A certificate, key or token that the configuration names cannot be used.
    #[error("{what} cannot be used: {message}")]
    Credential {
        /// Which: `the certificate authority of kubeconfig …`.
        what: String,
        /// What is wrong, with the path where it is a file.
        message: String,
    },
    /// The files of the service account cannot be used.
    #[error(
        "the service account of this Pod cannot be used: {message}; expected ca.crt, namespace and token in {directory}"
    )]
    ServiceAccount {
        /// Where they should be.
        directory: &'static str,
        /// What is wrong.
        message: String,
    },
    /// A client cannot be built for another reason.
    #[error("the client for {server} cannot be set up: {message}")]
    Build {
        /// URL of the API server.
        server: String,
        /// What is wrong.
        message: String,
    },
    /// No connection.
    #[error("the API server {server} cannot be reached: {message}")]
    Unreachable {
        /// Its URL.
        server: String,
        /// What the connection said.
        message: String,
    },
    /// No answer in time.
    #[error("the API server {server} did not answer within {} s", limit.as_secs())]
    Slow {
        /// Its URL.
        server: String,
        /// How long we waited.
        limit: Duration,
    },
    /// The connection is not trusted, by us or by the API server.
    #[error("TLS with the API server {server} failed: {message}")]
    Tls {
        /// Its URL.
        server: String,
        /// What is wrong with which certificate.
        message: String,
    },
    /// 401.
    #[error(
        "the API server {server} does not know who we are (401 {message}); expected a token or client \
         certificate that it accepts and that has not expired"
    )]
    Unauthorized {
        /// Its URL.
        server: String,
        /// What it said.
        message: String,
    },
    /// 403.
    #[error("the API server {server} forbids GET /version: {message}")]
    Forbidden {
        /// Its URL.
        server: String,
        /// What it said.
        message: String,
    },
    /// Another answer than was expected.
    #[error("the API server {server} answered {code} to GET /version: {message}; expected 200")]
    Answer {
        /// Its URL.
        server: String,
        /// HTTP status code.
        code: u16,
        /// What it said.
        message: String,
    },
    /// 200, but not from Kubernetes.
    #[error("{server} answers GET /version with what is not a Kubernetes version: {message}")]
    NotKubernetes {
        /// Its URL.
        server: String,
        /// What is wrong.
        message: String,
    },
}

impl ClientError {
    /// Whether trying the same again could end otherwise: the API server is starting, or the network is down.
    pub fn may_pass(&self) -> bool {
        match self {
            ClientError::Unreachable { .. } | ClientError::Slow { .. } => true,
            ClientError::Answer { code, .. } => *code == 429 || *code >= 500,
            _ => false,
        }
    }

    pub(super) fn of_call(server: String, error: &CallError) -> ClientError {
        match error {
            CallError::TimedOut { limit } => ClientError::Slow { server, limit: *limit },
            CallError::Tls { message } => ClientError::Tls { server, message: message.clone() },
            CallError::Credential { message } => ClientError::Credential {
                what: "the credential for the API server".into(),
                message: message.clone(),
            },
            CallError::NotSent { message } | CallError::Lost { message } => {
                ClientError::Unreachable { server, message: message.clone() }
            }
        }
    }

    pub(super) fn of_build(server: &str, error: kube::Error) -> ClientError {
        match error {
            kube::Error::InferKubeconfig(KubeconfigError::LoadClientCertificate(e)) => {
                credential("the client certificate", &e)
            }
            kube::Error::InferKubeconfig(KubeconfigError::LoadClientKey(e)) => {
                credential("the client key", &e)
            }
            kube::Error::RustlsTls(e) => ClientError::Credential {
                what: "the client certificate and key, or the certificate authority".into(),
                message: e.to_string(),
            },
            kube::Error::Auth(e) => ClientError::Credential {
                what: "the token or credential command".into(),
                message: e.to_string(),
            },
            other => ClientError::Build { server: server.to_owned(), message: other.to_string() },
        }
    }
}

pub(super) fn credential(what: &str, error: &LoadDataError) -> ClientError {
    let message = match error {
        LoadDataError::DecodeBase64(e) => format!("its data is not base64: {e}"),
        LoadDataError::ReadFile(e, path) => format!("{}: {e}", path.display()),
        LoadDataError::NoBase64DataOrFile => "it has neither data nor a file".to_owned(),
    };
    ClientError::Credential { what: what.to_owned(), message }
}
