//! The wait set on the operating system, one thread: what fires, what does not, what is refused.

#![cfg(all(feature = "set", not(raddle_loom)))]

#[path = "support/driven.rs"]
mod driven;

use driven::{At, Waiter};
use raddle_status::Code;
use raddle_wait::*;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::*};

fn set() -> WaitSet {
    WaitSet::new(Limits::default()).expect("a wait set")
}

/// Collects everything that is ready; says how many waits fired.
fn collect(set: &WaitSet) -> usize {
    let mut events = Events::with_capacity(8);
    let mut fired = 0;
    loop {
        let turn = set.turn(&mut events, Sleep::Never).expect("a turn");
        fired += turn.fired;
        if events.is_empty() {
            return fired;
        }
    }
}

fn is_ready(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Ready { .. })
}

#[test]
fn a_pipe_is_a_level() {
    let (set, pool) = (set(), SlotPool::new());
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    let descriptor = Descriptor::duplicate(&reader).unwrap();
    let source = Arc::new(descriptor.readable());
    writer.write_all(b"ab").unwrap();
    let mut waiter = Waiter::new(&pool, source.clone(), NEVER);
    for _ in 0..3 {
        assert!(waiter.as_mut().begin(&set).is_none());
        assert!(is_ready(waiter.as_mut().finish(&set)), "ready before it was armed");
    }
    let mut byte = [0];
    reader.read_exact(&mut byte).unwrap();
    assert!(waiter.as_mut().begin(&set).is_none());
    assert!(is_ready(waiter.as_mut().finish(&set)), "half of it was read");
    reader.read_exact(&mut byte).unwrap();
    assert!(waiter.as_mut().begin(&set).is_none());
    assert_eq!(collect(&set), 0, "nothing is left to read");
    assert_eq!(set.outstanding(), 1);
    assert!(matches!(waiter.as_mut().cancel(&set), Outcome::Cancelled));
    assert_eq!(set.outstanding(), 0);
}

#[test]
fn a_delay_is_never_early_and_a_deadline_ends_a_wait() {
    let (set, pool) = (set(), SlotPool::new());
    let due = set.now() + 2_000_000;
    let mut delay = Waiter::begun(&set, &pool, Arc::new(At(due)), NEVER);
    assert!(set.next_deadline().abs_diff(due) <= 1);
    assert!(is_ready(delay.as_mut().finish(&set)));
    assert!(set.now() >= due);
    let (reader, _writer) = std::io::pipe().unwrap();
    let source = Arc::new(Descriptor::new(reader).readable());
    let mut timed = Waiter::begun(&set, &pool, source, set.now() + 1_000_000);
    assert_eq!(set.outstanding(), 2);
    assert!(matches!(timed.as_mut().finish(&set), Outcome::TimedOut));
    assert_eq!((set.outstanding(), set.next_deadline()), (0, NEVER));
}

/// A source of somebody else's, which knows nothing of registrations.
struct Lent(UnixStream, Interest);

impl WaitSource for Lent {
    fn arm(&self, _: SourceWaker) {}

    fn route(&self) -> Route<'_> {
        Route::Descriptor(self.0.as_fd(), self.1)
    }
}

#[test]
fn whatever_can_be_polled_can_be_waited_for() {
    use rustix::event::{EventfdFlags, eventfd};
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use std::os::fd::OwnedFd;
    let (set, pool) = (set(), SlotPool::new());
    // Each: a descriptor that is not ready, and what makes it so.
    type Action = Box<dyn FnOnce()>;
    let mut kinds: Vec<(&str, OwnedFd, Action)> = Vec::new();
    let counter = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).unwrap();
    let other = counter.try_clone().unwrap();
    let count = move || {
        rustix::io::write(other, &1u64.to_ne_bytes()).unwrap();
    };
    kinds.push(("eventfd", counter, Box::new(count)));
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK).unwrap();
    let other = timer.try_clone().unwrap();
    let soon = Itimerspec {
        it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
        it_value: Timespec { tv_sec: 0, tv_nsec: 1 },
    };
    let start = move || {
        timerfd_settime(other, TimerfdTimerFlags::empty(), &soon).unwrap();
    };
    kinds.push(("timerfd", timer, Box::new(start)));
    let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_child(&child);
    let end = move || {
        drop(child.stdin.take());
        child.wait().unwrap();
    };
    kinds.push(("pidfd", pidfd_open(pid, PidfdFlags::empty()).unwrap(), Box::new(end)));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let connect = move || drop(std::net::TcpStream::connect(address).unwrap());
    kinds.push(("listening socket", listener.into(), Box::new(connect)));
    let receiver = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = receiver.local_addr().unwrap();
    let send = move || drop(std::net::UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"x", address));
    kinds.push(("datagram socket", receiver.into(), Box::new(send)));
    let inner = WaitSet::new(Limits::default()).unwrap();
    let other = inner.clone();
    let nested = inner.fd().try_clone_to_owned().unwrap();
    kinds.push(("another wait set", nested, Box::new(move || other.wake())));
    for (name, fd, make_ready) in kinds {
        let mut waiter = Waiter::begun(&set, &pool, Arc::new(Descriptor::new(fd).readable()), NEVER);
        assert_eq!((collect(&set), waiter.is_scheduled()), (0, false), "{name} is not ready yet");
        make_ready();
        assert!(is_ready(waiter.as_mut().finish(&set)), "{name}");
    }
    assert_eq!(set.outstanding(), 0);
    drop(inner);
}

#[test]
fn any_number_of_waits_share_a_descriptor_in_both_directions() {
    let (set, pool) = (set(), SlotPool::new());
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    while (&ours).write(&[0; 4096]).is_ok() {}
    let descriptor = Descriptor::duplicate(&ours).unwrap();
    let begin = |source: DescriptorSource| Waiter::begun(&set, &pool, Arc::new(source), NEVER);
    let mut readers: Vec<_> = (0..50).map(|_| begin(descriptor.readable())).collect();
    let mut writers: Vec<_> = (0..50).map(|_| begin(descriptor.writable())).collect();
    assert_eq!((collect(&set), set.outstanding()), (0, 100));
    assert!(matches!(readers.pop().unwrap().as_mut().cancel(&set), Outcome::Cancelled));
    theirs.write_all(b"x").unwrap();
    for reader in &mut readers {
        assert!(is_ready(reader.as_mut().finish(&set)));
    }
    assert!(writers.iter().all(|writer| !writer.is_scheduled()), "there is no room yet");
    assert_eq!(set.outstanding(), 50);
    let mut all = vec![0; 1 << 20];
    assert!(theirs.read(&mut all).unwrap() > 0);
    for writer in &mut writers {
        assert!(is_ready(writer.as_mut().finish(&set)));
    }
    while (&ours).read(&mut all).is_ok() {}
    let mut reader = begin(descriptor.readable());
    let mut writer = begin(descriptor.writable());
    assert_eq!(collect(&set), 1, "there is room, and nothing to read");
    assert!(is_ready(writer.as_mut().conclude(&set)));
    drop(theirs);
    assert!(is_ready(reader.as_mut().finish(&set)), "an end of file can be read");
    assert_eq!(set.outstanding(), 0);
}

#[test]
fn a_lent_descriptor_leaves_no_registration() {
    let set = WaitSet::with_kernel(Arc::new(Standin::new()), Limits::default()).unwrap();
    let pool = SlotPool::new();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let refused = Waiter::new(&pool, Arc::new(Lent(ours, Interest::Read)), NEVER).as_mut().begin(&set);
    assert_eq!(refused.unwrap().into_result().unwrap_err().code(), Code::FailedPrecondition);
    drop(theirs);
    let set = self::set();
    for _ in 0..3 {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let duplicate = ours.try_clone().unwrap();
        let number = ours.as_raw_fd();
        let mut waiter = Waiter::begun(&set, &pool, Arc::new(Lent(ours, Interest::Read)), NEVER);
        theirs.write_all(b"x").unwrap();
        assert!(is_ready(waiter.as_mut().finish(&set)));
        drop(waiter);
        theirs.write_all(b"x").unwrap();
        assert_eq!(collect(&set), 0, "descriptor {number} is closed, its duplicate lives: nobody is woken");
        assert!(!set.kernel().is_readable());
        drop(duplicate);
    }
    assert_eq!((set.stale_reports(), set.outstanding()), (0, 0));
}

#[test]
fn what_cannot_be_waited_for_says_so() {
    let (set, pool) = (set(), SlotPool::new());
    let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
    let descriptor = Descriptor::new(file);
    let number = descriptor.as_fd().as_raw_fd();
    let outcome = Waiter::new(&pool, Arc::new(descriptor.readable()), NEVER).as_mut().begin(&set);
    let error = outcome.expect("it ends at once").into_result().unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert!(error.message().contains(&format!("descriptor {number} is a regular file")), "{error}");
    assert!(set.drained(std::fs::File::open("/dev/null").unwrap()).is_err());
    // SAFETY: never given out: nothing is open under that number, which is what is tested.
    #[allow(unsafe_code)]
    let closed = unsafe { BorrowedFd::borrow_raw(i32::MAX - 1) };
    assert_eq!(Descriptor::duplicate(closed).unwrap_err().code(), Code::FailedPrecondition);
    assert_eq!(set.outstanding(), 0);
}

#[test]
fn an_exported_event_is_readable_while_it_is_set() {
    let (set, pool) = (set(), SlotPool::new());
    for event in [Event::manual(), Event::auto()] {
        let event = Arc::new(event);
        // Before it has an outlet.
        event.set();
        let source = Arc::new(Descriptor::new(event.export().unwrap()).readable());
        let begin = || Waiter::begun(&set, &pool, source.clone(), NEVER);
        assert!(is_ready(begin().as_mut().finish(&set)));
        // A wait of ours that takes the signal takes it from those who poll, too.
        let ours = Waiter::new(&pool, event.clone(), NEVER).as_mut().begin(&set);
        assert!(is_ready(ours.expect("it is set")));
        // A manual event is as it was.
        event.reset();
        let mut theirs = begin();
        assert_eq!((collect(&set), theirs.is_scheduled()), (0, false), "it is not set");
        event.set();
        assert!(is_ready(theirs.as_mut().finish(&set)));
    }
    assert_eq!(set.outstanding(), 0);
}

#[test]
fn the_first_and_the_last_moment() {
    let (set, pool) = (set(), SlotPool::new());
    // Whether it waits at all depends on how fast this machine is.
    let end = |moment, deadline| {
        let mut waiter = Waiter::new(&pool, Arc::new(At(moment)), deadline);
        let outcome = waiter.as_mut().begin(&set);
        outcome.unwrap_or_else(|| waiter.as_mut().finish(&set))
    };
    for past in [0, 1, set.now() - 1, set.now()] {
        assert!(is_ready(end(past, NEVER)), "{past} has passed");
    }
    let mut last = Waiter::begun(&set, &pool, Arc::new(At(NEVER - 1)), NEVER);
    let mut never = Waiter::begun(&set, &pool, Arc::new(At(NEVER)), NEVER);
    assert_eq!((collect(&set), set.outstanding()), (0, 1), "nobody counts the moment that never comes");
    assert_eq!(set.next_deadline(), NEVER - 1);
    assert!(matches!(end(NEVER, set.now() + 100_000), Outcome::TimedOut));
    assert!(is_ready(end(set.now() + 100_000, NEVER - 1)));
    assert!(matches!(last.as_mut().cancel(&set), Outcome::Cancelled));
    assert!(matches!(never.as_mut().cancel(&set), Outcome::Cancelled));
}

#[test]
fn a_limit_refuses_and_tells_of_places() {
    let set = WaitSet::new(Limits { armed_max: 2 }).unwrap();
    let (pool, places, firsts) =
        (SlotPool::new(), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let count = |counter: &Arc<AtomicUsize>| {
        let counter = counter.clone();
        move || {
            counter.fetch_add(1, Relaxed);
        }
    };
    set.on_place(count(&places));
    set.on_first(count(&firsts));
    let hour = set.now() + 3_600_000_000_000;
    let mut one = Waiter::begun(&set, &pool, Arc::new(At(hour)), NEVER);
    let mut two = Waiter::begun(&set, &pool, Arc::new(At(hour)), hour + 1);
    let (reader, _writer) = std::io::pipe().unwrap();
    let source = Arc::new(Descriptor::new(reader).readable());
    let outcome = Waiter::new(&pool, source.clone(), NEVER).as_mut().begin(&set);
    let error = outcome.expect("it ends at once").into_result().unwrap_err();
    assert_eq!(error.code(), Code::ResourceExhausted);
    assert!(error.message().contains("`armed_max`"), "{error}");
    assert_eq!((places.load(Relaxed), firsts.load(Relaxed)), (0, 1));
    assert!(matches!(one.as_mut().cancel(&set), Outcome::Cancelled));
    assert_eq!(places.load(Relaxed), 1);
    let mut three = Waiter::begun(&set, &pool, source, hour);
    assert_eq!(set.outstanding(), 3, "a deadline needs no place");
    assert!(matches!(two.as_mut().cancel(&set), Outcome::Cancelled));
    assert!(matches!(three.as_mut().cancel(&set), Outcome::Cancelled));
    assert_eq!((places.load(Relaxed), firsts.load(Relaxed), set.outstanding()), (1, 1, 0));
}

#[test]
fn a_place_can_be_awaited() {
    let set = WaitSet::new(Limits { armed_max: 2 }).unwrap();
    let pool = SlotPool::new();
    let hour = set.now() + 3_600_000_000_000;
    let arm = || {
        let mut waiter = Waiter::new(&pool, Arc::new(At(hour)), NEVER);
        match waiter.as_mut().begin(&set) {
            None => Some(waiter),
            Some(outcome) => {
                assert_eq!(outcome.into_result().unwrap_err().code(), Code::ResourceExhausted);
                None
            }
        }
    };
    let mut held = vec![arm().unwrap(), arm().unwrap()];
    // There is none, though nobody was refused yet.
    let mut early = Waiter::begun(&set, &pool, set.place(), NEVER);
    assert!(matches!(held.pop().unwrap().as_mut().cancel(&set), Outcome::Cancelled));
    assert!(early.is_scheduled() && is_ready(early.as_mut().conclude(&set)));
    assert!(is_ready(Waiter::new(&pool, set.place(), NEVER).as_mut().begin(&set).unwrap()), "there is one");
    held.push(arm().unwrap());
    for _ in 0..3 {
        assert!(arm().is_none());
        let mut waiters: Vec<_> = (0..5).map(|_| Waiter::begun(&set, &pool, set.place(), NEVER)).collect();
        assert_eq!(set.outstanding(), 2, "waiting for a place takes none");
        assert!(matches!(held.pop().unwrap().as_mut().cancel(&set), Outcome::Cancelled));
        for waiter in &mut waiters {
            assert!(waiter.is_scheduled() && is_ready(waiter.as_mut().conclude(&set)));
        }
        held.push(arm().expect("the place that was given back"));
    }
    for mut waiter in held {
        assert!(matches!(waiter.as_mut().cancel(&set), Outcome::Cancelled));
    }
}

#[test]
fn a_set_may_go_before_its_sources() {
    let pool = SlotPool::new();
    let (reader, writer) = std::io::pipe().unwrap();
    let (first, second) = (set(), set());
    let source = Arc::new(Descriptor::new(reader).readable());
    let mut waiter = Waiter::begun(&first, &pool, source.clone(), NEVER);
    let mut other = Waiter::begun(&second, &pool, source.clone(), NEVER);
    assert!(matches!(waiter.as_mut().cancel(&first), Outcome::Cancelled));
    drop((waiter, first));
    drop(writer);
    assert!(is_ready(other.as_mut().finish(&second)), "in any number of sets");
    drop((other, second, source));
    let drained = {
        let (stream, _) = UnixStream::pair().unwrap();
        stream.set_nonblocking(true).unwrap();
        set().drained(stream).unwrap()
    };
    assert!(drained.try_io(Interest::Read, |_| Ok(())).is_err(), "nobody has turned");
}
