//! The wait set on the operating system, many waits and several threads: what stays flat, and what is never lost.

#![cfg(all(feature = "set", not(raddle_loom)))]

#[path = "support/counting.rs"]
mod counting;
#[path = "support/driven.rs"]
mod driven;

use counting::{Calls, Counting};
use driven::{At, Waiter};
use raddle_wait::*;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};

fn counter() -> OwnedFd {
    use rustix::event::{EventfdFlags, eventfd};
    eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).expect("an eventfd")
}

fn add(fd: &OwnedFd) {
    assert_eq!(rustix::io::write(fd, &1u64.to_ne_bytes()), Ok(8));
}

fn take(fd: BorrowedFd<'_>) -> std::io::Result<u64> {
    let mut bytes = [0; 8];
    rustix::io::read(fd, &mut bytes)?;
    Ok(u64::from_ne_bytes(bytes))
}

fn counting() -> WaitSet<Counting<OsKernel>> {
    let kernel = Counting::new(OsKernel::new().expect("a kernel"));
    WaitSet::with_kernel(kernel, Limits::default()).expect("a wait set")
}

/// Raises the soft limit on descriptors to the hard one; says how many counters a test may open.
fn counters_max() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let open = getrlimit(Resource::Nofile).current.map_or(usize::MAX, |count| count as usize);
    open.saturating_sub(500).min(19_000)
}

/// Calls of the kernel for `rounds` waits on one counter, each armed before the counter is signalled.
fn calls_of_rounds(set: &WaitSet<Counting<OsKernel>>, pool: &SlotPool, rounds: usize) -> Calls {
    let fd = counter();
    let source = Arc::new(Descriptor::new(fd.try_clone().unwrap()).readable());
    let mut waiter = Waiter::new(pool, source, NEVER);
    let before = set.kernel().calls();
    for _ in 0..rounds {
        assert!(waiter.as_mut().begin(set).is_none());
        add(&fd);
        assert!(matches!(waiter.as_mut().finish(set), Outcome::Ready { .. }));
        take(fd.as_fd()).unwrap();
    }
    set.kernel().calls().since(before)
}

/// Calls of the kernel for `rounds` descriptors that are waited for, given up and closed.
fn calls_of_adds(set: &WaitSet<Counting<OsKernel>>, pool: &SlotPool, rounds: usize) -> Calls {
    let before = set.kernel().calls();
    for _ in 0..rounds {
        let source = Arc::new(Descriptor::new(counter()).readable());
        let mut waiter = Waiter::begun(set, pool, source, NEVER);
        assert!(matches!(waiter.as_mut().cancel(set), Outcome::Cancelled));
    }
    set.kernel().calls().since(before)
}

#[test]
fn calls_of_a_wait_do_not_depend_on_what_else_is_armed() {
    let (set, pool, rounds) = (counting(), SlotPool::new(), 1000);
    let alone = calls_of_rounds(&set, &pool, rounds);
    let added_alone = calls_of_adds(&set, &pool, rounds);
    assert_eq!(
        (added_alone.watch, added_alone.forget),
        (rounds, rounds),
        "{added_alone:?}: one pair a descriptor"
    );
    assert_eq!(
        (alone.watch, alone.sleep, alone.set_timer),
        (rounds, rounds, 0),
        "{alone:?}: one pair a wake"
    );
    let others = counters_max();
    let fds: Vec<_> = (0..others).map(|_| counter()).collect();
    let waiters: Vec<_> = fds
        .into_iter()
        .map(|fd| Waiter::begun(&set, &pool, Arc::new(Descriptor::new(fd).readable()), NEVER))
        .collect();
    assert_eq!(set.outstanding(), others);
    let among = calls_of_rounds(&set, &pool, rounds);
    println!("calls for {rounds} wakes: alone {alone:?}, among {others} descriptors {among:?}");
    assert_eq!(alone, among);
    assert_eq!(added_alone, calls_of_adds(&set, &pool, rounds));
    for mut waiter in waiters {
        assert!(matches!(waiter.as_mut().cancel(&set), Outcome::Cancelled));
    }
    assert_eq!((set.outstanding(), set.stale_reports()), (0, 0));
}

#[test]
fn a_drained_descriptor_is_armed_without_a_call() {
    let (set, pool, rounds) = (counting(), SlotPool::new(), 1000);
    let fd = counter();
    let drained = set.drained(fd.try_clone().unwrap()).unwrap();
    let mut waiter = Waiter::new(&pool, Arc::new(drained.readable()), NEVER);
    assert!(drained.try_drain(Interest::Read, take).is_err());
    let before = set.kernel().calls();
    for _ in 0..rounds {
        assert!(waiter.as_mut().begin(&set).is_none());
        add(&fd);
        assert!(matches!(waiter.as_mut().finish(&set), Outcome::Ready { .. }));
        assert_eq!(drained.try_drain(Interest::Read, take).unwrap(), 1);
    }
    let calls = set.kernel().calls().since(before);
    assert_eq!((calls.watch, calls.forget, calls.sleep), (0, 0, rounds), "{calls:?}");
}

#[test]
fn a_drained_descriptor_keeps_its_place() {
    let (set, pool) = (counting(), SlotPool::new());
    let mut events = Events::with_capacity(8);
    let firsts = Arc::new(AtomicUsize::new(0));
    let counted = firsts.clone();
    set.on_first(move || _ = counted.fetch_add(1, Relaxed));
    let fd = counter();
    let drained = set.drained(fd.try_clone().unwrap()).unwrap();
    let source = Arc::new(drained.readable());
    let mut waiters = [(); 2].map(|()| Waiter::new(&pool, source.clone(), NEVER));
    for _ in 0..10 {
        for waiter in &mut waiters {
            assert!(waiter.as_mut().begin(&set).is_none());
        }
        assert_eq!(set.outstanding(), 2, "places were lost, or taken twice");
        add(&fd);
        for waiter in &mut waiters {
            assert!(matches!(waiter.as_mut().finish(&set), Outcome::Ready { .. }));
        }
        assert_eq!(set.outstanding(), 1);
        assert_eq!(drained.try_drain(Interest::Read, take).unwrap(), 1);
    }
    assert_eq!((firsts.load(Relaxed), set.outstanding()), (1, 1), "the count never came back to zero");
    let [one, other] = &mut waiters;
    assert!(one.as_mut().begin(&set).is_none());
    assert!(matches!(one.as_mut().cancel(&set), Outcome::Cancelled));
    assert_eq!(set.outstanding(), 0, "who is cancelled gives its place back");
    assert!(other.as_mut().begin(&set).is_none());
    add(&fd);
    assert!(matches!(other.as_mut().finish(&set), Outcome::Ready { .. }));
    assert_eq!(drained.try_drain(Interest::Read, take).unwrap(), 1);
    assert_eq!(set.outstanding(), 1);
    add(&fd);
    let _ = set.turn(&mut events, Sleep::Never).unwrap();
    assert_eq!(set.outstanding(), 0, "a report that finds no wait frees what was kept");
    assert!(matches!(other.as_mut().begin(&set), Some(Outcome::Ready { .. })));
    assert_eq!(set.outstanding(), 1, "it brought a place, and was not armed");
    drop((waiters, source, drained));
    assert_eq!(set.outstanding(), 0, "what is forgotten keeps no place");
}

#[test]
fn reports_that_nobody_waits_for_stop() {
    let (set, pool) = (counting(), SlotPool::new());
    let mut events = Events::with_capacity(8);
    // Who polls would be told of them.
    let _ = set.fd();
    let fd = counter();
    let drained = set.drained(fd.try_clone().unwrap()).unwrap();
    let plain = counter();
    let source = Arc::new(Descriptor::new(plain.try_clone().unwrap()).readable());
    let mut waiter = Waiter::begun(&set, &pool, source.clone(), NEVER);
    add(&plain);
    assert!(matches!(waiter.as_mut().finish(&set), Outcome::Ready { .. }));
    for _ in 0..100 {
        add(&fd);
        add(&plain);
        let _ = set.turn(&mut events, Sleep::Never).unwrap();
    }
    assert_eq!(set.kernel().calls().forget, 2, "each is removed once");
    let _ = set.turn(&mut events, Sleep::Never).unwrap();
    assert!(events.is_empty());
    assert_eq!(drained.try_drain(Interest::Read, take).unwrap(), 100);
    let mut again = Waiter::begun(&set, &pool, Arc::new(drained.readable()), NEVER);
    add(&fd);
    assert!(matches!(again.as_mut().finish(&set), Outcome::Ready { .. }), "an arming registers it again");
    assert!(waiter.as_mut().begin(&set).is_none());
    assert!(matches!(waiter.as_mut().finish(&set), Outcome::Ready { .. }));
}

#[test]
fn many_timers_are_cancelled_without_a_trace() {
    let (set, pool, count) = (counting(), SlotPool::new(), 100_000);
    let hour = set.now() + 3_600_000_000_000;
    let mut waiters: Vec<_> = (0..count)
        .map(|index| Waiter::begun(&set, &pool, Arc::new(At(hour + index * 7919 % count)), NEVER))
        .collect();
    assert_eq!(set.outstanding(), count as usize);
    for waiter in &mut waiters {
        assert!(matches!(waiter.as_mut().cancel(&set), Outcome::Cancelled));
    }
    assert_eq!((set.outstanding(), set.next_deadline()), (0, NEVER));
    let programmed = set.kernel().calls().set_timer;
    let slots = {
        drop(waiters);
        pool.counts()
    };
    for _ in 0..count {
        let mut waiter = Waiter::begun(&set, &pool, Arc::new(At(hour + count)), NEVER);
        assert!(matches!(waiter.as_mut().cancel(&set), Outcome::Cancelled));
    }
    assert_eq!(set.kernel().calls().set_timer, programmed, "no later moment is told to the kernel");
    assert_eq!(pool.counts(), slots, "no slot was made");
}

#[test]
fn many_timers_fire_in_order_and_never_early() {
    let (set, pool, count) = (WaitSet::new(Limits::default()).unwrap(), SlotPool::new(), 10_000u64);
    let begin = set.now() + 50_000_000;
    let mut waiters = vec![];
    for index in 0..count {
        let due = begin + index * 7919 % count * 1000;
        let mut waiter = Waiter::new(&pool, Arc::new(At(due)), NEVER);
        match waiter.as_mut().begin(&set) {
            None => waiters.push((due, waiter)),
            Some(outcome) => assert!(set.now() >= due && matches!(outcome, Outcome::Ready { .. }), "early"),
        }
    }
    waiters.sort_by_key(|(due, _)| *due);
    let mut events = Events::with_capacity(8);
    let mut next = 0;
    while next < waiters.len() {
        let _ = set.turn(&mut events, Sleep::UntilEvent).unwrap();
        let now = set.now();
        while next < waiters.len() && waiters[next].1.is_scheduled() {
            assert!(waiters[next].0 <= now, "early");
            assert!(matches!(waiters[next].1.as_mut().conclude(&set), Outcome::Ready { .. }));
            next += 1;
        }
        assert!(waiters[next..].iter().take(100).all(|(_, waiter)| !waiter.is_scheduled()), "out of order");
    }
    assert_eq!(set.outstanding(), 0);
}

/// Equal moments come together, in looks of a bounded number, also when they are a long way off.
#[test]
fn many_equal_timers_fire_once_each() {
    let (set, pool, count) =
        (WaitSet::with_kernel(Standin::new(), Limits::default()).unwrap(), SlotPool::new(), 3_000);
    let moment = 77 << 40;
    let mut waiters: Vec<_> =
        (0..count).map(|_| Waiter::begun(&set, &pool, Arc::new(At(moment)), NEVER)).collect();
    assert_eq!(set.next_deadline(), moment);
    let mut events = Events::with_capacity(8);
    set.kernel().advance_to(moment - 1);
    assert_eq!(set.turn(&mut events, Sleep::Never).unwrap().fired, 0, "early");
    // The clock jumps, as after a suspension.
    set.kernel().advance_to(2 * moment);
    let (mut fired, mut turns) = (0, 0);
    while fired < count {
        assert!(set.kernel().is_readable(), "what is left rings");
        let turn = set.turn(&mut events, Sleep::Never).unwrap();
        assert!(turn.fired < count / 10, "a look is bounded");
        (fired, turns) = (fired + turn.fired, turns + 1);
    }
    assert!(turns >= 10);
    for waiter in &mut waiters {
        assert!(waiter.is_scheduled());
        assert!(matches!(waiter.as_mut().conclude(&set), Outcome::Ready { .. }));
    }
    assert_eq!((set.outstanding(), set.next_deadline()), (0, NEVER));
}

#[test]
fn the_kernel_is_not_told_while_a_thread_looks_again() {
    let (set, pool, count) =
        (WaitSet::with_kernel(Standin::new(), Limits::default()).unwrap(), SlotPool::new(), 1_000);
    let begin = 1_000_000_000;
    let due = |index: u64| begin + index * 1_000;
    let mut waiters: Vec<_> =
        (0..count).map(|index| Waiter::begun(&set, &pool, Arc::new(At(due(index))), NEVER)).collect();
    let mut events = Events::with_capacity(8);
    events.looks_again = true;
    let before = set.kernel().calls().set_timer;
    for index in 0..count {
        set.kernel().advance_to(due(index));
        // Some looks only move timers nearer.
        let mut fires = || set.turn(&mut events, Sleep::Never).unwrap().fired == 1;
        assert!((0..10).any(|_| fires()), "it is not due");
    }
    let calls = set.kernel().calls().set_timer - before;
    assert!(calls <= 20, "{calls} calls in a millisecond");
    // Before a thread sleeps it makes up for that.
    for last in [begin * 2, begin * 3] {
        waiters.push(Waiter::begun(&set, &pool, Arc::new(At(last)), NEVER));
    }
    set.kernel().advance_to(begin * 2);
    assert_eq!(set.turn(&mut events, Sleep::Never).unwrap().fired, 1);
    set.make_up();
    set.kernel().advance_to(begin * 3);
    assert!(set.kernel().is_readable(), "it rings");
    assert_eq!(set.turn(&mut events, Sleep::UntilEvent).unwrap().fired, 1);
    for waiter in &mut waiters {
        assert!(matches!(waiter.as_mut().conclude(&set), Outcome::Ready { .. }));
    }
}

#[test]
fn two_threads_turn_while_two_arm() {
    const ROUNDS: usize = 2_000;
    let set = WaitSet::new(Limits::default()).unwrap();
    let is_done = AtomicBool::new(false);
    let fired = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let turners: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut events = Events::with_capacity(4);
                    while !is_done.load(Acquire) {
                        let turn = set.turn(&mut events, Sleep::UntilEvent).unwrap();
                        fired.fetch_add(turn.fired, Relaxed);
                    }
                    set.wake();
                })
            })
            .collect();
        let armers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let (pool, fd) = (SlotPool::new(), counter());
                    let source = Arc::new(Descriptor::duplicate(&fd).unwrap().readable());
                    let mut wait = Waiter::new(&pool, source.clone(), NEVER);
                    for round in 0..ROUNDS {
                        add(&fd);
                        let mut delay = Waiter::new(&pool, Arc::new(At(set.now() + 20_000)), NEVER);
                        let outcome = delay.as_mut().begin(&set);
                        let other = wait.as_mut().begin(&set);
                        delay.as_mut().await_outcome(&set, outcome).into_result().unwrap();
                        wait.as_mut().await_outcome(&set, other).into_result().unwrap();
                        if round % 2 == 0 {
                            take(fd.as_fd()).unwrap();
                        }
                    }
                })
            })
            .collect();
        for armer in armers {
            armer.join().unwrap();
        }
        is_done.store(true, Release);
        set.wake();
        for turner in turners {
            turner.join().unwrap();
        }
    });
    assert_eq!(set.outstanding(), 0);
    assert!(fired.into_inner() <= 4 * ROUNDS);
}

#[test]
fn wakes_before_a_turn_are_one_and_none_is_lost() {
    let set = counting();
    let mut events = Events::with_capacity(4);
    for _ in 0..10 {
        set.wake();
    }
    assert_eq!(set.kernel().calls().wake, 0, "nobody would hear it");
    assert!(set.turn(&mut events, Sleep::Never).unwrap().woken);
    assert!(!set.turn(&mut events, Sleep::Never).unwrap().woken);
    assert_eq!(set.kernel().calls().sleep, 0, "nothing could be found");
    let _ = set.fd();
    for _ in 0..10 {
        set.wake();
    }
    assert_eq!(set.kernel().calls().wake, 1);
    assert!(set.kernel().is_readable());
    assert!(set.turn(&mut events, Sleep::UntilEvent).unwrap().woken);
    assert!(!set.turn(&mut events, Sleep::Never).unwrap().woken);
    assert!(!set.kernel().is_readable());
    let word = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for value in 1..=10_000 {
                word.store(value, Relaxed);
                set.wake();
            }
        });
        while word.load(Relaxed) < 10_000 {
            assert!(set.turn(&mut events, Sleep::UntilEvent).unwrap().woken);
        }
    });
}
