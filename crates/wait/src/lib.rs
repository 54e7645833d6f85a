//! Wait slots, wait sources and the wait set: wake-ups that are never lost and never doubled.
//!
//! A program that must wait hands a [`Condition`] over [`WaitSource`]s to a [`Frame`] of slots. A slot is one word: the
//! source, a cancellation and the deadline race for it, and the winner alone owes the program's resume. Nobody
//! needs a thread for that; [`Waiting`] makes a wait a future for any executor, and `raddle-task` runs graphs of tasks in
//! which some are waits.
//!
//! ```
//! use raddle_wait::{Event, Permits, SlotPool, Waiting, any};
//! use std::pin::pin;
//! use std::sync::Arc;
//! use std::task::{Context, Poll, Waker};
//!
//! let (stop, work) = (Arc::new(Event::manual()), Arc::new(Permits::new(0)));
//! let pool = SlotPool::new();
//! let mut wait = pin!(Waiting::new(&pool, any![stop, work.clone()]));
//! let mut cx = Context::from_waker(Waker::noop());
//! assert!(wait.as_mut().poll(&mut cx).is_pending());
//! work.release(1);
//! // The second source was first, and its permit is the wait's.
//! assert!(matches!(wait.as_mut().poll(&mut cx), Poll::Ready(Ok(1))));
//! assert_eq!(work.available(), 0);
//! ```
//!
//! | you want to wait for | use |
//! |---|---|
//! | something in this process | [`Event`], [`Semaphore`], [`Permits`] |
//! | a moment | [`Elapsed`], [`Until`], [`timeout`], a frame's deadline |
//! | a descriptor | `Descriptor`, or `Drained` if you are its only reader |
//! | a future | [`FutureSource`] |
//! | the first of several, or all | [`any!`], [`all!`]; [`select!`], if each has a value |
//! | something of your own | implement [`WaitSource`]: only `arm` is needed |
//!
//! # Features
//! - `set` (default): the wait set, timers and descriptors, on 64-bit Linux. Without it: no clock, no I/O, no system call.
//! - `model`, for tests alone: a kit to model-check sources and loops of your own, if they use the types of [`sync`].

#![deny(unsafe_code)]

mod arm;
mod body;
mod branch;
mod cancel;
mod condition;
mod delay;
mod ending;
mod event;
#[cfg(feature = "set")]
mod eventfd;
mod frame;
mod future;
mod heap;
mod job;
mod listed;
mod lone;
#[cfg(feature = "model")]
pub mod model;
mod permits;
mod pool;
mod resume;
mod select;
mod semaphore;
mod series;
#[cfg(feature = "set")]
mod set;
mod slot;
mod source;
mod stage;
mod tuning;
mod virtual_time;
mod waiting;
mod waker;
mod word;

pub use raddle_sync as sync;

pub use cancel::CancelPoint;
pub use condition::{Condition, LocalSource, SharedSource};
pub use delay::{Elapsed, Immediate, Until, after, delay, timeout, timeout_at};
pub use event::{Event, Outlet};
pub use frame::{Frame, Outcome, Progress};
pub use future::FutureSource;
pub use job::{Job, JobHost};
pub use permits::Permits;
pub use pool::{SlotCounts, SlotPool};
pub use resume::Resume;
pub use select::Select;
pub use semaphore::{Semaphore, SemaphoreValue};
pub use series::Series;
#[cfg(feature = "set")]
pub use set::*;
pub use source::{Commit, Interest, Readiness, Route, WaitSource};
pub use stage::{Moment, NEVER, NoStage, Stage};
pub use virtual_time::VirtualTime;
pub use waiting::Waiting;
pub use waker::{SourceWaker, WakerId};
