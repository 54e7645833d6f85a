//! A dispatch in a run: how many tiles it has, who runs them, and what a tile costs.
//!
//! Not here: how tiles are handed out (`claim.rs`), and which comes next (`cursor.rs`).

use crate::block::{Block, DISCARDED};
use crate::context::{TaskCx, TileCx, UnderWay};
use crate::cursor::before;
use crate::run::{Then, guard};
use crate::sweep::Sweep;
use crate::tuning::{CLAIM_NS, WAKE_WORTH_NS};
use crate::worker::Cx;
use raddle_status::{Code, Error};
use raddle_sync::atomic::Ordering::Relaxed;
use raddle_wait::Moment;
use std::ops::Range;

impl Block {
    /// Runs a dispatch: alone if it is small.
    pub(crate) fn dispatch(
        &self,
        task: u32,
        grid: usize,
        &TaskCx { under_way: row, cx, .. }: &TaskCx<'_>,
    ) -> Then {
        let graph = &*self.state().graph;
        let plan = &graph.grids[grid];
        let under_way = UnderWay::default();
        under_way.task.set(task);
        let task_cx = TaskCx { block: self, under_way: &under_way, cx };
        let extents = match guard(|| Ok((plan.extents)(&task_cx))) {
            Ok(extents) => extents,
            Err(error) => {
                self.fail(error.within(format!("in the extents of dispatch {task}")));
                [0; 3]
            }
        };
        let count = extents.iter().try_fold(1u64, |count, &extent| count.checked_mul(u64::from(extent)));
        let Some(count) = count else {
            let message = format!("dispatch {task} has {extents:?} tiles, more than 2^64");
            self.fail(Error::new(Code::ResourceExhausted, message));
            return self.completed(task, Ok(()));
        };
        let claim = &self.claims[graph.ranges.len() + grid];
        claim.set_extents(extents);
        let cost = plan.cost_ns.load(Relaxed).max(1);
        let is_small = cost.saturating_mul(count) <= WAKE_WORTH_NS || cx.core.worker_count <= 1;
        if is_small {
            let start = row.noted_before().unwrap_or_else(|| cx.core.now());
            row.note(self.run_tiles(task, grid, 0..count, start, cx));
            return self.completed(task, Ok(()));
        }
        let fair = count / (4 * cx.core.worker_count as u64);
        claim.open(task, 0..count, (CLAIM_NS / cost).min(fair).max(1));
        self.offer(claim, cx)
    }

    /// Runs tiles from now, which is `start`; returns when they ended.
    pub(crate) fn run_tiles(
        &self,
        task: u32,
        grid: usize,
        tiles: Range<u64>,
        start: Moment,
        cx: Cx<'_>,
    ) -> Moment {
        let graph = &*self.state().graph;
        let plan = &graph.grids[grid];
        let extents = self.claims[graph.ranges.len() + grid].extents();
        let count = tiles.end - tiles.start;
        let tile = before(extents, tiles.start);
        let mut sweep = Sweep::new(TileCx { tile, grid: extents, block: self, cx }, count);
        while !sweep.is_over() {
            // One guard for as many tiles as succeed.
            match guard(|| (plan.tiles)(&mut sweep)) {
                Err(error) => {
                    self.fail(error.within(format!("in tile {:?} of dispatch {task}", sweep.cx.tile)));
                }
                Ok(()) if sweep.is_over() => {}
                Ok(()) => {
                    self.note_discarded(DISCARDED);
                    break;
                }
            }
        }
        let end = cx.core.now();
        let each = (end - start) / count.max(1);
        let known = plan.cost_ns.load(Relaxed);
        let next = each.max(known - known.div_ceil(8));
        if next != known {
            plan.cost_ns.store(next, Relaxed);
        }
        end
    }
}
