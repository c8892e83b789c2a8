//! Cold start: nobody has written slices yet, and everything that is needed to get there must not need
//! them. An admission webhook for Pods that fails closed, and whose own Service needs a slice to be
//! reached, is the knot that only a controller can untie that waits for no Pod, no Service and no DNS.
//!
//! The API server finds webhooks by slices itself here (`--enable-aggregator-routing`). By default it
//! calls the ClusterIP, and kube-proxy, which reads the same slices, is in between.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::manager::{BOTH_OFF, Manager};
use crate::scene::seconds;
use crate::support::pods::{pod, service};
use crate::support::process::scratch;
use crate::support::wait::SOON;
use crate::support::{Controller, Refusal, Stage, World, eventually, real};
use crate::webhook::Webhook;

const SERVICES: usize = 60;
const REPLICAS: u64 = 3;
const GUARD: &str = "guard";

/// Every creation of a Pod, in whatever namespace, needs the answer of the webhook.
fn fail_closed(world: &World, webhook: &Webhook) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": format!("{GUARD}-{}", world.namespace())},
        "webhooks": [{
            "name": "pods.guard.example.org", "failurePolicy": "Fail", "sideEffects": "None",
            "admissionReviewVersions": ["v1"], "timeoutSeconds": 5,
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}],
            "clientConfig": {"caBundle": webhook.bundle(),
                             "service": {"name": GUARD, "namespace": world.namespace(), "path": "/validate"}},
        }],
    })
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop"},
        "spec": {
            "replicas": REPLICAS, "selector": {"matchLabels": {"app": "shop"}},
            "template": {
                "metadata": {"labels": {"app": "shop"}},
                "spec": {"containers": [{"name": "main", "image": "example.org/shop:1"}]},
            },
        },
    })
}

async fn try_a_pod(world: &World, name: &str) -> Result<Value, Refusal> {
    let mut new = pod(name, "nobody", "10.9.0.1").0;
    new["status"] = json!({});
    world.api().create(&world.path("pods"), &new).await
}

#[tokio::test]
async fn a_cluster_without_slices_comes_up_by_itself_past_a_webhook_that_fails_closed() {
    let Some(stage) = real::audited().await else { return };
    let world = World::new(&stage, "cold").await;
    let webhook = Webhook::start(GUARD, world.namespace()).await;

    // What etcd holds when the nodes come up again: everything but slices.
    let addresses = world.pods("web", 5, 1).await;
    let guard = pod("guard-0", GUARD, &webhook.address().ip().to_string()).on(&world.node_name("node"));
    world.pod(guard).await;
    world.service(service(GUARD, GUARD).port("", 443, &webhook.address().port().to_string())).await;
    stream::iter(0..SERVICES)
        .for_each_concurrent(12, |number| {
            let new = service(&format!("web-{number}"), "web").port("http", 80, "8080");
            let world = &world;
            async move { drop(world.service(new).await) }
        })
        .await;
    let configurations = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
    world.api().create(configurations, &fail_closed(&world, &webhook)).await.expect("configure the webhook");
    let _manager = {
        let manager = Manager::launch(&stage, &[BOTH_OFF]);
        manager.leads().await;
        manager
    };
    let deployments = format!("/apis/apps/v1/namespaces/{}/deployments", world.namespace());
    world.api().create(&deployments, &deployment()).await.expect("make a Deployment");

    // Stuck, and nothing in the cluster gets it out of that.
    let complaint = eventually("Pods are refused", SOON, || async {
        match try_a_pod(&world, "asked").await {
            Err(refusal) => Ok(refusal.message),
            Ok(_) => Err("one was created before the API server knew of the webhook".to_string()),
        }
    })
    .await;
    println!("before: {complaint}");
    assert!(complaint.contains("failed calling webhook"), "{complaint}");
    assert!(complaint.contains(&format!("no endpoints available for service \"{GUARD}\"")), "{complaint}");
    eventually("the Deployment has run into it, too", SOON, || async {
        let shop = world.api().get(&format!("{deployments}/shop")).await.map_err(|e| e.to_string())?;
        let conditions = shop["status"]["conditions"].to_string();
        if conditions.contains("no endpoints available") { Ok(()) } else { Err(conditions) }
    })
    .await;
    assert_eq!((world.all_slices().await.len(), webhook.calls()), (0, 0));

    // Started by a kubelet from a file, it needs nobody's leave.
    let started = Instant::now();
    let controller = Controller::launch(&stage, &["--leader-elect=true"]);
    eventually("Pods can be created again", SOON, || async {
        try_a_pod(&world, "allowed").await.map(drop).map_err(|refusal| refusal.message)
    })
    .await;
    println!("Pods can be created {} after the start of the process", seconds(started.elapsed()));
    eventually("the Deployment comes up by itself", Duration::from_secs(60), || async {
        let shop = world.api().get(&format!("{deployments}/shop")).await.map_err(|e| e.to_string())?;
        let there = shop["status"]["replicas"].as_u64().unwrap_or(0);
        if there == REPLICAS { Ok(()) } else { Err(format!("{there} Pods\n{}", shop["status"])) }
    })
    .await;
    println!("the Deployment has its Pods {} after the start of the process", seconds(started.elapsed()));
    eventually("every Service has its slice", SOON, || async {
        let slices = world.all_slices().await.len();
        if slices == SERVICES + 1 { Ok(()) } else { Err(format!("{slices} slices")) }
    })
    .await;
    for number in [0, SERVICES - 1] {
        world.wait_addresses(&format!("web-{number}"), &addresses).await;
    }
    assert!(webhook.calls() > REPLICAS as usize, "{} calls", webhook.calls());
    let path = format!("{configurations}/{GUARD}-{}", world.namespace());
    world.api().delete(&path).await.expect("take the webhook away");
    drop(controller);
}

#[tokio::test]
async fn started_before_its_api_server_it_waits_and_then_does_its_work() {
    let Some(stage) = real::audited().await else { return };
    let world = World::new(&stage, "early").await;
    let addresses = world.pods("web", 3, 1).await;
    world.service(service("web", "web").port("http", 80, "8080")).await;
    stage.stop().await;

    let mut controller = Controller::launch(&stage, &["--leader-elect=true"]);
    eventually("it says what it waits for", SOON, || async {
        let log = controller.log();
        if log.contains("trying again") { Ok(()) } else { Err(log) }
    })
    .await;
    // Alive, so that no kubelet restarts it, and not ready, so that nobody counts on it.
    assert!(controller.http().text("/livez").await.is_ok());
    assert!(controller.http().text("/readyz").await.is_err());
    stage.restart().await;
    let back = Instant::now();
    controller.ready().await;
    world.wait_addresses("web", &addresses).await;
    println!("slices stand {} after the API server is there", seconds(back.elapsed()));
    assert!(controller.process_mut().exited().is_none(), "the same process all along");
}

/// A just started API server has not read its roles yet, and answers 403 to everything for a moment.
#[tokio::test]
async fn an_api_server_that_forbids_everything_is_waited_for_and_not_a_reason_to_exit() {
    let asked = Asked::default();
    let server = forbid_everything(asked.clone()).await;
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "stage",
        "clusters": [{"name": "stage", "cluster": {"server": format!("http://{server}")}}],
        "users": [{"name": "me", "user": {"token": "token"}}],
        "contexts": [{"name": "stage", "context": {"cluster": "stage", "user": "me"}}],
    });
    let file = scratch().join("forbidding.kubeconfig");
    std::fs::write(&file, config.to_string()).expect("write the kubeconfig");
    let mut controller = Controller::launch_with(&file, &[]);
    let times = |wanted: &str| {
        let asked = asked.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        asked.iter().filter(|path| path.starts_with(wanted)).count()
    };
    eventually("it asks again", SOON, || async {
        if times("/version") >= 3 { Ok(()) } else { Err(controller.log()) }
    })
    .await;
    // A cluster in which it may never read the version is as good.
    eventually("it goes on", SOON, || async {
        if times("/apis/discovery.k8s.io/v1/endpointslices") >= 2 { Ok(()) } else { Err(controller.log()) }
    })
    .await;
    assert!(controller.process_mut().exited().is_none(), "{}", controller.log());
    assert!(controller.http().text("/livez").await.is_ok());
    assert!(controller.http().text("/readyz").await.is_err());
}

/// The paths that were asked for.
type Asked = Arc<Mutex<Vec<String>>>;

async fn forbid_everything(asked: Asked) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind a port on loopback");
    let address = listener.local_addr().expect("the bound address");
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let asked = asked.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                asked
                    .lock()
                    .unwrap_or_else(|poisoned| poisoned.into_inner())
                    .push(request.uri().path().to_string());
                let status = json!({"kind": "Status", "apiVersion": "v1", "code": 403, "reason": "Forbidden", "message": "not yet"});
                let answer = Response::builder().status(403).body(Full::new(Bytes::from(status.to_string())));
                std::future::ready(answer)
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(connection), service),
            );
        }
    });
    address
}
