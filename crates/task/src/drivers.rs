//! Threads that wait on an executor which its host drives: one of them turns, the others stand by.
//!
//! Not here: turning (`turn.rs`), waiting (`blocking.rs`).
//!
//! # Invariants
//! - I1: a thread that found the turn taken is unparked after that turn has ended: it is on the list before it tries,
//!   and whoever ends a turn looks at the list afterwards; if who was woken leaves instead of turning, the next is woken.
//!   [mutants: drivers.wake, drivers.late, drivers.pass]
//! - I2: a thread that stands by sleeps while somebody turns: only the end of a turn wakes it. [mutants: drivers.busy]
//! - I3: a parker on the list is alive: its owner takes it off first, under the lock. (by construction: the guard)
//!
//! Models: `tests/loom_drivers.rs`.

#![allow(unsafe_code)]

use raddle_status::{Code, Result};
use raddle_sync::{Mutex, Parker, mutant};
use std::ptr::NonNull;

/// See the head of this file.
#[derive(Default)]
pub struct Drivers(Mutex<Vec<Standing>>);

#[derive(PartialEq, Eq)]
struct Standing(NonNull<Parker>);

// SAFETY: a parker is Sync, and alive while it is on the list (I3).
unsafe impl Send for Standing {}

/// A thread on the list, until the guard drops.
struct StandBy<'a> {
    drivers: &'a Drivers,
    parker: &'a Parker,
}

impl Drivers {
    /// Turns until `is_done`. While another thread turns (`turn` is UNAVAILABLE) this one sleeps on its parker, which whatever
    /// makes `is_done` true unparks too.
    ///
    /// # Errors
    /// Others of `turn`.
    pub fn drive(
        &self,
        parker: &Parker,
        is_done: impl Fn() -> bool,
        mut turn: impl FnMut() -> Result,
    ) -> Result {
        let stand_by = || StandBy::new(self, parker);
        let mut me = (!mutant!("drivers.late")).then(stand_by);
        while !is_done() {
            match turn() {
                Err(error) if error.code() == Code::Unavailable => {
                    me.get_or_insert_with(stand_by);
                    parker.park();
                }
                turned => turned?,
            }
        }
        Ok(())
    }

    /// A turn has ended like this: if it was one, the next may begin. To be called when its lock is free again.
    pub fn note<T>(&self, turned: &Result<T>) {
        // Who found another turn under way has ended none, and would wake itself for as long as that lasts.
        let is_refused = matches!(turned, Err(error) if error.code() == Code::Unavailable);
        let is_due = !is_refused || mutant!("drivers.busy");
        if is_due && !mutant!("drivers.wake") {
            self.wake_next();
        }
    }

    fn wake_next(&self) {
        if let Some(standing) = self.0.lock().first() {
            // SAFETY: I3; the lock is held.
            unsafe { standing.0.as_ref() }.unpark();
        }
    }
}

impl<'a> StandBy<'a> {
    fn new(drivers: &'a Drivers, parker: &'a Parker) -> StandBy<'a> {
        drivers.0.lock().push(Standing(NonNull::from(parker)));
        StandBy { drivers, parker }
    }
}

impl Drop for StandBy<'_> {
    fn drop(&mut self) {
        self.drivers.0.lock().retain(|standing| *standing != Standing(NonNull::from(self.parker)));
        // If it was this thread that was woken, it passes the turn on.
        if !mutant!("drivers.pass") {
            self.drivers.wake_next();
        }
    }
}
