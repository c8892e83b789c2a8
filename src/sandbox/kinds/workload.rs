//! Deployments and ReplicaSets: both have a selector, and a template of Pods that it must match.

use serde_json::{Value, json};

use crate::sandbox::status::{FieldError, Status};
use crate::sandbox::store::Transaction;

use super::field::{self, Path};
use super::{Strategy, formats, keep_other_half, list, metadata, pod, set};

/// How Deployments are treated.
pub struct Deployments;

/// How ReplicaSets are treated.
pub struct ReplicaSets;

const SPEC: Path<'_> = Path::new("spec");
const NOT_NEGATIVE: &str = "must be greater than or equal to 0";

impl Strategy for Deployments {
    fn go_type(&self) -> &'static str {
        "apps.Deployment"
    }

    fn default(&self, value: &mut Value) {
        let spec = &mut value["spec"];
        pod::default_spec(&mut spec["template"]["spec"]);
        for (name, number) in
            [("replicas", 1), ("revisionHistoryLimit", 10), ("progressDeadlineSeconds", 600)]
        {
            if spec[name].is_null() {
                spec[name] = number.into();
            }
        }
        let strategy = &mut spec["strategy"];
        if strategy["type"].is_null() {
            strategy["type"] = "RollingUpdate".into();
        }
        if strategy["type"] == "RollingUpdate" {
            for name in ["maxUnavailable", "maxSurge"] {
                if strategy["rollingUpdate"][name].is_null() {
                    strategy["rollingUpdate"][name] = "25%".into();
                }
            }
        }
    }

    fn on_create(&self, _: &Transaction<'_>, value: &mut Value) -> Result<(), Status> {
        value["status"] = json!({});
        Ok(())
    }

    fn on_update(
        &self,
        _: &Transaction<'_>,
        new: &mut Value,
        old: &Value,
        subresource: Option<&str>,
    ) -> Result<(), Status> {
        keep_other_half(new, old, subresource);
        if subresource == Some("status") {
            set(&mut new["metadata"], "labels", old["metadata"]["labels"].clone());
        }
        Ok(())
    }

    fn check(&self, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let mut wrong = check_metadata(new, old);
        if let Some(old) = old
            && old["status"] != new["status"]
        {
            let counts =
                ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas"];
            check_status(
                &new["status"],
                &counts,
                &["updatedReplicas", "readyReplicas", "availableReplicas"],
                &mut wrong,
            );
            return wrong;
        }
        let spec = &new["spec"];
        not_negative(spec, "replicas", &mut wrong);
        let readable = check_selector(spec, &mut wrong);
        check_template(spec, readable, &mut wrong);
        check_strategy(&spec["strategy"], &mut wrong);
        for name in ["minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"] {
            not_negative(spec, name, &mut wrong);
        }
        let (deadline, ready) =
            (&spec["progressDeadlineSeconds"], spec["minReadySeconds"].as_i64().unwrap_or(0));
        if deadline.as_i64().is_some_and(|seconds| seconds <= ready) {
            let path = SPEC.child("progressDeadlineSeconds");
            wrong.push(field::invalid(&path, deadline, "must be greater than minReadySeconds"));
        }
        selector_stays(new, old, &mut wrong);
        wrong
    }

    fn moves_generation(&self, new: &Value, old: &Value) -> bool {
        // Annotations say how it is rolled.
        new["spec"] != old["spec"]
            || new["status"] == old["status"]
                && new["metadata"]["annotations"] != old["metadata"]["annotations"]
    }

    fn warnings(&self, new: &Value, old: Option<&Value>) -> Vec<String> {
        name_warning(new, old)
    }
}

impl Strategy for ReplicaSets {
    fn go_type(&self) -> &'static str {
        "apps.ReplicaSet"
    }

    fn default(&self, value: &mut Value) {
        let spec = &mut value["spec"];
        pod::default_spec(&mut spec["template"]["spec"]);
        if spec["replicas"].is_null() {
            spec["replicas"] = 1.into();
        }
    }

    fn on_create(&self, _: &Transaction<'_>, value: &mut Value) -> Result<(), Status> {
        value["status"] = json!({"replicas": 0});
        Ok(())
    }

    fn on_update(
        &self,
        _: &Transaction<'_>,
        new: &mut Value,
        old: &Value,
        subresource: Option<&str>,
    ) -> Result<(), Status> {
        keep_other_half(new, old, subresource);
        Ok(())
    }

    fn check(&self, new: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let mut wrong = check_metadata(new, old);
        if let Some(old) = old
            && old["status"] != new["status"]
        {
            let counts = ["replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas"];
            check_status(&new["status"], &counts, &counts[1..], &mut wrong);
            return wrong;
        }
        let spec = &new["spec"];
        not_negative(spec, "replicas", &mut wrong);
        not_negative(spec, "minReadySeconds", &mut wrong);
        let readable = check_selector(spec, &mut wrong);
        check_template(spec, readable, &mut wrong);
        selector_stays(new, old, &mut wrong);
        wrong
    }

    fn warnings(&self, new: &Value, old: Option<&Value>) -> Vec<String> {
        name_warning(new, old)
    }
}

fn name_warning(new: &Value, old: Option<&Value>) -> Vec<String> {
    let name = new["metadata"]["name"].as_str().unwrap_or_default();
    let found = formats::dns_label(name);
    if old.is_some() || found.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS \
         label is recommended: [{}]",
        found.join(" ")
    )]
}

fn check_metadata(new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    match old {
        None => metadata::check(new, true, formats::dns_subdomain),
        Some(old) => {
            let mut wrong = metadata::check_common_update(new, old, true);
            wrong.extend(metadata::check_update(new, old));
            wrong
        }
    }
}

fn not_negative(spec: &Value, name: &str, wrong: &mut Vec<FieldError>) {
    if spec[name].as_i64().is_some_and(|number| number < 0) {
        wrong.push(field::invalid(&SPEC.child(name), &spec[name], NOT_NEGATIVE));
    }
}

fn selector_stays(new: &Value, old: Option<&Value>, wrong: &mut Vec<FieldError>) {
    if let Some(old) = old
        && old["spec"]["selector"] != new["spec"]["selector"]
    {
        let shown = super::schema::printed("meta.LabelSelector", &new["spec"]["selector"]);
        wrong.push(field::invalid_shown(&SPEC.child("selector"), &shown, "field is immutable"));
    }
}

/// Whether it can be used to select.
fn check_selector(spec: &Value, wrong: &mut Vec<FieldError>) -> bool {
    let before = wrong.len();
    let path = SPEC.child("selector");
    let selector = &spec["selector"];
    if selector.is_null() {
        wrong.push(field::required(&path, ""));
        return true;
    }
    wrong.extend(metadata::check_labels(&selector["matchLabels"], &path.child("matchLabels")));
    let at = path.child("matchExpressions");
    for (index, each) in list(&selector["matchExpressions"]).enumerate() {
        let at = at.index(index);
        let operator = each["operator"].as_str().unwrap_or_default();
        match (operator, each["values"].is_null()) {
            ("In" | "NotIn", true) => {
                let detail = "must be specified when `operator` is 'In' or 'NotIn'";
                wrong.push(field::required(&at.child("values"), detail));
            }
            ("Exists" | "DoesNotExist", false) => {
                let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                wrong.push(field::forbidden(&at.child("values"), detail));
            }
            ("In" | "NotIn" | "Exists" | "DoesNotExist", _) => {}
            _ => {
                let detail = "not a valid selector operator";
                wrong.push(field::invalid_text(&at.child("operator"), operator, detail));
            }
        }
        let key = each["key"].as_str().unwrap_or_default();
        wrong.extend(formats::all(&at.child("key"), key, formats::qualified_name));
        let at = at.child("values");
        for (index, value) in metadata::texts(&each["values"]).enumerate() {
            wrong.extend(formats::all(&at.index(index), value, formats::label_value));
        }
    }
    let readable = wrong.len() == before;
    if selector["matchLabels"].is_null() && selector["matchExpressions"].is_null() {
        wrong.push(field::invalid(&path, selector, "empty selector is invalid for deployment"));
    }
    readable
}

/// Whether labels are selected.
fn selects(selector: &Value, labels: &Value) -> bool {
    let label = |key: &str| labels[key].as_str();
    let equal = selector["matchLabels"]
        .as_object()
        .into_iter()
        .flatten()
        .all(|(key, value)| label(key) == value.as_str());
    equal
        && list(&selector["matchExpressions"]).all(|each| {
            let value = label(each["key"].as_str().unwrap_or_default());
            let among =
                value.is_some_and(|value| metadata::texts(&each["values"]).any(|other| other == value));
            match each["operator"].as_str() {
                Some("In") => among,
                Some("NotIn") => !among,
                Some("Exists") => value.is_some(),
                _ => value.is_none(),
            }
        })
}

fn check_template(spec: &Value, readable: bool, wrong: &mut Vec<FieldError>) {
    let path = SPEC.child("template");
    let (selector, template) = (&spec["selector"], &spec["template"]);
    if !readable {
        let shown = super::schema::printed("meta.LabelSelector", selector);
        wrong.push(field::invalid_shown(&SPEC.child("selector"), &shown, "invalid label selector"));
        return;
    }
    // No selector selects nothing, an empty one all.
    let labels = &template["metadata"]["labels"];
    if selector.is_null() || !selects(selector, labels) {
        let path = path.child("metadata");
        let detail = "`selector` does not match template `labels`";
        wrong.push(field::invalid(&path.child("labels"), labels, detail));
    }
    pod::check_template_metadata(&template["metadata"], &path, wrong);
    let path = path.child("spec");
    pod::check_spec(&template["spec"], &path, false, wrong);
    let policy = template["spec"]["restartPolicy"].as_str().unwrap_or_default();
    if policy != "Always" {
        wrong.push(field::not_supported(&path.child("restartPolicy"), policy, &["Always"]));
    }
    if !template["spec"]["activeDeadlineSeconds"].is_null() {
        let detail = "activeDeadlineSeconds in ReplicaSet is not Supported";
        wrong.push(field::forbidden(&path.child("activeDeadlineSeconds"), detail));
    }
}

fn check_strategy(strategy: &Value, wrong: &mut Vec<FieldError>) {
    let path = SPEC.child("strategy");
    match strategy["type"].as_str().unwrap_or_default() {
        "Recreate" => {
            if !strategy["rollingUpdate"].is_null() {
                let detail = "may not be specified when strategy `type` is 'Recreate'";
                wrong.push(field::forbidden(&path.child("rollingUpdate"), detail));
            }
        }
        "RollingUpdate" => {
            let path = path.child("rollingUpdate");
            let (most, surge) =
                (&strategy["rollingUpdate"]["maxUnavailable"], &strategy["rollingUpdate"]["maxSurge"]);
            number_or_percent(most, &path.child("maxUnavailable"), wrong);
            number_or_percent(surge, &path.child("maxSurge"), wrong);
            if count(most) == 0 && count(surge) == 0 {
                let detail = "may not be 0 when `maxSurge` is 0";
                wrong.push(invalid_number_or_percent(&path.child("maxUnavailable"), most, detail));
            }
            if most.is_string() && count(most) > 100 {
                let path = path.child("maxUnavailable");
                wrong.push(invalid_number_or_percent(&path, most, "must not be greater than 100%"));
            }
        }
        _ => {
            // Go prints a type here that has no names in JSON.
            let rolling = match &strategy["rollingUpdate"] {
                Value::Null => "null".to_owned(),
                rolling => format!(
                    "{{\"MaxUnavailable\":{},\"MaxSurge\":{}}}",
                    rolling["maxUnavailable"], rolling["maxSurge"]
                ),
            };
            let shown = format!("{{\"Type\":{},\"RollingUpdate\":{rolling}}}", strategy["type"]);
            let mut error = field::not_supported(&path, "", &["Recreate", "RollingUpdate"]);
            error.message = error.message.replacen("\"\"", &shown, 1);
            wrong.push(error);
        }
    }
}

fn count(value: &Value) -> i64 {
    match value.as_str() {
        Some(text) => text.strip_suffix('%').and_then(|number| number.parse().ok()).unwrap_or(0),
        None => value.as_i64().unwrap_or(0),
    }
}

/// It is shown as JSON.
fn invalid_number_or_percent(path: &Path<'_>, value: &Value, detail: &str) -> FieldError {
    field::invalid_shown(path, &value.to_string(), detail)
}

fn number_or_percent(value: &Value, path: &Path<'_>, wrong: &mut Vec<FieldError>) {
    match value.as_str() {
        Some(text) => {
            let number = text.strip_suffix('%').unwrap_or_default();
            if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
                let detail = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  \
                              or '93%', regex used for validation is '[0-9]+%')";
                wrong.push(invalid_number_or_percent(path, value, detail));
            }
        }
        None => {
            if value.as_i64().is_some_and(|number| number < 0) {
                wrong.push(field::invalid(path, value, NOT_NEGATIVE));
            }
        }
    }
}

fn check_status(status: &Value, counts: &[&str], parts: &[&str], wrong: &mut Vec<FieldError>) {
    let path = Path::new("status");
    let number = |name: &str| status[name].as_i64().unwrap_or(0);
    for name in counts.iter().chain(&["observedGeneration", "terminatingReplicas", "collisionCount"]) {
        if number(name) < 0 {
            wrong.push(field::invalid(&path.child(name), &status[*name], NOT_NEGATIVE));
        }
    }
    for name in parts {
        if number(name) > number("replicas") {
            let detail = "cannot be greater than status.replicas";
            wrong.push(field::invalid(&path.child(name), &status[*name], detail));
        }
    }
    if number("availableReplicas") > number("readyReplicas") {
        let path = path.child("availableReplicas");
        wrong.push(field::invalid(
            &path,
            &status["availableReplicas"],
            "cannot be greater than readyReplicas",
        ));
    }
}
