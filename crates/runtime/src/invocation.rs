//! One call of a function: a future, a thing to wait for, a thing that calls back.
//!
//! Not here: how it runs (`call.rs`), how it ends (`completion.rs`).

use crate::call::Call;
use crate::completion::{Callback, Ending};
use crate::late;
use crate::values::Outputs;
use raddle_status::{Error, Result};
use raddle_task::{Priority, ProgramRun, ProgramView, Scope};
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
    run: Result<ProgramRun<Call>, Box<Refused>>,
}

const _: () = assert!(size_of::<Invocation>() <= 16, "whoever has many in flight holds them all");

/// Why it could not be made, and whose it would have been.
type Refused = (Error, Scope);

impl Invocation {
    pub(crate) fn new(run: Result<ProgramRun<Call>, Box<Refused>>) -> Invocation {
        Invocation { run }
    }

    /// The same, failing with DEADLINE_EXCEEDED if it has not ended at this moment of the runtime's clock, whether it runs
    /// or waits. Before it begins.
    pub fn deadline(mut self, moment: Moment) -> Invocation {
        if let Some(call) = self.call_mut() {
            call.deadline = moment;
        }
        self
    }

    /// The same with this urgency. Before it begins.
    pub fn priority(mut self, priority: Priority) -> Invocation {
        if let Some(call) = self.call_mut() {
            call.priority = priority;
        }
        self
    }

    /// Gives the invocation to the workers. Blocks: never. Does nothing if it has begun.
    ///
    /// # Errors
    /// FAILED_PRECONDITION: the runtime is shutting down.
    pub fn start(&mut self) -> Result {
        let priority = self.urgency();
        self.run_mut()?.start(priority)
    }

    /// The call, until it begins.
    fn call_mut(&mut self) -> Option<&mut Call> {
        self.run.as_mut().ok()?.program_mut()
    }

    /// How urgent it is; of one that has begun it says nothing.
    fn urgency(&mut self) -> Priority {
        self.call_mut().map_or(Priority::Normal, |call| call.priority)
    }

    fn run_mut(&mut self) -> Result<&mut ProgramRun<Call>> {
        self.run.as_mut().map_err(|refused| refused.0.clone())
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
        let priority = self.urgency();
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

    /// Has `callback` called with the result, once: on a worker, or in the host's turn. Never inside this call, whether the
    /// invocation has ended already or not; only when the runtime has ended is nobody else left to call it.
    ///
    /// It may do what a task may do: invoke, signal, and even wait, within the limits of [`wait`](Invocation::wait). A panic
    /// in it is caught and harms nobody. Ending the runtime ends the invocation, and so calls it too.
    pub fn on_complete(mut self, callback: impl FnOnce(Result<Outputs>) + Send + 'static) {
        let callback: Callback = Box::new(callback);
        let view = match &self.run {
            Ok(run) => run.view().clone(),
            Err(refused) => return late::call(&refused.1, callback, Err(refused.0.clone())),
        };
        if let Some((callback, result)) = view.shared().call_back(callback) {
            return late::call(view.scope(), callback, result);
        }
        if let Err(error) = self.start() {
            // It never began: nobody else publishes.
            view.shared().publish(Ending::NotStarted, Err(error));
            view.shared().tell();
        }
    }

    /// Runs it on this thread until it ends, waits or yields. Gives the result, or has the callback called with it.
    pub(crate) fn run_or_call_back(mut self, callback: impl FnOnce() -> Callback) -> Option<Result<Outputs>> {
        let (priority, no_longer) = (self.urgency(), 0);
        let ran = self.run_mut().and_then(|run| {
            run.run(priority, no_longer)?;
            Ok(run.view().shared().take())
        });
        match ran {
            Ok(Some(result)) => Some(result),
            Ok(None) => {
                self.on_complete(callback());
                None
            }
            Err(error) => Some(Err(error)),
        }
    }

    /// Whether it has ended.
    pub fn is_done(&self) -> bool {
        self.view().is_none_or(ProgramView::is_done)
    }

    /// How it ended and, if it was stopped, where; `None` while it runs. It stays when the result has been taken.
    pub fn ending(&self) -> Option<Ending> {
        match &self.run {
            Ok(run) => run.view().shared().ending(),
            Err(_) => Some(Ending::Failed),
        }
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
        match &self.run {
            Ok(run) => write!(f, "Invocation({}, {run:?})", run.view().shared().name()),
            Err(refused) => write!(f, "Invocation({})", refused.0),
        }
    }
}

/// Cancels an invocation from elsewhere. Cheap to clone; thread-safe.
#[derive(Clone)]
pub struct Canceller(ProgramView<Call>);

impl Canceller {
    /// Asks the invocation to stop: its wait ends, or its code stops at the next back edge or call; its result is CANCELLED
    /// and says where it was. `false`: it has ended already. An invocation that is about to end may still finish: after
    /// `true`, [`ending`](Canceller::ending) says what came of it, exactly one of not started, stopped while it waited,
    /// stopped while it ran, or too late.
    ///
    /// Blocks: never.
    pub fn cancel(&self) -> bool {
        self.0.cancel()
    }

    /// How the invocation ended; `None` while it runs.
    pub fn ending(&self) -> Option<Ending> {
        self.0.shared().ending()
    }
}

impl fmt::Debug for Canceller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Canceller({:?})", self.0)
    }
}
