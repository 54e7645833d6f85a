//! Models of the host's loop (`src/turn.rs`): what makes its descriptor readable.
//!
//! Each model's claim, bound and mutants are in its first lines. Two threads are explored exhaustively.
//!
//! # Models
//! - `turn_push_makes_the_descriptor_readable`: a task that comes from outside during or between turns is run, or the
//!   descriptor is readable. 2 threads, exhaustive: 4423 schedules, 0.55 s. Fails under idle.announce, idle.notify,
//!   idle.look.
//! - `turn_sees_a_due_moment`: a wait whose moment comes between turns makes the descriptor readable. 2 threads,
//!   exhaustive: 24 schedules, 0.00 s. Fails under timers.earlier.
//! - `turn_two_hosts`: of two turns at once one may be refused; a task that comes beside them is run, or the descriptor
//!   is readable. 2 threads, exhaustive: 13366 schedules, 1.74 s. Fails under idle.announce, idle.notify.
//! - `turn_with_a_small_budget_leaves_the_descriptor_readable`: a turn that is ended by its budget leaves the
//!   descriptor readable, and the next ones run the rest. 2 threads, exhaustive: 89 schedules, 0.01 s. Fails under
//!   turn.rewake.

#![cfg(raddle_loom)]

mod modelling;

use modelling::*;
use raddle_sync::model::Model;
use raddle_sync::thread;
use raddle_task::Driver;
use raddle_task::internals::*;
use raddle_wait::Kernel;

/// Turns while the descriptor is readable.
fn until_quiet(rig: &Rig) {
    while rig.kernel.is_readable() {
        let _ = rig.turn(1).expect("nobody else turns");
    }
}

#[test]
fn turn_push_makes_the_descriptor_readable() {
    Model::new(
        "turn_push_makes_the_descriptor_readable",
        "a task that comes from outside during or between turns is run, or the descriptor is readable",
    )
    .kills("idle.announce", "nobody is told")
    .kills("idle.notify", "nobody is told")
    .kills("idle.look", "nobody is told")
    .check(|| {
        let (rig, _) = Rig::new(0, Driver::Host, 1);
        let (probe, ran) = counted();
        let other = {
            let rig = rig.clone();
            thread::spawn(move || {
                let _ = rig.turn(4).expect("nobody else turns");
            })
        };
        rig.enqueue(&probe);
        other.join().unwrap();
        assert!(ran.get() == 1 || rig.kernel.is_readable(), "work is left, and nobody is told");
        until_quiet(&rig);
        ran.assert(1);
    });
}

#[test]
fn turn_with_a_small_budget_leaves_the_descriptor_readable() {
    Model::new(
        "turn_with_a_small_budget_leaves_the_descriptor_readable",
        "a turn that is ended by its budget leaves the descriptor readable, and the next ones run the rest",
    )
    .kills("turn.rewake", "another number of times")
    .check(|| {
        let (rig, _) = Rig::new(0, Driver::Host, 1);
        let (probes, ran): (Vec<_>, Vec<_>) = (0..3).map(|_| counted()).unzip();
        rig.enqueue(&probes[0]);
        rig.enqueue(&probes[1]);
        let other = {
            let rig = rig.clone();
            thread::spawn(move || {
                let _ = rig.turn(1).expect("nobody else turns");
            })
        };
        rig.enqueue(&probes[2]);
        other.join().unwrap();
        until_quiet(&rig);
        ran.iter().for_each(|ran| ran.assert(1));
    });
}

#[test]
fn turn_two_hosts() {
    Model::new(
        "turn_two_hosts",
        "of two turns at once one may be refused; a task that comes beside them is run, or the descriptor is readable",
    )
    .kills("idle.announce", "nobody is told")
    .kills("idle.notify", "nobody is told")
    .check(|| {
        let (rig, _) = Rig::new(0, Driver::Host, 1);
        let (probe, ran) = counted();
        let other = {
            let rig = rig.clone();
            thread::spawn(move || rig.turn(4).is_ok())
        };
        rig.enqueue(&probe);
        let is_mine = rig.turn(4).is_ok();
        let is_theirs = other.join().unwrap();
        assert!(is_mine || is_theirs, "both were refused");
        assert!(ran.get() == 1 || rig.kernel.is_readable(), "work is left, and nobody is told");
        until_quiet(&rig);
        ran.assert(1);
    });
}

#[test]
fn turn_sees_a_due_moment() {
    Model::new(
        "turn_sees_a_due_moment",
        "a wait whose moment comes between turns makes the descriptor readable",
    )
    .kills("timers.earlier", "another number of times")
    .check(|| {
        let (rig, _) = Rig::new(0, Driver::Host, 1);
        let ran = Count::new();
        let own = ran.clone();
        let waiter = Waiter::new(&rig, 1, move || own.add());
        let other = {
            let rig = rig.clone();
            thread::spawn(move || until_quiet(&rig))
        };
        waiter.arm();
        rig.kernel.advance_to(1000);
        other.join().unwrap();
        until_quiet(&rig);
        ran.assert(1);
    });
}
