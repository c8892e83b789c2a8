//! Which zones give endpoints to which: numbers only.
//!
//! Zones are positions. The first ones are those with eligible Nodes, which have wants; the others
//! have endpoints but no eligible Nodes.

use super::ratios::Want;

/// One endpoint that is to hint at another zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Move {
    /// The zone that has too many.
    pub from: usize,
    /// The zone that has too few.
    pub to: usize,
}

/// The moves that bring each zone near to what it wants: one at a time from the largest surplus to
/// the largest need, until both are less than one or either is less than a half. Zones without
/// eligible Nodes take no part.
pub fn balance(counts: &[usize], wants: &[Want]) -> Vec<Move> {
    let over: Vec<f64> = counts.iter().zip(wants).map(|(count, want)| *count as f64 - want.exactly).collect();
    let mut surplus = over.clone();
    let mut need: Vec<f64> = over.iter().map(|over| -over).collect();
    let mut moves = Vec::new();
    while let (Some((from, much)), Some((to, little))) = (most(&surplus), most(&need)) {
        if (much < 1.0 && little < 1.0) || much < 0.5 || little < 0.5 {
            break;
        }
        surplus[from] -= 1.0;
        need[to] -= 1.0;
        moves.push(Move { from, to });
    }
    moves
}

/// Whether some zone has less than its minimum.
pub fn overloaded(counts: &[usize], wants: &[Want]) -> bool {
    counts.iter().zip(wants).any(|(count, want)| *count < want.minimum)
}

/// The moves that bring every zone to its minimum, where [`balance`] could not: zones without eligible
/// Nodes give first, and more than the minimum where they can.
pub fn relieve(counts: &[usize], wants: &[Want]) -> Vec<Move> {
    let mut counts = counts.to_vec();
    let mut moves = Vec::new();
    loop {
        let short = overloaded(&counts, wants);
        let need: Vec<f64> = counts
            .iter()
            .zip(wants)
            .map(|(count, want)| match short && *count >= want.minimum {
                true => 0.0,
                false => want.exactly - *count as f64,
            })
            .collect();
        let Some((to, little)) = most(&need) else { break };
        let Some(from) = giver(&counts, wants, short).filter(|_| short || little >= 0.5) else { break };
        counts[from] -= 1;
        counts[to] += 1;
        moves.push(Move { from, to });
    }
    moves
}

/// The zone without eligible Nodes that has most endpoints; else, when a zone is short, the one with
/// the largest surplus among those that have more than their minimum.
fn giver(counts: &[usize], wants: &[Want], short: bool) -> Option<usize> {
    let (inside, outside) = counts.split_at(wants.len().min(counts.len()));
    let outside: Vec<f64> = outside.iter().map(|count| *count as f64).collect();
    if let Some((at, _)) = most(&outside) {
        return Some(wants.len() + at);
    }
    // Above the minimum, the surplus may still be below zero.
    let spare = inside.iter().zip(wants).enumerate().filter(|(_, (count, want))| **count > want.minimum);
    let surplus = spare.map(|(at, (count, want))| (at, *count as f64 - want.exactly));
    let largest = surplus.fold(None, |best: Option<(usize, f64)>, (at, surplus)| match best {
        Some((_, known)) if known >= surplus => best,
        _ => Some((at, surplus)),
    });
    largest.map(|(at, _)| at).filter(|_| short)
}

/// The first of the largest numbers above zero, with its position.
fn most(numbers: &[f64]) -> Option<(usize, f64)> {
    let positive = numbers.iter().copied().enumerate().filter(|(_, number)| *number > 0.0);
    positive.fold(None, |best, (at, number)| match best {
        Some((_, known)) if known >= number => best,
        _ => Some((at, number)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn want(exactly: f64, minimum: usize) -> Want {
        Want { exactly, minimum, maximum: usize::MAX }
    }

    fn moved(from: usize, to: usize) -> Move {
        Move { from, to }
    }

    #[test]
    fn the_largest_surplus_gives_to_the_largest_need_until_it_is_not_worth_it() {
        for (counts, wants, expected) in [
            (vec![3, 0], vec![want(1.5, 1), want(1.5, 1)], vec![moved(0, 1)]),
            (vec![2, 1], vec![want(1.6, 1), want(1.4, 1)], vec![]),
            (vec![2, 1], vec![want(1.2, 1), want(1.8, 1)], vec![]),
            (vec![5, 5, 0], vec![want(4.5, 4), want(4.0, 4), want(1.5, 1)], vec![moved(1, 2)]),
            (vec![4, 4, 0], vec![want(3.0, 3), want(3.0, 3), want(2.0, 2)], vec![moved(0, 2), moved(1, 2)]),
            (vec![4, 1, 1], vec![want(2.75, 2), want(1.5, 1), want(1.75, 1)], vec![moved(0, 2)]),
            (
                vec![2, 2, 2, 0],
                vec![want(1.5, 1), want(1.75, 1), want(1.75, 1), want(1.0, 1)],
                vec![moved(0, 3)],
            ),
            (vec![2, 2, 2, 0], vec![want(1.625, 1), want(1.625, 1), want(1.75, 1), want(1.0, 1)], vec![]),
            (vec![3, 1, 1, 1], vec![want(2.0, 2), want(1.375, 1), want(1.375, 1), want(1.25, 1)], vec![]),
            // One is enough on one side, a half on the other.
            (vec![4, 1, 1], vec![want(3.0, 2), want(1.75, 1), want(1.25, 1)], vec![moved(0, 1)]),
            (vec![2, 2, 0], vec![want(1.25, 1), want(1.75, 1), want(1.0, 1)], vec![moved(0, 2)]),
            (vec![3, 1, 1], vec![want(2.0, 2), want(1.5, 1), want(1.5, 1)], vec![moved(0, 1)]),
            (vec![2, 2, 0], vec![want(1.5, 1), want(1.5, 1), want(1.0, 1)], vec![moved(0, 2)]),
            (vec![1, 1, 9], vec![want(2.0, 2), want(2.0, 2)], vec![]),
        ] {
            assert_eq!(balance(&counts, &wants), expected, "{counts:?} {wants:?}");
        }
    }

    #[test]
    fn a_zone_that_is_short_gets_from_the_largest_surplus_above_the_minimum() {
        let wants = [want(8.5, 8), want(1.0, 1), want(2.5, 2)];
        assert_eq!(relieve(&[10, 2, 0], &wants), [moved(0, 2), moved(1, 2)]);
        let wants = [want(12.0, 10), want(4.0, 4), want(10.0, 8)];
        assert_eq!(relieve(&[20, 1, 5], &wants)[0], moved(0, 2), "where most are missing");
        let wants = [want(3.0, 3), want(3.25, 2), want(1.0, 1)];
        assert_eq!(relieve(&[3, 3, 0], &wants), [moved(1, 2)]);
    }

    #[test]
    fn every_zone_gets_its_minimum_and_zones_without_nodes_give_first() {
        for (counts, wants, expected) in [
            (vec![6, 6, 0], vec![want(4.0, 3), want(4.0, 3), want(4.0, 4)], 4),
            (vec![1, 1, 2], vec![want(2.0, 2), want(2.0, 2)], 2),
            (vec![1, 4, 3], vec![want(4.0, 4), want(4.0, 4)], 3),
            (vec![1, 3, 1], vec![want(2.5, 2), want(2.5, 2)], 1),
        ] {
            let moves = relieve(&counts, &wants);
            let mut after = counts.clone();
            for Move { from, to } in &moves {
                after[*from] -= 1;
                after[*to] += 1;
            }
            assert!(!overloaded(&after, &wants) || moves.is_empty(), "{counts:?} -> {after:?}");
            assert_eq!(moves.len(), expected, "{counts:?} -> {after:?}");
        }
    }
}
