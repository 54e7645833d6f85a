//! One call of a function: a future, a thing to wait for, a thing that calls back.
//!
//! Not here: how it runs (`call.rs`), how it ends (`completion.rs`).

use crate::call::Call;
use crate::completion::Callback;
use crate::values::Outputs;
use raddle_status::{Error, Result};
use raddle_task::{Priority, ProgramRun, ProgramView};
use raddle_wait::{Moment, NEVER};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// One call of a function.
///
/// It begins when it is waited for ([`wait`](Invocation::wait): on this thread, from its first instruction), or polled,
/// given a callback, or [started](Invocation::start): then on a worker, or in the host's turn. It ends exactly once:
/// finished, failed, cancelled, or with its deadline exceeded.
///
/// Dropping it before it began takes it back; afterwards the invocation goes on without it.
#[must_use = "an invocation begins when it is waited for, polled, or started"]
pub struct Invocation {
    run: Result<ProgramRun<Call>>,
    priority: Priority,
}

impl Invocation {
    pub(crate) fn new(run: Result<ProgramRun<Call>>) -> Invocation {
        Invocation { run, priority: Priority::Normal }
    }

    /// The same, failing with DEADLINE_EXCEEDED if it has not ended at this moment of the runtime's clock, whether it runs
    /// or waits. Before it begins.
    pub fn deadline(mut self, moment: Moment) -> Invocation {
        if let Ok(run) = &mut self.run
            && let Some(call) = run.program_mut()
        {
            call.deadline = moment;
        }
        self
    }

    /// The same with this urgency. Before it begins.
    pub fn priority(mut self, priority: Priority) -> Invocation {
        self.priority = priority;
        self
    }

    /// Gives the invocation to the workers. Blocks: never. Does nothing if it has begun.
    ///
    /// # Errors
    /// FAILED_PRECONDITION: the runtime is shutting down.
    pub fn start(&mut self) -> Result {
        let priority = self.priority;
        self.run_mut()?.start(priority)
    }

    fn run_mut(&mut self) -> Result<&mut ProgramRun<Call>> {
        self.run.as_mut().map_err(|error| error.clone())
    }

    fn view(&self) -> Option<&ProgramView<Call>> {
        self.run.as_ref().ok().map(ProgramRun::view)
    }

    /// Waits for the result.
    ///
    /// Blocks: until the invocation has ended. If it has not begun, it runs on this thread until it waits.
    ///
    /// # Errors
    /// The invocation's; FAILED_PRECONDITION: the runtime is shutting down, or the wait would put its last worker to sleep.
    pub fn wait(mut self) -> Result<Outputs> {
        self.wait_until(NEVER)
    }

    /// The same, at most until this moment of the runtime's clock; the invocation can be waited for again.
    ///
    /// # Errors
    /// As for [`wait`](Invocation::wait); DEADLINE_EXCEEDED: the invocation goes on.
    pub fn wait_until(&mut self, patience: Moment) -> Result<Outputs> {
        let priority = self.priority;
        let run = self.run_mut()?;
        run.run(priority, patience)?;
        let view = run.view();
        if let Some(result) = view.shared().take() {
            return result;
        }
        view.wait_until(patience)?;
        view.shared().take().expect("a program that is done has published its result")
    }

    /// The same, at most for so long.
    ///
    /// # Errors
    /// As for [`wait_until`](Invocation::wait_until).
    pub fn wait_for(&mut self, patience: Duration) -> Result<Outputs> {
        let now = self.run_mut()?.view().scope().now();
        self.wait_until(raddle_wait::after(now, patience))
    }

    /// Has `callback` called with the result, once: on the worker that ends the invocation, or in the host's turn. If the
    /// invocation has ended already, or can't begin, it is called here. A panic in it is caught and harms nobody.
    pub fn on_complete(mut self, callback: impl FnOnce(Result<Outputs>) + Send + 'static) {
        let callback: Callback = Box::new(callback);
        let early = match self.view() {
            Some(view) => view.shared().call_back(callback),
            None => Some((callback, Err(self.run.as_ref().err().cloned().unwrap_or_else(unknown)))),
        };
        if let Some((callback, result)) = early {
            return callback(result);
        }
        if let Err(error) = self.start()
            && let Some(view) = self.view()
        {
            // It never began: nobody else publishes.
            view.shared().publish(Err(error));
            view.shared().tell();
        }
    }

    /// Whether it has ended.
    pub fn is_done(&self) -> bool {
        self.view().is_none_or(ProgramView::is_done)
    }

    /// Whether it waits at this moment: a racy look, for dumps and tests.
    pub fn is_waiting(&self) -> bool {
        self.view().is_some_and(ProgramView::is_waiting)
    }

    /// How often it was suspended so far. Unit: waits that were not satisfied when they began.
    pub fn suspensions(&self) -> u32 {
        self.view().map_or(0, ProgramView::suspensions)
    }

    /// Asks it to stop; see [`Canceller::cancel`].
    pub fn cancel(&self) -> bool {
        self.view().is_some_and(ProgramView::cancel)
    }

    /// What cancels it from elsewhere; `None` if it could not be made.
    pub fn canceller(&self) -> Option<Canceller> {
        self.view().cloned().map(Canceller)
    }
}

fn unknown() -> Error {
    raddle_status::Code::Internal.into()
}

impl Future for Invocation {
    type Output = Result<Outputs>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<Outputs>> {
        if let Err(error) = self.start() {
            return Poll::Ready(Err(error));
        }
        let view = self.view().expect("what was started is there");
        view.shared().take_or_wake(context.waker()).map_or(Poll::Pending, Poll::Ready)
    }
}

impl fmt::Debug for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Invocation({:?})", self.run)
    }
}

/// Cancels an invocation from elsewhere. Cheap to clone; thread-safe.
#[derive(Clone)]
pub struct Canceller(ProgramView<Call>);

impl Canceller {
    /// Asks the invocation to stop: its wait ends, or its code stops at the next back edge or call; its result is CANCELLED
    /// and says where it was. `false`: it has ended already. An invocation that is about to end may still finish: its
    /// result tells.
    ///
    /// Blocks: never.
    pub fn cancel(&self) -> bool {
        self.0.cancel()
    }
}

impl fmt::Debug for Canceller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Canceller({:?})", self.0)
    }
}
