//! Models of threads that wait (`src/blocking.rs`).
//!
//! Each model's claim, bound and mutants are in its first lines. Two threads are explored exhaustively.
//!
//! # Models
//! - `blocking_bell_rings_once_and_goes`: a thread that waits for a run wakes when it ends, sees what it wrote, and
//!   takes its bell with it. 2 threads, exhaustive: 1770 schedules, 0.18 s. Fails under bell.answer, bell.rung.
//! - `blocking_bell_wakes_the_host`: a host that waits for a run, asleep in the kernel or about to be, wakes when a
//!   worker ends it. 2 threads, at most 3 preemptions (exhaustive: more than 90 s): 65729 schedules, 21.04 s. Fails
//!   under bell.ring, bell.doze.
//! - `blocking_spares_the_last_worker`: two workers wait for the same, which a worker has to run: the last is told so,
//!   and does it. 3 threads, at most 2 preemptions: 658 schedules, 0.21 s; 3: 3659 schedules, 1.71 s. Fails under
//!   blocking.last.

#![cfg(raddle_loom)]

mod modelling;

use modelling::*;
use raddle_status::Code;
use raddle_sync::model::Model;
use raddle_sync::thread;
use raddle_task::internals::*;
use raddle_task::{Driver, GraphBuilder};
use raddle_wait::{Event, NEVER};
use std::sync::Arc;

#[test]
fn blocking_bell_rings_once_and_goes() {
    Model::new(
        "blocking_bell_rings_once_and_goes",
        "a thread that waits for a run wakes when it ends, sees what it wrote, and takes its bell with it",
    )
    .kills("bell.answer", "Causality violation")
    .kills("bell.rung", "Causality violation")
    .check(|| {
        let (rig, mut hands) = Rig::new(1, Driver::Workers, 1);
        let data = Data::new();
        let mut builder = GraphBuilder::new();
        let own = data.clone();
        builder.call(move |_| own.write(0));
        let run = rig.submit(&builder.build().unwrap(), &rig.scope("bell")).unwrap();
        let mut hand = hands.remove(0);
        let worker = thread::spawn(move || {
            assert!(hand.run_found());
            hand
        });
        run.wait().unwrap();
        data.read(0);
        worker.join().unwrap();
    });
}

#[test]
fn blocking_bell_wakes_the_host() {
    Model::new(
        "blocking_bell_wakes_the_host",
        "a host that waits for a run, asleep in the kernel or about to be, wakes when a worker ends it",
    )
    .preemptions(3)
    .because("exhaustive: more than 90 s")
    .kills("bell.ring", "deadlock")
    .kills("bell.doze", "deadlock")
    .check(|| {
        let (rig, mut hands) = Rig::new(1, Driver::Host, 1);
        let mut builder = GraphBuilder::new();
        builder.wait(Arc::new(Event::manual()));
        let run = rig.submit(&builder.build().unwrap(), &rig.scope("bell")).unwrap();
        let mut hand = hands.remove(0);
        hand.drain();
        let _ = run.cancel();
        let worker = thread::spawn(move || {
            hand.drain();
            hand
        });
        let _ = run.wait();
        assert!(run.is_done());
        worker.join().unwrap();
    });
}

#[test]
fn blocking_spares_the_last_worker() {
    Model::new(
        "blocking_spares_the_last_worker",
        "two workers wait for the same, which a worker has to run: the last is told so, and does it",
    )
    .preemptions(2)
    .kills("blocking.last", "deadlock")
    .check(|| {
        let (rig, mut hands) = Rig::new(2, Driver::Workers, 1);
        let (event, awaited) = (Arc::new(Event::manual()), rig.scope("awaited"));
        let mut builder = GraphBuilder::new();
        builder.wait(event.clone());
        let run = rig.submit(&builder.build().unwrap(), &awaited).unwrap();
        hands[0].drain();
        let refused = Count::new();
        let workers: Vec<_> = hands
            .into_iter()
            .map(|mut hand| {
                let (awaited, event, refused) = (awaited.clone(), event.clone(), refused.clone());
                let probe = Probe::new(move || {
                    if let Err(error) = awaited.wait_idle(NEVER) {
                        assert_eq!(error.code(), Code::FailedPrecondition);
                        refused.add();
                        event.set();
                    }
                });
                hand.enqueue(&probe);
                thread::spawn(move || {
                    hand.drain();
                    (hand, probe)
                })
            })
            .collect();
        let mut kept: Vec<_> = workers.into_iter().map(|worker| worker.join().unwrap()).collect();
        kept.iter_mut().for_each(|(hand, _)| hand.drain());
        assert!(run.is_done());
        assert!((1..=2).contains(&refused.get()));
    });
}
