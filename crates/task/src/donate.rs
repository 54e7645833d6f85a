//! A thread of the host's that lends itself for a while.
//!
//! Not here: a thread that lends itself to what it waits for (`blocking.rs`), the host's turns (`turn.rs`).

use crate::core::Core;
use crate::executor::{Driver, Executor};
use crate::local::Local;
use crate::tuning::GUESTS_MAX;
use crate::turn::{Turned, turn_until};
use crate::worker::{Cx, run_chain, search};
use raddle_status::{Code, Error, Result};
use raddle_wait::Moment;
use std::sync::Arc;

impl Executor {
    /// Runs what is ready, of any scope, on this thread: until nothing is at hand, or until the task has ended in which
    /// `until` has come. At least one task is run if there is one.
    ///
    /// Blocks: as long as its tasks take; it never sleeps. Works with every driver: with [`Driver::Host`] it is a row of
    /// turns, otherwise this thread is one more worker meanwhile.
    ///
    /// # Errors
    /// UNAVAILABLE when another thread is inside a turn; FAILED_PRECONDITION inside a task of this executor;
    /// RESOURCE_EXHAUSTED when as many threads lend themselves already as it has places for.
    pub fn donate(&self, until: Moment) -> Result<Turned> {
        let core = self.core();
        core.check_fork()?;
        if Local::with_current(core, |_| ()).is_some() {
            let text = "a thread inside a task of this executor works for it already: it can't donate itself";
            return Err(Error::new(Code::FailedPrecondition, text));
        }
        match core.driver {
            Driver::Host => turn_until(core, until),
            Driver::Workers | Driver::Thread => lend(core, until),
        }
    }
}

pub(crate) fn lend(core: &Arc<Core>, until: Moment) -> Result<Turned> {
    let Some(guest) = core.take_guest() else {
        let text =
            format!("{GUESTS_MAX} threads lend themselves to this executor, which is all it has places for");
        return Err(Error::new(Code::ResourceExhausted, text));
    };
    let entered = guest.enter(core);
    guest.woke(core.now());
    let turned = run_until(Cx { core, local: &guest }, until);
    // Others see to what was stolen and not run.
    while let Some(task) = guest.take() {
        core.spill(task);
    }
    drop(entered);
    core.give_guest(guest);
    Ok(turned)
}

fn run_until(cx: Cx<'_>, until: Moment) -> Turned {
    let mut turned = Turned::default();
    loop {
        let task = cx.local.take().or_else(|| {
            let found = search(cx);
            if !cx.local.is_empty() {
                // More was taken than is run at once: the task that was found may be a long one.
                cx.core.notify();
            }
            found
        });
        let Some(task) = task else { return turned };
        if run_chain(cx, task) {
            cx.local.looked(cx.core.now());
            cx.local.share(cx.core);
        }
        turned.tasks += 1;
        if cx.core.now() >= until {
            turned.is_more = !cx.local.is_empty() || cx.core.has_work();
            return turned;
        }
    }
}
