//! Who calls back where, and what a callback may do.

mod support;

use raddle::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use support::*;

#[test]
fn a_callback_is_never_called_by_who_leaves_it() {
    let runtime = runtime(0);
    let session = session(&runtime);
    let add = session.function("add").unwrap();
    let called = Arc::new(AtomicUsize::new(0));
    let count = |result: Result<Outputs>, called: &AtomicUsize| {
        assert_eq!(result.unwrap().to::<i32>().unwrap(), 3);
        called.fetch_add(1, Ordering::Relaxed);
    };
    // It has ended, its result was not taken.
    let mut ended = add.invoke((1, 2));
    ended.start().unwrap();
    turn_until_idle(&runtime);
    assert!(ended.is_done());
    let sink = called.clone();
    ended.on_complete(move |result| count(result, &sink));
    assert_eq!(called.load(Ordering::Relaxed), 0);
    turn_until_idle(&runtime);
    assert_eq!(called.load(Ordering::Relaxed), 1);
    // It has not begun.
    let sink = called.clone();
    add.invoke((1, 2)).on_complete(move |result| count(result, &sink));
    assert_eq!(called.load(Ordering::Relaxed), 1);
    turn_until_idle(&runtime);
    assert_eq!(called.load(Ordering::Relaxed), 2);
}

#[test]
fn a_callback_after_the_end_runs_on_a_worker() {
    let runtime = runtime(1);
    let session = session(&runtime);
    let mut ended = session.function("add").unwrap().invoke((1, 2));
    ended.start().unwrap();
    session.scope().wait_idle(NEVER).unwrap();
    let (sender, receiver) = mpsc::channel();
    ended.on_complete(move |result| {
        let name = std::thread::current().name().map(str::to_owned);
        sender.send((result.unwrap().to::<i32>().unwrap(), name)).unwrap();
    });
    let (sum, thread) = receiver.recv().unwrap();
    assert!(sum == 3 && thread.as_deref().is_some_and(|name| name.starts_with("raddle-")), "{thread:?}");
}

#[test]
fn after_the_runtime_a_callback_is_called_with_the_refusal() {
    let runtime = runtime(1);
    let session = session(&runtime);
    let add = session.function("add").unwrap();
    let early = add.invoke((1, 2));
    drop(runtime);
    let (sender, receiver) = mpsc::channel();
    for invocation in [early, add.invoke((1, 2))] {
        let sender = sender.clone();
        invocation.on_complete(move |result| sender.send(code(result)).unwrap());
        assert_eq!(receiver.try_recv(), Ok(Code::FailedPrecondition));
    }
}

#[test]
fn ending_the_runtime_calls_every_callback() {
    for workers in [0, 1, 2] {
        let runtime = runtime(workers);
        let session = session(&runtime);
        let until = session.function("until").unwrap();
        let (_gate, gate_value) = event();
        let called = Arc::new(AtomicUsize::new(0));
        for value in 0..3000 {
            let called = called.clone();
            until.invoke((gate_value.clone(), value)).on_complete(move |result| {
                assert_eq!(code(result), Code::Cancelled);
                called.fetch_add(1, Ordering::Relaxed);
            });
        }
        drop(runtime);
        assert_eq!(called.load(Ordering::Relaxed), 3000, "{workers} workers");
    }
}

#[test]
fn a_callback_may_wait_for_what_needs_no_other_thread() {
    // The only worker runs the callback: what it waits for runs there too, unless that waits itself.
    let runtime = runtime(1);
    let session = session(&runtime);
    let add = session.function("add").unwrap();
    let until = session.function("until").unwrap();
    let (gate, gate_value) = event();
    let (sender, receiver) = mpsc::channel();
    let inner = add.clone();
    add.invoke((1, 2)).on_complete(move |_| {
        let sum = inner.invoke((3, 4)).wait().unwrap().to::<i32>().unwrap();
        let mut waits = until.invoke((gate_value, 1));
        let refused = code(waits.wait_until(NEVER));
        sender.send((sum, refused, waits)).unwrap();
    });
    let (sum, refused, mut waits) = receiver.recv().unwrap();
    assert_eq!((sum, refused), (7, Code::FailedPrecondition));
    // The refusal harmed nothing: the invocation goes on.
    gate.set();
    assert_eq!(waits.wait_until(NEVER).unwrap().to::<i32>().unwrap(), 1);
}

#[test]
fn a_callback_may_wait_while_another_worker_is_awake() {
    let runtime = runtime(2);
    let session = session(&runtime);
    let delay = session.function("delay").unwrap();
    let (sender, receiver) = mpsc::channel();
    let inner = delay.clone();
    delay.invoke((1_i64, 1)).on_complete(move |_| {
        let waited = inner.invoke((1_000_000_i64, 5)).wait().and_then(|outputs| outputs.to::<i32>());
        sender.send(waited).unwrap();
    });
    assert_eq!(receiver.recv().unwrap().unwrap(), 5);
}

/// Calls `then` from a callback that waits, `depth` deep on one thread.
fn nest(function: &Function, depth: usize, then: mpsc::Sender<Result<i32>>) {
    let inner = function.clone();
    function.invoke((1_i64, 1)).on_complete(move |_| {
        if depth > 0 {
            nest(&inner, depth - 1, then.clone());
        }
        let mut waits = inner.invoke((1_000_000_i64, 1));
        let result = waits.wait_until(NEVER).and_then(|outputs| outputs.to::<i32>());
        then.send(result).unwrap();
    });
}

#[test]
fn nested_waits_end_or_are_refused_and_never_hang() {
    let runtime = runtime(2);
    let session = session(&runtime);
    let delay = session.function("delay").unwrap();
    let (sender, receiver) = mpsc::channel();
    nest(&delay, 20, sender);
    let results: Vec<_> = receiver.iter().collect();
    assert_eq!(results.len(), 21);
    for result in results {
        match result {
            Ok(value) => assert_eq!(value, 1),
            Err(error) => assert_eq!(error.code(), Code::FailedPrecondition, "{error}"),
        }
    }
}

#[test]
fn a_host_that_never_turns_is_named_by_the_dump() {
    let runtime = Runtime::builder().workers(0).note_waits(true).build().unwrap();
    let session = session(&runtime);
    let (_gate, gate_value) = event();
    let mut waits = session.function("until").unwrap().invoke((gate_value, 1));
    waits.start().unwrap();
    let dump = runtime.dump().to_string();
    assert!(dump.contains("the host never called `turn`") && dump.contains("waits.until"), "{dump}");
    turn_until_idle(&runtime);
    let dump = runtime.dump();
    let text = dump.to_string();
    assert!(text.contains("waits for Event") && text.contains("waits.until"), "{text}");
    assert!(dump.to_json().contains("\"name\":\"waits.until\""), "{}", dump.to_json());
}

#[test]
fn urgent_invocations_overtake_and_low_ones_are_not_starved() {
    let runtime = runtime(0);
    let session = session(&runtime);
    let yields = session.function("yields").unwrap();
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    for (name, priority) in [("low", Priority::Low), ("normal", Priority::Normal), ("high", Priority::High)] {
        let order = order.clone();
        let invocation = yields.invoke((20,)).priority(priority);
        invocation.on_complete(move |_| order.lock().unwrap().push(name));
    }
    turn_until_idle(&runtime);
    assert_eq!(*order.lock().unwrap(), ["high", "normal", "low"]);
    // An endless urgent program: the others still end.
    let mut busy = yields.invoke((i32::MAX,)).priority(Priority::High);
    busy.start().unwrap();
    let mut low = yields.invoke((5,)).priority(Priority::Low);
    low.start().unwrap();
    while !low.is_done() {
        runtime.turn(TurnBudget::default()).unwrap();
    }
    busy.cancel();
    assert_eq!(code(busy.wait()), Code::Cancelled);
}
