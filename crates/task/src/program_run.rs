//! The handles on a program: the one that starts it, the views, and what is left when nobody holds it.
//!
//! Not here: how it runs (`resident.rs`).
//!
//! # Invariants
//! - I1: a program is started once: only its `ProgramRun` does, which remembers. (by construction: it is not `Clone`)
//! - I2: every view is a hold (I2 of `resident.rs`). (by construction: `clone`, `drop`)

#![allow(unsafe_code)]

use crate::block::closed;
use crate::blocking;
use crate::header::NOWHERE;
use crate::priority::Priority;
use crate::program::Program;
use crate::resident::{Advanced, Resident};
use crate::scope::Scope;
use raddle_status::Result;
use raddle_sync::atomic::Ordering::*;
use raddle_wait::Moment;
use std::fmt;
use std::ptr::NonNull;

/// The one handle by which a program is started. Dropping it changes nothing about a program that was started.
#[must_use = "a program that is not started does nothing"]
pub struct ProgramRun<P: Program>(ProgramView<P>);

impl<P: Program> ProgramRun<P> {
    /// A program that will run in `scope`.
    pub fn new(scope: &Scope, program: P, shared: P::Shared) -> ProgramRun<P> {
        ProgramRun::of(Resident::new(scope, program, shared))
    }

    fn of(resident: Box<Resident<P>>) -> ProgramRun<P> {
        ProgramRun(ProgramView(NonNull::from(Box::leak(resident))))
    }

    /// The program, until it is started.
    pub fn program_mut(&mut self) -> Option<&mut P> {
        // SAFETY: I1: nobody runs it, and this handle is the only one that starts it.
        (!self.has_started()).then(|| unsafe { &mut *self.0.resident().program.get() })
    }

    /// How urgent it will be, or is: [`Priority::Normal`] until somebody says otherwise.
    pub fn priority(&self) -> Priority {
        Priority::from_level(self.0.resident().task.priority.load(Relaxed))
    }

    /// Says so for a program that is started with this [`priority`](ProgramRun::priority).
    pub fn set_priority(&mut self, priority: Priority) {
        if !self.has_started() {
            self.0.resident().task.priority.store(priority as u8, Relaxed);
        }
    }

    /// Whether it was started.
    pub fn has_started(&self) -> bool {
        self.0.resident().task.place.load(Relaxed) != NOWHERE
    }

    /// Gives the program to the workers, once; later calls do nothing. Blocks: never.
    ///
    /// # Errors
    /// FAILED_PRECONDITION when the executor is shutting down: the program was not started.
    pub fn start(&mut self, priority: Priority) -> Result {
        if self.enter(priority)? {
            // SAFETY: `enter` gave us the duty.
            unsafe { Resident::enqueue(self.0.0, self.0.scope().core()) };
        }
        Ok(())
    }

    /// Runs the program on this thread, once, until it waits, yields or ends; a worker gets it only then. A program that is
    /// merely out of budget goes on here, until `patience`.
    ///
    /// Blocks: as long as the program runs without waiting.
    ///
    /// # Errors
    /// As for [`start`](ProgramRun::start).
    pub fn run(&mut self, priority: Priority, patience: Moment) -> Result {
        if !self.enter(priority)? {
            return Ok(());
        }
        // The view keeps the executor's core, and this thread its counters.
        let tally = self.0.scope().core().tally();
        loop {
            // SAFETY: `enter` gave us the duty, and `OutOfBudget` leaves it with us.
            match unsafe { Resident::advance(self.0.0, tally) } {
                Advanced::Away => return Ok(()),
                Advanced::OutOfBudget if self.0.scope().core().now() < patience => {}
                Advanced::Yielded | Advanced::OutOfBudget => {
                    // SAFETY: the duty is still ours.
                    unsafe { Resident::enqueue(self.0.0, self.0.scope().core()) };
                    return Ok(());
                }
            }
        }
    }

    /// Enters the scope, with a hold for the run; `false` if it was started before.
    fn enter(&mut self, priority: Priority) -> Result<bool> {
        if self.has_started() {
            return Ok(false);
        }
        let me = self.0.resident();
        if me.scope.core().is_closed.load(Relaxed) {
            return Err(closed());
        }
        me.task.priority.store(priority as u8, Relaxed);
        me.holders().fetch_add(1, Relaxed);
        // SAFETY: the run's hold keeps the resident until it has left the scope.
        let Some(place) = (unsafe { me.scope.inner().enter(Resident::task(self.0.0)) }) else {
            me.holders().fetch_sub(1, Relaxed);
            return Err(closed());
        };
        me.task.place.store(place, Relaxed);
        if me.scope.inner().has_failed() {
            me.stop();
        }
        Ok(true)
    }

    /// The handle for everything but starting.
    pub fn view(&self) -> &ProgramView<P> {
        &self.0
    }
}

/// A hold on a program: its shared part, its end, its cancellation. Cheap to clone; thread-safe.
pub struct ProgramView<P: Program>(NonNull<Resident<P>>);

// SAFETY: the resident is Send and Sync; what a view reaches is `shared`, flags and sources.
unsafe impl<P: Program> Send for ProgramView<P> {}
// SAFETY: as above.
unsafe impl<P: Program> Sync for ProgramView<P> {}

impl<P: Program> ProgramView<P> {
    /// A view on a resident.
    ///
    /// # Safety
    /// The resident lives, and was given one hold for the view.
    pub(crate) unsafe fn of(resident: NonNull<Resident<P>>) -> ProgramView<P> {
        ProgramView(resident)
    }

    fn resident(&self) -> &Resident<P> {
        // SAFETY: I2: the view is a hold.
        unsafe { self.0.as_ref() }
    }

    /// The part that is shared.
    pub fn shared(&self) -> &P::Shared {
        &self.resident().shared
    }

    /// The scope that it runs in.
    pub fn scope(&self) -> &Scope {
        &self.resident().scope
    }

    /// Whether it has ended.
    pub fn is_done(&self) -> bool {
        self.resident().end.has_come()
    }

    /// How often it was suspended so far. Unit: waits that were not satisfied when they began, and have ended.
    pub fn suspensions(&self) -> u32 {
        self.resident().cancel.waited()
    }

    /// Whether it waits at this moment: a racy look, for dumps and tests.
    pub fn is_waiting(&self) -> bool {
        self.resident().cancel.is_waiting()
    }

    /// Waits until it has ended.
    ///
    /// Blocks: until then, or until `deadline` on the executor's clock. On a worker it runs other tasks of the program's
    /// scope meanwhile; without workers it turns the executor.
    ///
    /// # Errors
    /// DEADLINE_EXCEEDED (the program goes on); FAILED_PRECONDITION where it would put the last worker to sleep.
    pub fn wait_until(&self, deadline: Moment) -> Result {
        let me = self.resident();
        match me.end.event() {
            None => Ok(()),
            Some(event) => blocking::wait(me.scope.core(), me.scope.inner(), event, deadline),
        }
    }

    /// Asks the program to stop: its wait ends as cancelled, its next step sees the flag. `false` if it has ended already.
    ///
    /// Blocks: never.
    pub fn cancel(&self) -> bool {
        let is_late = self.is_done();
        if !is_late {
            self.resident().stop();
        }
        !is_late
    }
}

impl<P: Program> Clone for ProgramView<P> {
    fn clone(&self) -> ProgramView<P> {
        self.resident().holders().fetch_add(1, Relaxed);
        ProgramView(self.0)
    }
}

impl<P: Program> Drop for ProgramView<P> {
    fn drop(&mut self) {
        // SAFETY: the view is a hold, and goes.
        unsafe { Resident::release(self.0) };
    }
}

impl<P: Program> fmt::Debug for ProgramView<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Program({})", if self.is_done() { "ended" } else { "not ended" })
    }
}

impl<P: Program> fmt::Debug for ProgramRun<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// A program that nobody holds any more, with its memory.
pub struct Spent<P: Program> {
    resident: Box<Resident<P>>,
}

impl<P: Program> Spent<P> {
    pub(crate) fn new(resident: Box<Resident<P>>) -> Spent<P> {
        Spent { resident }
    }

    /// The program.
    pub fn program(&mut self) -> &mut P {
        self.resident.program.get_mut()
    }

    /// The part that was shared.
    pub fn shared(&mut self) -> &mut P::Shared {
        &mut self.resident.shared
    }

    /// A handle on the same memory, for another run in the same scope.
    pub fn revive(mut self) -> ProgramRun<P> {
        self.resident.holders().store(1, Relaxed);
        self.resident.task.place.store(NOWHERE, Relaxed);
        self.resident.task.priority.store(Priority::Normal as u8, Relaxed);
        self.resident.cancel.reset();
        self.resident.end.reset();
        ProgramRun::of(self.resident)
    }
}

impl<P: Program> fmt::Debug for Spent<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spent")
    }
}
