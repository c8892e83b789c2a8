//! The shipped roles, one permission at a time: an account that has all of them, or all but one.

use serde_json::{Value, json};

use super::kubeconfig;
use crate::support::api::Api;
use crate::support::wait::SOON;
use crate::support::{Stage, eventually};

const NAMESPACE: &str = "kube-system";

/// One verb on one resource, as a role of the chart grants it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// `selector`, `mirroring`, `leader-election` or `metrics-secure`.
    pub role: String,
    pub group: String,
    pub resource: String,
    pub verb: String,
    /// The only object that it is for; empty: all.
    pub name: String,
}

impl Permission {
    fn rule(&self) -> Value {
        let mut rule = json!({"apiGroups": [self.group], "resources": [self.resource], "verbs": [self.verb]});
        if !self.name.is_empty() {
            rule["resourceNames"] = json!([self.name]);
        }
        rule
    }

    /// Whether the account behind `api` has it.
    async fn held(&self, api: &Api) -> bool {
        let (resource, part) = self.resource.split_once('/').unwrap_or((&self.resource, ""));
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {
                "namespace": NAMESPACE, "group": self.group, "resource": resource, "subresource": part,
                "name": self.name, "verb": self.verb,
            }},
        });
        let answer = api.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &review).await;
        answer.expect("a review")["status"]["allowed"] == true
    }
}

/// Every permission of the chart's roles, as rendered.
pub fn permissions(objects: &[Value]) -> Vec<Permission> {
    let roles = objects.iter().filter(|object| object["kind"] == "ClusterRole" || object["kind"] == "Role");
    roles
        .flat_map(|role| {
            let name = role["metadata"]["name"].as_str().expect("a name");
            let short = name.strip_prefix("endpointslice-controller-").expect("a role of the chart");
            granted(short, role)
        })
        .collect()
}

/// Every permission of one role.
pub fn granted(name: &str, role: &Value) -> Vec<Permission> {
    let words = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().filter_map(|word| word.as_str().map(str::to_string)).collect()
    };
    let mut all = Vec::new();
    for rule in role["rules"].as_array().expect("rules") {
        let only = words(&rule["resourceNames"]).pop().unwrap_or_default();
        for group in words(&rule["apiGroups"]) {
            for resource in words(&rule["resources"]) {
                for verb in words(&rule["verbs"]) {
                    all.push(Permission {
                        role: name.to_string(),
                        group: group.clone(),
                        resource: resource.clone(),
                        verb,
                        name: only.clone(),
                    });
                }
            }
        }
    }
    all
}

/// Makes the account `name` in kube-system with exactly these permissions, waits until it has them (and has not the
/// one it is to lack), and answers a kubeconfig with a token of it.
pub async fn account(
    stage: &dyn Stage,
    name: &str,
    granted: &[Permission],
    lacking: Option<&Permission>,
) -> std::path::PathBuf {
    let made = |what: &'static str| move |answer: crate::support::api::Answer| drop(answer.expect(what));
    let api = stage.api();
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}});
    let core = format!("/api/v1/namespaces/{NAMESPACE}");
    made("an account")(api.create(&format!("{core}/serviceaccounts"), &account).await);
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    for (kind, at) in [("ClusterRole", rbac.to_string()), ("Role", format!("{rbac}/namespaces/{NAMESPACE}"))]
    {
        // The Lease is the only thing that is granted in one namespace alone.
        let rules: Vec<Value> = granted
            .iter()
            .filter(|permission| (permission.role == "leader-election") == (kind == "Role"))
            .map(Permission::rule)
            .collect();
        let plural = format!("{}s", kind.to_lowercase());
        let role = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": name}, "rules": rules,
        });
        made("a role")(api.create(&format!("{at}/{plural}"), &role).await);
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": format!("{kind}Binding"), "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}],
        });
        made("a binding")(api.create(&format!("{at}/{}bindings", kind.to_lowercase()), &binding).await);
    }
    let path = kubeconfig(stage, &super::token(stage, NAMESPACE, name).await);
    let own = Api::from_kubeconfig(&path).await;
    for permission in granted {
        eventually(&format!("{permission:?}"), SOON, || async {
            if permission.held(&own).await { Ok(()) } else { Err("not granted yet".to_string()) }
        })
        .await;
    }
    if let Some(lacking) = lacking {
        assert!(!lacking.held(&own).await, "something else grants {lacking:?}");
    }
    path
}
