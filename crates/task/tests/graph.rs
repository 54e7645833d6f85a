//! Graphs: order, joins, ranges, waits, failures, reuse.

use raddle_status::{Code, Error};
use raddle_task::*;
use raddle_wait::*;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::*};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn executor(workers: usize) -> Executor {
    Executor::builder().workers(workers).name("test").build().expect("an executor")
}

/// Calls `check` with executors of 0, 1, 2 and 5 workers.
fn for_each_size(check: impl Fn(&Executor)) {
    for workers in [0, 1, 2, 5] {
        check(&executor(workers));
    }
}

#[test]
fn a_chain_runs_in_order() {
    for_each_size(|executor| {
        let mut builder = GraphBuilder::new();
        let at = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..1000)
            .map(|index| {
                let at = at.clone();
                builder.call(move |_| assert_eq!(at.fetch_add(1, Relaxed) % 1000, index))
            })
            .collect();
        builder.chain(tasks).unwrap();
        let graph = builder.build().unwrap();
        let scope = executor.scope("chain");
        for _ in 0..10 {
            executor.submit(&graph, &scope).unwrap().wait().unwrap();
            executor.run(&graph, &scope).unwrap();
        }
        assert_eq!(at.load(Relaxed), 20_000);
    });
}

#[test]
fn a_fan_out_joins_once() {
    for_each_size(|executor| {
        for count in [1, 3, 64, 65, 1000, 100_000] {
            let mut builder = GraphBuilder::new();
            let (ran, joined) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let root = builder.barrier();
            let middle: Vec<_> = (0..count)
                .map(|_| {
                    let ran = ran.clone();
                    builder.call(move |_| {
                        ran.fetch_add(1, Relaxed);
                    })
                })
                .collect();
            let join = {
                let (ran, joined) = (ran.clone(), joined.clone());
                builder.call(move |_| {
                    assert_eq!(ran.load(Relaxed) % count, 0);
                    joined.fetch_add(1, Relaxed);
                })
            };
            for task in middle {
                builder.edge(root, task).unwrap();
                builder.edge(task, join).unwrap();
            }
            let graph = builder.build().unwrap();
            let scope = executor.scope("fan");
            for _ in 0..5 {
                executor.submit(&graph, &scope).unwrap().wait().unwrap();
            }
            assert_eq!((ran.load(Relaxed), joined.load(Relaxed)), (5 * count, 5));
        }
    });
}

#[test]
fn a_wait_in_the_middle_parks_nobody() {
    for_each_size(|executor| {
        let event = Arc::new(Event::manual());
        let mut builder = GraphBuilder::new();
        let wait = builder.wait(event.clone());
        let after = builder.call(|_| ());
        let delay = builder.delay(Duration::from_millis(2));
        builder.chain([wait, after, delay]).unwrap();
        let graph = builder.build().unwrap();
        let scope = executor.scope("wait");
        for _ in 0..20 {
            event.reset();
            let run = executor.submit(&graph, &scope).unwrap();
            let setter = {
                let event = event.clone();
                std::thread::spawn(move || event.set())
            };
            run.wait().unwrap();
            setter.join().unwrap();
        }
        scope.wait_idle(NEVER).unwrap();
        assert_eq!(scope.pending(), 0);
    });
}

#[test]
fn runs_of_one_graph_go_their_own_ways() {
    for_each_size(|executor| {
        let permits = Arc::new(Permits::new(0));
        let ran = Arc::new(AtomicUsize::new(0));
        let mut builder = GraphBuilder::new();
        let wait = builder.wait(permits.clone());
        let own = ran.clone();
        let after = builder.call(move |_| _ = own.fetch_add(1, Relaxed));
        builder.edge(wait, after).unwrap();
        let graph = builder.build().unwrap();
        let scope = executor.scope("runs");
        let runs: Vec<_> = (0..10).map(|_| executor.submit(&graph, &scope).unwrap()).collect();
        // Ten waits on one source: a permit lets one of the runs go on, a request stops one.
        assert!(runs[0].cancel());
        assert_eq!(runs[0].wait().unwrap_err().code(), Code::Cancelled);
        for released in 1..10 {
            assert_eq!(ran.load(Relaxed), released - 1);
            permits.release(1);
            while runs.iter().filter(|run| run.is_done()).count() == released {
                match executor.worker_count() {
                    0 => drop(executor.turn(TurnBudget::default()).unwrap()),
                    _ => std::thread::yield_now(),
                }
            }
        }
        assert!(runs[1..].iter().all(|run| run.wait().is_ok()));
        assert_eq!((ran.load(Relaxed), permits.available()), (9, 0));
    });
}

#[test]
fn a_scope_tells_when_it_is_idle() {
    for_each_size(|executor| {
        let (scope, event) = (executor.scope("busy"), Arc::new(Event::manual()));
        let told = Arc::new(AtomicUsize::new(0));
        let tell = || {
            let told = told.clone();
            scope.on_idle(move || _ = told.fetch_add(1, Relaxed));
        };
        // There is nothing in it: at once, on this thread.
        tell();
        assert_eq!(told.load(Relaxed), 1);
        let mut builder = GraphBuilder::new();
        builder.wait(event.clone());
        let graph = builder.build().unwrap();
        let runs = [(); 3].map(|()| executor.submit(&graph, &scope).unwrap());
        tell();
        // The end of a scope is a source like any other.
        let mut builder = GraphBuilder::new();
        builder.wait(scope.idle());
        let watches = executor.submit(&builder.build().unwrap(), &executor.scope("watches")).unwrap();
        runs[0].cancel();
        assert!(runs[0].wait().is_err());
        assert!(!watches.is_done() && told.load(Relaxed) == 1, "two runs are left");
        event.set();
        scope.wait_idle(NEVER).unwrap();
        watches.wait().unwrap();
        assert_eq!(scope.pending(), 0);
        // Callbacks are called on the way to a run's end.
        assert!(runs[1..].iter().all(|run| run.wait().is_ok()));
        assert_eq!(told.load(Relaxed), 2);
    });
}

#[test]
fn the_first_failure_discards_the_rest_and_cleans_up_once() {
    for_each_size(|executor| {
        let mut builder = GraphBuilder::new();
        let cleaned = Arc::new(AtomicUsize::new(0));
        let aborted = Arc::new(AtomicUsize::new(0));
        let fails = builder.call(|_| Err::<(), _>(Error::new(Code::DataLoss, "bad block")));
        let never = builder.call(|_| -> () { panic!("it must not run") });
        let wait = builder.wait(Arc::new(Event::manual()));
        builder.chain([fails, never, wait]).unwrap();
        for task in [fails, never, wait] {
            let (cleaned, aborted) = (cleaned.clone(), aborted.clone());
            builder.cleanup(task, move |result| {
                cleaned.fetch_add(1, Relaxed);
                aborted.fetch_add(usize::from(result.is_err()), Relaxed);
            });
        }
        let graph = builder.build().unwrap();
        let scope = executor.scope("fails");
        let run = executor.submit(&graph, &scope).unwrap();
        let error = run.wait().unwrap_err();
        assert_eq!(error.code(), Code::DataLoss);
        assert_eq!(error.to_string(), "DATA_LOSS: bad block; in task 0");
        assert_eq!((cleaned.load(Relaxed), aborted.load(Relaxed)), (3, 2));
        assert_eq!(scope.failure().unwrap().code(), Code::DataLoss);
    });
}

#[test]
fn a_failure_from_outside_ends_a_scope() {
    for_each_size(|executor| {
        let (scope, cleaned) = (executor.scope("fails"), Arc::new(AtomicUsize::new(0)));
        let mut builder = GraphBuilder::new();
        let wait = builder.wait(Arc::new(Event::manual()));
        let behind = builder.call(|_| -> () { panic!("it must not run") });
        builder.edge(wait, behind).unwrap();
        for task in [wait, behind] {
            let cleaned = cleaned.clone();
            builder.cleanup(task, move |result| _ = cleaned.fetch_add(usize::from(result.is_err()), Relaxed));
        }
        let run = executor.submit(&builder.build().unwrap(), &scope).unwrap();
        // A task that runs can see it.
        let busy = (executor.worker_count() > 0).then(|| {
            let run = scope.spawn(|cx| {
                while !cx.stop_flag().load(Relaxed) {
                    std::thread::yield_now();
                }
                assert!(cx.is_cancelled());
            });
            run.unwrap()
        });
        assert!(scope.fail(Error::new(Code::DataLoss, "the lid is open")));
        assert!(!scope.fail(Error::new(Code::Aborted, "later")) && !scope.cancel());
        assert_eq!(run.wait().unwrap_err().message(), "the lid is open");
        assert_eq!(scope.wait_idle(NEVER).unwrap_err().message(), "the lid is open");
        assert!(busy.is_none_or(|run| run.is_done()));
        assert_eq!(cleaned.load(Relaxed), 2);
    });
}

#[test]
fn a_task_that_is_called_once_fails_a_second_run() {
    for_each_size(|executor| {
        let (sent, received) = std::sync::mpsc::channel();
        let only = vec![1, 2, 3];
        let mut builder = GraphBuilder::new();
        builder.call_once(move |_| sent.send(only).unwrap());
        let graph = builder.build().unwrap();
        executor.run(&graph, &executor.scope("first")).unwrap();
        let error = executor.run(&graph, &executor.scope("second")).unwrap_err();
        assert_eq!(error.code(), Code::FailedPrecondition);
        assert!(error.message().contains("a second time"), "{error}");
        assert_eq!(received.try_iter().collect::<Vec<_>>(), [[1, 2, 3]]);
    });
}

#[test]
fn a_panic_is_a_status() {
    for_each_size(|executor| {
        let mut builder = GraphBuilder::new();
        builder.call(|_| -> () { panic!("out of cheese") });
        let graph = builder.build().unwrap();
        let error = executor.run(&graph, &executor.scope("panic")).unwrap_err();
        assert_eq!(error.to_string(), "UNKNOWN: panicked: out of cheese; in task 0");
    });
}

#[test]
fn nested_work_completes_before_its_task() {
    for_each_size(|executor| {
        let count = Arc::new(AtomicUsize::new(0));
        let inner = {
            let mut builder = GraphBuilder::new();
            let count = count.clone();
            let call = builder.call(move |_| {
                count.fetch_add(1, Relaxed);
            });
            let delay = builder.delay(Duration::from_millis(1));
            builder.edge(delay, call).unwrap();
            builder.build().unwrap()
        };
        let mut builder = GraphBuilder::new();
        let outer = builder.call(move |cx| {
            for _ in 0..3 {
                drop(cx.submit(&inner)?);
            }
            Ok(())
        });
        let seen = Arc::new(AtomicUsize::new(0));
        let after = {
            let (count, seen) = (count.clone(), seen.clone());
            builder.call(move |_| seen.store(count.load(Relaxed), Relaxed))
        };
        builder.edge(outer, after).unwrap();
        let graph = builder.build().unwrap();
        for round in 1..=5 {
            executor.run(&graph, &executor.scope("nested")).unwrap();
            assert_eq!(seen.load(Relaxed), 3 * round);
        }
    });
}

#[test]
fn a_dispatch_runs_every_tile_once() {
    for_each_size(|executor| {
        let tiles: Arc<Vec<AtomicUsize>> = Arc::new((0..7 * 5 * 3).map(|_| AtomicUsize::new(0)).collect());
        let mut builder = GraphBuilder::new();
        {
            let tiles = tiles.clone();
            builder.dispatch([7, 5, 3], move |cx| {
                let [x, y, z] = cx.tile;
                tiles[(x + 7 * (y + 5 * z)) as usize].fetch_add(1, Relaxed);
            });
        }
        builder.dispatch([0, 5, 3], |_| -> () { panic!("a grid without tiles") });
        let graph = builder.build().unwrap();
        for round in 1..50 {
            executor.run(&graph, &executor.scope("dispatch")).unwrap();
            assert!(tiles.iter().all(|tile| tile.load(Relaxed) == round));
        }
    });
}

#[test]
fn an_indirect_dispatch_has_as_many_tiles_as_its_extents_say_when_it_is_ready() {
    for_each_size(|executor| {
        let (width, tiles) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut builder = GraphBuilder::new();
        let own = width.clone();
        let computes = builder.call(move |_| _ = own.fetch_add(3, Relaxed));
        let (own, count) = (width.clone(), tiles.clone());
        let dispatch = builder.dispatch_indirect(
            move |cx| {
                assert_eq!(cx.task(), 1);
                [own.load(Relaxed), 2, 1]
            },
            move |cx| {
                assert!(cx.tile[0] < cx.grid[0] && cx.tile[1] < 2 && cx.tile[2] == 0);
                count.fetch_add(1, Relaxed);
            },
        );
        let (sum, own) = (Arc::new(AtomicUsize::new(0)), tiles.clone());
        let seen = sum.clone();
        let after = builder.call(move |_| seen.store(own.swap(0, Relaxed), Relaxed));
        builder.chain([computes, dispatch, after]).unwrap();
        let graph = builder.build().unwrap();
        for round in 1..20 {
            executor.submit(&graph, &executor.scope("indirect")).unwrap().wait().unwrap();
            assert_eq!(sum.load(Relaxed), 2 * 3 * round, "every tile has ended before what is after them");
        }
    });
}

#[test]
fn a_fence_signals_when_everything_before_it_has_completed() {
    for_each_size(|executor| {
        let (event, semaphore) = (Arc::new(Event::manual()), Arc::new(Semaphore::new(0)));
        let (before, late) = (Arc::new(AtomicUsize::new(0)), Arc::new(Event::manual()));
        let mut builder = GraphBuilder::new();
        let fences = [builder.signal(event.clone()), builder.signal_semaphore(semaphore.clone(), 7)];
        let wait = builder.wait(late.clone());
        for _ in 0..10 {
            let before = before.clone();
            let call = builder.call(move |_| _ = before.fetch_add(1, Relaxed));
            fences.iter().for_each(|fence| builder.edge(call, *fence).unwrap());
        }
        fences.iter().for_each(|fence| builder.edge(wait, *fence).unwrap());
        let signals = builder.build().unwrap();
        // Another run waits for both, on no thread.
        let seen = before.clone();
        let mut builder = GraphBuilder::new();
        let wait = builder.wait(all![event.clone(), semaphore.at(7)]);
        let after = builder.call(move |_| assert_eq!(seen.load(Relaxed), 10));
        builder.edge(wait, after).unwrap();
        let waits = executor.submit(&builder.build().unwrap(), &executor.scope("waits")).unwrap();
        let run = executor.submit(&signals, &executor.scope("signals")).unwrap();
        assert!(!event.is_set() && semaphore.value().unwrap() < 7, "a predecessor of the fences waits");
        late.set();
        run.wait().unwrap();
        assert!(event.is_set() && semaphore.value().unwrap() == 7);
        waits.wait().unwrap();
        // A fence that can't signal fails its scope: the value does not grow.
        let error = executor.submit(&signals, &executor.scope("again")).unwrap().wait().unwrap_err();
        assert!(error.to_string().contains("in task 1"), "{error}");
    });
}

#[test]
fn a_task_knows_which_source_ended_the_wait_before_it() {
    for_each_size(|executor| {
        let events: Vec<_> = (0..3).map(|_| Arc::new(Event::auto())).collect();
        let choices = events.iter().zip(["left", "middle", "right"]);
        let select = choices.fold(Select::new(), |select, (event, name)| select.or(event.clone(), name));
        let mut builder = GraphBuilder::new();
        let wait = builder.wait(select.condition());
        let heard = Arc::new(Mutex::new(None));
        let own = heard.clone();
        let after = builder.call(move |cx| {
            let index = cx.fired(wait);
            *own.lock().unwrap() = index.and_then(|index| select.value(index).copied());
            assert_eq!(cx.fired(wait), index);
        });
        builder.edge(wait, after).unwrap();
        let (delay, call) = (builder.delay(Duration::ZERO), builder.barrier());
        let last = builder.call(move |cx| assert_eq!((cx.fired(delay), cx.fired(call)), (None, None)));
        builder.chain([delay, call, last]).unwrap();
        let graph = builder.build().unwrap();
        for (index, name) in [(1, "middle"), (2, "right"), (0, "left"), (1, "middle")] {
            let run = executor.submit(&graph, &executor.scope("select")).unwrap();
            events[index].set();
            run.wait().unwrap();
            assert_eq!(heard.lock().unwrap().take(), Some(name));
        }
    });
}

#[test]
fn the_first_tile_that_fails_names_itself_and_the_others_stop() {
    for_each_size(|executor| {
        for fails_by_panic in [false, true] {
            let ran = Arc::new(AtomicUsize::new(0));
            let mut builder = GraphBuilder::new();
            {
                let ran = ran.clone();
                builder.dispatch([4, 3, 2], move |cx| {
                    ran.fetch_add(1, Relaxed);
                    match (cx.tile == [3, 1, 1], fails_by_panic) {
                        (true, true) => panic!("this one"),
                        (true, false) => Err(Error::new(Code::DataLoss, "this one")),
                        _ => Ok(()),
                    }
                });
            }
            let graph = builder.build().unwrap();
            for _ in 0..20 {
                ran.store(0, Relaxed);
                let error = executor.run(&graph, &executor.scope("tiles")).unwrap_err();
                assert!(error.to_string().contains("in tile [3, 1, 1] of dispatch 0"), "{error}");
                assert!((1..=24).contains(&ran.load(Relaxed)));
                if executor.worker_count() <= 1 {
                    assert_eq!(ran.load(Relaxed), 12 + 4 + 4, "the tiles up to it");
                }
            }
        }
    });
}

#[test]
fn cycles_and_foreign_edges_are_errors() {
    let mut builder = GraphBuilder::new();
    let tasks: Vec<_> = (0..3).map(|_| builder.barrier()).collect();
    builder.chain(tasks.iter().copied().chain([tasks[0]])).unwrap();
    assert_eq!(builder.build().unwrap_err().code(), Code::InvalidArgument);
    let mut other = GraphBuilder::new();
    let task = other.barrier();
    assert_eq!(other.edge(task, tasks[0]).unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(GraphBuilder::new().build().unwrap_err().code(), Code::InvalidArgument);
    let mut third = GraphBuilder::new();
    third.barrier();
    third.cleanup(task, |_| ());
    let error = third.build().unwrap_err();
    assert_eq!(
        (error.code(), error.message()),
        (Code::InvalidArgument, "a cleanup names a task of another graph")
    );
}

#[test]
fn a_task_adds_successors_to_tasks_that_are_not_submitted() {
    for_each_size(|executor| {
        let (order, rest) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(GraphBuilder::new())));
        let note = |builder: &mut GraphBuilder, what: &'static str| {
            let order = order.clone();
            builder.call(move |_| order.lock().unwrap().push(what))
        };
        let later = note(&mut rest.lock().unwrap(), "later");
        let latest = note(&mut rest.lock().unwrap(), "latest");
        let scope = executor.scope("grown");
        let run = {
            let rest = rest.clone();
            // What comes after `later` is decided while another run is under way, and submitted by that run.
            scope.spawn(move |cx| {
                let mut builder = std::mem::take(&mut *rest.lock().unwrap());
                builder.edge(later, latest)?;
                cx.submit(&builder.build()?).map(drop)
            })
        };
        run.unwrap().wait().unwrap();
        assert_eq!(*order.lock().unwrap(), ["later", "latest"]);
    });
}

#[test]
fn conditions_nest_with_everything_among_them() {
    for_each_size(|executor| {
        let scope = executor.scope("nested");
        let (auto, stop) = (Arc::new(Event::auto()), Arc::new(Event::manual()));
        let (semaphore, permits) = (Arc::new(Semaphore::new(0)), Arc::new(Permits::new(0)));
        let gate = Arc::new(Event::manual());
        let future = {
            let (gate, pool) = (gate.clone(), executor.slots().clone());
            Arc::new(FutureSource::new(executor.job_host(), async move {
                Waiting::new(&pool, gate).await.expect("the gate opens");
            }))
        };
        // The others of the same pair would end if this wait took what it does not need.
        let all = all![auto.clone(), future.clone(), semaphore.at(2), any![permits.clone(), stop.clone()]];
        let mut builder = GraphBuilder::new();
        builder.wait(any![stop.clone(), all, Until(after(executor.now(), Duration::from_secs(3600)))]);
        let run = executor.submit(&builder.build().unwrap(), &scope).unwrap();
        auto.set();
        semaphore.signal(1).unwrap();
        semaphore.signal(2).unwrap();
        permits.release(1);
        assert!(!run.is_done());
        gate.set();
        run.wait().unwrap();
        assert!(!auto.is_set(), "the wait has taken the signal");
        assert_eq!(permits.available(), 0);
        // A branch that loses takes nothing.
        auto.set();
        permits.release(1);
        let mut builder = GraphBuilder::new();
        builder.wait(any![stop.clone(), all![auto.clone(), permits.clone(), semaphore.at(3)]]);
        let run = executor.submit(&builder.build().unwrap(), &scope).unwrap();
        stop.set();
        run.wait().unwrap();
        assert!(auto.is_set());
        assert_eq!(permits.available(), 1);
    });
}
