//! A run of a graph: a block of cells that is reused by the graph's next runs.
//!
//! Not here: what running means (`run.rs`), the user's handle (`handle.rs`).
//!
//! # Life
//! ```text
//!  prepare ──► enter scope ──► entry enqueued ──► tasks … last sink ──► leave scope ──► done ──► released
//!  (from the graph's pool, or new)                                                            twice: pool
//! ```
//!
//! # Invariants
//! - I1: `run_state` is written while the block is in nobody's hands but the preparer's, and read by the run.
//!   (by construction: `prepare` writes it before the entry is enqueued, `finish` takes it when nobody else is left;
//!   the checker watches the cell in every model of `loom_block.rs`)
//! - I2: `remaining` counts sinks not completed, tokens of claims, and threads that take batches of one; who takes it to
//!   zero ends the run, and nobody else touches the run's cells. [mutants: block.remaining]
//! - I3: the block is reused when its holders, the run and the user's handles, have let go of it. The run lets go before
//!   its end can be seen, and is out of the block when the lock of `done` can be taken: so who has waited for a run, and
//!   drops the last handle, gives the block back to its graph himself, and the next run allocates nothing.
//!   [mutants: block.release, block.pass]
//! - I4: a task's cell is back at its initial count before its run ends. (by construction: `complete` resets it)
//! - I5: the scope is left before `done` is set, and only callbacks come after it. (by construction: `finish`)
//! - I6: a callback begins once, after `done` is set: `add_callback` and `finish` meet in one word, and who comes late
//!   passes the lock of `done`. [mutants: block.callbacks]
//! - I7: the result never changes after the end: it is made of what the run itself noted. (by construction: `result`)
//!
//! # Orderings
//! `remaining` is lowered with AcqRel: the thread that ends the run has seen everything. `release` likewise. So the course,
//! and what is beside it, is seen by whoever sees the end; `is_stopped` is a hint, which carries nothing. Of CALLBACKS and
//! ENDED one sees the other, since both are raised by read-modify-writes of one word; what there is to see then is under locks.
//! Models: `tests/loom_block.rs`.

#![allow(unsafe_code)]

use crate::aside::{Aside, OnceFn};
use crate::claim::Claim;
use crate::core::Core;
use crate::deadline::RunDeadline;
use crate::dump_scope::RunFacts;
use crate::graph::Graph;
use crate::header::{Header, Owner, Task, TaskRef};
use crate::priority::Priority;
use crate::scope::{self, Member, Scope};
use crate::waiting::WaitCell;
use raddle_status::{Code, Error, Result, panic_message};
use raddle_sync::atomic::{AtomicBool, AtomicU32, Ordering::*};
use raddle_sync::cell::UnsafeCell;
use raddle_sync::{Mutex, ord};
use raddle_wait::{Event, Moment, Resume};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::{Arc, OnceLock};

/// See the head of this file.
#[repr(C)]
pub(crate) struct Block {
    /// First, so that a cell's owner is the block.
    owner: Owner,
    pub(crate) remaining: AtomicU32,
    /// Tasks that have not started are discarded.
    pub(crate) is_stopped: AtomicBool,
    /// What the run came to, of the bits below.
    course: AtomicU32,
    holders: AtomicU32,
    pub(crate) cells: Box<[Header]>,
    pub(crate) claims: Box<[Claim]>,
    pub(crate) waits: Box<[WaitCell]>,
    entry: Task,
    run_state: UnsafeCell<Option<RunState>>,
    pub(crate) done: Event,
    /// Made for the first run that has one.
    pub(crate) deadline: OnceLock<Box<RunDeadline>>,
    aside: Mutex<Aside>,
}

/// The first task was executed.
pub(crate) const BEGUN: u32 = 1;
/// A task was discarded.
pub(crate) const DISCARDED: u32 = 2;
/// A wait was ended early.
pub(crate) const WAIT_ENDED: u32 = 4;
/// There are callbacks. Raised by `on_complete`, met by `finish`.
const CALLBACKS: u32 = 8;
/// The run has ended, and looked for callbacks. Raised by `finish`, met by `on_complete`.
const ENDED: u32 = 16;

/// What a block has only while it runs.
pub(crate) struct RunState {
    pub(crate) graph: Arc<Graph>,
    pub(crate) scope: Scope,
    /// The task that submitted this run as its nested work.
    pub(crate) parent: Option<(BlockRef, u32)>,
    /// Neither a failed scope nor a cancelled one stops it: a callback.
    is_unstoppable: bool,
    /// Whether it took one of the executor's places for runs.
    has_place: bool,
}

/// What a run is prepared with.
#[derive(Default)]
pub(crate) struct Order {
    pub(crate) parent: Option<(BlockRef, u32)>,
    pub(crate) priority: Priority,
    pub(crate) deadline: Option<Moment>,
    pub(crate) once: Option<OnceFn>,
    pub(crate) is_unstoppable: bool,
}

// SAFETY: I1 for `run_state`; the rest is Sync.
unsafe impl Sync for Block {}
// SAFETY: as above; owners' pointers point into the block itself.
unsafe impl Send for Block {}

/// A pointer to a block that the holder keeps from being reused.
#[derive(Clone, Copy)]
pub(crate) struct BlockRef(pub(crate) NonNull<Block>);

// SAFETY: blocks are Send and Sync.
unsafe impl Send for BlockRef {}
// SAFETY: as above.
unsafe impl Sync for BlockRef {}

impl BlockRef {
    pub(crate) fn of(block: &Block) -> BlockRef {
        BlockRef(NonNull::from(block))
    }

    /// # Safety
    /// The caller holds the block (I3) for `'a`.
    pub(crate) unsafe fn get<'a>(self) -> &'a Block {
        // SAFETY: the caller's promise.
        unsafe { self.0.as_ref() }
    }
}

/// Why an executor that ends takes no run.
#[cold]
pub(crate) fn closed() -> Error {
    Error::new(Code::FailedPrecondition, "the executor is shutting down: it takes no new work")
}

/// Which of a block's things an index names, beyond the cells of tasks.
pub(crate) enum Special {
    Entry,
    Wait(usize),
    Token(usize),
}

impl Block {
    fn new(graph: &Graph, core: &Core) -> Box<Block> {
        let dangling = NonNull::dangling();
        let count = graph.nodes.len() as u32;
        let wait_nodes = graph.nodes.iter().enumerate().filter_map(|(node, task)| match task.work {
            crate::node::Work::Wait(_) => Some(node as u32),
            _ => None,
        });
        let waits: Vec<WaitCell> = wait_nodes
            .zip(&graph.waits)
            .enumerate()
            .map(|(wait, (node, plan))| {
                WaitCell::new(dangling, count + 1 + wait as u32, node, schedule, (&core.slots, plan))
            })
            .collect();
        let first_claim = count + 1 + waits.len() as u32;
        let claims = (0..graph.claim_count()).map(|claim| Claim::new(dangling, first_claim + claim as u32));
        let cells = graph.initial.iter().enumerate();
        let mut block = Box::new(Block {
            owner: Owner { run: crate::run::run_task, scope: scope_of, member: member_of },
            remaining: AtomicU32::new(0),
            is_stopped: AtomicBool::new(false),
            course: AtomicU32::new(0),
            holders: AtomicU32::new(0),
            cells: cells.map(|(index, &pending)| Header::new(dangling, pending, index as u32)).collect(),
            claims: claims.collect(),
            waits: waits.into(),
            entry: Task::new(dangling, count, schedule),
            run_state: UnsafeCell::new(None),
            done: Event::manual(),
            deadline: OnceLock::new(),
            aside: Mutex::new(Aside::default()),
        });
        let owner = NonNull::from(&*block).cast::<Owner>();
        block.cells.iter_mut().for_each(|cell| cell.owner = owner);
        block.claims.iter_mut().for_each(|claim| claim.header.owner = owner);
        block.waits.iter_mut().for_each(|wait| wait.task.header.owner = owner);
        block.entry.header.owner = owner;
        block
    }

    /// Makes blocks of `graph` for later runs.
    pub(crate) fn reserve(graph: &Graph, core: &Core, count: usize) {
        let made: Vec<_> = (0..count).map(|_| Block::new(graph, core)).collect();
        graph.blocks.lock().extend(made);
    }

    /// A block for a run of `graph` in `scope`, entered and held twice: by the run, and by the caller.
    ///
    /// # Errors
    /// FAILED_PRECONDITION when the scope is closed; RESOURCE_EXHAUSTED when there is no place for a run.
    pub(crate) fn prepare(graph: &Arc<Graph>, scope: &Scope, order: Order) -> Result<BlockRef> {
        let has_place = !order.is_unstoppable && scope.core().room.take()?;
        let pooled = graph.blocks.lock().pop();
        let block = Box::leak(pooled.unwrap_or_else(|| Block::new(graph, scope.core())));
        block.remaining.store(graph.sinks, Relaxed);
        block.holders.store(2, Relaxed);
        block.is_stopped.store(false, Relaxed);
        block.course.store(0, Relaxed);
        block.done.reset();
        let priority = order.priority as u8;
        block.entry.priority.store(priority, Relaxed);
        block.waits.iter().for_each(|wait| wait.reset(priority));
        if order.once.is_some() {
            block.aside.get_mut().once = order.once;
        }
        let Order { parent, is_unstoppable, .. } = order;
        let state =
            RunState { graph: graph.clone(), scope: scope.clone(), parent, is_unstoppable, has_place };
        // SAFETY: I1: the block is only ours.
        block.run_state.with_mut(|place| unsafe { *place = Some(state) });
        let this = NonNull::from(&mut *block);
        // SAFETY: the block stays until `finish` has left the scope.
        let Some(place) = (unsafe { scope.inner().enter(Block::entry(BlockRef(this))) }) else {
            // SAFETY: nobody else has heard of it; made by `Box::leak` above.
            unsafe { Box::from_raw(this.as_ptr()) }.recycle();
            scope.core().room.give(has_place);
            return Err(closed());
        };
        scope.core().count(|counters| &counters.runs_submitted);
        // SAFETY: the block is held.
        unsafe { this.as_ref() }.entry.place.store(place, Relaxed);
        // SAFETY: I3: held by the preparer.
        let block = unsafe { this.as_ref() };
        if scope.inner().has_failed() && !raddle_sync::mutant!("scope.enter") {
            block.cancel_waits();
        }
        if let Some(deadline) = order.deadline {
            RunDeadline::begin(BlockRef(this), deadline);
        }
        Ok(BlockRef(this))
    }

    /// The task that begins the run, which the preparer enqueues or runs once.
    pub(crate) fn entry(this: BlockRef) -> NonNull<Task> {
        // SAFETY: the caller holds the block.
        NonNull::from(&unsafe { this.get() }.entry)
    }

    /// Gives a prepared run to the workers of its core, which the caller keeps.
    pub(crate) fn enqueue(this: BlockRef, core: &Core) {
        // SAFETY: whoever prepared a run has the duty for its entry, and gives it away.
        unsafe { core.enqueue_entry(Block::entry(this)) };
    }

    /// One more hold, for whoever has one.
    pub(crate) fn hold(this: BlockRef) -> BlockRef {
        // SAFETY: the caller has a hold.
        unsafe { this.get() }.holders.fetch_add(1, Relaxed);
        this
    }

    /// What the run has.
    #[inline]
    pub(crate) fn state(&self) -> &RunState {
        // SAFETY: I1: only called by the run and its holders, after `prepare`.
        self.run_state.with(|state| unsafe { &*state }).as_ref().expect("a block in use has a run")
    }

    /// The number of a claim, ranges first.
    pub(crate) fn claim_number(&self, claim: &Claim) -> usize {
        claim.header.index as usize - self.cells.len() - 1 - self.waits.len()
    }

    /// Which of the other things an index names.
    pub(crate) fn special(&self, index: u32) -> Special {
        let index = index as usize - self.cells.len();
        match index {
            0 => Special::Entry,
            wait if wait <= self.waits.len() => Special::Wait(wait - 1),
            token => Special::Token(token - 1 - self.waits.len()),
        }
    }

    /// Discards what has not started and ends the waits.
    pub(crate) fn stop(&self) {
        self.is_stopped.store(true, Relaxed);
        for wait in &self.waits {
            wait.cancel.request();
        }
    }

    /// Fails the run and its scope.
    #[cold]
    pub(crate) fn fail(&self, error: Error) {
        self.aside.lock().first.get_or_insert_with(|| error.clone());
        self.state().scope.fail(error);
    }

    /// Stops this run alone, for this reason: the run's result, if anything of it is discarded.
    pub(crate) fn ask_to_stop(&self, reason: Error) {
        self.aside.lock().asked.get_or_insert(reason);
        self.stop();
    }

    /// Whether somebody asked for the run to stop.
    pub(crate) fn is_asked_to_stop(&self) -> bool {
        self.aside.lock().asked.is_some()
    }

    /// The bits above.
    pub(crate) fn course(&self) -> u32 {
        self.course.load(Relaxed)
    }

    /// The run begins.
    pub(crate) fn note_begun(&self) {
        if !self.is_stopped.load(Relaxed) {
            self.course.fetch_or(BEGUN, Relaxed);
        }
    }

    /// Notes that something of the run is given up, and why: whatever fails later changes nothing about that.
    #[cold]
    pub(crate) fn note_discarded(&self, what: u32) {
        if self.course.load(Relaxed) & what != 0 {
            return;
        }
        let failure = self.state().scope.failure();
        self.aside.lock().note_cause(failure);
        self.course.fetch_or(what, Relaxed);
    }

    /// Calls what a run of a single function calls.
    pub(crate) fn call_once(&self, cx: &crate::context::TaskCx<'_>) -> Result {
        let once = self.aside.lock().once.take();
        once.map_or(Ok(()), |once| once(cx))
    }

    /// Drops what was not called, before the scope can be idle.
    #[cold]
    fn drop_once(&self) {
        let once = self.aside.lock().once.take();
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(once)));
        if let Err(payload) = dropped {
            self.fail(panic_message(&*payload).within("in the drop of a function that was not called"));
        }
    }

    /// Has `callback`, a prepared run, begin when this one has ended. The caller holds this one.
    pub(crate) fn add_callback(&self, callback: BlockRef) {
        self.aside.lock().callbacks.push(callback);
        if self.course.fetch_or(CALLBACKS, Relaxed) & ENDED != 0 {
            // The end is being announced, or was.
            if !raddle_sync::mutant!("block.callbacks") {
                self.done.pass();
            }
            Block::begin_callbacks(self.take_callbacks());
        }
    }

    #[cold]
    fn take_callbacks(&self) -> Vec<BlockRef> {
        std::mem::take(&mut self.aside.lock().callbacks)
    }

    fn begin_callbacks(callbacks: Vec<BlockRef>) {
        for callback in callbacks {
            // SAFETY: prepared and not begun, so it is held.
            let core = unsafe { callback.get() }.state().scope.core();
            Block::enqueue(callback, core);
            // SAFETY: nobody else wants a handle of it.
            unsafe { Block::release(callback) };
        }
    }

    /// Keeps a call's failure until its nested work has ended.
    pub(crate) fn keep_failure(&self, node: u32, error: Error) {
        self.aside.lock().kept.push((node, error));
    }

    /// The failure that was kept for a call.
    pub(crate) fn kept_failure(&self, node: u32) -> Option<Error> {
        self.aside.lock().take_kept(node)
    }

    /// How the run ended.
    pub(crate) fn result(&self) -> Result {
        let is_whole = self.course() & (DISCARDED | WAIT_ENDED) == 0;
        self.aside.lock().result(is_whole)
    }

    /// Lowers the count of what is left of the run; `true` if the caller must `finish` it (I2).
    #[inline]
    pub(crate) fn lower(&self, count: u32) -> bool {
        // If all that is left is ours, nobody else can change the count.
        self.remaining.load(ord!("block.remaining", Acquire)) == count
            || self.remaining.fetch_sub(count, ord!("block.remaining", AcqRel)) == count
    }

    /// Ends the run, after `lower` said so. The block may be reused when this returns.
    ///
    /// Returns the parent whose nested work this was.
    pub(crate) fn finish(this: BlockRef) -> Option<(BlockRef, u32)> {
        // SAFETY: the run's own hold, until `release`.
        let block = unsafe { this.get() };
        let parent = block.state().parent;
        if block.state().graph.is_once {
            block.drop_once();
        }
        if let Some(deadline) = block.deadline.get() {
            deadline.end(this);
        }
        let inner = block.state().scope.inner().clone();
        inner.leave(block.entry.place.load(Relaxed));
        block.state().scope.core().room.give(block.state().has_place);
        let mut callbacks = Vec::new();
        let has_holders = block.done.set_and_leave(|| {
            if block.holders.fetch_sub(1, ord!("block.release", AcqRel)) == 1 {
                return false;
            }
            // Whoever holds it passes the lock that this is under before the block is used for anything else (I3).
            if block.course.fetch_or(ENDED, Relaxed) & CALLBACKS != 0 {
                callbacks = block.take_callbacks();
            }
            true
        });
        if !has_holders {
            // SAFETY: that was the last hold. Made by `Box::leak` in `prepare`.
            unsafe { Box::from_raw(this.0.as_ptr()) }.recycle();
        }
        Block::begin_callbacks(callbacks);
        parent
    }

    /// Gives up one hold that is not the run's; the last returns the block to its graph.
    ///
    /// # Safety
    /// The caller had a hold, and does not touch the block afterwards.
    pub(crate) unsafe fn release(this: BlockRef) {
        // SAFETY: the caller's hold.
        let block = unsafe { this.get() };
        if block.holders.fetch_sub(1, ord!("block.release", AcqRel)) != 1 {
            return;
        }
        // The run has let go, and may be on its way out of `finish` (I3).
        if !raddle_sync::mutant!("block.pass") {
            block.done.pass();
        }
        // SAFETY: the last hold: nobody else has a reference. Made by `Box::leak` in `prepare`.
        unsafe { Box::from_raw(this.0.as_ptr()) }.recycle();
    }

    /// Gives a block without holders back to its graph.
    fn recycle(mut self: Box<Block>) {
        // SAFETY: I1: nobody else has a reference.
        let state = self.run_state.with_mut(|state| unsafe { (*state).take() });
        *self.aside.get_mut() = Aside::default();
        if let Some(RunState { graph, scope, .. }) = state {
            graph.blocks.lock().push(self);
            drop((graph, scope));
        }
    }
}

impl Member for Block {
    fn cancel_waits(&self) {
        if !self.state().is_unstoppable {
            self.stop();
        }
    }

    fn describe(&self) -> RunFacts {
        RunFacts::of(self)
    }
}

/// Enqueues the task of a resume on its run's executor: the `schedule` of every task of a block.
unsafe fn schedule(resume: NonNull<Resume>) {
    let task = Task::of_resume(resume);
    // SAFETY: the caller has the duty; the owner of a block's task is its block, whose run goes on until the duty is done.
    let owner = unsafe { task.as_ref() }.header.owner;
    // SAFETY: as above.
    let block = unsafe { owner.cast::<Block>().as_ref() };
    // SAFETY: the duty is given away.
    unsafe { Core::enqueue(block.state().scope.core(), task) };
}

/// The `member` of a block, of its entry.
fn member_of(entry: NonNull<Task>) -> NonNull<dyn Member> {
    // SAFETY: whoever asks has the entry of a block that is in its scope.
    let owner = unsafe { entry.as_ref() }.header.owner;
    owner.cast::<Block>() as NonNull<dyn Member>
}

/// The `scope` of every header of a block.
fn scope_of(task: &TaskRef) -> *const scope::Inner {
    // SAFETY: the owner of a block's headers is the block, which its run keeps.
    let block: &Block = unsafe { task.owner() };
    Arc::as_ptr(block.state().scope.inner())
}
