//! A cluster: one kube-apiserver on a prefix of etcd, its users and their kubeconfigs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::BoxFuture;
use http::Method;
use serde_json::{Value, json};

use super::super::api::Api;
use super::super::process::{Process, free_port, scratch};
use super::super::stage::{Stage, User};
use super::etcd::Etcd;
use super::programs::Programs;

const READY_WITHIN: Duration = Duration::from_secs(180);
/// User names; the controller is the service account of the manifests, so that its bindings apply as they are
/// (and not the one of kube-controller-manager's own loop, which has a built-in role).
const TOKENS: &str = "\
admin-token,admin,admin,system:masters
controller-token,system:serviceaccount:kube-system:endpointslice-controller-account,controller,\"system:serviceaccounts,system:serviceaccounts:kube-system\"
peer-token,system:serviceaccount:kube-system:endpointslice-peer,peer,\"system:serviceaccounts,system:serviceaccounts:kube-system\"
manager-token,system:kube-controller-manager,manager,
nobody-token,nobody,nobody,
";
/// The built-in roles of the two controllers in kube-controller-manager.
const PEER_ROLES: [&str; 2] =
    ["system:controller:endpointslice-controller", "system:controller:endpointslicemirroring-controller"];

/// A running API server. Its data stay in etcd while it is stopped.
pub struct Cluster {
    name: String,
    prefix: String,
    port: u16,
    folder: PathBuf,
    programs: Programs,
    etcd: Arc<Etcd>,
    server: Mutex<Option<Process>>,
    extra_flags: Vec<String>,
}

impl Cluster {
    /// Starts an API server on `etcd` under the prefix `/NAME`, and gives its users their roles.
    pub async fn start(name: &str, etcd: Arc<Etcd>, programs: &Programs, extra_flags: &[String]) -> Cluster {
        let folder = scratch().join(name);
        std::fs::create_dir_all(folder.join("certs")).expect("create the folder of the API server");
        let mut cluster = Cluster {
            name: name.to_string(),
            prefix: format!("/{name}"),
            port: free_port(),
            folder,
            programs: programs.clone(),
            etcd,
            server: Mutex::new(None),
            extra_flags: extra_flags.to_vec(),
        };
        cluster.write_files();
        for _ in 0..5 {
            if cluster.launch().await {
                cluster.grant().await;
                return cluster;
            }
            cluster.port = free_port();
        }
        panic!("the API server {name} did not start\n{}", cluster.tail());
    }

    /// The prefix of its keys in etcd, for instance `/one`.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    pub fn etcd(&self) -> &Etcd {
        &self.etcd
    }

    /// The folder of its keys, certificates and records.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn kubeconfig(&self, user: User) -> PathBuf {
        self.folder.join(format!("{}.kubeconfig", user.word()))
    }

    /// CPU and memory of the server, as [`Process`] tells them.
    pub fn cpu(&self) -> Duration {
        self.server().as_ref().map(Process::cpu).unwrap_or_default()
    }

    pub fn tail(&self) -> String {
        self.server().as_ref().map(|server| server.tail(40)).unwrap_or_default()
    }

    pub fn signal(&self, signal: &str) {
        if let Some(server) = self.server().as_ref() {
            server.signal(signal);
        }
    }

    pub fn stop(&self) {
        self.server().take();
    }

    /// Starts it again at the same address.
    pub async fn restart(&self) {
        self.stop();
        assert!(self.launch().await, "the API server {} did not start again\n{}", self.name, self.tail());
    }

    /// Goes on after a test that paused or stopped it.
    pub async fn ready_again(&self) {
        self.signal("CONT");
        let running = self.server().as_mut().is_some_and(|server| server.exited().is_none());
        if !running {
            self.restart().await;
        }
    }

    /// A client certificate of `system:masters` that this cluster would accept if it had not expired, and its key.
    pub fn expired_certificate(&self) -> (PathBuf, PathBuf) {
        (self.folder.join("expired.crt"), self.folder.join("expired.key"))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Another API server of the same cluster, with the same certificate, that reaches etcd by `etcd`.
    pub async fn second(&self, etcd: &str) -> Second {
        let port = free_port();
        let process = Process::start(&format!("apiserver-{}-second", self.name), self.command(port, etcd));
        let path = self.folder.join("second.kubeconfig");
        let config = kubeconfig(port, &self.folder.join("certs/apiserver.crt"), User::Admin);
        std::fs::write(&path, config.to_string()).expect("write the kubeconfig");
        let api = Api::from_kubeconfig(&path).await;
        super::super::wait::eventually("the second API server is ready", READY_WITHIN, || async {
            api.text("/readyz").await.map_err(|error| error.to_string())
        })
        .await;
        Second { address: SocketAddr::from(([127, 0, 0, 1], port)), api, process }
    }

    /// Removes what tests made: everything but the API server's own objects.
    pub async fn wipe(&self) {
        const KINDS: [&str; 15] = [
            "pods",
            "services/specs",
            "services/endpoints",
            "endpointslices",
            "minions",
            "leases",
            "events",
            "configmaps",
            "resourcequotas",
            "deployments",
            "replicasets",
            "validatingwebhookconfigurations",
            "validatingadmissionpolicies",
            "validatingadmissionpolicybindings",
            "clusterrolebindings/test-",
        ];
        for kind in KINDS {
            let slash = if kind.ends_with('-') { "" } else { "/" };
            self.etcd.delete_prefix(&format!("{}/{kind}{slash}", self.prefix)).await;
        }
        for (start, end) in [("", "default"), ("default0", "kube-"), ("kube.", "~")] {
            let key = |name: &str| format!("{}/namespaces/{name}", self.prefix);
            self.etcd.delete_range(&key(start), &key(end)).await;
        }
        let api = Api::from_kubeconfig(&self.kubeconfig(User::Admin)).await;
        for path in
            ["/api/v1/pods", "/api/v1/nodes", "/api/v1/endpoints", "/apis/discovery.k8s.io/v1/endpointslices"]
        {
            let left = api.list(path).await.expect("list what is left");
            assert!(left.is_empty(), "{path} of {} not empty after it was wiped", self.name);
        }
    }

    fn server(&self) -> MutexGuard<'_, Option<Process>> {
        self.server.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn write_files(&self) {
        let key = rcgen::KeyPair::generate().expect("make a key for service accounts");
        std::fs::write(self.folder.join("service-account.key"), key.serialize_pem()).expect("write the key");
        std::fs::write(self.folder.join("service-account.pub"), key.public_key_pem()).expect("write the key");
        std::fs::write(self.folder.join("tokens.csv"), TOKENS).expect("write the tokens");
        let (authority, certificate, key) = expired_client();
        for (file, text) in [("client-ca.crt", authority), ("expired.crt", certificate), ("expired.key", key)]
        {
            std::fs::write(self.folder.join(file), text).expect("write a certificate");
        }
    }

    fn write_kubeconfigs(&self) {
        for user in User::ALL {
            let config = kubeconfig(self.port, &self.folder.join("certs/apiserver.crt"), user);
            std::fs::write(self.kubeconfig(user), config.to_string()).expect("write the kubeconfig");
        }
    }

    /// Starts the server; true when it became ready, false when it exited.
    async fn launch(&self) -> bool {
        self.write_kubeconfigs();
        let process =
            Process::start(&format!("apiserver-{}", self.name), self.command(self.port, self.etcd.url()));
        *self.server() = Some(process);
        let certificate = self.folder.join("certs/apiserver.crt");
        let started = Instant::now();
        let mut api = None;
        loop {
            if api.is_none() && certificate.is_file() && certificate.with_extension("key").is_file() {
                api = Some(Api::from_kubeconfig(&self.kubeconfig(User::Admin)).await);
            }
            if let Some(api) = &api
                && api.text("/readyz").await.is_ok()
            {
                return true;
            }
            if self.server().as_mut().is_none_or(|server| server.exited().is_some()) {
                return false;
            }
            assert!(started.elapsed() < READY_WITHIN, "the API server is not ready\n{}", self.tail());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn command(&self, port: u16, etcd: &str) -> Command {
        let key = self.folder.join("service-account.key");
        let mut command = Command::new(self.programs.path("kube-apiserver"));
        command
            .arg(format!("--etcd-servers={etcd}"))
            .arg(format!("--etcd-prefix={}", self.prefix))
            .arg(format!("--secure-port={port}"))
            .arg(format!("--cert-dir={}", self.folder.join("certs").display()))
            .arg(format!("--token-auth-file={}", self.folder.join("tokens.csv").display()))
            .arg(format!("--client-ca-file={}", self.folder.join("client-ca.crt").display()))
            .arg(format!("--service-account-key-file={}", key.with_extension("pub").display()))
            .arg(format!("--service-account-signing-key-file={}", key.display()))
            .args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--authorization-mode=RBAC"])
            .args([
                "--service-account-issuer=https://kubernetes.default.svc",
                "--endpoint-reconciler-type=none",
            ])
            .args(["--service-cluster-ip-range=10.0.0.0/12,fd00:1::/108", "--profiling=false"])
            .args(["--disable-admission-plugins=ServiceAccount,TaintNodesByCondition,Priority"])
            .args(&self.extra_flags);
        command
    }

    /// Applies the shipped manifest, and binds the peer to its built-in roles.
    async fn grant(&self) {
        let api = Api::from_kubeconfig(&self.kubeconfig(User::Admin)).await;
        super::super::wait::eventually("the system namespaces exist", READY_WITHIN, || async {
            api.get("/api/v1/namespaces/kube-system").await.map_err(|error| error.to_string())
        })
        .await;
        apply_file(&api, "manifests/base/rbac.yaml").await;
        for (number, role) in PEER_ROLES.iter().enumerate() {
            apply(&api, &peer_binding(number, role)).await;
        }
    }
}

/// One more API server of a cluster, until it is dropped.
pub struct Second {
    pub address: SocketAddr,
    /// A connection to it as [`User::Admin`].
    pub api: Api,
    process: Process,
}

/// An authority for client certificates, and one of its certificates (with its key) that has expired.
fn expired_client() -> (String, String, String) {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "clients of the stage");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let signer = KeyPair::generate().expect("make a key");
    let authority_text = authority.self_signed(&signer).expect("sign a certificate").pem();
    let mut client = CertificateParams::default();
    client.distinguished_name.push(DnType::CommonName, "admin");
    client.distinguished_name.push(DnType::OrganizationName, "system:masters");
    client.extended_key_usages.push(rcgen::ExtendedKeyUsagePurpose::ClientAuth);
    (client.not_before, client.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    let key = KeyPair::generate().expect("make a key");
    let issuer = Issuer::new(authority, signer);
    let certificate = client.signed_by(&key, &issuer).expect("sign a certificate").pem();
    (authority_text, certificate, key.serialize_pem())
}

/// Applies a manifest of this repository (one or more documents; kinds of RBAC and service accounts).
pub async fn apply_file(api: &Api, path: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = std::fs::read_to_string(&path).expect("read the manifest");
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text).expect("a YAML manifest");
    for object in &objects {
        apply(api, object).await;
    }
}

async fn apply(api: &Api, object: &Value) {
    let name = object["metadata"]["name"].as_str().expect("a name");
    let namespace = object["metadata"]["namespace"].as_str();
    let group = object["apiVersion"].as_str().expect("an apiVersion");
    let plural = format!("{}s", object["kind"].as_str().expect("a kind").to_lowercase());
    let root = if group.contains('/') { "/apis" } else { "/api" };
    let collection = match namespace {
        Some(namespace) => format!("{root}/{group}/namespaces/{namespace}/{plural}"),
        None => format!("{root}/{group}/{plural}"),
    };
    let path = format!("{collection}/{name}?fieldManager=stage&force=true");
    api.send(Method::PATCH, &path, Some(object), "application/apply-patch+yaml")
        .await
        .expect("apply a manifest");
}

fn peer_binding(number: usize, role: &str) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": format!("endpointslice-peer-{number}")},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": "endpointslice-peer", "namespace": "kube-system"}],
    })
}

fn kubeconfig(port: u16, certificate: &Path, user: User) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "stage", "cluster": {
            "server": format!("https://127.0.0.1:{port}"),
            "certificate-authority": certificate.display().to_string(),
        }}],
        "users": [{"name": user.word(), "user": {"token": format!("{}-token", user.word())}}],
        "contexts": [{"name": "stage", "context": {"cluster": "stage", "user": user.word()}}],
        "current-context": "stage",
    })
}

/// One test's hold on a cluster.
pub struct RealStage {
    cluster: Arc<Cluster>,
    api: Api,
    /// Held as long as the cluster is lent; gives it back when dropped.
    _lent: Option<Box<dyn Send + Sync>>,
}

impl RealStage {
    pub async fn new(cluster: Arc<Cluster>, lent: Option<Box<dyn Send + Sync>>) -> RealStage {
        let api = Api::from_kubeconfig(&cluster.kubeconfig(User::Admin)).await;
        RealStage { cluster, api, _lent: lent }
    }

    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }
}

impl Drop for RealStage {
    fn drop(&mut self) {
        self.cluster.signal("CONT");
        if std::thread::panicking() {
            eprintln!("{}", self.cluster.tail());
        }
    }
}

impl Stage for RealStage {
    fn name(&self) -> String {
        format!("real/{}", self.cluster.name)
    }

    fn api(&self) -> &Api {
        &self.api
    }

    fn as_user(&self, user: User) -> BoxFuture<'_, Api> {
        async move { Api::from_kubeconfig(&self.cluster.kubeconfig(user)).await }.boxed()
    }

    fn kubeconfig(&self, user: User) -> PathBuf {
        self.cluster.kubeconfig(user)
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        async move { self.cluster.stop() }.boxed()
    }

    fn restart(&self) -> BoxFuture<'_, ()> {
        self.cluster.restart().boxed()
    }

    fn pause(&self) {
        self.cluster.signal("STOP");
    }

    fn resume(&self) {
        self.cluster.signal("CONT");
    }

    fn put_unchecked(&self, collection: &'static str, object: &Value) -> BoxFuture<'_, ()> {
        let place = if collection == "endpoints" { "services/endpoints" } else { collection };
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
        let key = format!("{}/{place}/{}/{}", self.cluster.prefix, text("namespace"), text("name"));
        let value = object.to_string();
        async move { self.cluster.etcd.put_all([(key, value)]).await }.boxed()
    }

    fn forget_history(&self) -> BoxFuture<'_, ()> {
        async move { self.cluster.etcd.compact().await }.boxed()
    }
}
