//! Makes a sequence that shows a difference as short as it gets in some time.

use std::time::Instant;

use futures::{StreamExt, stream};

use super::step::Sequence;

/// Candidates that are tried at once.
const AT_ONCE: usize = 6;

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

/// The first of the candidates that shows it.
async fn first<F, Fut>(candidates: Vec<Sequence>, shows: &F) -> Option<Sequence>
where
    F: Fn(Sequence) -> Fut,
    Fut: Future<Output = bool>,
{
    let tried = stream::iter(candidates).map(|candidate| async move {
        let shown = shows(candidate.clone()).await;
        (candidate, shown)
    });
    let mut tried = std::pin::pin!(tried.buffered(AT_ONCE));
    while let Some((candidate, shown)) = tried.next().await {
        if shown {
            return Some(candidate);
        }
    }
    None
}
