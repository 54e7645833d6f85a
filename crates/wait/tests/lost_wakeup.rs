//! The worked example of `docs/model-checking.md`: a wait source that loses a wake-up, how that is found, and its repair.

#![cfg(all(feature = "model", not(raddle_loom)))]

use raddle_wait::model::{Check, Conformance, check, spawn, wait};
use raddle_wait::sync::Mutex;
use raddle_wait::sync::atomic::{AtomicBool, Ordering};
use raddle_wait::{Readiness, SourceWaker, WaitSource};
use std::sync::Arc;

/// A door that is opened once. It loses a wake-up.
#[derive(Default)]
struct Leaky {
    is_open: AtomicBool,
    waiters: Mutex<Vec<SourceWaker>>,
}

impl Leaky {
    fn open(&self) {
        self.is_open.store(true, Ordering::Release);
        let waiters = std::mem::take(&mut *self.waiters.lock());
        waiters.iter().for_each(|waker| {
            waker.wake();
        });
    }
}

impl WaitSource for Leaky {
    fn arm(&self, waker: SourceWaker) {
        if self.is_open.load(Ordering::Acquire) {
            waker.wake();
            return;
        }
        self.waiters.lock().push(waker);
    }

    fn query(&self) -> Readiness {
        if self.is_open.load(Ordering::Acquire) { Readiness::Ready } else { Readiness::Pending }
    }
}

/// The same, repaired: the flag is looked at under the lock that `open` takes after it has set it.
#[derive(Default)]
struct Door {
    is_open: AtomicBool,
    waiters: Mutex<Vec<SourceWaker>>,
}

impl Door {
    fn open(&self) {
        self.is_open.store(true, Ordering::Release);
        let waiters = std::mem::take(&mut *self.waiters.lock());
        waiters.iter().for_each(|waker| {
            waker.wake();
        });
    }
}

impl WaitSource for Door {
    fn arm(&self, waker: SourceWaker) {
        let mut waiters = self.waiters.lock();
        if !self.is_open.load(Ordering::Acquire) {
            waiters.push(waker);
            return;
        }
        drop(waiters);
        waker.wake();
    }

    fn query(&self) -> Readiness {
        if self.is_open.load(Ordering::Acquire) { Readiness::Ready } else { Readiness::Pending }
    }
}

#[test]
fn the_leak_is_found_and_shown() {
    let found = Check::new().run(|| {
        let door = Arc::new(Leaky::default());
        let other = door.clone();
        let opener = spawn("opener", move || other.open());
        wait(door).unwrap();
        opener.join().unwrap();
    });
    let failure = found.expect_err("a wake-up is lost in some order");
    println!("{failure}");
    the_guide_shows(&failure.to_string());
    assert!(failure.message().contains("a wake-up was lost"), "{failure}");
    // Who did what: the waiter saw the door closed, the opener found nobody to wake, and the waiter went to sleep.
    let trace = failure.trace();
    let at = |who: &str, what: &str| {
        let line = trace.lines().position(|line| line.trim_start().starts_with(who) && line.contains(what));
        line.unwrap_or_else(|| panic!("{who}: {what} is not in\n{trace}"))
    };
    let last_look = trace.lines().collect::<Vec<_>>().len() - 1;
    assert!(at("opener", "store(true") < last_look);
    assert!(at("main", "load(Acquire) -> false") < at("opener", "store(true"));
    assert!(at("opener", "store(true") < at("main", "sleeps"));
}

/// What the guide shows is what this file says, and what the checker says of it.
fn the_guide_shows(failure: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/model-checking.md");
    let guide = std::fs::read_to_string(path).expect(path);
    let blocks = |language: &str| {
        let opening = format!("```{language}\n");
        let blocks = guide.split(&opening).skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
        blocks.map(str::to_owned).collect::<Vec<_>>()
    };
    let rust = blocks("rust");
    assert!(rust.len() >= 4, "{path} has {} blocks of Rust", rust.len());
    for block in rust {
        assert!(include_str!("lost_wakeup.rs").contains(&block), "not in lost_wakeup.rs:\n{block}");
    }
    assert_eq!(blocks("text"), [failure], "the guide's trace is not this one");
}

#[test]
fn the_repaired_door_wakes_in_every_order() {
    check(|| {
        let door = Arc::new(Door::default());
        let other = door.clone();
        let opener = spawn("opener", move || other.open());
        wait(door).unwrap();
        opener.join().unwrap();
    });
}

#[test]
fn the_repaired_door_conforms() {
    Conformance::new(|| Arc::new(Door::default())).signal(Door::open).check();
}
