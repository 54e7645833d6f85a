//! An invocation as a program of the executor: the VM's outcomes become steps.
//!
//! Not here: the VM, and the executor's side of waits (`raddle-task`'s programs).
//!
//! ```text
//!  idle ── (stateful: wait for the context's turn) ── begin ──┬─ Finished, Failed ──► result published, Done
//!                                                  resume ──► ├─ Waiting ──► Step::Wait
//!                                                             └─ Yielded, OutOfBudget ──► back of the queue
//! ```
//!
//! # Invariants
//! - K1: the turn that was taken is given back once, after the VM has let go of the context.
//!   (by construction: `end`, and `retire` for what never ended)

use crate::completion::Completion;
use crate::function::Inner;
use crate::values::{Outputs, Values};
use raddle_status::{Code, Error, Result};
use raddle_task::{Program, Spent, Step, StepCx};
use raddle_vm::{Idle, Outcome, Slice, Suspended, WaitOutcome};
use raddle_wait::{Condition, Moment, NEVER};
use std::sync::Arc;

/// See the head of this file.
pub(crate) struct Call {
    phase: Phase,
    /// Not while it lies in the function's pool.
    pub(crate) function: Option<Arc<Inner>>,
    pub(crate) arguments: Values,
    pub(crate) deadline: Moment,
    has_turn: bool,
}

#[derive(Default)]
enum Phase {
    Idle(Idle),
    Suspended(Suspended),
    /// A step is under way, or has panicked.
    #[default]
    Taken,
}

impl Call {
    pub(crate) fn new(idle: Idle) -> Call {
        Call {
            phase: Phase::Idle(idle),
            function: None,
            arguments: Values::new(),
            deadline: NEVER,
            has_turn: false,
        }
    }

    /// Takes the turn of a stateful context: `None` if it has it, otherwise what to do.
    fn take_turn(&mut self, cx: &mut StepCx<'_>) -> Option<Result<Step>> {
        let turn = self.function.as_ref()?.turn.as_ref()?;
        if self.has_turn {
            return None;
        }
        match cx.take_outcome().map(WaitOutcome::into_result) {
            None => Some(Ok(Step::Wait(Condition::Until(turn.clone()), self.deadline))),
            Some(Ok(_)) => {
                self.has_turn = true;
                None
            }
            Some(Err(error)) => Some(Err(error.within("in the queue of a stateful session"))),
        }
    }

    fn begin(&mut self, mut idle: Idle, shared: &Completion, mut cx: StepCx<'_>) -> Step {
        // First the turn: one that was handed to us is ours to give back, also if we are cancelled (K1).
        let turn = self.take_turn(&mut cx);
        if cx.is_cancelled() {
            let error = Error::new(Code::Cancelled, "cancelled before it began");
            return self.end(idle, shared, Err(error));
        }
        match turn {
            None => {}
            Some(Ok(step)) => {
                self.phase = Phase::Idle(idle);
                return step;
            }
            Some(Err(error)) => return self.end(idle, shared, Err(error)),
        }
        idle.set_deadline(self.deadline);
        let outcome = idle.begin(&self.arguments, &self.slice(&cx));
        self.arguments.clear();
        self.follow(outcome, shared)
    }

    fn slice<'a>(&self, cx: &StepCx<'a>) -> Slice<'a> {
        let now_ns = if self.deadline == NEVER { 0 } else { cx.now() };
        Slice { now_ns, stop: Some(cx.stop_flag()), ..Slice::default() }
    }

    fn resume(&mut self, suspended: Suspended, shared: &Completion, mut cx: StepCx<'_>) -> Step {
        if cx.is_cancelled() {
            let (idle, error) = suspended.cancel(Error::new(Code::Cancelled, "the invocation was cancelled"));
            return self.end(idle, shared, Err(error));
        }
        let outcome = cx.take_outcome().unwrap_or(WaitOutcome::Ready { index: 0 });
        let outcome = suspended.resume(outcome, &self.slice(&cx));
        self.follow(outcome, shared)
    }

    fn follow(&mut self, outcome: Outcome, shared: &Completion) -> Step {
        match outcome {
            Outcome::Finished(finished) => {
                let count = finished.result_count();
                let values = (0..count).map(|index| finished.result(index).unwrap_or_default());
                let outputs = Outputs::new(values);
                self.end(finished.again(), shared, Ok(outputs))
            }
            Outcome::Waiting(suspended, wait) => {
                self.phase = Phase::Suspended(suspended);
                Step::Wait(wait.condition, wait.deadline_ns)
            }
            Outcome::Yielded(suspended) => {
                self.phase = Phase::Suspended(suspended);
                Step::Yield
            }
            Outcome::OutOfBudget(suspended) => {
                self.phase = Phase::Suspended(suspended);
                Step::OutOfBudget
            }
            Outcome::Busy(idle) => {
                let text = "somebody outside the session holds the turn of its stateful context";
                self.end(idle, shared, Err(Error::new(Code::Unavailable, text)))
            }
            Outcome::Failed(idle, error) => self.end(idle, shared, Err(error)),
        }
    }

    fn end(&mut self, idle: Idle, shared: &Completion, result: Result<Outputs>) -> Step {
        self.phase = Phase::Idle(idle);
        self.give_turn();
        shared.publish(result);
        Step::Done
    }

    fn give_turn(&mut self) {
        if std::mem::take(&mut self.has_turn)
            && let Some(turn) = self.function.as_ref().and_then(|function| function.turn.as_ref())
        {
            turn.release(1);
        }
    }
}

impl Program for Call {
    type Shared = Completion;

    fn step(&mut self, shared: &Completion, cx: StepCx<'_>) -> Step {
        match std::mem::take(&mut self.phase) {
            Phase::Idle(idle) => self.begin(idle, shared, cx),
            Phase::Suspended(suspended) => self.resume(suspended, shared, cx),
            Phase::Taken => unreachable!("a call that has panicked is not run again"),
        }
    }

    fn panicked(&mut self, shared: &Completion, error: Error) {
        self.give_turn();
        shared.publish(Err(error));
    }

    fn ended(shared: &Completion) {
        shared.tell();
    }

    fn retire(mut spent: Spent<Call>) {
        spent.shared().reset();
        let call = spent.program();
        call.arguments.clear();
        call.deadline = NEVER;
        call.give_turn();
        let function = call.function.take();
        if let (Some(function), Phase::Idle(_)) = (function, &call.phase) {
            function.keep(spent.revive());
        }
    }
}
