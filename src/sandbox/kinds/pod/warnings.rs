//! What the header `Warning` says of a Pod that is stored.

use serde_json::Value;

use super::super::field::Path;
use super::super::formats;
use super::list;

const NO_SELECTOR: &str = "a null labelSelector results in matching no pod";

/// What is told of a Pod that is new, or comes after `old`.
pub(super) fn of(new: &Value, old: Option<&Value>) -> Vec<String> {
    let mut all = Vec::new();
    let name = new["metadata"]["name"].as_str().unwrap_or_default();
    let found = formats::dns_label(name);
    if old.is_none() && !found.is_empty() {
        all.push(format!(
            "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label \
             is recommended: [{}]",
            found.join(" ")
        ));
    }
    let path = Path::new("spec");
    let spec = &new["spec"];
    let at = path.child("topologySpreadConstraints");
    for (index, constraint) in list(&spec["topologySpreadConstraints"]).enumerate() {
        if constraint["labelSelector"].is_null() {
            all.push(format!("{}: {NO_SELECTOR}", at.index(index).child("labelSelector")));
        }
    }
    let path = path.child("affinity");
    for name in ["podAffinity", "podAntiAffinity"] {
        terms(&spec["affinity"][name], &path.child(name), &mut all);
    }
    all
}

fn terms(affinity: &Value, path: &Path<'_>, all: &mut Vec<String>) {
    let name = "requiredDuringSchedulingIgnoredDuringExecution";
    let at = path.child(name);
    for (index, term) in list(&affinity[name]).enumerate() {
        if term["labelSelector"].is_null() {
            all.push(format!("{}: {NO_SELECTOR}", at.index(index).child("labelSelector")));
        }
    }
    let name = "preferredDuringSchedulingIgnoredDuringExecution";
    let at = path.child(name);
    for (index, weighted) in list(&affinity[name]).enumerate() {
        if weighted["podAffinityTerm"]["labelSelector"].is_null() {
            let at = at.index(index);
            all.push(format!("{}: {NO_SELECTOR}", at.child("podAffinityTerm").child("labelSelector")));
        }
    }
}
