//! Limits: of armed waits and of runs; who is refused is told why, and can await a place instead.

#![cfg(not(raddle_loom))]

mod support;

use raddle_status::{Code, Error, Result};
use raddle_task::*;
use raddle_wait::{Descriptor, Event, Limits, NEVER};
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, Weak};
use support::*;

/// A wait for a pipe, and its writing end.
fn pipe() -> (Arc<Graph>, std::io::PipeWriter) {
    let (reader, writer) = std::io::pipe().unwrap();
    let mut builder = GraphBuilder::new();
    builder.wait(Arc::new(Descriptor::new(reader).readable()));
    (builder.build().unwrap(), writer)
}

#[test]
fn a_wait_beyond_the_limit_is_refused_or_awaits_a_place() {
    for workers in [0, 1, 2] {
        let builder = Executor::builder().workers(workers).limits(Limits { armed_max: 1 });
        let executor = builder.build().unwrap();
        let (first, mut ring_first) = pipe();
        let first = executor.submit(&first, &executor.scope("first")).unwrap();
        while executor.dump().outstanding == 0 {
            match workers {
                0 => drop(executor.turn(TurnBudget::default()).unwrap()),
                _ => std::thread::yield_now(),
            }
        }
        // The second wait is refused: its scope fails, and nobody else's.
        let (second, _ring) = pipe();
        let error = executor.submit(&second, &executor.scope("refused")).unwrap().wait().unwrap_err();
        assert_eq!(error.code(), Code::ResourceExhausted);
        assert!(error.to_string().contains("`armed_max`"), "{error}");
        assert!(error.to_string().contains("in wait task 0"), "{error}");

        // The third awaits a place before it waits, as a part of its graph.
        let (reader, mut ring_third) = std::io::pipe().unwrap();
        let mut builder = GraphBuilder::new();
        let place = builder.wait(executor.stage().place());
        let third = builder.wait(Arc::new(Descriptor::new(reader).readable()));
        builder.edge(place, third).unwrap();
        let third = executor.submit(&builder.build().unwrap(), &executor.scope("patient")).unwrap();
        ring_third.write_all(b"x").unwrap();
        assert!(!third.is_done(), "there is no place yet");
        ring_first.write_all(b"x").unwrap();
        first.wait().unwrap();
        third.wait().unwrap();
    }
}

#[test]
fn a_run_beyond_the_limit_is_refused_or_awaits_a_place() {
    for workers in [0, 1, 2] {
        let executor = Executor::builder().workers(workers).runs_max(2).build().unwrap();
        let (scope, event) = (executor.scope("limited"), Arc::new(Event::manual()));
        let mut builder = GraphBuilder::new();
        builder.wait(event.clone());
        let waits = builder.build().unwrap();
        let runs = [(); 2].map(|()| executor.submit(&waits, &scope).unwrap());
        for refused in [executor.submit(&waits, &scope).map(drop), scope.spawn(|_| ()).map(drop)] {
            let error = refused.unwrap_err();
            assert_eq!(error.code(), Code::ResourceExhausted);
            assert!(error.to_string().contains("2 runs are under way"), "{error}");
        }
        assert_eq!(scope.pending(), 2, "who was refused has left nothing behind");
        // A callback is part of a run that has a place.
        let told = Arc::new(AtomicBool::new(false));
        let own = told.clone();
        runs[0].on_complete(move |_| own.store(true, Relaxed)).unwrap();

        // Whoever waits for a place is woken by the end of a run, and has its place by submitting.
        let place = executor.place();
        assert!(!place.query().is_ready());
        event.set();
        runs.iter().for_each(|run| run.wait().unwrap());
        assert!(place.query().is_ready());
        drop(runs);
        scope.wait_idle(NEVER).unwrap();
        assert!(told.load(Relaxed));
        executor.run(&waits, &scope).unwrap();
    }
}

#[test]
fn all_that_await_a_place_get_one() {
    let executor = Executor::builder().workers(2).runs_max(1).build().unwrap();
    let (scope, ran) = (executor.scope("crowd"), Arc::new(AtomicU32::new(0)));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (executor, scope, ran) = (executor.clone(), scope.clone(), ran.clone());
            std::thread::spawn(move || {
                for _ in 0..50 {
                    loop {
                        let ran = ran.clone();
                        match scope.spawn(move |_| _ = ran.fetch_add(1, Relaxed)) {
                            Ok(run) => break run.wait().unwrap(),
                            Err(error) => assert_eq!(error.code(), Code::ResourceExhausted),
                        }
                        wait_for_place(&executor);
                    }
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(ran.load(Relaxed), 200);
}

/// Blocks this thread until there is a place.
fn wait_for_place(executor: &Executor) {
    let woken = Arc::new(Unpark(std::thread::current()));
    let waker = woken.into();
    let mut place = std::pin::pin!(executor.wait_for(executor.place(), NEVER));
    let mut context = std::task::Context::from_waker(&waker);
    while place.as_mut().poll(&mut context).is_pending() {
        std::thread::park();
    }
}

struct Unpark(std::thread::Thread);

impl std::task::Wake for Unpark {
    fn wake(self: Arc<Unpark>) {
        self.0.unpark();
    }
}

#[test]
fn a_task_that_submits_without_end_is_stopped_by_the_limit() {
    for workers in [0, 1, 2] {
        let executor = Executor::builder().workers(workers).runs_max(100).build().unwrap();
        let (most, own) = (Arc::new(AtomicUsize::new(0)), Arc::new(OnceLock::<Weak<Graph>>::new()));
        let (seen, again) = (most.clone(), own.clone());
        // Each run submits itself twice.
        let endless = single(move |cx| -> Result {
            let graph = again.get().and_then(Weak::upgrade).ok_or(Error::from(Code::Aborted))?;
            seen.fetch_max(cx.scope().pending(), Relaxed);
            drop(cx.submit(&graph)?);
            cx.submit(&graph).map(drop)
        });
        own.get_or_init(|| Arc::downgrade(&endless));
        let scope = executor.scope("endless");
        let run = executor.submit(&endless, &scope).unwrap();
        let error = scope.wait_idle(NEVER).unwrap_err();
        assert!(run.is_done(), "a task ends with what it submitted");
        assert_eq!(error.code(), Code::ResourceExhausted, "{error}");
        assert!(most.load(Relaxed) <= 100, "{most:?} runs at once");
        // Others go on once it has ended.
        executor.scope("other").spawn(|_| ()).unwrap().wait().unwrap();
    }
}

#[test]
fn without_a_limit_there_is_always_a_place() {
    let executor = executor(1);
    let mut builder = GraphBuilder::new();
    builder.wait(executor.place());
    executor.run(&builder.build().unwrap(), &executor.scope("place")).unwrap();
}
