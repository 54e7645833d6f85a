//! A wait as a future, for any executor.
//!
//! Not here: a future as a wait source (`future.rs`).
//!
//! # Invariants
//! - I1: the bell (header, waker) outlives the call that schedules the header: every armed wait holds one count of it,
//!   which `ring` releases, or `drop` when the frame says that nobody will ring. [mutants: waiting.count]
//! - I2: once the header was scheduled, the future is polled again: `ring` and `poll` meet under the bell's lock.
//!   [mutants: waiting.recheck]
//! - I3: a future that is dropped while it waits drops its wait at once; a signaller that was faster touches the bell
//!   and nothing else. [mutants: waiting.drop]
//!
//! Models: `tests/loom_future.rs`.

#![allow(unsafe_code)]

use crate::branch::guard;
use crate::condition::{Condition, SharedSource};
use crate::frame::{Frame, Progress};
use crate::pool::SlotPool;
use crate::resume::Resume;
use crate::source::WaitSource;
use crate::stage::{Moment, NEVER, NoStage, Stage};
use raddle_status::Result;
use raddle_sync::{Arc, Mutex, mutant};
use std::fmt;
use std::marker::PhantomPinned;
use std::ops::Deref;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

/// A wait as a future; its output is that of [`Outcome::into_result`](crate::Outcome::into_result).
///
/// Any executor may poll it. Dropping it drops the wait at once: nothing is consumed, and a signal that was on its way
/// goes to whoever waits next. It costs one allocation.
///
/// ```
/// use raddle_wait::{Event, SlotPool, Waiting};
/// use std::sync::Arc;
///
/// # async fn example() -> raddle_status::Result {
/// let pool = SlotPool::new();
/// let event = Arc::new(Event::auto());
/// event.set();
/// Waiting::new(&pool, event).await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a future does nothing unless it is polled"]
pub struct Waiting<S: Deref<Target: WaitSource> = SharedSource, H: Stage = NoStage> {
    frame: Result<Frame<S>>,
    stage: H,
    bell: Arc<Bell>,
    /// Whether the frame waits: then one count of the bell is the wait's (I1).
    is_armed: bool,
    _stays: PhantomPinned,
}

/// What a signaller touches. The header is the first field.
#[repr(C)]
struct Bell {
    resume: Resume,
    state: Mutex<Rung>,
}

#[derive(Default)]
struct Rung {
    is_rung: bool,
    waker: Option<Waker>,
}

impl<S: Deref<Target: WaitSource>> Waiting<S> {
    /// A wait for in-process sources.
    pub fn new(pool: &SlotPool, condition: impl Into<Condition<S>>) -> Waiting<S> {
        Waiting::on(pool, NoStage, condition, NEVER)
    }
}

impl<S: Deref<Target: WaitSource>, H: Stage> Waiting<S, H> {
    /// A wait on `stage`, for any source, which fails with DEADLINE_EXCEEDED at `deadline`.
    ///
    /// A condition that no frame takes is the future's output.
    pub fn on(
        pool: &SlotPool,
        stage: H,
        condition: impl Into<Condition<S>>,
        deadline: Moment,
    ) -> Waiting<S, H> {
        // SAFETY: `ring` is called with the header of a bell.
        let resume = unsafe { Resume::new(ring) };
        Waiting {
            frame: Frame::new(pool, condition.into(), deadline),
            stage,
            bell: Arc::new(Bell { resume, state: Mutex::new(Rung::default()) }),
            is_armed: false,
            _stays: PhantomPinned,
        }
    }

    /// A count of the bell, as the header that the frame schedules (I1).
    fn lend(&self) -> NonNull<Resume> {
        let bell = Arc::into_raw(self.bell.clone()).cast_mut().cast::<Resume>();
        // SAFETY: pointers into an `Arc` are not null.
        unsafe { NonNull::new_unchecked(bell) }
    }
}

impl<S: Deref<Target: WaitSource>, H: Stage> Future for Waiting<S, H> {
    type Output = Result<usize>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<usize>> {
        // SAFETY: nothing is moved out.
        let this = unsafe { self.get_unchecked_mut() };
        let frame = match &this.frame {
            Ok(frame) => frame,
            Err(error) => return Poll::Ready(Err(error.clone())),
        };
        if !this.bell.expect_ring(context.waker(), this.is_armed) {
            return Poll::Pending;
        }
        let header = this.lend();
        let progress = match std::mem::take(&mut this.is_armed) {
            // SAFETY: the future is pinned, and the wait has a count of the bell.
            false => unsafe { frame.begin(&this.stage, header, None) },
            // SAFETY: as above; it was rung.
            true => unsafe { frame.conclude(&this.stage, header, None) },
        };
        match progress {
            Progress::Waiting => {
                this.is_armed = true;
                Poll::Pending
            }
            Progress::Done(outcome) => {
                // SAFETY: made by `lend`; nothing waits.
                unsafe { put_back(header) };
                Poll::Ready(outcome.into_result())
            }
        }
    }
}

impl<S: Deref<Target: WaitSource>, H: Stage> Drop for Waiting<S, H> {
    fn drop(&mut self) {
        let Ok(frame) = self.frame.as_ref().map_err(|_| ()) else { return };
        if !self.is_armed {
            return;
        }
        let unused = self.bell.state.lock().waker.take();
        // SAFETY: the frame waits, and this was its last owner.
        if unsafe { frame.abandon(&self.stage, None) } || mutant!("waiting.drop") {
            let header = NonNull::from(&*self.bell).cast();
            // SAFETY: nobody will ring: the wait's count is ours (I1).
            unsafe { put_back(header) };
        }
        drop(unused);
    }
}

impl Bell {
    /// Whether the frame is to be gone on with; otherwise `waker` is called when it is.
    fn expect_ring(&self, waker: &Waker, is_armed: bool) -> bool {
        let mut fresh = None;
        loop {
            let mut state = self.state.lock();
            let is_blind = fresh.is_some() && mutant!("waiting.recheck");
            let may_go_on = !is_armed || state.is_rung && !is_blind;
            let is_known = state.waker.as_ref().is_some_and(|known| known.will_wake(waker));
            if is_known || fresh.is_some() {
                // Replaced after the lock is released: a waker's drop is foreign code.
                let old = if is_known { fresh } else { std::mem::replace(&mut state.waker, fresh) };
                state.is_rung &= !may_go_on;
                drop(state);
                drop(old);
                return may_go_on;
            }
            drop(state);
            fresh = Some(waker.clone());
        }
    }
}

/// # Safety
/// The header is that of a bell, and the caller has the armed wait's count.
unsafe fn ring(header: NonNull<Resume>) {
    // SAFETY: the caller's promise.
    let bell = unsafe { Arc::from_raw(header.cast::<Bell>().as_ptr()) };
    let mut state = bell.state.lock();
    state.is_rung = true;
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        let _ = guard(|| waker.wake());
    }
    if mutant!("waiting.count") {
        std::mem::forget(bell);
    }
}

/// # Safety
/// The header is that of a bell, and the caller has a count of it.
unsafe fn put_back(header: NonNull<Resume>) {
    // SAFETY: the caller's promise.
    drop(unsafe { Arc::from_raw(header.cast::<Bell>().as_ptr()) });
}

impl<S: Deref<Target: WaitSource>, H: Stage> fmt::Debug for Waiting<S, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Waiting(armed {})", self.is_armed)
    }
}
