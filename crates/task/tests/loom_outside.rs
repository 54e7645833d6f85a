//! Models of the outside list (`src/outside.rs`): pushers, takers, and what a sleeper sees.
//!
//! Each model's claim, bound and mutants are in its first lines. Two threads are explored exhaustively; the main thread is
//! the one that writes, since loom forgets another thread's load of a word once the writer has loaded it too.
//!
//! # Models
//! - `outside_is_not_empty_while_it_turns`: a list with tasks that nobody has taken yet is not seen empty while another
//!   taker turns it round. 2 threads, exhaustive: 50 schedules, 0.00 s. Fails under outside.take, outside.see.
//! - `outside_push_races_take`: what a thread pushes is taken once, in its order, with what it wrote. 2 threads,
//!   exhaustive: 304 schedules, 0.01 s. Fails under outside.push, outside.take.
//! - `outside_two_takers`: a pusher and two takers: each task is taken once. 3 threads, at most 2 preemptions: 2782
//!   schedules, 0.17 s; 3: 15726 schedules, 0.95 s. Fails under outside.push.

#![cfg(raddle_loom)]
#![allow(unsafe_code)]

use raddle_sync::model::Model;
use raddle_sync::thread;
use raddle_task::internals::{Outside, Probe};
use std::sync::Arc;

/// A list and the probes that go through it.
struct Bench {
    list: Arc<Outside>,
    probes: Vec<Arc<Probe>>,
}

impl Bench {
    fn new(count: usize) -> Bench {
        let probes = (0..count).map(|_| Probe::new(|| ())).collect();
        Bench { list: Arc::new(Outside::new()), probes }
    }

    fn also(&self) -> Bench {
        Bench { list: self.list.clone(), probes: self.probes.clone() }
    }

    fn push(&self, index: usize) {
        // SAFETY: each probe is pushed once.
        unsafe { self.list.push(self.probes[index].resume()) };
    }

    fn take(&self, count: usize) -> Vec<usize> {
        let mut taken = Vec::new();
        self.list.take(
            || count,
            |resume| {
                let index = self.probes.iter().position(|probe| probe.resume() == resume);
                taken.push(index.expect("a probe of this list"));
            },
        );
        taken
    }
}

fn assert_all(mut taken: Vec<usize>, count: usize) {
    taken.sort_unstable();
    assert_eq!(taken, (0..count).collect::<Vec<_>>(), "tasks were lost or doubled");
}

#[test]
fn outside_push_races_take() {
    Model::new(
        "outside_push_races_take",
        "what a thread pushes is taken once, in its order, with what it wrote",
    )
    .kills("outside.push", "Causality violation")
    .kills("outside.take", "Causality violation")
    .check(|| {
        let bench = Bench::new(3);
        let taker = {
            let bench = bench.also();
            thread::spawn(move || {
                let mut taken = bench.take(2);
                taken.extend(bench.take(2));
                taken
            })
        };
        (0..3).for_each(|index| bench.push(index));
        let mut taken = taker.join().unwrap();
        taken.extend(bench.take(3));
        assert_eq!(taken, [0, 1, 2], "tasks were lost, doubled or out of order");
        assert!(bench.list.is_empty());
    });
}

#[test]
fn outside_two_takers() {
    Model::new("outside_two_takers", "a pusher and two takers: each task is taken once")
        .preemptions(2)
        .kills("outside.push", "Causality violation")
        .check(|| {
            let bench = Bench::new(3);
            bench.push(0);
            let taker = {
                let bench = bench.also();
                thread::spawn(move || bench.take(2))
            };
            let pusher = {
                let bench = bench.also();
                thread::spawn(move || (1..3).for_each(|index| bench.push(index)))
            };
            let mut taken = bench.take(2);
            pusher.join().unwrap();
            taken.extend(taker.join().unwrap());
            taken.extend(bench.take(3));
            assert_all(taken, 3);
        });
}

#[test]
fn outside_is_not_empty_while_it_turns() {
    Model::new(
        "outside_is_not_empty_while_it_turns",
        "a list with tasks that nobody has taken yet is not seen empty while another taker turns it round",
    )
    .kills("outside.take", "seen empty")
    .kills("outside.see", "seen empty")
    .check(|| {
        let bench = Bench::new(2);
        bench.push(0);
        bench.push(1);
        let observer = {
            let bench = bench.also();
            thread::spawn(move || bench.list.is_empty())
        };
        // One of the two is left at any time.
        assert_eq!(bench.take(1), [0]);
        assert!(!observer.join().unwrap(), "a list of two, of which one is left, was seen empty");
        assert_eq!(bench.take(2), [1]);
    });
}
