//! `hal.buffer`: a view of an allocation's bytes, and the allocation behind it.
//!
//! Not here: where memory comes from (`allocator.rs`), when it may be touched (fences).
//!
//! # State of an allocation
//! | storage | meaning | set by |
//! |---|---|---|
//! | none | a transient whose queue allocation has not run | [`Buffer::transient`] |
//! | some | the bytes exist, until the last buffer goes | [`Buffer::commit`]; the other constructors |
//!
//! A queue deallocation does not free: it says that the contents are void, and gives up the operation's reference. The
//! storage goes with the last reference, which compiled programs have given away by then. So no program, however wrong
//! its fences are, reaches memory that is somebody else's.
//!
//! # Invariants
//! - I1: storage is set once and stays as long as the allocation; a buffer keeps its allocation. So a span that is
//!   borrowed from a buffer is alive. (by construction: `OnceLock`)
//! - I2: what storage borrows is kept by its owner, and not changed by safe Rust code.
#![allow(unsafe_code)]

use crate::allocator::Allocator;
use crate::flags::{WHOLE_BUFFER, access, memory_type, usage};
use crate::memory::{Block, Span};
use crate::tuning::MEMORY_ALIGN;
use raddle_status::{Code, Error, Result};
use raddle_sync::atomic::{AtomicBool, AtomicU32, Ordering::*};
use raddle_vm::{Buffer as Bytes, Dead, Object, RefOf};
use std::any::Any;
use std::fmt;
use std::ptr::NonNull;
use std::sync::{Arc, OnceLock};

/// What is asked of an allocation, and what it may be used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BufferParams {
    /// Bits of [`memory_type`].
    pub memory_type: u32,
    /// Bits of [`usage`].
    pub usage: u32,
    /// Bits of [`access`].
    pub access: u32,
}

impl Default for BufferParams {
    /// As for a tensor.
    fn default() -> BufferParams {
        BufferParams { memory_type: memory_type::DEVICE_LOCAL, usage: usage::DEFAULT, access: access::ALL }
    }
}

impl BufferParams {
    /// With what memory of this host offers in any case.
    fn on_host(self) -> BufferParams {
        let memory_type = (self.memory_type & !memory_type::OPTIMAL)
            | memory_type::HOST_VISIBLE
            | memory_type::HOST_COHERENT
            | memory_type::DEVICE_VISIBLE;
        BufferParams { memory_type, usage: self.usage | usage::HOST, ..self }
    }
}

/// Where an allocation comes from, which decides what a queue deallocation does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Origin {
    /// Made at once, or borrowed.
    Host,
    /// Made by a queue.
    Queue,
}

struct Allocation {
    params: BufferParams,
    length: u64,
    origin: Origin,
    storage: OnceLock<Storage>,
    /// How many owners want it preserved.
    preserved: AtomicU32,
    is_void: AtomicBool,
    /// Where its storage comes from and goes to, unless it is borrowed.
    allocator: Option<Allocator>,
}

enum Storage {
    Pooled(Block),
    Borrowed { data: NonNull<u8>, bytes: usize, _owner: Box<dyn Any + Send + Sync> },
}

// SAFETY: memory's I2: storage is bytes, reached by address.
unsafe impl Send for Storage {}
// SAFETY: as above.
unsafe impl Sync for Storage {}

/// A range of an allocation. See the head of this file.
pub struct Buffer {
    allocation: Arc<Allocation>,
    offset: u64,
    length: u64,
}

impl Object for Buffer {
    const NAME: &'static str = "hal.buffer";

    /// A transient that was the last on its allocation goes back to its allocator, without storage.
    fn recycle(mut dead: Dead<Buffer>) {
        let Some(allocation) = Arc::get_mut(&mut dead.allocation) else { return };
        if allocation.origin != Origin::Queue {
            return;
        }
        if let Some(allocator) = allocation.give_back() {
            allocator.keep_buffer(dead);
        }
    }
}

impl Buffer {
    fn of(allocation: Allocation) -> Buffer {
        let length = allocation.length;
        Buffer { allocation: Arc::new(allocation), offset: 0, length }
    }

    /// A buffer of so many bytes, zeros or what was left in them by an earlier one.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED: the device's limit, or no memory.
    pub fn allocate(allocator: &Allocator, length: u64, params: BufferParams) -> Result<Buffer> {
        let storage = OnceLock::from(Storage::Pooled(allocator.take(length)?));
        let mut allocation = Allocation::new(params, length, Origin::Host, storage);
        allocation.allocator = Some(allocator.clone());
        Ok(Buffer::of(allocation))
    }

    /// A buffer over bytes that `owner` keeps, without a copy.
    ///
    /// # Errors
    /// OUT_OF_RANGE: the address is no multiple of 64, which kernels rely on.
    ///
    /// # Safety
    /// `data..data + bytes` stays allocated, initialised and in place as long as `owner` lives; if `params.access` allows
    /// writing, no Rust reference to it exists meanwhile; otherwise nothing writes it.
    pub unsafe fn borrowed(
        data: NonNull<u8>,
        bytes: usize,
        owner: Box<dyn Any + Send + Sync>,
        params: BufferParams,
    ) -> Result<Buffer> {
        if !data.addr().get().is_multiple_of(MEMORY_ALIGN) {
            let text = format!("device memory must begin at a multiple of {MEMORY_ALIGN} bytes");
            return Err(Error::new(Code::OutOfRange, text));
        }
        let storage = OnceLock::from(Storage::Borrowed { data, bytes, _owner: owner });
        Ok(Buffer::of(Allocation::new(params, bytes as u64, Origin::Host, storage)))
    }

    /// A buffer over a part of a program's bytes, which it keeps.
    ///
    /// # Errors
    /// OUT_OF_RANGE: the part is not inside, or begins at no multiple of 64.
    pub(crate) fn borrow_bytes(
        bytes: RefOf<Bytes>,
        offset: usize,
        length: usize,
        params: BufferParams,
    ) -> Result<Buffer> {
        if offset.checked_add(length).is_none_or(|end| end > bytes.len()) {
            return Err(Code::OutOfRange.into());
        }
        if params.access & access::WRITE != 0 && !bytes.is_mutable() {
            return Err(Code::PermissionDenied.into());
        }
        // SAFETY: the offset was checked to be inside, or one past the end.
        let data = unsafe { bytes.as_ptr().add(offset) };
        // SAFETY: I2: the range is inside the bytes that the reference keeps; programs reach them through atomics only,
        // and nothing writes constants.
        unsafe { Buffer::borrowed(data, length, Box::new(bytes), params) }
    }

    /// A buffer whose storage comes later. `pinned`: a queue deallocation leaves it alone.
    pub(crate) fn transient(
        allocator: &Allocator,
        length: u64,
        params: BufferParams,
        pinned: bool,
    ) -> RefOf<Buffer> {
        let origin = if pinned { Origin::Host } else { Origin::Queue };
        let spare = allocator.spare_buffer();
        let Some(mut buffer) = spare else {
            let mut allocation = Allocation::new(params, length, origin, OnceLock::new());
            allocation.allocator = Some(allocator.clone());
            return RefOf::new(Buffer::of(allocation));
        };
        (buffer.offset, buffer.length) = (0, length);
        let allocation =
            Arc::get_mut(&mut buffer.allocation).expect("a spare buffer is alone on its allocation");
        debug_assert!(allocation.storage.get().is_none());
        allocation.preserved = AtomicU32::new(1);
        allocation.is_void = AtomicBool::new(false);
        (allocation.params, allocation.length, allocation.origin) = (params.on_host(), length, origin);
        allocation.allocator = Some(allocator.clone());
        buffer.revive()
    }

    /// Gives a transient its storage.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED: the device's limit, or no memory.
    pub(crate) fn commit(&self) -> Result {
        let Allocation { storage, allocator: Some(allocator), length, .. } = &*self.allocation else {
            return Ok(());
        };
        // Somebody else's storage stays: an operation runs once.
        if let Err(Storage::Pooled(block)) = storage.set(Storage::Pooled(allocator.take(*length)?)) {
            allocator.give_back(block);
        }
        Ok(())
    }

    /// Says that the contents are void.
    ///
    /// # Errors
    /// FAILED_PRECONDITION: it was said before.
    pub(crate) fn deallocate(&self) -> Result {
        if self.allocation.origin == Origin::Queue && self.allocation.is_void.swap(true, Relaxed) {
            return Err(Error::new(Code::FailedPrecondition, "the buffer was deallocated before"));
        }
        Ok(())
    }

    /// The part of it as a buffer of its own, on the same allocation.
    ///
    /// # Errors
    /// OUT_OF_RANGE: the buffer ends before.
    pub fn subspan(this: &RefOf<Buffer>, offset: u64, length: u64) -> Result<RefOf<Buffer>> {
        let length = this.check_range(offset, length)?;
        if offset == 0 && length == this.length {
            return Ok(this.clone());
        }
        let allocation = this.allocation.clone();
        Ok(RefOf::new(Buffer { allocation, offset: this.offset + offset, length }))
    }

    /// The length. Unit: bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Where it begins in its allocation. Unit: bytes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// What it may be used for.
    pub fn params(&self) -> BufferParams {
        self.allocation.params
    }

    /// The length of a range, whose length may be [`WHOLE_BUFFER`].
    ///
    /// # Errors
    /// OUT_OF_RANGE: the buffer ends before.
    pub fn check_range(&self, offset: u64, length: u64) -> Result<u64> {
        let left = self.length.checked_sub(offset);
        match left {
            Some(left) if length == WHOLE_BUFFER => Ok(left),
            Some(left) if length <= left => Ok(length),
            _ => {
                let (length, all) = (length as i64, self.length);
                let text = format!("{length} bytes at {offset} lie outside a buffer of {all} bytes");
                Err(Error::new(Code::OutOfRange, text))
            }
        }
    }

    /// Fails unless the buffer may be used in this way.
    ///
    /// # Errors
    /// PERMISSION_DENIED.
    pub(crate) fn check_use(&self, wanted_usage: u32, wanted_access: u32) -> Result {
        let BufferParams { usage, access, .. } = self.allocation.params;
        if usage & wanted_usage != wanted_usage {
            let text = format!("the buffer's usage {usage:#x} does not include {wanted_usage:#x}");
            return Err(Error::new(Code::PermissionDenied, text));
        }
        if access & wanted_access != wanted_access {
            let text = format!("the buffer's access {access:#x} does not include {wanted_access:#x}");
            return Err(Error::new(Code::PermissionDenied, text));
        }
        Ok(())
    }

    /// Its bytes.
    ///
    /// # Errors
    /// FAILED_PRECONDITION: there is no storage yet.
    pub(crate) fn span(&self) -> Result<Span<'_>> {
        self.part(0, self.length)
    }

    /// The bytes of its allocation.
    #[inline]
    fn all(&self) -> Result<Span<'_>> {
        let (data, bytes) = match self.allocation.storage.get() {
            Some(Storage::Pooled(block)) => (block.address(), block.bytes()),
            Some(Storage::Borrowed { data, bytes, .. }) => (*data, *bytes),
            None => return Err(self.uncommitted()),
        };
        // SAFETY: I1: the storage stays as long as this buffer; I2 where it is borrowed.
        Ok(unsafe { Span::new(data, bytes) })
    }

    #[cold]
    fn uncommitted(&self) -> Error {
        let text = "the buffer has no storage yet: wait for the fence that its queue allocation signals";
        Error::new(Code::FailedPrecondition, text)
    }

    /// The address of its first byte, which stays as long as the buffer lives. What is read there is settled only behind the
    /// fence of whoever wrote it.
    ///
    /// # Errors
    /// FAILED_PRECONDITION: there is no storage yet.
    pub fn data(&self) -> Result<NonNull<u8>> {
        Ok(self.span()?.address())
    }

    /// A part of its bytes; the length may be [`WHOLE_BUFFER`].
    ///
    /// # Errors
    /// OUT_OF_RANGE; FAILED_PRECONDITION: there is no storage yet.
    pub(crate) fn part(&self, offset: u64, length: u64) -> Result<Span<'_>> {
        let length = self.check_range(offset, length)?;
        Ok(self.all()?.part(self.offset + offset, length).expect("a buffer lies in its allocation"))
    }

    /// Copies bytes out, from `offset` on. What is read is settled only behind the fence of whoever wrote it.
    ///
    /// # Errors
    /// OUT_OF_RANGE; FAILED_PRECONDITION: there is no storage yet.
    pub fn read(&self, offset: u64, into: &mut [u8]) -> Result {
        self.part(offset, into.len() as u64)?.read(into);
        Ok(())
    }

    /// Copies bytes in, from `offset` on.
    ///
    /// # Errors
    /// OUT_OF_RANGE; PERMISSION_DENIED: it can't be written; FAILED_PRECONDITION: there is no storage yet.
    pub fn write(&self, offset: u64, from: &[u8]) -> Result {
        self.check_use(0, access::WRITE)?;
        self.part(offset, from.len() as u64)?.write(from);
        Ok(())
    }

    /// One more owner wants the allocation preserved.
    pub(crate) fn preserve(&self) {
        self.allocation.preserved.fetch_add(1, Relaxed);
    }

    /// One owner fewer; says whether it was the last.
    pub(crate) fn discard(&self) -> bool {
        let count = self.allocation.preserved.fetch_update(Relaxed, Relaxed, |count| count.checked_sub(1));
        count == Ok(1)
    }

    /// Whether there is one owner.
    pub(crate) fn is_terminal(&self) -> bool {
        self.allocation.preserved.load(Relaxed) == 1
    }
}

impl Allocation {
    fn new(params: BufferParams, length: u64, origin: Origin, storage: OnceLock<Storage>) -> Allocation {
        Allocation {
            params: params.on_host(),
            length,
            origin,
            storage,
            preserved: AtomicU32::new(1),
            is_void: AtomicBool::new(false),
            allocator: None,
        }
    }

    /// Parts with its storage; returns where that came from.
    fn give_back(&mut self) -> Option<Allocator> {
        let allocator = self.allocator.take()?;
        if let Some(Storage::Pooled(block)) = self.storage.take() {
            allocator.give_back(block);
        }
        Some(allocator)
    }
}

impl Drop for Allocation {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} bytes at {})", self.length, self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transient_has_bytes_only_after_its_commit_and_comes_back() {
        let allocator = Allocator::new(1 << 20);
        let buffer = Buffer::transient(&allocator, 100, BufferParams::default(), false);
        let identity = buffer.untyped().address();
        assert_eq!(buffer.read(0, &mut [0]).unwrap_err().code(), Code::FailedPrecondition);
        buffer.commit().unwrap();
        buffer.write(96, &[1, 2, 3, 4]).unwrap();
        assert_eq!(buffer.write(97, &[0; 4]).unwrap_err().code(), Code::OutOfRange);
        let part = Buffer::subspan(&buffer, 96, WHOLE_BUFFER).unwrap();
        buffer.deallocate().unwrap();
        assert_eq!(buffer.deallocate().unwrap_err().code(), Code::FailedPrecondition);
        drop(buffer);
        // Whoever still has a part of it reads no foreign bytes.
        let mut bytes = [0; 4];
        part.read(0, &mut bytes).unwrap();
        assert_eq!((bytes, allocator.statistics().live_bytes), ([1, 2, 3, 4], 128));
        drop(part);
        assert_eq!(allocator.statistics().live_bytes, 0);
        let next = Buffer::transient(&allocator, 10, BufferParams::default(), false);
        drop(next);
        let next = Buffer::transient(&allocator, 10, BufferParams::default(), false);
        assert_ne!(identity, 0);
        assert!(next.span().is_err() && next.length() == 10);
    }

    #[test]
    fn bits_grow_and_are_checked() {
        let allocator = Allocator::new(1 << 20);
        let params = BufferParams { access: access::READ, ..BufferParams::default() };
        let buffer = Buffer::allocate(&allocator, 0, params).unwrap();
        assert!(buffer.params().memory_type & memory_type::DEVICE_VISIBLE != 0);
        assert_eq!(buffer.write(0, &[]).unwrap_err().code(), Code::PermissionDenied);
        assert!(buffer.check_use(usage::DEFAULT, access::READ).is_ok());
        assert_eq!(buffer.check_use(1 << 12, 0).unwrap_err().code(), Code::PermissionDenied);
    }

    #[test]
    fn the_last_owner_is_told() {
        let allocator = Allocator::new(1 << 20);
        let buffer = Buffer::allocate(&allocator, 8, BufferParams::default()).unwrap();
        assert!(buffer.is_terminal());
        buffer.preserve();
        assert!(!buffer.is_terminal() && !buffer.discard() && buffer.discard() && !buffer.discard());
    }
}
