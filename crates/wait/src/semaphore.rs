//! A timeline semaphore: a number that only grows, and waits for it to reach a value.
//!
//! Not here: a counting semaphore (`permits.rs`).
//!
//! # Invariants
//! - I1: a wait whose value has been reached, or that waits when the semaphore fails, is fired by that signal; one that
//!   is linked later is fired at once. [mutants: semaphore.recheck, semaphore.failure]
//!   What the signaller wrote is visible to it. [mutants: semaphore.publish, semaphore.query]
//! - I2: the value never shrinks, and a failure is for ever: every present and later wait ends with it.
//!   [tests: a_semaphore_only_grows_and_fails_for_ever]
//! - I3: a signal costs what it wakes, O(log n) each, and never what goes on waiting.
//!   (by construction: `fire_through` takes off the smallest, and stops at the first that is not due)
//! - I4: duties are paid after the lock is released. [mutants: semaphore.locked]
//!
//! # Orderings
//! Everything happens under the lock, except a query: it reads `value` with Acquire, which pairs with the Release in
//! `signal`, so that what the signaller wrote is visible to a wait that needs no arming. `has_failed` is a hint, and
//! Relaxed: who sees it takes the lock, and who misses it arms, under the lock. Models: `tests/loom_semaphore.rs`.

#![allow(unsafe_code)]

use crate::condition::{Condition, SharedSource};
use crate::heap::{Heap, Seat};
use crate::listed::{ListedSource, Node, gather};
use crate::resume::OwedList;
use crate::slot::{self, Slot};
use crate::source::{Listed, Readiness, Route, WaitSource};
use crate::waker::{SourceWaker, WakerId};
use raddle_status::{Code, Error, Result};
use raddle_sync::atomic::{AtomicBool, AtomicU64, Ordering::*};
use raddle_sync::cell::UnsafeCell;
use raddle_sync::{Mutex, mutant, ord};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A timeline semaphore. Thread-safe; waits are made by [`at`](Semaphore::at).
pub struct Semaphore {
    /// A copy of `Inner::value`, for queries.
    value: AtomicU64,
    /// Whether `failure` is set; for queries.
    has_failed: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    value: u64,
    failure: Option<Error>,
    slots: Heap<Rank>,
    /// Of sources that pass their `arm` on.
    wakers: BTreeMap<(u64, WakerId), SourceWaker>,
}

/// A semaphore's heap keeps positions in a slot's `rank`.
struct Rank;

impl Seat for Rank {
    fn of(slot: &Slot) -> &UnsafeCell<u32> {
        &slot.rank
    }
}

impl Semaphore {
    /// A semaphore that stands at `value`.
    pub fn new(value: u64) -> Semaphore {
        Semaphore {
            value: AtomicU64::new(value),
            has_failed: AtomicBool::new(false),
            inner: Mutex::new(Inner { value, ..Inner::default() }),
        }
    }

    /// The source that is ready when the semaphore has reached `value`.
    pub fn at(self: &Arc<Self>, value: u64) -> SemaphoreValue {
        SemaphoreValue { semaphore: self.clone(), value }
    }

    /// The value that was signalled last.
    ///
    /// Ordering: an acquire of what was written before that signal.
    ///
    /// # Errors
    /// The failure, if the semaphore has failed.
    pub fn value(&self) -> Result<u64> {
        if self.has_failed.load(Relaxed)
            && let Some(error) = &self.inner.lock().failure
        {
            return Err(error.clone());
        }
        Ok(self.value.load(ord!("semaphore.query", Acquire)))
    }

    /// Moves the semaphore on to `value` and ends the waits for it and everything below.
    ///
    /// Blocks: for other calls on this semaphore; wakes by enqueueing only. Ordering: a release; pairs with the end
    /// of a wait and with [`value`](Semaphore::value).
    ///
    /// # Errors
    /// INVALID_ARGUMENT when `value` is not above the present one; the failure, if the semaphore has failed.
    pub fn signal(&self, value: u64) -> Result {
        let mut owed = OwedList::default();
        let mut inner = self.inner.lock();
        if let Some(error) = &inner.failure {
            return Err(error.clone());
        }
        let before = inner.value;
        if value <= before {
            drop(inner);
            let message = format!("a semaphore at {before} was signalled to {value}; values only grow");
            return Err(Error::new(Code::InvalidArgument, message));
        }
        inner.value = value;
        self.value.store(value, ord!("semaphore.publish", Release));
        inner.fire_through(value, 0, &mut owed);
        let _held = mutant!("semaphore.locked").then_some(inner);
        owed.pay();
        Ok(())
    }

    /// Fails the semaphore for ever: every present and later wait, query and signal ends with `error`. The first
    /// failure is the one that stays; says whether this was it.
    ///
    /// Blocks: for other calls on this semaphore; wakes by enqueueing only. Ordering: a release.
    pub fn fail(&self, error: Error) -> bool {
        let mut owed = OwedList::default();
        let mut inner = self.inner.lock();
        if inner.failure.is_some() {
            return false;
        }
        let code = error.code().number();
        inner.failure = Some(error);
        self.has_failed.store(true, Relaxed);
        inner.fire_through(u64::MAX, code, &mut owed);
        drop(inner);
        owed.pay();
        true
    }

    pub(crate) fn query_at(&self, value: u64) -> Readiness {
        match self.value() {
            Err(error) => Readiness::Failed(error),
            Ok(reached) if reached >= value => Readiness::Ready,
            Ok(_) => Readiness::Pending,
        }
    }

    /// Adds a wait for `value`, or fires it at once (I1).
    fn add(&self, value: u64, add: impl FnOnce(&mut Inner)) {
        let mut owed = OwedList::default();
        let mut inner = self.inner.lock();
        add(&mut inner);
        if let Some(code) = inner.failure.as_ref().map(Error::code) {
            if !mutant!("semaphore.failure") {
                inner.fire_through(u64::MAX, code.number(), &mut owed);
            }
        } else if inner.value >= value && !mutant!("semaphore.recheck") {
            inner.fire_through(value, 0, &mut owed);
        }
        drop(inner);
        owed.pay();
    }

    pub(crate) fn arm_at(&self, value: u64, waker: SourceWaker) {
        self.add(value, |inner| {
            inner.wakers.insert((value, waker.id()), waker);
        });
    }

    pub(crate) fn disarm_at(&self, value: u64, waker: WakerId) {
        let forgotten = self.inner.lock().wakers.remove(&(value, waker));
        drop(forgotten);
    }

    /// # Safety
    /// As for `ListedSource::link`.
    pub(crate) unsafe fn link_at(&self, value: u64, node: Node) {
        // SAFETY: the slot is on no list, so its rank is free; it lives until `unlink_at`; the lock is held.
        self.add(value, |inner| unsafe { inner.slots.insert(value, node.slot, ()) });
    }

    /// # Safety
    /// As for `ListedSource::unlink`.
    pub(crate) unsafe fn unlink_at(&self, node: Node) {
        if mutant!("semaphore.unlink") {
            return;
        }
        // SAFETY: `link_at` linked it; the lock is held.
        unsafe { self.inner.lock().slots.remove(node.slot) };
    }
}

impl Inner {
    /// Takes off and fires everything that waits for `value` or less.
    fn fire_through(&mut self, value: u64, code: u32, owed: &mut OwedList) {
        while let Some(due) = self.slots.pop_through(value) {
            // SAFETY: it was linked, so its memory is alive until its frame has our lock (I2 of `listed.rs`).
            let generation = unsafe { due.slot.as_ref() }.peek().generation();
            // SAFETY: as above.
            gather(unsafe { slot::fire(due.slot, generation, code) }, owed);
        }
        while self.wakers.first_key_value().is_some_and(|((at, _), _)| *at <= value) {
            if let Some((_, waker)) = self.wakers.pop_first() {
                gather(waker.fire_quietly(code), owed);
            }
        }
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value() {
            Ok(value) => write!(f, "Semaphore(at {value})"),
            Err(error) => write!(f, "Semaphore(failed: {error})"),
        }
    }
}

/// A wait source: ready when its semaphore has reached a value.
#[derive(Clone, Debug)]
pub struct SemaphoreValue {
    semaphore: Arc<Semaphore>,
    value: u64,
}

impl SemaphoreValue {
    /// The semaphore.
    pub fn semaphore(&self) -> &Arc<Semaphore> {
        &self.semaphore
    }

    /// The value that is waited for.
    pub fn value(&self) -> u64 {
        self.value
    }

    /// Waits for another value from now on.
    pub fn set_value(&mut self, value: u64) {
        self.value = value;
    }
}

impl ListedSource for SemaphoreValue {
    unsafe fn link(&self, node: Node) {
        // SAFETY: the caller's promise.
        unsafe { self.semaphore.link_at(self.value, node) };
    }

    unsafe fn unlink(&self, node: Node) {
        // SAFETY: the caller's promise.
        unsafe { self.semaphore.unlink_at(node) };
    }
}

impl WaitSource for SemaphoreValue {
    fn arm(&self, waker: SourceWaker) {
        self.semaphore.arm_at(self.value, waker);
    }

    fn disarm(&self, waker: WakerId) {
        self.semaphore.disarm_at(self.value, waker);
    }

    fn query(&self) -> Readiness {
        self.semaphore.query_at(self.value)
    }

    fn route(&self) -> Route<'_> {
        Route::Listed(Listed(self))
    }

    fn as_any(&self) -> Option<&dyn std::any::Any> {
        Some(self)
    }
}

impl From<SemaphoreValue> for Condition<SharedSource> {
    fn from(value: SemaphoreValue) -> Condition<SharedSource> {
        Condition::Until(Arc::new(value))
    }
}
