//! How a native function suspends: what it waits for, and how it goes on.
//!
//! Not here: waiting itself; the host does that.
//!
//! # Invariants
//! - F1: a [`Task`] holds the rest that its table was made for, until it is resumed or dropped; it may be moved.
//! - F2: to suspend is the last thing that a call does: nothing that can fail comes after it.
//!
//! # Words
//! What a round trip carries is written moments before it is read, and a read that is wider than the writes (two words at
//! once, or a result whose variant is a byte) waits until these have left the store buffer: 4 ns each on an Intel processor.
//! So a task's data and the progress of a call travel in registers; a wait is written where its driver finds it, and moved
//! once, by words; an outcome is made where a rest takes it from.
#![allow(unsafe_code)]

use super::args::{Results, Writer};
use crate::wait::{Condition, NEVER, Wait, WaitOutcome};
use raddle_status::Result;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, MaybeUninit};

/// What a yieldable native function says: done, or to be resumed.
#[must_use]
pub enum Flow<R, K = std::convert::Infallible> {
    /// The results.
    Ready(R),
    /// Resume `K` when the wait has ended.
    Wait(Wait, K),
    /// Resume `K` when others have had their turn.
    Yield(K),
}

/// The rest of a suspended native function.
pub trait Resume: Send + Sized + 'static {
    /// The results of the function.
    type Output: Results;

    /// Goes on after a wait (with its outcome) or a yield (`Ready`).
    ///
    /// # Errors
    /// The failure of the call. A wait that failed is a failure of the call only if this says so.
    fn resume(self, outcome: WaitOutcome) -> Result<Flow<Self::Output, Self>>;
}

impl Resume for std::convert::Infallible {
    type Output = ();
    fn resume(self, _: WaitOutcome) -> Result<Flow<(), Self>> {
        match self {}
    }
}

/// A rest that is a closure and suspends no more.
pub struct Then<F, R>(F, PhantomData<fn() -> R>);

impl<F, R> Resume for Then<F, R>
where
    F: FnOnce(WaitOutcome) -> Result<R> + Send + 'static,
    R: Results + 'static,
{
    type Output = R;
    fn resume(self, outcome: WaitOutcome) -> Result<Flow<R, Self>> {
        Ok(Flow::Ready((self.0)(outcome)?))
    }
}

impl<R, F> Flow<R, Then<F, R>>
where
    F: FnOnce(WaitOutcome) -> Result<R> + Send + 'static,
    R: Results + 'static,
{
    /// Waits until the condition holds, then finishes with what `then` says.
    pub fn wait(condition: impl Into<Condition>, then: F) -> Flow<R, Then<F, R>> {
        Flow::wait_until(condition, NEVER, then)
    }

    /// As [`wait`](Self::wait), at the latest until this moment of the host's clock.
    pub fn wait_until(condition: impl Into<Condition>, deadline_ns: u64, then: F) -> Flow<R, Then<F, R>> {
        Flow::Wait(Wait { condition: condition.into(), deadline_ns }, Then(then, PhantomData))
    }

    /// Lets others have their turn, then finishes with what `then` says.
    pub fn give_way(then: F) -> Flow<R, Then<F, R>> {
        Flow::Yield(Then(then, PhantomData))
    }
}

/// How far a native call has come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The results are written.
    Done,
    /// The rest is kept; it waits.
    Waiting,
    /// The rest is kept; it only gives up its turn.
    Yielded,
    /// The error is left to the driver.
    Failed,
}

/// A [`WaitOutcome`] that travels in registers.
#[derive(Clone, Copy)]
pub(crate) enum Ended<'a> {
    /// It is `Ready` with this index.
    Ready(usize),
    /// It is another, which is cloned.
    Otherwise(&'a WaitOutcome),
}

impl<'a> Ended<'a> {
    #[inline(always)]
    pub(crate) fn of(outcome: &'a WaitOutcome) -> Ended<'a> {
        match outcome {
            WaitOutcome::Ready { index } => Ended::Ready(*index),
            other => Ended::Otherwise(other),
        }
    }
}

/// The rest of a suspended call, whatever its type: in place if it is small, otherwise in a box.
pub(crate) struct Task {
    data: Data,
    table: &'static Table,
}

/// A `K` of one word at most, or a `Box<K>`: larger ones cost an allocation.
type Data = MaybeUninit<u64>;

struct Table {
    resume: unsafe fn(Data, Ended<'_>, &mut Writer<'_>) -> Progress,
    drop: unsafe fn(Data),
}

// SAFETY: F1: the content is a `K: Resume`, which is `Send`, or a box of one.
unsafe impl Send for Task {}

/// How a rest of type `K` is kept in a task; `IN_PLACE` says which of the two ways.
struct Kept<K>(PhantomData<K>);

impl<K: Resume> Kept<K> {
    const IN_PLACE: bool = size_of::<K>() <= size_of::<Data>() && align_of::<K>() <= align_of::<Data>();
    const TABLE: &'static Table = &Table { resume: Kept::<K>::resume, drop: Kept::<K>::drop };

    /// Takes the rest out.
    ///
    /// # Safety
    /// `data` is the data of a task made from a `K`, and is not used again.
    #[inline(always)]
    unsafe fn take(data: Data) -> K {
        if Kept::<K>::IN_PLACE {
            // SAFETY: F1 and the caller's word.
            return unsafe { data.as_ptr().cast::<K>().read() };
        }
        // SAFETY: F1 and the caller's word.
        *unsafe { data.as_ptr().cast::<Box<K>>().read() }
    }

    /// # Safety
    /// As `take`.
    unsafe fn resume(data: Data, ended: Ended<'_>, writer: &mut Writer<'_>) -> Progress {
        // SAFETY: the caller's word.
        let rest = unsafe { Kept::<K>::take(data) };
        let outcome = match ended {
            Ended::Ready(index) => WaitOutcome::Ready { index },
            Ended::Otherwise(outcome) => outcome.clone(),
        };
        match rest.resume(outcome) {
            Ok(flow) => Progress::of(flow, writer),
            Err(error) => writer.fail(error),
        }
    }

    /// # Safety
    /// As `take`.
    unsafe fn drop(data: Data) {
        // SAFETY: the caller's word.
        drop(unsafe { Kept::<K>::take(data) });
    }
}

impl Task {
    #[inline(always)]
    pub(super) fn new<K: Resume>(rest: K) -> Task {
        let mut data = Data::uninit();
        if Kept::<K>::IN_PLACE {
            // SAFETY: size and alignment fit (`IN_PLACE`).
            unsafe { data.as_mut_ptr().cast::<K>().write(rest) };
        } else {
            // SAFETY: a box is one word.
            unsafe { data.as_mut_ptr().cast::<Box<K>>().write(Box::new(rest)) };
        }
        Task { data, table: Kept::<K>::TABLE }
    }

    #[inline(always)]
    pub(crate) fn resume(self, ended: Ended<'_>, writer: &mut Writer<'_>) -> Progress {
        let task = ManuallyDrop::new(self);
        // SAFETY: F1: table and data belong together; the task is not dropped afterwards.
        unsafe { (task.table.resume)(task.data, ended, writer) }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        // SAFETY: F1: a task that is dropped still has its content.
        unsafe { (self.table.drop)(self.data) };
    }
}

impl Progress {
    /// The end of a call (F2).
    #[inline(always)]
    pub(crate) fn of<R: Results, K: Resume<Output = R>>(
        flow: Flow<R, K>,
        writer: &mut Writer<'_>,
    ) -> Progress {
        match flow {
            Flow::Ready(results) => {
                results.write(writer);
                Progress::Done
            }
            Flow::Wait(wait, rest) => writer.suspend(Task::new(rest), Some(wait)),
            Flow::Yield(rest) => writer.suspend(Task::new(rest), None),
        }
    }
}
