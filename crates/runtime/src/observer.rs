//! Who watches the invocations of a runtime: for dumps, a record of what each waits on; for traces, a record of steps.
//!
//! A runtime without an observer pays one branch for each of these.
//!
//! Not here: the trace (`trace.rs`), dumps (the executor's).

use crate::completion::Completion;
use crate::trace::Trace;
use raddle_task::Step;
use raddle_wait::Condition;
use std::sync::Arc;

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Observer {
    pub(crate) notes_waits: bool,
    pub(crate) trace: Option<Arc<Trace>>,
}

impl Observer {
    /// A call is about to wait.
    pub(crate) fn waits(&self, call: &Completion, condition: &Condition) {
        if self.notes_waits {
            call.waits_on(condition);
        }
    }

    /// Runs a step of a call.
    pub(crate) fn step(&self, call: &Completion, step: impl FnOnce() -> Step) -> Step {
        match &self.trace {
            None => step(),
            Some(trace) => trace.step(track(call), call.name(), step),
        }
    }

    /// The wait of a call has ended, by the doing of this thread.
    pub(crate) fn woken(&self, call: &Completion) {
        if let Some(trace) = &self.trace {
            trace.woken(track(call), call.name());
        }
    }
}

/// What names a call in a trace: its place, which no other call has at the same time.
fn track(call: &Completion) -> usize {
    std::ptr::from_ref(call).addr()
}
