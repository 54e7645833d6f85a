//! What begins the calls of a batch: a program on each worker that takes items from the tray.
//!
//! A call is made on the worker that runs it. Made by the thread of the batch, its memory would cross over to the worker and
//! back, which takes as long as a short call does.
//!
//! Not here: the tray (`tray.rs`), what becomes of results (`engine.rs`).

use super::mailbox::{Letter, Mailbox};
use super::tray::Tray;
use crate::function::Function;
use crate::tuning::{LAUNCHES_MAX, LAUNCHES_NS};
use crate::values::Values;
use raddle_status::{Error, Result};
use raddle_task::{Priority, Program, ProgramFacts, ProgramRun, Scope, Step, StepCx};
use raddle_wait::{Moment, NEVER, after};
use std::sync::Arc;
use std::time::Duration;

/// An item that is to be launched: its number among those in flight, and its arguments.
pub(super) struct Load {
    pub(super) slot: usize,
    /// The function in a state of the item's own; `None`: that of the crew.
    pub(super) own: Option<Function>,
    pub(super) arguments: Values,
}

/// What the launchers of a batch share.
pub(super) struct Crew {
    pub(super) tray: Tray<Load>,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) function: Function,
    pub(super) timeout: Option<Duration>,
}

impl Crew {
    /// Lays an item down for the launchers. Gives everything back that lies there if the runtime is shutting down.
    pub(super) fn lay(self: &Arc<Crew>, load: Load, scope: &Scope) -> Result<(), (Error, Vec<Load>)> {
        if !self.tray.lay(load) {
            return Ok(());
        }
        let launcher = Launcher { taken: Vec::new(), current: None, letters: Vec::new(), at_once: 1 };
        let mut run = ProgramRun::new(scope, launcher, self.clone());
        run.start(Priority::Normal).map_err(|error| (error, self.tray.clear()))
    }

    /// Makes the call of an item and runs it until it waits or ends; a result that comes later goes to the mailbox.
    fn launch(self: &Arc<Crew>, load: Load, now: Moment) -> Option<Letter> {
        let Load { slot, own, arguments } = load;
        let function = own.as_ref().unwrap_or(&self.function);
        let deadline = self.timeout.map_or(NEVER, |time| after(now, time));
        let call = function.invoke_with(arguments).deadline(deadline);
        let result = call.run_or_call_back(|| {
            let mailbox = self.mailbox.clone();
            Box::new(move |result| mailbox.put(slot, result))
        });
        result.map(|result| (slot, result))
    }
}

/// See the head of this file.
struct Launcher {
    /// The last is the next.
    taken: Vec<Load>,
    /// The item that is being launched.
    current: Option<usize>,
    letters: Vec<Letter>,
    /// How many items are taken at a time.
    at_once: usize,
}

impl Program for Launcher {
    type Shared = Arc<Crew>;

    fn step(&mut self, crew: &Arc<Crew>, cx: StepCx<'_>) -> Step {
        if !crew.tray.take(&mut self.taken, self.at_once) {
            return Step::Done;
        }
        self.taken.reverse();
        let begin = cx.now();
        while let Some(load) = self.taken.pop() {
            self.current = Some(load.slot);
            self.letters.extend(crew.launch(load, begin));
        }
        crew.mailbox.put_all(&mut self.letters);
        // Items that take long are taken one by one, so that none waits here while another worker has nothing to do.
        self.at_once = match cx.now().saturating_sub(begin) < LAUNCHES_NS {
            true => (self.at_once * 2).min(LAUNCHES_MAX),
            false => (self.at_once / 2).max(1),
        };
        Step::Yield
    }

    /// A fault of ours, since what panics in a call is caught there: every item that lies here is told of it.
    fn panicked(&mut self, crew: &Arc<Crew>, error: Error) {
        self.letters.extend(self.current.take().map(|slot| (slot, Err(error.clone()))));
        loop {
            self.letters.extend(self.taken.drain(..).map(|load| (load.slot, Err(error.clone()))));
            if !crew.tray.take(&mut self.taken, LAUNCHES_MAX) {
                return crew.mailbox.put_all(&mut self.letters);
            }
        }
    }

    fn describe(_: &Arc<Crew>) -> ProgramFacts {
        ProgramFacts { name: Some("launcher of a batch".to_owned()), condition: None }
    }
}
