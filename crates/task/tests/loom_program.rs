//! Models of programs (`src/resident.rs`, `src/program_run.rs`): what an invocation is to the executor. A wait against a
//! signal, a cancellation, a deadline, the end of every handle, and the end of the executor.
//!
//! Each model's claim, bound and mutants are in its first lines. Two threads are explored exhaustively, three with a bound.
//!
//! # Models
//! - `program_all_sees_every_write`: a program that waits for both of two events goes on after the last, and sees what
//!   was written before each. 3 threads, at most 2 preemptions: 461 schedules, 0.12 s; 3: 1697 schedules, 0.34 s. Fails
//!   under event.recheck, event.query.
//! - `program_any_is_decided_once`: a program that waits for any of two events, set at once, goes on once, and sees
//!   what was written before the winner. 3 threads, at most 2 preemptions: 388 schedules, 0.07 s; 3: 2224 schedules,
//!   0.42 s. Fails under slot.arming, event.recheck.
//! - `program_cancel_races_wait`: a program that is cancelled before, during or after the beginning of its wait ends as
//!   cancelled. 2 threads, exhaustive: 989 schedules, 0.16 s. Fails under program.stop, cancel.request, cancel.publish,
//!   lone.open, lone.resolve.
//! - `program_cancel_signal_and_deadline_race`: of a signal, a cancellation and a deadline one ends the wait of a
//!   program, and the program ends once. 3 threads, at most 2 preemptions: 8684 schedules, 2.13 s; 3: 31069 schedules,
//!   6.31 s. Fails under slot.arming.
//! - `program_deadline_races_signal`: a deadline that comes while a program's event is set: the wait ends as one or the
//!   other, once. 3 threads, at most 2 preemptions: 3600 schedules, 0.96 s; 3: 13112 schedules, 2.60 s. Fails under
//!   slot.arming.
//! - `program_handle_goes_while_it_waits`: the last handle of a program goes while it waits and is signalled: it goes
//!   on without it, and is retired once. 3 threads, at most 2 preemptions: 19 schedules, 0.00 s; 3: 25 schedules, 0.01
//!   s. Fails under program.release, event.wake.
//! - `program_handles_go_while_it_ends`: handle and view go while a worker ends the program: it is retired once, by one
//!   who has seen its last step. 3 threads, at most 2 preemptions: 28 schedules, 0.01 s; 3: 60 schedules, 0.01 s. Fails
//!   under program.release.
//! - `program_is_turned_by_its_host`: a host that turns while its descriptor is readable: a program whose event is set
//!   meanwhile ends, or it is readable. 2 threads, exhaustive: 512 schedules, 0.17 s. Fails under idle.announce,
//!   idle.notify, event.recheck.
//! - `program_permit_goes_on`: a program that waits for a permit and is cancelled as it comes has taken it, or it is
//!   there for the next. 3 threads, at most 2 preemptions: 768 schedules, 0.19 s; 3: 6466 schedules, 1.19 s. Fails
//!   under permits.take.
//! - `program_runs_on_donors_and_a_worker`: two threads lend themselves beside a worker while a program's event is set:
//!   each step is run once, by one of them. 3 threads, at most 2 preemptions: 92226 schedules, 22.92 s; 3: 94130
//!   schedules, 21.60 s. Fails under outside.push.
//! - `program_shutdown_races_signal`: the executor closes while a program's event is set and its wait begins: the
//!   program ends once, one way or the other. 3 threads, at most 2 preemptions: 273 schedules, 0.04 s; 3: 7835
//!   schedules, 1.49 s. Fails under slot.arming.
//! - `program_signal_races_wait`: a program whose event is set while its wait begins goes on, once, and sees what was
//!   written before. 2 threads, exhaustive: 14 schedules, 0.00 s. Fails under event.recheck, event.wake.
//! - `program_start_races_the_end_of_the_executor`: a program that is started while the executor closes is refused, or
//!   cancelled and ended. 2 threads, exhaustive: 5606 schedules, 0.68 s. Fails under scope.closed, program.stop.

#![cfg(raddle_loom)]

mod modelling;

use modelling::*;
use raddle_status::Error;
use raddle_sync::model::Model;
use raddle_sync::thread;
use raddle_task::internals::{Hand, Rig};
use raddle_task::{Driver, Priority, Program, ProgramRun, ProgramView, Scope, Spent, Step, StepCx};
use raddle_wait::{Condition, Event, Kernel, Moment, NEVER, Outcome, Permits, SharedSource};
use std::sync::{Arc, Mutex};

/// Waits once, writes, and ends.
struct Waits {
    condition: Condition,
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
            return Step::Wait(self.condition.clone(), self.deadline);
        }
        *shared.outcome.lock().unwrap() = outcome;
        self.data.write(0);
        Step::Done
    }

    fn panicked(&mut self, _: &Seen, error: Error) {
        panic!("{error}");
    }

    fn ended(&mut self, shared: &Seen) {
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
    fn new(condition: impl Into<Condition>, deadline: Moment) -> Bench {
        Bench::on(Rig::new(1, Driver::Workers, 1), condition, deadline)
    }

    fn on((rig, mut hands): (Rig, Vec<Hand>), condition: impl Into<Condition>, deadline: Moment) -> Bench {
        let scope = rig.scope("program");
        let seen = Seen { outcome: Arc::default(), ended: Count::new(), retired: Count::new() };
        let program = Waits { condition: condition.into(), deadline, has_begun: false, data: Data::new() };
        let run = ProgramRun::new(&scope, program, seen.clone());
        Bench { rig, hand: hands.remove(0), scope, seen, run }
    }

    /// With the program in the worker's reach.
    fn started(condition: impl Into<Condition>, deadline: Moment) -> Bench {
        let mut bench = Bench::new(condition, deadline);
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
        let mut bench = Bench::started(event.clone() as SharedSource, NEVER);
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
    .kills("lone.open", "a root has a target")
    .kills("lone.resolve", "concluding a frame that is")
    .check(|| {
        let mut bench = Bench::started(Arc::new(Event::manual()) as SharedSource, NEVER);
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
        let mut bench = Bench::started(event.clone() as SharedSource, 5);
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
        let Bench { mut hand, seen, run, scope, rig } = Bench::started(event as SharedSource, NEVER);
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
    .kills("scope.closed", "no shutdown knows of")
    .kills("program.stop", "never ends")
    .check(|| {
        let mut bench = Bench::new(Arc::new(Event::manual()) as SharedSource, NEVER);
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
        let mut bench = Bench::started(permits.clone() as SharedSource, NEVER);
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

/// Two events, and threads that write and set one each.
fn two_setters(events: &[Arc<Event>; 2], data: &Arc<Data>) -> Vec<thread::JoinHandle<()>> {
    let setters = events.iter().enumerate().map(|(index, event)| {
        let (event, data) = (event.clone(), data.clone());
        thread::spawn(move || {
            data.write(index);
            event.set();
        })
    });
    setters.collect()
}

fn sources(events: &[Arc<Event>; 2]) -> [SharedSource; 2] {
    events.clone().map(|event| event as SharedSource)
}

#[test]
fn program_any_is_decided_once() {
    Model::new(
        "program_any_is_decided_once",
        "a program that waits for any of two events, set at once, goes on once, and sees what was written before the winner",
    )
    .preemptions(2)
    .kills("slot.arming", "another number of times")
    .kills("event.recheck", "never ends")
    .check(|| {
        let (events, data) = ([(); 2].map(|()| Arc::new(Event::manual())), Data::new());
        let mut bench = Bench::started(Condition::any(sources(&events)), NEVER);
        let setters = two_setters(&events, &data);
        bench.hand.drain();
        setters.into_iter().for_each(|setter| setter.join().unwrap());
        let Outcome::Ready { index } = bench.finish() else { panic!("nobody cancels it") };
        data.read(index);
    });
}

#[test]
fn program_all_sees_every_write() {
    Model::new(
        "program_all_sees_every_write",
        "a program that waits for both of two events goes on after the last, and sees what was written before each",
    )
    .preemptions(2)
    .kills("event.recheck", "never ends")
    .kills("event.query", "Causality violation")
    .check(|| {
        let (events, data) = ([(); 2].map(|()| Arc::new(Event::manual())), Data::new());
        let mut bench = Bench::started(Condition::all(sources(&events)), NEVER);
        let setters = two_setters(&events, &data);
        bench.hand.drain();
        if bench.run.view().is_done() {
            data.read(0);
            data.read(1);
        }
        setters.into_iter().for_each(|setter| setter.join().unwrap());
        assert!(matches!(bench.finish(), Outcome::Ready { .. }));
    });
}

#[test]
fn program_is_turned_by_its_host() {
    Model::new(
        "program_is_turned_by_its_host",
        "a host that turns while its descriptor is readable: a program whose event is set meanwhile ends, or it is readable",
    )
    .kills("idle.announce", "nobody is told")
    .kills("idle.notify", "nobody is told")
    .kills("event.recheck", "nobody is told")
    .check(|| {
        let event = Arc::new(Event::manual());
        let (rig, hands) = Rig::new(1, Driver::Host, 1);
        let mut bench = Bench::on((rig.clone(), hands), event.clone() as SharedSource, NEVER);
        bench.run.start(Priority::Normal).unwrap();
        let setter = thread::spawn(move || event.set());
        let _ = rig.turn(4).expect("nobody else turns");
        setter.join().unwrap();
        assert!(bench.run.view().is_done() || rig.kernel.is_readable(), "a program is ready, and nobody is told");
        while rig.kernel.is_readable() {
            let _ = rig.turn(4).expect("nobody else turns");
        }
        assert!(matches!(bench.finish(), Outcome::Ready { .. }));
    });
}

#[test]
fn program_handle_goes_while_it_waits() {
    Model::new(
        "program_handle_goes_while_it_waits",
        "the last handle of a program goes while it waits and is signalled: it goes on without it, and is retired once",
    )
    .preemptions(2)
    .kills("program.release", "Causality violation")
    .kills("event.wake", "another number of times")
    .check(|| {
        let event = Arc::new(Event::manual());
        let Bench { mut hand, seen, run, scope, rig } = Bench::started(event.clone() as SharedSource, NEVER);
        hand.drain();
        let dropper = thread::spawn(move || drop(run));
        let setter = thread::spawn(move || event.set());
        hand.drain();
        setter.join().unwrap();
        hand.drain();
        dropper.join().unwrap();
        seen.ended.assert(1);
        seen.retired.assert(1);
        assert_eq!(scope.pending(), 0);
        drop(rig);
    });
}

#[test]
fn program_shutdown_races_signal() {
    Model::new(
        "program_shutdown_races_signal",
        "the executor closes while a program's event is set and its wait begins: the program ends once, one way or the other",
    )
    .preemptions(2)
    .kills("slot.arming", "another number of times")
    .check(|| {
        let event = Arc::new(Event::manual());
        let mut bench = Bench::started(event.clone() as SharedSource, NEVER);
        let rig = bench.rig.clone();
        let closer = thread::spawn(move || rig.close());
        let setter = thread::spawn(move || event.set());
        bench.hand.drain();
        setter.join().unwrap();
        let _ = closer.join().unwrap();
        assert!(matches!(bench.finish(), Outcome::Ready { .. } | Outcome::Cancelled));
    });
}

#[test]
fn program_deadline_races_signal() {
    Model::new(
        "program_deadline_races_signal",
        "a deadline that comes while a program's event is set: the wait ends as one or the other, once",
    )
    .preemptions(2)
    .kills("slot.arming", "another number of times")
    .check(|| {
        let event = Arc::new(Event::manual());
        let mut bench = Bench::started(event.clone() as SharedSource, 5);
        let rig = bench.rig.clone();
        let clock = thread::spawn(move || {
            rig.kernel.advance_to(10);
            rig.look();
        });
        let setter = thread::spawn(move || event.set());
        bench.hand.drain();
        setter.join().unwrap();
        clock.join().unwrap();
        assert!(matches!(bench.finish(), Outcome::Ready { .. } | Outcome::TimedOut));
    });
}

#[test]
fn program_runs_on_donors_and_a_worker() {
    Model::new(
        "program_runs_on_donors_and_a_worker",
        "two threads lend themselves beside a worker while a program's event is set: each step is run once, by one of them",
    )
    .preemptions(2)
    .kills("outside.push", "Causality violation")
    .check(|| {
        let event = Arc::new(Event::manual());
        let mut bench = Bench::started(event.clone() as SharedSource, NEVER);
        let donors: Vec<_> = (0..2)
            .map(|_| {
                let (rig, event) = (bench.rig.clone(), event.clone());
                // In a model there is place for one at a time: the other is refused, and only sets the event.
                thread::spawn(move || {
                    event.set();
                    rig.donate().is_ok()
                })
            })
            .collect();
        bench.hand.drain();
        donors.into_iter().for_each(|donor| _ = donor.join().unwrap());
        assert!(matches!(bench.finish(), Outcome::Ready { .. }));
    });
}
