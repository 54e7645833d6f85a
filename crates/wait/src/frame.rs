//! A frame: one wait of one program, from its begin to its outcome.
//!
//! Not here: the slot's protocol (`slot.rs`), arming and closing (`body.rs`), whoever resumes the program.
//!
//! # Life
//! ```text
//!  begin ──► query ── satisfied ──► commit ── taken ──► outcome (nothing was armed)
//!              │                      │ lost
//!              ▼                      ▼
//!             arm (root arming) ── settle ── resolved meanwhile ──► conclude
//!                                     │ armed                          ▲
//!                                     ▼                                │
//!                                  waits ── fire | cancel | deadline ──┘ on the thread that resumes
//!                                              conclude: disarm, close, commit ── lost ──► begin again
//! ```
//!
//! # Invariants
//! - I1: from `settle` returning true until the header is scheduled, nobody touches the frame, not even the thread that
//!   is still inside `begin`: everything but the root's slot lies in a cell that is entered for one step at a time.
//!   [mutants: slot.settle]
//! - I2: a frame that returned `Waiting` is scheduled, also when it waits for nothing but its next turn.
//!   [mutants: frame.aside, frame.refused]
//!
//! Models: `tests/loom_frame.rs`.

#![allow(unsafe_code)]

use crate::body::Body;
use crate::cancel::CancelPoint;
use crate::condition::{Condition, SharedSource};
use crate::lone::Given;
use crate::pool::SlotPool;
use crate::resume::Resume;
use crate::slot;
use crate::source::WaitSource;
use crate::stage::{Moment, Stage};
use crate::tuning::ROUNDS_MAX;
use raddle_status::{Code, Error, Result};
use raddle_sync::cell::UnsafeCell;
use raddle_sync::mutant;
use std::ops::Deref;
use std::ptr::NonNull;

/// How a wait ended.
#[derive(Clone, Debug)]
#[must_use]
pub enum Outcome {
    /// The condition holds; for a wait for any, `index` is the child that was first, otherwise 0.
    Ready {
        /// Index among the children of the condition.
        index: usize,
    },
    /// A source failed.
    Failed(Error),
    /// The wait was cancelled.
    Cancelled,
    /// The deadline passed first.
    TimedOut,
}

impl Outcome {
    /// The index, or the outcome as a failure: CANCELLED, DEADLINE_EXCEEDED, or the source's own.
    ///
    /// # Errors
    /// As above.
    pub fn into_result(self) -> Result<usize> {
        match self {
            Outcome::Ready { index } => Ok(index),
            Outcome::Failed(error) => Err(error),
            Outcome::Cancelled => Err(Error::new(Code::Cancelled, "cancelled while waiting")),
            Outcome::TimedOut => Err(Error::new(Code::DeadlineExceeded, "the deadline passed while waiting")),
        }
    }
}

/// Where a wait stands after [`Frame::begin`] or [`Frame::conclude`].
#[derive(Debug)]
#[must_use]
pub enum Progress {
    /// It ended; the frame is closed.
    Done(Outcome),
    /// It waits. The header will be scheduled exactly once; until then the frame must not be touched.
    Waiting,
}

/// One wait: a condition, and the slots that it holds while it waits. Send if its sources are; used by its owner alone.
///
/// ```compile_fail,E0277
/// fn is_sync<T: Sync>() {}
/// is_sync::<raddle_wait::Frame>();
/// ```
///
/// ```compile_fail,E0277
/// fn is_send<T: Send>() {}
/// is_send::<raddle_wait::Frame<raddle_wait::LocalSource>>();
/// ```
pub struct Frame<S = SharedSource> {
    /// Touched by the frame's present owner (I1).
    body: UnsafeCell<Body<S>>,
}

// SAFETY: slots are Send and Sync; nobody but the frame's present owner touches its body (I1).
unsafe impl<S: Send> Send for Frame<S> {}

impl<S: Deref<Target: WaitSource>> Frame<S> {
    /// A frame for this condition, with slots from `pool`, which gives up at `deadline`
    /// ([`NEVER`](crate::NEVER) for none).
    ///
    /// # Errors
    /// INVALID_ARGUMENT for a group without children; RESOURCE_EXHAUSTED for one with a million.
    pub fn new(pool: &SlotPool, condition: Condition<S>, deadline: Moment) -> Result<Frame<S>> {
        let mut body = Body::new(pool.clone(), deadline);
        body.renew(condition, deadline)?;
        Ok(Frame { body: UnsafeCell::new(body) })
    }

    /// Makes a frame that does not wait a frame for another condition, in the same place and with the slot that it had.
    ///
    /// # Errors
    /// As for [`new`](Frame::new); the frame is then as [`clear`](Frame::clear) leaves it.
    pub fn renew(&mut self, condition: Condition<S>, deadline: Moment) -> Result {
        self.clear();
        // SAFETY: the frame is borrowed for its owner alone, so it does not wait.
        unsafe { self.turn(|body| body.renew(condition, deadline)) }
    }

    /// Makes a frame that does not wait ready to wait for the same condition again, with another deadline; says whether it has one.
    pub fn again(&mut self, deadline: Moment) -> bool {
        self.set_deadline(deadline);
        // SAFETY: the frame is borrowed for its owner alone, so it does not wait.
        unsafe { self.turn(|body| !body.branches.is_empty()) }
    }

    /// Drops the sources of a frame that does not wait, and keeps its place for [`renew`](Frame::renew); until then it
    /// can't begin.
    pub fn clear(&mut self) {
        // SAFETY: the frame is borrowed for its owner alone, so it does not wait.
        unsafe { self.turn(Body::clear) };
    }

    /// Begins the wait: asks, and arms what is not ready.
    ///
    /// A source that is ready wins over a deadline that has passed. Blocks: never. Owner only.
    /// Ordering: `Done` is an acquire of what the sources' signallers released.
    ///
    /// # Panics
    /// If `cancel` was made for another pool.
    ///
    /// # Safety
    /// The frame does not wait already, nor does another with this `resume`. If this returns `Waiting`, the frame and `resume` stay where they are and are
    /// not touched until `resume` is scheduled, which may be before this call returns; then its owner calls
    /// [`conclude`](Frame::conclude). Instead of that, at any time, its owner may call [`abandon`](Frame::abandon).
    pub unsafe fn begin(
        &self,
        stage: &dyn Stage,
        resume: NonNull<Resume>,
        cancel: Option<&CancelPoint>,
    ) -> Progress {
        // SAFETY: nobody has been given the frame yet.
        unsafe { self.turn(Body::begin_delays) };
        // SAFETY: the caller's promise.
        unsafe { self.go_on(stage, resume, cancel) }
    }

    /// Begins the wait, or begins it again.
    ///
    /// # Safety
    /// As for `begin`.
    unsafe fn go_on(
        &self,
        stage: &dyn Stage,
        resume: NonNull<Resume>,
        cancel: Option<&CancelPoint>,
    ) -> Progress {
        for _ in 0..ROUNDS_MAX {
            // SAFETY: nobody has been given the frame yet.
            if let Some(lone) = unsafe { self.turn(|body| body.lone(cancel)) } {
                // SAFETY: the turn is ours, the slot free; after `Away` nothing is touched (I1).
                match unsafe { lone.give_away(resume, cancel) } {
                    Given::Away => return Progress::Waiting,
                    // SAFETY: the turn is still ours.
                    Given::Ready => match unsafe { self.turn(Body::take_ready) } {
                        Some(outcome) => return Progress::Done(outcome),
                        None => continue,
                    },
                    // SAFETY: as above.
                    Given::Cancelled => match unsafe { self.turn(|body| body.disband(stage)) } {
                        Some(outcome) => return Progress::Done(outcome),
                        None => continue,
                    },
                    // SAFETY: as above.
                    Given::Unable => unsafe { self.turn(Body::take_back) },
                }
            }
            // SAFETY: nobody has been given the frame yet.
            let root = match unsafe { self.turn(|body| body.start(stage, resume, cancel)) } {
                Ok(root) => root,
                Err(outcome) => return Progress::Done(outcome),
            };
            // SAFETY: the pool keeps the memory. After `true` nothing of the frame is touched (I1).
            if unsafe { root.as_ref() }.settle() {
                return Progress::Waiting;
            }
            // SAFETY: the root was resolved while it was armed: the turn is still the armer's.
            if let Some(outcome) = unsafe { self.turn(|body| body.disband(stage)) } {
                return Progress::Done(outcome);
            }
        }
        // SAFETY: as above.
        unsafe { self.step_aside(resume) };
        Progress::Waiting
    }

    /// Waits for nothing but its next turn: others took what this wait was woken for, again and again.
    ///
    /// # Safety
    /// The caller has the frame's turn, and gives it away.
    unsafe fn step_aside(&self, resume: NonNull<Resume>) {
        // SAFETY: the caller's promise.
        let root = unsafe { self.turn(|body| body.open_root(resume)) };
        // SAFETY: the pool keeps the memory; nobody else knows this generation.
        let is_armed = unsafe { root.slot.as_ref() }.settle();
        debug_assert!(is_armed);
        if mutant!("frame.aside") {
            return;
        }
        // SAFETY: as above. After `settle` only the slot is touched (I1).
        let moved = unsafe { slot::fire(root.slot, root.generation, Code::Deferred.number()) };
        moved.pay();
    }

    /// Ends a wait whose header was scheduled, or begins it again if what it waited for was lost to another.
    ///
    /// # Safety
    /// The header of the last [`begin`](Frame::begin) or `conclude` was scheduled, and the caller is who it was
    /// scheduled for. The promises of `begin` hold for the new wait.
    pub unsafe fn conclude(
        &self,
        stage: &dyn Stage,
        resume: NonNull<Resume>,
        cancel: Option<&CancelPoint>,
    ) -> Progress {
        // SAFETY: the caller was scheduled: the turn is its own.
        match unsafe { self.turn(|body| body.disband(stage)) } {
            Some(outcome) => Progress::Done(outcome),
            // SAFETY: the caller's promise.
            None => unsafe { self.go_on(stage, resume, cancel) },
        }
    }

    /// Ends a wait that nobody is interested in any more, at once and without an outcome; nothing is consumed.
    ///
    /// `true`: this call came before every signal, and the header will not be scheduled. `false`: somebody was
    /// faster, and schedules or has scheduled the header, once; the frame is done with all the same, but the header
    /// must stay until then.
    ///
    /// Blocks: never. Owner only.
    ///
    /// # Safety
    /// The last [`begin`](Frame::begin) or [`conclude`](Frame::conclude) has returned `Waiting` to the caller, who
    /// is the only one that would conclude the frame when it is scheduled, and who won't any more.
    pub unsafe fn abandon(&self, stage: &dyn Stage) -> bool {
        // SAFETY: whoever resolves the root touches the header and not the frame; the caller is the only other.
        unsafe { self.turn(|body| body.abandon(stage)) }
    }

    /// Who waits on what: each source's address, for dumps. Owner only, or while the frame waits.
    pub fn sources(&self) -> impl Iterator<Item = &S::Target> {
        // SAFETY: the branches of a frame never change, and it is not Sync.
        let body = unsafe { &*self.body.with(|body| body) };
        body.branches.iter().filter_map(|branch| branch.source())
    }

    /// Takes every slot that the wait can need from the pool, so that no [`begin`](Frame::begin) has to.
    pub fn take_slots(&mut self) {
        // SAFETY: the frame is borrowed for its owner alone, so it does not wait.
        unsafe { self.turn(Body::take_slots) };
    }

    /// Changes the moment at which the next [`begin`](Frame::begin) gives up.
    pub fn set_deadline(&mut self, deadline: Moment) {
        // SAFETY: the frame is borrowed for its owner alone, so it does not wait.
        unsafe { self.turn(|body| body.deadline = deadline) };
    }

    /// The moment at which the wait gives up.
    pub fn deadline(&self) -> Moment {
        // SAFETY: the deadline of a frame never changes.
        self.body.with(|body| unsafe { (*body).deadline })
    }

    /// One step inside the body.
    ///
    /// # Safety
    /// The caller has the frame's turn (I1).
    unsafe fn turn<R>(&self, step: impl FnOnce(&mut Body<S>) -> R) -> R {
        self.body.with_mut(|body| {
            // SAFETY: the caller's promise.
            step(unsafe { &mut *body })
        })
    }
}

impl<S> Drop for Frame<S> {
    fn drop(&mut self) {
        self.body.with_mut(|body| {
            // SAFETY: the frame is borrowed mutably, and does not wait.
            let body = unsafe { &mut *body };
            body.give_slots();
        });
    }
}

impl<S> std::fmt::Debug for Frame<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // SAFETY: the number of branches of a frame never changes.
        let count = self.body.with(|body| unsafe { (*body).branches.len() });
        write!(f, "Frame({count} branches)")
    }
}
