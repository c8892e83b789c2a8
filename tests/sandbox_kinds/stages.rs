//! The two that answer: the sandbox's store, and a real API server.

use std::sync::atomic::{AtomicUsize, Ordering};

use endpointslice_controller::sandbox::{Key, Kind, Object, Status, Store, verbs::DeleteOptions};
use http::Method;
use serde_json::{Value, json};

use crate::blank::Blank;
use crate::play::{Ask, Case, Step};
use crate::support::real::RealStage;
use crate::support::{Api, Refusal, Stage};

fn object(mut value: Value) -> Value {
    if let Some(map) = value.as_object_mut() {
        map.remove("kind");
        map.remove("apiVersion");
    }
    value
}

fn blank(case: &Case, namespace: &str) -> Blank {
    Blank::new(namespace, &case.steps.iter().map(|step| &step.body).collect::<Vec<_>>())
}

/// `$namespace` is the name of the namespace: other objects that have none get names of their own with it.
fn placed(case: &Case, namespace: &str) -> Case {
    let mut case = case.clone();
    for step in &mut case.steps {
        let text = step.body.to_string().replace("$namespace", namespace);
        step.body = serde_json::from_str(&text).expect("what was JSON");
    }
    case
}

/// The answers of the sandbox.
pub fn on_the_store(case: &Case) -> Vec<Value> {
    const NAMESPACE: &str = "kinds-sandbox";
    let case = &placed(case, NAMESPACE);
    let store = Store::new();
    let body = json!({"metadata": {"name": NAMESPACE}});
    store.create(Kind::Namespace, "", body, false).expect("a namespace");
    let taken = json!({"metadata": {"name": "kubernetes", "namespace": "default"},
                       "spec": {"clusterIP": "10.0.0.1", "ports": [{"port": 443}]}});
    store.create(Kind::Namespace, "", json!({"metadata": {"name": "default"}}), false).expect("a namespace");
    store.create(Kind::Service, "default", taken, false).expect("the first Service");
    let mut blank = blank(case, NAMESPACE);
    let answer = |answer: Result<Value, Status>| match answer {
        Ok(value) => value,
        Err(status) => json!({"code": status.code, "reason": status.reason, "message": status.message}),
    };
    case.steps.iter().map(|step| blank.answer(answer(ask(&store, step, NAMESPACE)))).collect()
}

fn ask(store: &Store, step: &Step, namespace: &str) -> Result<Value, Status> {
    let namespace = if step.kind.info().namespaced { namespace } else { "" };
    let key = Key::new(namespace, &step.name());
    let answer = match &step.ask {
        Ask::Create => store.create(step.kind, namespace, step.body.clone(), false),
        Ask::Update(subresource) => {
            store.update(step.kind, &key, subresource.as_deref(), step.body.clone(), false)
        }
        Ask::Merge(subresource) => store.modify(step.kind, &key, subresource.as_deref(), |value| {
            merge(value, &step.body);
            Ok(())
        }),
        Ask::Delete => {
            let options = DeleteOptions { grace: Some(0), ..DeleteOptions::default() };
            return store.delete(step.kind, &key, &options).map(|_| json!("deleted"));
        }
    };
    answer.map(|stored| shown(&stored))
}

fn shown(stored: &Object) -> Value {
    stored.value()
}

/// RFC 7386.
fn merge(value: &mut Value, patch: &Value) {
    let Some(fields) = patch.as_object() else {
        *value = patch.clone();
        return;
    };
    if !value.is_object() {
        *value = json!({});
    }
    let Some(map) = value.as_object_mut() else { return };
    for (name, field) in fields {
        if field.is_null() {
            map.remove(name);
        } else {
            merge(map.entry(name.clone()).or_insert(Value::Null), field);
        }
    }
}

/// A real API server.
pub struct Real {
    api: Api,
    _stage: Option<RealStage>,
}

/// The one that `SANDBOX_KINDS_API` names, or one of our own.
pub async fn real() -> Option<Real> {
    if let Ok(url) = std::env::var("SANDBOX_KINDS_API") {
        return Some(Real { api: Api::unverified(&url, "admin-token"), _stage: None });
    }
    let stage = crate::support::real::exclusive().await?;
    Some(Real { api: stage.api().clone(), _stage: Some(stage) })
}

impl Real {
    /// Its answers.
    pub async fn play(&self, case: &Case) -> Vec<Value> {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("kinds-{}-{number}-x", std::process::id());
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        self.api.create("/api/v1/namespaces", &body).await.expect("a namespace");
        let case = &placed(case, &namespace);
        let mut blank = blank(case, &namespace);
        let mut answers = Vec::new();
        for step in &case.steps {
            let answer = match self.ask(step, &namespace).await {
                Ok(value) => value,
                Err(refusal) => {
                    json!({"code": refusal.code, "reason": refusal.reason, "message": refusal.message})
                }
            };
            answers.push(blank.answer(answer));
        }
        // Nobody else removes what a namespace holds here, and other cases take the same names.
        for step in &case.steps {
            if !step.name().is_empty() {
                let path = format!("{}/{}", collection(step.kind, &namespace), step.name());
                let none = json!({"metadata": {"finalizers": null}});
                let _ = self.api.patch(&path, &none).await;
                let _ = self.api.delete(&path).await;
            }
        }
        answers
    }

    async fn ask(&self, step: &Step, namespace: &str) -> Result<Value, Refusal> {
        let info = step.kind.info();
        let all = collection(step.kind, namespace);
        let one = |subresource: &Option<String>| match subresource {
            Some(subresource) => format!("{all}/{}/{subresource}", step.name()),
            None => format!("{all}/{}", step.name()),
        };
        let mut body = step.body.clone();
        body["apiVersion"] = info.api_version().into();
        body["kind"] = info.kind.into();
        let answer = match &step.ask {
            Ask::Create => self.api.create(&all, &body).await?,
            Ask::Update(subresource) => self.api.update(&one(subresource), &body).await?,
            Ask::Merge(subresource) => {
                self.api
                    .send(Method::PATCH, &one(subresource), Some(&step.body), "application/merge-patch+json")
                    .await?
            }
            Ask::Delete => {
                self.api.delete(&one(&None)).await?;
                return Ok(json!("deleted"));
            }
        };
        Ok(object(answer))
    }
}

fn collection(kind: Kind, namespace: &str) -> String {
    let info = kind.info();
    let root = if info.group.is_empty() { "/api" } else { "/apis" };
    let root = format!("{root}/{}", info.api_version());
    if info.namespaced {
        format!("{root}/namespaces/{namespace}/{}", info.plural)
    } else {
        format!("{root}/{}", info.plural)
    }
}
