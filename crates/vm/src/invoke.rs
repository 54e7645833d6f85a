//! An invocation as a value: begin, resume, and what comes of it.
//!
//! Not here: threads, clocks and waiting: a host that calls `resume` has those.
//!
//! # State
//! ```text
//!              begin                          resume
//!  Idle ──────────────► runs ◄────────────────────────── Suspended
//!   ▲ ▲                  │ │ Waiting, Yielded, OutOfBudget ▲   │
//!   │ └── Failed, Busy ──┘ └───────────────────────────────┘   │ cancel
//!   │ again                 Finished ──► Finished               │
//!   └──────────────────────────────────────┴────────────────────┘
//! ```
//! `prepare` parts the arguments from the beginning: Idle ──► Prepared ── begin ──► runs.
//! Each handle owns the block and is consumed by the call, so a stale resume can't be written.
//!
//! # Invariants
//! - N1: a handle is the only owner of its block (B1).
#![allow(unsafe_code)]

use crate::block::{Block, Storage};
use crate::budget::Slice;
use crate::engine::state::{Exit, Window};
use crate::entry::EntryPoint;
use crate::machine::{Core, End, Left};
use crate::native;
use crate::translate::code::Outermost;
use crate::value::Value;
use crate::wait::{Wait, WaitOutcome};
use raddle_status::{Code, Error, Result};
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::NonNull;

/// What a call of `begin` or `resume` led to.
#[derive(Debug)]
#[must_use = "dropping an outcome drops the invocation"]
pub enum Outcome {
    /// The function returned.
    Finished(Finished),
    /// It waits: resume it when the wait has ended.
    Waiting(Suspended, Wait),
    /// It gave up its turn: resume it when others have had theirs, with `WaitOutcome::Ready`.
    Yielded(Suspended),
    /// It used up its slice: resume it as after `Yielded`.
    OutOfBudget(Suspended),
    /// Another invocation has the turn of the stateful context: begin again when that one has ended.
    Busy(Idle),
    /// The function failed, was stopped, or could not be called.
    Failed(Idle, Error),
}

macro_rules! handle {
    ($($(#[$doc:meta])* $name:ident)*) => { $(
        $(#[$doc])*
        #[derive(Debug)]
        #[must_use = "dropping it drops the invocation"]
        pub struct $name(Owned);

        impl $name {
            /// The function.
            pub fn function(&self) -> impl Deref<Target = EntryPoint> {
                self.0.block().function()
            }

            /// The start of the block's prefix, which belongs to the host.
            pub fn prefix(&self) -> NonNull<u8> {
                Block::prefix(self.0.0)
            }

            /// The moment at which it fails; `NEVER` for none.
            pub fn deadline(&self) -> u64 {
                self.0.block().deadline_ns
            }

            /// The steps of its slice that the last run did not take.
            pub fn unused_steps(&self) -> u64 {
                self.0.block().core.unused_steps()
            }

            /// Gives the handle away as a pointer.
            pub fn into_raw(self) -> NonNull<()> {
                let block = self.0.0;
                std::mem::forget(self);
                block.cast()
            }

            /// The handle that was given away.
            ///
            /// # Safety
            /// The pointer came from `into_raw` of this type and is used once.
            pub unsafe fn from_raw(raw: NonNull<()>) -> Self {
                $name(Owned(raw.cast()))
            }
        }
    )* };
}

handle! {
    /// An invocation that does not run. It can be used for any number of calls, one after the other.
    Idle
    /// An invocation that has its arguments, and does not run yet.
    Prepared
    /// An invocation in the middle of its function.
    Suspended
    /// An invocation that has results.
    Finished
}

/// The owner of a block (N1).
struct Owned(NonNull<Block>);

// SAFETY: N1: the block has one owner; everything in it may change threads (values, refs, native rests are `Send`).
unsafe impl Send for Owned {}
// SAFETY: through `&Owned` only immutable parts are read: function, prefix address, results.
unsafe impl Sync for Owned {}

impl Owned {
    fn block(&self) -> &Block {
        // SAFETY: N1.
        unsafe { self.0.as_ref() }
    }

    fn block_mut(&mut self) -> &mut Block {
        // SAFETY: N1.
        unsafe { self.0.as_mut() }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: N1.
        unsafe { Block::free(self.0) };
    }
}

impl std::fmt::Debug for Owned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.block().function().name())
    }
}

impl Idle {
    /// An invocation of `function` in a block of its own.
    ///
    /// # Errors
    /// `RESOURCE_EXHAUSTED`: no memory.
    pub fn new(function: &EntryPoint, storage: &Storage) -> Result<Idle> {
        Ok(Idle(Owned(Block::new(function.clone(), storage)?)))
    }

    /// Fails calls that run or wait beyond this moment of the host's clock; `NEVER` for none.
    pub fn set_deadline(&mut self, deadline_ns: u64) {
        self.0.block_mut().deadline_ns = deadline_ns;
    }

    /// Puts the arguments where the function finds them, so that nobody else has to keep them until it begins.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`: the function takes others.
    #[inline]
    pub fn prepare(mut self, arguments: &[Value]) -> Result<Prepared, (Idle, Error)> {
        match enter(self.0.block_mut(), arguments) {
            Ok(()) => Ok(Prepared(self.0)),
            Err(error) => {
                self.0.block_mut().core.abandon();
                Err((self, error))
            }
        }
    }

    /// Calls the function and runs it for one slice.
    ///
    /// Blocks: at most for the slice, plus what native functions take.
    #[inline]
    pub fn begin(mut self, arguments: &[Value], slice: &Slice<'_>) -> Outcome {
        let block = self.0.block_mut();
        if !block.take_turn() {
            return Outcome::Busy(self);
        }
        match enter(block, arguments) {
            Ok(()) => go(self.0, slice),
            Err(error) => {
                block.core.abandon();
                block.end_turn();
                Outcome::Failed(self, error)
            }
        }
    }
}

impl Prepared {
    /// As [`Idle::set_deadline`].
    pub fn set_deadline(&mut self, deadline_ns: u64) {
        self.0.block_mut().deadline_ns = deadline_ns;
    }

    /// As [`Idle::begin`], with the arguments that are there already. If the context is busy, they are dropped.
    #[inline]
    pub fn begin(mut self, slice: &Slice<'_>) -> Outcome {
        let block = self.0.block_mut();
        if !block.take_turn() {
            return Outcome::Busy(self.give_up());
        }
        go(self.0, slice)
    }

    /// Drops the arguments.
    pub fn give_up(mut self) -> Idle {
        self.0.block_mut().core.abandon();
        Idle(self.0)
    }
}

/// Ends the invocation with this error, wherever it is.
fn fail(owned: Owned, error: Error) -> (Idle, Error) {
    match refused(owned, error) {
        Outcome::Failed(idle, error) => (idle, error),
        other => unreachable!("{other:?}"),
    }
}

/// Pushes the outermost frame.
#[inline]
fn enter(block: &mut Block, arguments: &[Value]) -> Result {
    let outermost = block.outermost();
    block.core.push_outermost(outermost)?;
    if outermost.arguments.is_empty() && arguments.is_empty() {
        return Ok(());
    }
    put_arguments(block.core.window, outermost, arguments)
}

#[inline(never)]
fn put_arguments(window: Window, outermost: &Outermost, arguments: &[Value]) -> Result {
    if outermost.arguments.len() != arguments.len() {
        let (want, got) = (outermost.arguments.len(), arguments.len());
        return Err(Error::new(Code::InvalidArgument, format!("expected {want} arguments, got {got}")));
    }
    for (index, (&(letter, cell), argument)) in outermost.arguments.iter().zip(arguments).enumerate() {
        let value =
            argument.for_letter(letter).map_err(|error| error.within(format!("in argument {index}")))?;
        match value {
            Value::Ref(reference) => window.put(cell, reference),
            value if matches!(letter, b'I' | b'F') => window.set(cell, value.bits()),
            value => window.set(cell, value.bits() as u32),
        }
    }
    Ok(())
}

/// Runs the program for one slice.
#[inline]
fn go(owned: Owned, slice: &Slice<'_>) -> Outcome {
    if owned.block().deadline_ns <= slice.now_ns {
        return expired(owned);
    }
    drive(owned, |core| core.run(slice))
}

#[cold]
fn expired(owned: Owned) -> Outcome {
    let error = Error::new(Code::DeadlineExceeded, "the invocation's deadline passed");
    refused(owned, error)
}

#[cold]
#[inline(never)]
fn refused(mut owned: Owned, error: Error) -> Outcome {
    drop(owned.block_mut().core.take_native());
    drive(owned, |core| core.fail(error))
}

/// Drives the core, and says what came of it.
#[inline(always)]
fn drive(mut owned: Owned, part: impl FnOnce(&mut Core) -> End) -> Outcome {
    let mut left = ManuallyDrop::new(Left::Nothing);
    let end = owned.block_mut().core.drive(&mut left, part);
    concluded(owned, end, &mut left)
}

/// What came of a run. What it left is dropped where there can be something: whoever only returned left nothing.
#[inline(always)]
fn concluded(mut owned: Owned, end: End, left: &mut ManuallyDrop<Left>) -> Outcome {
    let block = owned.block_mut();
    // One after the other, as in `Core::run`.
    if end == End::Finished {
        block.end_turn();
        return Outcome::Finished(Finished(owned));
    }
    if end == End::Waiting {
        return match left.take_wait() {
            Some(Wait { condition, deadline_ns }) => {
                let deadline_ns = deadline_ns.min(block.deadline_ns);
                Outcome::Waiting(Suspended(owned), Wait { condition, deadline_ns })
            }
            None => Outcome::Yielded(Suspended(owned)),
        };
    }
    ended(owned, end, std::mem::replace(left, Left::Nothing))
}

/// The rarer ends.
#[cold]
#[inline(never)]
fn ended(mut owned: Owned, end: End, left: Left) -> Outcome {
    match (end, left) {
        (End::OutOfBudget, _) => Outcome::OutOfBudget(Suspended(owned)),
        (End::Failed, Left::Error(error)) => {
            owned.block_mut().end_turn();
            Outcome::Failed(Idle(owned), error)
        }
        (End::Failed, _) => unreachable!("`unwind` leaves an error"),
        (End::Finished | End::Waiting | End::Yielded, _) => Outcome::Yielded(Suspended(owned)),
    }
}

impl Suspended {
    /// Goes on for one slice. `outcome` says how the wait ended; after `Yielded` and `OutOfBudget` it is `Ready`.
    ///
    /// Blocks: at most for the slice, plus what native functions take.
    pub fn resume(mut self, outcome: WaitOutcome, slice: &Slice<'_>) -> Outcome {
        let block = self.0.block_mut();
        if block.deadline_ns <= slice.now_ns {
            return expired(self.0);
        }
        let mut left = ManuallyDrop::new(Left::Nothing);
        let core = &mut block.core;
        let rest = core.take_native();
        core.begin_run(&mut left);
        let stop = match rest {
            Some(rest) => native::resume(core, rest, &outcome),
            None => None,
        };
        let end = match stop {
            None => core.run(slice),
            Some(Exit::Waiting) => End::Waiting,
            Some(Exit::Failed) => core.unwind(),
            Some(_) => End::Yielded,
        };
        concluded(self.0, end, &mut left)
    }

    /// Ends the invocation with this error, wherever it is; the error says where that was.
    pub fn cancel(self, error: Error) -> (Idle, Error) {
        fail(self.0, error)
    }
}

impl Finished {
    /// Kind and cell of each result.
    #[inline]
    fn cells(&self) -> impl Iterator<Item = (u8, u16)> {
        self.0.block().core.returned().into_iter().flat_map(|outermost| outermost.results.result_cells())
    }

    /// How many results there are.
    pub fn result_count(&self) -> usize {
        self.function().signature().results().len()
    }

    /// The results, in order.
    pub fn results(&self) -> Vec<Value> {
        let window = self.0.block().core.window;
        self.cells().map(|(letter, cell)| read(window, letter, cell)).collect()
    }

    /// The result with this index.
    ///
    /// # Errors
    /// `OUT_OF_RANGE`: there are fewer.
    pub fn result(&self, index: usize) -> Result<Value> {
        let missing = || Error::new(Code::OutOfRange, format!("there is no result {index}"));
        let (letter, cell) = self.cells().nth(index).ok_or_else(missing)?;
        Ok(read(self.0.block().core.window, letter, cell))
    }

    /// The results, in order, moved out: a reference that is read again is null.
    pub fn take_results(&mut self) -> impl Iterator<Item = Value> {
        let window = self.0.block_mut().core.window;
        self.cells().map(move |(letter, cell)| match letter {
            b'r' => Value::Ref(window.reference(cell).take()),
            _ => read(window, letter, cell),
        })
    }

    /// Releases the results; the invocation can be used again.
    #[inline]
    pub fn again(mut self) -> Idle {
        self.0.block_mut().core.finish();
        Idle(self.0)
    }
}

fn read(window: crate::engine::state::Window, letter: u8, cell: u16) -> Value {
    match letter {
        b'i' => Value::I32(window.get(cell)),
        b'I' => Value::I64(window.get(cell)),
        b'f' => Value::F32(window.get(cell)),
        b'F' => Value::F64(window.get(cell)),
        _ => Value::Ref(window.reference(cell).clone()),
    }
}
