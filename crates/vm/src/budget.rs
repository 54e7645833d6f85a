//! How long one call of `begin` or `resume` may run.
//!
//! Not here: who counts (the engines, at back edges and calls) and who asks for a stop (the host).

use crate::tuning::SLICE_STEPS_DEFAULT;
use raddle_sync::atomic::{AtomicBool, Ordering};

/// What a host grants a running invocation.
#[derive(Clone, Copy, Debug)]
pub struct Slice<'a> {
    /// Back edges, calls, and 16 bytes of bulk work each cost one step. A step takes at most about 10 ns.
    pub steps: u64,
    /// The time on the host's clock, in nanoseconds: compared with the invocation's deadline at the start of the slice.
    pub now_ns: u64,
    /// When this is there and becomes true, the invocation fails with `CANCELLED` at its next back edge or call, within 0.1 ms.
    pub stop: Option<&'a AtomicBool>,
}

impl Default for Slice<'_> {
    /// About a millisecond, at time 0, without a stop flag.
    fn default() -> Self {
        Slice { steps: SLICE_STEPS_DEFAULT, now_ns: 0, stop: None }
    }
}

impl Slice<'_> {
    /// A slice of this many steps, at time 0, without a stop flag.
    pub fn steps(steps: u64) -> Self {
        Slice { steps, ..Slice::default() }
    }

    /// Whether the host asks for a stop. Relaxed: nothing else is read because of it.
    #[inline(always)]
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }
}
