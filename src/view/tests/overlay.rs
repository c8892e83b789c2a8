//! Our own writes laid over the stream (architecture.md, decision 6), rule by rule.

use super::*;

const NOBODY: [&str; 0] = [];

fn web() -> Slice {
    slice("web-1", Loop::Selector, "web")
}

fn held(stage: &Stage) -> Option<(Uid, Version)> {
    stage.view.slices.get(&web().key).map(|held| (held.uid.clone(), held.version))
}

fn at(version: Version) -> Option<(Uid, Version)> {
    Some((web().uid, version))
}

/// A stage at version 10 that shows one slice in version 10, with a write of it on its way.
fn writing() -> Stage {
    let mut stage = Stage::started();
    stage.version = 9;
    stage.put_slice(web());
    stage.view.slices.write_begins(&web().key);
    stage
}

fn show(stage: &mut Stage, slice: Slice) -> Vec<String> {
    stage.version = slice.version;
    stage.wakes(|view, wakes| view.slice(Change::Upserted(slice.meta(), slice), wakes))
}

fn show_end(stage: &mut Stage, slice: Slice) -> Vec<String> {
    stage.version = slice.version;
    stage.wakes(|view, wakes| view.slice(Change::Deleted(slice.meta()), wakes))
}

fn list(stage: &mut Stage, slices: Vec<Slice>, version: Version) -> Vec<String> {
    let listed = slices.into_iter().map(|slice| (slice.meta(), Listed::Row(slice))).collect();
    stage.wakes(|view, wakes| view.slice(Change::Replaced(listed, version), wakes))
}

#[test]
fn what_was_written_is_seen_at_once_and_its_echo_wakes_nobody() {
    let mut stage = writing();
    let stored = filled(&web(), 1).at(12);
    assert_eq!(stage.answer("web-1", Answered::Stored(stored.clone())), NOBODY);
    assert_eq!(held(&stage), at(12));
    assert!(stage.view.slices.holds(&stored.meta()), "its echo need not even be decoded");
    assert_eq!(show(&mut stage, stored), NOBODY);
    assert_eq!(held(&stage), at(12));
}

#[test]
fn what_was_created_is_seen_at_once_and_its_echo_wakes_nobody() {
    let mut stage = Stage::started();
    stage.view.slices.write_begins(&web().key);
    assert_eq!(stage.answer("web-1", Answered::Stored(web().at(5))), NOBODY);
    assert_eq!(stage.slices_of(Loop::Selector, "web"), [("web-1".to_owned(), 5)]);
    assert_eq!(show(&mut stage, web().at(5)), NOBODY);
    assert_eq!(
        show(&mut stage, filled(&web(), 2).at(6)),
        ["selector web SliceBatch"],
        "that was somebody else"
    );
}

#[test]
fn an_older_event_is_ignored() {
    let mut stage = writing();
    stage.answer("web-1", Answered::Stored(filled(&web(), 1).at(12)));
    assert_eq!(show(&mut stage, filled(&web(), 2).at(11)), NOBODY);
    assert_eq!(held(&stage), at(12));
    let older = slice("web-1", Loop::Selector, "other").at(11);
    assert_eq!(show(&mut stage, older), NOBODY);
    assert_eq!(stage.slices_of(Loop::Selector, "other"), []);
}

#[test]
fn an_echo_that_arrives_before_its_answer_wakes_nobody() {
    let mut stage = writing();
    let stored = filled(&web(), 1).at(12);
    assert_eq!(show(&mut stage, stored.clone()), NOBODY);
    assert_eq!(held(&stage), at(12), "but it is seen");
    assert_eq!(stage.answer("web-1", Answered::Stored(stored)), NOBODY);
    assert_eq!(held(&stage), at(12));
}

#[test]
fn a_foreign_write_while_a_write_is_on_its_way_wakes_after_the_answer() {
    let stored = filled(&web(), 1).at(12);
    let foreign = filled(&web(), 2);
    // Before ours (which then cannot have been stored), behind ours, and when nothing is known.
    for (shown, answered) in [
        (vec![foreign.clone().at(11)], Answered::Nothing),
        (vec![stored.clone(), foreign.clone().at(13)], Answered::Stored(stored.clone())),
        (vec![foreign.at(13)], Answered::Stored(stored.clone())),
        (vec![stored], Answered::Nothing),
    ] {
        let mut stage = writing();
        for slice in &shown {
            assert_eq!(show(&mut stage, slice.clone()), NOBODY, "not yet");
        }
        assert_eq!(stage.answer("web-1", answered), ["selector web SliceBatch"]);
        assert_eq!(held(&stage), at(shown.last().unwrap().version));
    }
}

#[test]
fn a_foreign_delete_while_an_update_is_on_its_way_wakes_after_the_answer() {
    let stored = filled(&web(), 1).at(12);
    let mut stage = writing();
    show(&mut stage, stored.clone());
    assert_eq!(show_end(&mut stage, web().at(13)), NOBODY, "not yet");
    assert_eq!(stage.answer("web-1", Answered::Stored(stored)), ["selector web SliceBatch"]);
    assert_eq!(held(&stage), None, "the late answer does not bring it back");

    let mut stage = writing();
    show_end(&mut stage, web().at(13));
    assert_eq!(stage.answer("web-1", Answered::Nothing), ["selector web SliceBatch"]);
}

#[test]
fn a_foreign_move_to_another_service_while_a_write_is_on_its_way_wakes_both_after_the_answer() {
    let stored = filled(&web(), 1).at(12);
    let mut stage = writing();
    show(&mut stage, stored.clone());
    assert_eq!(show(&mut stage, slice("web-1", Loop::Selector, "front").at(13)), NOBODY);
    assert_eq!(
        stage.answer("web-1", Answered::Stored(stored)),
        ["selector front SliceBatch", "selector web SliceBatch"]
    );
}

#[test]
fn a_slice_that_lost_its_managed_by_and_got_it_back_while_a_write_is_on_its_way_wakes_after_the_answer() {
    let mut stage = writing();
    show_end(&mut stage, web().at(11));
    show(&mut stage, web().at(12));
    assert_eq!(stage.answer("web-1", Answered::Nothing), ["selector web SliceBatch"]);
    assert_eq!(held(&stage), at(12));
}

#[test]
fn what_we_wrote_and_a_list_left_out_because_it_was_overwritten_wakes_after_the_answer() {
    let woken = ["selector web SliceBatch"];
    let created = || {
        let mut stage = Stage::started();
        stage.view.slices.write_begins(&web().key);
        stage
    };
    let mut stage = created();
    list(&mut stage, vec![], 6);
    assert_eq!(stage.answer("web-1", Answered::Stored(web().at(5))), woken, "it was deleted");
    let mut stage = created();
    list(&mut stage, vec![slice("web-1", Loop::Selector, "front").at(6)], 6);
    assert_eq!(
        stage.answer("web-1", Answered::Stored(web().at(5))),
        ["selector front SliceBatch", "selector web SliceBatch"],
        "it was moved"
    );
}

#[test]
fn a_foreign_move_and_delete_while_a_write_is_on_its_way_wakes_the_other_service_after_the_answer() {
    let mut stage = writing();
    show(&mut stage, slice("web-1", Loop::Selector, "front").at(11));
    assert_eq!(
        stage.answer("web-1", Answered::Gone(web().uid)),
        ["selector front SliceBatch"],
        "who wrote it knows by the answer"
    );
    assert_eq!(stage.slices_of(Loop::Selector, "front"), []);
}

#[test]
fn of_two_writes_on_their_way_both_are_ours() {
    let mut stage = writing();
    stage.view.slices.write_begins(&web().key);
    let (first, second) = (filled(&web(), 1).at(11), filled(&web(), 2).at(12));
    show(&mut stage, first.clone());
    show(&mut stage, second.clone());
    assert_eq!(stage.answer("web-1", Answered::Stored(first)), NOBODY);
    assert_eq!(stage.answer("web-1", Answered::Stored(second)), NOBODY);
    assert_eq!(held(&stage), at(12));
}

#[test]
fn an_answer_at_or_below_the_streams_version_is_ignored() {
    let stored = filled(&web(), 1).at(12);
    let mut stage = writing();
    stage.wakes(|view, wakes| view.slice(Change::Bookmark(12), wakes));
    stage.answer("web-1", Answered::Stored(stored.clone()));
    assert_eq!(held(&stage), at(10), "the stream has shown all up to 12, and this was not among it");

    let mut stage = writing();
    show_end(&mut stage, web().at(11));
    stage.view.slice_was_answered(web().at(11));
    assert_eq!(held(&stage), None);

    let mut stage = writing();
    list(&mut stage, vec![], 15);
    assert_eq!(stage.answer("web-1", Answered::Stored(stored)), ["selector web SliceBatch"]);
    assert_eq!(held(&stage), None, "the list shows it no more");
}

#[test]
fn what_was_deleted_is_hidden_at_once_until_the_stream_shows_its_end() {
    let mut stage = writing();
    assert_eq!(stage.answer("web-1", Answered::Deleted(web().uid)), NOBODY);
    assert_eq!(held(&stage), None);
    assert!(stage.view.slices.holds(&web().at(11).meta()), "an echo need not be decoded");
    assert_eq!(show(&mut stage, filled(&web(), 3).at(11)), NOBODY, "a late echo stays hidden");
    assert_eq!(held(&stage), None);
    assert_eq!(show_end(&mut stage, web().at(12)), NOBODY);
    assert!(!stage.view.slices.holds(&web().at(11).meta()));
    assert!(stage.view.slices.at_rest());
}

#[test]
fn a_delete_whose_event_arrives_before_its_answer_wakes_nobody_and_leaves_no_tombstone() {
    let mut stage = writing();
    assert_eq!(show_end(&mut stage, web().at(12)), NOBODY);
    assert_eq!(stage.answer("web-1", Answered::Deleted(web().uid)), NOBODY);
    assert_eq!(held(&stage), None);
    assert!(stage.view.slices.at_rest());
}

#[test]
fn a_tombstone_ends_with_a_list_that_no_longer_shows_it() {
    let mut stage = writing();
    stage.answer("web-1", Answered::Deleted(web().uid));
    assert_eq!(list(&mut stage, vec![web().at(10)], 11), NOBODY, "a list from before the delete");
    assert_eq!(held(&stage), None);
    assert!(!stage.view.slices.at_rest());
    assert_eq!(list(&mut stage, vec![], 12), NOBODY);
    assert!(stage.view.slices.at_rest());
}

#[test]
fn a_tombstone_does_not_end_with_a_list_from_before_the_slice_was_made() {
    let mut stage = Stage::started();
    stage.version = 5;
    list(&mut stage, vec![], 5);
    stage.view.slices.write_begins(&web().key);
    stage.answer("web-1", Answered::Stored(web().at(10)));
    stage.view.slices.write_begins(&web().key);
    stage.answer("web-1", Answered::Deleted(web().uid));
    list(&mut stage, vec![], 7);
    assert_eq!(show(&mut stage, web().at(10)), NOBODY, "the echo of its creation");
    assert_eq!(held(&stage), None);
    assert_eq!(show_end(&mut stage, web().at(11)), NOBODY);
    assert!(stage.view.slices.at_rest());
}

#[test]
fn a_tombstone_does_not_end_with_an_earlier_departure_of_the_same_slice() {
    let mut stage = Stage::started();
    stage.version = 10;
    stage.put_slice(web().at(10));
    // Somebody took it over (11) and gave it back (12); we read that, and deleted it (13).
    stage.view.slice_was_answered(web().at(12));
    stage.view.slices.write_begins(&web().key);
    stage.answer("web-1", Answered::Deleted(web().uid));
    assert_eq!(show_end(&mut stage, web().at(11)), NOBODY);
    assert_eq!(show(&mut stage, web().at(12)), NOBODY);
    assert_eq!(held(&stage), None);
    assert_eq!(show_end(&mut stage, web().at(13)), NOBODY);
    assert!(stage.view.slices.at_rest());
}

#[test]
fn what_was_written_stays_through_a_list_that_is_older() {
    let mut stage = writing();
    stage.answer("web-1", Answered::Stored(filled(&web(), 1).at(14)));
    assert_eq!(list(&mut stage, vec![web().at(10)], 12), NOBODY);
    assert_eq!(held(&stage), at(14));

    let mut stage = Stage::started();
    stage.view.slices.write_begins(&web().key);
    stage.answer("web-1", Answered::Stored(web().at(14)));
    assert_eq!(list(&mut stage, vec![], 12), NOBODY, "it was made after that list");
    assert_eq!(held(&stage), at(14));
    assert_eq!(list(&mut stage, vec![], 14), ["selector web SliceBatch"], "it was deleted before that list");
    assert_eq!(held(&stage), None);
}

#[test]
fn gone_is_hidden_at_once_as_after_a_delete() {
    let mut stage = writing();
    assert_eq!(stage.answer("web-1", Answered::Gone(web().uid)), NOBODY);
    assert_eq!(held(&stage), None);
    assert_eq!(show(&mut stage, filled(&web(), 3).at(11)), NOBODY);
    assert_eq!(held(&stage), None);
    assert_eq!(show_end(&mut stage, web().at(12)), NOBODY);
    assert!(stage.view.slices.at_rest());
}

#[test]
fn gone_that_the_stream_has_shown_already_leaves_no_tombstone() {
    let mut stage = writing();
    show_end(&mut stage, web().at(11));
    assert_eq!(stage.answer("web-1", Answered::Gone(web().uid)), NOBODY);
    assert!(stage.view.slices.at_rest());
    let again = Slice { uid: Uid::new("another"), ..web() };
    assert_eq!(show(&mut stage, again.at(13)), ["selector web SliceBatch"]);
}

#[test]
fn gone_that_was_found_by_a_live_read_needs_no_write_on_its_way() {
    let mut stage = Stage::started();
    stage.put_slice(web());
    assert_eq!(stage.answer("web-1", Answered::Gone(web().uid)), NOBODY);
    assert_eq!(held(&stage), None);
}

#[test]
fn gone_that_was_found_by_a_live_read_wakes_whom_it_belonged_to_by_then() {
    let mut stage = Stage::started();
    stage.put_slice(web());
    // The Service that it belonged to reads it; before the answer the stream shows that it was moved.
    show(&mut stage, slice("web-1", Loop::Selector, "front").at(5));
    assert_eq!(stage.answer("web-1", Answered::Gone(web().uid)), NOBODY);
    assert_eq!(stage.slices_of(Loop::Selector, "front"), []);
    assert_eq!(show_end(&mut stage, web().at(6)), ["selector front SliceBatch"]);
}

#[test]
fn a_delete_that_a_finalizer_holds_leaves_a_row_that_is_being_deleted() {
    let mut stage = writing();
    let terminating = Slice { deleting: true, ..web() };
    assert_eq!(stage.answer("web-1", Answered::Stored(terminating.clone().at(12))), NOBODY);
    assert!(stage.view.slices.get(&web().key).unwrap().deleting);
    assert_eq!(show(&mut stage, terminating.at(12)), NOBODY, "its echo");
    assert_eq!(show_end(&mut stage, web().at(13)), ["selector web SliceBatch"]);
    assert_eq!(held(&stage), None);
}

#[test]
fn a_slice_recreated_under_the_same_name_with_another_uid_is_another_slice() {
    let again = Slice { uid: Uid::new("another"), ..web() };
    // We deleted the old one; somebody made a new one; the stream shows both events late.
    let mut stage = writing();
    stage.answer("web-1", Answered::Deleted(web().uid));
    stage.view.slice_was_answered(again.clone().at(13));
    assert_eq!(held(&stage), Some((again.uid.clone(), 13)));
    assert_eq!(show_end(&mut stage, web().at(12)), NOBODY);
    assert_eq!(
        held(&stage),
        Some((again.uid.clone(), 13)),
        "the end of the old one does not end the new one"
    );
    show(&mut stage, again.clone().at(13));
    assert!(stage.view.slices.at_rest());

    // The stream was faster than the answer of our delete.
    let mut stage = writing();
    show_end(&mut stage, web().at(12));
    show(&mut stage, again.clone().at(13));
    assert_eq!(
        stage.answer("web-1", Answered::Deleted(web().uid)),
        ["selector web SliceBatch"],
        "the new one is somebody else's"
    );
    assert_eq!(held(&stage), Some((again.uid, 13)));
    assert!(stage.view.slices.at_rest());
}

#[test]
fn a_late_answer_does_not_bring_back_what_was_deleted() {
    let mut stage = writing();
    stage.answer("web-1", Answered::Deleted(web().uid));
    stage.view.slice_was_answered(filled(&web(), 1).at(11));
    assert_eq!(held(&stage), None);
}

#[test]
fn what_a_live_read_finds_is_seen_at_once_and_its_echo_wakes_everybody_concerned() {
    let mut stage = Stage::started();
    stage.put_slice(web().at(1));
    let moved = slice("web-1", Loop::Selector, "front").at(5);
    stage.view.slice_was_answered(moved.clone());
    assert_eq!(stage.slices_of(Loop::Selector, "front").len(), 1);
    assert_eq!(stage.slices_of(Loop::Selector, "web"), []);
    assert!(!stage.view.slices.holds(&moved.meta()), "nobody but the reader knows of it yet");
    assert_eq!(show(&mut stage, moved.clone()), ["selector front SliceBatch", "selector web SliceBatch"]);
    assert!(stage.view.slices.holds(&moved.meta()));
    assert_eq!(show(&mut stage, moved), NOBODY, "once");
    assert!(stage.view.slices.at_rest());
}

#[test]
fn what_a_live_read_found_and_the_stream_has_overtaken_wakes_everybody_concerned() {
    let found = slice("web-1", Loop::Selector, "front").at(5);
    let mut stage = Stage::started();
    stage.view.slice_was_answered(found.clone());
    assert_eq!(show(&mut stage, found.clone().at(6)), ["selector front SliceBatch"], "a later event");
    let mut stage = Stage::started();
    stage.view.slice_was_answered(found.clone());
    assert_eq!(list(&mut stage, vec![found.clone().at(6)], 7), ["selector front SliceBatch"], "a list");
    let mut stage = Stage::started();
    stage.view.slice_was_answered(found.clone());
    assert_eq!(list(&mut stage, vec![], 7), ["selector front SliceBatch"], "a list that shows it no more");
    let mut stage = Stage::started();
    stage.view.slice_was_answered(found.clone());
    assert_eq!(show_end(&mut stage, found.at(6)), ["selector front SliceBatch"], "its end");
    assert!(stage.view.slices.at_rest());
}

#[test]
fn what_a_live_read_finds_in_other_hands_is_no_longer_seen() {
    let mut stage = Stage::started();
    stage.put_slice(web());
    let taken = Slice { labels: labels("kubernetes.io/service-name=web"), ..web() };
    stage.view.slice_was_answered(taken.clone().at(5));
    assert_eq!(held(&stage), None);
    assert_eq!(show(&mut stage, filled(&web(), 1).at(4)), NOBODY, "what it was before is hidden");
    assert_eq!(held(&stage), None);
    assert_eq!(list(&mut stage, vec![filled(&web(), 1).at(4)], 4), NOBODY);
    assert_eq!(held(&stage), None);
    assert_eq!(
        list(&mut stage, vec![filled(&web(), 2).at(7)], 8),
        ["selector web SliceBatch"],
        "it came back"
    );
    assert_eq!(held(&stage), at(7));
    assert!(stage.view.slices.at_rest());

    let mut stage = Stage::started();
    stage.put_slice(web());
    stage.view.slice_was_answered(taken.clone().at(5));
    assert_eq!(show_end(&mut stage, web().at(5)), ["selector web SliceBatch"], "its Service hears of it");
    assert!(stage.view.slices.at_rest());
    stage.view.slice_was_answered(taken.at(6));
    stage.wakes(|view, wakes| view.slice(Change::Bookmark(6), wakes));
    assert!(stage.view.slices.at_rest(), "the stream is past it");
}

#[test]
fn what_a_live_read_finds_in_other_hands_is_not_seen_as_it_was_before() {
    let mut stage = Stage::started();
    let taken = Slice { labels: labels("kubernetes.io/service-name=web"), ..web() };
    stage.view.slice_was_answered(taken.at(5));
    assert_eq!(show(&mut stage, web().at(4)), NOBODY, "when it was ours");
    assert_eq!(held(&stage), None);
    assert_eq!(show_end(&mut stage, web().at(5)), NOBODY);
    assert!(stage.view.slices.at_rest());
}
