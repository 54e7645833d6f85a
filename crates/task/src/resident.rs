//! A program in its place: the block that queues, scope and wakers point to.
//!
//! Not here: what a program is (`program.rs`), its handles (`program_run.rs`), graphs (`block.rs`).
//!
//! # Life
//! ```text
//!  new ──► start | run ──► enter scope ──► step ──┬─ Yield, OutOfBudget ──► back of the queue ──► step …
//!   ▲                                       ▲     ├─ Wait ── ready already ──► step … (a bounded number in a row)
//!   │                                       │     │    └──── waits ──► fire | cancel | deadline ──► resume task
//!   │                                       └─────│──────────────────────────────────────────────────┘
//!   └── revive ◄── retire ◄── last hold ◄─────────┴─ Done ──► ended ──► leave scope ──► end ──► release
//! ```
//!
//! # Invariants
//! - I1: `waits` and `program` are touched by the thread that has the duty to run the program: its starter, then
//!   whoever was given the task by a queue. (by construction: one duty per start, yield or resolved wait)
//! - I2: a resident is retired when its handle, the views and the run have all released it. [mutants: program.release]
//! - I3: the scope is left before the end comes, and that is the run's last access but its release.
//!   (by construction: `finish`)
//! - I4: who stops a program does so before it ends or not at all: the flag is raised, then the wait that is under way or
//!   the next one ends as cancelled (I1 of the wait crate's `cancel.rs`).
//!   [mutants: program.stop, cancel.request, cancel.publish]
//!
//! # Orderings
//! `release` is AcqRel: whoever retires the resident has seen everything.
//! Models: `tests/loom_program.rs`.

#![allow(unsafe_code)]

use crate::core::Core;
use crate::counters::Tally;
use crate::dump_scope::RunFacts;
use crate::end::End;
use crate::header::{Owner, Task, TaskRef};
use crate::program::{Program, Step, StepCx};
use crate::program_run::{ProgramView, Spent};
use crate::scope::{self, Member, Scope};
use crate::tuning::INLINE_RESUMES_MAX;
use crate::worker::Cx;
use raddle_status::{Code, Error, panic_message};
use raddle_sync::atomic::{AtomicU32, Ordering::*};
use raddle_sync::{mutant, ord};
use raddle_wait::{CancelPoint, Condition, Moment, Outcome, Progress, Resume, Series, Stage};
use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::Arc;

/// See the head of this file.
#[repr(C)]
pub(crate) struct Resident<P: Program> {
    /// First, so that a task leads to its resident.
    pub(crate) task: Task,
    pub(crate) cancel: CancelPoint,
    pub(crate) end: End,
    pub(crate) scope: Scope,
    /// The wait that is under way; or how one ended, if the step that is told waits for its turn (I1).
    waits: UnsafeCell<Series>,
    pub(crate) program: UnsafeCell<P>,
    pub(crate) shared: P::Shared,
}

// SAFETY: I1 for the cells; the rest is Sync.
unsafe impl<P: Program> Sync for Resident<P> {}
// SAFETY: as above; the owner is a constant.
unsafe impl<P: Program> Send for Resident<P> {}

/// Where the thread that advanced a program stands.
pub(crate) enum Advanced {
    /// It has ended, or the duty was given away to whoever ends its wait. The resident is not touched any more.
    Away,
    Yielded,
    OutOfBudget,
}

impl<P: Program> Resident<P> {
    /// What an executor adds to a program that waits, its slot included, is little.
    const SIZE: () = assert!(
        size_of::<Self>() <= (size_of::<P>() + size_of::<P::Shared>()).next_multiple_of(8) + 168
            || align_of::<Self>() > 8
            || !raddle_sync::IS_NATIVE
    );

    const OWNER: &'static Owner = &Owner {
        run: run::<P>,
        scope: scope_of::<P>,
        member: |task| task.cast::<Resident<P>>() as NonNull<dyn Member>,
    };

    pub(crate) fn new(scope: &Scope, program: P, shared: P::Shared) -> Box<Resident<P>> {
        let () = Self::SIZE;
        let task = Task::new(NonNull::from(Self::OWNER), 0, schedule::<P>);
        task.header.pending.store(1, Relaxed);
        Box::new(Resident {
            task,
            // SAFETY: the scope keeps the core and its pool, and goes after the point.
            cancel: unsafe { CancelPoint::lent(&scope.core().slots) },
            end: End::default(),
            scope: scope.clone(),
            waits: UnsafeCell::new(Series::new()),
            program: UnsafeCell::new(program),
            shared,
        })
    }

    /// The task of a resident, in a pointer that leads back to all of it.
    pub(crate) fn task(this: NonNull<Resident<P>>) -> NonNull<Task> {
        this.cast()
    }

    /// How many hold it: handle, views and the run.
    pub(crate) fn holders(&self) -> &AtomicU32 {
        &self.task.header.pending
    }

    /// Runs steps until the program lets go of the thread.
    ///
    /// # Safety
    /// The caller has the duty to run the program (I1), and the run's hold with it.
    pub(crate) unsafe fn advance(this: NonNull<Resident<P>>, tally: Tally<'_>) -> Advanced {
        // SAFETY: the run's hold.
        let me = unsafe { this.as_ref() };
        let (stage, resume) = (&**me.scope.stage(), Task::resume_of(Resident::task(this)));
        // SAFETY: I1.
        let waits = unsafe { &mut *me.waits.get() };
        let mut outcome = match waits.take_kept() {
            // If a wait is under way, its header has been scheduled.
            // SAFETY: the caller runs the task that the wait scheduled; the resident stays in place.
            None if waits.has_condition() => match unsafe { waits.conclude(stage, resume, &me.cancel) } {
                Progress::Waiting => return Advanced::Away,
                Progress::Done(done) => {
                    tally.count(|counters| counters.of_waits(&done));
                    Some(done)
                }
            },
            kept => kept,
        };
        for _ in 0..INLINE_RESUMES_MAX {
            let (condition, deadline) = match me.step(outcome) {
                Step::Wait(condition, deadline) => (Some(condition), deadline),
                Step::WaitAgain(deadline) => (None, deadline),
                rest => {
                    // SAFETY: I1: nothing is under way. The program did not wait for it again.
                    unsafe { &mut *me.waits.get() }.clear();
                    if let Step::Done = rest {
                        // SAFETY: the caller's hold is given up.
                        unsafe { Resident::finish(this) };
                        return Advanced::Away;
                    }
                    let is_free = matches!(rest, Step::Yield);
                    return if is_free { Advanced::Yielded } else { Advanced::OutOfBudget };
                }
            };
            // SAFETY: the caller's promise.
            match unsafe { me.wait(condition, deadline, stage, tally) } {
                Progress::Waiting => return Advanced::Away,
                Progress::Done(done) => outcome = Some(done),
            }
        }
        if let Some(outcome) = outcome {
            // SAFETY: I1.
            unsafe { &mut *me.waits.get() }.keep(outcome);
        }
        Advanced::Yielded
    }

    fn step(&self, outcome: Option<Outcome>) -> Step {
        // SAFETY: I1: only called by `advance`.
        let program = unsafe { &mut *self.program.get() };
        let cx = StepCx { outcome, is_stopped: self.cancel.flag(), scope: &self.scope };
        let step = catch_unwind(AssertUnwindSafe(|| program.step(&self.shared, cx)));
        step.unwrap_or_else(|payload| {
            program.panicked(&self.shared, panic_message(&*payload));
            Step::Done
        })
    }

    /// Begins a wait, without a condition that of the last one. After `Waiting` the resident may be gone.
    ///
    /// # Safety
    /// As for `advance`, whose duty is given away with `Waiting`.
    unsafe fn wait(
        &self,
        condition: Option<Condition>,
        deadline: Moment,
        stage: &dyn Stage,
        tally: Tally<'_>,
    ) -> Progress {
        // SAFETY: I1.
        let waits = unsafe { &mut *self.waits.get() };
        let made = match condition {
            Some(condition) => waits.renew(condition, deadline),
            None if waits.again(deadline) => Ok(()),
            None => Err(Error::new(Code::FailedPrecondition, "there is no wait that could be begun again")),
        };
        if let Err(error) = made {
            return Progress::Done(Outcome::Failed(error));
        }
        // SAFETY: I1; others reach it only after it was given away, which `begin` does last.
        let waits = unsafe { &*self.waits.get() };
        let resume = Task::resume_of(Resident::task(NonNull::from(self)));
        // Counted before, since nothing may be touched after.
        tally.count(|counters| &counters.waits_begun);
        // SAFETY: the resident stays in place; the series is next touched by `advance`.
        let progress = unsafe { waits.begin(stage, resume, &self.cancel) };
        if let Progress::Done(_) = progress {
            tally.count(|counters| &counters.waits_inline);
        }
        progress
    }

    /// Puts the program at the back of the queue of its core, which the caller keeps.
    ///
    /// # Safety
    /// The caller has the duty to run it, and gives it away.
    pub(crate) unsafe fn enqueue(this: NonNull<Resident<P>>, core: &Core) {
        // SAFETY: the caller's duty.
        unsafe { core.enqueue_entry(Resident::task(this)) };
    }

    /// Ends the run.
    ///
    /// # Safety
    /// The caller has the duty and the run's hold, and gives both up.
    unsafe fn finish(this: NonNull<Resident<P>>) {
        // SAFETY: the run's hold, until `release`.
        let me = unsafe { this.as_ref() };
        me.scope.inner().fetch(me.task.place.load(Relaxed));
        // What foreign code does with its panic is its own business; the panic hook has printed it.
        // SAFETY: I1.
        let _ = catch_unwind(AssertUnwindSafe(|| unsafe { &mut *me.program.get() }.ended(&me.shared)));
        me.scope.inner().leave(me.task.place.load(Relaxed));
        me.end.come();
        // SAFETY: the run's hold.
        unsafe { Resident::release(this) };
    }

    /// Gives up one hold; the last retires the program.
    ///
    /// # Safety
    /// The caller had a hold, and does not touch the resident afterwards.
    pub(crate) unsafe fn release(this: NonNull<Resident<P>>) {
        // SAFETY: the caller's hold.
        let me = unsafe { this.as_ref() };
        if me.holders().fetch_sub(1, ord!("program.release", AcqRel)) != 1 {
            return;
        }
        // SAFETY: I2: nobody else has a reference. Made by `Box::into_raw`.
        let spent = Spent::new(unsafe { Box::from_raw(this.as_ptr()) });
        let _ = catch_unwind(AssertUnwindSafe(|| P::retire(spent)));
    }

    pub(crate) fn stop(&self) {
        if !mutant!("program.stop") {
            self.cancel.request();
        }
    }
}

impl<P: Program> Member for Resident<P> {
    fn cancel_waits(&self) {
        self.stop();
    }

    fn describe(&self) -> RunFacts {
        let is_waiting = self.cancel.is_waiting();
        let waits = if is_waiting { vec![(0, raddle_wait::NEVER)] } else { Vec::new() };
        self.holders().fetch_add(1, Relaxed);
        // SAFETY: I2: registered, so the run holds it; the view is one hold more.
        let view = unsafe { ProgramView::of(NonNull::from(self)) };
        let program = Box::new(move || P::describe(view.shared()));
        let is_stopped = self.cancel.is_requested();
        RunFacts { graph: None, program: Some(program), remaining: 1, is_stopped, waits }
    }
}

/// Runs a program from a queue.
fn run<P: Program>(task: TaskRef, cx: Cx<'_>) -> Option<TaskRef> {
    cx.local.count(cx.core, 1);
    // The task is the first field of the resident, which the run holds.
    let this = task.0.cast::<Resident<P>>();
    let tally = Tally::Own(cx.local.counters(cx.core));
    // SAFETY: the queue gave the duty.
    match unsafe { Resident::advance(this, tally) } {
        Advanced::Away => {}
        // SAFETY: the duty is still ours.
        Advanced::Yielded | Advanced::OutOfBudget => unsafe { Resident::enqueue(this, cx.core) },
    }
    None
}

/// The `schedule` of a program's resume.
unsafe fn schedule<P: Program>(resume: NonNull<Resume>) {
    let task = Task::of_resume(resume);
    // SAFETY: the caller has the duty; the task is the first field of the resident, which the run holds.
    let resident = unsafe { task.cast::<Resident<P>>().as_ref() };
    raddle_sync::prefetch(resident);
    P::woken(&resident.shared);
    // SAFETY: the duty is given away.
    unsafe { Core::enqueue(resident.scope.core(), task) };
}

fn scope_of<P: Program>(task: &TaskRef) -> *const scope::Inner {
    // SAFETY: the task is the first field of the resident, which the run holds.
    let resident = unsafe { task.0.cast::<Resident<P>>().as_ref() };
    Arc::as_ptr(resident.scope.inner())
}
