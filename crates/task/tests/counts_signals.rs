//! Counts: a million signals from a thread outside allocate nothing.

mod counting;

use raddle_task::GraphBuilder;
use raddle_wait::Event;
use std::sync::Arc;

#[global_allocator]
static MEMORY: counting::Counting = counting::Counting;

const WAITS: usize = 1_000;
const ROUNDS: usize = 1_000;
/// The aim. Unit: allocations in a million signals, the first run apart.
///
/// The aim is 0, and most executions of this test reach it; the first contention on a lock in a thread's life allocates.
const ALLOCATIONS_MAX: u64 = 8;

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
    let allocations = counting::allocations_in(|| (1..=ROUNDS).for_each(signal_all));
    let counts = executor.counts();
    println!(
        "{} signals, {} waits that waited: {allocations} allocations",
        WAITS * ROUNDS,
        counts.waits_begun - counts.waits_inline
    );
    assert!(allocations <= ALLOCATIONS_MAX, "{allocations} allocations in a million signals");
}
