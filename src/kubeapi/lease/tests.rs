//! The election against a Lease in memory, under paused time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::{FutureExt, StreamExt};
use parking_lot::Mutex;
use prometheus::Registry;
use serde_json::json;
use tokio::sync::broadcast;
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::control::write::Fence;
use crate::kubeapi::metrics::RequestMetrics;

/// What the API server stores.
struct Store {
    lease: Mutex<Option<Value>>,
    version: Mutex<u64>,
    changes: broadcast::Sender<LeaseChange>,
    events: Mutex<Vec<String>>,
}

impl Store {
    fn new() -> Arc<Store> {
        let (changes, _) = broadcast::channel(1024);
        Arc::new(Store { lease: Mutex::new(None), version: Mutex::new(0), changes, events: Mutex::default() })
    }

    fn put(&self, mut lease: Value) -> Value {
        let mut version = self.version.lock();
        *version += 1;
        lease["metadata"]["resourceVersion"] = json!(version.to_string());
        *self.lease.lock() = Some(lease.clone());
        let _ = self.changes.send(LeaseChange::Stands(lease.clone()));
        lease
    }

    fn delete(&self) {
        *self.lease.lock() = None;
        let _ = self.changes.send(LeaseChange::Gone);
    }

    fn current(&self) -> Option<Value> {
        self.lease.lock().clone()
    }

    fn holder(&self) -> String {
        let lease = self.current().unwrap_or_default();
        lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
    }

    fn create(&self, lease: Value) -> Result<Value, LeaseError> {
        if self.current().is_some() {
            return Err(LeaseError::Conflict);
        }
        Ok(self.put(lease))
    }

    fn update(&self, lease: Value) -> Result<Value, LeaseError> {
        match self.current() {
            Some(stands) if stands["metadata"]["resourceVersion"] == lease["metadata"]["resourceVersion"] => {
                Ok(self.put(lease))
            }
            _ => Err(LeaseError::Conflict),
        }
    }
}

/// What happens to one request.
#[derive(Clone, Debug, Default)]
struct Fate {
    /// Before it reaches the API server.
    before: Duration,
    /// Before the answer reaches us.
    after: Duration,
    /// It fails before it reaches the API server.
    lost: bool,
    /// It is carried out, and the answer is a failure.
    garbled: bool,
}

/// One replica's way to the store; requests that we gave up are carried out all the same.
struct Api {
    store: Arc<Store>,
    fate: Box<dyn Fn(&str) -> Fate + Send + Sync>,
    counts: Mutex<BTreeMap<&'static str, usize>>,
    watchable: bool,
}

impl Api {
    fn new(store: &Arc<Store>, fate: impl Fn(&str) -> Fate + Send + Sync + 'static) -> Arc<Api> {
        Arc::new(Api {
            store: Arc::clone(store),
            fate: Box::new(fate),
            counts: Mutex::default(),
            watchable: true,
        })
    }

    fn request<T: Send + 'static>(
        &self,
        verb: &'static str,
        carry_out: impl FnOnce(&Store) -> Result<T, LeaseError> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, LeaseError>> {
        *self.counts.lock().entry(verb).or_default() += 1;
        let (fate, store) = ((self.fate)(verb), Arc::clone(&self.store));
        let broken = |message: &str| LeaseError::Failed { message: message.to_owned() };
        let on_its_way = tokio::spawn(async move {
            sleep(fate.before).await;
            if fate.lost {
                return Err(broken("503"));
            }
            let answer = carry_out(&store);
            sleep(fate.after).await;
            if fate.garbled { Err(broken("500")) } else { answer }
        });
        async move { on_its_way.await.unwrap() }.boxed()
    }

    fn count(&self, verb: &str) -> usize {
        self.counts.lock().get(verb).copied().unwrap_or_default()
    }
}

impl LeaseApi for Api {
    fn get(&self) -> BoxFuture<'_, Result<Option<Value>, LeaseError>> {
        self.request("get", |store| Ok(store.current()))
    }

    fn create(&self, lease: Value) -> BoxFuture<'_, Result<Value, LeaseError>> {
        self.request("create", |store| store.create(lease))
    }

    fn update(&self, lease: Value) -> BoxFuture<'_, Result<Value, LeaseError>> {
        self.request("update", |store| store.update(lease))
    }

    fn watch(&self) -> BoxFuture<'_, Result<BoxStream<'static, LeaseChange>, LeaseError>> {
        if !self.watchable {
            return std::future::ready(Err(LeaseError::Failed { message: "403".into() })).boxed();
        }
        let changes = self.store.changes.subscribe();
        let first = self.store.current().map(LeaseChange::Stands);
        let later = futures::stream::unfold(changes, |mut changes| async move {
            changes.recv().await.ok().map(|change| (change, changes))
        });
        let stream = futures::stream::iter(first).chain(later).boxed();
        std::future::ready(Ok(stream)).boxed()
    }

    fn post_event(&self, event: Event) -> BoxFuture<'_, Result<(), LeaseError>> {
        self.store.events.lock().push(event.message);
        std::future::ready(Ok(())).boxed()
    }
}

struct Replica {
    lease: Lease,
    task: JoinHandle<LeaderState>,
    fence: Arc<LeaseFence>,
    metrics: LeaseMetrics,
}

impl Replica {
    fn start(name: &str, api: &Arc<Api>) -> Replica {
        Replica::start_if(name, api, || true)
    }

    fn start_if(name: &str, api: &Arc<Api>, candidate: impl Fn() -> bool + Send + Sync + 'static) -> Replica {
        let metrics = RequestMetrics::new(&Registry::new()).unwrap().lease("lease");
        let config = LeaseConfig::new("kube-system", "lease", name);
        let api: Arc<dyn LeaseApi> = Arc::clone(api) as _;
        let (lease, task) = Lease::start(config, api, candidate, metrics.clone()).unwrap();
        let fence = lease.fence();
        Replica { lease, task, fence, metrics }
    }

    fn may_write(&self) -> bool {
        self.fence.may_write()
    }

    async fn leads(&self) -> u64 {
        let mut state = self.lease.state();
        let leading = state.wait_for(|state| matches!(state, LeaderState::Leading { .. }));
        match *timeout(Duration::from_secs(120), leading).await.expect("never leads").unwrap() {
            LeaderState::Leading { generation, .. } => generation,
            _ => unreachable!(),
        }
    }
}

fn fine(_: &str) -> Fate {
    Fate::default()
}

fn lost() -> Fate {
    Fate { lost: true, ..Fate::default() }
}

async fn seconds(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn the_first_replica_takes_the_lease_at_once_and_keeps_it() {
    let store = Store::new();
    let api = Api::new(&store, fine);
    let replica = Replica::start("a", &api);
    let started = Instant::now();
    assert!(!replica.may_write());
    assert_eq!(replica.leads().await, 0);
    assert!(started.elapsed() < Duration::from_millis(10));
    for _ in 0..600 {
        assert!(replica.may_write());
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(replica.metrics.master.get(), 1);
    assert_eq!((api.count("create"), api.count("get")), (1, 1), "renewals need no read");
    assert!((28..=31).contains(&api.count("update")), "every retry period, not {}", api.count("update"));
    assert_eq!(*store.events.lock(), ["a became leader"]);
    assert_eq!(store.current().unwrap()["spec"]["leaseTransitions"], 0);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_renew_stops_at_the_renew_deadline_and_not_later() {
    let store = Store::new();
    let down = Arc::new(AtomicBool::new(false));
    let api = Api::new(&store, {
        let down = Arc::clone(&down);
        move |_| if down.load(Ordering::SeqCst) { lost() } else { Fate::default() }
    });
    let replica = Replica::start("a", &api);
    replica.leads().await;
    down.store(true, Ordering::SeqCst);
    let renewed = replica.fence.last_renewal().unwrap();
    tokio::time::sleep_until(renewed + Duration::from_millis(9_999)).await;
    assert!(replica.may_write());
    tokio::time::sleep_until(renewed + Duration::from_secs(10)).await;
    assert!(!replica.may_write());
    assert_eq!(replica.task.await.unwrap(), LeaderState::Lost);
    assert_eq!(Instant::now(), renewed + Duration::from_secs(10));
    assert_eq!(replica.metrics.master.get(), 0);
    assert_eq!(*store.events.lock(), ["a became leader", "a stopped leading"]);
}

#[tokio::test(start_paused = true)]
async fn failures_that_end_before_the_deadline_are_survived() {
    let store = Store::new();
    let started = Instant::now();
    // 5xx for seven seconds of every twenty, and answers that are lost though the renewal was stored.
    let api = Api::new(&store, move |verb| match started.elapsed().as_secs() % 20 {
        5..12 => lost(),
        14 if verb == "update" => Fate { garbled: true, ..Fate::default() },
        _ => Fate::default(),
    });
    let replica = Replica::start("a", &api);
    replica.leads().await;
    for _ in 0..3000 {
        sleep(Duration::from_millis(100)).await;
        assert!(replica.may_write());
    }
    assert!(replica.metrics.slowpath.get() > 0, "a lost answer makes the next renewal read first");
}

#[tokio::test(start_paused = true)]
async fn the_deadline_counts_from_before_the_request() {
    let store = Store::new();
    let api = Api::new(&store, |verb| match verb {
        "create" => Fate { after: Duration::from_secs(3), ..Fate::default() },
        "get" => Fate::default(),
        _ => lost(),
    });
    let started = Instant::now();
    let replica = Replica::start("a", &api);
    replica.leads().await;
    assert!(started.elapsed() >= Duration::from_secs(3));
    replica.task.await.unwrap();
    assert!(started.elapsed() <= Duration::from_millis(10_005), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_standby_takes_over_when_the_lease_has_run_out_by_its_own_clock() {
    let store = Store::new();
    // What stands in the Lease is an hour old, or an hour ahead: it does not matter.
    for (holder, renewed) in [("x", "2001-01-01T00:00:00.000000Z"), ("y", "2101-01-01T00:00:00.000000Z")] {
        store.put(json!({"metadata": {}, "spec": {
            "holderIdentity": holder, "leaseDurationSeconds": 15, "leaseTransitions": 4, "renewTime": renewed,
        }}));
        let started = Instant::now();
        let replica = Replica::start("a", &Api::new(&store, fine));
        assert_eq!(replica.leads().await, 5);
        let waited = started.elapsed();
        assert!(
            (Duration::from_secs(15)..Duration::from_millis(15_100)).contains(&waited),
            "{waited:?} for {renewed}"
        );
        replica.lease.release().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_is_taken_up_at_once() {
    let store = Store::new();
    let first = Replica::start("a", &Api::new(&store, fine));
    first.leads().await;
    let second = Replica::start("b", &Api::new(&store, fine));
    seconds(7).await;
    assert!(!second.may_write());
    let released = Instant::now();
    first.lease.release().await;
    assert!(!first.may_write());
    assert_eq!(first.task.await.unwrap(), LeaderState::Released);
    assert_eq!(second.leads().await, 1);
    assert!(released.elapsed() < Duration::from_millis(10), "{:?}", released.elapsed());
    assert_eq!(store.holder(), "b");
    assert_eq!(*store.events.lock(), ["a became leader", "a stopped leading", "b became leader"]);
}

#[tokio::test(start_paused = true)]
async fn without_permission_to_watch_a_release_is_taken_up_at_the_next_poll() {
    let store = Store::new();
    let first = Replica::start("a", &Api::new(&store, fine));
    first.leads().await;
    let api = Api::new(&store, fine);
    let api = Arc::new(Api { watchable: false, ..Arc::into_inner(api).unwrap() });
    let second = Replica::start("b", &api);
    seconds(7).await;
    let released = Instant::now();
    first.lease.release().await;
    second.leads().await;
    assert!(released.elapsed() <= Duration::from_millis(4_400), "{:?}", released.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_release_finds_the_renewal_that_it_cut_short() {
    let store = Store::new();
    let api = Api::new(&store, |verb| match verb {
        "update" => Fate { after: Duration::from_millis(500), ..Fate::default() },
        _ => Fate::default(),
    });
    let replica = Replica::start("a", &api);
    replica.leads().await;
    // In the middle of the first renewal: stored, not answered.
    sleep(Duration::from_millis(2_200)).await;
    replica.lease.release().await;
    assert_eq!(store.holder(), "");
    assert_eq!(store.current().unwrap()["spec"]["leaseDurationSeconds"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_standby_that_stops_leaves_the_lease_alone() {
    let store = Store::new();
    let first = Replica::start("a", &Api::new(&store, fine));
    first.leads().await;
    let api = Api::new(&store, fine);
    let second = Replica::start("b", &api);
    seconds(30).await;
    second.lease.release().await;
    assert_eq!((api.count("update"), api.count("create")), (0, 0));
    assert_eq!(second.task.await.unwrap(), LeaderState::Released);
    assert!(first.may_write());
    assert_eq!(*store.events.lock(), ["a became leader"], "a standby has not stopped leading");
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_sees_another_holder_stops_at_once() {
    let store = Store::new();
    let replica = Replica::start("a", &Api::new(&store, fine));
    replica.leads().await;
    let mut lease = store.current().unwrap();
    lease["spec"]["holderIdentity"] = json!("usurper");
    store.put(lease);
    let taken = Instant::now();
    let fence = Arc::clone(&replica.fence);
    assert_eq!(replica.task.await.unwrap(), LeaderState::Lost);
    assert!(taken.elapsed() <= Duration::from_secs(2));
    assert!(!fence.may_write());
    assert_eq!(store.holder(), "usurper");
}

#[tokio::test(start_paused = true)]
async fn a_label_that_somebody_sets_costs_a_read_and_stays() {
    let store = Store::new();
    let replica = Replica::start("a", &Api::new(&store, fine));
    replica.leads().await;
    let mut lease = store.current().unwrap();
    lease["metadata"]["labels"] = json!({"team": "net"});
    store.put(lease);
    seconds(20).await;
    assert!(replica.may_write());
    assert_eq!(store.current().unwrap()["metadata"]["labels"]["team"], "net");
    assert_eq!(replica.metrics.slowpath.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_deleted_stays_with_its_leader() {
    let store = Store::new();
    let first = Replica::start("a", &Api::new(&store, fine));
    first.leads().await;
    let api = Api::new(&store, fine);
    let second = Replica::start("b", &api);
    for _ in 0..10 {
        seconds(9).await;
        store.delete();
        seconds(9).await;
        assert!(first.may_write() && !second.may_write());
        assert_eq!(store.holder(), "a");
    }
    assert_eq!(api.count("create"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_bad_candidate_leaves_a_free_lease_to_others_for_one_lease_duration_at_most() {
    let store = Store::new();
    let started = Instant::now();
    let api = Api::new(&store, fine);
    let sick = Replica::start_if("sick", &api, || false);
    sick.leads().await;
    let waited = started.elapsed();
    assert!((Duration::from_secs(15)..Duration::from_millis(15_200)).contains(&waited), "{waited:?}");
    assert!(api.count("get") < 20, "waiting for it costs no requests: {}", api.count("get"));
}

#[tokio::test(start_paused = true)]
async fn a_healthier_replica_goes_first_and_one_that_recovers_does_not_wait() {
    let store = Store::new();
    let healthy = Arc::new(AtomicBool::new(false));
    let sick = Replica::start_if("sick", &Api::new(&store, fine), {
        let healthy = Arc::clone(&healthy);
        move || healthy.load(Ordering::SeqCst)
    });
    seconds(1).await;
    let other = Replica::start("other", &Api::new(&store, fine));
    other.leads().await;
    seconds(60).await;
    assert!(other.may_write() && !sick.may_write());
    other.lease.release().await;
    seconds(1).await;
    assert!(!sick.may_write());
    healthy.store(true, Ordering::SeqCst);
    let recovered = Instant::now();
    sick.leads().await;
    assert!(recovered.elapsed() <= Duration::from_millis(150), "{:?}", recovered.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_process_that_was_frozen_finds_its_fence_closed() {
    let store = Store::new();
    let replica = Replica::start("a", &Api::new(&store, fine));
    replica.leads().await;
    // Time goes on and no task of ours runs: the look right after comes before any of them.
    tokio::time::advance(Duration::from_secs(10)).await;
    let fence = Arc::clone(&replica.fence);
    assert!(!fence.may_write());
    assert_eq!(replica.task.await.unwrap(), LeaderState::Lost);
    assert!(!fence.may_write());
}

#[tokio::test(start_paused = true)]
async fn liveness_fails_when_the_renewal_is_stuck() {
    let store = Store::new();
    let replica = Replica::start("a", &Api::new(&store, fine));
    assert_eq!(replica.lease.check(Duration::from_secs(20)), Ok(()));
    replica.leads().await;
    seconds(100).await;
    assert_eq!(replica.lease.check(Duration::from_secs(20)), Ok(()));
    replica.task.abort();
    seconds(30).await;
    assert_eq!(replica.lease.check(Duration::from_secs(20)), Ok(()));
    seconds(8).await;
    assert!(replica.lease.check(Duration::from_secs(20)).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_takeover_whose_answer_was_lost_is_noticed_and_used() {
    let store = Store::new();
    let first = Arc::new(AtomicBool::new(true));
    let api = Api::new(&store, move |verb| match verb {
        "create" if first.swap(false, Ordering::SeqCst) => Fate { garbled: true, ..Fate::default() },
        _ => Fate::default(),
    });
    let replica = Replica::start("a", &api);
    let started = Instant::now();
    replica.leads().await;
    assert!(started.elapsed() <= Duration::from_millis(4_500));
    assert_eq!(store.current().unwrap()["spec"]["leaseTransitions"], 0);
}

/// Numbers from a seed, the same on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Three replicas for ten minutes, with requests that are slow, lost, carried out late or answered wrongly,
/// and replicas that stop, die or are cut off. Returns how often the lead changed hands.
async fn storm(seed: u64) -> u64 {
    let store = Store::new();
    let dice = Arc::new(Mutex::new(Dice(seed)));
    let start = |number: u64| {
        let dice = Arc::clone(&dice);
        let cut_off = Arc::new(AtomicBool::new(false));
        let cut = Arc::clone(&cut_off);
        let api = Api::new(&store, move |_| {
            let mut dice = dice.lock();
            let slow = |dice: &mut Dice| match dice.roll(10) {
                0 => Duration::from_millis(dice.roll(9000)),
                _ => Duration::from_millis(dice.roll(50)),
            };
            Fate {
                before: slow(&mut dice),
                after: slow(&mut dice),
                lost: cut.load(Ordering::SeqCst) || dice.roll(8) == 0,
                garbled: dice.roll(10) == 0,
            }
        });
        (Replica::start(&format!("r{number}"), &api), cut_off)
    };
    let mut replicas: Vec<_> = (0..3).map(start).collect();
    let mut number = 3;
    for _ in 0..6000 {
        sleep(Duration::from_millis(100)).await;
        let writers = replicas.iter().filter(|(replica, _)| replica.may_write()).count();
        assert!(writers <= 1, "{writers} replicas may write at once; seed {seed}");
        let (at, what) = {
            let mut dice = dice.lock();
            (dice.roll(3) as usize, dice.roll(400))
        };
        match what {
            0 => replicas[at].1.store(true, Ordering::SeqCst),
            1 => replicas[at].1.store(false, Ordering::SeqCst),
            2 => replicas[at].0.task.abort(),
            3 => replicas[at].0.lease.release().await,
            _ => {}
        }
        for replica in &mut replicas {
            // One that died writes no more, however open its fence.
            if replica.0.task.is_finished() {
                *replica = start(number);
                number += 1;
            }
        }
    }
    let lease = store.current().unwrap();
    lease["spec"]["leaseTransitions"].as_u64().unwrap()
}

#[tokio::test(start_paused = true)]
async fn never_may_two_replicas_write_at_once() {
    let mut changes = 0;
    for seed in 0..40 {
        changes += storm(seed).await;
    }
    assert!(changes > 200, "the storms were too calm: the lead changed {changes} times");
}

#[test]
fn settings_that_cannot_work_are_named() {
    let good = LeaseConfig::new("ns", "lease", "me");
    assert_eq!(good.validate(), Ok(()));
    let second = Duration::from_secs(1);
    for (config, what) in [
        (LeaseConfig { lease_duration: 10 * second, ..good.clone() }, "lease duration"),
        (LeaseConfig { renew_deadline: Duration::from_millis(2400), ..good.clone() }, "renew deadline"),
        (LeaseConfig { retry_period: Duration::ZERO, ..good.clone() }, "retry period"),
        (LeaseConfig { identity: String::new(), ..good.clone() }, "identity"),
        (LeaseConfig { namespace: String::new(), ..good.clone() }, "namespace"),
    ] {
        assert_eq!(config.validate().unwrap_err().what, what);
    }
    let error = LeaseConfig { renew_deadline: 2 * second, ..good }.validate().unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"leader election: renew deadline is "2s"; expected more than 2.4s (1.2 times the retry period)"#
    );
}

#[test]
fn no_two_processes_are_called_the_same() {
    let (a, b) = (new_identity(), new_identity());
    assert_ne!(a, b);
    let (_, uuid) = a.rsplit_once('_').unwrap();
    assert_eq!(uuid.len(), 36);
    assert_eq!(&uuid[14..15], "4");
    assert!("89ab".contains(&uuid[19..20]));
}
