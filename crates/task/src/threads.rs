//! The threads of an executor: their start, their loop, their end.
//!
//! Not here: what a worker does (`worker.rs`).
//!
//! # Invariants
//! - I1: a thread that sees `is_leaving` ends when its deques are empty; everybody is woken after it was set.
//!   [mutants: threads.leave, threads.wake_all, threads.chain]
//! - I2: `shutdown` ends within its deadline, whatever tasks do. (by construction: it sleeps with a deadline that needs no
//!   worker, and joins only threads that have announced their end)
//! - I3: threads are told to end after the last run has ended or been given up, so that a run always finds a
//!   worker, also when the last handle is dropped on one. (by construction: `shutdown` waits; `detach` has the scopes tell)

use crate::blocking;
use crate::core::Core;
use crate::executor::{Driver, Executor};
use crate::idle::Place;
use crate::local::Local;
use crate::scope;
use crate::topology::Topology;
use crate::tuning::{DROP_NS, EVENTS_MAX};
use crate::turn::turn_once;
use crate::worker::{Step, Worker};
use raddle_status::{Code, Error, Result};
use raddle_sync::atomic::{AtomicBool, Ordering::*};
use raddle_sync::{Mutex, Parker};
use raddle_wait::{Events, Moment, Semaphore, SemaphoreValue, Sleep};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::thread::{Builder, JoinHandle};

/// What is called on each worker.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    pub(crate) start: Option<Hook>,
    pub(crate) stop: Option<Hook>,
}

pub(crate) type Hook = Arc<dyn Fn(usize) + Send + Sync>;

/// How a shutdown went: the names of scopes that somebody still held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShutdownReport {
    /// Scopes that were idle, or ended by themselves.
    pub done: Vec<String>,
    /// Scopes whose work was cancelled and ended.
    pub cancelled: Vec<String>,
    /// Scopes with work that did not end in time, and how many runs.
    pub leaked: Vec<(String, usize)>,
    /// Threads that were inside a task when the deadline passed. They end when it returns.
    pub threads_left: usize,
}

pub(crate) struct Threads {
    handles: Mutex<Vec<JoinHandle<()>>>,
    /// Counts the threads that have left.
    left: Arc<Left>,
    count: usize,
    /// A shutdown has been through.
    is_over: AtomicBool,
}

impl Threads {
    pub(crate) fn start(
        core: &Arc<Core>,
        locals: Vec<Box<Local>>,
        topology: &Topology,
        stack_bytes: Option<usize>,
        hooks: &Hooks,
    ) -> Result<Threads> {
        let mut threads = Threads {
            handles: Mutex::new(Vec::new()),
            left: Arc::new(Left::default()),
            count: 0,
            is_over: AtomicBool::new(false),
        };
        let (bound, is_bound) = mpsc::channel();
        for local in locals {
            let index = local.index;
            let (name, place) = (format!("{}-{index}", core.name), topology.place(index));
            let (worker_core, hooks, bound) = (core.clone(), hooks.clone(), bound.clone());
            let body = move || {
                let result = place.bind(index);
                let may_work = result.is_ok();
                let _ = bound.send(result);
                drop(bound);
                if may_work {
                    work(&worker_core, Worker::new(local), &hooks);
                }
            };
            threads.spawn(core, name, stack_bytes, body)?;
        }
        drop(bound);
        if topology.is_bound() {
            let first_failure = is_bound.iter().find_map(Result::err);
            if let Some(error) = first_failure {
                core.is_closed.store(true, Relaxed);
                end(core);
                return Err(error);
            }
        }
        if core.driver == Driver::Thread {
            let poller_core = core.clone();
            threads.spawn(core, format!("{}-poller", core.name), stack_bytes, move || poll(&poller_core))?;
        }
        Ok(threads)
    }

    fn spawn(
        &mut self,
        core: &Arc<Core>,
        name: String,
        stack_bytes: Option<usize>,
        body: impl FnOnce() + Send + 'static,
    ) -> Result {
        let mut builder = Builder::new().name(name);
        if let Some(bytes) = stack_bytes {
            builder = builder.stack_size(bytes);
        }
        let left = self.left.clone();
        let spawned = builder.spawn(move || {
            body();
            left.add_one();
        });
        match spawned {
            Ok(handle) => {
                self.handles.lock().push(handle);
                self.count += 1;
                Ok(())
            }
            Err(error) => {
                core.is_closed.store(true, Relaxed);
                end(core);
                Err(Error::new(Code::ResourceExhausted, format!("the system refused a thread: {error}")))
            }
        }
    }

    /// The end of the last handle: see [`Executor`].
    pub(crate) fn drop_with(&self, core: &Arc<Core>) {
        if !self.is_over.load(Relaxed) {
            let _ = self.shutdown(core, core.now().saturating_add(DROP_NS));
        }
    }

    /// In a fork: the handles name threads of the parent.
    pub(crate) fn forget(&mut self) {
        std::mem::forget(std::mem::take(self.handles.get_mut()));
    }

    pub(crate) fn shutdown(&self, core: &Arc<Core>, deadline: Moment) -> ShutdownReport {
        self.is_over.store(true, Relaxed);
        core.is_closed.store(true, Relaxed);
        core.closing.set();
        let scopes = core.scopes.close();
        if self.is_ours(core) {
            return self.detach(core, &scopes);
        }
        let mut report = ShutdownReport::default();
        for (scope, was_busy) in &scopes {
            let waited = blocking::wait(core, scope, &scope.idle_source(), deadline);
            let name = scope.name().to_owned();
            match (waited, was_busy) {
                (Ok(()), false) => report.done.push(name),
                (Ok(()), true) => report.cancelled.push(name),
                (Err(_), _) => report.leaked.push((name, scope.pending())),
            }
        }
        if core.driver == Driver::Host {
            // Nobody else runs the jobs that were accepted.
            while turn_once(core).is_ok_and(|turned| turned.tasks > 0) {}
        }
        end(core);
        report.threads_left = self.join(core, deadline);
        report
    }

    /// Whether the caller is one of the threads that would have to be joined, or inside one of our tasks.
    fn is_ours(&self, core: &Core) -> bool {
        let me = std::thread::current().id();
        Local::with_current(core, |_| ()).is_some()
            || self.handles.lock().iter().any(|handle| handle.thread().id() == me)
    }

    /// A shutdown that nobody waits for: the scope that becomes idle last tells the threads to end (I3).
    fn detach(&self, core: &Arc<Core>, scopes: &[(Arc<scope::Inner>, bool)]) -> ShutdownReport {
        let mut report = ShutdownReport { threads_left: self.count, ..ShutdownReport::default() };
        let ending = Arc::new(Ending(core.clone()));
        for (scope, was_busy) in scopes {
            let name = scope.name().to_owned();
            match was_busy {
                false => report.done.push(name),
                true => report.leaked.push((name, scope.pending())),
            }
            let ending = ending.clone();
            scope.on_idle(Box::new(move || drop(ending)));
        }
        report
    }

    /// Joins the threads that leave before the deadline; says how many did not.
    fn join(&self, core: &Arc<Core>, deadline: Moment) -> usize {
        let left = self.left.until(self.count);
        let here = Arc::new(scope::Inner::new(core, "shutdown".to_owned()));
        if blocking::wait(core, &here, &left, deadline).is_err() {
            return self.count - self.left.count();
        }
        for handle in self.handles.lock().drain(..) {
            // A worker does not panic: tasks are guarded, hooks are too.
            let _ = handle.join();
        }
        0
    }
}

/// Tells the threads to end when its last holder, one for each busy scope, drops it.
struct Ending(Arc<Core>);

impl Drop for Ending {
    fn drop(&mut self) {
        end(&self.0);
    }
}

/// Tells every thread to end.
pub(crate) fn end(core: &Core) {
    core.is_leaving.store(true, Relaxed);
    if !raddle_sync::mutant!("threads.leave") {
        core.wake_all();
    }
}

/// Counts the threads that have left.
struct Left {
    count: Mutex<u64>,
    reached: Arc<Semaphore>,
}

impl Default for Left {
    fn default() -> Left {
        Left { count: Mutex::new(0), reached: Arc::new(Semaphore::new(0)) }
    }
}

impl Left {
    fn add_one(&self) {
        let mut count = self.count.lock();
        *count += 1;
        let _ = self.reached.signal(*count);
    }

    fn count(&self) -> usize {
        *self.count.lock() as usize
    }

    fn until(&self, count: usize) -> SemaphoreValue {
        self.reached.at(count as u64)
    }
}

/// The loop of a worker's thread.
pub(crate) fn work(core: &Arc<Core>, mut worker: Worker, hooks: &Hooks) {
    let index = worker.local.index;
    let parker = core.remotes[index].parker.get_or_init(Parker::new);
    let _entered = worker.local.enter(core);
    worker.warm_up(core);
    run_hook(&hooks.start, index);
    loop {
        match worker.step(core) {
            Step::Ran => {}
            Step::Sleep(Place::Parker) => {
                core.remotes[index].note_sleep(Some(Place::Parker));
                parker.park();
                worker.woke(core);
            }
            Step::Sleep(Place::Kernel) => {
                core.remotes[index].note_sleep(Some(Place::Kernel));
                worker.sleep_in_kernel(core, Sleep::UntilEvent);
            }
            Step::Leave => break,
        }
    }
    run_hook(&hooks.stop, index);
}

/// A hook that panics harms nobody: the message is the panic hook's.
fn run_hook(hook: &Option<Hook>, index: usize) {
    if let Some(hook) = hook {
        let _ = catch_unwind(AssertUnwindSafe(|| hook(index)));
    }
}

/// The loop of a poller thread.
fn poll(core: &Arc<Core>) {
    raddle_sync::warm_up();
    let mut events = Events::with_capacity(EVENTS_MAX);
    while !core.is_leaving.load(Relaxed) {
        // What fires is enqueued from outside, which wakes a worker.
        let _ = core.set.turn(&mut events, Sleep::UntilEvent);
    }
}

impl Executor {
    /// Ends the executor: refuses new work, cancels what has not started and what waits, lets tasks that run come to
    /// their end, and joins the threads.
    ///
    /// Blocks: until all has ended, at most until `deadline` on the executor's clock. Not at all on one of the
    /// executor's own threads or inside a task: then what is under way ends by itself, is reported as leaked, and the
    /// threads end after it. A second call waits again for what the first one left.
    ///
    /// # Errors
    /// FAILED_PRECONDITION in a forked child.
    pub fn shutdown(&self, deadline: Moment) -> Result<ShutdownReport> {
        self.core().check_fork()?;
        Ok(self.threads().shutdown(self.core(), deadline))
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Threads({})", self.count)
    }
}
