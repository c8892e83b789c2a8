//! Tables, cell by cell beside the real server: lists, single objects and watches, with everything
//! that `includeObject` can ask for.

use endpointslice_controller::sandbox::{Kind, table};
use http::Request;
use http_body_util::BodyExt;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use super::objects;
use super::sides::path_of;
use super::support::real::exclusive;
use super::support::{Api, Stage};

const ACCEPT: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

async fn as_table(api: &Api, path: &str) -> Value {
    let request = Request::get(path).header("accept", ACCEPT).body(Vec::new()).expect("a request");
    let answer = api.ask(request).await.expect("an answer");
    serde_json::from_slice(answer.body()).expect("JSON")
}

/// Ours must equal the real one at some moment while it was asked for: ages move.
fn assert_equal_between(what: &str, from: Timestamp, real: &Value, ours: impl Fn(Timestamp) -> Value) {
    let until = Timestamp::now();
    let mut now = from;
    loop {
        let at_now = ours(now);
        if at_now == *real {
            return;
        }
        if now >= until {
            assert_eq!(at_now, *real, "{what}");
            return;
        }
        now = now.saturating_add(50.milliseconds()).expect("a time").min(until);
    }
}

/// The folder of a kind's objects, in `default` where it has namespaces.
fn folder(kind: Kind) -> String {
    let metadata = if kind.info().namespaced { json!({"namespace": "default"}) } else { json!({}) };
    path_of(kind, &json!({"metadata": metadata}))
}

async fn make(api: &Api, kind: Kind, name: &str, mut object: Value) {
    object["metadata"]["name"] = name.into();
    let stored =
        api.create(&folder(kind), &object).await.unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
    if object["status"].is_object() {
        let mut with_status = stored;
        with_status["status"] = object["status"].clone();
        let path = format!("{}/{name}/status", folder(kind));
        api.update(&path, &with_status).await.unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
    }
}

fn edited(mut object: Value, edit: impl FnOnce(&mut Value)) -> Value {
    edit(&mut object);
    object
}

/// One Pod for each way in which its state can be told.
fn pods() -> Vec<Value> {
    let plain = || {
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "default"},
            "spec": {"containers": [{"name": "a", "image": "a"}, {"name": "b", "image": "b"}]},
        })
    };
    let running = |name: &str| {
        json!({"name": name, "image": "a", "imageID": "", "ready": true, "restartCount": 0,
               "state": {"running": {"startedAt": "2026-01-02T03:04:05Z"}}})
    };
    let state = |name: &str, state: Value| json!({"name": name, "image": "a", "imageID": "", "ready": false, "restartCount": 0, "state": state});
    let with = |status: Value| edited(plain(), |pod| pod["status"] = status);
    let ended = |code: i64, reason: &str, signal: i64| json!({"terminated": {"exitCode": code, "reason": reason, "signal": signal}});
    let containers =
        |one: Value, two: Value, phase: &str| with(json!({"phase": phase, "containerStatuses": [one, two]}));
    let init = |statuses: Value, conditions: Value| {
        edited(plain(), |pod| {
            pod["spec"]["initContainers"] = json!([
                {"name": "i", "image": "i"}, {"name": "side", "image": "s", "restartPolicy": "Always"}, {"name": "j", "image": "j"},
            ]);
            pod["status"] =
                json!({"phase": "Pending", "conditions": conditions, "initContainerStatuses": statuses});
        })
    };
    let restarted = edited(running("a"), |status| {
        status["restartCount"] = 4.into();
        status["lastState"] = json!({"terminated": {"exitCode": 1, "finishedAt": "2026-01-02T03:04:05Z"}});
    });
    let started_side = edited(running("side"), |status| {
        status["started"] = true.into();
        status["restartCount"] = 2.into();
        status["lastState"] = json!({"terminated": {"exitCode": 1, "finishedAt": "2026-03-02T03:04:05Z"}});
    });
    let ready = json!([{"type": "Ready", "status": "True"}, {"type": "Initialized", "status": "True"}]);
    let mut all = vec![
        plain(),
        containers(running("a"), running("b"), "Running"),
        containers(restarted.clone(), running("b"), "Running"),
        containers(state("a", json!({"waiting": {"reason": "CrashLoopBackOff"}})), running("b"), "Running"),
        containers(
            state("a", json!({"waiting": {"reason": "ContainerCreating"}})),
            state("b", json!({"waiting": {}})),
            "Pending",
        ),
        containers(state("a", ended(0, "Completed", 0)), running("b"), "Running"),
        containers(state("a", ended(0, "Completed", 0)), state("b", ended(0, "Completed", 0)), "Succeeded"),
        containers(state("a", ended(0, "Completed", 0)), state("b", ended(3, "Error", 0)), "Failed"),
        containers(state("a", ended(3, "", 0)), running("b"), "Running"),
        containers(state("a", ended(3, "", 9)), running("b"), "Running"),
        with(json!({"phase": "Failed", "reason": "Evicted"})),
        with(
            json!({"phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}],
                    "nominatedNodeName": "rich"}),
        ),
        edited(containers(state("a", ended(0, "Completed", 0)), running("b"), "Running"), |pod| {
            pod["status"]["conditions"] = ready.clone();
        }),
        init(json!([state("i", json!({"running": {}}))]), json!([])),
        init(json!([state("i", json!({"waiting": {"reason": "PodInitializing"}}))]), json!([])),
        init(json!([state("i", json!({"waiting": {"reason": "ImagePullBackOff"}}))]), json!([])),
        init(json!([state("i", ended(1, "Error", 0))]), json!([])),
        init(json!([state("i", ended(1, "", 0))]), json!([])),
        init(json!([state("i", ended(1, "", 15))]), json!([])),
        init(
            json!([state("i", ended(0, "Completed", 0)), started_side, state("j", json!({"waiting": {}}))]),
            json!([]),
        ),
        edited(
            init(json!([state("i", ended(0, "", 0)), started_side, state("j", ended(0, "", 0))]), ready),
            |pod| {
                pod["status"]["containerStatuses"] = json!([restarted, running("b")]);
            },
        ),
        edited(plain(), |pod| pod["spec"]["schedulingGates"] = json!([{"name": "example.com/gate"}])),
        edited(
            with(json!({"phase": "Running", "conditions": [{"type": "example.com/one", "status": "True"}]})),
            |pod| {
                pod["spec"]["readinessGates"] =
                    json!([{"conditionType": "example.com/one"}, {"conditionType": "example.com/two"}]);
                pod["spec"]["nodeName"] = "rich".into();
            },
        ),
    ];
    for reason in ["", "NodeLost"] {
        all.push(edited(with(json!({"phase": "Running", "reason": reason})), |pod| {
            pod["metadata"]["finalizers"] = json!(["example.com/a"]);
            pod["metadata"]["labels"] = json!({"goes": "away"});
        }));
    }
    all
}

fn services() -> Vec<Value> {
    let service = |spec: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "default"}, "spec": spec});
    let balanced = |ingress: Value, external: Value| {
        edited(
            service(json!({"type": "LoadBalancer", "ports": [{"port": 80}], "externalIPs": external})),
            |service| service["status"] = json!({"loadBalancer": {"ingress": ingress}}),
        )
    };
    vec![
        objects::service(),
        service(json!({"clusterIP": "None", "selector": {"b": "2", "a": "1"}})),
        service(
            json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 30123, "name": "a"}, {"port": 81, "protocol": "UDP", "name": "b", "nodePort": 30124}]}),
        ),
        service(json!({"type": "ExternalName", "externalName": "example.com"})),
        balanced(json!([]), json!([])),
        balanced(
            json!([{"ip": "192.0.2.7"}, {"hostname": "b.example.com"}, {"ip": "192.0.2.1"}]),
            json!(["192.0.2.9"]),
        ),
        balanced(json!([{"hostname": "a-very-long-name.example.com"}]), json!([])),
    ]
}

fn others() -> Vec<(Kind, Value)> {
    let empty_slice = edited(objects::endpoint_slice(), |slice| {
        slice["endpoints"] = json!([]);
        slice["ports"] = json!([]);
    });
    let many_ports = edited(objects::endpoint_slice(), |slice| {
        slice["ports"] = json!([{"name": "a", "port": 1}, {"name": "only-a-name"}, {"name": "c", "port": 3},
                                {"name": "d", "port": 4}, {"name": "e", "port": 5}]);
    });
    let any_port = edited(objects::endpoint_slice(), |slice| slice["ports"] = json!([{"name": ""}]));
    let no_subsets = edited(objects::endpoints(), |endpoints| endpoints["subsets"] = json!([]));
    let not_ready = edited(objects::endpoints(), |endpoints| {
        endpoints["subsets"] = json!([{"notReadyAddresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}]);
    });
    let no_ports = edited(objects::endpoints(), |endpoints| {
        endpoints["subsets"] = json!([{"addresses": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}, {"ip": "10.0.0.3"}, {"ip": "10.0.0.4"}]}]);
    });
    let series = json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"namespace": "default"},
        "involvedObject": {"kind": "Node", "name": "x", "namespace": "default"}, "type": "Warning", "reason": "Why",
        "message": "m", "reportingComponent": "us", "reportingInstance": "us-1", "action": "Acting",
        "eventTime": "2026-01-02T03:04:05.000001Z",
        "series": {"count": 7, "lastObservedTime": "2026-03-02T03:04:05.123456Z"},
    });
    let single = edited(series.clone(), |event| {
        event["series"] = Value::Null;
        event["involvedObject"]["name"] = Value::Null;
    });
    let cordoned = json!({
        "apiVersion": "v1", "kind": "Node", "spec": {"unschedulable": true}, "metadata": {},
        "status": {"conditions": [{"type": "Ready", "status": "Unknown"}],
                   "addresses": [{"type": "ExternalIP", "address": "192.0.2.3"}]},
    });
    let terminating = edited(objects::namespace(), |namespace| {
        namespace["metadata"]["finalizers"] = json!(["example.com/a"]);
    });
    let selected = edited(objects::deployment(), |deployment| {
        deployment["spec"]["selector"] = json!({
            "matchLabels": {"app": "example"},
            "matchExpressions": [{"key": "tier", "operator": "In", "values": ["front", "back"]},
                                 {"key": "a", "operator": "DoesNotExist"}, {"key": "app", "operator": "Exists"},
                                 {"key": "zone", "operator": "NotIn", "values": ["x"]}],
        });
        deployment["status"] = json!({"replicas": 3, "updatedReplicas": 3, "readyReplicas": 2, "availableReplicas": 1,
                                      "unavailableReplicas": 2});
    });
    let counted = edited(objects::replica_set(), |replica_set| {
        replica_set["status"] = json!({"replicas": 3, "readyReplicas": 2, "fullyLabeledReplicas": 3});
    });
    vec![
        (Kind::EndpointSlice, objects::endpoint_slice()),
        (Kind::EndpointSlice, empty_slice),
        (Kind::EndpointSlice, many_ports),
        (Kind::EndpointSlice, any_port),
        (Kind::Endpoints, objects::endpoints()),
        (Kind::Endpoints, no_subsets),
        (Kind::Endpoints, not_ready),
        (Kind::Endpoints, no_ports),
        (Kind::Event, objects::event()),
        (Kind::Event, series),
        (Kind::Event, single),
        (Kind::Node, objects::node()),
        (Kind::Node, cordoned),
        (Kind::Node, json!({"apiVersion": "v1", "kind": "Node", "metadata": {}})),
        (Kind::Namespace, objects::namespace()),
        (Kind::Namespace, terminating),
        (Kind::Lease, objects::lease()),
        (Kind::Lease, edited(objects::lease(), |lease| lease["spec"] = json!({}))),
        (Kind::Deployment, objects::deployment()),
        (Kind::Deployment, selected),
        (Kind::ReplicaSet, objects::replica_set()),
        (Kind::ReplicaSet, counted),
    ]
}

async fn lists(api: &Api, kind: Kind) {
    for (word, include) in [
        ("", table::Include::Metadata),
        ("None", table::Include::None),
        ("Metadata", table::Include::Metadata),
        ("Object", table::Include::Object),
    ] {
        let options = table::Options::of_query(Some(word)).expect("a word that is known");
        assert_eq!(options, table::Options { include, headers: true });
        let from = Timestamp::now();
        let real = as_table(api, &format!("{}?includeObject={word}", folder(kind))).await;
        let plain = api.get(&folder(kind)).await.expect("the list");
        assert_equal_between(&format!("{kind:?} {word}"), from, &real, |now| {
            table::of_list(kind, &plain, &options, now)
        });
        let item = &plain["items"][0];
        let path = format!("{}/{}", folder(kind), item["metadata"]["name"].as_str().expect("a name"));
        let from = Timestamp::now();
        let real = as_table(api, &format!("{path}?includeObject={word}")).await;
        let object = api.get(&path).await.expect("the object");
        assert_equal_between(&path, from, &real, |now| table::of_object(kind, &object, &options, now));
    }
}

/// The first two events: only one of them tells the columns.
async fn watches(api: &Api) {
    let plain = api.get(&folder(Kind::Pod)).await.expect("the list");
    let from = Timestamp::now();
    let request = Request::get(format!("{}?watch=true", folder(Kind::Pod)))
        .header("accept", ACCEPT)
        .body(Vec::new())
        .expect("a request");
    let mut body = api.open(request).await.expect("a watch").into_body();
    let mut text = Vec::new();
    while text.iter().filter(|byte| **byte == b'\n').count() < 2 {
        let frame = body.frame().await.expect("more of the watch").expect("a frame");
        text.extend_from_slice(frame.data_ref().expect("data"));
    }
    for (line, headers) in text.split(|byte| *byte == b'\n').zip([true, false]) {
        let event: Value = serde_json::from_slice(line).expect("JSON");
        let name = &event["object"]["rows"][0]["cells"][0];
        let items = plain["items"].as_array().expect("items");
        let object = items.iter().find(|item| item["metadata"]["name"] == *name).expect("one of the list");
        let options = table::Options { include: table::Include::Metadata, headers };
        assert_equal_between("a watch", from, &event["object"], |now| {
            table::of_object(Kind::Pod, object, &options, now)
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_has_the_cells_that_the_real_server_sends() {
    let Some(stage) = exclusive().await else { return };
    let api = stage.api();
    for (number, pod) in pods().into_iter().enumerate() {
        make(api, Kind::Pod, &format!("p-{number:02}"), pod).await;
    }
    for (number, service) in services().into_iter().enumerate() {
        make(api, Kind::Service, &format!("s-{number}"), service).await;
    }
    for (number, (kind, object)) in others().into_iter().enumerate() {
        make(api, kind, &format!("o-{number:02}"), object).await;
    }
    let leaving =
        api.list(&format!("{}?labelSelector=goes%3Daway", folder(Kind::Pod))).await.expect("a list");
    assert_eq!(leaving.len(), 2);
    for pod in leaving {
        api.delete(&path_of(Kind::Pod, &pod)).await.expect("ask for its deletion");
    }
    for namespace in api.list(&folder(Kind::Namespace)).await.expect("a list") {
        if namespace["metadata"]["finalizers"].is_array() {
            api.delete(&path_of(Kind::Namespace, &namespace)).await.expect("ask for its deletion");
        }
    }
    for kind in Kind::ALL {
        lists(api, kind).await;
    }
    watches(api).await;
    let path = format!(
        "{}/scale",
        path_of(Kind::Deployment, &json!({"metadata": {"namespace": "default", "name": "o-18"}}))
    );
    let from = Timestamp::now();
    let real = as_table(api, &path).await;
    let scale = api.get(&path).await.expect("the scale");
    assert_equal_between("a scale", from, &real, |now| {
        table::of_scale(&scale, &table::Options::default(), now)
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_word_for_the_objects_is_refused() {
    let Some(stage) = exclusive().await else { return };
    let real = as_table(stage.api(), &format!("{}?includeObject=Some", folder(Kind::Pod))).await;
    assert_eq!(table::Options::of_query(Some("Some")).expect_err("refused").body(), real);
}

#[test]
fn a_table_is_given_to_who_asks_for_it_first() {
    let kubectl = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
    assert!(table::wanted(kubectl));
    assert!(table::wanted(
        "application/vnd.kubernetes.protobuf, application/json;g=meta.k8s.io;as=Table;v=v1"
    ));
    assert!(!table::wanted("application/json"));
    assert!(!table::wanted("*/*"));
    assert!(!table::wanted("application/json, application/json;as=Table;v=v1;g=meta.k8s.io"));
    assert!(!table::wanted(
        "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"
    ));
    assert!(!table::wanted("application/json;as=Table;v=v7;g=meta.k8s.io"));
    assert!(!table::wanted(""));
}
