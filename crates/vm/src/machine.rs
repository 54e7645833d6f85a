//! The core of an invocation: everything that one run of the engine reads and writes, and the driver around it.
//!
//! Not here: where a core lives and who may touch it ([`crate::invoke`]); frames and segments ([`crate::stack`]).
//!
//! # Invariants
//! - M1: between runs, `pc` and `window` belong together: the window's frame runs the code that `pc` points into. Without
//!   frames, `module` is the module of the function.
//! - M2: `context` and `module` outlive the core: its owner keeps the context alive, the context owns its modules.
//! - M3: in the phase `Running`, frames may be half built; a core that is dropped in that state (a panic of ours)
//!   leaks its frames instead of reading them.
//! - M4: `Left` leads to where the driver of the present run keeps what it leaves; nobody follows it between runs, and a native
//!   call that suspends replaces it (F2).
#![allow(unsafe_code)]

use crate::block::Memory;
use crate::budget::Slice;
use crate::buffer::Making;
use crate::context::{ContextInner, ModuleState};
use crate::engine::state::{Exit, Window};
use crate::native::Rest;
use crate::object::Ref;
use crate::stack::Segment;
use crate::translate::code::{Inst, Site};
use crate::tuning::STOP_CHECK_STEPS;
use crate::wait::Wait;
use crate::words;
use raddle_status::{Code, Error};
use std::mem::ManuallyDrop;
use std::sync::Arc;

/// See the module's header.
pub(crate) struct Core {
    pub(crate) pc: *const Inst,
    pub(crate) window: Window,
    /// Steps left until the next look at stop flag and budget; below 0: look now. Between runs: the bits of the number of steps
    /// that the last one left.
    pub(crate) fuel: i64,
    /// End of the current segment.
    pub(crate) limit: usize,
    pub(crate) module: *const ModuleState,
    pub(crate) context: *const ContextInner,
    aside: Aside,
    /// Apart, since few invocations need it and many wait.
    pub(crate) rare: Option<Box<Rare>>,
    /// Size of the first segment. Unit: bytes.
    pub(crate) first_bytes: u32,
    pub(crate) phase: Phase,
    /// Whether the invocation has the turn of its context.
    pub(crate) has_turn: bool,
    /// The block's: where the function's module stands in the context. Here is room for it.
    pub(crate) instance: u16,
}

/// What a core is at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// It does not run: it has not begun, or it is suspended.
    Resting,
    /// See M3.
    Running,
    /// The function has returned: the window is that of its results.
    Returned,
}

/// What lies beside the frames: two things that are never needed at once.
enum Aside {
    /// See M4.
    Left(*mut Left),
    /// The rest of the native call that is suspended, always above the top frame: that of the call before `pc`.
    Native(Rest),
}

const _: () = assert!(size_of::<Aside>() == 16);

impl Aside {
    const NOTHING: Aside = Aside::Left(std::ptr::null_mut());
}

/// What a run leaves to its driver.
pub(crate) enum Left {
    Nothing,
    /// Why it ends with [`Exit::Failed`].
    Error(Error),
    /// What the native call that is suspended waits for.
    Wait(Wait),
}

impl Left {
    /// Takes the wait, if there is one; what else is there stays. Moved by words, as it was written (`native/flow.rs`).
    #[inline(always)]
    pub(crate) fn take_wait(&mut self) -> Option<Wait> {
        let Left::Wait(wait) = self else { return None };
        // SAFETY: nobody reads or drops what was there.
        let taken = unsafe { words::read::<5, Wait>(wait) };
        // SAFETY: as above.
        unsafe { std::ptr::from_mut(self).write(Left::Nothing) };
        Some(taken)
    }
}

/// What few invocations need.
#[derive(Default)]
pub(crate) struct Rare {
    /// The size of the host's prefix. Unit: bytes.
    pub(crate) prefix_bytes: usize,
    /// Where the block comes from, if that is not the global allocator.
    pub(crate) memory: Option<Arc<dyn Memory>>,
    /// The bulk operation that is interrupted.
    pub(crate) bulk: Option<Bulk>,
    /// Lists into which a list was put: perhaps parts of a circle.
    pub(crate) suspects: Vec<Ref>,
    /// Further segments of the stack.
    pub(crate) segments: Vec<Segment>,
}

/// A bulk operation that ran out of budget half-way.
#[derive(Default)]
pub(crate) struct Bulk {
    pub(crate) done: u64,
    /// What there is to do, if only the start of the operation can tell.
    pub(crate) total: Option<u64>,
    pub(crate) making: Option<Making>,
    #[allow(deprecated)]
    pub(crate) hasher: Option<std::hash::SipHasher>,
}

impl Bulk {
    /// SipHash-2-4 with the key bytes 00 to 0F. The deprecated type is the only one that promises the algorithm.
    #[allow(deprecated)]
    pub(crate) fn hasher() -> std::hash::SipHasher {
        std::hash::SipHasher::new_with_keys(0x0706_0504_0302_0100, 0x0F0E_0D0C_0B0A_0908)
    }
}

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    Finished,
    Waiting,
    Yielded,
    OutOfBudget,
    Failed,
}

impl Core {
    /// A core without frames for a function of this instance, whose first segment ends at `limit` and is so large.
    pub(crate) fn new(context: &ContextInner, instance: u16, limit: usize, first_bytes: u32) -> Core {
        Core {
            pc: std::ptr::null(),
            window: Window(std::ptr::null_mut()),
            fuel: 0,
            limit,
            module: context.state(instance.into()),
            context,
            aside: Aside::NOTHING,
            rare: None,
            first_bytes,
            phase: Phase::Resting,
            has_turn: false,
            instance,
        }
    }

    /// Where the first segment starts. Only while there are no frames: `limit` is its end then.
    pub(crate) fn start(&self) -> usize {
        self.limit - self.first_bytes as usize
    }

    /// The parts that few need, made if they are not there.
    pub(crate) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Has `part` run; what it leaves comes to `left` (M4). No native call is suspended: that is taken out before.
    #[inline(always)]
    pub(crate) fn drive(&mut self, left: &mut Left, part: impl FnOnce(&mut Core) -> End) -> End {
        self.begin_run(left);
        part(self)
    }

    /// The start of [`drive`](Self::drive).
    #[inline(always)]
    pub(crate) fn begin_run(&mut self, left: &mut Left) {
        self.put_aside(Aside::Left(left));
    }

    /// Where nothing lies that would have to be dropped.
    #[inline(always)]
    fn put_aside(&mut self, aside: Aside) {
        debug_assert!(!self.is_in_native());
        std::mem::forget(std::mem::replace(&mut self.aside, aside));
    }

    /// The rest of the native call that is suspended.
    #[inline(always)]
    pub(crate) fn take_native(&mut self) -> Option<Rest> {
        match std::mem::replace(&mut self.aside, Aside::NOTHING) {
            Aside::Left(_) => None,
            Aside::Native(rest) => Some(rest),
        }
    }

    /// Keeps the rest of a native call, and what it waits for.
    #[inline(always)]
    pub(crate) fn suspend(&mut self, rest: Rest, wait: Option<Wait>) {
        // A wait that a panic below would have to drop would have to be in memory before it is written where it belongs.
        if let Some(wait) = wait.map(ManuallyDrop::new) {
            let left = self.left();
            // SAFETY: M4; a run leaves one thing, so nothing is there that would have to be dropped.
            unsafe { std::ptr::from_mut(left).write(Left::Wait(ManuallyDrop::into_inner(wait))) };
        }
        self.put_aside(Aside::Native(rest));
    }

    /// Whether a native call is suspended.
    fn is_in_native(&self) -> bool {
        matches!(self.aside, Aside::Native(_))
    }

    /// What the driver of this run finds after it.
    #[inline(always)]
    fn left(&mut self) -> &mut Left {
        let Aside::Left(left) = self.aside else { unreachable!("M4: only inside `drive`") };
        debug_assert!(!left.is_null(), "M4: only inside `drive`");
        // SAFETY: M4: `drive` borrows it, and this borrow of the core is the only way to it.
        unsafe { &mut *left }
    }

    /// What the run that failed has left.
    #[cold]
    pub(crate) fn take_error(&mut self) -> Error {
        match std::mem::replace(self.left(), Left::Nothing) {
            Left::Error(error) => error,
            _ => Code::Internal.into(),
        }
    }

    /// The run ends with this failure.
    #[cold]
    pub(crate) fn leave_error(&mut self, error: Error) {
        *self.left() = Left::Error(error);
    }

    /// The state of the module whose code runs.
    #[inline(always)]
    pub(crate) fn module<'a>(&self) -> &'a ModuleState {
        // SAFETY: M2.
        unsafe { &*self.module }
    }

    /// The context.
    #[inline(always)]
    pub(crate) fn context<'a>(&self) -> &'a ContextInner {
        // SAFETY: M2.
        unsafe { &*self.context }
    }

    /// Runs until the program ends, suspends, or has used up the slice.
    #[inline]
    pub(crate) fn run(&mut self, slice: &Slice<'_>) -> End {
        let mut budget = slice.steps;
        if slice.is_stopped() {
            return self.fail(stopped());
        }
        self.phase = Phase::Running;
        let engine = self.context().engine();
        let end = loop {
            let chunk = budget.min(STOP_CHECK_STEPS as u64);
            self.fuel = chunk as i64;
            let exit = engine.enter(self);
            budget -= chunk - self.fuel.max(0) as u64;
            // One after the other: a jump by a table costs more than the common ends take.
            if exit == Exit::Finished {
                break End::Finished;
            }
            if exit == Exit::Waiting {
                break End::Waiting;
            }
            match self.attend(exit, budget, slice) {
                Ok(left) => budget = left,
                Err(end) => break end,
            }
        };
        self.phase = if end == End::Finished { Phase::Returned } else { Phase::Resting };
        self.fuel = budget as i64;
        if end == End::Failed { self.unwind() } else { end }
    }

    /// The steps of its slice that the last run did not take.
    pub(crate) fn unused_steps(&self) -> u64 {
        self.fuel as u64
    }

    /// Deals with the other exits. If the program goes on: the budget that is left.
    #[cold]
    #[inline(never)]
    fn attend(&mut self, exit: Exit, mut budget: u64, slice: &Slice<'_>) -> Result<u64, End> {
        match exit {
            Exit::Finished => Err(End::Finished),
            Exit::Waiting => Err(End::Waiting),
            Exit::Yielded => Err(End::Yielded),
            Exit::Failed => Err(End::Failed),
            Exit::Translate => {
                let slot = self.call_site().callee;
                self.module().program().translate(slot);
                Ok(budget)
            }
            Exit::Grow => {
                let site = self.call_site();
                let module = self.module;
                match self.push_bridge(site, module, site.callee) {
                    Ok(()) => Ok(budget),
                    Err(error) => Err(self.fail_here(error)),
                }
            }
            Exit::Budget => {
                if self.fuel < 0 {
                    // Bulk work may have overdrawn the chunk; what it cost is paid from the budget.
                    budget = budget.saturating_sub(self.fuel.unsigned_abs() - 1);
                }
                if slice.is_stopped() {
                    return Err(self.fail_here(stopped()));
                }
                if budget == 0 { Err(End::OutOfBudget) } else { Ok(budget) }
            }
        }
    }

    /// The instruction at `pc`, which would run again, fails: it counts as one that has run.
    #[cold]
    fn fail_here(&mut self, error: Error) -> End {
        self.pc = self.pc.wrapping_add(1);
        self.leave_error(error);
        End::Failed
    }

    /// The site of the call instruction at `pc`.
    fn call_site<'a>(&self) -> &'a Site {
        site_at(self.pc)
    }

    /// The site of the call instruction before `pc`.
    pub(crate) fn site_before<'a>(&self) -> &'a Site {
        site_at(self.pc.wrapping_sub(1))
    }

    /// Ends the invocation with an error that did not come from an instruction.
    #[cold]
    pub(crate) fn fail(&mut self, error: Error) -> End {
        self.leave_error(error);
        self.unwind()
    }
}

/// The site of a call instruction of the running code.
fn site_at<'a>(call: *const Inst) -> &'a Site {
    // SAFETY: S4: the caller's word.
    let inst = unsafe { &*call };
    // SAFETY: T3.
    unsafe { &*std::ptr::with_exposed_provenance(inst.word.0 as usize) }
}

fn stopped() -> Error {
    Error::new(Code::Cancelled, "stopped at a back edge or call")
}
