//! A graph of tasks: built once, submitted many times, several runs in flight.
//!
//! Not here: a run of it (`block.rs`).
//!
//! The builder's numbers are those of the graph: tasks are numbered in the order in which they are added. Successors of one
//! task that have consecutive numbers, no other predecessor and the same single successor (or none) form a
//! *range*: they cost no deque operation each, and other workers claim them in batches.

use crate::block::Block;
use crate::claim::Grid;
use crate::context::{TaskCx, TileCx};
use crate::node::{Cleanup, Next, Node, RangeShape, Work};
use crate::sweep::Sweep;
use crate::tuning::RANGE_TASKS_MIN;
use crate::waiting::{Limit, WaitPlan};
use raddle_status::{Code, Error, Result};
use raddle_sync::Mutex;
use raddle_sync::counter::{AtomicU64, Relaxed};
use raddle_wait::{Condition, Event, Moment, NEVER, Semaphore};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

/// What a task's function may return: nothing, or a result.
pub trait IntoResult {
    /// The result.
    ///
    /// # Errors
    /// The task's own.
    fn into_result(self) -> Result;
}

impl IntoResult for () {
    #[inline]
    fn into_result(self) -> Result {
        Ok(())
    }
}

impl IntoResult for Result {
    #[inline]
    fn into_result(self) -> Result {
        self
    }
}

/// A task of the graph that is being built.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TaskId {
    graph: u64,
    pub(crate) index: u32,
}

/// Builds a [`Graph`].
#[derive(Default)]
pub struct GraphBuilder {
    id: GraphId,
    works: Vec<Work>,
    edges: Vec<(u32, u32)>,
    waits: Vec<WaitPlan>,
    grids: Vec<Grid>,
    cleanups: Vec<(u32, Cleanup)>,
    /// What was wrong with a call that returns nothing: `build` says it.
    fault: Option<Error>,
}

/// Tells graphs apart, so that a task of another graph is an error. A number that is hardly ever drawn twice: what has an
/// address is replaced by something else at that address.
struct GraphId(u64);

impl Default for GraphId {
    fn default() -> GraphId {
        GraphId(RandomState::new().hash_one(()))
    }
}

impl GraphBuilder {
    /// A builder without tasks.
    pub fn new() -> GraphBuilder {
        GraphBuilder::default()
    }

    fn add(&mut self, work: Work) -> TaskId {
        let index = u32::try_from(self.works.len()).expect("a graph has fewer than 2^32 tasks");
        self.works.push(work);
        TaskId { graph: self.id.0, index }
    }

    /// A task that does nothing: a join, a fork, a place for edges (the classic nop and barrier).
    pub fn barrier(&mut self) -> TaskId {
        self.add(Work::Nop)
    }

    /// A task that calls `f` on a worker. Runs of the graph may call it at the same time.
    pub fn call<R: IntoResult>(&mut self, f: impl Fn(&TaskCx<'_>) -> R + Send + Sync + 'static) -> TaskId {
        self.add(Work::Call(Box::new(move |cx| f(cx).into_result().map_err(Box::new))))
    }

    /// A task that calls `f` in the first run; a second run fails with FAILED_PRECONDITION.
    pub fn call_once<R: IntoResult>(&mut self, f: impl FnOnce(&TaskCx<'_>) -> R + Send + 'static) -> TaskId {
        let once = Mutex::new(Some(f));
        self.call(move |cx| {
            let f = once.lock().take();
            f.ok_or_else(|| Error::new(Code::FailedPrecondition, "a call_once task was run a second time"))
                .and_then(|f| f(cx).into_result())
        })
    }

    /// A task that completes when the condition holds. No thread is parked meanwhile.
    pub fn wait(&mut self, condition: impl Into<Condition>) -> TaskId {
        self.wait_plan(WaitPlan { condition: condition.into(), limit: Limit::None })
    }

    /// The same, failing with DEADLINE_EXCEEDED when `timeout` has passed since the task became ready.
    pub fn wait_timeout(&mut self, condition: impl Into<Condition>, timeout: Duration) -> TaskId {
        self.wait_plan(WaitPlan { condition: condition.into(), limit: Limit::Deadline(timeout) })
    }

    /// A task that completes when `delay` has passed since it became ready. Never early.
    pub fn delay(&mut self, delay: Duration) -> TaskId {
        let never: Condition = Arc::new(Event::manual()).into();
        self.wait_plan(WaitPlan { condition: never, limit: Limit::Delay(delay) })
    }

    fn wait_plan(&mut self, plan: WaitPlan) -> TaskId {
        self.waits.push(plan);
        let index = self.waits.len() as u32 - 1;
        self.add(Work::Wait(index))
    }

    /// A task that sets an event when everything before it has completed (the classic fence).
    pub fn signal(&mut self, event: Arc<Event>) -> TaskId {
        self.call(move |_| event.set())
    }

    /// A task that signals a semaphore when everything before it has completed (the classic fence).
    pub fn signal_semaphore(&mut self, semaphore: Arc<Semaphore>, value: u64) -> TaskId {
        self.call(move |_| semaphore.signal(value))
    }

    /// A task that calls `f` for each tile of a grid `[x, y, z]`; workers claim tiles in batches. A grid with a
    /// zero completes at once. The first failing tile's error is the task's.
    pub fn dispatch<R: IntoResult>(
        &mut self,
        grid: [u32; 3],
        f: impl Fn(&TileCx<'_>) -> R + Send + Sync + 'static,
    ) -> TaskId {
        self.dispatch_indirect(move |_| grid, f)
    }

    /// The same with a grid that is read when the task becomes ready.
    pub fn dispatch_indirect<R: IntoResult>(
        &mut self,
        grid: impl Fn(&TaskCx<'_>) -> [u32; 3] + Send + Sync + 'static,
        f: impl Fn(&TileCx<'_>) -> R + Send + Sync + 'static,
    ) -> TaskId {
        let tiles = Box::new(move |sweep: &mut Sweep<'_>| {
            while let Some(cx) = sweep.next() {
                f(cx).into_result()?;
            }
            Ok(())
        });
        self.grids.push(Grid::new(Box::new(grid), tiles));
        let index = self.grids.len() as u32 - 1;
        self.add(Work::Dispatch(index))
    }

    /// Calls `cleanup` exactly once per run after the task: with `Ok` if it ran to its end (whatever it returned),
    /// with ABORTED if it was discarded. A task of another graph is an error that [`build`](GraphBuilder::build) returns.
    pub fn cleanup(&mut self, task: TaskId, cleanup: impl Fn(Result) + Send + Sync + 'static) {
        if task.graph != self.id.0 {
            let error = Error::new(Code::InvalidArgument, "a cleanup names a task of another graph");
            self.fault.get_or_insert(error);
            return;
        }
        self.cleanups.push((task.index, Box::new(cleanup)));
    }

    /// `after` runs when `before` has completed.
    ///
    /// # Errors
    /// INVALID_ARGUMENT when a task belongs to another graph.
    pub fn edge(&mut self, before: TaskId, after: TaskId) -> Result {
        if before.graph != self.id.0 || after.graph != self.id.0 {
            return Err(Error::new(Code::InvalidArgument, "an edge names a task of another graph"));
        }
        self.edges.push((before.index, after.index));
        Ok(())
    }

    /// Edges from each task to the next.
    ///
    /// # Errors
    /// As for [`edge`](GraphBuilder::edge).
    pub fn chain(&mut self, tasks: impl IntoIterator<Item = TaskId>) -> Result {
        let mut last = None;
        for task in tasks {
            if let Some(last) = last.replace(task) {
                self.edge(last, task)?;
            }
        }
        Ok(())
    }

    /// Checks the edges and lays the graph out.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for a cycle, naming a task of it; for an empty graph; for a cleanup of another graph's task.
    pub fn build(self) -> Result<Arc<Graph>> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let count = self.works.len();
        if count == 0 {
            return Err(Error::new(Code::InvalidArgument, "a graph without tasks"));
        }
        let shape = Shape::new(count, &self.edges);
        shape.check_acyclic()?;
        let mut ranges = Vec::new();
        let nexts: Vec<Next> = (0..count).map(|task| shape.next(task, &mut ranges)).collect();
        let sinks = nexts.iter().filter(|next| matches!(next, Next::End)).count() as u32;
        let roots = (0..count as u32).filter(|&task| shape.initial[task as usize] == 0).collect();
        let works = self.works.into_iter().zip(nexts).zip(&shape.initial);
        let mut nodes: Vec<Node> = works
            .map(|((work, next), &initial)| Node { work, next, has_cleanup: false, is_join: initial > 1 })
            .collect();
        let mut cleanups: Vec<(u32, Cleanup)> = self.cleanups;
        cleanups.sort_by_key(|(task, _)| *task);
        for (task, _) in &cleanups {
            nodes[*task as usize].has_cleanup = true;
        }
        Ok(Arc::new(Graph {
            nodes,
            successors: shape.successors,
            initial: shape.initial,
            roots,
            sinks,
            ranges,
            waits: self.waits.into(),
            grids: self.grids,
            cleanups,
            is_once: false,
            cost_ns: AtomicU64::new(crate::tuning::WAKE_WORTH_NS),
            blocks: Mutex::new(Vec::new()),
        }))
    }
}

/// Edges by predecessor.
struct Shape {
    starts: Vec<u32>,
    successors: Vec<u32>,
    initial: Vec<u32>,
}

impl Shape {
    fn new(count: usize, edges: &[(u32, u32)]) -> Shape {
        let mut starts = vec![0u32; count + 1];
        let mut initial = vec![0u32; count];
        for &(before, after) in edges {
            starts[before as usize + 1] += 1;
            initial[after as usize] += 1;
        }
        for task in 0..count {
            starts[task + 1] += starts[task];
        }
        let mut filled = starts.clone();
        let mut successors = vec![0; edges.len()];
        for &(before, after) in edges {
            successors[filled[before as usize] as usize] = after;
            filled[before as usize] += 1;
        }
        Shape { starts, successors, initial }
    }

    fn of(&self, task: usize) -> &[u32] {
        &self.successors[self.starts[task] as usize..self.starts[task + 1] as usize]
    }

    fn check_acyclic(&self) -> Result {
        let mut pending = self.initial.clone();
        let mut ready: Vec<u32> =
            (0..pending.len() as u32).filter(|&task| pending[task as usize] == 0).collect();
        let mut met = 0;
        while let Some(task) = ready.pop() {
            met += 1;
            for &after in self.of(task as usize) {
                pending[after as usize] -= 1;
                if pending[after as usize] == 0 {
                    ready.push(after);
                }
            }
        }
        if met == pending.len() {
            return Ok(());
        }
        let stuck = pending.iter().position(|&count| count > 0).expect("a task was not met");
        Err(Error::new(
            Code::InvalidArgument,
            format!("the graph has a cycle; task {stuck} is on it or after it"),
        ))
    }

    fn next(&self, task: usize, ranges: &mut Vec<RangeShape>) -> Next {
        match *self.of(task) {
            [] => Next::End,
            [after] => Next::One { after, is_sole: self.initial[after as usize] == 1 },
            [first, ..] => match self.range(self.of(task)) {
                Some(join) => {
                    ranges.push(RangeShape { first, count: self.of(task).len() as u32, join });
                    Next::Range(ranges.len() as u32 - 1)
                }
                None => Next::Many { start: self.starts[task], end: self.starts[task + 1] },
            },
        }
    }

    /// Whether these tasks form a range, and the task that joins them ([`RangeShape::NO_JOIN`] for none).
    fn range(&self, tasks: &[u32]) -> Option<u32> {
        let join_of = |task: u32| match *self.of(task as usize) {
            [] => Some(RangeShape::NO_JOIN),
            [join] => Some(join),
            _ => None,
        };
        let join = join_of(tasks[0])?;
        let is_range = tasks.len() >= RANGE_TASKS_MIN
            && tasks.windows(2).all(|pair| pair[1] == pair[0] + 1)
            && tasks.iter().all(|&task| self.initial[task as usize] == 1 && join_of(task) == Some(join));
        is_range.then_some(join)
    }
}

/// A graph that can be submitted. Thread-safe; shared by its runs.
pub struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) successors: Vec<u32>,
    pub(crate) initial: Vec<u32>,
    pub(crate) roots: Vec<u32>,
    pub(crate) sinks: u32,
    pub(crate) ranges: Vec<RangeShape>,
    pub(crate) waits: Box<[WaitPlan]>,
    pub(crate) grids: Vec<Grid>,
    cleanups: Vec<(u32, Cleanup)>,
    /// Its runs bring the function that they call.
    pub(crate) is_once: bool,
    /// What a task costs, as the runs so far found it. Unit: ns.
    pub(crate) cost_ns: AtomicU64,
    /// Blocks of runs that have ended, for the next ones.
    pub(crate) blocks: Mutex<Vec<Box<Block>>>,
}

impl Graph {
    /// How many tasks it has.
    pub fn task_count(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn cleanups_of(&self, task: u32) -> impl Iterator<Item = &Cleanup> {
        let first = self.cleanups.partition_point(|(other, _)| *other < task);
        self.cleanups[first..].iter().take_while(move |(other, _)| *other == task).map(|(_, cleanup)| cleanup)
    }

    /// Learns from a measurement.
    pub(crate) fn learn_cost(&self, each_ns: u64) {
        let known = self.cost_ns.load(Relaxed);
        let next = each_ns.max(known / 2);
        if next != known {
            self.cost_ns.store(next, Relaxed);
        }
    }

    /// How many claims a run needs: one for each range, one for each grid.
    pub(crate) fn claim_count(&self) -> usize {
        self.ranges.len() + self.grids.len()
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Graph({} tasks, {} waits)", self.nodes.len(), self.waits.len())
    }
}

impl fmt::Debug for GraphBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GraphBuilder({} tasks, {} edges)", self.works.len(), self.edges.len())
    }
}

/// A delay added to a moment, saturating at [`NEVER`].
pub(crate) fn after(now: Moment, delay: Duration) -> Moment {
    u64::try_from(delay.as_nanos()).map_or(NEVER, |delay| now.saturating_add(delay))
}
