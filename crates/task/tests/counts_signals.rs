//! Counts: a million signals from a thread outside allocate nothing.

mod counting;

use raddle_task::GraphBuilder;
use raddle_wait::Event;
use std::sync::Arc;

#[global_allocator]
static MEMORY: counting::Counting = counting::Counting;

const WAITS: usize = 1_000;
const ROUNDS: usize = 1_000;
#[test]
fn signals_allocate_nothing() {
    let (executor, _) = counting::counted(2);
    // What happens once in the life of a thread is no part of a signal.
    raddle_wait::sync::warm_up();
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
        counts.waits_armed()
    );
    assert_eq!(allocations, 0, "in {ROUNDS} runs of {WAITS} signals each");
}
