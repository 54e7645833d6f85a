//! Slots by key, for keys that come due in their order: a heap of the near ones, and a wheel of piles for the rest.
//!
//! A heap of a million slots costs a miss of the cache for each level that a slot moves, and each move is told to a slot
//! that lies somewhere else. A pile costs nothing until it is near: then its slots move on, to nearer piles or to
//! the heap, which stays so small that it is in the cache. (G. Varghese, T. Lauck: Hashed and Hierarchical Timing Wheels.
//! Theirs rounds moments to ticks; here the heap keeps them exact.)
//!
//! Not here: what a pile is (`piles.rs`), what the keys mean (`timers.rs`), and the lock.
//!
//! # State
//! ```text
//!  key   ┌ digit 5 ┬ … ┬ digit 1 ┬ digit 0 ┬ near bits ┐      tick = key without its near bits
//!  base  the tick up to which everything is in the heap
//! ```
//! | a slot whose tick | is in |
//! |---|---|
//! | is at most `base` | the heap |
//! | differs from `base` first in digit l, where it has d | pile d of level l |
//!
//! Piles are numbered by level, then digit: the order in which they come due. `falling` is the pile that `base` has
//! entered, while its slots move on.
//!
//! # Invariants
//! - I1: everything is where the table says, but for the slots of the pile that is falling; nothing is put on that.
//!   [tests: everything_comes_out_in_order]
//! - I2: `base` grows, and stays before the first tick of every pile that is not falling; so the piles keep their slots.
//!   [tests: everything_comes_out_in_order]
//! - I3: nothing is taken from the heap while a pile is falling: its keys may be smaller.
//!   (by construction: `pop_through`)
//! - I4: a bit of `occupied` is set while its pile is not empty. [tests: everything_comes_out_in_order]
//!
//! # Sources
//! Varghese and Lauck, SOSP 1987.

#![allow(unsafe_code)]

use super::piles::Piles;
use crate::heap::{Entry, Heap, Seat, seat};
use crate::slot::Slot;
use crate::tuning::{NEAR_BITS, PILED, SEAT_NONE, TIMERS_ROOM};
use std::ptr::NonNull;

const DIGIT_BITS: u32 = 8;
const DIGITS: usize = 1 << DIGIT_BITS;
const LEVELS: usize = (u64::BITS - NEAR_BITS).div_ceil(DIGIT_BITS) as usize;
const PILES: usize = LEVELS * DIGITS;
const WORDS: usize = PILES / 64;

/// See the head of this file.
pub(super) struct Wheel<S> {
    heap: Heap<S>,
    piles: Piles<S>,
    occupied: [u64; WORDS],
    base: u64,
    falling: Option<usize>,
}

impl<S: Seat> Wheel<S> {
    pub(super) fn new() -> Wheel<S> {
        Wheel {
            heap: Heap::with_capacity(TIMERS_ROOM),
            piles: Piles::new(PILES),
            occupied: [0; WORDS],
            base: 0,
            falling: None,
        }
    }

    /// Moves the wheel on to where the clock was seen: what is put in from now on has a nearer place. Cost: O(1).
    #[inline]
    pub(super) fn advance(&mut self, now: u64) {
        if tick(now) > self.base && self.falling.is_none() {
            // Not into a pile: that takes time.
            let until = self.first_pile().map_or(u64::MAX, |pile| self.start(pile) - 1);
            self.base = self.base.max(tick(now).min(until));
        }
    }

    /// Puts a slot in. Cost: O(1) if it is not near.
    ///
    /// # Safety
    /// The slot's seat is not in use, and its memory lives until it is out of the wheel.
    pub(super) unsafe fn insert(&mut self, key: u64, slot: NonNull<Slot>) {
        match self.pile_of(tick(key)) {
            // SAFETY: the caller's promise.
            None => unsafe { self.heap.insert(key, slot, ()) },
            Some(pile) => {
                debug_assert_ne!(Some(pile), self.falling, "I1");
                self.occupied[pile / 64] |= 1 << (pile % 64);
                // SAFETY: the caller's promise.
                unsafe { self.piles.push(pile, Entry { key, slot, tag: () }) };
            }
        }
    }

    /// Takes a slot out; `None` if it is not in here. Cost: O(1) if it is not near.
    ///
    /// # Safety
    /// The slot is alive, and nobody else uses this seat of it.
    pub(super) unsafe fn remove(&mut self, slot: NonNull<Slot>) -> Option<Entry> {
        // SAFETY: the caller's promise.
        let seat = unsafe { seat::<S>(slot) };
        if seat == SEAT_NONE || seat & PILED == 0 {
            // SAFETY: the caller's promise.
            return unsafe { self.heap.remove(slot) };
        }
        let (entry, pile) = self.piles.remove(seat);
        debug_assert_eq!(entry.slot, slot, "a seat that names another slot");
        self.note_rest(pile);
        Some(entry)
    }

    /// The smallest key, or a smaller one: after a removal, or while a pile is falling, it is not known better.
    pub(super) fn first(&self) -> Option<u64> {
        if self.falling.is_some() {
            return Some(self.base << NEAR_BITS);
        }
        let near = self.heap.first().map(|entry| entry.key);
        near.or_else(|| self.piles.least(self.first_pile()?))
    }

    /// Takes the slot with the smallest key out if that is at most `limit`. Slots that move on are counted down from `moves`;
    /// when none are left it returns `None`, and `first` is due.
    pub(super) fn pop_through(&mut self, limit: u64, moves: &mut usize) -> Option<Entry> {
        loop {
            if self.falling.is_none() {
                let near = self.heap.pop_through(limit);
                if near.is_some() || self.heap.first().is_some() {
                    return near;
                }
            }
            if !self.fall(limit, moves) {
                return None;
            }
        }
    }

    /// Empties the first pile if it is due to move on; `false` if it is not, or not done yet.
    fn fall(&mut self, limit: u64, moves: &mut usize) -> bool {
        let pile = match (self.falling, self.first_pile()) {
            (Some(pile), _) => pile,
            (None, Some(pile)) if self.start(pile) <= tick(limit) => {
                self.base = self.start(pile);
                self.falling = Some(pile);
                pile
            }
            _ => return false,
        };
        while *moves > 0 {
            *moves -= 1;
            let entry = self.piles.pop(pile).expect("a pile that is falling is not empty");
            self.note_rest(pile);
            // SAFETY: it was in a pile, so it is alive, and now it is in none.
            unsafe { self.insert(entry.key, entry.slot) };
            if self.falling.is_none() {
                return true;
            }
        }
        false
    }

    /// Something left a pile (I4).
    fn note_rest(&mut self, pile: usize) {
        if self.piles.least(pile).is_none() {
            self.occupied[pile / 64] &= !(1 << (pile % 64));
            if self.falling == Some(pile) {
                self.falling = None;
            }
        }
    }

    /// The pile of a tick; `None` for the heap.
    fn pile_of(&self, tick: u64) -> Option<usize> {
        if tick <= self.base {
            return None;
        }
        let level = (tick ^ self.base).ilog2() / DIGIT_BITS;
        let digit = (tick >> (level * DIGIT_BITS)) as usize % DIGITS;
        Some(level as usize * DIGITS + digit)
    }

    /// The first tick of a pile that is in front of `base`.
    fn start(&self, pile: usize) -> u64 {
        let (level, digit) = ((pile / DIGITS) as u32, (pile % DIGITS) as u64);
        let shift = level * DIGIT_BITS;
        // Level by level, since the last shift may be all of the word.
        ((self.base >> shift >> DIGIT_BITS) << DIGIT_BITS | digit) << shift
    }

    /// The first pile that is not empty.
    fn first_pile(&self) -> Option<usize> {
        let word = self.occupied.iter().position(|word| *word != 0)?;
        Some(word * 64 + self.occupied[word].trailing_zeros() as usize)
    }
}

fn tick(key: u64) -> u64 {
    key >> NEAR_BITS
}

#[cfg(all(test, not(raddle_loom)))]
mod tests {
    use super::*;
    use crate::pool::SlotPool;
    use crate::set::timers::TimerSeat;
    use std::collections::BTreeSet;

    /// A wheel and what should be in it.
    struct Twins {
        pool: SlotPool,
        wheel: Wheel<TimerSeat>,
        expected: BTreeSet<(u64, NonNull<Slot>)>,
        seed: u64,
    }

    impl Twins {
        fn new(seed: u64) -> Twins {
            Twins { pool: SlotPool::new(), wheel: Wheel::new(), expected: BTreeSet::new(), seed }
        }

        fn random(&mut self) -> u64 {
            self.seed ^= self.seed << 13;
            self.seed ^= self.seed >> 7;
            self.seed ^= self.seed << 17;
            self.seed
        }

        fn insert(&mut self, key: u64, now: u64) {
            let slot = self.pool.take();
            self.wheel.advance(now);
            // SAFETY: the pool keeps the slots; each is put in once.
            unsafe { self.wheel.insert(key, slot) };
            self.expected.insert((key, slot));
            self.check();
        }

        /// Removes the slot that comes at or after this key.
        fn remove_from(&mut self, key: u64) {
            let Some(&(key, slot)) = self.expected.range((key, NonNull::dangling())..).next() else { return };
            self.expected.remove(&(key, slot));
            // SAFETY: the pool keeps the slots.
            assert_eq!(unsafe { self.wheel.remove(slot) }.map(|entry| entry.key), Some(key));
            // SAFETY: as above.
            assert_eq!(unsafe { self.wheel.remove(slot) }, None);
            self.check();
        }

        /// Takes everything out that is due, so many moves a time.
        fn pass(&mut self, now: u64, moves_each: usize) {
            loop {
                let mut moves = moves_each;
                while let Some(entry) = self.wheel.pop_through(now, &mut moves) {
                    assert!(entry.key <= now);
                    assert!(self.expected.remove(&(entry.key, entry.slot)), "it was not in there");
                    assert!(self.expected.first().is_none_or(|(next, _)| *next >= entry.key), "out of order");
                    self.check();
                }
                if moves > 0 {
                    break;
                }
                self.check();
            }
            assert!(self.expected.first().is_none_or(|(next, _)| *next > now), "something due was left");
        }

        fn check(&self) {
            let (wheel, first) = (&self.wheel, self.wheel.first());
            assert_eq!(first.is_some(), !self.expected.is_empty());
            assert!(first <= self.expected.first().map(|(key, _)| *key));
            for pile in 0..PILES {
                let bit = wheel.occupied[pile / 64] >> (pile % 64) & 1;
                assert_eq!(bit == 1, wheel.piles.least(pile).is_some(), "I4");
                assert!(bit == 0 || wheel.falling == Some(pile) || wheel.base < wheel.start(pile), "I2");
            }
        }
    }

    #[test]
    fn everything_comes_out_in_order() {
        for seed in 1..=40u64 {
            let mut twins = Twins::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let mut now = twins.random() >> (seed % 8 * 8);
            for _ in 0..400 {
                let (choice, span) = (twins.random() % 8, twins.random() % 64);
                let ahead = twins.random() >> span;
                match choice {
                    0..4 => twins.insert(now.saturating_add(ahead), now),
                    // Late, and at the last moment of all.
                    4 => twins.insert(if span == 0 { u64::MAX } else { now.saturating_sub(ahead) }, now),
                    5 => twins.remove_from(now.saturating_add(ahead)),
                    6 => twins.remove_from(0),
                    _ => {
                        now = now.saturating_add(ahead >> 8);
                        twins.pass(now, [1, 2, 5, 1_000][span as usize % 4]);
                    }
                }
            }
            twins.pass(u64::MAX, 3);
            assert!(twins.expected.is_empty());
        }
    }

    #[test]
    fn moments_that_are_equal_and_many_come_out_a_few_moves_a_time() {
        let mut twins = Twins::new(1);
        let moment = 5 << 40;
        for _ in 0..1_000 {
            twins.insert(moment, 1);
        }
        let mut rounds = 0;
        while !twins.expected.is_empty() {
            let mut moves = 100;
            while let Some(entry) = twins.wheel.pop_through(moment, &mut moves) {
                assert_eq!(entry.key, moment);
                assert!(twins.expected.remove(&(entry.key, entry.slot)));
            }
            assert!(twins.wheel.first().is_none_or(|first| first <= moment), "it is to be looked at again");
            rounds += 1;
        }
        assert!((10..100).contains(&rounds), "{rounds} rounds of 100 moves");
    }

    #[test]
    fn a_lone_key_is_known_exactly_wherever_it_is() {
        for bits in 0..64 {
            let mut twins = Twins::new(1);
            let key = 1 << bits | 1;
            twins.insert(key, 0);
            assert_eq!(twins.wheel.first(), Some(key));
            twins.pass(key - 1, 100);
            assert_eq!(twins.wheel.first(), Some(key));
            twins.remove_from(0);
            assert_eq!(twins.wheel.first(), None);
        }
    }

    #[test]
    fn far_keys_lie_near_again_after_a_pause() {
        let mut twins = Twins::new(1);
        let (hour, second) = (3_600_000_000_000, 1_000_000_000);
        twins.insert(2 * hour, 0);
        for key in 0..100 {
            twins.insert(hour + second / 100 * key, hour);
        }
        assert_eq!(twins.wheel.base, tick(hour), "the wheel stands where the clock is");
        twins.pass(hour + second, 1_000);
        assert_eq!((twins.expected.len(), twins.wheel.first()), (1, Some(2 * hour)));
        // The clock jumps over the last one, as after a suspension.
        twins.pass(9 * hour, 1_000);
        assert!(twins.expected.is_empty());
    }
}
