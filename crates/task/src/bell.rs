//! What is scheduled when the wait of a blocked thread ends. It lies on that thread's stack.
//!
//! Not here: the wait, and what the thread does meanwhile (`blocking.rs`).
//!
//! # State
//! | state | meaning | set by |
//! |---|---|---|
//! | waiting | the thread waits | `new`, `answer` |
//! | ringing | it was called; the ringer still touches the bell | `ring` |
//! | rung | the ringer is gone | `ring`, as its last access |
//!
//! # Invariants
//! - I1: the thread leaves the bell only after the ringer has: `answer` waits for *rung*, which is a few instructions
//!   away. [mutants: bell.answer, bell.rung]
//! - I2: a bell that rings while its thread sleeps in the kernel wakes the wait set. [mutants: bell.ring, bell.doze]
//!
//! # Orderings
//! `ring` stores the state and then looks whether the thread sleeps in the kernel, `doze` says so and then looks at the
//! state: a sequentially consistent fence on both sides. *Rung* is stored with Release and read with Acquire, by everybody who
//! has seen that it rings: *ringing* orders nothing.
//! Models: `tests/loom_blocking.rs`.

#![allow(unsafe_code)]

use crate::core::Core;
use raddle_sync::atomic::{AtomicBool, AtomicU32, Ordering::*};
use raddle_sync::cell::UnsafeCell;
use raddle_sync::{Parker, fence, mutant, ord};
use raddle_wait::Resume;
use std::ptr::NonNull;

const WAITING: u32 = 0;
const RINGING: u32 = 1;
const RUNG: u32 = 2;

/// See the head of this file.
#[repr(C)]
pub(crate) struct Bell<'a> {
    /// First, so that a resume is its bell.
    resume: Resume,
    state: AtomicU32,
    is_in_kernel: AtomicBool,
    core: &'a Core,
    pub(crate) parker: Parker,
    /// Read by the ringer as long as it is there, written when the bell goes: the model checker sees I1.
    life: UnsafeCell<()>,
}

impl Drop for Bell<'_> {
    fn drop(&mut self) {
        self.life.with_mut(|_| ());
    }
}

/// # Safety
/// The resume is that of a bell that stays until it has rung (I1).
unsafe fn ring(resume: NonNull<Resume>) {
    // SAFETY: the caller's promise.
    let bell = unsafe { resume.cast::<Bell<'_>>().as_ref() };
    bell.state.store(RINGING, Relaxed);
    fence!("bell.ring");
    if bell.is_in_kernel.load(Relaxed) {
        bell.core.set.wake();
    }
    bell.parker.unpark();
    bell.life.with(|_| ());
    bell.state.store(RUNG, ord!("bell.rung", Release));
}

impl<'a> Bell<'a> {
    pub(crate) fn new(core: &'a Core) -> Bell<'a> {
        Bell {
            // SAFETY: `ring` takes the bell of the resume.
            resume: unsafe { Resume::new(ring) },
            state: AtomicU32::new(WAITING),
            is_in_kernel: AtomicBool::new(false),
            core,
            parker: Parker::new(),
            life: UnsafeCell::new(()),
        }
    }

    /// What a frame schedules.
    pub(crate) fn header(&self) -> NonNull<Resume> {
        NonNull::from(self).cast()
    }

    pub(crate) fn has_rung(&self) -> bool {
        self.state.load(Relaxed) != WAITING
    }

    /// Takes the ring that has come, or that comes for sure, and makes the bell ready for the next.
    pub(crate) fn answer(&self) {
        while !self.has_rung() {
            self.parker.park();
        }
        while self.state.load(ord!("bell.rung", Acquire)) != RUNG && !mutant!("bell.answer") {
            raddle_sync::thread::yield_now();
        }
        self.state.store(WAITING, Relaxed);
    }

    /// Says that the thread is about to sleep in the kernel; `false` if it must not (I2).
    pub(crate) fn doze(&self) -> bool {
        self.is_in_kernel.store(true, Relaxed);
        fence!("bell.doze");
        !self.has_rung()
    }

    /// The thread is back from the kernel.
    pub(crate) fn rouse(&self) {
        self.is_in_kernel.store(false, Relaxed);
    }
}
