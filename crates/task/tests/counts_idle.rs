//! Counts: with 10,000 waits outstanding nobody wakes up; while one of them fires 1,000 times in a second, a fire costs
//! one system call pair and one context switch.
//!
//! A fire comes when its wait is armed. One that came before, between the task that took the last signal and the next
//! wait, would find a registration that nobody waits on: the other worker asleep in the kernel may take that report,
//! which ends the registration (a sleep and a forget more). That is how reports that nobody wants stop, and no fire.
//!
//! `RADDLE_IDLE_S` sets the idle period; the default is 10 seconds.

mod counting;

use raddle_task::{Executor, GraphBuilder, Run};
use raddle_wait::{Condition, Descriptor, Drained, Event, Interest, NEVER, Until};
use rustix::event::{EventfdFlags, eventfd};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::*};
use std::time::Duration;

const DESCRIPTORS: usize = 3_000;
const MOMENTS: usize = 3_000;
const EVENTS: usize = 4_000;
const FIRES: u64 = 1_000;
/// The aims, for each fire. Unit: hundredths.
const CALLS_MAX: u64 = 200;
const SWITCHES_MAX: u64 = 105;
/// Waits that may end without a signal, since the end of a wait for a descriptor is a hint: as many as the others.
const SPARE: u64 = FIRES;

#[test]
fn idle_costs_nothing_and_a_fire_one_switch() {
    counting::raise_descriptor_limit();
    let mut faults = Vec::new();
    for workers in [1, 2] {
        let (executor, calls) = counting::timeless(workers);
        let outstanding = outstanding(&executor);
        counting::settle();

        let seconds = std::env::var("RADDLE_IDLE_S").ok().and_then(|text| text.parse().ok()).unwrap_or(10);
        let (switches, before) = (counting::switches(), calls.read());
        counting::pause(Duration::from_secs(seconds));
        let (switches, during) = (counting::switches() - switches, calls.read().since(before));
        println!("{workers} workers, {seconds} s idle: {switches} switches, {during:?}");
        if switches > 0 || during.sum() > 0 {
            faults.push(format!("idle at {workers} workers: {switches} switches, {during:?}"));
        }

        for kind in [Kind::OneShot, Kind::Drained] {
            let (switches, during) = fire(&executor, &calls, kind);
            println!("{workers} workers, {kind:?}, {FIRES} fires: {switches} switches, {during:?}");
            if during.sum() * 100 > CALLS_MAX * FIRES {
                faults.push(format!("{kind:?} at {workers} workers: {during:?} in {FIRES} fires"));
            }
            if switches * 100 > SWITCHES_MAX * FIRES {
                faults.push(format!("{kind:?} at {workers} workers: {switches} switches in {FIRES} fires"));
            }
        }
        executor.shutdown(NEVER).unwrap();
        drop(outstanding);
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Waits of all kinds that nobody fires.
fn outstanding(executor: &Executor) -> Run {
    let mut builder = GraphBuilder::new();
    for _ in 0..DESCRIPTORS {
        builder.wait(Arc::new(Descriptor::new(new_eventfd()).readable()));
    }
    let far = executor.now() + 3_600_000_000_000;
    for index in 0..MOMENTS as u64 {
        builder.wait(Until(far + index));
    }
    for _ in 0..EVENTS {
        builder.wait(Arc::new(Event::manual()));
    }
    let graph = builder.build().expect("a graph");
    let run = executor.submit(&graph, &executor.scope("outstanding")).expect("it is not shutting down");
    let count = (DESCRIPTORS + MOMENTS + EVENTS) as u64;
    counting::until("every wait has begun", || executor.counts().waits_begun >= count);
    run
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    OneShot,
    Drained,
}

/// The descriptor that fires.
#[derive(Clone)]
enum Fd {
    OneShot(Descriptor),
    Drained(Drained),
}

impl Fd {
    fn new(executor: &Executor, kind: Kind) -> Fd {
        match kind {
            Kind::OneShot => Fd::OneShot(Descriptor::new(new_eventfd())),
            Kind::Drained => {
                Fd::Drained(executor.stage().drained(new_eventfd()).expect("room in the wait set"))
            }
        }
    }

    fn condition(&self) -> Condition {
        match self {
            Fd::OneShot(fd) => Arc::new(fd.readable()).into(),
            Fd::Drained(fd) => Arc::new(fd.readable()).into(),
        }
    }

    /// Says whether there was a signal.
    fn take(&self) -> bool {
        let read = |fd: BorrowedFd<'_>| rustix::io::read(fd, &mut [0; 8]).map_err(Into::into);
        match self {
            Fd::OneShot(fd) => read(fd.as_fd()).is_ok(),
            Fd::Drained(fd) => fd.try_drain(Interest::Read, read).is_ok(),
        }
    }

    fn kick(&self) {
        let fd = match self {
            Fd::OneShot(fd) => fd.as_fd(),
            Fd::Drained(fd) => fd.as_fd(),
        };
        rustix::io::write(fd, &1_u64.to_ne_bytes()).expect("an eventfd takes a write");
    }
}

fn new_eventfd() -> OwnedFd {
    eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).expect("descriptors are left")
}

/// Fires one wait again and again, and counts what that cost.
fn fire(executor: &Executor, calls: &counting::Calls, kind: Kind) -> (u64, counting::CallCounts) {
    let (fd, taken) = (Fd::new(executor, kind), Arc::new(AtomicU64::new(0)));
    let mut builder = GraphBuilder::new();
    let mut tasks = Vec::new();
    for _ in 0..=FIRES + SPARE {
        tasks.push(builder.wait(fd.condition()));
        let (fd, taken) = (fd.clone(), taken.clone());
        tasks.push(builder.call(move |_| {
            taken.fetch_add(u64::from(fd.take()), Relaxed);
        }));
    }
    builder.chain(tasks).expect("tasks of this graph");
    let graph = builder.build().expect("a graph");
    let scope = executor.scope("fired");
    let run = executor.submit(&graph, &scope).expect("it is not shutting down");
    counting::settle();
    let (switches, before) = (counting::switches(), calls.read());
    for fired in 1..=FIRES {
        if let Kind::OneShot = kind {
            // Arming is one look at the descriptor, for this wait and for each before it.
            counting::until("the wait is armed", || calls.read().since(before).watches >= fired - 1);
        }
        fd.kick();
        counting::until("the wait has ended", || {
            counting::pause(Duration::from_millis(1));
            assert!(!run.is_done(), "every other wait ended without a signal: {fired} fires");
            taken.load(Relaxed) == fired
        });
    }
    counting::settle();
    let (switches, during) = (counting::switches() - switches, calls.read().since(before));
    scope.cancel();
    let _ = run.wait();
    (switches, during)
}
