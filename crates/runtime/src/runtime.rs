//! The runtime: workers, a poller stage, and the host's loop.
//!
//! Not here: modules (`session.rs`), calls (`invocation.rs`).

use crate::detached::{DetachedWait, WaitFrame};
use crate::session::SessionBuilder;
use raddle_status::Result;
use raddle_task::{Driver, Executor, ExecutorBuilder, Scope, ShutdownReport, TurnBudget, Turned};
use raddle_vm::{Suspended, WaitOutcome};
use raddle_wait::Moment;
use std::fmt;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// Builds a [`Runtime`].
#[must_use = "call `build`"]
#[derive(Debug, Default)]
pub struct RuntimeBuilder {
    executor: ExecutorBuilder,
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
        Ok(Runtime { executor, scope })
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
}

impl Runtime {
    /// A builder with defaults.
    pub fn builder() -> RuntimeBuilder {
        RuntimeBuilder::default()
    }

    /// A builder of a session: modules that see each other.
    pub fn session(&self) -> SessionBuilder {
        SessionBuilder::new(&self.executor)
    }

    /// The executor, for graphs of tasks beside the programs.
    pub fn executor(&self) -> &Executor {
        &self.executor
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
