//! A program: something that runs a step at a time, may wait between two steps, and ends once.
//!
//! Not here: what a program computes (an invocation of the VM, say, lives in the crate above), how it is run
//! (`resident.rs`), its handles (`program_run.rs`).

use crate::program_run::Spent;
use crate::scope::Scope;
use raddle_status::Error;
use raddle_sync::atomic::{AtomicBool, Ordering::Relaxed};
use raddle_wait::{Condition, Moment, Outcome};

/// What an executor can run a step at a time.
pub trait Program: Send + Sized + 'static {
    /// What the program shares with those who hold it: where its result goes, say.
    type Shared: Send + Sync + 'static;

    /// Runs until the program ends or lets go of its thread. Should take about a millisecond at most.
    fn step(&mut self, shared: &Self::Shared, cx: StepCx<'_>) -> Step;

    /// `step` has panicked: the program has ended with this failure.
    fn panicked(&mut self, shared: &Self::Shared, error: Error);

    /// The program has ended: tell those who wait. Called once, on the thread that ran the last step; a panic is caught.
    fn ended(&mut self, shared: &Self::Shared) {
        let _ = shared;
    }

    /// The wait of the program has ended, and its resume is about to be queued. Called on the stack of whoever ended it: a
    /// signaller, a canceller, a poller. For traces: it must not block, call back, or touch a wait.
    fn woken(shared: &Self::Shared) {
        let _ = shared;
    }

    /// What dumps call the program, and what it waits on if it knows. Called with no lock held, on any thread.
    fn describe(shared: &Self::Shared) -> ProgramFacts {
        let _ = shared;
        ProgramFacts::default()
    }

    /// Nobody holds the program any more; a pool keeps it and [revives](Spent::revive) it later.
    fn retire(spent: Spent<Self>) {
        drop(spent);
    }
}

/// What a program says of itself in a dump.
#[derive(Clone, Debug, Default)]
pub struct ProgramFacts {
    /// Its name.
    pub name: Option<String>,
    /// What it waited on last.
    pub condition: Option<Condition>,
}

/// What a step came to.
#[derive(Debug)]
#[must_use]
pub enum Step {
    /// The program has ended.
    Done,
    /// Others have their turn first.
    Yield,
    /// The same, because the step took long enough.
    OutOfBudget,
    /// The program goes on when this holds, or at the moment ([`NEVER`](raddle_wait::NEVER) for none).
    Wait(Condition, Moment),
    /// The same for the condition of the wait that this step was told the end of, which costs less than to name it again. If
    /// there is none, the next step is told FAILED_PRECONDITION.
    WaitAgain(Moment),
}

/// What a step can reach.
#[derive(Debug)]
pub struct StepCx<'a> {
    pub(crate) outcome: Option<Outcome>,
    pub(crate) is_stopped: &'a AtomicBool,
    pub(crate) scope: &'a Scope,
}

impl<'a> StepCx<'a> {
    /// How the wait that the last step asked for has ended; `None` in the first step, and after a yield.
    pub fn take_outcome(&mut self) -> Option<Outcome> {
        self.outcome.take()
    }

    /// Whether somebody asked for the program to stop.
    pub fn is_cancelled(&self) -> bool {
        self.is_stopped.load(Relaxed)
    }

    /// The flag behind [`is_cancelled`](StepCx::is_cancelled), for engines that look at it themselves.
    pub fn stop_flag(&self) -> &'a AtomicBool {
        self.is_stopped
    }

    /// The present moment of the executor's clock.
    pub fn now(&self) -> Moment {
        self.scope.core().now()
    }
}
