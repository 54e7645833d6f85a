//! Models of sources that hand something out (`src/permits.rs`, the commit in `src/branch.rs` and `src/body.rs`).
//!
//! Claim:   each model's is in its first lines.
//! Threads: main + one or two.  Bound: 2 preemptions, or exhaustive where no bound is set.
//! Fails if: any mutant that a model names is active.
//!
//! # Models
//! - `commit_all_or_none`: two waits for both of two permits, named in opposite orders: each gets both in the end, none
//!   is lost. 2 threads, at most 5 preemptions (exhaustive: more than 90 s): 147480 schedules, 23.53 s. Fails under
//!   commit.give_back.
//! - `commit_lost_again_and_again`: a wait that always loses steps aside, is scheduled for that, and ends when it is
//!   cancelled. 2 threads, at most 4 preemptions (exhaustive: more than 90 s): 30524 schedules, 4.55 s. Fails under
//!   cancel.request.
//! - `commit_lost_steps_aside`: a wait that always loses is scheduled for its next turn, while it steps aside. 2
//!   threads, exhaustive: 91 schedules, 0.01 s. Fails under frame.aside.
//! - `commit_of_the_winner_alone`: of two permits that come at the same time, a wait for any takes one and leaves the
//!   other. 3 threads, at most 2 preemptions: 3160 schedules, 0.30 s; 3: 31273 schedules, 2.74 s. Fails under
//!   permits.wake.
//! - `commit_permit_is_taken_once`: one permit is a lock: one owner at a time, who sees what the last one wrote. 2
//!   threads, at most 5 preemptions (exhaustive: more than 90 s): 125755 schedules, 12.42 s. Fails under permits.take,
//!   permits.acquire, permits.release, permits.wake, permits.recheck, frame.lost.
//! - `commit_resumed_program_may_use_the_permits`: a program that is resumed on the stack of whoever releases a permit
//!   takes it there: no lock is held. 2 threads, exhaustive: 140 schedules, 0.02 s. Fails under permits.locked.
//! - `commit_unused_permit_goes_on`: a wait for all that counted the one permit, but is cancelled, hands its wake-up to
//!   the other wait. 3 threads, at most 2 preemptions: 37936 schedules, 5.82 s; 3: 473327 schedules, 48.89 s. Fails
//!   under permits.decline, frame.decline.

#![cfg(raddle_loom)]
#![allow(unsafe_code)]

mod support;

use raddle_sync::model::Model;
use raddle_sync::{Arc, thread};
use raddle_wait::*;
use std::sync::Arc as StdArc;
use support::*;

/// Two of them, the first at the lower address: sources are committed in the order of their addresses, which must be the
/// same in every execution of a model, whatever the allocator does.
fn pair(make: impl Fn() -> Permits) -> [StdArc<Permits>; 2] {
    let mut places = [StdArc::<Permits>::new_uninit(), StdArc::new_uninit()];
    places.sort_by_key(|place| StdArc::as_ptr(place).addr());
    places.map(|mut place| {
        StdArc::get_mut(&mut place).expect("nobody else has it yet").write(make());
        // SAFETY: just written.
        unsafe { place.assume_init() }
    })
}

#[test]
fn commit_permit_is_taken_once() {
    Model::new(
        "commit_permit_is_taken_once",
        "one permit is a lock: one owner at a time, who sees what the last one wrote",
    )
    .preemptions(5)
    .because("exhaustive: more than 90 s")
    .kills("permits.take", "a permit was taken twice")
    .kills("permits.acquire", "Causality violation")
    .kills("permits.release", "Causality violation")
    .kills("permits.wake", "deadlock")
    .kills("permits.recheck", "deadlock")
    .kills("frame.lost", "Causality violation")
    .check(|| {
        let (pool, permits, datum) = (SlotPool::new(), StdArc::new(Permits::new(1)), Datum::new());
        let turn = {
            let (pool, permits, datum) = (pool.clone(), permits.clone(), datum.clone());
            move || {
                let frame = frame(&pool, permits.clone());
                assert!(Program::new().wait(&frame, None).into_result().is_ok());
                datum.write();
                permits.release(1);
            }
        };
        let other = thread::spawn(turn.clone());
        turn();
        turn();
        other.join().unwrap();
        drop(turn);
        assert_eq!((datum.read(), permits.available()), (21, 1), "a permit was taken twice");
        assert_whole(&pool);
    });
}

#[test]
fn commit_unused_permit_goes_on() {
    Model::new(
        "commit_unused_permit_goes_on",
        "a wait for all that counted the one permit, but is cancelled, hands its wake-up to the other wait",
    )
    .preemptions(2)
    .kills("permits.decline", "deadlock")
    .kills("frame.decline", "deadlock")
    .check(|| {
        let (pool, permits) = (SlotPool::new(), StdArc::new(Permits::new(0)));
        let cancel = Arc::new(CancelPoint::new(&pool));
        let other = {
            let (pool, permits, cancel) = (pool.clone(), permits.clone(), cancel.clone());
            thread::spawn(move || {
                let frame = frame(&pool, all![permits, StdArc::new(Never)]);
                let outcome = Program::new().wait(&frame, Some(&cancel));
                assert!(matches!(outcome, Outcome::Cancelled));
            })
        };
        let releaser = {
            let permits = permits.clone();
            thread::spawn(move || {
                permits.release(1);
                cancel.request();
            })
        };
        let frame = frame(&pool, permits.clone());
        assert!(Program::new().wait(&frame, None).into_result().is_ok());
        other.join().unwrap();
        releaser.join().unwrap();
        assert_eq!(permits.available(), 0);
    });
}

#[test]
fn commit_all_or_none() {
    Model::new(
        "commit_all_or_none",
        "two waits for both of two permits, named in opposite orders: each gets both in the end, none is lost",
    )
    .preemptions(5)
    .because("exhaustive: more than 90 s")
    .kills("commit.give_back", "deadlock")
    .check(|| {
        let (pool, datum) = (SlotPool::new(), Datum::new());
        let [a, b] = pair(|| Permits::new(1));
        let turn = |first: &StdArc<Permits>, second: &StdArc<Permits>| {
            let (pool, datum) = (pool.clone(), datum.clone());
            let (first, second) = (first.clone(), second.clone());
            move || {
                let frame = frame(&pool, all![first.clone(), second.clone()]);
                assert!(Program::new().wait(&frame, None).into_result().is_ok());
                datum.write();
                first.release(1);
                second.release(1);
            }
        };
        let other = thread::spawn(turn(&a, &b));
        turn(&b, &a)();
        other.join().unwrap();
        assert_eq!((datum.read(), a.available(), b.available()), (14, 1, 1));
        assert_whole(&pool);
    });
}

#[test]
fn commit_of_the_winner_alone() {
    Model::new(
        "commit_of_the_winner_alone",
        "of two permits that come at the same time, a wait for any takes one and leaves the other",
    )
    .preemptions(2)
    .kills("permits.wake", "deadlock")
    .check(|| {
        let pool = SlotPool::new();
        let permits = [StdArc::new(Permits::new(0)), StdArc::new(Permits::new(0))];
        let releasers = permits.clone().map(|permits| thread::spawn(move || permits.release(1)));
        let frame = frame(&pool, any![permits[0].clone(), permits[1].clone()]);
        let index = Program::new().wait(&frame, None).into_result().expect("ready");
        for releaser in releasers {
            releaser.join().unwrap();
        }
        assert_eq!((permits[index].available(), permits[1 - index].available()), (0, 1));
        drop(frame);
        assert_whole(&pool);
    });
}

/// Is ready at once, and always lost.
struct Lost;

impl WaitSource for Lost {
    fn arm(&self, waker: SourceWaker) {
        waker.wake();
    }
    fn commit(&self) -> Commit {
        Commit::Lost
    }
}

#[test]
fn commit_lost_steps_aside() {
    Model::new(
        "commit_lost_steps_aside",
        "a wait that always loses is scheduled for its next turn, while it steps aside",
    )
    .kills("frame.aside", "stepped aside for ever")
    .check(|| {
        let (pool, program, frame) = (SlotPool::new(), Program::new(), StdArc::new(Lost));
        let frame = support::frame(&pool, frame);
        let other = {
            let pool = pool.clone();
            thread::spawn(move || drop(support::frame(&pool, StdArc::new(Lost))))
        };
        // SAFETY: abandoned below.
        let progress = unsafe { frame.begin(&NoStage, program.header(), None) };
        assert!(matches!(progress, Progress::Waiting));
        assert_eq!(program.scheduled(), 1, "stepped aside for ever");
        // SAFETY: it waits.
        assert!(!unsafe { frame.abandon(&NoStage, None) });
        other.join().unwrap();
    });
}

#[test]
fn commit_lost_again_and_again() {
    Model::new(
        "commit_lost_again_and_again",
        "a wait that always loses steps aside, is scheduled for that, and ends when it is cancelled",
    )
    .preemptions(4)
    .because("exhaustive: more than 90 s")
    .kills("cancel.request", "deadlock")
    .check(|| {
        let (pool, program) = (SlotPool::new(), Program::new());
        let cancel = Arc::new(CancelPoint::new(&pool));
        let canceller = {
            let cancel = cancel.clone();
            thread::spawn(move || cancel.request())
        };
        let frame = frame(&pool, StdArc::new(Lost));
        // SAFETY: the frame and the program stay until it is done.
        let outcome = match unsafe { frame.begin(&NoStage, program.header(), Some(&cancel)) } {
            Progress::Done(outcome) => outcome,
            Progress::Waiting => {
                cancel.request();
                program.park();
                assert_eq!(program.scheduled(), 1, "resumed twice");
                // SAFETY: scheduled.
                match unsafe { frame.conclude(&NoStage, program.header(), Some(&cancel)) } {
                    Progress::Done(outcome) => outcome,
                    Progress::Waiting => panic!("went on after a cancel"),
                }
            }
        };
        canceller.join().unwrap();
        assert!(matches!(outcome, Outcome::Cancelled));
    });
}

#[test]
fn commit_resumed_program_may_use_the_permits() {
    Model::new(
        "commit_resumed_program_may_use_the_permits",
        "a program that is resumed on the stack of whoever releases a permit takes it there: no lock is held",
    )
    .kills("permits.locked", "deadlock")
    .check(|| {
        let (pool, permits) = (SlotPool::new(), StdArc::new(Permits::new(0)));
        let program = Inline::new(frame(&pool, any![permits.clone(), StdArc::new(Never)]));
        let releaser = {
            let permits = permits.clone();
            thread::spawn(move || permits.release(1))
        };
        assert!(matches!(program.run(), Outcome::Ready { index: 0 }));
        releaser.join().unwrap();
        drop(program);
        assert_eq!(permits.available(), 0);
        assert_whole(&pool);
    });
}
