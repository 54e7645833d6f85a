//! Building a session's context as a program of the executor: an `__init` may wait, and no thread waits for it but the
//! one that builds.
//!
//! Not here: linking and `__init` (the VM's context builder).

use raddle_status::{Code, Error, Result};
use raddle_sync::Mutex;
use raddle_task::{Priority, Program, ProgramRun, Scope, Step, StepCx};
use raddle_vm::{Building, Context, ContextBuilder, Initialising, Slice, WaitOutcome};
use raddle_wait::NEVER;

/// Builds the context, beginning on this thread.
///
/// Blocks: until the `__init` functions have returned. While one waits, this thread sleeps, or turns an executor that has no
/// workers.
pub(crate) fn open(scope: &Scope, builder: ContextBuilder) -> Result<Context> {
    let mut run = ProgramRun::new(scope, Opening::New(Box::new(builder)), Mutex::new(None));
    run.run(Priority::Normal, NEVER)?;
    let view = run.view();
    view.wait_until(NEVER)?;
    let result = view.shared().lock().take();
    result.unwrap_or_else(|| Err(Error::new(Code::Internal, "a session was opened without a result")))
}

#[derive(Default)]
enum Opening {
    New(Box<ContextBuilder>),
    Suspended(Initialising),
    /// A step is under way, or it has ended.
    #[default]
    Taken,
}

impl Program for Opening {
    type Shared = Mutex<Option<Result<Context>>>;

    fn step(&mut self, shared: &Self::Shared, mut cx: StepCx<'_>) -> Step {
        let outcome = cx.take_outcome().unwrap_or(WaitOutcome::Ready { index: 0 });
        let slice = Slice { stop: Some(cx.stop_flag()), ..Slice::default() };
        let building = match std::mem::take(self) {
            Opening::New(builder) => builder.begin(&slice),
            Opening::Suspended(initialising) if cx.is_cancelled() => {
                let error = Error::new(Code::Cancelled, "the session was cancelled while it was opened");
                Building::Failed(initialising.cancel(error))
            }
            Opening::Suspended(initialising) => initialising.resume(outcome, &slice),
            Opening::Taken => return Step::Done,
        };
        let (next, step) = match building {
            Building::Waiting(initialising, wait) => {
                (initialising, Step::Wait(wait.condition, wait.deadline_ns))
            }
            Building::Yielded(initialising) => (initialising, Step::Yield),
            Building::OutOfBudget(initialising) => (initialising, Step::OutOfBudget),
            Building::Ready(context) => {
                *shared.lock() = Some(Ok(context));
                return Step::Done;
            }
            Building::Failed(error) => {
                *shared.lock() = Some(Err(error));
                return Step::Done;
            }
        };
        *self = Opening::Suspended(next);
        step
    }

    fn panicked(&mut self, shared: &Self::Shared, error: Error) {
        *self = Opening::Taken;
        *shared.lock() = Some(Err(error));
    }
}
