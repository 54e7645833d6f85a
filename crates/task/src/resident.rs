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
//!   └── revive ◄── retire ◄── last hold ◄─────────┴─ Done ──► ended ──► leave scope ──► done ──► release
//! ```
//!
//! # Invariants
//! - I1: `waits`, `kept` and `program` are touched by the thread that has the duty to run the program: its starter, then
//!   whoever was given the task by a queue. (by construction: one duty per start, yield or resolved wait)
//! - I2: a resident is retired when its handle, the views and the run have all released it. [mutants: program.release]
//! - I3: the scope is left before `done` is set, and `done` is the run's last access but its release.
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
use crate::header::{Owner, Task, TaskRef};
use crate::program::{Program, Step, StepCx};
use crate::program_run::{ProgramView, Spent};
use crate::scope::{self, Member, Scope};
use crate::tuning::INLINE_RESUMES_MAX;
use crate::worker::Cx;
use raddle_status::panic_message;
use raddle_sync::atomic::{AtomicBool, AtomicU32, Ordering::*};
use raddle_sync::{mutant, ord};
use raddle_wait::{CancelPoint, Condition, Event, Frame, Moment, Outcome, Progress, Resume, Stage};
use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::Arc;

/// See the head of this file.
#[repr(C)]
pub(crate) struct Resident<P: Program> {
    /// First, so that the task's owner is the resident.
    pub(crate) owner: Owner,
    pub(crate) task: Task,
    pub(crate) holders: AtomicU32,
    /// Waits that were not satisfied when they began, and have ended.
    pub(crate) suspensions: AtomicU32,
    /// Where it is in its scope; written and read by the run alone.
    pub(crate) place: AtomicU32,
    pub(crate) is_stopped: AtomicBool,
    pub(crate) cancel: CancelPoint,
    pub(crate) done: Event,
    pub(crate) scope: Scope,
    /// The wait that is under way, or was (I1).
    pub(crate) waits: UnsafeCell<Waits>,
    /// How a wait ended, if the step that is told waits for its turn (I1).
    pub(crate) kept: UnsafeCell<Option<Outcome>>,
    pub(crate) program: UnsafeCell<P>,
    pub(crate) shared: P::Shared,
}

/// The waits of a program, one after another in one frame.
#[derive(Default)]
pub(crate) struct Waits {
    /// Made by the first wait; clear while none is under way.
    frame: Option<Frame>,
    /// The frame was begun, and its end has not been looked at.
    is_underway: bool,
}

// SAFETY: I1 for the cells; the rest is Sync.
unsafe impl<P: Program> Sync for Resident<P> {}
// SAFETY: as above; the owner's pointer points into the resident itself.
unsafe impl<P: Program> Send for Resident<P> {}

/// Where the thread that advanced a program stands.
pub(crate) enum Advanced {
    /// It has ended, or the duty was given away to whoever ends its wait. The resident is not touched any more.
    Away,
    Yielded,
    OutOfBudget,
}

impl<P: Program> Resident<P> {
    pub(crate) fn new(scope: &Scope, program: P, shared: P::Shared) -> Box<Resident<P>> {
        let mut resident = Box::new(Resident {
            owner: Owner { run: run::<P>, scope: scope_of::<P> },
            task: Task::new(NonNull::dangling(), 0, schedule::<P>),
            holders: AtomicU32::new(1),
            suspensions: AtomicU32::new(0),
            place: AtomicU32::new(0),
            is_stopped: AtomicBool::new(false),
            cancel: CancelPoint::new(&scope.core().slots),
            done: Event::manual(),
            scope: scope.clone(),
            waits: UnsafeCell::new(Waits::default()),
            kept: UnsafeCell::new(None),
            program: UnsafeCell::new(program),
            shared,
        });
        resident.task.header.owner = NonNull::from(&*resident).cast();
        resident
    }

    /// Runs steps until the program lets go of the thread.
    ///
    /// # Safety
    /// The caller has the duty to run the program (I1), and the run's hold with it.
    pub(crate) unsafe fn advance(this: NonNull<Resident<P>>, tally: Tally<'_>) -> Advanced {
        // SAFETY: the run's hold.
        let me = unsafe { this.as_ref() };
        let (stage, resume) = (&**me.scope.stage(), Task::resume_of(NonNull::from(&me.task)));
        // SAFETY: I1.
        let mut outcome = unsafe { (*me.kept.get()).take() };
        // SAFETY: I1: if a wait is under way, its frame's header has been scheduled.
        let waits = unsafe { &*me.waits.get() };
        if let (true, Some(frame)) = (waits.is_underway, &waits.frame) {
            // SAFETY: the caller runs the task that the frame scheduled; the resident stays in place.
            match unsafe { frame.conclude(stage, resume, Some(&me.cancel)) } {
                Progress::Waiting => return Advanced::Away,
                Progress::Done(done) => {
                    tally.count(|counters| counters.of_waits(&done));
                    outcome = Some(done);
                }
            }
            // SAFETY: the duty is ours, and the frame is closed.
            unsafe { me.end_wait() };
            // This thread is the only one that writes it.
            me.suspensions.store(me.suspensions.load(Relaxed) + 1, Relaxed);
        }
        for _ in 0..INLINE_RESUMES_MAX {
            match me.step(outcome.take()) {
                Step::Done => {
                    // SAFETY: the caller's hold is given up.
                    unsafe { Resident::finish(this) };
                    return Advanced::Away;
                }
                Step::Yield => return Advanced::Yielded,
                Step::OutOfBudget => return Advanced::OutOfBudget,
                Step::Wait(condition, deadline) => {
                    // SAFETY: the caller's promise.
                    match unsafe { me.wait(condition, deadline, stage, tally) } {
                        Progress::Waiting => return Advanced::Away,
                        Progress::Done(done) => outcome = Some(done),
                    }
                }
            }
        }
        // SAFETY: I1.
        unsafe { *me.kept.get() = outcome };
        Advanced::Yielded
    }

    fn step(&self, outcome: Option<Outcome>) -> Step {
        // SAFETY: I1: only called by `advance`.
        let program = unsafe { &mut *self.program.get() };
        let cx = StepCx { outcome, is_stopped: &self.is_stopped, scope: &self.scope };
        let step = catch_unwind(AssertUnwindSafe(|| program.step(&self.shared, cx)));
        step.unwrap_or_else(|payload| {
            program.panicked(&self.shared, panic_message(&*payload));
            Step::Done
        })
    }

    /// Begins a wait. After `Waiting` the resident may be gone.
    ///
    /// # Safety
    /// As for `advance`, whose duty is given away with `Waiting`.
    unsafe fn wait(
        &self,
        condition: Condition,
        deadline: Moment,
        stage: &dyn Stage,
        tally: Tally<'_>,
    ) -> Progress {
        // SAFETY: I1.
        let waits = unsafe { &mut *self.waits.get() };
        let made = match &mut waits.frame {
            Some(frame) => frame.renew(condition, deadline),
            None => Frame::new(&self.scope.core().slots, condition, deadline)
                .map(|frame| waits.frame = Some(frame)),
        };
        if let Err(error) = made {
            return Progress::Done(Outcome::Failed(error));
        }
        waits.is_underway = true;
        // SAFETY: I1; others reach the frame only after it was given away, which `begin` does last.
        let Some(frame) = (unsafe { &(*self.waits.get()).frame }) else { unreachable!("just put there") };
        let resume = Task::resume_of(NonNull::from(&self.task));
        // Counted before, since nothing may be touched after.
        tally.count(|counters| &counters.waits_begun);
        // SAFETY: the resident stays in place; the frame is next touched by `advance`.
        let progress = unsafe { frame.begin(stage, resume, Some(&self.cancel)) };
        if let Progress::Done(_) = progress {
            tally.count(|counters| &counters.waits_inline);
            // SAFETY: the duty is ours, and the frame is closed.
            unsafe { self.end_wait() };
        }
        progress
    }

    /// Lets go of what a wait that has ended waited for.
    ///
    /// # Safety
    /// The caller has the duty to run the program (I1).
    unsafe fn end_wait(&self) {
        // SAFETY: the caller's promise.
        let waits = unsafe { &mut *self.waits.get() };
        waits.is_underway = false;
        if let Some(frame) = &mut waits.frame {
            frame.clear();
        }
    }

    /// Puts the program at the back of the queue.
    ///
    /// # Safety
    /// The caller has the duty to run it, and gives it away.
    pub(crate) unsafe fn enqueue(this: NonNull<Resident<P>>) {
        // SAFETY: the run's hold.
        let me = unsafe { this.as_ref() };
        Core::enqueue_entry(me.scope.core(), NonNull::from(&me.task));
    }

    /// Ends the run.
    ///
    /// # Safety
    /// The caller has the duty and the run's hold, and gives both up.
    unsafe fn finish(this: NonNull<Resident<P>>) {
        // SAFETY: the run's hold, until `release`.
        let me = unsafe { this.as_ref() };
        // What foreign code does with its panic is its own business; the panic hook has printed it.
        let _ = catch_unwind(AssertUnwindSafe(|| P::ended(&me.shared)));
        me.scope.inner().leave(me.place.load(Relaxed));
        me.done.set();
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
        if me.holders.fetch_sub(1, ord!("program.release", AcqRel)) != 1 {
            return;
        }
        // SAFETY: I2: nobody else has a reference. Made by `Box::into_raw`.
        let spent = Spent::new(unsafe { Box::from_raw(this.as_ptr()) });
        let _ = catch_unwind(AssertUnwindSafe(|| P::retire(spent)));
    }

    pub(crate) fn stop(&self) {
        self.is_stopped.store(true, Relaxed);
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
        self.holders.fetch_add(1, Relaxed);
        // SAFETY: I2: registered, so the run holds it; the view is one hold more.
        let view = unsafe { ProgramView::of(NonNull::from(self)) };
        let program = Box::new(move || P::describe(view.shared()));
        let is_stopped = self.is_stopped.load(Relaxed);
        RunFacts { graph: None, program: Some(program), remaining: 1, is_stopped, waits }
    }
}

/// Runs a program from a queue.
fn run<P: Program>(task: TaskRef, cx: Cx<'_>) -> Option<TaskRef> {
    cx.local.count(cx.core, 1);
    // SAFETY: the owner is the first field of the resident, which the run holds.
    let this = NonNull::from(unsafe { task.owner::<Resident<P>>() });
    let tally = Tally::Own(cx.local.counters(cx.core));
    // SAFETY: the queue gave the duty.
    match unsafe { Resident::advance(this, tally) } {
        Advanced::Away => {}
        // SAFETY: the duty is still ours.
        Advanced::Yielded | Advanced::OutOfBudget => unsafe { Resident::enqueue(this) },
    }
    None
}

/// The `schedule` of a program's resume.
unsafe fn schedule<P: Program>(resume: NonNull<Resume>) {
    let task = Task::of_resume(resume);
    // SAFETY: the caller has the duty; the owner of the task is its resident, which the run holds.
    let owner = unsafe { task.as_ref() }.header.owner;
    // SAFETY: as above.
    let resident = unsafe { owner.cast::<Resident<P>>().as_ref() };
    raddle_sync::prefetch(resident);
    P::woken(&resident.shared);
    // SAFETY: the duty is given away.
    unsafe { Core::enqueue(resident.scope.core(), task) };
}

fn scope_of<P: Program>(task: &TaskRef) -> *const scope::Inner {
    // SAFETY: the owner is the first field of the resident, which the run holds.
    let resident: &Resident<P> = unsafe { task.owner() };
    Arc::as_ptr(resident.scope.inner())
}
