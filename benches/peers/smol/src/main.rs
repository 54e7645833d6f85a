//! smol's crates: async-executor for tasks, async-io for descriptors and timers, event-listener within the process.

#![forbid(unsafe_code)]

mod graphs;
mod waits;

use async_executor::Executor;
use bench_harness::{Answer, Counting, serve};
use std::process::ExitCode;

#[global_allocator]
static MEMORY: Counting = Counting;

/// An executor, which threads of the process's own run.
pub struct Smol {
    executor: &'static Executor<'static>,
    workers: usize,
}

impl Smol {
    fn new(workers: usize) -> Smol {
        let executor: &'static Executor<'static> = Box::leak(Box::new(Executor::new()));
        for _ in 0..workers {
            std::thread::spawn(|| async_io::block_on(executor.run(std::future::pending::<()>())));
        }
        Smol { executor, workers }
    }
}

fn main() -> ExitCode {
    serve("async-executor 1.14, async-io 2.6, event-listener 5.4", |request| match request.parts().0 {
        "graphs" => bench_graphs::answer(request, &Smol::new(request.workers)),
        "waits" => bench_waits::answer(request, &Smol::new(request.workers)),
        other => Answer::absent(format!("nothing for `{other}`")),
    })
}
