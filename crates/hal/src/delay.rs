//! A fence that is reached so long after another: for functions that programs import in the asynchronous interface.
//!
//! Not here: programs that wait for a moment themselves (the standard module's `delay`).

use crate::fence::{Fence, Promise};
use raddle_status::{Error, Result};
use raddle_task::{Priority, Program, ProgramRun, Scope, Step, StepCx};
use raddle_vm::RefOf;
use raddle_wait::{NEVER, Until, after};
use std::time::Duration;

impl Fence {
    /// Reaches `signal` so long after `wait` is reached, on no thread meanwhile. A `wait` that fails, and a scope that is
    /// cancelled, fail it.
    ///
    /// Blocks: never.
    ///
    /// # Errors
    /// FAILED_PRECONDITION: the executor is shutting down.
    pub fn delay(
        scope: &Scope,
        wait: Option<RefOf<Fence>>,
        signal: Option<RefOf<Fence>>,
        time: Duration,
    ) -> Result {
        let delay = Delay { wait, time: Some(time), signal: Some(Promise::new(signal)) };
        // The first step arms the wait here.
        ProgramRun::new(scope, delay, ()).run(Priority::Normal, NEVER)
    }
}

/// What is left of the delay.
struct Delay {
    wait: Option<RefOf<Fence>>,
    time: Option<Duration>,
    /// Dropped where the program ends otherwise, which fails the fence.
    signal: Option<Promise>,
}

impl Delay {
    fn end(&mut self, result: Result) {
        if let Some(signal) = self.signal.take() {
            signal.keep(result);
        }
    }
}

impl Program for Delay {
    type Shared = ();

    fn step(&mut self, (): &(), mut cx: StepCx<'_>) -> Step {
        if let Some(Err(error)) = cx.take_outcome().map(|outcome| outcome.into_result()) {
            self.end(Err(error));
            return Step::Done;
        }
        if let Some(wait) = self.wait.take() {
            return Step::Wait(wait.condition(), NEVER);
        }
        match self.time.take() {
            Some(time) => Step::Wait(Until(after(cx.now(), time)).into(), NEVER),
            None => {
                self.end(Ok(()));
                Step::Done
            }
        }
    }

    fn panicked(&mut self, (): &(), error: Error) {
        self.end(Err(error));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use raddle_status::Code;
    use raddle_task::{Driver, Executor, TurnBudget};
    use raddle_wait::Readiness;

    const MOMENT: Duration = Duration::from_millis(1);

    fn executor() -> Executor {
        Executor::builder().driver(Driver::Host).workers(0).build().unwrap()
    }

    fn fence() -> RefOf<Fence> {
        RefOf::new(Fence::new())
    }

    fn until_known(executor: &Executor, fence: &Fence) -> Readiness {
        loop {
            match fence.query() {
                Readiness::Pending => drop(executor.turn(TurnBudget::default()).unwrap()),
                known => return known,
            }
        }
    }

    #[test]
    fn a_fence_is_reached_after_another_and_a_while() {
        let executor = executor();
        let scope = executor.scope("test");
        let (wait, signal, alone) = (fence(), fence(), fence());
        let start = executor.now();
        Fence::delay(&scope, Some(wait.clone()), Some(signal.clone()), MOMENT).unwrap();
        Fence::delay(&scope, None, Some(alone.clone()), MOMENT).unwrap();
        assert!(until_known(&executor, &alone).is_ready());
        assert!(executor.now() >= after(start, MOMENT));
        assert!(matches!(signal.query(), Readiness::Pending), "the first is not reached");
        wait.signal().unwrap();
        assert!(matches!(signal.query(), Readiness::Pending), "the time is not over");
        assert!(until_known(&executor, &signal).is_ready());
        assert_eq!(scope.pending(), 0);
    }

    #[test]
    fn failures_and_the_end_flow_along() {
        let executor = executor();
        let scope = executor.scope("test");
        let code = |fence: &Fence| match until_known(&executor, fence) {
            Readiness::Failed(error) => error.code(),
            other => panic!("{other:?}"),
        };
        let (wait, signal) = (fence(), fence());
        Fence::delay(&scope, Some(wait.clone()), Some(signal.clone()), MOMENT).unwrap();
        wait.fail(&Code::DataLoss.into());
        assert_eq!(code(&signal), Code::DataLoss);
        let late = fence();
        Fence::delay(&scope, None, Some(late.clone()), Duration::from_secs(3600)).unwrap();
        scope.cancel();
        assert_eq!(code(&late), Code::Cancelled);
    }
}
