//! Makes a sequence that shows a difference as short as it gets in some time.

use std::time::Instant;

use super::step::Sequence;
use crate::support::shrink::first;

/// The shortest sequence found until `deadline` for which `shows` is true; at worst the one given.
pub async fn shortest<F, Fut>(sequence: Sequence, deadline: Instant, shows: F) -> Sequence
where
    F: Fn(Sequence) -> Fut,
    Fut: Future<Output = bool>,
{
    let mut best = sequence;
    let mut size = best.steps.len().div_ceil(2);
    while size > 0 && Instant::now() < deadline {
        let starts = (0..best.steps.len()).step_by(size);
        let candidates: Vec<Sequence> = starts.map(|start| without(&best, start, size)).collect();
        match first(candidates, &shows).await {
            Some(shorter) => best = shorter,
            None if size == 1 => break,
            None => size = size.div_ceil(2),
        }
        size = size.min(best.steps.len());
    }
    best
}

fn without(sequence: &Sequence, start: usize, size: usize) -> Sequence {
    let kept = sequence.steps.iter().enumerate().filter(|(at, _)| !(start..start + size).contains(at));
    Sequence { name: sequence.name.clone(), steps: kept.map(|(_, step)| step.clone()).collect() }
}
