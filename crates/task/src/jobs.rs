//! The executor as the host of jobs: what sources have to be done, such as polling a future.
//!
//! Not here: what a job does (`raddle-wait`).
//!
//! # Invariants
//! - I1: a job that was accepted is run: workers leave only when none is on its way, and one that comes after they were told
//!   to leave is run by the thread that brings it. [mutants: jobs.accept, jobs.leave]
//! - I2: a carrier is in the pool, or has one job and is in one queue. (by construction: `run_soon`, `run_carrier`)
//!
//! # Orderings
//! `run_soon` counts its job and then looks whether the threads were told to leave; a worker that was told to leave looks at the
//! count afterwards: a sequentially consistent fence on both sides.

#![allow(unsafe_code)]

use crate::core::Core;
use crate::header::{Owner, Task, TaskRef, no_member};
use crate::scope;
use crate::worker::Cx;
use raddle_sync::atomic::{AtomicUsize, Ordering::*};
use raddle_sync::{Mutex, fence};
use raddle_wait::{Job, JobHost, Resume};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ptr::{NonNull, null};
use std::sync::Arc;

/// The jobs of one executor.
#[derive(Default)]
pub(crate) struct Jobs {
    /// Carriers without a job. Boxes, since their headers stay in place.
    #[expect(clippy::vec_box)]
    free: Mutex<Vec<Box<Carrier>>>,
    /// Accepted, and not taken by the thread that runs it.
    accepted: AtomicUsize,
}

/// A task that carries one job through the queues. The owner is the first field, so that it is its own.
#[repr(C)]
struct Carrier {
    owner: Owner,
    task: Task,
    job: Cell<Option<NonNull<Resume>>>,
}

// SAFETY: I2: whoever took it out of the pool or a queue is the only one who has it; jobs are Send.
unsafe impl Send for Carrier {}

impl Jobs {
    /// Whether jobs are on their way to a worker. For a worker that was told to leave.
    pub(crate) fn are_underway(&self) -> bool {
        fence!("jobs.leave");
        self.accepted.load(Relaxed) > 0
    }

    fn take(&self) -> Box<Carrier> {
        if let Some(carrier) = self.free.lock().pop() {
            return carrier;
        }
        let mut carrier = Box::new(Carrier {
            owner: Owner { run: run_carrier, scope: no_scope, member: no_member },
            task: Task::new(NonNull::dangling(), 0, unused),
            job: Cell::new(None),
        });
        carrier.task.header.owner = NonNull::from(&carrier.owner);
        carrier
    }
}

fn no_scope(_: &TaskRef) -> *const scope::Inner {
    null()
}

/// Carriers are enqueued, and wait for nothing.
unsafe fn unused(_: NonNull<Resume>) {
    unreachable!("a carrier of jobs was scheduled by a wait");
}

fn run_carrier(task: TaskRef, cx: Cx<'_>) -> Option<TaskRef> {
    // SAFETY: the owner of a carrier's task is the carrier.
    let carrier: &Carrier = unsafe { task.owner() };
    let job = carrier.job.take().expect("a carrier in a queue has a job");
    // SAFETY: leaked in `run_soon`; it is in no queue any more (I2).
    let carrier = unsafe { Box::from_raw(NonNull::from(carrier).as_ptr()) };
    cx.core.jobs.free.lock().push(carrier);
    cx.core.jobs.accepted.fetch_sub(1, Relaxed);
    cx.local.count(cx.core, 1);
    // SAFETY: taken out of its carrier, once.
    unsafe { Job::new(job) }.run();
    None
}

/// An executor, for sources that need somebody to run their jobs. It does not keep the executor from ending.
pub(crate) struct Host(pub(crate) Arc<Core>);

impl JobHost for Host {
    fn run_soon(&self, job: Job) {
        let core = &self.0;
        core.jobs.accepted.fetch_add(1, Relaxed);
        fence!("jobs.accept");
        if core.is_leaving.load(Relaxed) {
            core.jobs.accepted.fetch_sub(1, Relaxed);
            return run_here(job);
        }
        let carrier = core.jobs.take();
        carrier.job.set(Some(job.into_header()));
        let carrier = NonNull::from(Box::leak(carrier));
        // SAFETY: the carrier is ours, and stays until it was run.
        let task = NonNull::from(unsafe { &carrier.as_ref().task });
        // SAFETY: nobody else has the duty for it.
        unsafe { Core::enqueue(core, task) };
    }
}

thread_local! {
    /// Jobs that this thread brought while it runs one.
    static LATE: RefCell<Option<VecDeque<Job>>> = const { RefCell::new(None) };
}

/// Runs a job for which there is no worker any more, one after another.
#[cold]
fn run_here(job: Job) {
    let is_inside = LATE.with_borrow_mut(|late| match late {
        Some(late) => {
            late.push_back(job);
            true
        }
        None => {
            *late = Some(VecDeque::from([job]));
            false
        }
    });
    if is_inside {
        return;
    }
    while let Some(job) = LATE.with_borrow_mut(|late| late.as_mut().and_then(VecDeque::pop_front)) {
        job.run();
    }
    LATE.set(None);
}
