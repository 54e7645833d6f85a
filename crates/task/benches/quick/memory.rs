//! Bytes that a pending wait costs, counted by the allocator.

use crate::table::Table;
use raddle_task::{Executor, GraphBuilder};
use raddle_wait::Event;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const WAITS: usize = 100_000;

/// The system's allocator, with a count of the bytes that are out.
pub struct Counting;

static BYTES: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// Bytes that are allocated now.
pub fn bytes() -> usize {
    BYTES.load(Relaxed)
}

/// The most bytes that were allocated since the last call of this.
pub fn take_peak() -> usize {
    PEAK.swap(bytes(), Relaxed)
}

// SAFETY: every call is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = BYTES.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(now, Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// Measures graphs with many waits, each on an event of its own.
pub fn measure(table: &mut Table) {
    let case = "bytes per pending wait, 100k events";
    if !table.admits(case) {
        return;
    }
    let executor = Executor::builder().workers(1).build().expect("an executor");
    let before = bytes();
    let events: Vec<Arc<Event>> = (0..WAITS).map(|_| Arc::new(Event::manual())).collect();
    let sources = bytes() - before;
    let mut builder = GraphBuilder::new();
    for event in &events {
        builder.wait(event.clone());
    }
    let graph = builder.build().expect("a graph");
    let built = bytes() - before;
    let scope = executor.scope("bench");
    let run = executor.submit(&graph, &scope).expect("it is not shutting down");
    while executor.counts().waits_begun < WAITS as u64 {
        std::thread::yield_now();
    }
    let armed = bytes() - before;
    let each = |bytes: usize| bytes as f64 / WAITS as f64;
    table.add_one(case, 1, "B, all in", each(armed), "200");
    table.add_one("of these: the event and its handle", 1, "B", each(sources), "");
    table.add_one("of these: the graph", 1, "B", each(built - sources), "");
    table.add_one("of these: the run", 1, "B", each(armed - built), "");
    events.iter().for_each(|event| event.set());
    run.wait().expect("no task fails");
}
