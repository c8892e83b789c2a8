//! Leases, as leader election uses them.

use serde_json::{Value, json};

use super::Scene;
use super::objects::*;
use crate::step::{Script, version};

pub const SCENES: &[Scene] = &[("an election", election), ("what a Lease may not be", invalid)];

fn held(name: &str, holder: &str, seen: Option<&str>) -> Value {
    let object = with(lease(name), "/spec/holderIdentity", json!(holder));
    match seen {
        Some(label) => with(object, "/metadata/resourceVersion", json!(version(label))),
        None => object,
    }
}

fn election(s: &mut Script) {
    s.get("leases/a");
    let list = s.get("leases?fieldSelector=metadata.name%3Da");
    let watch =
        s.watch(&format!("leases?fieldSelector=metadata.name%3Da&resourceVersion={}", version(&list)));
    let made = s.create("leases", held("a", "one", None));
    s.create("leases", held("a", "two", None));
    s.update(
        "leases/a",
        with(held("a", "one", Some(&made)), "/spec/renewTime", json!("2024-01-02T03:04:09.000001Z")),
    );
    s.update("leases/a", held("a", "two", Some(&made)));
    let now = s.get("leases/a");
    s.update("leases/a", with(held("a", "", Some(&now)), "/spec/leaseDurationSeconds", json!(1)));
    s.update("leases/a", with(held("a", "two", Some("leases/a")), "/spec/leaseTransitions", json!(1)));
    s.update("leases/a", held("a", "two", Some("leases/a")));
    s.update("leases/a", held("a", "two", Some("leases/a")));
    s.get("leases");
    s.delete("leases/a");
    s.events(&watch, "DELETED", "a");
}

fn invalid(s: &mut Script) {
    for (number, (pointer, value)) in [
        ("/spec/leaseDurationSeconds", json!(0)),
        ("/spec/leaseDurationSeconds", json!(-5)),
        ("/spec/leaseTransitions", json!(-1)),
        ("/spec/holderIdentity", json!("")),
        ("/spec/renewTime", json!("2024-01-02T03:04:05Z")),
        ("/spec/renewTime", json!("2024-01-02T03:04:05.123Z")),
        ("/spec/renewTime", json!("2024-01-02T03:04:05.123456+02:00")),
        ("/spec/renewTime", json!("2024-01-02")),
        ("/spec/renewTime", json!(5)),
        ("/spec/strategy", json!("OldestEmulationVersion")),
        ("/spec/strategy", json!("bad strategy")),
        ("/spec/preferredHolder", json!("x")),
        ("/spec", json!(null)),
        ("/spec", json!({})),
        ("/metadata/name", json!("a.b.c")),
    ]
    .into_iter()
    .enumerate()
    {
        s.create("leases", with(lease(&format!("s{number}")), pointer, value));
    }
}
