//! Models of the counted handles that C holds (`src/handle.rs`).
//!
//! # Models
//! - `handle_ends_after_its_holders`: two holders use a handle and release it at once: its content is dropped once,
//!   after both have used it. 2 threads, exhaustive: 4 schedules, 0.00 s. Fails under handle.release, handle.acquire.

#![cfg(raddle_loom)]

use raddle_capi::internals::Holder;
use raddle_sync::cell::UnsafeCell;
use raddle_sync::model::Model;
use raddle_sync::thread;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Read by the holders, written by its end; each is counted.
struct Content {
    life: UnsafeCell<()>,
    ended: Arc<AtomicUsize>,
}

// SAFETY: the claim of the models.
unsafe impl Send for Content {}
// SAFETY: as above.
unsafe impl Sync for Content {}

impl Drop for Content {
    fn drop(&mut self) {
        self.life.with_mut(|_| ());
        self.ended.fetch_add(1, Relaxed);
    }
}

fn read(holder: &Holder) {
    holder.content().downcast_ref::<Content>().expect("the model's content").life.with(|_| ());
}

#[test]
fn handle_ends_after_its_holders() {
    Model::new(
        "handle_ends_after_its_holders",
        "two holders use a handle and release it at once: its content is dropped once, after both have used it",
    )
    .kills("handle.release", "Causality violation")
    .kills("handle.acquire", "Causality violation")
    .check(|| {
        let ended = Arc::new(AtomicUsize::new(0));
        let content = Content { life: UnsafeCell::new(()), ended: ended.clone() };
        let first = Holder::new(Box::new(content));
        let second = first.clone();
        let other = thread::spawn(move || {
            read(&second);
            drop(second);
        });
        read(&first);
        drop(first);
        other.join().unwrap();
        assert_eq!(ended.load(Relaxed), 1, "a handle's content was dropped another number of times");
    });
}
