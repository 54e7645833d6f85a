//! What a frame needs from its host for waits that no source can fire by itself: a clock, timers, descriptors.
//!
//! Not here: the wait set that offers them on a real machine (`set/`).

#![allow(unsafe_code)]

use crate::listed::Node;
use crate::slot::{self, Moved, Slot};
use crate::source::Watch;
use crate::word::State;
use raddle_status::{Code, Error, Result};
use std::cell::Cell;
use std::ptr::NonNull;

/// Nanoseconds on the stage's monotonic clock. Sums saturate: [`NEVER`] is never reached.
pub type Moment = u64;
/// The moment that never comes.
pub const NEVER: Moment = u64::MAX;

/// What happens to a slot at its moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Due {
    /// It fires with success: a delay.
    Fire,
    /// It times out: a deadline.
    TimeOut,
}

impl Due {
    /// Does it to the present use of a slot; what is owed is returned.
    ///
    /// # Safety
    /// The slot is armed, and its memory outlives the call.
    pub(crate) unsafe fn resolve(self, slot: NonNull<Slot>) -> Moved {
        // SAFETY: the caller's promise.
        let generation = unsafe { slot.as_ref() }.peek().generation();
        match self {
            // SAFETY: the caller's promise.
            Due::Fire => unsafe { slot::fire(slot, generation, 0) },
            // SAFETY: the caller's promise; only roots have deadlines.
            Due::TimeOut => unsafe { slot::resolve(slot, generation, State::TimedOut) },
        }
    }
}

/// The host of armed frames.
///
/// Sealed: a [`WaitSet`](crate::WaitSet), or [`NoStage`].
pub trait Stage: sealed::Sealed {
    /// The present moment.
    fn now(&self) -> Moment;
}

pub(crate) mod sealed {
    use super::*;

    /// The unsafe half of a stage. For every method: the slot is armed, and its memory lives until the
    /// matching `remove` has returned.
    pub trait Sealed {
        /// Resolves the slot at `moment`. A slot has at most one timer. Fails for want of a place; a deadline needs none.
        /// `seen` is the moment at which the wait was looked at, 0 if the clock was not asked.
        unsafe fn add_timer(&self, node: Armed, moment: Moment, seen: Moment) -> Result;
        /// Returns when no timer of this slot is left or under way.
        unsafe fn remove_timer(&self, node: Armed);
        /// Fires the slot when the descriptor is ready.
        unsafe fn add_descriptor(&self, node: Armed, watch: Watch<'_>) -> Result;
        /// Returns when no watch of this slot is left or under way.
        unsafe fn remove_descriptor(&self, node: Armed, watch: Watch<'_>);
    }

    /// A node with what is due, opaque outside this crate.
    #[derive(Clone, Copy, Debug)]
    pub struct Armed {
        pub(crate) node: Node,
        pub(crate) due: Due,
    }
}

impl<T: Stage + ?Sized> Stage for &T {
    fn now(&self) -> Moment {
        (**self).now()
    }
}

impl<T: Stage + ?Sized> Stage for std::sync::Arc<T> {
    fn now(&self) -> Moment {
        (**self).now()
    }
}

macro_rules! pass_on {
    ($($handle:ty),*) => {$(
        impl<T: Stage + ?Sized> sealed::Sealed for $handle {
            unsafe fn add_timer(&self, node: sealed::Armed, moment: Moment, seen: Moment) -> Result {
                // SAFETY: the caller's promise.
                unsafe { (**self).add_timer(node, moment, seen) }
            }

            unsafe fn remove_timer(&self, node: sealed::Armed) {
                // SAFETY: the caller's promise.
                unsafe { (**self).remove_timer(node) }
            }

            unsafe fn add_descriptor(&self, node: sealed::Armed, watch: Watch<'_>) -> Result {
                // SAFETY: the caller's promise.
                unsafe { (**self).add_descriptor(node, watch) }
            }

            unsafe fn remove_descriptor(&self, node: sealed::Armed, watch: Watch<'_>) {
                // SAFETY: the caller's promise.
                unsafe { (**self).remove_descriptor(node, watch) }
            }
        }
    )*};
}
pass_on!(&T, std::sync::Arc<T>);

/// One look at a wait: the stage's clock is asked once, so that the parts of the wait agree on what time it is.
pub(crate) struct Glance<'a> {
    pub(crate) stage: &'a dyn Stage,
    now: Cell<Option<Moment>>,
}

impl Glance<'_> {
    pub(crate) fn new(stage: &dyn Stage) -> Glance<'_> {
        Glance { stage, now: Cell::new(None) }
    }

    /// The moment of the look.
    pub(crate) fn now(&self) -> Moment {
        let now = self.now.get().unwrap_or_else(|| self.stage.now());
        self.now.set(Some(now));
        now
    }

    /// The moment of the look, 0 if the clock was not asked.
    pub(crate) fn seen(&self) -> Moment {
        self.now.get().unwrap_or(0)
    }
}

/// A stage for waits on in-process sources alone: its clock stands still at 0, and waits that need a clock or a
/// descriptor fail with FAILED_PRECONDITION.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoStage;

impl Stage for NoStage {
    fn now(&self) -> Moment {
        0
    }
}

impl sealed::Sealed for NoStage {
    unsafe fn add_timer(&self, _: sealed::Armed, _: Moment, _: Moment) -> Result {
        Err(Error::new(Code::FailedPrecondition, "waiting for a moment needs a stage with a clock"))
    }

    unsafe fn remove_timer(&self, _: sealed::Armed) {}

    unsafe fn add_descriptor(&self, _: sealed::Armed, _: Watch<'_>) -> Result {
        Err(Error::new(Code::FailedPrecondition, "waiting for a descriptor needs a wait set"))
    }

    unsafe fn remove_descriptor(&self, _: sealed::Armed, _: Watch<'_>) {}
}
