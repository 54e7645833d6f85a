//! What several test binaries use.
#![allow(dead_code)]

use raddle_status::Code;
use raddle_task::*;
use raddle_wait::{Moment, Readiness, SourceWaker, WaitSource, WakerId, after};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Longer than any test takes.
pub const LONG: Duration = Duration::from_secs(3600);

/// An executor with so many workers.
pub fn executor(workers: usize) -> Executor {
    Executor::builder().workers(workers).name("test").build().expect("an executor")
}

/// Calls `check` with executors of several sizes: driven by the host, one worker, a few, more than processors.
pub fn for_each_size(check: impl Fn(&Executor)) {
    for workers in [0, 1, 2, 5] {
        check(&executor(workers));
    }
}

/// A moment that no test reaches.
pub fn later(executor: &Executor) -> Moment {
    after(executor.now(), LONG)
}

/// A graph of one task.
pub fn single<R: IntoResult>(f: impl Fn(&TaskCx<'_>) -> R + Send + Sync + 'static) -> Arc<Graph> {
    let mut builder = GraphBuilder::new();
    builder.call(f);
    builder.build().unwrap()
}

/// The code that a run fails with.
pub fn code_of(run: &Run) -> Code {
    run.wait().expect_err("the run fails").code()
}

/// A source that keeps its wakers and does nothing by itself.
#[derive(Default)]
pub struct Manual {
    pub wakers: Mutex<Vec<SourceWaker>>,
    pub disarmed: Mutex<Vec<WakerId>>,
}

impl Manual {
    pub fn wake_all(&self) -> usize {
        let wakers: Vec<_> = self.wakers.lock().unwrap().clone();
        wakers.iter().filter(|waker| waker.wake()).count()
    }

    pub fn armed(&self) -> usize {
        self.wakers.lock().unwrap().len()
    }
}

impl WaitSource for Manual {
    fn arm(&self, waker: SourceWaker) {
        self.wakers.lock().unwrap().push(waker);
    }

    fn query(&self) -> Readiness {
        Readiness::Pending
    }

    fn disarm(&self, waker: WakerId) {
        self.disarmed.lock().unwrap().push(waker);
    }
}
