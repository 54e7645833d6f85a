//! One call of a function: a future, a thing to wait for, a thing that calls back.
//!
//! Not here: how it runs (`call.rs`), how it ends (`completion.rs`).

use crate::call::Call;
use crate::completion::{Callback, Ending};
use crate::late;
use crate::values::Outputs;
use raddle_status::Result;
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
pub struct Invocation(ProgramRun<Call>);

const _: () = assert!(size_of::<Invocation>() <= 8, "whoever has many in flight holds them all");

impl Invocation {
    pub(crate) fn new(run: ProgramRun<Call>) -> Invocation {
        Invocation(run)
    }

    /// The same, failing with DEADLINE_EXCEEDED if it has not ended at this moment of the runtime's clock, whether it runs
    /// or waits. Before it begins.
    pub fn deadline(mut self, moment: Moment) -> Invocation {
        if let Some(call) = self.0.program_mut() {
            call.set_deadline(moment);
        }
        self
    }

    /// The same with this urgency. Before it begins.
    pub fn priority(mut self, priority: Priority) -> Invocation {
        self.0.set_priority(priority);
        self
    }

    /// Gives the invocation to the workers. Blocks: never. Does nothing if it has begun.
    ///
    /// # Errors
    /// FAILED_PRECONDITION: the runtime is shutting down.
    pub fn start(&mut self) -> Result {
        self.0.start(self.0.priority())
    }

    fn view(&self) -> &ProgramView<Call> {
        self.0.view()
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
        self.0.run(self.0.priority(), patience)?;
        let view = self.view();
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
        let now = self.view().scope().now();
        self.wait_until(raddle_wait::after(now, patience))
    }

    /// Has `callback` called with the result, once: on a worker, or in the host's turn. Never inside this call, whether the
    /// invocation has ended already or not; only when the runtime has ended is nobody else left to call it.
    ///
    /// It may do what a task may do: invoke, signal, and even wait, within the limits of [`wait`](Invocation::wait). A panic
    /// in it is caught and harms nobody. Ending the runtime ends the invocation, and so calls it too.
    pub fn on_complete(mut self, callback: impl FnOnce(Result<Outputs>) + Send + 'static) {
        let callback: Callback = Box::new(callback);
        let view = self.view().clone();
        if let Some((callback, result)) = view.shared().call_back(callback) {
            return late::call(view.scope(), callback, result);
        }
        if let Err(error) = self.start() {
            // It never began: nobody else ends it.
            view.shared().end(Ending::NotStarted, Err(error));
        }
    }

    /// Runs it on this thread until it ends, waits or yields. Gives the result, or has the callback called with it.
    pub(crate) fn run_or_call_back(mut self, callback: impl FnOnce() -> Callback) -> Option<Result<Outputs>> {
        let no_longer = 0;
        if let Err(error) = self.0.run(self.0.priority(), no_longer) {
            return Some(Err(error));
        }
        let result = self.view().shared().take();
        if result.is_none() {
            self.on_complete(callback());
        }
        result
    }

    /// Whether it has ended.
    pub fn is_done(&self) -> bool {
        self.view().is_done()
    }

    /// How it ended and, if it was stopped, where; `None` while it runs. It stays when the result has been taken.
    pub fn ending(&self) -> Option<Ending> {
        self.view().shared().ending()
    }

    /// Whether it waits at this moment: a racy look, for dumps and tests.
    pub fn is_waiting(&self) -> bool {
        self.view().is_waiting()
    }

    /// How often it was suspended so far. Unit: waits that were not satisfied when they began.
    pub fn suspensions(&self) -> u32 {
        self.view().suspensions()
    }

    /// Asks it to stop; see [`Canceller::cancel`].
    pub fn cancel(&self) -> bool {
        self.view().cancel()
    }

    /// What cancels it from elsewhere.
    pub fn canceller(&self) -> Canceller {
        Canceller(self.view().clone())
    }
}

impl Future for Invocation {
    type Output = Result<Outputs>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<Outputs>> {
        if let Err(error) = self.start() {
            return Poll::Ready(Err(error));
        }
        self.view().shared().take_or_wake(context.waker()).map_or(Poll::Pending, Poll::Ready)
    }
}

impl fmt::Debug for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Invocation({}, {:?})", self.view().shared().name(), self.0)
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
