//! The workers' deques as they are in the product, crossbeam's, raced by threads: each task is taken once.
//!
//! A seed decides what the owner pushes and takes, and how long it goes on; the order in which the threads meet is the
//! machine's. The models know only a stand-in (`src/chase_lev.rs`).

#![cfg(not(raddle_loom))]

use raddle_task::internals::{Deque, Thief, Tokens};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::*};

const TASKS: u32 = 2000;
const THIEVES: usize = 2;
const SEEDS: u64 = 30;

/// A small generator.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

struct Race {
    tokens: Tokens,
    taken: Vec<AtomicU32>,
    is_over: AtomicBool,
}

impl Race {
    /// Notes the tasks that a deque hands out.
    fn take_all(&self, deque: &Deque) {
        while let Some(task) = deque.pop() {
            self.note(task.index());
        }
    }

    fn note(&self, index: u32) {
        self.taken[index as usize].fetch_add(1, Relaxed);
    }

    fn steal(&self, victim: &Thief, mine: &Deque) {
        while let Some(task) = victim.steal_into(mine) {
            self.note(task.index());
            self.take_all(mine);
        }
    }
}

fn race(seed: u64, make: fn() -> Deque) {
    let race = Arc::new(Race {
        tokens: Tokens::new(TASKS),
        taken: (0..TASKS).map(|_| AtomicU32::new(0)).collect(),
        is_over: AtomicBool::new(false),
    });
    let owner = make();
    let thieves: Vec<_> = (0..THIEVES)
        .map(|_| {
            let (race, victim) = (race.clone(), owner.thief());
            std::thread::spawn(move || {
                let mine = make();
                while !race.is_over.load(Acquire) {
                    race.steal(&victim, &mine);
                    std::hint::spin_loop();
                }
                race.steal(&victim, &mine);
            })
        })
        .collect();
    let (mut random, mut pushed) = (seed * 2 + 1, 0);
    while pushed < TASKS {
        for _ in 0..1 + next(&mut random) % 8 {
            if pushed < TASKS {
                owner.push(race.tokens.duty(pushed));
                pushed += 1;
            }
        }
        for _ in 0..next(&mut random) % 8 {
            owner.pop().iter().for_each(|task| race.note(task.index()));
        }
    }
    race.take_all(&owner);
    race.is_over.store(true, Release);
    thieves.into_iter().for_each(|thief| thief.join().unwrap());
    race.take_all(&owner);
    for (task, taken) in race.taken.iter().enumerate() {
        assert_eq!(taken.load(Relaxed), 1, "seed {seed}: task {task} was lost or doubled");
    }
}

#[test]
fn each_task_is_taken_once() {
    for seed in 0..SEEDS {
        race(seed, Deque::last_in_first_out);
        race(seed, Deque::first_in_first_out);
    }
}
