//! What a Pod, or a template of Pods, has when it does not say.

use serde_json::{Map, Value, json};

use super::super::{list_mut, set};

const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
/// 0644
const FILE_MODE: i64 = 420;

fn default_to(map: &mut Value, name: &str, value: impl Into<Value>) {
    if let Some(map) = map.as_object_mut() {
        let given = map.entry(name.to_owned()).or_insert(Value::Null);
        if given.is_null() {
            *given = value.into();
        }
    }
}

/// The defaults of a Pod itself, and the linked fields of its status.
pub(super) fn default_pod(value: &mut Value) {
    for name in ["containers", "initContainers"] {
        for container in list_mut(value, &format!("/spec/{name}")) {
            let Some(limits) = container["resources"]["limits"].as_object().cloned() else { continue };
            for (name, limit) in limits {
                let requests = &mut container["resources"]["requests"];
                if requests.is_null() {
                    *requests = Value::Object(Map::new());
                }
                default_to(requests, &name, limit);
            }
        }
    }
    default_to(&mut value["spec"], "enableServiceLinks", true);
    if value["spec"]["hostNetwork"] == true {
        for name in ["containers", "initContainers"] {
            for container in list_mut(value, &format!("/spec/{name}")) {
                for port in list_mut(container, "/ports") {
                    let number = port["containerPort"].clone();
                    default_to(port, "hostPort", number);
                }
            }
        }
    }
    default_spec(&mut value["spec"]);
    link_addresses(&mut value["status"]);
}

/// A negative grace is one second.
pub(super) fn at_least_a_second(value: &mut Value) {
    let grace = &mut value["spec"]["terminationGracePeriodSeconds"];
    if grace.as_i64().is_some_and(|seconds| seconds < 0) {
        *grace = 1.into();
    }
}

/// `podIP` is the first of `podIPs`, and decides when both are given.
fn link_addresses(status: &mut Value) {
    if let Some(ip) = status["podIP"].as_str()
        && status["podIPs"][0]["ip"] != ip
    {
        status["podIPs"] = json!([{"ip": ip}]);
    }
    let first = status["podIPs"][0]["ip"].clone();
    set(status, "podIP", first);
}

/// The defaults of the `spec` of a Pod or a template.
pub(in super::super) fn default_spec(spec: &mut Value) {
    default_to(spec, "dnsPolicy", "ClusterFirst");
    default_to(spec, "restartPolicy", "Always");
    default_to(spec, "securityContext", json!({}));
    default_to(spec, "terminationGracePeriodSeconds", 30);
    default_to(spec, "schedulerName", "default-scheduler");
    // Two names of one thing; the old one counts when it is alone.
    let account = match &spec["serviceAccountName"] {
        Value::Null => spec["serviceAccount"].clone(),
        account => account.clone(),
    };
    set(spec, "serviceAccountName", account.clone());
    set(spec, "serviceAccount", account);
    list_mut(spec, "/volumes").for_each(volume);
    for name in ["/containers", "/initContainers", "/ephemeralContainers"] {
        list_mut(spec, name).for_each(container);
    }
}

fn container(container: &mut Value) {
    let image = container["image"].as_str().unwrap_or_default();
    let policy = if is_latest(image) { "Always" } else { "IfNotPresent" };
    default_to(container, "imagePullPolicy", policy);
    default_to(container, "terminationMessagePath", "/dev/termination-log");
    default_to(container, "terminationMessagePolicy", "File");
    for port in list_mut(container, "/ports") {
        default_to(port, "protocol", "TCP");
    }
    for variable in list_mut(container, "/env") {
        if let Some(field) = variable.pointer_mut("/valueFrom/fieldRef") {
            default_to(field, "apiVersion", "v1");
        }
    }
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = container.get_mut(name) {
            default_to(probe, "timeoutSeconds", 1);
            default_to(probe, "periodSeconds", 10);
            default_to(probe, "successThreshold", 1);
            default_to(probe, "failureThreshold", 3);
            if let Some(grpc) = probe.get_mut("grpc") {
                default_to(grpc, "service", "");
            }
            handler(probe);
        }
    }
    for name in ["/lifecycle/postStart", "/lifecycle/preStop"] {
        if let Some(hook) = container.pointer_mut(name) {
            handler(hook);
        }
    }
}

fn handler(value: &mut Value) {
    if let Some(get) = value.get_mut("httpGet") {
        default_to(get, "path", "/");
        default_to(get, "scheme", "HTTP");
    }
}

/// Whether an image is `latest`, by its tag or for lack of one.
fn is_latest(image: &str) -> bool {
    if image.is_empty() || image.contains(char::is_whitespace) {
        return false;
    }
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    let last = name.rsplit('/').next().unwrap_or_default();
    match last.split_once(':') {
        Some((_, tag)) => tag == "latest",
        None => digest.is_none(),
    }
}

fn volume(volume: &mut Value) {
    let only_named = volume.as_object().is_some_and(|map| map.keys().all(|name| name == "name"));
    if only_named {
        set(volume, "emptyDir", json!({}));
    }
    for name in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(source) = volume.get_mut(name) {
            default_to(source, "defaultMode", FILE_MODE);
        }
    }
    if let Some(path) = volume.get_mut("hostPath") {
        default_to(path, "type", "");
    }
    if let Some(image) = volume.get_mut("image") {
        let policy = if is_latest(image["reference"].as_str().unwrap_or_default()) {
            "Always"
        } else {
            "IfNotPresent"
        };
        default_to(image, "pullPolicy", policy);
    }
    for source in list_mut(volume, "/projected/sources") {
        if let Some(token) = source.get_mut("serviceAccountToken") {
            default_to(token, "expirationSeconds", 3600);
        }
        if let Some(items) = source.get_mut("downwardAPI") {
            field_references(items);
        }
    }
    if let Some(source) = volume.get_mut("downwardAPI") {
        field_references(source);
    }
}

fn field_references(source: &mut Value) {
    for item in list_mut(source, "/items") {
        if let Some(field) = item.get_mut("fieldRef") {
            default_to(field, "apiVersion", "v1");
        }
    }
}

/// What the admission of tolerations adds: five minutes on a Node that fails.
pub(super) fn tolerate(value: &mut Value) {
    let spec = &mut value["spec"];
    for name in [NOT_READY, UNREACHABLE] {
        let tolerated = super::list(&spec["tolerations"]).any(|toleration| {
            let says = |name: &str| toleration[name].as_str().unwrap_or_default().to_owned();
            [name, ""].contains(&says("key").as_str()) && ["NoExecute", ""].contains(&says("effect").as_str())
        });
        if tolerated {
            continue;
        }
        let toleration =
            json!({"key": name, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300});
        match spec["tolerations"].as_array_mut() {
            Some(list) => list.push(toleration),
            None => spec["tolerations"] = json!([toleration]),
        }
    }
}
