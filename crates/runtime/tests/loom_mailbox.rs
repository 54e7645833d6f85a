//! Models of the mailbox of a batch (`src/batch/mailbox.rs`): workers put, one thread sleeps until there is enough.
//!
//! Nobody else wakes that thread: a wake-up that is lost is a deadlock.
//!
//! # Models
//! - `mailbox_letters_end_a_sleep`: a reader that wants two letters sleeps until both are there, whoever of two workers
//!   brings the last. 3 threads, at most 2 preemptions: 76 schedules, 0.01 s; 3: 250 schedules, 0.02 s. Fails under
//!   mailbox.sleeper.
//! - `mailbox_nudge_ends_a_sleep`: a nudge beside a letter: the reader that wants more than the letter wakes, and has
//!   the letter in the end. 2 threads, exhaustive: 43 schedules, 0.00 s. Fails under mailbox.told.
//! - `mailbox_stop_ends_a_sleep`: a reader that sleeps for a letter sees a stop that comes before, during or after the
//!   beginning of its sleep. 2 threads, exhaustive: 18 schedules, 0.00 s. Fails under mailbox.told, mailbox.sleeper.

#![cfg(raddle_loom)]

use raddle::internals::Letters;
use raddle_sync::model::Model;
use raddle_sync::thread;
use std::sync::Arc;

#[test]
fn mailbox_letters_end_a_sleep() {
    Model::new(
        "mailbox_letters_end_a_sleep",
        "a reader that wants two letters sleeps until both are there, whoever of two workers brings the last",
    )
    .preemptions(2)
    .kills("mailbox.sleeper", "deadlock")
    .check(|| {
        let mailbox = Arc::new(Letters::default());
        let workers: Vec<_> = (0..2)
            .map(|slot| {
                let mailbox = mailbox.clone();
                thread::spawn(move || mailbox.put(slot))
            })
            .collect();
        mailbox.sleep(2);
        assert_eq!(mailbox.take(), 2);
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
}

#[test]
fn mailbox_stop_ends_a_sleep() {
    Model::new(
        "mailbox_stop_ends_a_sleep",
        "a reader that sleeps for a letter sees a stop that comes before, during or after the beginning of its sleep",
    )
    .kills("mailbox.told", "deadlock")
    .kills("mailbox.sleeper", "deadlock")
    .check(|| {
        let mailbox = Arc::new(Letters::default());
        let other = mailbox.clone();
        let stopper = thread::spawn(move || other.stop());
        mailbox.sleep(1);
        stopper.join().unwrap();
    });
}

#[test]
fn mailbox_nudge_ends_a_sleep() {
    Model::new(
        "mailbox_nudge_ends_a_sleep",
        "a nudge beside a letter: the reader that wants more than the letter wakes, and has the letter in the end",
    )
    .kills("mailbox.told", "deadlock")
    .check(|| {
        let mailbox = Arc::new(Letters::default());
        let other = mailbox.clone();
        let worker = thread::spawn(move || {
            other.nudge();
            other.put(0);
        });
        mailbox.sleep(2);
        worker.join().unwrap();
        assert_eq!(mailbox.take(), 1);
    });
}
