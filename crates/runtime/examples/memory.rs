//! What a suspended invocation takes, allocation by allocation: 100,000 of a function with registers for 12 numbers and 6
//! references, each in an import, waiting for one source.
//!
//! `cargo run --release --package raddle --example memory`

use raddle::vm::assemble;
use raddle::wait::Event;
use raddle::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

const COUNT: usize = 100_000;

/// Its frame has room for twelve numbers and six references.
const LARGE: &str = include_str!("../tests/large.vmasm");

/// Allocations that live, by size; the last for all that are larger.
static LIVE: [AtomicI64; 2048] = [const { AtomicI64::new(0) }; 2048];
static BYTES: AtomicI64 = AtomicI64::new(0);

fn note(size: usize, count: i64) {
    LIVE[size.min(LIVE.len() - 1)].fetch_add(count, Relaxed);
    BYTES.fetch_add(size as i64 * count, Relaxed);
}

struct Counting;

// SAFETY: every call is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size(), 1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        note(layout.size(), -1);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static GLOBAL: Counting = Counting;

fn counts() -> (Vec<i64>, i64) {
    // The list itself is there before anything is read.
    let mut live = Vec::with_capacity(LIVE.len());
    live.extend(LIVE.iter().map(|count| count.load(Relaxed)));
    (live, BYTES.load(Relaxed))
}

fn main() -> Result {
    let runtime = Runtime::builder().workers(0).build()?;
    let session = runtime.session().bytes(assemble(LARGE)?.build())?.build()?;
    let large = session.function("large")?;
    let gate = Arc::new(Event::manual());
    let value = EventObject::value(&gate);
    // A call of the low level is the VM's block and nothing else.
    let (none, _) = counts();
    let lone = large.begin((value.clone(), 1))?;
    let (one, _) = counts();
    let block = (0..LIVE.len() - 1).rev().find(|size| one[*size] > none[*size]).unwrap_or(0);
    drop(lone);
    let mut all = Vec::with_capacity(COUNT);
    let (before, bytes_before) = counts();
    all.extend((0..COUNT).map(|_| large.invoke((value.clone(), 1))));
    all.iter_mut().try_for_each(Invocation::start)?;
    while runtime.turn(TurnBudget::default())?.is_more {}
    assert!(all.iter().all(Invocation::is_waiting));
    // What `before` itself takes is not theirs.
    let own = (size_of::<i64>() * before.len()) as i64;
    let (after, bytes_after) = counts();
    let handle = size_of::<Invocation>();

    println!("| each of {COUNT} | B |\n|---|---|");
    let each = |bytes: i64| bytes as f64 / COUNT as f64;
    let mut small = 0;
    for (size, (after, before)) in after.iter().zip(&before).enumerate() {
        let more = after - before;
        if more < COUNT as i64 / 2 || size + 1 == LIVE.len() {
            continue;
        }
        let what = if size == block { "the VM's: core and stack" } else { "the invocation, its frame in it" };
        println!("| {what}: {} of {size} B | {:.1} |", each(more).round(), each(more * size as i64));
        small += more * size as i64;
    }
    let all_bytes = bytes_after - bytes_before - 2 * own;
    println!("| the scope's list, queues | {:.1} |", each(all_bytes - small));
    println!("| its handle, in the list of who holds it | {handle} |");
    println!("| **all** | **{:.1}** |", each(all_bytes) + handle as f64);
    gate.set();
    while runtime.turn(TurnBudget::default())?.is_more {}
    all.into_iter().try_for_each(|call| call.wait().map(drop))
}
