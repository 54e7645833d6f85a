//! Models of the wait set (`src/set/`), on the kernel's stand-in.
//!
//! Each model's claim, bound and mutants are in its first lines. A poller turns until it is woken at the end; nobody
//! else can fire a timer or a descriptor, so a ring or report that is lost is a deadlock.
//!
//! # Models
//! - `descriptors_are_levels`: an edge before, during or after the arming ends the wait, and what was not taken ends
//!   the next one. 3 threads, at most 2 preemptions: 10822 schedules, 1.35 s; 3: 89384 schedules, 9.76 s. Fails under
//!   descriptors.rearm.
//! - `descriptors_removal_is_final`: a wait on a descriptor that was cancelled, while it fires or before, never ends a
//!   later wait in its slot. 3 threads, at most 2 preemptions: 8725 schedules, 0.84 s; 3: 100448 schedules, 10.22 s.
//!   Fails under descriptors.remove.
//! - `descriptors_stale_report_meets_a_reused_number`: a report of a descriptor that is closed meanwhile does not end a
//!   wait on another that has its number now. 2 threads, exhaustive: 514 schedules, 0.06 s. Fails under
//!   descriptors.generation.
//! - `descriptors_two_pollers`: two waits on one descriptor both end, whichever of two pollers gets the report, and one
//!   wake ends both. 3 threads, at most 2 preemptions: 66772 schedules, 8.92 s; 3: 613323 schedules, 80.49 s. Fails
//!   under set.clear.
//! - `drained_readiness_is_not_lost`: a report that comes while its reader takes, clears or arms is seen; everything
//!   written is read, no place is lost. 2 threads, exhaustive: 164 schedules, 0.02 s. Fails under drained.tick,
//!   descriptors.at_once, descriptors.places.
//! - `drained_readiness_is_not_lost_to_a_group`: the same where the descriptor is one source of several. 2 threads,
//!   exhaustive: 362 schedules, 0.05 s. Fails under drained.tick, descriptors.look.
//! - `drained_removal_is_final`: a wait for a drained descriptor that is cancelled as it is armed, while it fires or
//!   after, is over and gives its place back. 3 threads, at most 2 preemptions: 1146 schedules, 0.16 s. Fails under
//!   descriptors.remove, cancel.publish.
//! - `set_first_wait_finds_a_poller`: a sleeper on its parker that saw no wait outstanding is told of the first. 2
//!   threads, exhaustive: 181608 schedules, 15.13 s. Fails under places.first.
//! - `set_refused_wait_gets_a_place`: a wait that was refused for want of a place is told of the next place, or finds
//!   it itself. 2 threads, exhaustive: 336 schedules, 0.04 s. Fails under places.refuse, places.give.
//! - `set_shown_descriptor_tells_of_a_wake`: a descriptor that is handed out before, during or after a wake is readable
//!   once both have returned. 2 threads, exhaustive: 11 schedules, 0.00 s. Fails under set.show.
//! - `set_wakes_are_seen`: a sleeper returns for every wake, merged or not, and sees what its caller wrote before. 3
//!   threads, at most 3 preemptions: 4792 schedules, 0.40 s. Fails under set.wake, set.woken, set.clear, set.sleeper,
//!   set.doze.
//! - `timers_first_gets_earlier`: a deadline that becomes the first while a sleeper is in the kernel ends its wait when
//!   it comes. 2 threads, exhaustive: 70560 schedules, 7.26 s. Fails under timers.earlier.
//! - `timers_next_is_set`: after the first deadline has fired, the next rings too; clock, insertion and poller race. 3
//!   threads, at most 3 preemptions: 28837 schedules, 3.71 s. Fails under timers.next.
//! - `timers_put_off_is_made_up`: a deadline that a look put off rings once its thread sleeps, also if it comes
//!   meanwhile. 2 threads, at most 3 preemptions (the exhaustive run takes minutes: the poller turns until it is
//!   woken): 1517 schedules, 0.15 s. Fails under timers.make_up.
//! - `timers_removal_is_final`: a deadline that was removed, while it fires or before, never ends a later wait in the
//!   same slot. 3 threads, at most 2 preemptions: 15758 schedules, 1.60 s; 3: 169311 schedules, 15.02 s. Fails under
//!   timers.remove.

#![cfg(raddle_loom)]
#![allow(unsafe_code)]

mod support;

use raddle_status::Code;
use raddle_sync::atomic::{AtomicBool, Ordering::*, fence};
use raddle_sync::model::Model;
use raddle_sync::{Parker, thread};
use raddle_wait::*;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use support::Program;

type Set = WaitSet<Standin>;

/// A moment of the stage's clock, as a source.
struct At(Moment);

impl WaitSource for At {
    fn arm(&self, _: SourceWaker) {
        unreachable!("routed to the stage");
    }

    fn route(&self) -> Route<'_> {
        Route::Moment(self.0)
    }
}

fn set() -> Set {
    set_with(Limits::default())
}

fn set_with(limits: Limits) -> Set {
    WaitSet::with_kernel(Standin::new(), limits).expect("a wait set")
}

/// Turns until somebody wakes the set; returns how many waits fired.
fn poll_until_woken(set: &Set) -> usize {
    poll_into(set, &mut Events::with_capacity(4))
}

fn poll_into(set: &Set, events: &mut Events) -> usize {
    let mut fired = 0;
    loop {
        let turn = set.turn(events, Sleep::UntilEvent).expect("a turn");
        fired += turn.fired;
        if turn.woken {
            return fired;
        }
    }
}

fn poller(set: &Set) -> thread::JoinHandle<usize> {
    let set = set.clone();
    thread::spawn(move || poll_until_woken(&set))
}

/// Stops the poller and asserts that the set is left empty.
fn finish(set: &Set, poller: thread::JoinHandle<usize>) -> usize {
    set.wake();
    let fired = poller.join().unwrap();
    assert_eq!(set.outstanding(), 0, "places were lost");
    fired
}

fn frame(pool: &SlotPool, source: impl Into<Condition>, deadline: Moment) -> Frame {
    Frame::new(pool, source.into(), deadline).expect("a valid condition")
}

#[test]
fn timers_first_gets_earlier() {
    Model::new(
        "timers_first_gets_earlier",
        "a deadline that becomes the first while a sleeper is in the kernel ends its wait when it comes",
    )
    .kills("timers.earlier", "deadlock")
    .check(|| {
        let (set, pool) = (set(), SlotPool::new());
        let poller = poller(&set);
        let (late, early) = (Program::new(), Program::new());
        let cancel = CancelPoint::new(&pool);
        let late_frame = frame(&pool, Arc::new(At(100)), NEVER);
        assert!(late.begin_in(&set, &late_frame, Some(&cancel)).is_none());
        set.kernel().advance_to(10);
        let early_frame = frame(&pool, Arc::new(At(20)), NEVER);
        assert!(early.begin_in(&set, &early_frame, None).is_none());
        set.kernel().advance_to(20);
        assert!(early.finish_in(&set, &early_frame, None).into_result().is_ok());
        cancel.request();
        assert!(matches!(late.finish_in(&set, &late_frame, Some(&cancel)), Outcome::Cancelled));
        assert_eq!(finish(&set, poller), 1);
    });
}

#[test]
fn timers_next_is_set() {
    Model::new(
        "timers_next_is_set",
        "after the first deadline has fired, the next rings too; clock, insertion and poller race",
    )
    .preemptions(3)
    .kills("timers.next", "deadlock")
    .check(|| {
        let (set, pool) = (set(), SlotPool::new());
        let poller = poller(&set);
        let clock = {
            let set = set.clone();
            thread::spawn(move || {
                set.kernel().advance_to(10);
                set.kernel().advance_to(20);
            })
        };
        let (first, second) = (Program::new(), Program::new());
        let first_frame = frame(&pool, Arc::new(At(10)), NEVER);
        let second_frame = frame(&pool, Arc::new(At(20)), NEVER);
        let first_waits = first.begin_in(&set, &first_frame, None).is_none();
        let second_waits = second.begin_in(&set, &second_frame, None).is_none();
        if first_waits {
            assert!(first.finish_in(&set, &first_frame, None).into_result().is_ok());
        }
        if second_waits {
            assert!(second.finish_in(&set, &second_frame, None).into_result().is_ok());
        }
        assert!(set.now() >= 20 || !second_waits);
        clock.join().unwrap();
        finish(&set, poller);
    });
}

#[test]
fn timers_put_off_is_made_up() {
    Model::new(
        "timers_put_off_is_made_up",
        "a deadline that a look put off rings once its thread sleeps, also if it comes meanwhile",
    )
    .preemptions(3)
    .because("the exhaustive run takes minutes: the poller turns until it is woken")
    .kills("timers.make_up", "deadlock")
    .check(|| {
        let (set, pool) = (set(), SlotPool::new());
        let poller = {
            let set = set.clone();
            thread::spawn(move || {
                let mut events = Events::with_capacity(4);
                events.looks_again = true;
                poll_into(&set, &mut events)
            })
        };
        let (first, second) = (Program::new(), Program::new());
        let first_frame = frame(&pool, Arc::new(At(10)), NEVER);
        let second_frame = frame(&pool, Arc::new(At(20)), NEVER);
        assert!(first.begin_in(&set, &first_frame, None).is_none());
        assert!(second.begin_in(&set, &second_frame, None).is_none());
        set.kernel().advance_to(10);
        assert!(first.finish_in(&set, &first_frame, None).into_result().is_ok());
        set.kernel().advance_to(20);
        assert!(second.finish_in(&set, &second_frame, None).into_result().is_ok());
        assert_eq!(finish(&set, poller), 2);
    });
}

#[test]
fn timers_removal_is_final() {
    Model::new(
        "timers_removal_is_final",
        "a deadline that was removed, while it fires or before, never ends a later wait in the same slot",
    )
    .preemptions(2)
    .kills("timers.remove", "a stale deadline")
    .check(|| {
        let (set, pool) = (set(), SlotPool::new());
        let (first, second) = (Arc::new(Event::manual()), Arc::new(Event::manual()));
        let signaller = {
            let (first, second) = (first.clone(), second.clone());
            thread::spawn(move || {
                first.set();
                second.set();
            })
        };
        let poller = {
            let set = set.clone();
            thread::spawn(move || {
                set.kernel().advance_to(10);
                let mut events = Events::with_capacity(4);
                let _ = set.turn(&mut events, Sleep::Never).unwrap();
            })
        };
        // Both waits have its slot.
        let (program, point) = (Program::new(), CancelPoint::new(&pool));
        let timed = frame(&pool, first, 10);
        let outcome = program.wait_in(&set, &timed, Some(&point));
        assert!(matches!(outcome, Outcome::Ready { .. } | Outcome::TimedOut), "{outcome:?}");
        drop(timed);
        let untimed = frame(&pool, second, NEVER);
        let outcome = program.wait_in(&set, &untimed, Some(&point));
        assert!(matches!(outcome, Outcome::Ready { .. }), "a stale deadline: {outcome:?}");
        signaller.join().unwrap();
        poller.join().unwrap();
        drop(untimed);
    });
}

#[test]
fn descriptors_are_levels() {
    Model::new(
        "descriptors_are_levels",
        "an edge before, during or after the arming ends the wait, and what was not taken ends the next one",
    )
    .preemptions(2)
    .kills("descriptors.rearm", "deadlock")
    .check(|| {
        let (set, pool) = (set(), SlotPool::new());
        let fd = set.kernel().counter();
        let writer = set.kernel().duplicate(&fd);
        let source = Arc::new(Descriptor::new(fd).readable());
        let poller = poller(&set);
        let signaller = {
            let set = set.clone();
            thread::spawn(move || set.kernel().add(&writer, 1))
        };
        let program = Program::new();
        for _ in 0..2 {
            let frame = frame(&pool, source.clone(), NEVER);
            assert!(program.wait_in(&set, &frame, None).into_result().is_ok());
        }
        signaller.join().unwrap();
        assert_eq!(finish(&set, poller), 2);
    });
}

#[test]
fn descriptors_two_pollers() {
    Model::new(
        "descriptors_two_pollers",
        "two waits on one descriptor both end, whichever of two pollers gets the report, and one wake ends both",
    )
    .preemptions(2)
    .kills("set.clear", "maximum number of branches")
    .check(|| {
        let (set, pool) = (set(), SlotPool::new());
        let fd = set.kernel().counter();
        let writer = set.kernel().duplicate(&fd);
        let source = Arc::new(Descriptor::new(fd).readable());
        let is_done = Arc::new(AtomicBool::new(false));
        let pollers = [0, 1].map(|_| {
            let (set, is_done) = (set.clone(), is_done.clone());
            thread::spawn(move || {
                let mut fired = 0;
                while !is_done.load(Relaxed) {
                    fired += poll_until_woken(&set);
                }
                // One wake ends one sleep: it is passed on.
                set.wake();
                fired
            })
        });
        let (first, second) = (Program::new(), Program::new());
        let first_frame = frame(&pool, source.clone(), NEVER);
        let second_frame = frame(&pool, source, NEVER);
        let is_first_ready = first.begin_in(&set, &first_frame, None);
        set.kernel().add(&writer, 1);
        let is_second_ready = second.begin_in(&set, &second_frame, None);
        let outcome = is_first_ready.unwrap_or_else(|| first.finish_in(&set, &first_frame, None));
        assert!(outcome.into_result().is_ok());
        let outcome = is_second_ready.unwrap_or_else(|| second.finish_in(&set, &second_frame, None));
        assert!(outcome.into_result().is_ok());
        is_done.store(true, Relaxed);
        set.wake();
        let fired: usize = pollers.into_iter().map(|poller| poller.join().unwrap()).sum();
        assert_eq!((fired, set.outstanding()), (2, 0));
    });
}

#[test]
fn descriptors_removal_is_final() {
    Model::new(
        "descriptors_removal_is_final",
        "a wait on a descriptor that was cancelled, while it fires or before, never ends a later wait in its slot",
    )
    .preemptions(2)
    .kills("descriptors.remove", "giving back a slot that is on a list")
    .check(|| {
        let (set, pool) = (set(), SlotPool::new());
        let fd = set.kernel().counter();
        let writer = set.kernel().duplicate(&fd);
        let source = Arc::new(Descriptor::new(fd).readable());
        let cancel = Arc::new(CancelPoint::new(&pool));
        let event = Arc::new(Event::manual());
        let canceller = {
            let (cancel, event) = (cancel.clone(), event.clone());
            thread::spawn(move || {
                cancel.request();
                event.set();
            })
        };
        let poller = {
            let set = set.clone();
            thread::spawn(move || {
                set.kernel().add(&writer, 1);
                let mut events = Events::with_capacity(4);
                let _ = set.turn(&mut events, Sleep::Never).unwrap();
            })
        };
        let program = Program::new();
        let watched = frame(&pool, source.clone(), NEVER);
        let outcome = program.wait_in(&set, &watched, Some(&cancel));
        assert!(matches!(outcome, Outcome::Ready { .. } | Outcome::Cancelled), "{outcome:?}");
        drop(watched);
        let signalled = frame(&pool, event.clone(), NEVER);
        assert!(program.wait_in(&set, &signalled, None).into_result().is_ok());
        assert!(event.is_set(), "a stale report ended the wait");
        canceller.join().unwrap();
        poller.join().unwrap();
    });
}

#[test]
fn descriptors_stale_report_meets_a_reused_number() {
    Model::new(
        "descriptors_stale_report_meets_a_reused_number",
        "a report of a descriptor that is closed meanwhile does not end a wait on another that has its number now",
    )
    .kills("descriptors.generation", "a stale report ended the wait")
    .check(|| {
        let (set, pool, program) = (set(), SlotPool::new(), Program::new());
        let fd = set.kernel().counter();
        let number = fd.as_raw_fd();
        let first = Descriptor::new(fd);
        let given_up = frame(&pool, Arc::new(first.readable()), NEVER);
        // SAFETY: abandoned below.
        let progress = unsafe { given_up.begin(&set, program.header(), None) };
        assert!(matches!(progress, Progress::Waiting));
        set.kernel().add(&first, 1);
        let poller = {
            let set = set.clone();
            thread::spawn(move || {
                let mut events = Events::with_capacity(4);
                let _ = set.turn(&mut events, Sleep::Never).unwrap();
            })
        };
        // SAFETY: it waits. If the poller was faster, nobody looks at what it scheduled.
        unsafe { given_up.abandon(&set, None) };
        drop(given_up);
        drop(first);
        let fd = set.kernel().counter();
        assert_eq!(fd.as_raw_fd(), number, "the number is given out again");
        let (event, next) = (Arc::new(Event::manual()), Program::new());
        let waits = frame(&pool, any![Arc::new(Descriptor::new(fd).readable()), event.clone()], NEVER);
        let begun = next.begin_in(&set, &waits, None);
        poller.join().unwrap();
        event.set();
        let outcome = begun.unwrap_or_else(|| next.finish_in(&set, &waits, None));
        assert!(matches!(outcome, Outcome::Ready { index: 1 }), "a stale report ended the wait: {outcome:?}");
    });
}

#[test]
fn drained_readiness_is_not_lost() {
    Model::new(
        "drained_readiness_is_not_lost",
        "a report that comes while its reader takes, clears or arms is seen; everything written is read, no place is lost",
    )
    .kills("drained.tick", "deadlock")
    .kills("descriptors.at_once", "deadlock")
    .kills("descriptors.places", "places were lost")
    .check(|| drain_beside_a_report(Condition::Until));
}

#[test]
fn drained_readiness_is_not_lost_to_a_group() {
    Model::new(
        "drained_readiness_is_not_lost_to_a_group",
        "the same where the descriptor is one source of several",
    )
    .kills("drained.tick", "deadlock")
    .kills("descriptors.look", "deadlock")
    .check(|| drain_beside_a_report(|source| Condition::Any(vec![Condition::Until(source)])));
}

/// Reads what was written before and what another thread writes and reports meanwhile.
fn drain_beside_a_report(condition: impl Fn(SharedSource) -> Condition) {
    let (set, pool) = (set(), SlotPool::new());
    let fd = set.kernel().counter();
    let writer = set.kernel().duplicate(&fd);
    let drained = set.drained(fd).expect("a drained counter");
    // Who has the descriptor is told of everything: otherwise a turn looks only while something is outstanding.
    let _ = set.fd();
    set.kernel().add(&writer, 1);
    let mut events = Events::with_capacity(4);
    let _ = set.turn(&mut events, Sleep::Never).unwrap();
    let reporter = {
        let set = set.clone();
        thread::spawn(move || {
            set.kernel().add(&writer, 1);
            let mut events = Events::with_capacity(4);
            let _ = set.turn(&mut events, Sleep::Never).unwrap();
        })
    };
    let (program, source) = (Program::new(), Arc::new(drained.readable()));
    let mut total = 0;
    while total < 2 {
        let kernel = set.kernel();
        let take = |fd: std::os::fd::BorrowedFd<'_>| {
            kernel.take(fd).ok_or_else(|| std::io::ErrorKind::WouldBlock.into())
        };
        match drained.try_drain(Interest::Read, take) {
            Ok(count) => total += count,
            Err(_) => {
                let frame = frame(&pool, condition(source.clone()), NEVER);
                assert!(program.wait_in(&set, &frame, None).into_result().is_ok());
            }
        }
    }
    reporter.join().unwrap();
    drop((source, drained));
    assert_eq!(set.outstanding(), 0, "places were lost");
}

#[test]
fn drained_removal_is_final() {
    Model::new(
        "drained_removal_is_final",
        "a wait for a drained descriptor that is cancelled as it is armed, while it fires or after, is over and gives its place back",
    )
    .preemptions(2)
    .kills("descriptors.remove", "giving back a slot that is on a list")
    .kills("cancel.publish", "deadlock")
    .check(|| {
        let (set, pool) = (set(), SlotPool::new());
        let fd = set.kernel().counter();
        let writer = set.kernel().duplicate(&fd);
        let drained = set.drained(fd).expect("a drained counter");
        let cancel = Arc::new(CancelPoint::new(&pool));
        let canceller = {
            let cancel = cancel.clone();
            thread::spawn(move || cancel.request())
        };
        let poller = {
            let set = set.clone();
            thread::spawn(move || {
                set.kernel().add(&writer, 1);
                let mut events = Events::with_capacity(4);
                let _ = set.turn(&mut events, Sleep::Never).unwrap();
            })
        };
        let program = Program::new();
        let watched = frame(&pool, Arc::new(drained.readable()) as SharedSource, NEVER);
        let outcome = program.wait_in(&set, &watched, Some(&cancel));
        assert!(matches!(outcome, Outcome::Ready { .. } | Outcome::Cancelled), "{outcome:?}");
        drop((watched, drained));
        canceller.join().unwrap();
        poller.join().unwrap();
        assert_eq!(set.outstanding(), 0, "places were lost");
    });
}

#[test]
fn set_shown_descriptor_tells_of_a_wake() {
    Model::new(
        "set_shown_descriptor_tells_of_a_wake",
        "a descriptor that is handed out before, during or after a wake is readable once both have returned",
    )
    .kills("set.show", "nobody is told")
    .check(|| {
        let set = set();
        let waker = {
            let set = set.clone();
            thread::spawn(move || set.wake())
        };
        let _ = set.fd();
        waker.join().unwrap();
        assert!(set.kernel().is_readable(), "it was woken, and nobody is told");
        let mut events = Events::with_capacity(4);
        assert!(set.turn(&mut events, Sleep::Never).unwrap().woken);
        assert!(!set.kernel().is_readable(), "it was told already");
    });
}

#[test]
fn set_wakes_are_seen() {
    Model::new(
        "set_wakes_are_seen",
        "a sleeper returns for every wake, merged or not, and sees what its caller wrote before",
    )
    .preemptions(3)
    .kills("set.wake", "deadlock")
    .kills("set.woken", "deadlock")
    .kills("set.clear", "deadlock")
    .kills("set.sleeper", "deadlock")
    .kills("set.doze", "deadlock")
    .check(|| {
        let set = set();
        let words = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        let wakers = [0, 1].map(|index| {
            let (set, words) = (set.clone(), words.clone());
            thread::spawn(move || {
                words[index].store(true, Relaxed);
                set.wake();
            })
        });
        let mut events = Events::with_capacity(4);
        while !words.iter().all(|word| word.load(Relaxed)) {
            let turn = set.turn(&mut events, Sleep::UntilEvent).unwrap();
            assert!(turn.woken);
        }
        for waker in wakers {
            waker.join().unwrap();
        }
    });
}

#[test]
fn set_first_wait_finds_a_poller() {
    Model::new(
        "set_first_wait_finds_a_poller",
        "a sleeper on its parker that saw no wait outstanding is told of the first",
    )
    .kills("places.first", "deadlock")
    .check(|| {
        let (set, pool) = (set(), SlotPool::new());
        let sleeper = Arc::new((AtomicBool::new(false), Parker::new()));
        let callee = sleeper.clone();
        set.on_first(move || {
            if callee.0.load(Relaxed) {
                callee.1.unpark();
            }
        });
        let worker = {
            let (set, sleeper) = (set.clone(), sleeper.clone());
            thread::spawn(move || {
                sleeper.0.store(true, Relaxed);
                fence(SeqCst);
                if set.outstanding() == 0 {
                    sleeper.1.park();
                }
                poll_until_woken(&set);
            })
        };
        let program = Program::new();
        let delay = frame(&pool, Arc::new(At(10)), NEVER);
        assert!(program.begin_in(&set, &delay, None).is_none());
        set.kernel().advance_to(10);
        assert!(program.finish_in(&set, &delay, None).into_result().is_ok());
        set.wake();
        worker.join().unwrap();
    });
}

#[test]
fn set_refused_wait_gets_a_place() {
    Model::new(
        "set_refused_wait_gets_a_place",
        "a wait that was refused for want of a place is told of the next place, or finds it itself",
    )
    .kills("places.refuse", "deadlock")
    .kills("places.give", "deadlock")
    .check(|| {
        let set = set_with(Limits { armed_max: 1 });
        let pool = SlotPool::new();
        let place = Arc::new(Parker::new());
        let callee = place.clone();
        set.on_place(move || callee.unpark());
        let (first, second) = (Program::new(), Program::new());
        let first_frame = frame(&pool, Arc::new(At(10)), NEVER);
        assert!(first.begin_in(&set, &first_frame, None).is_none());
        let firer = {
            let set = set.clone();
            thread::spawn(move || {
                set.kernel().advance_to(10);
                let mut events = Events::with_capacity(4);
                while set.turn(&mut events, Sleep::UntilEvent).unwrap().fired == 0 {}
            })
        };
        let cancel = CancelPoint::new(&pool);
        let second_frame = frame(&pool, Arc::new(At(20)), NEVER);
        while let Some(outcome) = second.begin_in(&set, &second_frame, Some(&cancel)) {
            let error = outcome.into_result().unwrap_err();
            assert_eq!(error.code(), Code::ResourceExhausted, "{error}");
            place.park();
        }
        firer.join().unwrap();
        assert!(first.finish_in(&set, &first_frame, None).into_result().is_ok());
        cancel.request();
        let outcome = second.finish_in(&set, &second_frame, Some(&cancel));
        assert!(matches!(outcome, Outcome::Cancelled), "{outcome:?}");
        assert_eq!(set.outstanding(), 0);
    });
}
