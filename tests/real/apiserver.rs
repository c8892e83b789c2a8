//! The API server restarts, forgets, lags behind another one, and the network between fails in every
//! way that it can: the controller recovers by itself, and nothing is lost, doubled or removed.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::support::pods::{pod, service};
use crate::support::wait::SOON;
use crate::support::{Consumer, Controller, Fault, Proxy, Stage, User, World, eventually, real};

const A_SECOND: Duration = Duration::from_secs(1);
const A_MINUTE: Duration = Duration::from_secs(60);
/// How many resources the controller watches.
const STREAMS: usize = 6;
const HTTP: [Option<&str>; 1] = [Some("http")];

/// A Service `web` with this many Pods.
async fn web(world: &World, pods: usize) -> Vec<String> {
    let addresses = world.pods("web", pods, 1).await;
    world.service(service("web", "web").port("http", 80, "8080")).await;
    addresses
}

async fn add_pod(world: &World, number: u8) -> String {
    let address = format!("10.2.0.{number}");
    let new = pod(&format!("new-{number}"), "web", &address).on(&world.node_name("node"));
    world.pod(new).await;
    address
}

/// Waits for exactly these addresses of `web`, and answers how long it took.
async fn published(world: &World, addresses: &[String], deadline: Duration) -> Duration {
    let started = Instant::now();
    eventually("the addresses of web", deadline, || async {
        let found: Vec<String> = world.published("web").await.into_iter().map(|p| p.address).collect();
        let same = found.len() == addresses.len() && found.iter().all(|found| addresses.contains(found));
        if same { Ok(()) } else { Err(format!("{} of {}", found.len(), addresses.len())) }
    })
    .await;
    started.elapsed()
}

#[tokio::test]
async fn a_watch_that_is_half_open_is_noticed_after_75_seconds_and_resumed() {
    let Some(stage) = real::exclusive().await else { return };
    let world = World::new(&stage, "half-open").await;
    let mut addresses = web(&world, 3).await;
    let proxy = Proxy::before(&stage).await;
    let controller = Controller::launch_with(&proxy.kubeconfig(&stage, User::Controller), &[]);
    controller.ready().await;
    published(&world, &addresses, SOON).await;
    let consumer = Consumer::follow(&world).await;
    consumer.promise("web", &addresses, &HTTP);
    proxy.present(Fault::Silent);
    addresses.push(add_pod(&world, 1).await);
    // The watches fall silent, then the first write on a connection of before has its time limit to wait for.
    let took = published(&world, &addresses, Duration::from_secs(125)).await;
    println!("half-open connections: the change was written after {:.1} s", took.as_secs_f64());
    assert!(took > Duration::from_secs(10), "the watches were not half-open");
    addresses.push(add_pod(&world, 2).await);
    published(&world, &addresses, Duration::from_secs(5)).await;
    consumer.assert_never_absent();
    let metrics = controller.metrics().await;
    let restarts = |reason: &str| metrics.sum("endpointslice_watch_restarts_total", &[("reason", reason)]);
    assert_eq!(restarts("silent"), STREAMS as f64, "each watch was opened again");
    for reason in ["expired", "old", "asked"] {
        assert_eq!(restarts(reason), 0.0, "{reason}: resumed where it was, without a list");
    }
}

#[tokio::test]
async fn an_api_server_that_restarts_loses_nothing() {
    let Some(stage) = real::exclusive().await else { return };
    let world = World::new(&stage, "again").await;
    let mut addresses = web(&world, 5).await;
    let mut controller = Controller::start(&stage, &[]).await;
    published(&world, &addresses, SOON).await;
    let consumer = Consumer::follow(&world).await;
    consumer.promise("web", &addresses, &HTTP);

    // One change right before it goes, and one as soon as it is back.
    addresses.push(add_pod(&world, 1).await);
    stage.stop().await;
    assert!(controller.http().text("/livez").await.is_ok(), "an API server that is away kills nobody");
    assert!(controller.http().text("/readyz").await.is_ok(), "readiness does not fall again");
    stage.restart().await;
    addresses.push(add_pod(&world, 2).await);
    let took = published(&world, &addresses, A_MINUTE).await;
    println!("API server restarted: written {:.1} s after it was back", took.as_secs_f64());
    world.set_ready("web-0", false).await;
    consumer.quiet(A_SECOND, SOON).await;
    assert!(world.published("web").await.iter().any(|p| p.address == addresses[0] && !p.ready));
    consumer.assert_never_absent();

    // Everything that was seen before is forgotten, while the controller sleeps: 410.
    controller.freeze();
    world.delete("pods", "new-1").await;
    addresses.retain(|address| address != "10.2.0.1");
    addresses.push(add_pod(&world, 3).await);
    stage.forget_history().await;
    stage.restart().await;
    controller.thaw();
    published(&world, &addresses, A_MINUTE).await;
    consumer.quiet(A_SECOND, SOON).await;
    consumer.assert_never_absent();
    assert!(controller.process_mut().exited().is_none(), "the same process all along");
}

#[tokio::test]
async fn connections_that_are_cut_truncated_and_slow_cost_no_change() {
    let Some(stage) = real::exclusive().await else { return };
    let world = World::new(&stage, "cut").await;
    let mut addresses = web(&world, 10).await;
    let proxy = Proxy::before(&stage).await;
    // The first lists break off in the middle, again and again.
    proxy.future(Fault::Truncate(6000));
    let controller = Controller::launch_with(&proxy.kubeconfig(&stage, User::Controller), &[]);
    eventually("many connections were cut", SOON, || async {
        if proxy.accepted() >= 8 { Ok(()) } else { Err(format!("{} connections", proxy.accepted())) }
    })
    .await;
    assert_eq!(world.all_slices().await, Vec::<serde_json::Value>::new(), "written from half a list");
    proxy.all(Fault::None);
    controller.ready().await;
    published(&world, &addresses, SOON).await;
    let consumer = Consumer::follow(&world).await;
    consumer.promise("web", &addresses, &HTTP);

    let faults = [
        Fault::Reset,
        Fault::Truncate(1),
        Fault::LoseAnswer,
        Fault::Truncate(700),
        Fault::Delay(Duration::from_millis(300)),
        Fault::LoseAnswer,
    ];
    for (number, fault) in (1..).zip(faults) {
        proxy.present(fault);
        addresses.push(add_pod(&world, number).await);
        let took = published(&world, &addresses, A_MINUTE).await;
        println!("{fault:?}: written after {:.1} s", took.as_secs_f64());
        proxy.present(Fault::None);
    }
    consumer.quiet(A_SECOND, SOON).await;
    consumer.assert_never_absent();
    assert_eq!(world.slices("web").await.len(), 1);
}

#[tokio::test]
async fn writes_whose_answers_are_lost_make_no_twin_and_are_not_forgotten() {
    const SERVICES: u8 = 10;
    let Some(stage) = real::exclusive().await else { return };
    let world = World::new(&stage, "lost-answers").await;
    world.pods("web", 2, 1).await;
    let proxy = Proxy::before(&stage).await;
    let controller = Controller::launch_with(&proxy.kubeconfig(&stage, User::Controller), &[]);
    controller.ready().await;
    for number in 0..SERVICES {
        let name = format!("web-{number}");
        world.service(service(&name, "web").port("http", 80, "8080")).await;
        eventually("a slice stands", SOON, || async {
            let slices = world.slices(&name).await.len();
            if slices > 0 { Ok(()) } else { Err("none".to_string()) }
        })
        .await;
        // What is under way now, or comes next on a connection that is there, is stored and not answered.
        proxy.present(Fault::LoseAnswer);
    }
    controller.settled().await;
    for number in 0..SERVICES {
        let name = format!("web-{number}");
        let wanted = ["10.1.0.1".to_string(), "10.1.0.2".to_string()];
        world.wait_addresses(&name, &wanted).await;
        assert_eq!(world.slices(&name).await.len(), 1, "{name} has a twin");
    }
}

#[tokio::test]
async fn an_api_server_that_lags_behind_another_takes_nothing_back() {
    let Some(stage) = real::exclusive().await else { return };
    // The second API server sees etcd through a wire of its own, which can be silenced.
    let etcd: SocketAddr =
        stage.cluster().etcd().url().trim_start_matches("http://").parse().expect("the address of etcd");
    let wire = Proxy::start(etcd).await;
    let second = stage.cluster().second(&format!("http://{}", wire.address())).await;

    let world = World::new(&stage, "lag").await;
    let mut addresses = web(&world, 5).await;
    let proxy = Proxy::before(&stage).await;
    let controller = Controller::launch_with(&proxy.kubeconfig(&stage, User::Controller), &[]);
    controller.ready().await;
    published(&world, &addresses, SOON).await;
    let consumer = Consumer::follow(&world).await;
    let path = world.path("endpointslices");
    eventually("the second API server shows the slice", SOON, || async {
        let slices =
            second.api.list(&format!("{path}?resourceVersion=0")).await.map_err(|e| e.to_string())?;
        if slices.len() == 1 { Ok(()) } else { Err(format!("{} slices", slices.len())) }
    })
    .await;

    // It falls behind: two Pods come and one goes that it does not know of.
    wire.all(Fault::Silent);
    addresses.push(add_pod(&world, 1).await);
    addresses.push(add_pod(&world, 2).await);
    world.delete("pods", "web-0").await;
    addresses.remove(0);
    published(&world, &addresses, SOON).await;
    consumer.promise("web", &addresses, &HTTP);
    let stale = second.api.list(&format!("{}?resourceVersion=0", world.path("pods"))).await.expect("a list");
    assert_eq!(stale.len(), 5, "the second API server is behind");

    // The controller has nobody else to ask.
    let before = world.versions().await;
    proxy.redirect(second.address);
    let asked = proxy.accepted();
    for time in 1..=2 {
        // Every stream, and once more after it was cut.
        eventually("the controller asks the one that lags", SOON, || async {
            let since = proxy.accepted() - asked;
            if since >= time * STREAMS { Ok(()) } else { Err(format!("{since} connections")) }
        })
        .await;
        proxy.present(Fault::Reset);
    }
    assert_eq!(world.versions().await, before, "nothing was written from an old view");

    // It catches up, and from then on it is as good as the first.
    wire.all(Fault::None);
    addresses.push(add_pod(&world, 3).await);
    let took = published(&world, &addresses, A_MINUTE).await;
    println!("an API server that lagged: written {:.1} s after it could go on", took.as_secs_f64());
    // And back to the first.
    proxy.redirect(stage.cluster().address());
    addresses.push(add_pod(&world, 4).await);
    published(&world, &addresses, A_MINUTE).await;
    consumer.quiet(A_SECOND, SOON).await;
    consumer.assert_never_absent();
}
