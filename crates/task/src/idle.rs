//! Who sleeps where, and who is woken.
//!
//! A worker that finds nothing announces itself, looks once more, and sleeps: on its parker, or, if waits are
//! outstanding and fewer than two do so, in the kernel on the wait set. Whoever makes work from outside wakes one
//! sleeper unless somebody is searching.
//!
//! Not here: the parker (`raddle-sync`), the wait set (`raddle-wait`), what a worker looks through (`worker.rs`).
//!
//! # State: one word
//! | bits | count | raised by | lowered by |
//! |---|---|---|---|
//! | 0..16 | parked: workers on their parkers that nobody has claimed | `announce` | `claim`, `retract` |
//! | 16..32 | kernel: workers asleep on the wait set | `announce` | `leave_kernel` |
//! | 32..48 | claims: wake-ups on their way to kernel sleepers | `claim` | `leave_kernel` |
//! | 48..64 | searching: awake, looking for work, or woken to look | `start_search`, `claim` | `stop_search`, `announce` |
//!
//! Which workers are parked is a set of bits beside the word; who clears a bit owes that worker an unpark.
//!
//! # Invariants
//! - I1: work that was pushed before `notify` is seen by a searcher, by a sleeper's last look, or a sleeper is
//!   woken for it. [mutants: idle.notify, idle.announce, idle.look]
//! - I2: while waits are outstanding and a worker sleeps, a worker sleeps in the kernel, or a wake-up is on
//!   its way, or a searcher is awake that will look after it. [mutants: idle.watch, idle.stop, idle.leave]
//! - I3: each claim is paid by one unpark, or by one wake of the wait set. Wakes of the set merge, and anybody who looks
//!   at it may take one: who took one while claims are left wakes again. [mutants: idle.bit, idle.merged]
//! - I4: the last searcher that finds something to run sees all work that was pushed before, and wakes another for it: its
//!   own task may last for ever. [mutants: idle.stop, idle.hand_on]
//!
//! # Orderings
//! Store-then-load on both sides, with sequentially consistent fences: `announce` raises a count and then looks at the
//! queues; `notify` is called after a push and then looks at the counts; `stop_search` lowers a count and then its caller
//! looks at the queues. The same for `outstanding`: whoever takes it from zero has fenced before it calls
//! `claim_watcher`. The counts themselves need no order beyond that, and carry nothing: what a sleeper finds comes through
//! queues, parkers and the wait set. A bit is set before the count is raised, and looked for after it was lowered
//! (Release, Acquire).
//! Models: `tests/loom_idle.rs`.
//!
//! # Equivalent mutants
//! - idle.parked: `take_bit` may then not see yet a bit that it is owed, and looks again.

use crate::tuning::KERNEL_SLEEPERS_MAX;
use raddle_sync::atomic::{AtomicU64, Ordering::*};
use raddle_sync::{fence, mutant, ord};

const PARKED: u64 = 1;
const KERNEL: u64 = 1 << 16;
const CLAIM: u64 = 1 << 32;
const SEARCHING: u64 = 1 << 48;
const COUNT_MASK: u64 = 0xffff;

/// The most workers that the counts can hold.
pub(crate) const WORKERS_MAX: usize = COUNT_MASK as usize;

/// A snapshot of the counts.
#[derive(Clone, Copy)]
pub struct Counts(u64);

impl Counts {
    /// Parked workers that nobody has claimed.
    pub fn parked(self) -> u64 {
        self.0 & COUNT_MASK
    }

    /// Workers asleep on the wait set.
    pub fn kernel(self) -> u64 {
        (self.0 / KERNEL) & COUNT_MASK
    }

    /// Wake-ups on their way to them.
    pub fn claims(self) -> u64 {
        (self.0 / CLAIM) & COUNT_MASK
    }

    /// Workers that look for work, or are woken to.
    pub fn searching(self) -> u64 {
        (self.0 / SEARCHING) & COUNT_MASK
    }

    /// Whether wake-ups of the wait set are on their way, for somebody who took one (I3).
    pub fn has_claims(self) -> bool {
        self.claims() > 0 && !mutant!("idle.merged")
    }

    fn has_kernel_sleeper_to_wake(self) -> bool {
        self.kernel() > self.claims()
    }

    fn has_sleeper_to_wake(self) -> bool {
        self.parked() > 0 || self.has_kernel_sleeper_to_wake()
    }
}

/// Where a worker sleeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// On its parker.
    Parker,
    /// On the wait set.
    Kernel,
}

/// Whom the caller must wake.
#[must_use = "a claim that is not paid is a lost wake-up"]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Claim {
    /// Nobody sleeps, or somebody is searching.
    Nobody,
    /// Unpark this worker.
    Worker(usize),
    /// Wake the wait set.
    Kernel,
}

/// See the head of this file.
pub struct Idle {
    counts: AtomicU64,
    parked: Box<[AtomicU64]>,
}

impl Idle {
    /// Nobody sleeps.
    pub fn new(workers: usize) -> Idle {
        assert!(workers <= WORKERS_MAX);
        let words = workers.div_ceil(64);
        Idle { counts: AtomicU64::new(0), parked: (0..words).map(|_| AtomicU64::new(0)).collect() }
    }

    /// The counts, racily.
    pub fn counts(&self) -> Counts {
        Counts(self.counts.load(Relaxed))
    }

    /// A worker begins to look for work beyond its own.
    pub fn start_search(&self) {
        self.counts.fetch_add(SEARCHING, Relaxed);
    }

    /// A searcher found something; says whether it was the last. It must now look at what is left (I2, I4).
    pub fn stop_search(&self) -> bool {
        let before = Counts(self.counts.fetch_sub(SEARCHING, Relaxed));
        fence!("idle.stop");
        before.searching() == 1
    }

    /// A searcher is about to sleep; says where. It must now look once more, and `retract` if there is work.
    pub fn announce(&self, worker: usize, has_waits: bool) -> Place {
        let place = if has_waits && self.enter_kernel() { Place::Kernel } else { Place::Parker };
        if place == Place::Parker {
            self.word(worker).fetch_or(bit(worker), Relaxed);
            self.counts.fetch_add(PARKED.wrapping_sub(SEARCHING), ord!("idle.parked", Release));
        }
        fence!("idle.announce");
        place
    }

    /// Becomes a kernel sleeper if there is room for one.
    fn enter_kernel(&self) -> bool {
        let mut seen = self.counts();
        while seen.kernel() < KERNEL_SLEEPERS_MAX {
            let next = seen.0 + KERNEL - SEARCHING;
            match self.counts.compare_exchange_weak(seen.0, next, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(now) => seen = Counts(now),
            }
        }
        false
    }

    /// The host's worker goes to sleep between turns, in the kernel.
    pub fn host_sleeps(&self, was_searching: bool) {
        let raised = if was_searching { KERNEL.wrapping_sub(SEARCHING) } else { KERNEL };
        self.counts.fetch_add(raised, Relaxed);
        fence!("idle.announce");
    }

    /// A parked worker's last look found work: `true` if it is awake and searching again, `false` if it has been claimed
    /// and must take the unpark that is on its way.
    pub fn retract(&self, worker: usize) -> bool {
        if !self.reserve_parked() {
            return false;
        }
        if self.word(worker).fetch_and(!bit(worker), Relaxed) & bit(worker) != 0 {
            return true;
        }
        // Our bit went to somebody who reserved before; our reservation is for a bit that is still set.
        self.counts.fetch_add(PARKED.wrapping_sub(SEARCHING), ord!("idle.parked", Release));
        false
    }

    /// Takes one parked worker out of the count, as a searcher. There is then a bit for the caller: bits are set
    /// before the count is raised, and cleared after it was lowered.
    fn reserve_parked(&self) -> bool {
        let mut seen = self.counts();
        while seen.parked() > 0 {
            let next = seen.0 - PARKED + SEARCHING;
            match self.counts.compare_exchange_weak(seen.0, next, ord!("idle.parked", Acquire), Relaxed) {
                Ok(_) => return true,
                Err(now) => seen = Counts(now),
            }
        }
        false
    }

    /// Clears one bit, after `reserve_parked`.
    fn take_bit(&self) -> usize {
        loop {
            for (index, word) in self.parked.iter().enumerate() {
                let seen = word.load(Relaxed);
                if seen != 0 {
                    let lowest = seen & seen.wrapping_neg();
                    if word.fetch_and(!lowest, Relaxed) & lowest != 0 || mutant!("idle.bit") {
                        return index * 64 + lowest.trailing_zeros() as usize;
                    }
                }
            }
            raddle_sync::spin_loop();
        }
    }

    /// Work was pushed: claims a sleeper for it unless somebody is searching (I1).
    #[inline]
    pub fn notify(&self) -> Claim {
        fence!("idle.notify");
        self.notify_loosely()
    }

    /// The same for work that stays in its owner's hands: a sleeper that announces itself at this moment is missed.
    #[inline]
    pub(crate) fn notify_loosely(&self) -> Claim {
        let seen = self.counts();
        if seen.searching() > 0 || !seen.has_sleeper_to_wake() {
            return Claim::Nobody;
        }
        self.claim()
    }

    /// Claims a sleeper, a parked one first.
    #[cold]
    pub fn claim(&self) -> Claim {
        if self.reserve_parked() {
            return Claim::Worker(self.take_bit());
        }
        let mut seen = self.counts();
        while seen.has_kernel_sleeper_to_wake() {
            let next = seen.0 + CLAIM + SEARCHING;
            match self.counts.compare_exchange_weak(seen.0, next, Relaxed, Relaxed) {
                Ok(_) => return Claim::Kernel,
                Err(now) => seen = Counts(now),
            }
        }
        Claim::Nobody
    }

    /// A searcher leaves for ever: whom it must wake, so that nobody stays asleep at the end. While `retract` holds a place
    /// in the count for a moment, the claims of the end can miss another sleeper.
    pub fn leave(&self) -> Claim {
        let _ = self.stop_search();
        if mutant!("threads.chain") { Claim::Nobody } else { self.claim() }
    }

    /// Claims a parked worker to watch the wait set, if waits are outstanding and nobody watches (I2).
    ///
    /// Called when the first wait has been armed, and by a searcher that goes to run something; both have passed a fence.
    pub fn claim_watcher(&self) -> Claim {
        if self.counts().kernel() == 0 && self.reserve_parked() {
            return Claim::Worker(self.take_bit());
        }
        Claim::Nobody
    }

    /// A worker came back from the kernel and searches; `is_claimed` if it took the wait set's wake-up.
    /// Says whether the set must be woken again, for a claim whose wake may have been merged with that one (I3).
    #[must_use = "a merged wake is a lost one"]
    pub fn leave_kernel(&self, is_claimed: bool) -> bool {
        let mut seen = self.counts();
        loop {
            debug_assert!(seen.kernel() > 0);
            // A claim that this worker takes has counted it as searching. When every sleeper is claimed, so is this one.
            let takes_claim = seen.claims() > 0 && (is_claimed || seen.claims() == seen.kernel());
            let next = seen.0 - KERNEL + if takes_claim { 0 } else { SEARCHING }
                - if takes_claim { CLAIM } else { 0 };
            match self.counts.compare_exchange_weak(seen.0, next, Relaxed, Relaxed) {
                Ok(_) => return is_claimed && Counts(next).has_claims(),
                Err(now) => seen = Counts(now),
            }
        }
    }

    fn word(&self, worker: usize) -> &AtomicU64 {
        &self.parked[worker / 64]
    }
}

fn bit(worker: usize) -> u64 {
    1 << (worker % 64)
}
