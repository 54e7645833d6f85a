//! A wait of a graph: what it waits for, and its cell in a run.
//!
//! Not here: the protocol of waits (`raddle-wait`).
//!
//! # Invariants
//! - I1: the series is touched by the thread that runs the cell's task, or after the cell's resume was scheduled by the thread
//!   that then runs it. (by construction: the task is run once per schedule)

#![allow(unsafe_code)]

use crate::graph::after;
use crate::header::{Owner, Task};
use raddle_status::Result;
use raddle_sync::counter::{AtomicU64, Relaxed};
use raddle_wait::{
    CancelPoint, Condition, Moment, NEVER, Outcome, Progress, Resume, Series, SlotPool, Stage,
};
use std::cell::UnsafeCell;
use std::ptr::NonNull;
use std::time::Duration;

/// What a wait of a graph waits for.
pub(crate) struct WaitPlan {
    pub(crate) condition: Condition,
    pub(crate) limit: Limit,
}

/// How long a wait may take.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    None,
    /// It fails when this has passed.
    Deadline(Duration),
    /// It completes when this has passed.
    Delay(Duration),
}

impl WaitPlan {
    /// When a wait that begins now gives up; the clock is only asked if that matters.
    fn gives_up_at(&self, stage: &dyn Stage) -> Moment {
        match self.limit {
            Limit::Deadline(duration) | Limit::Delay(duration) => after(stage.now(), duration),
            Limit::None => NEVER,
        }
    }

    /// What the outcome of the wait means to the task.
    pub(crate) fn result(&self, outcome: Outcome) -> Result {
        match outcome {
            Outcome::TimedOut if matches!(self.limit, Limit::Delay(_)) => Ok(()),
            outcome => outcome.into_result().map(|_| ()),
        }
    }
}

/// What says that no child of a condition has ended its wait.
const NOT_FIRED: u64 = u64::MAX;

/// A wait in a run.
#[repr(C)]
pub(crate) struct WaitCell {
    pub(crate) task: Task,
    pub(crate) cancel: CancelPoint,
    series: UnsafeCell<Series>,
    /// The deadline of the wait, for dumps.
    gives_up_at: AtomicU64,
    /// Which child of the condition ended it; what is after it in the graph reads that.
    fired: AtomicU64,
    /// The task of the graph.
    pub(crate) node: u32,
}

// SAFETY: I1 for the series; the rest is Sync.
unsafe impl Sync for WaitCell {}

impl WaitCell {
    pub(crate) fn new(
        owner: NonNull<Owner>,
        index: u32,
        node: u32,
        schedule: unsafe fn(NonNull<Resume>),
        (slots, plan): (&SlotPool, &WaitPlan),
    ) -> WaitCell {
        let cancel = CancelPoint::new(slots);
        let mut series = Series::new();
        // A condition that is wrong fails its wait when that begins.
        if series.renew(plan.condition.clone(), NEVER).is_ok() {
            series.take_slots(&cancel);
        }
        WaitCell {
            task: Task::new(owner, index, schedule),
            cancel,
            series: UnsafeCell::new(series),
            gives_up_at: AtomicU64::new(NEVER),
            fired: AtomicU64::new(NOT_FIRED),
            node,
        }
    }

    /// Begins the wait.
    ///
    /// # Safety
    /// The caller runs the wait's task of a run that stays until the wait has ended.
    pub(crate) unsafe fn begin(&self, plan: &WaitPlan, stage: &dyn Stage) -> Result<Progress> {
        // SAFETY: I1.
        let series = unsafe { &mut *self.series.get() };
        let deadline = plan.gives_up_at(stage);
        if !series.has_condition() {
            series.renew(plan.condition.clone(), deadline)?;
        }
        series.set_deadline(deadline);
        self.gives_up_at.store(deadline, Relaxed);
        // SAFETY: the cell stays in place; the series is next touched by `conclude`.
        Ok(unsafe { series.begin(stage, self.resume(), &self.cancel) })
    }

    /// Ends the wait, or begins it again.
    ///
    /// # Safety
    /// The caller runs the cell's task, which was scheduled.
    pub(crate) unsafe fn conclude(&self, stage: &dyn Stage) -> Progress {
        // SAFETY: I1.
        let series = unsafe { &mut *self.series.get() };
        // SAFETY: the caller's promise.
        unsafe { series.conclude(stage, self.resume(), &self.cancel) }
    }

    /// Prepares the cell for another run.
    pub(crate) fn reset(&self, priority: u8) {
        self.task.priority.store(priority, Relaxed);
        self.cancel.reset();
        self.fired.store(NOT_FIRED, Relaxed);
    }

    /// Keeps how the wait ended, for the tasks after it.
    pub(crate) fn note(&self, outcome: &Outcome) {
        if let Outcome::Ready { index } = outcome {
            self.fired.store(*index as u64, Relaxed);
        }
    }

    /// Which child of its condition ended it, if one did.
    pub(crate) fn fired(&self) -> Option<usize> {
        let index = self.fired.load(Relaxed);
        (index != NOT_FIRED).then_some(index as usize)
    }

    /// When the wait, if there is one now, gives up: a racy read, for dumps.
    pub(crate) fn gives_up_at(&self) -> Moment {
        self.gives_up_at.load(Relaxed)
    }

    fn resume(&self) -> NonNull<Resume> {
        Task::resume_of(NonNull::from(&self.task))
    }
}
