//! Where the API server is and who we are: `--kubeconfig`; else the service account of the Pod; else
//! the files of `KUBECONFIG`; else `~/.kube/config`. `--master` overrides the server of whichever it
//! is, and alone means an anonymous connection there.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use http::Uri;
use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};

use super::error::{ClientError, credential};

const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// The flags that decide where the API server is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--kubeconfig`; empty counts as not set.
    pub kubeconfig: Option<PathBuf>,
    /// `--master`; empty counts as not set.
    pub master: Option<String>,
}

/// What of the process's environment takes part in the decision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `KUBECONFIG`.
    pub kubeconfig: Option<OsString>,
    /// Home directory.
    pub home: Option<PathBuf>,
    /// Whether `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT` are set.
    pub service: bool,
    /// Directory of the service account.
    pub account: PathBuf,
}

impl Environment {
    /// That of this process.
    pub fn of_process() -> Environment {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        Environment {
            kubeconfig: std::env::var_os("KUBECONFIG"),
            home: std::env::home_dir(),
            service: set("KUBERNETES_SERVICE_HOST") && set("KUBERNETES_SERVICE_PORT"),
            account: PathBuf::from(ACCOUNT),
        }
    }
}

/// Where the configuration comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Kubeconfig files, merged; the first that says something wins.
    Files {
        /// The files, at least one.
        paths: Vec<PathBuf>,
        /// What named them.
        origin: &'static str,
    },
    /// The service account of the Pod.
    ServiceAccount,
    /// Nothing but the server of `--master`.
    Anonymous,
}

/// Decides where the configuration comes from.
///
/// # Errors
/// [`ClientError::NoConfig`].
pub fn choose(flags: &Flags, environment: &Environment) -> Result<Source, ClientError> {
    if let Some(path) = flags.kubeconfig.clone().filter(|path| !path.as_os_str().is_empty()) {
        return Ok(Source::Files { paths: vec![path], origin: "--kubeconfig" });
    }
    let token = environment.account.join("token");
    if environment.service && token.exists() {
        return Ok(Source::ServiceAccount);
    }
    let named: Vec<PathBuf> = environment
        .kubeconfig
        .iter()
        .flat_map(std::env::split_paths)
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    // As kubectl does, one of several may be missing.
    let paths: Vec<PathBuf> = named.iter().filter(|path| path.exists()).cloned().collect();
    if !paths.is_empty() {
        return Ok(Source::Files { paths, origin: "KUBECONFIG" });
    }
    let home = environment.home.as_deref().map(|home| home.join(".kube").join("config"));
    if named.is_empty()
        && let Some(path) = home.clone().filter(|path| path.exists())
    {
        return Ok(Source::Files { paths: vec![path], origin: "~/.kube/config" });
    }
    if flags.master.as_ref().is_some_and(|master| !master.is_empty()) {
        return Ok(Source::Anonymous);
    }
    let account = match environment.service {
        true => format!("this is a Pod but has no token ({} is missing)", token.display()),
        false => "this is no Pod (KUBERNETES_SERVICE_HOST and _PORT are not set)".to_owned(),
    };
    let files = match (named.first(), home) {
        (Some(path), _) => format!("KUBECONFIG names {}, which does not exist", path.display()),
        (None, Some(path)) => format!("KUBECONFIG is not set, and {} does not exist", path.display()),
        (None, None) => "KUBECONFIG is not set, and there is no home directory".to_owned(),
    };
    Err(ClientError::NoConfig { tried: format!("{account}, {files}") })
}

/// Loads the configuration from there, with the server of `--master` where it is set.
///
/// # Errors
/// When something is missing or wrong; the error names it and where it stands.
pub async fn load(source: &Source, master: Option<&str>) -> Result<Config, ClientError> {
    let master = master.filter(|master| !master.is_empty()).map(server_of_flag).transpose()?;
    let mut config = match (source, &master) {
        (Source::Files { paths, origin }, _) => from_files(paths, origin, master.as_ref()).await?,
        (Source::ServiceAccount, _) => Config::incluster()
            .map_err(|e| ClientError::ServiceAccount { directory: ACCOUNT, message: e.to_string() })?,
        (Source::Anonymous, Some(server)) => Config::new(server.clone()),
        (Source::Anonymous, None) => {
            return Err(ClientError::NoConfig { tried: "and nothing else was looked for".into() });
        }
    };
    if let Some(server) = master {
        config.cluster_url = server;
    }
    Ok(config)
}

/// `--master` as a URL; a bare `host:port` means http, as it does for client-go.
fn server_of_flag(value: &str) -> Result<Uri, ClientError> {
    let with_scheme = match value.contains("://") {
        true => value.to_owned(),
        false => format!("http://{value}"),
    };
    let wrong =
        |message: String| ClientError::Server { origin: "--master".into(), value: value.to_owned(), message };
    let uri: Uri = with_scheme.parse().map_err(|e: http::uri::InvalidUri| wrong(e.to_string()))?;
    check_server(&uri).map_err(|message| wrong(message.into()))?;
    Ok(uri)
}

fn check_server(uri: &Uri) -> Result<(), &'static str> {
    match (uri.scheme_str(), uri.host()) {
        (Some("https" | "http"), Some(host)) if !host.is_empty() => Ok(()),
        (Some("https" | "http"), _) => Err("it has no host"),
        (Some(_), _) => Err("its scheme is neither https nor http"),
        (None, _) => Err("it has no scheme"),
    }
}

async fn from_files(
    paths: &[PathBuf],
    origin: &'static str,
    master: Option<&Uri>,
) -> Result<Config, ClientError> {
    let path = shown(paths);
    let mut kubeconfig = Kubeconfig::default();
    for file in paths {
        let read = Kubeconfig::read_from(file).map_err(|e| unread(file, origin, &e))?;
        kubeconfig = kubeconfig.merge(read).map_err(|e| unread(file, origin, &e))?;
    }
    if let Some(server) = master {
        set_server(&mut kubeconfig, server);
    }
    check(&kubeconfig, &path)?;
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.map_err(|e| match e {
        KubeconfigError::LoadCertificateAuthority(e) => {
            credential(&format!("the certificate authority of kubeconfig {}", path.display()), &e)
        }
        KubeconfigError::ParseCertificates(e) => ClientError::Credential {
            what: format!("the certificate authority of kubeconfig {}", path.display()),
            message: format!("it is not PEM: {e}"),
        },
        other => ClientError::Unparsable { path: path.clone(), message: other.to_string() },
    })
}

/// Gives the cluster of the current context this server, so that one without a server will do too.
fn set_server(kubeconfig: &mut Kubeconfig, server: &Uri) {
    let name = chosen(kubeconfig).and_then(|name| context_of(kubeconfig, name)).map(|c| c.cluster.clone());
    let clusters = kubeconfig.clusters.iter_mut().filter(|c| Some(&c.name) == name.as_ref());
    for cluster in clusters {
        cluster.cluster.get_or_insert_default().server = Some(server.to_string());
    }
}

fn chosen(kubeconfig: &Kubeconfig) -> Option<&str> {
    kubeconfig.current_context.as_deref().filter(|name| !name.is_empty())
}

fn context_of<'a>(kubeconfig: &'a Kubeconfig, name: &str) -> Option<&'a kube::config::Context> {
    kubeconfig.contexts.iter().find(|c| c.name == name)?.context.as_ref()
}

fn check(kubeconfig: &Kubeconfig, path: &Path) -> Result<(), ClientError> {
    let known = || {
        let names: Vec<&str> = kubeconfig.contexts.iter().map(|c| c.name.as_str()).collect();
        if names.is_empty() { "it has none".to_owned() } else { names.join(", ") }
    };
    let path = path.to_owned();
    let Some(name) = chosen(kubeconfig) else {
        return Err(ClientError::NoContext { path, known: known() });
    };
    let Some(context) = context_of(kubeconfig, name) else {
        return Err(ClientError::UnknownContext { path, name: name.to_owned(), known: known() });
    };
    let name = context.cluster.clone();
    let cluster = kubeconfig.clusters.iter().find(|c| c.name == name).and_then(|c| c.cluster.as_ref());
    let Some(cluster) = cluster else {
        return Err(ClientError::Cluster { path, name, problem: "is not there" });
    };
    let Some(server) = cluster.server.as_deref().filter(|server| !server.is_empty()) else {
        return Err(ClientError::Cluster { path, name, problem: "has no server" });
    };
    let wrong = |message: String| ClientError::Server {
        origin: format!("kubeconfig {}, cluster {name:?}", path.display()),
        value: server.to_owned(),
        message,
    };
    let uri: Uri = server.parse().map_err(|e: http::uri::InvalidUri| wrong(e.to_string()))?;
    check_server(&uri).map_err(|message| wrong(message.into()))
}

fn unread(path: &Path, origin: &'static str, error: &KubeconfigError) -> ClientError {
    match error {
        KubeconfigError::ReadConfig(e, path) => {
            ClientError::Unreadable { path: path.clone(), origin, message: e.to_string() }
        }
        // A parser may quote the lines around its error, and these may hold a token: the first says enough.
        other => ClientError::Unparsable {
            path: path.to_owned(),
            message: other.to_string().lines().next().unwrap_or_default().to_owned(),
        },
    }
}

fn shown(paths: &[PathBuf]) -> PathBuf {
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    PathBuf::from(paths.join(", "))
}

/// The namespace of the Pod that this process runs in; `None` outside of one.
pub fn own_namespace() -> Option<String> {
    let text = std::fs::read_to_string(Path::new(ACCOUNT).join("namespace")).ok()?;
    Some(text.trim().to_owned()).filter(|namespace| !namespace.is_empty())
}
