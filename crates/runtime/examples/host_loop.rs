//! A loop of the host's own: one descriptor to poll, and no thread but this one.

use raddle::{Result, Runtime, TurnBudget};
use rustix::event::{PollFd, PollFlags, poll};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

const WAITS: &[u8] = include_bytes!("../../../tests/programs/runtime/waits.vmfb");

fn main() -> Result {
    let runtime = Runtime::builder().workers(0).build()?;
    let session = runtime.session().bytes(WAITS)?.build()?;
    let delay = session.function("waits.delay")?;
    let left = Arc::new(AtomicU32::new(3));
    for number in 1..=3 {
        let left = left.clone();
        delay.invoke((i64::from(number) * 1_000_000, number)).on_complete(move |result| {
            println!("{result:?}");
            left.fetch_sub(1, Ordering::Relaxed);
        });
    }
    while left.load(Ordering::Relaxed) > 0 {
        // Other descriptors of the host's stand here too.
        let fd = runtime.fd();
        let _ = poll(&mut [PollFd::new(&fd, PollFlags::IN)], None);
        while runtime.turn(TurnBudget::default())?.is_more {}
    }
    Ok(())
}
