//! Services and running Pods in bulk, straight into the store.

use std::net::Ipv4Addr;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::cli::sandbox::config::Load;
use crate::sandbox::kinds::new_uid;
use crate::sandbox::verbs::now;
use crate::sandbox::{Key, Kind, Status, Store};

/// How the namespaces begin.
pub(super) const NAMESPACE: &str = "load-";
/// Services in one namespace.
const SERVICES_PER_NAMESPACE: usize = 100;
/// Pods stored as one step: others come between two of them.
const CHUNK: usize = 500;
/// The addresses of these Pods begin here (RFC 6598): apart from those that simulated Nodes give, and from
/// those of Services.
const FIRST_IP: u32 = u32::from_be_bytes([100, 64, 0, 1]);

/// Creates the namespaces and Services, and gives the keys of the Pods that [`pods`] will store.
///
/// # Errors
/// The first refusal.
pub fn services(store: &Store, load: &Load) -> Result<Vec<Key>, Status> {
    let mut keys = Vec::with_capacity(load.services * load.pods_per_service);
    for service in 0..load.services {
        let (namespace, name) = names(service);
        if service % SERVICES_PER_NAMESPACE == 0 {
            store.create(Kind::Namespace, "", json!({"metadata": {"name": namespace}}), false)?;
        }
        let body = json!({
            "metadata": {"name": name},
            "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
        });
        store.create(Kind::Service, &namespace, body, false)?;
        let pod = |pod| Key::new(&namespace, &format!("{name}-{pod:05}"));
        keys.extend((0..load.pods_per_service).map(pod));
    }
    Ok(keys)
}

/// Stores the Pods of these keys, running and ready, spread over the Nodes, [`CHUNK`] at a time; gives
/// way to others in between.
pub async fn pods(store: &Arc<Store>, load: &Load, keys: &[Key], nodes: &[String]) {
    for (chunk, keys) in keys.chunks(CHUNK).enumerate() {
        store.transact(|state| {
            for (at, key) in keys.iter().enumerate() {
                let number = chunk * CHUNK + at;
                let node = nodes.get(number % nodes.len().max(1)).map(String::as_str);
                state.put(Kind::Pod, pod(key, number, number / load.pods_per_service, node));
            }
        });
        tokio::task::yield_now().await;
    }
}

fn names(service: usize) -> (String, String) {
    (format!("{NAMESPACE}{:03}", service / SERVICES_PER_NAMESPACE), format!("load-{service:05}"))
}

/// A Pod as it stands in a cluster once it runs.
fn pod(key: &Key, number: usize, service: usize, node: Option<&str>) -> Value {
    let ip = Ipv4Addr::from_bits(FIRST_IP + number as u32).to_string();
    let time = now();
    let condition = |of: &str| json!({"type": of, "status": "True", "lastTransitionTime": time});
    let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map(condition);
    json!({
        "metadata": {
            "name": key.name, "namespace": key.namespace, "uid": new_uid(), "creationTimestamp": time,
            "generation": 1, "labels": {"app": names(service).1},
        },
        "spec": {
            "nodeName": node, "restartPolicy": "Always", "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler", "enableServiceLinks": true,
            "securityContext": {}, "preemptionPolicy": "PreemptLowerPriority", "priority": 0,
            "containers": [{
                "name": "server", "image": "registry.k8s.io/e2e-test-images/agnhost:2.53", "resources": {},
                "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
                "imagePullPolicy": "IfNotPresent", "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
            }],
        },
        "status": {
            "phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "startTime": time, "qosClass": "BestEffort",
            "conditions": conditions,
            "containerStatuses": [{
                "name": "server", "image": "registry.k8s.io/e2e-test-images/agnhost:2.53", "imageID": "",
                "ready": true, "started": true, "restartCount": 0, "lastState": {},
                "state": {"running": {"startedAt": time}},
            }],
        },
    })
}
