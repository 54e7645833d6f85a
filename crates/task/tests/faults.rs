//! Bad input and faults: absurd numbers, panics everywhere, sources that misbehave.

mod support;

use raddle_status::{Code, Error};
use raddle_task::*;
use raddle_wait::*;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use support::*;

#[test]
fn a_deadline_in_the_past_ends_at_once() {
    for_each_size(|executor| {
        let mut builder = GraphBuilder::new();
        builder.wait_timeout(Arc::new(Event::manual()), Duration::ZERO);
        let scope = executor.scope("late");
        let error = executor.run(&builder.build().unwrap(), &scope).unwrap_err();
        assert_eq!(error.code(), Code::DeadlineExceeded);
        // A delay of nothing is no failure, and a source that is ready wins over a deadline that has passed.
        let mut builder = GraphBuilder::new();
        let ready = Arc::new(Event::manual());
        ready.set();
        builder.delay(Duration::ZERO);
        builder.wait_timeout(ready, Duration::ZERO);
        builder.wait(Arc::new(Until(0)));
        executor.run(&builder.build().unwrap(), &executor.scope("ready")).unwrap();
        let mut builder = GraphBuilder::new();
        builder.delay(LONG);
        let scope = executor.scope("past");
        let run = executor.submit(&builder.build().unwrap(), &scope).unwrap();
        for past in [0, 1, executor.now()] {
            assert_eq!(run.wait_until(past).unwrap_err().code(), Code::DeadlineExceeded);
            assert_eq!(scope.wait_idle(past).unwrap_err().code(), Code::DeadlineExceeded);
        }
        run.cancel();
        assert_eq!(code_of(&run), Code::Cancelled);
    });
}

#[test]
fn absurd_times_never_come() {
    for_each_size(|executor| {
        let never = Arc::new(Event::manual());
        let mut builder = GraphBuilder::new();
        builder.delay(Duration::MAX);
        builder.delay(Duration::from_nanos(u64::MAX));
        builder.wait_timeout(never.clone(), Duration::MAX);
        builder.wait(Arc::new(Until(NEVER)));
        builder.wait(Arc::new(Until(NEVER - 1)));
        builder.wait(Arc::new(Semaphore::new(0)).at(u64::MAX));
        let graph = builder.build().unwrap();
        let scope = executor.scope("never");
        let run = executor.submit(&graph, &scope).unwrap();
        // Others come and go meanwhile.
        let mut builder = GraphBuilder::new();
        builder.delay(Duration::from_millis(1));
        executor.run(&builder.build().unwrap(), &executor.scope("soon")).unwrap();
        assert!(!run.is_done());
        scope.cancel();
        assert_eq!(code_of(&run), Code::Cancelled);
        // Nor do they as deadlines of a run, or as the patience of who waits for it.
        for deadline in [NEVER - 1, NEVER] {
            let scope = executor.scope("patient");
            let mut builder = GraphBuilder::new();
            builder.wait_timeout(never.clone(), Duration::from_millis(1));
            let options = SubmitOptions::default().deadline(deadline);
            let run = executor.submit_with(&builder.build().unwrap(), &scope, options).unwrap();
            let error = run.wait_until(deadline).unwrap_err();
            assert!(error.to_string().contains("in wait task 0"), "the wait's deadline came: {error}");
            assert!(scope.wait_idle(deadline).is_err());
            executor.run(&single(|_| ()), &executor.scope("after")).unwrap();
        }
    });
}

#[test]
fn more_workers_than_processors() {
    let executor = executor(64);
    let count = Arc::new(AtomicUsize::new(0));
    let mut builder = GraphBuilder::new();
    let root = builder.barrier();
    for _ in 0..1000 {
        let count = count.clone();
        let task = builder.call(move |_| {
            count.fetch_add(1, Relaxed);
        });
        let delay = builder.delay(Duration::from_micros(100));
        builder.chain([root, task, delay]).unwrap();
    }
    let graph = builder.build().unwrap();
    let scope = executor.scope("many");
    let runs: Vec<_> = (0..20).map(|_| executor.submit(&graph, &scope).unwrap()).collect();
    for run in &runs {
        run.wait().unwrap();
    }
    assert_eq!(count.load(Relaxed), 20_000);
}

#[test]
fn absurd_sizes_are_refused() {
    let error = Executor::builder().workers(1 << 20).build().unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    for driver in [Driver::Workers, Driver::Thread] {
        let error = Executor::builder().workers(0).driver(driver).build().unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument, "nobody would run a task");
    }
    for_each_size(|executor| {
        let mut builder = GraphBuilder::new();
        builder.dispatch([u32::MAX; 3], |_| -> () { panic!("nobody has the time") });
        let error = executor.run(&builder.build().unwrap(), &executor.scope("grid")).unwrap_err();
        assert_eq!(error.code(), Code::ResourceExhausted);
    });
}

#[test]
fn a_wait_for_a_file_fails_its_scope_and_says_why() {
    for_each_size(|executor| {
        let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
        let mut builder = GraphBuilder::new();
        let wait = builder.wait(Arc::new(Descriptor::new(file).readable()));
        let after = builder.call(|_| -> () { panic!("it must not run") });
        builder.edge(wait, after).unwrap();
        let error = executor.run(&builder.build().unwrap(), &executor.scope("file")).unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        let text = error.to_string();
        assert!(text.contains("is a regular file") && text.contains("in wait task 0"), "{text}");
        assert_eq!(executor.stage().outstanding(), 0);
        executor.run(&single(|_| ()), &executor.scope("beside")).unwrap();
    });
}

#[test]
fn a_hundred_thousand_waits_are_dropped_at_once() {
    for workers in [0, 2] {
        let executor = executor(workers);
        let (event, pipe) = (Arc::new(Event::manual()), std::io::pipe().unwrap());
        let readable = Arc::new(Descriptor::new(pipe.0).readable());
        let mut builder = GraphBuilder::new();
        for at in 0..100_000 {
            match at % 3 {
                0 => builder.wait(event.clone()),
                1 => builder.delay(LONG),
                _ => builder.wait(readable.clone()),
            };
        }
        let graph = builder.build().unwrap();
        let scope = executor.scope("crowd");
        let run = executor.submit(&graph, &scope).unwrap();
        // A second run of as many, which is behind the first.
        let second = executor.submit(&graph, &scope).unwrap();
        assert!(scope.cancel());
        assert_eq!((code_of(&run), code_of(&second)), (Code::Cancelled, Code::Cancelled));
        assert_eq!(executor.stage().outstanding(), 0);
        drop((run, second, graph));
        assert_eq!(executor.slots().counts().free, executor.slots().counts().made);
        // The same as futures, which nobody but their owner knows.
        let mut waits: Vec<_> = (0..100_000)
            .map(|_| {
                Box::pin(Waiting::on(executor.slots(), executor.stage(), event.clone(), later(&executor)))
            })
            .collect();
        let mut context = Context::from_waker(Waker::noop());
        assert!(waits.iter_mut().all(|wait| wait.as_mut().poll(&mut context).is_pending()));
        assert_eq!(executor.stage().outstanding(), 100_000);
        drop(waits);
        assert_eq!(executor.stage().outstanding(), 0);
    }
}

#[test]
fn a_blocking_wait_inside_a_task_helps_or_is_refused() {
    for_each_size(|executor| {
        let ran = Arc::new(AtomicUsize::new(0));
        let inner = {
            let ran = ran.clone();
            single(move |_| {
                ran.fetch_add(1, Relaxed);
            })
        };
        let scope = executor.scope("blocks");
        // Work of its own scope: the waiting thread runs it itself.
        let outer = {
            let inner = inner.clone();
            single(move |cx| cx.submit(&inner)?.wait())
        };
        executor.submit(&outer, &scope).unwrap().wait().unwrap();
        assert_eq!(ran.load(Relaxed), 1);
        // Something that only another worker could bring about.
        let endless = {
            let mut builder = GraphBuilder::new();
            builder.delay(LONG);
            builder.build().unwrap()
        };
        let pending = executor.submit(&endless, &scope).unwrap();
        let pending = Arc::new(pending);
        let blocked = {
            let pending = pending.clone();
            single(move |_| pending.wait())
        };
        if executor.worker_count() <= 1 {
            let error = executor.submit(&blocked, &executor.scope("last")).unwrap().wait().unwrap_err();
            assert_eq!(error.code(), Code::FailedPrecondition);
            assert!(error.message().contains("last worker"), "{error}");
        } else {
            let run = executor.submit(&blocked, &executor.scope("sleeps")).unwrap();
            pending.cancel();
            assert_eq!(code_of(&run), Code::Cancelled);
        }
        pending.cancel();
        assert_eq!(code_of(&pending), Code::Cancelled);
    });
}

#[test]
fn blocking_waits_nest_to_a_stated_depth() {
    for_each_size(|executor| {
        /// A graph whose task waits for a graph whose task waits …
        fn nested(depth: usize) -> Arc<Graph> {
            match depth {
                0 => single(|_| ()),
                _ => {
                    let inner = nested(depth - 1);
                    single(move |cx| cx.submit(&inner)?.wait())
                }
            }
        }
        let deep = executor.submit(&nested(40), &executor.scope("deep")).unwrap().wait();
        let error = deep.unwrap_err();
        assert_eq!(error.code(), Code::FailedPrecondition, "{error}");
        executor.submit(&nested(2), &executor.scope("flat")).unwrap().wait().unwrap();
    });
}

#[test]
fn a_blocking_wait_inside_a_callback() {
    for_each_size(|executor| {
        let (outer, inner) = (executor.scope("outer"), executor.scope("inner"));
        let start = Arc::new(Event::manual());
        let mut builder = GraphBuilder::new();
        builder.wait(start.clone());
        let run = executor.submit(&builder.build().unwrap(), &outer).unwrap();
        let results = Arc::new(Mutex::new(Vec::new()));
        {
            let (executor, results) = (executor.clone(), results.clone());
            let graph = single(|_| ());
            outer.on_idle(move || {
                // Its own scope's work it can run, a moment nobody but another worker can see.
                let helped = executor.submit(&graph, &inner).and_then(|run| run.wait());
                let mut builder = GraphBuilder::new();
                builder.delay(Duration::from_millis(1));
                let delayed = executor.submit(&builder.build().unwrap(), &inner).and_then(|run| run.wait());
                results.lock().unwrap().extend([helped, delayed]);
            });
        }
        start.set();
        run.wait().unwrap();
        // The callback is called on the way to the run's end, so it has returned.
        let results = results.lock().unwrap();
        assert!(results[0].is_ok());
        match executor.worker_count() {
            0 | 1 => assert_eq!(results[1].clone().unwrap_err().code(), Code::FailedPrecondition),
            _ => assert!(results[1].is_ok()),
        }
    });
}

#[test]
fn two_that_wake_each_other_for_ever_stop_nobody() {
    for_each_size(|executor| {
        let stop = Arc::new(AtomicBool::new(false));
        let rounds = Arc::new(AtomicUsize::new(0));
        let scope = executor.scope("pair");
        let events = [Arc::new(Event::auto()), Arc::new(Event::auto())];
        // Each waits for its event, sets the other's, and begins again.
        let graphs: Arc<Mutex<Vec<Arc<Graph>>>> = Arc::default();
        for me in 0..2 {
            let mut builder = GraphBuilder::new();
            let wait = builder.wait(events[me].clone());
            let other = events[1 - me].clone();
            let (stop, rounds, all) = (stop.clone(), rounds.clone(), Arc::downgrade(&graphs));
            let (scope, executor) = (scope.clone(), Mutex::new(executor.clone()));
            let again = builder.call(move |_| {
                rounds.fetch_add(1, Relaxed);
                other.set();
                let Some(all) = all.upgrade().filter(|_| !stop.load(Relaxed)) else { return };
                let graph = all.lock().unwrap()[me].clone();
                drop(executor.lock().unwrap().submit(&graph, &scope));
            });
            builder.edge(wait, again).unwrap();
            let graph = builder.build().unwrap();
            graphs.lock().unwrap().push(graph);
        }
        for graph in graphs.lock().unwrap().iter() {
            drop(executor.submit(graph, &scope).unwrap());
        }
        events[0].set();
        // Others: tasks, waits for moments, joins, at every priority.
        let mut builder = GraphBuilder::new();
        let (first, delay) = (builder.call(|_| ()), builder.delay(Duration::from_millis(1)));
        let last = builder.call(|_| ());
        builder.chain([first, delay, last]).unwrap();
        let graph = builder.build().unwrap();
        let others = executor.scope("others");
        let runs: Vec<_> = [Priority::High, Priority::Normal, Priority::Low]
            .into_iter()
            .cycle()
            .take(30)
            .map(|priority| {
                let options = SubmitOptions::default().priority(priority);
                executor.submit_with(&graph, &others, options).unwrap()
            })
            .collect();
        for run in &runs {
            run.wait().unwrap();
        }
        assert!(rounds.load(Relaxed) > 0);
        stop.store(true, Relaxed);
        scope.cancel();
        let _ = scope.wait_idle(NEVER);
    });
}

/// Fails or panics in one of its methods.
struct Broken {
    panics_in: &'static str,
    kept: Mutex<Vec<SourceWaker>>,
}

impl Broken {
    fn check(&self, method: &str) {
        assert!(self.panics_in != method, "broken in {method}");
    }
}

impl WaitSource for Broken {
    fn arm(&self, waker: SourceWaker) {
        self.kept.lock().unwrap().push(waker.clone());
        self.check("arm");
        waker.wake();
    }
    fn query(&self) -> Readiness {
        self.check("query");
        Readiness::Pending
    }
    fn disarm(&self, _: WakerId) {
        self.check("disarm");
    }
    fn commit(&self) -> Commit {
        self.check("commit");
        Commit::Taken
    }
    fn route(&self) -> Route<'_> {
        self.check("route");
        Route::Source
    }
}

#[test]
fn a_source_that_panics_fails_its_scope_alone() {
    for_each_size(|executor| {
        let beside = executor.scope("beside");
        let calm = single(|_| ());
        for panics_in in ["arm", "query", "commit", "route"] {
            let source = Arc::new(Broken { panics_in, kept: Mutex::default() });
            for in_group in [false, true] {
                let mut builder = GraphBuilder::new();
                let scope = executor.scope(panics_in);
                match in_group {
                    false => builder.wait(source.clone()),
                    true => builder.wait(raddle_wait::all![Arc::new(Immediate), source.clone()]),
                };
                let error = executor.run(&builder.build().unwrap(), &scope).unwrap_err();
                assert_eq!(error.code(), Code::Unknown);
                assert!(error.to_string().contains(&format!("broken in {panics_in}")), "{error}");
                executor.run(&calm, &beside).unwrap();
            }
        }
        // What it thinks of being given up is nobody's business.
        let mut builder = GraphBuilder::new();
        let source = Arc::new(Broken { panics_in: "disarm", kept: Mutex::default() });
        builder.wait(raddle_wait::any![Arc::new(Manual::default()), source]);
        executor.run(&builder.build().unwrap(), &executor.scope("disarm")).unwrap();
    });
}

#[test]
fn panics_in_tasks_and_callbacks_are_statuses() {
    for_each_size(|executor| {
        let mut in_task = GraphBuilder::new();
        in_task.call(|_| -> () { panic!("in a call") });
        let mut in_tile = GraphBuilder::new();
        in_tile.dispatch([4, 1, 1], |cx| assert!(cx.tile[0] != 2, "in a tile"));
        let mut in_extents = GraphBuilder::new();
        in_extents.dispatch_indirect(|_| panic!("in extents"), |_| ());
        let mut in_cleanup = GraphBuilder::new();
        let task = in_cleanup.barrier();
        in_cleanup.cleanup(task, |_| panic!("in a cleanup"));
        let cases = [
            (in_task, "panicked: in a call"),
            (in_tile, "panicked: in a tile"),
            (in_extents, "panicked: in extents"),
            (in_cleanup, "panicked: in a cleanup"),
        ];
        for (builder, text) in cases {
            let scope = executor.scope(text);
            let error = executor.run(&builder.build().unwrap(), &scope).unwrap_err();
            assert_eq!((error.code(), error.message()), (Code::Unknown, text));
            assert_eq!(scope.failure().unwrap().message(), text);
        }
        // An idle callback: its scope fails, other callbacks are called.
        let scope = executor.scope("idle");
        let start = Arc::new(Event::manual());
        let mut builder = GraphBuilder::new();
        builder.wait(start.clone());
        let run = executor.submit(&builder.build().unwrap(), &scope).unwrap();
        let called = Arc::new(AtomicUsize::new(0));
        for at in 0..3 {
            let called = called.clone();
            scope.on_idle(move || {
                called.fetch_add(1, Relaxed);
                assert!(at != 1, "in an idle callback");
            });
        }
        start.set();
        run.wait().unwrap();
        assert_eq!(called.load(Relaxed), 3);
        assert_eq!(scope.failure().unwrap().message(), "panicked: in an idle callback");
        // The same where nothing is left to wait for: it is called at once, on this thread.
        let scope = executor.scope("at once");
        scope.on_idle(|| panic!("at once"));
        assert_eq!(scope.failure().unwrap().message(), "panicked: at once");
        executor.run(&single(|_| ()), &executor.scope("beside")).unwrap();
    });
}

#[test]
fn hooks_that_panic_harm_nobody() {
    let builder = Executor::builder().workers(2).on_start(|_| panic!("at the start"));
    let executor = builder.on_stop(|_| panic!("at the stop")).build().unwrap();
    executor.run(&single(|_| ()), &executor.scope("calm")).unwrap();
    let report = executor.shutdown(later(&executor)).unwrap();
    assert_eq!((report.leaked, report.threads_left), (vec![], 0));
}

struct PanickingWaker(AtomicUsize);

impl Wake for PanickingWaker {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
        panic!("in a waker");
    }
}

#[test]
fn a_waker_that_panics_harms_nobody() {
    for workers in [1, 2] {
        let executor = executor(workers);
        let waker = Arc::new(PanickingWaker(AtomicUsize::new(0)));
        let context_waker = Waker::from(waker.clone());
        let mut context = Context::from_waker(&context_waker);
        let (soon, event) = (after(executor.now(), Duration::from_millis(1)), Arc::new(Event::manual()));
        let mut timed = Box::pin(Waiting::on(executor.slots(), executor.stage(), event.clone(), soon));
        let mut signalled = Box::pin(Waiting::new(executor.slots(), event.clone()));
        assert!(timed.as_mut().poll(&mut context).is_pending());
        assert!(signalled.as_mut().poll(&mut context).is_pending());
        // The worker that the timer wakes calls the waker, and lives on.
        let mut builder = GraphBuilder::new();
        builder.delay(Duration::from_millis(3));
        executor.run(&builder.build().unwrap(), &executor.scope("beside")).unwrap();
        event.set();
        assert_eq!(waker.0.load(Relaxed), 2);
        let ended = timed.as_mut().poll(&mut context);
        assert!(matches!(ended, Poll::Ready(Err(error)) if error.is_deadline_exceeded()));
        assert!(matches!(signalled.as_mut().poll(&mut context), Poll::Ready(Ok(0))));
        let report = executor.shutdown(later(&executor)).unwrap();
        assert_eq!(report.threads_left, 0);
    }
}

#[test]
fn sources_that_fire_twice_late_or_after_the_end() {
    for_each_size(|executor| {
        let source = Arc::new(Manual::default());
        let ran = Arc::new(AtomicUsize::new(0));
        let mut builder = GraphBuilder::new();
        let wait = builder.wait(source.clone());
        let after = {
            let ran = ran.clone();
            builder.call(move |_| {
                ran.fetch_add(1, Relaxed);
            })
        };
        builder.edge(wait, after).unwrap();
        let graph = builder.build().unwrap();
        let scope = executor.scope("twice");
        for round in 1..=20 {
            let run = executor.submit(&graph, &scope).unwrap();
            // Old wakers are called again and again; the wait hears the new one, once.
            let mut counted = 0;
            while !run.is_done() {
                counted += source.wake_all();
                counted += source.wake_all();
                if executor.worker_count() == 0 {
                    executor.turn(TurnBudget::default()).unwrap();
                }
            }
            run.wait().unwrap();
            assert_eq!((counted, ran.load(Relaxed)), (1, round));
        }
        // Never: the scope's end is the wait's.
        let run = executor.submit(&graph, &scope).unwrap();
        scope.cancel();
        assert_eq!(code_of(&run), Code::Cancelled);
        assert_eq!(source.wake_all(), 0);
        assert_eq!(ran.load(Relaxed), 20);
    });
    // The executor is gone; its sources don't know.
    for workers in [0, 2] {
        let source = Arc::new(Manual::default());
        let executor = executor(workers);
        let mut builder = GraphBuilder::new();
        builder.wait(source.clone());
        let scope = executor.scope("gone");
        let run = executor.submit(&builder.build().unwrap(), &scope).unwrap();
        drop(executor);
        assert_eq!(code_of(&run), Code::Cancelled);
        drop((run, scope));
        assert_eq!(source.wake_all(), 0);
    }
}

/// Ready from inside `arm`, in one of several ways.
struct Eager(u32);

impl WaitSource for Eager {
    fn arm(&self, waker: SourceWaker) {
        match self.0 {
            0 => assert!(waker.wake()),
            1 => assert!(waker.wake() && !waker.wake() && !waker.fail(Code::DataLoss)),
            2 => std::thread::spawn(move || assert!(waker.wake() && !waker.wake())).join().unwrap(),
            _ => assert!(waker.fail(Code::DataLoss)),
        }
    }
}

#[test]
fn sources_that_fire_from_inside_arm() {
    for_each_size(|executor| {
        for way in 0..4 {
            let mut builder = GraphBuilder::new();
            builder.wait(Arc::new(Eager(way)));
            builder.wait(raddle_wait::any![Arc::new(Eager(way)), Arc::new(Event::manual())]);
            builder.wait(raddle_wait::all![Arc::new(Eager(way)), Arc::new(Eager(way))]);
            let result = executor.run(&builder.build().unwrap(), &executor.scope("eager"));
            assert_eq!(result.err().map(|error| error.code()), (way == 3).then_some(Code::DataLoss));
        }
    });
}

#[test]
fn a_failing_source_keeps_its_message() {
    for_each_size(|executor| {
        let semaphore = Arc::new(Semaphore::new(0));
        let mut builder = GraphBuilder::new();
        builder.wait(semaphore.at(1));
        let scope = executor.scope("fails");
        let run = executor.submit(&builder.build().unwrap(), &scope).unwrap();
        assert!(semaphore.fail(Error::new(Code::DataLoss, "disk on fire")));
        assert_eq!(run.wait().unwrap_err().to_string(), "DATA_LOSS: disk on fire; in wait task 0");
    });
}
