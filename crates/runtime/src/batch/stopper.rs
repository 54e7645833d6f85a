//! What stops a batch from outside: a condition that is waited for as long as the batch runs.

use super::mailbox::Mailbox;
use crate::runtime::Runtime;
use raddle_status::{Error, Result};
use raddle_task::{Priority, Program, ProgramRun, ProgramView, Step, StepCx};
use raddle_wait::{Condition, NEVER};
use std::sync::Arc;

struct Watch(Option<Condition>);

impl Program for Watch {
    type Shared = Arc<Mailbox>;

    fn step(&mut self, mailbox: &Arc<Mailbox>, mut cx: StepCx<'_>) -> Step {
        match self.0.take() {
            Some(condition) => Step::Wait(condition, NEVER),
            None => {
                // A source that fails stops the batch as well: nobody could stop it otherwise. The end of the batch does not.
                if !cx.is_cancelled() && cx.take_outcome().is_some() {
                    mailbox.stop();
                }
                Step::Done
            }
        }
    }

    fn panicked(&mut self, mailbox: &Arc<Mailbox>, _: Error) {
        mailbox.stop();
    }
}

/// Ends the wait when it is dropped.
pub(super) struct Stopper(ProgramView<Watch>);

impl Stopper {
    pub(super) fn start(runtime: &Runtime, condition: Condition, mailbox: &Arc<Mailbox>) -> Result<Stopper> {
        let scope = runtime.executor().scope("what stops a batch");
        let mut run = ProgramRun::new(&scope, Watch(Some(condition)), mailbox.clone());
        run.start(Priority::High)?;
        Ok(Stopper(run.view().clone()))
    }
}

impl Drop for Stopper {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
