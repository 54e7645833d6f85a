//! The end of an executor: what is refused, cancelled, leaked, and who notices.

use raddle_status::{Code, Error};
use raddle_task::*;
use raddle_wait::*;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

fn executor(workers: usize) -> Executor {
    Executor::builder().workers(workers).name("end").build().expect("an executor")
}

/// A moment that these tests never reach.
fn later(executor: &Executor) -> Moment {
    after(executor.now(), SOON)
}

/// One wait that nobody ends, of each kind, and a task behind them; `cleaned` counts cleanups.
fn endless(cleaned: &Arc<AtomicUsize>) -> Arc<Graph> {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let pipe = Descriptor::new(reader);
    let mut builder = GraphBuilder::new();
    let waits = [
        builder.wait(Arc::new(Event::manual())),
        builder.wait(Arc::new(pipe.readable())),
        builder.delay(SOON),
        builder.wait_timeout(Arc::new(Event::auto()), SOON),
    ];
    let last = builder.call(move |_| -> () { panic!("it must not run: {writer:?}") });
    for wait in waits {
        builder.edge(wait, last).unwrap();
    }
    for task in waits.into_iter().chain([last]) {
        let cleaned = cleaned.clone();
        builder.cleanup(task, move |_| {
            cleaned.fetch_add(1, Relaxed);
        });
    }
    builder.build().unwrap()
}

/// A graph of one task.
fn single<R: IntoResult>(f: impl Fn(&TaskCx<'_>) -> R + Send + Sync + 'static) -> Arc<Graph> {
    let mut builder = GraphBuilder::new();
    builder.call(f);
    builder.build().unwrap()
}

fn code_of(run: &Run) -> Code {
    run.wait().expect_err("the run was stopped").code()
}

#[test]
fn a_shutdown_cancels_what_waits_and_says_so() {
    for workers in [0, 1, 2, 5] {
        let executor = executor(workers);
        let cleaned = Arc::new(AtomicUsize::new(0));
        let graph = endless(&cleaned);
        let (quiet, busy) = (executor.scope("quiet"), executor.scope("busy"));
        executor.submit(&single(|_| ()), &quiet).unwrap().wait().unwrap();
        let runs: Vec<_> = (0..200).map(|_| executor.submit(&graph, &busy).unwrap()).collect();
        let report = executor.shutdown(later(&executor)).unwrap();
        assert_eq!((report.done, report.cancelled), (vec!["quiet".to_owned()], vec!["busy".to_owned()]));
        assert_eq!((report.leaked, report.threads_left), (vec![], 0));
        assert!(runs.iter().all(|run| run.is_done() && code_of(run) == Code::Cancelled));
        assert_eq!(cleaned.load(Relaxed), 5 * runs.len());
        for scope in [&quiet, &busy, &executor.scope("late")] {
            let refused = executor.submit(&graph, scope).unwrap_err();
            assert_eq!(refused.code(), Code::FailedPrecondition);
            assert!(refused.message().contains("shutting down"), "{refused}");
        }
        let again = executor.shutdown(later(&executor)).unwrap();
        assert!(again.leaked.is_empty() && again.threads_left == 0);
    }
}

#[test]
fn dropping_an_executor_ends_its_waits() {
    for workers in [0, 1, 2, 5] {
        for count in [1, 5000] {
            let executor = executor(workers);
            let cleaned = Arc::new(AtomicUsize::new(0));
            let (graph, scope) = (endless(&cleaned), executor.scope("dropped"));
            let runs: Vec<_> = (0..count).map(|_| executor.submit(&graph, &scope).unwrap()).collect();
            drop(executor);
            assert!(runs.iter().all(|run| run.is_done() && code_of(run) == Code::Cancelled));
            assert_eq!(cleaned.load(Relaxed), 5 * count);
            assert_eq!(scope.pending(), 0);
        }
    }
}

/// Puts the last handle of an executor into `place`, where something of the executor drops it.
fn give_away(executor: Executor, place: &Arc<Mutex<Option<Executor>>>) {
    *place.lock().unwrap() = Some(executor);
}

#[test]
fn the_last_handle_is_dropped_by_a_worker() {
    for workers in [1, 2, 5] {
        for _ in 0..20 {
            let executor = executor(workers);
            let cleaned = Arc::new(AtomicUsize::new(0));
            let (waits, here) = (executor.scope("waits"), executor.scope("here"));
            let graph = endless(&cleaned);
            let runs: Vec<_> = (0..300).map(|_| executor.submit(&graph, &waits).unwrap()).collect();
            let (place, start) = (Arc::new(Mutex::new(None)), Arc::new(Event::manual()));
            let mut builder = GraphBuilder::new();
            let wait = builder.wait(start.clone());
            let dropping = {
                let place = place.clone();
                builder.call(move |_| drop(place.lock().unwrap().take()))
            };
            builder.edge(wait, dropping).unwrap();
            let run = executor.submit(&builder.build().unwrap(), &here).unwrap();
            give_away(executor, &place);
            start.set();
            let _ = run.wait();
            assert!(place.lock().unwrap().is_none());
            assert!(runs.iter().all(|run| code_of(run) == Code::Cancelled));
            assert_eq!(waits.wait_idle(NEVER).unwrap_err().code(), Code::Cancelled);
            assert_eq!(cleaned.load(Relaxed), 5 * runs.len());
        }
    }
}

#[test]
fn the_last_handle_is_dropped_in_a_callback() {
    for workers in [1, 2] {
        for in_cleanup in [false, true] {
            let executor = executor(workers);
            let place = Arc::new(Mutex::new(None));
            let (done, is_done) = mpsc::channel();
            let dropping = {
                let place = place.clone();
                move || {
                    drop(place.lock().unwrap().take());
                    done.send(()).unwrap();
                }
            };
            let (scope, start) = (executor.scope("callback"), Arc::new(Event::manual()));
            let mut builder = GraphBuilder::new();
            let wait = builder.wait(start.clone());
            let mut on_idle = None;
            match in_cleanup {
                true => {
                    let dropping = Mutex::new(dropping);
                    builder.cleanup(wait, move |_| dropping.lock().unwrap()());
                }
                false => on_idle = Some(dropping),
            }
            let run = executor.submit(&builder.build().unwrap(), &scope).unwrap();
            if let Some(dropping) = on_idle {
                scope.on_idle(dropping);
            }
            give_away(executor, &place);
            start.set();
            is_done.recv().unwrap();
            // In the cleanup its own run is still there to be cancelled; nothing is left of it to discard.
            let _ = run.wait();
            assert_eq!(scope.pending(), 0);
        }
    }
}

#[test]
fn a_shutdown_inside_a_task_does_not_wait_for_itself() {
    for workers in [0, 1, 3] {
        let executor = executor(workers);
        let cleaned = Arc::new(AtomicUsize::new(0));
        let waits = executor.scope("waits");
        let waiting = executor.submit(&endless(&cleaned), &waits).unwrap();
        let reports = Arc::new(Mutex::new(Vec::new()));
        let graph = {
            let (executor, reports) = (executor.clone(), reports.clone());
            single(move |_| reports.lock().unwrap().push(executor.shutdown(NEVER).unwrap()))
        };
        let here = executor.scope("here");
        executor.submit(&graph, &here).unwrap().wait().unwrap();
        assert_eq!(code_of(&waiting), Code::Cancelled);
        let report = reports.lock().unwrap().pop().unwrap();
        assert!(report.leaked.contains(&("here".to_owned(), 1)), "{report:?}");
        // The graph holds a handle of its own executor.
        drop(graph);
        let report = executor.shutdown(later(&executor)).unwrap();
        assert_eq!((report.leaked, report.threads_left), (vec![], 0));
    }
}

#[test]
fn a_shutdown_while_others_submit_loses_no_run() {
    for round in 0..20 {
        let executor = executor(1 + round % 3);
        let (ran, accepted) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (started, has_started) = mpsc::channel();
        let leaf = {
            let ran = ran.clone();
            let mut builder = GraphBuilder::new();
            let task = builder.call(|_| ());
            builder.cleanup(task, move |_| {
                ran.fetch_add(1, Relaxed);
            });
            builder.build().unwrap()
        };
        let submitters: Vec<_> = (0..3)
            .map(|number| {
                let (executor, leaf, accepted) = (executor.clone(), leaf.clone(), accepted.clone());
                let started = started.clone();
                std::thread::spawn(move || {
                    for at in 0.. {
                        let scope = executor.scope(format!("{number}.{at}"));
                        match executor.submit(&leaf, &scope) {
                            Ok(run) => {
                                accepted.fetch_add(1, Relaxed);
                                if at % 16 == 0 {
                                    let _ = run.wait();
                                }
                            }
                            Err(error) => return assert_eq!(error.code(), Code::FailedPrecondition),
                        }
                        if at == 20 {
                            started.send(()).unwrap();
                        }
                    }
                })
            })
            .collect();
        // A task that submits until it is refused.
        let nested = {
            let (leaf, accepted) = (leaf.clone(), accepted.clone());
            single(move |cx| {
                while let Ok(run) = cx.submit(&leaf) {
                    accepted.fetch_add(1, Relaxed);
                    drop(run);
                }
            })
        };
        // Before the task that submits without end: what the others wait for would lie behind all of that.
        if round % 3 > 0 {
            (0..3).for_each(|_| has_started.recv().unwrap());
        }
        let scope = executor.scope("nested");
        let run = executor.submit(&nested, &scope).unwrap();
        let report = executor.shutdown(later(&executor)).unwrap();
        assert_eq!((report.leaked, report.threads_left), (vec![], 0));
        submitters.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(run.is_done());
        assert_eq!(ran.load(Relaxed), accepted.load(Relaxed));
    }
}

#[test]
fn a_thread_that_does_not_end_is_reported() {
    let executor = executor(2);
    let (release, released) = mpsc::channel::<()>();
    let (entered, has_entered) = mpsc::channel();
    let released = Mutex::new(released);
    let ended = Arc::new(AtomicBool::new(false));
    let graph = {
        let ended = ended.clone();
        single(move |_| {
            entered.send(()).unwrap();
            released.lock().unwrap().recv().unwrap();
            ended.store(true, Release);
        })
    };
    let scope = executor.scope("stuck");
    let run = executor.submit(&graph, &scope).unwrap();
    has_entered.recv().unwrap();
    let report = executor.shutdown(executor.now()).unwrap();
    assert_eq!(report.leaked, [("stuck".to_owned(), 1)]);
    // The other one may have left in time.
    assert!((1..=2).contains(&report.threads_left));
    assert!(!run.is_done());
    // Dropping does not wait a second time: the task still sleeps.
    drop(executor);
    assert!(!ended.load(Acquire));
    release.send(()).unwrap();
    // The task was running when the end came, and ran to its own.
    run.wait().unwrap_or_else(|error| assert_eq!(error.code(), Code::Cancelled));
    assert!(ended.load(Acquire));
}

#[test]
fn every_worker_inside_a_task_does_not_stop_the_clock() {
    let executor = executor(1);
    let (release, released) = mpsc::channel::<()>();
    let (entered, has_entered) = mpsc::channel();
    let released = Mutex::new(released);
    let graph = single(move |_| {
        entered.send(()).unwrap();
        released.lock().unwrap().recv().unwrap();
    });
    let scope = executor.scope("stuck");
    let run = executor.submit(&graph, &scope).unwrap();
    has_entered.recv().unwrap();
    let soon = after(executor.now(), Duration::from_millis(1));
    assert_eq!(run.wait_until(soon).unwrap_err().code(), Code::DeadlineExceeded);
    assert_eq!(scope.wait_idle(soon).unwrap_err().code(), Code::DeadlineExceeded);
    let report = executor.shutdown(soon).unwrap();
    assert_eq!((report.leaked.len(), report.threads_left), (1, 1));
    release.send(()).unwrap();
    let _ = run.wait();
}

#[test]
fn threads_stand_by_for_one_host() {
    for _ in 0..20 {
        let executor = executor(0);
        let mut builder = GraphBuilder::new();
        builder.delay(Duration::from_micros(300));
        let graph = builder.build().unwrap();
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    for _ in 0..10 {
                        let scope = executor.scope("shared");
                        executor.submit(&graph, &scope).unwrap().wait().unwrap();
                    }
                });
            }
        });
        drop(executor);
    }
}

#[test]
fn a_failed_scope_stays_failed_after_the_end() {
    let executor = executor(2);
    let scope = executor.scope("failed");
    let failing = single(|_| Err::<(), _>(Error::new(Code::DataLoss, "first")));
    let _ = executor.run(&failing, &scope);
    drop(executor);
    assert_eq!(scope.failure().unwrap().code(), Code::DataLoss);
    assert_eq!(scope.wait_idle(NEVER).unwrap_err().code(), Code::DataLoss);
}
