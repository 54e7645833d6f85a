//! Compiled programs inside smol's loop: the reactor polls one descriptor, programs are futures.

use async_executor::LocalExecutor;
use async_io::{Async, Timer, block_on};
use futures_lite::FutureExt;
use in_loops::Guest;
use raddle::TurnBudget;
use raddle::wait::Event;
use std::sync::Arc;
use std::time::Duration;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result {
    let guest = Guest::new()?;
    // The descriptor is only polled, never read: its mode does not matter.
    let fd = Async::new_nonblocking(guest.runtime.fd())?;
    let event = Arc::new(Event::manual());
    let executor = LocalExecutor::new();
    let until = executor.spawn(guest.until(&event, 42));
    let delays: Vec<_> = guest.delays(100).into_iter().map(|delay| executor.spawn(delay)).collect();
    let all = async {
        Timer::after(Duration::from_millis(2)).await;
        event.set();
        let mut sum = until.await?.to::<i32>()?;
        for delay in delays {
            sum += delay.await?.to::<i32>()?;
        }
        Ok(sum)
    };
    let drive = async {
        loop {
            fd.readable().await?;
            while guest.runtime.turn(TurnBudget::default())?.is_more {}
        }
    };
    let sum: i32 =
        block_on(executor.run(all.or(drive))).map_err(|error: Box<dyn std::error::Error>| error)?;
    assert_eq!(sum, 42 + 4950);
    assert_eq!(guest.runtime.executor().worker_count(), 0);
    println!("smol: 101 programs, no thread of raddle's");
    Ok(())
}
