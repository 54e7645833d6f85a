//! A graph with a wait in its middle: its only worker does other work while the wait is outstanding.

use raddle_status::Result;
use raddle_task::{Executor, Graph, GraphBuilder, Scope};
use raddle_wait::Event;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Two graphs: one waits for an event, the other has nothing to do with it.
pub struct Job {
    event: Arc<Event>,
    sum: Arc<AtomicU64>,
    waits: Arc<Graph>,
    computes: Arc<Graph>,
}

impl Job {
    /// Builds the graphs.
    pub fn new() -> Result<Job> {
        let (event, sum) = (Arc::new(Event::manual()), Arc::new(AtomicU64::new(0)));
        let mut builder = GraphBuilder::new();
        let (before, after) = (sum.clone(), sum.clone());
        let first = builder.call(move |_| {
            before.fetch_add(1, Relaxed);
        });
        let wait = builder.wait(event.clone());
        let last = builder.call(move |_| {
            after.fetch_add(1, Relaxed);
        });
        builder.chain([first, wait, last])?;
        let waits = builder.build()?;

        let mut builder = GraphBuilder::new();
        let (root, join) = (builder.barrier(), builder.barrier());
        for addend in 0..1_000 {
            let sum = sum.clone();
            let task = builder.call(move |_| {
                sum.fetch_add(addend, Relaxed);
            });
            builder.edge(root, task)?;
            builder.edge(task, join)?;
        }
        Ok(Job { event, sum, waits, computes: builder.build()? })
    }

    /// Runs both; returns how many tasks of the other graph ran while the wait was outstanding. Then, before the event is
    /// set, it calls `meanwhile`.
    pub fn run(&self, executor: &Executor, scope: &Scope, meanwhile: impl FnOnce()) -> Result<usize> {
        self.event.reset();
        let waiting = executor.submit(&self.waits, scope)?;
        // The worker takes these in the order of their submission: the first is in its wait when the second begins.
        executor.submit(&self.computes, scope)?.wait()?;
        assert!(!waiting.is_done(), "nobody has set the event");
        meanwhile();
        self.event.set();
        waiting.wait()?;
        assert_eq!(self.sum.swap(0, Relaxed), 1 + 999 * 1_000 / 2 + 1);
        Ok(self.computes.task_count())
    }
}

/// Runs the job on one worker and prints what the executor counted.
pub fn main() -> Result {
    let executor = Executor::builder().workers(1).build()?;
    let job = Job::new()?;
    let mut set_at = 0;
    let meanwhile = job.run(&executor, &executor.scope("example"), || {
        let dump = executor.dump();
        println!(
            "the wait is outstanding; workers: {}; threads parked: {}",
            dump.workers.len(),
            dump.blocked
        );
        assert_eq!(dump.blocked, 0);
        set_at = executor.now();
    })?;
    let after = Duration::from_nanos(executor.now() - set_at);
    println!("tasks of another graph that the only worker ran while the wait was outstanding: {meanwhile}");
    let counts = executor.counts();
    println!(
        "waits begun: {}, of which {} ended at once; woken by: the event, {} times",
        counts.waits_begun, counts.waits_inline, counts.waits_fired
    );
    println!("resumed after {after:?}, and ended");
    Ok(())
}
