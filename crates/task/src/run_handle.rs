//! The user's handle on a run.
//!
//! # Invariants
//! - I1: a handle is one of the two holders of its block (I3 of `block.rs`). (by construction: neither `Clone` nor `Copy`)

#![allow(unsafe_code)]

use crate::block::{BEGUN, Block, BlockRef, DISCARDED, WAIT_ENDED};
use crate::blocking;
use raddle_status::{Code, Error, Result};
use raddle_wait::{
    Event, Moment, NEVER, Readiness, Route, SharedSource, SlotPool, SourceWaker, WaitSource, WakerId,
};
use std::fmt;
use std::sync::Arc;

/// A run that was submitted. Dropping it changes nothing about the run.
#[must_use = "a run goes on without its handle, but nobody learns how it ended"]
pub struct Run {
    block: BlockRef,
}

impl Run {
    /// Takes over one hold of the block.
    pub(crate) fn new(block: BlockRef) -> Run {
        Run { block }
    }

    pub(crate) fn block(&self) -> &Block {
        // SAFETY: I1.
        unsafe { self.block.get() }
    }

    /// Whether it has ended.
    pub fn is_done(&self) -> bool {
        self.block().done.is_set()
    }

    /// How it ended; `None` while it runs. The first failure of its tasks; ABORTED, or the scope's failure, if tasks were
    /// discarded.
    pub fn result(&self) -> Option<Result> {
        self.is_done().then(|| self.block().result())
    }

    /// Waits until it has ended.
    ///
    /// Blocks: until then. On a worker it runs other tasks of the run's scope meanwhile.
    ///
    /// # Errors
    /// The run's; FAILED_PRECONDITION where it would put the last worker to sleep, or nests too deep.
    pub fn wait(&self) -> Result {
        self.wait_until(NEVER)
    }

    /// The same, at most until `deadline` on the executor's clock.
    ///
    /// # Errors
    /// The run's; DEADLINE_EXCEEDED (the run goes on); FAILED_PRECONDITION as for [`wait`](Run::wait).
    pub fn wait_until(&self, deadline: Moment) -> Result {
        self.block().state().scope.core().check_fork()?;
        if !self.is_done() {
            let state = self.block().state();
            blocking::wait(state.scope.core(), state.scope.inner(), &self.block().done, deadline)?;
        }
        self.block().result()
    }

    /// Stops the run: tasks that have not started are discarded, waits end, tasks that run go on to their end.
    /// `false` if it has ended already.
    pub fn cancel(&self) -> bool {
        if self.is_done() || self.block().state().scope.core().is_forked() {
            return false;
        }
        self.block().ask_to_stop(Error::new(Code::Cancelled, "the run was cancelled"));
        true
    }

    /// How a request to stop came out: [`cancel`](Run::cancel), a deadline, or the scope's failure. `None` while the run
    /// goes on.
    pub fn cancel_outcome(&self) -> Option<CancelOutcome> {
        if !self.is_done() {
            return None;
        }
        let course = self.block().course();
        Some(if course & WAIT_ENDED != 0 {
            CancelOutcome::WhileWaiting
        } else if course & DISCARDED == 0 {
            match self.block().is_asked_to_stop() {
                true => CancelOutcome::TooLate,
                false => CancelOutcome::EndedBefore,
            }
        } else if course & BEGUN != 0 {
            CancelOutcome::BetweenTasks
        } else {
            CancelOutcome::NotStarted
        })
    }

    /// A second handle.
    pub(crate) fn again(&self) -> Run {
        Run { block: Block::hold(self.block) }
    }

    pub(crate) fn slots(&self) -> &SlotPool {
        &self.block().state().scope.core().slots
    }

    /// A source that is ready when the run has ended; for wait tasks, futures, and frames of any kind.
    pub fn done(&self) -> SharedSource {
        Arc::new(Done(Block::hold(self.block)))
    }
}

/// How a request to stop a run came out. The run's result says the same: CANCELLED or DEADLINE_EXCEEDED if something of it
/// was given up, otherwise what its tasks came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CancelOutcome {
    /// The run had ended before anybody asked.
    EndedBefore,
    /// No task of it ever ran.
    NotStarted,
    /// A wait of it was ended.
    WhileWaiting,
    /// Some tasks ran to their end, others were discarded.
    BetweenTasks,
    /// All tasks ran to their end although somebody had asked.
    TooLate,
}

/// The end of a run as a source; holds the block.
struct Done(BlockRef);

impl Done {
    fn event(&self) -> &Event {
        // SAFETY: I3 of `block.rs`: held.
        &unsafe { self.0.get() }.done
    }
}

impl WaitSource for Done {
    fn arm(&self, waker: SourceWaker) {
        self.event().arm(waker);
    }

    fn disarm(&self, waker: WakerId) {
        self.event().disarm(waker);
    }

    fn query(&self) -> Readiness {
        self.event().query()
    }

    fn route(&self) -> Route<'_> {
        self.event().route()
    }
}

impl Drop for Done {
    fn drop(&mut self) {
        // SAFETY: I1: the handle's hold.
        if unsafe { self.0.get() }.state().scope.core().is_forked() {
            return;
        }
        // SAFETY: undoes the hold.
        unsafe { Block::release(self.0) };
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if self.block().state().scope.core().is_forked() {
            // The block's locks may be held by threads that are not here.
            return;
        }
        // SAFETY: I1; the handle goes.
        unsafe { Block::release(self.block) };
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Run({})", if self.is_done() { "ended" } else { "running" })
    }
}
