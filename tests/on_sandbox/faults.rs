//! Each fault on request, amid creates, updates and deletes of slices: the end is that of a run without
//! faults, no live endpoint is ever absent, and then nothing is written any more.

use std::time::Duration;

use endpointslice_controller::sandbox::Kind;
use endpointslice_controller::sandbox::api::Verb;
use endpointslice_controller::sandbox::faults::{Fault, Refusal, Rule};
use serde_json::{Value, json};

use crate::support::content::content;
use crate::support::pods::{pod, service};
use crate::support::sandbox::SandboxStage;
use crate::support::{Consumer, Controller, Stage, World, eventually};

const FLAGS: [&str; 1] = ["--max-endpoints-per-slice=3"];
/// A stream that is silent is given up after a while.
const RECOVERED_WITHIN: Duration = Duration::from_secs(120);
const QUIET: Duration = Duration::from_millis(1500);

/// When the rules begin to hold.
#[derive(Clone, Copy, PartialEq)]
enum From {
    /// Before the controller starts: for lists and watches.
    Start,
    /// Once all is published: for writes.
    Rest,
}

/// Plays the same changes under these rules; with `wanted`, until the slices are these.
async fn played(from: From, rules: Vec<Rule>, wanted: Option<&[Value]>) -> Vec<Value> {
    let stage = SandboxStage::start().await;
    let world = World::named(stage.api(), "faulty").await;
    let addresses = world.pods("web", 6, 1).await;
    world.service(service("web", "web").port("http", 80, "8080")).await;
    let faults = stage.sandbox().faults();
    let arm = || rules.iter().map(|rule| faults.add(rule.clone())).collect::<Vec<_>>();
    let mut met = if from == From::Start { arm() } else { Vec::new() };
    let controller = Controller::launch(&stage, &FLAGS);
    let everything = |world: World, count: usize| async move {
        let found = world.published("web").await.len();
        if found == count { Ok(()) } else { Err(format!("{found} of {count}")) }
    };
    eventually("all is published", RECOVERED_WITHIN, || everything(world.clone(), 6)).await;
    if from == From::Rest {
        controller.settled().await;
        met = arm();
    }
    let consumer = Consumer::follow(&world).await;
    consumer.promise("web", &addresses[..1], &[Some("http")]);
    // Slices are made, changed, and too many.
    world.service(service("two", "web").port("http", 80, "8080")).await;
    world.set_ready("web-1", false).await;
    world.patch("services", "web", json!({"metadata": {"labels": {"team": "a"}}})).await;
    world.pod(pod("new", "web", "10.1.9.9").on(&world.node_name("node"))).await;
    eventually("the new one is published", RECOVERED_WITHIN, || everything(world.clone(), 7)).await;
    for number in 2..6 {
        world.delete("pods", &format!("web-{number}")).await;
    }
    world.patch("services", "two", json!({"metadata": {"labels": {"team": "b"}}})).await;
    eventually("those that went are gone", RECOVERED_WITHIN, || everything(world.clone(), 3)).await;
    let Some(wanted) = wanted else {
        controller.settled().await;
        consumer.quiet(QUIET, RECOVERED_WITHIN).await;
        return flat(&world).await;
    };
    eventually("the end of a run without faults", RECOVERED_WITHIN, || async {
        let found = flat(&world).await;
        if found == wanted { Ok(()) } else { Err(format!("{found:#?}\n{}", controller.log())) }
    })
    .await;
    consumer.quiet(QUIET, RECOVERED_WITHIN).await;
    consumer.assert_never_absent();
    assert_eq!(flat(&world).await, wanted, "not at rest");
    for (rule, met) in rules.iter().zip(met) {
        assert!(met.times() > 0, "no request met {rule:?}");
    }
    Vec::new()
}

/// What is published, however it is spread over slices.
async fn flat(world: &World) -> Vec<Value> {
    let mut all = Vec::new();
    for slice in content(world).await {
        for endpoint in slice["endpoints"].as_array().into_iter().flatten() {
            all.push(json!([slice["labels"], slice["owners"], slice["ports"], endpoint]));
        }
    }
    all.sort_by_key(Value::to_string);
    all
}

/// A run without faults, and one with them.
async fn ends_the_same(from: From, rules: Vec<Rule>) {
    let wanted = played(From::Rest, Vec::new(), None).await;
    assert_eq!(wanted.len(), 6, "three endpoints of two Services: {wanted:#?}");
    played(from, rules, Some(&wanted)).await;
}

/// The fault for the first create, update and delete of a slice.
fn writes(fault: &Fault) -> Vec<Rule> {
    [Verb::Create, Verb::Update, Verb::Delete]
        .map(|verb| Rule::once(verb, Kind::EndpointSlice, fault.clone()))
        .to_vec()
}

fn refusal(code: u16) -> Refusal {
    Refusal::new(code)
}

#[tokio::test]
async fn writes_that_are_refused() {
    let mut rules = writes(&Fault::Refuse(refusal(500)));
    rules.push(Rule::once(Verb::Update, Kind::EndpointSlice, Fault::Refuse(refusal(409))));
    ends_the_same(From::Rest, rules).await;
}

#[tokio::test]
async fn writes_that_are_to_come_again_later() {
    let later = Refusal { code: 429, retry_after: Some(1) };
    ends_the_same(From::Rest, writes(&Fault::Refuse(later))).await;
}

#[tokio::test]
async fn writes_that_are_stored_and_then_refused() {
    ends_the_same(From::Rest, writes(&Fault::StoreThenRefuse(refusal(504)))).await;
}

#[tokio::test]
async fn writes_that_are_reset_before() {
    ends_the_same(From::Rest, writes(&Fault::ResetBefore)).await;
}

#[tokio::test]
async fn writes_that_are_reset_after() {
    ends_the_same(From::Rest, writes(&Fault::ResetAfter)).await;
}

#[tokio::test]
async fn writes_whose_answers_are_cut() {
    ends_the_same(From::Rest, writes(&Fault::Truncate(20))).await;
}

#[tokio::test]
async fn writes_that_are_slow() {
    ends_the_same(From::Rest, writes(&Fault::Delay(Duration::from_secs(1)))).await;
}

/// The fault for the first watch of Pods, Services and slices; they begin with a list.
fn streams(fault: &Fault) -> Vec<Rule> {
    [Kind::Pod, Kind::Service, Kind::EndpointSlice]
        .map(|kind| Rule::once(Verb::Watch, kind, fault.clone()))
        .to_vec()
}

#[tokio::test]
async fn watches_that_are_refused() {
    let mut rules = streams(&Fault::Refuse(Refusal { code: 503, retry_after: Some(1) }));
    rules.extend(streams(&Fault::Refuse(refusal(410))));
    ends_the_same(From::Start, rules).await;
}

#[tokio::test]
async fn watches_that_are_cut() {
    ends_the_same(From::Start, streams(&Fault::Truncate(700))).await;
}

#[tokio::test]
async fn watches_that_are_reset() {
    ends_the_same(From::Start, streams(&Fault::ResetBefore)).await;
}

#[tokio::test]
async fn watches_that_stay_silent() {
    ends_the_same(From::Start, streams(&Fault::HalfOpen)).await;
}

#[tokio::test]
async fn watches_that_are_slow() {
    ends_the_same(From::Start, streams(&Fault::Delay(Duration::from_secs(2)))).await;
}
