//! Invocations that are held: started, waited for, cancelled.
//!
//! Not here: calls in one go (`function.rs`).
#![allow(unsafe_code)]

use crate::boundary::{Out, fallible, infallible, places, put_if};
use crate::function::{Function, InvokeCallback, completion};
use crate::handle::{Handle, Kind, kind};
use crate::object::Ref;
use crate::options::Options;
use crate::status::Status;
use crate::value::{Value, check_room, give};
use raddle::{Canceller, Code, Ending, Error, Invocation, Moment, Result};
use raddle_sync::Mutex;
use std::ffi::c_void;

/// One call of a function. Thread-safe. Releasing it before it began takes it back; afterwards it goes on without the handle.
pub struct Pending(Handle<Call>);

pub struct Call {
    /// `None` while somebody waits for it, and when a callback was given.
    invocation: Mutex<Option<Invocation>>,
    canceller: Canceller,
    result_count: usize,
}

kind!(Pending: Call, "raddle_invocation_t", b"INVO");

/// How urgent an invocation is.
#[repr(u32)]
pub enum InvokePriority {
    /// As usual.
    Normal = 0,
    /// After the others, but not never.
    Low = 1,
    /// Before the others.
    High = 2,
}

/// How a function is called. Zero is the default of every field but `struct_size`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct InvokeOptions {
    /// `sizeof(raddle_invoke_options_t)`.
    pub struct_size: usize,
    /// When the invocation fails with DEADLINE_EXCEEDED, running or waiting, on the runtime's clock; 0 for never.
    pub deadline: u64,
    /// A `raddle_priority_t`.
    pub priority: u32,
    /// For functions of the asynchronous interface, in place of their last two arguments, which are then not given: a fence
    /// that is waited for before the function's work begins; null for none.
    pub wait_fence: *const Ref,
    /// As above: a fence that is signalled when the results exist, or fails as the function does; null for one that nobody
    /// else sees. In both cases the invocation ends then.
    pub signal_fence: *const Ref,
}

// SAFETY: O1.
unsafe impl Options for InvokeOptions {
    const NAME: &'static str = "raddle_invoke_options_t";
}

impl Pending {
    /// A handle on an invocation that will have a callback.
    pub(crate) fn called_back(invocation: &Invocation, result_count: usize) -> *mut Pending {
        let canceller = invocation.canceller();
        Pending::create(Call { invocation: Mutex::new(None), canceller, result_count })
    }
}

fn taken() -> Error {
    let text = "the invocation was given a callback, or another thread waits for it";
    Error::new(Code::FailedPrecondition, text)
}

/// A call of the function that has not begun. `options` may be null.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_invocation_create(
    function: Option<&Function>,
    arguments: *const Value,
    argument_count: usize,
    options: *const InvokeOptions,
    out_invocation: *mut *mut Pending,
) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_invocation, "out_invocation")?;
        let target = Function::get(function, "function")?;
        let invocation = target.invocation(arguments, argument_count, options)?;
        let canceller = invocation.canceller();
        let result_count = target.result_count;
        out.put(Pending::create(Call { invocation: Mutex::new(Some(invocation)), canceller, result_count }));
        Ok(())
    })
}

/// Gives the invocation to the workers, or to the host's turn. Does nothing if it has begun. Blocks never.
///
/// FAILED_PRECONDITION: the runtime is shutting down.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_invocation_start(invocation: Option<&Pending>) -> *mut Status {
    fallible(|| Pending::get(invocation, "invocation")?.invocation.lock().as_mut().ok_or_else(taken)?.start())
}

/// Waits for the results, at most until the moment `patience`, after which the invocation can be waited for again. If it has
/// not begun, it runs on this thread until it has to wait. The results are given once. Otherwise as `raddle_invoke`.
///
/// DEADLINE_EXCEEDED: patience is over (or the invocation's own deadline: `raddle_invocation_is_done` tells).
/// FAILED_PRECONDITION: another thread waits for it, or a callback was given, or the results were given before.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_invocation_wait(
    invocation: Option<&Pending>,
    patience: Moment,
    results: *mut Value,
    result_capacity: usize,
    out_result_count: *mut usize,
) -> *mut Status {
    fallible(|| {
        put_if(out_result_count, 0);
        let call = Pending::get(invocation, "invocation")?;
        let results = places(results, result_capacity, "results")?;
        check_room(call.result_count, results.len())?;
        let mut held = call.invocation.lock().take().ok_or_else(taken)?;
        let result = held.wait_until(patience);
        *call.invocation.lock() = Some(held);
        give(&mut result?, results, out_result_count);
        Ok(())
    })
}

/// Has `callback` called when the invocation has ended, and starts it: see `raddle_invoke_async`.
///
/// On failure `callback` is not called. FAILED_PRECONDITION: a callback was given before, or somebody waits for it.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_invocation_on_complete(
    invocation: Option<&Pending>,
    callback: InvokeCallback,
    user_data: *mut c_void,
) -> *mut Status {
    fallible(|| {
        let call = Pending::get(invocation, "invocation")?;
        let callback = completion(callback, user_data)?;
        let held: Result<Invocation> = call.invocation.lock().take().ok_or_else(taken);
        held?.on_complete(callback);
        Ok(())
    })
}

/// Asks the invocation to stop: its wait ends, or its code stops at the next loop or call. Its status is then CANCELLED and
/// says where it was. False: it has ended already. One that is about to end may still finish. Blocks never.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_invocation_cancel(invocation: Option<&Pending>) -> bool {
    infallible("raddle_invocation_cancel", || {
        let call = Pending::demand(invocation, "raddle_invocation_cancel");
        call.canceller.cancel()
    })
}

/// Whether it has ended.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_invocation_is_done(invocation: Option<&Pending>) -> bool {
    infallible("raddle_invocation_is_done", || {
        Pending::demand(invocation, "raddle_invocation_is_done").canceller.ending().is_some()
    })
}

/// How an invocation ended; if it was stopped, by a cancellation or its deadline, where that was.
#[repr(u32)]
pub enum InvocationEnding {
    /// It runs, waits, or has not begun.
    None = 0,
    /// It returned.
    Finished = 1,
    /// It failed by itself.
    Failed = 2,
    /// It was stopped before its first instruction.
    NotStarted = 3,
    /// It was stopped in a wait.
    WhileWaiting = 4,
    /// It was stopped while it ran.
    WhileRunning = 5,
}

/// How it ended, a `raddle_ending_t`: exactly one of the kinds, which stays when the results have been taken.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_invocation_ending(invocation: Option<&Pending>) -> u32 {
    let ending = infallible("raddle_invocation_ending", || {
        let call = Pending::demand(invocation, "raddle_invocation_ending");
        match call.canceller.ending() {
            None => InvocationEnding::None,
            Some(Ending::Finished) => InvocationEnding::Finished,
            Some(Ending::Failed) => InvocationEnding::Failed,
            Some(Ending::NotStarted) => InvocationEnding::NotStarted,
            Some(Ending::WhileWaiting) => InvocationEnding::WhileWaiting,
            Some(Ending::WhileRunning) => InvocationEnding::WhileRunning,
        }
    });
    ending as u32
}

/// One holder more. Null is nothing.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_invocation_retain(invocation: Option<&Pending>) {
    Pending::retain(invocation, "raddle_invocation_retain");
}

/// One holder less. Null is nothing.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_invocation_release(invocation: Option<&Pending>) {
    Pending::release(invocation, "raddle_invocation_release");
}
