//! Sources that need nobody: ready at once, or when a moment has come.
//!
//! Not here: the clock and the timers (a [`Stage`]); a frame's own deadline (`frame.rs`).
//!
//! # Invariants
//! - I1: a moment fires when the stage's clock has reached it, never before; [`NEVER`] is never reached.
//!   [tests: moments_are_never_early, never_never_comes, a_delay_counts_from_the_begin_of_its_wait]
//! - I2: sums saturate, so an absurd delay means "never" and not "long ago". [tests: sums_saturate]

use crate::condition::Condition;
use crate::source::{Readiness, Route, WaitSource};
use crate::stage::{Moment, NEVER, Stage};
use crate::waker::SourceWaker;
use std::time::Duration;

/// A source that is ready. Thread-safe.
#[derive(Clone, Copy, Debug, Default)]
pub struct Immediate;

impl WaitSource for Immediate {
    fn arm(&self, waker: SourceWaker) {
        waker.wake();
    }

    fn query(&self) -> Readiness {
        Readiness::Ready
    }

    fn as_any(&self) -> Option<&dyn std::any::Any> {
        Some(self)
    }
}

/// A source that is ready from a moment of the stage's clock on. Thread-safe.
///
/// It needs a stage with a clock: under [`NoStage`](crate::NoStage) the wait fails with FAILED_PRECONDITION.
#[derive(Clone, Copy, Debug)]
pub struct Until(pub Moment);

impl WaitSource for Until {
    /// A moment has no wakers: whoever passes its `arm` on must pass on its `route` too, or fails here.
    fn arm(&self, waker: SourceWaker) {
        waker.fail(raddle_status::Code::Unimplemented);
    }

    fn route(&self) -> Route<'_> {
        Route::Moment(self.0)
    }

    fn as_any(&self) -> Option<&dyn std::any::Any> {
        Some(self)
    }
}

/// The moment that comes `delay` after `now`; [`NEVER`] when no clock can hold it.
pub fn after(now: Moment, delay: Duration) -> Moment {
    now.saturating_add(u64::try_from(delay.as_nanos()).unwrap_or(NEVER))
}

/// A source that is ready `duration` from now on `stage`'s clock.
///
/// The delay counts from this call and not from the wait, so a wait that is begun again, or two waits on the
/// same delay, end at the same moment.
pub fn delay(stage: &(impl Stage + ?Sized), duration: Duration) -> Until {
    Until(after(stage.now(), duration))
}

/// A source that is ready when so much time has passed since the wait began, never before. Thread-safe.
///
/// So it may be part of a condition that is waited for many times, as in a graph. A wait whose commit was lost goes on and
/// does not begin its delay again. It needs a stage with a clock, as [`Until`] does.
#[derive(Clone, Copy, Debug)]
pub struct Elapsed(pub Duration);

impl WaitSource for Elapsed {
    /// As for [`Until`].
    fn arm(&self, waker: SourceWaker) {
        waker.fail(raddle_status::Code::Unimplemented);
    }

    fn route(&self) -> Route<'_> {
        Route::Delay(self.0)
    }

    fn as_any(&self) -> Option<&dyn std::any::Any> {
        Some(self)
    }
}

/// A moment, or a delay, in a condition: a source that takes no memory of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time {
    /// On the stage's clock, or since the wait began. Unit: ns.
    pub(crate) nanos: u64,
    pub(crate) is_delay: bool,
}

impl Time {
    pub(crate) fn at(moment: Moment) -> Time {
        Time { nanos: moment, is_delay: false }
    }

    /// A delay that no clock can hold never ends (I2).
    pub(crate) fn after(duration: Duration) -> Time {
        Time { nanos: after(0, duration), is_delay: true }
    }
}

impl WaitSource for Time {
    fn arm(&self, waker: SourceWaker) {
        waker.fail(raddle_status::Code::Unimplemented);
    }

    fn route(&self) -> Route<'_> {
        match self.is_delay {
            true => Route::Delay(Duration::from_nanos(self.nanos)),
            false => Route::Moment(self.nanos),
        }
    }
}

/// `condition`, or the end of `duration` if that comes first: a wait for any, whose index is 0 when the condition held and 1
/// when the time was up. The time counts from the begin of the wait. It may stand inside other conditions.
///
/// For a wait that fails with DEADLINE_EXCEEDED as a whole, give the frame a deadline instead.
pub fn timeout<S>(condition: impl Into<Condition<S>>, duration: Duration) -> Condition<S> {
    Condition::Any(vec![condition.into(), Condition::After(duration)])
}

/// The same until a moment of the stage's clock.
pub fn timeout_at<S>(condition: impl Into<Condition<S>>, moment: Moment) -> Condition<S> {
    Condition::Any(vec![condition.into(), Condition::At(moment)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_saturate() {
        assert_eq!(after(5, Duration::from_nanos(7)), 12);
        for delay in [Duration::MAX, Duration::from_nanos(u64::MAX), Duration::from_secs(1 << 40)] {
            assert_eq!(after(1, delay), NEVER);
        }
    }
}
