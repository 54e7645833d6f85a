//! Models of jobs that sources bring (`src/jobs.rs`), and the end of the workers.
//!
//! Each model's claim, bound and mutants are in its first lines.
//!
//! # Models
//! - `jobs_that_are_accepted_are_run`: a job that comes while the workers are told to leave is run by one of them, or
//!   by who brings it. 3 threads, at most 2 preemptions: 1078 schedules, 0.15 s; 3: 9591 schedules, 2.17 s. Fails under
//!   jobs.accept, jobs.leave.

#![cfg(raddle_loom)]

mod modelling;

use modelling::*;
use raddle_sync::model::Model;
use raddle_sync::thread;
use raddle_task::Driver;
use raddle_task::internals::*;

#[test]
fn jobs_that_are_accepted_are_run() {
    Model::new(
        "jobs_that_are_accepted_are_run",
        "a job that comes while the workers are told to leave is run by one of them, or by who brings it",
    )
    .preemptions(2)
    .kills("jobs.accept", "another number of times")
    .kills("jobs.leave", "another number of times")
    .check(|| {
        let (rig, mut hands) = Rig::new(1, Driver::Workers, 1);
        let worker = work(hands.remove(0), None);
        let (probe, ran) = counted();
        let bringer = {
            let (rig, probe) = (rig.clone(), probe.clone());
            thread::spawn(move || rig.run_soon(&probe))
        };
        rig.end();
        bringer.join().unwrap();
        worker.join().unwrap();
        ran.assert(1);
    });
}
