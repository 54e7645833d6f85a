//! Models of the workers' deque (`src/chase_lev.rs`, the stand-in of crossbeam's): an owner and one or two thieves.
//!
//! Each model's claim, bound and mutants are in its first lines. What was pushed equals what was taken.
//!
//! # Models
//! - `deque_owner_and_thief`: the owner of a last-in-first-out deque and a thief take each task once. 2 threads,
//!   exhaustive: 9374 schedules, 0.42 s. Fails under deque.pop, deque.steal, deque.push.
//! - `deque_owner_and_thief_in_order`: the owner of a first-in-first-out deque and a thief that takes half of it take
//!   each task once. 2 threads, exhaustive: 799 schedules, 0.03 s. Fails under deque.take.
//! - `deque_two_thieves`: two thieves and the owner take each of three tasks once. 3 threads, at most 2 preemptions:
//!   4473 schedules, 0.30 s; 3: 17790 schedules, 1.09 s. Fails under deque.take.
//! - `deque_wraps_round`: a place is used again while a thief that read it before still decides. 2 threads, exhaustive:
//!   13012 schedules, 0.93 s. Fails under deque.take.

#![cfg(raddle_loom)]

use raddle_sync::model::Model;
use raddle_sync::{cell::UnsafeCell, thread};
use raddle_task::internals::{Deque, TaskRef, Thief, Tokens};
use std::sync::Arc;

/// What is written before a task is pushed, and read by who takes it.
struct Data([UnsafeCell<u32>; 4]);
// SAFETY: the model checker proves that accesses are ordered; that is the claim.
unsafe impl Send for Data {}
// SAFETY: as above.
unsafe impl Sync for Data {}

/// A deque, its tokens, and what was written with each.
struct Bench {
    tokens: Arc<Tokens>,
    data: Arc<Data>,
}

impl Bench {
    fn new() -> Bench {
        let data = Data(std::array::from_fn(|_| UnsafeCell::new(0)));
        Bench { tokens: Arc::new(Tokens::new(4)), data: Arc::new(data) }
    }

    fn push(&self, deque: &Deque, index: u32) {
        self.data.0[index as usize].with_mut(|value| {
            // SAFETY: the claim of the model.
            unsafe { *value += 1 }
        });
        deque.push(self.tokens.duty(index));
    }

    /// Notes that a token was taken.
    fn note(&self, taken: &mut Vec<u32>, task: Option<TaskRef>) {
        let Some(task) = task else { return };
        // SAFETY: the claim of the model.
        self.data.0[task.index() as usize].with(|value| assert_eq!(unsafe { *value }, 1));
        taken.push(task.index());
    }

    /// A thread that steals, into a deque of its own, and empties that each time.
    fn thief(&self, thief: Thief, times: usize) -> thread::JoinHandle<Vec<u32>> {
        let (bench, mut taken) = (Bench { tokens: self.tokens.clone(), data: self.data.clone() }, Vec::new());
        thread::spawn(move || {
            let mine = Deque::first_in_first_out();
            for _ in 0..times {
                bench.note(&mut taken, thief.steal_into(&mine));
                bench.drain(&mine, &mut taken);
            }
            taken
        })
    }

    fn drain(&self, deque: &Deque, taken: &mut Vec<u32>) {
        while let Some(task) = deque.pop() {
            self.note(taken, Some(task));
        }
    }
}

fn assert_all(mut taken: Vec<u32>, count: u32) {
    taken.sort_unstable();
    assert_eq!(taken, (0..count).collect::<Vec<_>>(), "tasks were lost or doubled");
}

/// The owner pushes and pops while one thief steals.
fn owner_and_thief(deque: fn() -> Deque, steals: usize) {
    let (bench, deque, mut taken) = (Bench::new(), deque(), Vec::new());
    let thief = bench.thief(deque.thief(), steals);
    bench.push(&deque, 0);
    bench.push(&deque, 1);
    bench.note(&mut taken, deque.pop());
    bench.note(&mut taken, deque.pop());
    taken.extend(thief.join().unwrap());
    bench.drain(&deque, &mut taken);
    assert_all(taken, 2);
}

#[test]
fn deque_owner_and_thief() {
    Model::new(
        "deque_owner_and_thief",
        "the owner of a last-in-first-out deque and a thief take each task once",
    )
    .kills("deque.pop", "lost or doubled")
    .kills("deque.steal", "lost or doubled")
    .kills("deque.push", "holds a task")
    .check(|| owner_and_thief(Deque::last_in_first_out, 2));
}

#[test]
fn deque_owner_and_thief_in_order() {
    Model::new(
        "deque_owner_and_thief_in_order",
        "the owner of a first-in-first-out deque and a thief that takes half of it take each task once",
    )
    .kills("deque.take", "lost or doubled")
    .check(|| owner_and_thief(Deque::first_in_first_out, 1));
}

#[test]
fn deque_two_thieves() {
    Model::new("deque_two_thieves", "two thieves and the owner take each of three tasks once")
        .preemptions(2)
        .kills("deque.take", "lost or doubled")
        .check(|| {
            let (bench, deque, mut taken) = (Bench::new(), Deque::last_in_first_out(), Vec::new());
            bench.push(&deque, 0);
            let thieves = [bench.thief(deque.thief(), 1), bench.thief(deque.thief(), 1)];
            bench.push(&deque, 1);
            bench.push(&deque, 2);
            bench.note(&mut taken, deque.pop());
            bench.note(&mut taken, deque.pop());
            thieves.into_iter().for_each(|thief| taken.extend(thief.join().unwrap()));
            bench.drain(&deque, &mut taken);
            assert_all(taken, 3);
        });
}

#[test]
fn deque_wraps_round() {
    Model::new("deque_wraps_round", "a place is used again while a thief that read it before still decides")
        .kills("deque.take", "lost or doubled")
        .check(|| {
            let (bench, deque, mut taken) = (Bench::new(), Deque::first_in_first_out(), Vec::new());
            for index in 0..3 {
                deque.push(bench.tokens.duty(index));
                let _ = deque.pop().expect("just pushed");
            }
            let thief = bench.thief(deque.thief(), 1);
            for index in 0..4 {
                bench.push(&deque, index);
                if index >= 2 {
                    bench.note(&mut taken, deque.pop());
                }
            }
            taken.extend(thief.join().unwrap());
            bench.drain(&deque, &mut taken);
            assert_all(taken, 4);
        });
}
