//! What a suspended invocation waits for: conditions over the sources of `raddle-wait`.
//!
//! Not here: waiting. A host that has slots and a stage, or a test that has neither, does that.

pub use raddle_wait::{Condition, NEVER, Outcome as WaitOutcome, SharedSource, WaitSource};

/// A wait: until the condition holds or the deadline passes.
#[derive(Clone, Debug)]
pub struct Wait {
    /// What must become ready.
    pub condition: Condition,
    /// On the host's clock, in nanoseconds; [`NEVER`] for none.
    pub deadline_ns: u64,
}
