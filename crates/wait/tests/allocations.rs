//! A wait on in-process sources allocates nothing once it is warm.

#![cfg(not(raddle_loom))]
#![allow(unsafe_code)]

mod support;

use raddle_wait::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use support::*;

/// The system's allocator, counting for each thread.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is the system allocator's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Waits a hundred times on one condition; signals before the wait, or after it was armed.
fn check(name: &str, condition: Condition, is_armed_first: bool, signal: impl Fn(u64)) {
    let (pool, program) = (SlotPool::new(), Program::new());
    let frame = Frame::new(&pool, condition, NEVER).unwrap();
    let mut before = 0;
    for round in 1..=100 {
        if !is_armed_first {
            signal(round);
        }
        // SAFETY: concluded below, once scheduled.
        let mut progress = unsafe { frame.begin(&NoStage, program.header(), None) };
        if is_armed_first {
            assert!(matches!(progress, Progress::Waiting), "{name}: ready before its signal");
            signal(round);
            assert_eq!(program.scheduled() as u64, round, "{name}");
            // SAFETY: scheduled.
            progress = unsafe { frame.conclude(&NoStage, program.header(), None) };
        }
        assert!(matches!(progress, Progress::Done(Outcome::Ready { .. })), "{name}: {progress:?}");
        if round == 1 {
            before = COUNT.get();
        }
    }
    assert_eq!(COUNT.get(), before, "{name} allocates");
}

#[test]
fn warm_waits_allocate_nothing() {
    let events: Vec<_> = (0..4).map(|_| Arc::new(Event::auto())).collect();
    let permits = Arc::new(Permits::new(0));
    let set_all = |_| events.iter().for_each(|event| event.set());
    for is_armed_first in [false, true] {
        check("until", events[0].clone().into(), is_armed_first, |_| events[0].set());
        check("permit", permits.clone().into(), is_armed_first, |_| permits.release(1));
        for count in 1..=4 {
            let sources = || events[..count].iter().map(|event| event.clone() as SharedSource);
            check("any", Condition::any(sources()), is_armed_first, |_| events[count - 1].set());
            check("all", Condition::all(sources()), is_armed_first, set_all);
            for event in &events {
                event.reset();
            }
        }
        let nested = all![any![events[0].clone(), events[1].clone()], events[2].clone()];
        check("nested", nested, is_armed_first, |_| {
            events[1].set();
            events[2].set();
        });
    }
    let semaphore = Arc::new(Semaphore::new(0));
    let (pool, program) = (SlotPool::new(), Program::new());
    // Every value is another frame, and each takes its slot when it waits; they fit the pool's first chunk.
    let frames: Vec<_> = (1..=60).map(|value| frame(&pool, semaphore.at(value))).collect();
    let mut before = 0;
    for (value, frame) in (1..).zip(&frames) {
        // SAFETY: concluded below, once scheduled.
        let progress = unsafe { frame.begin(&NoStage, program.header(), None) };
        assert!(matches!(progress, Progress::Waiting));
        semaphore.signal(value).unwrap();
        // SAFETY: scheduled.
        let progress = unsafe { frame.conclude(&NoStage, program.header(), None) };
        assert!(matches!(progress, Progress::Done(_)));
        if value == 1 {
            before = COUNT.get();
        }
    }
    assert_eq!(COUNT.get(), before, "semaphore waits allocate");
}
