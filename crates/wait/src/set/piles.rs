//! Slots by key in piles: without an order within a pile, so that none of it costs a search; each can be taken out.
//!
//! Not here: which keys go to which pile (`wheel.rs`), and the lock.
//!
//! A pile is a list of chunks of a few entries, of which only the first may be less than full: its entries lie side by
//! side, a pile of one takes one chunk, and chunks go from pile to pile.
//!
//! # Invariants
//! - I1: while a slot is in a pile its seat holds its chunk and its place in it, and [`PILED`].
//!   [tests: every_removal_from_every_pile_leaves_the_rest]
//! - I2: the `least` of a pile's first chunk is at most each of its keys; it is one of them unless that one was removed.
//!   [tests: every_removal_from_every_pile_leaves_the_rest]
//! - I3: a chunk is in one pile, or free. (by construction: `grow` and `shrink` move it)

#![allow(unsafe_code)]

use crate::heap::{Entry, Seat, set_seat};
use crate::slot::Slot;
use crate::tuning::{PILED, SEAT_NONE};
use raddle_sync::prefetch;
use std::marker::PhantomData;
use std::ptr::NonNull;

/// Entries of a chunk: two lines of the cache with what else is in it. Unit: entries.
const CHUNK_ENTRIES: usize = 7;
/// Seats that a chunk is given: a power of two. Unit: seats.
const CHUNK_SEATS: u32 = CHUNK_ENTRIES.next_power_of_two() as u32;
const CHUNKS_MAX: usize = ((SEAT_NONE - PILED) / CHUNK_SEATS) as usize;
/// Chunks that are made at once: a page of memory. Unit: chunks.
const PAGE_CHUNKS: usize = 32;
/// What stands for no chunk.
const NONE: u32 = u32::MAX;

/// See the head of this file.
pub(super) struct Piles<S> {
    /// The first chunk of each pile.
    first: Box<[u32]>,
    /// All chunks, a page at a time: growing moves none of them.
    pages: Vec<Box<[Chunk; PAGE_CHUNKS]>>,
    /// The first free chunk.
    free: u32,
    seat: PhantomData<fn() -> S>,
}

#[derive(Clone)]
#[repr(align(64))]
struct Chunk {
    entries: [Entry; CHUNK_ENTRIES],
    /// Of a pile's first chunk: at most each key in the pile (I2).
    least: u64,
    /// The next chunk of the pile, or the next free one.
    next: u32,
    pile: u16,
    count: u16,
}

const _: () = assert!(size_of::<Chunk>() == 128);

// SAFETY: slots are Send and Sync; seats are only touched by whoever may use the piles mutably.
unsafe impl<S> Send for Piles<S> {}

impl<S: Seat> Piles<S> {
    /// So many empty piles, with room for a page of slots.
    pub(super) fn new(piles: usize) -> Piles<S> {
        assert!(piles <= usize::from(u16::MAX));
        let mut piles =
            Piles { first: vec![NONE; piles].into(), pages: Vec::new(), free: NONE, seat: PhantomData };
        piles.make();
        piles
    }

    /// Puts a slot on a pile.
    ///
    /// # Panics
    /// With 2^28 chunks, each of up to seven slots.
    ///
    /// # Safety
    /// The slot's seat is not in use, and its memory lives until it is out of the pile.
    pub(super) unsafe fn push(&mut self, pile: usize, entry: Entry) {
        let first = self.first[pile];
        let has_room = first != NONE && usize::from(self.chunk(first).count) < CHUNK_ENTRIES;
        let first = if has_room { first } else { self.grow(pile) };
        let chunk = self.chunk_mut(first);
        let at = chunk.count;
        chunk.entries[usize::from(at)] = entry;
        chunk.count += 1;
        chunk.least = chunk.least.min(entry.key);
        // SAFETY: the caller's promise.
        unsafe { set_seat::<S>(entry.slot, seat_of(first, at)) };
    }

    /// Takes any slot off a pile.
    pub(super) fn pop(&mut self, pile: usize) -> Option<Entry> {
        let first = self.first[pile];
        if first == NONE {
            return None;
        }
        let entry = self.take_last(first);
        // SAFETY: it was in the pile, so it is alive and its seat is ours.
        unsafe { set_seat::<S>(entry.slot, SEAT_NONE) };
        Some(entry)
    }

    /// Takes the slot with this seat off its pile, and says which that was.
    pub(super) fn remove(&mut self, seat: u32) -> (Entry, usize) {
        let (index, at) = chunk_of(seat);
        let chunk = self.chunk(index);
        let (pile, gone) = (usize::from(chunk.pile), chunk.entries[usize::from(at)]);
        // SAFETY: it was in the pile, so it is alive and its seat is ours.
        unsafe { set_seat::<S>(gone.slot, SEAT_NONE) };
        let last = self.take_last(self.first[pile]);
        if last.slot != gone.slot {
            self.chunk_mut(index).entries[usize::from(at)] = last;
            // SAFETY: as above.
            unsafe { set_seat::<S>(last.slot, seat) };
        }
        (gone, pile)
    }

    /// At most each key of a pile; one of them, unless that was removed. `None` for an empty one.
    pub(super) fn least(&self, pile: usize) -> Option<u64> {
        let first = self.first[pile];
        (first != NONE).then(|| self.chunk(first).least)
    }

    /// The last entry of a pile's first chunk, which goes if it is empty then.
    fn take_last(&mut self, first: u32) -> Entry {
        let chunk = self.chunk_mut(first);
        chunk.count -= 1;
        let last = chunk.entries[usize::from(chunk.count)];
        if chunk.count == 0 {
            self.shrink(first);
        }
        last
    }

    /// Puts an empty chunk in front of a pile.
    fn grow(&mut self, pile: usize) -> u32 {
        if self.free == NONE {
            self.make();
        }
        let (index, next) = (self.free, self.first[pile]);
        let least = if next == NONE { u64::MAX } else { self.chunk(next).least };
        let chunk = self.chunk_mut(index);
        let free = chunk.next;
        (chunk.least, chunk.next, chunk.pile) = (least, next, pile as u16);
        (self.first[pile], self.free) = (index, free);
        index
    }

    /// Takes the first chunk, which is empty, off its pile.
    fn shrink(&mut self, first: u32) {
        let Chunk { least, next, pile, .. } = *self.chunk(first);
        if next != NONE {
            let first_left = next;
            let next = self.chunk_mut(next);
            // What was taken from this chunk to fill a gap in another is its pile's still (I2).
            next.least = next.least.min(least);
            let after = next.next;
            // Whoever empties the pile is there soon, and tells each of these slots.
            self.chunk(first_left).entries.iter().for_each(|entry| prefetch(entry.slot.as_ptr()));
            if after != NONE {
                prefetch(self.chunk(after));
            }
        }
        self.first[usize::from(pile)] = next;
        self.chunk_mut(first).next = self.free;
        self.free = first;
    }

    /// Makes a page of free chunks.
    #[cold]
    fn make(&mut self) {
        let first = self.pages.len() * PAGE_CHUNKS;
        assert!(first + PAGE_CHUNKS < CHUNKS_MAX, "{first} chunks of timers");
        let nobody = Entry { key: 0, slot: NonNull::<Slot>::dangling(), tag: () };
        let free = |at: usize| Chunk {
            entries: [nobody; CHUNK_ENTRIES],
            least: u64::MAX,
            next: if at + 1 < PAGE_CHUNKS { (first + at + 1) as u32 } else { NONE },
            pile: 0,
            count: 0,
        };
        debug_assert_eq!(self.free, NONE);
        self.pages.push(Box::new(std::array::from_fn(free)));
        self.free = first as u32;
    }

    fn chunk(&self, index: u32) -> &Chunk {
        &self.pages[index as usize / PAGE_CHUNKS][index as usize % PAGE_CHUNKS]
    }

    fn chunk_mut(&mut self, index: u32) -> &mut Chunk {
        &mut self.pages[index as usize / PAGE_CHUNKS][index as usize % PAGE_CHUNKS]
    }
}

fn seat_of(chunk: u32, at: u16) -> u32 {
    PILED | (chunk * CHUNK_SEATS + u32::from(at))
}

fn chunk_of(seat: u32) -> (u32, u16) {
    let seat = seat & !PILED;
    (seat / CHUNK_SEATS, (seat % CHUNK_SEATS) as u16)
}

#[cfg(all(test, not(raddle_loom)))]
mod tests {
    use super::*;
    use crate::heap::seat;
    use crate::pool::SlotPool;
    use crate::set::timers::TimerSeat;

    fn entry(key: u64, slot: NonNull<Slot>) -> Entry {
        Entry { key, slot, tag: () }
    }

    /// The keys of a pile, in no order, after checking that every seat names its slot.
    fn keys(piles: &Piles<TimerSeat>, pile: usize) -> Vec<u64> {
        let (mut found, mut next) = (Vec::new(), piles.first[pile]);
        while next != NONE {
            let chunk = piles.chunk(next);
            assert_eq!(usize::from(chunk.pile), pile);
            assert!(
                chunk.count > 0 && (next == piles.first[pile] || usize::from(chunk.count) == CHUNK_ENTRIES)
            );
            for at in 0..chunk.count {
                let entry = chunk.entries[usize::from(at)];
                // SAFETY: the pool of the test keeps the slots.
                assert_eq!(unsafe { seat::<TimerSeat>(entry.slot) }, seat_of(next, at));
                found.push(entry.key);
            }
            next = chunk.next;
        }
        let least = found.iter().min().copied();
        assert!(piles.least(pile).is_some() == least.is_some() && piles.least(pile) <= least);
        found.sort_unstable();
        found
    }

    #[test]
    fn every_removal_from_every_pile_leaves_the_rest() {
        let pool = SlotPool::new();
        let slots: Vec<_> = (0..3 * CHUNK_ENTRIES + 2).map(|_| pool.take()).collect();
        let mut piles = Piles::<TimerSeat>::new(3);
        for count in 0..slots.len() {
            for first_gone in 0..count {
                for (at, &slot) in slots[..count].iter().enumerate() {
                    // SAFETY: the pool keeps the slots; each is in one pile.
                    unsafe { piles.push(at % 2, entry(at as u64, slot)) };
                }
                let mut left: Vec<Vec<u64>> =
                    (0..2).map(|pile| (0..count as u64).filter(|at| *at % 2 == pile).collect()).collect();
                assert_eq!(piles.least(0), Some(0), "exact, since nothing was removed");
                // From one of them on, every second is removed, whichever pile it is in.
                for gone in (first_gone..count).step_by(3) {
                    // SAFETY: the pool keeps the slots.
                    let (removed, pile) = piles.remove(unsafe { seat::<TimerSeat>(slots[gone]) });
                    assert_eq!((removed.key, pile), (gone as u64, gone % 2));
                    left[pile].retain(|key| *key != gone as u64);
                    assert_eq!([keys(&piles, 0), keys(&piles, 1)], left[..]);
                }
                for (pile, left) in left.iter().enumerate() {
                    let mut popped: Vec<_> =
                        std::iter::from_fn(|| piles.pop(pile)).map(|entry| entry.key).collect();
                    popped.sort_unstable();
                    assert_eq!((&popped, piles.least(pile)), (left, None));
                }
                // SAFETY: as above.
                assert!(slots.iter().all(|&slot| unsafe { seat::<TimerSeat>(slot) } == SEAT_NONE));
            }
        }
        assert_eq!(piles.pages.len(), 1, "chunks are used again");
    }
}
