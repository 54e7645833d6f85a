//! Models of a run's block (`src/block.rs`, `src/run.rs`, `src/context.rs`): how it ends, and when it is reused.
//!
//! Each model's claim, bound and mutants are in its first lines. Two threads are explored exhaustively, two workers with a bound.
//!
//! # Models
//! - `block_callback_races_the_end`: a callback that is left while the run ends is called once, and sees it. 2 threads,
//!   at most 4 preemptions (exhaustive: more than 90 s): 4902 schedules, 0.93 s. Fails under block.callbacks.
//! - `block_cancel_races_a_wait`: a run that is cancelled while its wait begins ends. 2 threads, exhaustive: 557
//!   schedules, 0.07 s. Fails under cancel.request, cancel.publish.
//! - `block_deadline_races_the_end`: a deadline that comes while the run ends stops it or not, and the block is free
//!   for the next run. 2 threads, exhaustive: 2909 schedules, 0.45 s. Fails under deadline.hold.
//! - `block_is_reused_after_both_let_go`: a handle is dropped while the run ends: the block goes back to its graph
//!   once, and serves the next run. 2 threads, exhaustive: 13 schedules, 0.00 s. Fails under block.release.
//! - `block_join_sees_both`: a task with two predecessors on two workers sees what both wrote. 2 threads, exhaustive: 4
//!   schedules, 0.00 s. Fails under block.count_down.
//! - `block_nested_work_ends_before_its_task`: a task and the work that it submitted end on two workers; what follows
//!   sees both. 2 threads, at most 4 preemptions (exhaustive: more than 90 s): 47435 schedules, 14.20 s. Fails under
//!   nested.child, nested.parent.
//! - `block_serves_the_next_run_at_once`: who has seen a run's end and drops its handle finds the block free, and the
//!   end of that run is not the next one's. 2 threads, exhaustive: 418 schedules, 0.05 s. Fails under block.pass.
//! - `block_signal_races_a_wait`: a run whose event is set while its wait begins goes on, once, and sees it. 2 threads,
//!   exhaustive: 9 schedules, 0.00 s. Fails under event.at_once, event.wake, event.set.
//! - `block_two_sinks_end_a_run_once`: two workers complete a run's sinks; who ends the run has seen both. 2 threads,
//!   exhaustive: 7 schedules, 0.00 s. Fails under block.remaining.

#![cfg(raddle_loom)]

mod modelling;

use modelling::*;
use raddle_sync::model::Model;
use raddle_sync::thread;
use raddle_task::internals::*;
use raddle_task::{Driver, Graph, GraphBuilder, Run, Scope, SubmitOptions};
use raddle_wait::Event;
use std::sync::Arc;

/// Two waits that have begun, each with a task behind it that writes; a join reads, if it is asked for.
struct Fork {
    rig: Rig,
    hands: Vec<Hand>,
    run: Run,
    scope: Scope,
    data: Arc<Data>,
    setters: Vec<Arc<Probe>>,
}

impl Fork {
    fn new(has_join: bool) -> Fork {
        let (rig, mut hands) = Rig::new(2, Driver::Workers, 1);
        let (data, events) = (Data::new(), [0, 1].map(|_| Arc::new(Event::manual())));
        let mut builder = GraphBuilder::new();
        let writers = [0, 1].map(|index| {
            let wait = builder.wait(events[index].clone());
            let data = data.clone();
            let writer = builder.call(move |_| data.write(index));
            builder.edge(wait, writer).unwrap();
            writer
        });
        if has_join {
            let data = data.clone();
            let join = builder.call(move |_| (0..2).for_each(|index| data.read(index)));
            writers.into_iter().for_each(|writer| builder.edge(writer, join).unwrap());
        }
        let scope = rig.scope("fork");
        let run = rig.submit(&builder.build().unwrap(), &scope).unwrap();
        hands[0].drain();
        // A worker looks around after its first task, and leaves the rest of a chain in its deque meanwhile.
        let (first, _) = counted();
        hands[1].enqueue(&first);
        hands[1].drain();
        let setters = events.map(|event| Probe::new(move || event.set())).into();
        Fork { rig, hands, run, scope, data, setters }
    }

    /// Two workers end one wait each, and run what is behind it.
    fn run(mut self) {
        let mut other = self.hands.remove(1);
        let setter = self.setters[1].clone();
        let other = thread::spawn(move || {
            end_a_wait(&mut other, &setter);
            other
        });
        end_a_wait(&mut self.hands[0], &self.setters[0]);
        let _other = other.join().unwrap();
        assert!(self.run.is_done(), "a run never ends: {:?}", self.rig);
        assert!(self.run.result().unwrap().is_ok());
        assert_eq!(self.scope.failure().map(|error| error.to_string()), None);
    }
}

/// Sets an event on a worker, and runs what that resumes.
fn end_a_wait(hand: &mut Hand, setter: &Arc<Probe>) {
    hand.enqueue(setter);
    assert!(hand.run_found());
    assert!(hand.run_found());
}

/// A worker runs what there is, and another one task of it if it finds one; then they run what is left.
fn run_by_two(mut hands: Vec<Hand>) -> Vec<Hand> {
    let mut other = hands.remove(1);
    let other = thread::spawn(move || {
        let _ = other.run_found();
        other
    });
    hands[0].drain();
    hands.push(other.join().unwrap());
    hands.iter_mut().for_each(Hand::drain);
    hands
}

#[test]
fn block_two_sinks_end_a_run_once() {
    Model::new(
        "block_two_sinks_end_a_run_once",
        "two workers complete a run's sinks; who ends the run has seen both",
    )
    .kills("block.remaining", "Causality violation")
    .check(|| {
        let fork = Fork::new(false);
        let seen = fork.data.clone();
        fork.scope.on_idle(move || (0..2).for_each(|index| seen.read(index)));
        fork.run();
    });
}

#[test]
fn block_join_sees_both() {
    Model::new("block_join_sees_both", "a task with two predecessors on two workers sees what both wrote")
        .kills("block.count_down", "Causality violation")
        .check(|| Fork::new(true).run());
}

/// A graph of one task, which counts how often it runs.
fn counting() -> (Arc<Graph>, Count) {
    let count = Count::new();
    let mut builder = GraphBuilder::new();
    let own = count.clone();
    builder.call(move |_| own.add());
    (builder.build().unwrap(), count)
}

#[test]
fn block_is_reused_after_both_let_go() {
    Model::new(
        "block_is_reused_after_both_let_go",
        "a handle is dropped while the run ends: the block goes back to its graph once, and serves the next run",
    )
    .kills("block.release", "Causality violation")
    .check(|| {
        let (rig, mut hands) = Rig::new(1, Driver::Workers, 1);
        let (graph, count) = counting();
        let scope = rig.scope("block");
        let run = rig.submit(&graph, &scope).unwrap();
        let mut hand = hands.remove(0);
        let worker = thread::spawn(move || {
            hand.drain();
            hand
        });
        let _ = run.is_done();
        drop(run);
        let mut hand = worker.join().unwrap();
        let again = rig.submit(&graph, &scope).unwrap();
        hand.drain();
        assert!(again.is_done(), "a run never ends");
        count.assert(2);
    });
}

#[test]
fn block_serves_the_next_run_at_once() {
    Model::new(
        "block_serves_the_next_run_at_once",
        "who has seen a run's end and drops its handle finds the block free, and the end of that run is not the next one's",
    )
    .kills("block.pass", "a run is done before it ran")
    .check(|| {
        let (rig, mut hands) = Rig::new(1, Driver::Workers, 1);
        let (graph, count) = counting();
        let scope = rig.scope("block");
        let run = rig.submit(&graph, &scope).unwrap();
        let mut hand = hands.remove(0);
        let worker = thread::spawn(move || {
            assert!(hand.run_found());
            hand
        });
        let is_done = run.is_done();
        drop(run);
        assert!(!is_done || Rig::pooled(&graph) == 1, "the block of a run that has ended is not free");
        let again = rig.submit(&graph, &scope).unwrap();
        assert!(!again.is_done(), "a run is done before it ran");
        worker.join().unwrap().drain();
        assert!(again.is_done(), "a run never ends");
        count.assert(2);
    });
}

#[test]
fn block_nested_work_ends_before_its_task() {
    Model::new(
        "block_nested_work_ends_before_its_task",
        "a task and the work that it submitted end on two workers; what follows sees both",
    )
    .preemptions(4)
    .because("exhaustive: more than 90 s")
    .kills("nested.child", "Causality violation")
    .kills("nested.parent", "Causality violation")
    .check(|| {
        let (rig, hands) = Rig::new(2, Driver::Workers, 1);
        let data = Data::new();
        let mut builder = GraphBuilder::new();
        let own = data.clone();
        builder.call(move |_| own.write(0));
        let inner = builder.build().unwrap();
        let mut builder = GraphBuilder::new();
        let own = data.clone();
        let outer = builder.call(move |cx| {
            drop(cx.submit(&inner)?);
            own.write(1);
            Ok(())
        });
        let own = data.clone();
        let after = builder.call(move |_| (0..2).for_each(|index| own.read(index)));
        builder.edge(outer, after).unwrap();
        let scope = rig.scope("nested");
        let run = rig.submit(&builder.build().unwrap(), &scope).unwrap();
        let hands = run_by_two(hands);
        assert!(run.is_done(), "a run never ends");
        assert_eq!(scope.failure().map(|error| error.to_string()), None);
        drop((run, hands));
    });
}

#[test]
fn block_cancel_races_a_wait() {
    Model::new("block_cancel_races_a_wait", "a run that is cancelled while its wait begins ends")
        .kills("cancel.request", "never ends")
        .kills("cancel.publish", "never ends")
        .check(|| {
            let (rig, mut hands) = Rig::new(1, Driver::Workers, 1);
            let mut builder = GraphBuilder::new();
            builder.wait(Arc::new(Event::manual()));
            let (graph, scope) = (builder.build().unwrap(), rig.scope("cancel"));
            let run = rig.submit(&graph, &scope).unwrap();
            let mut hand = hands.remove(0);
            let worker = thread::spawn(move || {
                hand.drain();
                hand
            });
            let _ = run.cancel();
            worker.join().unwrap().drain();
            assert!(run.is_done(), "a run never ends");
            assert_eq!(run.result().unwrap().unwrap_err().code(), raddle_status::Code::Cancelled);
        });
}

#[test]
fn block_signal_races_a_wait() {
    Model::new(
        "block_signal_races_a_wait",
        "a run whose event is set while its wait begins goes on, once, and sees it",
    )
    .kills("event.at_once", "never ends")
    .kills("event.wake", "never ends")
    .kills("event.set", "Causality violation")
    .check(|| {
        let (rig, mut hands) = Rig::new(1, Driver::Workers, 1);
        let (event, data) = (Arc::new(Event::manual()), Data::new());
        let mut builder = GraphBuilder::new();
        let wait = builder.wait(event.clone());
        let own = data.clone();
        let after = builder.call(move |_| own.read(0));
        builder.edge(wait, after).unwrap();
        let (graph, scope) = (builder.build().unwrap(), rig.scope("wait"));
        let run = rig.submit(&graph, &scope).unwrap();
        let mut hand = hands.remove(0);
        let worker = thread::spawn(move || {
            hand.drain();
            hand
        });
        data.write(0);
        event.set();
        worker.join().unwrap().drain();
        assert!(run.is_done(), "a run never ends");
        assert!(run.result().unwrap().is_ok());
    });
}

#[test]
fn block_callback_races_the_end() {
    Model::new(
        "block_callback_races_the_end",
        "a callback that is left while the run ends is called once, and sees it",
    )
    .preemptions(4)
    .because("exhaustive: more than 90 s")
    .kills("block.callbacks", "Causality violation")
    .check(|| {
        let (rig, mut hands) = Rig::new(2, Driver::Workers, 1);
        let (data, told) = (Data::new(), Count::new());
        let mut builder = GraphBuilder::new();
        let own = data.clone();
        builder.call(move |_| own.write(0));
        let run = rig.submit(&builder.build().unwrap(), &rig.scope("callback")).unwrap();
        let mut hand = hands.remove(0);
        let worker = thread::spawn(move || {
            let _ = hand.run_found();
            hand
        });
        let (own, seen) = (told.clone(), data.clone());
        run.on_complete(move |result| {
            assert!(result.is_ok());
            seen.read(0);
            own.add();
        })
        .unwrap();
        // A callback of a run that has ended is this thread's to begin.
        let _ = hands[0].run_found();
        worker.join().unwrap().drain();
        hands[0].drain();
        told.assert(1);
    });
}

#[test]
fn block_deadline_races_the_end() {
    Model::new(
        "block_deadline_races_the_end",
        "a deadline that comes while the run ends stops it or not, and the block is free for the next run",
    )
    .kills("deadline.hold", "a block was lost")
    .check(|| {
        let (rig, mut hands) = Rig::new(2, Driver::Workers, 1);
        let mut builder = GraphBuilder::new();
        builder.barrier();
        let graph = builder.build().unwrap();
        let options = SubmitOptions::default().deadline(1);
        let run = rig.submit_with(&graph, &rig.scope("deadline"), options).unwrap();
        let mut hand = hands.remove(0);
        let worker = thread::spawn(move || {
            hand.drain();
            hand
        });
        rig.kernel.advance_to(1000);
        rig.look();
        worker.join().unwrap().drain();
        assert!(run.is_done(), "a run never ends");
        drop(run);
        assert_eq!(Rig::pooled(&graph), 1, "a block was lost");
    });
}
