//! What a source calls when it is ready.
//!
//! # Invariants
//! - I1: a waker names one use of one slot; calling it any number of times, at any time, from any thread, fires that
//!   use at most once and no other (I2 of `slot.rs`). [mutants: slot.generation, slot.spent]
//! - I2: a waker holds the slot's memory and nothing of the program that waits. [mutants: pool.memory]

#![allow(unsafe_code)]

use crate::pool::Memory;
use crate::slot::{self, Moved, Slot};
use raddle_status::Code;
use std::fmt;
use std::ptr::NonNull;

/// Wakes one wait, once.
///
/// Two words. It may be called late, twice, never, from inside `arm`, from any thread, and after the
/// runtime is gone (it then does nothing). Its calls never block, take no lock and run no code of the program
/// that waits: they enqueue it.
///
/// Ordering: a wake is a release; what was written before is visible to the resumed program.
pub struct SourceWaker {
    slot: NonNull<Slot>,
    generation: u64,
}

const _: () = assert!(size_of::<SourceWaker>() == 16);

// SAFETY: a slot is Send and Sync, and its memory is held (I2).
unsafe impl Send for SourceWaker {}
// SAFETY: as above.
unsafe impl Sync for SourceWaker {}

/// Names a waker, to find it again in [`disarm`](crate::WaitSource::disarm). Never reused while a waker lives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WakerId {
    slot: usize,
    generation: u64,
}

impl WakerId {
    pub(crate) fn new(slot: NonNull<Slot>, generation: u64) -> WakerId {
        WakerId { slot: slot.as_ptr().addr(), generation }
    }

    /// The name as two numbers, for hosts in other languages.
    pub fn to_numbers(self) -> [u64; 2] {
        [self.slot as u64, self.generation]
    }
}

impl SourceWaker {
    /// # Safety
    /// The memory of `slot` is alive.
    pub(crate) unsafe fn new(slot: NonNull<Slot>, generation: u64) -> SourceWaker {
        // SAFETY: the caller's promise.
        unsafe { Memory::retain(slot) };
        SourceWaker { slot, generation }
    }

    /// The source is ready: resumes the wait if it still waits. Says whether this call was the one that counted.
    #[cfg_attr(feature = "model", track_caller)]
    pub fn wake(&self) -> bool {
        self.fire(0)
    }

    /// The source has failed and never becomes ready: the wait ends with this code.
    /// Says whether this call was the one that counted.
    ///
    /// A message goes along if the source's [`query`](crate::WaitSource::query) reports the failure.
    #[cfg_attr(feature = "model", track_caller)]
    pub fn fail(&self, code: Code) -> bool {
        self.fire(code.number())
    }

    /// Names this waker.
    pub fn id(&self) -> WakerId {
        WakerId::new(self.slot, self.generation)
    }

    #[cfg_attr(feature = "model", track_caller)]
    fn fire(&self, code: u32) -> bool {
        #[cfg(feature = "model")]
        raddle_sync::note(format_args!("calls a waker"));
        self.fire_quietly(code).pay()
    }

    /// Fires, and leaves what is owed to the caller.
    pub(crate) fn fire_quietly(&self, code: u32) -> Moved {
        // SAFETY: I2.
        unsafe { slot::fire(self.slot, self.generation, code) }
    }
}

impl Clone for SourceWaker {
    fn clone(&self) -> SourceWaker {
        // SAFETY: I2: this waker holds the memory.
        unsafe { SourceWaker::new(self.slot, self.generation) }
    }
}

impl Drop for SourceWaker {
    fn drop(&mut self) {
        // SAFETY: undoes the `retain` of `new`.
        unsafe { Memory::release(self.slot) };
    }
}

impl fmt::Debug for SourceWaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceWaker({:p}, generation {})", self.slot, self.generation)
    }
}
