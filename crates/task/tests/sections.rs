//! Tasks that block, long tasks, and who takes over: counted and ordered, never timed.

mod support;

use raddle_status::Code;
use raddle_task::*;
use raddle_wait::*;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering::*};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use support::*;

/// A channel whose receiving end a task can use.
fn gate() -> (mpsc::Sender<()>, impl Fn() + Send + Sync + 'static) {
    let (open, is_open) = mpsc::channel();
    let is_open = Mutex::new(is_open);
    (open, move || is_open.lock().unwrap().recv().unwrap())
}

#[test]
fn what_a_blocking_section_leaves_behind_is_taken_over() {
    for workers in [2, 5] {
        let executor = executor(workers);
        for _ in 0..50 {
            let scope = executor.scope("section");
            // The task makes others ready, signals, and waits inside the section for what only they can do.
            let (open, wait) = gate();
            let event = Arc::new(Event::manual());
            let mut builder = GraphBuilder::new();
            let signalled = builder.wait(event.clone());
            let opens = builder.call(move |_| open.send(()).unwrap());
            builder.edge(signalled, opens).unwrap();
            let waiting = executor.submit(&builder.build().unwrap(), &scope).unwrap();
            while executor.counts().waits_armed() == executor.counts().waits_fired {
                std::thread::yield_now();
            }
            let run = scope.spawn(move |cx| {
                cx.blocking(|| {
                    event.set();
                    wait();
                })
            });
            run.unwrap().wait().unwrap();
            waiting.wait().unwrap();
        }
    }
}

#[test]
fn siblings_run_while_a_task_blocks() {
    let executor = executor(2);
    let scope = executor.scope("siblings");
    for _ in 0..50 {
        let (open, wait) = gate();
        let mut builder = GraphBuilder::new();
        // Two roots: the first to run blocks in a section until the other has run.
        let first = Arc::new(AtomicUsize::new(0));
        let open = Mutex::new(open);
        let body = Arc::new(move |cx: &TaskCx<'_>| match first.fetch_add(1, AcqRel) {
            0 => cx.blocking(&wait),
            _ => open.lock().unwrap().send(()).unwrap(),
        });
        for _ in 0..2 {
            let body = body.clone();
            builder.call(move |cx| body(cx));
        }
        executor.submit(&builder.build().unwrap(), &scope).unwrap().wait().unwrap();
    }
}

#[test]
fn a_panic_inside_a_section_is_the_tasks() {
    for_each_size(|executor| {
        let scope = executor.scope("panics");
        let run = scope.spawn(|cx| -> () { cx.blocking(|| panic!("in a section")) }).unwrap();
        assert_eq!(run.wait().unwrap_err().message(), "panicked: in a section");
        // The worker is as it was: what it resumes stays with it, and it counts as one that is awake.
        let blocked = executor.dump().blocked;
        assert_eq!(blocked, 0);
        let guarded = executor.scope("guarded").spawn(|cx| {
            let section = cx.blocking_section();
            let inner = cx.blocking_section();
            drop((section, inner));
        });
        guarded.unwrap().wait().unwrap();
        assert_eq!(executor.dump().blocked, 0);
    });
}

#[test]
fn a_section_on_the_only_worker_runs_to_its_end() {
    let executor = executor(1);
    let scope = executor.scope("alone");
    let (open, wait) = gate();
    let run = scope.spawn(move |cx| cx.blocking(wait)).unwrap();
    let behind = scope.spawn(|_| ()).unwrap();
    open.send(()).unwrap();
    run.wait().unwrap();
    behind.wait().unwrap();
}

/// A graph in which a wait is followed by a long task: it ends only when `until` lets it.
fn long_after(condition: impl Into<Condition>, until: impl Fn() + Send + Sync + 'static) -> Arc<Graph> {
    let mut builder = GraphBuilder::new();
    let wait = builder.wait(condition);
    let long = builder.call(move |_| until());
    builder.edge(wait, long).unwrap();
    builder.build().unwrap()
}

#[test]
fn a_wait_fires_although_the_last_poller_ran_into_a_long_task() {
    for workers in [2, 3, 8] {
        let executor = executor(workers);
        for round in 0..50 {
            let scope = executor.scope("takeover");
            let (first, mut ring_first) = std::io::pipe().unwrap();
            let (second, mut ring_second) = std::io::pipe().unwrap();
            let (first, second) = (Descriptor::new(first), Descriptor::new(second));
            // The task behind the first wait keeps its thread, the last poller, until the second wait has fired.
            let (open, wait) = gate();
            let (entered, has_entered) = mpsc::channel();
            let long = long_after(Arc::new(first.readable()), move || {
                entered.send(()).unwrap();
                wait();
            });
            let after_second = long_after(Arc::new(second.readable()), move || open.send(()).unwrap());
            let runs = [&long, &after_second].map(|graph| executor.submit(graph, &scope).unwrap());
            match round % 2 {
                // One after the other: the first is inside its task by then.
                0 => {
                    ring_first.write_all(b"x").unwrap();
                    has_entered.recv().unwrap();
                    ring_second.write_all(b"x").unwrap();
                }
                // Both at once: one look at the kernel may find the two of them.
                _ => {
                    ring_first.write_all(b"x").unwrap();
                    ring_second.write_all(b"x").unwrap();
                }
            }
            for run in runs {
                run.wait().unwrap();
            }
        }
    }
}

#[test]
fn a_moment_comes_although_every_other_worker_is_in_a_long_task() {
    let workers = 4;
    let executor = executor(workers);
    for _ in 0..20 {
        let scope = executor.scope("busy");
        let (gates, waits): (Vec<_>, Vec<_>) = (1..workers).map(|_| gate()).unzip();
        let (entered, has_entered) = mpsc::channel();
        let runs: Vec<_> = waits
            .into_iter()
            .map(|wait| {
                let entered = entered.clone();
                scope.spawn(move |_| {
                    entered.send(()).unwrap();
                    wait();
                })
            })
            .collect();
        for _ in &runs {
            has_entered.recv().unwrap();
        }
        // The only idle worker is the poller; the moment opens the gates.
        let mut builder = GraphBuilder::new();
        let delay = builder.delay(Duration::from_micros(200));
        let opens = builder.call(move |_| gates.iter().for_each(|gate| gate.send(()).unwrap()));
        builder.edge(delay, opens).unwrap();
        executor.submit(&builder.build().unwrap(), &scope).unwrap().wait().unwrap();
        for run in runs {
            run.unwrap().wait().unwrap();
        }
    }
}

#[test]
fn tiles_have_memory_of_their_worker() {
    for workers in [0, 1, 4] {
        let executor = Executor::builder().workers(workers).local_memory_max(1 << 16).build().unwrap();
        let sum = Arc::new(AtomicUsize::new(0));
        let mut builder = GraphBuilder::new();
        {
            let sum = sum.clone();
            builder.dispatch([100, 10, 1], move |cx| {
                let mut memory = cx.local_memory(1 + cx.tile[0] as usize * 64)?;
                assert!(memory.as_ptr().addr().is_multiple_of(64));
                memory.fill(1);
                assert_eq!(cx.local_memory(1).unwrap_err().code(), Code::FailedPrecondition);
                sum.fetch_add(memory.iter().map(|byte| usize::from(*byte)).sum(), Relaxed);
                Ok(())
            });
        }
        executor.run(&builder.build().unwrap(), &executor.scope("memory")).unwrap();
        assert_eq!(sum.load(Relaxed), 10 * (0..100).map(|tile| 1 + tile * 64).sum::<usize>());
        let mut builder = GraphBuilder::new();
        builder.dispatch([1, 1, 1], |cx| cx.local_memory((1 << 16) + 1).map(drop));
        let error = executor.run(&builder.build().unwrap(), &executor.scope("greedy")).unwrap_err();
        assert_eq!(error.code(), Code::ResourceExhausted);
    }
}
