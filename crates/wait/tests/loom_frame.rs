//! Models of conditions over several sources (`src/frame.rs`, `src/body.rs`, `src/branch.rs`).
//!
//! Claim:   each model's is in its first lines.
//! Threads: main + two signallers.  Bound: 2 preemptions; two threads exhaustive.
//! Fails if: any mutant that a model names is active.
//!
//! # Models
//! - `frame_abandoned_against_fire`: a frame that is abandoned while a source fires is done with; its header is
//!   scheduled if it was told so. 2 threads, exhaustive: 56382 schedules, 4.21 s. Fails under pool.memory.
//! - `frame_all_of_two`: a wait for all ends after both, and sees what both wrote. 3 threads, at most 2 preemptions:
//!   1550 schedules, 0.20 s; 3: 10215 schedules, 0.86 s. Fails under slot.fire.
//! - `frame_any_of_two`: a wait for any ends once, with the index of a source whose writes are seen. 3 threads, at most
//!   2 preemptions: 4819 schedules, 0.49 s; 3: 41654 schedules, 3.40 s. Fails under slot.fire, slot.arming.
//! - `frame_nested`: all of (any of a, never) and b: ends after both, through the inner group. 3 threads, at most 2
//!   preemptions: 1550 schedules, 0.23 s; 3: 10215 schedules, 0.94 s. Fails under slot.fire.
//! - `frame_nested_the_other_way`: any of (all of a, b) and never: ends after both, with index 1. 3 threads, at most 2
//!   preemptions: 950 schedules, 0.12 s; 3: 5859 schedules, 0.55 s. Fails under slot.fire.
//! - `frame_signaller_concludes_all`: the last of two signallers ends the wait on its own thread. 3 threads, at most 2
//!   preemptions: 1048 schedules, 0.10 s; 3: 5367 schedules, 0.44 s. Fails under slot.settle, slot.fire.

#![cfg(raddle_loom)]
#![allow(unsafe_code)]

mod support;

use raddle_sync::model::Model;
use raddle_sync::{Arc, thread};
use raddle_wait::*;
use support::*;

type Signal = (std::sync::Arc<Callback>, Arc<Datum>);

fn signal() -> Signal {
    (Callback::new(), Datum::new())
}

/// Threads that write, then signal.
fn spawn(signals: &[&Signal]) -> Vec<thread::JoinHandle<()>> {
    let spawn = |&(source, datum): &&Signal| {
        let (source, datum) = (source.clone(), datum.clone());
        thread::spawn(move || {
            datum.write();
            source.resolve();
        })
    };
    signals.iter().map(spawn).collect()
}

fn check(condition: Condition, signals: &[&Signal], seen: impl Fn(usize) -> Vec<Arc<Datum>>) {
    let (pool, program) = (SlotPool::new(), Program::new());
    let threads = spawn(signals);
    let frame = frame(&pool, condition);
    let index = program.wait(&frame, None).into_result().expect("ready");
    for datum in seen(index) {
        assert_eq!(datum.read(), 7);
    }
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(program.scheduled() <= 1, "resumed twice");
    drop(frame);
    assert_whole(&pool);
}

#[test]
fn frame_any_of_two() {
    Model::new(
        "frame_any_of_two",
        "a wait for any ends once, with the index of a source whose writes are seen",
    )
    .preemptions(2)
    .kills("slot.fire", "Causality violation")
    .kills("slot.arming", "resumed twice")
    .check(|| {
        let (a, b) = (signal(), signal());
        let condition = any![a.0.clone(), b.0.clone()];
        check(condition, &[&a, &b], |index| vec![[&a, &b][index].1.clone()]);
    });
}

#[test]
fn frame_all_of_two() {
    Model::new("frame_all_of_two", "a wait for all ends after both, and sees what both wrote")
        .preemptions(2)
        .kills("slot.fire", "Causality violation")
        .check(|| {
            let (a, b) = (signal(), signal());
            let condition = all![a.0.clone(), b.0.clone()];
            check(condition, &[&a, &b], |index| {
                assert_eq!(index, 0);
                vec![a.1.clone(), b.1.clone()]
            });
        });
}

#[test]
fn frame_nested() {
    Model::new("frame_nested", "all of (any of a, never) and b: ends after both, through the inner group")
        .preemptions(2)
        .kills("slot.fire", "Causality violation")
        .check(|| {
            let (a, b) = (signal(), signal());
            let condition = all![any![std::sync::Arc::new(Never), a.0.clone()], b.0.clone()];
            check(condition, &[&a, &b], |_| vec![a.1.clone(), b.1.clone()]);
        });
}

#[test]
fn frame_nested_the_other_way() {
    Model::new("frame_nested_the_other_way", "any of (all of a, b) and never: ends after both, with index 1")
        .preemptions(2)
        .kills("slot.fire", "Causality violation")
        .check(|| {
            let (a, b) = (signal(), signal());
            let condition = any![std::sync::Arc::new(Never), all![a.0.clone(), b.0.clone()]];
            check(condition, &[&a, &b], |index| {
                assert_eq!(index, 1);
                vec![a.1.clone(), b.1.clone()]
            });
        });
}

#[test]
fn frame_signaller_concludes_all() {
    Model::new("frame_signaller_concludes_all", "the last of two signallers ends the wait on its own thread")
        .preemptions(2)
        .kills("slot.settle", "Causality violation")
        .kills("slot.fire", "Causality violation")
        .check(|| {
            let (a, b) = (signal(), signal());
            let pool = SlotPool::new();
            let program = Inline::new(frame(&pool, all![a.0.clone(), b.0.clone()]));
            let threads = spawn(&[&a, &b]);
            assert!(program.run().into_result().is_ok());
            assert_eq!(a.1.read() + b.1.read(), 14);
            for thread in threads {
                thread.join().unwrap();
            }
            drop(program);
            assert_whole(&pool);
        });
}

#[test]
fn frame_abandoned_against_fire() {
    Model::new(
        "frame_abandoned_against_fire",
        "a frame that is abandoned while a source fires is done with; its header is scheduled if it was told so",
    )
    .kills("pool.memory", "holds state 7")
    .check(|| {
        let (program, (source, datum)) = (Program::new(), signal());
        let pool = SlotPool::new();
        let other = std::sync::Arc::new(Event::manual());
        let threads = spawn(&[&(source.clone(), datum)]);
        let frame = frame(&pool, any![source, other.clone()]);
        // SAFETY: abandoned in the next lines.
        let expected = match unsafe { frame.begin(&NoStage, program.header(), None) } {
            // SAFETY: it waits.
            Progress::Waiting => usize::from(!unsafe { frame.abandon(&NoStage, None) }),
            Progress::Done(_) => 0,
        };
        drop(frame);
        drop(pool);
        other.set();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(program.scheduled(), expected, "told wrongly whether it is scheduled");
    });
}
