//! Tiles that one thread runs in a row.
//!
//! Not here: how many at once, and what a failure means (`dispatch.rs`).
//!
//! The loop over the tiles is in the graph's own function (`GraphBuilder::dispatch_indirect`), where the compiler knows the
//! tile's: a call for each tile costs more than a small tile does.

use crate::context::TileCx;
use crate::cursor::advance;

/// See the head of this file.
pub(crate) struct Sweep<'a> {
    left: u64,
    /// Of the tile that was handed out last.
    pub(crate) cx: TileCx<'a>,
}

impl<'a> Sweep<'a> {
    /// So many tiles after the one in `cx`.
    pub(crate) fn new(cx: TileCx<'a>, count: u64) -> Sweep<'a> {
        Sweep { left: count, cx }
    }

    /// The next tile, unless the run was stopped.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<&TileCx<'a>> {
        if self.left == 0 || self.cx.is_cancelled() {
            return None;
        }
        self.left -= 1;
        advance(&mut self.cx.tile, &self.cx.grid);
        Some(&self.cx)
    }

    /// Whether all have been handed out.
    pub(crate) fn is_over(&self) -> bool {
        self.left == 0
    }
}
