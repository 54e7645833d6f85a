//! The inside of a frame: how its slots are armed, and closed again.
//!
//! Not here: when (`frame.rs`), what the sources say (`branch.rs`).
//!
//! # Invariants
//! - I1: a body gives its slots back only after every source on whose list they stood has been told (I2 of
//!   `listed.rs`), and after its timer is gone.
//!   [mutants: listed.unlink, semaphore.unlink, time.remove, timers.remove, descriptors.remove]
//! - I2: only the sources that resolved the condition are committed; every other source whose slot fired is told
//!   that its wake-up was not used. [mutants: frame.decline]
//! - I3: sources of a wait for all are committed all or none; a wait whose commit is lost goes on.
//!   [mutants: frame.lost]
//!
//! Models: `tests/loom_frame.rs`, `tests/loom_commit.rs`.

#![allow(unsafe_code)]

use crate::branch::{
    Branch, Branches, Group, Kind, Via, commit, evaluate, flatten, guard, moment_of, winners,
};
use crate::cancel::CancelPoint;
use crate::condition::Condition;
use crate::frame::Outcome;
use crate::listed::{ListedSource, Node};
use crate::pool::SlotPool;
use crate::resume::Resume;
use crate::slot::{self, Above, Moved, Slot};
use crate::source::{Commit, Owner, Readiness, Route, WaitSource, Watch};
use crate::stage::sealed::Armed;
use crate::stage::{Due, Glance, Moment, NEVER, Stage};
use crate::waker::{SourceWaker, WakerId};
use crate::word::{State, Word};
use raddle_status::{Code, Error, Result};
use raddle_sync::mutant;
use smallvec::SmallVec;
use std::ops::Deref;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;

pub(crate) struct Body<S> {
    pub(crate) pool: SlotPool,
    pub(crate) branches: Branches<S>,
    /// A closed slot of a frame without branches.
    spare: Option<NonNull<Slot>>,
    pub(crate) deadline: Moment,
    /// When the wait began, if a delay of it counts from there.
    begun: Option<Moment>,
    /// A failure that a status number can't carry.
    failure: Option<Error>,
    /// Whether the root has a timer for the deadline.
    has_timer: bool,
}

/// What a body is to do about the slots that it closes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Closing {
    /// The root's winner has been heard of: nobody else touches a lone slot any more.
    Settled,
    /// The root's winner may still be on its way out of the source.
    Hasty,
}

impl<S> Body<S> {
    pub(crate) fn new(pool: SlotPool, deadline: Moment) -> Body<S> {
        Body {
            pool,
            branches: Branches::new(),
            spare: None,
            deadline,
            begun: None,
            failure: None,
            has_timer: false,
        }
    }

    /// Drops the sources of a body that does not wait; one slot stays for [`renew`](Body::renew).
    pub(crate) fn clear(&mut self) {
        if self.branches.len() > 1 {
            let root = self.branches[0].slot.take();
            self.give_slots_of_branches();
            self.branches.clear();
            self.spare = root;
        } else if let Some(lone) = self.branches.pop() {
            self.spare = lone.slot;
        }
        if self.failure.is_some() {
            self.failure = None;
        }
    }

    /// Another condition for a body that is clear.
    pub(crate) fn renew(&mut self, condition: Condition<S>, deadline: Moment) -> Result {
        flatten(condition, &mut self.branches)?;
        self.branches[0].slot = self.spare.take();
        self.deadline = deadline;
        Ok(())
    }

    /// Takes a slot for every branch of a body that does not wait.
    pub(crate) fn take_slots(&mut self) {
        for branch in &mut self.branches {
            branch.slot.get_or_insert_with(|| self.pool.take());
        }
    }

    /// Gives every slot of a body that does not wait back to the pool.
    pub(crate) fn give_slots(&mut self) {
        self.give_slots_of_branches();
        if let Some(slot) = self.spare.take() {
            // SAFETY: closed when it was put aside, and forgotten here.
            unsafe { self.pool.give(slot) };
        }
    }

    fn give_slots_of_branches(&mut self) {
        for branch in &mut self.branches {
            debug_assert!(
                matches!(branch.via, Via::Closed) || std::thread::panicking(),
                "a frame was dropped while it waits"
            );
            if let Some(slot) = branch.slot.take() {
                // SAFETY: closed by `disband` or `abandon`, and forgotten here.
                unsafe { self.pool.give(slot) };
            }
        }
    }
}

impl<S: Deref<Target: WaitSource>> Body<S> {
    /// Another wait begins: its delays begin too.
    pub(crate) fn begin_delays(&mut self) {
        self.begun = None;
    }

    /// Asks, and arms what is not ready: an outcome, or the root for its owner to settle.
    pub(crate) fn start(
        &mut self,
        stage: &dyn Stage,
        resume: NonNull<Resume>,
        cancel: Option<&CancelPoint>,
    ) -> Result<NonNull<Slot>, Outcome> {
        if cancel.is_some_and(CancelPoint::is_requested) {
            return Err(Outcome::Cancelled);
        }
        let glance = Glance::new(stage);
        match evaluate(&mut self.branches, &glance, &mut self.begun) {
            Readiness::Failed(error) => return Err(Outcome::Failed(error)),
            Readiness::Ready => match commit(&self.branches) {
                Err(error) => return Err(Outcome::Failed(error)),
                Ok(Commit::Taken) => return Err(self.ready()),
                Ok(Commit::Lost) => {}
            },
            Readiness::Pending => {}
        }
        if self.deadline != NEVER && glance.now() >= self.deadline {
            return Err(Outcome::TimedOut);
        }
        Ok(self.arm_lone(resume, cancel).unwrap_or_else(|| self.arm(&glance, resume, cancel)))
    }

    /// The most common wait by far, without a detour: one source that keeps slots itself, and no deadline. `None` for any
    /// other, of which nothing has been armed.
    #[inline]
    fn arm_lone(&mut self, resume: NonNull<Resume>, cancel: Option<&CancelPoint>) -> Option<NonNull<Slot>> {
        let [Branch { kind: Kind::Leaf(source), slot: place, via, .. }] = &mut *self.branches else {
            return None;
        };
        if self.deadline != NEVER {
            return None;
        }
        let Ok(Route::Listed(listed)) = guard(|| source.route()) else { return None };
        let slot = *place.get_or_insert_with(|| self.pool.take());
        // SAFETY: the pool keeps the memory.
        let generation = unsafe { slot.as_ref() }.open(Above::Target(resume), 1);
        let node = Node { slot, generation };
        *via = Via::Listed(lasting(listed.0));
        if let Some(cancel) = cancel {
            cancel.publish(node, &self.pool);
        }
        // SAFETY: `close` unlinks before the slot is closed (I1); the pool keeps the memory.
        unsafe { listed.0.link(node) };
        Some(slot)
    }

    /// Opens the root alone, for a wait for nothing but the next turn.
    pub(crate) fn open_root(&mut self, resume: NonNull<Resume>) -> Node {
        let root = &mut self.branches[0];
        let slot = *root.slot.get_or_insert_with(|| self.pool.take());
        // SAFETY: the pool keeps the memory.
        let generation = unsafe { slot.as_ref() }.open(Above::Target(resume), 1);
        root.via = Via::Nobody;
        Node { slot, generation }
    }

    fn ready(&self) -> Outcome {
        let root = &self.branches[0];
        Outcome::Ready {
            index: if matches!(root.kind, Kind::Group(Group::Any)) { root.winner as usize } else { 0 },
        }
    }

    /// Opens every slot and arms every leaf; stops early when the root is resolved meanwhile.
    fn arm(
        &mut self,
        glance: &Glance<'_>,
        resume: NonNull<Resume>,
        cancel: Option<&CancelPoint>,
    ) -> NonNull<Slot> {
        let mut root = NonNull::dangling();
        for me in 0..self.branches.len() {
            let branch = &self.branches[me];
            let slot = branch.slot.unwrap_or_else(|| self.pool.take());
            let above = match me {
                0 => Above::Target(resume),
                _ => {
                    let group = self.branches[branch.above as usize].node();
                    Above::Group(group.slot, group.generation, branch.index)
                }
            };
            // SAFETY: the pool keeps the memory.
            let generation = unsafe { slot.as_ref() }.open(above, branch.children_to_fire());
            let branch = &mut self.branches[me];
            (branch.slot, branch.via) = (Some(slot), Via::Nobody);
            let node = Node { slot, generation };
            if me == 0 {
                root = slot;
                if let Some(cancel) = cancel {
                    cancel.publish(node, &self.pool);
                }
            }
            if matches!(self.branches[me].kind, Kind::Leaf(_)) {
                self.arm_leaf(me, node, glance);
            }
            // SAFETY: the pool keeps the memory.
            if unsafe { root.as_ref() }.peek().state() != State::Arming {
                break;
            }
            if me == 0 && self.deadline != NEVER && !matches!(self.branches[0].via, Via::Timer) {
                self.has_timer = true;
                // SAFETY: removed in `close_all`, before the slot is closed (I1).
                let added = unsafe {
                    glance.stage.add_timer(Armed { node, due: Due::TimeOut }, self.deadline, glance.seen())
                };
                if let Err(error) = added {
                    self.fail(node, error);
                }
            }
        }
        root
    }

    fn arm_leaf(&mut self, me: usize, node: Node, glance: &Glance<'_>) {
        let Kind::Leaf(source) = &self.branches[me].kind else { unreachable!("arming a group") };
        let (stage, armed) = (glance.stage, Armed { node, due: Due::Fire });
        let mut via = Via::Nobody;
        let result = guard(|| source.route()).and_then(|route| match route {
            Route::Listed(listed) => {
                via = Via::Listed(lasting(listed.0));
                // SAFETY: `close` unlinks before the slot is closed (I1); the pool keeps the memory.
                guard(|| unsafe { listed.0.link(node) })
            }
            Route::Source => {
                via = Via::Waker;
                guard(|| {
                    // SAFETY: the pool keeps the memory.
                    source.arm(unsafe { SourceWaker::new(node.slot, node.generation) });
                })
            }
            Route::Moment(_) | Route::Delay(_) => match moment_of(&route, glance, &mut self.begun) {
                // A slot has one timer: the deadline's, if that comes first.
                Some(moment) if me == 0 && self.deadline < moment => Ok(()),
                Some(moment) => {
                    // SAFETY: `close` removes the timer before the slot is closed (I1).
                    let added = unsafe { stage.add_timer(armed, moment, glance.seen()) };
                    added.map(|()| via = Via::Timer)
                }
                None => unreachable!("these routes have a moment"),
            },
            Route::Descriptor(fd, interest) => watch(stage, armed, Watch::lent(fd, interest), &mut via),
            Route::Watch(wanted) => watch(stage, armed, wanted, &mut via),
        });
        self.branches[me].via = via;
        if let Err(error) = result {
            self.fail(node, error);
        }
    }

    /// Fires a slot of ours that could not be armed.
    fn fail(&mut self, node: Node, error: Error) {
        let code = error.code().number();
        self.failure = Some(error);
        if mutant!("frame.refused") {
            return;
        }
        // SAFETY: the pool keeps the memory. The root is arming, so nothing can be owed.
        let moved = unsafe { slot::fire(node.slot, node.generation, code) };
        moved.pay();
    }

    /// Closes a resolved frame; `None` if what it waited for was lost to another and it must begin again.
    pub(crate) fn disband(&mut self, stage: &dyn Stage) -> Option<Outcome> {
        if self.branches.len() == 1 && !self.has_timer {
            // By far the most common: one source, and nothing else that could have ended the wait for good.
            let root = self.branches[0].node();
            // SAFETY: the pool keeps the memory.
            let end = unsafe { root.slot.as_ref() }.see();
            let _ = self.close(0, stage, Closing::Settled);
            return match self.commit_success(end) {
                Ok(Commit::Taken) => Some(Outcome::Ready { index: 0 }),
                committed => self.conclude(end, committed, &[end.state() == State::Fired]),
            };
        }
        let (end, fired) = self.close_all(stage, Closing::Settled);
        let committed = self.commit_success(end);
        self.conclude(end, committed, &fired)
    }

    /// Commits the winners of a frame that ended in success.
    #[inline]
    fn commit_success(&self, end: Word) -> Result<Commit> {
        if end.is_success() { commit(&self.branches) } else { Ok(Commit::Lost) }
    }

    /// What the end of a closed frame means.
    fn conclude(&mut self, end: Word, committed: Result<Commit>, fired: &[bool]) -> Option<Outcome> {
        let is_success = end.is_success();
        let is_taken = matches!(committed, Ok(Commit::Taken));
        if !is_taken || self.branches.len() > 1 {
            self.decline(fired, is_taken);
        }
        match (end.state(), committed) {
            (State::Fired, Err(error)) => Some(Outcome::Failed(error)),
            (State::Fired, Ok(Commit::Taken)) => Some(self.ready()),
            (State::Fired, Ok(Commit::Lost)) if is_success && mutant!("frame.lost") => Some(self.ready()),
            (State::Fired, Ok(Commit::Lost)) if is_success || end.code() == Code::Deferred.number() => None,
            (State::Fired, Ok(Commit::Lost)) => Some(Outcome::Failed(self.failure_of(end.code()))),
            (State::Cancelled, _) => Some(Outcome::Cancelled),
            (State::TimedOut, _) => Some(Outcome::TimedOut),
            (State::Free | State::Arming | State::Armed, _) => {
                unreachable!("concluding a frame that is {end:?}")
            }
        }
    }

    /// Closes a waiting frame without an outcome: whether its header is spared from being scheduled.
    pub(crate) fn abandon(&mut self, stage: &dyn Stage) -> bool {
        let root = self.branches[0].node();
        // SAFETY: the pool keeps the memory.
        let is_spared = match unsafe { slot::resolve(root.slot, root.generation, State::Cancelled) } {
            Moved::Owed(owed) => {
                owed.waive();
                true
            }
            Moved::Lost => false,
            Moved::Taken => unreachable!("abandoning a frame that is still armed by its owner"),
        };
        let (_, fired) = self.close_all(stage, Closing::Hasty);
        self.decline(&fired, false);
        is_spared
    }

    /// Takes every slot back (I1): how the root ended, and which slots had fired.
    fn close_all(&mut self, stage: &dyn Stage, closing: Closing) -> (Word, SmallVec<[bool; 8]>) {
        let root = self.branches[0].node();
        // SAFETY: the pool keeps the memory.
        let end = unsafe { root.slot.as_ref() }.see();
        if std::mem::take(&mut self.has_timer) {
            // SAFETY: added in `arm`.
            unsafe { stage.remove_timer(Armed { node: root, due: Due::TimeOut }) };
        }
        let mut fired = SmallVec::from_elem(false, self.branches.len());
        for (me, fired) in fired.iter_mut().enumerate() {
            *fired = self.close(me, stage, closing).is_some_and(|word| word.state() == State::Fired);
        }
        (end, fired)
    }

    /// Takes one slot back from its source and closes it; `None` if it was not open.
    fn close(&mut self, me: usize, stage: &dyn Stage, closing: Closing) -> Option<Word> {
        let via = std::mem::replace(&mut self.branches[me].via, Via::Closed);
        if matches!(via, Via::Closed) {
            return None;
        }
        let branch = &self.branches[me];
        let node = branch.node();
        // SAFETY: the pool keeps the memory.
        let slot = unsafe { node.slot.as_ref() };
        // A lone slot that fired was fired by its own source, which took it off its list before.
        let is_off = me == 0 && closing == Closing::Settled && self.failure.is_none();
        if !(is_off && slot.peek().state() == State::Fired) {
            let armed = Armed { node, due: Due::Fire };
            let _ = guard(|| match via {
                Via::Closed | Via::Nobody => {}
                // SAFETY: linked in `arm_leaf`; the branch's source keeps it (I1 of `branch.rs`).
                Via::Listed(listed) => unsafe { unlink(listed, node) },
                Via::Waker => {
                    let source = branch.source().expect("only leaves have wakers");
                    source.disarm(WakerId::new(node.slot, node.generation));
                }
                // SAFETY: added in `arm_leaf`.
                Via::Timer => unsafe { stage.remove_timer(armed) },
                Via::Descriptor(fd, interest, owner) => {
                    // SAFETY: the branch's source keeps it open (I1 of `branch.rs`).
                    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
                    // SAFETY: the branch's source is, or has, the owner (I1 of `branch.rs`).
                    let owner = owner.map(|owner| unsafe { owner.as_ref() });
                    // SAFETY: added in `arm_leaf`.
                    unsafe { stage.remove_descriptor(armed, Watch { fd, interest, owner }) }
                }
            });
        }
        let last = slot.close();
        let is_spent = slot.is_spent();
        let branch = &mut self.branches[me];
        branch.winner = last.field() as u32;
        if is_spent {
            branch.slot = None;
            // SAFETY: closed, and forgotten here.
            unsafe { self.pool.give(node.slot) };
        }
        Some(last)
    }

    /// Tells sources whose wake-up was not used (I2); `took` says whether the winners were committed.
    fn decline(&self, fired: &[bool], took: bool) {
        if mutant!("frame.decline") {
            return;
        }
        let winners = if took { winners(&self.branches) } else { SmallVec::default() };
        for (me, branch) in self.branches.iter().enumerate() {
            let is_unused = fired[me] && !winners.get(me).copied().unwrap_or(false);
            if let Some(source) = branch.source().filter(|_| is_unused) {
                let _ = guard(|| source.decline());
            }
        }
    }

    /// The failure behind a status number: our own, or what a source says when it is asked.
    fn failure_of(&mut self, code: u32) -> Error {
        let code = Code::from_number(code).unwrap_or(Code::Unknown);
        if let Some(error) = self.failure.take().filter(|error| error.code() == code) {
            return error;
        }
        let mut sources = self.branches.iter().filter_map(|branch| branch.source());
        let told = sources.find_map(|source| match guard(|| source.query()) {
            Ok(Readiness::Failed(error)) if error.code() == code => Some(error),
            _ => None,
        });
        told.unwrap_or_else(|| Error::new(code, "a wait source failed"))
    }
}

/// Has the stage watch a descriptor for a leaf.
fn watch(stage: &dyn Stage, armed: Armed, wanted: Watch<'_>, via: &mut Via) -> Result {
    let owner = wanted.owner.map(|owner| {
        let owner: NonNull<dyn Owner + '_> = NonNull::from(owner);
        // SAFETY: only the lifetime changes; whoever dereferences it answers for it.
        unsafe { std::mem::transmute::<NonNull<dyn Owner + '_>, NonNull<dyn Owner + 'static>>(owner) }
    });
    // SAFETY: `close` removes the watch before the slot is closed (I1 of `Body`).
    unsafe { stage.add_descriptor(armed, wanted) }?;
    *via = Via::Descriptor(wanted.fd.as_raw_fd(), wanted.interest, owner);
    Ok(())
}

/// The source that a leaf is linked to, for as long as the leaf's own lives: that is what it was borrowed from.
fn lasting(listed: &dyn ListedSource) -> NonNull<dyn ListedSource + 'static> {
    let listed: NonNull<dyn ListedSource + '_> = NonNull::from(listed);
    // SAFETY: only the lifetime changes; whoever dereferences it answers for it.
    unsafe { std::mem::transmute(listed) }
}

/// # Safety
/// `listed` is alive, and `node` was linked to it.
unsafe fn unlink(listed: NonNull<dyn ListedSource>, node: Node) {
    // SAFETY: the caller's promise.
    let listed = unsafe { listed.as_ref() };
    // SAFETY: the caller's promise.
    unsafe { listed.unlink(node) };
}
