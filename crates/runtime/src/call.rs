//! An invocation as a program of the executor: the VM's outcomes become steps.
//!
//! Not here: the VM, and the executor's side of waits (`raddle-task`'s programs).
//!
//! ```text
//!  prepared ── (stateful: wait for the context's turn) ── begin ──┬─ Finished, Failed ──► result published, Done
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
use crate::observer::Observer;
use crate::values::Values;
use raddle_hal::Fence;
use raddle_status::{Code, Error, Result};
use raddle_task::{Priority, Program, ProgramFacts, Spent, Step, StepCx};
use raddle_vm::{Finished, Idle, Outcome, Prepared, RefOf, Slice, Suspended, WaitOutcome};
use raddle_wait::{Condition, Moment, NEVER, Permits, Readiness};
use std::sync::Arc;

/// See the head of this file.
pub(crate) struct Call {
    phase: Phase,
    pub(crate) deadline: Moment,
    pub(crate) priority: Priority,
    has_turn: bool,
    /// What a function of the asynchronous interface signals.
    signal: Option<RefOf<Fence>>,
}

/// One word and what it stands for: calls that wait are many.
#[derive(Default)]
enum Phase {
    /// In the function's pool, or ended without results.
    Idle(Idle),
    Prepared(Prepared),
    /// It has wrong arguments, and fails when it begins.
    Refused(Box<(Idle, Error)>),
    Suspended(Suspended),
    /// The function has finished; its results exist when its fence is reached.
    Pending(Finished),
    /// A step is under way, or has panicked; or it has ended, and its results are the completion's.
    #[default]
    Taken,
}

const _: () = assert!(size_of::<Call>() <= 40);

impl Call {
    pub(crate) fn new(idle: Idle) -> Call {
        Call {
            phase: Phase::Idle(idle),
            deadline: NEVER,
            priority: Priority::Normal,
            has_turn: false,
            signal: None,
        }
    }

    /// Takes the arguments of a call that is idle.
    pub(crate) fn prepare(&mut self, function: &Inner, mut arguments: Values) {
        if let Some(coarse) = &function.coarse {
            self.signal = coarse.complete(&mut arguments);
        }
        self.phase = match std::mem::take(&mut self.phase) {
            Phase::Idle(idle) => match idle.prepare(&arguments) {
                Ok(prepared) => Phase::Prepared(prepared),
                Err(refused) => Phase::Refused(Box::new(refused)),
            },
            _ => unreachable!("what lies in the pool is idle"),
        };
    }

    /// Takes the turn of a stateful context: `None` if it has it, otherwise what to do.
    fn take_turn(&mut self, shared: &Completion, cx: &mut StepCx<'_>) -> Option<Result<Step>> {
        let turn = turn(shared)?;
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

    fn begin(&mut self, mut prepared: Prepared, shared: &Completion, mut cx: StepCx<'_>) -> Step {
        // First the turn: one that was handed to us is ours to give back, also if we are cancelled (K1).
        let turn = self.take_turn(shared, &mut cx);
        let slice = self.slice(&cx);
        let refusal = match turn {
            _ if cx.is_cancelled() => Error::new(Code::Cancelled, "cancelled before it began"),
            Some(Ok(step)) => {
                self.phase = Phase::Prepared(prepared);
                return step;
            }
            Some(Err(error)) => error,
            None if self.deadline <= slice.now_ns => {
                Error::new(Code::DeadlineExceeded, "the deadline passed before it began")
            }
            None => {
                prepared.set_deadline(self.deadline);
                let outcome = prepared.begin(&slice);
                return self.follow(outcome, shared, &cx, Ending::WhileRunning);
            }
        };
        self.fail(prepared.give_up(), shared, Ending::NotStarted, refusal)
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
            return self.fail(idle, shared, place, error);
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
            Outcome::Finished(finished) => self.finish(finished, shared),
            Outcome::Waiting(suspended, wait) => {
                self.phase = Phase::Suspended(suspended);
                if let Some(observer) = shared.observer() {
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
                self.fail(idle, shared, Ending::Failed, Error::new(Code::Unavailable, text))
            }
            Outcome::Failed(idle, error) => {
                let is_stopped = match error.code() {
                    Code::Cancelled => cx.is_cancelled(),
                    Code::DeadlineExceeded => self.deadline != NEVER && self.deadline <= cx.now(),
                    _ => false,
                };
                let ending = if is_stopped { place } else { Ending::Failed };
                self.fail(idle, shared, ending, error)
            }
        }
    }

    /// The function has returned: with results, or with promises of them.
    fn finish(&mut self, finished: Finished, shared: &Completion) -> Step {
        let Some(signal) = &self.signal else { return self.succeed(finished, shared) };
        match signal.query() {
            Readiness::Ready => self.succeed(finished, shared),
            Readiness::Failed(error) => self.fail(finished.again(), shared, Ending::Failed, error),
            Readiness::Pending => {
                let condition = signal.condition();
                self.give_turn(shared);
                self.phase = Phase::Pending(finished);
                if let Some(observer) = shared.observer() {
                    observer.waits(shared, &condition);
                }
                Step::Wait(condition, self.deadline)
            }
        }
    }

    /// The wait for the results has ended.
    fn settle(&mut self, finished: Finished, shared: &Completion, mut cx: StepCx<'_>) -> Step {
        let outcome = cx.take_outcome().unwrap_or(WaitOutcome::Ready { index: 0 });
        let ending = match outcome {
            WaitOutcome::Ready { .. } => return self.succeed(finished, shared),
            WaitOutcome::Failed(_) => Ending::Failed,
            _ => Ending::WhileWaiting,
        };
        // What the device still does is its own business, and so is its fence.
        self.signal = None;
        let error = outcome.into_result().expect_err("it is not ready");
        let error = error.within("waiting for the results of an asynchronous function");
        self.fail(finished.again(), shared, ending, error)
    }

    fn succeed(&mut self, finished: Finished, shared: &Completion) -> Step {
        self.signal = None;
        self.give_turn(shared);
        shared.publish(Ending::Finished, Ok(finished));
        Step::Done
    }

    fn fail(&mut self, idle: Idle, shared: &Completion, ending: Ending, error: Error) -> Step {
        self.phase = Phase::Idle(idle);
        if let Some(signal) = self.signal.take() {
            signal.fail(&error);
        }
        self.give_turn(shared);
        shared.publish(ending, Err(error));
        Step::Done
    }

    fn give_turn(&mut self, shared: &Completion) {
        if std::mem::take(&mut self.has_turn)
            && let Some(turn) = turn(shared)
        {
            turn.release(1);
        }
    }

    /// Apart, so that what nobody watches is one piece.
    #[cold]
    fn observed(&mut self, observer: &Observer, shared: &Completion, cx: StepCx<'_>) -> Step {
        observer.step(shared, || self.go(shared, cx))
    }

    #[inline(always)]
    fn go(&mut self, shared: &Completion, cx: StepCx<'_>) -> Step {
        match std::mem::take(&mut self.phase) {
            Phase::Prepared(prepared) => self.begin(prepared, shared, cx),
            Phase::Refused(refused) => self.fail(refused.0, shared, Ending::Failed, refused.1),
            Phase::Suspended(suspended) => self.resume(suspended, shared, cx),
            Phase::Pending(finished) => self.settle(finished, shared, cx),
            Phase::Idle(_) | Phase::Taken => unreachable!("a call that has ended is not run again"),
        }
    }
}

impl Program for Call {
    type Shared = Completion;

    fn step(&mut self, shared: &Completion, cx: StepCx<'_>) -> Step {
        match shared.observer() {
            None => self.go(shared, cx),
            Some(observer) => self.observed(observer, shared, cx),
        }
    }

    fn panicked(&mut self, shared: &Completion, error: Error) {
        if let Some(signal) = self.signal.take() {
            signal.fail(&error);
        }
        self.give_turn(shared);
        shared.publish(Ending::Failed, Err(error));
    }

    fn ended(shared: &Completion) {
        shared.tell();
    }

    fn woken(shared: &Completion) {
        if let Some(observer) = shared.observer() {
            observer.woken(shared);
        }
    }

    fn describe(shared: &Completion) -> ProgramFacts {
        ProgramFacts { name: Some(shared.name().to_owned()), condition: shared.condition() }
    }

    fn retire(mut spent: Spent<Call>) {
        let emptied = spent.shared().reset().map(Finished::again);
        let function = spent.shared().function.take();
        let call = spent.program();
        (call.deadline, call.priority) = (NEVER, Priority::Normal);
        call.signal = None;
        call.phase = match (std::mem::take(&mut call.phase), emptied) {
            (_, Some(idle)) | (Phase::Idle(idle), None) => Phase::Idle(idle),
            (Phase::Prepared(prepared), None) => Phase::Idle(prepared.give_up()),
            (Phase::Refused(refused), None) => Phase::Idle(refused.0),
            // It has panicked.
            (Phase::Suspended(_) | Phase::Pending(_) | Phase::Taken, None) => return,
        };
        if let Some(function) = function {
            function.keep(spent);
        }
    }
}

/// The turn of a stateful context.
fn turn(shared: &Completion) -> Option<&Arc<Permits>> {
    shared.function.as_ref()?.turn.as_ref()
}
