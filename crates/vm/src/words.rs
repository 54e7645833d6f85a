//! Reading a value by words.
//!
//! What a round trip through the host carries is written as words moments before it is moved. A compiler moves two words at
//! once where it can, and such a read waits until both have left the store buffer: 4 ns on an Intel processor, each time.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;

#[derive(Clone, Copy)]
#[repr(transparent)]
struct Words<const WORDS: usize>([MaybeUninit<u64>; WORDS]);

/// As `std::ptr::read`, word by word.
///
/// # Safety
/// As there.
#[inline(always)]
pub(crate) unsafe fn read<const WORDS: usize, T>(from: *const T) -> T {
    const { assert!(size_of::<T>() == 8 * WORDS && align_of::<T>() == 8) };
    let from = from.cast::<MaybeUninit<u64>>();
    // SAFETY: the caller's word; volatile, so that the compiler makes no wider reads of it.
    let words =
        Words::<WORDS>(std::array::from_fn(|word| unsafe { from.wrapping_add(word).read_volatile() }));
    // SAFETY: all words of a value.
    unsafe { std::mem::transmute_copy::<Words<WORDS>, T>(&words) }
}
