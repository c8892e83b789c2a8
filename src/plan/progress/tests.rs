use super::*;
use crate::model::labels::TRIGGER_TIME;
use crate::model::{
    AddressType, Addresses, Annotations, Conditions, Endpoint, Key, Labels, Port, Protocol, TargetReference,
    Text, Uid,
};
use crate::plan::Stage;

fn endpoint(name: &str, ready: bool) -> Arc<Endpoint> {
    let target = TargetReference { name: name.into(), ..TargetReference::default() };
    Arc::new(Endpoint {
        addresses: Addresses::new([name.trim_end_matches('\'').into()]),
        conditions: Conditions { ready: Some(ready), ..Conditions::default() },
        hostname: None,
        target_ref: Some(Box::new(target)),
        node_name: None,
        zone: None,
        hints: None,
        foreign: None,
    })
}

/// A slice with one port `http` of this number; an endpoint's name is its address, and may have a
/// prime: another Pod with the same address.
fn slice(name: &str, port: i32, endpoints: &[&str]) -> Slice {
    let name_of_port = Some(Text::new("http"));
    Slice {
        key: Key::new("ns", name),
        uid: Uid::new(name),
        version: 1,
        generate_name: "web-".into(),
        labels: Labels::default(),
        annotations: Annotations::default(),
        deleting: false,
        owners: Arc::from([]),
        address_type: AddressType::IPv4,
        ports: Arc::from([Port {
            name: name_of_port,
            protocol: Protocol::TCP,
            port: Some(port),
            app_protocol: None,
        }]),
        endpoints: endpoints.iter().map(|name| endpoint(name, true)).collect(),
        foreign: None,
    }
}

fn create(slice: &Slice) -> Write {
    Write { operation: Operation::Create, stage: Stage::Creates, slice: slice.clone(), base: None }
}

fn update(base: &Slice, slice: &Slice) -> Write {
    let base = Some(Arc::new(base.clone()));
    Write { operation: Operation::Update, stage: Stage::Updates, slice: slice.clone(), base }
}

fn delete(slice: &Slice, stage: Stage) -> Write {
    let base = Some(Arc::new(slice.clone()));
    Write { operation: Operation::Delete, stage, slice: slice.clone(), base }
}

fn progress(writes: Vec<Write>, standing: &[&Slice]) -> Progress {
    let standing: Vec<Arc<Slice>> = standing.iter().map(|slice| Arc::new((*slice).clone())).collect();
    Progress::new(writes, &standing, Rules::default())
}

fn stored(write: &Write) -> Outcome {
    Outcome::Stored(Slice { version: write.slice.version + 1, ..write.slice.clone() })
}

fn numbers(ready: &[(usize, Write)]) -> Vec<usize> {
    ready.iter().map(|(number, _)| *number).collect()
}

fn addresses(slice: &Slice) -> Vec<&str> {
    slice.endpoints.iter().flat_map(|it| it.addresses.as_slice()).map(SmolStr::as_str).collect()
}

/// The one write that may be sent now.
fn only(progress: &mut Progress) -> Write {
    let mut ready = progress.ready();
    assert_eq!(ready.len(), 1, "{ready:?}");
    ready.remove(0).1
}

#[test]
fn a_plan_without_writes_is_finished() {
    let mut empty = progress(vec![], &[&slice("a", 80, &["1"])]);
    assert!(empty.finished() && empty.ready().is_empty());
}

#[test]
fn one_update_of_conditions_only_looks_at_no_other_slice() {
    let before = slice("a", 80, &["1", "2"]);
    let mut after = before.clone();
    after.endpoints[1] = endpoint("2", false);
    let mut walk = progress(vec![update(&before, &after)], &[&before, &slice("b", 80, &["3"])]);
    assert!(walk.names.is_empty(), "no name is at stake");
    let sent = only(&mut walk);
    assert_eq!(sent.slice, after);
    assert!(!walk.finished() && walk.ready().is_empty(), "it is in flight");
    walk.answered(0, stored(&sent));
    assert!(walk.finished() && walk.skipped().is_empty());
}

#[test]
fn stages_come_one_after_another() {
    let (old, gone) = (slice("a", 80, &["1"]), slice("b", 80, &["2"]));
    let writes = vec![
        delete(&slice("x", 80, &[]), Stage::Leftovers),
        delete(&gone, Stage::Deletes),
        update(&old, &slice("a", 80, &["1", "4"])),
        create(&slice("n", 80, &["3"])),
    ];
    let mut walk = progress(writes, &[&old, &gone, &slice("x", 80, &[])]);
    for expected in [3, 2, 1, 0] {
        let ready = walk.ready();
        assert_eq!(numbers(&ready), [expected]);
        let outcome = if expected > 1 { stored(&ready[0].1) } else { Outcome::Deleted };
        walk.answered(expected, outcome);
    }
    assert!(walk.finished() && walk.skipped().is_empty());
}

#[test]
fn safe_writes_of_one_stage_are_in_flight_side_by_side_up_to_the_limit() {
    let slices: Vec<Slice> =
        (0..5).map(|at| slice(&format!("s{at}"), 80, &[&format!("{at}"), "dead"])).collect();
    let writes: Vec<Write> =
        (0..5).map(|at| update(&slices[at], &slice(&format!("s{at}"), 80, &[&format!("{at}")]))).collect();
    let standing: Vec<Arc<Slice>> = slices.iter().cloned().map(Arc::new).collect();
    let mut walk = Progress::new(writes, &standing, Rules { in_flight: 3, gaps_allowed: false });
    let ready = walk.ready();
    assert_eq!(numbers(&ready), [0, 1, 2]);
    walk.answered(1, stored(&ready[1].1));
    assert_eq!(numbers(&walk.ready()), [3]);
}

#[test]
fn a_write_waits_for_the_answer_of_the_one_that_takes_over_its_members() {
    let (a, b) = (slice("a", 80, &["1", "2"]), slice("b", 81, &["3"]));
    let writes = vec![update(&b, &slice("b", 81, &["3", "2"])), update(&a, &slice("a", 80, &["1"]))];
    let mut walk = progress(writes, &[&a, &b]);
    let ready = walk.ready();
    assert_eq!(numbers(&ready), [0]);
    walk.answered(0, stored(&ready[0].1));
    assert_eq!(numbers(&walk.ready()), [1]);
}

#[test]
fn a_write_that_would_lose_a_live_address_because_another_failed_loses_only_what_is_dead() {
    for outcome in [Outcome::Failed, Outcome::Unknown, Outcome::Gone] {
        let a = slice("a", 80, &["1", "2", "dead"]);
        let writes = vec![create(&slice("n", 81, &["2"])), update(&a, &slice("a", 80, &["1", "5"]))];
        let mut walk = progress(writes, &[&a]);
        assert_eq!(numbers(&walk.ready()), [0]);
        walk.answered(0, outcome);
        let reduced = only(&mut walk);
        assert_eq!(
            addresses(&reduced.slice),
            ["1", "2", "5"],
            "what is needed in its place and what is new, not what is dead"
        );
        assert_eq!(walk.skipped(), [Skipped { number: 1, reduced: true }]);
        walk.answered(1, stored(&reduced));
        assert!(walk.finished());
    }
}

#[test]
fn a_plan_in_a_wrong_order_loses_nothing() {
    let (a, b) = (slice("a", 80, &["1", "2", "dead"]), slice("b", 80, &["3"]));
    let writes = vec![update(&b, &slice("b", 81, &["1", "2"])), update(&a, &slice("a", 81, &["3"]))];
    let mut walk = progress(writes, &[&a, &b]);
    let only = only(&mut walk);
    assert_eq!((only.slice.ports[0].port, addresses(&only.slice)), (Some(80), vec!["1", "2"]));
    assert_eq!(walk.skipped(), [Skipped { number: 0, reduced: false }, Skipped { number: 1, reduced: true }]);
}

#[test]
fn a_slice_with_other_ports_is_reduced_to_its_own_ports_with_the_newest_conditions() {
    let (a, b) = (slice("a", 80, &["1", "2", "dead"]), slice("b", 80, &["3"]));
    let mut taking_over = slice("b", 81, &["3", "2"]);
    taking_over.endpoints[1] = endpoint("2", false);
    let writes = vec![update(&b, &taking_over), update(&a, &slice("a", 82, &["1"]))];
    let mut walk = progress(writes, &[&a, &b]);
    assert_eq!(numbers(&walk.ready()), [0]);
    walk.answered(0, Outcome::Failed);
    let reduced = only(&mut walk);
    assert_eq!(reduced.slice.ports[0].port, Some(80));
    assert_eq!(addresses(&reduced.slice), ["1", "2"]);
    assert_eq!(
        reduced.slice.endpoints[1].conditions.ready,
        Some(false),
        "it is not ready under the old port either"
    );
    assert_eq!(walk.skipped(), [Skipped { number: 1, reduced: true }]);
}

#[test]
fn a_delete_becomes_an_update_when_live_members_have_no_other_place() {
    let a = slice("a", 80, &["1", "dead"]);
    let mut walk = progress(vec![create(&slice("n", 81, &["1"])), delete(&a, Stage::Deletes)], &[&a]);
    walk.ready();
    walk.answered(0, Outcome::Failed);
    let reduced = only(&mut walk);
    assert_eq!((reduced.operation, addresses(&reduced.slice)), (Operation::Update, vec!["1"]));
    assert_eq!(reduced.slice.version, 1);
}

#[test]
fn a_reduced_write_that_would_change_nothing_is_not_sent() {
    let (a, foreign) = (slice("a", 80, &["1"]), slice("u", 80, &["2", "dead"]));
    let writes = vec![
        create(&slice("n", 81, &["1", "2"])),
        delete(&a, Stage::Deletes),
        delete(&foreign, Stage::Leftovers),
    ];
    let mut walk = progress(writes, &[&a, &foreign]);
    walk.ready();
    walk.answered(0, Outcome::Failed);
    assert!(walk.ready().is_empty() && walk.finished());
    let not_sent = |number| Skipped { number, reduced: false };
    assert_eq!(walk.skipped(), [not_sent(1), not_sent(2)], "a slice that is not owned is never updated");
}

#[test]
fn a_trigger_time_alone_is_no_reason_to_send_a_reduced_write() {
    for (annotation, sent) in [(TRIGGER_TIME, 0), ("team", 1)] {
        let a = slice("a", 80, &["1"]);
        let planned = Slice { annotations: Annotations::new([(annotation, "new")]), ..slice("a", 80, &[]) };
        let mut walk = progress(vec![create(&slice("n", 81, &["1"])), update(&a, &planned)], &[&a]);
        walk.ready();
        walk.answered(0, Outcome::Failed);
        assert_eq!(walk.ready().len(), sent, "{annotation}");
    }
}

#[test]
fn a_slice_that_is_not_owned_holds_its_addresses_until_it_is_deleted() {
    let (a, foreign) = (slice("a", 80, &["1", "2"]), slice("u", 80, &["2"]));
    let writes = vec![
        create(&slice("n", 81, &["2"])),
        update(&a, &slice("a", 80, &["1"])),
        delete(&foreign, Stage::Leftovers),
    ];
    let mut walk = progress(writes, &[&a, &foreign]);
    walk.ready();
    walk.answered(0, Outcome::Failed);
    let sent = only(&mut walk);
    assert_eq!(addresses(&sent.slice), ["1"], "sent as planned: the other slice has 2");
    walk.answered(1, stored(&sent));
    assert!(walk.ready().is_empty() && walk.finished());
    assert_eq!(walk.skipped(), [Skipped { number: 2, reduced: false }]);
}

#[test]
fn a_pod_replaced_by_another_with_the_same_address_is_not_absent_in_between() {
    let (a, b) = (slice("a", 80, &["1", "2"]), slice("b", 80, &["3"]));
    let writes = vec![update(&b, &slice("b", 80, &["3", "2'"])), update(&a, &slice("a", 80, &["1"]))];
    let mut walk = progress(writes, &[&a, &b]);
    assert_eq!(numbers(&walk.ready()), [0]);
    walk.answered(0, Outcome::Unknown);
    assert!(walk.ready().is_empty(), "nothing is left to change when the address stays");
    assert!(walk.finished());
}

#[test]
fn the_second_write_of_a_slice_carries_the_version_of_the_first_answer() {
    let a = slice("a", 80, &["1", "2"]);
    let b = slice("b", 80, &["3", "4"]);
    let writes = || {
        vec![
            update(&a, &slice("a", 80, &["1", "2", "4"])),
            update(&b, &slice("b", 80, &["3", "2"])),
            update(&a, &slice("a", 80, &["1", "4"])),
        ]
    };
    let mut walk = progress(writes(), &[&a, &b]);
    let first = only(&mut walk);
    walk.answered(0, Outcome::Stored(Slice { version: 77, ..first.slice }));
    let other = only(&mut walk);
    walk.answered(1, stored(&other));
    let second = only(&mut walk);
    assert_eq!((second.slice.version, second.base.as_ref().unwrap().version), (77, 77));
    assert_eq!(addresses(&second.slice), ["1", "4"]);

    for outcome in [Outcome::Failed, Outcome::Unknown] {
        let mut walk = progress(writes(), &[&a, &b]);
        walk.ready();
        walk.answered(0, outcome);
        let reduced = only(&mut walk);
        assert_eq!(addresses(&reduced.slice), ["3", "4", "2"]);
        walk.answered(1, stored(&reduced));
        assert!(walk.finished(), "the second write is not made");
        assert!(walk.skipped().contains(&Skipped { number: 2, reduced: false }));
    }
}

#[test]
fn a_later_write_does_not_use_up_what_an_earlier_one_counts_on() {
    // 1 stands in "a" and "b". The plan takes it out of "a" first; "c" takes it over before "b"
    // loses it. While the first waits for "d", the last must not go ahead.
    let (a, b) = (slice("a", 80, &["1", "9"]), slice("b", 80, &["1", "2"]));
    let (c, d) = (slice("c", 80, &["3"]), slice("d", 80, &["4"]));
    let writes = vec![
        update(&d, &slice("d", 80, &["4", "9"])),
        update(&a, &slice("a", 80, &["5"])),
        update(&c, &slice("c", 80, &["3", "1"])),
        update(&b, &slice("b", 80, &["2"])),
    ];
    let mut walk = progress(writes, &[&a, &b, &c, &d]);
    let ready = walk.ready();
    assert_eq!(numbers(&ready), [0, 2]);
    walk.answered(2, Outcome::Failed);
    assert!(walk.ready().is_empty(), "the last waits for the second");
    walk.answered(0, stored(&ready[0].1));
    let second = walk.ready();
    assert_eq!(numbers(&second), [1]);
    assert_eq!(addresses(&second[0].1.slice), ["5"], "sent as planned");
    walk.answered(1, stored(&second[0].1));
    assert!(walk.ready().is_empty() && walk.finished());
    assert_eq!(walk.skipped(), [Skipped { number: 3, reduced: false }]);
}

#[test]
fn what_the_api_server_returns_counts_not_what_was_sent() {
    let (a, b) = (slice("a", 80, &["1", "2"]), slice("b", 81, &["3"]));
    let writes = vec![update(&b, &slice("b", 81, &["3", "2"])), update(&a, &slice("a", 80, &["1"]))];
    let mut walk = progress(writes, &[&a, &b]);
    walk.ready();
    walk.answered(0, Outcome::Stored(b));
    assert!(walk.ready().is_empty() && walk.finished());
    assert_eq!(walk.skipped(), [Skipped { number: 1, reduced: false }]);
}

#[test]
fn a_service_that_is_being_deleted_accepts_gaps() {
    let a = slice("a", 80, &["1"]);
    let b = slice("b", 80, &["2"]);
    let writes = vec![update(&a, &slice("a", 80, &["2"])), update(&b, &slice("b", 80, &["1"]))];
    let standing = [Arc::new(a), Arc::new(b)];
    let mut walk = Progress::new(writes, &standing, Rules { gaps_allowed: true, ..Rules::default() });
    assert_eq!(numbers(&walk.ready()), [0, 1]);
}

#[test]
fn an_answer_that_nobody_waits_for_changes_nothing() {
    let a = slice("a", 80, &["1"]);
    let mut walk = progress(vec![delete(&a, Stage::Deletes)], &[&a]);
    walk.answered(0, Outcome::Deleted);
    walk.answered(7, Outcome::Deleted);
    assert_eq!(numbers(&walk.ready()), [0]);
    walk.answered(0, Outcome::Gone);
    walk.answered(0, Outcome::Failed);
    assert!(walk.finished());
}

#[test]
fn nobody_waits_for_a_write_that_takes_out_what_its_slice_does_not_hold_yet() {
    let (a, b, c) = (slice("a", 80, &["1"]), slice("b", 80, &["2", "3"]), slice("c", 80, &["2"]));
    let writes = vec![
        update(&a, &slice("a", 80, &["1", "2"])),
        update(&a, &slice("a", 80, &["1"])),
        update(&b, &slice("b", 80, &["3"])),
    ];
    assert_eq!(numbers(&progress(writes, &[&a, &b, &c]).ready()), [0, 2], "c holds 2 all the time");
}

#[test]
fn a_delete_that_becomes_an_update_changes_nothing_but_the_endpoints() {
    let a = slice("a", 80, &["1", "dead"]);
    let stale = Slice { labels: Labels::new([("team", "before")]), ..a.clone() };
    let write = Write { slice: stale, ..delete(&a, Stage::Deletes) };
    let mut walk = progress(vec![create(&slice("n", 81, &["1"])), write], &[&a]);
    walk.ready();
    walk.answered(0, Outcome::Failed);
    assert_eq!(only(&mut walk).slice, Slice { endpoints: vec![endpoint("1", true)], ..a });
}

#[test]
fn members_that_are_replaced_by_as_many_others_are_at_stake() {
    let a = slice("a", 80, &["1"]);
    let mut walk =
        progress(vec![create(&slice("n", 81, &["1"])), update(&a, &slice("a", 80, &["9"]))], &[&a]);
    assert_eq!(numbers(&walk.ready()), [0]);
    walk.answered(0, Outcome::Failed);
    assert_eq!(addresses(&only(&mut walk).slice), ["1", "9"]);
}

#[test]
fn ports_in_another_order_are_the_same_ports() {
    let in_order = |slice: Slice, names: [&str; 2]| {
        let port = |name| Port { name: Some(Text::new(name)), ..slice.ports[0].clone() };
        Slice { ports: names.map(port).into(), ..slice }
    };
    let a = in_order(slice("a", 80, &["1"]), ["x", "y"]);
    let planned = in_order(slice("a", 80, &["5"]), ["y", "x"]);
    let new = in_order(slice("n", 81, &["1"]), ["x", "y"]);
    let mut walk = progress(vec![create(&new), update(&a, &planned)], &[&a]);
    walk.ready();
    walk.answered(0, Outcome::Failed);
    assert_eq!(addresses(&only(&mut walk).slice), ["1", "5"], "the new member is not held back");
}
