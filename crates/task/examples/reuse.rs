//! One graph, built once: run again and again, and several times at once.

use raddle_status::Result;
use raddle_task::{Executor, Graph, GraphBuilder, Run, Scope};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Runs in flight at once.
pub const RUNS: usize = 8;
const WIDTH: u64 = 1_000;

/// A diamond: a root, a thousand tasks, a join.
pub struct Job {
    ran: Arc<AtomicU64>,
    graph: Arc<Graph>,
}

impl Job {
    /// Builds the graph.
    pub fn new() -> Result<Job> {
        let ran = Arc::new(AtomicU64::new(0));
        let mut builder = GraphBuilder::new();
        let (root, join) = (builder.barrier(), builder.barrier());
        for _ in 0..WIDTH {
            let ran = ran.clone();
            let task = builder.call(move |_| {
                ran.fetch_add(1, Relaxed);
            });
            builder.edge(root, task)?;
            builder.edge(task, join)?;
        }
        Ok(Job { ran, graph: builder.build()? })
    }

    /// Has several runs in flight at once, and waits for all.
    pub fn run(&self, executor: &Executor, scope: &Scope) -> Result {
        let mut runs: [Option<Run>; RUNS] = [const { None }; RUNS];
        for run in &mut runs {
            *run = Some(executor.submit(&self.graph, scope)?);
        }
        runs.iter().flatten().try_for_each(Run::wait)
    }
}

/// Runs the graph a hundred times eight times.
pub fn main() -> Result {
    let executor = Executor::builder().workers(2).build()?;
    let (job, scope) = (Job::new()?, executor.scope("example"));
    for _ in 0..100 {
        job.run(&executor, &scope)?;
    }
    scope.wait_idle(raddle_wait::NEVER)?;
    println!("one graph of {} tasks, {} runs, {RUNS} of them at once", job.graph.task_count(), 100 * RUNS);
    println!("functions called: {}", job.ran.load(Relaxed));
    let counts = executor.counts();
    println!("tasks run by the workers, as they counted: {}", counts.tasks_run);
    println!("of {} runs {} were woken for work from outside", counts.runs_submitted, counts.wakes);
    println!("threads parked: {}", executor.dump().blocked);
    Ok(())
}
