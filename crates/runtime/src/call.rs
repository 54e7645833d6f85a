//! An invocation as a program of the executor: the VM's outcomes become steps.
//!
//! Not here: the VM, and the executor's side of waits (`raddle-task`'s programs).
//!
//! ```text
//!  idle ── (stateful: wait for the context's turn) ── begin ──┬─ Finished, Failed ──► result published, Done
//!                                                  resume ──► ├─ Waiting ──► Step::Wait
//!                                                             └─ Yielded, OutOfBudget ──► back of the queue
//! ```
//! A function of the asynchronous interface (`coarse.rs`) has finished before its results exist: then the call gives
//! back its turn and waits for the fence that the function signals.
//!
//! # Invariants
//! - K1: the turn that was taken is given back once, after the VM has let go of the context.
//!   (by construction: `end`, and `retire` for what never ended)

use crate::completion::{Completion, Ending};
use crate::function::Inner;
use crate::values::{Outputs, Values};
use raddle_hal::Fence;
use raddle_status::{Code, Error, Result};
use raddle_task::{Program, ProgramFacts, Spent, Step, StepCx};
use raddle_vm::{Idle, Outcome, RefOf, Slice, Suspended, WaitOutcome};
use raddle_wait::{Condition, Moment, NEVER, Readiness};
use std::sync::Arc;

/// See the head of this file.
pub(crate) struct Call {
    phase: Phase,
    /// Not while it lies in the function's pool.
    pub(crate) function: Option<Arc<Inner>>,
    pub(crate) arguments: Values,
    pub(crate) deadline: Moment,
    has_turn: bool,
    /// What a function of the asynchronous interface signals.
    signal: Option<RefOf<Fence>>,
}

#[derive(Default)]
enum Phase {
    Idle(Idle),
    Suspended(Suspended),
    /// The function has finished; its results exist when its fence is reached.
    Pending(Idle, Outputs),
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
            signal: None,
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
        // Whoever waits for the call's fence hears of it also if it never begins.
        if let Some(coarse) = self.function.as_ref().and_then(|function| function.coarse.as_ref()) {
            self.signal = coarse.complete(&mut self.arguments);
        }
        // Then the turn: one that was handed to us is ours to give back, also if we are cancelled (K1).
        let turn = self.take_turn(&mut cx);
        if cx.is_cancelled() {
            let error = Error::new(Code::Cancelled, "cancelled before it began");
            return self.end(idle, shared, Ending::NotStarted, Err(error));
        }
        match turn {
            None => {}
            Some(Ok(step)) => {
                self.phase = Phase::Idle(idle);
                return step;
            }
            Some(Err(error)) => return self.end(idle, shared, Ending::NotStarted, Err(error)),
        }
        let slice = self.slice(&cx);
        if self.deadline <= slice.now_ns {
            let error = Error::new(Code::DeadlineExceeded, "the deadline passed before it began");
            return self.end(idle, shared, Ending::NotStarted, Err(error));
        }
        idle.set_deadline(self.deadline);
        let outcome = idle.begin(&self.arguments, &slice);
        self.arguments.clear();
        self.follow(outcome, shared, &cx, Ending::WhileRunning)
    }

    fn slice<'a>(&self, cx: &StepCx<'a>) -> Slice<'a> {
        let now_ns = if self.deadline == NEVER { 0 } else { cx.now() };
        Slice { now_ns, stop: Some(cx.stop_flag()), ..Slice::default() }
    }

    fn resume(&mut self, suspended: Suspended, shared: &Completion, mut cx: StepCx<'_>) -> Step {
        let outcome = cx.take_outcome();
        let place = if outcome.is_some() { Ending::WhileWaiting } else { Ending::WhileRunning };
        if cx.is_cancelled() {
            let (idle, error) = suspended.cancel(Error::new(Code::Cancelled, "the invocation was cancelled"));
            return self.end(idle, shared, place, Err(error));
        }
        let slice = self.slice(&cx);
        // The VM refuses to go on after the deadline: then it is stopped where it was.
        let place = if self.deadline <= slice.now_ns { place } else { Ending::WhileRunning };
        let outcome = suspended.resume(outcome.unwrap_or(WaitOutcome::Ready { index: 0 }), &slice);
        self.follow(outcome, shared, &cx, place)
    }

    /// `place`: where it was, if it was stopped.
    fn follow(&mut self, outcome: Outcome, shared: &Completion, cx: &StepCx<'_>, place: Ending) -> Step {
        match outcome {
            Outcome::Finished(finished) => {
                let count = finished.result_count();
                let values = (0..count).map(|index| finished.result(index).unwrap_or_default());
                let outputs = Outputs::new(values);
                self.finish(finished.again(), outputs, shared)
            }
            Outcome::Waiting(suspended, wait) => {
                self.phase = Phase::Suspended(suspended);
                if let Some(observer) = &shared.observer {
                    observer.waits(shared, &wait.condition);
                }
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
                self.end(idle, shared, Ending::Failed, Err(Error::new(Code::Unavailable, text)))
            }
            Outcome::Failed(idle, error) => {
                let is_stopped = match error.code() {
                    Code::Cancelled => cx.is_cancelled(),
                    Code::DeadlineExceeded => self.deadline != NEVER && self.deadline <= cx.now(),
                    _ => false,
                };
                let ending = if is_stopped { place } else { Ending::Failed };
                self.end(idle, shared, ending, Err(error))
            }
        }
    }

    /// The function has returned: with results, or with promises of them.
    fn finish(&mut self, idle: Idle, outputs: Outputs, shared: &Completion) -> Step {
        let Some(signal) = &self.signal else { return self.end(idle, shared, Ending::Finished, Ok(outputs)) };
        match signal.query() {
            Readiness::Ready => self.end(idle, shared, Ending::Finished, Ok(outputs)),
            Readiness::Failed(error) => self.end(idle, shared, Ending::Failed, Err(error)),
            Readiness::Pending => {
                let condition = signal.condition();
                self.give_turn();
                self.phase = Phase::Pending(idle, outputs);
                if let Some(observer) = &shared.observer {
                    observer.waits(shared, &condition);
                }
                Step::Wait(condition, self.deadline)
            }
        }
    }

    /// The wait for the results has ended.
    fn settle(&mut self, idle: Idle, outputs: Outputs, shared: &Completion, mut cx: StepCx<'_>) -> Step {
        let outcome = cx.take_outcome().unwrap_or(WaitOutcome::Ready { index: 0 });
        let ending = match outcome {
            WaitOutcome::Ready { .. } => Ending::Finished,
            WaitOutcome::Failed(_) => Ending::Failed,
            _ => Ending::WhileWaiting,
        };
        let place = "waiting for the results of an asynchronous function";
        let result = outcome.into_result().map(|_| outputs).map_err(|error| error.within(place));
        // What the device still does is its own business, and so is its fence.
        self.signal = None;
        self.end(idle, shared, ending, result)
    }

    fn end(&mut self, idle: Idle, shared: &Completion, ending: Ending, result: Result<Outputs>) -> Step {
        self.phase = Phase::Idle(idle);
        if let (Some(signal), Err(error)) = (self.signal.take(), &result) {
            signal.fail(error);
        }
        self.give_turn();
        shared.publish(ending, result);
        Step::Done
    }

    fn give_turn(&mut self) {
        if std::mem::take(&mut self.has_turn)
            && let Some(turn) = self.function.as_ref().and_then(|function| function.turn.as_ref())
        {
            turn.release(1);
        }
    }

    fn go(&mut self, shared: &Completion, cx: StepCx<'_>) -> Step {
        match std::mem::take(&mut self.phase) {
            Phase::Idle(idle) => self.begin(idle, shared, cx),
            Phase::Suspended(suspended) => self.resume(suspended, shared, cx),
            Phase::Pending(idle, outputs) => self.settle(idle, outputs, shared, cx),
            Phase::Taken => unreachable!("a call that has panicked is not run again"),
        }
    }
}

impl Program for Call {
    type Shared = Completion;

    fn step(&mut self, shared: &Completion, cx: StepCx<'_>) -> Step {
        match &shared.observer {
            None => self.go(shared, cx),
            Some(observer) => observer.step(shared, || self.go(shared, cx)),
        }
    }

    fn panicked(&mut self, shared: &Completion, error: Error) {
        if let Some(signal) = self.signal.take() {
            signal.fail(&error);
        }
        self.give_turn();
        shared.publish(Ending::Failed, Err(error));
    }

    fn ended(shared: &Completion) {
        shared.tell();
    }

    fn woken(shared: &Completion) {
        if let Some(observer) = &shared.observer {
            observer.woken(shared);
        }
    }

    fn describe(shared: &Completion) -> ProgramFacts {
        ProgramFacts { name: Some(shared.name().to_owned()), condition: shared.condition() }
    }

    fn retire(mut spent: Spent<Call>) {
        spent.shared().reset();
        let call = spent.program();
        call.arguments.clear();
        call.deadline = NEVER;
        call.signal = None;
        call.give_turn();
        let function = call.function.take();
        if let (Some(function), Phase::Idle(_)) = (function, &call.phase) {
            function.keep(spent.revive());
        }
    }
}
