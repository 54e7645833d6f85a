//! A callback for what has ended already: called later, like every other, and never on its giver's stack.
//!
//! Not here: callbacks that came in time (`completion.rs`).

use crate::completion::Callback;
use crate::values::Outputs;
use raddle_status::{Error, Result};
use raddle_task::{Priority, Program, ProgramRun, Scope, Step, StepCx};

/// The callback and what it is called with.
type Call = (Callback, Result<Outputs>);

struct Late(Option<Call>);

impl Program for Late {
    type Shared = ();

    fn step(&mut self, (): &(), _: StepCx<'_>) -> Step {
        Step::Done
    }

    fn panicked(&mut self, (): &(), _: Error) {}

    fn ended(&mut self, (): &()) {
        if let Some((callback, result)) = self.0.take() {
            callback(result);
        }
    }
}

/// Has the callback called by a worker or in the host's turn; here, if the runtime has ended: nobody else is left.
pub(crate) fn call(scope: &Scope, callback: Callback, result: Result<Outputs>) {
    let mut run = ProgramRun::new(scope, Late(Some((callback, result))), ());
    if run.start(Priority::Normal).is_err()
        && let Some(late) = run.program_mut()
    {
        late.ended(&());
    }
}
