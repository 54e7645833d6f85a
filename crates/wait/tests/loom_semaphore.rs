//! Models of the timeline semaphore (`src/semaphore.rs`, `src/heap.rs`).
//!
//! Claim:   each model's is in its first lines.
//! Threads: main + one or two signallers.  Bound: two threads exhaustive, three 2 preemptions.
//! Fails if: any mutant that a model names is active.
//!
//! # Models
//! - `semaphore_failure_races_wait`: a failure reaches a wait that is linked before, during or after it, with its
//!   message. 2 threads, exhaustive: 232 schedules, 0.01 s. Fails under semaphore.failure.
//! - `semaphore_given_up_wait_leaves_the_heap`: a wait that is abandoned while it is signalled is out of the heap,
//!   whose other wait ends. 2 threads, exhaustive: 430 schedules, 0.03 s. Fails under semaphore.unlink.
//! - `semaphore_resumed_program_may_use_the_semaphore`: a program that is resumed on the signaller's own stack leaves
//!   the semaphore's heap: no lock is held. 2 threads, exhaustive: 248 schedules, 0.02 s. Fails under semaphore.locked.
//! - `semaphore_signal_races_wait`: a wait whose value is reached before, during or after linking ends, and sees what
//!   the signaller wrote. 2 threads, exhaustive: 232 schedules, 0.01 s. Fails under semaphore.recheck, slot.act.
//! - `semaphore_value_is_seen`: a wait that needs no arming, since its value has been reached, sees what the signaller
//!   wrote. 2 threads, exhaustive: 6 schedules, 0.00 s. Fails under semaphore.publish, semaphore.query.
//! - `semaphore_wakes_what_is_due`: two waits at two values: each ends with the signal that reaches it, and not before.
//!   3 threads, at most 2 preemptions: 8723 schedules, 0.78 s; 3: 87939 schedules, 6.90 s. Fails under
//!   semaphore.recheck.

#![cfg(raddle_loom)]
#![allow(unsafe_code)]

mod support;

use raddle_status::{Code, Error};
use raddle_sync::model::Model;
use raddle_sync::thread;
use raddle_wait::*;
use std::sync::Arc as StdArc;
use support::*;

#[test]
fn semaphore_signal_races_wait() {
    Model::new(
        "semaphore_signal_races_wait",
        "a wait whose value is reached before, during or after linking ends, and sees what the signaller wrote",
    )
    .kills("semaphore.recheck", "deadlock")
    .kills("slot.act", "Causality violation")
    .check(|| {
        let (pool, program, datum) = (SlotPool::new(), Program::new(), Datum::new());
        let semaphore = StdArc::new(Semaphore::new(1));
        let signaller = {
            let (semaphore, datum) = (semaphore.clone(), datum.clone());
            thread::spawn(move || {
                datum.write();
                semaphore.signal(5).unwrap();
            })
        };
        let frame = frame(&pool, semaphore.at(3));
        assert!(program.wait(&frame, None).into_result().is_ok());
        assert_eq!(datum.read(), 7);
        signaller.join().unwrap();
        assert_eq!(semaphore.value().unwrap(), 5);
        drop(frame);
        assert_whole(&pool);
    });
}

#[test]
fn semaphore_value_is_seen() {
    Model::new(
        "semaphore_value_is_seen",
        "a wait that needs no arming, since its value has been reached, sees what the signaller wrote",
    )
    .kills("semaphore.publish", "Causality violation")
    .kills("semaphore.query", "Causality violation")
    .check(|| {
        let (datum, semaphore) = (Datum::new(), StdArc::new(Semaphore::new(1)));
        let signaller = {
            let (semaphore, datum) = (semaphore.clone(), datum.clone());
            thread::spawn(move || {
                datum.write();
                semaphore.signal(5).unwrap();
            })
        };
        // A query takes no lock, so nothing but its own order publishes the datum.
        if semaphore.at(3).query().is_ready() {
            assert_eq!(datum.read(), 7);
        }
        signaller.join().unwrap();
    });
}

#[test]
fn semaphore_failure_races_wait() {
    Model::new(
        "semaphore_failure_races_wait",
        "a failure reaches a wait that is linked before, during or after it, with its message",
    )
    .kills("semaphore.failure", "deadlock")
    .check(|| {
        let (pool, program) = (SlotPool::new(), Program::new());
        let semaphore = StdArc::new(Semaphore::new(0));
        let failer = {
            let semaphore = semaphore.clone();
            thread::spawn(move || assert!(semaphore.fail(Error::new(Code::DataLoss, "device lost"))))
        };
        let frame = frame(&pool, semaphore.at(u64::MAX));
        let error = program.wait(&frame, None).into_result().unwrap_err();
        assert_eq!((error.code(), error.message()), (Code::DataLoss, "device lost"));
        failer.join().unwrap();
        assert_eq!(semaphore.signal(9).unwrap_err().code(), Code::DataLoss);
    });
}

#[test]
fn semaphore_wakes_what_is_due() {
    Model::new(
        "semaphore_wakes_what_is_due",
        "two waits at two values: each ends with the signal that reaches it, and not before",
    )
    .preemptions(2)
    .kills("semaphore.recheck", "deadlock")
    .check(|| {
        let pool = SlotPool::new();
        let semaphore = StdArc::new(Semaphore::new(0));
        let wait = {
            let (pool, semaphore) = (pool.clone(), semaphore.clone());
            move |value| {
                let frame = frame(&pool, semaphore.at(value));
                assert!(Program::new().wait(&frame, None).into_result().is_ok());
                assert!(semaphore.value().unwrap() >= value, "woken early");
            }
        };
        let late = {
            let wait = wait.clone();
            thread::spawn(move || wait(2))
        };
        let signaller = {
            let semaphore = semaphore.clone();
            thread::spawn(move || {
                semaphore.signal(1).unwrap();
                semaphore.signal(2).unwrap();
            })
        };
        wait(1);
        late.join().unwrap();
        signaller.join().unwrap();
        drop(wait);
        assert_whole(&pool);
    });
}

#[test]
fn semaphore_given_up_wait_leaves_the_heap() {
    Model::new(
        "semaphore_given_up_wait_leaves_the_heap",
        "a wait that is abandoned while it is signalled is out of the heap, whose other wait ends",
    )
    .kills("semaphore.unlink", "a slot that is in a heap")
    .check(|| {
        let (pool, program) = (SlotPool::new(), Program::new());
        let semaphore = StdArc::new(Semaphore::new(0));
        let given_up = frame(&pool, semaphore.at(1));
        // SAFETY: abandoned below.
        let progress = unsafe { given_up.begin(&NoStage, program.header(), None) };
        assert!(matches!(progress, Progress::Waiting));
        let signaller = {
            let semaphore = semaphore.clone();
            thread::spawn(move || semaphore.signal(2).unwrap())
        };
        // SAFETY: it waits.
        let is_spared = unsafe { given_up.abandon(&NoStage, None) };
        drop(given_up);
        let frame = frame(&pool, semaphore.at(2));
        assert!(Program::new().wait(&frame, None).into_result().is_ok());
        signaller.join().unwrap();
        assert_eq!(program.scheduled(), usize::from(!is_spared));
        drop(frame);
        assert_whole(&pool);
    });
}

#[test]
fn semaphore_resumed_program_may_use_the_semaphore() {
    Model::new(
        "semaphore_resumed_program_may_use_the_semaphore",
        "a program that is resumed on the signaller's own stack leaves the semaphore's heap: no lock is held",
    )
    .kills("semaphore.locked", "deadlock")
    .check(|| {
        let (pool, semaphore) = (SlotPool::new(), StdArc::new(Semaphore::new(0)));
        // Both are in the heap; the one that is not reached is taken out by the other's resume.
        let sources = any![StdArc::new(semaphore.at(1)), StdArc::new(semaphore.at(2))];
        let program = Inline::new(frame(&pool, sources));
        let signaller = thread::spawn(move || semaphore.signal(1).unwrap());
        assert!(matches!(program.run(), Outcome::Ready { index: 0 }));
        signaller.join().unwrap();
        drop(program);
        assert_whole(&pool);
    });
}
