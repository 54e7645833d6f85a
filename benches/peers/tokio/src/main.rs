//! tokio: tasks are spawned onto its multi-threaded runtime and awaited through their handles.

#![forbid(unsafe_code)]

mod graphs;
mod waits;

use bench_harness::{Answer, Counting, serve};
use std::process::ExitCode;
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static MEMORY: Counting = Counting;

/// A runtime of so many workers.
pub struct Tokio {
    runtime: Runtime,
    workers: usize,
}

impl Tokio {
    fn new(workers: usize) -> Tokio {
        let runtime = Builder::new_multi_thread().worker_threads(workers).enable_all().build();
        Tokio { runtime: runtime.expect("threads start"), workers }
    }
}

fn main() -> ExitCode {
    serve("1", |request| match request.parts().0 {
        "graphs" => bench_graphs::answer(request, &Tokio::new(request.workers)),
        "waits" => bench_waits::answer(request, &Tokio::new(request.workers)),
        other => Answer::absent(format!("nothing for `{other}`")),
    })
}
