//! What a person does with a key: each is a write to the API's store, as `kubectl` would make it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::model::Key;
use crate::sandbox::simulate::Simulation;
use crate::sandbox::store::{Key as StoreKey, Object};
use crate::sandbox::verbs::{DeleteOptions, now};
use crate::sandbox::{Kind, Status, Store};

/// How long a Pod that flaps is not ready.
const UNREADY_FOR: Duration = Duration::from_secs(3);

/// Hands on a store. Each method answers with a sentence: what was done, or why not.
#[derive(Clone)]
pub struct Hands {
    store: Arc<Store>,
    simulation: Arc<Simulation>,
}

impl Hands {
    /// Hands on this store, whose Pods this simulation keeps.
    #[must_use]
    pub fn new(store: Arc<Store>, simulation: Arc<Simulation>) -> Hands {
        Hands { store, simulation }
    }

    /// More or fewer Pods behind a Service.
    ///
    /// # Errors
    /// There is no Deployment behind it, or the API refuses.
    pub fn scale(&self, service: &Key, by: i64) -> Result<String, String> {
        let deployment = self.deployment(service)?;
        let mut replicas = 0;
        self.change(Kind::Deployment, &deployment, |value| {
            replicas = (value["spec"]["replicas"].as_i64().unwrap_or(1) + by).max(0);
            value["spec"]["replicas"] = replicas.into();
        })?;
        Ok(format!("deployment {} scaled to {replicas}", deployment.key.name))
    }

    /// New Pods in place of those behind a Service, a few at a time: `kubectl rollout restart`.
    ///
    /// # Errors
    /// As [`Hands::scale`].
    pub fn roll(&self, service: &Key) -> Result<String, String> {
        let deployment = self.deployment(service)?;
        // Finer than a second, so that two rolls in one second are two.
        let at = jiff::Timestamp::now().to_string();
        self.change(Kind::Deployment, &deployment, |value| {
            let metadata = &mut value["spec"]["template"]["metadata"];
            if !metadata["annotations"].is_object() {
                metadata["annotations"] = json!({});
            }
            metadata["annotations"]["kubectl.kubernetes.io/restartedAt"] = at.into();
        })?;
        Ok(format!("deployment {} restarted", deployment.key.name))
    }

    /// Deletes a Pod.
    ///
    /// # Errors
    /// The API refuses.
    pub fn delete(&self, pod: &Key) -> Result<String, String> {
        let key = StoreKey::new(&pod.namespace, &pod.name);
        self.store.delete(Kind::Pod, &key, &DeleteOptions::default()).map_err(said)?;
        Ok(format!("pod {} deleted", pod.name))
    }

    /// A Pod becomes unready, and ready again after a while. Needs a runtime.
    ///
    /// # Errors
    /// It is gone.
    pub fn flap(&self, pod: &Key) -> Result<String, String> {
        let key = StoreKey::new(&pod.namespace, &pod.name);
        self.simulation.set_ready(&key, false).map_err(said)?;
        let simulation = Arc::clone(&self.simulation);
        tokio::spawn(async move {
            tokio::time::sleep(UNREADY_FOR).await;
            // A Pod that is gone by now needs it no more.
            let _ = simulation.set_ready(&key, true);
        });
        Ok(format!("pod {} is not ready for {} s", pod.name, UNREADY_FOR.as_secs()))
    }

    /// The Deployment whose Pods the Service selects: the first by name.
    fn deployment(&self, service: &Key) -> Result<Arc<Object>, String> {
        let key = StoreKey::new(&service.namespace, &service.name);
        let found = self.store.get(Kind::Service, &key).map(|service| service.value());
        let selector = found.as_ref().and_then(|service| service["spec"]["selector"].as_object());
        let Some(selector) = selector.filter(|selector| !selector.is_empty()) else {
            return Err(format!("{service} selects nothing"));
        };
        let (_, deployments) = self.store.list(Kind::Deployment, Some(&service.namespace));
        let selected = |deployment: &Arc<Object>| {
            let value = deployment.value();
            let labels = &value["spec"]["template"]["metadata"]["labels"];
            selector.iter().all(|(name, value)| labels[name] == *value)
        };
        deployments.into_iter().find(selected).ok_or_else(|| format!("no Deployment behind {service}"))
    }

    fn change(&self, kind: Kind, object: &Object, change: impl FnOnce(&mut Value)) -> Result<(), String> {
        let changed = self.store.modify(kind, &object.key, None, |value| {
            change(value);
            Ok(())
        });
        changed.map(|_| ()).map_err(said)
    }
}

fn said(status: Status) -> String {
    status.message
}

/// Sets a Pod's readiness as its kubelet would. `None` when there is no such Pod, or it is like that.
pub fn set_ready(store: &Store, pod: &StoreKey, ready: bool) -> Option<Arc<Object>> {
    store.transact(|state| {
        let mut value = state.get(Kind::Pod, pod)?.value();
        let text = if ready { "True" } else { "False" };
        let mut changed = false;
        for condition in value["status"]["conditions"].as_array_mut()? {
            if matches!(condition["type"].as_str(), Some("Ready" | "ContainersReady"))
                && condition["status"] != text
            {
                condition["status"] = text.into();
                condition["lastTransitionTime"] = now().into();
                changed = true;
            }
        }
        for container in value["status"]["containerStatuses"].as_array_mut().into_iter().flatten() {
            container["ready"] = ready.into();
        }
        changed.then(|| state.put(Kind::Pod, value))
    })
}
