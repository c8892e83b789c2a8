//! What histories promise by themselves, without any server.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::support::history::{History, Kind, Outcome, Shape, apply_all};
use crate::support::{Stage, World, real};

#[test]
fn a_seed_is_a_history() {
    let shape = Shape::default();
    let (one, again) = (History::draw(7, &shape), History::draw(7, &shape));
    assert_eq!(one, again);
    assert_eq!(one.to_string(), again.to_string());
    assert_ne!(one.start, History::draw(8, &shape).start);
    let text = serde_json::to_string(&one).expect("a history as text");
    assert_eq!(serde_json::from_str::<History>(&text).expect("the same history"), one);
}

#[test]
fn a_part_of_a_history_keeps_its_changes_and_their_order() {
    let history = History::draw(3, &Shape::default());
    let numbers: BTreeSet<usize> =
        history.changes().map(|change| change.number).filter(|n| n % 3 == 0).collect();
    let part = history.only(&numbers);
    let kept: Vec<usize> = part.changes().map(|change| change.number).collect();
    assert_eq!(kept, numbers.into_iter().collect::<Vec<_>>());
}

/// What operations are called; each must come up.
const WHY: [&str; 70] = [
    "endpoints: annotations",
    "endpoints: applied again",
    "endpoints: deleted",
    "endpoints: labels",
    "endpoints: leader mark",
    "endpoints: new",
    "endpoints: no subsets",
    "endpoints: readiness",
    "endpoints: recreated",
    "endpoints: skip mark",
    "endpoints: subsets",
    "node: CPU",
    "node: appears",
    "node: readiness",
    "node: removed",
    "node: replaced",
    "node: role",
    "node: zone changed",
    "node: zone comes late",
    "node: zone removed",
    "pod: address reused",
    "pod: bound late",
    "pod: deleted",
    "pod: finalizer removed",
    "pod: first address",
    "pod: labels",
    "pod: new",
    "pod: not ready",
    "pod: other address",
    "pod: phase",
    "pod: ready",
    "pod: recreated",
    "pod: rolled",
    "pod: terminating",
    "pod: touched",
    "restart",
    "service: another's name",
    "service: back again",
    "service: deleted",
    "service: kind",
    "service: labels",
    "service: one family less",
    "service: one family more",
    "service: other selector",
    "service: ports",
    "service: ports and labels",
    "service: publishNotReadyAddresses",
    "service: recreated",
    "service: selector added",
    "service: selector emptied",
    "service: selector removed",
    "service: topology annotation",
    "service: trafficDistribution",
    "slice: annotation",
    "slice: deleted",
    "slice: emptied",
    "slice: endpoint added",
    "slice: endpoint dropped",
    "slice: endpoint twice",
    "slice: headless label",
    "slice: hint",
    "slice: label added",
    "slice: label removed",
    "slice: managed by another",
    "slice: no owner",
    "slice: of another Service",
    "slice: port",
    "slice: readiness",
    "slice: wrong owner",
    "start",
];

#[test]
fn a_hundred_seeds_do_every_operation() {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut large = 0;
    for seed in 0..100 {
        let history = History::draw(seed, &Shape::default());
        for change in history.changes() {
            *counts.entry(change.why.clone()).or_default() += 1;
            large += usize::from(change.operation.to_string().len() > 20_000);
        }
    }
    let missing: Vec<&str> = WHY.into_iter().filter(|why| !counts.contains_key(*why)).collect();
    assert_eq!(missing, Vec::<&str>::new(), "{counts:#?}");
    assert!(large > 0, "no Endpoints of more than 1000 addresses");
    println!("{counts:#?}");
}

#[tokio::test]
async fn an_api_server_takes_every_operation_and_stores_what_the_state_says() {
    let Some(stage) = real::exclusive().await else { return };
    for seed in 0..4 {
        let history = History::draw(seed, &Shape { auto_every: 4, ..Shape::default() });
        let world = World::named(stage.api(), &format!("history-{seed}")).await;
        let mut refused = apply_all(&world, &history.start).await;
        for change in history.steps.iter().flatten() {
            if let Outcome::Refused(why) = change.apply(&world).await {
                refused.push(format!("{change}: {why}"));
            }
        }
        assert!(refused.is_empty(), "seed {seed}: {refused:#?}");
        let state = history.end();
        for kind in [Kind::Node, Kind::Service, Kind::Pod, Kind::Endpoints] {
            let path = match kind {
                Kind::Node => "/api/v1/nodes".to_string(),
                _ => world.path(kind.collection()),
            };
            let mut stored = BTreeMap::new();
            for object in world.api().list(&path).await.expect("list objects") {
                let name = object["metadata"]["name"].as_str().unwrap_or_default();
                let prefix = format!("{}-", world.namespace());
                let own = if kind == Kind::Node { name.strip_prefix(&prefix) } else { Some(name) };
                own.map(|own| stored.insert(own.to_string(), decisive(&object, &prefix)));
            }
            let expected: BTreeMap<String, Value> =
                state.all(kind).map(|(name, object)| (name.to_string(), decisive(object, ""))).collect();
            for (name, object) in &expected {
                assert_eq!(stored.get(name), Some(object), "seed {seed}, {} {name}", kind.collection());
            }
            assert_eq!(stored.len(), expected.len(), "seed {seed}, {}", kind.collection());
        }
    }
}

/// What decides about slices, without what only the API server knows.
fn decisive(object: &Value, prefix: &str) -> Value {
    let (metadata, spec, status) = (&object["metadata"], &object["spec"], &object["status"]);
    let node = spec["nodeName"].as_str().map(|name| name.strip_prefix(prefix).unwrap_or(name));
    let headless = spec["clusterIP"] == "None";
    let some =
        |value: &Value| if value == &json!({}) || value == &json!([]) { Value::Null } else { value.clone() };
    let ports = spec["ports"].as_array().cloned().unwrap_or_default();
    let ports: Vec<Value> =
        ports.iter().map(|port| json!([port["name"], port["port"], port["appProtocol"]])).collect();
    // The API server copies the labels of the Node.
    let mut labels = metadata["labels"].clone();
    let copied = |key: &str| key.starts_with("topology.") && !spec["nodeName"].is_null();
    if let Some(labels) = labels.as_object_mut() {
        labels.retain(|key, _| !copied(key));
    }
    // It also regroups subsets, which keeps each pair of address and port.
    let mut pairs = BTreeSet::new();
    for subset in object["subsets"].as_array().into_iter().flatten() {
        for address in
            ["addresses", "notReadyAddresses"].iter().flat_map(|list| subset[list].as_array()).flatten()
        {
            let ports = subset["ports"].as_array().cloned().unwrap_or_default();
            let named =
                ports.iter().map(|port| json!([address["ip"], port["name"], port["port"]]).to_string());
            pairs.extend(named.chain([address["ip"].to_string()]));
        }
    }
    json!({
        "labels": labels, "annotations": some(&metadata["annotations"]),
        "going": metadata["deletionTimestamp"].is_string(), "finalizers": metadata["finalizers"],
        "selector": some(&spec["selector"]), "ports": ports, "headless": headless,
        "families": spec["ipFamilies"], "publish": spec["publishNotReadyAddresses"] == true,
        "distribution": spec["trafficDistribution"], "type": spec["type"].as_str().unwrap_or("ClusterIP"),
        "node": node, "hostname": spec["hostname"], "subdomain": spec["subdomain"],
        "ips": status["podIPs"], "conditions": status["conditions"].as_array().map(Vec::len),
        "phase": status["phase"], "cpu": status["allocatable"]["cpu"], "pairs": pairs,
    })
}
