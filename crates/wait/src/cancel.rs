//! Cancelling a frame from outside while it runs, arms or waits.
//!
//! # Invariants
//! - I1: after `request` returned, a wait that was begun before or is begun later ends as cancelled, unless it
//!   was resolved otherwise before the request. [mutants: cancel.request, cancel.publish]
//! - I2: a request resolves a root in the generation that the frame published with it, or nothing.
//!   [mutants: cancel.root, cancel.tear, cancel.unroot, cancel.generation]
//!
//! # Orderings
//! The frame publishes its root and then looks for a request; `request` sets the flag and then looks for a root. Both
//! have a sequentially consistent fence between the two steps (Dekker), so at least one sees the other. The flag itself
//! carries nothing: a cancellation is no signal.
//! `publish` takes the old root away, then writes the generation, then the root, each step a release of the one
//! before; `request` reads them in the opposite order and the root once more. So a pair that it acts on was published
//! together, or its root had been published before with an older use: a slot of another program that has
//! the other half's generation by chance is never touched. Of a pair that is torn, the publisher sees the flag.
//! Models: `tests/loom_cancel.rs`.

#![allow(unsafe_code)]

use crate::listed::Node;
use crate::pool::SlotPool;
use crate::slot::{self, Slot};
use crate::word::State;
use raddle_sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering::*};
use raddle_sync::{fence, mutant, ord};
use std::ptr::{NonNull, null_mut};

/// Where a frame can be cancelled; shared by the frame's host and everybody who may cancel it.
#[derive(Debug)]
pub struct CancelPoint {
    requested: AtomicBool,
    root: AtomicPtr<Slot>,
    generation: AtomicU64,
    /// Keeps the memory of `root`.
    pool: SlotPool,
}

impl CancelPoint {
    /// A point for frames whose slots come from `pool`.
    pub fn new(pool: &SlotPool) -> CancelPoint {
        CancelPoint {
            requested: AtomicBool::new(false),
            root: AtomicPtr::new(null_mut()),
            generation: AtomicU64::new(0),
            pool: pool.clone(),
        }
    }

    /// Where the slots of its frames come from.
    pub fn pool(&self) -> &SlotPool {
        &self.pool
    }

    /// Asks the frame to stop waiting; says whether this call ended a wait.
    ///
    /// Blocks: never. Thread-safe. `false` means that the frame was not waiting: its host sees the
    /// request at its next look ([`is_requested`](CancelPoint::is_requested)) or its next wait.
    pub fn request(&self) -> bool {
        self.requested.store(true, Relaxed);
        fence!("cancel.request");
        let root = self.root.load(ord!("cancel.root", Acquire));
        let generation = self.generation.load(ord!("cancel.generation", Acquire));
        if root != self.root.load(Relaxed) && !mutant!("cancel.tear") {
            return false;
        }
        let Some(root) = NonNull::new(root) else {
            return false;
        };
        // SAFETY: the pool keeps the memory; only roots are published.
        unsafe { slot::resolve(root, generation, State::Cancelled) }.pay()
    }

    /// Whether somebody asked for the frame to stop.
    pub fn is_requested(&self) -> bool {
        self.requested.load(Relaxed)
    }

    /// Whether the frame waits now: a racy read, for dumps.
    pub fn is_waiting(&self) -> bool {
        let root = self.root.load(ord!("cancel.root", Acquire));
        let generation = self.generation.load(Relaxed);
        // SAFETY: the pool keeps the memory; only roots are published.
        NonNull::new(root).is_some_and(|root| unsafe { root.as_ref() }.peek().is_open(generation))
    }

    /// Makes the point usable again for another program in the same place. Owner only, while nothing waits.
    pub fn reset(&self) {
        self.root.store(null_mut(), Relaxed);
        self.requested.store(false, Relaxed);
    }

    /// Publishes an arming root; a request that came before resolves it at once.
    ///
    /// # Panics
    /// If the root is not of this point's pool.
    pub(crate) fn publish(&self, root: Node, pool: &SlotPool) {
        assert!(self.pool.is(pool), "a cancel point of another pool");
        if self.publish_armed(root) {
            // SAFETY: the frame that publishes holds the memory. The root is arming, so nothing can be owed.
            let moved = unsafe { slot::resolve(root.slot, root.generation, State::Cancelled) };
            moved.pay();
        }
    }

    /// Publishes a root, of this point's pool, that may wait already; says whether a request came before, or comes just now:
    /// then the caller resolves it.
    #[must_use]
    pub(crate) fn publish_armed(&self, root: Node) -> bool {
        if !mutant!("cancel.unroot") {
            self.root.store(null_mut(), Relaxed);
        }
        self.generation.store(root.generation, ord!("cancel.generation", Release));
        self.root.store(root.slot.as_ptr(), ord!("cancel.root", Release));
        fence!("cancel.publish");
        self.requested.load(Relaxed)
    }
}
