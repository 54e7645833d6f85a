//! `vm.buffer`: a range of bytes, constant or changeable.
//!
//! Not here: where constants come from (the module's rodata), and how much work one call may do (the engine cuts
//! bulk operations into pieces).
//!
//! # Invariants
//! - I1: `data..data+len` is allocated and initialised as long as the buffer lives: by `Owner::Heap`, by the shared
//!   owner, which hands out the same bytes for ever, or by a lender's promise. `Making` is the exception: it keeps its
//!   buffer to itself until all bytes are initialised, and touches only those that are.
//! - I2: constant bytes are never written; they are borrowed from the owner as a shared slice.
//! - I3: changeable bytes are read and written with relaxed atomic accesses only, so that two programs
//!   that were given one buffer can spoil each other's data but never race; `Quiet` is the exception: its
//!   holder is the only one who can reach the bytes (one ref to bytes that are not lent, or constant).
//! - I4: the address of an element is a multiple of its width, or the access goes byte by byte.
//!
//! # Orderings
//! All Relaxed: a buffer passes bytes, not messages; whoever hands a buffer over orders what was written.
#![allow(unsafe_code)]

use crate::object::{Object, Ref};
use crate::quota::{Charge, Quota};
use raddle_status::{Code, Error, Result};
use raddle_sync::memory::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Relaxed};
use std::alloc::{Layout, alloc, alloc_zeroed, dealloc};
use std::any::Any;
use std::ptr::NonNull;
use std::sync::Arc;

/// The alignment of a buffer that asks for none, in bytes.
pub const ALIGNMENT_DEFAULT: u32 = 16;

/// A range of bytes that programs share by reference.
pub struct Buffer {
    data: NonNull<u8>,
    bytes: usize,
    mutable: bool,
    owner: Owner,
    _charge: Charge,
}

enum Owner {
    Heap(Layout),
    Shared { _bytes: Arc<dyn AsRef<[u8]> + Send + Sync> },
    Lender { keeper: Box<dyn Any + Send + Sync> },
}

// SAFETY: I1 to I3: the bytes live as long as the buffer, and no two accesses of them race.
unsafe impl Send for Buffer {}
// SAFETY: as above.
unsafe impl Sync for Buffer {}

impl Object for Buffer {
    const NAME: &'static str = "vm.buffer";
    const SHAREABLE: bool = false;
}

/// Says that nobody else can reach this buffer while it is used (I3), or that it is constant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quiet(bool);

impl Quiet {
    /// Whether `reference` is the only way to the buffer that it holds: it is unique, and borrowed by the caller alone.
    pub(crate) fn of(reference: &mut Ref) -> Quiet {
        let Some(buffer) = reference.get::<Buffer>() else { return Quiet::SHARED };
        let (constant, lent) = (!buffer.mutable, matches!(buffer.owner, Owner::Lender { .. }));
        Quiet(constant || (!lent && reference.is_unique()))
    }

    /// Both are quiet.
    pub(crate) fn and(self, other: Quiet) -> Quiet {
        Quiet(self.0 && other.0)
    }

    /// Nothing is known.
    pub(crate) const SHARED: Quiet = Quiet(false);
}

impl Buffer {
    /// A changeable buffer of zeros. An alignment of 0 means [`ALIGNMENT_DEFAULT`].
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`: the alignment is no power of two. `RESOURCE_EXHAUSTED`: the size is impossible, memory is short,
    /// or the quota is used up.
    pub fn zeroed(bytes: u64, alignment: u32, quota: Option<&Arc<Quota>>) -> Result<Buffer> {
        Buffer::allocated(bytes, alignment, quota, alloc_zeroed)
    }

    /// A buffer of bytes that `allocate` gives, which is called with a layout of at least one byte.
    fn allocated(
        bytes: u64,
        alignment: u32,
        quota: Option<&Arc<Quota>>,
        allocate: unsafe fn(Layout) -> *mut u8,
    ) -> Result<Buffer> {
        let alignment = if alignment == 0 { ALIGNMENT_DEFAULT } else { alignment };
        if !alignment.is_power_of_two() {
            return Err(Error::new(
                Code::InvalidArgument,
                format!("alignment {alignment} is no power of two"),
            ));
        }
        let exhausted =
            || Error::new(Code::ResourceExhausted, format!("no memory for a buffer of {bytes} bytes"));
        let size = usize::try_from(bytes).map_err(|_| exhausted())?;
        let align = (alignment as usize).max(ALIGNMENT_DEFAULT as usize);
        let layout = Layout::from_size_align(size.max(1), align).map_err(|_| exhausted())?;
        let charge = Charge::new(quota, bytes.saturating_add(align as u64 - 1))?;
        // SAFETY: the layout's size is at least 1.
        let data = NonNull::new(unsafe { allocate(layout) }).ok_or_else(exhausted)?;
        Ok(Buffer { data, bytes: size, mutable: true, owner: Owner::Heap(layout), _charge: charge })
    }

    /// A changeable buffer with a copy of `bytes`.
    ///
    /// # Errors
    /// `RESOURCE_EXHAUSTED`: memory is short.
    pub fn copied(bytes: &[u8]) -> Result<Buffer> {
        let buffer = Buffer::zeroed(bytes.len() as u64, 0, None)?;
        buffer.write(0, bytes)?;
        Ok(buffer)
    }

    /// A constant buffer over bytes that somebody owns; nothing is copied.
    pub fn constant(owner: Arc<dyn AsRef<[u8]> + Send + Sync>) -> Buffer {
        let slice: &[u8] = (*owner).as_ref();
        let (data, bytes) = (NonNull::from(slice).cast(), slice.len());
        Buffer {
            data,
            bytes,
            mutable: false,
            owner: Owner::Shared { _bytes: owner },
            _charge: Charge::default(),
        }
    }

    /// A buffer over memory that `keeper` keeps, changeable if `mutable`; nothing is copied.
    ///
    /// # Safety
    /// `data..data + bytes` stays allocated, initialised and in place as long as `keeper` lives, and no Rust reference leads to
    /// it meanwhile. If `mutable`, whoever else accesses it while a program may do so has agreed with the program on that.
    /// If not, nobody writes it.
    pub unsafe fn lent(
        data: NonNull<u8>,
        bytes: usize,
        mutable: bool,
        keeper: Box<dyn Any + Send + Sync>,
    ) -> Buffer {
        Buffer { data, bytes, mutable, owner: Owner::Lender { keeper }, _charge: Charge::default() }
    }

    /// Lends other memory in the place of what was lent, and gives up the keeper of that. False, and nothing has changed, if
    /// the buffer is not lent by a `K`.
    ///
    /// # Safety
    /// As for [`lent`](Buffer::lent).
    pub unsafe fn lend_again<K: Any + Send + Sync>(
        &mut self,
        data: NonNull<u8>,
        bytes: usize,
        mutable: bool,
        keeper: K,
    ) -> bool {
        let Owner::Lender { keeper: place } = &mut self.owner else { return false };
        let Some(place) = place.downcast_mut::<K>() else { return false };
        (self.data, self.bytes, self.mutable) = (data, bytes, mutable);
        *place = keeper;
        true
    }

    /// The length in bytes.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Whether the buffer has no bytes.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Whether the bytes can be changed.
    pub fn is_mutable(&self) -> bool {
        self.mutable
    }

    /// The bytes of a constant buffer; `None` for a changeable one, whose bytes others may change at any time.
    pub fn as_constant(&self) -> Option<&[u8]> {
        // SAFETY: I1 and I2.
        (!self.mutable).then(|| unsafe { std::slice::from_raw_parts(self.data.as_ptr(), self.bytes) })
    }

    /// The address of the first byte, for code that follows this file's I3 or has the buffer to itself.
    pub fn as_ptr(&self) -> NonNull<u8> {
        self.data
    }

    /// Copies bytes out, from `offset` on.
    ///
    /// # Errors
    /// `OUT_OF_RANGE`: the buffer ends before.
    pub fn read(&self, offset: usize, into: &mut [u8]) -> Result {
        self.check_range(offset as u64, into.len() as u64)?;
        for (index, byte) in into.iter_mut().enumerate() {
            *byte = self.byte(offset + index);
        }
        Ok(())
    }

    /// Copies bytes in, from `offset` on.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`: the buffer is constant. `OUT_OF_RANGE`: it ends before.
    pub fn write(&self, offset: usize, from: &[u8]) -> Result {
        self.check_mutable()?;
        self.check_range(offset as u64, from.len() as u64)?;
        for (index, byte) in from.iter().enumerate() {
            self.set_byte(offset + index, *byte);
        }
        Ok(())
    }

    /// All bytes, copied.
    pub fn to_vec(&self) -> Vec<u8> {
        (0..self.bytes).map(|offset| self.byte(offset)).collect()
    }

    /// Fails unless `offset + bytes <= len`.
    pub(crate) fn check_range(&self, offset: u64, bytes: u64) -> Result {
        match offset.checked_add(bytes) {
            Some(end) if end <= self.bytes as u64 => Ok(()),
            _ => Err(self.out_of_range(offset, bytes, 1)),
        }
    }

    /// Fails unless the elements `offset..offset + count`, `width` bytes each, exist.
    pub(crate) fn check_elements(&self, offset: u64, count: u64, width: u64) -> Result {
        match offset.checked_add(count).and_then(|end| end.checked_mul(width)) {
            Some(end) if end <= self.bytes as u64 => Ok(()),
            _ => Err(self.out_of_range(offset, count, width)),
        }
    }

    #[cold]
    fn out_of_range(&self, offset: u64, count: u64, width: u64) -> Error {
        let text = format!(
            "{count} elements of {width} bytes at element {} lie outside a buffer of {} bytes",
            offset as i64, self.bytes
        );
        Error::new(Code::OutOfRange, text)
    }

    /// Fails on a constant buffer.
    pub(crate) fn check_mutable(&self) -> Result {
        if self.mutable {
            return Ok(());
        }
        Err(Error::new(Code::PermissionDenied, "the buffer is constant and can't be written"))
    }

    fn byte(&self, offset: usize) -> u8 {
        self.atomic_u8(offset).load(Relaxed)
    }

    fn set_byte(&self, offset: usize, value: u8) {
        debug_assert!(self.mutable, "callers check that the buffer is changeable");
        self.atomic_u8(offset).store(value, Relaxed);
    }

    fn atomic_u8(&self, offset: usize) -> &AtomicU8 {
        assert!(offset < self.bytes);
        // SAFETY: I1 and the assertion: the address is inside.
        let place = unsafe { self.data.as_ptr().add(offset) };
        // SAFETY: I1; I3: atomics are the only accesses (loads only where constant, I2).
        unsafe { AtomicU8::from_ptr(place) }
    }

    /// The element number `element` of `W` bytes, zero-extended; `None` past the end.
    #[inline(always)]
    pub fn load<const W: usize>(&self, element: u64) -> Option<u64> {
        if element >= (self.bytes / W) as u64 {
            return None;
        }
        let offset = element as usize * W;
        // SAFETY: I1: the element ends at or before `bytes`.
        let place = unsafe { self.data.as_ptr().add(offset) };
        if place.addr() % W != 0 {
            return Some(self.load_bytewise::<W>(offset));
        }
        Some(match W {
            // SAFETY: I1, I3, I4.
            1 => unsafe { AtomicU8::from_ptr(place) }.load(Relaxed).into(),
            // SAFETY: I1, I3, I4.
            2 => unsafe { AtomicU16::from_ptr(place.cast()) }.load(Relaxed).into(),
            // SAFETY: I1, I3, I4.
            4 => unsafe { AtomicU32::from_ptr(place.cast()) }.load(Relaxed).into(),
            // SAFETY: I1, I3, I4.
            _ => unsafe { AtomicU64::from_ptr(place.cast()) }.load(Relaxed),
        })
    }

    #[cold]
    #[inline(never)]
    fn load_bytewise<const W: usize>(&self, offset: usize) -> u64 {
        (0..W).fold(0, |value, index| value | u64::from(self.byte(offset + index)) << (8 * index))
    }

    /// Stores the low `W` bytes of `value` as element number `element`; false past the end, or if the buffer is constant.
    #[inline(always)]
    pub fn store<const W: usize>(&self, element: u64, value: u64) -> bool {
        if element >= (self.bytes / W) as u64 || !self.mutable {
            return false;
        }
        let offset = element as usize * W;
        // SAFETY: I1: the element ends at or before `bytes`.
        let place = unsafe { self.data.as_ptr().add(offset) };
        if place.addr() % W != 0 {
            self.store_bytewise::<W>(offset, value);
            return true;
        }
        match W {
            // SAFETY: I1, I3, I4.
            1 => unsafe { AtomicU8::from_ptr(place) }.store(value as u8, Relaxed),
            // SAFETY: I1, I3, I4.
            2 => unsafe { AtomicU16::from_ptr(place.cast()) }.store(value as u16, Relaxed),
            // SAFETY: I1, I3, I4.
            4 => unsafe { AtomicU32::from_ptr(place.cast()) }.store(value as u32, Relaxed),
            // SAFETY: I1, I3, I4.
            _ => unsafe { AtomicU64::from_ptr(place.cast()) }.store(value, Relaxed),
        }
        true
    }

    #[cold]
    #[inline(never)]
    fn store_bytewise<const W: usize>(&self, offset: usize, value: u64) {
        (0..W).for_each(|index| self.set_byte(offset + index, (value >> (8 * index)) as u8));
    }

    /// Copies `bytes` from `source` to `target`; overlapping ranges behave as if the source were read first, provided that
    /// the pieces of one copy come in the order that [`copies_backward`] says. The ranges are checked.
    pub(crate) fn copy_piece(from: (&Buffer, usize), to: (&Buffer, usize), bytes: usize, quiet: Quiet) {
        let ((source, source_at), (target, target_at)) = (from, to);
        assert!(source_at + bytes <= source.bytes && target_at + bytes <= target.bytes && target.mutable);
        if quiet.0 {
            // SAFETY: I1 and the assertion.
            let read = unsafe { source.data.as_ptr().add(source_at) };
            // SAFETY: I1 and the assertion.
            let write = unsafe { target.data.as_ptr().add(target_at) };
            // SAFETY: both ranges exist (assertion); I3: nobody else reaches them; `copy` allows overlap.
            unsafe { std::ptr::copy(read, write, bytes) };
            return;
        }
        let backward = copies_backward(from, to);
        let words = if (source.address(source_at) ^ target.address(target_at)) % 8 == 0 && bytes >= 16 {
            let head = source.address(source_at).wrapping_neg() % 8;
            head..head + (bytes - head) / 8 * 8
        } else {
            0..0
        };
        let one = |at: usize| target.set_byte(target_at + at, source.byte(source_at + at));
        let eight = |at: usize| {
            target.atomic_u64(target_at + at).store(source.atomic_u64(source_at + at).load(Relaxed), Relaxed)
        };
        if backward {
            (words.end..bytes).rev().for_each(one);
            words.clone().step_by(8).rev().for_each(eight);
            (0..words.start).rev().for_each(one);
        } else {
            (0..words.start).for_each(one);
            words.clone().step_by(8).for_each(eight);
            (words.end..bytes).for_each(one);
        }
    }

    fn address(&self, offset: usize) -> usize {
        self.data.addr().get() + offset
    }

    fn atomic_u64(&self, offset: usize) -> &AtomicU64 {
        assert!(offset + 8 <= self.bytes && self.address(offset).is_multiple_of(8));
        // SAFETY: I1 and the assertion: the address is inside.
        let place = unsafe { self.data.as_ptr().add(offset) };
        // SAFETY: I1, I3, I4 by the assertion.
        unsafe { AtomicU64::from_ptr(place.cast()) }
    }

    /// Whether the two ranges, which are checked, hold the same bytes.
    pub(crate) fn equal_piece(left: (&Buffer, usize), right: (&Buffer, usize), bytes: usize) -> bool {
        (0..bytes).all(|at| left.0.byte(left.1 + at) == right.0.byte(right.1 + at))
    }

    /// Writes `value` to `count` elements of `W` bytes from `element` on. The range is checked.
    pub(crate) fn fill_piece<const W: usize>(&self, element: u64, count: u64, value: u64) {
        for index in element..element + count {
            let inside = self.store::<W>(index, value);
            debug_assert!(inside);
        }
    }
}

/// A buffer whose bytes are being made, from the first to the last: so that a large one needs no long moment.
pub(crate) struct Making {
    buffer: Buffer,
    done: usize,
}

impl Making {
    /// Takes the memory, as [`Buffer::zeroed`] does, with its errors.
    pub(crate) fn new(bytes: u64, alignment: u32, quota: Option<&Arc<Quota>>) -> Result<Making> {
        Ok(Making { buffer: Buffer::allocated(bytes, alignment, quota, alloc)?, done: 0 })
    }

    /// How many bytes are there.
    pub(crate) fn done(&self) -> usize {
        self.done
    }

    /// The next bytes are zero.
    pub(crate) fn zeros(&mut self, bytes: usize) {
        assert!(bytes <= self.buffer.bytes - self.done);
        // SAFETY: the assertion: the address is inside.
        let place = unsafe { self.buffer.data.as_ptr().add(self.done) };
        // SAFETY: as above; nobody else knows the memory.
        unsafe { place.write_bytes(0, bytes) };
        self.done += bytes;
    }

    /// The next bytes are copied from `source`, whose own `from` becomes the first of all. The range is checked.
    pub(crate) fn copy(&mut self, source: &Buffer, from: usize, bytes: usize, quiet: Quiet) {
        let at = self.done;
        self.zeros(bytes);
        Buffer::copy_piece((source, from + at), (&self.buffer, at), bytes, quiet);
    }

    /// The buffer, all of whose bytes are there.
    pub(crate) fn finish(self) -> Buffer {
        assert_eq!(self.done, self.buffer.bytes);
        self.buffer
    }
}

/// Whether a copy must start at its end, because the target may begin inside the source: two buffers may be lent one memory.
pub(crate) fn copies_backward(from: (&Buffer, usize), to: (&Buffer, usize)) -> bool {
    to.0.address(to.1) > from.0.address(from.1)
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if let Owner::Heap(layout) = self.owner {
            // SAFETY: I1: allocated with this layout.
            unsafe { dealloc(self.data.as_ptr(), layout) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_bounded_in_wide_arithmetic() {
        let buffer = Buffer::copied(&[1, 2, 3, 4, 5, 6, 7, 8, 9]).unwrap();
        assert_eq!(buffer.load::<4>(1), Some(0x0807_0605));
        assert_eq!(buffer.load::<4>(2), None);
        assert_eq!(buffer.load::<1>(u64::MAX), None);
        assert_eq!(buffer.load::<8>(1 << 61), None);
        assert!(buffer.store::<2>(3, 0xABCD) && !buffer.store::<2>(4, 0));
        assert_eq!(buffer.to_vec()[6..], [0xCD, 0xAB, 9]);
        assert!(
            buffer.check_elements(u64::MAX, 2, 8).is_err() && buffer.check_elements(1, 1 << 61, 8).is_err()
        );
        assert!(buffer.check_elements(9, 0, 1).is_ok());
    }

    #[test]
    fn constant_bytes_are_shared_and_refuse_writes() {
        let bytes: Arc<Vec<u8>> = Arc::new((0..32).collect());
        let address = bytes.as_ptr().addr();
        let buffer = Buffer::constant(bytes);
        assert_eq!(buffer.as_ptr().addr().get(), address);
        assert_eq!(buffer.write(0, &[1]).unwrap_err().code(), Code::PermissionDenied);
        assert_eq!(buffer.as_constant().unwrap()[31], 31);
    }

    #[test]
    fn lent_bytes_are_changed_in_place() {
        let mut bytes = Box::new([0u8; 16]);
        let data = NonNull::from(&mut *bytes).cast();
        // SAFETY: the bytes outlive the buffer, and are not looked at while it is there.
        let buffer = unsafe { Buffer::lent(data, 16, true, Box::new(())) };
        assert!(buffer.store::<4>(3, 0x0403_0201) && !buffer.store::<4>(4, 0));
        drop(buffer);
        assert_eq!(bytes[12..], [1, 2, 3, 4]);
        let data = NonNull::from(&mut *bytes).cast();
        // SAFETY: as above.
        let buffer = unsafe { Buffer::lent(data, 16, false, Box::new(())) };
        assert!(!buffer.store::<4>(0, 1) && buffer.load::<1>(15) == Some(4));
    }

    #[test]
    fn copies_overlap_as_if_read_first() {
        for quiet in [Quiet(true), Quiet::SHARED] {
            for (from, to) in [(0, 5), (5, 0), (3, 11), (11, 3), (2, 2)] {
                let start: Vec<u8> = (0..64).collect();
                let buffer = Buffer::copied(&start).unwrap();
                Buffer::copy_piece((&buffer, from), (&buffer, to), 40, quiet);
                let mut expected = start.clone();
                expected.copy_within(from..from + 40, to);
                assert_eq!(buffer.to_vec(), expected, "{from} -> {to}");
            }
        }
    }

    #[test]
    fn allocation_errors_are_statuses() {
        assert_eq!(Buffer::zeroed(8, 3, None).err().unwrap().code(), Code::InvalidArgument);
        assert_eq!(Buffer::zeroed(u64::MAX, 0, None).err().unwrap().code(), Code::ResourceExhausted);
        let quota = Quota::new(100);
        assert_eq!(Buffer::zeroed(101, 0, Some(&quota)).err().unwrap().code(), Code::ResourceExhausted);
        let aligned = Buffer::zeroed(0, 4096, None).unwrap();
        assert!(aligned.is_empty() && aligned.as_ptr().addr().get().is_multiple_of(4096));
    }
}
