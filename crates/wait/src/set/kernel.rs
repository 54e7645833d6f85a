//! What a wait set asks of a kernel.
//!
//! Not here: the real kernel (`os.rs`) and its stand-in (`standin.rs`); one script of operations checks both against
//! this contract (`tests/set_contract.rs`).
//!
//! # Contract
//! - C1: after `watch` returned, a descriptor that is ready for one of the interests, or becomes so, is reported to one
//!   call of `sleep`, once; then again only after new data or room, or after another `watch`.
//! - C2: a report may be false (the data is gone) or come late; it carries the token of the last `watch`, or of an
//!   earlier one if it was under way.
//! - C3: after `set_timer`, `rang` is reported to one call of `sleep`, once, not before the moment.
//! - C4: after `wake`, `woken` is reported to one call of `sleep`; several wakes may be reported as one.
//! - C5: `sleep` with [`Sleep::UntilEvent`] returns when there is something to report, or for no reason. Any number of
//!   threads may be in it; something new wakes one of them.
//! - C6: `fd` is readable while there is something to report.
//! - C7: what a thread did before it made a report possible is visible to the thread that gets the report.

use crate::source::Interest;
use crate::stage::Moment;
use raddle_status::Result;
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::Arc;

/// The edge between a wait set and an operating system. Thread-safe.
///
/// Injectable: a wrapper can count calls, a stand-in can replace the machine. The contract is in this module's source.
pub trait Kernel: Send + Sync + 'static {
    /// The present moment. Never goes back.
    fn now(&self) -> Moment;

    /// Registers a descriptor, or changes its registration, and looks at it: if it is ready, a report follows.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for a descriptor that can't be waited for; FAILED_PRECONDITION for a closed one;
    /// RESOURCE_EXHAUSTED when the system has no room.
    fn watch(&self, number: RawFd, registration: Registration) -> Result;

    /// Ends a registration; nothing happens if there is none.
    fn forget(&self, number: RawFd);

    /// Rings at this moment instead of the last one that was set; at once if it has passed, not at all for
    /// [`NEVER`](crate::NEVER).
    fn set_timer(&self, moment: Moment);

    /// Collects what there is to report, and with [`Sleep::UntilEvent`] waits until there is something.
    ///
    /// # Errors
    /// INTERNAL when the system refuses.
    fn sleep(&self, events: &mut Events, sleep: Sleep) -> Result;

    /// Makes one sleeper return, or the next call of `sleep`. Blocks: never.
    fn wake(&self);

    /// A descriptor that is readable while there is something to report.
    fn fd(&self) -> BorrowedFd<'_>;

    /// Whether `fd` is readable.
    fn is_readable(&self) -> bool;

    /// Whether this process is a fork of the one that made the kernel. Then everything else fails or does nothing: what the
    /// parent waits on is shared with the child.
    fn is_forked(&self) -> bool {
        false
    }
}

macro_rules! forward {
    ($($pointer:ident),*) => {$(
        impl<K: Kernel + ?Sized> Kernel for $pointer<K> {
            fn now(&self) -> Moment {
                (**self).now()
            }

            fn watch(&self, number: RawFd, registration: Registration) -> Result {
                (**self).watch(number, registration)
            }

            fn forget(&self, number: RawFd) {
                (**self).forget(number);
            }

            fn set_timer(&self, moment: Moment) {
                (**self).set_timer(moment);
            }

            fn sleep(&self, events: &mut Events, sleep: Sleep) -> Result {
                (**self).sleep(events, sleep)
            }

            fn wake(&self) {
                (**self).wake();
            }

            fn fd(&self) -> BorrowedFd<'_> {
                (**self).fd()
            }

            fn is_readable(&self) -> bool {
                (**self).is_readable()
            }
        }
    )*};
}
forward!(Box, Arc);

/// Whether a look at the kernel may block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sleep {
    /// Collects what is there.
    Never,
    /// Blocks until there is something.
    UntilEvent,
}

/// Names one registration of one descriptor number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Token(pub u64);

/// What [`Kernel::watch`] is to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Registration {
    /// What reports carry.
    pub token: Token,
    /// What to look for.
    pub interests: Interests,
    /// Whether the descriptor is believed to be registered: a hint that spares a system call.
    pub is_known: bool,
}

/// A set of interests.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Interests(u8);

impl Interests {
    /// Nothing.
    pub const NONE: Interests = Interests(0);
    /// Reading.
    pub const READ: Interests = Interests(1);
    /// Writing.
    pub const WRITE: Interests = Interests(2);
    /// Both.
    pub const BOTH: Interests = Interests(3);

    /// Whether this is nothing.
    pub fn is_empty(self) -> bool {
        self == Interests::NONE
    }

    /// Whether this holds all of `other`.
    pub fn contains(self, other: impl Into<Interests>) -> bool {
        let other = other.into();
        self.and(other) == other
    }

    /// What is in either.
    pub fn or(self, other: impl Into<Interests>) -> Interests {
        Interests(self.0 | other.into().0)
    }

    /// What is in both.
    pub fn and(self, other: impl Into<Interests>) -> Interests {
        Interests(self.0 & other.into().0)
    }

    /// What is in this one alone.
    pub fn without(self, other: impl Into<Interests>) -> Interests {
        Interests(self.0 & !other.into().0)
    }
}

impl From<Interest> for Interests {
    fn from(interest: Interest) -> Interests {
        match interest {
            Interest::Read => Interests::READ,
            Interest::Write => Interests::WRITE,
        }
    }
}

/// One report about a descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ready {
    /// The token of the registration.
    pub token: Token,
    /// What it is ready for; an error or a hang-up is both.
    pub interests: Interests,
}

/// Room for what one look at the kernel collects. Kept by each thread that looks.
#[derive(Default)]
pub struct Events {
    /// The waker was called.
    pub woken: bool,
    /// The timer's moment has come.
    pub rang: bool,
    /// Descriptors.
    pub ready: Vec<Ready>,
    /// Whoever looks into this looks again once it has run what it resumed, or calls
    /// [`make_up`](crate::WaitSet::make_up): until then the kernel need not ring for it.
    pub looks_again: bool,
    /// It may have been told of less than there is, for that reason.
    pub(super) has_put_off: bool,
    pub(super) raw: super::os::Records,
}

impl Events {
    /// Room for this many reports at once; what does not fit is collected by the next look. At least one.
    pub fn with_capacity(count: usize) -> Events {
        let count = count.max(1);
        Events {
            ready: Vec::with_capacity(count),
            raw: super::os::Records(Vec::with_capacity(count)),
            ..Events::default()
        }
    }

    /// How many reports fit.
    pub fn capacity(&self) -> usize {
        self.raw.0.capacity()
    }

    /// Forgets everything, for the next look.
    pub fn clear(&mut self) {
        (self.woken, self.rang) = (false, false);
        self.ready.clear();
    }

    /// Whether nothing was collected.
    pub fn is_empty(&self) -> bool {
        !self.woken && !self.rang && self.ready.is_empty()
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Events(woken {}, rang {}, ready {:?})", self.woken, self.rang, self.ready)
    }
}
