//! Models of the parker (`src/parker.rs`): the product's own code, on the checker's threads.
//!
//! Each model's claim and mutants are in its first lines; all are exhaustive.
//!
//! # Models
//! - `parker_merged_unpark_is_seen`: what was written before an unpark that merged with an earlier one is seen after
//!   the park that both ended. 2 threads, exhaustive: 68 schedules, 0.00 s. Fails under parker.unpark, parker.park.
//! - `parker_unpark_ends_a_park`: an unpark before, during or after the beginning of a park ends it. 2 threads,
//!   exhaustive: 6 schedules, 0.00 s. Fails under parker.token.

#![cfg(raddle_loom)]
#![allow(unsafe_code)]

use raddle_sync::atomic::{AtomicBool, Ordering::*};
use raddle_sync::cell::UnsafeCell;
use raddle_sync::model::Model;
use raddle_sync::{TokenParker, thread};
use std::sync::Arc;

/// What is written before an unpark.
#[derive(Default)]
struct Datum(UnsafeCell<u32>);

// SAFETY: that accesses are ordered is the claim of the models.
unsafe impl Sync for Datum {}
// SAFETY: as above.
unsafe impl Send for Datum {}

impl Datum {
    fn write(&self) {
        // SAFETY: the claim of the models.
        self.0.with_mut(|value| unsafe { *value = 7 });
    }

    fn read(&self) -> u32 {
        // SAFETY: the claim of the models.
        self.0.with(|value| unsafe { *value })
    }
}

#[test]
fn parker_unpark_ends_a_park() {
    Model::new(
        "parker_unpark_ends_a_park",
        "an unpark before, during or after the beginning of a park ends it",
    )
    .kills("parker.token", "deadlock")
    .check(|| {
        let (parker, datum) = (Arc::new(TokenParker::new()), Arc::new(Datum::default()));
        let other = {
            let (parker, datum) = (parker.clone(), datum.clone());
            thread::spawn(move || {
                datum.write();
                parker.unpark();
            })
        };
        parker.park();
        assert_eq!(datum.read(), 7);
        other.join().unwrap();
    });
}

#[test]
fn parker_merged_unpark_is_seen() {
    Model::new(
        "parker_merged_unpark_is_seen",
        "what was written before an unpark that merged with an earlier one is seen after the park that both ended",
    )
    .kills("parker.unpark", "Causality violation")
    .kills("parker.park", "Causality violation")
    .check(|| {
        let (parker, datum) = (Arc::new(TokenParker::new()), Arc::new(Datum::default()));
        let has_unparked = Arc::new(AtomicBool::new(false));
        parker.unpark();
        let other = {
            let (parker, datum, has_unparked) = (parker.clone(), datum.clone(), has_unparked.clone());
            thread::spawn(move || {
                datum.write();
                parker.unpark();
                // Relaxed: it tells the order in the history of the token, and makes none.
                has_unparked.store(true, Relaxed);
            })
        };
        let is_merged = has_unparked.load(Relaxed);
        parker.park();
        if is_merged {
            assert_eq!(datum.read(), 7);
        }
        // To the checker, an unpark of a thread that joins is the end that it waits for.
        while !has_unparked.load(Relaxed) {
            thread::yield_now();
        }
        other.join().unwrap();
    });
}
