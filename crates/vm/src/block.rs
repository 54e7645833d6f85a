//! The memory of an invocation: the host's prefix, the core, the first segment of the stack, in one pinned block.
//!
//! Not here: what an invocation can do ([`crate::invoke`]).
//!
//! ```text
//! [ prefix: the host's ][ Block: core, function, options ][ first segment of the stack ... ]
//! ```
//!
//! # Invariants
//! - B1: a block is owned by exactly one handle, and never moves.
//! - B2: whoever owns a block may touch it from its thread only; handles are `Send`, not shared.
#![allow(unsafe_code)]

use crate::context::ContextInner;
use crate::entry::EntryPoint;
use crate::machine::Core;
use crate::tuning::BLOCK_BYTES_DEFAULT;
use crate::wait::NEVER;
use raddle_status::{Code, Error, Result};
use std::alloc::{Layout, alloc, dealloc};
use std::ptr::NonNull;
use std::sync::Arc;

/// Where blocks come from: a pool.
///
/// # Safety
/// `take` returns memory of the layout that nobody else uses until it is given back.
pub unsafe trait Memory: Send + Sync {
    /// Memory of this layout, uninitialised; `None` if there is none.
    fn take(&self, layout: Layout) -> Option<NonNull<u8>>;

    /// Takes memory back.
    ///
    /// # Safety
    /// It came from `take` with this layout, and nobody uses it any more.
    unsafe fn give(&self, memory: NonNull<u8>, layout: Layout);
}

/// What an invocation's block is made of.
#[derive(Clone)]
pub struct Storage {
    /// Bytes at the start of the block that the VM leaves to the host. They begin at a multiple of 16.
    pub prefix_bytes: usize,
    /// Size of the whole block; at least what the VM needs for itself is used.
    pub block_bytes: usize,
    /// Where blocks come from; `None`: the global allocator.
    pub memory: Option<Arc<dyn Memory>>,
}

impl Default for Storage {
    fn default() -> Storage {
        Storage { prefix_bytes: 0, block_bytes: BLOCK_BYTES_DEFAULT, memory: None }
    }
}

/// The VM's part of a block.
#[repr(C, align(16))]
pub(crate) struct Block {
    pub(crate) core: Core,
    pub(crate) function: EntryPoint,
    pub(crate) deadline_ns: u64,
    pub(crate) has_turn: bool,
    prefix_bytes: u32,
    block_bytes: u32,
    memory: Option<Arc<dyn Memory>>,
}

impl Block {
    /// Bytes of a block that are neither prefix nor stack.
    pub(crate) const BYTES: usize = size_of::<Block>();

    /// A block without frames.
    pub(crate) fn new(function: EntryPoint, storage: &Storage) -> Result<NonNull<Block>> {
        let exhausted = || Error::new(Code::ResourceExhausted, "no memory for an invocation");
        let prefix_bytes = storage.prefix_bytes.next_multiple_of(16);
        let least = prefix_bytes + Block::BYTES + 64;
        let block_bytes = storage.block_bytes.max(least).next_multiple_of(16);
        let layout = Layout::from_size_align(block_bytes, 16).map_err(|_| exhausted())?;
        let start = match &storage.memory {
            Some(memory) => memory.take(layout),
            // SAFETY: the layout is not empty.
            None => NonNull::new(unsafe { alloc(layout) }),
        };
        let start = start.ok_or_else(exhausted)?;
        let place = start.as_ptr().wrapping_add(prefix_bytes);
        let stack = place.wrapping_add(Block::BYTES).expose_provenance();
        let context: *const ContextInner = function.context();
        // SAFETY: the function keeps its context alive.
        let core = Core::new(unsafe { &*context }, (stack, start.as_ptr().expose_provenance() + block_bytes));
        let block = Block {
            core,
            function,
            deadline_ns: NEVER,
            has_turn: false,
            prefix_bytes: u32::try_from(prefix_bytes).map_err(|_| exhausted())?,
            block_bytes: u32::try_from(block_bytes).map_err(|_| exhausted())?,
            memory: storage.memory.clone(),
        };
        let place = place.cast::<Block>();
        // SAFETY: the place is inside the memory that we took, aligned, and large enough (`least`).
        unsafe { place.write(block) };
        // SAFETY: derived from a non-null pointer by a small offset.
        Ok(unsafe { NonNull::new_unchecked(place) })
    }

    /// The start of the host's prefix.
    pub(crate) fn prefix(block: NonNull<Block>) -> NonNull<u8> {
        // SAFETY: B1.
        let bytes = unsafe { block.as_ref() }.prefix_bytes as usize;
        // SAFETY: the prefix lies before the block in the same memory.
        unsafe { block.cast::<u8>().sub(bytes) }
    }

    /// Gives up a block: releases frames, turn and memory.
    ///
    /// # Safety
    /// The caller owns the block (B1) and does not use it afterwards.
    pub(crate) unsafe fn free(block: NonNull<Block>) {
        let start = Block::prefix(block);
        // SAFETY: the caller's word.
        let mut owned = unsafe { block.read() };
        if !owned.core.running {
            owned.core.abandon();
        }
        owned.end_turn();
        let bytes = owned.block_bytes as usize;
        let memory = owned.memory.take();
        drop(owned);
        let Ok(layout) = Layout::from_size_align(bytes, 16) else { return };
        match memory {
            // SAFETY: it came from this memory with this layout.
            Some(memory) => unsafe { memory.give(start, layout) },
            // SAFETY: it came from the global allocator with this layout.
            None => unsafe { dealloc(start.as_ptr(), layout) },
        }
    }

    /// Gives the context's turn back, if the invocation has it.
    pub(crate) fn end_turn(&mut self) {
        if std::mem::take(&mut self.has_turn) {
            self.function.context().give_turn();
        }
    }
}

/// A suspended invocation with a small frame fits into the default block: that is what keeps many of them cheap.
const _: () = assert!(Block::BYTES <= BLOCK_BYTES_DEFAULT - SMALL_STACK_BYTES);

/// Stack of a host's bridge, a function of 12 value and 6 ref registers, and a native call above it.
const SMALL_STACK_BYTES: usize = 224;
