//! Programs with one wait each, resumed by whichever thread turns a wait set.

#![allow(unsafe_code, dead_code)]

use raddle_wait::*;
use std::pin::Pin;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering::*};

/// What a frame resumes, with the frame. Dropping it cancels the wait.
#[repr(C)]
pub struct Waiter {
    resume: Resume,
    scheduled: AtomicUsize,
    begun: usize,
    frame: Frame,
    cancel: CancelPoint,
    is_waiting: bool,
}

impl Waiter {
    pub fn new(pool: &SlotPool, condition: impl Into<Condition>, deadline: Moment) -> Pin<Box<Waiter>> {
        // SAFETY: `schedule` reads the waiter that the header is the first field of.
        let resume = unsafe { Resume::new(schedule) };
        let frame = Frame::new(pool, condition.into(), deadline).expect("a valid condition");
        let cancel = CancelPoint::new(pool);
        let waiter =
            Waiter { resume, scheduled: AtomicUsize::new(0), begun: 0, frame, cancel, is_waiting: false };
        Box::pin(waiter)
    }

    /// A waiter that has begun; it must not end at once.
    pub fn begun<K: Kernel>(
        set: &WaitSet<K>,
        pool: &SlotPool,
        condition: impl Into<Condition>,
        deadline: Moment,
    ) -> Pin<Box<Waiter>> {
        let mut waiter = Waiter::new(pool, condition, deadline);
        let outcome = waiter.as_mut().begin(set);
        assert!(outcome.is_none(), "the wait ended at once: {outcome:?}");
        waiter
    }

    /// Begins the wait; `None` if it waits.
    pub fn begin<K: Kernel>(self: Pin<&mut Self>, set: &WaitSet<K>) -> Option<Outcome> {
        // SAFETY: nothing is moved.
        let this = unsafe { self.get_unchecked_mut() };
        assert!(!this.is_waiting);
        let header = NonNull::from(&*this).cast();
        // SAFETY: the waiter is pinned, and its frame is not touched until it is scheduled.
        match unsafe { this.frame.begin(set, header, Some(&this.cancel)) } {
            Progress::Done(outcome) => Some(outcome),
            Progress::Waiting => {
                (this.is_waiting, this.begun) = (true, this.begun + 1);
                None
            }
        }
    }

    pub fn is_scheduled(&self) -> bool {
        let scheduled = self.scheduled.load(Acquire);
        assert!(scheduled <= self.begun, "resumed twice");
        self.is_waiting && scheduled == self.begun
    }

    /// Ends a scheduled wait.
    pub fn conclude<K: Kernel>(self: Pin<&mut Self>, set: &WaitSet<K>) -> Outcome {
        assert!(self.is_scheduled(), "the wait goes on");
        // SAFETY: nothing is moved.
        let this = unsafe { self.get_unchecked_mut() };
        this.is_waiting = false;
        let header = NonNull::from(&*this).cast();
        // SAFETY: scheduled.
        match unsafe { this.frame.conclude(set, header, Some(&this.cancel)) } {
            Progress::Done(outcome) => outcome,
            Progress::Waiting => unreachable!("nothing is handed out here"),
        }
    }

    /// Turns the set until the wait has ended.
    pub fn finish<K: Kernel>(self: Pin<&mut Self>, set: &WaitSet<K>) -> Outcome {
        let mut events = Events::with_capacity(64);
        while !self.is_scheduled() {
            let _ = set.turn(&mut events, Sleep::UntilEvent).expect("a turn");
        }
        self.conclude(set)
    }

    /// The outcome of a wait that other threads drive; `begun` is what `begin` returned.
    pub fn await_outcome<K: Kernel>(
        self: Pin<&mut Self>,
        set: &WaitSet<K>,
        begun: Option<Outcome>,
    ) -> Outcome {
        if let Some(outcome) = begun {
            return outcome;
        }
        while !self.is_scheduled() {
            std::thread::yield_now();
        }
        self.conclude(set)
    }

    pub fn cancel<K: Kernel>(self: Pin<&mut Self>, set: &WaitSet<K>) -> Outcome {
        self.cancel.request();
        self.conclude(set)
    }
}

unsafe fn schedule(header: NonNull<Resume>) {
    // SAFETY: the header is the first field of a pinned waiter that outlives its wait.
    let waiter = unsafe { header.cast::<Waiter>().as_ref() };
    waiter.scheduled.fetch_add(1, AcqRel);
}

/// A moment of the stage's clock, as a source.
pub struct At(pub Moment);

impl WaitSource for At {
    fn arm(&self, waker: SourceWaker) {
        waker.fail(raddle_status::Code::FailedPrecondition);
    }

    fn route(&self) -> Route<'_> {
        Route::Moment(self.0)
    }
}
