//! Compiled programs inside tokio's loop, on its one thread: the loop polls one descriptor, programs are futures.

use in_loops::{Guest, threads};
use raddle::TurnBudget;
use raddle::wait::Event;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result {
    let guest = Guest::new()?;
    // Deprecated for owners that may close the descriptor early; this one is borrowed from the runtime.
    #[allow(deprecated)]
    let fd = AsyncFd::with_interest(guest.runtime.fd(), Interest::READABLE)?;
    let event = Arc::new(Event::manual());
    let mut until = guest.until(&event, 42);
    until.start()?;
    let timer = async {
        tokio::time::sleep(Duration::from_millis(2)).await;
        event.set();
    };
    let mut delays = guest.delays(100);
    delays.iter_mut().try_for_each(raddle::Invocation::start)?;
    let all = async {
        timer.await;
        let mut sum = until.await?.to::<i32>()?;
        for delay in delays {
            sum += delay.await?.to::<i32>()?;
        }
        Ok::<i32, raddle::Error>(sum)
    };
    let sum = tokio::select! {
        sum = all => sum?,
        error = drive(&guest, &fd) => return error,
    };
    assert_eq!((sum, threads()), (42 + 4950, 1), "the sum, and no thread beside tokio's");
    println!("tokio: 101 programs on {} thread", threads());
    Ok(())
}

/// Turns the runtime whenever there is something to do; ends only with a failure.
async fn drive(guest: &Guest, fd: &AsyncFd<std::os::fd::BorrowedFd<'_>>) -> Result {
    loop {
        // tokio reports edges: what becomes ready during the turn is another one.
        fd.readable().await?.clear_ready();
        while guest.runtime.turn(TurnBudget::default())?.is_more {}
    }
}
