//! Ten thousand invocations that each wait 100 ms, on two workers: how long all take, and how much memory.
//!
//! `cargo run --release -p raddle --example batch_waits`

use raddle::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Instant;

const WAITS: &[u8] = include_bytes!("../../../tests/programs/runtime/waits.vmfb");
const COUNT: i32 = 10_000;

/// The most memory that the process has used, in KiB.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn main() -> Result {
    let runtime = Runtime::builder().workers(2).build()?;
    let session = runtime.session().bytes(WAITS)?.build()?;
    let delay = session.function("delay")?;
    let before = peak_kib();
    for round in 0..3 {
        let (left, (sender, receiver)) = (Arc::new(AtomicUsize::new(COUNT as usize)), mpsc::channel());
        let begin = Instant::now();
        for value in 0..COUNT {
            let (left, sender) = (left.clone(), sender.clone());
            delay.invoke((100_000_000_i64, value)).on_complete(move |result| {
                assert_eq!(result.unwrap().to::<i32>().unwrap(), value);
                if left.fetch_sub(1, Ordering::AcqRel) == 1 {
                    let _ = sender.send(());
                }
            });
        }
        let submitted = begin.elapsed();
        receiver.recv().expect("the last one says so");
        println!("round {round}: {COUNT} x 100 ms in {:.1?}, submitted in {submitted:.1?}", begin.elapsed());
    }
    println!("peak memory {:?} KiB, before {before:?} KiB", peak_kib());
    println!("{:?}", runtime.executor().counts());
    Ok(())
}
