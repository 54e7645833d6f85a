//! Runs and waits as futures, for any executor of the host's.
//!
//! Not here: futures that this executor polls (`jobs.rs`).

use crate::executor::Executor;
use crate::run_handle::Run;
use raddle_status::{Code, Error, Result};
use raddle_wait::{Condition, Event, Kernel, Moment, NoStage, SharedSource, WaitSet, Waiting};
use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The stage of an executor's frames.
type Stage = Arc<WaitSet<Box<dyn Kernel>>>;

/// A [`Run`] as a future; its output is the run's result. Dropping it changes nothing about the run.
///
/// It is made by `run.await`, and may be polled by any executor. Two allocations.
#[must_use = "a future does nothing unless it is polled"]
pub struct RunFuture {
    run: Run,
    waiting: Pin<Box<Waiting<SharedSource, NoStage>>>,
}

impl RunFuture {
    /// The run.
    pub fn run(&self) -> &Run {
        &self.run
    }
}

impl IntoFuture for Run {
    type Output = Result;
    type IntoFuture = RunFuture;

    fn into_future(self) -> RunFuture {
        let slots = self.slots();
        let waiting = Box::pin(Waiting::new(slots, self.done()));
        RunFuture { run: self, waiting }
    }
}

impl Future for RunFuture {
    type Output = Result;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result> {
        match self.waiting.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            // The end of a run does not fail; its result may.
            Poll::Ready(_) => Poll::Ready(self.run.result().unwrap_or_else(|| Err(Code::Internal.into()))),
        }
    }
}

impl fmt::Debug for RunFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.run.fmt(f)
    }
}

/// A wait on an executor's stage, as a future: see [`Executor::wait_for`].
#[must_use = "a future does nothing unless it is polled"]
pub struct WaitFor {
    waiting: Pin<Box<Waiting<SharedSource, Stage>>>,
    /// The end of the executor, after which nobody fires moments and descriptors.
    end: Pin<Box<Waiting<Arc<Event>, NoStage>>>,
}

impl Executor {
    /// Waits for a condition, whose moments and descriptors this executor's poller stage watches, until `deadline` on its
    /// clock ([`NEVER`](raddle_wait::NEVER) for none).
    ///
    /// The output is the index of the child that was first, as of
    /// [`Outcome::into_result`](raddle_wait::Outcome::into_result). Dropping the future drops its wait at once.
    ///
    /// # Errors
    /// The source's; DEADLINE_EXCEEDED; INVALID_ARGUMENT for a condition without sources; CANCELLED when the executor
    /// shuts down meanwhile.
    pub fn wait_for(&self, condition: impl Into<Condition>, deadline: Moment) -> WaitFor {
        let slots = self.slots();
        WaitFor {
            waiting: Box::pin(Waiting::on(slots, self.stage(), condition, deadline)),
            end: Box::pin(Waiting::new(slots, Condition::Until(self.core().closing.clone()))),
        }
    }
}

impl Future for WaitFor {
    type Output = Result<usize>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<usize>> {
        if let Poll::Ready(result) = self.waiting.as_mut().poll(context) {
            return Poll::Ready(result);
        }
        match self.end.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(_) => {
                let text = "the executor was shut down while a future waited on its stage";
                Poll::Ready(Err(Error::new(Code::Cancelled, text)))
            }
        }
    }
}

impl fmt::Debug for WaitFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.waiting.fmt(f)
    }
}
