//! The runtime: workers, a poller stage, and the host's loop.
//!
//! Not here: modules (`session.rs`), calls (`invocation.rs`).

use crate::batch::Batch;
use crate::detached::{DetachedWait, WaitFrame};
use crate::observer::Observer;
use crate::session::{Session, SessionBuilder};
use crate::trace::Trace;
use raddle_status::Result;
use raddle_task::{Driver, Dump, Executor, ExecutorBuilder, Scope, ShutdownReport, TurnBudget, Turned};
use raddle_vm::{Suspended, WaitOutcome};
use raddle_wait::{Kernel, Limits, Moment};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fmt;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

/// Builds a [`Runtime`].
#[must_use = "call `build`"]
#[derive(Debug, Default)]
pub struct RuntimeBuilder {
    executor: ExecutorBuilder,
    notes_waits: bool,
    trace: Option<Arc<Trace>>,
}

impl RuntimeBuilder {
    /// How many workers; by default as many as the process may use at once. 0 for a host that drives the runtime itself.
    pub fn workers(mut self, count: usize) -> RuntimeBuilder {
        self.executor = self.executor.workers(count);
        self
    }

    /// Who looks at wait sources of the operating system: idle workers by default.
    pub fn driver(mut self, driver: Driver) -> RuntimeBuilder {
        self.executor = self.executor.driver(driver);
        self
    }

    /// A name for threads, dumps and reports.
    pub fn name(mut self, name: impl Into<String>) -> RuntimeBuilder {
        self.executor = self.executor.name(name);
        self
    }

    /// How many waits on descriptors and moments there may be at a time.
    pub fn limits(mut self, limits: Limits) -> RuntimeBuilder {
        self.executor = self.executor.limits(limits);
        self
    }

    /// Another kernel under the wait set, with a clock of its own: a stand-in for tests and simulations.
    pub fn kernel(mut self, kernel: Box<dyn Kernel>) -> RuntimeBuilder {
        self.executor = self.executor.kernel(kernel);
        self
    }

    /// Notes what each invocation waits on, so that [`Runtime::dump`] can say it. Costs a lock and a clone for each wait; without
    /// it dumps name the functions that wait, and their sources not.
    pub fn note_waits(mut self, notes: bool) -> RuntimeBuilder {
        self.notes_waits = notes;
        self
    }

    /// Writes a trace of the invocations.
    pub fn trace(mut self, trace: Trace) -> RuntimeBuilder {
        self.trace = Some(Arc::new(trace));
        self
    }

    /// Everything else that an executor can be told.
    pub fn executor(mut self, change: impl FnOnce(ExecutorBuilder) -> ExecutorBuilder) -> RuntimeBuilder {
        self.executor = change(self.executor);
        self
    }

    /// Starts the workers.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for a driver that does not fit the workers, or too many of them; RESOURCE_EXHAUSTED when the system
    /// refuses threads or descriptors.
    pub fn build(self) -> Result<Runtime> {
        let executor = self.executor.build()?;
        let scope = executor.scope("detached waits");
        let observer = Observer::of(self.notes_waits, self.trace).map(Arc::new);
        Ok(Runtime { executor, scope, observer })
    }
}

/// Workers and a poller stage. Cheap to clone; thread-safe.
///
/// Dropping the last handle ends it: invocations in flight end with CANCELLED, and the workers are joined, unless the
/// handle is dropped on one of them. Sessions and functions don't keep it: calls after its end fail.
#[derive(Clone)]
pub struct Runtime {
    executor: Executor,
    scope: Scope,
    observer: Option<Arc<Observer>>,
}

impl Runtime {
    /// A builder with defaults.
    pub fn builder() -> RuntimeBuilder {
        RuntimeBuilder::default()
    }

    /// A builder of a session: modules that see each other.
    pub fn session(&self) -> SessionBuilder {
        SessionBuilder::new(&self.executor, self.observer.clone())
    }

    /// A batch: the function with this name, over many items.
    ///
    /// # Errors
    /// NOT_FOUND: the session has no such function.
    pub fn batch(&self, session: &Session, function: &str) -> Result<Batch> {
        Batch::new(self, session, function)
    }

    /// Sleeps until [`fd`](Runtime::fd) is readable, at most so long.
    pub(crate) fn until_readable(&self, at_most: Option<Duration>) {
        let fd = self.fd();
        let mut polled = [PollFd::new(&fd, PollFlags::IN)];
        let time = at_most.and_then(|time| Timespec::try_from(time).ok());
        // A signal that interrupts it makes for one look more.
        let _ = poll(&mut polled, time.as_ref());
    }

    /// The executor, for graphs of tasks beside the programs.
    pub fn executor(&self) -> &Executor {
        &self.executor
    }

    /// What it does and waits on, as text or JSON: workers, queues, invocations that wait, and what is probably wrong,
    /// such as a host that never calls `turn`. Blocks: for short locks.
    pub fn dump(&self) -> Dump {
        self.executor.dump()
    }

    /// What its trace could not write, if it writes one.
    ///
    /// # Errors
    /// UNAVAILABLE: a write has failed; the file ends there.
    pub fn flush_trace(&self) -> Result {
        match self.observer.as_ref().and_then(|observer| observer.trace.as_ref()) {
            Some(trace) => trace.flush(),
            None => Ok(()),
        }
    }

    /// The present moment of the runtime's clock.
    pub fn now(&self) -> Moment {
        self.executor.now()
    }

    /// A descriptor that is readable when [`turn`](Runtime::turn) would make progress. Spurious readability is possible;
    /// readiness is never missed. For [`Driver::Host`].
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.executor.fd()
    }

    /// How long until the next deadline, for a host that can't poll the descriptor; `None` for no deadline.
    pub fn next_timeout(&self) -> Option<Duration> {
        self.executor.next_timeout()
    }

    /// Runs what is ready, within the budget, on the host's thread: invocations, callbacks, waits that have ended.
    ///
    /// Blocks: never, beyond what those do. For [`Driver::Host`], the only driver without workers.
    ///
    /// # Errors
    /// FAILED_PRECONDITION with another driver; UNAVAILABLE when another thread is inside `turn`, or this one is.
    pub fn turn(&self, budget: TurnBudget) -> Result<Turned> {
        self.executor.turn(budget)
    }

    /// The low level: waits for what a suspended call waits for, at most until `deadline`, without a thread; then calls
    /// `callback` with the call and how the wait ended, on a worker or in the host's turn. The callback resumes the call.
    ///
    /// Blocks: never.
    ///
    /// # Errors
    /// FAILED_PRECONDITION: the runtime is shutting down; the call is dropped.
    pub fn wait_invoke_async(
        &self,
        frame: WaitFrame,
        deadline: Moment,
        callback: impl FnOnce(Suspended, WaitOutcome) + Send + 'static,
    ) -> Result<DetachedWait> {
        DetachedWait::start(&self.scope, frame, deadline, Box::new(callback))
    }

    /// Ends the runtime: refuses new calls, cancels those in flight, joins the workers.
    ///
    /// Blocks: until all has ended, at most until `deadline` on the runtime's clock.
    ///
    /// # Errors
    /// FAILED_PRECONDITION in a forked child.
    pub fn shutdown(&self, deadline: Moment) -> Result<ShutdownReport> {
        self.executor.shutdown(deadline)
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Runtime({:?})", self.executor)
    }
}
