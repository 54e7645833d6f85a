//! Sections that block: a task that says so leaves its worker's work to others meanwhile.
//!
//! Not here: waits of ours that block (`blocking.rs`).
//!
//! # What a task that blocks does
//! A task that blocks without a word (a read of a file, a foreign lock) keeps its worker: what lies in the worker's queues is
//! stolen by workers that are awake, but nobody is woken for it; tasks of the same range that the worker has taken, and what
//! the task makes ready, wait. Waits go on firing while one worker is idle. With every worker inside such a task, nothing
//! happens until one returns.
//!
//! Inside a section, work that is left behind wakes another worker, the poller role goes to one that is idle, and what the
//! section itself signals goes to the shared lists. It starts no thread.

use crate::context::{TaskCx, TileCx};
use crate::worker::Cx;
use raddle_sync::atomic::Ordering::Relaxed;
use std::fmt;

/// A section that blocks; it ends when this is dropped. See [`TaskCx::blocking_section`].
#[must_use = "the section ends when this is dropped"]
pub struct BlockingSection<'a> {
    cx: Cx<'a>,
    was_giving: bool,
}

impl<'a> BlockingSection<'a> {
    fn begin(cx: Cx<'a>) -> BlockingSection<'a> {
        cx.core.in_sections.fetch_add(1, Relaxed);
        let was_giving = cx.local.gives_all_away.replace(true);
        cx.local.hand_over(cx.core);
        BlockingSection { cx, was_giving }
    }
}

impl Drop for BlockingSection<'_> {
    fn drop(&mut self) {
        self.cx.local.gives_all_away.set(self.was_giving);
        self.cx.core.in_sections.fetch_sub(1, Relaxed);
        // What passed is no measure of what a task costs.
        self.cx.local.woke(self.cx.core.now());
    }
}

impl fmt::Debug for BlockingSection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockingSection(worker {})", self.cx.local.index)
    }
}

impl TaskCx<'_> {
    /// Calls `f`, which will block: other workers take over what this one leaves, its turn at the wait set included.
    ///
    /// A panic in `f` is the task's. It costs up to one wake-up of another worker.
    pub fn blocking<R>(&self, f: impl FnOnce() -> R) -> R {
        let _section = self.blocking_section();
        f()
    }

    /// The same as a guard.
    pub fn blocking_section(&self) -> BlockingSection<'_> {
        BlockingSection::begin(self.cx)
    }
}

impl TileCx<'_> {
    /// As [`TaskCx::blocking`].
    pub fn blocking<R>(&self, f: impl FnOnce() -> R) -> R {
        let _section = BlockingSection::begin(self.cx);
        f()
    }
}
