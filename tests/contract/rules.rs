//! What differs on purpose. Each rule stands in `src/sandbox/README.md` with its reason, under the
//! same name, and each must have explained something in the hand-made sequences.

use super::compare::Difference;
use super::step::Step;
use serde_json::Value;

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
        name: "column-descriptions",
        explains: |difference| {
            difference.pointer.contains("/columnDefinitions/")
                && difference.pointer.ends_with("/description")
                && difference.ours.as_ref().is_some_and(|ours| ours == "")
        },
    },
    Rule {
        name: "build",
        explains: |difference| path(difference) == "/version" && difference.answers[1]["code"] == 200,
    },
    Rule { name: "pod-diff", explains: pod_diff },
    Rule {
        name: "address-objects",
        explains: |difference| {
            difference.answers.iter().all(|answer| answer["code"] == 422)
                && difference.answers[0]["body"]["message"].as_str().is_some_and(|message| {
                    message.contains("failed to allocate IP: IPAddress.networking.k8s.io")
                })
        },
    },
    Rule { name: "external-name", explains: external_name },
    Rule { name: "media-types", explains: fewer_media_types },
];

/// Two texts that are the same once `shorten` has taken something out of kube-apiserver's.
fn same_after(difference: &Difference, shorten: impl Fn(&str) -> String) -> bool {
    let text = |value: &Option<Value>| value.as_ref().and_then(Value::as_str).map(str::to_owned);
    match (text(&difference.truth), text(&difference.ours)) {
        (Some(truth), Some(ours)) => shorten(&truth) == ours,
        _ => false,
    }
}

/// In the refusal of an Accept header: the media types in which the sandbox does not answer.
fn fewer_media_types(difference: &Difference) -> bool {
    difference.answers.iter().all(|answer| answer["code"] == 406)
        && difference.pointer == "/body/message"
        && same_after(difference, |text| {
            let text = text.replace(", application/vnd.kubernetes.protobuf;stream=watch", "");
            text.replace(", application/yaml", "").replace(", application/vnd.kubernetes.protobuf", "")
        })
}

/// In the event of a watch: the policy of a Service that has become an ExternalName.
fn external_name(difference: &Difference) -> bool {
    let place = difference.pointer.strip_suffix("/internalTrafficPolicy");
    let spec = place.and_then(|place| difference.answers[1].pointer(place));
    difference.pointer.starts_with("/events/")
        && difference.ours.is_none()
        && spec.is_some_and(|spec| spec["type"] == "ExternalName")
}

/// The sentence is equal up to the end of Pods' fixed fields, and only what changed is not told.
fn pod_diff(difference: &Difference) -> bool {
    const END: &str = "(allow it to be set to 1 if it was previously negative)\n";
    let [Some(truth), Some(ours)] =
        [&difference.truth, &difference.ours].map(|value| value.as_ref().and_then(|value| value.as_str()))
    else {
        return false;
    };
    let Some((before, after)) = ours.split_once(END) else { return false };
    let rest = truth.strip_prefix(before).and_then(|rest| rest.strip_prefix(END));
    rest.and_then(|rest| rest.strip_suffix(after)).is_some_and(|diff| diff.starts_with("@@ "))
}

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
            | ["", "body", "items", _, "versions", _, "resources", _, "subresources"]
            | ["", "body", "items", _, "versions", _, "resources", _, "subresources", _]
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
