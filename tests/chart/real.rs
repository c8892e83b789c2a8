//! What is shipped, on a real API server.

mod applied;
mod flow;
mod installed;
mod job;
mod kubectl;
mod permissions;
mod policy;
mod variant;

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::helm::file;
use crate::support::{Stage, User};

/// A token of a service account, bound to it by the API server as those in Pods are.
async fn token(stage: &dyn Stage, namespace: &str, account: &str) -> String {
    let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
    let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
    let answer = stage.api().create(&path, &request).await.expect("a token of a service account");
    answer["status"]["token"].as_str().expect("a token").to_string()
}

/// A kubeconfig that shows this token.
fn kubeconfig(stage: &dyn Stage, token: &str) -> PathBuf {
    let text = std::fs::read_to_string(stage.kubeconfig(User::Controller)).expect("read a kubeconfig");
    let mut config: Value = serde_json::from_str(&text).expect("JSON");
    config["users"][0]["user"] = json!({"token": token});
    file("kubeconfig", &config.to_string())
}
