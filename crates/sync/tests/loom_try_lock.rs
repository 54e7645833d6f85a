//! Models of the lock that nobody waits for (`src/try_lock.rs`).
//!
//! # Models
//! - `try_lock_visits_come_one_after_another`: of threads that visit a value at once one goes on without, or each visit
//!   sees the one before it. 3 threads, exhaustive: 571 schedules, 0.03 s. Fails under try_lock.take, try_lock.leave,
//!   try_lock.taken.

#![cfg(raddle_loom)]

use raddle_sync::model::Model;
use raddle_sync::{TryLock, thread};
use std::sync::Arc;

#[test]
fn try_lock_visits_come_one_after_another() {
    Model::new(
        "try_lock_visits_come_one_after_another",
        "of threads that visit a value at once one goes on without, or each visit sees the one before it",
    )
    .kills("try_lock.take", "Causality violation")
    .kills("try_lock.leave", "Causality violation")
    .kills("try_lock.taken", "visits")
    .check(|| {
        let lock = Arc::new(TryLock::new(0));
        let visit = |lock: &TryLock<u32>| u32::from(lock.try_with(|count| *count += 1).is_some());
        let others = [(); 2].map(|()| {
            let lock = lock.clone();
            thread::spawn(move || visit(&lock))
        });
        let made = visit(&lock) + others.into_iter().map(|other| other.join().unwrap()).sum::<u32>();
        assert_eq!(lock.try_with(|count| *count), Some(made), "not as many visits as were said");
    });
}
