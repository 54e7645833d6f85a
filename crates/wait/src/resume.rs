//! What the winner of a slot owes: the header of the thing to resume, and the duty to resume it.
//!
//! Not here: how a thing is resumed; its owner (an executor, a future) gives a function.
//!
//! # Invariants
//! - I1: an [`Owed`] exists once per resolved frame: it is made by the one thread that moved the root on.
//!   [mutants: slot.arming]
//! - I2: from that moment until `schedule` returns to its owner's code, nobody else touches or frees the header.
//!   [mutants: waiting.drop]

#![allow(unsafe_code)]

use raddle_sync::cell::UnsafeCell;
use std::fmt;
use std::ptr::NonNull;

/// The header of whatever a frame resumes. It is embedded, at a place that does not move, in the thing
/// itself: an invocation, a task, a future.
///
/// Its link serves whoever holds the duty to resume: a list of several owed resumes, then the executor's queue.
#[repr(C)]
pub struct Resume {
    next: UnsafeCell<Option<NonNull<Resume>>>,
    schedule: unsafe fn(NonNull<Resume>),
}

// SAFETY: the link is only touched by the one holder of the duty (I1, I2); the function is immutable.
unsafe impl Send for Resume {}
// SAFETY: as above.
unsafe impl Sync for Resume {}

impl Resume {
    /// A header whose thing is resumed by `schedule`, which is called once per resolved wait, on the
    /// signaller's thread, with no lock held. It must only enqueue.
    ///
    /// # Safety
    /// `schedule` must be sound when called with a header made by this call that a frame was begun with.
    pub unsafe fn new(schedule: unsafe fn(NonNull<Resume>)) -> Resume {
        Resume { next: UnsafeCell::new(None), schedule }
    }

    /// The next header in the list that holds this one.
    ///
    /// # Safety
    /// The caller holds the duty for `this` (I2).
    pub unsafe fn next(this: NonNull<Resume>) -> Option<NonNull<Resume>> {
        // SAFETY: I2: the header is alive and only ours.
        let header = unsafe { this.as_ref() };
        header.next.with(|next| {
            // SAFETY: I2: nobody writes the link at the same time.
            unsafe { *next }
        })
    }

    /// Links this header in front of `next`.
    ///
    /// # Safety
    /// The caller holds the duty for `this` (I2).
    pub unsafe fn set_next(this: NonNull<Resume>, next: Option<NonNull<Resume>>) {
        // SAFETY: I2: the header is alive and only ours.
        let header = unsafe { this.as_ref() };
        header.next.with_mut(|link| {
            // SAFETY: I2: nobody reads or writes the link at the same time.
            unsafe { *link = next }
        });
    }
}

impl fmt::Debug for Resume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resume")
    }
}

/// The duty to resume one thing.
#[must_use = "dropping a duty loses a wake-up; call `pay`"]
#[derive(Debug)]
pub(crate) struct Owed(NonNull<Resume>);

// SAFETY: I2: the duty is held by one thread at a time, and headers are Send.
unsafe impl Send for Owed {}

impl Owed {
    /// # Safety
    /// The caller moved the root with this target on (I1).
    pub(crate) unsafe fn new(target: NonNull<Resume>) -> Owed {
        Owed(target)
    }

    /// Gives the duty up: the caller answers for the thing in another way.
    pub(crate) fn waive(self) {}

    /// Resumes the thing. Call it with no lock held.
    pub(crate) fn pay(self) {
        // SAFETY: I2: the header is alive and only ours until `schedule` has it.
        let schedule = unsafe { self.0.as_ref() }.schedule;
        // SAFETY: the contract of `Resume::new`; I1: called once.
        unsafe { schedule(self.0) }
    }
}

/// Duties gathered under a lock, to be paid after it is released, in the order in which they came.
#[must_use = "dropping duties loses wake-ups; call `pay`"]
#[derive(Default, Debug)]
pub(crate) struct OwedList {
    first: Option<NonNull<Resume>>,
    last: Option<NonNull<Resume>>,
}

impl OwedList {
    pub(crate) fn push(&mut self, owed: Owed) {
        // SAFETY: the list holds the duty (I2).
        unsafe { Resume::set_next(owed.0, None) };
        match self.last {
            // SAFETY: the list holds the duty of every header in it (I2).
            Some(last) => unsafe { Resume::set_next(last, Some(owed.0)) },
            None => self.first = Some(owed.0),
        }
        self.last = Some(owed.0);
    }

    /// Resumes everything. Call it with no lock held.
    pub(crate) fn pay(self) {
        let mut rest = self.first;
        while let Some(header) = rest {
            // The link is read before the header is given away.
            // SAFETY: the list holds the duty (I2).
            rest = unsafe { Resume::next(header) };
            Owed(header).pay();
        }
    }
}
