//! A counting semaphore: permits that waits take, one each, and that their owners release.
//!
//! Not here: a semaphore that only grows (`semaphore.rs`).
//!
//! # State
//! | bits | meaning | set by | cleared by |
//! |---|---|---|---|
//! | LISTED | waits may be on the list | `add`, under the lock | whoever empties the list, under the lock |
//! | count | permits that nobody has | `release` | `try_acquire`, one at a time |
//!
//! # Invariants
//! - I1: at least as many fired waits have not yet committed or declined as there are permits, or waits on the list,
//!   whichever are fewer. [mutants: permits.wake, permits.recheck, permits.decline]
//! - I2: every permit is taken once, by one who sees what its owners before wrote. [mutants: permits.take, permits.acquire, permits.release]
//! - I3: duties are paid after the lock is released. [mutants: permits.locked]
//!
//! # Orderings
//! `release` and `add` are read-modify-writes of one word, so one of them sees the other. Taking is an acquire of what
//! was written before the releases: they and the takes between them are one release sequence.
//! Models: `tests/loom_commit.rs`.

#![allow(unsafe_code)]

use crate::listed::{ListedSource, Node, Waits};
use crate::resume::OwedList;
use crate::source::{Commit, Listed, Readiness, Route, WaitSource};
use crate::waker::{SourceWaker, WakerId};
use raddle_sync::atomic::{AtomicU64, Ordering::*};
use raddle_sync::{Mutex, mutant, ord};

const LISTED: u64 = 1;
const ONE: u64 = 2;

/// A counting semaphore, as a wait source: a wait that ends as ready has taken one permit, which its program
/// [`release`](Permits::release)s when it is done with what the permit stands for. Thread-safe.
///
/// It is the way to wait for a place where a budget has run out.
pub struct Permits {
    state: AtomicU64,
    waits: Mutex<Waits>,
}

impl Permits {
    /// So many permits.
    pub fn new(count: u32) -> Permits {
        Permits { state: AtomicU64::new(u64::from(count) * ONE), waits: Mutex::new(Waits::default()) }
    }

    /// Permits that nobody has, at this moment.
    pub fn available(&self) -> u64 {
        self.state.load(Relaxed) / ONE
    }

    /// Takes a permit if there is one. Blocks: never.
    ///
    /// Ordering: an acquire of what was written before the permits were released.
    pub fn try_acquire(&self) -> bool {
        let mut seen = self.state.load(Relaxed);
        while seen >= ONE {
            let less = if mutant!("permits.take") { seen } else { seen - ONE };
            match self.state.compare_exchange_weak(seen, less, ord!("permits.acquire", Acquire), Relaxed) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }

    /// Hands in so many permits and wakes as many waits. Never blocks; wakes by enqueueing only.
    ///
    /// Ordering: a release; pairs with taking a permit.
    pub fn release(&self, count: u32) {
        let before = self.state.fetch_add(u64::from(count) * ONE, ord!("permits.release", Release));
        debug_assert!(before / ONE < 1 << 60, "more permits than anybody can have taken");
        if before & LISTED != 0 && !mutant!("permits.wake") {
            self.wake(u64::from(count));
        }
    }

    /// Adds a wait, and fires one if there is a permit (I1).
    fn add(&self, add: impl FnOnce(&mut Waits)) {
        let mut waits = self.waits.lock();
        add(&mut waits);
        let before = self.state.fetch_or(LISTED, Relaxed);
        drop(waits);
        if before >= ONE && !mutant!("permits.recheck") {
            self.wake(1);
        }
    }

    fn remove(&self, remove: impl FnOnce(&mut Waits)) {
        let mut waits = self.waits.lock();
        remove(&mut waits);
        self.note_empty(&waits);
    }

    /// Fires the first `count` waits that take it.
    #[cold]
    fn wake(&self, count: u64) {
        let mut owed = OwedList::default();
        let mut waits = self.waits.lock();
        let mut rest = count;
        while rest > 0 {
            match waits.fire_first(0, &mut owed) {
                Some(counted) => rest -= u64::from(counted),
                None => break,
            }
        }
        self.note_empty(&waits);
        let _held = mutant!("permits.locked").then_some(waits);
        owed.pay();
    }

    /// The lock is held.
    fn note_empty(&self, waits: &Waits) {
        if waits.is_empty() {
            self.state.fetch_and(!LISTED, Relaxed);
        }
    }
}

impl ListedSource for Permits {
    unsafe fn link(&self, node: Node) {
        // SAFETY: the slot is on no list, and its memory lives until `unlink`; the lock is held.
        self.add(|waits| unsafe { waits.link(node.slot) });
    }

    unsafe fn unlink(&self, node: Node) {
        // SAFETY: `link` linked it; the lock is held.
        self.remove(|waits| unsafe { waits.unlink(node.slot) });
    }
}

impl WaitSource for Permits {
    fn arm(&self, waker: SourceWaker) {
        self.add(|waits| waits.add_waker(waker));
    }

    fn disarm(&self, waker: WakerId) {
        self.remove(|waits| waits.remove_waker(waker));
    }

    fn query(&self) -> Readiness {
        if self.available() > 0 { Readiness::Ready } else { Readiness::Pending }
    }

    fn commit(&self) -> Commit {
        if self.try_acquire() { Commit::Taken } else { Commit::Lost }
    }

    fn give_back(&self) {
        self.release(1);
    }

    fn decline(&self) {
        if self.available() > 0 && !mutant!("permits.decline") {
            self.wake(1);
        }
    }

    fn route(&self) -> Route<'_> {
        Route::Listed(Listed(self))
    }

    fn as_any(&self) -> Option<&dyn std::any::Any> {
        Some(self)
    }
}

impl std::fmt::Debug for Permits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Permits({} available)", self.available())
    }
}
