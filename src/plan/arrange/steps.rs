//! From turns and seats to steps: the members of each slice that is written, in order.

use std::collections::BTreeSet;

use super::order::{Manner, Order};
use super::stakes::Stakes;
use super::{Existing, Identity, Problem, Step};
use crate::plan::fill::Numbers;

/// The steps of this order. `taken`: for each turn the endpoints that it takes in.
pub(super) fn list(
    problem: &Problem,
    numbers: &Numbers,
    stakes: &Stakes,
    order: &Order,
    taken: &[Vec<usize>],
) -> Vec<Step> {
    let mut steps = Vec::with_capacity(order.turns.len() + order.deletes.len());
    let mut second_writes = Vec::new();
    for (turn, taken) in order.turns.iter().zip(taken) {
        let content = turn.content;
        let added: Vec<Identity> = taken.iter().map(|at| stakes.pending[*at].identity).collect();
        let Some(slice) = turn.slice else {
            let first = turn.manner == Manner::Create { first: true };
            steps.push(Step::Create { content, members: added, first });
            continue;
        };
        let (existing, kept) = (&problem.slices[slice], &numbers.kept[slice]);
        let members = members(existing, kept, &added, |_| false);
        match turn.manner {
            Manner::Create { first } => steps.push(Step::Create { content, members, first }),
            Manner::Once => steps.push(Step::Update { slice, content, members }),
            Manner::Twice => {
                let with_old = self::members(existing, kept, &added, |at| stakes.is_live(existing, at));
                if with_old != members {
                    second_writes.push(Step::Update { slice, content, members });
                }
                steps.push(Step::Update { slice, content, members: with_old });
            }
        }
    }
    steps.extend(second_writes);
    steps.extend(order.deletes.iter().map(|slice| Step::Delete { slice: *slice }));
    steps
}

/// Those that stay, in their place, then those that are new to the slice, as they come.
fn members(
    slice: &Existing,
    kept: &[usize],
    added: &[Identity],
    also: impl Fn(usize) -> bool,
) -> Vec<Identity> {
    let mut arriving: BTreeSet<Identity> = added.iter().copied().collect();
    let mut kept = kept.iter().peekable();
    let mut listed = BTreeSet::new();
    let mut members = Vec::with_capacity(kept.len() + added.len());
    for (at, member) in slice.members.iter().enumerate() {
        let keeps = kept.next_if(|kept| **kept == at).is_some();
        let stays = keeps || arriving.remove(&member.identity) || also(at);
        if stays && listed.insert(member.identity) {
            members.push(member.identity);
        }
    }
    members.extend(added.iter().filter(|identity| arriving.contains(identity)));
    members
}
