//! What a plan gets to see: members, slices, names near, what is known of Endpoints.

use super::*;

fn snapshot(stage: &Stage, service: &str) -> crate::model::SelectorSnapshot {
    stage.view.selector_snapshot(&key(service), None).unwrap()
}

fn names(stage: &Stage, service: &str) -> Vec<String> {
    snapshot(stage, service).names.iter().map(|name| name.to_string()).collect()
}

#[test]
fn a_new_service_finds_pods_and_slices_that_were_there_before() {
    let mut stage = Stage::started();
    stage.put_pod(pod("p", "app=web,tier=front"));
    stage.put_pod(pod("q", "app=web"));
    stage.put_pod(Pod { key: Key::new("b", "p"), ..pod("p", "app=web,tier=front") });
    stage.put_slice(slice("web-1", Loop::Selector, "web"));
    stage.put_slice(slice("web-2", Loop::Mirroring, "web"));
    stage.put_service(service("web", "app=web,tier=front"));
    let snapshot = snapshot(&stage, "web");
    assert_eq!(snapshot.pods.iter().map(|pod| pod.key.to_string()).collect::<Vec<_>>(), ["a/p"]);
    assert_eq!(snapshot.slices.iter().map(|slice| slice.key.to_string()).collect::<Vec<_>>(), ["a/web-1"]);
}

#[test]
fn a_service_whose_selector_changed_has_the_members_of_the_new_one() {
    let mut stage = Stage::started();
    stage.put_pod(pod("p", "app=web"));
    stage.put_pod(pod("q", "app=other"));
    stage.put_service(service("web", "app=web"));
    stage.put_service(service("web", "app=other"));
    assert_eq!(snapshot(&stage, "web").pods[0].key, key("q"));
    stage.put_pod(pod("p", "app=other"));
    stage.put_pod(pod("q", "app=web"));
    assert_eq!(snapshot(&stage, "web").pods[0].key, key("p"));
    assert_eq!(snapshot(&stage, "web").pods.len(), 1);
}

#[test]
fn slices_that_are_being_deleted_are_seen_by_plans() {
    let mut stage = Stage::started();
    stage.put_service(service("web", "app=web"));
    stage.put_slice(Slice { deleting: true, ..slice("web-1", Loop::Selector, "web") });
    assert!(snapshot(&stage, "web").slices[0].deleting);
}

#[test]
fn names_near_are_those_that_a_computed_name_can_meet() {
    let mut stage = Stage::started();
    stage.put_service(service("web", "app=web"));
    stage.put_slice(slice("web-bcdfg", Loop::Selector, "web"));
    stage.put_slice(slice("web-hjklm", Loop::Mirroring, "other"));
    stage.put_slice(Slice { deleting: true, ..slice("web-zzzzz", Loop::Selector, "gone") });
    stage.put_slice(slice("web-api-bcdfg", Loop::Selector, "web"));
    stage.put_slice(slice("we-bcdfg", Loop::Selector, "web"));
    stage.put_slice(slice("web", Loop::Selector, "web"));
    stage.put_slice(Slice { key: Key::new("b", "web-xxxxx"), ..slice("web-xxxxx", Loop::Selector, "web") });
    assert_eq!(names(&stage, "web"), ["web-bcdfg", "web-hjklm", "web-zzzzz"]);
    stage.gone(slice("web-hjklm", Loop::Mirroring, "other"), View::slice);
    assert_eq!(names(&stage, "web"), ["web-bcdfg", "web-zzzzz"]);
    assert_eq!(stage.list_slices([]).len(), 3);
    assert_eq!(names(&stage, "web"), [""; 0]);
}

#[test]
fn names_of_long_services_are_cut_at_58_characters() {
    for length in [56, 57, 58, 59, 63] {
        let long = "s".repeat(length);
        let mut stage = Stage::started();
        stage.put_service(service(&long, "app=web"));
        let base: String = format!("{long}-").chars().take(58).collect();
        let name = format!("{base}bcdfg");
        assert!(name.len() <= 63);
        stage.put_slice(slice(&name, Loop::Selector, "other"));
        assert_eq!(names(&stage, &long), [name], "{length}");
    }
}

#[test]
fn names_of_slices_that_cannot_be_decoded_are_taken() {
    let mut stage = Stage::started();
    stage.put_service(service("web", "app=web"));
    let bad = slice("web-bcdfg", Loop::Selector, "web");
    stage.bad_slice(bad.clone());
    assert_eq!(names(&stage, "web"), ["web-bcdfg"]);
    assert!(snapshot(&stage, "web").slices.is_empty());
    stage.gone(bad.clone(), View::slice);
    assert_eq!(names(&stage, "web"), [""; 0]);

    let listed = |at| Change::Replaced(vec![(bad.clone().at(at).meta(), Listed::Undecodable)], at);
    let at = stage.next();
    stage.wakes(|view, wakes| view.slice(listed(at), wakes));
    let at = stage.next();
    stage.wakes(|view, wakes| view.slice(listed(at), wakes));
    assert_eq!(names(&stage, "web"), ["web-bcdfg"]);
    stage.put_slice(bad.clone());
    assert_eq!(names(&stage, "web"), ["web-bcdfg"], "it can be decoded now");
    stage.bad_slice(bad);
    stage.list_slices([]);
    assert_eq!(names(&stage, "web"), [""; 0]);
}

/// Both orders of the answer and the event: a delete of ours is known, ten minutes long.
#[test]
fn names_that_this_process_deleted_lately_stay_taken() {
    let gone = slice("web-bcdfg", Loop::Selector, "web");
    for answer_first in [true, false] {
        let mut stage = Stage::started();
        stage.put_service(service("web", "app=web"));
        stage.put_slice(gone.clone());
        stage.view.slices.write_begins(&gone.key);
        let answer = |stage: &mut Stage| {
            let answered = Answered::Deleted(gone.uid.clone());
            stage.wakes(|view, wakes| view.write_ends(&gone.key, answered, 100, wakes))
        };
        if answer_first {
            answer(&mut stage);
        }
        stage.gone(gone.clone(), View::slice);
        if !answer_first {
            answer(&mut stage);
        }
        assert!(snapshot(&stage, "web").slices.is_empty());
        stage.view.slices.forget_deleted(699, 600);
        assert_eq!(names(&stage, "web"), ["web-bcdfg"], "answer first: {answer_first}");
        stage.view.slices.forget_deleted(700, 600);
        assert_eq!(names(&stage, "web"), [""; 0], "answer first: {answer_first}");
    }
}

#[test]
fn names_that_this_process_deleted_stay_taken_when_a_finalizer_kept_the_slice_for_a_while() {
    let mut stage = Stage::started();
    stage.put_service(service("web", "app=web"));
    let doomed = slice("web-bcdfg", Loop::Selector, "web");
    stage.put_slice(doomed.clone());
    stage.view.slices.write_begins(&doomed.key);
    let terminating = Slice { deleting: true, ..doomed.clone() }.at(stage.next());
    stage.answer("web-bcdfg", Answered::Stored(terminating));
    assert!(snapshot(&stage, "web").slices[0].deleting);
    stage.gone(doomed, View::slice);
    assert_eq!(names(&stage, "web"), ["web-bcdfg"]);
    stage.view.slices.forget_deleted(600, 600);
    assert_eq!(names(&stage, "web"), [""; 0]);
}

#[test]
fn a_name_deleted_twice_rests_from_the_second_time_on_and_one_that_lives_is_taken_anyway() {
    let mut stage = Stage::started();
    stage.put_service(service("web", "app=web"));
    let delete = |stage: &mut Stage, uid: &str, now| {
        stage.put_slice(Slice { uid: Uid::new(uid), ..slice("web-bcdfg", Loop::Selector, "web") });
        stage.view.slices.write_begins(&key("web-bcdfg"));
        stage.wakes(|view, wakes| {
            view.write_ends(&key("web-bcdfg"), Answered::Deleted(Uid::new(uid)), now, wakes)
        });
    };
    delete(&mut stage, "first", 0);
    delete(&mut stage, "second", 300);
    stage.view.slices.forget_deleted(700, 600);
    assert_eq!(names(&stage, "web"), ["web-bcdfg"]);
    stage.put_slice(Slice { uid: Uid::new("third"), ..slice("web-bcdfg", Loop::Selector, "web") });
    stage.view.slices.forget_deleted(10_000, 600);
    assert_eq!(names(&stage, "web"), ["web-bcdfg"]);
    stage.gone(Slice { uid: Uid::new("third"), ..slice("web-bcdfg", Loop::Selector, "web") }, View::slice);
    assert_eq!(names(&stage, "web"), [""; 0]);
}

/// All orders in which two streams can deliver their own events.
fn interleavings(left: usize, right: usize) -> Vec<Vec<bool>> {
    if left == 0 || right == 0 {
        return vec![[vec![true; left], vec![false; right]].concat()];
    }
    let first = |is_left: bool, rest: Vec<Vec<bool>>| {
        rest.into_iter().map(move |mut order| {
            order.insert(0, is_left);
            order
        })
    };
    first(true, interleavings(left - 1, right)).chain(first(false, interleavings(left, right - 1))).collect()
}

#[test]
fn issue_141592_a_service_deleted_and_recreated_quickly_is_seen_right_at_every_interleaving() {
    let (old, new) = (Uid::new("old"), Uid::new("new"));
    let mine = |uid: &Uid| {
        let owner = crate::model::OwnerReference {
            api_version: "v1".into(),
            kind: "Service".into(),
            name: "web".into(),
            uid: uid.clone(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        };
        let name = if *uid == old { "web-old" } else { "web-new" };
        Slice { owners: [owner].into(), ..slice(name, Loop::Selector, "web") }
    };
    let orders = interleavings(2, 2);
    assert_eq!(orders.len(), 6);
    for order in orders {
        let mut stage = Stage::started();
        let web = |uid: &Uid| Service { uid: uid.clone(), ..service("web", "app=web") };
        stage.put_pod(pod("p", "app=web"));
        stage.put_service(web(&old));
        stage.put_slice(mine(&old));
        let memory = Memory { reported: ["of the old one".into()].into(), ..Memory::default() };
        stage.view.remember(Loop::Selector, &key("web"), memory);
        let (mut service_events, mut slice_events) = (0, 0);
        for is_service in order.clone() {
            let woken = match (is_service, service_events, slice_events) {
                (true, 0, _) => stage.gone(web(&old), View::service),
                (true, ..) => stage.put_service(web(&new)),
                (false, _, 0) => stage.gone(mine(&old), View::slice),
                (false, ..) => stage.put_slice(mine(&new)),
            };
            if is_service {
                service_events += 1
            } else {
                slice_events += 1
            }
            assert_eq!(woken.len(), 1, "{order:?}: {woken:?}");
            let seen = stage.view.selector_snapshot(&key("web"), None);
            match service_events {
                0 => assert_eq!(seen.unwrap().service.uid, old),
                1 => assert_eq!(seen.err(), Some(NoPlan::NoService)),
                _ => {
                    let seen = seen.unwrap();
                    assert_eq!(seen.service.uid, new);
                    assert_eq!(seen.pods.len(), 1);
                    assert_eq!(seen.memory, Memory::default(), "what is remembered was of the old one");
                    let names: Vec<&str> = seen.slices.iter().map(|s| s.key.name.as_str()).collect();
                    assert_eq!(names, [vec!["web-old"], vec![], vec!["web-new"]][slice_events]);
                }
            }
        }
        assert_eq!(snapshot(&stage, "web").slices[0].key, key("web-new"));
    }
}

#[test]
fn issue_141592_a_service_recreated_between_two_lists_is_a_new_one() {
    let mut stage = Stage::started();
    stage.put_service(service("web", "app=web"));
    stage.view.remember(
        Loop::Selector,
        &key("web"),
        Memory { refused: ["x".into()].into(), ..Memory::default() },
    );
    let new = Service { uid: Uid::new("new"), ..service("web", "app=web") };
    assert_eq!(stage.list_services([new]), ["selector web Now"]);
    assert_eq!(snapshot(&stage, "web").service.uid, Uid::new("new"));
    assert_eq!(snapshot(&stage, "web").memory, Memory::default());
}

fn mirror(stage: &Stage, name: &str) -> Option<crate::model::MirrorSnapshot> {
    match stage.view.mirror_snapshot(&key(name), None) {
        MirrorState::Ready(snapshot) => Some(*snapshot),
        MirrorState::Unread | MirrorState::Nothing => None,
    }
}

#[test]
fn a_name_without_mirrored_slices_and_without_such_a_service_is_nothing_to_mirror() {
    let mut stage = Stage::started();
    stage.put_endpoints(endpoints("web"));
    assert!(matches!(stage.view.mirror_snapshot(&key("web"), None), MirrorState::Nothing));
    stage.put_service(service("web", "app=web"));
    assert!(matches!(stage.view.mirror_snapshot(&key("web"), None), MirrorState::Nothing));
    stage.put_slice(slice("web-1", Loop::Mirroring, "web"));
    let snapshot = mirror(&stage, "web").unwrap();
    assert_eq!((snapshot.slices.len(), snapshot.service.is_some()), (1, true));
}

#[test]
fn endpoints_that_the_control_plane_writes_are_to_be_read_when_their_service_has_no_selector() {
    let mut stage = Stage::started();
    stage.put_service(service("plain", ""));
    stage.put_marked("plain");
    assert!(matches!(stage.view.mirror_snapshot(&key("plain"), None), MirrorState::Unread));
    stage.view.endpoints_were_read(endpoints("plain").at(stage.version));
    assert!(mirror(&stage, "plain").unwrap().endpoints.is_some());
    stage.put_marked("plain");
    assert!(
        matches!(stage.view.mirror_snapshot(&key("plain"), None), MirrorState::Unread),
        "newer ones are there"
    );
    let ahead = endpoints("plain").at(stage.version + 5);
    stage.view.endpoints_were_read(ahead.clone());
    stage.view.endpoints_were_read(endpoints("plain").at(stage.version));
    assert_eq!(
        mirror(&stage, "plain").unwrap().endpoints.as_deref(),
        Some(&ahead),
        "an older read is ignored"
    );
    stage.drop_marked("plain");
    assert!(mirror(&stage, "plain").unwrap().endpoints.is_none());
    stage.view.endpoints_were_read(ahead);
    assert!(mirror(&stage, "plain").unwrap().endpoints.is_none(), "no stream shows them");
}

#[test]
fn endpoints_of_a_service_with_selector_need_not_be_read_for_cleaning_up() {
    let mut stage = Stage::started();
    stage.put_marked("web");
    stage.put_slice(slice("web-1", Loop::Mirroring, "web"));
    assert!(mirror(&stage, "web").unwrap().endpoints.is_none(), "there is no Service");
    stage.put_service(service("web", "app=web"));
    assert!(mirror(&stage, "web").unwrap().endpoints.is_none());
}

#[test]
fn endpoints_that_change_sides_are_seen_as_the_newest_of_both() {
    let mut stage = Stage::started();
    stage.put_service(service("plain", ""));
    stage.put_endpoints(endpoints("plain"));
    assert!(mirror(&stage, "plain").unwrap().endpoints.is_some());
    stage.put_marked("plain");
    assert!(matches!(stage.view.mirror_snapshot(&key("plain"), None), MirrorState::Unread));
    stage.gone(endpoints("plain"), View::endpoints);
    assert!(matches!(stage.view.mirror_snapshot(&key("plain"), None), MirrorState::Unread));
    stage.put_endpoints(endpoints("plain"));
    let version = stage.version;
    assert_eq!(mirror(&stage, "plain").unwrap().endpoints.unwrap().version, version);
    stage.drop_marked("plain");
    assert_eq!(mirror(&stage, "plain").unwrap().endpoints.unwrap().version, version);
}
