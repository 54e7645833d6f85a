//! A heap of slots by key, each of which knows its own position, so that any of them can be taken out.
//!
//! Not here: what the keys mean (values of a semaphore, moments of the timers), and the lock: a heap is used under the
//! lock of whoever owns it.
//!
//! A node has many children (`HEAP_ARITY`): few levels mean few cache misses on the way down. An entry takes 16 bytes.
//!
//! # Invariants
//! - I1: a slot's seat holds its index among the entries while the slot is in the heap, and [`SEAT_NONE`] otherwise.
//!   [tests: every_removal_from_every_shape_keeps_the_order]
//! - I2: no entry is smaller than the one above it.
//!   [tests: every_removal_from_every_shape_keeps_the_order, pop_stops_at_the_limit]

#![allow(unsafe_code)]

use crate::slot::Slot;
use crate::tuning::{HEAP_ARITY, PILED, SEAT_NONE};
use raddle_sync::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ptr::NonNull;

/// Where in a slot its position in one kind of heap is kept.
pub(crate) trait Seat {
    /// The cell; guarded by the lock of the heap that the slot is in.
    fn of(slot: &Slot) -> &UnsafeCell<u32>;
}

/// Slots by key, the smallest first. `T` travels with each.
pub(crate) struct Heap<S, T = ()> {
    entries: Vec<Entry<T>>,
    seat: PhantomData<fn() -> S>,
}

/// One slot in the heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<T = ()> {
    pub(crate) key: u64,
    pub(crate) slot: NonNull<Slot>,
    pub(crate) tag: T,
}

const _: () = assert!(size_of::<Entry>() == 16);

// SAFETY: slots are Send and Sync; seats are only touched by whoever may use the heap mutably.
unsafe impl<S, T: Send> Send for Heap<S, T> {}

impl<S, T> Default for Heap<S, T> {
    fn default() -> Heap<S, T> {
        Heap { entries: Vec::new(), seat: PhantomData }
    }
}

impl<S: Seat, T: Copy> Heap<S, T> {
    /// An empty heap with room for so many slots.
    #[cfg_attr(not(feature = "set"), allow(dead_code))]
    pub(crate) fn with_capacity(slots: usize) -> Heap<S, T> {
        Heap { entries: Vec::with_capacity(slots), seat: PhantomData }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The entry with the smallest key.
    pub(crate) fn first(&self) -> Option<Entry<T>> {
        self.entries.first().copied()
    }

    /// Puts a slot in. Cost: O(log n).
    ///
    /// # Panics
    /// With 2^31 slots.
    ///
    /// # Safety
    /// The slot's seat is not in use, and its memory lives until it is out of the heap.
    pub(crate) unsafe fn insert(&mut self, key: u64, slot: NonNull<Slot>, tag: T) {
        let index = self.entries.len();
        assert!(index < PILED as usize, "a heap of {index} slots");
        // SAFETY: the caller's promise.
        let before = unsafe { seat::<S>(slot) };
        debug_assert_eq!(before, SEAT_NONE, "a slot that is in a heap already");
        let entry = Entry { key, slot, tag };
        self.entries.push(entry);
        self.rise(index, entry);
    }

    /// Takes a slot out; `None` if it is not in the heap. Cost: O(log n).
    ///
    /// # Safety
    /// The slot is alive, and no other heap uses this seat of it.
    pub(crate) unsafe fn remove(&mut self, slot: NonNull<Slot>) -> Option<Entry<T>> {
        // SAFETY: the caller's promise.
        let index = unsafe { seat::<S>(slot) };
        if index == SEAT_NONE {
            return None;
        }
        debug_assert_eq!(self.entries[index as usize].slot, slot, "a seat that names another slot");
        Some(self.take(index as usize))
    }

    /// Takes the slot with the smallest key out if that is at most `limit`. Cost: O(log n).
    pub(crate) fn pop_through(&mut self, limit: u64) -> Option<Entry<T>> {
        match self.first() {
            Some(first) if first.key <= limit => Some(self.take(0)),
            _ => None,
        }
    }

    /// Takes the entry at `index` out and fills its place with the last.
    fn take(&mut self, index: usize) -> Entry<T> {
        let gone = self.entries.swap_remove(index);
        // SAFETY: it was in the heap, so it is alive and its seat is ours.
        unsafe { set_seat::<S>(gone.slot, SEAT_NONE) };
        if let Some(&moved) = self.entries.get(index) {
            match index > 0 && moved.key < self.entries[above(index)].key {
                true => self.rise(index, moved),
                false => self.sink(index, moved),
            }
        }
        gone
    }

    /// Seats `entry` at `index` or above it, moving larger ones down (I2).
    fn rise(&mut self, mut index: usize, entry: Entry<T>) {
        while index > 0 {
            let upper = self.entries[above(index)];
            if upper.key <= entry.key {
                break;
            }
            self.put(index, upper);
            index = above(index);
        }
        self.put(index, entry);
    }

    /// Seats `entry` at `index` or below it, moving smaller ones up (I2).
    fn sink(&mut self, mut index: usize, entry: Entry<T>) {
        loop {
            let from = index * HEAP_ARITY + 1;
            let until = (from + HEAP_ARITY).min(self.entries.len());
            let least = (from..until).min_by_key(|&child| self.entries[child].key);
            match least {
                Some(child) if self.entries[child].key < entry.key => {
                    self.put(index, self.entries[child]);
                    index = child;
                }
                _ => break,
            }
        }
        self.put(index, entry);
    }

    fn put(&mut self, index: usize, entry: Entry<T>) {
        self.entries[index] = entry;
        // SAFETY: it is in the heap, so it is alive and its seat is ours (I1).
        unsafe { set_seat::<S>(entry.slot, index as u32) };
    }
}

fn above(index: usize) -> usize {
    (index - 1) / HEAP_ARITY
}

/// # Safety
/// The slot is alive, and the caller has the lock that guards its seat.
pub(crate) unsafe fn seat<S: Seat>(slot: NonNull<Slot>) -> u32 {
    // SAFETY: the caller's promise.
    let slot = unsafe { slot.as_ref() };
    S::of(slot).with(|seat| {
        // SAFETY: the caller's promise.
        unsafe { *seat }
    })
}

/// # Safety
/// As for `seat`.
pub(crate) unsafe fn set_seat<S: Seat>(slot: NonNull<Slot>, index: u32) {
    // SAFETY: the caller's promise.
    let slot = unsafe { slot.as_ref() };
    S::of(slot).with_mut(|seat| {
        // SAFETY: the caller's promise.
        unsafe { *seat = index }
    });
}

#[cfg(all(test, not(raddle_loom)))]
mod tests {
    use super::*;
    use crate::pool::SlotPool;

    struct TimerSeat;
    impl Seat for TimerSeat {
        fn of(slot: &Slot) -> &UnsafeCell<u32> {
            &slot.timer
        }
    }

    /// The keys of the heap in the order in which they come out, after checking both invariants.
    fn drain(heap: &mut Heap<TimerSeat>) -> Vec<u64> {
        check(heap);
        std::iter::from_fn(|| heap.pop_through(u64::MAX)).map(|entry| entry.key).collect()
    }

    fn check(heap: &Heap<TimerSeat>) {
        for (index, entry) in heap.entries.iter().enumerate() {
            // SAFETY: the pool of the test keeps the slots.
            assert_eq!(unsafe { seat::<TimerSeat>(entry.slot) }, index as u32);
            assert!(index == 0 || heap.entries[above(index)].key <= entry.key);
        }
    }

    #[test]
    fn every_removal_from_every_shape_keeps_the_order() {
        let pool = SlotPool::new();
        let slots: Vec<_> = (0..22).map(|_| pool.take()).collect();
        for count in 0..slots.len() {
            for stride in [1, 3, 7, 11] {
                for gone in 0..count {
                    let mut heap = Heap::default();
                    let key = |at: usize| (at * stride % 13) as u64;
                    for (at, &slot) in slots[..count].iter().enumerate() {
                        // SAFETY: the pool keeps the slots; each is in this heap alone.
                        unsafe { heap.insert(key(at), slot, ()) };
                    }
                    // SAFETY: as above.
                    let removed = unsafe { heap.remove(slots[gone]) };
                    assert_eq!(removed.map(|entry| entry.key), Some(key(gone)));
                    // SAFETY: as above.
                    assert_eq!(unsafe { heap.remove(slots[gone]) }, None);
                    let mut rest: Vec<_> = (0..count).filter(|&at| at != gone).map(key).collect();
                    rest.sort_unstable();
                    assert_eq!(drain(&mut heap), rest, "{count} slots, stride {stride}, without {gone}");
                    assert_eq!(heap.len(), 0);
                }
            }
        }
    }

    #[test]
    fn pop_stops_at_the_limit() {
        let pool = SlotPool::new();
        let mut heap = Heap::<TimerSeat>::default();
        for key in [5, 1, u64::MAX, 3] {
            // SAFETY: the pool keeps the slots.
            unsafe { heap.insert(key, pool.take(), ()) };
        }
        let due: Vec<_> = std::iter::from_fn(|| heap.pop_through(4)).map(|entry| entry.key).collect();
        assert_eq!(due, [1, 3]);
        assert_eq!((heap.len(), heap.first().map(|entry| entry.key)), (2, Some(5)));
        assert_eq!(drain(&mut heap), [5, u64::MAX]);
    }
}
