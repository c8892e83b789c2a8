use super::*;

/// A group of the port name `port`; each endpoint is its identity and its address.
fn group(port: PortName, wanted: &[(u32, u32)]) -> Group {
    let wanted =
        wanted.iter().map(|(identity, address)| Wanted { identity: *identity, addresses: vec![*address] });
    Group { port_names: vec![port], wanted: wanted.collect() }
}

/// A slice with the port name `port`.
fn slice(name: &str, group: Option<usize>, port: PortName, members: &[(u32, u32)]) -> Existing {
    let held = |(identity, address): &(u32, u32)| Held {
        identity: *identity,
        addresses: vec![*address],
        changed: false,
    };
    Existing {
        name: name.into(),
        group,
        port_names: vec![port],
        members: members.iter().map(held).collect(),
        relabel: false,
        placeholder: false,
    }
}

fn problem(max: usize, groups: Vec<Group>, slices: Vec<Existing>) -> Problem {
    Problem { max, placeholder: true, create: true, groups, slices }
}

/// Endpoints whose address is their own number.
fn same(numbers: impl IntoIterator<Item = u32>) -> Vec<(u32, u32)> {
    numbers.into_iter().map(|number| (number, number)).collect()
}

fn update(slice: usize, group: usize, members: &[u32]) -> Step {
    Step::Update { slice, content: Content::Group(group), members: members.to_vec() }
}

fn create(group: usize, members: &[u32], first: bool) -> Step {
    Step::Create { content: Content::Group(group), members: members.to_vec(), first }
}

/// Makes the steps, and fails when a name that is held and desired is absent after one of them.
fn assert_never_absent(problem: &Problem, steps: &[Step]) {
    let with_names = |addresses: Vec<u32>, ports: &[u32]| -> Vec<(u32, u32)> {
        addresses.into_iter().flat_map(|a| ports.iter().map(move |port| (a, *port))).collect()
    };
    let all_held = problem.slices.iter().flat_map(|slice| &slice.members);
    let all_wanted = problem.groups.iter().flat_map(|group| &group.wanted);
    let address = |identity: u32| {
        let held = all_held.clone().find(|held| held.identity == identity).map(|held| held.addresses[0]);
        held.or_else(|| all_wanted.clone().find(|it| it.identity == identity).map(|it| it.addresses[0]))
            .unwrap()
    };
    let mut stands: Vec<Vec<(u32, u32)>> = Vec::new();
    for slice in &problem.slices {
        let addresses = slice.members.iter().map(|member| member.addresses[0]).collect();
        stands.push(with_names(addresses, &slice.port_names));
    }
    let desired: Vec<(u32, u32)> = problem
        .groups
        .iter()
        .flat_map(|it| {
            with_names(it.wanted.iter().map(|wanted| wanted.addresses[0]).collect(), &it.port_names)
        })
        .collect();
    let live: Vec<_> =
        desired.into_iter().filter(|name| stands.iter().flatten().any(|held| held == name)).collect();
    for step in steps {
        let content = |content: &Content, members: &[u32]| match content {
            Content::Group(at) => {
                with_names(members.iter().copied().map(address).collect(), &problem.groups[*at].port_names)
            }
            Content::Placeholder => Vec::new(),
        };
        match step {
            Step::Create { content: what, members, .. } => stands.push(content(what, members)),
            Step::Update { slice, content: what, members } => stands[*slice] = content(what, members),
            Step::Delete { slice } => stands[*slice].clear(),
        }
        let lost: Vec<_> =
            live.iter().filter(|name| !stands.iter().flatten().any(|held| held == *name)).collect();
        assert!(lost.is_empty(), "{step:?} of {steps:?} lost {lost:?}");
    }
}

#[test]
fn nothing_is_written_when_all_stands_as_it_should() {
    let wanted = same(1..=3);
    let all = problem(4, vec![group(1, &wanted)], vec![slice("a", Some(0), 1, &wanted)]);
    assert_eq!(arrange(&all), []);
}

#[test]
fn kept_endpoints_keep_their_place_and_new_ones_are_appended_as_wanted() {
    let wanted = same([9, 3, 8, 1]);
    let all = problem(4, vec![group(1, &wanted)], vec![slice("a", Some(0), 1, &same([1, 2, 3]))]);
    assert_eq!(arrange(&all), [update(0, 0, &[1, 3, 9, 8])]);
}

#[test]
fn scaling_to_zero_rewrites_one_slice_in_place_and_deletes_the_others() {
    let slices = vec![slice("a", Some(0), 1, &same([1, 2])), slice("b", Some(0), 1, &same([3]))];
    let steps = arrange(&problem(2, vec![group(1, &[])], slices));
    let placeholder = Step::Update { slice: 1, content: Content::Placeholder, members: vec![] };
    assert_eq!(steps, [placeholder, Step::Delete { slice: 0 }], "the smaller one is recycled");
    let steps = arrange(&problem(2, vec![], vec![]));
    assert_eq!(steps, [Step::Create { content: Content::Placeholder, members: vec![], first: true }]);
}

#[test]
fn a_changed_port_recycles_each_slice_with_the_members_that_it_has() {
    let slices = vec![
        slice("a", None, 1, &same([1, 2])),
        slice("b", None, 1, &same([3, 4])),
        slice("c", None, 1, &same([5])),
    ];
    let steps = arrange(&problem(2, vec![group(1, &same([5, 4, 3, 2, 1]))], slices));
    assert_eq!(steps, [update(0, 0, &[1, 2]), update(1, 0, &[3, 4]), update(2, 0, &[5])]);
}

#[test]
fn a_replaced_pod_with_the_same_address_stays_in_the_slice_of_its_address() {
    let slices =
        vec![slice("a", Some(0), 1, &[(1, 10), (2, 20)]), slice("b", Some(0), 1, &[(3, 30), (4, 40)])];
    let wanted = group(1, &[(103, 30), (2, 20), (101, 10), (4, 40)]);
    let all = problem(2, vec![wanted], slices);
    assert_eq!(arrange(&all), [update(0, 0, &[2, 101]), update(1, 0, &[4, 103])]);
}

#[test]
fn unpaired_creates_come_first_and_unpaired_deletes_last() {
    let slices = vec![slice("a", Some(0), 1, &same([1, 2]))];
    let steps = arrange(&problem(2, vec![group(1, &same(1..=5))], slices));
    assert_eq!(steps, [create(0, &[3, 4], true), create(0, &[5], true)]);
    let slices = vec![
        slice("a", None, 1, &same([1])),
        slice("b", None, 1, &same([2])),
        slice("c", None, 1, &same([3])),
    ];
    let steps = arrange(&problem(4, vec![group(1, &same(1..=3))], slices));
    assert_eq!(steps, [update(0, 0, &[1, 2, 3]), Step::Delete { slice: 1 }, Step::Delete { slice: 2 }]);
}

#[test]
fn a_slice_without_ports_counts_as_one_name_however_that_is_told() {
    for told in [vec![], vec![NO_PORTS]] {
        let mut all = problem(
            2,
            vec![group(0, &same([1, 2, 3])), group(1, &[])],
            vec![slice("a", None, 0, &same([1, 2])), slice("b", None, 0, &same([3]))],
        );
        all.slices[0].port_names = told;
        let steps = arrange(&all);
        assert_eq!(steps, [update(0, 0, &[1, 2]), update(1, 0, &[3])]);
    }
}

#[test]
fn a_slice_is_written_after_the_one_that_takes_over_what_it_throws_out() {
    // 3 leaves "a" for the group of "b", which has its place only when 5 has left it.
    let slices = vec![slice("a", Some(0), 1, &same([1, 3])), slice("b", Some(1), 1, &same([4, 5]))];
    let all = problem(2, vec![group(1, &same([1])), group(1, &same([4, 3]))], slices);
    let steps = arrange(&all);
    assert_eq!(steps, [update(1, 1, &[4, 3]), update(0, 0, &[1])]);
    assert_never_absent(&all, &steps);
}

#[test]
fn two_slices_that_exchange_members_cost_one_extra_write() {
    let slices = vec![slice("a", Some(0), 1, &same([1, 2])), slice("b", Some(1), 1, &same([3, 4]))];
    let all = problem(2, vec![group(1, &same([1, 4])), group(1, &same([3, 2]))], slices);
    let steps = arrange(&all);
    assert_eq!(steps, [update(0, 0, &[1, 2, 4]), update(1, 1, &[3, 2]), update(0, 0, &[1, 4])]);
    assert_never_absent(&all, &steps);
}

#[test]
fn an_endpoint_that_is_due_already_is_not_counted_again() {
    // 1 is there under either port. Once `a` is written it is due; `b` then makes 2 due and no more.
    let slices = vec![slice("a", None, 1, &same([1])), slice("b", None, 2, &same([1, 2]))];
    let wanted = Group { port_names: vec![1, 2], ..group(1, &same([1, 2])) };
    let all = problem(1, vec![wanted], slices);
    let steps = arrange(&all);
    assert_never_absent(&all, &steps);
    assert_eq!(steps, [update(0, 0, &[1]), update(1, 0, &[2])]);
}

#[test]
fn most_endpoints_stay_where_another_pairing_would_not_save_a_write() {
    // `a` and `b` are a cycle whatever is recycled; `c` throws out one that `e` takes in, `d` none.
    let slices = vec![
        slice("a", Some(0), 1, &same([4, 5, 6])),
        slice("b", Some(1), 1, &same([1, 2, 3])),
        slice("c", None, 1, &same([50, 51, 60])),
        slice("d", None, 1, &same([70])),
        slice("e", Some(3), 1, &same([80])),
    ];
    let wanted: [&[u32]; 4] = [&[3, 6], &[1, 2, 4, 5], &[50, 51], &[60, 80]];
    let groups = wanted.iter().map(|wanted| group(1, &same(wanted.iter().copied()))).collect();
    let all = problem(4, groups, slices);
    let steps = arrange(&all);
    assert_never_absent(&all, &steps);
    assert!(
        steps.contains(&update(2, 2, &[50, 51])) && steps.contains(&Step::Delete { slice: 3 }),
        "{steps:?}"
    );
}

#[test]
fn of_slices_that_may_be_written_the_one_that_gains_most_free_places_comes_first() {
    // `a` has three places and needs two of them for its own members.
    let slices = vec![slice("a", None, 1, &same([1, 2])), slice("b", None, 1, &same([99]))];
    let all = problem(3, vec![group(1, &same([1, 2, 10, 11, 12]))], slices);
    assert_eq!(arrange(&all), [update(1, 0, &[10, 11]), update(0, 0, &[1, 2, 12])]);
}

#[test]
fn the_slice_that_takes_in_most_breaks_a_cycle() {
    let slices = vec![slice("a", Some(0), 1, &same([4, 5, 6])), slice("b", Some(1), 1, &same([1, 2, 3]))];
    let all = problem(4, vec![group(1, &same([3, 6])), group(1, &same([1, 2, 4, 5]))], slices);
    let steps = arrange(&all);
    assert_never_absent(&all, &steps);
    assert_eq!(steps, [update(1, 1, &[1, 2, 3, 4, 5]), update(0, 0, &[6, 3]), update(1, 1, &[1, 2, 4, 5])]);
}

#[test]
fn a_cycle_is_broken_by_a_second_write_where_old_and_new_members_fit_into_the_slice() {
    // Ten each, of which five belong into the other, and ten that nobody wants.
    let slices = vec![
        slice("a", Some(0), 1, &same((1..=10).chain(101..=110))),
        slice("b", Some(1), 1, &same((11..=20).chain(111..=120))),
    ];
    let groups = vec![group(1, &same((1..=5).chain(11..=15))), group(1, &same((6..=10).chain(16..=20)))];
    let all = problem(10, groups, slices);
    let steps = arrange(&all);
    assert_never_absent(&all, &steps);
    let updated: Vec<usize> = steps
        .iter()
        .filter_map(|step| if let Step::Update { slice, .. } = step { Some(*slice) } else { None })
        .collect();
    assert_eq!((steps.len(), updated.len()), (3, 3), "{steps:?}");
}

#[test]
fn a_slice_that_would_grow_too_large_to_be_written_twice_is_made_anew() {
    let of = |range: std::ops::Range<u32>| same(range);
    let slices = vec![slice("a", Some(0), 1, &of(0..900)), slice("b", Some(1), 1, &of(1000..1900))];
    let wanted_a: Vec<_> = of(0..450).into_iter().chain(of(1000..1450)).collect();
    let wanted_b: Vec<_> = of(1450..1900).into_iter().chain(of(450..900)).collect();
    let all = problem(900, vec![group(1, &wanted_a), group(1, &wanted_b)], slices);
    let steps = arrange(&all);
    assert!(matches!(&steps[0], Step::Create { first: false, members, .. } if members.len() == 900));
    assert!(matches!(&steps[1], Step::Update { slice: 1, members, .. } if members.len() == 900));
    assert_eq!(steps[2..], [Step::Delete { slice: 0 }]);
    assert_never_absent(&all, &steps);
}

#[test]
fn recycled_slices_in_a_cycle_cost_one_create() {
    // Two groups trade places: each slice's ports are gone, and each pair keeps half of its members.
    let slices = vec![slice("a", None, 1, &same([1, 2])), slice("b", None, 1, &same([3, 4]))];
    let all = problem(2, vec![group(1, &same([1, 3])), group(1, &same([2, 4]))], slices);
    let steps = arrange(&all);
    assert_eq!(steps.len(), 3, "{steps:?}");
    assert!(matches!(&steps[0], Step::Create { first: false, .. }), "{steps:?}");
    assert!(matches!(&steps[2], Step::Delete { .. }), "{steps:?}");
    assert_never_absent(&all, &steps);
}

#[test]
fn fewest_thrown_out_is_tried_when_most_staying_needs_an_extra_write() {
    // "b" loses its only member, "a" its group. Most would stay if "a" became the second group,
    // but then each would have to be written before the other.
    let slices = vec![slice("a", None, 1, &same([1, 2, 3])), slice("b", Some(0), 1, &same([4]))];
    let mut all = problem(3, vec![group(1, &same([2])), group(1, &same([1, 3, 4]))], slices);
    all.groups[1].port_names = vec![1, 2];
    let steps = arrange(&all);
    assert_eq!(steps, [update(1, 1, &[4, 1, 3]), update(0, 0, &[2])]);
    assert_never_absent(&all, &steps);
}

#[test]
fn an_address_that_a_kept_endpoint_shares_is_in_no_danger() {
    // As with two slices that exchange members, but 2 shares the address of 1, and 4 that of 3.
    let slices =
        vec![slice("a", Some(0), 1, &[(1, 10), (2, 10)]), slice("b", Some(1), 1, &[(3, 30), (4, 30)])];
    let groups = vec![group(1, &[(1, 10), (4, 30)]), group(1, &[(3, 30), (2, 10)])];
    let all = problem(2, groups, slices);
    let steps = arrange(&all);
    assert_eq!(steps, [update(0, 0, &[1, 4]), update(1, 1, &[3, 2])]);
    assert_never_absent(&all, &steps);
}

#[test]
fn first_mistake_the_home_is_the_old_holder_that_is_written_last_and_no_other() {
    // 505 (address 5) stands in three slices. If it took a place in one that is written early,
    // another endpoint, due by then, would have none.
    let slices = vec![
        slice("a", Some(0), 0, &[(1, 1), (2, 2)]),
        slice("b", Some(0), 0, &[(3, 3), (4, 4), (5, 5)]),
        slice("c", Some(1), 1, &[(5, 5), (6, 6), (1, 1)]),
        slice("d", Some(1), 1, &[(7, 7), (8, 8), (5, 5)]),
    ];
    let bare = group(0, &[(501, 1), (502, 2), (503, 3), (20, 20), (21, 21), (25, 25)]);
    let named = group(1, &[(504, 4), (505, 5), (506, 6), (507, 7), (508, 8), (22, 22), (23, 23), (24, 24)]);
    let all = problem(2, vec![bare, named], slices);
    assert_never_absent(&all, &arrange(&all));
}

#[test]
fn second_mistake_a_slice_that_is_written_twice_has_its_places_from_the_first_time_on() {
    let slices = vec![
        slice("a", Some(1), 1, &same([1, 2])),
        slice("b", Some(0), 1, &same([3, 4])),
        slice("c", Some(0), 1, &same([5, 6])),
        slice("d", Some(1), 1, &same([7, 8])),
    ];
    let all = problem(2, vec![group(1, &same([1, 4, 5, 7])), group(1, &same([2, 3, 6, 8]))], slices);
    let steps = arrange(&all);
    assert_eq!(steps.len(), 5, "one extra write: {steps:?}");
    assert_never_absent(&all, &steps);
}

#[test]
fn nothing_is_created_for_a_service_that_is_being_deleted_but_slices_are_recycled() {
    let slices = vec![slice("a", None, 1, &same([1, 2]))];
    let all = Problem { create: false, ..problem(2, vec![group(1, &same([1, 2, 3]))], slices) };
    assert_eq!(arrange(&all), [update(0, 0, &[1, 2])], "live ones before new ones");
    let slices = vec![slice("a", Some(0), 1, &same([1, 2])), slice("b", Some(1), 1, &same([3, 4]))];
    let cycle = problem(2, vec![group(1, &same([1, 4])), group(1, &same([3, 2]))], slices);
    let steps = arrange(&Problem { create: false, ..cycle });
    assert_eq!(steps, [update(0, 0, &[1, 4]), update(1, 1, &[3, 2])], "a gap is accepted, no extra write");
}

#[test]
fn ties_go_by_name_whatever_the_order_in_which_slices_are_given() {
    let slices = vec![slice("b", None, 1, &same([1])), slice("a", None, 1, &same([2]))];
    let steps = arrange(&problem(2, vec![group(2, &same([3]))], slices));
    assert_eq!(steps, [update(1, 0, &[3]), Step::Delete { slice: 0 }]);
}

#[test]
fn ten_thousand_endpoints_whose_ports_change_stay_where_they_are() {
    let slices: Vec<Existing> = (0..100)
        .map(|at: u32| slice(&format!("s{at:03}"), None, 1, &same(at * 100..at * 100 + 100)))
        .collect();
    let all = problem(100, vec![group(1, &same((0..10_000).rev()))], slices);
    let steps = arrange(&all);
    assert_eq!(steps.len(), 100);
    for step in &steps {
        let Step::Update { slice, members, .. } = step else { panic!("{step:?}") };
        let first = *slice as u32 * 100;
        assert_eq!(*members, (first..first + 100).collect::<Vec<u32>>(), "all stay where they are");
    }
}
