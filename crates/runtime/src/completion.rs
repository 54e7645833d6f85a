//! How an invocation ended, and who is told.
//!
//! Not here: running it (`call.rs`), its handle (`invocation.rs`).
//!
//! # State
//! ```text
//!  running ──┬─ call back, poll ──► running, somebody is to be told ── end ──► ended; the callback is called, the waker woken
//!     ▲      └─ end ──► ended, result kept ── take ──► ended, result taken
//!     └──────────── reset (nobody holds it) ◄──────────────────┘
//! ```
//! The results of a function that has returned stay in the VM's block until somebody takes them; the block stays here until
//! the invocation is used again.
//!
//! # Invariants
//! - C1: the result is written once, before anybody is told, and taken once. (by construction: `end`, `take`)
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

/// One at a time is to be told: who leaves a callback gives up his future.
enum State<R> {
    Running,
    Polled(Waker),
    Called(Callback),
    Ended(Ending, Kept<R>),
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
    /// The failure was taken.
    Nothing,
    Results(R),
    /// The results were taken.
    Emptied(R),
    Failure(Error),
}

/// An invocation that waits is little more than this and the VM's block.
const _: () = assert!(size_of::<Completion>() <= 40 || !raddle_sync::IS_NATIVE);

impl<R: Results> Completion<R> {
    pub(crate) fn new(function: Option<Arc<Inner>>) -> Completion<R> {
        Completion { state: Mutex::new(State::Running), function }
    }

    /// The function's name.
    pub(crate) fn name(&self) -> &str {
        self.function.as_ref().map_or("", |function| &function.name)
    }

    /// Who watches the calls of the function.
    pub(crate) fn observer(&self) -> Option<&Observer> {
        self.function.as_ref()?.observer.as_deref()
    }

    /// It has ended: keeps the result (C1), and tells who wants to know.
    pub(crate) fn end(&self, ending: Ending, result: Result<R>) {
        let kept = match result {
            Ok(finished) => Kept::Results(finished),
            Err(error) => Kept::Failure(error),
        };
        let mut state = self.state.lock();
        let before = std::mem::replace(&mut *state, State::Ended(ending, kept));
        match before {
            State::Running => {}
            State::Polled(waker) => {
                let _held = mutant!("completion.locked").then_some(state);
                waker.wake();
            }
            State::Called(callback) => {
                let result = state.take().expect("it was just put there");
                let _held = mutant!("completion.locked").then_some(state);
                callback(result);
            }
            State::Ended(..) => unreachable!("an invocation ends once"),
        }
    }

    /// How it ended; `None` while it runs.
    pub(crate) fn ending(&self) -> Option<Ending> {
        match &*self.state.lock() {
            State::Ended(ending, _) => Some(*ending),
            _ => None,
        }
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
        if matches!(&*state, State::Polled(known) if known.will_wake(waker)) {
            return None;
        }
        drop(state);
        // Cloned and dropped without the lock: a waker is foreign code.
        let fresh = waker.clone();
        let mut state = self.state.lock();
        if let Some(result) = state.take().filter(|_| !mutant!("completion.again")) {
            return Some(result);
        }
        let old = state.tell(State::Polled(fresh));
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
        let old = state.tell(State::Called(callback));
        drop(state);
        drop(old);
        None
    }

    /// Makes it ready for another invocation; gives back what the results were taken from.
    pub(crate) fn reset(&mut self) -> Option<R> {
        match std::mem::replace(self.state.get_mut(), State::Running) {
            State::Ended(_, Kept::Results(emptied) | Kept::Emptied(emptied)) => Some(emptied),
            _ => None,
        }
    }
}

impl<R: Results> State<R> {
    /// Has somebody told of the end; gives back who was to be told before.
    fn tell(&mut self, listener: State<R>) -> State<R> {
        match self {
            State::Ended(..) => listener,
            running => std::mem::replace(running, listener),
        }
    }

    fn take(&mut self) -> Option<Result<Outputs>> {
        let State::Ended(_, kept) = self else { return None };
        Some(match std::mem::replace(kept, Kept::Nothing) {
            Kept::Results(mut finished) => {
                let outputs = finished.take();
                *kept = Kept::Emptied(finished);
                Ok(outputs)
            }
            Kept::Failure(error) => Err(error),
            empty => {
                *kept = empty;
                Err(taken())
            }
        })
    }
}

#[cold]
fn taken() -> Error {
    Error::new(Code::FailedPrecondition, "the result of this invocation was taken before")
}
