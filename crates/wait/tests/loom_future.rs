//! Models of futures as sources and of waits as futures (`src/future.rs`, `src/waiting.rs`).
//!
//! Claim:   each model's is in its first lines.
//! Threads: main, which runs the host's jobs, + one that wakes.  Exhaustive, or 3 preemptions where it says so.
//! Fails if: any mutant that a model names is active.
//!
//! # Models
//! - `future_dropped_while_it_is_polled`: a source that is dropped drops its future once: at once, or at the end of the
//!   poll that is under way. 2 threads, exhaustive: 5 schedules, 0.00 s. Fails under future.close, future.steal.
//! - `future_fires_its_wait`: a wait on a future that another thread polls ends once, and sees what the future did. 2
//!   threads, exhaustive: 1158 schedules, 0.07 s. Fails under semaphore.recheck.
//! - `future_moves_between_threads`: a future that one thread polled last and another polls next is one thread's at a
//!   time, and fires its wait once. 2 threads, exhaustive: 395 schedules, 0.02 s. Fails under future.enter,
//!   future.pause.
//! - `future_wake_races_poll`: a future that is woken twice, in any place, is polled after the last wake and sees what
//!   came before it. 2 threads, exhaustive: 66479 schedules, 3.41 s. Fails under future.again, future.wake.
//! - `waiting_dropped_against_signal`: a wait as a future that is dropped while it is signalled frees everything once,
//!   and takes no signal along. 2 threads, exhaustive: 440 schedules, 0.03 s. Fails under waiting.drop, waiting.count.
//! - `waiting_on_a_future_that_panics`: a future that panics is a failed source, for all who wait. 2 threads,
//!   exhaustive: 2742 schedules, 0.18 s. Fails under semaphore.failure, waiting.recheck.
//! - `waiting_polled_against_signal`: a wait as a future that is polled with a new waker while it is signalled is woken
//!   through the last one. 2 threads, exhaustive: 930 schedules, 0.06 s. Fails under waiting.recheck, waiting.count.

#![cfg(raddle_loom)]
#![allow(unsafe_code)]

mod support;

use raddle_status::Code;
use raddle_sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use raddle_sync::model::Model;
use raddle_sync::{Arc, Mutex, Parker, thread};
use raddle_wait::*;
use std::pin::Pin;
use std::sync::Arc as StdArc;
use std::task::{Context, Poll, Wake, Waker};
use support::*;

/// A host whose jobs run when somebody turns it.
#[derive(Default)]
struct Host {
    jobs: Mutex<Vec<Job>>,
    parker: Parker,
}

impl Host {
    fn new() -> StdArc<Host> {
        StdArc::new(Host::default())
    }

    fn next(&self) -> Option<Job> {
        self.jobs.lock().pop()
    }

    /// Runs jobs until `is_done`.
    fn run_until(&self, is_done: impl Fn() -> bool) {
        while !is_done() {
            match self.next() {
                Some(job) => job.run(),
                None => self.parker.park(),
            }
        }
    }
}

impl JobHost for Host {
    fn run_soon(&self, job: Job) {
        self.jobs.lock().push(job);
        self.parker.unpark();
    }
}

/// What the test's future waits for: a step that it must see, by nothing but the order of wakes.
#[derive(Default)]
struct Door {
    steps: AtomicUsize,
    waker: Mutex<Option<Waker>>,
}

impl Door {
    fn new() -> StdArc<Door> {
        StdArc::new(Door::default())
    }

    /// One step, then a wake. The lock is no help to the future: it is released before.
    fn step(&self, waker: &Waker) {
        self.steps.fetch_add(1, Relaxed);
        waker.wake_by_ref();
    }

    fn waker(&self) -> Option<Waker> {
        self.waker.lock().clone()
    }
}

/// Ready after so many steps of its door; it gives its waker away in its first poll alone.
struct Through {
    door: StdArc<Door>,
    steps: usize,
    has_waker: bool,
}

impl Future for Through {
    type Output = usize;
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<usize> {
        if !std::mem::replace(&mut self.has_waker, true) {
            *self.door.waker.lock() = Some(context.waker().clone());
        }
        let steps = self.door.steps.load(Relaxed);
        if steps >= self.steps { Poll::Ready(steps) } else { Poll::Pending }
    }
}

fn through(door: &StdArc<Door>, steps: usize) -> Through {
    Through { door: door.clone(), steps, has_waker: false }
}

#[test]
fn future_wake_races_poll() {
    Model::new(
        "future_wake_races_poll",
        "a future that is woken twice, in any place, is polled after the last wake and sees what came before it",
    )
    .kills("future.again", "deadlock")
    .kills("future.wake", "deadlock")
    .check(|| {
        let (pool, host, door) = (SlotPool::new(), Host::new(), Door::new());
        let source = StdArc::new(FutureSource::new(host.clone(), through(&door, 2)));
        source.start();
        host.next().expect("a first poll").run();
        let waker = door.waker().expect("polled");
        let waking = {
            let door = door.clone();
            thread::spawn(move || {
                door.step(&waker);
                door.step(&waker);
            })
        };
        let is_done = || source.query().is_ready();
        host.run_until(is_done);
        assert_eq!(source.take_output(), Some(2));
        waking.join().unwrap();
        while let Some(job) = host.next() {
            job.run();
        }
        *door.waker.lock() = None;
        drop(pool);
    });
}

#[test]
fn future_moves_between_threads() {
    Model::new(
        "future_moves_between_threads",
        "a future that one thread polled last and another polls next is one thread's at a time, and fires its wait once",
    )
    .kills("future.enter", "Causality violation")
    .kills("future.pause", "Causality violation")
    .check(|| {
        let (pool, host, door, program) = (SlotPool::new(), Host::new(), Door::new(), Program::new());
        let source = StdArc::new(FutureSource::new(host.clone(), through(&door, 1)));
        source.start();
        let first = host.next().expect("a first poll");
        let waking = {
            let (door, host) = (door.clone(), host.clone());
            thread::spawn(move || {
                let Some(waker) = door.waker() else {
                    // It has not been polled; its poll will see the step.
                    door.steps.fetch_add(1, Relaxed);
                    return false;
                };
                door.step(&waker);
                while let Some(job) = host.next() {
                    job.run();
                }
                true
            })
        };
        let frame = frame(&pool, source);
        first.run();
        while let Some(job) = host.next() {
            job.run();
        }
        let has_woken = waking.join().unwrap();
        while let Some(job) = host.next() {
            job.run();
        }
        if has_woken {
            assert!(program.wait(&frame, None).into_result().is_ok());
        }
        *door.waker.lock() = None;
    });
}

#[test]
fn future_fires_its_wait() {
    Model::new(
        "future_fires_its_wait",
        "a wait on a future that another thread polls ends once, and sees what the future did",
    )
    .kills("semaphore.recheck", "deadlock")
    .check(|| {
        let (pool, host, program, datum) = (SlotPool::new(), Host::new(), Program::new(), Datum::new());
        let future = {
            let datum = datum.clone();
            async move { datum.write() }
        };
        let source = StdArc::new(FutureSource::new(host.clone(), future));
        source.start();
        let job = host.next().expect("a first poll");
        let polling = thread::spawn(move || job.run());
        let frame = frame(&pool, source);
        assert!(program.wait(&frame, None).into_result().is_ok());
        assert_eq!(datum.read(), 7);
        polling.join().unwrap();
        assert!(program.scheduled() <= 1, "resumed twice");
    });
}

#[test]
fn future_dropped_while_it_is_polled() {
    Model::new(
        "future_dropped_while_it_is_polled",
        "a source that is dropped drops its future once: at once, or at the end of the poll that is under way",
    )
    .kills("future.close", "Causality violation")
    .kills("future.steal", "Causality violation")
    .check(|| {
        struct Witness(Through, Arc<Datum>, Arc<AtomicUsize>);
        impl Future for Witness {
            type Output = usize;
            fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<usize> {
                self.1.write();
                Pin::new(&mut self.0).poll(context)
            }
        }
        impl Drop for Witness {
            fn drop(&mut self) {
                self.1.write();
                self.2.fetch_add(1, Relaxed);
            }
        }
        let (host, door, drops) = (Host::new(), Door::new(), Arc::new(AtomicUsize::new(0)));
        let witness = Witness(through(&door, 1), Datum::new(), drops.clone());
        let source = FutureSource::new(host.clone(), witness);
        source.start();
        let job = host.next().expect("a first poll");
        let polling = thread::spawn(move || job.run());
        drop(source);
        polling.join().unwrap();
        assert_eq!(drops.load(Relaxed), 1, "dropped late or twice, though its waker lives");
        if let Some(waker) = door.waker() {
            waker.wake();
        }
        assert!(host.next().is_none(), "polled after it was dropped");
        *door.waker.lock() = None;
    });
}

/// An executor's waker, made anew for each poll, so that no two are the same.
struct Unpark(StdArc<Parker>);

impl Wake for Unpark {
    fn wake(self: StdArc<Self>) {
        self.0.unpark();
    }
}

fn poll_until_ready<F: Future>(future: Pin<&mut F>) -> F::Output {
    let parker = StdArc::new(Parker::new());
    let mut future = future;
    loop {
        let waker = Waker::from(StdArc::new(Unpark(parker.clone())));
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        parker.park();
    }
}

#[test]
fn waiting_polled_against_signal() {
    Model::new(
        "waiting_polled_against_signal",
        "a wait as a future that is polled with a new waker while it is signalled is woken through the last one",
    )
    .kills("waiting.recheck", "deadlock")
    .kills("waiting.count", "leaked")
    .check(|| {
        let (pool, source, datum) = (SlotPool::new(), Callback::new(), Datum::new());
        let mut waiting = Box::pin(Waiting::new(&pool, source.clone()));
        let signaller = {
            let datum = datum.clone();
            thread::spawn(move || {
                datum.write();
                source.resolve();
            })
        };
        // A poll for nobody: its waker wakes nothing.
        if let Poll::Ready(result) = waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            assert!(result.is_ok());
        } else {
            assert!(poll_until_ready(waiting.as_mut()).is_ok());
        }
        assert_eq!(datum.read(), 7);
        signaller.join().unwrap();
        drop(waiting);
        assert_whole(&pool);
    });
}

#[test]
fn waiting_dropped_against_signal() {
    Model::new(
        "waiting_dropped_against_signal",
        "a wait as a future that is dropped while it is signalled frees everything once, and takes no signal along",
    )
    .kills("waiting.drop", "Arc is already released")
    .kills("waiting.count", "leaked")
    .check(|| {
        let (pool, event) = (SlotPool::new(), StdArc::new(Event::auto()));
        let is_awake = StdArc::new(AtomicBool::new(false));
        struct Flag(StdArc<AtomicBool>);
        impl Wake for Flag {
            fn wake(self: StdArc<Self>) {
                self.0.store(true, Relaxed);
            }
        }
        let mut waiting = Box::pin(Waiting::new(&pool, event.clone()));
        let waker = Waker::from(StdArc::new(Flag(is_awake)));
        assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        let signaller = {
            let event = event.clone();
            thread::spawn(move || event.set())
        };
        drop(waiting);
        // The signal must reach whoever waits next.
        let frame = frame(&pool, event.clone());
        assert!(Program::new().wait(&frame, None).into_result().is_ok());
        signaller.join().unwrap();
        assert!(!event.is_set());
        drop(frame);
        assert_whole(&pool);
    });
}

fn host_is_there() -> bool {
    true
}

#[test]
fn waiting_on_a_future_that_panics() {
    Model::new(
        "waiting_on_a_future_that_panics",
        "a future that panics is a failed source, for all who wait",
    )
    .kills("semaphore.failure", "deadlock")
    .kills("waiting.recheck", "deadlock")
    .check(|| {
        let (pool, host) = (SlotPool::new(), Host::new());
        let panicking = async {
            if host_is_there() {
                std::panic::resume_unwind(Box::new("on purpose"));
            }
        };
        let source = StdArc::new(FutureSource::new(host.clone(), panicking));
        source.start();
        let job = host.next().expect("a first poll");
        let polling = thread::spawn(move || job.run());
        let mut waiting = Box::pin(Waiting::new(&pool, source));
        let error = poll_until_ready(waiting.as_mut()).unwrap_err();
        assert_eq!(error.code(), Code::Unknown);
        polling.join().unwrap();
    });
}
