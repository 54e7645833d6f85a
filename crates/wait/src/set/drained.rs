//! Descriptors that are read until nothing is left: registered once, and armed without a system call.
//!
//! Not here: registrations and the slots that wait (`descriptors.rs`).
//!
//! # State: a cell, two words for each direction
//! | word | meaning | written by |
//! |---|---|---|
//! | reports | how many came; it does not wrap in the life of a machine | a report, under the lock of the table |
//! | emptied | how many had come before the last attempt that found nothing | that attempt |
//!
//! While the two differ, an attempt may succeed.
//!
//! # Invariants
//! - I1: an attempt clears only the readiness that it saw: of a report that came meanwhile it knows nothing. Of two attempts at once
//!   the earlier may undo what the later cleared: then another is made for nothing. [mutants: drained.tick]
//! - I2: the descriptor is forgotten by its set before it is closed.
//!   (by construction: `Inner::drop` tells the set, and fields are dropped after it)
//!
//! # Orderings
//! The words publish nothing: data goes through the descriptor. Arming and reports meet under the lock of the table.
//! Models: `tests/loom_set.rs`.

#![allow(unsafe_code)]

use super::kernel::Interests;
use crate::listed::{ListedSource, Node};
use crate::source::{Home, Interest, Listed, Readiness, Route, WaitSource};
use crate::waker::{SourceWaker, WakerId};
use raddle_sync::atomic::{AtomicU64, Ordering::Relaxed};
use raddle_sync::mutant;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;

/// The readiness of one drained descriptor, for reading and for writing.
#[derive(Debug)]
pub(super) struct Cell([Half; 2]);

#[derive(Debug)]
struct Half {
    reports: AtomicU64,
    emptied: AtomicU64,
}

impl Half {
    fn new() -> Half {
        Half { reports: AtomicU64::new(0), emptied: AtomicU64::new(0) }
    }

    fn is_ready(&self) -> bool {
        self.reports.load(Relaxed) != self.emptied.load(Relaxed)
    }
}

impl Cell {
    pub(super) fn new() -> Cell {
        Cell([Half::new(), Half::new()])
    }

    pub(super) fn is_ready(&self, interest: Interest) -> bool {
        self.half(interest).is_ready()
    }

    /// Notes a report; says whether one of its directions was not ready before. Under the lock of the table.
    pub(super) fn report(&self, interests: Interests) -> bool {
        let mut is_news = false;
        for interest in [Interest::Read, Interest::Write] {
            if interests.contains(interest) {
                let half = self.half(interest);
                is_news |= !half.is_ready();
                half.reports.store(half.reports.load(Relaxed) + 1, Relaxed);
            }
        }
        is_news
    }

    fn half(&self, interest: Interest) -> &Half {
        match interest {
            Interest::Read => &self.0[0],
            Interest::Write => &self.0[1],
        }
    }
}

/// The set that has a drained descriptor registered.
pub(super) trait DrainHome: Home {
    /// # Safety
    /// As for [`ListedSource::link`].
    unsafe fn link(&self, node: Node, number: RawFd, interest: Interest);

    /// # Safety
    /// As for [`ListedSource::unlink`].
    unsafe fn unlink(&self, node: Node, number: RawFd, interest: Interest);

    /// Whether [`link_at_once`](DrainHome::link_at_once) may be called: no wait is refused here.
    fn offers_at_once(&self) -> bool;

    /// As [`ListedSource::link_at_once`], for reading.
    ///
    /// # Safety
    /// As there, and no wait is refused here.
    unsafe fn link_at_once(&self, number: RawFd, open: &mut dyn FnMut() -> Option<Node>) -> bool;

    fn listen(&self, waker: SourceWaker, number: RawFd, interest: Interest);

    fn unlisten(&self, waker: WakerId, number: RawFd);
}

/// A descriptor that its only user reads, or writes, until it would block; a wait then costs no system call.
///
/// Made by [`WaitSet::drained`](crate::WaitSet::drained). Cheap to clone; closed with its last clone. It must
/// be non-blocking, and every read and write must go through [`try_io`](Drained::try_io) or
/// [`try_drain`](Drained::try_drain): a wait ends when one of them may succeed where the last did not.
#[derive(Clone)]
pub struct Drained {
    inner: Arc<Inner>,
}

struct Inner {
    fd: OwnedFd,
    cell: Arc<Cell>,
    home: Arc<dyn DrainHome>,
}

impl Drained {
    pub(super) fn new(fd: OwnedFd, cell: Arc<Cell>, home: Arc<dyn DrainHome>) -> Drained {
        Drained { inner: Arc::new(Inner { fd, cell, home }) }
    }

    /// Tries `io` if the descriptor may be ready; if it would block, the next wait waits for a new report.
    ///
    /// Blocks: never, if `io` does not.
    ///
    /// # Errors
    /// `WouldBlock` when the descriptor is not ready; otherwise those of `io`.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        io: impl FnOnce(BorrowedFd<'_>) -> io::Result<R>,
    ) -> io::Result<R> {
        self.attempt(interest, io, false)
    }

    /// The same for an `io` that takes all there is whenever it succeeds, such as a read of an eventfd or a timerfd:
    /// that spares the attempt that would find nothing.
    ///
    /// # Errors
    /// As for [`try_io`](Drained::try_io).
    pub fn try_drain<R>(
        &self,
        interest: Interest,
        io: impl FnOnce(BorrowedFd<'_>) -> io::Result<R>,
    ) -> io::Result<R> {
        self.attempt(interest, io, true)
    }

    fn attempt<R>(
        &self,
        interest: Interest,
        io: impl FnOnce(BorrowedFd<'_>) -> io::Result<R>,
        takes_all: bool,
    ) -> io::Result<R> {
        let half = self.inner.cell.half(interest);
        let seen = half.reports.load(Relaxed);
        if seen == half.emptied.load(Relaxed) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let result = io(self.inner.fd.as_fd());
        let is_empty = match &result {
            Ok(_) => takes_all,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        };
        if is_empty {
            // The newest count would be too new (I1).
            let seen = if mutant!("drained.tick") { half.reports.fetch_add(0, Relaxed) } else { seen };
            half.emptied.store(seen, Relaxed);
        }
        result
    }

    /// Ready when a read may succeed.
    pub fn readable(&self) -> DrainedSource {
        DrainedSource { drained: self.clone(), interest: Interest::Read }
    }

    /// Ready when a write may succeed.
    pub fn writable(&self) -> DrainedSource {
        DrainedSource { drained: self.clone(), interest: Interest::Write }
    }
}

impl AsFd for Drained {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.fd.as_fd()
    }
}

impl fmt::Debug for Drained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Drained({})", self.inner.fd.as_raw_fd())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.home.forget(self.fd.as_raw_fd());
    }
}

/// One direction of a [`Drained`] descriptor, as a wait source. It works in every frame, whatever its stage.
#[derive(Clone, Debug)]
pub struct DrainedSource {
    drained: Drained,
    interest: Interest,
}

impl DrainedSource {
    fn inner(&self) -> (&Inner, RawFd) {
        let inner = &*self.drained.inner;
        (inner, inner.fd.as_raw_fd())
    }
}

impl ListedSource for DrainedSource {
    fn offers_at_once(&self) -> bool {
        // Reading was registered from the start: arming makes no system call, which could fail.
        self.interest == Interest::Read && self.drained.inner.home.offers_at_once()
    }

    unsafe fn link_at_once(&self, open: &mut dyn FnMut() -> Option<Node>) -> bool {
        let (inner, number) = self.inner();
        // SAFETY: the caller's promise.
        unsafe { inner.home.link_at_once(number, open) }
    }

    unsafe fn link(&self, node: Node) {
        let (inner, number) = self.inner();
        // SAFETY: the caller's promise.
        unsafe { inner.home.link(node, number, self.interest) };
    }

    unsafe fn unlink(&self, node: Node) {
        let (inner, number) = self.inner();
        // SAFETY: the caller's promise.
        unsafe { inner.home.unlink(node, number, self.interest) };
    }
}

impl WaitSource for DrainedSource {
    fn arm(&self, waker: SourceWaker) {
        let (inner, number) = self.inner();
        inner.home.listen(waker, number, self.interest);
    }

    fn disarm(&self, waker: WakerId) {
        let (inner, number) = self.inner();
        inner.home.unlisten(waker, number);
    }

    fn query(&self) -> Readiness {
        match self.drained.inner.cell.is_ready(self.interest) {
            true => Readiness::Ready,
            false => Readiness::Pending,
        }
    }

    fn route(&self) -> Route<'_> {
        Route::Listed(Listed(self))
    }

    fn as_any(&self) -> Option<&dyn std::any::Any> {
        Some(self)
    }
}
