//! A descriptor as a wait source: anything that can be polled.
//!
//! Not here: registrations (`descriptors.rs`), descriptors that are read until nothing is left (`drained.rs`).
//!
//! # Invariants
//! - I1: before the descriptor is closed, every set that may have it registered has forgotten its number.
//!   [tests: numbers_are_reused_without_harm]

use crate::source::{Home, Interest, Owner, Route, WaitSource, Watch};
use crate::waker::SourceWaker;
use raddle_status::{Code, Error, Result};
use smallvec::SmallVec;
use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, Weak};

/// A descriptor to wait for: eventfd, pipe, socket, timerfd, pidfd, anything that can be polled.
///
/// Any number of waits, in any number of wait sets, may use it at once. Readiness is a level: a wait that begins while
/// there is something to read ends, as often as it is begun. Cheap to clone; closed with its last clone. Never
/// made non-blocking: what a program reads after a wait, it reads as its owner set it up.
///
/// # Example
/// ```
/// use raddle_wait::{Condition, Descriptor, Frame, NEVER, SlotPool};
/// use std::sync::Arc;
///
/// let (reader, _writer) = std::io::pipe().expect("a pipe");
/// let source = Arc::new(Descriptor::new(reader).readable());
/// let frame: Frame = Frame::new(&SlotPool::new(), Condition::from(source), NEVER).expect("a wait on one source");
/// # drop(frame);
/// ```
#[derive(Clone)]
pub struct Descriptor {
    owned: Arc<Owned>,
}

struct Owned {
    fd: OwnedFd,
    /// Where it may be registered. std's lock: it takes part in no protocol.
    homes: Mutex<SmallVec<[Weak<dyn Home>; 1]>>,
}

impl Descriptor {
    /// Takes the descriptor over.
    pub fn new(fd: impl Into<OwnedFd>) -> Descriptor {
        Descriptor { owned: Arc::new(Owned { fd: fd.into(), homes: Mutex::default() }) }
    }

    /// Waits on a duplicate of a descriptor that somebody else owns, and may close at any time.
    ///
    /// # Errors
    /// FAILED_PRECONDITION when it can't be duplicated: it is closed, or the process has no descriptors left.
    pub fn duplicate(fd: impl AsFd) -> Result<Descriptor> {
        let fd = fd.as_fd();
        let own = fd.try_clone_to_owned().map_err(|error| {
            let number = fd.as_raw_fd();
            Error::new(Code::FailedPrecondition, format!("descriptor {number} can't be duplicated: {error}"))
        })?;
        Ok(Descriptor::new(own))
    }

    /// Ready when a read would not block: data, end of file, or an error.
    pub fn readable(&self) -> DescriptorSource {
        DescriptorSource { descriptor: self.clone(), interest: Interest::Read }
    }

    /// Ready when a write would not block: room, or an error.
    pub fn writable(&self) -> DescriptorSource {
        DescriptorSource { descriptor: self.clone(), interest: Interest::Write }
    }
}

impl AsFd for Descriptor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.owned.fd.as_fd()
    }
}

impl fmt::Debug for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Descriptor({})", self.owned.fd.as_raw_fd())
    }
}

impl Owner for Owned {
    fn remember(&self, home: Weak<dyn Home>) {
        let mut homes = self.homes.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        homes.retain(|old| old.strong_count() > 0);
        homes.push(home);
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let homes = self.homes.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner());
        for home in homes.iter().filter_map(Weak::upgrade) {
            home.forget(self.fd.as_raw_fd());
        }
    }
}

/// One direction of a [`Descriptor`], as a wait source. It needs a frame whose stage is a wait set.
#[derive(Clone, Debug)]
pub struct DescriptorSource {
    descriptor: Descriptor,
    interest: Interest,
}

impl DescriptorSource {
    /// The descriptor.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }
}

impl WaitSource for DescriptorSource {
    /// Called only by a source that passes its own `arm` on and not its `route`: there is no wait set to ask.
    fn arm(&self, waker: SourceWaker) {
        waker.fail(Code::FailedPrecondition);
    }

    fn route(&self) -> Route<'_> {
        let owned = &*self.descriptor.owned;
        Route::Watch(Watch { fd: owned.fd.as_fd(), interest: self.interest, owner: Some(owned) })
    }

    fn as_any(&self) -> Option<&dyn std::any::Any> {
        Some(self)
    }
}
