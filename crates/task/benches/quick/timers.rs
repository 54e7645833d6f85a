//! A million deadlines within a second.

use crate::memory;
use crate::table::Table;
use raddle_task::{Executor, GraphBuilder};
use raddle_wait::Until;
use rustix::time::{ClockId, clock_gettime};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

const TIMERS: usize = 1_000_000;
const SECOND: u64 = 1_000_000_000;

/// Measures waits that are spread over a second, in no order, each followed by a task.
pub fn measure(table: &mut Table) {
    let case = "1M timers over 1 s";
    if !table.admits(case) {
        return;
    }
    for workers in [1, 2] {
        let executor = Executor::builder().workers(workers).build().expect("an executor");
        let late: Arc<Vec<AtomicU32>> = Arc::new((0..TIMERS).map(|_| AtomicU32::new(0)).collect());
        memory::take_peak();
        let (before, cpu_start) = (memory::bytes(), cpu());
        let first = executor.now() + 4 * SECOND;
        let mut builder = GraphBuilder::new();
        for index in 0..TIMERS {
            // Knuth's multiplicative hash: every moment once, in no order.
            let shuffled = (index as u64).wrapping_mul(2_654_435_761) % TIMERS as u64;
            let moment = first + shuffled * (SECOND / TIMERS as u64);
            let wait = builder.wait(Until(moment));
            let (late, stage) = (late.clone(), executor.stage());
            let call = builder.call(move |_| {
                let now = raddle_wait::Stage::now(&*stage);
                late[index].store(((now - moment) / 1_000) as u32, Relaxed);
            });
            builder.edge(wait, call).expect("tasks of this graph");
        }
        let graph = builder.build().expect("a graph");
        let cpu_built = cpu();
        let run = executor.submit(&graph, &executor.scope("bench")).expect("it is not shutting down");
        std::thread::sleep(Duration::from_nanos(
            first.saturating_sub(executor.now()).saturating_sub(SECOND / 10),
        ));
        let cpu_armed = cpu();
        run.wait().expect("no task fails");
        let cpu_end = cpu();
        let end = executor.now();
        let bytes = memory::take_peak() - before;
        table.add_one(case, workers, "CPU s, all in", cpu_end - cpu_start, "1");
        table.add_one("of these: building the graph", workers, "CPU s", cpu_built - cpu_start, "");
        table.add_one("of these: arming", workers, "CPU s", cpu_armed - cpu_built, "");
        table.add_one("of these: firing", workers, "CPU s", cpu_end - cpu_armed, "");
        table.add_one("1M timers: most memory", workers, "MB", bytes as f64 / 1e6, "128");
        let mut late: Vec<u32> = late.iter().map(|late| late.load(Relaxed)).collect();
        late.sort_unstable();
        table.add_one(
            "1M timers: lateness, median",
            workers,
            "us",
            f64::from(late[TIMERS / 2]),
            "1,000 under load",
        );
        table.add_one("1M timers: lateness, 99 %", workers, "us", f64::from(late[TIMERS * 99 / 100]), "");
        let over = end.saturating_sub(first + SECOND) as f64 / 1e6;
        table.add_one("1M timers: the last one ended late by", workers, "ms", over, "");
    }
}

/// Processor time of this process. Seconds.
fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}
