//! Random walks: after every change the view equals a full recomputation from the rows themselves,
//! and exactly those keys were woken that the rules of behaviour.md name.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::model::labels::SKIP_MIRROR;

pub(super) type Rows<R> = BTreeMap<Key, R>;

/// What a stream does to one object.
#[derive(Clone, Copy, Debug)]
pub(super) enum How {
    Row,
    Undecodable,
    Unchanged,
}

/// One change of one stream.
#[derive(Clone, Debug)]
pub(super) enum Step<R> {
    Put(R, How),
    Drop(R),
    List(Vec<(R, How)>),
}

#[derive(Clone, Debug)]
pub(super) enum Any {
    Pod(Step<Pod>),
    Service(Step<Service>),
    Node(Step<Node>),
    Endpoints(Step<Endpoints>),
    Marked(Step<Endpoints>),
    Slice(Step<Slice>),
}

/// The rows as a naive reader of the streams would keep them.
#[derive(Clone, Default)]
pub(super) struct World {
    pub(super) pods: Rows<Pod>,
    pub(super) services: Rows<Service>,
    pub(super) nodes: Rows<Node>,
    endpoints: Rows<Endpoints>,
    marked: Rows<Endpoints>,
    pub(super) slices: Rows<Slice>,
    bad_slices: BTreeMap<Key, Uid>,
    version: Version,
}

/// Takes the step in the rows, and says it as the stream would.
fn step<R: Row>(rows: &mut Rows<R>, version: &mut Version, step: Step<R>) -> Change<R> {
    let mut next = || {
        *version += 1;
        *version
    };
    match step {
        Step::Put(row, How::Row | How::Unchanged) => {
            let row = row.at(next());
            rows.insert(row.meta().key, row.clone());
            Change::Upserted(row.meta(), row)
        }
        Step::Put(row, How::Undecodable) => {
            let meta = row.at(next()).meta();
            rows.retain(|key, held| *key != meta.key || held.meta().uid == meta.uid);
            Change::Undecodable(meta)
        }
        Step::Drop(row) => {
            let meta = row.at(next()).meta();
            rows.retain(|key, held| *key != meta.key || held.meta().uid != meta.uid);
            Change::Deleted(meta)
        }
        Step::List(all) => {
            let old = std::mem::take(rows);
            let mut listed = BTreeMap::new();
            for (row, how) in all {
                let row = row.at(next());
                let key = row.meta().key;
                let held = old.get(&key).filter(|held| held.meta().uid == row.meta().uid).cloned();
                let (meta, one, kept) = match (how, held) {
                    (How::Unchanged, Some(held)) => (held.meta(), Listed::Unchanged, Some(held)),
                    (How::Undecodable, held) => (row.meta(), Listed::Undecodable, held),
                    (How::Row | How::Unchanged, _) => (row.meta(), Listed::Row(row.clone()), Some(row)),
                };
                listed.insert(key, (meta, one, kept));
            }
            let version = next();
            let listed = listed.into_iter().map(|(key, (meta, one, kept))| {
                kept.map(|kept| rows.insert(key, kept));
                (meta, one)
            });
            Change::Replaced(listed.collect(), version)
        }
    }
}

/// Rows that differ in more than their version: as they were and as they are.
fn changed<R: Row + PartialEq>(old: &Rows<R>, new: &Rows<R>) -> Vec<(Option<R>, Option<R>)> {
    let keys: BTreeSet<&Key> = old.keys().chain(new.keys()).collect();
    let pairs = keys.into_iter().map(|key| (old.get(key).cloned(), new.get(key).cloned()));
    let same = |(old, new): &(Option<R>, Option<R>)| {
        old.clone().map(|row| row.at(0)) == new.clone().map(|row| row.at(0))
    };
    pairs.filter(|pair| !same(pair)).collect()
}

pub(super) fn selects(service: &Service, pod: &Pod) -> bool {
    service.key.namespace == pod.key.namespace
        && !service.external_name
        && service.selector.as_ref().is_some_and(|selector| pod.labels.contains_all(selector))
}

fn endpoint_of(pod: &Pod) -> (Uid, bool, bool, Option<Text>) {
    (pod.uid.clone(), pod.ready, pod.terminal, pod.node.clone())
}

pub(super) fn owner_of(slice: &Slice) -> Option<(Loop, Key)> {
    Some((slice.managed_by()?, slice.service_key()?))
}

impl World {
    fn concerns_mirroring(&self, key: &Key) -> bool {
        self.services.get(key).is_none_or(|service| service.selector.is_none()) || self.is_mirrored(key)
    }

    fn is_mirrored(&self, key: &Key) -> bool {
        self.slices.values().any(|slice| owner_of(slice) == Some((Loop::Mirroring, key.clone())))
    }

    /// The rules of behaviour.md, sections 2 and 3, from the rows before and after one change.
    fn woken(before: &World, after: &World) -> BTreeSet<Wake> {
        let mut wakes = BTreeSet::new();
        let mut wake = |which: Loop, key: &Key, after: After| {
            wakes.insert(Wake { which, key: key.clone(), after });
        };
        for (old, new) in changed(&before.services, &after.services) {
            let key = &old.as_ref().or(new.as_ref()).unwrap().key;
            wake(Loop::Selector, key, After::Now);
            let plain = |row: &Option<Service>| {
                row.as_ref().filter(|row| row.selector.is_none()).map(|row| row.uid.clone())
            };
            let came = old.is_none() && after.is_mirrored(key);
            if plain(&old) != plain(&new) || came {
                wake(Loop::Mirroring, key, After::Now);
            }
        }
        for (old, new) in changed(&before.pods, &after.pods) {
            for service in after.services.values() {
                let matched = |row: &Option<Pod>| row.as_ref().is_some_and(|row| selects(service, row));
                let endpoint = |row: &Option<Pod>| row.as_ref().map(endpoint_of);
                if matched(&old) != matched(&new) || matched(&new) && endpoint(&old) != endpoint(&new) {
                    wake(Loop::Selector, &service.key, After::PodBatch);
                }
            }
        }
        for (old, new) in changed(&before.nodes, &after.nodes) {
            let zone = |row: &Option<Node>| row.as_ref().map(|row| (row.uid.clone(), row.zone.clone()));
            let measure = |row: &Option<Node>| row.as_ref().map(|row| (row.ready, row.zone.clone()));
            let name = &old.as_ref().or(new.as_ref()).unwrap().key.name;
            for service in after.services.values() {
                let here = |pod: &&Pod| pod.node.as_ref().is_some_and(|node| node == name.as_str());
                let placed = after.pods.values().filter(here).any(|pod| selects(service, pod));
                let auto = service.topology_mode == TopologyMode::Auto && service.selects();
                if placed && new.is_some() && zone(&old) != zone(&new)
                    || auto && measure(&old) != measure(&new)
                {
                    wake(Loop::Selector, &service.key, After::Now);
                }
            }
        }
        for (old, new) in changed(&before.slices, &after.slices) {
            let moved = matches!((&old, &new), (Some(old), Some(new)) if old.service() != new.service());
            let after = if moved { After::Now } else { After::SliceBatch };
            for (which, key) in [&old, &new].into_iter().flatten().filter_map(owner_of) {
                wake(which, &key, after);
            }
        }
        let mut endpoints = BTreeSet::new();
        for (old, new) in changed(&before.endpoints, &after.endpoints) {
            if [&old, &new].into_iter().flatten().any(|row| row.may_be_mirrored()) {
                endpoints.insert(old.or(new).unwrap().key);
            }
        }
        // Of those that the control plane writes the version is all that is known.
        endpoints.extend(
            before
                .marked
                .values()
                .filter(|row| after.marked.get(&row.key) != Some(row))
                .map(|row| row.key.clone()),
        );
        endpoints.extend(
            after
                .marked
                .values()
                .filter(|row| before.marked.get(&row.key) != Some(row))
                .map(|row| row.key.clone()),
        );
        for key in endpoints.iter().filter(|key| after.concerns_mirroring(key)) {
            wake(Loop::Mirroring, key, After::Now);
        }
        wakes
    }
}

pub(super) struct Walk {
    pub(super) world: World,
    pub(super) view: View,
}

impl Walk {
    pub(super) fn new() -> Walk {
        let mut view = View::new(Settings::default());
        view.start(None);
        Walk { world: World::default(), view }
    }

    pub(super) fn take(&mut self, any: Any) -> Vec<Wake> {
        let before = self.world.clone();
        let (world, view) = (&mut self.world, &mut self.view);
        let mut wakes = Vec::new();
        let version = &mut world.version;
        match any {
            Any::Pod(one) => view.pod(step(&mut world.pods, version, one), &mut wakes),
            Any::Service(one) => view.service(step(&mut world.services, version, one), &mut wakes),
            Any::Node(one) => view.node(step(&mut world.nodes, version, one), &mut wakes),
            Any::Endpoints(one) => view.endpoints(step(&mut world.endpoints, version, one), &mut wakes),
            Any::Marked(one) => {
                view.marked_endpoints(metadata(step(&mut world.marked, version, one)), &mut wakes)
            }
            Any::Slice(one) => {
                let change = step(&mut world.slices, version, one);
                note_bad(&mut world.bad_slices, &change);
                view.slice(change, &mut wakes);
            }
        }
        let woken: BTreeSet<Wake> = wakes.iter().cloned().collect();
        assert!(wakes.is_sorted() && woken.len() == wakes.len(), "in order, each once: {wakes:?}");
        assert_eq!(woken, World::woken(&before, &self.world));
        self.compare();
        wakes
    }

    fn compare(&self) {
        let (world, view) = (&self.world, &self.view);
        assert_eq!((view.pods.len(), view.services.len()), (world.pods.len(), world.services.len()));
        assert_eq!((view.slices.len(), view.nodes.len()), (world.slices.len(), world.nodes.len()));
        assert_eq!(view.endpoints.len(), world.endpoints.len() + world.marked.len());
        for pod in world.pods.values() {
            assert_eq!(view.pods.get(&pod.key).map(Arc::as_ref), Some(pod));
            assert!(view.pods.holds(&pod.meta()));
        }
        for node in world.nodes.values() {
            let held = view.nodes.get(node.key.name.as_str()).unwrap();
            assert!(held.same_row(node));
        }
        for name in ["n1", "n2", "n3"] {
            let mut held: Vec<&Key> = view.pods.on_node(&Text::new(name)).map(|pod| &pod.key).collect();
            held.sort();
            let here = world.pods.values().filter(|pod| pod.node.as_ref().is_some_and(|node| node == name));
            assert_eq!(held, here.map(|pod| &pod.key).collect::<Vec<_>>(), "{name}");
        }
        for slice in world.slices.values() {
            assert_eq!(view.slices.get(&slice.key).map(Arc::as_ref), Some(slice));
        }
        for (namespace, name) in ["a", "b"].into_iter().flat_map(|ns| NAMES.map(|name| (ns, name))) {
            self.compare_key(&Key::new(namespace, name));
        }
        let orphaned = world.slices.values().filter(|slice| {
            let service = slice.service_key().and_then(|key| world.services.get(&key));
            slice.managed_by() == Some(Loop::Selector) && service.is_some_and(|service| !service.selects())
        });
        assert_eq!(view.orphaned_slices(), orphaned.count());
        let mut all: Vec<(Loop, Key)> = Vec::new();
        all.extend(world.services.values().filter(|s| s.selects()).map(|s| (Loop::Selector, s.key.clone())));
        let mut mirroring: BTreeSet<Key> =
            world.endpoints.keys().chain(world.marked.keys()).cloned().collect();
        mirroring.extend(
            world
                .slices
                .values()
                .filter(|s| s.managed_by() == Some(Loop::Mirroring))
                .filter_map(Slice::service_key),
        );
        mirroring.retain(|key| world.concerns_mirroring(key));
        all.extend(mirroring.into_iter().map(|key| (Loop::Mirroring, key)));
        assert_eq!(view.all_keys(), all);
        assert!(view.slices.at_rest());
    }

    fn compare_key(&self, key: &Key) {
        let (world, view) = (&self.world, &self.view);
        let of = |which| -> Vec<Slice> {
            let mine = world.slices.values().filter(|slice| owner_of(slice) == Some((which, key.clone())));
            mine.cloned().collect()
        };
        for which in [Loop::Selector, Loop::Mirroring] {
            let held: Vec<Slice> = view.slices.of(which, key).iter().map(|slice| (**slice).clone()).collect();
            assert_eq!(held, of(which));
            assert_eq!(view.slices.any(which, key), !held.is_empty());
        }
        match (view.selector_snapshot(key, None), world.services.get(key)) {
            (Err(NoPlan::NoService), None) => {}
            (Err(NoPlan::NotSelecting), Some(service)) => assert!(!service.selects()),
            (Ok(snapshot), Some(service)) => {
                assert_eq!(&*snapshot.service, service);
                let mut pods: Vec<&Key> = snapshot.pods.iter().map(|pod| &pod.key).collect();
                pods.sort();
                let members = world.pods.values().filter(|pod| selects(service, pod));
                assert_eq!(pods, members.map(|pod| &pod.key).collect::<Vec<_>>());
                let near = |one: &&Key| {
                    one.namespace == key.namespace
                        && one.name.rsplit_once('-').is_some_and(|(base, _)| base == key.name)
                };
                let names = world.slices.keys().chain(world.bad_slices.keys()).filter(near);
                assert_eq!(snapshot.names, names.map(|key| key.name.clone()).collect());
            }
            (held, service) => panic!("{held:?} for {service:?}"),
        }
        let selecting = world.services.get(key).map(|service| service.selector.is_some());
        let newest = world.endpoints.get(key).map(|row| row.version);
        let marked = world.marked.get(key).map(|row| row.version);
        match view.mirror_snapshot(key, None) {
            MirrorState::Nothing => assert!(selecting != Some(false) && of(Loop::Mirroring).is_empty()),
            MirrorState::Unread => assert!(selecting == Some(false) && marked > newest),
            MirrorState::Ready(snapshot) => {
                assert_eq!(snapshot.slices.len(), of(Loop::Mirroring).len());
                let seen = snapshot.endpoints.map(|row| row.version);
                if selecting == Some(false) || marked <= newest {
                    assert_eq!(seen, newest);
                }
            }
        }
    }
}

fn metadata(change: Change<Endpoints>) -> Change<Meta> {
    match change {
        Change::Replaced(listed, version) => {
            let listed = listed.into_iter().map(|(meta, one)| {
                let one = match one {
                    Listed::Row(row) => Listed::Row(row.meta()),
                    Listed::Undecodable | Listed::Unchanged => Listed::Unchanged,
                };
                (meta, one)
            });
            Change::Replaced(listed.collect(), version)
        }
        Change::Upserted(meta, row) => Change::Upserted(meta, row.meta()),
        Change::Deleted(meta) => Change::Deleted(meta),
        Change::Undecodable(meta) => Change::Undecodable(meta),
        Change::Bookmark(version) => Change::Bookmark(version),
        Change::Restored => Change::Restored,
    }
}

fn note_bad(bad: &mut BTreeMap<Key, Uid>, change: &Change<Slice>) {
    match change {
        Change::Replaced(listed, _) => {
            let listed = listed.iter().filter(|(_, one)| matches!(one, Listed::Undecodable));
            *bad = listed.map(|(meta, _)| (meta.key.clone(), meta.uid.clone())).collect();
        }
        Change::Upserted(meta, _) => drop(bad.remove(&meta.key)),
        Change::Deleted(meta) => bad.retain(|key, uid| *key != meta.key || *uid != meta.uid),
        Change::Undecodable(meta) => drop(bad.insert(meta.key.clone(), meta.uid.clone())),
        Change::Bookmark(_) | Change::Restored => {}
    }
}

const NAMES: [&str; 3] = ["s0", "s1", "s2"];

fn key_of(names: &'static [&'static str]) -> impl Strategy<Value = Key> {
    (select(&["a", "a", "b"][..]), select(names)).prop_map(|(namespace, name)| Key::new(namespace, name))
}

/// One of two objects that bear this name one after the other.
fn uid_of(kind: &'static str, key: &Key, again: bool) -> Uid {
    Uid::new(&format!("{kind} {key} {again}"))
}

fn seldom() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.15)
}

fn any_pod() -> impl Strategy<Value = Pod> {
    let labels_of =
        select(&["", "app=web", "app=web,tier=front", "app=api", "app=api,tier=front", "tier=front"][..]);
    let node = select(&[None, Some("n1"), Some("n1"), Some("n2"), Some("n3")][..]);
    (key_of(&["p0", "p1", "p2", "p3"]), labels_of, node, any::<bool>(), seldom(), 0..3i64, seldom()).prop_map(
        |(key, pairs, node, ready, terminal, since, again)| Pod {
            uid: uid_of("pod", &key, again),
            key,
            node: node.map(Text::new),
            ready,
            terminal,
            ready_since: Some(Time::from_secs(since)),
            ..pod("", pairs)
        },
    )
}

fn any_service() -> impl Strategy<Value = Service> {
    let selector = select(&["", "", "app=web", "app=api", "tier=front", "app=web,tier=front"][..]);
    let mode = select(&[TopologyMode::Disabled, TopologyMode::Auto][..]);
    (key_of(&NAMES), selector, mode, seldom(), seldom(), seldom()).prop_map(
        |(key, selector, topology_mode, external_name, publish_not_ready, again)| Service {
            uid: uid_of("service", &key, again),
            key,
            topology_mode,
            external_name,
            publish_not_ready,
            ..service("", selector)
        },
    )
}

fn any_node() -> impl Strategy<Value = Node> {
    (select(&["n1", "n2", "n3"][..]), select(&["", "z1", "z1", "z2"][..]), any::<bool>(), seldom()).prop_map(
        |(name, zone, ready, again)| {
            let node = node(name, zone);
            Node { uid: uid_of("node", &node.key, again), ready, ..node }
        },
    )
}

fn any_endpoints() -> impl Strategy<Value = Endpoints> {
    let labels_of = [labels(""), labels("x=y"), Labels::new([(SKIP_MIRROR, "true")])];
    (key_of(&NAMES), select(labels_of.to_vec()), seldom()).prop_map(|(key, labels, again)| Endpoints {
        uid: uid_of("endpoints", &key, again),
        key,
        labels,
        ..endpoints("")
    })
}

fn any_slice() -> impl Strategy<Value = Slice> {
    let names = &["s0-bcdfg", "s0-hjklm", "s1-bcdfg", "s2-bcdfg", "other"];
    let which = select(&[Loop::Selector, Loop::Selector, Loop::Mirroring][..]);
    let service = select(&[Some("s0"), Some("s1"), Some("s2"), None][..]);
    (key_of(names), which, service, 0..2u32, seldom(), seldom()).prop_map(
        |(key, which, service, content, deleting, again)| {
            let row = slice("", which, service.unwrap_or_default());
            let labels = row.labels.filtered(|label| service.is_some() || label != SERVICE_NAME);
            Slice { uid: uid_of("slice", &key, again), key, labels, deleting, ..filled(&row, content) }
        },
    )
}

fn any_step<R: Row + std::fmt::Debug>(
    row: impl Strategy<Value = R> + Clone,
) -> impl Strategy<Value = Step<R>> {
    let how = prop_oneof![6 => Just(How::Row), 1 => Just(How::Undecodable), 2 => Just(How::Unchanged)];
    prop_oneof![
        8 => (row.clone(), how.clone()).prop_map(|(row, how)| Step::Put(row, how)),
        3 => row.clone().prop_map(Step::Drop),
        1 => prop::collection::vec((row, how), 0..8).prop_map(Step::List),
    ]
}

/// Metadata can always be decoded.
fn decodable<R>(step: Step<R>) -> Step<R> {
    let how = |how| if let How::Undecodable = how { How::Row } else { how };
    match step {
        Step::Put(row, one) => Step::Put(row, how(one)),
        Step::Drop(row) => Step::Drop(row),
        Step::List(all) => Step::List(all.into_iter().map(|(row, one)| (row, how(one))).collect()),
    }
}

pub(super) fn any_change() -> impl Strategy<Value = Any> {
    prop_oneof![
        4 => any_step(any_pod().boxed()).prop_map(Any::Pod),
        3 => any_step(any_service().boxed()).prop_map(Any::Service),
        2 => any_step(any_node().boxed()).prop_map(Any::Node),
        2 => any_step(any_endpoints().boxed()).prop_map(Any::Endpoints),
        1 => any_step(any_endpoints().boxed()).prop_map(|step| Any::Marked(decodable(step))),
        3 => any_step(any_slice().boxed()).prop_map(Any::Slice),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn after_every_change_the_view_is_a_full_recomputation_and_exactly_whom_it_concerns_was_woken(
        walk in prop::collection::vec(any_change(), 1..80)
    ) {
        let mut here = Walk::new();
        walk.into_iter().for_each(|change| drop(here.take(change)));
    }
}
