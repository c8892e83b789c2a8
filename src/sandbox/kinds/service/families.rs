//! Which IP families a Service has: from what is asked for, and from what it had.

use serde_json::{Value, json};

use crate::sandbox::status::{FieldError, Status};

use super::super::field::{self, Path};
use super::super::{formats, set};
use super::{
    EXTERNAL_NAME, NONE, PREFER, REQUIRE, SINGLE, V4, V6, cluster_ip, cluster_ips, families, family_of,
    headless, kind, other_family, policy, refused,
};

const SPEC: Path<'_> = Path::new("spec");

/// Whether an update keeps a Service that prefers two families as it is.
pub(super) fn stays_preferring(new: &Value, old: &Value) -> bool {
    policy(new) == PREFER
        && kind(new) == kind(old)
        && kind(new) != EXTERNAL_NAME
        && matches!(policy(old), PREFER | "")
        && cluster_ips(new).eq(cluster_ips(old))
        && families(new).eq(families(old))
}

/// Sets `ipFamilyPolicy` and `ipFamilies`. `old` is what an update changes.
pub(super) fn settle(new: &mut Value, old: Option<&Value>) -> Result<(), Status> {
    if kind(new) == EXTERNAL_NAME || old.is_some_and(|old| stays_preferring(new, old)) {
        return Ok(());
    }
    let selectorless = cluster_ip(new) == NONE && new["spec"]["selector"].is_null();
    if policy(new).is_empty() {
        let before = old.map(policy).unwrap_or_default();
        let policy = match before {
            "" if selectorless => REQUIRE,
            "" => SINGLE,
            before => before,
        };
        set(&mut new["spec"], "ipFamilyPolicy", policy.into());
    }
    let wrong = check(new, old);
    if !wrong.is_empty() {
        return Err(refused(new, &wrong));
    }
    let mut wrong = Vec::new();
    if let Some(old) = old {
        release(new, old, &mut wrong);
    }
    contradictions(new, &mut wrong);
    let mut list: Vec<String> = families(new).map(str::to_owned).collect();
    for (index, ip) in cluster_ips(new).enumerate() {
        if ip == NONE {
            break;
        }
        if index >= list.len() {
            list.push(family_of(ip).to_owned());
        }
    }
    if !wrong.is_empty() {
        return Err(refused(new, &wrong));
    }
    if list.is_empty() {
        list.push(V4.to_owned());
    }
    if policy(new) != SINGLE && list.len() == 1 {
        list.push(other_family(&list[0]).to_owned());
    }
    set(&mut new["spec"], "ipFamilies", json!(list));
    Ok(())
}

/// What an update gives back.
fn release(new: &mut Value, old: &Value, wrong: &mut Vec<FieldError>) {
    let path = SPEC.child("ipFamilyPolicy");
    if policy(new) == SINGLE {
        if cluster_ips(new).eq(cluster_ips(old)) {
            shorten(&mut new["spec"], "clusterIPs");
        }
        if families(new).eq(families(old)) {
            shorten(&mut new["spec"], "ipFamilies");
        }
        return;
    }
    let fewer = |new: usize, old: usize| new != 0 && new < old;
    let value = &new["spec"]["ipFamilyPolicy"];
    if fewer(cluster_ips(new).count(), cluster_ips(old).count()) {
        let detail = "must be 'SingleStack' to release the secondary cluster IP";
        wrong.push(field::invalid(&path, value, detail));
    }
    if fewer(families(new).count(), families(old).count()) {
        let detail = "must be 'SingleStack' to release the secondary IP family";
        wrong.push(field::invalid(&path, value, detail));
    }
}

fn shorten(spec: &mut Value, name: &str) {
    if let Some(list) = spec.get_mut(name).and_then(Value::as_array_mut) {
        list.truncate(1);
    }
}

fn contradictions(new: &Value, wrong: &mut Vec<FieldError>) {
    if policy(new) != SINGLE {
        return;
    }
    let path = SPEC.child("ipFamilyPolicy");
    let value = &new["spec"]["ipFamilyPolicy"];
    if cluster_ips(new).count() == 2 {
        let detail =
            "must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified";
        wrong.push(field::invalid(&path, value, detail));
    }
    if families(new).count() == 2 {
        let detail =
            "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified";
        wrong.push(field::invalid(&path, value, detail));
    }
}

/// What is wrong with `clusterIP`, `clusterIPs`, `ipFamilies` and `ipFamilyPolicy`.
pub(super) fn check(new: &Value, old: Option<&Value>) -> Vec<FieldError> {
    if kind(new) == EXTERNAL_NAME {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    let path = SPEC.child("clusterIPs");
    let value = &new["spec"]["clusterIPs"];
    match (cluster_ip(new), cluster_ips(new).next()) {
        ("", None) => {}
        ("", Some(_)) => {
            let detail = "must be empty when `clusterIP` is not specified";
            wrong.push(field::invalid(&path, value, detail));
        }
        (_, None) => wrong.push(field::required(&path, "")),
        (one, Some(first)) if one != first => {
            wrong.push(field::invalid(&path, value, "first value must match `clusterIP`"));
        }
        _ => {}
    }
    let at = SPEC.child("ipFamilies");
    let list: Vec<&str> = families(new).collect();
    for (index, family) in list.iter().enumerate() {
        if ![V4, V6].contains(family) {
            wrong.push(field::not_supported(&at.index(index), family, &[V4, V6]));
        }
        if list[..index].contains(family) {
            wrong.push(field::duplicate(&at.index(index), &json!(family)));
        }
    }
    let all = [PREFER, REQUIRE, SINGLE];
    if !policy(new).is_empty() && !all.contains(&policy(new)) {
        wrong.push(field::not_supported(&SPEC.child("ipFamilyPolicy"), policy(new), &all));
    }
    addresses(new, old, &path, &list, &mut wrong);
    wrong
}

fn addresses(new: &Value, old: Option<&Value>, path: &Path<'_>, list: &[&str], wrong: &mut Vec<FieldError>) {
    let value = &new["spec"]["clusterIPs"];
    let ips: Vec<&str> = cluster_ips(new).collect();
    let mut bad = false;
    for (index, ip) in ips.iter().enumerate() {
        if index == 0 && *ip == NONE {
            if ips.len() > 1 {
                bad = true;
                wrong.push(field::invalid(path, value, "'None' must be the first and only value"));
            }
            continue;
        }
        if old.is_some_and(|old| cluster_ips(old).any(|old| old == *ip)) {
            continue;
        }
        let found = formats::legacy_ip(&path.index(index), ip);
        bad |= !found.is_empty();
        wrong.extend(found);
    }
    if ips.len() > 2 {
        wrong.push(field::invalid(path, value, "may only hold up to 2 values"));
    }
    if bad {
        return;
    }
    if ips.len() > 1 && ips.iter().all(|ip| family_of(ip) == family_of(ips[0])) {
        wrong.push(field::invalid(path, value, "may specify no more than one IP for each IP family"));
    }
    if headless(new) {
        return;
    }
    for (index, (ip, family)) in ips.iter().zip(list).enumerate() {
        if [V4, V6].contains(family) && family_of(ip) != *family {
            let detail = format!("expected an {family} value as indicated by `ipFamilies[{index}]`");
            wrong.push(field::invalid_text(&path.index(index), ip, &detail));
        }
    }
}
