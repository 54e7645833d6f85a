//! An invocation as a program of the executor: the VM's outcomes become steps.
//!
//! Not here: the VM, and the executor's side of waits (`raddle-task`'s programs).
//!
//! ```text
//!  prepared ── (stateful: wait for the context's turn) ── begin ──┬─ Finished, Failed ──► Done; then the end is told
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
use raddle_task::{Program, ProgramFacts, Spent, Step, StepCx};
use raddle_vm::{Finished, Idle, Outcome, Prepared, RefOf, Slice, Suspended, WaitOutcome};
use raddle_wait::{Condition, Moment, NEVER, Permits, Readiness};
use std::sync::Arc;

/// See the head of this file.
pub(crate) struct Call {
    phase: Phase,
    /// What a function of the asynchronous interface signals.
    signal: Option<RefOf<Fence>>,
}

/// One word and what it stands for: calls that wait are many.
enum Phase {
    /// In the function's pool, or ended without results.
    Idle(Idle),
    Prepared(Prepared),
    /// It has wrong arguments or no memory, and fails when it begins.
    Refused(Box<Failure>),
    Suspended(Suspended),
    /// The function has finished; its results exist when its fence is reached.
    Pending(Finished),
    /// A step is under way; or it has ended, and its results are the completion's. Whether it has the turn.
    Taken(bool),
    /// It has ended with results, and nobody has been told.
    Succeeded(Finished),
    /// It has ended without.
    Failed(Box<Failure>),
}

struct Failure {
    /// Not after a panic, nor without memory.
    idle: Option<Idle>,
    ending: Ending,
    error: Error,
}

impl Failure {
    fn new(idle: Option<Idle>, ending: Ending, error: Error) -> Box<Failure> {
        Box::new(Failure { idle, ending, error })
    }
}

const _: () = assert!(size_of::<Call>() <= 24);

impl Default for Phase {
    fn default() -> Phase {
        Phase::Taken(false)
    }
}

impl Call {
    pub(crate) fn new(idle: Idle) -> Call {
        Call { phase: Phase::Idle(idle), signal: None }
    }

    /// A call that can't be made.
    pub(crate) fn refused(error: Error) -> Call {
        Call { phase: Phase::Refused(Failure::new(None, Ending::Failed, error)), signal: None }
    }

    /// Has a call that has not begun fail at this moment.
    pub(crate) fn set_deadline(&mut self, deadline: Moment) {
        if let Phase::Prepared(prepared) = &mut self.phase {
            prepared.set_deadline(deadline);
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
                Err((idle, error)) => Phase::Refused(Failure::new(Some(idle), Ending::Failed, error)),
            },
            _ => unreachable!("what lies in the pool is idle"),
        };
    }

    /// Takes the turn of a stateful context: `None` if it has it, otherwise what to do.
    fn take_turn(
        &mut self,
        shared: &Completion,
        cx: &mut StepCx<'_>,
        deadline: Moment,
    ) -> Option<Result<Step>> {
        let turn = turn(shared)?;
        match cx.take_outcome().map(WaitOutcome::into_result) {
            None => Some(Ok(Step::Wait(Condition::Until(turn.clone()), deadline))),
            Some(Ok(_)) => {
                self.phase = Phase::Taken(true);
                None
            }
            Some(Err(error)) => Some(Err(error.within("in the queue of a stateful session"))),
        }
    }

    fn begin(&mut self, prepared: Prepared, shared: &Completion, mut cx: StepCx<'_>) -> Step {
        let deadline = prepared.deadline();
        // First the turn: one that was handed to us is ours to give back, also if we are cancelled (K1).
        let turn = self.take_turn(shared, &mut cx, deadline);
        let slice = slice(deadline, &cx);
        let refusal = match turn {
            _ if cx.is_cancelled() => Error::new(Code::Cancelled, "cancelled before it began"),
            Some(Ok(step)) => {
                self.phase = Phase::Prepared(prepared);
                return step;
            }
            Some(Err(error)) => error,
            None if deadline <= slice.now_ns => {
                Error::new(Code::DeadlineExceeded, "the deadline passed before it began")
            }
            None => {
                let outcome = prepared.begin(&slice);
                return self.follow(outcome, shared, &cx, Ending::WhileRunning);
            }
        };
        self.fail(prepared.give_up(), shared, Ending::NotStarted, refusal)
    }

    fn resume(&mut self, suspended: Suspended, shared: &Completion, mut cx: StepCx<'_>) -> Step {
        let outcome = cx.take_outcome();
        let place = if outcome.is_some() { Ending::WhileWaiting } else { Ending::WhileRunning };
        if cx.is_cancelled() {
            let (idle, error) = suspended.cancel(Error::new(Code::Cancelled, "the invocation was cancelled"));
            return self.fail(idle, shared, place, error);
        }
        let deadline = suspended.deadline();
        let slice = slice(deadline, &cx);
        // The VM refuses to go on after the deadline: then it is stopped where it was.
        let place = if deadline <= slice.now_ns { place } else { Ending::WhileRunning };
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
                    Code::DeadlineExceeded => idle.deadline() != NEVER && idle.deadline() <= cx.now(),
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
                let (condition, deadline) = (signal.condition(), finished.deadline());
                self.give_turn(shared);
                self.phase = Phase::Pending(finished);
                if let Some(observer) = shared.observer() {
                    observer.waits(shared, &condition);
                }
                Step::Wait(condition, deadline)
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
        self.phase = Phase::Succeeded(finished);
        Step::Done
    }

    fn fail(&mut self, idle: Idle, shared: &Completion, ending: Ending, error: Error) -> Step {
        self.stop(Failure::new(Some(idle), ending, error), shared)
    }

    #[cold]
    fn stop(&mut self, failure: Box<Failure>, shared: &Completion) -> Step {
        if let Some(signal) = self.signal.take() {
            signal.fail(&failure.error);
        }
        self.give_turn(shared);
        self.phase = Phase::Failed(failure);
        Step::Done
    }

    fn give_turn(&mut self, shared: &Completion) {
        if let Phase::Taken(has_turn @ true) = &mut self.phase
            && let Some(turn) = turn(shared)
        {
            *has_turn = false;
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
            Phase::Refused(failure) => self.stop(failure, shared),
            Phase::Suspended(suspended) => {
                // Who has begun has the turn, if there are turns.
                self.phase = Phase::Taken(true);
                self.resume(suspended, shared, cx)
            }
            Phase::Pending(finished) => self.settle(finished, shared, cx),
            Phase::Idle(_) | Phase::Taken(_) | Phase::Succeeded(_) | Phase::Failed(_) => {
                unreachable!("a call that has ended is not run again")
            }
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
        let _ = self.stop(Failure::new(None, Ending::Failed, error), shared);
    }

    fn ended(&mut self, shared: &Completion) {
        if let Some(observer) = shared.observer() {
            observer.ended(shared);
        }
        match std::mem::take(&mut self.phase) {
            Phase::Succeeded(finished) => shared.end(Ending::Finished, Ok(finished)),
            Phase::Failed(failure) => {
                let Failure { idle, ending, error } = *failure;
                self.phase = idle.map_or(Phase::Taken(false), Phase::Idle);
                shared.end(ending, Err(error));
            }
            _ => unreachable!("a call ends with results or a failure"),
        }
    }

    fn woken(shared: &Completion) {
        if let Some(observer) = shared.observer() {
            observer.woken(shared);
        }
    }

    fn describe(shared: &Completion) -> ProgramFacts {
        let condition = shared.observer().and_then(|observer| observer.condition(shared));
        ProgramFacts { name: Some(shared.name().to_owned()), condition }
    }

    fn retire(mut spent: Spent<Call>) {
        let emptied = spent.shared().reset().map(Finished::again);
        let function = spent.shared().function.take();
        let call = spent.program();
        call.signal = None;
        let mut idle = match (std::mem::take(&mut call.phase), emptied) {
            (_, Some(idle)) | (Phase::Idle(idle), None) => idle,
            (Phase::Prepared(prepared), None) => prepared.give_up(),
            (Phase::Refused(failure), None) => match failure.idle {
                Some(idle) => idle,
                None => return,
            },
            // It has panicked, or its end was never told.
            _ => return,
        };
        idle.set_deadline(NEVER);
        call.phase = Phase::Idle(idle);
        if let Some(function) = function {
            function.keep(spent);
        }
    }
}

/// One slice of a call with this deadline.
fn slice<'a>(deadline: Moment, cx: &StepCx<'a>) -> Slice<'a> {
    let now_ns = if deadline == NEVER { 0 } else { cx.now() };
    Slice { now_ns, stop: Some(cx.stop_flag()), ..Slice::default() }
}

/// The turn of a stateful context.
fn turn(shared: &Completion) -> Option<&Arc<Permits>> {
    shared.function.as_ref()?.turn.as_ref()
}
