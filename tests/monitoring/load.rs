//! Work for a controller: Services that scale and roll, one with hints, one that is mirrored, and
//! admission that refuses the writes of one namespace.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{StreamExt, stream};
use serde_json::{Value, json};

use crate::support::pods::{endpoints, node, pod, service, service_without_selector};
use crate::support::{Api, Stage, World};

const ZONES: [&str; 3] = ["zone-a", "zone-b", "zone-c"];
/// Requests of the load that are on their way at once.
const AT_ONCE: usize = 6;
const WEBHOOKS: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
const POLICIES: &str = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies";
const BINDINGS: &str = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings";

/// A namespace with Services that change.
pub struct Load {
    pub world: World,
    /// The numbers of the Pods of each app.
    apps: BTreeMap<String, Vec<usize>>,
    next: usize,
}

impl Load {
    /// Makes Nodes in three zones, Services `web-0…` without Pods, and the special ones: `auto` with
    /// hints, `near` with a traffic distribution, `ext` whose Endpoints are written by hand.
    pub async fn begin(stage: &dyn Stage, name: &str, services: usize) -> Load {
        let world = World::new(stage, name).await;
        let mut load = Load { world, apps: BTreeMap::new(), next: 0 };
        for zone in ZONES {
            load.world.node(node(&load.world.node_name(zone), zone)).await;
        }
        for number in 0..services {
            load.service(&format!("web-{number}"), |service| service).await;
        }
        load.service("auto", |service| service.annotation("service.kubernetes.io/topology-mode", "Auto"))
            .await;
        load.service("near", |service| service.with("/spec/trafficDistribution", json!("PreferClose"))).await;
        load.world.service(service_without_selector("ext").port("", 80, "80")).await;
        load.world.endpoints(endpoints("ext", subsets(3))).await;
        load.scale("auto", 9).await;
        load.scale("near", 6).await;
        load
    }

    async fn service(
        &mut self,
        name: &str,
        change: impl FnOnce(crate::support::pods::Object) -> crate::support::pods::Object,
    ) {
        self.world.service(change(service(name, name).port("http", 80, "8080"))).await;
        self.apps.insert(name.to_owned(), Vec::new());
    }

    /// Makes or deletes Pods until there are so many.
    pub async fn scale(&mut self, app: &str, count: usize) {
        let standing = self.apps.get_mut(app).expect("an app of this load");
        let gone: Vec<usize> = standing.drain(..standing.len().saturating_sub(count)).collect();
        let new: Vec<usize> = (self.next..).take(count.saturating_sub(standing.len())).collect();
        standing.extend(&new);
        self.next += new.len();
        let world = &self.world;
        stream::iter(new).for_each_concurrent(AT_ONCE, |number| start_pod(world, app, number)).await;
        stream::iter(gone).for_each_concurrent(AT_ONCE, |number| stop_pod(world, app, number)).await;
    }

    /// Replaces every Pod of an app by a new one, one after the other, with a pause between them.
    pub async fn roll(&mut self, app: &str, pause: Duration) {
        for _ in 0..self.apps[app].len() {
            let number = self.next;
            self.next += 1;
            start_pod(&self.world, app, number).await;
            let standing = self.apps.get_mut(app).expect("an app of this load");
            standing.push(number);
            let old = standing.remove(0);
            stop_pod(&self.world, app, old).await;
            tokio::time::sleep(pause).await;
        }
    }

    /// Makes one Pod not ready and ready again.
    pub async fn flap(&self, app: &str) {
        let Some(number) = self.apps[app].first() else { return };
        let name = format!("{app}-{number}");
        self.world.set_ready(&name, false).await;
        self.world.set_ready(&name, true).await;
    }

    /// So many addresses by hand.
    pub async fn mirror(&self, count: usize) {
        self.world.patch("endpoints", "ext", json!({"subsets": subsets(count)})).await;
    }

    /// A round of everything, for loads that go on and on.
    pub async fn churn(&mut self, round: usize) {
        let apps: Vec<String> = self.apps.keys().filter(|app| app.starts_with("web-")).cloned().collect();
        // Each app has every kind in turn.
        let app = &apps[round / 4 % apps.len()];
        match round % 4 {
            0 => self.scale(app, 2 + round / 4 % 7).await,
            1 => self.flap(app).await,
            2 => self.roll(app, Duration::from_millis(20)).await,
            _ => self.mirror(1 + round % 9).await,
        }
    }

    /// Namespaces so marked are the ones that [`refuse`] means.
    pub async fn mark(&self, how: &str) {
        let path = format!("/api/v1/namespaces/{}", self.world.namespace());
        let labels = json!({"metadata": {"labels": {"refuse": how}}});
        self.world.api().patch(&path, &labels).await.expect("label the namespace");
    }
}

async fn start_pod(world: &World, app: &str, number: usize) {
    let address = format!("10.{}.{}.{}", 1 + number / 60_000, number / 240 % 250, 1 + number % 240);
    let zone = ZONES[number % ZONES.len()];
    world.pod(pod(&format!("{app}-{number}"), app, &address).on(&world.node_name(zone))).await;
}

async fn stop_pod(world: &World, app: &str, number: usize) {
    world.delete("pods", &format!("{app}-{number}")).await;
}

fn subsets(count: usize) -> Value {
    let addresses: Vec<Value> = (1..=count).map(|n| json!({"ip": format!("192.0.2.{n}")})).collect();
    json!([{"addresses": addresses, "ports": [{"port": 80}]}])
}

/// From now on slices are refused in namespaces with the label `refuse`: with a 422 where it is
/// `policy`, with a 500 (a webhook that does not answer) where it is `webhook`.
pub async fn refuse(api: &Api) {
    let rule = json!({"apiGroups": ["discovery.k8s.io"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
                      "resources": ["endpointslices"]});
    let marked = |how: &str| json!({"matchLabels": {"refuse": how}});
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "refuse"},
        "spec": {
            "matchConstraints": {"resourceRules": [rule], "namespaceSelector": marked("policy")},
            "validations": [{"expression": "false", "message": "refused by the test"}],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "refuse"}, "spec": {"policyName": "refuse", "validationActions": ["Deny"]},
    });
    let webhook = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "refuse"},
        "webhooks": [{
            "name": "refuse.example.org", "clientConfig": {"url": "https://127.0.0.1:1/"}, "rules": [rule],
            "namespaceSelector": marked("webhook"), "failurePolicy": "Fail", "sideEffects": "None",
            "admissionReviewVersions": ["v1"], "timeoutSeconds": 1,
        }],
    });
    for (path, object) in [(POLICIES, policy), (BINDINGS, binding), (WEBHOOKS, webhook)] {
        api.create(path, &object).await.expect("make an admission rule");
    }
}

/// Nothing is refused any more.
pub async fn accept(api: &Api) {
    for path in [WEBHOOKS, BINDINGS, POLICIES] {
        api.delete(&format!("{path}/refuse")).await.expect("delete an admission rule");
    }
}
