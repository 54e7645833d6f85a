//! Blocking calls: each begins on the thread that waits for it.

use raddle::{Result, Runtime};

const WAITS: &[u8] = include_bytes!("../../../tests/programs/runtime/waits.vmfb");

fn main() -> Result {
    let runtime = Runtime::builder().workers(1).build()?;
    let session = runtime.session().bytes(WAITS)?.build()?;
    let add = session.function("waits.add")?.typed::<(i32, i32), i32>()?;
    println!("3 + 4 = {}, and no worker was woken", add.invoke((3, 4)).wait()?);
    let delay = session.function("waits.delay")?.typed::<(i64, i32), i32>()?;
    let error = delay.invoke((3_600_000_000_000, 1)).deadline(runtime.now() + 1_000_000).wait().unwrap_err();
    println!("an hour with a deadline of 1 ms: {error}");
    Ok(())
}
