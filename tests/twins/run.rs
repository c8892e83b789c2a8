//! Twins over many seeds, side by side in one pair of clusters.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use tokio::sync::Mutex;

use super::compare::Said;
use super::control::delete_before_create;
use super::pair::Pair;
use super::play::{Difference, Verdict, play, play_with};
use super::report::Report;
use super::shrink;
use crate::support::history::{History, Shape};

/// From so many seeds on a run is a long one, in which every rule must have been needed.
const LONG: u64 = 150;
/// How many differences are made short, and how long that may take for each.
const SHRUNK: usize = 3;
const SHRINK_WITHIN: Duration = Duration::from_secs(120);

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {text:?}")),
        Err(_) => default,
    }
}

/// What the environment asks for: `TWINS_HISTORY` is one file, else `TWINS_SEEDS` seeds from
/// `TWINS_FIRST` on.
fn histories() -> Vec<History> {
    if let Some(file) = std::env::var_os("TWINS_HISTORY") {
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
        return vec![serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file:?}: {error}"))];
    }
    let (first, count) = (number("TWINS_FIRST", 0), number("TWINS_SEEDS", 10));
    (first..first + count).map(|seed| History::draw(seed, &Shape::default())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_controllers_agree_after_random_histories_and_ours_loses_no_live_address() {
    if std::env::var_os("TWINS_PRINT").is_some() {
        histories().iter().for_each(|history| println!("{history}"));
        return;
    }
    let Some(pair) = Pair::start().await else { return };
    let report = Mutex::new(Report::default());
    let started = Instant::now();
    let at_once = number("TWINS_AT_ONCE", 10) as usize;
    let histories = histories();
    let seeds = histories.len() as u64;
    // Histories of mode Auto need all Nodes of the clusters: one after the other, beside the others.
    let (auto, ordinary): (Vec<History>, Vec<History>) =
        histories.into_iter().partition(|history| history.auto);
    let one = |history: History| async {
        let verdict = play(&pair, &history, &format!("seed-{}", history.seed)).await;
        tell(&history, &verdict, started);
        let mut report = report.lock().await;
        report.add(history.seed, history.changes().count(), &verdict);
        report.keep();
        (history, verdict.difference)
    };
    let lanes = futures::future::join(
        stream::iter(ordinary).map(one).buffer_unordered(at_once).collect::<Vec<_>>(),
        stream::iter(auto).map(one).buffer_unordered(1).collect::<Vec<_>>(),
    );
    let (mut played, more) = lanes.await;
    played.extend(more);
    let mut report = report.into_inner();
    let different = played.into_iter().filter_map(|(history, difference)| Some((history, difference?)));
    for (history, difference) in different.take(SHRUNK) {
        shrunk(&pair, history, &difference).await;
    }
    report.control = delete_before_create(&pair).await;
    planted(&pair).await;
    println!("{report}");
    report.keep();
    println!("{}", pair.cpu().await);

    assert_eq!(report.differences, Vec::<u64>::new(), "seeds with a difference that no rule explains");
    assert_eq!(report.tallies[0].lost, 0, "live addresses that ours lost: {:?}", report.tallies[0].examples);
    assert!(report.tallies[0].promised > 0, "the oracle promised nothing");
    assert!(report.control.lost > 0, "the oracle does not see that slices are deleted before they are made");
    if seeds >= LONG {
        assert_eq!(report.idle(), Vec::<&str>::new(), "rules that explained nothing in a long run");
    }
}

/// One line for each history as it ends.
fn tell(history: &History, verdict: &Verdict, started: Instant) {
    let [ours, peer] = &verdict.tallies;
    println!(
        "seed {} after {:.0} s: {} compared, {} meant, {} promised, lost {} and {}{}",
        history.seed,
        started.elapsed().as_secs_f64(),
        verdict.compared,
        verdict.fired.values().sum::<usize>(),
        ours.promised,
        ours.lost,
        peer.lost,
        if verdict.difference.is_some() { ", A DIFFERENCE" } else { "" },
    );
    if let Some(difference) = &verdict.difference {
        println!(
            "seed {}, after step {}, {}:\n{}",
            history.seed, difference.step, difference.service, difference.text
        );
    }
}

/// Prints the shortest history that shows the difference, and the commands that play it again.
async fn shrunk(pair: &Pair, history: History, difference: &Difference) {
    let seed = history.seed;
    let short = shorten(pair, history, difference, None).await;
    println!("the shortest history found that shows it:\n{short}");
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("twins-seed-{seed}.json"));
    let text = serde_json::to_string_pretty(&short).expect("a history as text");
    std::fs::write(&file, text).expect("write the history");
    println!("play it again: TWINS_HISTORY={} cargo test --test twins agree -- --nocapture", file.display());
    println!("all of it:     TWINS_FIRST={seed} TWINS_SEEDS=1 cargo test --test twins agree -- --nocapture");
}

async fn shorten(
    pair: &Pair,
    history: History,
    difference: &Difference,
    planted: Option<fn(&mut Said)>,
) -> History {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    let service = &difference.service;
    let shows = |part: History| async move {
        let namespace = format!("short-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let verdict = play_with(pair, &part, &namespace, planted).await;
        verdict.difference.is_some_and(|found| found.service == *service)
    };
    // What comes after the step that showed it has nothing to do with it.
    let steps = history.steps.iter().take(difference.step).flatten();
    let until: BTreeSet<usize> = history.start.iter().chain(steps).map(|change| change.number).collect();
    shrink::shortest(history.only(&until), service, Instant::now() + SHRINK_WITHIN, shows).await
}

/// Ours is made to look wrong in one label: the difference must be seen, and its history made short.
async fn planted(pair: &Pair) {
    let shape = Shape { services: 3, steps: 1, operations: 4, auto_every: 0, restart_every: 0, large: 0 };
    let bug: fn(&mut Said) = |said| drop(said.labels.remove("team"));
    let history = History::draw(1, &shape);
    let whole = history.changes().count();
    let verdict = play_with(pair, &history, "planted", Some(bug)).await;
    let difference = verdict.difference.expect("a planted difference is seen");
    let short = shorten(pair, history, &difference, Some(bug)).await;
    println!("a planted difference: {whole} changes, {} left", short.changes().count());
    assert_eq!(short.changes().count(), 1, "only the Service is needed to show it:\n{short}");
}
