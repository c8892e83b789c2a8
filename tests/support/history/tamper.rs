//! What somebody else does to slices: tenants, other controllers, people with kubectl.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::world::{MANAGED_BY, MIRRORING_LOOP, SELECTOR_LOOP, SERVICE_NAME, TRIGGER_TIME, World};
use super::apply::Outcome;

/// A change of one slice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tampering {
    Delete,
    /// The first endpoint is gone.
    DropEndpoint,
    /// All endpoints are gone.
    Empty,
    /// An address of nobody is there.
    AddEndpoint(String),
    /// The first endpoint is not ready, or ready.
    FlipReady,
    /// The first endpoint is there twice.
    Duplicate,
    /// The first endpoint hints at another zone.
    WrongHint,
    /// The first port has another number.
    WrongPort,
    Label(String, String),
    /// A label is taken off.
    Unlabel(String),
    /// It says that its Service is headless, or no longer does.
    FlipHeadless,
    Annotate(String, String),
    /// The owner's uid is another one.
    WrongOwner,
    NoOwner,
    /// Somebody else takes it over; only where it is the one slice of its type and ports.
    TakeOver(String),
    /// It claims to be another Service's; only where it is the one slice of its type and ports.
    ServiceName(String),
}

const HEADLESS: &str = "service.kubernetes.io/headless";

/// Whether one of the two loops manages this slice.
pub fn ours(slice: &Value) -> bool {
    let by = &slice["metadata"]["labels"][MANAGED_BY];
    by == SELECTOR_LOOP || by == MIRRORING_LOOP
}

/// What a slice says, as an order that is the same on both twins: without uids, names and times.
fn order(slice: &Value) -> String {
    let mut ports = slice["ports"].as_array().cloned().unwrap_or_default();
    ports.sort_by_key(Value::to_string);
    let labels = &slice["metadata"]["labels"];
    let mut addresses: Vec<&Value> =
        slice["endpoints"].as_array().into_iter().flatten().map(|one| &one["addresses"]).collect();
    addresses.sort_by_key(|addresses| addresses.to_string());
    json!([labels[MANAGED_BY], slice["addressType"], ports, addresses]).to_string()
}

fn group(slice: &Value) -> String {
    let mut ports = slice["ports"].as_array().cloned().unwrap_or_default();
    ports.sort_by_key(Value::to_string);
    json!([slice["metadata"]["labels"][MANAGED_BY], slice["addressType"], ports]).to_string()
}

/// Whether nobody repairs the slices of the selector loop that this Service has.
async fn left_behind(world: &World, service: &str) -> bool {
    let Ok(found) = world.api().get(&format!("{}/{service}", world.path("services"))).await else {
        return false;
    };
    let spec = &found["spec"];
    spec["type"] == "ExternalName" || spec["selector"].as_object().is_none_or(|pairs| pairs.is_empty())
}

/// Tampers with the n-th slice of the Service, or one of them when there are fewer. What is not
/// repaired is tampered with only where it is the one slice of its type and ports: how endpoints are
/// spread over several differs between the twins, and so would the slice that is hit (seed 106).
pub async fn tamper(world: &World, service: &str, nth: usize, how: &Tampering) -> Outcome {
    let lasting = matches!(how, Tampering::TakeOver(_) | Tampering::ServiceName(_))
        || left_behind(world, service).await;
    for _ in 0..8 {
        let mut slices = world.slices(service).await;
        slices.retain(|slice| ours(slice) && !slice["metadata"]["deletionTimestamp"].is_string());
        slices.sort_by_key(order);
        if slices.is_empty() {
            return Outcome::Missing;
        }
        let slice = &slices[nth % slices.len()];
        let alone = slices.iter().filter(|other| group(other) == group(slice)).count() == 1;
        if lasting && !alone {
            return Outcome::Missing;
        }
        let name = slice["metadata"]["name"].as_str().unwrap_or_default();
        let path = format!("{}/{name}", world.path("endpointslices"));
        let answer = match tampered(slice, how) {
            Some(changed) => world.api().update(&path, &changed).await,
            None if *how == Tampering::Delete => world.api().delete(&path).await,
            None => return Outcome::Missing,
        };
        match answer {
            Ok(_) => return Outcome::Done,
            // A controller was faster.
            Err(refusal) if refusal.code == 409 || refusal.code == 404 => {}
            Err(refusal) => return Outcome::Refused(refusal.to_string()),
        }
    }
    Outcome::Missing
}

fn tampered(slice: &Value, how: &Tampering) -> Option<Value> {
    let mut slice = slice.clone();
    let mut endpoints = slice["endpoints"].as_array().cloned().unwrap_or_default();
    endpoints.sort_by_key(|one| one["addresses"].to_string());
    let some = !endpoints.is_empty();
    match how {
        Tampering::Delete => return None,
        Tampering::DropEndpoint if some => drop(endpoints.remove(0)),
        Tampering::Empty if some => endpoints.clear(),
        Tampering::AddEndpoint(v4) => {
            let address = if slice["addressType"] == "IPv6" { "2001:db8::bad" } else { v4 };
            endpoints.push(json!({"addresses": [address], "conditions": {"ready": true}}));
        }
        Tampering::FlipReady if some => {
            let ready = endpoints[0]["conditions"]["ready"] == true;
            endpoints[0]["conditions"]["ready"] = json!(!ready);
        }
        Tampering::Duplicate if some => endpoints.push(endpoints[0].clone()),
        Tampering::WrongHint if some => {
            endpoints[0]["hints"] = json!({"forZones": [{"name": "zone-nowhere"}]});
        }
        Tampering::WrongPort => {
            let port = slice["ports"].as_array_mut()?.first_mut()?;
            port["port"] = json!(9);
        }
        Tampering::Label(key, value) => slice["metadata"]["labels"][key] = json!(value),
        Tampering::Unlabel(key) => drop(slice["metadata"]["labels"].as_object_mut()?.remove(key)?),
        Tampering::FlipHeadless => {
            let labels = slice["metadata"]["labels"].as_object_mut()?;
            if labels.remove(HEADLESS).is_none() {
                labels.insert(HEADLESS.to_string(), json!(""));
            }
        }
        Tampering::Annotate(key, value) => slice["metadata"]["annotations"][key] = json!(value),
        Tampering::WrongOwner => {
            slice["metadata"]["ownerReferences"].as_array_mut()?.first_mut()?["uid"] =
                json!("00000000-0000-4000-8000-000000000000");
        }
        Tampering::NoOwner => slice["metadata"]["ownerReferences"] = json!([]),
        Tampering::TakeOver(by) => slice["metadata"]["labels"][MANAGED_BY] = json!(by),
        Tampering::ServiceName(service) => slice["metadata"]["labels"][SERVICE_NAME] = json!(service),
        _ => return None,
    }
    if let Some(annotations) = slice["metadata"]["annotations"].as_object_mut() {
        annotations.remove(TRIGGER_TIME);
    }
    slice["endpoints"] = Value::Array(endpoints);
    Some(slice)
}
