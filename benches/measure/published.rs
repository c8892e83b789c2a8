//! What stands at the end, for the comparison of both programs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::api::Api;

pub const SLICES: &str = "/apis/discovery.k8s.io/v1/endpointslices";

/// Namespace and Service to what is published of it: address type, ports, address, readiness, zone.
pub type Published = BTreeMap<(String, String), BTreeSet<String>>;

/// What all slices say.
pub async fn published(api: &Api) -> Published {
    let mut published = Published::new();
    for slice in api.list(SLICES).await.expect("list slices") {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let metadata = &slice["metadata"];
        let service = (text(&metadata["namespace"]), text(&metadata["labels"]["kubernetes.io/service-name"]));
        let said = published.entry(service).or_default();
        for endpoint in slice["endpoints"].as_array().into_iter().flatten() {
            said.insert(format!(
                "{} {} {} {} {}",
                slice["addressType"],
                slice["ports"],
                endpoint["addresses"],
                endpoint["conditions"],
                endpoint["zone"]
            ));
        }
    }
    published
}

/// The version of each slice: which changed is what was written.
pub async fn versions(api: &Api) -> BTreeMap<String, String> {
    let slices = api.list(SLICES).await.expect("list slices");
    slices
        .iter()
        .map(|slice| {
            let metadata = &slice["metadata"];
            (metadata["uid"].to_string(), metadata["resourceVersion"].to_string())
        })
        .collect()
}

/// How many slices are not as they were.
pub fn written(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> usize {
    let gone = before.keys().filter(|uid| !after.contains_key(*uid)).count();
    gone + after.iter().filter(|(uid, version)| before.get(*uid) != Some(version)).count()
}

/// The first Services of which the two say different things.
pub fn differences(ours: &Published, peer: &Published) -> Vec<String> {
    let names: BTreeSet<_> = ours.keys().chain(peer.keys()).collect();
    let nothing = BTreeSet::new();
    names
        .into_iter()
        .filter_map(|name| {
            let (one, two) = (ours.get(name).unwrap_or(&nothing), peer.get(name).unwrap_or(&nothing));
            let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| {
                a.difference(b).take(2).cloned().collect::<Vec<_>>()
            };
            (one != two).then(|| {
                format!("{name:?}: only ours {:?}, only the peer {:?}", only(one, two), only(two, one))
            })
        })
        .take(5)
        .collect()
}
