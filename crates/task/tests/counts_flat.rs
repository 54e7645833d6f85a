//! Counts: what a wake costs does not depend on how many other waits are outstanding.
//!
//! Instructions are counted where the machine can; the note `NOT COUNTED` says where it can't.

mod counting;

use raddle_task::{Executor, GraphBuilder, Run};
use raddle_wait::{Descriptor, Event, NEVER};
use rustix::event::{EventfdFlags, eventfd};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::*};

const WAKES: u64 = 2_000;
const EVENTS: usize = 100_000;
const DESCRIPTORS_MAX: usize = 19_000;
/// Descriptors that are left to the process. Unit: descriptors.
const DESCRIPTORS_SPARE: usize = 100;
/// The aim. Unit: per cent of what it costs alone.
const DIFFERENCE_MAX: u64 = 2;

#[test]
fn a_wake_costs_the_same_among_many() {
    let limit = counting::raise_descriptor_limit();
    let descriptors = limit.saturating_sub(DESCRIPTORS_SPARE).min(DESCRIPTORS_MAX);
    let counter = counting::Instructions::start();
    let (executor, calls) = counting::timeless(1);
    let alone = wakes(&executor, &calls, counter.as_ref());
    let others = others(&executor, descriptors);
    counting::settle();
    let among = wakes(&executor, &calls, counter.as_ref());
    println!("alone: {alone:?}\namong {descriptors} descriptors and {EVENTS} events: {among:?}");
    assert_near("system calls", alone.calls, among.calls);
    if let (Some(alone), Some(among)) = (alone.instructions, among.instructions) {
        assert_near("instructions", alone, among);
    }
    executor.shutdown(NEVER).unwrap();
    drop(others);
}

fn assert_near(what: &str, alone: u64, among: u64) {
    let difference = alone.abs_diff(among);
    assert!(difference * 100 <= alone * DIFFERENCE_MAX, "{what}: {alone} alone, {among} among many");
}

/// What a number of wakes cost.
#[derive(Debug)]
struct Cost {
    calls: u64,
    instructions: Option<u64>,
}

fn new_eventfd() -> OwnedFd {
    eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).expect("descriptors are left")
}

fn others(executor: &Executor, descriptors: usize) -> Run {
    let before = executor.counts().waits_begun;
    let mut builder = GraphBuilder::new();
    for _ in 0..descriptors {
        builder.wait(Arc::new(Descriptor::new(new_eventfd()).readable()));
    }
    for _ in 0..EVENTS {
        builder.wait(Arc::new(Event::manual()));
    }
    let graph = builder.build().expect("a graph");
    let run = executor.submit(&graph, &executor.scope("others")).expect("it is not shutting down");
    let begun = before + (descriptors + EVENTS) as u64;
    counting::until("every wait has begun", || executor.counts().waits_begun >= begun);
    run
}

/// Two programs on one worker that wake each other, so that nothing depends on when a thread outside writes.
fn wakes(executor: &Executor, calls: &counting::Calls, counter: Option<&counting::Instructions>) -> Cost {
    let fds = [(); 2].map(|()| Arc::new(Descriptor::new(new_eventfd())));
    let mut builder = GraphBuilder::new();
    let taken = Arc::new(AtomicU64::new(0));
    for own in 0..2 {
        let mut tasks = Vec::new();
        for _ in 0..WAKES / 2 {
            let (mine, other, taken) = (fds[own].clone(), fds[1 - own].clone(), taken.clone());
            let give = move || rustix::io::write(&*other, &1_u64.to_ne_bytes()).map(|_| ());
            let take = move || {
                taken.fetch_add(u64::from(rustix::io::read(mine.as_fd(), &mut [0; 8]).is_ok()), Relaxed);
            };
            let wait = builder.wait(Arc::new(fds[own].readable()));
            match own {
                0 => tasks.extend([
                    builder.call(move |_| give().expect("a write")),
                    wait,
                    builder.call(move |_| take()),
                ]),
                _ => tasks.extend([
                    wait,
                    builder.call(move |_| take()),
                    builder.call(move |_| give().expect("a write")),
                ]),
            }
        }
        builder.chain(tasks).expect("tasks of this graph");
    }
    let graph = builder.build().expect("a graph");
    let scope = executor.scope("wakes");
    // Once to warm up.
    executor.submit(&graph, &scope).expect("it is not shutting down").wait().expect("no task fails");
    counting::settle();
    let (before, start) = (calls.read(), counter.map(counting::Instructions::read));
    executor.submit(&graph, &scope).expect("it is not shutting down").wait().expect("no task fails");
    let instructions = counter.map(counting::Instructions::read).zip(start).map(|(end, start)| end - start);
    let during = calls.read().since(before);
    println!("{during:?}");
    assert_eq!(taken.load(Relaxed), 2 * WAKES, "each wait ended with a signal");
    Cost { calls: during.sum(), instructions }
}
