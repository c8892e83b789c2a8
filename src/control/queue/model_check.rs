//! The queue under shuttle: real `Queue`, real wake-ups, and every order in which tasks may be
//! switched between what is done under the lock and the wake-up or the sleep that goes with it.

use std::cell::Cell;

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
