//! Threads of the host's that drive an executor or lend themselves to it, and each driver of the poller stage.

mod support;

use raddle_status::Code;
use raddle_task::*;
use raddle_wait::*;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use support::*;

/// Whether the executor's descriptor is readable now; or when it is, if it may take `LONG`.
fn is_readable(executor: &Executor, may_wait: bool) -> bool {
    let limit = if may_wait { LONG } else { Duration::ZERO };
    let timeout = Timespec { tv_sec: limit.as_secs() as i64, tv_nsec: 0 };
    let fd = executor.fd();
    let mut polled = [PollFd::new(&fd, PollFlags::IN)];
    poll(&mut polled, Some(&timeout)).unwrap() == 1
}

fn turn_all(executor: &Executor) -> u32 {
    let mut tasks = 0;
    loop {
        let turned = executor.turn(TurnBudget::default()).unwrap();
        tasks += turned.tasks;
        if !turned.is_more {
            return tasks;
        }
    }
}

#[test]
fn the_descriptor_is_readable_while_a_turn_would_do_something() {
    let executor = executor(0);
    let scope = executor.scope("host");
    turn_all(&executor);
    assert!(!is_readable(&executor, false) && executor.next_timeout().is_none(), "there is nothing to do");
    // A task.
    let run = scope.spawn(|_| ()).unwrap();
    assert!(is_readable(&executor, false));
    assert!(turn_all(&executor) > 0 && run.is_done());
    // A deadline.
    let mut builder = GraphBuilder::new();
    builder.delay(Duration::from_millis(20));
    let run = executor.submit(&builder.build().unwrap(), &scope).unwrap();
    turn_all(&executor);
    assert!(executor.next_timeout().is_some_and(|left| left <= Duration::from_millis(20)));
    assert!(is_readable(&executor, true), "the deadline has come");
    while !run.is_done() {
        assert!(is_readable(&executor, true));
        turn_all(&executor);
    }
    assert!(executor.next_timeout().is_none());
    // A descriptor, and an event that another thread sets.
    let (reader, mut writer) = std::io::pipe().unwrap();
    let (reader, event) = (Arc::new(Descriptor::new(reader)), Arc::new(Event::manual()));
    for signal in 0..2 {
        let mut builder = GraphBuilder::new();
        match signal {
            0 => builder.wait(Arc::new(reader.readable())),
            _ => builder.wait(event.clone()),
        };
        let run = executor.submit(&builder.build().unwrap(), &scope).unwrap();
        turn_all(&executor);
        assert!(!run.is_done());
        std::thread::scope(|threads| {
            threads.spawn(|| match signal {
                0 => writer.write_all(b"x").unwrap(),
                _ => event.set(),
            });
            while !run.is_done() {
                assert!(is_readable(&executor, true));
                turn_all(&executor);
            }
        });
    }
}

#[test]
fn a_budget_leaves_the_rest_for_the_next_turn() {
    let executor = executor(0);
    let scope = executor.scope("budget");
    let runs: Vec<_> = (0..5).map(|_| scope.spawn(|_| ()).unwrap()).collect();
    for done in 0..5 {
        assert_eq!(runs.iter().filter(|run| run.is_done()).count(), done);
        assert!(is_readable(&executor, false), "work is left");
        let turned = executor.turn(TurnBudget { tasks_max: 1 }).unwrap();
        assert_eq!((turned.tasks, turned.is_more), (1, true));
    }
    assert_eq!(turn_all(&executor), 0);
    assert!(!is_readable(&executor, false));
}

#[test]
fn a_turn_inside_a_turn_is_refused() {
    let executor = executor(0);
    let codes = Arc::new(Mutex::new(Vec::new()));
    let inside = {
        let (executor, codes) = (executor.clone(), codes.clone());
        single(move |_| {
            let turn = || executor.turn(TurnBudget::default()).unwrap_err().code();
            let donate = || executor.donate(NEVER).unwrap_err().code();
            // Another thread is refused for as long.
            let others = std::thread::scope(|threads| threads.spawn(|| [turn(), donate()]).join().unwrap());
            codes.lock().unwrap().extend([turn(), donate(), others[0], others[1]]);
        })
    };
    let run = executor.submit(&inside, &executor.scope("inside")).unwrap();
    turn_all(&executor);
    run.wait().unwrap();
    let expected = [Code::Unavailable, Code::FailedPrecondition, Code::Unavailable, Code::Unavailable];
    assert_eq!(*codes.lock().unwrap(), expected);
    let error = support::executor(1).turn(TurnBudget::default()).unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition);
}

#[test]
fn a_thread_that_lends_itself_runs_what_nobody_else_can() {
    for workers in [0, 1, 2] {
        let executor = executor(workers);
        let scope = executor.scope("lent");
        // Every worker is inside a task until we let it go.
        let (entered, has_entered) = mpsc::channel();
        let (gates, busy): (Vec<_>, Vec<_>) = (0..workers)
            .map(|_| {
                let (open, is_open) = mpsc::channel::<()>();
                let entered = entered.clone();
                let run = scope.spawn(move |_| {
                    entered.send(()).unwrap();
                    is_open.recv().unwrap();
                });
                (open, run.unwrap())
            })
            .unzip();
        busy.iter().for_each(|_| has_entered.recv().unwrap());
        let (me, count) = (std::thread::current().id(), Arc::new(AtomicUsize::new(0)));
        let mut builder = GraphBuilder::new();
        let (root, ready) = (builder.barrier(), Arc::new(Event::manual()));
        let wait = builder.wait(ready.clone());
        builder.edge(root, wait).unwrap();
        for _ in 0..200 {
            let count = count.clone();
            let call = builder.call(move |cx| {
                assert_eq!(std::thread::current().id(), me);
                assert!(cx.worker_index() >= workers, "a number beyond the workers'");
                count.fetch_add(1, Relaxed);
            });
            builder.edge(wait, call).unwrap();
        }
        let run = executor.submit(&builder.build().unwrap(), &scope).unwrap();
        assert_eq!(
            executor.donate(later(&executor)).unwrap().tasks,
            1,
            "it waits, and nobody sleeps for that"
        );
        ready.set();
        // A moment that has passed is enough for one task.
        let turned = executor.donate(0).unwrap();
        assert!(turned.tasks == 1 && turned.is_more, "{turned:?}");
        while !run.is_done() {
            let turned = executor.donate(later(&executor)).unwrap();
            assert!(turned.tasks > 0 && !turned.is_more, "{turned:?}");
        }
        assert_eq!(count.load(Relaxed), 200);
        assert_eq!(executor.donate(later(&executor)).unwrap(), Turned::default(), "there is nothing to do");
        gates.iter().for_each(|gate| gate.send(()).unwrap());
        busy.iter().for_each(|run| run.wait().unwrap());
    }
}

/// Keeps a thread of the executor inside a task until the sender is used, or dropped.
fn busy(scope: &Scope) -> (mpsc::Sender<()>, mpsc::Receiver<()>, Run) {
    let (entered, has_entered) = mpsc::channel();
    let (open, is_open) = mpsc::channel::<()>();
    let run = scope.spawn(move |_| {
        entered.send(()).unwrap();
        let _ = is_open.recv();
    });
    (open, has_entered, run.unwrap())
}

#[test]
fn a_thread_lends_itself_until_a_moment_although_work_never_ends() {
    for workers in [0, 1] {
        let executor = executor(workers);
        let gates: Vec<_> = (0..workers).map(|_| busy(&executor.scope("busy"))).collect();
        gates.iter().for_each(|(_, has_entered, _)| has_entered.recv().unwrap());
        let (scope, stop) = (executor.scope("endless"), Arc::new(AtomicBool::new(false)));
        // Each task is behind the one before it, and there is always a next one.
        fn next(scope: &Scope, stop: &Arc<AtomicBool>) {
            let (own, seen) = (scope.clone(), stop.clone());
            let submitted = scope.spawn(move |_| {
                if !seen.load(Relaxed) {
                    next(&own, &seen);
                }
            });
            drop(submitted.unwrap());
        }
        next(&scope, &stop);
        for _ in 0..3 {
            let until = after(executor.now(), Duration::from_micros(300));
            let turned = executor.donate(until).unwrap();
            assert!(turned.tasks > 0 && turned.is_more, "{turned:?}");
            assert!(executor.now() >= until);
        }
        stop.store(true, Relaxed);
        executor.donate(later(&executor)).unwrap();
        assert_eq!(scope.pending(), 0);
    }
}

#[test]
fn more_threads_than_there_are_places_for_are_refused() {
    let executor = executor(1);
    let scope = executor.scope("lent");
    let (open, has_entered, run) = busy(&scope);
    has_entered.recv().unwrap();
    std::thread::scope(|threads| {
        let mut lent = Vec::new();
        let refused = loop {
            if let Err(error) = executor.donate(NEVER) {
                break error;
            }
            assert!(lent.len() < 100, "nobody is refused");
            let (open, has_entered, run) = busy(&scope);
            threads.spawn(|| executor.donate(NEVER).unwrap());
            has_entered.recv().unwrap();
            lent.push((open, run));
        };
        assert_eq!(refused.code(), Code::ResourceExhausted);
        assert!(refused.message().contains(&format!("{} threads", lent.len())), "{refused}");
        lent.into_iter().for_each(|(open, run)| {
            open.send(()).unwrap();
            run.wait().unwrap();
        });
    });
    // They have left: there are places again.
    executor.donate(0).unwrap();
    open.send(()).unwrap();
    run.wait().unwrap();
}

#[test]
fn a_thread_lends_itself_to_one_run_and_leaves_it_in_its_wait() {
    let executor = executor(1);
    let scope = executor.scope("one");
    let (open, has_entered, worker) = busy(&scope);
    has_entered.recv().unwrap();
    let (event, here) = (Arc::new(Event::manual()), Arc::new(AtomicUsize::new(0)));
    let me = std::thread::current().id();
    let mut builder = GraphBuilder::new();
    let mut note = || {
        let here = here.clone();
        builder.call(move |_| _ = here.fetch_add(usize::from(std::thread::current().id() == me), Relaxed))
    };
    let (first, second, last) = (note(), note(), note());
    let wait = builder.wait(event.clone());
    builder.chain([first, second, wait, last]).unwrap();
    let run = scope.lend(&builder.build().unwrap()).unwrap();
    assert_eq!((here.load(Relaxed), run.is_done()), (2, false), "as far as the wait");
    event.set();
    open.send(()).unwrap();
    run.wait().unwrap();
    worker.wait().unwrap();
}

#[test]
fn a_worker_lends_itself_to_nobody() {
    let executor = executor(1);
    let own = executor.clone();
    let run = executor.scope("worker").spawn(move |_| own.donate(NEVER).map(drop)).unwrap();
    assert_eq!(code_of(&run), Code::FailedPrecondition);
}

/// Waits of every kind in a row, with a thread that signals them.
fn all_waits(executor: &Executor, run: impl Fn(&Run)) {
    let (reader, writer) = std::io::pipe().unwrap();
    let (event, semaphore) = (Arc::new(Event::auto()), Arc::new(Semaphore::new(0)));
    let mut builder = GraphBuilder::new();
    let tasks = [
        builder.wait(event.clone()),
        builder.wait(Arc::new(Descriptor::new(reader).readable())),
        builder.delay(Duration::from_micros(300)),
        builder.wait(Arc::new(semaphore.at(7))),
        builder.wait_timeout(Arc::new(Event::manual()), Duration::from_micros(300)),
    ];
    builder.chain(tasks).unwrap();
    let submitted = executor.submit(&builder.build().unwrap(), &executor.scope("all")).unwrap();
    std::thread::scope(|threads| {
        threads.spawn(|| {
            event.set();
            let mut writer = writer;
            writer.write_all(b"x").unwrap();
            semaphore.signal(7).unwrap();
        });
        run(&submitted);
    });
    assert_eq!(code_of(&submitted), Code::DeadlineExceeded);
}

#[test]
fn every_driver_fires_every_kind_of_wait() {
    for driver in [Driver::Workers, Driver::Thread, Driver::Host] {
        for workers in [0, 1, 2, 5] {
            let builder = Executor::builder().workers(workers).driver(driver);
            let Ok(executor) = builder.build() else {
                assert!(workers == 0 && driver != Driver::Host);
                continue;
            };
            for _ in 0..5 {
                all_waits(&executor, |run| match driver {
                    Driver::Host => {
                        while !run.is_done() {
                            assert!(is_readable(&executor, true) || run.is_done());
                            turn_all(&executor);
                        }
                    }
                    _ => assert!(run.wait().is_err()),
                });
                // A thread that waits drives it too.
                all_waits(&executor, |run| assert!(run.wait().is_err()));
            }
            executor.shutdown(NEVER).unwrap();
        }
    }
}
