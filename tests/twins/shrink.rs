//! Makes a history that shows a difference as short as it gets in some time: first only what has to do
//! with the Service, then fewer steps, fewer changes in them, and a smaller population.

use std::collections::BTreeSet;
use std::time::Instant;

use serde_json::Value;

use super::desired::selects;
use crate::support::history::{Change, History, Kind, Operation, State};
use crate::support::shrink::first;

/// The shortest history found until `deadline` for which `shows` is true; at worst the one given.
pub async fn shortest<F, Fut>(history: History, service: &str, deadline: Instant, shows: F) -> History
where
    F: Fn(History) -> Fut,
    Fut: Future<Output = bool>,
{
    let focused = about(&history, service);
    let mut best = match first(vec![focused], &shows).await {
        Some(focused) => focused,
        None => history,
    };
    for population in [false, true] {
        let mut size = numbers(&best, population).len().div_ceil(2);
        while size > 0 && Instant::now() < deadline {
            let all = numbers(&best, population);
            let without = |chunk: &[usize]| best.keep(|change| !chunk.contains(&change.number));
            let candidates: Vec<History> = all.chunks(size).map(without).collect();
            match first(candidates, &shows).await {
                Some(shorter) => best = shorter,
                None if size == 1 => break,
                None => size = size.div_ceil(2),
            }
            size = size.min(numbers(&best, population).len());
        }
    }
    best
}

/// The numbers of the changes of the population, or of all steps.
fn numbers(history: &History, population: bool) -> Vec<usize> {
    let changes: Vec<&Change> = match population {
        true => history.start.iter().collect(),
        false => history.steps.iter().flatten().collect(),
    };
    changes.iter().map(|change| change.number).collect()
}

/// Only the Service, its Endpoints, the Pods that it selects at some time, the Nodes, and restarts.
fn about(history: &History, service: &str) -> History {
    let mut state = State::default();
    let mut pods: BTreeSet<String> = BTreeSet::new();
    for change in history.changes() {
        state.apply(&change.operation);
        let Some(object) = state.get(Kind::Service, service) else { continue };
        let selected = state.all(Kind::Pod).filter(|(_, pod)| selects(object, pod));
        pods.extend(selected.map(|(name, _): (&str, &Value)| name.to_string()));
    }
    history.keep(|change| match (&change.operation, change.operation.target()) {
        (Operation::Tamper { .. }, Some((_, name))) => name == service,
        (_, Some((Kind::Pod, name))) => pods.contains(name),
        (_, Some((Kind::Node, _))) | (_, None) => true,
        (_, Some((Kind::Service | Kind::Endpoints, name))) => name == service,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::{Duration, Instant};

    use super::super::desired::{Pair, desired};
    use crate::support::history::{History, Kind, Shape, State};

    /// What a controller with a planted bug publishes: it forgets Pods with several containers as soon
    /// as they are not ready.
    fn with_a_bug(state: &State, service: &str) -> BTreeSet<Pair> {
        let mut pairs = desired(state, service);
        for (_, pod) in state.all(Kind::Pod) {
            let several = pod["spec"]["containers"].as_array().is_some_and(|all| all.len() > 1);
            if several && pod["status"]["conditions"][0]["status"] == "False" {
                pairs.retain(|(address, _)| pod["status"]["podIP"] != address.as_str());
            }
        }
        pairs
    }

    /// The first Service for which the bug shows after some step.
    fn shows(history: &History) -> Option<String> {
        let mut state = State::default();
        for step in std::iter::once(&history.start).chain(&history.steps) {
            step.iter().for_each(|change| state.apply(&change.operation));
            let wrong = |service: &String| desired(&state, service) != with_a_bug(&state, service);
            let found = state.names(Kind::Service).into_iter().find(wrong);
            if found.is_some() {
                return found;
            }
        }
        None
    }

    #[tokio::test]
    async fn a_planted_bug_is_shown_by_a_handful_of_changes() {
        let shape = Shape { services: 12, ..Shape::default() };
        let mut shown = 0;
        for seed in 0..6 {
            let history = History::draw(seed, &shape);
            let Some(service) = shows(&history) else { continue };
            shown += 1;
            let whole = history.changes().count();
            let deadline = Instant::now() + Duration::from_secs(60);
            let short =
                super::shortest(history, &service, deadline, |part| async move { shows(&part).is_some() })
                    .await;
            assert!(shows(&short).is_some(), "seed {seed}: the bug is gone\n{short}");
            let left = short.changes().count();
            // A Service and a Pod on a Node, and what makes it select the Pod and the Pod not ready.
            assert!(left <= 6, "seed {seed}: {left} of {whole} changes are left\n{short}");
        }
        assert!(shown >= 3, "the planted bug came up in {shown} of 6 seeds only");
    }
}
