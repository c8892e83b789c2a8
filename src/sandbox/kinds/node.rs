//! Nodes.

use std::cmp::Ordering;

use serde_json::{Value, json};
use smol_str::SmolStr;

use crate::sandbox::status::{FieldError, Status};
use crate::sandbox::store::Transaction;

use super::field::{self, Path};
use super::{Strategy, formats, keep_other_half, list, metadata, schema, set};

/// How Nodes are treated.
pub struct Nodes;

impl Strategy for Nodes {
    fn go_type(&self) -> &'static str {
        "core.Node"
    }

    fn default(&self, value: &mut Value) {
        if value["status"]["allocatable"].is_null() {
            let capacity = value["status"]["capacity"].clone();
            set(&mut value["status"], "allocatable", capacity);
        }
        // Two names of the first one.
        let spec = &mut value["spec"];
        if let Some(cidr) = spec["podCIDR"].as_str()
            && spec["podCIDRs"][0] != cidr
        {
            spec["podCIDRs"] = json!([cidr]);
        }
        let first = spec["podCIDRs"][0].clone();
        set(spec, "podCIDR", first);
    }

    fn on_create(&self, _: &Transaction<'_>, value: &mut Value) -> Result<(), Status> {
        set(&mut value["spec"], "configSource", Value::Null);
        set(&mut value["status"], "config", Value::Null);
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
        let mut wrong = old.map_or_else(Vec::new, |old| metadata::check_common_update(new, old, false));
        if old.is_none_or(|old| old["status"] == new["status"]) {
            wrong.extend(metadata::check(new, false, formats::dns_subdomain));
            taints(&new["spec"]["taints"], &mut wrong);
            resources(&new["status"], &mut wrong);
            networks(&new["spec"]["podCIDRs"], &mut wrong);
        }
        if let Some(old) = old {
            update(new, old, &mut wrong);
        }
        wrong
    }

    fn fields(&self, value: &Value) -> Vec<(&'static str, SmolStr)> {
        let unschedulable = if value["spec"]["unschedulable"] == true { "true" } else { "false" };
        vec![("spec.unschedulable", unschedulable.into())]
    }
}

/// The networks of a Node's Pods: one of each family at most.
fn networks(value: &Value, wrong: &mut Vec<FieldError>) {
    let path = Path::new("spec");
    let path = path.child("podCIDRs");
    let before = wrong.len();
    let all: Vec<&str> = metadata::texts(value).collect();
    for (index, text) in all.iter().enumerate() {
        wrong.extend(formats::legacy_cidr(&path.index(index), text));
    }
    let six = all.iter().filter(|text| text.contains(':')).count();
    if wrong.len() == before && all.len() > 1 && (all.len() != 2 || six != 1) {
        let detail = "may specify no more than one CIDR for each IP family";
        wrong.push(field::invalid(&path, value, detail));
    }
}

fn update(new: &Value, old: &Value, wrong: &mut Vec<FieldError>) {
    wrong.extend(metadata::check_update(new, old));
    resources(&new["status"], wrong);
    let status = Path::new("status");
    let path = status.child("addresses");
    let mut seen = Vec::new();
    for (index, address) in list(&new["status"]["addresses"]).enumerate() {
        if seen.contains(&address) {
            let text = |name: &str| address[name].to_string();
            let shown = format!("{{\"Type\":{},\"Address\":{}}}", text("type"), text("address"));
            wrong.push(field::duplicate_shown(&path.index(index), &shown));
        }
        seen.push(address);
    }
    let path = Path::new("spec");
    let (now, before) = (&new["spec"], &old["spec"]);
    if !before["podCIDRs"].is_null() && now["podCIDRs"] != before["podCIDRs"] {
        let detail = "node updates may not change podCIDR except from \"\" to valid";
        let (now, before) = (&now["podCIDRs"], &before["podCIDRs"]);
        let times = if list(now).count() == list(before).count() {
            list(now).zip(list(before)).filter(|(now, before)| now != before).count()
        } else {
            1
        };
        for _ in 0..times {
            wrong.push(field::forbidden(&path.child("podCIDRs"), detail));
        }
    }
    if !before["providerID"].is_null() && now["providerID"] != before["providerID"] {
        let detail = "node updates may not change providerID except from \"\" to valid";
        wrong.push(field::forbidden(&path.child("providerID"), detail));
    }
    taints(&now["taints"], wrong);
}

fn taints(value: &Value, wrong: &mut Vec<FieldError>) {
    // They are told at `metadata.taints`, as upstream does.
    let path = Path::new("metadata");
    let path = path.child("taints");
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for (index, taint) in list(value).enumerate() {
        let path = path.index(index);
        let text = |name: &str| taint[name].as_str().unwrap_or_default();
        wrong.extend(formats::all(&path.child("key"), text("key"), formats::qualified_name));
        let found = formats::label_value(text("value"));
        if !found.is_empty() {
            wrong.push(field::invalid_text(&path.child("value"), text("value"), &found.join(";")));
        }
        let effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
        match text("effect") {
            "" => wrong.push(field::required(&path.child("effect"), "")),
            effect if !effects.contains(&effect) => {
                wrong.push(field::not_supported(&path.child("effect"), effect, &effects));
            }
            _ => {}
        }
        let this = (text("effect"), text("key"));
        if seen.contains(&this) {
            let shown = format!(
                "{{\"Key\":{},\"Value\":{},\"Effect\":{},\"TimeAdded\":{}}}",
                json!(text("key")),
                json!(text("value")),
                json!(text("effect")),
                taint["timeAdded"]
            );
            let mut error = field::duplicate_shown(&path, &shown);
            error.message.push_str(": taints must be unique by key and effect pair");
            wrong.push(error);
        }
        seen.push(this);
    }
}

fn resources(status: &Value, wrong: &mut Vec<FieldError>) {
    let path = Path::new("status");
    for name in ["capacity", "allocatable"] {
        let path = path.child(name);
        for (resource, quantity) in status[name].as_object().into_iter().flatten() {
            let quantity = quantity.as_str().unwrap_or_default();
            if schema::compare_quantities(quantity, "0") == Some(Ordering::Less) {
                let detail = "must be greater than or equal to 0";
                wrong.push(field::invalid_text(&path.child(resource), quantity, detail));
            }
        }
    }
}
