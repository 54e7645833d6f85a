//! What models of the executor share: counted tasks, waits on the clock, workers on threads of a model.

#![allow(unsafe_code, dead_code)]

use raddle_sync::atomic::{AtomicUsize, Ordering::*};
use raddle_sync::thread::{self, JoinHandle};
use raddle_task::internals::*;
use raddle_wait::{Frame, Moment, NEVER, Progress, Resume, SlotPool, Until};
use std::ptr::NonNull;
use std::sync::{Arc, Weak};

/// How often something was done. Relaxed: it orders nothing.
#[derive(Clone)]
pub struct Count(Arc<AtomicUsize>);

impl Count {
    pub fn new() -> Count {
        Count(Arc::new(AtomicUsize::new(0)))
    }

    pub fn add(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    pub fn get(&self) -> usize {
        self.0.load(Relaxed)
    }

    pub fn assert(&self, expected: usize) {
        assert_eq!(self.get(), expected, "a task was run another number of times");
    }
}

/// Tells every worker to leave once something was done as often as it should be: until then nobody helps.
pub struct Goal {
    rig: Rig,
    count: Count,
    goal: usize,
}

impl Goal {
    pub fn new(rig: &Rig, goal: usize) -> Arc<Goal> {
        Arc::new(Goal { rig: rig.clone(), count: Count::new(), goal })
    }

    pub fn add(&self) {
        if self.count.0.fetch_add(1, Relaxed) + 1 == self.goal {
            self.rig.end();
        }
    }
}

/// A thread that drives a worker, asleep there if it is said, until it leaves.
pub fn work(mut hand: Hand, asleep: Option<Place>) -> JoinHandle<()> {
    thread::spawn(move || match asleep {
        Some(place) => {
            hand.sleep(place);
            hand.run_until(|| false);
        }
        None => hand.work(),
    })
}

/// A task that counts.
pub fn counted() -> (Arc<Probe>, Count) {
    counted_then(|| ())
}

/// A task that counts and then calls `then`.
pub fn counted_then(then: impl Fn() + Send + Sync + 'static) -> (Arc<Probe>, Count) {
    let count = Count::new();
    let own = count.clone();
    let probe = Probe::new(move || {
        own.add();
        then();
    });
    (probe, count)
}

/// Steps until there is nothing to do; says where the worker is to sleep.
pub fn fall_asleep(hand: &mut Hand) -> Place {
    loop {
        match hand.step() {
            Step::Ran => {}
            Step::Sleep(place) => return place,
            Step::Leave => panic!("a worker left"),
        }
    }
}

/// A thread that drives a worker until something was done `times` times. Nobody tells it to leave.
pub fn run_until(mut hand: Hand, count: &Count, times: usize) -> JoinHandle<()> {
    let count = count.clone();
    thread::spawn(move || hand.run_until(|| count.get() >= times))
}

/// The same with a worker that is asleep.
pub fn run_asleep_until(mut hand: Hand, place: Place, count: &Count, times: usize) -> JoinHandle<()> {
    let count = count.clone();
    thread::spawn(move || {
        hand.sleep(place);
        hand.run_until(|| count.get() >= times);
    })
}

/// A wait on the clock. When it ends, a task of the rig concludes it and calls `then`.
pub struct Waiter(Arc<Inner>);

#[repr(C)]
struct Inner {
    resume: Resume,
    rig: Rig,
    frame: Frame,
    probe: Arc<Probe>,
    state: AtomicUsize,
}

// SAFETY: the frame is touched by whoever has its turn, which the models prove.
unsafe impl Send for Inner {}
// SAFETY: as above.
unsafe impl Sync for Inner {}

impl Waiter {
    /// Waits until `moment`; not armed yet.
    pub fn new(rig: &Rig, moment: Moment, then: impl Fn() + Send + Sync + 'static) -> Waiter {
        let pool = SlotPool::new();
        let inner = Arc::new_cyclic(|weak: &Weak<Inner>| {
            let weak = weak.clone();
            Inner {
                // SAFETY: `schedule` takes the `Inner` that the resume is the first field of.
                resume: unsafe { Resume::new(schedule) },
                rig: rig.clone(),
                frame: Frame::new(&pool, Arc::new(Until(moment)).into(), NEVER).expect("a frame"),
                probe: Probe::new(move || {
                    if let Some(inner) = weak.upgrade() {
                        inner.conclude();
                        then();
                    }
                }),
                state: AtomicUsize::new(0),
            }
        });
        Waiter(inner)
    }

    /// Begins to wait.
    pub fn arm(&self) {
        let inner = &*self.0;
        assert_eq!(inner.state.swap(1, Relaxed), 0, "armed twice");
        // SAFETY: the waiter stays until the wait has ended.
        let progress = unsafe { inner.frame.begin(inner.rig.stage(), NonNull::from(inner).cast(), None) };
        assert!(matches!(progress, Progress::Waiting), "the wait ended at once");
    }

    /// A wait that holds a place in the wait set until it is dropped.
    pub fn outstanding(rig: &Rig) -> Waiter {
        let waiter = Waiter::new(rig, NEVER - 1, || panic!("a wait that never ends has ended"));
        waiter.arm();
        waiter
    }
}

impl Inner {
    fn conclude(&self) {
        assert_eq!(self.state.swap(2, Relaxed), 1, "a wait was resumed twice");
        // SAFETY: scheduled.
        let progress = unsafe { self.frame.conclude(self.rig.stage(), NonNull::from(self).cast(), None) };
        assert!(matches!(progress, Progress::Done(_)));
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if self.0.state.load(Relaxed) == 1 && !std::thread::panicking() {
            // SAFETY: it waits, and nobody else ends it.
            let was_first = unsafe { self.0.frame.abandon(self.0.rig.stage(), None) };
            assert!(was_first, "a wait ended that is dropped");
            self.0.state.store(2, Relaxed);
        }
    }
}

unsafe fn schedule(resume: NonNull<Resume>) {
    // SAFETY: the resume is the first field of an `Inner` that stays until it has been concluded.
    let inner = unsafe { resume.cast::<Inner>().as_ref() };
    inner.rig.clone().enqueue(&inner.probe.clone());
}

/// What is written by one task and read by another: the checker proves that it is in order.
pub struct Data([raddle_sync::cell::UnsafeCell<u32>; 3]);

// SAFETY: the claim of the models.
unsafe impl Send for Data {}
// SAFETY: as above.
unsafe impl Sync for Data {}

impl Data {
    pub fn new() -> Arc<Data> {
        Arc::new(Data(std::array::from_fn(|_| raddle_sync::cell::UnsafeCell::new(0))))
    }

    pub fn write(&self, index: usize) {
        self.0[index].with_mut(|value| {
            // SAFETY: the claim of the models.
            unsafe { *value += 1 }
        });
    }

    pub fn read(&self, index: usize) {
        self.0[index].with(|value| {
            // SAFETY: the claim of the models.
            assert_eq!(unsafe { *value }, 1, "a task ran another number of times");
        });
    }
}
