//! What the models wait with: programs, a foreign source, data that a signal publishes.

#![allow(unsafe_code, dead_code)]

use raddle_sync::atomic::{AtomicUsize, Ordering::*};
use raddle_sync::cell::UnsafeCell;
use raddle_sync::{Arc, Mutex, Parker};
use raddle_wait::*;
use std::ptr::NonNull;

/// A program with one wait at a time, which parks where an executor would run something else.
#[repr(C)]
pub struct Program {
    resume: Resume,
    scheduled: AtomicUsize,
    parker: Parker,
}

impl Program {
    pub fn new() -> Arc<Program> {
        // SAFETY: `schedule` reads the program that the header is the first field of.
        let resume = unsafe { Resume::new(schedule) };
        Arc::new(Program { resume, scheduled: AtomicUsize::new(0), parker: Parker::new() })
    }

    /// How often it was scheduled; it must never pass the number of waits.
    pub fn scheduled(&self) -> usize {
        self.scheduled.load(Acquire)
    }

    /// Waits until `frame` has an outcome. The program's thread only.
    pub fn wait(&self, frame: &Frame, cancel: Option<&CancelPoint>) -> Outcome {
        self.wait_in(&NoStage, frame, cancel)
    }

    pub fn wait_in(&self, stage: &dyn Stage, frame: &Frame, cancel: Option<&CancelPoint>) -> Outcome {
        let waits = self.scheduled();
        // SAFETY: the frame and the program stay in place, and are not touched until scheduled.
        let progress = unsafe { frame.begin(stage, self.header(), cancel) };
        self.run(waits, progress, stage, frame, cancel)
    }

    /// Begins a first wait; `None` if it waits, and then `finish_in` must follow, with the frame in the same place.
    pub fn begin_in(
        &self,
        stage: &dyn Stage,
        frame: &Frame,
        cancel: Option<&CancelPoint>,
    ) -> Option<Outcome> {
        // SAFETY: the frame and the program stay in place, and are not touched until scheduled.
        match unsafe { frame.begin(stage, self.header(), cancel) } {
            Progress::Done(outcome) => Some(outcome),
            Progress::Waiting => None,
        }
    }

    pub fn finish_in(&self, stage: &dyn Stage, frame: &Frame, cancel: Option<&CancelPoint>) -> Outcome {
        self.run(0, Progress::Waiting, stage, frame, cancel)
    }

    fn run(
        &self,
        mut waits: usize,
        mut progress: Progress,
        stage: &dyn Stage,
        frame: &Frame,
        cancel: Option<&CancelPoint>,
    ) -> Outcome {
        loop {
            match progress {
                Progress::Done(outcome) => {
                    assert_eq!(self.scheduled(), waits, "resumed twice");
                    return outcome;
                }
                Progress::Waiting => {
                    self.parker.park();
                    waits += 1;
                    assert_eq!(self.scheduled(), waits, "resumed twice");
                    // SAFETY: scheduled.
                    progress = unsafe { frame.conclude(stage, self.header(), cancel) };
                }
            }
        }
    }

    /// Returns when it has been scheduled.
    pub fn park(&self) {
        self.parker.park();
    }

    pub fn header(&self) -> NonNull<Resume> {
        NonNull::from(self).cast()
    }
}

unsafe fn schedule(header: NonNull<Resume>) {
    // SAFETY: the header is the first field of a program that outlives its waits.
    let program = unsafe { header.cast::<Program>().as_ref() };
    program.scheduled.fetch_add(1, AcqRel);
    program.parker.unpark();
}

/// A program whose frame is concluded by whoever resumes it, on the resumer's thread.
#[repr(C)]
pub struct Inline {
    resume: Resume,
    frame: Frame,
    outcome: UnsafeCell<Option<Outcome>>,
    ended: AtomicUsize,
    parker: Parker,
}

// SAFETY: the frame is its present owner's; that the outcome is too is the claim of the models.
unsafe impl Sync for Inline {}
// SAFETY: as above.
unsafe impl Send for Inline {}

impl Inline {
    pub fn new(frame: Frame) -> Arc<Inline> {
        // SAFETY: `run` reads the program that the header is the first field of.
        let resume = unsafe { Resume::new(run) };
        let (outcome, ended, parker) = (UnsafeCell::new(None), AtomicUsize::new(0), Parker::new());
        Arc::new(Inline { resume, frame, outcome, ended, parker })
    }

    /// Runs the program, and waits until it ended, on whatever thread.
    pub fn run(&self) -> Outcome {
        let header = NonNull::from(self).cast();
        // SAFETY: the program stays in place, and is not touched until it ended.
        match unsafe { self.frame.begin(&NoStage, header, None) } {
            Progress::Done(outcome) => self.end(outcome),
            Progress::Waiting => {}
        }
        self.parker.park();
        assert_eq!(self.ended.load(Relaxed), 1, "resumed twice");
        // SAFETY: it ended.
        self.outcome.with_mut(|outcome| unsafe { (*outcome).take() }).expect("an outcome")
    }

    fn end(&self, outcome: Outcome) {
        // SAFETY: the claim of the models: one thread at a time runs the program.
        self.outcome.with_mut(|place| unsafe { *place = Some(outcome) });
        self.ended.fetch_add(1, Relaxed);
        self.parker.unpark();
    }
}

unsafe fn run(header: NonNull<Resume>) {
    // SAFETY: the header is the first field of a program that outlives its waits.
    let program = unsafe { header.cast::<Inline>().as_ref() };
    // SAFETY: scheduled.
    match unsafe { program.frame.conclude(&NoStage, header, None) } {
        Progress::Done(outcome) => program.end(outcome),
        Progress::Waiting => {}
    }
}

/// A foreign source: it has nothing but a callback, which it calls once.
#[derive(Default)]
pub struct Callback {
    state: Mutex<(bool, Option<SourceWaker>)>,
}

impl Callback {
    pub fn new() -> std::sync::Arc<Callback> {
        std::sync::Arc::new(Callback::default())
    }

    pub fn resolve(&self) {
        let waker = {
            let mut state = self.state.lock();
            state.0 = true;
            state.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The waker of the present wait, if it is armed.
    pub fn waker(&self) -> Option<SourceWaker> {
        self.state.lock().1.clone()
    }
}

impl WaitSource for Callback {
    fn arm(&self, waker: SourceWaker) {
        let is_ready = {
            let mut state = self.state.lock();
            state.1 = Some(waker.clone());
            state.0
        };
        if is_ready {
            waker.wake();
        }
    }
}

/// A source that never fires.
pub struct Never;
impl WaitSource for Never {
    fn arm(&self, _: SourceWaker) {}
}

/// Data that a signaller writes before it signals; or that whoever holds a permit may write.
pub struct Datum(UnsafeCell<u32>);
// SAFETY: the model checker proves that accesses are ordered; that is the claim.
unsafe impl Send for Datum {}
// SAFETY: as above.
unsafe impl Sync for Datum {}

impl Datum {
    pub fn new() -> Arc<Datum> {
        Arc::new(Datum(UnsafeCell::new(0)))
    }

    pub fn write(&self) {
        // SAFETY: the claim of the model.
        self.0.with_mut(|value| unsafe { *value += 7 });
    }

    pub fn read(&self) -> u32 {
        // SAFETY: the claim of the model.
        self.0.with(|value| unsafe { *value })
    }
}

pub fn frame(pool: &SlotPool, condition: impl Into<Condition>) -> Frame {
    Frame::new(pool, condition.into(), NEVER).expect("a valid condition")
}

/// Every slot is free or worn out.
pub fn assert_whole(pool: &SlotPool) {
    let counts = pool.counts();
    assert_eq!(counts.made, counts.free + counts.worn, "a slot was lost: {counts:?}");
}
