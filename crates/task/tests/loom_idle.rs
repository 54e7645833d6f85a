//! Models of who sleeps where, and who is woken (`src/idle.rs`, `src/worker.rs`), with the workers' own step function.
//!
//! Each model's claim, bound and mutants are in its first lines. A claim that a wake-up is not lost is a model in which
//! nobody else can wake the sleeper: if it is lost, every thread sleeps, which the checker reports as a deadlock. Lists
//! and counts on the way take no lock.
//!
//! # Models
//! - `idle_busy_poller_passes_the_wake_on`: a busy worker's look at the wait set takes the wake-up of a claimed
//!   sleeper, and gives it back. 3 threads, at most 2 preemptions: 47595 schedules, 14.60 s; 3: 98148 schedules, 25.44
//!   s. Fails under idle.merged.
//! - `idle_busy_worker_polls`: the only worker always has another task: a wait whose moment comes is resumed all the
//!   same. 2 threads, exhaustive: 10 schedules, 0.00 s. Fails under worker.look.
//! - `idle_claims_are_of_different_workers`: two claims of two parked workers name each once. 2 threads, exhaustive: 46
//!   schedules, 0.00 s. Fails under idle.bit.
//! - `idle_end_races_sleep`: a worker that goes to sleep while everybody is told to leave, leaves. 2 threads,
//!   exhaustive: 17775 schedules, 2.61 s. Fails under threads.leave, threads.wake_all.
//! - `idle_end_wakes_kernel_sleepers`: two kernel sleepers whose wakes merge into one report both leave. 3 threads, at
//!   most 2 preemptions: 2574 schedules, 0.99 s; 3: 106696 schedules, 40.21 s. Fails under idle.merged, threads.leave.
//! - `idle_end_wakes_who_was_hidden`: a worker that takes its sleep back hides another from the claims of the end: who
//!   leaves claims that one. 2 threads, exhaustive: 53597 schedules, 2.46 s. Fails under threads.chain.
//! - `idle_first_wait_is_watched`: a wait that is armed while the only worker goes to sleep on its parker is watched,
//!   and resumes. 2 threads, exhaustive: 44104 schedules, 10.03 s. Fails under idle.watch, idle.announce.
//! - `idle_last_watcher_is_replaced`: a wait that is armed while the last kernel sleeper leaves for a task that lasts:
//!   a parked worker goes to watch. 3 threads, at most 2 preemptions: 24402 schedules, 13.82 s; 3: 302939 schedules,
//!   151.18 s. Fails under idle.leave.
//! - `idle_push_wakes_a_kernel_sleeper`: a task from outside is run by a worker that goes to sleep in the kernel at the
//!   same time. 2 threads, exhaustive: 711 schedules, 0.18 s. Fails under idle.announce, idle.notify, idle.look.
//! - `idle_push_wakes_a_parked_worker`: a task from outside is run by a worker that goes to sleep on its parker at the
//!   same time. 2 threads, exhaustive: 359 schedules, 0.07 s. Fails under idle.announce, idle.notify, idle.look.
//! - `idle_retract_races_claim`: a worker that takes its sleep back and a claim: it is awake by itself or owed an
//!   unpark, never both or neither. 2 threads, exhaustive: 45 schedules, 0.00 s. Fails under idle.bit.
//! - `idle_searcher_hands_on`: the last searcher finds a task that lasts until another, pushed while it searched, has
//!   run: a sleeper runs that. 3 threads, at most 2 preemptions: 2261 schedules, 0.86 s; 3: 20057 schedules, 4.95 s.
//!   Fails under idle.stop, idle.hand_on.
//! - `idle_spilled_tasks_wake`: a task for which a deque had no room is run by a worker that goes to sleep. 2 threads,
//!   exhaustive: 359 schedules, 0.05 s. Fails under idle.announce, idle.notify.
//! - `idle_two_workers_one_task`: of two workers, one asleep and one that goes to sleep, one runs the task; both are
//!   then told to leave, and do. 3 threads, at most 2 preemptions: 43610 schedules, 17.60 s; 3: 450698 schedules,
//!   165.06 s. Fails under idle.announce.
//! - `idle_woken_with_work_hands_on`: a kernel sleeper comes back with a resume that lasts, claimed for another task:
//!   its fellow runs that. 3 threads, at most 1 preemptions (2: more than 40 s): 1084 schedules, 0.78 s. Fails under
//!   idle.hand_on.

#![cfg(raddle_loom)]

mod modelling;

use modelling::*;
use raddle_sync::model::Model;
use raddle_sync::{Parker, thread};
use raddle_task::Driver;
use raddle_task::internals::*;
use std::sync::Arc;

/// A moment at which every wait of these models is due.
const LATER: u64 = 1000;

#[test]
fn idle_push_wakes_a_parked_worker() {
    Model::new(
        "idle_push_wakes_a_parked_worker",
        "a task from outside is run by a worker that goes to sleep on its parker at the same time",
    )
    .kills("idle.announce", "deadlock")
    .kills("idle.notify", "deadlock")
    .kills("idle.look", "deadlock")
    .check(|| {
        let (rig, mut hands) = Rig::new(1, Driver::Workers, 1);
        let (probe, ran) = counted();
        let worker = run_until(hands.remove(0), &ran, 1);
        rig.enqueue(&probe);
        worker.join().unwrap();
        ran.assert(1);
    });
}

#[test]
fn idle_push_wakes_a_kernel_sleeper() {
    Model::new(
        "idle_push_wakes_a_kernel_sleeper",
        "a task from outside is run by a worker that goes to sleep in the kernel at the same time",
    )
    .kills("idle.announce", "deadlock")
    .kills("idle.notify", "deadlock")
    .kills("idle.look", "deadlock")
    .check(|| {
        let (rig, mut hands) = Rig::new(1, Driver::Workers, 1);
        let _outstanding = Waiter::outstanding(&rig);
        let (probe, ran) = counted();
        let worker = run_until(hands.remove(0), &ran, 1);
        rig.enqueue(&probe);
        worker.join().unwrap();
        ran.assert(1);
    });
}

#[test]
fn idle_spilled_tasks_wake() {
    Model::new(
        "idle_spilled_tasks_wake",
        "a task for which a deque had no room is run by a worker that goes to sleep",
    )
    .kills("idle.announce", "deadlock")
    .kills("idle.notify", "deadlock")
    .check(|| {
        let (rig, mut hands) = Rig::new(1, Driver::Workers, 1);
        let (probe, ran) = counted();
        let worker = run_until(hands.remove(0), &ran, 1);
        rig.spill(&probe);
        worker.join().unwrap();
        ran.assert(1);
    });
}

#[test]
fn idle_two_workers_one_task() {
    Model::new(
        "idle_two_workers_one_task",
        "of two workers, one asleep and one that goes to sleep, one runs the task; both are then told to leave, and do",
    )
    .preemptions(2)
    .kills("idle.announce", "deadlock")
    .check(|| {
        let (rig, mut hands) = Rig::new(2, Driver::Workers, 1);
        assert_eq!(fall_asleep(&mut hands[1]), Place::Parker);
        let goal = Goal::new(&rig, 1);
        let probe = Probe::new(move || goal.add());
        let second = work(hands.remove(1), Some(Place::Parker));
        let first = work(hands.remove(0), None);
        rig.enqueue(&probe);
        first.join().unwrap();
        second.join().unwrap();
    });
}

/// A task that lasts until the other has run, and the other, which counts.
fn lasting_and_short() -> (Arc<Probe>, Arc<Probe>, Count) {
    let second_has_run = Arc::new(Parker::new());
    let waits = second_has_run.clone();
    let (short, ran) = counted_then(move || second_has_run.unpark());
    (Probe::new(move || waits.park()), short, ran)
}

fn enqueue_on_thread(rig: &Rig, probe: &Arc<Probe>) -> thread::JoinHandle<()> {
    let (rig, probe) = (rig.clone(), probe.clone());
    thread::spawn(move || rig.enqueue(&probe))
}

#[test]
fn idle_searcher_hands_on() {
    Model::new(
        "idle_searcher_hands_on",
        "the last searcher finds a task that lasts until another, pushed while it searched, has run: a sleeper runs that",
    )
    .preemptions(2)
    .kills("idle.stop", "deadlock")
    .kills("idle.hand_on", "deadlock")
    .check(|| {
        let (rig, mut hands) = Rig::new(2, Driver::Workers, 1);
        assert_eq!(fall_asleep(&mut hands[1]), Place::Parker);
        let (lasting, short, ran) = lasting_and_short();
        rig.enqueue_quietly(&lasting);
        let sleeper = run_asleep_until(hands.remove(1), Place::Parker, &ran, 1);
        let pusher = enqueue_on_thread(&rig, &short);
        hands[0].run_until(|| ran.get() == 1);
        pusher.join().unwrap();
        sleeper.join().unwrap();
        ran.assert(1);
    });
}

#[test]
fn idle_woken_with_work_hands_on() {
    Model::new(
        "idle_woken_with_work_hands_on",
        "a kernel sleeper comes back with a resume that lasts, claimed for another task: its fellow runs that",
    )
    .preemptions(1)
    .because("2: more than 40 s")
    .kills("idle.hand_on", "deadlock")
    .check(|| {
        let (rig, mut hands) = Rig::new(2, Driver::Workers, 1);
        let (goal, second_has_run) = (Goal::new(&rig, 2), Arc::new(Parker::new()));
        let (waits, own) = (second_has_run.clone(), goal.clone());
        let waiter = Waiter::new(&rig, 1, move || {
            waits.park();
            own.add();
        });
        let _outstanding = Waiter::outstanding(&rig);
        waiter.arm();
        for hand in &mut hands {
            assert_eq!(fall_asleep(hand), Place::Kernel);
        }
        let short = Probe::new(move || {
            second_has_run.unpark();
            goal.add();
        });
        rig.kernel.advance_to(LATER);
        let sleepers: Vec<_> = hands.into_iter().map(|hand| work(hand, Some(Place::Kernel))).collect();
        rig.enqueue(&short);
        sleepers.into_iter().for_each(|sleeper| sleeper.join().unwrap());
    });
}

#[test]
fn idle_first_wait_is_watched() {
    Model::new(
        "idle_first_wait_is_watched",
        "a wait that is armed while the only worker goes to sleep on its parker is watched, and resumes",
    )
    .kills("idle.watch", "deadlock")
    .kills("idle.announce", "deadlock")
    .check(|| {
        let (rig, mut hands) = Rig::new(1, Driver::Workers, 1);
        let ran = Count::new();
        let own = ran.clone();
        let waiter = Waiter::new(&rig, 1, move || own.add());
        let worker = run_until(hands.remove(0), &ran, 1);
        waiter.arm();
        rig.kernel.advance_to(LATER);
        worker.join().unwrap();
        ran.assert(1);
    });
}

#[test]
fn idle_last_watcher_is_replaced() {
    Model::new(
        "idle_last_watcher_is_replaced",
        "a wait that is armed while the last kernel sleeper leaves for a task that lasts: a parked worker goes to watch",
    )
    .preemptions(2)
    .kills("idle.leave", "deadlock")
    .check(|| {
        let (rig, mut hands) = Rig::new(2, Driver::Workers, 1);
        let mut parked = hands.remove(1);
        // A kernel sleeper without waits, and a parked worker beside it.
        let before = Waiter::outstanding(&rig);
        assert_eq!(fall_asleep(&mut hands[0]), Place::Kernel);
        drop(before);
        assert_eq!(fall_asleep(&mut parked), Place::Parker);
        let (lasting, ran) = (Arc::new(Parker::new()), Count::new());
        let (told, own, end) = (lasting.clone(), ran.clone(), rig.clone());
        let waiter = Waiter::new(&rig, 1, move || {
            own.add();
            told.unpark();
            end.end();
        });
        let task = Probe::new(move || lasting.park());
        rig.enqueue_quietly(&task);
        let mut first = hands.remove(0);
        let first = thread::spawn(move || {
            // The kernel returns for no reason.
            assert!(first.try_wake(Place::Kernel));
            first.run_until(|| ran.get() == 1);
        });
        let parked = work(parked, Some(Place::Parker));
        waiter.arm();
        rig.kernel.advance_to(LATER);
        first.join().unwrap();
        parked.join().unwrap();
    });
}

#[test]
fn idle_busy_poller_passes_the_wake_on() {
    Model::new(
        "idle_busy_poller_passes_the_wake_on",
        "a busy worker's look at the wait set takes the wake-up of a claimed sleeper, and gives it back",
    )
    .preemptions(2)
    .kills("idle.merged", "deadlock")
    .check(|| {
        let (rig, mut hands) = Rig::new(2, Driver::Workers, 1);
        let _outstanding = Waiter::outstanding(&rig);
        assert_eq!(fall_asleep(&mut hands[1]), Place::Kernel);
        let (lasting, short, ran) = lasting_and_short();
        let busy = &mut hands[0];
        let (task, _) = counted();
        busy.enqueue(&task);
        busy.enqueue(&lasting);
        let sleeper = run_asleep_until(hands.remove(1), Place::Kernel, &ran, 1);
        let pusher = enqueue_on_thread(&rig, &short);
        // Looks around after its first task.
        hands[0].run_until(|| ran.get() == 1);
        pusher.join().unwrap();
        sleeper.join().unwrap();
    });
}

#[test]
fn idle_end_wakes_kernel_sleepers() {
    Model::new(
        "idle_end_wakes_kernel_sleepers",
        "two kernel sleepers whose wakes merge into one report both leave",
    )
    .preemptions(2)
    .kills("idle.merged", "deadlock")
    .kills("threads.leave", "deadlock")
    .check(|| {
        let (rig, mut hands) = Rig::new(2, Driver::Workers, 1);
        let _outstanding = Waiter::outstanding(&rig);
        let never = Count::new();
        for hand in &mut hands {
            assert_eq!(fall_asleep(hand), Place::Kernel);
        }
        let sleepers: Vec<_> =
            hands.into_iter().map(|hand| run_asleep_until(hand, Place::Kernel, &never, 1)).collect();
        rig.end();
        sleepers.into_iter().for_each(|sleeper| sleeper.join().unwrap());
    });
}

#[test]
fn idle_end_races_sleep() {
    Model::new(
        "idle_end_races_sleep",
        "a worker that goes to sleep while everybody is told to leave, leaves",
    )
    .kills("threads.leave", "deadlock")
    .kills("threads.wake_all", "deadlock")
    .check(|| {
        let (rig, mut hands) = Rig::new(1, Driver::Workers, 1);
        let hand = hands.remove(0);
        let worker = thread::spawn(move || hand.work());
        rig.end();
        worker.join().unwrap();
    });
}

#[test]
fn idle_claims_are_of_different_workers() {
    Model::new("idle_claims_are_of_different_workers", "two claims of two parked workers name each once")
        .kills("idle.bit", "claimed twice")
        .check(|| {
            let idle = Arc::new(Idle::new(2));
            for worker in 0..2 {
                idle.start_search();
                assert_eq!(idle.announce(worker, false), Place::Parker);
            }
            let other = {
                let idle = idle.clone();
                thread::spawn(move || idle.claim())
            };
            let claims = [idle.claim(), other.join().unwrap()];
            assert_ne!(claims[0], claims[1], "a worker was claimed twice");
            assert!(claims.iter().all(|claim| matches!(claim, Claim::Worker(_))));
            assert_eq!((idle.counts().parked(), idle.counts().searching()), (0, 2));
        });
}

#[test]
fn idle_retract_races_claim() {
    Model::new(
        "idle_retract_races_claim",
        "a worker that takes its sleep back and a claim: it is awake by itself or owed an unpark, never both or neither",
    )
    .kills("idle.bit", "awake and claimed")
    .check(|| {
        let idle = Arc::new(Idle::new(2));
        for worker in 0..2 {
            idle.start_search();
            assert_eq!(idle.announce(worker, false), Place::Parker);
        }
        let other = {
            let idle = idle.clone();
            thread::spawn(move || idle.claim())
        };
        let is_awake = idle.retract(0);
        let claim = other.join().unwrap();
        assert_ne!(is_awake, claim == Claim::Worker(0), "a worker is awake and claimed, or neither");
        let (parked, searching) = if is_awake { (0, 2) } else { (1, 1) };
        assert_eq!((idle.counts().parked(), idle.counts().searching()), (parked, searching));
    });
}

#[test]
fn idle_end_wakes_who_was_hidden() {
    Model::new(
        "idle_end_wakes_who_was_hidden",
        "a worker that takes its sleep back hides another from the claims of the end: who leaves claims that one",
    )
    .kills("threads.chain", "nobody wakes")
    .check(|| {
        let idle = Arc::new(Idle::new(2));
        for worker in 0..2 {
            idle.start_search();
            assert_eq!(idle.announce(worker, false), Place::Parker);
        }
        let first = {
            let idle = idle.clone();
            thread::spawn(move || {
                // If it is claimed, it is unparked, and leaves just the same.
                let _ = idle.retract(0);
                idle.leave()
            })
        };
        let mut claims: Vec<_> = (0..3).map(|_| idle.claim()).collect();
        claims.push(first.join().unwrap());
        assert!(claims.contains(&Claim::Worker(1)), "nobody wakes a worker that sleeps: {claims:?}");
    });
}

#[test]
fn idle_busy_worker_polls() {
    Model::new(
        "idle_busy_worker_polls",
        "the only worker always has another task: a wait whose moment comes is resumed all the same",
    )
    .kills("worker.look", "exceeded maximum number of branches")
    .check(|| {
        let (rig, mut hands) = Rig::new(1, Driver::Workers, 1);
        let ran = Count::new();
        let own = ran.clone();
        let waiter = Waiter::new(&rig, 1, move || own.add());
        waiter.arm();
        let busy = Arc::new_cyclic(|busy: &std::sync::Weak<Again>| Again::new(&rig, &ran, busy.clone()));
        rig.enqueue(&busy.0);
        let clock = {
            let rig = rig.clone();
            thread::spawn(move || rig.kernel.advance_to(LATER))
        };
        hands[0].run_until(|| ran.get() == 1);
        clock.join().unwrap();
        hands[0].drain();
    });
}

/// A task that enqueues itself until something was done.
struct Again(Arc<Probe>);

impl Again {
    fn new(rig: &Rig, until: &Count, me: std::sync::Weak<Again>) -> Again {
        let (rig, until) = (rig.clone(), until.clone());
        Again(Probe::new(move || {
            if until.get() == 0 {
                rig.enqueue(&me.upgrade().expect("kept by the model").0);
                thread::yield_now();
            }
        }))
    }
}
