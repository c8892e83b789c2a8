//! The process as whoever starts it sees it: ready, silent when there is nothing to do, gone within a
//! second when it is told to, and clear about what it cannot start with.

use std::time::{Duration, Instant};

use crate::support::pods::service;
use crate::support::wait::SOON;
use crate::support::{Consumer, Controller, Stage, User, World, eventually, real};

const A_SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn it_writes_and_says_nothing_when_idle_and_ends_within_a_second() {
    let Some(stage) = real::exclusive().await else { return };
    let world = World::new(&stage, "idle").await;
    let addresses = world.pods("web", 5, 1).await;
    world.service(service("web", "web").port("http", 80, "8080")).await;
    // As tools start it.
    let controller = Controller::launch(&stage, &["--leader-elect=false", "--metrics-bind-address=0"]);
    world.wait_addresses("web", &addresses).await;
    let consumer = Consumer::follow(&world).await;
    let before = world.versions().await;
    let used = controller.process().cpu();
    consumer.quiet(Duration::from_secs(4), SOON).await;
    let used = controller.process().cpu() - used;
    println!("idle for 4 s: {} ms of CPU", used.as_millis());
    assert_eq!(consumer.writes(), []);
    assert_eq!(world.versions().await, before);
    assert_eq!(controller.log(), "");
    assert!(used < Duration::from_millis(400), "{used:?} of CPU while idle");

    let told = Instant::now();
    assert_eq!(controller.terminate(A_SECOND).await, 0);
    println!("SIGTERM when idle: gone after {} ms", told.elapsed().as_millis());
}

#[tokio::test]
async fn sigterm_amid_writes_ends_it_within_a_second_with_no_write_afterwards() {
    let Some(stage) = real::exclusive().await else { return };
    let world = World::new(&stage, "busy").await;
    world.pods("web", 2, 1).await;
    for number in 0..40 {
        world.service(service(&format!("web-{number}"), "web").port("http", 80, "8080")).await;
    }
    let flags = ["--metrics-bind-address=0", "--kube-api-qps=20", "--kube-api-burst=1"];
    let controller = Controller::launch(&stage, &flags);
    let consumer = Consumer::follow(&world).await;
    eventually("it is in the middle of its work", SOON, || async {
        let written = consumer.writes().len();
        if written >= 5 { Ok(()) } else { Err(format!("{written} writes")) }
    })
    .await;
    assert_eq!(controller.terminate(A_SECOND).await, 0);
    consumer.caught_up().await;
    let written = world.all_slices().await.len();
    assert!(written < 40, "told too late to be in the middle");
    let controller = Controller::start(&stage, &[]).await;
    controller.settled().await;
    assert_eq!(world.all_slices().await.len(), 40);
}

#[tokio::test]
async fn sigint_ends_it_too_and_a_silent_api_server_does_not_hold_it_up() {
    let Some(stage) = real::exclusive().await else { return };
    let mut controller = Controller::start(&stage, &[]).await;
    controller.process().signal("INT");
    assert_eq!(controller.exit(A_SECOND).await, 0);

    let leading = Controller::start(&stage, &["--leader-elect=true"]).await;
    eventually("it leads", SOON, || async {
        if leading.log().contains("leading") { Ok(()) } else { Err(leading.log()) }
    })
    .await;
    let started = Controller::start(&stage, &[]).await;
    stage.pause();
    let starting = Controller::launch(&stage, &[]);
    eventually("it serves before it has an API server", SOON, || async {
        starting.http().text("/livez").await.map_err(|error| error.to_string())
    })
    .await;
    assert_eq!(started.terminate(A_SECOND).await, 0);
    assert_eq!(starting.terminate(A_SECOND).await, 0);
    // One that leads tries to give its lease back.
    assert_eq!(leading.terminate(Duration::from_secs(6)).await, 0);
    stage.resume();
}

#[tokio::test]
async fn a_port_that_is_taken_is_a_clear_error() {
    let Some(stage) = real::served().await else { return };
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("bind a port on loopback");
    let address = taken.local_addr().expect("the bound address").to_string();
    let flag = format!("--metrics-bind-address={address}");
    let mut controller = Controller::launch_with(&stage.kubeconfig(User::Controller), &[&flag]);
    assert_eq!(controller.exit(Duration::from_secs(5)).await, 1);
    let log = controller.log();
    assert_eq!(log.lines().count(), 1, "{log}");
    for word in ["error: ", "--metrics-bind-address", &address, "is taken"] {
        assert!(log.contains(word), "{word:?} is not in: {log}");
    }
}
