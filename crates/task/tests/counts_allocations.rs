//! Counts: the second to hundredth run of every example graph, and of a fan-out of 100k, allocates nothing.
//!
//! The example `source` is not here: its source is a library that boxes callbacks. `host_loop` runs its graph once.

#[path = "../examples/any.rs"]
#[allow(dead_code, reason = "an example's main")]
mod any;
mod counting;
#[path = "../examples/dispatch.rs"]
#[allow(dead_code, reason = "an example's main")]
mod dispatch;
#[path = "../examples/echo.rs"]
#[allow(dead_code, reason = "an example's main")]
mod echo;
#[path = "../examples/graph.rs"]
#[allow(dead_code, reason = "an example's main")]
mod graph;
#[path = "../examples/pipeline.rs"]
#[allow(dead_code, reason = "an example's main")]
mod pipeline;
#[path = "../examples/reuse.rs"]
#[allow(dead_code, reason = "an example's main")]
mod reuse;

use raddle_status::Result;
use raddle_task::{Executor, Graph, GraphBuilder, Scope};
use std::sync::Arc;
use std::time::Duration;

#[global_allocator]
static MEMORY: counting::Counting = counting::Counting;

const RUNS: usize = 100;
/// The aim. Unit: runs, of the second to the hundredth, in which anything was allocated.
///
/// The aim is 0, and most graphs reach it. What is left comes once in a thread's life, at its first contention on a lock
/// or its first theft, which may fall into any run. And each worker that is kept from its processor after it has ended a
/// run, and before it lets go of the run's block, makes the next run take a new block.
const RUNS_MAX: usize = 8;

/// A way to run an example.
type Job = Box<dyn Fn(&Executor, &Scope) -> Result>;

#[test]
fn later_runs_allocate_nothing() {
    let mut faults = Vec::new();
    for workers in [1, 2] {
        for (name, job) in jobs().expect("graphs") {
            let (executor, _) = counting::counted(workers);
            let scope = executor.scope("counted");
            // A thread that starts allocates; that is no part of a run.
            counting::settle();
            job(&executor, &scope).expect("no task fails");
            let mut counts = Vec::with_capacity(RUNS);
            for _ in 1..RUNS {
                counts.push(counting::allocations_in(|| job(&executor, &scope).expect("no task fails")));
            }
            let (sum, runs) = counting::sum_and_runs(&counts);
            println!("{name}, {workers} workers: {sum} allocations in {runs} runs");
            if runs > RUNS_MAX {
                faults.push(format!("{name} at {workers} workers: {sum} in {runs} runs"));
            }
        }
    }
    assert!(faults.is_empty(), "later runs allocate: {faults:?}");
}

fn jobs() -> Result<Vec<(&'static str, Job)>> {
    let fan = fan(100_000)?;
    let (graph, any) = (graph::Job::new()?, any::Job::new(Duration::from_secs(3_600))?);
    let (reuse, dispatch) = (reuse::Job::new()?, dispatch::Job::new()?);
    let (pipeline, echo) = (pipeline::Job::new()?, echo::Job::new()?);
    Ok(vec![
        ("fan-out of 100k", Box::new(move |executor, scope| executor.submit(&fan, scope)?.wait())),
        ("graph", Box::new(move |executor, scope| graph.run(executor, scope).map(|_| ()))),
        ("any", Box::new(move |executor, scope| any.run(executor, scope))),
        ("reuse", Box::new(move |executor, scope| reuse.run(executor, scope))),
        ("dispatch", Box::new(move |executor, scope| dispatch.run(executor, scope))),
        ("pipeline", Box::new(move |executor, scope| pipeline.run(executor, scope).map(|_| ()))),
        ("echo", Box::new(move |executor, scope| echo.run(executor, scope).map(|_| ()))),
    ])
}

fn fan(width: usize) -> Result<Arc<Graph>> {
    let mut builder = GraphBuilder::new();
    let (root, join) = (builder.barrier(), builder.barrier());
    for _ in 0..width {
        let task = builder.call(|_| ());
        builder.edge(root, task)?;
        builder.edge(task, join)?;
    }
    builder.build()
}
