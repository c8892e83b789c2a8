//! Large clusters in seconds: Namespaces, Nodes, Services and Pods as the API server stores them,
//! put straight into etcd before the API server starts. The same seed gives the same cluster, uids
//! included, so that two programs can be measured on one state.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use super::real::Etcd;

/// How large the cluster is to be.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub namespaces: usize,
    pub nodes: usize,
    pub services: usize,
    pub pods: usize,
    pub seed: u64,
}

/// A Pod of the bulk, and the Service that selects it.
#[derive(Debug, Clone)]
pub struct BulkPod {
    pub namespace: String,
    pub name: String,
    pub service: String,
    pub address: String,
}

/// What was made. Every Pod is ready, and selected by exactly one Service.
#[derive(Debug, Clone)]
pub struct Bulk {
    pub size: Size,
    pub services: Vec<(String, String)>,
    pub pods: Vec<BulkPod>,
}

/// A tenth of all Pods belongs to this many large Services, so that there are Services with several slices.
const LARGE_SERVICES: usize = 5;
const ZONES: [&str; 3] = ["zone-a", "zone-b", "zone-c"];
const CREATED: &str = "2026-01-01T00:00:00Z";

impl Bulk {
    /// Decides what the cluster holds; nothing is written yet.
    pub fn plan(size: Size) -> Bulk {
        let services: Vec<(String, String)> = (0..size.services)
            .map(|number| (format!("team-{:03}", number % size.namespaces), format!("service-{number:05}")))
            .collect();
        let large = LARGE_SERVICES.min(size.services);
        let in_large = if size.services > LARGE_SERVICES { size.pods / 10 } else { size.pods };
        let pods = (0..size.pods).map(|number| {
            let service = match number < in_large {
                true => number % large,
                false => large + (number - in_large) % (size.services - large),
            };
            let (namespace, service) = services[service].clone();
            let address = format!("10.{}.{}.{}", 128 + (number >> 16), (number >> 8) & 255, number & 255);
            BulkPod { namespace, name: format!("{service}-{number:06}"), service, address }
        });
        Bulk { size, pods: pods.collect(), services: services.clone() }
    }

    /// Puts everything under `prefix` (`/NAME`) of etcd. The API server of that prefix must not run yet.
    pub async fn load(&self, etcd: &Etcd, prefix: &str) {
        let mut random = StdRng::seed_from_u64(self.size.seed);
        let mut uid = move || uid(&mut random);
        let namespaces: Vec<_> = (0..self.size.namespaces)
            .map(|number| {
                (format!("{prefix}/namespaces/team-{number:03}"), namespace(number, &uid()).to_string())
            })
            .collect();
        etcd.put_all(namespaces).await;
        let nodes: Vec<_> = (0..self.size.nodes)
            .map(|number| (format!("{prefix}/minions/node-{number:05}"), node(number, &uid()).to_string()))
            .collect();
        etcd.put_all(nodes).await;
        let mut services = Vec::with_capacity(self.services.len() * 2);
        for (number, (namespace, name)) in self.services.iter().enumerate() {
            let ip = format!("10.{}.{}.{}", 1 + (number >> 16), (number >> 8) & 255, number & 255);
            let key = format!("{prefix}/services/specs/{namespace}/{name}");
            services.push((key, service(namespace, name, &ip, &uid()).to_string()));
            services.push((
                format!("{prefix}/ipaddresses/{ip}"),
                ip_address(namespace, name, &ip, &uid()).to_string(),
            ));
        }
        etcd.put_all(services).await;
        let nodes = self.size.nodes.max(1);
        let pods = self.pods.iter().enumerate().map(|(number, description)| {
            let key = format!("{prefix}/pods/{}/{}", description.namespace, description.name);
            (key, pod(description, number % nodes, &uid()).to_string())
        });
        etcd.put_all(pods).await;
    }
}

fn uid(random: &mut StdRng) -> String {
    let number: u128 = random.random();
    let hex = format!("{number:032x}");
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

fn namespace(number: usize, uid: &str) -> Value {
    let name = format!("team-{number:03}");
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "uid": uid, "creationTimestamp": CREATED,
                     "labels": {"kubernetes.io/metadata.name": name}},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    })
}

fn node(number: usize, uid: &str) -> Value {
    let name = format!("node-{number:05}");
    let images: Vec<Value> = (0..20)
        .map(|image| {
            json!({"names": [format!("registry.example.org/platform/component-{image}:v1.{image}.0")],
                   "sizeBytes": 50_000_000 + image})
        })
        .collect();
    let resources = json!({"cpu": "16", "memory": "64Gi", "pods": "250", "ephemeral-storage": "200Gi"});
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "uid": uid, "creationTimestamp": CREATED, "labels": {
            "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
            "topology.kubernetes.io/zone": ZONES[number % ZONES.len()],
            "topology.kubernetes.io/region": "region-1",
            "node.kubernetes.io/instance-type": "standard-16"}},
        "spec": {"providerID": format!("example:///{uid}")},
        "status": {"capacity": resources, "allocatable": resources, "images": images, "conditions": [
            condition("MemoryPressure", "False"), condition("DiskPressure", "False"),
            condition("PIDPressure", "False"), condition("Ready", "True")]},
    })
}

fn service(namespace: &str, name: &str, ip: &str, uid: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": namespace, "uid": uid, "creationTimestamp": CREATED,
                     "labels": {"app": name, "team": namespace, "app.kubernetes.io/part-of": "platform"}},
        "spec": {
            "type": "ClusterIP", "clusterIP": ip, "clusterIPs": [ip], "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack", "internalTrafficPolicy": "Cluster", "sessionAffinity": "None",
            "selector": {"app": name},
            "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"},
                      {"name": "metrics", "port": 9090, "targetPort": 9090, "protocol": "TCP"}]},
        "status": {"loadBalancer": {}},
    })
}

/// What the API server keeps for each cluster IP; it would make it itself, with thousands of writes.
fn ip_address(namespace: &str, service: &str, ip: &str, uid: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "IPAddress",
        "metadata": {"name": ip, "uid": uid, "creationTimestamp": CREATED, "labels": {
            "ipaddress.kubernetes.io/ip-family": "IPv4",
            "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io"}},
        "spec": {"parentRef": {"group": "", "resource": "services", "namespace": namespace, "name": service}},
    })
}

fn condition(kind: &str, status: &str) -> Value {
    json!({"type": kind, "status": status, "lastTransitionTime": CREATED, "lastHeartbeatTime": null,
           "reason": format!("{kind}Known"), "message": format!("the kubelet says {status} for {kind}")})
}

/// A Pod of between five and six KB, as a Deployment with a service account and probes leaves it.
pub fn pod(description: &BulkPod, node: usize, uid: &str) -> Value {
    let BulkPod { namespace, name, service, address } = description;
    let owner = format!("{service}-5d8f7c9b64");
    let claims =
        |path: &str| json!({"name": path, "mountPath": format!("/var/run/{path}"), "readOnly": true});
    let variables: Vec<Value> = ["LOG_LEVEL", "DATABASE_HOST", "CACHE_SIZE", "FEATURE_GATES", "REGION"]
        .iter()
        .map(|variable| json!({"name": variable, "value": format!("value-of-{}", variable.to_lowercase())}))
        .collect();
    let probe = |path: &str| {
        json!({"httpGet": {"path": path, "port": "http", "scheme": "HTTP"}, "periodSeconds": 10,
               "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3})
    };
    let conditions: Vec<Value> =
        ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"]
            .iter()
            .map(|kind| json!({"type": kind, "status": "True", "lastTransitionTime": CREATED}))
            .collect();
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": namespace, "uid": uid, "creationTimestamp": CREATED,
            "generateName": format!("{owner}-"),
            "labels": {"app": service, "pod-template-hash": "5d8f7c9b64", "team": namespace, "version": "v1",
                       "app.kubernetes.io/name": service, "app.kubernetes.io/part-of": "platform"},
            "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "9090",
                            "kubectl.kubernetes.io/restartedAt": CREATED,
                            "checksum/config": uid.repeat(2)},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": uid,
                                 "controller": true, "blockOwnerDeletion": true}],
            "managedFields": managed_fields(),
        },
        "spec": {
            "nodeName": format!("node-{node:05}"), "serviceAccountName": service, "restartPolicy": "Always",
            "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler", "enableServiceLinks": true,
            "terminationGracePeriodSeconds": 30, "securityContext": {"runAsNonRoot": true}, "priority": 0,
            "preemptionPolicy": "PreemptLowerPriority",
            "containers": [{
                "name": "app", "image": format!("registry.example.org/{namespace}/{service}:v1.4.2"),
                "imagePullPolicy": "IfNotPresent",
                "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"},
                          {"name": "metrics", "containerPort": 9090, "protocol": "TCP"}],
                "env": variables,
                "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
                "readinessProbe": probe("/readyz"), "livenessProbe": probe("/livez"),
                "volumeMounts": [claims("config"), claims("secrets/kubernetes.io/serviceaccount")],
                "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                                    "capabilities": {"drop": ["ALL"]}},
                "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}],
            "tolerations": [
                {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
                {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}],
            "volumes": [{"name": "config", "configMap": {"name": service, "defaultMode": 420}},
                        {"name": "token", "projected": {"defaultMode": 420, "sources": [
                            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}]}}]},
        "status": {
            "phase": "Running", "qosClass": "Burstable", "startTime": CREATED,
            "hostIP": format!("172.16.{}.{}", (node >> 8) & 255, node & 255),
            "podIP": address, "podIPs": [{"ip": address}],
            "conditions": conditions,
            "containerStatuses": [{
                "name": "app", "ready": true, "started": true, "restartCount": 0,
                "image": format!("registry.example.org/{namespace}/{service}:v1.4.2"),
                "imageID": format!("registry.example.org/{namespace}/{service}@sha256:{}", uid.replace('-', "").repeat(2)),
                "containerID": format!("containerd://{}", uid.replace('-', "").repeat(2)),
                "state": {"running": {"startedAt": CREATED}}, "lastState": {}}]},
    })
}

fn managed_fields() -> Value {
    let probe = json!({".": {}, "f:failureThreshold": {}, "f:httpGet": {".": {}, "f:path": {}, "f:port": {}, "f:scheme": {}},
                       "f:periodSeconds": {}, "f:successThreshold": {}, "f:timeoutSeconds": {}});
    let made = json!({
        "f:metadata": {"f:annotations": {".": {}, "f:checksum/config": {}, "f:prometheus.io/scrape": {}},
                       "f:generateName": {}, "f:labels": {".": {}, "f:app": {}, "f:pod-template-hash": {}, "f:team": {}},
                       "f:ownerReferences": {".": {}}},
        "f:spec": {"f:containers": {"k:{\"name\":\"app\"}": {
                       ".": {}, "f:env": {".": {}, "k:{\"name\":\"LOG_LEVEL\"}": {".": {}, "f:name": {}, "f:value": {}}},
                       "f:image": {}, "f:imagePullPolicy": {}, "f:livenessProbe": probe, "f:readinessProbe": probe,
                       "f:name": {}, "f:ports": {".": {}, "k:{\"containerPort\":8080,\"protocol\":\"TCP\"}": {
                           ".": {}, "f:containerPort": {}, "f:name": {}, "f:protocol": {}}},
                       "f:resources": {".": {}, "f:limits": {".": {}, "f:memory": {}}}}},
                   "f:dnsPolicy": {}, "f:restartPolicy": {}, "f:schedulerName": {}, "f:securityContext": {}},
    });
    let status = json!({"f:status": {
        "f:conditions": {"k:{\"type\":\"Ready\"}": {".": {}, "f:lastTransitionTime": {}, "f:status": {}, "f:type": {}}},
        "f:containerStatuses": {}, "f:hostIP": {}, "f:phase": {}, "f:podIP": {}, "f:podIPs": {}, "f:startTime": {}}});
    json!([
        {"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1", "time": CREATED,
         "fieldsType": "FieldsV1", "fieldsV1": made},
        {"manager": "kubelet", "operation": "Update", "apiVersion": "v1", "time": CREATED,
         "fieldsType": "FieldsV1", "fieldsV1": status, "subresource": "status"},
    ])
}
