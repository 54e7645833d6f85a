//! The host's loop: an executor that is driven from outside.
//!
//! # Invariants
//! - I1: after `turn` returned, [`Executor::fd`] is readable if another turn would make progress.
//!   [mutants: turn.rewake]
//! - I2: one thread turns at a time; a second gets `Busy`. (by construction: the lock)
//!
//! The host counts as a worker that sleeps in the kernel between its turns: work from outside wakes the wait set, whose
//! descriptor the host polls.
//! Models: `tests/loom_turn.rs`.

use crate::bell::Bell;
use crate::core::Core;
use crate::executor::{Driver, Executor};
use crate::worker::Step;
use raddle_status::{Code, Error, Result};
use raddle_sync::mutant;
use raddle_wait::{Moment, NEVER, Sleep};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

/// How much one turn may do.
#[derive(Clone, Copy, Debug)]
pub struct TurnBudget {
    /// Tasks, at most. Unit: tasks.
    pub tasks_max: u32,
}

impl Default for TurnBudget {
    fn default() -> TurnBudget {
        TurnBudget { tasks_max: crate::tuning::TURN_TASKS_MAX }
    }
}

/// What a turn did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Turned {
    /// Steps that ran something.
    pub tasks: u32,
    /// Whether work was left for the next turn: the descriptor is readable.
    pub is_more: bool,
}

impl Executor {
    /// A descriptor that is readable when [`turn`](Executor::turn) would make progress: tasks, a ready source, a due
    /// deadline. Spurious readability is possible; readiness is never missed. For [`Driver::Host`].
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.core().set.fd()
    }

    /// How long until the next deadline, for a host that can't poll the descriptor; `None` for no deadline.
    pub fn next_timeout(&self) -> Option<Duration> {
        let next = self.core().set.next_deadline();
        (next != NEVER).then(|| Duration::from_nanos(next.saturating_sub(self.now())))
    }

    /// Looks at the wait set and runs what is ready, within the budget.
    ///
    /// Blocks: never, beyond what the tasks do. For [`Driver::Host`].
    ///
    /// # Errors
    /// FAILED_PRECONDITION with another driver; UNAVAILABLE when another thread is inside `turn`, or this one is.
    pub fn turn(&self, budget: TurnBudget) -> Result<Turned> {
        turn(self.core(), budget, None)
    }
}

/// Turns until something was done, sleeping in the kernel if need be: for a thread that waits until `bell` rings.
pub(crate) fn turn_blocking(core: &Arc<Core>, bell: &Bell<'_>) -> Result {
    turn(core, TurnBudget::default(), Some(bell)).map(|_| ())
}

/// Turns without sleeping.
pub(crate) fn turn_once(core: &Arc<Core>) -> Result<Turned> {
    turn(core, TurnBudget::default(), None)
}

/// Turns until nothing is ready, or until `until` has come.
pub(crate) fn turn_until(core: &Arc<Core>, until: Moment) -> Result<Turned> {
    let mut sum = Turned::default();
    loop {
        let turned = turn_within(core, Bounds { tasks_max: TurnBudget::default().tasks_max, until }, None)?;
        sum = Turned { tasks: sum.tasks.saturating_add(turned.tasks), is_more: turned.is_more };
        if !turned.is_more || core.now() >= until {
            return Ok(sum);
        }
    }
}

pub(crate) fn turn(core: &Arc<Core>, budget: TurnBudget, sleeper: Option<&Bell<'_>>) -> Result<Turned> {
    turn_within(core, Bounds { tasks_max: budget.tasks_max, until: NEVER }, sleeper)
}

/// How much one turn may do.
#[derive(Clone, Copy)]
struct Bounds {
    tasks_max: u32,
    /// It ends after the task in which this comes.
    until: Moment,
}

fn turn_within(core: &Arc<Core>, bounds: Bounds, sleeper: Option<&Bell<'_>>) -> Result<Turned> {
    let turned = turn_alone(core, bounds, sleeper);
    core.drivers.note(&turned);
    turned
}

fn turn_alone(core: &Arc<Core>, bounds: Bounds, sleeper: Option<&Bell<'_>>) -> Result<Turned> {
    core.check_fork()?;
    if core.driver != Driver::Host {
        let text = "this executor is not driven by its host: build it with Driver::Host, or 0 workers";
        return Err(Error::new(Code::FailedPrecondition, text));
    }
    if !core.is_home() {
        let text = "this executor is driven by the thread that built it, and by no other";
        return Err(Error::new(Code::FailedPrecondition, text));
    }
    let Some(mut host) = core.host.try_lock() else {
        return Err(Error::new(Code::Unavailable, "another turn of this executor is under way"));
    };
    let worker = host.as_mut().expect("an executor that is driven by its host has a worker for it");
    let _entered = worker.local.enter(core);
    // The lock is ours, so nobody's turn but this one can ring the bell, unless it is seen here or wakes the set.
    let may_sleep = worker.local.is_empty() && sleeper.is_some_and(Bell::doze);
    let returned = worker.return_from_host(core, if may_sleep { Sleep::UntilEvent } else { Sleep::Never });
    sleeper.inspect(|bell| bell.rouse());
    returned?;
    let mut turned = Turned::default();
    while turned.tasks < bounds.tasks_max {
        match worker.step(core) {
            Step::Ran => turned.tasks += 1,
            Step::Sleep(_) | Step::Leave => return Ok(turned),
        }
        if bounds.until != NEVER && core.now() >= bounds.until {
            break;
        }
    }
    // The host sleeps from here on, and finds its descriptor readable (I1).
    turned.is_more = true;
    worker.leave_to_host(core);
    if !mutant!("turn.rewake") {
        core.set.wake();
    }
    Ok(turned)
}
