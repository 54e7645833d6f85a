//! raddle under tokio, on one thread: tokio's loop drives the executor, a tokio task awaits a run, and a tokio task
//! wakes a wait of a graph. `tests/counts.rs` counts what its runs allocate.

use raddle_status::{Code, Error, Result};
use raddle_task::{Executor, Graph, GraphBuilder, Run, Scope, TurnBudget};
use raddle_wait::{Event, Waiting};
use std::future::Future;
use std::os::fd::BorrowedFd;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;

const PAUSE: Duration = Duration::from_millis(2);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result {
    let executor = Executor::builder().workers(0).build()?;
    let job = Job::new(&executor)?;
    let run = job.begin()?;
    // The end of a run is a wait source, and every source is a future.
    let start = executor.now();
    let turns = job.drive(Waiting::new(executor.slots(), run.done())).await?;
    let after = Duration::from_nanos(executor.now() - start);
    run.wait()?;
    let counts = executor.counts();
    println!("turns: {turns}; waits begun: {}", counts.waits_begun);
    println!(
        "resumed after {after:?}, woken by: a task of tokio's ({} wait), a moment ({})",
        counts.waits_fired, counts.waits_timed_out
    );
    println!("tasks that ran on tokio's thread: {} of 2", job.at_home.load(Relaxed));
    println!("workers: {}; threads parked: {}", executor.worker_count(), executor.dump().blocked);
    Ok(())
}

/// A graph that waits for a task of tokio's, and then for a moment; and the loop that runs it.
pub struct Job<'e> {
    executor: &'e Executor,
    fd: AsyncFd<BorrowedFd<'e>>,
    scope: Scope,
    graph: Arc<Graph>,
    event: Arc<Event>,
    /// How many of its tasks ran on the thread that built it.
    at_home: Arc<AtomicUsize>,
    begun: Arc<Notify>,
    /// The last task has been run.
    pub ended: Arc<Notify>,
}

impl<'e> Job<'e> {
    /// Builds the graph, and starts the task of tokio's that signals it.
    #[expect(
        deprecated,
        reason = "its successor is unsafe: the descriptor must stay open, which the executor sees to"
    )]
    pub fn new(executor: &'e Executor) -> Result<Job<'e>> {
        let (event, at_home) = (Arc::new(Event::manual()), Arc::new(AtomicUsize::new(0)));
        let (begun, ended) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let home = thread::current().id();
        let (first, last, end) = (at_home.clone(), at_home.clone(), ended.clone());
        let note = move |count: &AtomicUsize| {
            count.fetch_add(usize::from(thread::current().id() == home), Relaxed);
        };
        let mut builder = GraphBuilder::new();
        let before = builder.call(move |_| note(&first));
        let wait = builder.wait(event.clone());
        let delay = builder.delay(PAUSE);
        let after = builder.call(move |_| {
            note(&last);
            end.notify_one();
        });
        builder.chain([before, wait, delay, after])?;
        // A task of tokio's signals a wait of ours: in-process, without a thread between.
        let (signal, is_begun) = (event.clone(), begun.clone());
        tokio::spawn(async move {
            loop {
                is_begun.notified().await;
                tokio::time::sleep(PAUSE).await;
                signal.set();
            }
        });
        let fd = AsyncFd::with_interest(executor.fd(), Interest::READABLE).map_err(system)?;
        let (scope, graph) = (executor.scope("example"), builder.build()?);
        Ok(Job { executor, fd, scope, graph, event, at_home, begun, ended })
    }

    /// Submits the graph once more; its last run has ended.
    pub fn begin(&self) -> Result<Run> {
        self.event.reset();
        self.begun.notify_one();
        self.executor.submit(&self.graph, &self.scope)
    }

    /// Turns the executor whenever its descriptor is readable, until `done` has ended; says how often.
    pub async fn drive(&self, done: impl Future) -> Result<u64> {
        let mut done = pin!(done);
        let mut turns = 0;
        loop {
            tokio::select! {
                _ = &mut done => return Ok(turns),
                ready = self.fd.readable() => {
                    // Before the turn: what becomes ready during it is another edge.
                    ready.map_err(system)?.clear_ready();
                    turns += 1;
                    while self.executor.turn(TurnBudget::default())?.is_more {}
                }
            }
        }
    }
}

fn system(error: impl std::fmt::Display) -> Error {
    Error::new(Code::Internal, format!("tokio refuses: {error}"))
}
