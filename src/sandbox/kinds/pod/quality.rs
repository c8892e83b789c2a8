//! The quality of service of a Pod, from what its containers ask for.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::Value;

use super::super::schema::{add_quantities, compare_quantities};
use super::list;

const COUNTED: [&str; 2] = ["cpu", "memory"];

/// `BestEffort`, `Burstable` or `Guaranteed`.
pub(super) fn class(spec: &Value) -> &'static str {
    let (mut requests, mut limits) = (BTreeMap::new(), BTreeMap::new());
    let mut all_limited = true;
    let whole = &spec["resources"];
    if whole.is_null() {
        for container in list(&spec["containers"]).chain(list(&spec["initContainers"])) {
            add(&mut requests, &container["resources"]["requests"]);
            all_limited &= add(&mut limits, &container["resources"]["limits"]) == COUNTED.len();
        }
    } else {
        add(&mut requests, &whole["requests"]);
        let found = add(&mut limits, &whole["limits"]);
        all_limited &= whole["limits"].is_null() || found == COUNTED.len();
    }
    if requests.is_empty() && limits.is_empty() {
        return "BestEffort";
    }
    let equal = requests.len() == limits.len()
        && requests.iter().all(|(name, quantity)| {
            limits.get(name).and_then(|limit| compare_quantities(limit, quantity)) == Some(Ordering::Equal)
        });
    if all_limited && equal { "Guaranteed" } else { "Burstable" }
}

/// Adds what is positive, and tells how many there were.
fn add(sums: &mut BTreeMap<&'static str, String>, quantities: &Value) -> usize {
    let mut found = 0;
    for name in COUNTED {
        let Some(quantity) = quantities[name].as_str() else { continue };
        if compare_quantities(quantity, "0") != Some(Ordering::Greater) {
            continue;
        }
        found += 1;
        let sum = sums.entry(name).or_insert_with(|| "0".to_owned());
        if let Some(more) = add_quantities(sum, quantity) {
            *sum = more;
        }
    }
    found
}
