//! The allocator of a device: aligned blocks, reused, within a limit, counted.
//!
//! Not here: buffers (`buffer.rs`), and when a transient gets its storage (`queue.rs`).
//!
//! Blocks have sizes of a geometric row, four to each power of two, so that at most a fifth is lost and a freed block fits the
//! next request of about its size. Small blocks come back for ever; all that lies idle is bounded.
//!
//! # Invariants
//! - I1: the bytes of live blocks never exceed the limit; idle blocks are freed before a request is refused.
//! - I2: a block is either live (in exactly one allocation, which gives it back) or idle (in exactly one list). (by construction:
//!   it is moved)

use crate::buffer::Buffer;
use crate::memory::Block;
use crate::pool::Pool;
use crate::tuning::{MEMORY_ALIGN, RETAINED_BLOCKS_MAX, RETAINED_BYTES_MAX};
use raddle_status::{Code, Error, Result};
use raddle_sync::Mutex;
use raddle_vm::{Dead, Object};
use std::fmt;
use std::sync::Arc;

/// What an allocator has handed out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryStatistics {
    /// In use now. Unit: bytes.
    pub live_bytes: u64,
    /// The most that was in use at a time. Unit: bytes.
    pub peak_bytes: u64,
    /// Kept for the next allocations. Unit: bytes.
    pub idle_bytes: u64,
    /// Allocations so far.
    pub allocations: u64,
    /// Of those, the ones that found a block at hand.
    pub reuses: u64,
    /// Allocations that the limit refused.
    pub refusals: u64,
}

/// See the head of this file. Cloning shares it; thread-safe. What programs hold as `hal.allocator`.
#[derive(Clone)]
pub struct Allocator(Arc<Inner>);

struct Inner {
    bytes_max: u64,
    state: Mutex<State>,
    /// Buffers without storage, for the next transients.
    buffers: Pool<Dead<Buffer>>,
}

#[derive(Default)]
struct State {
    statistics: MemoryStatistics,
    /// By size class.
    idle: Vec<Vec<Block>>,
}

impl Object for Allocator {
    const NAME: &'static str = "hal.allocator";
}

/// The class of a size, and the size of its blocks. Classes: 64, 128, 192, 256, then four to each power of two.
fn class_of(bytes: u64) -> Option<(usize, u64)> {
    let units = bytes.max(1).div_ceil(MEMORY_ALIGN as u64);
    if units <= 4 {
        return Some((units as usize - 1, units * MEMORY_ALIGN as u64));
    }
    let power = (units - 1).ilog2();
    let step = 1u64 << (power - 2);
    let rounded = units.checked_next_multiple_of(step)?;
    let quarter = (rounded - (1 << power)) / step;
    let class = 4 * (power as usize - 2) + quarter as usize - 1 + 4;
    Some((class, rounded.checked_mul(MEMORY_ALIGN as u64)?))
}

impl Allocator {
    /// An allocator that hands out so many bytes at most at a time.
    pub fn new(bytes_max: u64) -> Allocator {
        Allocator(Arc::new(Inner { bytes_max, state: Mutex::default(), buffers: Pool::default() }))
    }

    /// What it has handed out.
    pub fn statistics(&self) -> MemoryStatistics {
        self.0.state.lock().statistics
    }

    /// The most that it hands out at a time. Unit: bytes.
    pub fn bytes_max(&self) -> u64 {
        self.0.bytes_max
    }

    /// Frees what it keeps for the next allocations.
    pub fn trim(&self) {
        let idle = self.0.state.lock().take_idle();
        drop(idle);
        self.0.buffers.clear();
    }

    /// A block of at least so many bytes, to be [given back](Allocator::give_back).
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED: the limit, or no memory.
    pub(crate) fn take(&self, bytes: u64) -> Result<Block> {
        let exhausted = |why: String| {
            Error::new(Code::ResourceExhausted, format!("no device memory for {bytes} bytes: {why}"))
        };
        let (class, size) = class_of(bytes).ok_or_else(|| exhausted("no such size".to_owned()))?;
        let mut state = self.0.state.lock();
        let live = state.statistics.live_bytes;
        if size > self.0.bytes_max.saturating_sub(live) {
            state.statistics.refusals += 1;
            let limit = self.0.bytes_max;
            return Err(exhausted(format!("{live} of at most {limit} are in use")));
        }
        state.statistics.allocations += 1;
        state.statistics.live_bytes += size;
        state.statistics.peak_bytes = state.statistics.peak_bytes.max(live + size);
        if let Some(block) = state.idle.get_mut(class).and_then(Vec::pop) {
            state.statistics.reuses += 1;
            state.statistics.idle_bytes -= size;
            return Ok(block);
        }
        // I1: idle blocks give way to live ones.
        let idle = match live + size + state.statistics.idle_bytes > self.0.bytes_max {
            true => state.take_idle(),
            false => Vec::new(),
        };
        drop(state);
        drop(idle);
        let block = usize::try_from(size).ok().and_then(Block::new);
        block.ok_or_else(|| {
            self.0.state.lock().statistics.live_bytes -= size;
            exhausted("the system has none".to_owned())
        })
    }

    /// Takes a block back.
    pub(crate) fn give_back(&self, block: Block) {
        let size = block.bytes() as u64;
        let mut state = self.0.state.lock();
        state.statistics.live_bytes -= size;
        let fits = state.statistics.idle_bytes + size <= RETAINED_BYTES_MAX.min(self.0.bytes_max);
        let Some((class, _)) = class_of(size).filter(|_| fits) else {
            drop(state);
            return drop(block);
        };
        if state.idle.len() <= class {
            state.idle.resize_with(class + 1, Vec::new);
        }
        if state.idle[class].len() < RETAINED_BLOCKS_MAX {
            state.statistics.idle_bytes += size;
            state.idle[class].push(block);
            return;
        }
        drop(state);
        drop(block);
    }

    /// A buffer that was used before, without storage.
    pub(crate) fn spare_buffer(&self) -> Option<Dead<Buffer>> {
        self.0.buffers.pop()
    }

    /// Keeps a buffer without storage for the next.
    pub(crate) fn keep_buffer(&self, buffer: Dead<Buffer>) {
        self.0.buffers.keep(buffer);
    }
}

impl State {
    fn take_idle(&mut self) -> Vec<Vec<Block>> {
        self.statistics.idle_bytes = 0;
        std::mem::take(&mut self.idle)
    }
}

impl fmt::Debug for Allocator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Allocator({} of {} bytes)", self.statistics().live_bytes, self.0.bytes_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_in_order_and_fit() {
        let fits = |bytes: u64| {
            let (class, size) = class_of(bytes).unwrap();
            assert!(size >= bytes && size.is_multiple_of(64), "{bytes}");
            assert!(size <= 256 || size * 4 <= bytes * 5 + 4 * 64, "{bytes} -> {size}");
            assert_eq!(class_of(size), Some((class, size)), "{bytes}");
            (class, size)
        };
        (1..40).flat_map(|power| [(1 << power) - 1, 1 << power, (1 << power) + 1]).for_each(|bytes| {
            fits(bytes);
        });
        let mut last = fits(1);
        for bytes in 2..5000 {
            let next = fits(bytes);
            assert!(next == last || (next.0 == last.0 + 1 && next.1 > last.1), "{bytes}: {last:?}, {next:?}");
            last = next;
        }
        assert_eq!(class_of(u64::MAX), None);
    }

    #[test]
    fn blocks_are_reused_and_limited() {
        let allocator = Allocator::new(4096);
        let first = allocator.take(1000).unwrap();
        let address = first.address();
        assert_eq!(allocator.statistics().live_bytes, 1024);
        assert_eq!(allocator.take(4000).err().unwrap().code(), Code::ResourceExhausted);
        allocator.give_back(first);
        let again = allocator.take(1001).unwrap();
        assert_eq!(again.address(), address);
        allocator.give_back(again);
        // What lies idle does not stand in the way.
        let large = allocator.take(4096).unwrap();
        let statistics = allocator.statistics();
        assert_eq!((statistics.live_bytes, statistics.idle_bytes), (4096, 0));
        assert_eq!((statistics.allocations, statistics.reuses, statistics.refusals), (3, 1, 1));
        allocator.give_back(large);
        allocator.trim();
        assert_eq!(allocator.statistics().idle_bytes, 0);
    }
}
