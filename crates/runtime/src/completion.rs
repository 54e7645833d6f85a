//! How an invocation ended, and who is told.
//!
//! Not here: running it (`call.rs`), its handle (`invocation.rs`).
//!
//! # State
//! ```text
//!  running ── publish ──► ended, result kept ──┬─ tell ──► callback called, waker woken
//!     ▲                                        └─ take ──► ended, result taken
//!     └──────────── reset (nobody holds it) ◄──────────────────┘
//! ```
//!
//! # Invariants
//! - C1: the result is written once, before anybody is told, and taken once. (by construction: `publish`, `take`)
//! - C2: whoever leaves a waker or a callback before the end is called after it; later it is told at once: both are under
//!   the lock of the result. [mutants: completion.late, completion.again]
//! - C3: nobody is called with the lock held. [mutants: completion.locked]
//!
//! Models: `tests/loom_completion.rs`.

use crate::observer::Observer;
use crate::values::Outputs;
use raddle_status::{Code, Error, Result};
use raddle_sync::{Mutex, mutant};
use raddle_wait::Condition;
use std::sync::Arc;
use std::task::Waker;

pub(crate) type Callback = Box<dyn FnOnce(Result<Outputs>) + Send>;

/// How an invocation ended; if it was stopped, by a cancellation or its deadline, where that was.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Ending {
    /// It returned.
    Finished,
    /// It failed by itself: a trap, a source or a native function that failed, wrong arguments, a panic.
    Failed,
    /// It was stopped before its first instruction.
    NotStarted,
    /// It was stopped in a wait.
    WhileWaiting,
    /// It was stopped at a back edge or a call, or where it had yielded.
    WhileRunning,
}

impl Ending {
    /// Whether somebody or its deadline stopped it.
    pub fn is_stopped(self) -> bool {
        matches!(self, Ending::NotStarted | Ending::WhileWaiting | Ending::WhileRunning)
    }
}

/// See the head of this file.
pub(crate) struct Completion {
    state: Mutex<State>,
    name: Arc<str>,
    pub(crate) observer: Option<Arc<Observer>>,
}

#[derive(Default)]
struct State {
    ending: Option<Ending>,
    result: Option<Result<Outputs>>,
    waker: Option<Waker>,
    callback: Option<Callback>,
    /// What it waited on last, if an observer wants to know.
    condition: Option<Condition>,
}

impl Completion {
    pub(crate) fn new(name: Arc<str>, observer: Option<Arc<Observer>>) -> Completion {
        Completion { state: Mutex::default(), name, observer }
    }

    /// The function's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Keeps the result (C1).
    pub(crate) fn publish(&self, ending: Ending, result: Result<Outputs>) {
        let mut state = self.state.lock();
        debug_assert!(state.ending.is_none(), "an invocation ends once");
        state.ending = Some(ending);
        state.result = Some(result);
    }

    /// Tells the waker and the callback.
    pub(crate) fn tell(&self) {
        let mut state = self.state.lock();
        let (waker, callback) = (state.waker.take(), state.callback.take());
        let result = callback.is_some().then(|| state.result.take()).flatten();
        let _held = mutant!("completion.locked").then_some(state);
        // The waker first: it belongs to somebody else than a callback that panics.
        if let Some(waker) = waker {
            waker.wake();
        }
        if let (Some(callback), Some(result)) = (callback, result) {
            callback(result);
        }
    }

    /// How it ended; `None` while it runs.
    pub(crate) fn ending(&self) -> Option<Ending> {
        self.state.lock().ending
    }

    /// The result, once; `None` while the invocation runs.
    pub(crate) fn take(&self) -> Option<Result<Outputs>> {
        self.state.lock().take()
    }

    /// The result, or this waker is called when it is there (C2).
    pub(crate) fn take_or_wake(&self, waker: &Waker) -> Option<Result<Outputs>> {
        let mut state = self.state.lock();
        if let Some(result) = state.take() {
            return Some(result);
        }
        if state.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            return None;
        }
        drop(state);
        // Cloned and dropped without the lock: a waker is foreign code.
        let fresh = waker.clone();
        let mut state = self.state.lock();
        if let Some(result) = state.take().filter(|_| !mutant!("completion.again")) {
            return Some(result);
        }
        let old = state.waker.replace(fresh);
        drop(state);
        drop(old);
        None
    }

    /// Leaves a callback; gives it back with the result if the invocation has ended (C2).
    pub(crate) fn call_back(&self, callback: Callback) -> Option<(Callback, Result<Outputs>)> {
        let mut state = self.state.lock();
        if let Some(result) = state.take().filter(|_| !mutant!("completion.late")) {
            return Some((callback, result));
        }
        state.callback = Some(callback);
        None
    }

    /// Notes what it is about to wait on.
    #[cold]
    pub(crate) fn waits_on(&self, condition: &Condition) {
        let old = self.state.lock().condition.replace(condition.clone());
        drop(old);
    }

    /// What it waited on last, if that was noted.
    pub(crate) fn condition(&self) -> Option<Condition> {
        self.state.lock().condition.clone()
    }

    /// Makes it ready for another invocation.
    pub(crate) fn reset(&mut self) {
        *self.state.get_mut() = State::default();
    }
}

impl State {
    fn take(&mut self) -> Option<Result<Outputs>> {
        self.ending?;
        Some(self.result.take().unwrap_or_else(|| Err(taken())))
    }
}

#[cold]
fn taken() -> Error {
    Error::new(Code::FailedPrecondition, "the result of this invocation was taken before")
}
