//! A program that waits, on the thread that calls it.

use crate::condition::{Condition, SharedSource};
use crate::pool::SlotPool;
use crate::stage::{Moment, NEVER, NoStage, Stage};
use crate::waiting::Waiting;
use raddle_status::Result;
use raddle_sync::{Parker, note};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

/// Waits until the condition holds; the index is that of [`Outcome::into_result`](crate::Outcome::into_result).
///
/// # Errors
/// As there.
#[track_caller]
pub fn wait(condition: impl Into<Condition>) -> Result<usize> {
    Pending::new(condition).finish()
}

/// A wait that has begun. Dropping it gives it up.
pub struct Pending<H: Stage = NoStage> {
    waiting: Pin<Box<Waiting<SharedSource, H>>>,
    /// The outcome, if it was there at once.
    early: Option<Result<usize>>,
    parker: Arc<Unpark>,
}

struct Unpark(Parker);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        note(format_args!("resumes the program"));
        self.0.unpark();
    }
}

impl Pending {
    /// Begins a wait for in-process sources.
    #[track_caller]
    pub fn new(condition: impl Into<Condition>) -> Pending {
        Pending::on(NoStage, condition, NEVER)
    }
}

impl<H: Stage> Pending<H> {
    /// Begins a wait on a stage, such as a wait set, that gives up at `deadline`.
    #[track_caller]
    pub fn on(stage: H, condition: impl Into<Condition>, deadline: Moment) -> Pending<H> {
        let parker = Arc::new(Unpark(Parker::new()));
        let waiting = Box::pin(Waiting::on(&SlotPool::new(), stage, condition, deadline));
        let mut pending = Pending { waiting, early: None, parker };
        note(format_args!("the program begins to wait"));
        pending.early = pending.poll();
        pending
    }

    fn poll(&mut self) -> Option<Result<usize>> {
        let waker = Waker::from(self.parker.clone());
        match self.waiting.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(result) => Some(result),
            Poll::Pending => None,
        }
    }

    /// The outcome, if the wait has ended; asks once.
    pub fn try_finish(&mut self) -> Option<Result<usize>> {
        self.early.take().or_else(|| self.poll())
    }

    /// Sleeps until the wait has ended. Blocks: until then. On the thread that began it.
    ///
    /// # Errors
    /// As for [`wait`].
    #[track_caller]
    pub fn finish(mut self) -> Result<usize> {
        let mut ended = self.early.take();
        while ended.is_none() {
            self.parker.0.park();
            ended = self.poll();
        }
        note(format_args!("the program goes on"));
        ended.expect("the loop ends with an outcome")
    }
}

impl<H: Stage> std::fmt::Debug for Pending<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pending")
    }
}
