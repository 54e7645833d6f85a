//! A frame: one wait of one program, which brings its own root and its pool along.
//!
//! Not here: how a wait begins and ends (`series.rs`).

#![allow(unsafe_code)]

use crate::body::Body;
use crate::cancel::CancelPoint;
use crate::condition::{Condition, SharedSource};
use crate::pool::SlotPool;
use crate::resume::Resume;
use crate::series::Series;
use crate::source::WaitSource;
use crate::stage::{Moment, Stage};
use raddle_status::{Code, Error, Result};
use std::cell::OnceCell;
use std::ops::Deref;
use std::ptr::NonNull;

/// How a wait ended.
#[derive(Clone, Debug)]
#[must_use]
pub enum Outcome {
    /// The condition holds; for a wait for any, `index` is the child that was first, otherwise 0.
    Ready {
        /// Index among the children of the condition.
        index: usize,
    },
    /// A source failed.
    Failed(Error),
    /// The wait was cancelled.
    Cancelled,
    /// The deadline passed first.
    TimedOut,
}

impl Outcome {
    /// The index, or the outcome as a failure: CANCELLED, DEADLINE_EXCEEDED, or the source's own.
    ///
    /// # Errors
    /// As above.
    #[inline]
    pub fn into_result(self) -> Result<usize> {
        match self {
            Outcome::Ready { index } => Ok(index),
            Outcome::Failed(error) => Err(error),
            Outcome::Cancelled => Err(ended(Code::Cancelled, "cancelled while waiting")),
            Outcome::TimedOut => Err(ended(Code::DeadlineExceeded, "the deadline passed while waiting")),
        }
    }
}

#[cold]
fn ended(code: Code, text: &'static str) -> Error {
    Error::new(code, text)
}

/// Where a wait stands after [`Frame::begin`] or [`Frame::conclude`].
#[derive(Debug)]
#[must_use]
pub enum Progress {
    /// It ended; the frame is closed.
    Done(Outcome),
    /// It waits. The header will be scheduled exactly once; until then the frame must not be touched.
    Waiting,
}

/// One wait: a condition, and the slots that it holds while it waits. Send if its sources are; used by its owner alone.
///
/// ```compile_fail,E0277
/// fn is_sync<T: Sync>() {}
/// is_sync::<raddle_wait::Frame>();
/// ```
///
/// ```compile_fail,E0277
/// fn is_send<T: Send>() {}
/// is_send::<raddle_wait::Frame<raddle_wait::LocalSource>>();
/// ```
pub struct Frame<S = SharedSource> {
    series: Series<S>,
    pool: SlotPool,
    /// The root of a wait that nobody can cancel; since the first of those.
    own: OnceCell<CancelPoint>,
}

impl<S: Deref<Target: WaitSource>> Frame<S> {
    /// A frame for this condition, with slots from `pool`, which gives up at `deadline`
    /// ([`NEVER`](crate::NEVER) for none).
    ///
    /// # Errors
    /// INVALID_ARGUMENT for a group without children; RESOURCE_EXHAUSTED for one with a million.
    pub fn new(pool: &SlotPool, condition: Condition<S>, deadline: Moment) -> Result<Frame<S>> {
        let mut series = Series::new();
        series.renew(condition, deadline)?;
        Ok(Frame { series, pool: pool.clone(), own: OnceCell::new() })
    }

    /// The root of a wait.
    fn point<'a>(&'a self, cancel: Option<&'a CancelPoint>) -> &'a CancelPoint {
        cancel.unwrap_or_else(|| self.own.get_or_init(|| CancelPoint::alone(&self.pool)))
    }

    /// Begins the wait: asks, and arms what is not ready. It ends when somebody asks for that at `cancel`.
    ///
    /// A source that is ready wins over a deadline that has passed. Blocks: never. Owner only.
    /// Ordering: `Done` is an acquire of what the sources' signallers released.
    ///
    /// # Safety
    /// The frame does not wait already, nor does another with this `resume` or this `cancel`. If this returns `Waiting`, the
    /// frame, `resume` and `cancel` stay where they are and are not touched (`cancel`: by its owner) until `resume` is
    /// scheduled, which may be before this call returns; then its owner calls [`conclude`](Frame::conclude). Instead of that,
    /// at any time, its owner may call [`abandon`](Frame::abandon).
    pub unsafe fn begin(
        &self,
        stage: &dyn Stage,
        resume: NonNull<Resume>,
        cancel: Option<&CancelPoint>,
    ) -> Progress {
        // SAFETY: the caller's promise.
        unsafe { self.series.begin(stage, resume, self.point(cancel)) }
    }

    /// Ends a wait whose header was scheduled, or begins it again if what it waited for was lost to another.
    ///
    /// # Safety
    /// The header of the last [`begin`](Frame::begin) or `conclude` was scheduled, and the caller is who it was
    /// scheduled for. `cancel` is that of the begin. The promises of `begin` hold for the new wait.
    pub unsafe fn conclude(
        &self,
        stage: &dyn Stage,
        resume: NonNull<Resume>,
        cancel: Option<&CancelPoint>,
    ) -> Progress {
        // SAFETY: the caller's promise.
        unsafe { self.series.conclude(stage, resume, self.point(cancel)) }
    }

    /// Ends a wait that nobody is interested in any more, at once and without an outcome; nothing is consumed.
    ///
    /// `true`: this call came before every signal, and the header will not be scheduled. `false`: somebody was
    /// faster, and schedules or has scheduled the header, once; the frame is done with all the same, but the header
    /// must stay until then.
    ///
    /// Blocks: never. Owner only.
    ///
    /// # Safety
    /// The last [`begin`](Frame::begin) or [`conclude`](Frame::conclude) has returned `Waiting` to the caller, who
    /// is the only one that would conclude the frame when it is scheduled, and who won't any more. `cancel` is that of the
    /// begin.
    pub unsafe fn abandon(&self, stage: &dyn Stage, cancel: Option<&CancelPoint>) -> bool {
        // SAFETY: the caller's promise.
        unsafe { self.series.abandon(stage, self.point(cancel)) }
    }

    /// Changes the moment at which the next [`begin`](Frame::begin) gives up.
    pub fn set_deadline(&mut self, deadline: Moment) {
        self.series.set_deadline(deadline);
    }
}

impl<S> std::fmt::Debug for Frame<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Frame({} branches)", self.series.look(Body::branch_count))
    }
}
