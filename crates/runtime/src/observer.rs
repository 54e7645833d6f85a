//! Who watches the invocations of a runtime: for dumps, a record of what each waits on; for traces, a record of steps.
//!
//! A runtime without an observer pays one branch for each of these.
//!
//! Not here: the trace (`trace.rs`), dumps (the executor's).

use crate::completion::Completion;
use crate::trace::Trace;
use raddle_sync::Mutex;
use raddle_task::Step;
use raddle_wait::Condition;
use std::collections::HashMap;
use std::sync::Arc;

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Observer {
    /// What each call waited on last, if somebody wants to know.
    waits: Option<Mutex<HashMap<usize, Condition>>>,
    pub(crate) trace: Option<Arc<Trace>>,
}

impl Observer {
    /// One that notes what calls wait on, writes their trace, or both; `None` for neither.
    pub(crate) fn of(notes_waits: bool, trace: Option<Arc<Trace>>) -> Option<Observer> {
        (notes_waits || trace.is_some())
            .then(|| Observer { waits: notes_waits.then(|| Mutex::new(HashMap::new())), trace })
    }

    /// A call is about to wait.
    pub(crate) fn waits(&self, call: &Completion, condition: &Condition) {
        if let Some(waits) = &self.waits {
            // Dropped with the lock released: sources are foreign code.
            let old = waits.lock().insert(track(call), condition.clone());
            drop(old);
        }
    }

    /// A call has ended.
    pub(crate) fn ended(&self, call: &Completion) {
        if let Some(waits) = &self.waits {
            let old = waits.lock().remove(&track(call));
            drop(old);
        }
    }

    /// What a call waited on last, if that was noted.
    pub(crate) fn condition(&self, call: &Completion) -> Option<Condition> {
        self.waits.as_ref()?.lock().get(&track(call)).cloned()
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

/// What names a call: its place, which no other call has at the same time.
fn track(call: &Completion) -> usize {
    std::ptr::from_ref(call).addr()
}
