//! A stage whose clock stands still until somebody moves it: for tests, simulations and models.
//!
//! Not here: the stage of a real machine (the wait set).
//!
//! # Invariants
//! - I1: a timer is resolved under the lock, after it was taken out; `remove_timer` takes the same lock, so nothing is
//!   under way when it has returned. [mutants: time.remove]
//! - I2: the clock never goes back, and [`NEVER`] never comes.
//!   (by construction: `advance_to` takes the larger moment, and resolves through `NEVER - 1` at most)
//!
//! Models: `tests/loom_cancel.rs`.

#![allow(unsafe_code)]

use crate::heap::{Heap, Seat};
use crate::listed::gather;
use crate::resume::OwedList;
use crate::slot::Slot;
use crate::source::Watch;
use crate::stage::sealed::{Armed, Sealed};
use crate::stage::{Due, Moment, NEVER, NoStage, Stage};
use raddle_status::Result;
use raddle_sync::Mutex;
use raddle_sync::cell::UnsafeCell;
use raddle_sync::mutant;
use std::fmt;

/// A stage with a clock that only [`advance_to`](VirtualTime::advance_to) moves; descriptors fail. Thread-safe.
#[derive(Default)]
pub struct VirtualTime {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    now: Moment,
    timers: Heap<Timer, Due>,
}

/// A heap of timers keeps positions in a slot's `timer`.
struct Timer;

impl Seat for Timer {
    fn of(slot: &Slot) -> &UnsafeCell<u32> {
        &slot.timer
    }
}

impl VirtualTime {
    /// A clock at 0.
    pub fn new() -> VirtualTime {
        VirtualTime::default()
    }

    /// When the next timer is due.
    pub fn next_moment(&self) -> Option<Moment> {
        self.inner.lock().timers.first().map(|entry| entry.key)
    }

    /// Timers outstanding.
    pub fn outstanding(&self) -> usize {
        self.inner.lock().timers.len()
    }

    /// Moves the clock on to `moment`, unless it is later already, and resolves what is due, in order.
    /// Wakes by enqueueing only.
    pub fn advance_to(&self, moment: Moment) {
        let mut owed = OwedList::default();
        let mut inner = self.inner.lock();
        inner.now = inner.now.max(moment);
        let through = inner.now.min(NEVER - 1);
        while let Some(entry) = inner.timers.pop_through(through) {
            // SAFETY: it was in the heap, so its memory is alive until its frame has our lock (I1).
            gather(unsafe { entry.tag.resolve(entry.slot) }, &mut owed);
        }
        drop(inner);
        owed.pay();
    }
}

impl Stage for VirtualTime {
    fn now(&self) -> Moment {
        self.inner.lock().now
    }
}

impl Sealed for VirtualTime {
    unsafe fn add_timer(&self, armed: Armed, moment: Moment, _: Moment) -> Result {
        let mut owed = OwedList::default();
        let mut inner = self.inner.lock();
        if moment <= inner.now && moment != NEVER {
            // SAFETY: the caller's promise.
            gather(unsafe { armed.due.resolve(armed.node.slot) }, &mut owed);
        } else {
            // SAFETY: a slot has one timer, and its memory lives until it is removed.
            unsafe { inner.timers.insert(moment, armed.node.slot, armed.due) };
        }
        drop(inner);
        owed.pay();
        Ok(())
    }

    unsafe fn remove_timer(&self, armed: Armed) {
        if !mutant!("time.remove") {
            // SAFETY: the caller's promise.
            unsafe { self.inner.lock().timers.remove(armed.node.slot) };
        }
    }

    unsafe fn add_descriptor(&self, armed: Armed, watch: Watch<'_>) -> Result {
        // SAFETY: the caller's promise.
        unsafe { NoStage.add_descriptor(armed, watch) }
    }

    unsafe fn remove_descriptor(&self, _: Armed, _: Watch<'_>) {}
}

impl fmt::Debug for VirtualTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.inner.lock();
        write!(f, "VirtualTime(at {}, {} timers)", inner.now, inner.timers.len())
    }
}
