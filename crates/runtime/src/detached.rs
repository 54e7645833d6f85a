//! The low level's wait: a suspended call, its wait, and a callback.
//!
//! Not here: resuming the call; the callback does that.

use raddle_status::{Error, Result};
use raddle_task::{Priority, Program, ProgramRun, ProgramView, Scope, Step, StepCx};
use raddle_vm::{Suspended, Wait, WaitOutcome};
use raddle_wait::Moment;
use std::fmt;

/// A call that waits, as the VM hands it out: [`Outcome::Waiting`](raddle_vm::Outcome::Waiting).
#[derive(Debug)]
pub struct WaitFrame {
    /// The call.
    pub call: Suspended,
    /// What it waits for.
    pub wait: Wait,
}

pub(crate) type Callback = Box<dyn FnOnce(Suspended, WaitOutcome) + Send>;

pub(crate) struct Waiter {
    rest: Option<(WaitFrame, Callback)>,
    deadline: Moment,
    is_armed: bool,
}

impl Program for Waiter {
    type Shared = ();

    fn step(&mut self, (): &(), mut cx: StepCx<'_>) -> Step {
        if !std::mem::replace(&mut self.is_armed, true)
            && let Some((frame, _)) = &self.rest
        {
            return Step::Wait(frame.wait.condition.clone(), frame.wait.deadline_ns.min(self.deadline));
        }
        let outcome = cx.take_outcome().unwrap_or(WaitOutcome::Cancelled);
        if let Some((frame, callback)) = self.rest.take() {
            callback(frame.call, outcome);
        }
        Step::Done
    }

    /// The callback has panicked; the panic hook has said so.
    fn panicked(&mut self, (): &(), _: Error) {
        self.rest = None;
    }
}

/// A wait that was handed to the runtime. Dropping it changes nothing about the wait.
pub struct DetachedWait(ProgramView<Waiter>);

impl DetachedWait {
    pub(crate) fn start(
        scope: &Scope,
        frame: WaitFrame,
        deadline: Moment,
        callback: Callback,
    ) -> Result<DetachedWait> {
        let waiter = Waiter { rest: Some((frame, callback)), deadline, is_armed: false };
        let mut run = ProgramRun::new(scope, waiter, ());
        run.start(Priority::Normal)?;
        Ok(DetachedWait(run.view().clone()))
    }

    /// Ends the wait as cancelled, which the callback is told; `false` if it has ended already. Blocks: never.
    pub fn cancel(&self) -> bool {
        self.0.cancel()
    }

    /// Whether the callback has returned.
    pub fn is_done(&self) -> bool {
        self.0.is_done()
    }
}

impl fmt::Debug for DetachedWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DetachedWait({:?})", self.0)
    }
}
