//! Models of cancellation and deadlines (`src/cancel.rs`, `src/virtual_time.rs`).
//!
//! Claim:   each model's is in its first lines.
//! Threads: main + one or two that cancel, fire or move the clock.  Bound: two threads exhaustive, three 2 preemptions.
//! Fails if: any mutant that a model names is active.
//!
//! # Models
//! - `cancel_deadline_is_removed`: a wait that a source ended leaves no timer, though the clock moves meanwhile. 2
//!   threads, exhaustive: 3951 schedules, 0.33 s. Fails under time.remove.
//! - `cancel_fire_and_deadline_race`: of a signal, a request and a deadline one ends the wait, and its program hears of
//!   one. 3 threads, at most 2 preemptions: 2049 schedules, 0.19 s; 3: 15605 schedules, 1.21 s. Fails under
//!   slot.arming.
//! - `cancel_moment_against_no_clock`: a moment on a stage without a clock fails its wait, though the other source of
//!   the wait fires meanwhile. 2 threads, exhaustive: 940 schedules, 0.06 s. Fails under frame.refused.
//! - `cancel_request_meets_a_fresh_root`: a request that comes while the slot of the root is worn out and another takes
//!   its place ends the wait there. 2 threads, at most 3 preemptions (exhaustive: not tried): 5303 schedules, 0.49 s.
//!   Fails under cancel.root, cancel.lasting.
//! - `cancel_request_meets_the_next_wait`: a request that comes while one wait ends and the next begins ends one of
//!   them, and nobody else's wait. 2 threads, exhaustive: 1564 schedules, 0.17 s. Fails under cancel.request,
//!   cancel.publish.
//! - `cancel_request_races_wait`: a request that comes before, during or after arming ends a wait that nobody else can
//!   end. 2 threads, exhaustive: 1165 schedules, 0.06 s. Fails under cancel.request, cancel.publish.

#![cfg(raddle_loom)]
#![allow(unsafe_code)]

mod support;

use raddle_status::Code;
use raddle_sync::model::Model;
use raddle_sync::{Arc, thread};
use raddle_wait::*;
use support::*;

#[test]
fn cancel_request_races_wait() {
    Model::new(
        "cancel_request_races_wait",
        "a request that comes before, during or after arming ends a wait that nobody else can end",
    )
    .kills("cancel.request", "deadlock")
    .kills("cancel.publish", "deadlock")
    .check(|| {
        let (pool, program) = (SlotPool::new(), Program::new());
        let cancel = Arc::new(CancelPoint::new(&pool));
        let canceller = {
            let cancel = cancel.clone();
            thread::spawn(move || cancel.request())
        };
        let frame = frame(&pool, std::sync::Arc::new(Never));
        assert!(matches!(program.wait(&frame, Some(&cancel)), Outcome::Cancelled));
        let has_ended_it = canceller.join().unwrap();
        assert!(program.scheduled() <= usize::from(has_ended_it), "scheduled by nobody");
        assert!(cancel.is_requested());
        drop((frame, cancel));
        assert_whole(&pool);
    });
}

#[test]
fn cancel_request_meets_the_next_wait() {
    Model::new(
        "cancel_request_meets_the_next_wait",
        "a request that comes while one wait ends and the next begins ends one of them, and nobody else's wait",
    )
    .kills("cancel.request", "deadlock")
    .kills("cancel.publish", "deadlock")
    .check(|| {
        let (pool, program, other) = (SlotPool::new(), Program::new(), Program::new());
        let cancel = Arc::new(CancelPoint::new(&pool));
        let (event, victim) = (std::sync::Arc::new(Event::manual()), frame(&pool, std::sync::Arc::new(Never)));
        // SAFETY: abandoned below.
        let progress = unsafe { victim.begin(&NoStage, other.header(), None) };
        assert!(matches!(progress, Progress::Waiting));
        let canceller = {
            let cancel = cancel.clone();
            thread::spawn(move || cancel.request())
        };
        event.set();
        let first = frame(&pool, event);
        let outcome = program.wait(&first, Some(&cancel));
        assert!(matches!(outcome, Outcome::Ready { .. } | Outcome::Cancelled), "{outcome:?}");
        let second = frame(&pool, std::sync::Arc::new(Never));
        assert!(matches!(program.wait(&second, Some(&cancel)), Outcome::Cancelled));
        canceller.join().unwrap();
        // SAFETY: it waits.
        assert!(unsafe { victim.abandon(&NoStage, None) }, "somebody else's wait was cancelled");
        drop((first, second, victim, cancel));
        assert_whole(&pool);
    });
}

/// Is ready as soon as it is armed.
struct Woken;

impl WaitSource for Woken {
    fn arm(&self, waker: SourceWaker) {
        waker.wake();
    }
}

#[test]
fn cancel_request_meets_a_fresh_root() {
    Model::new(
        "cancel_request_meets_a_fresh_root",
        "a request that comes while the slot of the root is worn out and another takes its place ends the wait there",
    )
    .preemptions(3)
    .because("exhaustive: not tried")
    .kills("cancel.root", "Causality violation")
    .kills("cancel.lasting", "a waker that leads to a slot outside the pool")
    .check(|| {
        let (pool, program) = (SlotPool::new(), Program::new());
        let cancel = Arc::new(CancelPoint::new(&pool));
        let canceller = {
            let cancel = cancel.clone();
            thread::spawn(move || cancel.request())
        };
        for _ in 0..3 {
            let frame = frame(&pool, std::sync::Arc::new(Woken));
            let outcome = program.wait(&frame, Some(&cancel));
            assert!(matches!(outcome, Outcome::Ready { .. } | Outcome::Cancelled), "{outcome:?}");
        }
        let frame = frame(&pool, std::sync::Arc::new(Never));
        assert!(matches!(program.wait(&frame, Some(&cancel)), Outcome::Cancelled));
        canceller.join().unwrap();
        drop((frame, cancel));
        assert_whole(&pool);
    });
}

#[test]
fn cancel_fire_and_deadline_race() {
    Model::new(
        "cancel_fire_and_deadline_race",
        "of a signal, a request and a deadline one ends the wait, and its program hears of one",
    )
    .preemptions(2)
    .kills("slot.arming", "resumed twice")
    .check(|| {
        let (pool, program, source) = (SlotPool::new(), Program::new(), Callback::new());
        let cancel = Arc::new(CancelPoint::new(&pool));
        let time = Arc::new(VirtualTime::new());
        let frame = Frame::new(&pool, source.clone().into(), 5).unwrap();
        let signaller = thread::spawn(move || source.resolve());
        let clock = {
            let (time, cancel) = (time.clone(), cancel.clone());
            thread::spawn(move || {
                time.advance_to(5);
                cancel.request();
            })
        };
        match program.wait_in(&*time, &frame, Some(&cancel)) {
            Outcome::Ready { index } => assert_eq!(index, 0),
            Outcome::TimedOut => assert_eq!(time.now(), 5, "early"),
            Outcome::Cancelled => assert!(cancel.is_requested()),
            Outcome::Failed(error) => panic!("{error}"),
        }
        signaller.join().unwrap();
        clock.join().unwrap();
        assert!(program.scheduled() <= 1, "resumed twice");
        assert_eq!(time.outstanding(), 0, "a timer was left behind");
        drop((frame, cancel));
        assert_whole(&pool);
    });
}

#[test]
fn cancel_deadline_is_removed() {
    Model::new(
        "cancel_deadline_is_removed",
        "a wait that a source ended leaves no timer, though the clock moves meanwhile",
    )
    .kills("time.remove", "a timer was left behind")
    .check(|| {
        let (pool, program, source) = (SlotPool::new(), Program::new(), Callback::new());
        let time = Arc::new(VirtualTime::new());
        let clock = {
            let (time, source) = (time.clone(), source.clone());
            thread::spawn(move || {
                source.resolve();
                time.advance_to(5);
            })
        };
        let frame = Frame::new(&pool, source.into(), 5).unwrap();
        match program.wait_in(&*time, &frame, None) {
            Outcome::Ready { .. } | Outcome::TimedOut => {}
            other => panic!("{other:?}"),
        }
        drop(frame);
        assert_eq!(time.outstanding(), 0, "a timer was left behind");
        clock.join().unwrap();
        assert_whole(&pool);
    });
}

#[test]
fn cancel_moment_against_no_clock() {
    Model::new(
        "cancel_moment_against_no_clock",
        "a moment on a stage without a clock fails its wait, though the other source of the wait fires meanwhile",
    )
    .kills("frame.refused", "deadlock")
    .check(|| {
        let (pool, program, source) = (SlotPool::new(), Program::new(), Callback::new());
        let signaller = {
            let source = source.clone();
            thread::spawn(move || source.resolve())
        };
        let frame = frame(&pool, all![source, std::sync::Arc::new(Until(3))]);
        match program.wait(&frame, None) {
            Outcome::Failed(error) => assert_eq!(error.code(), Code::FailedPrecondition),
            other => panic!("{other:?}"),
        }
        signaller.join().unwrap();
    });
}
