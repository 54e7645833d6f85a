//! The low level: a call that the host itself begins, looks into, waits for, resumes and ends.
//!
//! Not here: invocations, which do all of that (`invocation.rs`).
//!
//! ```text
//!  begin ──┬─► Finished ──────────────────────────────────────────────► end
//!          ├─► Busy ──────────────────────────────────────────────────► end
//!          ├─► Yielded ───── resume ──► (as after begin)
//!          └─► Waiting ─┬─── resume with a result of the host's ──► (as after begin)
//!                       └─── wait_invoke_async ──► Armed ── callback ──► Woken ── resume ──► (as after begin)
//! ```
//! # Invariants
//! - S1: a call is in the state, or in the wait that the state is armed with, or with the thread that resumes it.
//!   (by construction: `Phase` owns it)
#![allow(unsafe_code)]

use crate::boundary::{Out, UserData, array, fallible, foreign, infallible, invalid, places, put_if};
use crate::frame::Frame;
use crate::function::{Function, Target};
use crate::handle::{Handle, Held, Kind, kind};
use crate::options::{self, Options};
use crate::status::Status;
use crate::value::{Value, all_arguments, check_room};
use raddle::vm::{Finished, Outcome, Slice, Suspended, Wait, WaitOutcome};
use raddle::{Code, DetachedWait, Error, Moment, Result, WaitFrame};
use raddle_sync::Mutex;
use raddle_sync::counter::{AtomicU64, Relaxed};
use std::ffi::c_void;

/// A call that the host drives. Thread-safe; one thread at a time gets on with it.
pub struct State(Handle<Drive>);

pub struct Drive {
    session: raddle::Session,
    phase: Mutex<Phase>,
    /// How often it was armed.
    arms: AtomicU64,
}

kind!(State: Drive, "raddle_state_t", b"CALL");

enum Phase {
    /// A thread has the call.
    Taken,
    Waiting(Suspended, Wait),
    Armed(Arming),
    Woken(Suspended, WaitOutcome),
    /// Yielded, or out of its slice.
    Stopped(Suspended),
    Finished(Finished),
    Ended,
}

/// A wait that was handed to the runtime. It is on its way there until `wait` is known.
struct Arming {
    number: u64,
    wait: Option<DetachedWait>,
    is_cancelled: bool,
}

impl Phase {
    fn name(&self) -> &'static str {
        match self {
            Phase::Taken => "resumed by another thread",
            Phase::Waiting(..) => "waiting, and was not armed",
            Phase::Armed(_) => "armed",
            Phase::Woken(..) => "woken",
            Phase::Stopped(_) => "stopped between two slices",
            Phase::Finished(_) => "finished",
            Phase::Ended => "ended",
        }
    }

    #[cold]
    fn refuse(&self, what: &str) -> Error {
        Error::new(Code::FailedPrecondition, format!("{what}: the call is {}", self.name()))
    }
}

/// What a call came to.
#[repr(u32)]
pub enum CallOutcome {
    /// It returned: `raddle_state_results`.
    Finished = 0,
    /// It waits: `raddle_state_wait_frame`, `raddle_wait_invoke_async`.
    Waiting = 1,
    /// It gave up its turn: resume it when others have had theirs.
    Yielded = 2,
    /// It used up its slice of about a millisecond: resume it.
    OutOfBudget = 3,
    /// Another invocation has the turn of the stateful session: end this one, and begin another later.
    Busy = 4,
    /// It failed; the status says how.
    Failed = 5,
}

impl Drive {
    /// Keeps a wait that was handed over, if it is still the one that the call waits for.
    fn armed(&self, number: u64, detached: DetachedWait) {
        let mut phase = self.phase.lock();
        let Phase::Armed(arming) = &mut *phase else { return };
        if arming.number == number {
            if arming.is_cancelled {
                detached.cancel();
            }
            arming.wait = Some(detached);
        }
    }

    /// Keeps what the call came to.
    fn follow(&self, outcome: Outcome) -> (CallOutcome, Result) {
        let (phase, outcome) = match outcome {
            Outcome::Finished(finished) => (Phase::Finished(finished), CallOutcome::Finished),
            Outcome::Waiting(call, wait) => (Phase::Waiting(call, wait), CallOutcome::Waiting),
            Outcome::Yielded(call) => (Phase::Stopped(call), CallOutcome::Yielded),
            Outcome::OutOfBudget(call) => (Phase::Stopped(call), CallOutcome::OutOfBudget),
            Outcome::Busy(_) => (Phase::Ended, CallOutcome::Busy),
            Outcome::Failed(_, error) => {
                *self.phase.lock() = Phase::Ended;
                return (CallOutcome::Failed, Err(error));
            }
        };
        *self.phase.lock() = phase;
        (outcome, Ok(()))
    }
}

/// Calls the function on this thread for one slice of about a millisecond. `out_state` gets the call, `out_outcome` (a
/// `raddle_outcome_t`) what it came to. A function that fails gives its status, and no state.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_begin(
    function: Option<&Function>,
    arguments: *const Value,
    argument_count: usize,
    out_state: *mut *mut State,
    out_outcome: *mut u32,
) -> *mut Status {
    fallible(|| {
        put_if(out_outcome, CallOutcome::Failed as u32);
        let out = Out::handle(out_state, "out_state")?;
        let Target { function, session, .. } = Function::get(function, "function")?;
        let arguments = array(arguments, argument_count, "arguments")?;
        let outcome = function.begin(all_arguments(arguments)?)?;
        let drive =
            Drive { session: session.clone(), phase: Mutex::new(Phase::Taken), arms: AtomicU64::new(0) };
        let (outcome, result) = drive.follow(outcome);
        put_if(out_outcome, outcome as u32);
        result?;
        out.put(State::create(drive));
        Ok(())
    })
}

/// What a call waits for.
///
/// FAILED_PRECONDITION: it does not wait, or was armed.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_state_wait_frame(state: Option<&State>, out_frame: *mut *mut Frame) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_frame, "out_frame")?;
        match &*State::get(state, "state")?.phase.lock() {
            Phase::Waiting(_, wait) => out.put(Frame::of(wait)),
            other => return Err(other.refuse("there is no wait frame")),
        }
        Ok(())
    })
}

/// Called once, when the wait of a call has ended: on a worker, or in the host's turn. `status` (borrowed) is null, or how the
/// wait failed: a source's failure, CANCELLED, DEADLINE_EXCEEDED. `index` says which source of a wait for any was first. The
/// callback, or whoever it tells, resumes the call; `state` is borrowed.
pub type WaitCallback = Option<
    unsafe extern "C-unwind" fn(
        user_data: *mut c_void,
        state: *const State,
        status: *const Status,
        index: usize,
    ),
>;

/// Waits for what the call waits for, without a thread, at most until `deadline` (`RADDLE_NEVER` for no other than the
/// frame's own), and calls `callback` then. `frame` is the call's, or null. The state is kept until then.
///
/// Blocks never. On failure `callback` is not called: FAILED_PRECONDITION: the call does not wait, or is armed, or the runtime is
/// shutting down, which ends the call. INVALID_ARGUMENT: the frame of another wait.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_wait_invoke_async(
    state: Option<&State>,
    frame: Option<&Frame>,
    deadline: Moment,
    callback: WaitCallback,
    user_data: *mut c_void,
) -> *mut Status {
    fallible(|| {
        let drive = State::get(state, "state")?;
        let callback = callback.ok_or_else(|| invalid("`callback` is null"))?;
        let given = frame.map(|frame| Frame::get(Some(frame), "frame")).transpose()?;
        let Some(state) = state else { return Ok(()) };
        let (held, data) = (Held::new(state), UserData(user_data));
        let mut phase = drive.phase.lock();
        if !matches!(&*phase, Phase::Waiting(..)) {
            return Err(phase.refuse("it can't be waited for"));
        }
        let number = drive.arms.fetch_add(1, Relaxed);
        let arming = Phase::Armed(Arming { number, wait: None, is_cancelled: false });
        let Phase::Waiting(call, wait) = std::mem::replace(&mut *phase, arming) else {
            unreachable!("it was looked at with the lock held")
        };
        if given.is_some_and(|given| !is_same(&given.wait, &wait)) {
            *phase = Phase::Waiting(call, wait);
            return Err(invalid("`frame` belongs to another wait"));
        }
        drop(phase);
        let wake = move |call: Suspended, outcome: WaitOutcome| {
            let (held, data) = (held, data);
            *held.content().phase.lock() = Phase::Woken(call, outcome.clone());
            tell(callback, data, &held, outcome);
        };
        match drive.session.wait_invoke_async(WaitFrame { call, wait }, deadline, wake) {
            Ok(detached) => {
                drive.armed(number, detached);
                Ok(())
            }
            Err(error) => {
                *drive.phase.lock() = Phase::Ended;
                Err(error)
            }
        }
    })
}

/// Whether two copies of a wait are of the same one.
fn is_same(a: &Wait, b: &Wait) -> bool {
    use raddle::wait::Condition;
    fn same(a: &Condition, b: &Condition) -> bool {
        match (a, b) {
            (Condition::Until(a), Condition::Until(b)) => std::sync::Arc::ptr_eq(a, b),
            (Condition::At(a), Condition::At(b)) => a == b,
            (Condition::After(a), Condition::After(b)) => a == b,
            (Condition::Any(a), Condition::Any(b)) | (Condition::All(a), Condition::All(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
            }
            _ => false,
        }
    }
    a.deadline_ns == b.deadline_ns && same(&a.condition, &b.condition)
}

fn tell(
    callback: unsafe extern "C-unwind" fn(*mut c_void, *const State, *const Status, usize),
    data: UserData,
    held: &Held<State>,
    outcome: WaitOutcome,
) {
    let (status, index) = match outcome.into_result() {
        Ok(index) => (std::ptr::null_mut(), index),
        Err(error) => (Status::new(error), 0),
    };
    // SAFETY: B1.
    foreign("a wait callback", || unsafe { callback(data.0, held.as_mut(), status, index) });
    // SAFETY: it is ours, and alive until here.
    Status::release(unsafe { status.as_ref() }, "a wait callback");
}

/// Ends the wait of an armed call as cancelled, which its callback is told; false if it has ended, or was not armed. Blocks
/// never.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_wait_cancel(state: Option<&State>) -> bool {
    infallible("raddle_wait_cancel", || match &mut *State::demand(state, "raddle_wait_cancel").phase.lock() {
        Phase::Armed(Arming { wait: Some(detached), .. }) => detached.cancel(),
        Phase::Armed(arming) => !std::mem::replace(&mut arming.is_cancelled, true),
        _ => false,
    })
}

/// How a wait ended, for a host that has waited by itself.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct WaitResult {
    /// `sizeof(raddle_wait_result_t)`.
    pub struct_size: usize,
    /// Which source of a wait for any was first.
    pub index: usize,
    /// Null, or how the wait failed; borrowed.
    pub status: *const Status,
}

// SAFETY: O1.
unsafe impl Options for WaitResult {
    const NAME: &'static str = "raddle_wait_result_t";
}

fn outcome_of(result: &WaitResult) -> Result<WaitOutcome> {
    // SAFETY: B1.
    let error = Status::error(unsafe { result.status.as_ref() })?;
    Ok(match error {
        None => WaitOutcome::Ready { index: result.index },
        Some(error) if error.is_cancelled() => WaitOutcome::Cancelled,
        Some(error) if error.is_deadline_exceeded() => WaitOutcome::TimedOut,
        Some(error) => WaitOutcome::Failed(error),
    })
}

/// Goes on with a call for one slice, on this thread: after its callback, after a yield, or, with `result`, after a wait of the
/// host's own (null otherwise). `out_outcome` (a `raddle_outcome_t`) gets what it came to. A function that fails gives its
/// status, and its state has ended.
///
/// FAILED_PRECONDITION: the call is armed, or waits and there is no result, or has ended, or another thread resumes it.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_resume(
    state: Option<&State>,
    result: *const WaitResult,
    out_outcome: *mut u32,
) -> *mut Status {
    fallible(|| {
        put_if(out_outcome, CallOutcome::Failed as u32);
        let drive = State::get(state, "state")?;
        let given = if result.is_null() { None } else { Some(outcome_of(&options::read(result)?)?) };
        let mut phase = drive.phase.lock();
        let (call, outcome) = match (std::mem::replace(&mut *phase, Phase::Taken), given) {
            (Phase::Woken(call, outcome), None) => (call, outcome),
            (Phase::Stopped(call), None) => (call, WaitOutcome::Ready { index: 0 }),
            (Phase::Waiting(call, _) | Phase::Woken(call, _), Some(outcome)) => (call, outcome),
            (other, _) => {
                let error = other.refuse("it can't be resumed");
                *phase = other;
                return Err(error);
            }
        };
        drop(phase);
        let (outcome, result) = drive.follow(call.resume(outcome, &Slice::default()));
        put_if(out_outcome, outcome as u32);
        result
    })
}

/// The results of a call that has finished; references are the caller's to release.
///
/// FAILED_PRECONDITION: it has not finished. INVALID_ARGUMENT: too little room.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_state_results(
    state: Option<&State>,
    results: *mut Value,
    result_capacity: usize,
    out_result_count: *mut usize,
) -> *mut Status {
    fallible(|| {
        put_if(out_result_count, 0);
        let places = places(results, result_capacity, "results")?;
        match &*State::get(state, "state")?.phase.lock() {
            Phase::Finished(finished) => {
                check_room(finished.result_count(), places.len())?;
                for (place, value) in places.iter_mut().zip(finished.results()) {
                    *place = Value::of_rust(value);
                }
                put_if(out_result_count, finished.result_count());
                Ok(())
            }
            other => Err(other.refuse("there are no results")),
        }
    })
}

/// Ends a call, wherever it is: what it holds is released. The state itself is released by `raddle_state_release`, which ends it
/// too.
///
/// FAILED_PRECONDITION: it is armed (`raddle_wait_cancel` first, and wait for the callback), or another thread resumes it.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_end(state: Option<&State>) -> *mut Status {
    fallible(|| {
        let mut phase = State::get(state, "state")?.phase.lock();
        if let Phase::Armed(_) | Phase::Taken = &*phase {
            return Err(phase.refuse("it can't be ended"));
        }
        let old = std::mem::replace(&mut *phase, Phase::Ended);
        drop(phase);
        drop(old);
        Ok(())
    })
}

/// One holder more. Null is nothing.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_state_retain(state: Option<&State>) {
    State::retain(state, "raddle_state_retain");
}

/// One holder less. Null is nothing. An armed call is kept until its callback has returned.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_state_release(state: Option<&State>) {
    State::release(state, "raddle_state_release");
}
