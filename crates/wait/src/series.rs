//! The waits of one program, one after another, from the begin of each to its outcome.
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
//! - I1: from `settle` returning true until the header is scheduled, nobody touches the series, not even the thread that
//!   is still inside `begin`: everything but the root's slot lies in a cell that is entered for one step at a time.
//!   [mutants: slot.settle]
//! - I2: a wait that returned `Waiting` is scheduled, also when it waits for nothing but its next turn.
//!   [mutants: frame.aside, frame.refused]
//!
//! Models: `tests/loom_frame.rs`.

#![allow(unsafe_code)]

use crate::body::Body;
use crate::cancel::CancelPoint;
use crate::condition::{Condition, SharedSource};
use crate::frame::{Outcome, Progress};
use crate::lone::Given;
use crate::pool::SlotPool;
use crate::resume::Resume;
use crate::slot;
use crate::source::WaitSource;
use crate::stage::{Moment, Stage};
use crate::tuning::ROUNDS_MAX;
use raddle_status::{Code, Result};
use raddle_sync::cell::UnsafeCell;
use raddle_sync::mutant;
use std::ops::Deref;
use std::ptr::NonNull;

/// The waits of one program, for hosts of many programs: what a [`Frame`](crate::Frame) is without a handle of its pool and a
/// root of its own. Each wait has its root in the program's [`CancelPoint`].
pub struct Series<S = SharedSource> {
    /// Touched by the series' present owner (I1).
    body: UnsafeCell<Body<S>>,
}

// SAFETY: nobody but the series' present owner touches its body (I1).
unsafe impl<S: Send> Send for Series<S> {}

impl<S> Series<S> {
    /// Without a condition.
    pub fn new() -> Series<S> {
        Series { body: UnsafeCell::new(Body::new()) }
    }

    /// Another condition, of a wait that gives up at `deadline` ([`NEVER`](crate::NEVER) for none). Not while it waits.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for a group without children; RESOURCE_EXHAUSTED for one with a million. There is no condition then.
    pub fn renew(&mut self, condition: Condition<S>, deadline: Moment) -> Result {
        self.own(|body| {
            body.clear();
            body.renew(condition, deadline)
        })
    }

    /// The same condition again, if there is one that has ended and was not cleared; says whether there is.
    pub fn again(&mut self, deadline: Moment) -> bool {
        self.own(|body| {
            body.deadline = deadline;
            body.has_condition()
        })
    }

    /// Drops the condition of a wait that has ended.
    pub fn clear(&mut self) {
        self.own(Body::clear);
    }

    /// Whether there is a condition. Who clears one that has ended knows that it is under way.
    pub fn has_condition(&mut self) -> bool {
        self.own(|body| body.has_condition())
    }

    /// Keeps an outcome, in front of its condition.
    pub fn keep(&mut self, outcome: Outcome) {
        self.own(|body| body.keep(outcome));
    }

    /// The outcome that was kept.
    pub fn take_kept(&mut self) -> Option<Outcome> {
        self.own(Body::take_kept)
    }

    /// Takes every slot that the wait can need, so that no [`begin`](Series::begin) has to.
    pub fn take_slots(&mut self, point: &CancelPoint) {
        self.own(|body| body.take_slots(point));
    }

    /// Changes the moment at which the next [`begin`](Series::begin) gives up.
    pub fn set_deadline(&mut self, deadline: Moment) {
        self.own(|body| body.deadline = deadline);
    }

    fn own<R>(&mut self, step: impl FnOnce(&mut Body<S>) -> R) -> R {
        // SAFETY: the series is borrowed for its owner alone, so it does not wait.
        unsafe { self.turn(step) }
    }

    /// What the owner sees.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Body<S>) -> R) -> R {
        self.body.with(|body| {
            // SAFETY: what is looked at does not change while it waits, and it is not Sync.
            look(unsafe { &*body })
        })
    }

    /// One step inside the body.
    ///
    /// # Safety
    /// The caller has the series' turn (I1).
    unsafe fn turn<R>(&self, step: impl FnOnce(&mut Body<S>) -> R) -> R {
        self.body.with_mut(|body| {
            // SAFETY: the caller's promise.
            step(unsafe { &mut *body })
        })
    }
}

impl<S: Deref<Target: WaitSource>> Series<S> {
    /// Begins the wait: asks, and arms what is not ready.
    ///
    /// A source that is ready wins over a deadline that has passed. Blocks: never. Owner only.
    /// Ordering: `Done` is an acquire of what the sources' signallers released.
    ///
    /// # Safety
    /// There is a condition, which does not wait already, nor does another with this `resume` or this `point`. If this returns
    /// `Waiting`, the series, `resume` and `point` stay where they are and are not touched (of the point: by its owner) until
    /// `resume` is scheduled, which may be before this call returns; then its owner calls
    /// [`conclude`](Series::conclude). Instead of that, at any time, its owner may call [`abandon`](Series::abandon).
    pub unsafe fn begin(&self, stage: &dyn Stage, resume: NonNull<Resume>, point: &CancelPoint) -> Progress {
        // SAFETY: nobody has been given the series yet.
        unsafe { self.turn(|body| body.begin_delays(point)) };
        // SAFETY: the caller's promise.
        unsafe { self.go_on(stage, resume, point) }
    }

    /// Begins the wait, or begins it again.
    ///
    /// # Safety
    /// As for `begin`.
    unsafe fn go_on(&self, stage: &dyn Stage, resume: NonNull<Resume>, point: &CancelPoint) -> Progress {
        for _ in 0..ROUNDS_MAX {
            // SAFETY: nobody has been given the series yet.
            if let Some(lone) = unsafe { self.turn(|body| body.lone(point)) } {
                // SAFETY: the turn is ours, the slot free; after `Away` nothing is touched (I1).
                match unsafe { lone.give_away(resume, point) } {
                    Given::Away => return Progress::Waiting,
                    // SAFETY: the turn is still ours.
                    Given::Ready => match unsafe { self.turn(Body::take_ready) } {
                        Some(outcome) => return Progress::Done(outcome),
                        None => continue,
                    },
                    // SAFETY: as above.
                    Given::Cancelled => match unsafe { self.turn(|body| body.disband(stage, point)) } {
                        Some(outcome) => return Progress::Done(outcome),
                        None => continue,
                    },
                }
            }
            // SAFETY: nobody has been given the series yet.
            let root = match unsafe { self.turn(|body| body.start(stage, resume, point)) } {
                Ok(root) => root,
                Err(outcome) => return Progress::Done(outcome),
            };
            // SAFETY: the point keeps the memory. After `true` nothing of the series is touched (I1).
            if unsafe { root.as_ref() }.settle() {
                return Progress::Waiting;
            }
            // SAFETY: the root was resolved while it was armed: the turn is still the armer's.
            if let Some(outcome) = unsafe { self.turn(|body| body.disband(stage, point)) } {
                return Progress::Done(outcome);
            }
        }
        // SAFETY: as above.
        unsafe { self.step_aside(stage, resume, point) }
    }

    /// Waits for nothing but its next turn: others took what this wait was woken for, again and again.
    ///
    /// # Safety
    /// The caller has the turn, and gives it away.
    unsafe fn step_aside(&self, stage: &dyn Stage, resume: NonNull<Resume>, point: &CancelPoint) -> Progress {
        // SAFETY: the caller's promise.
        let root = unsafe { self.turn(|body| body.open_root(resume, point)) };
        // Who cancels may be faster, and the program and its point gone before we fire.
        // SAFETY: the point keeps the memory, and its root is the pool's.
        let _memory = unsafe { SlotPool::of(root.slot) };
        // SAFETY: as above.
        if !unsafe { root.slot.as_ref() }.settle() {
            // SAFETY: cancelled while it was armed: the turn is still ours.
            let outcome = unsafe { self.turn(|body| body.disband(stage, point)) };
            return Progress::Done(outcome.unwrap_or(Outcome::Cancelled));
        }
        if !mutant!("frame.aside") {
            // SAFETY: as above. After `settle` only the slot is touched (I1).
            let moved = unsafe { slot::fire(root.slot, root.generation, Code::Deferred.number()) };
            moved.pay();
        }
        Progress::Waiting
    }

    /// Ends a wait whose header was scheduled, or begins it again if what it waited for was lost to another.
    ///
    /// # Safety
    /// The header of the last [`begin`](Series::begin) or `conclude` was scheduled, and the caller is who it was
    /// scheduled for. The promises of `begin` hold for the new wait.
    pub unsafe fn conclude(
        &self,
        stage: &dyn Stage,
        resume: NonNull<Resume>,
        point: &CancelPoint,
    ) -> Progress {
        // SAFETY: the caller was scheduled: the turn is its own.
        match unsafe { self.turn(|body| body.disband(stage, point)) } {
            Some(outcome) => {
                point.count();
                match outcome {
                    // By far the most common, written anew: a copy would read at once what was written in parts, and wait for it.
                    Outcome::Ready { index } => Progress::Done(Outcome::Ready { index }),
                    other => Progress::Done(other),
                }
            }
            // SAFETY: the caller's promise.
            None => unsafe { self.go_on(stage, resume, point) },
        }
    }

    /// Ends a wait that nobody is interested in any more, at once and without an outcome; nothing is consumed.
    ///
    /// `true`: this call came before every signal, and the header will not be scheduled. `false`: somebody was
    /// faster, and schedules or has scheduled the header, once; the wait is done with all the same, but the header
    /// must stay until then.
    ///
    /// Blocks: never. Owner only.
    ///
    /// # Safety
    /// The last [`begin`](Series::begin) or [`conclude`](Series::conclude) has returned `Waiting` to the caller, who
    /// is the only one that would conclude the wait when it is scheduled, and who won't any more.
    pub unsafe fn abandon(&self, stage: &dyn Stage, point: &CancelPoint) -> bool {
        // SAFETY: whoever resolves the root touches the header and not the series; the caller is the only other.
        unsafe { self.turn(|body| body.abandon(stage, point)) }
    }
}

impl<S> Default for Series<S> {
    fn default() -> Series<S> {
        Series::new()
    }
}

impl<S> std::fmt::Debug for Series<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Series({} branches)", self.look(Body::branch_count))
    }
}
