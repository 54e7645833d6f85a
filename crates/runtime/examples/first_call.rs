//! What one call costs: on its caller, with a satisfied wait, really suspended, with a delay.
//!
//! `cargo run --release -p raddle --example first_call`

use raddle::wait::Event;
use raddle::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const WAITS: &[u8] = include_bytes!("../../../tests/programs/runtime/waits.vmfb");

fn print(what: &str, mut times: Vec<Duration>, suspensions: u64) {
    times.sort_unstable();
    let (count, least, median) = (times.len(), times[0], times[times.len() / 2]);
    println!(
        "{what:<42} min {least:>10.1?}  median {median:>10.1?}  ({count} calls, {suspensions} suspended)"
    );
}

/// Times calls, `batch` at a time where one is too short for the clock.
fn measure(what: &str, count: u32, batch: u32, mut call: impl FnMut() -> Result<u32>) -> Result {
    let (mut times, mut suspensions) = (Vec::new(), 0);
    for _ in 0..count {
        let begin = Instant::now();
        for _ in 0..batch {
            suspensions += u64::from(call()?);
        }
        times.push(begin.elapsed() / batch);
    }
    print(what, times, suspensions);
    Ok(())
}

fn finish(mut invocation: Invocation) -> Result<u32> {
    invocation.wait_until(NEVER)?;
    Ok(invocation.suspensions())
}

fn main() -> Result {
    let runtime = Runtime::builder().workers(1).build()?;
    let session = runtime.session().bytes(WAITS)?.build()?;
    let [add, until, delay] =
        ["add", "until", "delay"].map(|name| session.function(name).expect("an export"));
    measure("runs on its caller, does not wait", 2000, 100, || finish(add.invoke((3, 4))))?;
    let ready = Arc::new(Event::manual());
    ready.set();
    let ready = EventObject::value(&ready);
    measure("waits for what is ready", 2000, 100, || finish(until.invoke((ready.clone(), 1))))?;
    measure("is suspended, set by its own thread", 5000, 1, || {
        let gate = Arc::new(Event::manual());
        let mut invocation = until.invoke((EventObject::value(&gate), 1));
        // Patience in the past: the call runs here until it waits.
        let _ = invocation.wait_until(0);
        gate.set();
        finish(invocation)
    })?;
    let (gate, is_over) = (Arc::new(Event::auto()), AtomicBool::new(false));
    let asked = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Acquire) {
                match asked.swap(false, Ordering::AcqRel) {
                    true => gate.set(),
                    false => std::thread::yield_now(),
                }
            }
        });
        let value = EventObject::value(&gate);
        let result = measure("is suspended, set by another thread", 5000, 1, || {
            asked.store(true, Ordering::Release);
            finish(until.invoke((value.clone(), 1)))
        });
        is_over.store(true, Ordering::Release);
        result
    })?;
    measure("waits 1 ms", 500, 1, || finish(delay.invoke((1_000_000_i64, 1))))
}
