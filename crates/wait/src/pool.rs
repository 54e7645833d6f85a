//! Where slots live: type-stable memory, shared by a pool, its frames and every waker.
//!
//! Not here: the protocol of a slot (`slot.rs`).
//!
//! # Invariants
//! - I1: memory that has held a slot holds a slot until the last of pool, frames and wakers is gone; then all of it
//!   is freed at once. This is I5 of `slot.rs`. [mutants: pool.memory]
//! - I2: a slot is in the free list, or in exactly one frame, or worn out.
//!   (by construction: `take` and `give` move it, and `Frame::drop` gives each of its slots once; the models of
//!   frames count them)
//!
//! # Orderings
//! The free list is under a lock. The memory's count is an `Arc`.
//! Models: `tests/loom_slot.rs`.

#![allow(unsafe_code)]

use crate::slot::{Link, Slot};
use crate::tuning::{CHUNK_SLOTS, CHUNK_SLOTS_MAX};
use raddle_sync::{Arc, Mutex, mutant};
use std::fmt;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

/// The slots of one runtime. Cheap to clone; thread-safe.
#[derive(Clone)]
pub struct SlotPool {
    memory: Arc<Memory>,
}

/// A slot of a pool. Whoever has the slot may name it by that alone, since it comes first.
#[repr(C)]
#[cfg_attr(not(raddle_loom), repr(align(64)))]
struct Pooled {
    slot: Slot,
    /// What it is part of.
    memory: *const Memory,
}

const _: () = assert!(size_of::<Pooled>() == 64 || !raddle_sync::IS_NATIVE);

// SAFETY: `memory` is immutable, and a slot is Send.
unsafe impl Send for Pooled {}

/// Every chunk of slots of one pool, and the free ones.
pub(crate) struct Memory {
    free: Mutex<FreeList>,
}

#[derive(Default)]
struct FreeList {
    /// The first free slot; each names the next in its link, which is no source's while the slot is free.
    first: Option<NonNull<Slot>>,
    free: usize,
    made: usize,
    chunks: Vec<NonNull<[Pooled]>>,
    /// Slots whose generations are spent (I7 of `slot.rs`).
    worn: usize,
}

// SAFETY: the pointers are only handed out under the lock, and slots are Send and Sync.
unsafe impl Send for FreeList {}

impl FreeList {
    /// Makes slots: as many as there are, within bounds.
    #[cold]
    fn make(&mut self, memory: *const Memory) {
        let count = self.made.clamp(CHUNK_SLOTS, CHUNK_SLOTS_MAX);
        let chunk: Box<[Pooled]> = (0..count).map(|_| Pooled { slot: Slot::new(), memory }).collect();
        self.made += count;
        let chunk = NonNull::from(Box::leak(chunk));
        self.chunks.push(chunk);
        // SAFETY: I1: made above, and not given away yet.
        for pooled in unsafe { chunk.as_ref() }.iter().rev() {
            self.push(NonNull::from(pooled).cast());
        }
    }

    fn push(&mut self, slot: NonNull<Slot>) {
        let next = self.first.replace(slot);
        self.free += 1;
        // SAFETY: I1: our memory, and alive.
        let slot = unsafe { slot.as_ref() };
        // SAFETY: I2: nobody has it but us, under the lock.
        slot.link.with_mut(|link| unsafe { *link = Link { previous: None, next } });
    }

    fn pop(&mut self) -> NonNull<Slot> {
        let slot = self.first.expect("slots were made");
        // SAFETY: I1: our memory, and alive.
        let free = unsafe { slot.as_ref() };
        self.free -= 1;
        // SAFETY: I2: nobody has it but us, under the lock.
        self.first = free.link.with_mut(|link| unsafe { std::mem::replace(&mut *link, Link::DETACHED) }).next;
        slot
    }
}

impl SlotPool {
    /// An empty pool.
    pub fn new() -> SlotPool {
        SlotPool { memory: Arc::new(Memory { free: Mutex::new(FreeList::default()) }) }
    }

    /// A free slot; its memory lives at least as long as this pool or a waker made from it.
    pub(crate) fn take(&self) -> NonNull<Slot> {
        let mut free = self.memory.free.lock();
        if free.first.is_none() {
            free.make(&*self.memory);
        }
        free.pop()
    }

    /// The handle as a pointer, to be [taken up](SlotPool::from_raw) again.
    pub(crate) fn into_raw(self) -> *const Memory {
        Arc::into_raw(self.memory)
    }

    /// # Safety
    /// `memory` came from `into_raw`, and is taken up once; or from `as_raw`, and what is made of it is not dropped.
    pub(crate) unsafe fn from_raw(memory: *const Memory) -> SlotPool {
        // SAFETY: the caller's promise.
        SlotPool { memory: unsafe { Arc::from_raw(memory) } }
    }

    /// The pointer of a handle that stays.
    pub(crate) fn as_raw(&self) -> *const Memory {
        Arc::as_ptr(&self.memory)
    }

    /// Takes back a slot with the handle that its owner had.
    ///
    /// # Safety
    /// The owner of `slot` has a handle from `into_raw`, and forgets it; otherwise as for [`give`](SlotPool::give).
    pub(crate) unsafe fn give_back(slot: NonNull<Slot>) {
        // SAFETY: the caller's promise.
        let pool = unsafe { SlotPool::lent(slot) };
        // This is the owner's handle.
        let pool = ManuallyDrop::into_inner(pool);
        // SAFETY: the caller's promise.
        unsafe { pool.give(slot) };
    }

    /// Another slot in the place of one that is closed and spent.
    ///
    /// # Safety
    /// As for [`give`](SlotPool::give).
    pub(crate) unsafe fn replace(slot: NonNull<Slot>) -> NonNull<Slot> {
        // SAFETY: the caller's promise.
        let pool = unsafe { SlotPool::lent(slot) };
        // SAFETY: the caller's promise.
        unsafe { pool.give(slot) };
        pool.take()
    }

    /// The handle of somebody who keeps the memory of a slot.
    ///
    /// # Safety
    /// The slot is a pool's, and its memory is alive.
    unsafe fn lent(slot: NonNull<Slot>) -> ManuallyDrop<SlotPool> {
        // SAFETY: the caller's promise.
        let memory = unsafe { Memory::of(slot) };
        // SAFETY: as above; `memory` points into an `Arc` (see `take`). The count is not used up.
        ManuallyDrop::new(SlotPool { memory: unsafe { Arc::from_raw(memory) } })
    }

    /// Another handle of the pool of a slot.
    ///
    /// # Safety
    /// The slot is a pool's, and its memory is alive.
    pub(crate) unsafe fn of(slot: NonNull<Slot>) -> SlotPool {
        // SAFETY: the caller's promise.
        let pool = unsafe { SlotPool::lent(slot) };
        SlotPool::clone(&pool)
    }

    /// Takes back a closed slot of this pool.
    ///
    /// # Safety
    /// `slot` came from `take` of this pool, is closed, on no list, and not used by its frame afterwards.
    pub(crate) unsafe fn give(&self, slot: NonNull<Slot>) {
        // SAFETY: I1: the memory is ours and alive.
        let closed = unsafe { slot.as_ref() };
        let spent = closed.is_spent();
        let mut free = self.memory.free.lock();
        closed.check_left();
        if spent {
            free.worn += 1;
        } else {
            free.push(slot);
        }
    }

    /// Slots that exist, are free, and are worn out: counts for tests and dumps.
    pub fn counts(&self) -> SlotCounts {
        let free = self.memory.free.lock();
        SlotCounts { made: free.made, free: free.free, worn: free.worn }
    }
}

impl Default for SlotPool {
    fn default() -> SlotPool {
        SlotPool::new()
    }
}

impl fmt::Debug for SlotPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counts().fmt(f)
    }
}

/// How many slots a pool has made and where they are; the rest is in frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotCounts {
    /// Slots made so far.
    pub made: usize,
    /// Slots in the free list.
    pub free: usize,
    /// Slots that can never be used again.
    pub worn: usize,
}

impl Memory {
    /// What a slot is part of.
    ///
    /// # Safety
    /// The slot is a pool's, and its memory is alive.
    unsafe fn of(slot: NonNull<Slot>) -> *const Memory {
        // SAFETY: the caller's promise; pools make nothing but these.
        unsafe { slot.cast::<Pooled>().as_ref() }.memory
    }

    /// One more holder of the memory of `slot`.
    ///
    /// # Safety
    /// The slot is a pool's, and its memory is alive.
    pub(crate) unsafe fn retain(slot: NonNull<Slot>) {
        // SAFETY: the caller's promise.
        let memory = unsafe { Memory::of(slot) };
        if !mutant!("pool.memory") {
            // SAFETY: `memory` points into an `Arc` (see `take`), which is alive (caller).
            unsafe { Arc::increment_strong_count(memory) };
        }
    }

    /// One holder of the memory of `slot` less; the last frees it.
    ///
    /// # Safety
    /// Undoes one `retain` of the caller's.
    pub(crate) unsafe fn release(slot: NonNull<Slot>) {
        // SAFETY: the caller still holds the memory.
        let memory = unsafe { Memory::of(slot) };
        if !mutant!("pool.memory") {
            // SAFETY: `memory` points into an `Arc` (see `take`), of which the caller holds one count.
            unsafe { Arc::decrement_strong_count(memory) };
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        for chunk in self.free.lock().chunks.drain(..) {
            // SAFETY: made in `take`, and not freed yet.
            for pooled in unsafe { chunk.as_ref() } {
                pooled.slot.poison();
            }
            if mutant!("pool.memory") {
                // The model is to see the poison, not to crash.
                continue;
            }
            // SAFETY: made by `Box` in `take`; I1: no slot of it can be named any more.
            drop(unsafe { Box::from_raw(chunk.as_ptr()) });
        }
    }
}
