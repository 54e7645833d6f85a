//! Two figures of batches: a batch on two workers beside two processes with half of the items each, and the memory of a long one.
//!
//! `cargo run --release --package raddle --example batch_figures`

use raddle::batch::{Done, Item};
use raddle::*;
use std::process::Command;
use std::time::{Duration, Instant};

const VISITS: &[u8] = include_bytes!("../../../tests/programs/runtime/visits.vmfb");
const WAITS: &[u8] = include_bytes!("../../../tests/programs/runtime/waits.vmfb");

/// Items of the comparison: about a third of a second on one processor.
const ITEMS: i64 = 40_000;

/// Rounds of the comparison, in turn.
const ROUNDS: usize = 11;

/// Items of the long batch, and how often its memory is looked at.
const MANY: i32 = 1_000_000;
const LOOKS: i32 = 10;

/// Computes for so many items with so many workers; 837799 takes 524 steps.
fn compute(items: i64, workers: usize) -> Result {
    let runtime = Runtime::builder().workers(workers).build()?;
    let session = runtime.session().bytes(VISITS)?.build()?;
    let items = (0..items).map(|_| Ok(Item::new([Value::I64(837_799), Value::I64(0)])));
    let summary = runtime.batch(&session, "steps")?.run(items, &mut |_: &mut Done| Ok(()));
    assert!(summary.is_complete() && summary.progress.failed == 0);
    Ok(())
}

/// Runs this program anew, so many times at once; each computes its part of the items.
fn processes(count: usize, workers: usize) -> std::io::Result<Duration> {
    let program = std::env::current_exe()?;
    let part = (ITEMS / count as i64).to_string();
    let begin = Instant::now();
    let start = |_| Command::new(&program).args([&part, &workers.to_string()]).spawn();
    let children = (0..count).map(start).collect::<std::io::Result<Vec<_>>>()?;
    for mut child in children {
        assert!(child.wait()?.success());
    }
    Ok(begin.elapsed())
}

/// Resident memory of this process. Unit: MB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1024.0
}

fn memory() -> Result {
    let runtime = Runtime::builder().workers(2).build()?;
    let session = runtime.session().bytes(WAITS)?.build()?;
    let items = (0..MANY).map(|number| Ok(Item::new([Value::I32(number), Value::I32(1)])));
    let (mut count, mut looks) = (0, Vec::new());
    let begin = Instant::now();
    let summary = runtime.batch(&session, "add")?.ordered(true).run(items, &mut |_: &mut Done| {
        count += 1;
        if count % (MANY / LOOKS) == 0 {
            looks.push(format!("{:.1}", resident()));
        }
        Ok(())
    });
    assert!(summary.is_complete());
    println!(
        "{MANY} items in {:.2} s; memory on the way, MB: {}",
        begin.elapsed().as_secs_f64(),
        looks.join(" ")
    );
    Ok(())
}

fn main() -> Result {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [items, workers] = &words[..] {
        let number =
            |text: &String| text.parse().map_err(|_| Error::new(Code::InvalidArgument, text.clone()));
        return compute(number(items)?, number(workers)? as usize);
    }
    let (mut both, mut apart) = (Vec::new(), Vec::new());
    let failed = |error: std::io::Error| Error::new(Code::Internal, error.to_string());
    for round in 0..ROUNDS {
        // In turn, and each as often first: what else the machine does hits both alike.
        for is_both in [round % 2 == 0, round % 2 != 0] {
            match is_both {
                true => both.push(processes(1, 2).map_err(failed)?.as_secs_f64()),
                false => apart.push(processes(2, 1).map_err(failed)?.as_secs_f64()),
            }
        }
    }
    let mut ratios: Vec<f64> = apart.iter().zip(&both).map(|(apart, both)| apart / both).collect();
    for all in [&mut both, &mut apart, &mut ratios] {
        all.sort_by(f64::total_cmp);
    }
    println!(
        "a batch on 2 workers does so many times what two processes do: by the least time of {ROUNDS} {:.2}, by the median \
         {:.2}, median of pairs {:.2} ({:.2} to {:.2}); aim 0.95",
        apart[0] / both[0],
        apart[ROUNDS / 2] / both[ROUNDS / 2],
        ratios[ROUNDS / 2],
        ratios[0],
        ratios[ROUNDS - 1]
    );
    println!(
        "seconds, least and median: {:.3} {:.3} in one process, {:.3} {:.3} in two",
        both[0],
        both[ROUNDS / 2],
        apart[0],
        apart[ROUNDS / 2]
    );
    memory()
}
