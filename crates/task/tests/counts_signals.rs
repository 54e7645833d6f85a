//! Counts: a million signals from a thread outside allocate nothing.

mod counting;

use raddle_task::GraphBuilder;
use raddle_wait::Event;
use std::sync::Arc;

#[global_allocator]
static MEMORY: counting::Counting = counting::Counting;

const WAITS: usize = 1_000;
const ROUNDS: usize = 1_000;
/// The aim. Unit: runs, of a thousand signals each, in which anything was allocated; the first one apart.
///
/// The aim is 0, and most executions of this test reach it. Each of the three threads allocates at its first contention
/// on a lock. And each worker that is kept from its processor after it has ended a run, and before it lets go of the run's
/// block, makes the next run take a new block.
const RUNS_MAX: usize = 8;

#[test]
fn signals_allocate_nothing() {
    let (executor, _) = counting::counted(2);
    // A thread that starts allocates; that is no part of a signal.
    counting::settle();
    let events: Vec<Arc<Event>> = (0..WAITS).map(|_| Arc::new(Event::auto())).collect();
    let mut builder = GraphBuilder::new();
    for event in &events {
        let wait = builder.wait(event.clone());
        let after = builder.call(|_| ());
        builder.edge(wait, after).expect("tasks of this graph");
    }
    let graph = builder.build().expect("a graph");
    let scope = executor.scope("counted");
    let signal_all = |round: usize| {
        let run = executor.submit(&graph, &scope).expect("it is not shutting down");
        let begun = (WAITS * (round + 1)) as u64;
        counting::until("every wait has begun", || executor.counts().waits_begun >= begun);
        events.iter().for_each(|event| event.set());
        run.wait().expect("no task fails");
    };
    signal_all(0);
    let mut counted = Vec::with_capacity(ROUNDS);
    for round in 1..=ROUNDS {
        counted.push(counting::allocations_in(|| signal_all(round)));
    }
    let (allocations, runs) = counting::sum_and_runs(&counted);
    let counts = executor.counts();
    println!(
        "{} signals, {} waits that waited: {allocations} allocations in {runs} runs",
        WAITS * ROUNDS,
        counts.waits_begun - counts.waits_inline
    );
    assert!(runs <= RUNS_MAX, "{allocations} allocations in {runs} runs of a thousand signals");
}
