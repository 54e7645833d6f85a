//! Models of work in batches (`src/claim.rs`, `src/run.rs`).
//!
//! Each model's claim, bound and mutants are in its first lines. Two threads are explored exhaustively.
//!
//! # Models
//! - `claim_last_hand_in_sees_all`: who hands in the last units has what the others wrote in theirs. 2 threads,
//!   exhaustive: 178 schedules, 0.01 s. Fails under claim.hand_in.
//! - `claim_token_keeps_the_run`: two workers share a dispatch: its run does not end, and its block is not reused,
//!   while one can touch it. 2 threads, at most 1 preemptions (two preemptions: more than 90 s): 7882 schedules, 2.31
//!   s; 3: 805404 schedules, 323.26 s. Fails under claim.token, run.nothing.
//! - `claim_units_are_handed_out_once`: two threads take three batches, each once. 2 threads, exhaustive: 286
//!   schedules, 0.01 s. Fails under claim.take.

#![cfg(raddle_loom)]

mod modelling;

use modelling::*;
use raddle_sync::model::Model;
use raddle_sync::thread;
use raddle_task::internals::*;
use raddle_task::{Driver, GraphBuilder};
use std::sync::Arc;

#[test]
fn claim_units_are_handed_out_once() {
    Model::new("claim_units_are_handed_out_once", "two threads take three batches, each once")
        .kills("claim.take", "lost or doubled")
        .check(|| {
            let batches = Arc::new(Batches::new(3));
            let take = |batches: Arc<Batches>| {
                move || std::iter::from_fn(|| batches.take()).map(|units| units.start).collect::<Vec<_>>()
            };
            let other = thread::spawn(take(batches.clone()));
            let mut taken = take(batches)();
            taken.extend(other.join().unwrap());
            taken.sort_unstable();
            assert_eq!(taken, [0, 1, 2], "units were lost or doubled");
        });
}

#[test]
fn claim_last_hand_in_sees_all() {
    Model::new(
        "claim_last_hand_in_sees_all",
        "who hands in the last units has what the others wrote in theirs",
    )
    .kills("claim.hand_in", "Causality violation")
    .check(|| {
        let bench = (Arc::new(Batches::new(2)), Data::new());
        let work = |(batches, data): (Arc<Batches>, Arc<Data>)| {
            move || {
                while let Some(units) = batches.take() {
                    data.write(units.start as usize);
                    if batches.hand_in(1) {
                        data.read(0);
                        data.read(1);
                    }
                }
            }
        };
        let other = thread::spawn(work(bench.clone()));
        work(bench)();
        other.join().unwrap();
    });
}

#[test]
fn claim_token_keeps_the_run() {
    Model::new(
        "claim_token_keeps_the_run",
        "two workers share a dispatch: its run does not end, and its block is not reused, while one can touch it",
    )
    .preemptions(1)
    .because("two preemptions: more than 90 s")
    .kills("claim.token", "a block in use has a run")
    .kills("run.nothing", "Causality violation")
    .check(|| {
        let (rig, mut hands) = Rig::new(2, Driver::Workers, 1);
        let tiles = Count::new();
        let mut builder = GraphBuilder::new();
        let own = tiles.clone();
        builder.dispatch([2, 1, 1], move |_| own.add());
        let (graph, scope) = (builder.build().unwrap(), rig.scope("claim"));
        let run = rig.submit(&graph, &scope).unwrap();
        let mut other = hands.remove(1);
        let other = thread::spawn(move || {
            let _ = other.run_found() && other.run_found();
            other
        });
        hands[0].drain();
        // In the same block, if it is free.
        let is_over = run.is_done();
        let again = is_over.then(|| {
            drop(run);
            tiles.assert(2);
            rig.submit(&graph, &scope).unwrap()
        });
        hands[0].drain();
        let mut other = other.join().unwrap();
        other.drain();
        hands[0].drain();
        assert!(again.is_none_or(|run| run.is_done()), "a run never ends");
        tiles.assert(if is_over { 4 } else { 2 });
    });
}
