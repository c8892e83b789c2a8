//! The second stage: the sandbox in this process. Nobody is asked who they are there, so all users may do
//! everything, as [`User::Admin`] on the real stage.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use endpointslice_controller::sandbox::{Options, Sandbox};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::json;

use super::api::Api;
use super::process::scratch;
use super::stage::{Stage, User};

/// A sandbox that ends with it. It belongs to the runtime that made it.
pub struct SandboxStage {
    sandbox: Sandbox,
    api: Api,
    kubeconfig: PathBuf,
}

impl SandboxStage {
    /// An empty cluster without controllers, as the real stage is one.
    pub async fn start() -> SandboxStage {
        SandboxStage::start_with(Options { garbage_collection: false }).await
    }

    pub async fn start_with(options: Options) -> SandboxStage {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let sandbox = Sandbox::start_with(address, options).await.expect("start the sandbox");
        let kubeconfig =
            scratch().join(format!("sandbox-{}.kubeconfig", NEXT.fetch_add(1, Ordering::Relaxed)));
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "stage",
            "clusters": [{"name": "stage", "cluster": {"server": sandbox.url()}}],
            "users": [{"name": "stage", "user": {}}],
            "contexts": [{"name": "stage", "context": {"cluster": "stage", "user": "stage"}}],
        });
        std::fs::write(&kubeconfig, config.to_string()).expect("write the kubeconfig");
        let api = Api::from_kubeconfig(&kubeconfig).await;
        SandboxStage { sandbox, api, kubeconfig }
    }

    /// The sandbox itself, for its store and its faults.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl Stage for SandboxStage {
    fn name(&self) -> String {
        "sandbox".to_string()
    }

    fn api(&self) -> &Api {
        &self.api
    }

    fn as_user(&self, _user: User) -> BoxFuture<'_, Api> {
        async move { Api::from_kubeconfig(&self.kubeconfig).await }.boxed()
    }

    fn kubeconfig(&self, _user: User) -> PathBuf {
        self.kubeconfig.clone()
    }

    fn stop(&self) -> BoxFuture<'_, ()> {
        self.sandbox.stop().boxed()
    }

    fn restart(&self) -> BoxFuture<'_, ()> {
        async move { self.sandbox.restart().await.expect("start the sandbox again") }.boxed()
    }

    fn pause(&self) {
        self.sandbox.pause();
    }

    fn resume(&self) {
        self.sandbox.resume();
    }

    fn forget_history(&self) -> BoxFuture<'_, ()> {
        async move { self.sandbox.forget_history() }.boxed()
    }
}
