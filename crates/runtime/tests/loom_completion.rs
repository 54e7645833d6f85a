//! Models of how an invocation's end is told (`src/completion.rs`), by itself and as the end of a program of the executor:
//! against a callback that comes late, a poll, a cancellation, and the release of every handle, the free itself included.
//!
//! # Models
//! - `completion_callback_against_cancel`: a call is cancelled while it begins to wait and a callback is left: it is
//!   called once, and the call ends cancelled. 3 threads, at most 2 preemptions: 286 schedules, 0.04 s; 3: 6428
//!   schedules, 1.15 s. Fails under program.stop, completion.late.
//! - `completion_callback_against_release`: the last handle goes while a worker ends the call and calls back: the call
//!   is freed once, after all of that. 2 threads, exhaustive: 4 schedules, 0.00 s. Fails under program.release.
//! - `completion_callback_may_look`: a callback that looks at its invocation, while somebody else does, finds its lock
//!   free. 2 threads, exhaustive: 9 schedules, 0.00 s. Fails under completion.locked.
//! - `completion_callback_races_the_end`: a callback that is left before, during or after the end is called once, with
//!   the result. 2 threads, exhaustive: 4 schedules, 0.00 s. Fails under completion.late.
//! - `completion_poll_races_the_end`: a future that is polled beside the end, with another waker each time, has the
//!   result or is woken for it. 2 threads, exhaustive: 30 schedules, 0.00 s. Fails under completion.again.
//! - `completion_wait_sees_the_result`: a thread that waits for a call which a worker ends has its result, and may free
//!   the call then. 2 threads, at most 4 preemptions (exhaustive: more than 20 s): 2182 schedules, 0.32 s. Fails under
//!   end.come, event.set.

#![cfg(raddle_loom)]

use raddle::internals::{Told, nothing};
use raddle::task::internals::{Hand, Rig};
use raddle::task::{Driver, Priority, Program, ProgramRun, Scope, Spent, Step, StepCx};
use raddle::wait::{Condition, Event, NEVER};
use raddle::{Code, Error, Outputs, Result};
use raddle_sync::atomic::{AtomicUsize, Ordering::Relaxed};
use raddle_sync::cell::UnsafeCell;
use raddle_sync::model::Model;
use raddle_sync::{Parker, thread};
use std::sync::Arc;
use std::task::{Wake, Waker};

/// Wakes a thread.
struct Unpark(Parker);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[test]
fn completion_callback_races_the_end() {
    Model::new(
        "completion_callback_races_the_end",
        "a callback that is left before, during or after the end is called once, with the result",
    )
    .kills("completion.late", "called another number of times")
    .check(|| {
        let (told, calls) = (Arc::new(Told::default()), Arc::new(AtomicUsize::new(0)));
        let ender = {
            let told = told.clone();
            thread::spawn(move || {
                told.end(Ok(nothing()));
            })
        };
        let own = calls.clone();
        told.call_back(move |result| {
            result.unwrap();
            own.fetch_add(1, Relaxed);
        });
        ender.join().unwrap();
        assert_eq!(calls.load(Relaxed), 1, "a callback was called another number of times");
        assert_eq!(told.take().unwrap().unwrap_err().code(), Code::FailedPrecondition);
    });
}

#[test]
fn completion_callback_may_look() {
    Model::new(
        "completion_callback_may_look",
        "a callback that looks at its invocation, while somebody else does, finds its lock free",
    )
    .kills("completion.locked", "deadlock")
    .check(|| {
        let told = Arc::new(Told::default());
        let own = Arc::downgrade(&told);
        told.call_back(move |_| assert!(own.upgrade().is_some_and(|told| told.ending().is_some())));
        let looker = {
            let told = told.clone();
            thread::spawn(move || told.ending())
        };
        told.end(Ok(nothing()));
        looker.join().unwrap();
    });
}

#[test]
fn completion_poll_races_the_end() {
    Model::new(
        "completion_poll_races_the_end",
        "a future that is polled beside the end, with another waker each time, has the result or is woken for it",
    )
    .kills("completion.again", "deadlock")
    .check(|| {
        let told = Arc::new(Told::default());
        let ender = {
            let told = told.clone();
            thread::spawn(move || {
                told.end(Ok(nothing()));
            })
        };
        loop {
            let parker = Arc::new(Unpark(Parker::new()));
            if let Some(result) = told.take_or_wake(&Waker::from(parker.clone())) {
                result.unwrap();
                break;
            }
            parker.0.park();
        }
        ender.join().unwrap();
    });
}

/// A program that waits once, and tells how it ended; its memory is watched.
struct Call {
    event: Arc<Event>,
    has_begun: bool,
    result: Option<Result<Outputs>>,
    life: Life,
}

/// Read by whoever uses the call, written by who frees it.
struct Life(UnsafeCell<()>);

// SAFETY: the claim of the models.
unsafe impl Send for Life {}
// SAFETY: as above.
unsafe impl Sync for Life {}

struct Shared {
    told: Told,
    life: Arc<Life>,
    retired: Arc<AtomicUsize>,
}

impl Program for Call {
    type Shared = Shared;

    fn step(&mut self, _: &Shared, mut cx: StepCx<'_>) -> Step {
        self.life.0.with(|_| ());
        if cx.is_cancelled() {
            let _ = cx.take_outcome();
            self.result = Some(Err(Error::from(Code::Cancelled)));
            return Step::Done;
        }
        if !std::mem::replace(&mut self.has_begun, true) {
            return Step::Wait(Condition::Until(self.event.clone()), NEVER);
        }
        self.result = Some(cx.take_outcome().expect("a wait ended").into_result().map(|_| nothing()));
        Step::Done
    }

    fn panicked(&mut self, _: &Shared, error: Error) {
        panic!("{error}");
    }

    fn ended(&mut self, shared: &Shared) {
        shared.life.0.with(|_| ());
        shared.told.end(self.result.take().expect("the last step left it"));
        shared.life.0.with(|_| ());
    }

    fn retire(mut spent: Spent<Call>) {
        spent.program().life.0.with_mut(|_| ());
        spent.shared().life.0.with_mut(|_| ());
        assert_eq!(spent.shared().retired.fetch_add(1, Relaxed), 0, "freed twice");
    }
}

/// One worker, and one call that waits for an event.
struct Bench {
    hand: Hand,
    scope: Scope,
    event: Arc<Event>,
    run: ProgramRun<Call>,
    retired: Arc<AtomicUsize>,
    _rig: Rig,
}

impl Bench {
    fn new() -> Bench {
        let (rig, mut hands) = Rig::new(1, Driver::Workers, 1);
        let (scope, event) = (rig.scope("calls"), Arc::new(Event::manual()));
        let retired = Arc::new(AtomicUsize::new(0));
        let call =
            Call { event: event.clone(), has_begun: false, result: None, life: Life(UnsafeCell::new(())) };
        let life = Arc::new(Life(UnsafeCell::new(())));
        let shared = Shared { told: Told::default(), life, retired: retired.clone() };
        let run = ProgramRun::new(&scope, call, shared);
        Bench { hand: hands.remove(0), scope, event, run, retired, _rig: rig }
    }

    fn start(&mut self) {
        self.run.start(Priority::Normal).unwrap();
    }
}

#[test]
fn completion_callback_against_release() {
    Model::new(
        "completion_callback_against_release",
        "the last handle goes while a worker ends the call and calls back: the call is freed once, after all of that",
    )
    .kills("program.release", "Causality violation")
    .check(|| {
        let mut bench = Bench::new();
        let calls = Arc::new(AtomicUsize::new(0));
        let own = calls.clone();
        bench.run.view().shared().told.call_back(move |result| {
            result.unwrap();
            own.fetch_add(1, Relaxed);
        });
        bench.event.set();
        bench.start();
        let Bench { mut hand, run, retired, scope, .. } = bench;
        let worker = thread::spawn(move || hand.drain());
        drop(run);
        worker.join().unwrap();
        assert_eq!((calls.load(Relaxed), retired.load(Relaxed), scope.pending()), (1, 1, 0));
    });
}

#[test]
fn completion_callback_against_cancel() {
    Model::new(
        "completion_callback_against_cancel",
        "a call is cancelled while it begins to wait and a callback is left: it is called once, and the call ends cancelled",
    )
    .preemptions(2)
    .kills("program.stop", "never called")
    .kills("completion.late", "never called")
    .check(|| {
        let mut bench = Bench::new();
        bench.start();
        let (view, other) = (bench.run.view().clone(), bench.run.view().clone());
        let canceller = thread::spawn(move || assert!(view.cancel(), "it has not ended"));
        let code = Arc::new(std::sync::Mutex::new(None));
        let own = code.clone();
        let caller = thread::spawn(move || {
            other.shared().told.call_back(move |result| {
                *own.lock().unwrap() = result.err().map(|error| error.code());
            });
        });
        bench.hand.drain();
        canceller.join().unwrap();
        caller.join().unwrap();
        bench.hand.drain();
        assert_eq!(*code.lock().unwrap(), Some(Code::Cancelled), "a callback was never called");
    });
}

#[test]
fn completion_wait_sees_the_result() {
    Model::new(
        "completion_wait_sees_the_result",
        "a thread that waits for a call which a worker ends has its result, and may free the call then",
    )
    .preemptions(4)
    .because("exhaustive: more than 20 s")
    .kills("end.come", "Causality violation")
    .kills("event.set", "Causality violation")
    .check(|| {
        let mut bench = Bench::new();
        bench.event.set();
        bench.start();
        let Bench { mut hand, run, retired, .. } = bench;
        let worker = thread::spawn(move || hand.drain());
        run.view().wait_until(NEVER).unwrap();
        run.view().shared().life.0.with_mut(|_| ());
        run.view().shared().told.take().expect("who is done has published").unwrap();
        drop(run);
        worker.join().unwrap();
        assert_eq!(retired.load(Relaxed), 1);
    });
}
