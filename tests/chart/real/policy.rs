//! The ValidatingAdmissionPolicy: our account writes slices of its own loops and no others, and all else
//! goes on as before.

use serde_json::{Value, json};

use super::job::{Duty, whole};
use super::kubectl::apply;
use super::{kubeconfig, token};
use crate::support::api::Api;
use crate::support::helm::Helm;
use crate::support::wait::SOON;
use crate::support::world::{MANAGED_BY, MIRRORING_LOOP, SELECTOR_LOOP};
use crate::support::{Stage, User, World, eventually, real};

const ACCOUNT: &str = "endpointslice-controller-account";

fn slice(name: &str, manager: Option<&str>) -> Value {
    let mut labels = json!({"kubernetes.io/service-name": "web"});
    if let Some(manager) = manager {
        labels[MANAGED_BY] = json!(manager);
    }
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": name, "labels": labels}, "endpoints": [],
    })
}

#[tokio::test]
async fn with_the_policy_our_account_writes_its_own_slices_alone_and_does_its_whole_job() {
    let (Some(stage), Some(helm)) = (real::exclusive().await, Helm::new()) else { return };
    let text = helm.text("validatingAdmissionPolicy: {enabled: true}").expect("rendered");
    apply(&stage, &text, &[]).expect("applied");
    let path = kubeconfig(&stage, &token(&stage, "kube-system", ACCOUNT).await);
    let ours = Api::from_kubeconfig(&path).await;
    let world = World::new(&stage, "policy").await;
    let slices = world.path("endpointslices");
    // In force after a moment.
    eventually("the policy is in force", SOON, || async {
        match ours.create(&format!("{slices}?dryRun=All"), &slice("first", Some("somebody"))).await {
            Err(refusal) if refusal.code == 403 => Ok(()),
            answer => Err(format!("{answer:?}")),
        }
    })
    .await;

    for (number, manager) in
        [Some("somebody"), Some("endpointslice-controller"), Some(""), None].into_iter().enumerate()
    {
        let refusal = ours.create(&slices, &slice("foreign", manager)).await.expect_err("a foreign slice");
        assert!(refusal.message.contains("only slices that its own loops manage"), "{refusal}");
        // Nobody else is judged.
        for user in [User::Admin, User::Peer] {
            let name = format!("of-{}-{number}", user.word());
            stage
                .as_user(user)
                .await
                .create(&slices, &slice(&name, manager))
                .await
                .expect("a slice of others");
        }
    }
    let foreign = format!("{slices}/of-peer-0");
    let mut taken = stage.api().get(&foreign).await.expect("there");
    let refusal = ours.delete(&foreign).await.expect_err("a delete of a foreign slice");
    assert!(refusal.message.contains("takes over and deletes only"), "{refusal}");
    taken["metadata"]["labels"][MANAGED_BY] = json!(SELECTOR_LOOP);
    let refusal = ours.update(&foreign, &taken).await.expect_err("a foreign slice taken over");
    assert_eq!(refusal.code, 403, "{refusal}");

    for manager in [SELECTOR_LOOP, MIRRORING_LOOP] {
        let path = format!("{slices}/own");
        let mut own = ours.create(&slices, &slice("own", Some(manager))).await.expect("a slice of ours");
        own["metadata"]["labels"]["more"] = json!("labels");
        let mut own = ours.update(&path, &own).await.expect("it is ours to change");
        own["metadata"]["labels"][MANAGED_BY] = json!("somebody");
        let refusal = ours.update(&path, &own).await.expect_err("ours given away");
        assert_eq!(refusal.code, 403, "{refusal}");
        ours.delete(&path).await.expect("it is ours to delete");
    }

    for duty in [Duty::Selector, Duty::Mirroring] {
        stage.cluster().etcd().delete_prefix(&format!("{}/leases/", stage.cluster().prefix())).await;
        whole(&stage, &path, duty).await.unwrap_or_else(|failure| panic!("{duty:?}: {failure}"));
    }
}
