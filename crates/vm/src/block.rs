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

use crate::entry::EntryPoint;
use crate::machine::{Core, Phase};
use crate::translate::code::Outermost;
use crate::tuning::STACK_BYTES_UNKNOWN;
use crate::wait::NEVER;
use raddle_status::{Code, Error, Result};
use std::alloc::{Layout, alloc, dealloc};
use std::mem::ManuallyDrop;
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
#[derive(Clone, Default)]
pub struct Storage {
    /// Bytes at the start of the block that the VM leaves to the host. They begin at a multiple of 16.
    pub prefix_bytes: usize,
    /// Size of the whole block; at least what the VM needs for itself is used. `None`: room for the function and all that it
    /// calls, if that is little and known beforehand, otherwise for a few calls. The stack grows beyond it when it must.
    pub block_bytes: Option<usize>,
    /// Where blocks come from; `None`: the global allocator.
    pub memory: Option<Arc<dyn Memory>>,
}

/// The VM's part of a block.
#[repr(C, align(16))]
pub(crate) struct Block {
    pub(crate) core: Core,
    /// How the function is called; the block has a count of the context that it belongs to.
    outermost: *const Outermost,
    pub(crate) deadline_ns: u64,
}

impl Block {
    /// Bytes of a block that are neither prefix nor stack.
    pub(crate) const BYTES: usize = size_of::<Block>();

    /// A block without frames.
    pub(crate) fn new(function: EntryPoint, storage: &Storage) -> Result<NonNull<Block>> {
        let exhausted = || Error::new(Code::ResourceExhausted, "no memory for an invocation");
        let prefix_bytes = storage.prefix_bytes.next_multiple_of(16);
        let own_bytes = prefix_bytes + Block::BYTES;
        let stack_bytes = match storage.block_bytes {
            Some(bytes) => bytes.saturating_sub(own_bytes).max(64).next_multiple_of(16),
            None => function.state().stack_bytes(function.ordinal()).unwrap_or(STACK_BYTES_UNKNOWN),
        };
        let outermost = function.state().program().outermost(function.ordinal())?;
        let first_bytes = u32::try_from(stack_bytes).map_err(|_| exhausted())?;
        let block_bytes = own_bytes + stack_bytes;
        let layout = Layout::from_size_align(block_bytes, 16).map_err(|_| exhausted())?;
        let start = match &storage.memory {
            Some(memory) => memory.take(layout),
            // SAFETY: the layout is not empty.
            None => NonNull::new(unsafe { alloc(layout) }),
        };
        let start = start.ok_or_else(exhausted)?;
        let place = start.as_ptr().wrapping_add(prefix_bytes);
        // Frames are made from addresses.
        let limit = start.as_ptr().expose_provenance() + block_bytes;
        // Given back in `free`.
        let outermost = std::ptr::from_ref(outermost);
        let (context, instance) = function.into_parts();
        // SAFETY: the count keeps the context alive.
        let mut core = Core::new(unsafe { &*context }, instance, limit, first_bytes);
        if prefix_bytes > 0 || storage.memory.is_some() {
            let rare = core.rare();
            (rare.prefix_bytes, rare.memory) = (prefix_bytes, storage.memory.clone());
        }
        let block = Block { core, outermost, deadline_ns: NEVER };
        let place = place.cast::<Block>();
        // SAFETY: the place is inside the memory that we took, aligned, and large enough (`own_bytes`).
        unsafe { place.write(block) };
        // SAFETY: derived from a non-null pointer by a small offset.
        Ok(unsafe { NonNull::new_unchecked(place) })
    }

    /// The function.
    pub(crate) fn function(&self) -> ManuallyDrop<EntryPoint> {
        let (core, ordinal) = (&self.core, self.outermost().function);
        // SAFETY: the block has the count, and only `free` gives it back.
        ManuallyDrop::new(unsafe { EntryPoint::from_parts(core.context, core.instance, ordinal) })
    }

    /// How the function is called.
    #[inline(always)]
    pub(crate) fn outermost<'a>(&self) -> &'a Outermost {
        // SAFETY: M2: its program is one of the context's.
        unsafe { &*self.outermost }
    }

    /// The start of the host's prefix.
    pub(crate) fn prefix(block: NonNull<Block>) -> NonNull<u8> {
        // SAFETY: B1.
        let bytes = unsafe { block.as_ref() }.core.rare.as_ref().map_or(0, |rare| rare.prefix_bytes);
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
        if owned.core.phase != Phase::Running {
            owned.core.abandon();
        }
        owned.end_turn();
        let function = ManuallyDrop::into_inner(owned.function());
        let rare = owned.core.rare.take();
        let bytes = Block::BYTES + owned.core.first_bytes as usize;
        let bytes = bytes + rare.as_ref().map_or(0, |rare| rare.prefix_bytes);
        drop(owned);
        drop(function);
        let Ok(layout) = Layout::from_size_align(bytes, 16) else { return };
        match rare.and_then(|rare| rare.memory) {
            // SAFETY: it came from this memory with this layout.
            Some(memory) => unsafe { memory.give(start, layout) },
            // SAFETY: it came from the global allocator with this layout.
            None => unsafe { dealloc(start.as_ptr(), layout) },
        }
    }

    /// Gives the context's turn back, if the invocation has it.
    pub(crate) fn end_turn(&mut self) {
        if self.core.has_turn {
            self.core.has_turn = false;
            self.core.context().give_turn();
        }
    }

    /// Takes the turn of the context, if there are turns; false while somebody else has it.
    #[inline]
    pub(crate) fn take_turn(&mut self) -> bool {
        let context = self.core.context();
        self.core.has_turn = context.stateful && context.try_turn();
        self.core.has_turn || !context.stateful
    }
}

const _: () = assert!(Block::BYTES <= 96 || !raddle_sync::IS_NATIVE, "suspended invocations are many");
