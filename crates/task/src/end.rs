//! The end of a program: whether it has come, and who waits for it.
//!
//! Few programs are waited for by a thread or a frame, and those that wait themselves are many: so the event that ends such
//! waits is made when somebody asks for it.
//!
//! Not here: who brings it about (`resident.rs`), the end of a graph's run (`block.rs`).
//!
//! # State
//! | word | meaning | set by |
//! |---|---|---|
//! | null | has not ended; nobody asked | `default` |
//! | event | has not ended; whoever asked waits for this | [`End::event`] |
//! | ENDED, with or without an event | has ended | [`End::come`] |
//!
//! # Invariants
//! - I1: whoever was given the event before the end finds it set after it. [mutants: end.tell]
//! - I2: what was done before the end is visible to whoever sees it. [mutants: end.come]
//! - I3: an event that was made stays until the end itself goes. (by construction: only `drop` frees it)
//!
//! # Orderings
//! `come` and `event` are read-modify-writes of one word, so one sees the other. `come` is AcqRel: it acquires the event that
//! was made, and releases the run. Models: `tests/loom_end.rs`.

#![allow(unsafe_code)]

use raddle_sync::atomic::{AtomicPtr, Ordering::*};
use raddle_sync::{mutant, ord};
use raddle_wait::Event;
use std::ptr::null_mut;

/// See the head of this file.
pub struct End(AtomicPtr<Event>);

/// The bit of a pointer that says so; events are aligned.
const ENDED: usize = 1;

impl Default for End {
    fn default() -> End {
        End(AtomicPtr::new(null_mut()))
    }
}

impl End {
    /// Whether it has come.
    pub fn has_come(&self) -> bool {
        self.0.load(ord!("end.come", Acquire)).addr() & ENDED != 0
    }

    /// It has come.
    pub fn come(&self) {
        let mut event = self.0.load(Relaxed);
        while let Err(now) = self.0.compare_exchange_weak(
            event,
            event.map_addr(|event| event | ENDED),
            ord!("end.come", AcqRel),
            Relaxed,
        ) {
            event = now;
        }
        debug_assert!(event.addr() & ENDED == 0, "a task ran another number of times: a program ended twice");
        // SAFETY: I3: whoever lets the end come keeps it.
        if let Some(event) = unsafe { event.as_ref() }.filter(|_| !mutant!("end.tell")) {
            event.set();
        }
    }

    /// What is set when it comes; `None` if it has come.
    pub fn event(&self) -> Option<&Event> {
        let mut event = self.0.load(ord!("end.come", Acquire));
        if event.is_null() {
            let fresh = Box::into_raw(Box::new(Event::manual()));
            event = match self.0.compare_exchange(
                null_mut(),
                fresh,
                ord!("end.come", AcqRel),
                ord!("end.come", Acquire),
            ) {
                Ok(_) => fresh,
                Err(now) => {
                    // SAFETY: made above, and nobody else knows it.
                    drop(unsafe { Box::from_raw(fresh) });
                    now
                }
            };
        }
        // SAFETY: I3; without the bit it is the pointer of a box.
        (event.addr() & ENDED == 0).then(|| unsafe { &*event })
    }

    /// Makes it one that has not come; the event stays for the next time.
    pub fn reset(&mut self) {
        let event = self.known();
        // SAFETY: I3.
        if let Some(event) = unsafe { event.as_ref() } {
            event.reset();
        }
        self.0.store(event, Relaxed);
    }

    /// The event, if there is one.
    fn known(&mut self) -> *mut Event {
        self.0.load(Relaxed).map_addr(|event| event & !ENDED)
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let event = self.known();
        if !event.is_null() {
            // SAFETY: I3: made by `Box::into_raw`.
            drop(unsafe { Box::from_raw(event) });
        }
    }
}
