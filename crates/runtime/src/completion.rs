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
//! The results of a function that has returned stay in the VM's block until somebody takes them; the block stays here until
//! the invocation is used again.
//!
//! # Invariants
//! - C1: the result is written once, before anybody is told, and taken once. (by construction: `publish`, `take`)
//! - C2: whoever leaves a waker or a callback before the end is called after it; later it is told at once: both are under
//!   the lock of the result. [mutants: completion.late, completion.again]
//! - C3: nobody is called with the lock held. [mutants: completion.locked]
//!
//! Models: `tests/loom_completion.rs`.

use crate::function::Inner;
use crate::observer::Observer;
use crate::values::Outputs;
use raddle_status::{Code, Error, Result};
use raddle_sync::{Mutex, mutant};
use raddle_vm::Finished;
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
pub(crate) struct Completion<R = Finished> {
    state: Mutex<State<R>>,
    /// Whose call it is; not while it lies in the function's pool.
    pub(crate) function: Option<Arc<Inner>>,
}

struct State<R> {
    ending: Option<Ending>,
    result: Kept<R>,
    waker: Option<Waker>,
    callback: Option<Callback>,
    /// What it waited on last, if an observer wants to know.
    condition: Option<Box<Condition>>,
}

/// What a function leaves that has returned.
pub(crate) trait Results {
    /// The results; called once. Calls no foreign code.
    fn take(&mut self) -> Outputs;
}

impl Results for Finished {
    fn take(&mut self) -> Outputs {
        Outputs::new(self.take_results())
    }
}

/// The result, and what is left of it.
enum Kept<R> {
    Nothing,
    Results(R),
    /// The results were taken.
    Emptied(R),
    Failure(Error),
}

/// An invocation that waits is little more than this and the VM's block.
const _: () = assert!(size_of::<Completion>() <= 88 || !raddle_sync::IS_NATIVE);

impl<R: Results> Completion<R> {
    pub(crate) fn new(function: Option<Arc<Inner>>) -> Completion<R> {
        Completion { state: Mutex::new(State::new()), function }
    }

    /// The function's name.
    pub(crate) fn name(&self) -> &str {
        self.function.as_ref().map_or("", |function| &function.name)
    }

    /// Who watches the calls of the function.
    pub(crate) fn observer(&self) -> Option<&Observer> {
        self.function.as_ref()?.observer.as_deref()
    }

    /// Keeps the result (C1).
    pub(crate) fn publish(&self, ending: Ending, result: Result<R>) {
        let mut state = self.state.lock();
        debug_assert!(state.ending.is_none(), "an invocation ends once");
        state.ending = Some(ending);
        state.result = match result {
            Ok(finished) => Kept::Results(finished),
            Err(error) => Kept::Failure(error),
        };
    }

    /// Tells the waker and the callback.
    pub(crate) fn tell(&self) {
        let mut state = self.state.lock();
        let (waker, callback) = (state.waker.take(), state.callback.take());
        let result = callback.is_some().then(|| state.take()).flatten();
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
        let old = self.state.lock().condition.replace(Box::new(condition.clone()));
        drop(old);
    }

    /// What it waited on last, if that was noted.
    pub(crate) fn condition(&self) -> Option<Condition> {
        self.state.lock().condition.as_deref().cloned()
    }

    /// Makes it ready for another invocation; gives back what the results were taken from.
    pub(crate) fn reset(&mut self) -> Option<R> {
        match std::mem::replace(self.state.get_mut(), State::new()).result {
            Kept::Results(emptied) | Kept::Emptied(emptied) => Some(emptied),
            Kept::Nothing | Kept::Failure(_) => None,
        }
    }
}

impl<R: Results> State<R> {
    fn new() -> State<R> {
        State { ending: None, result: Kept::Nothing, waker: None, callback: None, condition: None }
    }

    fn take(&mut self) -> Option<Result<Outputs>> {
        self.ending?;
        Some(match std::mem::replace(&mut self.result, Kept::Nothing) {
            Kept::Results(mut finished) => {
                let outputs = finished.take();
                self.result = Kept::Emptied(finished);
                Ok(outputs)
            }
            Kept::Failure(error) => Err(error),
            empty => {
                self.result = empty;
                Err(taken())
            }
        })
    }
}

#[cold]
fn taken() -> Error {
    Error::new(Code::FailedPrecondition, "the result of this invocation was taken before")
}
