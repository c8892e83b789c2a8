//! The promise "never absent" beside the peer: one seeded history of Services whose ports, selectors
//! and Pods change is played on two clusters, and a consumer on each counts the live addresses that it
//! lost. `ORACLE_SEED` plays another history.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::future::join;
use futures::stream::{self, StreamExt};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::support::pods::{node, pod, service};
use crate::support::world::SERVICE_NAME;
use crate::support::{Consumer, Controller, Peer, Stage, World, eventually, real};

const SERVICES: usize = 10;
const PODS: usize = 250;
/// Pods that go and come in a scaling step.
const SCALED: usize = 20;
const STEPS: usize = 5;
const SETTLED_WITHIN: Duration = Duration::from_secs(60);

/// What is desired at one moment.
#[derive(Clone)]
struct Moment {
    /// Of each Service the ports (name and target number), and the part of the Pods that it selects.
    services: Vec<(BTreeMap<&'static str, u16>, Option<usize>)>,
    pods: BTreeSet<usize>,
}

/// The live addresses of each Service and port name.
type Live = BTreeMap<(usize, &'static str), Vec<String>>;

fn service_name(number: usize) -> String {
    format!("web-{number}")
}

fn address(pod: usize) -> String {
    format!("10.7.{}.{}", pod / 250, pod % 250 + 1)
}

impl Moment {
    fn first() -> Moment {
        let services = vec![(BTreeMap::from([("http", 8080)]), None); SERVICES];
        Moment { services, pods: (0..PODS).collect() }
    }

    fn next(&self, step: usize, random: &mut StdRng) -> Moment {
        let mut next = self.clone();
        for (ports, part) in &mut next.services {
            let others = ["admin", "metrics", "debug"];
            match random.random_range(0..6) {
                // A port is added beside the one that stays, renamed or removed.
                0 | 1 if ports.len() == 1 => drop(ports.insert(others[random.random_range(0..3)], 9000)),
                0 => {
                    ports.retain(|name, _| *name == "http");
                    ports.insert(others[random.random_range(0..3)], 9001);
                }
                1 => ports.retain(|name, _| *name == "http"),
                // All endpoints get another number behind the same name.
                2..=4 => drop(ports.insert("http", 8080 + random.random_range(0..1000))),
                _ => *part = [None, Some(0), Some(1)][random.random_range(0..3)],
            }
        }
        if step % 3 == 2 {
            let gone: Vec<usize> = self.pods.iter().copied().take(SCALED).collect();
            let last = self.pods.last().copied().unwrap_or_default();
            next.pods.retain(|pod| !gone.contains(pod));
            next.pods.extend(last + 1..=last + SCALED);
        }
        next
    }

    /// Each Service's ports, with target number and addresses.
    fn published(&self) -> BTreeMap<(usize, &'static str), (u16, BTreeSet<String>)> {
        let mut all = BTreeMap::new();
        for (number, (ports, part)) in self.services.iter().enumerate() {
            let selected = self.pods.iter().filter(|pod| part.is_none_or(|part| **pod % 2 == part));
            let addresses: BTreeSet<String> = selected.map(|pod| address(*pod)).collect();
            all.extend(ports.iter().map(|(name, target)| ((number, *name), (*target, addresses.clone()))));
        }
        all
    }

    /// What must be there throughout the step to the next moment.
    fn live(&self, next: &Moment) -> Live {
        let mut live = self.published();
        let next = next.published();
        live.retain(|port, _| next.contains_key(port));
        let both = |(port, (_, addresses)): ((usize, &'static str), (u16, BTreeSet<String>))| {
            (port, addresses.intersection(&next[&port].1).cloned().collect())
        };
        live.into_iter().map(both).collect()
    }
}

fn spec(ports: &BTreeMap<&'static str, u16>, part: Option<usize>) -> Value {
    let numbered = ports.iter().zip(80..);
    let ports: Vec<Value> = numbered
        .map(|((name, target), number)| json!({"name": name, "port": number, "targetPort": target, "protocol": "TCP"}))
        .collect();
    json!({"ports": ports, "selector": {"app": "web", "part": part.map(|part| part.to_string())}})
}

async fn make_pods(world: &World, pods: impl IntoIterator<Item = usize>) {
    let host = world.node_name("node");
    let make = |number: usize| {
        let part = (number % 2).to_string();
        world.pod(pod(&format!("web-{number}"), "web", &address(number)).label("part", &part).on(&host))
    };
    stream::iter(pods).map(make).buffer_unordered(8).map(drop).collect::<()>().await;
}

/// The world of the first moment, before any controller looks at it.
async fn populate(stage: &dyn Stage) -> World {
    let world = World::new(stage, "oracle").await;
    let first = Moment::first();
    world.node(node(&world.node_name("node"), "zone-a")).await;
    make_pods(&world, first.pods.iter().copied()).await;
    for (number, (ports, _)) in first.services.iter().enumerate() {
        let of_pods = service(&service_name(number), "web");
        world.service(of_pods.with("/spec/ports", spec(ports, None)["ports"].clone())).await;
    }
    world
}

/// Waits until the consumer sees exactly this, each port with its one number.
async fn settled(consumer: &Consumer, moment: &Moment) {
    let wanted: BTreeMap<_, _> = moment
        .published()
        .into_iter()
        .map(|((service, name), (target, addresses))| {
            ((service_name(service), name.to_string()), (vec![Some(i32::from(target))], addresses))
        })
        .collect();
    eventually("what is desired is published", SETTLED_WITHIN, || async {
        let merged = consumer.merged().into_iter();
        let found: BTreeMap<_, _> = merged
            .map(|(port, view)| {
                let name = port.port.map(|name| name.to_string()).unwrap_or_default();
                let targets = view.targets.into_iter().map(|(_, number)| number).collect();
                let addresses = view.addresses.into_keys().map(String::from).collect();
                ((port.service.name.to_string(), name), (targets, addresses))
            })
            .collect();
        if wanted == found { Ok(()) } else { Err(format!("{} ports of {}", found.len(), wanted.len())) }
    })
    .await;
    consumer.caught_up().await;
}

async fn change(world: &World, from: &Moment, to: &Moment) {
    for (number, (ports, part)) in to.services.iter().enumerate() {
        if from.services[number] != to.services[number] {
            world.patch("services", &service_name(number), json!({"spec": spec(ports, *part)})).await;
        }
    }
    for pod in from.pods.difference(&to.pods) {
        world.delete("pods", &format!("web-{pod}")).await;
    }
    make_pods(world, to.pods.difference(&from.pods).copied()).await;
}

#[derive(Debug, Default)]
struct Figures {
    events: usize,
    /// Live addresses, port by port, added up over the steps.
    promised: usize,
    lost: usize,
    longest_absence: Duration,
    took: Duration,
}

/// Plays the history; the controller of this world runs already.
async fn play(world: &World, history: &[Moment]) -> Figures {
    let started = Instant::now();
    let consumer = Consumer::follow(world).await;
    settled(&consumer, &history[0]).await;
    let mut promised = 0;
    for pair in history.windows(2) {
        let live = pair[0].live(&pair[1]);
        for ((service, name), addresses) in &live {
            consumer.promise(&service_name(*service), addresses, &[Some(name)]);
        }
        promised += consumer.promised();
        change(world, &pair[0], &pair[1]).await;
        settled(&consumer, &pair[1]).await;
        for ((service, _), addresses) in &live {
            consumer.release(&service_name(*service), addresses);
        }
    }
    Figures {
        events: consumer.events(),
        promised,
        lost: consumer.losses().len(),
        longest_absence: consumer.longest_absence(),
        took: started.elapsed(),
    }
}

/// What a controller would do that deletes before it creates, by hand, in a namespace that no controller
/// looks at: there is no Service in it.
async fn delete_before_create(stage: &dyn Stage, of: &World) -> Figures {
    let started = Instant::now();
    let world = World::new(stage, "control").await;
    let mut slices = of.slices(&service_name(0)).await;
    for slice in &mut slices {
        slice["metadata"] = json!({
            "name": slice["metadata"]["name"],
            "labels": {SERVICE_NAME: slice["metadata"]["labels"][SERVICE_NAME]},
        });
        world.slice(slice.clone()).await;
    }
    let consumer = Consumer::follow(&world).await;
    let present = consumer.present();
    for (service, address, port) in &present {
        consumer.promise(service, std::slice::from_ref(address), &[port.as_deref()]);
    }
    for slice in &slices {
        world.delete("endpointslices", slice["metadata"]["name"].as_str().expect("a name")).await;
        world.slice(slice.clone()).await;
    }
    consumer.caught_up().await;
    Figures {
        events: consumer.events(),
        promised: present.len(),
        lost: consumer.losses().len(),
        longest_absence: consumer.longest_absence(),
        took: started.elapsed(),
    }
}

#[tokio::test]
async fn no_live_address_is_lost_where_kube_controller_manager_loses_some() {
    let Some((ours, peers)) = real::twins().await else { return };
    let seed = std::env::var("ORACLE_SEED").map_or(1, |text| text.parse().expect("ORACLE_SEED: a number"));
    let mut random = StdRng::seed_from_u64(seed);
    let mut history = vec![Moment::first()];
    for step in 0..STEPS {
        let next = history[step].next(step, &mut random);
        history.push(next);
    }
    let (world, twin) = join(populate(&ours), populate(&peers)).await;
    let (controller, peer) = join(Controller::start(&ours, &[]), Peer::start(&peers, &[])).await;
    let (mine, theirs) = join(play(&world, &history), play(&twin, &history)).await;
    let control = delete_before_create(&ours, &world).await;
    println!("ORACLE_SEED={seed}, {SERVICES} Services, {PODS} Pods, {STEPS} steps");
    for (who, figures) in
        [("this program", &mine), ("kube-controller-manager", &theirs), ("delete before create", &control)]
    {
        let Figures { events, promised, lost, longest_absence, took } = figures;
        println!(
            "{who:24} {events:5} events, {promised:6} live addresses, {lost:5} lost, for {longest_absence:?} at \
             most; {took:.1?}"
        );
    }
    assert_eq!(mine.promised, theirs.promised);
    assert_eq!(mine.lost, 0, "{mine:?}");
    // Where a number changes, the peer deals all endpoints to the slices by chance.
    assert!(theirs.lost > 0, "{theirs:?}");
    // Each slice was deleted, and was the only one that held its endpoints.
    assert_eq!(control.lost, control.promised, "{control:?}");
    assert!(control.lost > 0);
    assert!(controller.log().is_empty(), "{}", controller.log());
    peer.kill();
}
