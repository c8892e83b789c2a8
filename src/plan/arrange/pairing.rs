//! Recycling: which slice that would go takes over the content of which that would be created.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::stakes::Stakes;
use super::{Content, Problem};
use crate::plan::fill::{Creation, Fate, Numbers};

/// What counts first when creates are paired with deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Preference {
    /// Most endpoints stay in the slice where they are.
    MostStaying,
    /// Fewest live endpoints are thrown out of the slice where they are.
    FewestThrownOut,
}

/// Creations of one content and size are alike.
struct Kind {
    creation: Creation,
    numbers: Vec<usize>,
}

/// How well a slice suits a kind of creation; the least is the best.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Match {
    by_preference: (Reverse<usize>, usize, Reverse<usize>),
    size: usize,
    slice: usize,
    kind: usize,
}

/// For each creation the slice that it recycles.
pub(super) fn pair(
    problem: &Problem,
    numbers: &Numbers,
    stakes: &Stakes,
    preference: Preference,
) -> Vec<Option<usize>> {
    let mut recycled = vec![None; numbers.creations.len()];
    if recycled.is_empty() {
        return recycled;
    }
    let mut kinds = kinds(&numbers.creations);
    let mut free: Vec<bool> = numbers.fates.iter().map(|fate| *fate == Fate::Deleted).collect();
    for found in matches(problem, &free, stakes, &kinds, preference) {
        let open = &mut kinds[found.kind].numbers;
        if free[found.slice]
            && let Some(creation) = open.pop()
        {
            free[found.slice] = false;
            recycled[creation] = Some(found.slice);
        }
    }
    recycled
}

fn kinds(creations: &[Creation]) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = Vec::new();
    for (number, creation) in creations.iter().enumerate() {
        // Creations come by group, full ones first: those of a kind stand together.
        match kinds.last_mut() {
            Some(last) if last.creation == *creation => last.numbers.push(number),
            _ => kinds.push(Kind { creation: *creation, numbers: vec![number] }),
        }
    }
    kinds.iter_mut().for_each(|kind| kind.numbers.reverse());
    kinds
}

/// All pairs, best first.
fn matches(
    problem: &Problem,
    free: &[bool],
    stakes: &Stakes,
    kinds: &[Kind],
    preference: Preference,
) -> Vec<Match> {
    let mut staying: Vec<BTreeMap<usize, usize>> = vec![BTreeMap::new(); free.len()];
    let mut live: Vec<BTreeMap<usize, usize>> = vec![BTreeMap::new(); free.len()];
    for pending in &stakes.pending {
        for slice in &pending.kin {
            *staying[*slice].entry(pending.group).or_default() += 1;
        }
        let mut holders: Vec<usize> =
            pending.names.iter().flat_map(|name| &stakes.names[*name].holders).copied().collect();
        holders.sort_unstable();
        holders.dedup();
        for slice in holders {
            *live[slice].entry(pending.group).or_default() += 1;
        }
    }
    let mut found = Vec::new();
    for slice in (0..free.len()).filter(|slice| free[*slice]) {
        let all_live: usize = live[slice].values().sum();
        for (kind, Kind { creation, .. }) in kinds.iter().enumerate() {
            let of_group = |counts: &BTreeMap<usize, usize>| match creation.content {
                Content::Group(group) => counts.get(&group).copied().unwrap_or(0).min(creation.size),
                Content::Placeholder => 0,
            };
            let stay = of_group(&staying[slice]);
            let thrown_out = all_live - of_group(&live[slice]);
            let by_preference = match preference {
                Preference::MostStaying => (Reverse(stay), thrown_out, Reverse(stay)),
                Preference::FewestThrownOut => (Reverse(0), thrown_out, Reverse(stay)),
            };
            found.push(Match { by_preference, size: problem.slices[slice].members.len(), slice, kind });
        }
    }
    found.sort_unstable();
    found
}
