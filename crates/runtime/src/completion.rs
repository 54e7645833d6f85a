//! How an invocation ended, and who is told.
//!
//! Not here: running it (`call.rs`), its handle (`invocation.rs`).
//!
//! # Invariants
//! - C1: the result is written once, before anybody is told, and taken once. (by construction: `publish`, `take`)
//! - C2: whoever leaves a waker or a callback before the end is called after it; later it is told at once.
//!   (by construction: both are under the lock of the result)
//! - C3: nobody is called with the lock held.

use crate::values::Outputs;
use raddle_status::{Code, Error, Result};
use raddle_sync::Mutex;
use std::task::Waker;

pub(crate) type Callback = Box<dyn FnOnce(Result<Outputs>) + Send>;

/// See the head of this file.
#[derive(Default)]
pub(crate) struct Completion(Mutex<State>);

#[derive(Default)]
struct State {
    has_ended: bool,
    result: Option<Result<Outputs>>,
    waker: Option<Waker>,
    callback: Option<Callback>,
}

impl Completion {
    /// Keeps the result (C1).
    pub(crate) fn publish(&self, result: Result<Outputs>) {
        let mut state = self.0.lock();
        debug_assert!(!state.has_ended, "an invocation ends once");
        state.has_ended = true;
        state.result = Some(result);
    }

    /// Tells the waker and the callback.
    pub(crate) fn tell(&self) {
        let mut state = self.0.lock();
        let (waker, callback) = (state.waker.take(), state.callback.take());
        let result = callback.is_some().then(|| state.result.take()).flatten();
        drop(state);
        if let (Some(callback), Some(result)) = (callback, result) {
            callback(result);
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The result, once; `None` while the invocation runs.
    pub(crate) fn take(&self) -> Option<Result<Outputs>> {
        let mut state = self.0.lock();
        state.has_ended.then(|| state.result.take().unwrap_or_else(|| Err(taken())))
    }

    /// The result, or this waker is called when it is there (C2).
    pub(crate) fn take_or_wake(&self, waker: &Waker) -> Option<Result<Outputs>> {
        let mut state = self.0.lock();
        if state.has_ended {
            return Some(state.result.take().unwrap_or_else(|| Err(taken())));
        }
        if state.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            return None;
        }
        drop(state);
        // Cloned and dropped without the lock: a waker is foreign code.
        let fresh = waker.clone();
        let mut state = self.0.lock();
        if state.has_ended {
            return Some(state.result.take().unwrap_or_else(|| Err(taken())));
        }
        let old = state.waker.replace(fresh);
        drop(state);
        drop(old);
        None
    }

    /// Leaves a callback; gives it back with the result if the invocation has ended (C2).
    pub(crate) fn call_back(&self, callback: Callback) -> Option<(Callback, Result<Outputs>)> {
        let mut state = self.0.lock();
        if state.has_ended {
            return Some((callback, state.result.take().unwrap_or_else(|| Err(taken()))));
        }
        state.callback = Some(callback);
        None
    }

    /// Makes it ready for another invocation.
    pub(crate) fn reset(&mut self) {
        *self.0.get_mut() = State::default();
    }
}

#[cold]
fn taken() -> Error {
    Error::new(Code::FailedPrecondition, "the result of this invocation was taken before")
}
