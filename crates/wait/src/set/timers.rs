//! Moments at which slots fire or time out, and the one timer of the kernel.
//!
//! Not here: sources that wait for a moment (`delay.rs`), how slots are kept by moment (`wheel.rs`).
//!
//! # State, all of it under one lock
//! | part | meaning |
//! |---|---|
//! | wheel | slots by moment; a slot knows its position, so that it leaves at once |
//! | programmed | the moment at which the kernel rings, or [`NEVER`]; a ring may be under way |
//! | put off | `programmed` is later than the first moment, because somebody looks again before |
//!
//! # Invariants
//! - I1: no slot is resolved before its moment.
//!   [tests: a_key_is_never_early_and_orders_by_moment, many_timers_fire_in_order_and_never_early]
//! - I2: when the lock is released and the wheel is not empty, `programmed` is at most its first moment, and the
//!   kernel's timer is set to `programmed`, or its ring is under way to a `fire`. A look that promises another may put
//!   that off, until its thread sleeps (`make_up`), and by [`RING_LATE_NS`] at most.
//!   [mutants: timers.earlier, timers.next, timers.make_up]
//! - I3: a slot is resolved with the lock held, after it left the wheel; `remove` takes the lock. So after `remove`
//!   nobody touches the slot. [mutants: timers.remove]
//! - I4: the kernel is called only when the first moment gets earlier, or has come.
//!   (by construction: `insert` and `fire` are the only callers, behind these conditions)
//!
//! A timer that is removed leaves `programmed` as it is: the kernel rings once for nothing, at most once for each
//! moment that was first.
//!
//! # Orderings
//! Everything is under the lock. `earliest` and `is_put_off` are copies for those who look without it: hints, never a proof.
//! Models: `tests/loom_set.rs`.

#![allow(unsafe_code)]

use super::kernel::Kernel;
use super::places::Fired;
use super::wheel::Wheel;
use crate::heap::{Entry, Seat};
use crate::listed::gather;
use crate::resume::OwedList;
use crate::slot::Slot;
use crate::stage::sealed::Armed;
use crate::stage::{Due, Moment, NEVER};
use crate::tuning::{RING_LATE_NS, TIMERS_FIRED_MAX, TIMERS_MOVED_MAX};
use raddle_sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use raddle_sync::cell::UnsafeCell;
use raddle_sync::{Mutex, mutant, prefetch};
use smallvec::SmallVec;
use std::ptr::NonNull;

/// A wheel of timers keeps positions in a slot's `timer`.
pub(super) struct TimerSeat;

impl Seat for TimerSeat {
    fn of(slot: &Slot) -> &UnsafeCell<u32> {
        &slot.timer
    }
}

pub(super) struct Timers {
    inner: Mutex<Inner>,
    earliest: AtomicU64,
    /// Whether a ring was put off: written under the lock, before whoever put it off reads it.
    is_put_off: AtomicBool,
}

struct Inner {
    wheel: Wheel<TimerSeat>,
    programmed: Moment,
}

impl Inner {
    /// The first moment, or an earlier one if it is not known better.
    fn first(&self) -> Moment {
        self.wheel.first().map_or(NEVER, |first| Key(first).moment())
    }
}

/// A moment and what happens then, in the order of moments: the lowest bit says which, so that an entry stays two
/// words. A moment is rounded up to the next even nanosecond (I1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Key(u64);

impl Key {
    fn new(moment: Moment, due: Due) -> Key {
        Key(moment.saturating_add(1) & !1 | u64::from(due == Due::TimeOut))
    }

    fn moment(self) -> Moment {
        self.0 & !1
    }

    fn due(self) -> Due {
        if self.0 & 1 == 0 { Due::Fire } else { Due::TimeOut }
    }

    /// The last key that is due now.
    fn last_due(now: Moment) -> u64 {
        now | 1
    }
}

impl Timers {
    pub(super) fn new() -> Timers {
        let inner = Inner { wheel: Wheel::new(), programmed: NEVER };
        Timers {
            inner: Mutex::new(inner),
            earliest: AtomicU64::new(NEVER),
            is_put_off: AtomicBool::new(false),
        }
    }

    /// The first moment, as a hint.
    pub(super) fn earliest(&self) -> Moment {
        self.earliest.load(Relaxed)
    }

    /// Whether the first moment has come, as a hint.
    pub(super) fn is_due(&self, kernel: &impl Kernel) -> bool {
        let earliest = self.earliest();
        earliest != NEVER && earliest <= kernel.now()
    }

    /// Adds a timer at `moment`, which is not [`NEVER`]; the clock was at `seen` before.
    ///
    /// # Safety
    /// The slot is armed, has no timer, and its memory lives until `remove` has returned.
    pub(super) unsafe fn insert(&self, kernel: &impl Kernel, armed: Armed, moment: Moment, seen: Moment) {
        debug_assert_ne!(moment, NEVER);
        let key = Key::new(moment, armed.due);
        let mut inner = self.inner.lock();
        inner.wheel.advance(seen);
        // SAFETY: the caller's promise; seats are ours under the lock.
        unsafe { inner.wheel.insert(key.0, armed.node.slot) };
        // A first moment that was put off speaks for all that come after it. Under the lock the copy is exact.
        if key.moment() < self.earliest() {
            if key.moment() < inner.programmed && !mutant!("timers.earlier") {
                inner.programmed = key.moment();
                kernel.set_timer(key.moment());
            }
            self.publish(&inner);
        }
    }

    /// Takes the slot's timer out, and says what left. Afterwards nobody resolves the slot for us (I3).
    ///
    /// # Safety
    /// The slot is alive.
    pub(super) unsafe fn remove(&self, slot: NonNull<Slot>) -> Fired {
        if mutant!("timers.remove") {
            return Fired::default();
        }
        let mut inner = self.inner.lock();
        // SAFETY: the caller's promise; seats are ours under the lock.
        let Some(entry) = (unsafe { inner.wheel.remove(slot) }) else { return Fired::default() };
        self.publish(&inner);
        match Key(entry.key).due() {
            Due::Fire => Fired::REMOVED,
            Due::TimeOut => Fired::REMOVED_DEADLINE,
        }
    }

    /// Resolves what is due, a bounded number of timers; the rest rings again at once, or is put off if the caller may do
    /// that. `rang` says that the kernel's timer was reported.
    pub(super) fn fire(
        &self,
        kernel: &impl Kernel,
        rang: bool,
        looks_again: bool,
        owed: &mut OwedList,
    ) -> Fired {
        let now = kernel.now();
        let (mut fired, mut moves) = (Fired::default(), TIMERS_MOVED_MAX);
        let mut due: SmallVec<[Entry; TIMERS_FIRED_MAX]> = SmallVec::new();
        let mut inner = self.inner.lock();
        while due.len() < TIMERS_FIRED_MAX {
            let Some(entry) = inner.wheel.pop_through(Key::last_due(now), &mut moves) else { break };
            prefetch(entry.slot.as_ptr());
            due.push(entry);
        }
        for entry in due {
            let due = Key(entry.key).due();
            // SAFETY: it was in the wheel, so its memory is alive until its frame has our lock (I3).
            fired.add(gather(unsafe { due.resolve(entry.slot) }, owed));
            fired.deadlines += usize::from(due == Due::TimeOut);
        }
        if rang || inner.programmed <= now {
            let first = inner.first();
            let next = match looks_again && fired.counted > 0 && first != NEVER {
                true => first.max(now.saturating_add(RING_LATE_NS)),
                false => first,
            };
            inner.programmed = next;
            // A ring that was reported needs no taking back; one that was not does.
            if (next != NEVER || !rang) && !mutant!("timers.next") {
                kernel.set_timer(next);
            }
        }
        self.publish(&inner);
        fired
    }

    /// Tells the kernel of the first moment if that was put off: the caller does not look again.
    pub(super) fn make_up(&self, kernel: &impl Kernel) {
        if self.is_put_off.load(Relaxed) && !mutant!("timers.make_up") {
            let mut inner = self.inner.lock();
            let first = inner.first();
            if first < inner.programmed {
                inner.programmed = first;
                kernel.set_timer(first);
            }
            self.publish(&inner);
        }
    }

    fn publish(&self, inner: &Inner) {
        let first = inner.first();
        if self.earliest.load(Relaxed) != first {
            self.earliest.store(first, Relaxed);
        }
        let is_put_off = first < inner.programmed;
        if self.is_put_off.load(Relaxed) != is_put_off {
            self.is_put_off.store(is_put_off, Relaxed);
        }
    }
}

#[cfg(all(test, not(raddle_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_early_and_orders_by_moment() {
        for moment in [0, 1, 2, 3, 1 << 40, NEVER - 2, NEVER - 1] {
            for due in [Due::Fire, Due::TimeOut] {
                let key = Key::new(moment, due);
                assert!(
                    key.moment() >= moment.min(NEVER - 1) && key.moment() - moment.min(key.moment()) <= 1
                );
                assert_eq!(key.due(), due);
                assert!(key.0 <= Key::last_due(key.moment()));
                assert!(key.moment() == 0 || key.0 > Key::last_due(key.moment() - 2));
            }
        }
    }
}
