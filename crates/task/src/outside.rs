//! The list by which work comes from outside: other threads, signallers, workers of other executors.
//!
//! It is intrusive (the link is in the task), so that a million signals allocate nothing.
//!
//! # Invariants
//! - I1: what was pushed is taken once, in the order of the pushes of each thread. [mutants: outside.push]
//! - I2: a taker that finds nothing has seen every push that happened before; a push that it could have missed sees the
//!   sleeper (see `idle.rs`). The test for emptiness takes no lock, and does not see a list empty that is being turned
//!   round. [mutants: outside.take, outside.see]
//!
//! # Orderings
//! `push` is a compare-exchange with Release on the head of a stack; `take` swaps the stack away with Acquire and turns it
//! round. What was turned round is kept under a lock that only takers use. The swap is a Release, and pairs with the first
//! load of `is_empty`: who sees the stack gone sees the count that was raised before.
//! Models: `tests/loom_outside.rs`.

#![allow(unsafe_code)]

use raddle_sync::atomic::{AtomicPtr, AtomicUsize, Ordering::*};
use raddle_sync::{Mutex, ord};
use raddle_wait::Resume;
use std::ptr::{NonNull, null_mut};

/// See the head of this file.
pub struct Outside {
    /// Pushed and not yet turned round: the last push first.
    pushed: AtomicPtr<Resume>,
    /// How many have been turned round and not taken.
    ready_count: AtomicUsize,
    /// Turned round: the first push first.
    ready: Mutex<Ready>,
}

struct Ready(Option<NonNull<Resume>>);

// SAFETY: the list holds the duty of every header on it (I1 of `header.rs`).
unsafe impl Send for Ready {}

impl Default for Outside {
    fn default() -> Outside {
        Outside::new()
    }
}

impl Outside {
    /// An empty list.
    pub fn new() -> Outside {
        Outside {
            pushed: AtomicPtr::new(null_mut()),
            ready_count: AtomicUsize::new(0),
            ready: Mutex::new(Ready(None)),
        }
    }

    /// Appends a header. Blocks: never. The caller then notifies (see `idle.rs`).
    ///
    /// # Safety
    /// The caller holds the duty for it, and gives it away.
    pub unsafe fn push(&self, resume: NonNull<Resume>) {
        let mut first = self.pushed.load(Relaxed);
        loop {
            // SAFETY: the caller's duty.
            unsafe { Resume::set_next(resume, NonNull::new(first)) };
            match self.pushed.compare_exchange_weak(
                first,
                resume.as_ptr(),
                ord!("outside.push", Release),
                Relaxed,
            ) {
                Ok(_) => return,
                Err(seen) => first = seen,
            }
        }
    }

    /// Whether nothing is there; racy, takes no lock.
    pub fn is_empty(&self) -> bool {
        self.pushed.load(ord!("outside.see", Acquire)).is_null() && self.ready_count.load(Relaxed) == 0
    }

    /// How many have been turned round, and whether more were pushed: racy, for dumps.
    pub(crate) fn glance(&self) -> (usize, bool) {
        (self.ready_count.load(Relaxed), !self.pushed.load(Relaxed).is_null())
    }

    /// Takes up to so many headers and gives each to `take`; says how many. `count` is asked if there are any.
    pub fn take(&self, count: impl FnOnce() -> usize, mut take: impl FnMut(NonNull<Resume>)) -> usize {
        if self.is_empty() {
            return 0;
        }
        let count = count();
        let mut ready = self.ready.lock();
        let mut taken = 0;
        while taken < count {
            if ready.0.is_none() {
                ready.0 = self.turn_round();
            }
            let Some(first) = ready.0 else { break };
            // SAFETY: the list holds the duty.
            ready.0 = unsafe { Resume::next(first) };
            self.ready_count.store(self.ready_count.load(Relaxed) - 1, Relaxed);
            taken += 1;
            take(first);
        }
        taken
    }

    /// Everything that was pushed, first push first. Under the lock.
    fn turn_round(&self) -> Option<NonNull<Resume>> {
        // Emptiness must not be seen between the swap and the count, so the count is raised first. It is written under the lock.
        self.ready_count.store(1, Relaxed);
        let mut rest = NonNull::new(self.pushed.swap(null_mut(), ord!("outside.take", AcqRel)));
        let (mut turned, mut count) = (None, 0);
        while let Some(header) = rest {
            // SAFETY: the swap took the duty of the whole stack.
            rest = unsafe { Resume::next(header) };
            // SAFETY: as above.
            unsafe { Resume::set_next(header, turned) };
            turned = Some(header);
            count += 1;
        }
        self.ready_count.store(count, Relaxed);
        turned
    }
}
