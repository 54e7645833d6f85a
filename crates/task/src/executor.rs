//! An executor: its builder, its handle, and how work gets in.
//!
//! Not here: its threads and its end (`threads.rs`), the host's loop (`turn.rs`).

use crate::block::{Block, BlockRef, Order};
use crate::blocking;
use crate::core::{Core, Parts};
use crate::counters::Counts;
use crate::graph::Graph;
use crate::local::Local;
use crate::priority::Priority;
use crate::run_handle::Run;
use crate::scope::Scope;
use crate::threads::{Hooks, Threads};
use crate::topology::Topology;
use crate::tuning::GUESTS_MAX;
use crate::worker::Worker;
use crossbeam_utils::CachePadded;
use raddle_status::{Code, Error, Result};
use raddle_sync::atomic::Ordering::*;
use raddle_wait::{JobHost, Kernel, Limits, Moment, OsKernel, SharedSource, SlotPool, WaitSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Who looks at the wait set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Driver {
    /// Workers that have nothing to do; busy ones now and then.
    #[default]
    Workers,
    /// A thread that does nothing else.
    Thread,
    /// The host, in [`Executor::turn`]. The only choice without workers.
    Host,
}

/// Builds an [`Executor`].
#[must_use = "call `build`"]
pub struct ExecutorBuilder {
    name: String,
    topology: Topology,
    driver: Option<Driver>,
    limits: Limits,
    stack_bytes: Option<usize>,
    seed: u64,
    hooks: Hooks,
    kernel: Option<Box<dyn Kernel>>,
    local_memory_max: Option<usize>,
    spin: Duration,
    runs_max: Option<u32>,
}

impl Default for ExecutorBuilder {
    fn default() -> ExecutorBuilder {
        ExecutorBuilder {
            name: "raddle".to_owned(),
            topology: Topology::available(),
            driver: None,
            limits: Limits::default(),
            stack_bytes: None,
            seed: 1,
            hooks: Hooks::default(),
            kernel: None,
            local_memory_max: None,
            spin: Duration::ZERO,
            runs_max: None,
        }
    }
}

impl ExecutorBuilder {
    /// How many workers. By default as many as the process may use at once (see [`Topology::available`]); 0 for a
    /// host that drives the executor itself.
    pub fn workers(mut self, count: usize) -> ExecutorBuilder {
        self.topology = self.topology.with_workers(count);
        self
    }

    /// Workers at stated places.
    pub fn topology(mut self, topology: Topology) -> ExecutorBuilder {
        self.topology = topology;
        self
    }

    /// A name for threads, dumps and reports.
    pub fn name(mut self, name: impl Into<String>) -> ExecutorBuilder {
        self.name = name.into();
        self
    }

    /// Who looks at the wait set.
    pub fn driver(mut self, driver: Driver) -> ExecutorBuilder {
        self.driver = Some(driver);
        self
    }

    /// Limits of the wait set.
    pub fn limits(mut self, limits: Limits) -> ExecutorBuilder {
        self.limits = limits;
        self
    }

    /// Runs that may be under way at once: of graphs, spawned functions, nested work; not callbacks, and not programs, whose
    /// memory is their owner's. More are refused with RESOURCE_EXHAUSTED, and can await [`Executor::place`]. By default
    /// unlimited: a task that submits without end then takes all memory.
    pub fn runs_max(mut self, count: u32) -> ExecutorBuilder {
        self.runs_max = Some(count);
        self
    }

    /// The stack of each worker; by default that of std's threads, 2 MiB.
    pub fn stack_bytes(mut self, bytes: usize) -> ExecutorBuilder {
        self.stack_bytes = Some(bytes);
        self
    }

    /// Seeds the choice of victims.
    pub fn seed(mut self, seed: u64) -> ExecutorBuilder {
        self.seed = seed;
        self
    }

    /// Called on each worker before its first task, with its number.
    pub fn on_start(mut self, hook: impl Fn(usize) + Send + Sync + 'static) -> ExecutorBuilder {
        self.hooks.start = Some(Arc::new(hook));
        self
    }

    /// Called on each worker after its last task, with its number.
    pub fn on_stop(mut self, hook: impl Fn(usize) + Send + Sync + 'static) -> ExecutorBuilder {
        self.hooks.stop = Some(Arc::new(hook));
        self
    }

    /// The most that a tile may ask for as its local memory; each worker keeps as much as one of its tiles asked for. By
    /// default 16 MiB. Unit: bytes.
    pub fn local_memory_max(mut self, bytes: usize) -> ExecutorBuilder {
        self.local_memory_max = Some(bytes);
        self
    }

    /// How long a worker that finds nothing looks again and again before it sleeps. By default not at all: idle
    /// costs nothing. It spares wake-ups where work comes in often, for a processor that is busy meanwhile.
    pub fn spin(mut self, bound: Duration) -> ExecutorBuilder {
        self.spin = bound;
        self
    }

    /// Another kernel under the wait set: a stand-in for simulations.
    pub fn kernel(mut self, kernel: Box<dyn Kernel>) -> ExecutorBuilder {
        self.kernel = Some(kernel);
        self
    }

    /// Starts the workers.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for a driver that does not fit the workers, too many of them, or processors that this process may not
    /// use; RESOURCE_EXHAUSTED when the system refuses threads or descriptors.
    pub fn build(mut self) -> Result<Executor> {
        let count = self.topology.worker_count();
        let default = if count == 0 { Driver::Host } else { Driver::Workers };
        let driver = self.driver.unwrap_or(default);
        if count == 0 && driver != Driver::Host {
            let text = "without workers nobody but the host runs tasks: it must be the driver";
            return Err(Error::new(Code::InvalidArgument, text));
        }
        if count > crate::idle::WORKERS_MAX {
            let text = format!("{count} workers; at most {}", crate::idle::WORKERS_MAX);
            return Err(Error::new(Code::InvalidArgument, text));
        }
        let kernel = match self.kernel.take() {
            Some(kernel) => kernel,
            None => Box::new(OsKernel::new()?),
        };
        let set = WaitSet::with_kernel(kernel, self.limits)?;
        let (core, locals) = new_core(self.name, driver, count, set, self.seed);
        if let Some(bytes) = self.local_memory_max {
            core.local_memory_max.store(bytes, Relaxed);
        }
        if let Some(count) = self.runs_max {
            core.room.limit(count);
        }
        core.spin_ns.store(u64::try_from(self.spin.as_nanos()).unwrap_or(u64::MAX), Relaxed);
        let threads = Threads::start(&core, locals, &self.topology, self.stack_bytes, &self.hooks)?;
        Ok(Executor { handle: Arc::new(Handle { core, threads }) })
    }
}

impl fmt::Debug for ExecutorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExecutorBuilder({}, {:?})", self.name, self.topology)
    }
}

/// A core and the locals of its workers, without threads.
pub(crate) fn new_core(
    name: String,
    driver: Driver,
    worker_count: usize,
    set: crate::core::Set,
    seed: u64,
) -> (Arc<Core>, Vec<Box<Local>>) {
    // Workers, guests, the host.
    let total = worker_count + GUESTS_MAX + 1;
    let is_guest = |index| (worker_count..total - 1).contains(&index);
    let mut locals: Vec<Box<Local>> =
        (0..total).map(|index| Box::new(Local::new(index, seed + index as u64, is_guest(index)))).collect();
    let remotes = locals.iter().map(|local| CachePadded::new(local.remote())).collect();
    let core = Arc::new(Core::new(Parts { name, driver, worker_count, remotes, set: Arc::new(set) }));
    let host = locals.pop().expect("there is a place for the host");
    core.set_guests(locals.split_off(worker_count));
    if driver == Driver::Host {
        *core.host.lock() = Some(Worker::for_host(&core, host));
    }
    let weak = Arc::downgrade(&core);
    core.set.on_first(move || {
        if let Some(core) = weak.upgrade() {
            core.watch();
        }
    });
    (core, locals)
}

/// What the last handle drops.
struct Handle {
    core: Arc<Core>,
    threads: Threads,
}

impl Drop for Handle {
    fn drop(&mut self) {
        match self.core.is_forked() {
            // Nothing of the parent's is touched, no lock that one of its threads held: all of it is left as it is.
            true => {
                self.threads.forget();
                std::mem::forget(self.core.clone());
            }
            false => self.threads.drop_with(&self.core),
        }
    }
}

/// A work-stealing executor with a poller stage. Cheap to clone; thread-safe.
///
/// Dropping the last handle ends it: what has not started is discarded, waits end as cancelled, and the workers are
/// joined, unless the handle is dropped on one of them; then they end by themselves.
#[derive(Clone)]
pub struct Executor {
    handle: Arc<Handle>,
}

/// How a run is submitted.
#[derive(Clone, Copy, Default)]
#[non_exhaustive]
pub struct SubmitOptions {
    /// Its urgency.
    pub priority: Priority,
    /// When it is stopped, running or waiting, with DEADLINE_EXCEEDED.
    pub deadline: Option<Moment>,
    pub(crate) parent: Option<(BlockRef, u32)>,
}

impl SubmitOptions {
    /// The same with this urgency.
    pub fn priority(mut self, priority: Priority) -> SubmitOptions {
        self.priority = priority;
        self
    }

    /// The same with this deadline on the executor's clock: the run is then stopped, whether it runs or waits, and ends with
    /// DEADLINE_EXCEEDED unless all of its tasks have run.
    pub fn deadline(mut self, moment: Moment) -> SubmitOptions {
        self.deadline = Some(moment);
        self
    }
}

impl fmt::Debug for SubmitOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubmitOptions({:?})", self.priority)
    }
}

impl Executor {
    /// A builder with defaults.
    pub fn builder() -> ExecutorBuilder {
        ExecutorBuilder::default()
    }

    /// A new scope.
    pub fn scope(&self, name: impl Into<String>) -> Scope {
        Scope::new(self.core(), name.into())
    }

    /// Submits a run of `graph` in `scope`, which must be one of this executor's.
    ///
    /// Blocks: never. Ordering: what was written before is visible to the run's tasks.
    ///
    /// # Errors
    /// FAILED_PRECONDITION when the executor is shutting down; RESOURCE_EXHAUSTED beyond [`ExecutorBuilder::runs_max`].
    pub fn submit(&self, graph: &Arc<Graph>, scope: &Scope) -> Result<Run> {
        submit(graph, scope, SubmitOptions::default())
    }

    /// The same with options.
    ///
    /// # Errors
    /// As for [`submit`](Executor::submit).
    pub fn submit_with(&self, graph: &Arc<Graph>, scope: &Scope, options: SubmitOptions) -> Result<Run> {
        submit(graph, scope, options)
    }

    /// Makes the memory of `runs` runs of `graph` now. The first run of a graph allocates, and each that begins while all
    /// runs before it are still under way; those that were reserved don't.
    pub fn reserve(&self, graph: &Graph, runs: usize) {
        Block::reserve(graph, self.core(), runs);
    }

    /// Runs `graph` to its end, beginning on this thread: the caller lends itself, so that no worker is woken for
    /// work that it can do itself.
    ///
    /// Blocks: until the run has ended. Errors: the run's.
    ///
    /// # Errors
    /// The run's; those of [`submit`](Executor::submit); FAILED_PRECONDITION where it would block the last worker.
    pub fn run(&self, graph: &Arc<Graph>, scope: &Scope) -> Result {
        blocking::run(graph, scope)
    }

    /// A source that is ready when there is a place for a run: after a submission was refused with RESOURCE_EXHAUSTED
    /// ([`ExecutorBuilder::runs_max`]). Waiting for it takes no place; all that waited try again, and some may be refused again.
    ///
    /// A run of the executor can wait for it too, but has a place itself: if all places are taken by runs that wait for
    /// one, no run ends.
    pub fn place(&self) -> SharedSource {
        self.core().room.source()
    }

    /// Counts since the executor was built.
    pub fn counts(&self) -> Counts {
        self.core().counts()
    }

    /// How many workers it has.
    pub fn worker_count(&self) -> usize {
        self.core().worker_count
    }

    /// The present moment of its clock.
    pub fn now(&self) -> Moment {
        self.core().now()
    }

    /// The pool that frames of this executor's programs take their slots from.
    pub fn slots(&self) -> &SlotPool {
        &self.core().slots
    }

    /// This executor as the host of [`FutureSource`](raddle_wait::FutureSource)s and other sources that have work to do.
    ///
    /// Their jobs are run by workers, or in the host's turn, without an allocation from the second round on. A job that
    /// comes after the executor has ended is run by the thread that brings it. Holding the host does not keep the executor
    /// from ending.
    pub fn job_host(&self) -> Arc<dyn JobHost> {
        Arc::new(crate::jobs::Host(self.core().clone()))
    }

    /// The stage of its frames: clock, timers, descriptors.
    pub fn stage(&self) -> Arc<WaitSet<Box<dyn Kernel>>> {
        self.core().set.clone()
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.handle.core
    }

    pub(crate) fn threads(&self) -> &Threads {
        &self.handle.threads
    }
}

/// Submits a run; see [`Executor::submit`].
pub(crate) fn submit(graph: &Arc<Graph>, scope: &Scope, options: SubmitOptions) -> Result<Run> {
    let block = prepare(graph, scope, options)?;
    // `prepare` entered the scope, so the run is known before it begins.
    Block::enqueue(block, scope.core());
    Ok(Run::new(block))
}

/// A run that has entered its scope and not begun.
pub(crate) fn prepare(graph: &Arc<Graph>, scope: &Scope, options: SubmitOptions) -> Result<BlockRef> {
    scope.core().check_fork()?;
    if scope.core().is_closed.load(Relaxed) {
        return Err(crate::block::closed());
    }
    let SubmitOptions { priority, deadline, parent } = options;
    Block::prepare(graph, scope, Order { parent, priority, deadline, ..Order::default() })
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Executor({}, {} workers)", self.core().name, self.worker_count())
    }
}
