//! Models of the event (`src/event.rs`) and of the lists of slots (`src/listed.rs`).
//!
//! Claim:   each model's is in its first lines.
//! Threads: main + one or two.  Bound: two threads exhaustive, three 2 preemptions.
//! Fails if: any mutant that a model names is active.
//!
//! # Models
//! - `event_abandoned_slot_leaves_the_list`: a wait that is given up while the event is set is off its list, and its
//!   memory may go. 2 threads, exhaustive: 1260 schedules, 0.06 s. Fails under listed.unlink.
//! - `event_is_set_while_it_is_reset`: a wait that stood on the list when a manual event was set ends, though the event
//!   is reset at once. 2 threads, exhaustive: 896 schedules, 0.05 s. Fails under event.wake.
//! - `event_outlet_is_never_left_behind`: an event that is exported while it is set and reset shows in the end what it
//!   is. 3 threads, at most 3 preemptions: 460 schedules, 0.02 s. Fails under event.export, event.level.
//! - `event_resumed_program_may_use_the_event`: a program that is resumed on the setter's own stack leaves the event's
//!   list: no lock is held. 2 threads, exhaustive: 188 schedules, 0.01 s. Fails under event.locked, event.recheck.
//! - `event_set_races_wait`: a manual event that is set before, during or after linking ends the wait, and its setter's
//!   writes are seen. 2 threads, exhaustive: 56 schedules, 0.00 s. Fails under event.recheck, event.wake, event.set,
//!   event.link, event.at_once.
//! - `event_signal_is_taken_once`: an auto-reset event that its taker sets again is a lock: one owner at a time, who
//!   sees what the last one wrote. 2 threads, at most 5 preemptions (exhaustive: more than 90 s): 36073 schedules, 2.62
//!   s. Fails under event.commit, event.take, event.set, frame.lost, event.recheck.
//! - `event_unused_wake_goes_on`: a wait for all that counted the one signal, but is cancelled, hands the signal to the
//!   other wait. 3 threads, at most 2 preemptions: 9073 schedules, 1.14 s; 3: 297845 schedules, 28.04 s. Fails under
//!   event.decline, frame.decline.

#![cfg(raddle_loom)]
#![allow(unsafe_code)]

mod support;

use raddle_sync::atomic::{AtomicBool, Ordering::*};
use raddle_sync::model::Model;
use raddle_sync::{Arc, thread};
use raddle_wait::*;
use std::sync::Arc as StdArc;
use support::*;

#[test]
fn event_set_races_wait() {
    Model::new(
        "event_set_races_wait",
        "a manual event that is set before, during or after linking ends the wait, and its setter's writes are seen",
    )
    .kills("event.recheck", "deadlock")
    .kills("event.wake", "deadlock")
    .kills("event.set", "Causality violation")
    .kills("event.link", "Causality violation")
    .kills("event.at_once", "deadlock")
    .check(|| {
        let (pool, program, event, datum) =
            (SlotPool::new(), Program::new(), StdArc::new(Event::manual()), Datum::new());
        let setter = {
            let (event, datum) = (event.clone(), datum.clone());
            thread::spawn(move || {
                datum.write();
                event.set();
            })
        };
        let frame = frame(&pool, event);
        assert!(program.wait(&frame, None).into_result().is_ok());
        assert_eq!(datum.read(), 7);
        setter.join().unwrap();
        drop(frame);
        assert_whole(&pool);
    });
}

#[test]
fn event_signal_is_taken_once() {
    Model::new(
        "event_signal_is_taken_once",
        "an auto-reset event that its taker sets again is a lock: one owner at a time, who sees what the last one wrote",
    )
    .preemptions(5)
    .because("exhaustive: more than 90 s")
    .kills("event.commit", "Causality violation")
    .kills("event.take", "Causality violation")
    .kills("event.set", "Causality violation")
    .kills("frame.lost", "Causality violation")
    .kills("event.recheck", "deadlock")
    .check(|| {
        let (pool, event, datum) = (SlotPool::new(), StdArc::new(Event::auto()), Datum::new());
        event.set();
        let turn = {
            let (pool, datum) = (pool.clone(), datum.clone());
            move || {
                let frame = frame(&pool, event.clone());
                assert!(Program::new().wait(&frame, None).into_result().is_ok());
                datum.write();
                event.set();
            }
        };
        let other = thread::spawn(turn.clone());
        // The second turn may take the signal that the first has woken the other for.
        turn();
        turn();
        other.join().unwrap();
        drop(turn);
        assert_eq!(datum.read(), 21);
        assert_whole(&pool);
    });
}

#[test]
fn event_unused_wake_goes_on() {
    Model::new(
        "event_unused_wake_goes_on",
        "a wait for all that counted the one signal, but is cancelled, hands the signal to the other wait",
    )
    .preemptions(2)
    .kills("event.decline", "deadlock")
    .kills("frame.decline", "deadlock")
    .check(|| {
        let (pool, event) = (SlotPool::new(), StdArc::new(Event::auto()));
        let cancel = Arc::new(CancelPoint::new(&pool));
        let other = {
            let (pool, event, cancel) = (pool.clone(), event.clone(), cancel.clone());
            thread::spawn(move || {
                let frame = frame(&pool, all![event, StdArc::new(Never)]);
                let outcome = Program::new().wait(&frame, Some(&cancel));
                assert!(matches!(outcome, Outcome::Cancelled));
            })
        };
        let setter = {
            let (event, cancel) = (event.clone(), cancel.clone());
            thread::spawn(move || {
                event.set();
                cancel.request();
            })
        };
        let frame = frame(&pool, event.clone());
        assert!(Program::new().wait(&frame, None).into_result().is_ok());
        other.join().unwrap();
        setter.join().unwrap();
        assert!(!event.is_set(), "the signal was not taken");
    });
}

#[test]
fn event_abandoned_slot_leaves_the_list() {
    Model::new(
        "event_abandoned_slot_leaves_the_list",
        "a wait that is given up while the event is set is off its list, and its memory may go",
    )
    .kills("listed.unlink", "linking a slot that is on a list")
    .check(|| {
        let (pool, program, event) = (SlotPool::new(), Program::new(), StdArc::new(Event::manual()));
        let setter = {
            let event = event.clone();
            thread::spawn(move || event.set())
        };
        let frame = frame(&pool, event.clone());
        let mut expected = 0;
        for _ in 0..2 {
            // SAFETY: abandoned in the next lines.
            if let Progress::Waiting = unsafe { frame.begin(&NoStage, program.header(), None) } {
                // SAFETY: it waits.
                expected += usize::from(!unsafe { frame.abandon(&NoStage, None) });
            }
        }
        drop(frame);
        assert_whole(&pool);
        drop(pool);
        setter.join().unwrap();
        assert_eq!(program.scheduled(), expected, "told wrongly whether it is scheduled");
    });
}

#[test]
fn event_is_set_while_it_is_reset() {
    Model::new(
        "event_is_set_while_it_is_reset",
        "a wait that stood on the list when a manual event was set ends, though the event is reset at once",
    )
    .kills("event.wake", "deadlock")
    .check(|| {
        let (pool, program, event) = (SlotPool::new(), Program::new(), StdArc::new(Event::manual()));
        let is_linked = Arc::new(AtomicBool::new(false));
        let setter = {
            let (event, is_linked) = (event.clone(), is_linked.clone());
            thread::spawn(move || {
                // A wait that is linked later is ended by the second set.
                let pulses = if is_linked.load(Acquire) { 1 } else { 2 };
                event.set();
                event.reset();
                if pulses == 2 {
                    event.set();
                }
            })
        };
        struct Linked(StdArc<Event>, Arc<AtomicBool>);
        impl WaitSource for Linked {
            fn arm(&self, waker: SourceWaker) {
                self.0.arm(waker);
                self.1.store(true, Release);
            }
        }
        let frame = frame(&pool, StdArc::new(Linked(event, is_linked)));
        assert!(program.wait(&frame, None).into_result().is_ok());
        setter.join().unwrap();
    });
}

#[test]
fn event_resumed_program_may_use_the_event() {
    Model::new(
        "event_resumed_program_may_use_the_event",
        "a program that is resumed on the setter's own stack leaves the event's list: no lock is held",
    )
    .kills("event.locked", "deadlock")
    .kills("event.recheck", "deadlock")
    .check(|| {
        let (pool, event, datum) = (SlotPool::new(), StdArc::new(Event::manual()), Datum::new());
        let program = Inline::new(frame(&pool, any![event.clone(), StdArc::new(Never)]));
        let setter = {
            let datum = datum.clone();
            thread::spawn(move || {
                datum.write();
                event.set();
            })
        };
        assert!(program.run().into_result().is_ok());
        assert_eq!(datum.read(), 7);
        setter.join().unwrap();
        drop(program);
        assert_whole(&pool);
    });
}

/// What an eventfd shows; the calls come under the event's lock, so this takes no part in the protocol.
struct Shown(StdArc<std::sync::atomic::AtomicBool>);
impl Outlet for Shown {
    fn raise(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::SeqCst);
    }
    fn lower(&mut self) {
        self.0.store(false, std::sync::atomic::Ordering::SeqCst);
    }
}

#[test]
fn event_outlet_is_never_left_behind() {
    Model::new(
        "event_outlet_is_never_left_behind",
        "an event that is exported while it is set and reset shows in the end what it is",
    )
    .preemptions(3)
    .kills("event.export", "the outlet was left behind")
    .kills("event.level", "the outlet was left behind")
    .check(|| {
        let event = StdArc::new(Event::manual());
        let shown = StdArc::new(std::sync::atomic::AtomicBool::new(false));
        let setter = {
            let event = event.clone();
            thread::spawn(move || event.set())
        };
        let resetter = {
            let event = event.clone();
            thread::spawn(move || event.reset())
        };
        assert!(event.export_to(Box::new(Shown(shown.clone()))));
        setter.join().unwrap();
        resetter.join().unwrap();
        assert_eq!(shown.load(SeqCst), event.is_set(), "the outlet was left behind");
    });
}
