//! raddle under tokio, on one thread: tokio's loop drives the executor, a tokio task awaits a run, and a tokio task
//! wakes a wait of a graph.

use raddle_status::{Code, Error, Result};
use raddle_task::{Executor, GraphBuilder, TurnBudget};
use raddle_wait::{Event, Waiting};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result {
    let executor = Executor::builder().workers(0).build()?;
    let event = Arc::new(Event::manual());
    let mut builder = GraphBuilder::new();
    let before = builder.call(|_| println!("first task on {:?}", std::thread::current().name()));
    let wait = builder.wait(event.clone());
    let delay = builder.delay(Duration::from_millis(5));
    let after = builder.call(|_| println!("last task on {:?}", std::thread::current().name()));
    builder.chain([before, wait, delay, after])?;
    let run = executor.submit(&builder.build()?, &executor.scope("example"))?;

    // A task of tokio's signals a wait of ours: in-process, without a thread between.
    let signaller = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(5)).await;
        event.set();
    });
    // The end of a run is a wait source, and every source is a future.
    let done = Waiting::new(executor.slots(), run.done());
    let turns = drive(&executor, done).await?;
    signaller.await.map_err(system)?;
    run.wait()?;
    println!("turns: {turns}; waits begun: {}", executor.counts().waits_begun);
    println!("workers: {}; threads parked on a wait: 0", executor.worker_count());
    Ok(())
}

/// Turns the executor whenever its descriptor is readable, until `done` has ended; says how often.
#[expect(
    deprecated,
    reason = "its successor is unsafe: the descriptor must stay open, which the executor sees to"
)]
async fn drive(executor: &Executor, done: impl Future<Output = Result<usize>>) -> Result<u64> {
    let fd = AsyncFd::with_interest(executor.fd(), Interest::READABLE).map_err(system)?;
    let mut done = pin!(done);
    let mut turns = 0;
    loop {
        tokio::select! {
            result = &mut done => return result.map(|_| turns),
            ready = fd.readable() => {
                // Before the turn: what becomes ready during it is another edge.
                ready.map_err(system)?.clear_ready();
                turns += 1;
                while executor.turn(TurnBudget::default())?.is_more {}
            }
        }
    }
}

fn system(error: impl std::fmt::Display) -> Error {
    Error::new(Code::Internal, format!("tokio refuses: {error}"))
}
