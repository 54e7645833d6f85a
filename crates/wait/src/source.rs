//! What can be waited for.
//!
//! Not here: conditions over several sources (`condition.rs`), the sources that come with this crate.

use crate::listed::ListedSource;
use crate::waker::{SourceWaker, WakerId};
use raddle_status::Error;
use std::any::Any;
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::Weak;
use std::time::Duration;

/// Something that a program can wait for.
///
/// "Wake me when you are ready" is all that a source must offer: [`arm`](WaitSource::arm). The rest has defaults.
/// Whether a wait has ended is the slot's answer, never the source's, so a source can't lose, double or misdirect a
/// wake-up, whatever it does with its wakers.
///
/// # Example
/// ```
/// use raddle_wait::{SourceWaker, WaitSource};
///
/// /// A future of somebody else's library, which has nothing but a callback.
/// struct TheirFuture;
/// impl TheirFuture {
///     fn when_ready(&self, callback: impl FnOnce() + Send + 'static) { callback() }
/// }
///
/// struct Adapted(TheirFuture);
/// impl WaitSource for Adapted {
///     fn arm(&self, waker: SourceWaker) {
///         self.0.when_ready(move || { waker.wake(); });
///     }
/// }
/// # let _ = Adapted(TheirFuture);
/// ```
pub trait WaitSource {
    /// Keeps `waker` and calls it when the source is ready; at once, if it is ready already.
    ///
    /// Must not block. A source may be armed any number of times, from several waits at once.
    fn arm(&self, waker: SourceWaker);

    /// Whether the source is ready, as a hint that consumes nothing. Must not block.
    ///
    /// A source that reports `Ready` spares its waiter the arming; one that reports `Failed` gives the message that
    /// a waker can't carry.
    fn query(&self) -> Readiness {
        Readiness::Pending
    }

    /// A request to forget the waker with this name. Waking it afterwards is harmless.
    fn disarm(&self, waker: WakerId) {
        let _ = waker;
    }

    /// Hands out what the source hands out (an auto-reset event its signal, a semaphore a permit) to the wait that has
    /// ended. A wait whose commit is lost goes on waiting.
    ///
    /// Called once by the wait that this source resolved, and never for the losers of a wait for any.
    fn commit(&self) -> Commit {
        Commit::Taken
    }

    /// Undoes a commit: another source of the same wait for all was lost.
    fn give_back(&self) {}

    /// A waker of this source was called, but its wait ended otherwise and takes nothing: whoever waits next
    /// must be woken instead.
    fn decline(&self) {}

    /// What dumps call this source: by default the name of its type.
    fn name(&self) -> &str {
        std::any::type_name::<Self>()
    }

    /// The source as itself, for hosts that look into a wait and know some of its sources. By default unknown.
    fn as_any(&self) -> Option<&dyn Any> {
        None
    }

    /// How this source becomes ready; sources outside this crate have no need of it unless they are a descriptor
    /// or a moment.
    fn route(&self) -> Route<'_> {
        Route::Source
    }
}

/// What a query says.
#[derive(Clone, Debug)]
#[must_use]
pub enum Readiness {
    /// Not ready, or not known.
    Pending,
    /// Ready now.
    Ready,
    /// Never ready again.
    Failed(Error),
}

impl Readiness {
    /// Whether this is `Ready`.
    pub fn is_ready(&self) -> bool {
        matches!(self, Readiness::Ready)
    }
}

/// Whether a wait got what the source hands out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Commit {
    /// It is the wait's own now.
    Taken,
    /// Somebody else was faster.
    Lost,
}

/// How a source becomes ready.
#[derive(Debug)]
pub enum Route<'a> {
    /// It calls its wakers.
    Source,
    /// A source of this crate: it links slots into a list of its own, without a waker.
    #[doc(hidden)]
    Listed(Listed<'a>),
    /// At a moment of the stage's clock, in nanoseconds.
    Moment(u64),
    /// When so much time has passed since the wait began.
    Delay(Duration),
    /// When a descriptor is ready for this interest; the stage watches it, from the arming to the end of the wait.
    /// The source keeps it open for as long. A [`Descriptor`](crate::Descriptor) costs half the system calls.
    Descriptor(BorrowedFd<'a>, Interest),
    /// The same, for a descriptor whose owner tells the stage before it closes it.
    #[doc(hidden)]
    Watch(Watch<'a>),
}

/// A descriptor to be watched, opaque outside this crate.
#[doc(hidden)]
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "set"), allow(dead_code))]
pub struct Watch<'a> {
    pub(crate) fd: BorrowedFd<'a>,
    pub(crate) interest: Interest,
    /// Who is told where the descriptor is registered; without it, the registration ends with the wait.
    pub(crate) owner: Option<&'a dyn Owner>,
}

impl<'a> Watch<'a> {
    /// The descriptor, and what it is to be ready for.
    pub fn what(&self) -> (BorrowedFd<'a>, Interest) {
        (self.fd, self.interest)
    }

    pub(crate) fn lent(fd: BorrowedFd<'a>, interest: Interest) -> Watch<'a> {
        Watch { fd, interest, owner: None }
    }
}

impl std::fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Watch({:?}, {:?})", self.fd, self.interest)
    }
}

/// Whoever closes a descriptor, and before that tells everybody who has it registered.
#[cfg_attr(not(feature = "set"), allow(dead_code))]
pub(crate) trait Owner {
    fn remember(&self, home: Weak<dyn Home>);
}

/// Where descriptors are registered.
#[cfg_attr(not(feature = "set"), allow(dead_code))]
pub(crate) trait Home: Send + Sync {
    /// Ends the registration of this number, which is about to be closed.
    fn forget(&self, number: RawFd);
}

/// A listed source, opaque outside this crate.
#[doc(hidden)]
pub struct Listed<'a>(pub(crate) &'a dyn ListedSource);

impl std::fmt::Debug for Listed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Listed")
    }
}

/// For what a descriptor is to be ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interest {
    /// A read would not block (data, end of file, or an error).
    Read,
    /// A write would not block (room, or an error).
    Write,
}
