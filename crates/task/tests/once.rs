//! Spawned functions, callbacks, futures in both directions, deadlines and how a request to stop comes out.

mod support;

use raddle_status::{Code, Error};
use raddle_task::*;
use raddle_wait::*;
use std::future::IntoFuture;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering::*};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use support::*;

/// Runs a future on this thread; a host-driven executor is turned meanwhile.
fn block_on<F: Future>(executor: &Executor, future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        match executor.worker_count() {
            0 => drop(executor.turn(TurnBudget::default()).unwrap()),
            _ => std::thread::park(),
        }
    }
}

#[test]
fn a_spawned_function_is_called_once_with_what_it_owns() {
    for_each_size(|executor| {
        let scope = executor.scope("spawn");
        let (sent, received) = mpsc::channel();
        let runs: Vec<_> = (0..1000)
            .map(|at| {
                let sent = sent.clone();
                let priority = [Priority::High, Priority::Normal, Priority::Low][at % 3];
                let options = SubmitOptions::default().priority(priority);
                scope.spawn_with(options, move |_| sent.send(at).unwrap()).unwrap()
            })
            .collect();
        for run in runs {
            run.wait().unwrap();
        }
        let mut seen: Vec<_> = received.try_iter().collect();
        seen.sort_unstable();
        assert_eq!(seen, Vec::from_iter(0..1000));
        // Nested work belongs to the function's run.
        let ran = Arc::new(AtomicUsize::new(0));
        let inner = {
            let ran = ran.clone();
            single(move |_| {
                ran.fetch_add(1, Relaxed);
            })
        };
        let outer = scope.spawn(move |cx| {
            for _ in 0..10 {
                drop(cx.submit(&inner)?);
            }
            Ok(())
        });
        outer.unwrap().wait().unwrap();
        assert_eq!(ran.load(Relaxed), 10);
    });
}

#[test]
fn a_spawned_function_fails_its_scope_and_is_dropped_in_a_failed_one() {
    for_each_size(|executor| {
        let scope = executor.scope("fails");
        let fails = scope.spawn(|_| Err::<(), _>(Error::new(Code::DataLoss, "bad block"))).unwrap();
        assert_eq!(code_of(&fails), Code::DataLoss);
        let owned = Arc::new(());
        let weak = Arc::downgrade(&owned);
        let run = scope.spawn(move |_| -> () { panic!("it must not run: {owned:?}") }).unwrap();
        assert_eq!(code_of(&run), Code::DataLoss);
        assert!(weak.upgrade().is_none());
        assert_eq!(run.cancel_outcome(), Some(CancelOutcome::NotStarted));
        // A drop that panics is a failure like any other.
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("in a drop");
            }
        }
        let bomb = Bomb;
        let run = scope
            .spawn(move |_| {
                let _owned = &bomb;
            })
            .unwrap();
        assert_eq!(code_of(&run), Code::Unknown);
    });
}

#[test]
fn callbacks_are_called_once_on_a_worker() {
    for_each_size(|executor| {
        let scope = executor.scope("callbacks");
        let event = Arc::new(Event::manual());
        let mut builder = GraphBuilder::new();
        builder.wait(event.clone());
        let graph = builder.build().unwrap();
        for round in 0..50 {
            event.reset();
            let run = executor.submit(&graph, &scope).unwrap();
            let results = Arc::new(Mutex::new(Vec::new()));
            let me = std::thread::current().id();
            let register = || {
                let results = results.clone();
                run.on_complete(move |result| {
                    results.lock().unwrap().push((result, std::thread::current().id()));
                })
                .unwrap();
            };
            // Before, during and after the end.
            register();
            std::thread::scope(|threads| {
                threads.spawn(|| event.set());
                register();
                if round % 2 == 0 {
                    threads.spawn(register);
                }
            });
            run.wait().unwrap();
            register();
            let expected = 3 + usize::from(round % 2 == 0);
            assert!(executor.worker_count() > 0 || results.lock().unwrap().len() < expected);
            scope.wait_idle(NEVER).unwrap();
            let results = results.lock().unwrap();
            assert_eq!(results.len(), expected);
            assert!(results.iter().all(|(result, _)| result.is_ok()));
            assert!(executor.worker_count() == 0 || results.iter().all(|(_, thread)| *thread != me));
        }
    });
}

#[test]
fn callbacks_survive_failure_cancellation_and_shutdown() {
    for_each_size(|executor| {
        let codes = Arc::new(Mutex::new(Vec::new()));
        let register = |run: &Run| {
            let codes = codes.clone();
            run.on_complete(move |result| codes.lock().unwrap().push(result.unwrap_err().code()))
        };
        let scope = executor.scope("fails");
        let fails = scope.spawn(|_| Err::<(), _>(Code::DataLoss.into())).unwrap();
        register(&fails).unwrap();
        let _ = scope.wait_idle(NEVER);
        // The scope has failed; a callback is still called.
        register(&fails).unwrap();
        let mut builder = GraphBuilder::new();
        builder.delay(LONG);
        let endless = builder.build().unwrap();
        let scope = executor.scope("ends");
        let run = executor.submit(&endless, &scope).unwrap();
        register(&run).unwrap();
        // A callback that panics fails its scope, and nothing else.
        let calm = executor.scope("panics");
        let run_that_is_well = calm.spawn(|_| ()).unwrap();
        run_that_is_well.on_complete(|_| panic!("in a callback")).unwrap();
        assert_eq!(calm.wait_idle(NEVER).unwrap_err().message(), "panicked: in a callback");
        run_that_is_well.wait().unwrap();
        let report = executor.shutdown(later(executor)).unwrap();
        assert!(report.leaked.is_empty(), "{report:?}");
        assert_eq!(*codes.lock().unwrap(), [Code::DataLoss, Code::DataLoss, Code::Cancelled]);
        assert_eq!(register(&run).unwrap_err().code(), Code::FailedPrecondition);
    });
}

#[test]
fn a_run_is_a_future() {
    fn check_is_send<T: Send>(_: &T) {}
    for_each_size(|executor| {
        let scope = executor.scope("future");
        let mut builder = GraphBuilder::new();
        builder.delay(Duration::from_millis(1));
        let graph = builder.build().unwrap();
        for _ in 0..10 {
            let future = executor.submit(&graph, &scope).unwrap().into_future();
            check_is_send(&future);
            block_on(executor, future).unwrap();
        }
        let both = async {
            let first = executor.submit(&graph, &scope)?;
            let second = scope.spawn(|_| Err::<(), _>(Code::DataLoss.into()))?;
            first.await.and(second.await)
        };
        assert_eq!(block_on(executor, both).unwrap_err().code(), Code::DataLoss);
        // A future that is dropped is no longer woken; the run goes on.
        let run = executor.submit(&graph, &executor.scope("dropped")).unwrap();
        let done = run.done();
        let mut future = run.into_future();
        assert!(pin!(&mut future).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(future);
        block_on(executor, executor.wait_for(done, NEVER)).unwrap();
    });
}

#[test]
fn wait_for_is_a_future_on_the_stage() {
    for_each_size(|executor| {
        let soon = raddle_wait::after(executor.now(), Duration::from_millis(1));
        let never = Arc::new(Event::manual());
        let error = block_on(executor, executor.wait_for(never.clone(), soon)).unwrap_err();
        assert_eq!(error.code(), Code::DeadlineExceeded);
        let condition = raddle_wait::any![never.clone(), Arc::new(Until(soon))];
        assert_eq!(block_on(executor, executor.wait_for(condition, NEVER)).unwrap(), 1);
        let (reader, mut writer) = std::io::pipe().unwrap();
        let readable = Arc::new(Descriptor::new(reader).readable());
        let mut wait = pin!(executor.wait_for(readable, later(executor)));
        assert!(wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        std::io::Write::write_all(&mut writer, b"x").unwrap();
        block_on(executor, wait).unwrap();
        // Dropping ends the wait at once.
        let mut wait = Box::pin(executor.wait_for(Arc::new(Until(later(executor))), later(executor)));
        assert!(wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(executor.stage().outstanding(), 1);
        drop(wait);
        assert_eq!(executor.stage().outstanding(), 0);
        // The end of the executor is the end of its waits.
        let ending = async {
            let mut wait = pin!(executor.wait_for(never, NEVER));
            assert!(pin!(wait.as_mut()).poll(&mut Context::from_waker(Waker::noop())).is_pending());
            executor.shutdown(later(executor)).unwrap();
            wait.await
        };
        assert_eq!(block_on(executor, ending).unwrap_err().code(), Code::Cancelled);
    });
}

#[test]
fn a_future_is_polled_by_the_executor() {
    for_each_size(|executor| {
        let host = executor.job_host();
        let scope = executor.scope("polls");
        let event = Arc::new(Event::auto());
        let sources: Vec<_> = (0..100)
            .map(|at| {
                let wait = Waiting::new(executor.slots(), event.clone());
                let next = event.clone();
                Arc::new(FutureSource::new(host.clone(), async move {
                    wait.await.unwrap();
                    next.set();
                    at
                }))
            })
            .collect();
        let mut builder = GraphBuilder::new();
        for source in &sources {
            builder.wait(source.clone());
        }
        let run = executor.submit(&builder.build().unwrap(), &scope).unwrap();
        event.set();
        run.wait().unwrap();
        let sum: usize = sources.iter().map(|source| source.take_output().unwrap()).sum();
        assert_eq!(sum, 99 * 50);
    });
}

#[test]
fn jobs_run_although_the_executor_ends() {
    for workers in [0, 1, 3] {
        for _ in 0..20 {
            let executor = executor(workers);
            let host = executor.job_host();
            let polled = Arc::new(AtomicUsize::new(0));
            let start = || {
                let polled = polled.clone();
                let source = FutureSource::new(host.clone(), async move {
                    polled.fetch_add(1, Relaxed);
                    panic!("a future that panics is a source that fails");
                });
                source.start();
                source
            };
            let before: Vec<_> = (0..100).map(|_| start()).collect();
            let during = std::thread::scope(|threads| {
                let racing = threads.spawn(|| (0..100).map(|_| start()).collect::<Vec<_>>());
                let report = executor.shutdown(later(&executor)).unwrap();
                assert_eq!(report.threads_left, 0);
                racing.join().unwrap()
            });
            let late = start();
            for source in before.iter().chain(&during).chain([&late]) {
                // A host that is gone leaves what it was never turned for.
                assert!(matches!(source.query(), Readiness::Failed(_)), "{source:?}");
            }
            assert_eq!(polled.load(Relaxed), 201);
        }
    }
}

#[test]
fn a_deadline_covers_running_and_waiting() {
    for_each_size(|executor| {
        let mut builder = GraphBuilder::new();
        let ran = Arc::new(AtomicUsize::new(0));
        let wait = {
            let ran = ran.clone();
            let first = builder.call(move |_| {
                ran.fetch_add(1, Relaxed);
            });
            let wait = builder.wait(Arc::new(Event::manual()));
            builder.edge(first, wait).unwrap();
            wait
        };
        let last = builder.call(|_| -> () { panic!("it must not run") });
        builder.edge(wait, last).unwrap();
        let graph = builder.build().unwrap();
        let submit = |deadline| {
            let scope = executor.scope("deadline");
            let options = SubmitOptions::default().deadline(deadline);
            (executor.submit_with(&graph, &scope, options).unwrap(), scope)
        };
        for round in 1..=5 {
            let soon = raddle_wait::after(executor.now(), Duration::from_millis(5));
            let (run, scope) = submit(soon);
            assert_eq!(code_of(&run), Code::DeadlineExceeded);
            assert!(executor.now() >= soon);
            assert_eq!(run.cancel_outcome(), Some(CancelOutcome::WhileWaiting));
            assert_eq!(ran.load(Relaxed), round);
            // The deadline is the run's, not its scope's.
            assert!(scope.failure().is_none());
        }
        // In the past: nothing of it runs.
        for past in [0, executor.now()] {
            let (run, _) = submit(past);
            assert_eq!(code_of(&run), Code::DeadlineExceeded);
            assert_eq!(run.cancel_outcome(), Some(CancelOutcome::NotStarted));
        }
        assert_eq!(ran.load(Relaxed), 5);
        // A deadline that is not reached leaves nothing behind.
        let options = SubmitOptions::default().deadline(later(executor));
        let run = executor.submit_with(&single(|_| ()), &executor.scope("quick"), options).unwrap();
        run.wait().unwrap();
        assert_eq!(executor.stage().outstanding(), 0);
        // While it runs, it sees it.
        let soon = raddle_wait::after(executor.now(), Duration::from_millis(1));
        let scope = executor.scope("runs");
        let is_alone = executor.worker_count() <= 1;
        let spins = scope.spawn_with(SubmitOptions::default().deadline(soon), move |cx| {
            while !cx.is_cancelled() {
                std::hint::spin_loop();
                // With one worker nobody else looks at the clock.
                if is_alone {
                    break;
                }
            }
        });
        let run = spins.unwrap();
        run.wait().unwrap();
    });
}

#[test]
fn a_request_to_stop_has_a_definite_outcome() {
    for_each_size(|executor| {
        let gate = Arc::new(Event::manual());
        let mut builder = GraphBuilder::new();
        let (first, second) = (builder.call(|_| ()), builder.wait(gate.clone()));
        let third = builder.call(|_| ());
        builder.chain([first, second, third]).unwrap();
        let graph = builder.build().unwrap();
        let scope = executor.scope("outcomes");
        // Whatever happens first, the result and the outcome agree, and both stay.
        for round in 0..200 {
            gate.reset();
            let run = executor.submit(&graph, &scope).unwrap();
            let asked = std::thread::scope(|threads| {
                threads.spawn(|| (0..round % 20).for_each(|_| std::hint::spin_loop()));
                threads.spawn(|| gate.set());
                run.cancel()
            });
            let result = run.wait();
            let outcome = run.cancel_outcome().unwrap();
            match outcome {
                CancelOutcome::EndedBefore => assert!(!asked && result.is_ok()),
                CancelOutcome::TooLate => assert!(asked && result.is_ok()),
                CancelOutcome::NotStarted | CancelOutcome::WhileWaiting | CancelOutcome::BetweenTasks => {
                    assert_eq!((asked, result.unwrap_err().code()), (true, Code::Cancelled));
                }
            }
            assert!(!run.cancel());
            scope.wait_idle(NEVER).unwrap();
            assert_eq!(run.cancel_outcome(), Some(outcome));
        }
        assert!(scope.failure().is_none());
    });
}

#[test]
fn each_outcome_of_a_request_to_stop() {
    for workers in [1, 3] {
        let executor = executor(workers);
        let scope = executor.scope("outcomes");
        let never = Arc::new(Event::manual());
        let (entered, has_entered) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let released = Mutex::new(released);
        let mut builder = GraphBuilder::new();
        let first = builder.call(move |_| {
            entered.send(()).unwrap();
            released.lock().unwrap().recv().unwrap();
        });
        let alone = builder.build().unwrap();
        let run = executor.submit(&alone, &scope).unwrap();
        has_entered.recv().unwrap();
        // Behind it on the only worker.
        let behind = (workers == 1).then(|| scope.spawn(|_| ()).unwrap());
        assert!(run.cancel() && behind.as_ref().is_none_or(Run::cancel));
        release.send(()).unwrap();
        run.wait().unwrap();
        assert_eq!(run.cancel_outcome(), Some(CancelOutcome::TooLate));
        if let Some(behind) = behind {
            assert_eq!(code_of(&behind), Code::Cancelled);
            assert_eq!(behind.cancel_outcome(), Some(CancelOutcome::NotStarted));
        }
        let _ = first;
        let mut builder = GraphBuilder::new();
        builder.wait(never.clone());
        let run = executor.submit(&builder.build().unwrap(), &scope).unwrap();
        // Once something behind it has run, it waits.
        scope.spawn(|_| ()).unwrap().wait().unwrap();
        while executor.counts().waits_begun == 0 {
            std::thread::yield_now();
        }
        assert!(run.cancel());
        assert_eq!(code_of(&run), Code::Cancelled);
        assert_eq!(run.cancel_outcome(), Some(CancelOutcome::WhileWaiting));
        let (entered, has_entered) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let released = Mutex::new(released);
        let mut builder = GraphBuilder::new();
        let first = builder.call(move |_| {
            entered.send(()).unwrap();
            released.lock().unwrap().recv().unwrap();
        });
        let second = builder.call(|_| -> () { panic!("it must not run") });
        builder.edge(first, second).unwrap();
        let run = executor.submit(&builder.build().unwrap(), &scope).unwrap();
        has_entered.recv().unwrap();
        assert!(run.cancel());
        release.send(()).unwrap();
        assert_eq!(code_of(&run), Code::Cancelled);
        assert_eq!(run.cancel_outcome(), Some(CancelOutcome::BetweenTasks));
        let run = scope.spawn(|_| ()).unwrap();
        run.wait().unwrap();
        assert!(!run.cancel());
        assert_eq!(run.cancel_outcome(), Some(CancelOutcome::EndedBefore));
    }
}
