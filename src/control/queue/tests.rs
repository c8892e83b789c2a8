use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus::Registry;
use tokio::time::{Instant, advance, timeout};

use super::core::Core;
use super::*;
use crate::control::metrics::ControlMetrics;
use crate::model::Loop;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn open() -> Queue<&'static str> {
    let queue = Queue::new(None);
    queue.resume();
    queue
}

async fn next<K: Clone + Eq + Hash + Ord>(queue: &Queue<K>) -> Taken<K> {
    timeout(secs(3600), queue.get()).await.expect("a key within the hour").expect("the queue runs")
}

async fn nothing(queue: &Queue<&'static str>, within: Duration) {
    assert!(timeout(within, queue.get()).await.is_err(), "a key was handed out");
}

#[tokio::test(start_paused = true)]
async fn a_key_added_twice_is_handed_out_once() {
    let queue = open();
    queue.add("a", Priority::Live);
    queue.add("a", Priority::Live);
    assert_eq!(queue.depth(), 1);
    drop(next(&queue).await);
    nothing(&queue, secs(3600)).await;
}

#[tokio::test(start_paused = true)]
async fn a_key_added_while_it_is_worked_on_runs_once_more_after() {
    let queue = open();
    queue.add("a", Priority::Live);
    let first = next(&queue).await;
    queue.add("a", Priority::Live);
    queue.add("a", Priority::Low);
    nothing(&queue, secs(60)).await;
    drop(first);
    drop(next(&queue).await);
    nothing(&queue, secs(60)).await;
}

#[tokio::test(start_paused = true)]
async fn first_come_first_served_so_a_busy_key_does_not_starve_others() {
    let queue = open();
    for key in ["busy", "b", "c"] {
        queue.add(key, Priority::Live);
    }
    let mut order = Vec::new();
    for _ in 0..6 {
        let taken = next(&queue).await;
        queue.add("busy", Priority::Live);
        order.push(*taken.key());
    }
    assert_eq!(order, ["busy", "b", "c", "busy", "busy", "busy"]);
}

#[tokio::test(start_paused = true)]
async fn of_two_delayed_adds_the_earlier_wins() {
    for delays in [[2, 5], [5, 2]] {
        let queue = open();
        let start = Instant::now();
        for delay in delays {
            queue.add_after("a", secs(delay), Priority::Live);
        }
        drop(next(&queue).await);
        assert_eq!(start.elapsed().as_secs(), 2);
        nothing(&queue, secs(60)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn pitfall_8_constant_churn_does_not_postpone_a_batched_key() {
    let queue = open();
    let start = Instant::now();
    for _ in 0..9 {
        queue.add_after("a", secs(1), Priority::Live);
        advance(Duration::from_millis(100)).await;
    }
    drop(next(&queue).await);
    assert_eq!(start.elapsed(), secs(1), "since the first change, not the last");
}

#[tokio::test(start_paused = true)]
async fn an_immediate_add_does_not_cancel_a_delayed_one() {
    let queue = open();
    let start = Instant::now();
    queue.add_after("a", secs(5), Priority::Live);
    queue.add("a", Priority::Live);
    drop(next(&queue).await);
    assert_eq!(start.elapsed().as_secs(), 0);
    drop(next(&queue).await);
    assert_eq!(start.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn an_earlier_due_time_wakes_a_worker_that_sleeps_until_a_later_one() {
    let queue = open();
    queue.add_after("late", secs(100), Priority::Live);
    let start = Instant::now();
    let worker = tokio::spawn({
        let queue = queue.clone();
        async move {
            let taken = queue.get().await.map(|taken| *taken.key());
            (taken, start.elapsed().as_secs())
        }
    });
    tokio::task::yield_now().await;
    queue.add_after("early", secs(3), Priority::Live);
    assert_eq!(worker.await.unwrap(), (Some("early"), 3));
}

#[tokio::test(start_paused = true)]
async fn backoff_doubles_from_one_second_to_sixty_for_ever_and_forget_ends_it() {
    let queue = open();
    let mut expected = 1.0;
    for _ in 0..40 {
        let backoff = queue.retry(&"a").as_secs_f64();
        assert!((expected..=expected * 1.25).contains(&backoff), "{backoff} instead of {expected}");
        assert!(backoff <= 60.0);
        expected = f64::min(expected * 2.0, 48.0);
        let start = Instant::now();
        drop(next(&queue).await);
        assert!((start.elapsed().as_secs_f64() - backoff).abs() < 0.01);
    }
    assert_eq!(queue.in_backoff(), 1);
    queue.forget(&"a");
    assert_eq!(queue.in_backoff(), 0);
    assert!(queue.retry(&"a") < secs(2));
}

#[test]
fn keys_that_failed_together_do_not_come_back_together() {
    for failures in [1, 3, 30] {
        let mut core = Core::new(None);
        let mut delays = BTreeSet::new();
        for jitter in [0.0, 0.3, 0.7, 1.0] {
            let key = format!("{jitter}");
            for _ in 1..failures {
                core.retry(&key, 0.5, Duration::ZERO);
            }
            delays.insert(core.retry(&key, jitter, Duration::ZERO));
        }
        assert_eq!(delays.len(), 4, "after {failures} failures");
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_obeyed_and_counts_as_backoff_without_growing_it() {
    let queue = open();
    queue.add("a", Priority::Live);
    let start = Instant::now();
    for n in 0..5u64 {
        let taken = next(&queue).await;
        assert_eq!(start.elapsed().as_secs(), 7 * n);
        queue.retry_after(taken.key(), secs(7));
        assert_eq!(queue.in_backoff(), 1);
    }
    assert!(queue.retry(&"a") < secs(2));
}

#[tokio::test(start_paused = true)]
async fn live_changes_go_before_start_up_work() {
    let queue = open();
    queue.add("low-1", Priority::Low);
    queue.add("low-2", Priority::Low);
    queue.add("live-1", Priority::Live);
    queue.add("low-2", Priority::Live);
    let mut order = Vec::new();
    for _ in 0..3 {
        let taken = next(&queue).await;
        order.push((*taken.key(), taken.priority()));
    }
    assert_eq!(order, [("live-1", Priority::Live), ("low-2", Priority::Live), ("low-1", Priority::Low)]);
}

#[tokio::test(start_paused = true)]
async fn a_low_priority_key_waits_thirty_seconds_at_most() {
    let queue = open();
    queue.add("low", Priority::Low);
    queue.add("busy", Priority::Live);
    let start = Instant::now();
    loop {
        let taken = next(&queue).await;
        if *taken.key() == "low" {
            break;
        }
        queue.add("busy", Priority::Live);
        advance(Duration::from_millis(900)).await;
    }
    let waited = start.elapsed();
    assert!(waited >= secs(30) && waited < secs(32), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_handed_out_before_resume_nor_while_paused_and_nothing_is_lost() {
    let queue = Queue::new(None);
    queue.add("a", Priority::Low);
    queue.add_after("b", secs(5), Priority::Live);
    nothing(&queue, secs(600)).await;
    let worker = tokio::spawn({
        let queue = queue.clone();
        async move { (next(&queue).await.key().to_owned(), next(&queue).await.key().to_owned()) }
    });
    tokio::task::yield_now().await;
    queue.resume();
    assert_eq!(worker.await.unwrap(), ("b", "a"), "a standby's start-up work is still of low priority");
    queue.pause();
    queue.add("c", Priority::Live);
    nothing(&queue, secs(600)).await;
}

#[tokio::test(start_paused = true)]
async fn stop_ends_every_get_and_drops_what_waits() {
    let queue = open();
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let queue = queue.clone();
            tokio::spawn(async move { queue.get().await.is_none() })
        })
        .collect();
    tokio::task::yield_now().await;
    queue.stop();
    for worker in workers {
        assert!(timeout(secs(1), worker).await.unwrap().unwrap());
    }
    queue.add("a", Priority::Live);
    queue.retry(&"a");
    assert!(queue.get().await.is_none());
    assert_eq!((queue.depth(), queue.in_backoff()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_panics_gives_its_key_back() {
    let queue = open();
    queue.add("a", Priority::Live);
    let worker = tokio::spawn({
        let queue = queue.clone();
        async move {
            let _taken = queue.get().await;
            panic!("on purpose");
        }
    });
    assert!(worker.await.is_err());
    queue.add("a", Priority::Live);
    drop(next(&queue).await);
}

#[tokio::test(start_paused = true)]
async fn the_first_unseen_change_is_kept_until_work_on_it_is_finished() {
    let queue = open();
    let start = Instant::now();
    let age = |taken: &Taken<&str>| taken.changed().map(|at| (at - start).as_secs());
    queue.add("a", Priority::Low);
    let taken = next(&queue).await;
    assert_eq!(age(&taken), None);
    drop(taken);
    queue.add_after("a", secs(2), Priority::Live);
    advance(secs(1)).await;
    queue.add_after("a", secs(2), Priority::Live);
    let taken = next(&queue).await;
    assert_eq!(age(&taken), Some(0));
    advance(secs(8)).await;
    queue.add("a", Priority::Live);
    queue.retry(taken.key());
    drop(taken);
    let taken = next(&queue).await;
    assert_eq!(age(&taken), Some(0), "the failed work has not seen to it");
    drop(taken);
    let taken = next(&queue).await;
    assert_eq!(age(&taken), None);
}

#[tokio::test(start_paused = true)]
async fn the_longest_running_key_shows_a_worker_that_does_not_move() {
    let queue = open();
    assert_eq!(queue.longest_running(), None);
    queue.add("a", Priority::Live);
    queue.add("b", Priority::Live);
    let stuck = next(&queue).await;
    advance(secs(50)).await;
    let other = next(&queue).await;
    advance(secs(10)).await;
    assert_eq!(queue.longest_running().map(|age| age.as_secs()), Some(60));
    let figures = queue.sample()().unwrap();
    assert_eq!((figures.unfinished.as_secs(), figures.longest.as_secs()), (70, 60));
    drop(stuck);
    assert_eq!(queue.longest_running().map(|age| age.as_secs()), Some(10));
    drop(other);
    assert_eq!(queue.longest_running(), None);
}

#[tokio::test(start_paused = true)]
async fn workqueue_metrics_count_as_client_go_does() {
    let registry = Registry::new();
    let metrics = ControlMetrics::new(&registry).unwrap();
    let queue = Queue::new(Some(metrics.queue(Loop::Selector)));
    metrics.sample_queue(Loop::Selector, queue.sample());
    queue.add("a", Priority::Live);
    advance(secs(1000)).await;
    queue.resume();
    queue.add("a", Priority::Live);
    queue.add("b", Priority::Low);
    advance(secs(3)).await;
    let a = next(&queue).await;
    queue.add("a", Priority::Live);
    queue.retry(a.key());
    advance(Duration::from_millis(500)).await;
    let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
    let value = |series: &str| -> f64 {
        let line = text.lines().find(|line| line.starts_with(series)).expect(series);
        line.rsplit_once(' ').unwrap().1.parse().unwrap()
    };
    assert_eq!(value("workqueue_depth{name=\"endpoint_slice\"}"), 2.0);
    assert_eq!(value("workqueue_adds_total{name=\"endpoint_slice\"}"), 3.0);
    assert_eq!(value("workqueue_retries_total{name=\"endpoint_slice\"}"), 1.0);
    assert_eq!(value("workqueue_queue_duration_seconds_sum{name=\"endpoint_slice\"}").round(), 3.0);
    assert_eq!(value("workqueue_queue_duration_seconds_count{name=\"endpoint_slice\"}"), 1.0);
    assert_eq!(value("workqueue_work_duration_seconds_count{name=\"endpoint_slice\"}"), 0.0);
    assert!((value("workqueue_unfinished_work_seconds{name=\"endpoint_slice\"}") - 0.5).abs() < 0.1);
    assert!(
        (value("workqueue_longest_running_processor_seconds{name=\"endpoint_slice\"}") - 0.5).abs() < 0.1
    );
}

#[tokio::test]
async fn many_workers_work_on_every_key_and_never_two_on_one() {
    let queue: Queue<usize> = Queue::new(None);
    queue.resume();
    let seen = Arc::new(Mutex::new((BTreeSet::new(), BTreeMap::<usize, u32>::new())));
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let (queue, seen) = (queue.clone(), Arc::clone(&seen));
            tokio::spawn(async move {
                while let Some(taken) = queue.get().await {
                    assert!(seen.lock().0.insert(*taken.key()), "{} is in two hands", taken.key());
                    tokio::task::yield_now().await;
                    let mut seen = seen.lock();
                    seen.0.remove(taken.key());
                    *seen.1.entry(*taken.key()).or_default() += 1;
                }
            })
        })
        .collect();
    for round in 0..50 {
        for key in 0..40 {
            queue.add(key, if (key + round) % 3 == 0 { Priority::Low } else { Priority::Live });
        }
        tokio::task::yield_now().await;
    }
    timeout(secs(20), async {
        while queue.depth() > 0 || queue.longest_running().is_some() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    queue.stop();
    for worker in workers {
        worker.await.unwrap();
    }
    assert_eq!(seen.lock().1.len(), 40);
}
