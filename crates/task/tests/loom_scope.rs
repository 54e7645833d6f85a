//! Models of scopes (`src/scope.rs`) and of their end with the executor's (`src/threads.rs`, `src/executor.rs`).
//!
//! Each model's claim, bound and mutants are in its first lines. Two threads are explored exhaustively.
//!
//! # Models
//! - `scope_callback_may_use_the_scope`: a callback for idleness that looks at its scope and leaves another callback,
//!   while somebody submits: no lock is held. 2 threads, exhaustive: 110 schedules, 0.01 s. Fails under scope.locked.
//! - `scope_failure_races_a_run_that_enters`: a run that enters a scope while it fails is ended. 2 threads, exhaustive:
//!   8242 schedules, 1.34 s. Fails under scope.fail, scope.enter.
//! - `scope_first_failure_wins`: of two failures one is the scope's for ever. 2 threads, exhaustive: 9 schedules, 0.00
//!   s. Fails under scope.first.
//! - `scope_is_idle_when_all_have_ended`: what is taken for idle while runs come and go is idle: every run that had
//!   been submitted has ended. 2 threads, exhaustive: 16924 schedules, 2.39 s. Fails under scope.period.
//! - `scope_shutdown_races_submit`: a run that is submitted while the executor closes is refused or ended. 2 threads,
//!   exhaustive: 86 schedules, 0.01 s. Fails under scope.closed.
//! - `scope_tells_idle_once`: a callback for idleness that is left while the last run ends is called once, and after
//!   it. 2 threads, exhaustive: 4 schedules, 0.00 s. Fails under scope.tell.

#![cfg(raddle_loom)]

mod modelling;

use modelling::*;
use raddle_status::Code;
use raddle_sync::model::Model;
use raddle_sync::thread;
use raddle_task::internals::*;
use raddle_task::{Driver, Graph, GraphBuilder};
use raddle_wait::{Event, Readiness};
use std::sync::Arc;

fn waiting_graph() -> Arc<Graph> {
    let mut builder = GraphBuilder::new();
    builder.wait(Arc::new(Event::manual()));
    builder.build().unwrap()
}

fn counting_graph(count: &Count) -> Arc<Graph> {
    let mut builder = GraphBuilder::new();
    let own = count.clone();
    builder.call(move |_| own.add());
    builder.build().unwrap()
}

fn drain_on_thread(mut hand: Hand) -> thread::JoinHandle<Hand> {
    thread::spawn(move || {
        hand.drain();
        hand
    })
}

#[test]
fn scope_first_failure_wins() {
    Model::new("scope_first_failure_wins", "of two failures one is the scope's for ever")
        .kills("scope.first", "two failures won")
        .check(|| {
            let (rig, _hands) = Rig::new(1, Driver::Workers, 1);
            let scope = rig.scope("fails");
            let other = {
                let scope = scope.clone();
                thread::spawn(move || scope.fail(Code::DataLoss.into()))
            };
            let is_mine = scope.fail(Code::Unavailable.into());
            let seen = scope.failure().expect("it has failed").code();
            let is_theirs = other.join().unwrap();
            assert!(is_mine != is_theirs, "two failures won, or none");
            let last = scope.failure().unwrap().code();
            assert_eq!(last, if is_mine { Code::Unavailable } else { Code::DataLoss });
            assert_eq!(seen, last, "a failure was replaced");
        });
}

#[test]
fn scope_failure_races_a_run_that_enters() {
    Model::new("scope_failure_races_a_run_that_enters", "a run that enters a scope while it fails is ended")
        .kills("scope.fail", "never ends")
        .kills("scope.enter", "never ends")
        .check(|| {
            let (rig, mut hands) = Rig::new(1, Driver::Workers, 1);
            let scope = rig.scope("fails");
            let other = {
                let scope = scope.clone();
                thread::spawn(move || scope.cancel())
            };
            let run = rig.submit(&waiting_graph(), &scope).unwrap();
            hands[0].drain();
            assert!(other.join().unwrap());
            hands[0].drain();
            assert!(run.is_done(), "a run of a failed scope never ends");
            assert_eq!(scope.pending(), 0);
            assert!(run.result().unwrap().is_err());
        });
}

#[test]
fn scope_is_idle_when_all_have_ended() {
    Model::new(
        "scope_is_idle_when_all_have_ended",
        "what is taken for idle while runs come and go is idle: every run that had been submitted has ended",
    )
    .kills("scope.period", "taken for idle")
    .check(|| {
        let (rig, mut hands) = Rig::new(1, Driver::Workers, 1);
        let (scope, count) = (rig.scope("idle"), Count::new());
        let graph = counting_graph(&count);
        let first = rig.submit(&graph, &scope).unwrap();
        let worker = drain_on_thread(hands.remove(0));
        let idle = scope.idle();
        if matches!(idle.query(), Readiness::Ready) {
            assert_eq!(scope.pending(), 0, "a busy scope was taken for idle");
        }
        let second = rig.submit(&graph, &scope).unwrap();
        let idle = scope.idle();
        if matches!(idle.query(), Readiness::Ready) {
            assert!(second.is_done() || scope.pending() == 0, "a busy scope was taken for idle");
        }
        worker.join().unwrap().drain();
        assert!(matches!(idle.query(), Readiness::Ready), "a scope never becomes idle");
        drop((first, second));
    });
}

#[test]
fn scope_tells_idle_once() {
    Model::new(
        "scope_tells_idle_once",
        "a callback for idleness that is left while the last run ends is called once, and after it",
    )
    .kills("scope.tell", "another number of times")
    .check(|| {
        let (rig, mut hands) = Rig::new(1, Driver::Workers, 1);
        let (scope, ran, told) = (rig.scope("idle"), Count::new(), Count::new());
        let run = rig.submit(&counting_graph(&ran), &scope).unwrap();
        let worker = drain_on_thread(hands.remove(0));
        let own = told.clone();
        scope.on_idle(move || {
            own.add();
            ran.assert(1);
        });
        worker.join().unwrap();
        told.assert(1);
        // A panic in the callback is the scope's failure.
        assert!(scope.failure().is_none(), "{:?}", scope.failure());
        drop(run);
    });
}

#[test]
fn scope_shutdown_races_submit() {
    Model::new(
        "scope_shutdown_races_submit",
        "a run that is submitted while the executor closes is refused or ended",
    )
    .kills("scope.closed", "no shutdown knows of")
    .check(|| {
        let (rig, mut hands) = Rig::new(1, Driver::Workers, 1);
        let (scope, count) = (rig.scope("late"), Count::new());
        let other = {
            let rig = rig.clone();
            thread::spawn(move || rig.close())
        };
        let run = rig.submit(&counting_graph(&count), &scope);
        let was_busy = other.join().unwrap();
        assert!(run.is_err() || was_busy, "a run was taken in that no shutdown knows of");
        hands[0].drain();
        assert_eq!(scope.pending(), 0);
        assert!(run.is_err() || run.unwrap().is_done());
    });
}

#[test]
fn scope_callback_may_use_the_scope() {
    Model::new(
        "scope_callback_may_use_the_scope",
        "a callback for idleness that looks at its scope and leaves another callback, while somebody submits: no lock is held",
    )
    .kills("scope.locked", "deadlock")
    .check(|| {
        let (rig, mut hands) = Rig::new(1, Driver::Workers, 1);
        let (scope, ran, told) = (rig.scope("idle"), Count::new(), Count::new());
        let graph = counting_graph(&ran);
        let first = rig.submit(&graph, &scope).unwrap();
        let (own, inner) = (told.clone(), scope.clone());
        scope.on_idle(move || {
            let _ = inner.pending();
            let again = own.clone();
            inner.on_idle(move || again.add());
            own.add();
        });
        let mut hand = hands.remove(0);
        let worker = thread::spawn(move || {
            hand.drain();
            hand
        });
        let second = rig.submit(&graph, &scope).unwrap();
        let mut hand = worker.join().unwrap();
        hand.drain();
        ran.assert(2);
        told.assert(2);
        assert!(first.is_done() && second.is_done());
    });
}
