//! The figures of the turn-key loop and of batches, in the form of a table.
//!
//! `cargo run --release --package raddle --example figures`

use raddle::batch::{Done, Item};
use raddle::wait::Event;
use raddle::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::*};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const WAITS: &[u8] = include_bytes!("../../../tests/programs/runtime/waits.vmfb");
const VISITS: &[u8] = include_bytes!("../../../tests/programs/runtime/visits.vmfb");

struct Counting;
static BYTES: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size() as u64, Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size() as u64, Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static GLOBAL: Counting = Counting;

/// The most memory that the process has used. Unit: MB.
fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default().to_owned();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1024.0
}

fn row(what: &str, figure: f64, unit: &str, aim: &str) {
    println!("| {what} | {figure:.2} | {unit} | {aim} |");
}

fn session(runtime: &Runtime, bytes: &'static [u8]) -> Result<Session> {
    runtime.session().bytes(bytes)?.build()
}

/// 10,000 calls that each wait for 100 ms.
fn many_waits() -> Result {
    let runtime = Runtime::builder().workers(2).build()?;
    let delay = session(&runtime, WAITS)?.function("delay")?;
    let mut best = f64::MAX;
    for _ in 0..5 {
        let left = Arc::new(AtomicUsize::new(10_000));
        let (sender, receiver) = mpsc::channel();
        let begin = Instant::now();
        for value in 0..10_000 {
            let (left, sender) = (left.clone(), sender.clone());
            delay.invoke((100_000_000_i64, value)).on_complete(move |_| {
                if left.fetch_sub(1, AcqRel) == 1 {
                    let _ = sender.send(());
                }
            });
        }
        receiver.recv().expect("the last one says so");
        best = best.min(begin.elapsed().as_secs_f64() / 0.1);
    }
    row("10,000 calls of 100 ms, 2 workers, best of 5", best, "x ideal", "1.1");
    row("the most memory of the process then", peak_mb(), "MB", "64");
    Ok(())
}

/// Bytes of calls that are suspended on one source.
fn suspended() -> Result {
    let runtime = Runtime::builder().workers(0).build()?;
    let until = session(&runtime, WAITS)?.function("until")?;
    let gate = EventObject::value(&Arc::new(Event::manual()));
    let count = 100_000;
    let before = BYTES.load(Relaxed);
    let mut all: Vec<_> = (0..count).map(|_| until.invoke((gate.clone(), 1))).collect();
    all.iter_mut().try_for_each(Invocation::start)?;
    while runtime.turn(TurnBudget::default())?.is_more {}
    let handles = size_of::<Invocation>() as f64;
    let each = (BYTES.load(Relaxed) - before) as f64 / f64::from(count);
    row("a suspended call, all in, of 100,000", each, "B", "512, for a larger function");
    row("of these: its handle", handles, "B", "");
    Ok(())
}

fn items(count: i64, number: i64) -> impl Iterator<Item = Result<Item>> {
    (0..count).map(move |_| Ok(Item::new([Value::I64(number), Value::I64(0)])))
}

/// A batch against bare calls, and two workers against one.
fn batches() -> Result {
    let (mut overhead, mut scaling) = (f64::MAX, 0.0_f64);
    for _ in 0..3 {
        let one = Runtime::builder().workers(1).build()?;
        let add = session(&one, WAITS)?.function("add")?;
        let begin = Instant::now();
        for _ in 0..200_000 {
            add.invoke((3, 4)).wait()?;
        }
        let bare = begin.elapsed();
        let batch = one.batch(&session(&one, WAITS)?, "add")?;
        let begin = Instant::now();
        let pairs = (0..200_000).map(|_| Ok(Item::new([Value::I32(3), Value::I32(4)])));
        let summary = batch.run(pairs, &mut |_: &mut Done| Ok(()));
        assert!(summary.is_complete());
        let more = begin.elapsed().saturating_sub(bare);
        overhead = overhead.min(more.as_secs_f64() * 1e6 / 200_000.0);
        // 837799 takes 524 steps.
        let time = |workers: usize| -> Result<Duration> {
            let runtime = Runtime::builder().workers(workers).build()?;
            let batch = runtime.batch(&session(&runtime, VISITS)?, "steps")?;
            let begin = Instant::now();
            batch.run(items(20_000, 837_799), &mut |_: &mut Done| Ok(()));
            Ok(begin.elapsed())
        };
        scaling = scaling.max(time(1)?.as_secs_f64() / time(2)?.as_secs_f64());
    }
    row("a batch, for each item, over a bare call", overhead, "us", "2");
    row("a batch of short computations, 2 workers against 1", scaling, "x", "0.95 x two processes");
    Ok(())
}

fn main() -> Result {
    println!("| case | figure | unit | aim |\n|---|---|---|---|");
    many_waits()?;
    suspended()?;
    batches()
}
