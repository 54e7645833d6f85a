//! Models of references to objects (`src/object.rs`): when an object ends, and who may take it for its own.
//!
//! # Models
//! - `object_ends_after_its_references`: two threads use an object and drop their references at once: it ends once,
//!   after both have used it. 2 threads, exhaustive: 4 schedules, 0.00 s. Fails under object.release, object.acquire.
//! - `object_that_is_unique_is_ones_own`: who finds that it has the only reference may write: it comes after all uses
//!   through the others. 2 threads, exhaustive: 6 schedules, 0.00 s. Fails under object.unique.

#![cfg(raddle_loom)]

use raddle_sync::cell::UnsafeCell;
use raddle_sync::model::Model;
use raddle_sync::thread;
use raddle_vm::{Object, RefOf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Read by whoever has a reference, written by its end; each is counted.
struct Watched {
    life: UnsafeCell<()>,
    ended: Arc<AtomicUsize>,
}

// SAFETY: the claim of the models.
unsafe impl Send for Watched {}
// SAFETY: as above.
unsafe impl Sync for Watched {}

impl Object for Watched {
    const NAME: &'static str = "watched";
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.life.with_mut(|_| ());
        self.ended.fetch_add(1, Relaxed);
    }
}

/// An object, two references to it, and how often it has ended.
fn shared() -> (RefOf<Watched>, RefOf<Watched>, Arc<AtomicUsize>) {
    let ended = Arc::new(AtomicUsize::new(0));
    let first = RefOf::new(Watched { life: UnsafeCell::new(()), ended: ended.clone() });
    (first.clone(), first, ended)
}

#[test]
fn object_ends_after_its_references() {
    Model::new(
        "object_ends_after_its_references",
        "two threads use an object and drop their references at once: it ends once, after both have used it",
    )
    .kills("object.release", "Causality violation")
    .kills("object.acquire", "Causality violation")
    .check(|| {
        let (first, second, ended) = shared();
        let other = thread::spawn(move || {
            second.life.with(|_| ());
            drop(second);
        });
        first.life.with(|_| ());
        drop(first);
        other.join().unwrap();
        assert_eq!(ended.load(Relaxed), 1);
    });
}

#[test]
fn object_that_is_unique_is_ones_own() {
    Model::new(
        "object_that_is_unique_is_ones_own",
        "who finds that it has the only reference may write: it comes after all uses through the others",
    )
    .kills("object.unique", "Causality violation")
    .check(|| {
        let (first, second, ended) = shared();
        let other = thread::spawn(move || {
            second.life.with(|_| ());
            drop(second);
        });
        if first.untyped().is_unique() {
            first.life.with_mut(|_| ());
        }
        other.join().unwrap();
        assert_eq!(ended.load(Relaxed), 0);
    });
}
