//! Threads that wait on an executor which its host drives: one of them turns, the others stand by.
//!
//! Not here: turning (`turn.rs`), waiting (`blocking.rs`).
//!
//! # Invariants
//! - I1: a thread that found the turn taken is unparked after that turn has ended: it is on the list before it tries,
//!   and whoever ends a turn looks at the list afterwards. (by construction: `stand_by`, `turn`)
//! - I2: a parker on the list is alive: its owner takes it off first, under the lock. (by construction: the guard)

#![allow(unsafe_code)]

use raddle_sync::{Mutex, Parker};
use std::ptr::NonNull;

/// See the head of this file.
#[derive(Default)]
pub(crate) struct Drivers(Mutex<Vec<Standing>>);

#[derive(PartialEq, Eq)]
struct Standing(NonNull<Parker>);

// SAFETY: a parker is Sync, and alive while it is on the list (I2).
unsafe impl Send for Standing {}

/// A thread on the list, until the guard drops.
pub(crate) struct StandBy<'a> {
    drivers: &'a Drivers,
    parker: &'a Parker,
}

impl Drivers {
    /// Has this thread unparked when a turn ends.
    pub(crate) fn stand_by<'a>(&'a self, parker: &'a Parker) -> StandBy<'a> {
        self.0.lock().push(Standing(NonNull::from(parker)));
        StandBy { drivers: self, parker }
    }

    /// A turn has ended: the next may begin.
    pub(crate) fn wake_next(&self) {
        if let Some(standing) = self.0.lock().first() {
            // SAFETY: I2; the lock is held.
            unsafe { standing.0.as_ref() }.unpark();
        }
    }
}

impl Drop for StandBy<'_> {
    fn drop(&mut self) {
        self.drivers.0.lock().retain(|standing| *standing != Standing(NonNull::from(self.parker)));
        // If it was this thread that was woken, it passes the turn on.
        self.drivers.wake_next();
    }
}
