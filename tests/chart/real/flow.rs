//! Priority and fairness: which priority level the API server gives to the requests of our account, read
//! from the headers of its answers.

use serde_json::json;

use super::kubectl::apply;
use super::{kubeconfig, token};
use crate::support::api::Api;
use crate::support::helm::Helm;
use crate::support::wait::SOON;
use crate::support::{Stage, eventually, real};

const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/apart/leases/endpointslice-controller";

/// The names of the FlowSchema and priority level that this GET fell under.
async fn fell_under(stage: &dyn Stage, account: &Api, path: &str) -> (String, String) {
    let headers = account.headers(path).await;
    let mut names = Vec::new();
    for (header, collection) in
        [("flowschema", "flowschemas"), ("prioritylevel", "prioritylevelconfigurations")]
    {
        let uid = headers[format!("x-kubernetes-pf-{header}-uid").as_str()].to_str().expect("text");
        let path = format!("/apis/flowcontrol.apiserver.k8s.io/v1/{collection}");
        let all = stage.api().list(&path).await.expect("list");
        let found = all.iter().find(|object| object["metadata"]["uid"] == uid).expect("one with this uid");
        names.push(found["metadata"]["name"].as_str().expect("a name").to_string());
    }
    (names.remove(0), names.remove(0))
}

#[tokio::test]
async fn requests_have_the_priority_of_the_in_tree_controllers_in_any_namespace() {
    let (Some(stage), Some(helm)) = (real::exclusive().await, Helm::new()) else { return };
    let apart = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "apart"}});
    stage.api().create("/api/v1/namespaces", &apart).await.expect("make a namespace");
    // Names of their own: what has no namespace stays when the cluster is lent again.
    let values = "{namespaceOverride: apart, fullnameOverride: test-flow";
    apply(
        &stage,
        &helm.text(&format!("{values}, flowSchemas: {{enabled: false}}}}")).expect("rendered"),
        &[],
    )
    .expect("applied");
    let token = token(&stage, "apart", "test-flow-account").await;
    let account = Api::from_kubeconfig(&kubeconfig(&stage, &token)).await;
    let slices = "/apis/discovery.k8s.io/v1/endpointslices";
    // Without: among ordinary workloads.
    for path in [slices, LEASE, "/version"] {
        let (schema, level) = fell_under(&stage, &account, path).await;
        assert_eq!((schema.as_str(), level.as_str()), ("service-accounts", "workload-low"), "{path}");
    }
    apply(&stage, &helm.text(&format!("{values}}}")).expect("rendered"), &[]).expect("applied");
    for (path, schema, level) in [
        (slices, "test-flow", "workload-high"),
        ("/api/v1/namespaces/apart/pods", "test-flow", "workload-high"),
        ("/version", "test-flow", "workload-high"),
        (LEASE, "test-flow-leader-election", "leader-election"),
        // Somebody else's Lease is no matter of leader election.
        ("/apis/coordination.k8s.io/v1/namespaces/default/leases/other", "test-flow", "workload-high"),
    ] {
        eventually(path, SOON, || async {
            let found = fell_under(&stage, &account, path).await;
            let wanted = (schema.to_string(), level.to_string());
            if found == wanted { Ok(()) } else { Err(format!("{found:?}, not {wanted:?}")) }
        })
        .await;
    }
    // Others are where they were.
    let other = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "other"}});
    stage.api().create("/api/v1/namespaces/apart/serviceaccounts", &other).await.expect("an account");
    let token = super::token(&stage, "apart", "other").await;
    let other = Api::from_kubeconfig(&kubeconfig(&stage, &token)).await;
    assert_eq!(fell_under(&stage, &other, slices).await.1, "workload-low");
}
