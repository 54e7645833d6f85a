//! A future as a wait source: a host polls it, and only its end fires anything.
//!
//! Not here: a wait as a future (`waiting.rs`).
//!
//! # States
//! | state | meaning | set by | who owns the future |
//! |---|---|---|---|
//! | new | never polled | [`FutureSource::new`] | the source |
//! | queued | a job is on its way to poll it | `start`, `wake`, `pause` | the source |
//! | polling | a job polls it | `enter` | the job |
//! | again | the same, and it was woken meanwhile | `wake` | the job |
//! | idle | it has a waker and will call it | `pause` | the source |
//! | done | it ended, or the source was dropped | `finish`, `close` | whoever set it; the job, if it was polling |
//!
//! ```text
//!         start            enter             finish
//!   new ─────────► queued ───────► polling ─────────► done ◄─── close ─── any
//!                    ▲ ▲     wake   │  ▲ │ pause
//!              pause │ │    ┌───────┘  │ ▼
//!                  again ◄──┘         idle
//!                      ▲                │
//!                      └─ queued ◄──────┘ wake
//! ```
//!
//! # Invariants
//! - I1: the future is touched by its owner only, as the table says. [mutants: future.enter, future.pause]
//! - I2: after a wake that came at or after the beginning of a poll, another poll begins, and sees what was written before
//!   that wake. [mutants: future.again, future.wake]
//! - I3: there is at most one job. It holds a count of the task.
//!   (by construction: `queue` follows a transition to queued, which only a compare-exchange from new, idle or again
//!   makes)
//! - I4: the future is dropped once: when it ends, before its waits are fired, or when the source is dropped, by
//!   its owner then; wakers that live on keep the task's memory and not the future. [mutants: future.close, future.steal]
//!
//! # Orderings
//! Every transition is a read-modify-write, so that the history is one release sequence. `pause` and `wake` release, also
//! when a wake changes nothing; `enter` and `close` acquire. Whoever queues the job happens before it runs: that is the
//! host's queue. Models: `tests/loom_future.rs`.

#![allow(unsafe_code)]

use crate::branch::guard;
use crate::job::{Job, JobHost};
use crate::listed::{ListedSource, Node};
use crate::resume::Resume;
use crate::semaphore::Semaphore;
use crate::source::{Listed, Readiness, Route, WaitSource};
use crate::waker::{SourceWaker, WakerId};
use raddle_status::Error;
use raddle_sync::atomic::{AtomicU32, Ordering::*};
use raddle_sync::cell::UnsafeCell;
use raddle_sync::{Mutex, mutant, ord};
use std::fmt;
use std::pin::Pin;
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

const NEW: u32 = 0;
const QUEUED: u32 = 1;
const POLLING: u32 = 2;
const AGAIN: u32 = 3;
const IDLE: u32 = 4;
const DONE: u32 = 5;

/// What `done` is signalled to.
const ENDED: u64 = 1;

/// A future of anybody's, as a wait source that is ready when the future is. Thread-safe.
///
/// The future is polled by `host`, from the first wait on, never on the thread that wakes it. If it panics, the
/// source fails. Dropping the source drops the future, at once if it is not being polled, otherwise after that poll.
pub struct FutureSource<F: Future> {
    task: Arc<Task<F>>,
}

/// What the source, the job and the future's wakers share. The header is the first field.
#[repr(C)]
struct Task<F: Future> {
    job: Resume,
    state: AtomicU32,
    /// Pinned here; I1.
    future: UnsafeCell<Option<F>>,
    output: Mutex<Option<F::Output>>,
    done: Semaphore,
    host: Arc<dyn JobHost>,
}

// SAFETY: I1: one thread at a time touches the future; its output is under a lock.
unsafe impl<F: Future<Output: Send> + Send> Send for Task<F> {}
// SAFETY: as above.
unsafe impl<F: Future<Output: Send> + Send> Sync for Task<F> {}

impl<F: Future<Output: Send> + Send + 'static> FutureSource<F> {
    /// A source for `future`, which `host` polls.
    pub fn new(host: Arc<dyn JobHost>, future: F) -> FutureSource<F> {
        // SAFETY: `run_job` is called with the header of a task of this very type.
        let job = unsafe { Resume::new(run_job::<F>) };
        FutureSource {
            task: Arc::new(Task {
                job,
                state: AtomicU32::new(NEW),
                future: UnsafeCell::new(Some(future)),
                output: Mutex::new(None),
                done: Semaphore::new(0),
                host,
            }),
        }
    }

    /// Has the future polled though nobody waits for it yet.
    pub fn start(&self) {
        if self.task.state.compare_exchange(NEW, QUEUED, Relaxed, Relaxed).is_ok() {
            self.task.clone().queue();
        }
    }

    /// What the future returned; `None` before it ended and after the first call.
    ///
    /// Ordering: an acquire of what the future did.
    pub fn take_output(&self) -> Option<F::Output> {
        self.task.output.lock().take()
    }
}

impl<F: Future<Output: Send> + Send + 'static> Task<F> {
    /// Gives the host the job. The state is queued, by the caller's doing (I3).
    fn queue(self: Arc<Self>) {
        let host = self.host.clone();
        let header = Arc::into_raw(self).cast_mut().cast::<Resume>();
        // SAFETY: the header is the first field of the task, of which the job holds this count.
        let header = unsafe { NonNull::new_unchecked(header) };
        // SAFETY: I3.
        host.run_soon(unsafe { Job::new(header) });
    }

    /// One poll, by the job.
    fn poll_once(self: Arc<Self>) {
        if self.state.compare_exchange(QUEUED, POLLING, ord!("future.enter", Acquire), Relaxed).is_err() {
            return;
        }
        let waker = Waker::from(self.clone());
        let polled = guard(|| {
            self.future.with_mut(|future| {
                // SAFETY: I1: this is the job, and it polls.
                let future = unsafe { &mut *future }.as_mut().expect("a future that has not ended");
                // SAFETY: the task is never moved out of its `Arc`, and the future is dropped in place.
                unsafe { Pin::new_unchecked(future) }.poll(&mut Context::from_waker(&waker))
            })
        });
        match polled {
            Ok(Poll::Pending) => self.pause(),
            Ok(Poll::Ready(output)) => self.finish(Ok(output)),
            Err(error) => self.finish(Err(error)),
        }
    }

    /// Ends a poll that said "pending".
    fn pause(self: Arc<Self>) {
        let idle = self.state.compare_exchange(POLLING, IDLE, ord!("future.pause", Release), Relaxed);
        match idle {
            Ok(_) => {}
            Err(AGAIN) if mutant!("future.again") => {
                self.state.swap(IDLE, Relaxed);
            }
            Err(AGAIN) => match self.state.compare_exchange(AGAIN, QUEUED, Relaxed, Relaxed) {
                Ok(_) => self.queue(),
                Err(_) => self.drop_future(),
            },
            Err(_) => self.drop_future(),
        }
    }

    /// Ends the last poll (I4).
    fn finish(&self, result: Result<F::Output, Error>) {
        self.drop_future();
        let result = result.map(|output| *self.output.lock() = Some(output));
        if self.state.swap(DONE, Relaxed) != DONE {
            let _ = match result {
                Ok(()) => self.done.signal(ENDED).is_ok(),
                Err(error) => self.done.fail(error),
            };
        }
    }
}

impl<F: Future> Task<F> {
    /// The caller owns the future (I1).
    fn drop_future(&self) {
        let dropped = guard(|| {
            self.future.with_mut(|future| {
                // SAFETY: the caller owns the future; it is dropped in place.
                unsafe { *future = None };
            })
        });
        drop(dropped);
    }

    /// The source is gone.
    fn close(&self) {
        match self.state.swap(DONE, ord!("future.close", Acquire)) {
            POLLING | AGAIN if !mutant!("future.steal") => {}
            DONE => {}
            _ => self.drop_future(),
        }
    }
}

impl<F: Future<Output: Send> + Send + 'static> Wake for Task<F> {
    fn wake(self: Arc<Self>) {
        let mut seen = self.state.load(Relaxed);
        loop {
            let next = match seen {
                IDLE => QUEUED,
                POLLING => AGAIN,
                // Nothing changes, but the poll that comes must see what was written before this wake (I2).
                QUEUED | AGAIN => seen,
                _ => return,
            };
            match self.state.compare_exchange_weak(seen, next, ord!("future.wake", Release), Relaxed) {
                Ok(IDLE) => return self.queue(),
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }
}

/// # Safety
/// The header is that of a `Task<F>`, and the caller has the count that `queue` gave to the job.
unsafe fn run_job<F: Future<Output: Send> + Send + 'static>(header: NonNull<Resume>) {
    // SAFETY: the caller's promise.
    let task = unsafe { Arc::from_raw(header.cast::<Task<F>>().as_ptr()) };
    task.poll_once();
}

impl<F: Future> Drop for FutureSource<F> {
    fn drop(&mut self) {
        self.task.close();
    }
}

impl<F: Future<Output: Send> + Send + 'static> ListedSource for FutureSource<F> {
    unsafe fn link(&self, node: Node) {
        // SAFETY: the caller's promise.
        unsafe { self.task.done.link_at(ENDED, node) };
        self.start();
    }

    unsafe fn unlink(&self, node: Node) {
        // SAFETY: the caller's promise.
        unsafe { self.task.done.unlink_at(node) };
    }
}

impl<F: Future<Output: Send> + Send + 'static> WaitSource for FutureSource<F> {
    fn arm(&self, waker: SourceWaker) {
        self.task.done.arm_at(ENDED, waker);
        self.start();
    }

    fn disarm(&self, waker: WakerId) {
        self.task.done.disarm_at(ENDED, waker);
    }

    fn query(&self) -> Readiness {
        self.task.done.query_at(ENDED)
    }

    fn route(&self) -> Route<'_> {
        Route::Listed(Listed(self))
    }
}

impl<F: Future> fmt::Debug for FutureSource<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.task.state.load(Relaxed) {
            NEW => "new",
            QUEUED => "queued",
            POLLING | AGAIN => "polling",
            IDLE => "idle",
            _ => "done",
        };
        write!(f, "FutureSource({state})")
    }
}
