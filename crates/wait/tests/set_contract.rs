//! The contract of `src/set/kernel.rs`: one script of operations and observations, on the real kernel and its stand-in.

#![cfg(all(feature = "standin", not(raddle_loom)))]

use raddle_status::Code;
use raddle_wait::*;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// A kernel with counters, and a clock that can be waited for.
trait World {
    type Kernel: Kernel;
    fn kernel(&self) -> &Self::Kernel;
    fn counter(&self) -> OwnedFd;
    fn regular_file(&self) -> OwnedFd;
    fn duplicate(&self, fd: &OwnedFd) -> OwnedFd;
    fn add(&self, fd: &OwnedFd, amount: u64);
    fn take(&self, fd: &OwnedFd) -> Option<u64>;
    fn close(&self, fd: OwnedFd);
    fn pass(&self, moment: Moment);
}

struct Real(OsKernel);

impl World for Real {
    type Kernel = OsKernel;

    fn kernel(&self) -> &OsKernel {
        &self.0
    }

    fn counter(&self) -> OwnedFd {
        let flags = rustix::event::EventfdFlags::NONBLOCK | rustix::event::EventfdFlags::CLOEXEC;
        rustix::event::eventfd(0, flags).expect("an eventfd")
    }

    fn regular_file(&self) -> OwnedFd {
        std::fs::File::open(std::env::current_exe().expect("this program")).expect("this program").into()
    }

    fn duplicate(&self, fd: &OwnedFd) -> OwnedFd {
        fd.try_clone().expect("a duplicate")
    }

    fn add(&self, fd: &OwnedFd, amount: u64) {
        assert_eq!(rustix::io::write(fd, &amount.to_ne_bytes()), Ok(8));
    }

    fn take(&self, fd: &OwnedFd) -> Option<u64> {
        let mut bytes = [0; 8];
        rustix::io::read(fd, &mut bytes).ok().map(|_| u64::from_ne_bytes(bytes))
    }

    fn close(&self, fd: OwnedFd) {
        drop(fd);
    }

    fn pass(&self, moment: Moment) {
        while self.0.now() < moment {
            std::hint::spin_loop();
        }
    }
}

impl World for Standin {
    type Kernel = Standin;

    fn kernel(&self) -> &Standin {
        self
    }

    fn counter(&self) -> OwnedFd {
        Standin::counter(self)
    }

    fn regular_file(&self) -> OwnedFd {
        Standin::regular_file(self)
    }

    fn duplicate(&self, fd: &OwnedFd) -> OwnedFd {
        Standin::duplicate(self, fd)
    }

    fn add(&self, fd: &OwnedFd, amount: u64) {
        Standin::add(self, fd, amount);
    }

    fn take(&self, fd: &OwnedFd) -> Option<u64> {
        Standin::take(self, fd)
    }

    fn close(&self, fd: OwnedFd) {
        Standin::close(self, fd);
    }

    fn pass(&self, moment: Moment) {
        self.advance_to(moment);
    }
}

/// One thing that a look at the kernel can report.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Seen {
    Woken,
    Rang,
    Ready(u64, bool, bool),
}

struct Script<'a, W> {
    world: &'a W,
    step: &'static str,
}

impl<W: World> Script<'_, W> {
    fn kernel(&self) -> &W::Kernel {
        self.world.kernel()
    }

    /// A look reports exactly this, and the look after it nothing.
    fn expect(&mut self, step: &'static str, expected: &[Seen]) {
        self.step = step;
        let mut events = Events::with_capacity(8);
        if !expected.is_empty() {
            self.kernel().sleep(&mut events, Sleep::UntilEvent).expect(step);
            assert_eq!(seen(&events), expected, "{step}");
        }
        self.kernel().sleep(&mut events, Sleep::Never).expect(step);
        assert_eq!(seen(&events), [], "a second look after: {step}");
        assert!(!self.kernel().is_readable(), "nothing is pending after: {step}");
    }

    fn watch(&self, fd: &OwnedFd, token: u64, interests: Interests, is_known: bool) {
        let registration = Registration { token: Token(token), interests, is_known };
        self.kernel().watch(fd.as_raw_fd(), registration).expect(self.step);
    }

    fn refused(&self, number: RawFd) -> Code {
        let registration = Registration { token: Token(1), interests: Interests::READ, is_known: false };
        let error = self.kernel().watch(number, registration).expect_err("it can't be watched");
        assert!(error.message().contains(&number.to_string()), "{error} names the descriptor");
        error.code()
    }
}

fn seen(events: &Events) -> Vec<Seen> {
    let mut seen = vec![];
    seen.extend(events.woken.then_some(Seen::Woken));
    seen.extend(events.rang.then_some(Seen::Rang));
    let both =
        |interests: Interests| (interests.contains(Interest::Read), interests.contains(Interest::Write));
    seen.extend(events.ready.iter().map(|ready| {
        let (read, write) = both(ready.interests);
        Seen::Ready(ready.token.0, read, write)
    }));
    seen.sort();
    seen
}

const READ: fn(u64) -> Seen = |token| Seen::Ready(token, true, false);
const WRITE: fn(u64) -> Seen = |token| Seen::Ready(token, false, true);
const BOTH: fn(u64) -> Seen = |token| Seen::Ready(token, true, true);

/// C1, C2: edges.
fn edges<W: World>(world: &W) {
    let mut script = Script { world, step: "begin" };
    let fd = world.counter();
    script.watch(&fd, 7, Interests::READ, false);
    script.expect("nothing to read", &[]);
    world.add(&fd, 1);
    assert!(script.kernel().is_readable());
    script.expect("an edge is reported once", &[READ(7)]);
    world.add(&fd, 1);
    script.expect("new data is a new edge", &[READ(7)]);
    script.watch(&fd, 8, Interests::READ, true);
    script.expect("watching again looks again, with the new token", &[READ(8)]);
    world.add(&fd, 1);
    assert_eq!(world.take(&fd), Some(3));
    assert_eq!(world.take(&fd), None);
    script.expect("what was taken before the look is not reported", &[]);
    script.watch(&fd, 9, Interests::READ, true);
    script.expect("nothing to read again", &[]);
    script.watch(&fd, 10, Interests::WRITE, true);
    script.expect("a counter takes more", &[WRITE(10)]);
    world.add(&fd, 1);
    script.expect("an edge of the other direction is not reported", &[]);
    script.watch(&fd, 11, Interests::BOTH, true);
    script.expect("both directions in one report", &[BOTH(11)]);
    assert_eq!(world.take(&fd), Some(1));
    script.expect("room is an edge for writers", &[WRITE(11)]);
    world.add(&fd, COUNTER_MAX);
    script.expect("full: it can be read alone", &[READ(11)]);
    script.kernel().forget(fd.as_raw_fd());
    script.kernel().forget(fd.as_raw_fd());
    world.take(&fd);
    world.add(&fd, 1);
    script.expect("forgotten", &[]);
    script.watch(&fd, 12, Interests::READ, true);
    script.expect("believed to be registered, but is not", &[READ(12)]);
    script.watch(&fd, 13, Interests::READ, false);
    script.expect("believed not to be registered, but is", &[READ(13)]);
    script.kernel().forget(fd.as_raw_fd());
    world.close(fd);
}

/// A registration belongs to a number and the open file behind it.
fn numbers<W: World>(world: &W) {
    let mut script = Script { world, step: "begin" };
    let fd = world.counter();
    let number = fd.as_raw_fd();
    let again = world.duplicate(&fd);
    script.watch(&fd, 1, Interests::READ, false);
    world.close(fd);
    world.add(&again, 1);
    script.expect("a registration outlives its number while a duplicate is open", &[READ(1)]);
    world.take(&again);
    world.close(again);
    let other = world.counter();
    assert_eq!(other.as_raw_fd(), number, "the lowest free number is given out");
    world.add(&other, 1);
    script.expect("another file of the same number is not registered", &[]);
    script.watch(&other, 2, Interests::READ, true);
    script.expect("until it is", &[READ(2)]);
    world.close(other);
    assert_eq!(script.refused(number), Code::FailedPrecondition);
    let file = world.regular_file();
    assert_eq!(script.refused(file.as_raw_fd()), Code::InvalidArgument);
    world.close(file);
}

/// C4 and C6.
fn wakes<W: World>(world: &W) {
    let mut script = Script { world, step: "begin" };
    script.expect("no wake", &[]);
    script.kernel().wake();
    script.kernel().wake();
    assert!(script.kernel().is_readable());
    script.expect("two wakes before a look are one", &[Seen::Woken]);
    script.kernel().wake();
    script.expect("and a wake after it is another", &[Seen::Woken]);
}

/// C3.
fn timers<W: World>(world: &W) {
    let mut script = Script { world, step: "begin" };
    let now = script.kernel().now();
    script.kernel().set_timer(now + 3_600_000_000_000);
    script.expect("an hour ahead", &[]);
    script.kernel().set_timer(now);
    script.expect("a moment that has passed rings at once", &[Seen::Rang]);
    script.kernel().set_timer(0);
    script.expect("the first moment of all, too", &[Seen::Rang]);
    let soon = script.kernel().now() + 1_000_000;
    script.kernel().set_timer(soon);
    world.pass(soon);
    script.expect("a moment that has come", &[Seen::Rang]);
    assert!(script.kernel().now() >= soon);
    script.kernel().set_timer(1);
    script.kernel().set_timer(NEVER);
    script.expect("a ring that was not reported is taken back", &[]);
    script.kernel().set_timer(NEVER - 1);
    script.expect("the last moment of all", &[]);
    script.kernel().set_timer(NEVER);
}

/// Reports that don't fit wait for the next look.
fn room<W: World>(world: &W) {
    let script = Script { world, step: "room" };
    let fds = [world.counter(), world.counter(), world.counter()];
    for (index, fd) in fds.iter().enumerate() {
        world.add(fd, 1);
        script.watch(fd, index as u64, Interests::READ, false);
    }
    let mut events = Events::with_capacity(1);
    let mut all = vec![];
    for _ in &fds {
        assert!(script.kernel().is_readable());
        script.kernel().sleep(&mut events, Sleep::UntilEvent).unwrap();
        assert_eq!(events.ready.len(), 1);
        all.extend(seen(&events));
    }
    all.sort();
    assert_eq!(all, [READ(0), READ(1), READ(2)]);
    assert!(!script.kernel().is_readable());
}

fn contract<W: World>(world: &W) {
    edges(world);
    numbers(world);
    wakes(world);
    timers(world);
    room(world);
    let _: BorrowedFd<'_> = world.kernel().fd().as_fd();
}

#[test]
fn both_kernels_keep_the_contract() {
    // One test: numbers of descriptors are the whole process's.
    contract(&Standin::new());
    contract(&Real(OsKernel::new().expect("a kernel")));
}
