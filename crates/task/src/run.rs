//! Running the tasks of a block: what each kind does, and what becomes ready after it.
//!
//! Not here: the block's life (`block.rs`), batches (`claim.rs`), grids (`dispatch.rs`).
//!
//! # Invariants
//! - I1: every task of a run is executed or discarded exactly once, and its cleanup called exactly once after that.
//!   (by construction: `execute` is reached by the one thread that made the task ready)
//! - I2: after `finish`, a share that was handed in, or a wait that went to wait, nothing of the block is touched.
//!   [mutants: run.nothing]
//! - I3: a panic in a task becomes a failure of its run; the loop goes on behind it.
//!   (by construction: foreign code is only called through `guard`)

#![allow(unsafe_code)]

use crate::block::{Block, BlockRef, DISCARDED, Special, WAIT_ENDED};
use crate::claim::Claim;
use crate::context::{TaskCx, UnderWay};
use crate::graph::Graph;
use crate::header::TaskRef;
use crate::node::{Next, Node, RangeShape, Work};
use crate::tuning::*;
use crate::worker::Cx;
use raddle_status::{Code, Error, Result, panic_message};
use raddle_sync::atomic::Ordering::*;
use raddle_sync::{mutant, ord};
use raddle_wait::{Moment, Outcome, Progress};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

/// The `run` of every header of a block.
pub(crate) fn run_task(task: TaskRef, cx: Cx<'_>) -> Option<TaskRef> {
    let index = task.index();
    // SAFETY: the owner of a block's headers is the block, which its run keeps.
    let block: &Block = unsafe { task.owner() };
    let then = if (index as usize) < block.cells.len() {
        Then::Execute(index)
    } else {
        match block.special(index) {
            Special::Entry => block.begin(cx),
            Special::Wait(wait) => block.resume_wait(wait, cx),
            Special::Token(claim) => block.take_token(claim, cx),
        }
    };
    run_from(BlockRef::of(block), then, cx)
}

/// What the thread does next in a block.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Then {
    Execute(u32),
    Complete(u32),
    /// Nothing that is this thread's.
    Nothing,
    /// The last of the run was handed in.
    Finish,
}

/// Runs a task and those that follow directly, up to a bound, and on into the parent of a run that ends.
fn run_from(mut this: BlockRef, mut then: Then, cx: Cx<'_>) -> Option<TaskRef> {
    let under_way = UnderWay::default();
    loop {
        // SAFETY: the run goes on, so its block is held, until `Finish` or `Nothing` (I2).
        let block = unsafe { this.get() };
        let advanced = match then {
            // Nothing of the block may be touched, not even what the run has: others may end it (I2).
            Then::Nothing | Then::Finish if !mutant!("run.nothing") => Ok(then),
            _ => catch_unwind(AssertUnwindSafe(|| block.advance(then, &under_way, cx))),
        };
        then = match advanced {
            Ok(Then::Finish) => match end(this) {
                Some((parent, task)) => {
                    this = parent;
                    // SAFETY: the parent's run goes on until its nested work has ended, which is now.
                    unsafe { parent.get() }.after_nested(task)
                }
                None => break,
            },
            Ok(Then::Execute(task)) => {
                count(&under_way, cx);
                return Some(block.task_ref(task));
            }
            Ok(_) => break,
            Err(payload) => block.called(&under_way, Err(panic_message(&*payload))),
        };
    }
    count(&under_way, cx);
    None
}

/// Counts the tasks of a stretch; whoever ran it takes note of it as one thing.
fn count(under_way: &UnderWay, cx: Cx<'_>) {
    let executed = under_way.executed.get();
    cx.local.count(cx.core, executed);
    cx.local.ran(executed.saturating_sub(1));
}

/// Ends a run; returns the parent's task if this was the last of its nested work.
fn end(this: BlockRef) -> Option<(BlockRef, u32)> {
    let (parent, task) = Block::finish(this)?;
    // SAFETY: the parent's run goes on until its nested work has ended.
    let cell = unsafe { &parent.get().cells[task as usize] };
    (cell.pending.fetch_sub(1, ord!("nested.child", AcqRel)) == 1).then_some((parent, task))
}

impl Block {
    /// Executes and completes until there is nothing left to do here, or the bound is reached.
    fn advance(&self, mut then: Then, under_way: &UnderWay, cx: Cx<'_>) -> Then {
        let graph = &*self.state().graph;
        let task_cx = TaskCx { block: self, under_way, cx };
        let tasks_max = cx.local.tasks_until_look().clamp(1, INLINE_TASKS_MAX);
        loop {
            then = match then {
                Then::Execute(_) if under_way.executed.get() >= tasks_max => return then,
                Then::Execute(task) => {
                    under_way.executed.set(under_way.executed.get() + 1);
                    let node = &graph.nodes[task as usize];
                    if self.call_simply(node, task, &task_cx) {
                        // The most common case by far, without a detour.
                        match node.next {
                            Next::One { after, is_sole: true } if !node.is_join => Then::Execute(after),
                            _ => self.complete(graph, task, cx),
                        }
                    } else {
                        self.execute(node, task, &task_cx)
                    }
                }
                Then::Complete(task) => self.complete(graph, task, cx),
                Then::Nothing | Then::Finish => return then,
            };
        }
    }

    /// Makes the call of a task that is nothing but one: `true` if that was all. Otherwise the call was not made, or
    /// `under_way` keeps how it ended.
    #[inline(always)]
    fn call_simply(&self, node: &Node, task: u32, task_cx: &TaskCx<'_>) -> bool {
        let Work::Call(call) = &node.work else { return false };
        if node.has_cleanup || self.is_stopped.load(Relaxed) {
            return false;
        }
        let under_way = task_cx.under_way;
        under_way.task.set(task);
        let result = call(task_cx);
        if result.is_ok() && !under_way.has_nested.get() {
            return true;
        }
        under_way.result.set(Some(result));
        false
    }

    /// The duty to run a task that was made ready.
    fn task_ref(&self, task: u32) -> TaskRef {
        // SAFETY: only called for tasks whose count this thread took to zero.
        unsafe { TaskRef::new(NonNull::from(&self.cells[task as usize])) }
    }

    /// Begins the run: every root is ready.
    fn begin(&self, cx: Cx<'_>) -> Then {
        self.note_begun();
        let roots = &self.state().graph.roots;
        for &root in &roots[1..] {
            cx.local.push(cx.core, self.task_ref(root));
        }
        if roots.len() > 1 {
            cx.local.share(cx.core);
        }
        Then::Execute(roots[0])
    }

    /// The last of a call's function and its nested runs has ended.
    fn after_nested(&self, task: u32) -> Then {
        self.cells[task as usize].pending.store(self.state().graph.initial[task as usize], Relaxed);
        if let Some(error) = self.kept_failure(task) {
            self.fail(error);
        }
        self.completed(task, Ok(()))
    }

    /// Does what a task does, or discards it; or goes on with a call that `call_simply` has made.
    fn execute(&self, node: &Node, task: u32, task_cx: &TaskCx<'_>) -> Then {
        let under_way = task_cx.under_way;
        if let Some(result) = under_way.result.take() {
            return self.called(under_way, result.map_err(|error| *error));
        }
        if self.is_stopped.load(Relaxed) {
            return self.discard(task);
        }
        match &node.work {
            Work::Call(call) => {
                under_way.task.set(task);
                let result = call(task_cx);
                self.called(under_way, result.map_err(|error| *error))
            }
            Work::Nop => self.completed(task, Ok(())),
            Work::Wait(wait) => self.wait(*wait as usize, task_cx.cx),
            Work::Dispatch(grid) => self.dispatch(task, *grid as usize, task_cx),
        }
    }

    #[cold]
    fn discard(&self, task: u32) -> Then {
        self.note_discarded(DISCARDED);
        self.completed(task, Err(Error::new(Code::Aborted, "the task was discarded: its run was stopped")))
    }

    /// A call returned, with a failure, with nested work, or with a cleanup to come; or it panicked.
    #[cold]
    fn called(&self, under_way: &UnderWay, result: Result) -> Then {
        let task = under_way.task.get();
        let result = result.map_err(|error| error.within(format!("in task {task}")));
        if under_way.has_nested.take() {
            return self.call_with_nested(task, result);
        }
        if let Err(error) = result {
            self.fail(error);
        }
        self.completed(task, Ok(()))
    }

    /// Cleans up after a task (I1).
    #[cold]
    pub(crate) fn completed(&self, task: u32, result: Result) -> Then {
        let graph = &*self.state().graph;
        if graph.nodes[task as usize].has_cleanup {
            for cleanup in graph.cleanups_of(task) {
                let cleaned = guard(|| {
                    cleanup(result.clone());
                    Ok(())
                });
                if let Err(error) = cleaned {
                    self.fail(error.within(format!("in the cleanup of task {task}")));
                }
            }
        }
        Then::Complete(task)
    }

    /// A call returned whose nested work may still run: its failure is kept until that has ended.
    fn call_with_nested(&self, task: u32, result: Result) -> Then {
        if let Err(error) = result {
            self.keep_failure(task, error);
        }
        if self.cells[task as usize].pending.fetch_sub(1, ord!("nested.parent", AcqRel)) != 1 {
            return Then::Nothing;
        }
        self.after_nested(task)
    }

    fn wait(&self, wait: usize, cx: Cx<'_>) -> Then {
        let (cell, plan) = (&self.waits[wait], &self.state().graph.waits[wait]);
        // Counted before, since nothing may be touched after.
        cx.local.counters(cx.core).waits_begun.add(1);
        // SAFETY: this thread runs the wait's task; the run stays until the wait has ended.
        match unsafe { cell.begin(plan, &*cx.core.set) } {
            Ok(Progress::Waiting) => Then::Nothing,
            Ok(Progress::Done(outcome)) => {
                cx.local.counters(cx.core).waits_inline.add(1);
                self.end_wait(wait, outcome)
            }
            Err(error) => self.end_wait(wait, Outcome::Failed(error)),
        }
    }

    fn resume_wait(&self, wait: usize, cx: Cx<'_>) -> Then {
        // SAFETY: this thread runs the cell's task, which was scheduled.
        match unsafe { self.waits[wait].conclude(&*cx.core.set) } {
            Progress::Waiting => Then::Nothing,
            Progress::Done(outcome) => {
                cx.local.counters(cx.core).of_waits(&outcome).add(1);
                self.end_wait(wait, outcome)
            }
        }
    }

    fn end_wait(&self, wait: usize, outcome: Outcome) -> Then {
        let task = self.waits[wait].node;
        let is_cancelled = matches!(outcome, Outcome::Cancelled);
        self.waits[wait].note(&outcome);
        let result = self.state().graph.waits[wait].result(outcome);
        match &result {
            // Cancelled is no failure of its own: whoever stopped the run has said why.
            Err(_) if is_cancelled => self.note_discarded(WAIT_ENDED),
            Err(error) => self.fail(error.clone().within(format!("in wait task {task}"))),
            Ok(()) => {}
        }
        self.completed(task, if is_cancelled { result } else { Ok(()) })
    }

    /// Makes ready what a completed task was the last predecessor of.
    #[inline]
    fn complete(&self, graph: &Graph, task: u32, cx: Cx<'_>) -> Then {
        let node = &graph.nodes[task as usize];
        if node.is_join {
            // For the next run: everybody who counts this task down has done so.
            self.cells[task as usize].pending.store(graph.initial[task as usize], Relaxed);
        }
        match node.next {
            Next::One { after, is_sole: true } => Then::Execute(after),
            Next::One { after, is_sole: false } if self.count_down(after, 1) => Then::Execute(after),
            Next::One { .. } => Then::Nothing,
            Next::End => self.lowered(1),
            Next::Range(range) => self.run_range(task, range, cx),
            Next::Many { start, end } => {
                self.fan_out(graph, &graph.successors[start as usize..end as usize], cx)
            }
        }
    }

    fn lowered(&self, count: u32) -> Then {
        if self.lower(count) { Then::Finish } else { Then::Nothing }
    }

    /// Counts `count` predecessors of a task as completed; `true` if it is ready.
    #[inline]
    fn count_down(&self, task: u32, count: u32) -> bool {
        self.cells[task as usize].pending.fetch_sub(count, ord!("block.count_down", AcqRel)) == count
    }

    fn fan_out(&self, graph: &Graph, tasks: &[u32], cx: Cx<'_>) -> Then {
        let mut direct = None;
        let mut pushed = 0;
        for &task in tasks {
            if !graph.nodes[task as usize].is_join || self.count_down(task, 1) {
                match direct {
                    None => direct = Some(task),
                    Some(_) => {
                        cx.local.push(cx.core, self.task_ref(task));
                        pushed += 1;
                    }
                }
            }
        }
        if pushed > 0 {
            cx.local.share(cx.core);
        }
        direct.map_or(Then::Nothing, Then::Execute)
    }

    /// Runs a range: alone if it is small, otherwise the first tasks, and offers the rest.
    fn run_range(&self, before: u32, range: u32, cx: Cx<'_>) -> Then {
        let graph = &*self.state().graph;
        let RangeShape { first, count, join } = graph.ranges[range as usize];
        let tasks = first..first + count;
        let cost = graph.cost_ns.load(Relaxed).max(1);
        let own = (RANGE_OWN_NS / cost).min(u64::from(RANGE_OWN_TASKS)) as u32;
        if count <= own {
            let done = self.execute_span(tasks, cx);
            return self.join(join, done);
        }
        let middle = tasks.start + own.min(count);
        let (done, _) = self.execute_measured(tasks.start..middle, cx.core.now(), cx);
        let ready = self.join(join, done);
        if middle == tasks.end {
            return ready;
        }
        let claim = &self.claims[range as usize];
        let rest = u64::from(middle)..u64::from(tasks.end);
        let fair = (rest.end - rest.start) / (4 * cx.core.worker_count.max(1) as u64);
        let fitting = (CLAIM_NS / cost).clamp(1, u64::from(CLAIM_TASKS_MAX));
        claim.open(before, rest, fitting.min(fair.max(1)));
        self.offer(claim, cx)
    }

    /// Executes consecutive tasks from now, which is `start`, and learns what they cost; says how many have completed, and when
    /// that was.
    fn execute_measured(&self, tasks: Range<u32>, start: Moment, cx: Cx<'_>) -> (u32, Moment) {
        if tasks.is_empty() {
            return (0, start);
        }
        let count = tasks.len() as u64;
        let done = self.execute_span(tasks, cx);
        let end = cx.core.now();
        self.state().graph.learn_cost((end - start) / count);
        (done, end)
    }

    /// Executes consecutive tasks; says how many have completed.
    fn execute_span(&self, tasks: Range<u32>, cx: Cx<'_>) -> u32 {
        let graph = &*self.state().graph;
        cx.local.count(cx.core, tasks.len() as u32);
        cx.local.ran(tasks.len() as u32);
        let under_way = UnderWay::default();
        let (mut rest, mut done) = (tasks, 0);
        loop {
            let stretch = catch_unwind(AssertUnwindSafe(|| {
                let task_cx = TaskCx { block: self, under_way: &under_way, cx };
                for task in rest.by_ref() {
                    // What does not complete waits, or others have its tiles: it will complete by itself.
                    let node = &graph.nodes[task as usize];
                    let is_done = self.call_simply(node, task, &task_cx)
                        || matches!(self.execute(node, task, &task_cx), Then::Complete(_));
                    done += u32::from(is_done);
                }
            }));
            match stretch {
                Ok(()) => return done,
                Err(payload) => {
                    let then = self.called(&under_way, Err(panic_message(&*payload)));
                    done += u32::from(matches!(then, Then::Complete(_)));
                }
            }
        }
    }

    /// Counts tasks of a range as completed.
    fn join(&self, join: u32, done: u32) -> Then {
        match join {
            _ if done == 0 => Then::Nothing,
            RangeShape::NO_JOIN => self.lowered(done),
            join if self.count_down(join, done) => Then::Execute(join),
            _ => Then::Nothing,
        }
    }

    /// Offers an open claim to others and takes part in it.
    pub(crate) fn offer(&self, claim: &Claim, cx: Cx<'_>) -> Then {
        // The token, and this thread (I2 of `claim.rs`).
        self.remaining.fetch_add(if raddle_sync::mutant!("claim.token") { 0 } else { 2 }, Relaxed);
        self.offer_token(claim, cx);
        self.take_part(claim, cx)
    }

    fn offer_token(&self, claim: &Claim, cx: Cx<'_>) {
        // SAFETY: the token is in no queue: the claim was just opened, or the caller took the token out.
        cx.local.push(cx.core, unsafe { TaskRef::new(NonNull::from(&claim.header)) });
        cx.core.notify();
    }

    /// A token came out of a queue: passes it on and takes part, or ends it.
    fn take_token(&self, claim: usize, cx: Cx<'_>) -> Then {
        let claim = &self.claims[claim];
        if claim.is_spent() {
            return self.lowered(1);
        }
        self.remaining.fetch_add(if raddle_sync::mutant!("claim.token") { 0 } else { 1 }, Relaxed);
        self.offer_token(claim, cx);
        self.take_part(claim, cx)
    }

    /// Takes batches until nothing is left, or until it is time to look around; then others have the token, or it comes back
    /// out of this thread's own deque. The caller is counted in `remaining`.
    fn take_part(&self, claim: &Claim, cx: Cx<'_>) -> Then {
        let (mut then, mut now) = (Then::Nothing, cx.core.now());
        while let Some(units) = claim.take() {
            (then, now) = self.run_units(claim, units, now, cx);
            if !matches!(then, Then::Nothing) || cx.local.is_look_due(now) {
                break;
            }
        }
        if raddle_sync::mutant!("claim.token") {
            return then;
        }
        match (then, self.lower(1)) {
            (Then::Nothing, true) => Then::Finish,
            (then, is_last) => {
                debug_assert!(!is_last, "a task is ready in a run that has ended");
                then
            }
        }
    }

    /// Runs a batch from now, which is `start`, and hands it in; says when it ended, too.
    fn run_units(&self, claim: &Claim, units: Range<u64>, start: Moment, cx: Cx<'_>) -> (Then, Moment) {
        let graph = &*self.state().graph;
        let task = claim.task.load(Relaxed);
        let count = units.end - units.start;
        let number = self.claim_number(claim);
        if let Some(grid) = number.checked_sub(graph.ranges.len()) {
            let end = self.run_tiles(task, grid, units, start, cx);
            let then = if claim.hand_in(count) { self.completed(task, Ok(())) } else { Then::Nothing };
            return (then, end);
        }
        let join = graph.ranges[number].join;
        let (done, end) = self.execute_measured(units.start as u32..units.end as u32, start, cx);
        (self.join(join, done), end)
    }
}

/// Runs foreign code; a panic in it becomes a failure.
#[inline]
pub(crate) fn guard<R>(foreign: impl FnOnce() -> Result<R>) -> Result<R> {
    match catch_unwind(AssertUnwindSafe(foreign)) {
        Ok(result) => result,
        Err(payload) => Err(panic_message(&*payload)),
    }
}
