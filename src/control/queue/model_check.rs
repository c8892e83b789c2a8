//! The queue under shuttle: real `Queue`, real wake-ups, and every order in which tasks may be
//! switched between what is done under the lock and the wake-up or the sleep that goes with it.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;
use shuttle::future::block_on;
use tokio::sync::Notify;

use super::{Priority, Queue};

thread_local! {
    // Shuttle runs all its tasks on one thread of the system.
    static CHECKED: Cell<bool> = const { Cell::new(false) };
}

pub(super) fn switch_point() {
    if CHECKED.get() {
        shuttle::thread::yield_now();
    }
}

fn check(test: impl Fn() + Send + Sync + 'static) {
    CHECKED.set(true);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        shuttle::check_random(test, 2000);
    }));
    CHECKED.set(false);
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

// What the tasks of a check see of each other. Its lock is never held where tasks may be switched.
#[derive(Default)]
struct Board {
    in_hand: BTreeSet<u8>,
    // How often each key was wanted, and how often it had been when work on it began last.
    wanted: BTreeMap<u8, u32>,
    seen: BTreeMap<u8, u32>,
}

impl Board {
    fn all_seen(&self) -> bool {
        self.in_hand.is_empty() && self.wanted == self.seen
    }
}

async fn work(queue: &Queue<u8>, board: &Mutex<Board>, progress: &Notify) {
    while let Some(taken) = queue.get().await {
        let key = *taken.key();
        let begun = {
            let mut board = board.lock();
            assert!(board.in_hand.insert(key), "{key} is in two hands");
            board.wanted.get(&key).copied()
        };
        shuttle::future::yield_now().await;
        {
            let mut board = board.lock();
            board.in_hand.remove(&key);
            board.seen.extend(begun.map(|begun| (key, begun)));
        }
        drop(taken);
        progress.notify_one();
    }
}

// Every key that is added is worked on after it was added, by whatever worker, in one hand at a
// time. A lost wake-up is a deadlock, which shuttle reports.
#[test]
fn shuttle_no_wake_up_is_lost_and_no_key_is_in_two_hands() {
    check(|| {
        let queue: Queue<u8> = Queue::new(None);
        let board = Arc::new(Mutex::new(Board::default()));
        let progress = Arc::new(Notify::new());
        let workers: Vec<_> = (0..2)
            .map(|_| {
                let (queue, board, progress) = (queue.clone(), Arc::clone(&board), Arc::clone(&progress));
                shuttle::future::spawn(async move { work(&queue, &board, &progress).await })
            })
            .collect();
        let producers: Vec<_> = [[1, 2, 1], [2, 1, 3]]
            .into_iter()
            .map(|keys| {
                let (queue, board) = (queue.clone(), Arc::clone(&board));
                shuttle::thread::spawn(move || {
                    for key in keys {
                        *board.lock().wanted.entry(key).or_default() += 1;
                        let priority = if key == 3 { Priority::Low } else { Priority::Live };
                        queue.add(key, priority);
                        shuttle::thread::yield_now();
                    }
                })
            })
            .collect();
        queue.resume();
        for producer in producers {
            producer.join().unwrap();
        }
        block_on(async {
            while !board.lock().all_seen() {
                progress.notified().await;
            }
        });
        queue.stop();
        for worker in workers {
            block_on(worker).unwrap();
        }
    });
}

#[test]
fn shuttle_stop_wakes_every_worker() {
    check(|| {
        let queue: Queue<u8> = Queue::new(None);
        queue.resume();
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let queue = queue.clone();
                shuttle::future::spawn(async move { while queue.get().await.is_some() {} })
            })
            .collect();
        queue.add(1, Priority::Live);
        queue.stop();
        for worker in workers {
            block_on(worker).unwrap();
        }
    });
}

#[test]
fn shuttle_pause_and_resume_lose_no_key() {
    check(|| {
        let queue: Queue<u8> = Queue::new(None);
        let worker = shuttle::future::spawn({
            let queue = queue.clone();
            async move { queue.get().await.map(|taken| *taken.key()) }
        });
        let holder = shuttle::thread::spawn({
            let queue = queue.clone();
            move || {
                queue.pause();
                shuttle::thread::yield_now();
                queue.resume();
            }
        });
        queue.resume();
        queue.add(1, Priority::Live);
        holder.join().unwrap();
        assert_eq!(block_on(worker).unwrap(), Some(1));
    });
}

// Two keys that become ready while both workers are on their way to sleep leave one wake-up behind:
// who takes the first key has to pass it on, or the second waits for the first to be finished.
#[test]
fn shuttle_two_keys_are_worked_on_at_the_same_time_by_two_workers() {
    check(|| {
        let queue: Queue<u8> = Queue::new(None);
        queue.resume();
        let board = Arc::new((Mutex::new(0), Notify::new()));
        let workers: Vec<_> = (0..2)
            .map(|_| {
                let (queue, board) = (queue.clone(), Arc::clone(&board));
                shuttle::future::spawn(async move {
                    let _taken = queue.get().await;
                    let other = board.1.notified();
                    let both = {
                        let mut in_hand = board.0.lock();
                        *in_hand += 1;
                        *in_hand == 2
                    };
                    if both {
                        board.1.notify_waiters();
                    } else {
                        other.await;
                    }
                })
            })
            .collect();
        // Time for both to have looked and found nothing.
        shuttle::thread::yield_now();
        shuttle::thread::yield_now();
        queue.add(1, Priority::Live);
        queue.add(2, Priority::Live);
        for worker in workers {
            block_on(worker).unwrap();
        }
    });
}
