//! What differs on purpose. Each rule stands in `src/sandbox/README.md` with its reason, under the
//! same name, and each must have explained something in the hand-made sequences.

use super::compare::Difference;
use super::step::Step;

pub struct Rule {
    pub name: &'static str,
    pub explains: fn(&Difference) -> bool,
}

pub const RULES: &[Rule] = &[
    Rule { name: "apply-patch", explains: |difference| asked(difference, "application/apply-patch+yaml") },
    Rule {
        name: "managed-fields",
        explains: |difference| {
            difference.pointer.ends_with("/metadata/managedFields") && difference.ours.is_none()
        },
    },
    Rule { name: "fewer-resources", explains: fewer_resources },
    Rule {
        name: "storage-version-hash",
        explains: |difference| {
            difference.pointer.ends_with("/storageVersionHash") && difference.ours.is_none()
        },
    },
    Rule {
        name: "build",
        explains: |difference| path(difference) == "/version" && difference.answers[1]["code"] == 200,
    },
    Rule {
        name: "address-objects",
        explains: |difference| {
            difference.answers.iter().all(|answer| answer["code"] == 422)
                && difference.answers[0]["body"]["message"].as_str().is_some_and(|message| {
                    message.contains("failed to allocate IP: IPAddress.networking.k8s.io")
                })
        },
    },
];

fn path(difference: &Difference) -> &str {
    match &difference.step {
        Step::Ask(ask) | Step::Watch(ask) => &ask.path,
        _ => "",
    }
}

/// In discovery: a group, a resource, or a path that is left out.
fn fewer_resources(difference: &Difference) -> bool {
    let place: Vec<&str> = difference.pointer.split('/').collect();
    let left_out = matches!(
        place.as_slice(),
        ["", "body", "resources" | "groups" | "items", _]
            | ["", "body", "items", _, "versions", _, "resources", _]
    );
    let discovery = ["APIGroupList", "APIResourceList", "APIGroupDiscoveryList"]
        .iter()
        .any(|kind| difference.answers[0]["body"]["kind"] == *kind);
    let root = path(difference) == "/" && difference.pointer.starts_with("/body/paths/");
    root || discovery && left_out && difference.ours.is_none()
}

fn asked(difference: &Difference, content_type: &str) -> bool {
    match &difference.step {
        Step::Ask(ask) => ask.content_type == content_type && difference.answers[1]["code"] == 415,
        _ => false,
    }
}
