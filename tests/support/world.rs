//! A namespace of its own on a stage, and the things that tests do in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use super::api::{Api, Refusal};
use super::consumer::Consumer;
use super::pods::{self, Object, condition};
use super::stage::Stage;
use super::wait::{Deadline, SOON, eventually};

/// The two `managed-by` values of the controller.
pub const SELECTOR_LOOP: &str = "endpointslice-controller.k8s.io";
pub const MIRRORING_LOOP: &str = "endpointslicemirroring-controller.k8s.io";
pub const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";
pub const TRIGGER_TIME: &str = "endpoints.kubernetes.io/last-change-trigger-time";

/// A namespace. Everything in it fails the test when the API server refuses it; to see a refusal use
/// [`World::api`].
#[derive(Clone)]
pub struct World {
    api: Api,
    namespace: String,
}

impl World {
    /// Makes a namespace whose name starts with `name` and is used by nobody else.
    pub async fn new(stage: &dyn Stage, name: &str) -> World {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let namespace = format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        World::named(stage.api(), &namespace).await
    }

    /// Makes exactly this namespace: for two twins that must look the same.
    pub async fn named(api: &Api, namespace: &str) -> World {
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        api.create("/api/v1/namespaces", &object).await.expect("make a namespace");
        World { api: api.clone(), namespace: namespace.to_string() }
    }

    /// A namespace that is there already.
    pub fn of(api: &Api, namespace: &str) -> World {
        World { api: api.clone(), namespace: namespace.to_string() }
    }

    pub fn api(&self) -> &Api {
        &self.api
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The path of a collection in this namespace: `pods`, `services`, `endpoints`, `endpointslices`.
    pub fn path(&self, collection: &str) -> String {
        let root = if collection == "endpointslices" { "/apis/discovery.k8s.io/v1" } else { "/api/v1" };
        format!("{root}/namespaces/{}/{collection}", self.namespace)
    }

    /// A node name that no other test uses: nodes have no namespace.
    pub fn node_name(&self, name: &str) -> String {
        format!("{}-{name}", self.namespace)
    }

    /// Makes a node; its name is taken as it is.
    pub async fn node(&self, node: Object) -> Value {
        self.make_with_status("/api/v1/nodes", node).await
    }

    /// Makes a Pod with its status.
    pub async fn pod(&self, pod: Object) -> Value {
        self.make_with_status(&self.path("pods"), pod).await
    }

    /// Makes a node `NODE` and Pods `app-0…` on it, with addresses `10.BASE.x.y`, all ready.
    pub async fn pods(&self, app: &str, count: usize, base: u8) -> Vec<String> {
        let node = self.node_name("node");
        if self.api.get(&format!("/api/v1/nodes/{node}")).await.is_err() {
            self.node(pods::node(&node, "zone-a")).await;
        }
        let mut addresses = Vec::new();
        for number in 0..count {
            let address = format!("10.{base}.{}.{}", number / 250, number % 250 + 1);
            self.pod(pods::pod(&format!("{app}-{number}"), app, &address).on(&node)).await;
            addresses.push(address);
        }
        addresses
    }

    pub async fn service(&self, service: Object) -> Value {
        self.api.create(&self.path("services"), &service.0).await.expect("make a Service")
    }

    pub async fn endpoints(&self, endpoints: Object) -> Value {
        self.api.create(&self.path("endpoints"), &endpoints.0).await.expect("make an Endpoints object")
    }

    /// Makes a slice by hand, as a tenant or another controller would.
    pub async fn slice(&self, slice: Value) -> Value {
        self.api.create(&self.path("endpointslices"), &slice).await.expect("make a slice")
    }

    pub async fn get(&self, collection: &str, name: &str) -> Value {
        self.api.get(&format!("{}/{name}", self.path(collection))).await.expect("read an object")
    }

    /// A merge patch on `collection/name`.
    pub async fn patch(&self, collection: &str, name: &str, patch: Value) -> Value {
        self.api.patch(&format!("{}/{name}", self.path(collection)), &patch).await.expect("patch an object")
    }

    /// A merge patch on the status of a Pod or node path.
    pub async fn patch_status(&self, collection: &str, name: &str, status: Value) -> Value {
        let path = format!("{}/{name}/status", self.path(collection));
        self.api.patch(&path, &json!({"status": status})).await.expect("patch a status")
    }

    pub async fn set_ready(&self, pod: &str, ready: bool) -> Value {
        let conditions = json!([condition("Ready", ready), condition("ContainersReady", ready)]);
        self.patch_status("pods", pod, json!({"conditions": conditions})).await
    }

    pub async fn set_phase(&self, pod: &str, phase: &str) -> Value {
        self.patch_status("pods", pod, json!({"phase": phase})).await
    }

    /// Deletes at once.
    pub async fn delete(&self, collection: &str, name: &str) {
        self.api.delete(&format!("{}/{name}", self.path(collection))).await.expect("delete an object");
    }

    /// Asks a Pod on a node to go: it gets a deletionTimestamp and stays, as no kubelet confirms.
    pub async fn begin_termination(&self, pod: &str) {
        let options = json!({"gracePeriodSeconds": 3600});
        let path = format!("{}/{pod}", self.path("pods"));
        self.api.delete_with(&path, &options).await.expect("begin the deletion of a Pod");
    }

    /// All slices of the namespace, by name.
    pub async fn all_slices(&self) -> Vec<Value> {
        let mut slices = self.api.list(&self.path("endpointslices")).await.expect("list slices");
        slices.sort_by_key(|slice| slice["metadata"]["name"].as_str().unwrap_or_default().to_string());
        slices
    }

    /// The slices of a Service, whoever manages them, by name.
    pub async fn slices(&self, service: &str) -> Vec<Value> {
        let mut slices = self.all_slices().await;
        slices.retain(|slice| slice["metadata"]["labels"][SERVICE_NAME] == service);
        slices
    }

    /// The endpoints that the slices of a Service publish, merged.
    pub async fn published(&self, service: &str) -> BTreeSet<Published> {
        self.slices(service).await.iter().flat_map(published_by).collect()
    }

    /// Waits until exactly `addresses` are published for the Service, ready or not.
    pub async fn wait_addresses(&self, service: &str, addresses: &[String]) {
        let wanted: BTreeSet<&str> = addresses.iter().map(String::as_str).collect();
        eventually(&format!("the addresses of {service}"), SOON, || async {
            let published = self.published(service).await;
            let found: BTreeSet<&str> = published.iter().map(|endpoint| endpoint.address.as_str()).collect();
            if found == wanted { Ok(()) } else { Err(difference(&wanted, &found)) }
        })
        .await;
    }

    /// Waits until the slices of the Service satisfy `probe`, and answers what it answers.
    pub async fn wait_slices<T>(
        &self,
        what: &str,
        service: &str,
        deadline: Deadline,
        probe: impl Fn(&[Value]) -> Result<T, String>,
    ) -> T {
        eventually(what, deadline, || async { probe(&self.slices(service).await) }).await
    }

    /// The name and resourceVersion of every slice in the namespace.
    pub async fn versions(&self) -> BTreeMap<String, String> {
        let slices = self.all_slices().await;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        slices
            .iter()
            .map(|slice| &slice["metadata"])
            .map(|m| (text(&m["name"]), text(&m["resourceVersion"])))
            .collect()
    }

    async fn make_with_status(&self, collection: &str, object: Object) -> Value {
        let made = self.api.create(collection, &object.0).await.expect("make an object");
        if object.0["status"].is_null() {
            return made;
        }
        let path = format!("{collection}/{}/status", object.name());
        self.api.patch(&path, &json!({"status": object.0["status"]})).await.expect("set its status")
    }
}

/// One endpoint as a consumer sees it: an address with one port name (none in a slice without ports).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Published {
    pub address: String,
    pub port: Option<String>,
    pub number: Option<u64>,
    pub ready: bool,
}

/// Every (address, port) of a slice.
pub fn published_by(slice: &Value) -> Vec<Published> {
    let nothing = Vec::new();
    let ports = slice["ports"].as_array().unwrap_or(&nothing);
    let mut all = Vec::new();
    for endpoint in slice["endpoints"].as_array().unwrap_or(&nothing) {
        let ready = endpoint["conditions"]["ready"].as_bool().unwrap_or(true);
        for address in endpoint["addresses"].as_array().unwrap_or(&nothing) {
            let address = address.as_str().unwrap_or_default().to_string();
            if ports.is_empty() {
                all.push(Published { address: address.clone(), port: None, number: None, ready });
            }
            for port in ports {
                let name = port["name"].as_str().unwrap_or_default().to_string();
                let number = port["port"].as_u64();
                all.push(Published { address: address.clone(), port: Some(name), number, ready });
            }
        }
    }
    all
}

fn difference(wanted: &BTreeSet<&str>, found: &BTreeSet<&str>) -> String {
    let missing: Vec<_> = wanted.difference(found).take(5).collect();
    let extra: Vec<_> = found.difference(wanted).take(5).collect();
    format!("{} of {} there; missing {missing:?}…, too many {extra:?}…", found.len(), wanted.len())
}
