//! Plays one history on both twins: step by step, comparing what stands when both are at rest.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::json;

use super::compare::{self, Said, Standing};
use super::desired;
use super::oracle::{Oracle, Tally};
use super::pair::{Complaint, Pair};
use super::rules::{self, Facts, Fired, Left};
use crate::support::history::{Change, History, Kind, Operation, Outcome, State, Tampering, apply_all};
use crate::support::pods::{Object, endpoints, pod, service, service_without_selector};
use crate::support::world::{MIRRORING_LOOP, SELECTOR_LOOP};
use crate::support::{World, eventually};

/// Nothing is written for so long after a marker that came behind everything else.
const QUIET: Duration = Duration::from_millis(500);
/// Longer than the second that a slice changed by somebody else waits in either queue.
const FOREIGN: Duration = Duration::from_millis(1600);
/// How often twins that differ without a reason may come to rest once more: a failed write is
/// tried again a second later.
const LATE: usize = 3;
/// A machine may be busy.
const MARKED_WITHIN: Duration = Duration::from_secs(120);
const MARKER: &str = "zz-marker";
const MIRRORED_MARKER: &str = "zz-mirrored";

/// A Service that looks otherwise on the twins, and no rule says why.
#[derive(Debug, Clone)]
pub struct Difference {
    pub service: String,
    /// After which step (0 is the population).
    pub step: usize,
    pub text: String,
}

/// What came of a history.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    /// The first difference; the history ends with it.
    pub difference: Option<Difference>,
    pub fired: Fired,
    /// Ours and the peer's.
    pub tallies: [Tally; 2],
    /// Services compared, summed over the steps.
    pub compared: usize,
}

struct Player<'a> {
    pair: &'a Pair,
    worlds: [World; 2],
    oracles: [Oracle; 2],
    state: State,
    past: Vec<Change>,
    mark: usize,
    peer_restarts: usize,
    verdict: Verdict,
    /// What both left alone, in Services whose difference was explained when they were last compared.
    explained: BTreeMap<String, [Left; 2]>,
    /// Services with whose slices somebody tampered while they were such, or that were given some of these.
    taken: BTreeSet<String>,
    planted: Option<fn(&mut Said)>,
}

/// Plays the history in a namespace of this name, which must not exist.
pub async fn play(pair: &Pair, history: &History, namespace: &str) -> Verdict {
    play_with(pair, history, namespace, None).await
}

/// The same with a bug that is planted into what ours says.
pub async fn play_with(
    pair: &Pair,
    history: &History,
    namespace: &str,
    planted: Option<fn(&mut Said)>,
) -> Verdict {
    let _alone = match history.auto {
        true => Some(pair.auto.acquire().await.expect("the permit for mode Auto")),
        false => None,
    };
    let [one, two] = pair.apis();
    let worlds = [World::named(one, namespace).await, World::named(two, namespace).await];
    let oracles = [Oracle::follow(&worlds[0]).await, Oracle::follow(&worlds[1]).await];
    let peer_restarts = pair.peer_restarts();
    let (state, past, verdict) = (State::default(), Vec::new(), Verdict::default());
    let mut player = Player {
        pair,
        worlds,
        oracles,
        state,
        past,
        mark: 0,
        peer_restarts,
        verdict,
        explained: BTreeMap::new(),
        taken: BTreeSet::new(),
        planted,
    };
    player.mark_out().await;
    player.start(history).await;
    for (number, step) in history.steps.iter().enumerate() {
        if player.verdict.difference.is_some() {
            break;
        }
        player.step(number + 1, step).await;
    }
    pair.forget(namespace, &player.state.names(Kind::Node)).await;
    player.verdict.tallies = [0, 1].map(|side| player.oracles[side].tally.clone());
    player.verdict
}

impl Player<'_> {
    /// The markers: a Service, its Pod and an Endpoints object that change last in each step.
    async fn mark_out(&self) {
        for world in &self.worlds {
            // Without a Node, which is none of the marker's business.
            let marker = service(MARKER, MARKER).port("m0", 80, "80");
            world.service(marker.with("/spec/publishNotReadyAddresses", json!(true))).await;
            world.pod(pod(MARKER, MARKER, "10.199.0.1")).await;
            world.service(service_without_selector(MIRRORED_MARKER).port("", 80, "80")).await;
            world.endpoints(mirrored_marker(0)).await;
        }
    }

    async fn start(&mut self, history: &History) {
        let rest = self.pair.put(&self.worlds, &history.start).await;
        let [one, two] = &self.worlds;
        let refused = futures::future::join(apply_all(one, &rest), apply_all(two, &rest)).await;
        for why in refused.0.into_iter().chain(refused.1) {
            self.differs(0, "", why);
        }
        history.start.iter().for_each(|change| self.state.apply(&change.operation));
        self.past.extend(history.start.iter().cloned());
        self.rest(0, false).await;
    }

    async fn step(&mut self, number: usize, step: &[Change]) {
        let live = desired::live(&self.state, step);
        for side in [0, 1] {
            let missing = self.oracles[side].promise(&live);
            // The peer may have a reason, which the comparison knows.
            if side == 0
                && let Some((service, address, port)) = missing.first()
            {
                let text = format!("  {address} {port:?} should be published by ours and is not");
                return self.differs(number, service, text);
            }
        }
        for change in step {
            if let Operation::Restart(program) = change.operation {
                self.pair.restart(program).await;
            }
            let outcomes =
                futures::future::join(change.apply(&self.worlds[0]), change.apply(&self.worlds[1])).await;
            self.state.apply(&change.operation);
            self.past.push(change.clone());
            let service = change.operation.target().map_or("", |(_, name)| name);
            if matches!(change.operation, Operation::Tamper { .. }) && self.explained.contains_key(service) {
                self.taken.insert(service.to_string());
                if let Operation::Tamper { how: Tampering::ServiceName(other), .. } = &change.operation {
                    self.taken.insert(other.clone());
                }
            }
            match outcomes {
                (Outcome::Refused(why), _) | (_, Outcome::Refused(why)) => self.differs(number, service, why),
                // Where they differ anyway, they may have other slices to tamper with.
                (one, two) if one != two && !self.explained.contains_key(service) => {
                    self.differs(number, service, format!("  {change}: {one:?} and {two:?}"));
                }
                _ => {}
            }
        }
        let tampered = step
            .iter()
            .any(|change| matches!(change.operation, Operation::Tamper { .. } | Operation::Restart(_)));
        self.rest(number, tampered).await;
        self.oracles.iter_mut().for_each(Oracle::close);
        let examples = &self.oracles[0].tally.examples;
        if !examples.is_empty() {
            let text = format!("  ours lost live addresses: {examples:#?}");
            self.differs(number, "", text);
        }
    }

    fn differs(&mut self, step: usize, service: &str, text: String) {
        let difference = Difference { service: service.to_string(), step, text };
        self.verdict.difference.get_or_insert(difference);
    }

    /// Waits until both twins are at rest and agree, or it is clear that they do not.
    async fn rest(&mut self, step: usize, tampered: bool) {
        let pair = self.pair;
        let _awake = pair.awake.read().await;
        self.quiet(if tampered { FOREIGN } else { QUIET }).await;
        // Who was woken, and why.
        let mut woken: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
        let mut late = 0;
        let [one, two] = &self.worlds;
        let (one, two) = futures::future::join(compare::uids(one), compare::uids(two)).await;
        let uids = [one, two];
        loop {
            let (differences, fired) = self.compare(&uids).await;
            if differences.is_empty() {
                for rule in fired.into_iter().chain(woken.into_values().flatten()) {
                    *self.verdict.fired.entry(rule).or_default() += 1;
                }
                self.verdict.compared += self.state.names(Kind::Service).len();
                return;
            }
            let mut patience = true;
            for (service, text) in differences {
                let said = pair.peer_said(self.worlds[1].namespace(), &service).await;
                let why = rules::may_sleep(&self.facts(&service, said));
                if !why.is_empty() && !woken.contains_key(&service) {
                    if rules::nodes_are_old(&why) {
                        self.count_nodes_again(&service).await;
                    }
                    self.wake(&service, rules::both_sleep(&why)).await;
                    woken.insert(service, why);
                } else if late == LATE {
                    return self.differs(
                        step,
                        &service,
                        format!("{text}  (woken: {:?})", woken.get(&service)),
                    );
                } else {
                    patience = false;
                }
            }
            late += usize::from(!patience);
            self.quiet(FOREIGN).await;
        }
    }

    fn facts<'a>(&'a self, service: &'a str, peer: Complaint) -> Facts<'a> {
        let peer_restarted = self.pair.peer_restarts() > self.peer_restarts;
        Facts { service, past: &self.past, state: &self.state, peer_restarted, peer }
    }

    /// The Services that differ, and the rules that explained others.
    async fn compare(&mut self, uids: &[BTreeSet<String>; 2]) -> (Vec<(String, String)>, Vec<&'static str>) {
        let [one, two] = &self.worlds;
        let (ours, peer): (Standing, Standing) =
            futures::future::join(compare::standing(one, &uids[0]), compare::standing(two, &uids[1])).await;
        let mut differences = Vec::new();
        let mut fired = Vec::new();
        for service in self.state.names(Kind::Service) {
            let mut one = ours.get(&service).cloned().unwrap_or_default();
            let mut two = peer.get(&service).cloned().unwrap_or_default();
            if let Some(planted) = self.planted {
                one.iter_mut().for_each(planted);
            }
            if compare::groups(&one) == compare::groups(&two) {
                self.explained.remove(&service);
                continue;
            }
            let said = self.pair.peer_said(self.worlds[1].namespace(), &service).await;
            let facts = self.facts(&service, said);
            let as_they_were = self.explained.get(&service);
            let mut rules = match self.taken.contains(&service) {
                true => rules::leave_out_taken(&facts, &mut one, &mut two),
                false => Vec::new(),
            };
            let left = [rules::left_alone(&facts, &one), rules::left_alone(&facts, &two)];
            if as_they_were == Some(&left) {
                rules.extend(rules::leave_out_left(&facts, &mut one, &mut two));
            }
            rules.extend(rules::explain(&facts, &mut one, &mut two));
            let mut text = compare::difference(&compare::groups(&one), &compare::groups(&two));
            if !text.is_empty() {
                for manager in [SELECTOR_LOOP, MIRRORING_LOOP] {
                    let astray = rules::astray(&facts, &one, manager, None);
                    text = format!("{text}  {manager} of ours is astray in {astray:?}\n");
                }
            }
            if text.is_empty() {
                self.explained.insert(service, left);
                fired.extend(rules);
            } else {
                differences.push((service, text));
            }
        }
        (differences, fired)
    }

    /// A Node that counts for nobody comes and goes on the peer's twin.
    async fn count_nodes_again(&self, service: &str) {
        let world = &self.worlds[1];
        let name = world.node_name(&format!("count-{}-{service}", self.mark));
        let node = json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "labels": {"node-role.kubernetes.io/control-plane": ""}},
        });
        world.api().create("/api/v1/nodes", &node).await.expect("a Node comes");
        world.api().delete(&format!("/api/v1/nodes/{name}")).await.expect("it goes");
    }

    /// Changes something about the Service on the peer's twin that is in no slice, so that it is synced.
    /// Ours sees nothing in that: there a label comes and goes.
    async fn wake(&self, service: &str, both: bool) {
        let annotate = |key: &str| json!({"metadata": {"annotations": {key: format!("wake {}", self.mark)}}});
        let patches = [
            ("services", "twins.example.org/wake"),
            ("endpoints", "kubectl.kubernetes.io/last-applied-configuration"),
        ];
        for (collection, key) in patches {
            // There may be no Endpoints.
            let path = format!("{}/{service}", self.worlds[1].path(collection));
            let _ = self.worlds[1].api().patch(&path, &annotate(key)).await;
        }
        if both {
            for value in [json!("now"), json!(null)] {
                let patch = json!({"metadata": {"labels": {"twins.example.org/wake": value}}});
                self.worlds[0].patch("services", service, patch).await;
            }
        }
    }

    /// Waits until both controllers have handled what was done before this call, and nothing is
    /// written any more on either twin.
    async fn quiet(&mut self, window: Duration) {
        self.mark += 1;
        let mark = self.mark;
        let port = format!("m{mark}");
        let address = format!("10.199.{}.{}", mark / 200, mark % 200 + 1);
        for world in &self.worlds {
            let ports = json!([{"name": port, "port": 80, "targetPort": 80, "protocol": "TCP"}]);
            world.patch("services", MARKER, json!({"spec": {"ports": ports}})).await;
            world.patch_status("pods", MARKER, json!({"podIP": address, "podIPs": [{"ip": address}]})).await;
            world
                .patch("endpoints", MIRRORED_MARKER, json!({"subsets": mirrored_marker(mark).0["subsets"]}))
                .await;
        }
        let seen = [
            (MARKER.to_string(), address.clone(), Some(port)),
            (MIRRORED_MARKER.to_string(), mirrored_address(mark), Some(String::new())),
        ];
        let consumers = || self.oracles.iter().map(Oracle::consumer);
        eventually("both controllers have handled a marker", MARKED_WITHIN, || async {
            let late: Vec<&str> = consumers()
                .zip(super::pair::SIDES)
                .filter(|(consumer, _)| !seen.iter().all(|live| consumer.present().contains(live)))
                .map(|(_, side)| side)
                .collect();
            if late.is_empty() { Ok(()) } else { Err(format!("not yet: {late:?}")) }
        })
        .await;
        let written = || consumers().map(|consumer| consumer.counts().total()).collect::<Vec<_>>();
        let (mut last, mut since) = (written(), Instant::now());
        while since.elapsed() < window {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = written();
            if now != last {
                (last, since) = (now, Instant::now());
            }
        }
    }
}

fn mirrored_address(mark: usize) -> String {
    format!("10.198.{}.{}", mark / 200, mark % 200 + 1)
}

fn mirrored_marker(mark: usize) -> Object {
    endpoints(
        MIRRORED_MARKER,
        json!([{"addresses": [{"ip": mirrored_address(mark)}], "ports": [{"port": 80}]}]),
    )
}
