//! What is told of a model that deadlocks, leaks, spins, computes without end or blocks outside the checker's sight: the step
//! that each thread was at, within the limit.
//!
//! Each fault is a model in a process of its own: this program again, asked for one. Not here: models that pass.

#![cfg(raddle_loom)]

use raddle_sync::atomic::{AtomicBool, Ordering::*};
use raddle_sync::model::Model;
use raddle_sync::{Arc, Mutex, Parker, thread};
use std::process::Command;

const ASKED: &str = "RADDLE_FAULT";

/// Runs the fault that is asked for; without one, as in every run of all tests, nothing.
#[test]
fn fault() {
    match std::env::var(ASKED).as_deref() {
        Ok("deadlock") => check(|other, own| {
            let (first, second) = (other.lock(), own.lock());
            drop((first, second));
        }),
        Ok("sleep") => check(|_, _| Parker::new().park()),
        Ok("leak") => check(|other, _| std::mem::forget(other.clone())),
        Ok("spin") => check(|_, _| {
            let never = AtomicBool::new(false);
            while !never.load(Acquire) {
                thread::yield_now();
            }
        }),
        Ok("compute") => check(|other, _| {
            drop(other.lock());
            loop {
                std::hint::black_box(0);
            }
        }),
        Ok("block") => check(|_, own| {
            drop(own.lock());
            loop {
                std::thread::park();
            }
        }),
        Ok(other) => panic!("what is {other}?"),
        Err(_) => {}
    }
}

/// Two threads with two locks; one of them takes both in order, the other does this.
fn check(fault: impl Fn(&Arc<Mutex<()>>, &Arc<Mutex<()>>) + Send + Sync + 'static) {
    Model::new("fault", "it fails").check(move || {
        let (first, second) = (Arc::new(Mutex::new(())), Arc::new(Mutex::new(())));
        let locks = (first.clone(), second.clone());
        let other = thread::spawn(move || {
            let _first = locks.0.lock();
            let _second = locks.1.lock();
        });
        fault(&second, &first);
        other.join().unwrap();
    });
}

/// Runs a fault, and expects each of these texts.
#[track_caller]
fn expect(fault: &str, texts: &[&str]) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "fault", "--nocapture", "--test-threads", "1"]);
    let ended = command.env(ASKED, fault).env("RADDLE_MODEL_LIMIT", "1").output().unwrap();
    assert!(!ended.status.success(), "{fault} passes");
    let told = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
    for text in texts {
        assert!(told.contains(text), "{fault}: {text:?} is not in\n{told}");
    }
}

/// The line of this file with this text.
fn line(text: &str) -> String {
    let number = include_str!("reports.rs").lines().position(|line| line.contains(text)).unwrap() + 1;
    format!("tests/reports.rs:{number}")
}

#[test]
fn a_deadlock_is_told_with_what_each_thread_waits_for() {
    let (main, other) = (line("(other.lock(), own.lock())"), line("let _second = locks.1"));
    let (main, other) = (
        format!("main      locks     crates/sync/{main}"),
        format!("thread 1  locks     crates/sync/{other}"),
    );
    expect("deadlock", &["deadlock", "each thread is at its last step", &main, &other]);
}

#[test]
fn a_thread_that_sleeps_for_ever_is_told() {
    let step = format!("main      sleeps    crates/sync/{}", line("Parker::new().park()"));
    expect("sleep", &["deadlock", &step]);
}

#[test]
fn a_leak_is_told() {
    expect("leak", &["leaked", "the last of", "main      joins     crates/sync/"]);
}

#[test]
fn a_schedule_that_spins_is_told() {
    expect("spin", &["exceeded maximum number of branches", &line("while !never.load")]);
}

#[test]
fn what_the_checker_does_not_see_is_told_when_the_time_is_up() {
    for (fault, step) in [("compute", "drop(other.lock());"), ("block", "drop(own.lock());")] {
        let step = line(step);
        expect(fault, &["model fault has not ended", "each thread is at its last step", &step]);
    }
}
