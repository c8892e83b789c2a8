//! A store with a simulation, and words to say what is expected of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use endpointslice_controller::sandbox::simulate::{Options, Simulation};
use endpointslice_controller::sandbox::store::{Change, Object};
use endpointslice_controller::sandbox::verbs::DeleteOptions;
use endpointslice_controller::sandbox::{Key, Kind, Store};
use serde_json::{Value, json};

/// How much simulated time a condition may take.
const SOON: Duration = Duration::from_secs(120);

pub struct Stage {
    pub store: Arc<Store>,
    pub simulation: Simulation,
}

pub fn key(name: &str) -> Key {
    Key::new("default", name)
}

/// The store of a cluster in which nothing was done yet.
pub fn store() -> Arc<Store> {
    let store = Arc::new(Store::new());
    store.create(Kind::Namespace, "", json!({"metadata": {"name": "default"}}), false).expect("a namespace");
    store
}

impl Stage {
    /// Starts with these options, and waits until the Nodes are there.
    pub async fn start(options: Options) -> Stage {
        let nodes = options.nodes as usize;
        let store = store();
        let stage = Stage { simulation: Simulation::start(Arc::clone(&store), options), store };
        stage.until("the Nodes report", |stage| stage.reporting() == nodes).await;
        stage
    }

    fn reporting(&self) -> usize {
        let ready = |node: &Value| condition(node, "Ready").is_some();
        self.all(Kind::Node).iter().filter(|node| ready(node)).count()
    }

    /// Three Nodes in three zones.
    pub async fn usual() -> Stage {
        Stage::start(Options::default()).await
    }

    /// Lets time pass until it holds.
    pub async fn until(&self, what: &str, holds: impl Fn(&Stage) -> bool) {
        let started = tokio::time::Instant::now();
        while !holds(self) {
            assert!(started.elapsed() < SOON, "{what}: not within {SOON:?} of simulated time");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Lets this much time pass, to see that nothing happens.
    pub async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    pub fn all(&self, kind: Kind) -> Vec<Value> {
        self.store.list(kind, None).1.iter().map(|object| object.value()).collect()
    }

    pub fn get(&self, kind: Kind, name: &str) -> Option<Value> {
        let key = if kind.info().namespaced { key(name) } else { Key::new("", name) };
        self.store.get(kind, &key).map(|object| object.value())
    }

    pub fn pod(&self, name: &str) -> Value {
        self.get(Kind::Pod, name).expect("the Pod stands")
    }

    pub fn deployment(&self, name: &str) -> Value {
        self.get(Kind::Deployment, name).expect("the Deployment stands")
    }

    pub fn create(&self, kind: Kind, value: Value) -> Arc<Object> {
        let namespace = if kind.info().namespaced { "default" } else { "" };
        self.store.create(kind, namespace, value, false).expect("created")
    }

    pub fn change(&self, kind: Kind, name: &str, change: impl FnOnce(&mut Value)) -> Arc<Object> {
        self.change_part(kind, name, None, change)
    }

    pub fn change_part(
        &self,
        kind: Kind,
        name: &str,
        part: Option<&str>,
        change: impl FnOnce(&mut Value),
    ) -> Arc<Object> {
        let key = if kind.info().namespaced { key(name) } else { Key::new("", name) };
        let changed = self.store.modify(kind, &key, part, |value| {
            change(value);
            Ok(())
        });
        changed.expect("changed")
    }

    pub fn delete(&self, kind: Kind, name: &str, grace: i64) {
        let key = if kind.info().namespaced { key(name) } else { Key::new("", name) };
        let options = DeleteOptions { grace: Some(grace), ..DeleteOptions::default() };
        self.store.delete(kind, &key, &options).expect("deleted");
    }

    /// Pods that are neither over nor ending.
    pub fn active(&self) -> Vec<Value> {
        let pods = self.all(Kind::Pod).into_iter();
        pods.filter(|pod| {
            pod["metadata"]["deletionTimestamp"].is_null()
                && !["Succeeded", "Failed"].iter().any(|phase| pod["status"]["phase"] == *phase)
        })
        .collect()
    }

    pub fn ready(&self) -> usize {
        self.active().iter().filter(|pod| is_ready(pod)).count()
    }

    /// Waits until this many Pods are ready, and no others there.
    pub async fn ready_are(&self, wanted: usize) {
        let what = format!("{wanted} Pods ready");
        self.until(&what, |stage| stage.store.count(Kind::Pod) == wanted && stage.ready() == wanted).await;
    }

    /// Waits until `kubectl rollout status` would say that all is done.
    pub async fn rolled_out(&self, name: &str) {
        self.until("rolled out", |stage| rollout_status(&stage.deployment(name)).0).await;
    }

    /// All changes of a kind since the beginning.
    pub fn history(&self, kind: Kind) -> Vec<Change> {
        self.store.changes(kind, 0, usize::MAX).expect("all is remembered")
    }

    /// The Events about an object: reason and message.
    pub fn events(&self, name: &str) -> BTreeSet<(String, String)> {
        let events = self.all(Kind::Event).into_iter();
        events
            .filter(|event| event["involvedObject"]["name"] == name)
            .map(|event| (text(&event["reason"]), text(&event["message"])))
            .collect()
    }
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub fn condition<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == name)
}

pub fn is_ready(pod: &Value) -> bool {
    condition(pod, "Ready").is_some_and(|ready| ready["status"] == "True")
}

/// A Pod with one container.
pub fn pod(name: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut pod = json!({"metadata": {"name": name, "labels": {"app": name}}, "spec": spec()});
    change(&mut pod);
    pod
}

pub fn spec() -> Value {
    json!({
        "containers": [{"name": "web", "image": "nginx"}],
        "terminationGracePeriodSeconds": 30,
    })
}

pub fn deployment(name: &str, replicas: usize, change: impl FnOnce(&mut Value)) -> Value {
    let mut deployment = json!({
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
            },
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
            "template": {"metadata": {"labels": {"app": name}}, "spec": spec()},
        },
    });
    change(&mut deployment);
    deployment
}

pub fn replicaset(name: &str, replicas: usize) -> Value {
    json!({
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": spec()},
        },
    })
}

pub fn restart(deployment: &mut Value, time: &str) {
    deployment["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"] =
        time.into();
}

/// What `kubectl rollout status` says, and whether it is done (kubectl's DeploymentStatusViewer).
pub fn rollout_status(deployment: &Value) -> (bool, String) {
    let name = text(&deployment["metadata"]["name"]);
    let status = |field: &str| deployment["status"][field].as_i64().unwrap_or(0);
    let generation = deployment["metadata"]["generation"].as_i64().unwrap_or(0);
    if generation > status("observedGeneration") {
        return (false, "Waiting for deployment spec update to be observed...\n".to_owned());
    }
    let progressing = condition(deployment, "Progressing");
    if progressing.is_some_and(|condition| condition["reason"] == "ProgressDeadlineExceeded") {
        return (false, format!("deployment \"{name}\" exceeded its progress deadline"));
    }
    let wanted = deployment["spec"]["replicas"].as_i64().unwrap_or(1);
    let waiting = format!("Waiting for deployment \"{name}\" rollout to finish:");
    let (updated, total, available) =
        (status("updatedReplicas"), status("replicas"), status("availableReplicas"));
    if updated < wanted {
        return (false, format!("{waiting} {updated} out of {wanted} new replicas have been updated...\n"));
    }
    if total > updated {
        return (false, format!("{waiting} {} old replicas are pending termination...\n", total - updated));
    }
    if available < updated {
        return (false, format!("{waiting} {available} of {updated} updated replicas are available...\n"));
    }
    (true, format!("deployment \"{name}\" successfully rolled out\n"))
}
