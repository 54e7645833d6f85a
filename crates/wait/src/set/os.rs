//! The operating system: the one file with system calls.
//!
//! mio owns the epoll descriptor, the registrations and the waker. Sleeping goes round it, by `epoll_wait` on its
//! descriptor: mio wants its poll exclusively, and two threads sleep here. The timer is a timerfd, because `epoll_wait`
//! counts whole milliseconds. It promises what `kernel.rs` asks for, by these calls:
//!
//! | promise | call |
//! |---|---|
//! | C1, C2 `watch`, `forget` | `epoll_ctl` ADD, MOD, DEL, edge-triggered: each of ADD and MOD looks at the descriptor |
//! | C3 `set_timer` | `timerfd_settime`, absolute, CLOCK_MONOTONIC; it takes an unread expiry back, so it is never read |
//! | C4 `wake` | `write` to mio's eventfd, which is never read: every write is a new edge |
//! | C5 `sleep` | `epoll_wait`; the kernel wakes one thread for one edge |
//! | C6 `fd` | an epoll descriptor can itself be polled |
//! | `now` | `clock_gettime`, without entering the kernel |
//! | `is_forked` | a page that a fork finds wiped (`forked.rs`); a fork shares the three descriptors and changes nothing in them |
//!
//! | errno | of | meaning here |
//! |---|---|---|
//! | EPERM | ADD | a regular file or directory, which is always ready: INVALID_ARGUMENT |
//! | EBADF | ADD, MOD | closed: FAILED_PRECONDITION |
//! | EINVAL, ELOOP | ADD | the set's own descriptor, or a circle of them: INVALID_ARGUMENT |
//! | ENOMEM, ENOSPC | ADD | no memory, or the user's limit on watches: RESOURCE_EXHAUSTED |
//! | EEXIST | ADD | a registration of a number that was closed behind our back while a duplicate lives: MOD |
//! | ENOENT | MOD | the number was closed behind our back and stands for something else: ADD |
//! | ENOENT, EBADF | DEL | nothing to do: closing removed it |
//! | EINTR | `epoll_wait` | a signal: nothing is reported |
//!
//! # Sources
//! epoll(7), epoll_ctl(2), epoll_wait(2), timerfd_create(2), eventfd(2)

#![allow(unsafe_code)]

use super::forked::ForkPage;
use super::kernel::{Events, Interests, Kernel, Ready, Registration, Sleep, Token};
use crate::stage::{Moment, NEVER};
use mio::unix::SourceFd;
use raddle_status::{Code, Error, Result};
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use rustix::io::Errno;
use rustix::time::{ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// No descriptor number is that large: a token of a registration holds one in its lower half.
const WAKER: u64 = u64::MAX;
const TIMER: u64 = u64::MAX - 1;
const NANOSECONDS: u64 = 1_000_000_000;

/// What `epoll_wait` fills in.
#[derive(Default)]
pub(super) struct Records(pub(super) Vec<epoll::Event>);

// SAFETY: C5: the tokens in the records are numbers that we gave; their type could hold a pointer, and never does.
unsafe impl Send for Records {}

/// Linux: epoll, eventfd and timerfd.
#[derive(Debug)]
pub struct OsKernel {
    poll: mio::Poll,
    waker: mio::Waker,
    timer: OwnedFd,
    fork_page: ForkPage,
}

impl OsKernel {
    /// Three descriptors: epoll, the waker, the timer.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED when the process has no descriptors left.
    pub fn new() -> Result<OsKernel> {
        let made = || -> std::io::Result<OsKernel> {
            let poll = mio::Poll::new()?;
            let waker = mio::Waker::new(poll.registry(), mio::Token(WAKER as usize))?;
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags)?;
            let token = mio::Token(TIMER as usize);
            poll.registry().register(&mut SourceFd(&timer.as_raw_fd()), token, mio::Interest::READABLE)?;
            Ok(OsKernel { poll, waker, timer, fork_page: ForkPage::new()? })
        };
        made().map_err(|error| {
            Error::new(
                Code::ResourceExhausted,
                format!("a wait set needs three descriptors and a page: {error}"),
            )
        })
    }
}

impl Kernel for OsKernel {
    #[inline]
    fn now(&self) -> Moment {
        let now = rustix::time::clock_gettime(ClockId::Monotonic);
        now.tv_sec as u64 * NANOSECONDS + now.tv_nsec as u64
    }

    fn watch(&self, number: RawFd, registration: Registration) -> Result {
        if self.is_forked() {
            return Err(forked());
        }
        let token = mio::Token(registration.token.0 as usize);
        let interest = match registration.interests {
            Interests::READ => mio::Interest::READABLE,
            Interests::WRITE => mio::Interest::WRITABLE,
            _ => mio::Interest::READABLE | mio::Interest::WRITABLE,
        };
        let registry = self.poll.registry();
        let add = || registry.register(&mut SourceFd(&number), token, interest);
        let modify = || registry.reregister(&mut SourceFd(&number), token, interest);
        let result = match registration.is_known {
            true => modify().or_else(|error| if is(&error, Errno::NOENT) { add() } else { Err(error) }),
            false => add().or_else(|error| if is(&error, Errno::EXIST) { modify() } else { Err(error) }),
        };
        result.map_err(|error| refusal(number, &error))
    }

    fn forget(&self, number: RawFd) {
        if self.is_forked() {
            return;
        }
        // ENOENT and EBADF: closing removed it.
        let _ = self.poll.registry().deregister(&mut SourceFd(&number));
    }

    fn set_timer(&self, moment: Moment) {
        if self.is_forked() {
            return;
        }
        let moment = match moment {
            NEVER => 0,
            moment => moment.max(1),
        };
        let value =
            Timespec { tv_sec: (moment / NANOSECONDS) as i64, tv_nsec: (moment % NANOSECONDS) as i64 };
        let once = Itimerspec { it_interval: Timespec::default(), it_value: value };
        let set = rustix::time::timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &once);
        set.expect("a timerfd takes any absolute time");
    }

    fn sleep(&self, events: &mut Events, sleep: Sleep) -> Result {
        events.clear();
        events.raw.0.clear();
        if self.is_forked() {
            return Err(forked());
        }
        let zero = Timespec::default();
        let timeout = match sleep {
            Sleep::Never => Some(&zero),
            Sleep::UntilEvent => None,
        };
        if events.raw.0.capacity() == 0 {
            events.raw.0.reserve(1);
        }
        match epoll::wait(self.fd(), rustix::buffer::spare_capacity(&mut events.raw.0), timeout) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(()),
            Err(errno) => {
                return Err(Error::new(Code::Internal, format!("epoll_wait on a wait set: {errno}")));
            }
        }
        for event in &events.raw.0 {
            match event.data.u64() {
                WAKER => events.woken = true,
                TIMER => events.rang = true,
                token => {
                    events.ready.push(Ready { token: Token(token), interests: interests_of(event.flags) })
                }
            }
        }
        Ok(())
    }

    fn wake(&self) {
        if !self.is_forked() {
            self.waker.wake().expect("an eventfd of ours takes a write");
        }
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.poll.registry().as_fd()
    }

    fn is_readable(&self) -> bool {
        let fd = self.fd();
        let mut fds = [PollFd::new(&fd, PollFlags::IN)];
        matches!(poll(&mut fds, Some(&Timespec::default())), Ok(1))
    }

    fn is_forked(&self) -> bool {
        self.fork_page.is_forked()
    }
}

/// An error or a hang-up ends every wait: neither a read nor a write would block.
fn interests_of(flags: epoll::EventFlags) -> Interests {
    use epoll::EventFlags as F;
    let mut interests = Interests::NONE;
    if flags.intersects(F::IN | F::RDHUP | F::HUP | F::ERR) {
        interests = interests.or(Interests::READ);
    }
    if flags.intersects(F::OUT | F::HUP | F::ERR) {
        interests = interests.or(Interests::WRITE);
    }
    interests
}

fn is(error: &std::io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno.raw_os_error())
}

#[cold]
fn forked() -> Error {
    Error::new(
        Code::FailedPrecondition,
        "this process is a fork of the one that made the wait set: make a new one here",
    )
}

#[cold]
fn refusal(number: RawFd, error: &std::io::Error) -> Error {
    let (code, text) = match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::PERM) => (
            Code::InvalidArgument,
            "is a regular file or directory: it is always ready and can't be waited for; read it where blocking is allowed",
        ),
        Some(Errno::BADF) => (
            Code::FailedPrecondition,
            "is closed; keep it open, or wait on a duplicate of it, until the wait has ended",
        ),
        Some(Errno::INVAL | Errno::LOOP) => (
            Code::InvalidArgument,
            "can't be waited for here: it is the wait set's own, or watches the wait set itself",
        ),
        Some(Errno::NOMEM | Errno::NOSPC) => (
            Code::ResourceExhausted,
            "can't be watched: the system has no room; wait on fewer at once, or raise fs.epoll.max_user_watches",
        ),
        _ => (Code::Internal, "can't be watched"),
    };
    Error::new(code, format!("descriptor {number} {text} ({error})"))
}
