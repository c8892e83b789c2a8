//! How changes are counted and judged: what the store holds against what its slices say.

use std::sync::Arc;
use std::time::{Duration, Instant};

use endpointslice_controller::cli::sandbox::hands::set_ready;
use endpointslice_controller::cli::sandbox::observer::Observer;
use endpointslice_controller::sandbox::{Key, Kind, Store};
use serde_json::{Value, json};

const NAMESPACE: &str = "shop";

struct Scene {
    store: Arc<Store>,
    observer: Observer,
}

impl Scene {
    /// A Service `web` of IPv4 that selects `app: web`, and nothing else.
    fn new() -> Scene {
        let store = Arc::new(Store::new());
        put(
            &store,
            Kind::Service,
            json!({
                "metadata": {"name": "web", "namespace": NAMESPACE, "uid": "s"},
                "spec": {"selector": {"app": "web"}, "clusterIP": "10.0.0.1", "ipFamilies": ["IPv4"],
                         "ports": [{"port": 80}]},
            }),
        );
        let observer = Observer::new(Arc::clone(&store), Instant::now()).unwrap();
        Scene { store, observer }
    }

    fn pod(&mut self, number: usize, labels: Value) -> Key {
        let name = format!("web-{number}");
        put(
            &self.store,
            Kind::Pod,
            json!({
                "metadata": {"name": name, "namespace": NAMESPACE, "uid": format!("p{number}"), "labels": labels},
                "spec": {"nodeName": "n1"},
                "status": {"phase": "Running", "podIP": ip(number), "podIPs": [{"ip": ip(number)}],
                           "conditions": [{"type": "Ready", "status": "True"}]},
            }),
        );
        Key::new(NAMESPACE, &name)
    }

    /// A slice of `web` with the Pods of these numbers, ready or not.
    fn slice(&mut self, name: &str, endpoints: &[(usize, bool)]) {
        let endpoint = |(number, ready): &(usize, bool)| json!({"addresses": [ip(*number)], "conditions": {"ready": ready, "serving": ready, "terminating": false}});
        put(
            &self.store,
            Kind::EndpointSlice,
            json!({
                "metadata": {"name": name, "namespace": NAMESPACE, "uid": name,
                             "labels": {"kubernetes.io/service-name": "web"}},
                "addressType": "IPv4", "ports": [{"name": "", "port": 80, "protocol": "TCP"}],
                "endpoints": endpoints.iter().map(endpoint).collect::<Vec<_>>(),
            }),
        );
    }

    fn waiting(&mut self) -> usize {
        self.observer.catch_up();
        self.observer.oracle().waiting()
    }

    fn judged(&mut self) -> (u64, u64, usize) {
        self.observer.catch_up();
        let oracle = self.observer.oracle();
        (oracle.changes(), oracle.superseded(), oracle.unshown().len())
    }
}

fn put(store: &Store, kind: Kind, value: Value) {
    store.transact(|state| state.put(kind, value));
}

fn ip(number: usize) -> String {
    format!("10.1.0.{number}")
}

fn web() -> Value {
    json!({"app": "web"})
}

#[test]
fn a_change_is_waited_for_until_a_slice_shows_it() {
    let mut scene = Scene::new();
    let pod = scene.pod(1, web());
    scene.pod(9, json!({"app": "other"}));
    assert_eq!(scene.waiting(), 1);
    scene.slice("web-a", &[(1, true)]);
    assert_eq!(scene.waiting(), 0);
    set_ready(&scene.store, &pod, false).unwrap();
    assert_eq!(scene.waiting(), 1);
    scene.slice("web-a", &[(1, false)]);
    assert_eq!(scene.judged(), (2, 0, 0));
    assert_eq!(scene.observer.oracle().latency().len(), 2);
    assert_eq!(set_ready(&scene.store, &pod, false).map(|pod| pod.version), None);
}

#[test]
fn the_latency_is_the_time_between_both_writes() {
    let mut scene = Scene::new();
    scene.pod(1, web());
    let begun = Instant::now();
    std::thread::sleep(Duration::from_millis(20)); // what is measured, not a wait
    scene.slice("web-a", &[(1, true)]);
    let most = begun.elapsed() + Duration::from_millis(5);
    assert_eq!(scene.waiting(), 0);
    let took = scene.observer.oracle().latency().max();
    assert!((20_000..=most.as_micros() as u64 * 2).contains(&took), "{took} µs");
    let from = begun - Duration::from_secs(1);
    assert_eq!(
        scene.observer.oracle().recent(from, [50.0]).map(|[p50]| p50.abs_diff(took) <= took / 500),
        Some(true)
    );
}

#[test]
fn a_change_that_never_comes_is_lost() {
    let mut scene = Scene::new();
    let pod = scene.pod(1, web());
    scene.pod(2, web());
    scene.slice("web-a", &[(1, true)]);
    set_ready(&scene.store, &pod, false).unwrap();
    assert_eq!(scene.judged(), (3, 0, 2));
    let lost = scene.observer.oracle().unshown();
    assert_eq!(lost[0].address, ip(1));
    assert_eq!(lost[0].found.map(|state| state.ready), Some(true));
    assert_eq!(lost[1].found, None);
}

#[test]
fn an_address_that_was_shown_and_vanished_without_a_change_is_lost_too() {
    let mut scene = Scene::new();
    scene.pod(1, web());
    scene.slice("web-a", &[(1, true)]);
    assert_eq!(scene.judged().2, 0);
    scene.slice("web-a", &[]);
    assert_eq!(scene.waiting(), 0);
    assert_eq!(scene.judged().2, 1);
}

#[test]
fn of_two_changes_only_the_last_has_to_be_seen() {
    let mut scene = Scene::new();
    let pod = scene.pod(1, web());
    scene.slice("web-a", &[(1, true)]);
    set_ready(&scene.store, &pod, false).unwrap();
    set_ready(&scene.store, &pod, true).unwrap();
    // The first was overtaken, and the second went back to what is shown: neither took any time.
    assert_eq!(scene.judged(), (3, 2, 0));
    assert_eq!(scene.waiting(), 0);
    assert_eq!(scene.observer.oracle().latency().len(), 1);
}

#[test]
fn a_pod_that_goes_is_waited_for_until_no_slice_has_it() {
    let mut scene = Scene::new();
    let pod = scene.pod(1, web());
    scene.slice("web-a", &[(1, true)]);
    scene.slice("web-b", &[(1, true)]);
    assert_eq!(scene.waiting(), 0);
    scene.store.transact(|state| state.remove(Kind::Pod, &pod)).unwrap();
    assert_eq!(scene.waiting(), 1);
    scene.slice("web-a", &[]);
    assert_eq!(scene.waiting(), 1);
    scene.store.transact(|state| state.remove(Kind::EndpointSlice, &Key::new(NAMESPACE, "web-b"))).unwrap();
    assert_eq!(scene.judged(), (2, 0, 0));
    assert_eq!(scene.observer.oracle().addresses(), 0);
}

#[test]
fn an_address_in_a_slice_that_nobody_asks_for_is_found() {
    let mut scene = Scene::new();
    scene.slice("web-a", &[(7, true)]);
    scene.observer.catch_up();
    assert_eq!(scene.observer.oracle().unwanted(|_| true), 1);
    assert_eq!(scene.observer.oracle().unwanted(|_| false), 0);
}

#[test]
fn an_address_that_another_pod_took_over_is_not_lost_with_the_first() {
    let mut scene = Scene::new();
    let old = scene.pod(1, web());
    scene.slice("web-a", &[(1, true)]);
    put(
        &scene.store,
        Kind::Pod,
        json!({"metadata": {"name": "web-new", "namespace": NAMESPACE, "uid": "new", "labels": web()},
               "spec": {"nodeName": "n1"},
               "status": {"phase": "Running", "podIP": ip(1), "podIPs": [{"ip": ip(1)}],
                          "conditions": [{"type": "Ready", "status": "True"}]}}),
    );
    scene.store.transact(|state| state.remove(Kind::Pod, &old)).unwrap();
    assert_eq!(scene.judged().2, 0);
    assert_eq!(scene.observer.oracle().addresses(), 1);
}

#[test]
fn services_count_their_pods_and_slices() {
    let mut scene = Scene::new();
    let first = scene.pod(1, web());
    scene.pod(2, web());
    set_ready(&scene.store, &first, false).unwrap();
    scene.slice("web-a", &[(1, false), (2, true)]);
    scene.observer.catch_up();
    let (_, seen) = scene.observer.services().next().unwrap();
    assert_eq!((seen.ready, seen.pods.len()), (1, 2));
    let slice = seen.slices.values().next().unwrap();
    assert_eq!((slice.endpoints, slice.ready), (2, 1));
    assert_eq!(scene.observer.pods(), (1, 2));
    let writes = scene.observer.writes();
    assert_eq!((writes.creates, writes.updates, writes.deletes), (1, 0, 0));
    assert!(writes.event_bytes > 300, "{writes:?}");
}

#[test]
fn a_history_that_is_forgotten_is_made_up_for_by_what_stands() {
    let mut scene = Scene::new();
    let gone = scene.pod(1, web());
    scene.slice("web-a", &[(1, true)]);
    scene.observer.catch_up();
    scene.store.transact(|state| state.remove(Kind::Pod, &gone)).unwrap();
    scene.pod(2, web());
    scene.slice("web-b", &[(2, true)]);
    scene.store.compact();
    assert_eq!(scene.waiting(), 1);
    scene.slice("web-a", &[]);
    assert_eq!(scene.judged().2, 0);
    assert_eq!(scene.observer.pods(), (1, 1));
    assert_eq!(scene.observer.slices(), 2);
}
