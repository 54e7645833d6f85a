//! A wait source of one's own, made from nothing but "call me when you are ready".

use raddle_status::Result;
use raddle_task::{Executor, GraphBuilder};
use raddle_wait::{SourceWaker, WaitSource};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

/// Somebody else's library: a job that runs on a thread of its own and offers a callback.
#[derive(Default)]
struct TheirJob {
    is_done: AtomicBool,
    callbacks: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
}

impl TheirJob {
    /// Calls `callback` when the job is done; at once, if it is.
    fn when_ready(&self, callback: impl FnOnce() + Send + 'static) {
        let mut callbacks = self.callbacks.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if !self.is_done.load(Relaxed) {
            callbacks.push(Box::new(callback));
            return;
        }
        drop(callbacks);
        callback();
    }

    fn finish(&self) -> usize {
        let mut callbacks = self.callbacks.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        self.is_done.store(true, Relaxed);
        let callbacks = std::mem::take(&mut *callbacks);
        let count = callbacks.len();
        callbacks.into_iter().for_each(|callback| callback());
        count
    }
}

/// All that it takes to wait for it.
struct Adapted(Arc<TheirJob>);

impl WaitSource for Adapted {
    fn arm(&self, waker: SourceWaker) {
        self.0.when_ready(move || {
            waker.wake();
        });
    }
}

fn main() -> Result {
    let executor = Executor::builder().workers(1).build()?;
    let theirs = Arc::new(TheirJob::default());
    let mut builder = GraphBuilder::new();
    for number in 0..3 {
        let wait = builder.wait(Arc::new(Adapted(theirs.clone())));
        let after =
            builder.call(move |cx| println!("program {number} resumed on worker {}", cx.worker_index()));
        builder.edge(wait, after)?;
    }
    let graph = builder.build()?;
    let run = executor.submit(&graph, &executor.scope("example"))?;

    let worker = std::thread::spawn(move || theirs.finish());
    run.wait()?;
    let counts = executor.counts();
    let late = worker.join().expect("their thread does not panic");
    println!(
        "waits begun: {}; their library had {late} of their callbacks when it was done",
        counts.waits_begun
    );
    println!("woken by: their thread, which only enqueued; threads parked on a wait: 0");
    Ok(())
}
