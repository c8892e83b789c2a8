use super::*;
use crate::plan::arrange::{Group, Held, Wanted};

/// A group that wants these identities, each with its own number as address.
fn group(identities: impl IntoIterator<Item = u32>) -> Group {
    let wanted = identities.into_iter().map(|identity| Wanted { identity, addresses: vec![identity] });
    Group { port_names: vec![1], wanted: wanted.collect() }
}

/// A slice of a group with these members.
fn slice(group: impl Into<Option<usize>>, identities: impl IntoIterator<Item = u32>) -> Existing {
    let held = |identity| Held { identity, addresses: vec![identity], changed: false };
    Existing {
        name: "s".into(),
        group: group.into(),
        port_names: vec![1],
        members: identities.into_iter().map(held).collect(),
        relabel: false,
        placeholder: false,
    }
}

fn problem(max: usize, groups: Vec<Group>, slices: Vec<Existing>) -> Problem {
    Problem { max, placeholder: true, create: true, groups, slices }
}

fn created(sizes: &[usize]) -> Vec<Creation> {
    sizes.iter().map(|size| Creation { content: Content::Group(0), size: *size }).collect()
}

use Fate::{Deleted, Unchanged, Updated};

#[test]
fn step_1_drops_what_is_not_desired_and_replaces_what_changed() {
    let mut changed = slice(0, [4, 5]);
    changed.members[1].changed = true;
    let numbers =
        count(&problem(9, vec![group([1, 3, 4, 5, 6])], vec![slice(0, [1, 2, 3]), changed, slice(0, [6])]));
    assert_eq!(numbers.fates, [Updated, Updated, Unchanged]);
    assert_eq!(numbers.kept, [vec![0, 2], vec![0, 1], vec![0]]);
    assert_eq!((numbers.places, numbers.creations), (vec![0, 0, 0], vec![]));
}

#[test]
fn step_1_the_first_slice_in_which_a_duplicate_is_found_keeps_it() {
    let numbers = count(&problem(9, vec![group([1, 2, 3])], vec![slice(0, [1, 2]), slice(0, [2, 3, 3])]));
    assert_eq!(numbers.fates, [Unchanged, Updated]);
    assert_eq!(numbers.kept, [vec![0, 1], vec![1]]);
}

#[test]
fn step_1_a_slice_that_loses_its_last_endpoint_goes_and_one_that_was_empty_stays() {
    let numbers = count(&problem(9, vec![group([1])], vec![slice(0, []), slice(0, [1]), slice(0, [2, 3])]));
    assert_eq!(numbers.fates, [Unchanged, Unchanged, Deleted]);
}

#[test]
fn step_1_a_slice_whose_labels_are_wrong_is_changed_with_its_endpoints_as_they_are() {
    let wrong = |identities: &[u32]| Existing { relabel: true, ..slice(0, identities.iter().copied()) };
    let numbers = count(&problem(9, vec![group([1, 2])], vec![wrong(&[1, 2]), wrong(&[])]));
    assert_eq!(numbers.fates, [Updated, Updated]);
    assert_eq!(numbers.kept, [vec![0, 1], vec![]]);
}

#[test]
fn step_2_fills_changed_slices_fullest_first_by_their_size_after_step_1() {
    let slices = vec![slice(0, [1, 2, 90, 91]), slice(0, [3, 4, 5, 92]), slice(0, [6])];
    let numbers = count(&problem(4, vec![group([1, 2, 3, 4, 5, 6, 10, 11])], slices));
    assert_eq!(numbers.places, [1, 1, 0], "the second has three after step 1, so it is filled first");
    assert_eq!(numbers.fates, [Updated, Updated, Unchanged]);
}

#[test]
fn step_2_fills_a_slice_that_is_changed_for_its_labels_only() {
    let wrong = Existing { relabel: true, ..slice(0, [1]) };
    let numbers = count(&problem(4, vec![group([1, 2, 3, 4])], vec![wrong, slice(0, [2])]));
    assert_eq!(numbers.places, [2, 0]);
    assert_eq!(numbers.creations, []);
}

#[test]
fn step_2_does_not_fill_a_slice_that_step_1_emptied() {
    let numbers = count(&problem(4, vec![group([1, 2])], vec![slice(0, [8, 9])]));
    assert_eq!((numbers.fates, numbers.places), (vec![Deleted], vec![0]));
    assert_eq!(numbers.creations, created(&[2]));
}

#[test]
fn step_3_ten_new_endpoints_and_two_unchanged_slices_with_room_for_five_give_one_create() {
    let slices = vec![slice(0, 0..15), slice(0, 20..35)];
    let numbers = count(&problem(20, vec![group((0..15).chain(20..35).chain(50..60))], slices));
    assert_eq!(numbers.fates, [Unchanged, Unchanged]);
    assert_eq!(numbers.creations, created(&[10]));
}

#[test]
fn step_3_takes_the_unchanged_slice_with_room_for_all_and_the_least_to_spare() {
    let slices = vec![slice(0, [1]), slice(0, [2, 3, 4]), slice(0, [5, 6]), slice(0, [7, 8])];
    let numbers = count(&problem(4, vec![group((1..=8).chain([10, 11]))], slices));
    assert_eq!(numbers.places, [0, 0, 2, 0]);
    assert_eq!(numbers.fates, [Unchanged, Unchanged, Updated, Unchanged]);
}

#[test]
fn step_3_creates_a_full_slice_while_the_maximum_or_more_remain_then_fits_the_rest() {
    let numbers = count(&problem(4, vec![group(1..=10)], vec![slice(0, []), slice(0, [1, 2])]));
    assert_eq!(numbers.creations, created(&[4, 4]), "eight new ones: no slice takes four, even an empty one");
    let numbers = count(&problem(4, vec![group(1..=8)], vec![slice(0, []), slice(0, [1, 2])]));
    assert_eq!(numbers.creations, created(&[4]));
    assert_eq!(numbers.places, [0, 2]);
}

#[test]
fn a_slice_larger_than_the_maximum_is_never_split_and_never_filled() {
    let numbers = count(&problem(2, vec![group(1..=5)], vec![slice(0, [1, 2, 3, 4, 9])]));
    assert_eq!((numbers.fates, numbers.places), (vec![Updated], vec![0]));
    assert_eq!(numbers.kept, [vec![0, 1, 2, 3]]);
    assert_eq!(numbers.creations, created(&[1]));
}

#[test]
fn slices_of_groups_that_are_no_longer_desired_go() {
    let numbers =
        count(&problem(4, vec![group([1])], vec![slice(None, [1]), slice(0, [1]), slice(None, [])]));
    assert_eq!(numbers.fates, [Deleted, Unchanged, Deleted]);
    assert_eq!(numbers.creations, []);
}

#[test]
fn one_placeholder_stands_when_nothing_else_would() {
    let placeholder = Creation { content: Content::Placeholder, size: 0 };
    assert_eq!(count(&problem(4, vec![], vec![])).creations, [placeholder]);
    assert_eq!(count(&problem(4, vec![group([])], vec![slice(0, [1])])).creations, [placeholder]);
    let emptied_before = count(&problem(4, vec![group([])], vec![slice(0, [])]));
    assert_eq!((emptied_before.fates, emptied_before.creations), (vec![Unchanged], vec![]));
    let off = Problem { placeholder: false, ..problem(4, vec![], vec![]) };
    assert_eq!(count(&off).creations, []);
    let being_deleted = Problem { create: false, ..problem(4, vec![], vec![slice(None, [1])]) };
    assert_eq!(count(&being_deleted).creations, [], "not for a Service with a deletionTimestamp");
}

#[test]
fn a_placeholder_that_is_right_is_left_alone_and_goes_when_it_is_not_needed() {
    let right = Existing { placeholder: true, port_names: vec![0], ..slice(None, []) };
    let numbers = count(&problem(4, vec![], vec![right.clone()]));
    assert_eq!((numbers.fates, numbers.creations), (vec![Unchanged], vec![]));
    let numbers = count(&problem(4, vec![], vec![slice(None, [1]), right.clone(), right.clone()]));
    assert_eq!((numbers.fates, numbers.creations), (vec![Deleted, Unchanged, Deleted], vec![]));
    let numbers = count(&problem(4, vec![group([1])], vec![right]));
    assert_eq!((numbers.fates, numbers.creations), (vec![Deleted], created(&[1])));
}

#[test]
fn nothing_overflows_where_there_is_no_maximum() {
    let numbers = count(&problem(usize::MAX, vec![group(1..=5)], vec![slice(0, [1])]));
    assert_eq!(numbers.places, [4], "a slice that has room for all takes them");
    let numbers = count(&problem(0, vec![group(1..=2)], vec![]));
    assert_eq!(numbers.creations, created(&[1, 1]), "a maximum of 0 reads as 1");
}

#[test]
fn a_slice_of_a_group_that_is_not_there_goes() {
    let all = problem(4, vec![group([1])], vec![slice(Some(0), [1]), slice(Some(1), [2])]);
    assert_eq!(count(&all).fates[1], Deleted);
}
