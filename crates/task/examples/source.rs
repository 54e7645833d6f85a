//! A wait source of one's own, made from nothing but "call me when you are ready".

use raddle_status::Result;
use raddle_task::{Executor, Graph, GraphBuilder, Scope};
use raddle_wait::{SourceWaker, WaitSource};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

/// Programs that wait for the same job.
const PROGRAMS: usize = 3;

type Callback = Box<dyn FnOnce() + Send>;

/// Somebody else's library: a job that offers a callback, from whatever thread it ends on.
#[derive(Default)]
struct TheirJob {
    is_done: AtomicBool,
    callbacks: Mutex<Vec<Callback>>,
    /// Callbacks that it put into boxes so far.
    boxed: AtomicUsize,
}

impl TheirJob {
    /// Calls `callback` when the job is done; at once, if it is.
    fn when_ready(&self, callback: impl FnOnce() + Send + 'static) {
        let mut callbacks = self.callbacks();
        if !self.is_done.load(Relaxed) {
            self.boxed.fetch_add(1, Relaxed);
            callbacks.push(Box::new(callback));
            return;
        }
        drop(callbacks);
        callback();
    }

    fn finish(&self) {
        self.is_done.store(true, Relaxed);
        while let Some(callback) = { self.callbacks().pop() } {
            callback();
        }
    }

    fn callbacks(&self) -> MutexGuard<'_, Vec<Callback>> {
        self.callbacks.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// All that it takes to wait for it.
struct Adapted(Arc<TheirJob>);

impl WaitSource for Adapted {
    fn arm(&self, waker: SourceWaker) {
        self.0.when_ready(move || {
            waker.wake();
        });
    }
}

/// Programs that wait for their job.
pub struct Job {
    theirs: Arc<TheirJob>,
    resumed: Arc<AtomicUsize>,
    graph: Arc<Graph>,
}

impl Job {
    /// Builds the graph.
    pub fn new() -> Result<Job> {
        let (theirs, resumed) = (Arc::new(TheirJob::default()), Arc::new(AtomicUsize::new(0)));
        let mut builder = GraphBuilder::new();
        for _ in 0..PROGRAMS {
            let resumed = resumed.clone();
            let wait = builder.wait(Arc::new(Adapted(theirs.clone())));
            let after = builder.call(move |_| {
                resumed.fetch_add(1, Relaxed);
            });
            builder.edge(wait, after)?;
        }
        Ok(Job { theirs, resumed, graph: builder.build()? })
    }

    /// Lets every program wait, and their job end after that; calls `meanwhile` between.
    pub fn run(&self, executor: &Executor, scope: &Scope, meanwhile: impl FnOnce()) -> Result {
        self.theirs.is_done.store(false, Relaxed);
        let boxed = self.callbacks_boxed();
        let run = executor.submit(&self.graph, scope)?;
        while self.callbacks_boxed() < boxed + PROGRAMS {
            std::thread::yield_now();
        }
        meanwhile();
        self.theirs.finish();
        run.wait()
    }

    /// How many callbacks their library has put into boxes.
    pub fn callbacks_boxed(&self) -> usize {
        self.theirs.boxed.load(Relaxed)
    }
}

/// Runs it once and prints what was seen.
pub fn main() -> Result {
    let executor = Executor::builder().workers(1).build()?;
    let (job, scope) = (Job::new()?, executor.scope("example"));
    let mut early = 0;
    job.run(&executor, &scope, || {
        early = job.resumed.load(Relaxed);
        let dump = executor.dump();
        let waits = &dump.scopes[0].runs[0].waits;
        println!("waiting for: {}; threads parked: {}", waits[0].condition, dump.blocked);
        assert_eq!(dump.blocked, 0);
    })?;
    println!(
        "programs that waited: {}; woken by: {} callbacks of their library, which only enqueue",
        executor.counts().waits_fired,
        job.callbacks_boxed()
    );
    println!("resumed after their job was done: {}; before: {early}", job.resumed.load(Relaxed) - early);
    assert_eq!(early, 0);
    Ok(())
}
