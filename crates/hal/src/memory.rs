//! Bytes of device memory, and the only code that touches them.
//!
//! Not here: who owns them (`allocator.rs`, `buffer.rs`), and when they may be touched (fences say so).
//!
//! # Invariants
//! - I1: a [`Span`] points to `bytes` initialised bytes that its lifetime keeps allocated: a [`Block`], or what an owner
//!   outside this crate has promised to keep.
//! - I2: no Rust reference to device memory is ever made; all accesses go through raw pointers, since kernels, transfers
//!   and the host share it. Fences order accesses. A program whose operations overlap without one gets bytes of
//!   either, and spoils nobody's memory but its own.
//! - I3: a block's address is a multiple of [`MEMORY_ALIGN`], and its length too.
#![allow(unsafe_code)]

use crate::tuning::MEMORY_ALIGN;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::marker::PhantomData;
use std::ptr::NonNull;

/// Memory of its own, zeroed when it is made; see the head of this file.
pub(crate) struct Block {
    data: NonNull<u8>,
    bytes: usize,
}

// SAFETY: I2: a block is bytes, reached by address.
unsafe impl Send for Block {}
// SAFETY: I2, as above.
unsafe impl Sync for Block {}

impl Block {
    /// A block of at least so many bytes; `None` if there is no memory.
    pub(crate) fn new(bytes: usize) -> Option<Block> {
        let layout = Block::layout(bytes)?;
        // SAFETY: the layout's size is at least `MEMORY_ALIGN` (I3).
        let data = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        Some(Block { data, bytes: layout.size() })
    }

    fn layout(bytes: usize) -> Option<Layout> {
        let size = bytes.max(1).checked_next_multiple_of(MEMORY_ALIGN)?;
        Layout::from_size_align(size, MEMORY_ALIGN).ok()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn address(&self) -> NonNull<u8> {
        self.data
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let Some(layout) = Block::layout(self.bytes) {
            // SAFETY: I3: made by `new` with this layout; the owner goes.
            unsafe { dealloc(self.data.as_ptr(), layout) };
        }
    }
}

/// The address of a binding, in the form in which kernels get it; who holds it keeps the memory.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Address(pub(crate) NonNull<u8>);

// SAFETY: I2: an address may be known to any thread.
unsafe impl Send for Address {}
// SAFETY: I2, as above.
unsafe impl Sync for Address {}

/// A range of device memory that exists for `'a`.
#[derive(Clone, Copy)]
pub(crate) struct Span<'a> {
    data: NonNull<u8>,
    bytes: usize,
    _alive: PhantomData<&'a ()>,
}

impl<'a> Span<'a> {
    /// # Safety
    /// The bytes are allocated and initialised for `'a` (I1), and nobody has a Rust reference to those that
    /// are written (I2).
    pub(crate) unsafe fn new(data: NonNull<u8>, bytes: usize) -> Span<'a> {
        Span { data, bytes, _alive: PhantomData }
    }

    pub(crate) fn address(self) -> NonNull<u8> {
        self.data
    }

    pub(crate) fn bytes(self) -> usize {
        self.bytes
    }

    /// The part of it; `None` if it is not inside.
    pub(crate) fn part(self, offset: u64, bytes: u64) -> Option<Span<'a>> {
        let end = offset.checked_add(bytes)?;
        if end > self.bytes as u64 {
            return None;
        }
        // SAFETY: I1: inside the span, or one past its end.
        let data = unsafe { self.data.add(offset as usize) };
        Some(Span { data, bytes: bytes as usize, _alive: PhantomData })
    }

    /// Copies all of `source`, which is as long; they may overlap.
    pub(crate) fn copy_from(self, source: Span<'_>) {
        assert_eq!(self.bytes, source.bytes, "a copy between ranges of one length");
        // SAFETY: I1 for both; I2.
        unsafe { std::ptr::copy(source.data.as_ptr(), self.data.as_ptr(), self.bytes) };
    }

    /// Copies the bytes in, which are as many.
    pub(crate) fn write(self, bytes: &[u8]) {
        assert_eq!(self.bytes, bytes.len(), "a write of the length of its range");
        // SAFETY: I1; I2: the slice is not device memory that somebody writes.
        unsafe { std::ptr::copy(bytes.as_ptr(), self.data.as_ptr(), bytes.len()) };
    }

    /// Copies the bytes out, which are as many.
    pub(crate) fn read(self, bytes: &mut [u8]) {
        assert_eq!(self.bytes, bytes.len(), "a read of the length of its range");
        // SAFETY: I1; the slice is the caller's alone.
        unsafe { std::ptr::copy(self.data.as_ptr(), bytes.as_mut_ptr(), bytes.len()) };
    }

    /// Repeats a pattern of 1, 2 or 4 bytes, of whose length this one's is a multiple.
    pub(crate) fn fill(self, pattern: [u8; 4], pattern_bytes: usize) {
        assert!(matches!(pattern_bytes, 1 | 2 | 4) && self.bytes.is_multiple_of(pattern_bytes));
        let pattern = &pattern[..pattern_bytes];
        if pattern.iter().all(|byte| *byte == pattern[0]) {
            // SAFETY: I1, I2.
            unsafe { std::ptr::write_bytes(self.data.as_ptr(), pattern[0], self.bytes) };
            return;
        }
        for at in (0..self.bytes).step_by(pattern_bytes) {
            // SAFETY: I1: the length is a multiple of the pattern's.
            let place = unsafe { self.data.add(at) };
            // SAFETY: I1, I2; the pattern is our own array.
            unsafe { std::ptr::copy_nonoverlapping(pattern.as_ptr(), place.as_ptr(), pattern_bytes) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_bounded_and_move_bytes() {
        let block = Block::new(100).unwrap();
        assert!(block.bytes() == 128 && block.address().addr().get().is_multiple_of(MEMORY_ALIGN));
        // SAFETY: I1: the block is as long, and lives.
        let span = unsafe { Span::new(block.address(), block.bytes()) };
        assert!(span.part(120, 9).is_none() && span.part(u64::MAX, 2).is_none());
        span.part(0, 8).unwrap().fill([1, 2, 0, 0], 2);
        span.part(2, 6).unwrap().copy_from(span.part(1, 6).unwrap());
        let mut bytes = [0; 10];
        span.part(0, 10).unwrap().read(&mut bytes);
        assert_eq!(bytes, [1, 2, 2, 1, 2, 1, 2, 1, 0, 0]);
    }
}
