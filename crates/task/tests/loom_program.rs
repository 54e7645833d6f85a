//! Models of programs (`src/resident.rs`, `src/program_run.rs`): what an invocation is to the executor. A wait against a
//! signal, a cancellation, a deadline, the end of every handle, and the end of the executor.
//!
//! Each model's claim, bound and mutants are in its first lines. Two threads are explored exhaustively, three with a bound.
//!
//! # Models
//! - `program_cancel_races_wait`: a program that is cancelled before, during or after the beginning of its wait ends as
//!   cancelled. 2 threads, exhaustive: 13973 schedules, 1.95 s. Fails under program.stop, cancel.request,
//!   cancel.publish.
//! - `program_cancel_signal_and_deadline_race`: of a signal, a cancellation and a deadline one ends the wait of a
//!   program, and the program ends once. 3 threads, at most 2 preemptions: 2663 schedules, 0.48 s. Fails under
//!   slot.arming.
//! - `program_handles_go_while_it_ends`: handle and view go while a worker ends the program: it is retired once, by one
//!   who has seen its last step. 3 threads, at most 2 preemptions: 28 schedules, 0.00 s. Fails under program.release.
//! - `program_permit_goes_on`: a program that waits for a permit and is cancelled as it comes has taken it, or it is
//!   there for the next. 3 threads, at most 2 preemptions: 881 schedules, 0.15 s. Fails under permits.take.
//! - `program_signal_races_wait`: a program whose event is set while its wait begins goes on, once, and sees what was
//!   written before. 2 threads, exhaustive: 41 schedules, 0.00 s. Fails under event.recheck, event.wake.
//! - `program_start_races_the_end_of_the_executor`: a program that is started while the executor closes is refused, or
//!   cancelled and ended. 2 threads, at most 3 preemptions: 721 schedules, 0.10 s. Fails under scope.closed,
//!   program.stop.

#![cfg(raddle_loom)]

mod modelling;

use modelling::*;
use raddle_status::Error;
use raddle_sync::model::Model;
use raddle_sync::thread;
use raddle_task::internals::{Hand, Rig};
use raddle_task::{Driver, Priority, Program, ProgramRun, ProgramView, Scope, Spent, Step, StepCx};
use raddle_wait::{Condition, Event, Moment, NEVER, Outcome, Permits, SharedSource};
use std::sync::{Arc, Mutex};

/// Waits once, writes, and ends.
struct Waits {
    source: SharedSource,
    deadline: Moment,
    has_begun: bool,
    data: Arc<Data>,
}

/// What is seen from outside. std's lock: the checker does not see it, so that it orders nothing.
#[derive(Clone)]
struct Seen {
    outcome: Arc<Mutex<Option<Outcome>>>,
    ended: Count,
    retired: Count,
}

impl Program for Waits {
    type Shared = Seen;

    fn step(&mut self, shared: &Seen, mut cx: StepCx<'_>) -> Step {
        // First what the wait has taken: who is cancelled has it all the same.
        let mut outcome = cx.take_outcome();
        if outcome.is_none() && cx.is_cancelled() {
            outcome = Some(Outcome::Cancelled);
        }
        if outcome.is_none() && !std::mem::replace(&mut self.has_begun, true) {
            return Step::Wait(Condition::Until(self.source.clone()), self.deadline);
        }
        *shared.outcome.lock().unwrap() = outcome;
        self.data.write(0);
        Step::Done
    }

    fn panicked(&mut self, _: &Seen, error: Error) {
        panic!("{error}");
    }

    fn ended(shared: &Seen) {
        shared.ended.add();
    }

    fn retire(mut spent: Spent<Waits>) {
        if spent.shared().ended.get() > 0 {
            // Whoever frees a program has seen its last step.
            spent.program().data.read(0);
        }
        spent.shared().retired.add();
    }
}

/// One worker, and one program.
struct Bench {
    rig: Rig,
    hand: Hand,
    scope: Scope,
    seen: Seen,
    run: ProgramRun<Waits>,
}

impl Bench {
    fn new(source: SharedSource, deadline: Moment) -> Bench {
        let (rig, mut hands) = Rig::new(1, Driver::Workers, 1);
        let scope = rig.scope("program");
        let seen = Seen { outcome: Arc::default(), ended: Count::new(), retired: Count::new() };
        let program = Waits { source, deadline, has_begun: false, data: Data::new() };
        let run = ProgramRun::new(&scope, program, seen.clone());
        Bench { rig, hand: hands.remove(0), scope, seen, run }
    }

    /// With the program in the worker's reach.
    fn started(source: SharedSource, deadline: Moment) -> Bench {
        let mut bench = Bench::new(source, deadline);
        bench.run.start(Priority::Normal).unwrap();
        bench
    }

    fn view(&self) -> ProgramView<Waits> {
        self.run.view().clone()
    }

    /// Runs what is left, and says how the wait ended.
    fn finish(mut self) -> Outcome {
        self.hand.drain();
        assert!(self.run.view().is_done(), "a program never ends: {:?}", self.rig);
        assert_eq!(self.scope.pending(), 0);
        drop(self.run);
        self.seen.ended.assert(1);
        self.seen.retired.assert(1);
        let outcome = self.seen.outcome.lock().unwrap().take();
        outcome.expect("a step was told how its wait ended")
    }
}

#[test]
fn program_signal_races_wait() {
    Model::new(
        "program_signal_races_wait",
        "a program whose event is set while its wait begins goes on, once, and sees what was written before",
    )
    .kills("event.recheck", "never ends")
    .kills("event.wake", "never ends")
    .check(|| {
        let (event, published) = (Arc::new(Event::manual()), Data::new());
        let mut bench = Bench::started(event.clone(), NEVER);
        let setter = {
            let published = published.clone();
            thread::spawn(move || {
                published.write(1);
                event.set();
            })
        };
        bench.hand.drain();
        if bench.run.view().is_done() {
            published.read(1);
        }
        setter.join().unwrap();
        assert!(matches!(bench.finish(), Outcome::Ready { .. }));
    });
}

#[test]
fn program_cancel_races_wait() {
    Model::new(
        "program_cancel_races_wait",
        "a program that is cancelled before, during or after the beginning of its wait ends as cancelled",
    )
    .kills("program.stop", "never ends")
    .kills("cancel.request", "never ends")
    .kills("cancel.publish", "never ends")
    .check(|| {
        let mut bench = Bench::started(Arc::new(Event::manual()), NEVER);
        let view = bench.view();
        let canceller = thread::spawn(move || assert!(view.cancel(), "it has not ended"));
        bench.hand.drain();
        canceller.join().unwrap();
        assert!(matches!(bench.finish(), Outcome::Cancelled));
    });
}

#[test]
fn program_cancel_signal_and_deadline_race() {
    Model::new(
        "program_cancel_signal_and_deadline_race",
        "of a signal, a cancellation and a deadline one ends the wait of a program, and the program ends once",
    )
    .preemptions(2)
    .kills("slot.arming", "a task ran another number of times")
    .check(|| {
        let event = Arc::new(Event::manual());
        let mut bench = Bench::started(event.clone(), 5);
        let (view, rig) = (bench.view(), bench.rig.clone());
        let setter = thread::spawn(move || event.set());
        let clock = thread::spawn(move || {
            rig.kernel.advance_to(10);
            rig.look();
            view.cancel();
        });
        bench.hand.drain();
        setter.join().unwrap();
        clock.join().unwrap();
        let _ = bench.finish();
    });
}

#[test]
fn program_handles_go_while_it_ends() {
    Model::new(
        "program_handles_go_while_it_ends",
        "handle and view go while a worker ends the program: it is retired once, by one who has seen its last step",
    )
    .preemptions(2)
    .kills("program.release", "Causality violation")
    .check(|| {
        let event = Arc::new(Event::manual());
        event.set();
        let Bench { mut hand, seen, run, scope, rig } = Bench::started(event, NEVER);
        let view = run.view().clone();
        let worker = thread::spawn(move || {
            hand.drain();
            hand
        });
        let other = thread::spawn(move || drop(view));
        drop(run);
        other.join().unwrap();
        let _hand = worker.join().unwrap();
        seen.ended.assert(1);
        seen.retired.assert(1);
        assert_eq!(scope.pending(), 0);
        drop(rig);
    });
}

#[test]
fn program_start_races_the_end_of_the_executor() {
    Model::new(
        "program_start_races_the_end_of_the_executor",
        "a program that is started while the executor closes is refused, or cancelled and ended",
    )
    .preemptions(3)
    .kills("scope.closed", "no shutdown knows of")
    .kills("program.stop", "never ends")
    .check(|| {
        let mut bench = Bench::new(Arc::new(Event::manual()), NEVER);
        let closer = {
            let rig = bench.rig.clone();
            thread::spawn(move || rig.close())
        };
        let is_started = bench.run.start(Priority::Normal).is_ok();
        bench.hand.drain();
        let was_busy = closer.join().unwrap();
        assert!(was_busy || !is_started, "a program was taken in that no shutdown knows of");
        if is_started {
            assert!(matches!(bench.finish(), Outcome::Cancelled));
        } else {
            assert_eq!(bench.scope.pending(), 0);
            bench.seen.ended.assert(0);
        }
    });
}

#[test]
fn program_permit_goes_on() {
    Model::new(
        "program_permit_goes_on",
        "a program that waits for a permit and is cancelled as it comes has taken it, or it is there for the next",
    )
    .preemptions(2)
    .kills("permits.take", "a permit was lost or doubled")
    .check(|| {
        let permits = Arc::new(Permits::new(0));
        let mut bench = Bench::started(permits.clone(), NEVER);
        let (view, releaser) = (bench.view(), permits.clone());
        let releaser = thread::spawn(move || releaser.release(1));
        let canceller = thread::spawn(move || view.cancel());
        bench.hand.drain();
        releaser.join().unwrap();
        canceller.join().unwrap();
        let has_taken = matches!(bench.finish(), Outcome::Ready { .. });
        assert_eq!(permits.available(), u64::from(!has_taken), "a permit was lost or doubled");
    });
}
