//! Counts: the second to hundredth run of every example graph, and of a fan-out of 100k, allocates nothing.
//!
//! The library behind the example `source` boxes each callback that it is given, and counts them: nothing else is allocated
//! there. The example under tokio is counted beside it (`benches/under-tokio/tests`).

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
#[path = "../examples/epoll_loop.rs"]
#[allow(dead_code, reason = "an example's main")]
mod epoll_loop;
#[path = "../examples/graph.rs"]
#[allow(dead_code, reason = "an example's main")]
mod graph;
#[path = "../examples/pipeline.rs"]
#[allow(dead_code, reason = "an example's main")]
mod pipeline;
#[path = "../examples/reuse.rs"]
#[allow(dead_code, reason = "an example's main")]
mod reuse;
#[path = "../examples/source.rs"]
#[allow(dead_code, reason = "an example's main")]
mod source;

use raddle_status::Result;
use raddle_task::{Executor, Graph, GraphBuilder, Scope};
use raddle_wait::Event;
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

#[global_allocator]
static MEMORY: counting::Counting = counting::Counting;

const RUNS: usize = 100;

/// A way to run an example; says how many allocations of others were part of it.
type Job = Box<dyn Fn(&Executor, &Scope) -> Result<u64>>;

#[test]
fn later_runs_allocate_nothing() {
    let mut faults = Vec::new();
    for workers in [1, 2] {
        for (name, job) in jobs().expect("graphs") {
            let (executor, _) = counting::counted(workers);
            check(name, &executor, job, &mut faults);
        }
    }
    let (executor, _) = counting::counted(0);
    let (job, kick) = epoll_loop::Job::new(&executor).expect("a loop");
    let job: Job = Box::new(move |executor, scope| {
        kick.kick()?;
        job.run(executor, scope).map(|_| 0)
    });
    check("epoll_loop", &executor, job, &mut faults);
    assert!(faults.is_empty(), "later runs allocate: {faults:?}");
}

fn check(name: &str, executor: &Executor, job: Job, faults: &mut Vec<String>) {
    let scope = executor.scope("counted");
    job(executor, &scope).expect("no task fails");
    warm_up(executor, &scope);
    let (mut own, mut foreign) = (0, 0);
    for _ in 1..RUNS {
        own += counting::allocations_in(|| foreign += job(executor, &scope).expect("no task fails"));
    }
    let workers = executor.worker_count();
    println!("{name}, {workers} workers: {} allocations, and {foreign} of somebody else", own - foreign);
    if own != foreign {
        faults.push(format!("{name} at {workers} workers: {own}, of which {foreign} are somebody else's"));
    }
}

/// What happens once in the life of a thread: it starts, and waits for a lock and for a run that does not end.
fn warm_up(executor: &Executor, scope: &Scope) {
    raddle_wait::sync::warm_up();
    let event = Arc::new(Event::manual());
    let mut builder = GraphBuilder::new();
    builder.wait(event.clone());
    let run = executor.submit(&builder.build().expect("a graph"), scope).expect("it is not shutting down");
    assert!(run.wait_until(executor.now() + 1_000_000).is_err(), "nobody has set the event");
    event.set();
    run.wait().expect("no task fails");
    counting::settle();
}

fn jobs() -> Result<Vec<(&'static str, Job)>> {
    let fan = fan(100_000)?;
    let (graph, any) = (graph::Job::new()?, any::Job::new(Duration::from_secs(3_600))?);
    let (reuse, dispatch) = (reuse::Job::new()?, dispatch::Job::new()?);
    let (pipeline, echo, source) = (pipeline::Job::new()?, echo::Job::new()?, source::Job::new()?);
    let is_reserved = Cell::new(false);
    Ok(vec![
        (
            "fan-out of 100k",
            Box::new(move |executor, scope| executor.submit(&fan, scope)?.wait().map(|()| 0)),
        ),
        ("graph", Box::new(move |executor, scope| graph.run(executor, scope, || ()).map(|_| 0))),
        ("any", Box::new(move |executor, scope| any.run(executor, scope).map(|()| 0))),
        ("reuse", Box::new(move |executor, scope| reuse.run(executor, scope).map(|()| 0))),
        ("dispatch", Box::new(move |executor, scope| dispatch.run(executor, scope).map(|()| 0))),
        ("pipeline", Box::new(move |executor, scope| pipeline.run(executor, scope, || ()).map(|_| 0))),
        (
            "echo",
            Box::new(move |executor, scope| {
                if !is_reserved.replace(true) {
                    echo.reserve(executor);
                }
                echo.run(executor, scope, || ()).map(|_| 0)
            }),
        ),
        (
            "source",
            Box::new(move |executor, scope| {
                let before = source.callbacks_boxed();
                source.run(executor, scope, || ())?;
                Ok((source.callbacks_boxed() - before) as u64)
            }),
        ),
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
