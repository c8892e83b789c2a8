//! `containerStatuses` and `initContainerStatuses`.

use std::hash::BuildHasher;

use serde_json::{Value, json};

/// The names and images of a Pod's containers.
pub(super) fn of(pod: &Value) -> Vec<(String, String)> {
    let text = |container: &Value, field: &str| container[field].as_str().unwrap_or_default().to_owned();
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    containers.map(|container| (text(container, "name"), text(container, "image"))).collect()
}

/// Whether an init container keeps running beside the others.
pub(super) fn is_sidecar(container: &Value) -> bool {
    container["restartPolicy"] == "Always"
}

/// All containers wait.
pub(super) fn waiting(pod: &mut Value) {
    let has_init = pod["spec"]["initContainers"].as_array().is_some_and(|list| !list.is_empty());
    let reason = if has_init { "PodInitializing" } else { "ContainerCreating" };
    let wait = |container: &Value| {
        let mut status = base(container);
        status["image"] = container["image"].clone();
        status["ready"] = false.into();
        status["started"] = false.into();
        status["state"] = json!({"waiting": {"reason": reason}});
        status
    };
    fill(pod, wait, wait);
}

/// All containers run, not ready yet; init containers have done their work.
pub(super) fn running(pod: &mut Value, now: &str) {
    let run = |container: &Value, ready: bool| {
        let mut status = base(container);
        pulled(&mut status, container);
        status["ready"] = ready.into();
        status["started"] = true.into();
        status["state"] = json!({"running": {"startedAt": now}});
        status
    };
    let init = |container: &Value| {
        if is_sidecar(container) {
            return run(container, true);
        }
        let mut status = base(container);
        pulled(&mut status, container);
        status["ready"] = true.into();
        status["started"] = false.into();
        status["state"] = terminated(&status, now, now);
        status
    };
    fill(pod, |container| run(container, false), init);
}

/// All containers have ended well.
pub(super) fn ended(pod: &mut Value, now: &str) {
    for list in ["initContainerStatuses", "containerStatuses"] {
        for status in pod["status"][list].as_array_mut().into_iter().flatten() {
            if status["state"]["terminated"].is_null() {
                let since = status["state"]["running"]["startedAt"].as_str().unwrap_or(now).to_owned();
                status["state"] = terminated(status, &since, now);
            }
            status["ready"] = false.into();
            status["started"] = false.into();
        }
    }
}

/// The containers that run are ready, or not.
pub(super) fn set_ready(pod: &mut Value, ready: bool) {
    for status in pod["status"]["containerStatuses"].as_array_mut().into_iter().flatten() {
        if !status["state"]["running"].is_null() || status["state"].is_null() {
            status["ready"] = ready.into();
        }
    }
}

fn fill(pod: &mut Value, main: impl Fn(&Value) -> Value, init: impl Fn(&Value) -> Value) {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let statuses: Vec<Value> = containers.map(main).collect();
    let containers = pod["spec"]["initContainers"].as_array().into_iter().flatten();
    let init_statuses: Vec<Value> = containers.map(init).collect();
    pod["status"]["containerStatuses"] = statuses.into();
    if !init_statuses.is_empty() {
        pod["status"]["initContainerStatuses"] = init_statuses.into();
    }
}

fn base(container: &Value) -> Value {
    json!({"name": container["name"], "restartCount": 0, "image": "", "imageID": "", "lastState": {}})
}

fn pulled(status: &mut Value, container: &Value) {
    let image = full_name(container["image"].as_str().unwrap_or_default());
    let name = image.split('@').next().unwrap_or_default();
    let tag = name.rfind(':').filter(|at| !name[*at..].contains('/'));
    let repository = &name[..tag.unwrap_or(name.len())];
    status["imageID"] = format!("{repository}@sha256:{}", digest_of(&image)).into();
    status["image"] = image.into();
    let id = format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>());
    status["containerID"] = format!("containerd://{id}").into();
}

/// The image's name as a container runtime completes it.
fn full_name(image: &str) -> String {
    let (first, rest) = image.split_once('/').unwrap_or(("", image));
    let is_host = first.contains(['.', ':']) || first == "localhost";
    let full = match (first, is_host) {
        ("", _) => format!("docker.io/library/{rest}"),
        (_, true) => image.to_owned(),
        (_, false) => format!("docker.io/{image}"),
    };
    let last = full.rsplit('/').next().unwrap_or_default();
    if last.contains([':', '@']) { full } else { format!("{full}:latest") }
}

/// Some digest that is always the same for an image.
fn digest_of(image: &str) -> String {
    let part = |seed: u64| foldhash::fast::FixedState::with_seed(seed).hash_one(image);
    (0..4).map(|seed| format!("{:016x}", part(seed))).collect()
}

fn terminated(status: &Value, since: &str, now: &str) -> Value {
    json!({"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": since, "finishedAt": now,
        "containerID": status["containerID"]}})
}
