//! The system's allocator, with a count of the bytes that are out.
//!
//! Every peer in Rust has it, where memory is measured and where it is not, so that all pay for it alike.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// The allocator: `#[global_allocator] static MEMORY: Counting = Counting;`. It counts from [`heap_bytes`]' first call.
pub struct Counting;

static IS_ON: AtomicBool = AtomicBool::new(false);
static BYTES: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// Bytes that are allocated now; counting starts with the first call, from zero, and wraps below it.
pub fn heap_bytes() -> isize {
    IS_ON.store(true, Relaxed);
    BYTES.load(Relaxed) as isize
}

/// The most bytes that were allocated since the last call of this.
pub fn take_heap_peak() -> isize {
    PEAK.swap(heap_bytes().max(0) as usize, Relaxed) as isize
}

// Two shared counters would be the bottleneck of every peer that allocates a task: they are off until asked for.
fn add(bytes: usize) {
    if IS_ON.load(Relaxed) {
        let now = BYTES.fetch_add(bytes, Relaxed).wrapping_add(bytes);
        if (now as isize) > PEAK.load(Relaxed) as isize {
            PEAK.fetch_max(now, Relaxed);
        }
    }
}

fn subtract(bytes: usize) {
    if IS_ON.load(Relaxed) {
        BYTES.fetch_sub(bytes, Relaxed);
    }
}

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(size);
        subtract(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        subtract(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }
}
