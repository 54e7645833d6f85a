//! The inside, for models and simulations: workers that are stepped by hand, and the parts of protocols by themselves.
//!
//! Not here: any protocol. Nothing of this is part of the public interface.

#![allow(unsafe_code)]

pub use crate::deque::{Deque, Thief};
pub use crate::drivers::Drivers;
pub use crate::end::End;
pub use crate::header::TaskRef;
pub use crate::idle::{Claim, Counts, Idle, Place};
pub use crate::outside::Outside;
pub use crate::worker::Step;

use crate::claim;
use crate::core::Core;
use crate::executor::{Driver, SubmitOptions, new_core, submit};
use crate::graph::Graph;
use crate::header::{Header, Owner, Task, no_member};
use crate::jobs::Host;
use crate::run_handle::Run;
use crate::scope::Scope;
use crate::threads::{self, Hooks};
use crate::turn::{TurnBudget, Turned, turn};
use crate::worker::{Cx, Worker, run_chain};
use raddle_status::Result;
use raddle_sync::Parker;
use raddle_wait::{Job, JobHost, Limits, Resume, Sleep, Standin, WaitSet};
use std::fmt;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

/// An executor without threads, on a kernel in memory.
#[derive(Clone)]
pub struct Rig {
    core: Arc<Core>,
    /// The kernel under its wait set.
    pub kernel: Arc<Standin>,
}

impl Rig {
    /// With its workers, which somebody has to step.
    ///
    /// # Panics
    /// When there can be no wait set.
    pub fn new(workers: usize, driver: Driver, seed: u64) -> (Rig, Vec<Hand>) {
        Rig::on(workers, driver, seed, |kernel| Box::new(kernel))
    }

    /// The same with something between the wait set and its kernel.
    ///
    /// # Panics
    /// When there can be no wait set.
    pub fn on(
        workers: usize,
        driver: Driver,
        seed: u64,
        wrap: impl FnOnce(Arc<Standin>) -> Box<dyn raddle_wait::Kernel>,
    ) -> (Rig, Vec<Hand>) {
        let kernel = Arc::new(Standin::new());
        let boxed = wrap(kernel.clone());
        let set = WaitSet::with_kernel(boxed, Limits::default()).expect("a wait set");
        if driver == Driver::Host || !raddle_sync::IS_EXPLORED {
            // The host of a rig polls, and so does a simulation: its sleepers are in no call of the set.
            let _ = set.fd();
        }
        let (core, locals) = new_core("rig".to_owned(), driver, workers, set, seed);
        let hands = locals.into_iter().map(|local| Hand { core: core.clone(), worker: Worker::new(local) });
        let hands = hands.collect();
        (Rig { core, kernel }, hands)
    }

    /// A scope.
    pub fn scope(&self, name: &str) -> Scope {
        Scope::new(&self.core, name.to_owned())
    }

    /// Submits a run.
    ///
    /// # Errors
    /// When it is closed.
    pub fn submit(&self, graph: &Arc<Graph>, scope: &Scope) -> Result<Run> {
        submit(graph, scope, SubmitOptions::default())
    }

    /// Enqueues a task.
    pub fn enqueue(&self, probe: &Arc<Probe>) {
        // SAFETY: the probe is enqueued once, and kept by the model until it has run.
        unsafe { Core::enqueue(&self.core, NonNull::from(&probe.task)) };
    }

    /// Puts a task on the outside list and tells nobody.
    pub fn enqueue_quietly(&self, probe: &Arc<Probe>) {
        // SAFETY: as above.
        unsafe { self.core.outside[1].push(probe.resume()) };
    }

    /// A task that the deque of a worker had no room for.
    pub fn spill(&self, probe: &Arc<Probe>) {
        // SAFETY: as above; the header is the first field.
        self.core.spill(unsafe { Task::task_ref(NonNull::from(&probe.task)) });
    }

    /// Submits a run with options.
    ///
    /// # Errors
    /// When it is closed.
    pub fn submit_with(&self, graph: &Arc<Graph>, scope: &Scope, options: SubmitOptions) -> Result<Run> {
        submit(graph, scope, options)
    }

    /// Blocks that wait for the next run of a graph.
    pub fn pooled(graph: &Graph) -> usize {
        graph.blocks.lock().len()
    }

    /// Has a task done as a job of a source.
    pub fn run_soon(&self, probe: &Arc<Probe>) {
        // SAFETY: the probe's resume runs it, once; the model keeps it.
        Host(self.core.clone()).run_soon(unsafe { Job::new(probe.resume()) });
    }

    /// One turn of the host.
    ///
    /// # Errors
    /// As for [`Executor::turn`](crate::Executor::turn).
    pub fn turn(&self, tasks_max: u32) -> Result<Turned> {
        turn(&self.core, TurnBudget { tasks_max }, None)
    }

    /// This thread lends itself until nothing is at hand.
    ///
    /// # Errors
    /// As for [`Executor::donate`](crate::Executor::donate).
    pub fn donate(&self) -> Result<Turned> {
        crate::donate::lend(&self.core, raddle_wait::NEVER)
    }

    /// The stage of waits.
    pub fn stage(&self) -> &WaitSet<Box<dyn raddle_wait::Kernel>> {
        &self.core.set
    }

    /// One look at the wait set, by a thread that is no worker.
    pub fn look(&self) {
        let mut events = raddle_wait::Events::with_capacity(4);
        let _ = self.core.set.turn(&mut events, Sleep::Never);
    }

    /// What was counted.
    pub fn counts(&self) -> crate::counters::Counts {
        self.core.counts()
    }

    /// What its workers do, and what it waits on.
    pub fn dump(&self) -> crate::dump::Dump {
        crate::dump::Dump::of(&self.core)
    }

    /// Who sleeps where.
    pub fn idle(&self) -> Counts {
        self.core.idle.counts()
    }

    /// Tells every worker to leave.
    pub fn end(&self) {
        threads::end(&self.core);
    }

    /// What a shutdown does before the workers are told to leave: nothing is taken in, and busy scopes are cancelled. Says
    /// whether there was one.
    pub fn close(&self) -> bool {
        self.core.is_closed.store(true, raddle_sync::atomic::Ordering::Relaxed);
        self.core.scopes.close().into_iter().any(|(_, was_busy)| was_busy)
    }
}

impl fmt::Debug for Rig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.core.idle.counts();
        let has_work = self.core.has_work();
        write!(
            f,
            "parked {}, kernel {}, claims {}, searching {}, work {has_work}, {:?}",
            counts.parked(),
            counts.kernel(),
            counts.claims(),
            counts.searching(),
            self.core.set
        )
    }
}

/// A worker, stepped by whoever has it.
pub struct Hand {
    core: Arc<Core>,
    worker: Worker,
}

impl Hand {
    /// One step, on this thread.
    pub fn step(&mut self) -> Step {
        self.parker();
        let _entered = self.worker.local.enter(&self.core);
        self.worker.step(&self.core)
    }

    /// Runs one task that it finds at hand or in a search; `false` if there is none. No sleep is near.
    pub fn run_found(&mut self) -> bool {
        let _entered = self.worker.local.enter(&self.core);
        let (core, local) = (&*self.core, &*self.worker.local);
        let found = local.take().or_else(|| crate::worker::search(Cx { core, local }));
        let has_found = found.is_some();
        if found.is_some_and(|task| run_chain(Cx { core, local }, task)) {
            // A worker would look around here.
            local.looked(core.now());
        }
        has_found
    }

    /// The same until there is none.
    pub fn drain(&mut self) {
        while self.run_found() {}
    }

    /// Sleeps where the step said. Blocks: until it is woken.
    pub fn sleep(&mut self, place: Place) {
        let _entered = self.worker.local.enter(&self.core);
        match place {
            Place::Parker => {
                self.parker().park();
                self.worker.woke(&self.core);
            }
            Place::Kernel => self.worker.sleep_in_kernel(&self.core, Sleep::UntilEvent),
        }
    }

    /// Ends a sleep, if it can end: the parker's after an unpark, the kernel's at any time. Blocks: never.
    pub fn try_wake(&mut self, place: Place) -> bool {
        let _entered = self.worker.local.enter(&self.core);
        match place {
            Place::Parker if !self.parker().park_timeout(Duration::ZERO) => return false,
            Place::Parker => self.worker.woke(&self.core),
            Place::Kernel => self.worker.sleep_in_kernel(&self.core, Sleep::Never),
        }
        true
    }

    /// Steps and sleeps until `is_done`, which is asked before each step.
    pub fn run_until(&mut self, is_done: impl Fn() -> bool) {
        while !is_done() {
            match self.step() {
                Step::Ran => {}
                Step::Sleep(place) => self.sleep(place),
                Step::Leave => return,
            }
        }
    }

    /// The loop of a worker's thread, to its end.
    pub fn work(self) {
        threads::work(&self.core, self.worker, &Hooks::default());
    }

    /// Enqueues a task as if a task of this worker did.
    pub fn enqueue(&mut self, probe: &Arc<Probe>) {
        let _entered = self.worker.local.enter(&self.core);
        // SAFETY: the probe is enqueued once, and kept by the model until it has run.
        unsafe { Core::enqueue(&self.core, NonNull::from(&probe.task)) };
    }

    /// Whether tasks lie in its deques.
    pub fn has_tasks(&self) -> bool {
        !self.worker.local.is_empty()
    }

    fn parker(&self) -> &Parker {
        self.core.remotes[self.worker.local.index].parker.get_or_init(Parker::new)
    }
}

impl fmt::Debug for Hand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker {}, {} tasks", self.worker.local.index, self.worker.local.task_count())
    }
}

/// A task by itself.
#[repr(C)]
pub struct Probe {
    owner: Owner,
    task: Task,
    body: Box<dyn Fn() + Send + Sync>,
}

// SAFETY: the body is Sync, and a task is run by one thread at a time (I1 of `header.rs`).
unsafe impl Sync for Probe {}
// SAFETY: the pointers point to the probe itself, which is not moved out of its allocation.
unsafe impl Send for Probe {}

impl Probe {
    /// A task that calls `body`; it may be enqueued once at a time.
    pub fn new(body: impl Fn() + Send + Sync + 'static) -> Arc<Probe> {
        let probe = Arc::new_cyclic(|weak: &std::sync::Weak<Probe>| {
            let owner = NonNull::new(weak.as_ptr().cast_mut()).expect("an allocation").cast();
            Probe {
                owner: Owner { run: run_probe, scope: |_| std::ptr::null(), member: no_member },
                task: Task::new(owner, 0, run_job),
                body: Box::new(body),
            }
        });
        assert!(std::ptr::eq(probe.task.header.owner.as_ptr(), &probe.owner));
        probe
    }

    /// Its header, for lists.
    pub fn resume(&self) -> NonNull<Resume> {
        Task::resume_of(NonNull::from(&self.task))
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probe")
    }
}

fn run_probe(task: TaskRef, _: Cx<'_>) -> Option<TaskRef> {
    // SAFETY: only probes have this function.
    let probe: &Probe = unsafe { task.owner() };
    (probe.body)();
    None
}

/// Runs a probe that came as a job.
unsafe fn run_job(resume: NonNull<Resume>) {
    // SAFETY: only resumes of probes have this function.
    let owner = unsafe { Task::of_resume(resume).as_ref() }.header.owner;
    // SAFETY: as above; the owner of a probe's task is the probe, which the model keeps.
    let probe = unsafe { owner.cast::<Probe>().as_ref() };
    (probe.body)();
}

/// Headers for deques, which nobody runs.
pub struct Tokens(Box<[Header]>);

impl Tokens {
    /// This many.
    pub fn new(count: u32) -> Tokens {
        Tokens((0..count).map(|index| Header::new(NonNull::dangling(), 0, index)).collect())
    }

    /// The duty of one of them.
    pub fn duty(&self, index: u32) -> TaskRef {
        // SAFETY: nobody runs it, and the tokens outlive the model's deques.
        unsafe { TaskRef::new(NonNull::from(&self.0[index as usize])) }
    }
}

// SAFETY: nobody follows the owners' pointers.
unsafe impl Sync for Tokens {}
// SAFETY: as above.
unsafe impl Send for Tokens {}

/// Work in batches, without a run.
pub struct Batches(claim::Claim);

impl Batches {
    /// This many units, in batches of one.
    pub fn new(count: u64) -> Batches {
        let claim = claim::Claim::new(NonNull::dangling(), 0);
        claim.open(0, 0..count, 1);
        Batches(claim)
    }

    /// The next batch.
    pub fn take(&self) -> Option<Range<u64>> {
        self.0.take()
    }

    /// Hands in finished units; says whether they were the last.
    pub fn hand_in(&self, units: u64) -> bool {
        self.0.hand_in(units)
    }
}

// SAFETY: nobody follows the owner's pointer.
unsafe impl Sync for Batches {}
// SAFETY: as above.
unsafe impl Send for Batches {}
