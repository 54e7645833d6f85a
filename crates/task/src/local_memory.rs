//! Memory of a worker that a tile uses while it runs: scratch space, without an allocation from the second tile on.

use crate::context::TileCx;
use raddle_status::{Code, Error, Result};
use raddle_sync::atomic::Ordering::Relaxed;
use std::cell::{RefCell, RefMut};
use std::fmt;
use std::ops::{Deref, DerefMut};

/// What vector instructions and cache lines ask for. Unit: bytes.
const ALIGN_BYTES: usize = 64;

/// One worker's memory. It grows to the most that a tile asked for.
#[derive(Default)]
pub(crate) struct Scratch(RefCell<Vec<u8>>);

/// Memory that is the tile's until this is dropped; 64-byte aligned. Its contents are whatever earlier tiles left.
pub struct LocalMemory<'a> {
    bytes: RefMut<'a, [u8]>,
}

impl Scratch {
    pub(crate) fn take(&self, bytes: usize, bytes_max: usize) -> Result<LocalMemory<'_>> {
        if bytes > bytes_max {
            let text =
                format!("a tile asked for {bytes} bytes of local memory; `local_memory_max` is {bytes_max}");
            return Err(Error::new(Code::ResourceExhausted, text));
        }
        let Ok(mut buffer) = self.0.try_borrow_mut() else {
            let text = "the worker's local memory is in use by a tile further out on this thread";
            return Err(Error::new(Code::FailedPrecondition, text));
        };
        let needed = bytes + ALIGN_BYTES;
        if buffer.len() < needed {
            let more = needed - buffer.len();
            buffer.try_reserve_exact(more).map_err(|error| {
                Error::new(
                    Code::ResourceExhausted,
                    format!("no memory for {bytes} bytes of local memory: {error}"),
                )
            })?;
            buffer.resize(needed, 0);
        }
        let start = buffer.as_ptr().align_offset(ALIGN_BYTES);
        let bytes = RefMut::map(buffer, |buffer| &mut buffer[start..start + bytes]);
        Ok(LocalMemory { bytes })
    }
}

impl TileCx<'_> {
    /// So much memory of the worker that runs this tile, until the result is dropped. 64-byte aligned; not cleared.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED above [`local_memory_max`](crate::ExecutorBuilder::local_memory_max); FAILED_PRECONDITION when a
    /// tile further out on this thread, which waits for this one, has it.
    pub fn local_memory(&self, bytes: usize) -> Result<LocalMemory<'_>> {
        self.cx.local.scratch.take(bytes, self.cx.core.local_memory_max.load(Relaxed))
    }
}

impl Deref for LocalMemory<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for LocalMemory<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl fmt::Debug for LocalMemory<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalMemory({} bytes)", self.bytes.len())
    }
}
