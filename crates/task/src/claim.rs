//! Work that several threads take in batches: the tasks of a range, the tiles of a dispatch.
//!
//! Not here: what a task or a tile does (`run.rs`).
//!
//! A thread that opens a claim offers it by a *token*: the claim's header, which is in at most one deque. Who takes the
//! token puts it back for others if anything is left, and takes batches until nothing is.
//!
//! # Invariants
//! - I1: each unit is handed out once. [mutants: claim.take]
//! - I2: while a claim is open, its run counts the token and every thread that takes batches, so that the run's
//!   block is not reused while one of them can still touch it. [mutants: claim.token]
//! - I3: the thread that hands in the last units has everything that the others wrote in theirs. [mutants: claim.hand_in]
//!
//! # Orderings
//! `take` needs no order: it hands out numbers. `hand_in` is AcqRel (I3). The fields written by `open` are read by whoever
//! got the token through a deque, which orders them.
//! Models: `tests/loom_claim.rs`.

use crate::context::TaskCx;
use crate::header::{Header, Owner};
use crate::sweep::Sweep;
use raddle_status::Result;
use raddle_sync::atomic::{AtomicU32, AtomicU64, Ordering::*};
use raddle_sync::counter;
use raddle_sync::ord;
use std::ops::Range;
use std::ptr::NonNull;

/// See the head of this file.
pub(crate) struct Claim {
    /// The token.
    pub(crate) header: Header,
    next: AtomicU64,
    end: AtomicU64,
    batch: AtomicU64,
    /// Units not yet handed in.
    left: AtomicU64,
    /// The task before the range, or the dispatch.
    pub(crate) task: AtomicU32,
    extents: [AtomicU32; 3],
}

impl Claim {
    pub(crate) fn new(owner: NonNull<Owner>, index: u32) -> Claim {
        Claim {
            header: Header::new(owner, 0, index),
            next: AtomicU64::new(0),
            end: AtomicU64::new(0),
            batch: AtomicU64::new(1),
            left: AtomicU64::new(0),
            task: AtomicU32::new(0),
            extents: [AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0)],
        }
    }

    /// Makes `units` available in batches. The claim is nobody else's yet.
    pub(crate) fn open(&self, task: u32, units: Range<u64>, batch: u64) {
        debug_assert!(batch >= 1);
        self.task.store(task, Relaxed);
        self.end.store(units.end, Relaxed);
        self.batch.store(batch, Relaxed);
        self.left.store(units.end - units.start, Relaxed);
        self.next.store(units.start, Relaxed);
    }

    /// The extents of a dispatch, before it is opened.
    pub(crate) fn set_extents(&self, extents: [u32; 3]) {
        for (field, extent) in self.extents.iter().zip(extents) {
            field.store(extent, Relaxed);
        }
    }

    pub(crate) fn extents(&self) -> [u32; 3] {
        self.extents.each_ref().map(|extent| extent.load(Relaxed))
    }

    /// The next batch.
    pub(crate) fn take(&self) -> Option<Range<u64>> {
        let (batch, end) = (self.batch.load(Relaxed), self.end.load(Relaxed));
        if self.is_spent() {
            return None;
        }
        let start = match raddle_sync::mutant!("claim.take") {
            true => {
                let start = self.next.load(Relaxed);
                self.next.store(start + batch, Relaxed);
                start
            }
            false => self.next.fetch_add(batch, Relaxed),
        };
        (start < end).then(|| start..end.min(start + batch))
    }

    /// Whether nothing is left to take.
    pub(crate) fn is_spent(&self) -> bool {
        self.next.load(Relaxed) >= self.end.load(Relaxed)
    }

    /// Hands in finished units; says whether they were the last.
    pub(crate) fn hand_in(&self, units: u64) -> bool {
        self.left.fetch_sub(units, ord!("claim.hand_in", AcqRel)) == units
    }
}

/// The extents of a dispatch, asked when it becomes ready.
type Extents = Box<dyn Fn(&TaskCx<'_>) -> [u32; 3] + Send + Sync>;
/// Runs tiles until none is left or one has failed.
type Tiles = Box<dyn Fn(&mut Sweep<'_>) -> Result + Send + Sync>;

/// What a dispatch does.
pub(crate) struct Grid {
    pub(crate) extents: Extents,
    pub(crate) tiles: Tiles,
    /// What a tile costs, as the runs so far found it. Unit: ns.
    pub(crate) cost_ns: counter::AtomicU64,
}

impl Grid {
    pub(crate) fn new(extents: Extents, tiles: Tiles) -> Grid {
        Grid { extents, tiles, cost_ns: counter::AtomicU64::new(crate::tuning::WAKE_WORTH_NS) }
    }
}
