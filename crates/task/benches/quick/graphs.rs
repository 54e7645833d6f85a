//! Task graphs with tasks that do nothing.

use crate::table::{Table, sample};
use raddle_task::{Executor, Graph, GraphBuilder, TaskId};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

const TASKS: usize = 100_000;
const ROUNDS: usize = 1_000;
const WIDTH: usize = 64;
const SIDE: usize = 256;

/// Measures all of them at one and two workers.
pub fn measure(table: &mut Table) {
    for workers in [1, 2] {
        let executor = Executor::builder().workers(workers).build().expect("an executor");
        graph(table, &executor, "chain of 100k", "ns per task", TASKS as f64, "8 at 2 workers", chain());
        graph(
            table,
            &executor,
            "fan-out and join of 100k",
            "ns per task",
            TASKS as f64,
            "4 at 2 workers",
            fan(TASKS),
        );
        let units = ROUNDS as f64 * 1e3;
        graph(
            table,
            &executor,
            "1,000 rounds of 64, one graph",
            "us per round",
            units,
            "0.25 at 2 workers",
            rounds(),
        );
        again(table, &executor, units);
        let units = (SIDE * SIDE) as f64;
        graph(table, &executor, "wavefront 256 x 256", "ns per task", units, "22 at 2 workers", wavefront());
        let units = ROUNDS as f64 * 1e3;
        graph(
            table,
            &executor,
            "dispatch of 64 empty tiles",
            "us per dispatch",
            units,
            "0.2 at 2 workers",
            dispatches(),
        );
        outside(table, &executor);
    }
}

fn empty(builder: &mut GraphBuilder, index: usize) -> TaskId {
    builder.call(move |_| {
        black_box(index);
    })
}

fn chain() -> Arc<Graph> {
    let mut builder = GraphBuilder::new();
    let tasks: Vec<_> = (0..TASKS).map(|index| empty(&mut builder, index)).collect();
    builder.chain(tasks).expect("tasks of this graph");
    builder.build().expect("a graph")
}

/// Adds `width` tasks after `before`, and their join.
fn add_fan(builder: &mut GraphBuilder, before: TaskId, width: usize) -> TaskId {
    let tasks: Vec<_> = (0..width).map(|index| empty(builder, index)).collect();
    let join = builder.barrier();
    for task in tasks {
        builder.edge(before, task).expect("tasks of this graph");
        builder.edge(task, join).expect("tasks of this graph");
    }
    join
}

fn fan(width: usize) -> Arc<Graph> {
    let mut builder = GraphBuilder::new();
    let root = builder.barrier();
    add_fan(&mut builder, root, width);
    builder.build().expect("a graph")
}

fn rounds() -> Arc<Graph> {
    let mut builder = GraphBuilder::new();
    let mut before = builder.barrier();
    for _ in 0..ROUNDS {
        before = add_fan(&mut builder, before, WIDTH);
    }
    builder.build().expect("a graph")
}

fn wavefront() -> Arc<Graph> {
    let mut builder = GraphBuilder::new();
    let tasks: Vec<_> = (0..SIDE * SIDE).map(|index| empty(&mut builder, index)).collect();
    for at in 0..SIDE * SIDE {
        if at % SIDE + 1 < SIDE {
            builder.edge(tasks[at], tasks[at + 1]).expect("tasks of this graph");
        }
        if at / SIDE + 1 < SIDE {
            builder.edge(tasks[at], tasks[at + SIDE]).expect("tasks of this graph");
        }
    }
    builder.build().expect("a graph")
}

fn dispatches() -> Arc<Graph> {
    let mut builder = GraphBuilder::new();
    let tasks: Vec<_> = (0..ROUNDS)
        .map(|_| {
            builder.dispatch([WIDTH as u32, 1, 1], |cx| {
                black_box(cx.tile);
            })
        })
        .collect();
    builder.chain(tasks).expect("tasks of this graph");
    builder.build().expect("a graph")
}

/// Runs of one graph, one after the other, each submitted by a thread outside that sleeps until it has ended.
fn graph(
    table: &mut Table,
    executor: &Executor,
    case: &str,
    unit: &str,
    units: f64,
    aim: &str,
    graph: Arc<Graph>,
) {
    if !table.admits(case) {
        return;
    }
    let scope = executor.scope("bench");
    let mut samples = sample(30, units, || {
        executor.submit(&graph, &scope).expect("it is not shutting down").wait().expect("no task fails");
    });
    table.add(case, executor.worker_count(), unit, &mut samples, aim);
}

/// The same rounds as runs of a small graph on a thread that lends itself.
fn again(table: &mut Table, executor: &Executor, units: f64) {
    let case = "1,000 runs of 64, caller lends";
    if !table.admits(case) {
        return;
    }
    let (graph, scope) = (fan(WIDTH), executor.scope("bench"));
    let mut samples = sample(30, units, || {
        for _ in 0..ROUNDS {
            executor.run(&graph, &scope).expect("no task fails");
        }
    });
    table.add(case, executor.worker_count(), "us per run", &mut samples, "");
}

/// One task from outside, joined, with every worker asleep before.
fn outside(table: &mut Table, executor: &Executor) {
    let mut builder = GraphBuilder::new();
    empty(&mut builder, 0);
    let (graph, scope) = (builder.build().expect("a graph"), executor.scope("bench"));
    let case = "one task from outside, caller lends";
    if table.admits(case) {
        let mut samples = spaced(|| executor.run(&graph, &scope).expect("no task fails"));
        table.add(case, executor.worker_count(), "us", &mut samples, "2");
    }
    let case = "one task from outside, caller sleeps";
    if table.admits(case) {
        let floor = floor();
        let mut samples = spaced(|| {
            executor.submit(&graph, &scope).expect("it is not shutting down").wait().expect("no task fails");
        });
        let aim = format!("two wake floors + 2 (median {:.1} here)", 2.0 * floor + 2.0);
        table.add(case, executor.worker_count(), "us", &mut samples, &aim);
    }
}

/// Times `run` with a pause before each, so that everybody sleeps. Microseconds.
fn spaced(mut run: impl FnMut()) -> Vec<f64> {
    let once = || {
        std::thread::sleep(Duration::from_millis(1));
        let start = Instant::now();
        run();
        start.elapsed().as_nanos() as f64 / 1e3
    };
    std::iter::repeat_with(once).take(500).collect()
}

/// The median of waking a parked thread: from `unpark` to its first instruction. Microseconds.
fn floor() -> f64 {
    let base = Instant::now();
    let stamp = Arc::new(AtomicU64::new(1));
    let sleeper = {
        let stamp = stamp.clone();
        std::thread::spawn(move || {
            loop {
                std::thread::park();
                match stamp.load(Relaxed) {
                    0 => stamp.store(base.elapsed().as_nanos() as u64, Relaxed),
                    u64::MAX => return,
                    _ => {}
                }
            }
        })
    };
    let mut samples: Vec<f64> = (0..300)
        .map(|_| {
            std::thread::sleep(Duration::from_millis(1));
            stamp.store(0, Relaxed);
            let start = base.elapsed().as_nanos() as u64;
            sleeper.thread().unpark();
            while stamp.load(Relaxed) == 0 {
                std::thread::sleep(Duration::from_micros(200));
            }
            (stamp.load(Relaxed) - start) as f64 / 1e3
        })
        .collect();
    stamp.store(u64::MAX, Relaxed);
    sleeper.thread().unpark();
    sleeper.join().expect("the sleeper does not panic");
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}
