//! What a running task can reach.

use crate::block::{Block, BlockRef};
use crate::executor::SubmitOptions;
use crate::graph::{Graph, TaskId};
use crate::node::{CallResult, Work};
use crate::run_handle::Run;
use crate::scope::Scope;
use crate::worker::Cx;
use raddle_status::Result;
use raddle_sync::atomic::{AtomicBool, Ordering::Relaxed};
use raddle_wait::Moment;
use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

/// What a running task can reach. It lives as long as the task's function runs.
pub struct TaskCx<'a> {
    pub(crate) block: &'a Block,
    pub(crate) under_way: &'a UnderWay,
    pub(crate) cx: Cx<'a>,
}

impl<'a> TaskCx<'a> {
    /// The number of the task in its graph, in the order in which the tasks were added.
    pub fn task(&self) -> u32 {
        self.under_way.task.get()
    }

    /// The scope of the run.
    pub fn scope(&self) -> &Scope {
        &self.block.state().scope
    }

    /// Whether the run was stopped; a long task may look and return early.
    pub fn is_cancelled(&self) -> bool {
        self.block.is_stopped.load(Relaxed)
    }

    /// The flag behind [`is_cancelled`](TaskCx::is_cancelled), for code that looks at a flag now and then and knows nothing of
    /// tasks. It belongs to this run alone: it is set at most once, and never by a request that was meant for another.
    pub fn stop_flag(&self) -> &AtomicBool {
        &self.block.is_stopped
    }

    /// The number of the worker that runs the task; a thread that lends itself has a number beyond the workers'.
    pub fn worker_index(&self) -> usize {
        self.cx.local.index
    }

    /// Which child of its condition ended a wait task before this one: for a wait for any the index of the first, otherwise
    /// 0. `None` if no child did (it was a delay, or cancelled), for what is no wait task, and for one that has not ended.
    pub fn fired(&self, wait: TaskId) -> Option<usize> {
        match self.block.state().graph.nodes.get(wait.index as usize)?.work {
            Work::Wait(wait) => self.block.waits[wait as usize].fired(),
            _ => None,
        }
    }

    /// Submits nested work: this task completes, and its failure counts, when that has ended.
    ///
    /// The nested run is of this task's scope. Blocks: never.
    ///
    /// # Errors
    /// FAILED_PRECONDITION when the executor is shutting down.
    pub fn submit(&self, graph: &Arc<Graph>) -> Result<Run> {
        let cell = &self.block.cells[self.task() as usize];
        match self.under_way.has_nested.replace(true) {
            // Nobody else counts this cell while the task runs: one for the function, one for the nested run, which gets
            // to know of it by being enqueued.
            false => cell.pending.store(2, Relaxed),
            true => {
                cell.pending.fetch_add(1, Relaxed);
            }
        }
        let options = SubmitOptions {
            parent: Some((BlockRef::of(self.block), self.task())),
            ..SubmitOptions::default()
        };
        let run = crate::executor::submit(graph, self.scope(), options);
        if run.is_err() {
            cell.pending.fetch_sub(1, Relaxed);
        }
        run
    }
}

impl fmt::Debug for TaskCx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskCx(task {} on worker {})", self.task(), self.worker_index())
    }
}

/// What a running tile of a dispatch can reach.
pub struct TileCx<'a> {
    /// Which tile this is: x, y, z.
    pub tile: [u32; 3],
    /// The extents of the grid.
    pub grid: [u32; 3],
    pub(crate) block: &'a Block,
    pub(crate) cx: Cx<'a>,
}

impl TileCx<'_> {
    /// Whether the run was stopped; a long tile may look and return early.
    pub fn is_cancelled(&self) -> bool {
        self.block.is_stopped.load(Relaxed)
    }

    /// The number of the worker that runs the tile.
    pub fn worker_index(&self) -> usize {
        self.cx.local.index
    }
}

impl fmt::Debug for TileCx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TileCx({:?} of {:?})", self.tile, self.grid)
    }
}

/// The call that is under way, on the stack outside of the guard that catches its panic.
#[derive(Default)]
pub(crate) struct UnderWay {
    /// How many tasks were executed in a row, with this one.
    pub(crate) executed: Cell<u32>,
    /// When one of them ended, and which.
    noted: Cell<(u32, Moment)>,
    pub(crate) task: Cell<u32>,
    /// Whether it has submitted nested work.
    pub(crate) has_nested: Cell<bool>,
    /// How it ended, if it did not end simply.
    pub(crate) result: Cell<Option<CallResult>>,
}

impl UnderWay {
    /// The task that is under way has ended at this moment.
    pub(crate) fn note(&self, moment: Moment) {
        self.noted.set((self.executed.get(), moment));
    }

    /// When the task before this one ended, if that was noted: now, for whoever would look at the clock.
    pub(crate) fn noted_before(&self) -> Option<Moment> {
        let (which, moment) = self.noted.get();
        (which + 1 == self.executed.get() && moment > 0).then_some(moment)
    }
}
