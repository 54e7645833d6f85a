//! A callback on a worker: the thread that invokes goes on.

use raddle::{Result, Runtime};
use std::sync::mpsc;

const WAITS: &[u8] = include_bytes!("../../../tests/programs/runtime/waits.vmfb");

fn main() -> Result {
    let runtime = Runtime::builder().workers(2).build()?;
    let session = runtime.session().bytes(WAITS)?.build()?;
    let delay = session.function("waits.delay")?.typed::<(i64, i32), i32>()?;
    let (sender, receiver) = mpsc::channel();
    for number in 0..1000 {
        let sender = sender.clone();
        delay.invoke((1_000_000, number)).on_complete(move |value| {
            let _ = sender.send(value);
        });
    }
    drop(sender);
    let sum: i32 = receiver.iter().sum::<Result<i32>>()?;
    println!("1000 calls that waited for 1 ms each: {sum}");
    Ok(())
}
