//! Models of the wait slot and its memory (`src/slot.rs`, `src/pool.rs`).
//!
//! Claim:   each model's is in its first lines; each is exhaustive unless it says otherwise.
//! Threads: main + one signaller.
//! Fails if: any mutant that a model names is active.
//!
//! # Models
//! - `slot_fire_races_arming`: a foreign source that fires while it is armed resumes once, and its writes are seen. 2
//!   threads, exhaustive: 126 schedules, 0.01 s. Fails under slot.arming, slot.act, slot.fire.
//! - `slot_generations_run_out`: a slot whose generations are spent is never opened again, so a very late fire changes
//!   nothing. 2 threads, exhaustive: 4947 schedules, 0.57 s. Fails under slot.spent.
//! - `slot_memory_outlives_everybody`: a waker may be called after its frame and its pool are gone: it reads memory
//!   that is still a slot. 2 threads, exhaustive: 559 schedules, 0.03 s. Fails under pool.memory.
//! - `slot_signaller_concludes`: the signaller's own thread ends the wait while the armer is on its way out of begin. 2
//!   threads, exhaustive: 126 schedules, 0.01 s. Fails under slot.settle, slot.arming.
//! - `slot_stale_fire_meets_a_later_wait`: a waker of a wait that is over can't end the next wait on the same slot. 2
//!   threads, exhaustive: 662 schedules, 0.05 s. Fails under slot.generation.

#![cfg(raddle_loom)]
#![allow(unsafe_code)]

mod support;

use raddle_sync::atomic::{AtomicBool, Ordering::*};
use raddle_sync::model::Model;
use raddle_sync::{Arc, thread};
use raddle_wait::*;
use support::*;

#[test]
fn slot_fire_races_arming() {
    Model::new(
        "slot_fire_races_arming",
        "a foreign source that fires while it is armed resumes once, and its writes are seen",
    )
    .kills("slot.arming", "resumed twice")
    .kills("slot.act", "Causality violation")
    .kills("slot.fire", "Causality violation")
    .check(|| {
        let (pool, program, source, datum) = (SlotPool::new(), Program::new(), Callback::new(), Datum::new());
        let signaller = {
            let (source, datum) = (source.clone(), datum.clone());
            thread::spawn(move || {
                datum.write();
                source.resolve();
            })
        };
        let frame = frame(&pool, source);
        assert!(program.wait(&frame, None).into_result().is_ok());
        assert_eq!(datum.read(), 7);
        signaller.join().unwrap();
        assert!(program.scheduled() <= 1, "resumed twice");
        drop(frame);
        assert_whole(&pool);
    });
}

#[test]
fn slot_signaller_concludes() {
    Model::new(
        "slot_signaller_concludes",
        "the signaller's own thread ends the wait while the armer is on its way out of begin",
    )
    .kills("slot.settle", "Causality violation")
    .kills("slot.arming", "Causality violation")
    .check(|| {
        let (pool, source, datum) = (SlotPool::new(), Callback::new(), Datum::new());
        let program = Inline::new(frame(&pool, source.clone()));
        let signaller = {
            let datum = datum.clone();
            thread::spawn(move || {
                datum.write();
                source.resolve();
            })
        };
        assert!(program.run().into_result().is_ok());
        assert_eq!(datum.read(), 7);
        signaller.join().unwrap();
        drop(program);
        assert_whole(&pool);
    });
}

#[test]
fn slot_stale_fire_meets_a_later_wait() {
    Model::new(
        "slot_stale_fire_meets_a_later_wait",
        "a waker of a wait that is over can't end the next wait on the same slot",
    )
    .kills("slot.generation", "a stale fire ended a later wait")
    .check(|| {
        let (pool, program, first, second) =
            (SlotPool::new(), Program::new(), Callback::new(), Callback::new());
        let is_due = Arc::new(AtomicBool::new(false));
        let frame_one = frame(&pool, first.clone());
        // SAFETY: abandoned below, before anybody else touches it.
        let progress = unsafe { frame_one.begin(&NoStage, program.header(), None) };
        assert!(matches!(progress, Progress::Waiting));
        let stale = first.waker().expect("armed");
        // SAFETY: it waits.
        assert!(unsafe { frame_one.abandon(&NoStage, None) });
        drop(frame_one);
        let signaller = {
            let (second, is_due) = (second.clone(), is_due.clone());
            thread::spawn(move || {
                assert!(!stale.wake(), "a stale fire ended a later wait");
                is_due.store(true, Release);
                second.resolve();
            })
        };
        let frame_two = frame(&pool, second);
        assert!(program.wait(&frame_two, None).into_result().is_ok());
        assert!(is_due.load(Acquire), "a stale fire ended a later wait");
        signaller.join().unwrap();
        drop(frame_two);
        assert_eq!(pool.counts().made, 2, "the second wait was on another slot");
    });
}

#[test]
fn slot_generations_run_out() {
    Model::new(
        "slot_generations_run_out",
        "a slot whose generations are spent is never opened again, so a very late fire changes nothing",
    )
    .kills("slot.spent", "generation <= GENERATION_LAST")
    .check(|| {
        let (pool, program, source) = (SlotPool::new(), Program::new(), Callback::new());
        let first = frame(&pool, source.clone());
        // SAFETY: abandoned in the next line but one.
        let progress = unsafe { first.begin(&NoStage, program.header(), None) };
        assert!(matches!(progress, Progress::Waiting));
        let stale = source.waker().expect("armed");
        // SAFETY: it waits.
        assert!(unsafe { first.abandon(&NoStage, None) });
        let late = thread::spawn(move || assert!(!stale.wake(), "a stale fire ended a later wait"));
        for _ in 0..4 {
            // SAFETY: abandoned in the next line but one.
            let progress = unsafe { first.begin(&NoStage, program.header(), None) };
            assert!(matches!(progress, Progress::Waiting));
            // SAFETY: it waits.
            assert!(unsafe { first.abandon(&NoStage, None) }, "a stale fire ended a later wait");
        }
        late.join().unwrap();
        assert_eq!(program.scheduled(), 0);
        drop(first);
        assert_whole(&pool);
        assert!(pool.counts().worn >= 1, "no slot was worn out");
    });
}

#[test]
fn slot_memory_outlives_everybody() {
    Model::new(
        "slot_memory_outlives_everybody",
        "a waker may be called after its frame and its pool are gone: it reads memory that is still a slot",
    )
    .kills("pool.memory", "holds state 7")
    .check(|| {
        let (program, source) = (Program::new(), Callback::new());
        let pool = SlotPool::new();
        let frame = frame(&pool, source.clone());
        // SAFETY: abandoned below.
        let progress = unsafe { frame.begin(&NoStage, program.header(), None) };
        assert!(matches!(progress, Progress::Waiting));
        let waker = source.waker().expect("armed");
        drop(source);
        let late = thread::spawn(move || waker.wake());
        // SAFETY: it waits.
        let is_spared = unsafe { frame.abandon(&NoStage, None) };
        drop(frame);
        drop(pool);
        let has_counted = late.join().unwrap();
        assert!(is_spared != has_counted, "both or neither ended the wait");
        assert_eq!(program.scheduled(), usize::from(has_counted));
    });
}
