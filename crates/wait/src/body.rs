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

use crate::arm::{Closing, arm, arm_in, close_branch, close_one, close_timed, fire_failed, lasting};
use crate::branch::{
    Branch, Group, Kind, Leaf, Timed, Tree, Via, ask, commit, evaluate, flatten, guard, winners,
};
use crate::cancel::CancelPoint;
use crate::condition::{Condition, SharedSource};
use crate::delay::Time;
use crate::frame::Outcome;
use crate::listed::Node;
use crate::lone::Lone;
use crate::resume::Resume;
use crate::slot::{self, Above, Moved, Slot};
use crate::source::{Commit, Readiness, Route, WaitSource};
use crate::stage::sealed::Armed;
use crate::stage::{Due, Glance, Moment, NEVER, Stage};
use crate::word::{State, Word};
use raddle_status::{Code, Error, Result};
use raddle_sync::mutant;
use smallvec::{SmallVec, smallvec};
use std::ops::Deref;
use std::ptr::NonNull;

pub(crate) struct Body<S> {
    wanted: Wanted<S>,
    pub(crate) deadline: Moment,
}

/// What is waited for, or what came of it.
enum Wanted<S> {
    Nothing,
    One(Leaf<S>),
    Moment(Timed),
    Several(Box<Tree<S>>),
    /// The outcome of the last wait, for its owner to ask for, and what that was for.
    Kept(Box<(Outcome, Wanted<S>)>),
}

const _: () = assert!(size_of::<Body<SharedSource>>() <= 48, "programs that wait are many");

impl<S> Body<S> {
    pub(crate) fn new() -> Body<S> {
        Body { wanted: Wanted::Nothing, deadline: NEVER }
    }

    /// Drops the sources of a body that does not wait.
    pub(crate) fn clear(&mut self) {
        let via = match &self.wanted {
            Wanted::One(leaf) => leaf.via,
            Wanted::Moment(timed) => timed.via(),
            // A tree looks for itself.
            Wanted::Nothing | Wanted::Several(_) | Wanted::Kept(_) => Via::Closed,
        };
        debug_assert!(
            matches!(via, Via::Closed) || std::thread::panicking(),
            "a frame was cleared while it waits"
        );
        self.wanted = Wanted::Nothing;
    }

    /// Another condition for a body that is clear.
    pub(crate) fn renew(&mut self, condition: Condition<S>, deadline: Moment) -> Result {
        self.wanted = match condition {
            Condition::Until(source) => Wanted::One(Leaf { source, via: Via::Closed }),
            Condition::At(moment) => Wanted::Moment(Timed::new(Time::at(moment))),
            Condition::After(duration) => Wanted::Moment(Timed::new(Time::after(duration))),
            condition => Wanted::Several(flatten(condition)?),
        };
        self.deadline = deadline;
        Ok(())
    }

    /// Keeps an outcome in front of its condition.
    #[cold]
    pub(crate) fn keep(&mut self, outcome: Outcome) {
        let wanted = std::mem::replace(&mut self.wanted, Wanted::Nothing);
        self.wanted = Wanted::Kept(Box::new((outcome, wanted)));
    }

    /// The outcome that was kept.
    pub(crate) fn take_kept(&mut self) -> Option<Outcome> {
        if !matches!(self.wanted, Wanted::Kept(_)) {
            return None;
        }
        let Wanted::Kept(kept) = std::mem::replace(&mut self.wanted, Wanted::Nothing) else { return None };
        let (outcome, wanted) = *kept;
        self.wanted = wanted;
        Some(outcome)
    }

    /// Whether there is a condition.
    pub(crate) fn has_condition(&self) -> bool {
        matches!(self.wanted, Wanted::One(_) | Wanted::Moment(_) | Wanted::Several(_))
    }

    /// How many leaves and groups there are.
    pub(crate) fn branch_count(&self) -> usize {
        match &self.wanted {
            Wanted::One(_) | Wanted::Moment(_) => 1,
            Wanted::Several(tree) => tree.branches.len(),
            Wanted::Nothing | Wanted::Kept(_) => 0,
        }
    }

    /// Takes a slot for every branch of a body that does not wait.
    pub(crate) fn take_slots(&mut self, point: &CancelPoint) {
        if let Wanted::Several(tree) = &mut self.wanted {
            let root = point.lasting_root();
            (1..tree.branches.len()).for_each(|me| _ = tree.slot(me, root));
        }
    }
}

impl<S> Drop for Body<S> {
    fn drop(&mut self) {
        self.clear();
    }
}

impl<S: Deref<Target: WaitSource>> Body<S> {
    /// The sources, in order.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &S::Target> {
        let (one, several) = match &self.wanted {
            Wanted::One(leaf) => (Some(&*leaf.source), &[][..]),
            Wanted::Several(tree) => (None, &tree.branches[..]),
            Wanted::Nothing | Wanted::Moment(_) | Wanted::Kept(_) => (None, &[][..]),
        };
        one.into_iter().chain(several.iter().filter_map(Branch::source))
    }

    /// Another wait begins: its delays begin too.
    pub(crate) fn begin_delays(&mut self, point: &CancelPoint) {
        // SAFETY: the point keeps the memory.
        unsafe { point.root().as_ref() }.set_begun(NEVER);
    }

    /// Asks, and arms what is not ready: an outcome, or the root for its owner to settle.
    pub(crate) fn start(
        &mut self,
        stage: &dyn Stage,
        resume: NonNull<Resume>,
        point: &CancelPoint,
    ) -> Result<NonNull<Slot>, Outcome> {
        if point.is_requested() {
            return Err(Outcome::Cancelled);
        }
        let glance = Glance::new(stage);
        let answer = match &mut self.wanted {
            // SAFETY: the point keeps the memory.
            Wanted::One(leaf) => ask(&*leaf.source, &glance, unsafe { point.root().as_ref() }),
            // SAFETY: as above.
            Wanted::Moment(timed) => ask(&timed.time(), &glance, unsafe { point.root().as_ref() }),
            Wanted::Several(tree) => {
                // The other slots of the tree lead to the root.
                let root = point.lasting_root();
                // SAFETY: as above.
                evaluate(&mut tree.branches, &glance, unsafe { root.as_ref() })
            }
            Wanted::Nothing | Wanted::Kept(_) => unreachable!("beginning a wait for nothing"),
        };
        match answer {
            Readiness::Failed(error) => return Err(Outcome::Failed(error)),
            Readiness::Ready => match self.commit() {
                Err(error) => return Err(Outcome::Failed(error)),
                Ok(Commit::Taken) => return Err(self.ready()),
                Ok(Commit::Lost) => {}
            },
            Readiness::Pending => {}
        }
        if self.deadline != NEVER && glance.now() >= self.deadline {
            return Err(Outcome::TimedOut);
        }
        Ok(match &mut self.wanted {
            Wanted::One(_) => self.arm_one(&glance, resume, point),
            Wanted::Moment(_) => self.arm_moment(&glance, resume, point),
            _ => self.arm_several(&glance, resume, point),
        })
    }

    fn commit(&self) -> Result<Commit> {
        match &self.wanted {
            Wanted::One(leaf) => guard(|| leaf.source.commit()),
            Wanted::Moment(_) => Ok(Commit::Taken),
            Wanted::Several(tree) => commit(&tree.branches),
            Wanted::Nothing | Wanted::Kept(_) => Ok(Commit::Lost),
        }
    }

    /// Opens the root alone, for a wait for nothing but the next turn.
    pub(crate) fn open_root(&mut self, resume: NonNull<Resume>, point: &CancelPoint) -> Node {
        // Its caller names it after it was given away.
        let slot = point.lasting_root();
        // SAFETY: the point keeps the memory.
        let generation = unsafe { slot.as_ref() }.open(Above::Target(resume), 1);
        match &mut self.wanted {
            Wanted::One(leaf) => leaf.via = Via::Nobody,
            Wanted::Moment(timed) => timed.set_via(Via::Nobody),
            Wanted::Several(tree) => {
                (tree.branches[0].slot, tree.branches[0].via) = (Some(slot), Via::Nobody)
            }
            Wanted::Nothing | Wanted::Kept(_) => {}
        }
        Node { slot, generation }
    }

    fn ready(&self) -> Outcome {
        let index = match &self.wanted {
            Wanted::Several(tree) if matches!(tree.branches[0].kind, Kind::Group(Group::Any)) => {
                tree.branches[0].winner as usize
            }
            _ => 0,
        };
        Outcome::Ready { index }
    }

    /// Prepares the wait that is armed in one step; `None` if this is another.
    #[inline]
    pub(crate) fn lone(&mut self, point: &CancelPoint) -> Option<Lone> {
        let Wanted::One(leaf) = &mut self.wanted else { return None };
        if self.deadline != NEVER {
            return None;
        }
        let Ok(Route::Listed(listed)) = guard(|| leaf.source.route()) else { return None };
        if !listed.0.offers_at_once() || point.is_requested() {
            return None;
        }
        let listed = lasting(listed.0);
        leaf.via = Via::Listed(listed);
        Some(Lone { listed, slot: point.root() })
    }

    /// Takes what the source of a lone wait hands out, which was ready: nothing is open. `None` if another was faster.
    pub(crate) fn take_ready(&mut self) -> Option<Outcome> {
        if let Wanted::One(leaf) = &mut self.wanted {
            leaf.via = Via::Closed;
        }
        match self.commit() {
            Err(error) => Some(Outcome::Failed(error)),
            Ok(Commit::Taken) => Some(Outcome::Ready { index: 0 }),
            Ok(Commit::Lost) => None,
        }
    }

    /// Opens the root and arms the one source.
    #[inline]
    fn arm_one(
        &mut self,
        glance: &Glance<'_>,
        resume: NonNull<Resume>,
        point: &CancelPoint,
    ) -> NonNull<Slot> {
        let Wanted::One(leaf) = &mut self.wanted else { unreachable!("arming one source") };
        let route = guard(|| leaf.source.route());
        let root = if matches!(route, Ok(Route::Source)) { point.lasting_root() } else { point.root() };
        // SAFETY: the point keeps the memory.
        let generation = unsafe { root.as_ref() }.open(Above::Target(resume), 1);
        let node = Node { slot: root, generation };
        leaf.via = Via::Nobody;
        point.publish(node);
        let armed = route
            .and_then(|route| arm(&*leaf.source, route, &mut leaf.via, node, self.deadline, glance, point));
        if let Err(error) = armed {
            self.fail_one(node, error);
        } else if self.deadline != NEVER {
            self.arm_deadline(node, glance, point);
        }
        root
    }

    /// Opens the root and has it fire at the moment.
    fn arm_moment(
        &mut self,
        glance: &Glance<'_>,
        resume: NonNull<Resume>,
        point: &CancelPoint,
    ) -> NonNull<Slot> {
        let Wanted::Moment(timed) = &mut self.wanted else { unreachable!("arming a moment") };
        let (root, time) = (point.root(), timed.time());
        // SAFETY: the point keeps the memory.
        let generation = unsafe { root.as_ref() }.open(Above::Target(resume), 1);
        let (node, mut via) = (Node { slot: root, generation }, Via::Nobody);
        point.publish(node);
        let armed = arm(&time, time.route(), &mut via, node, self.deadline, glance, point);
        timed.set_via(via);
        if let Err(error) = armed {
            self.fail_one(node, error);
        } else if self.deadline != NEVER {
            self.arm_deadline(node, glance, point);
        }
        root
    }

    /// Has the root time out, unless it is resolved already or its own moment comes first.
    fn arm_deadline(&mut self, root: Node, glance: &Glance<'_>, point: &CancelPoint) {
        let has_timer = match &self.wanted {
            Wanted::One(leaf) => matches!(leaf.via, Via::Timer),
            Wanted::Moment(timed) => matches!(timed.via(), Via::Timer),
            Wanted::Several(tree) => matches!(tree.branches[0].via, Via::Timer),
            Wanted::Nothing | Wanted::Kept(_) => true,
        };
        // SAFETY: the point keeps the memory.
        if has_timer || unsafe { root.slot.as_ref() }.peek().state() != State::Arming {
            return;
        }
        point.set_has_timer(true);
        // SAFETY: removed in `close_all`, before the slot is closed (I1).
        let added = unsafe {
            glance.stage.add_timer(Armed { node: root, due: Due::TimeOut }, self.deadline, glance.seen())
        };
        let Err(error) = added else { return };
        match &mut self.wanted {
            Wanted::Several(tree) => fail(tree, root, error),
            _ => self.fail_one(root, error),
        }
    }

    /// Fires a slot of ours that could not be armed.
    #[cold]
    fn fail_one(&mut self, root: Node, error: Error) {
        let (kind, via) = match std::mem::replace(&mut self.wanted, Wanted::Nothing) {
            Wanted::One(leaf) => (Kind::Leaf(leaf.source), leaf.via),
            Wanted::Moment(timed) => (Kind::Time(timed.time()), timed.via()),
            Wanted::Nothing | Wanted::Several(_) | Wanted::Kept(_) => unreachable!("arming one source"),
        };
        let code = error.code().number();
        self.wanted = Wanted::Several(Tree::of_failed(kind, via, root.slot, error));
        fire_failed(root, code);
    }

    /// Opens every slot and arms every leaf; stops early when the root is resolved meanwhile.
    fn arm_several(
        &mut self,
        glance: &Glance<'_>,
        resume: NonNull<Resume>,
        point: &CancelPoint,
    ) -> NonNull<Slot> {
        let (root, mut me) = (point.lasting_root(), 0);
        while let Wanted::Several(tree) = &mut self.wanted
            && me < tree.branches.len()
        {
            let slot = if me == 0 { root } else { tree.slot(me, root) };
            let branch = &tree.branches[me];
            let above = match me {
                0 => Above::Target(resume),
                _ => {
                    let group = tree.branches[branch.above as usize].node();
                    Above::Group(group.slot, group.generation, branch.index)
                }
            };
            // SAFETY: the pool keeps the memory.
            let generation = unsafe { slot.as_ref() }.open(above, branch.children_to_fire());
            let branch = &mut tree.branches[me];
            (branch.slot, branch.via) = (Some(slot), Via::Nobody);
            let node = Node { slot, generation };
            if me == 0 {
                point.publish(node);
            }
            // A slot has one timer: the root's is the deadline's, if that comes first.
            let deadline = if me == 0 { self.deadline } else { NEVER };
            let armed = match &branch.kind {
                Kind::Leaf(source) => guard(|| source.route())
                    .and_then(|route| arm_in(source, route, &mut branch.via, node, deadline, glance, point)),
                Kind::Time(time) => arm(time, time.route(), &mut branch.via, node, deadline, glance, point),
                Kind::Group(_) => Ok(()),
            };
            if let Err(error) = armed {
                fail(tree, node, error);
            }
            // SAFETY: the point keeps the memory.
            if unsafe { root.as_ref() }.peek().state() != State::Arming {
                break;
            }
            if me == 0 && self.deadline != NEVER {
                self.arm_deadline(node, glance, point);
            }
            me += 1;
        }
        root
    }

    /// Closes a resolved frame; `None` if what it waited for was lost to another and it must begin again.
    pub(crate) fn disband(&mut self, stage: &dyn Stage, point: &CancelPoint) -> Option<Outcome> {
        // By far the most common: one source, and nothing else that could have ended the wait for good.
        let alone = match &mut self.wanted {
            _ if point.has_timer() => None,
            Wanted::One(leaf) => Some(close_one(leaf, stage, point, Closing::Settled)),
            Wanted::Moment(timed) => Some(close_timed(timed, stage, point, Closing::Settled)),
            Wanted::Nothing | Wanted::Several(_) | Wanted::Kept(_) => None,
        };
        if let Some((end, _)) = alone {
            return match self.commit_success(end) {
                Ok(Commit::Taken) => Some(Outcome::Ready { index: 0 }),
                committed => self.conclude(end, committed, &[end.state() == State::Fired]),
            };
        }
        let (end, fired) = self.close_all(stage, point, Closing::Settled);
        let committed = self.commit_success(end);
        self.conclude(end, committed, &fired)
    }

    /// Commits the winners of a frame that ended in success.
    #[inline]
    fn commit_success(&self, end: Word) -> Result<Commit> {
        if end.is_success() { self.commit() } else { Ok(Commit::Lost) }
    }

    /// What the end of a closed frame means.
    fn conclude(&mut self, end: Word, committed: Result<Commit>, fired: &[bool]) -> Option<Outcome> {
        let is_success = end.is_success();
        let is_taken = matches!(committed, Ok(Commit::Taken));
        self.decline(fired, is_taken);
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
    pub(crate) fn abandon(&mut self, stage: &dyn Stage, point: &CancelPoint) -> bool {
        let root = point.root();
        // SAFETY: the point keeps the memory.
        let generation = unsafe { root.as_ref() }.peek().generation();
        // SAFETY: as above.
        let is_spared = match unsafe { slot::resolve(root, generation, State::Cancelled) } {
            Moved::Owed(owed) => {
                owed.waive();
                true
            }
            Moved::Lost => false,
            Moved::Taken => unreachable!("abandoning a frame that is still armed by its owner"),
        };
        let (_, fired) = self.close_all(stage, point, Closing::Hasty);
        self.decline(&fired, false);
        is_spared
    }

    /// Takes every slot back (I1): how the root ended, and which slots had fired.
    fn close_all(
        &mut self,
        stage: &dyn Stage,
        point: &CancelPoint,
        closing: Closing,
    ) -> (Word, SmallVec<[bool; 8]>) {
        if point.has_timer() {
            point.set_has_timer(false);
            let slot = point.root();
            // SAFETY: the point keeps the memory.
            let generation = unsafe { slot.as_ref() }.peek().generation();
            // SAFETY: added in `arm_deadline`.
            unsafe { stage.remove_timer(Armed { node: Node { slot, generation }, due: Due::TimeOut }) };
        }
        let tree = match &mut self.wanted {
            Wanted::Several(tree) => tree,
            Wanted::One(leaf) => {
                let (end, fired) = close_one(leaf, stage, point, closing);
                return (end, smallvec![fired]);
            }
            Wanted::Moment(timed) => {
                let (end, fired) = close_timed(timed, stage, point, closing);
                return (end, smallvec![fired]);
            }
            Wanted::Nothing | Wanted::Kept(_) => unreachable!("closing a frame that waits for nothing"),
        };
        // SAFETY: the point keeps the memory.
        let end = unsafe { point.root().as_ref() }.see();
        let mut fired = SmallVec::from_elem(false, tree.branches.len());
        for (me, fired) in fired.iter_mut().enumerate() {
            // A root that is a leaf is here because it could not be armed.
            let word = close_branch(&mut tree.branches[me], stage);
            *fired = word.is_some_and(|word| word.state() == State::Fired);
            let Some(slot) = tree.branches[me].slot else { continue };
            // SAFETY: the pool keeps the memory.
            if !unsafe { slot.as_ref() }.is_spent() {
                continue;
            }
            tree.branches[me].slot = None;
            match &tree.pool {
                _ if me == 0 => point.replace_root(),
                // SAFETY: closed, and forgotten here.
                Some(pool) => unsafe { pool.give(slot) },
                None => {}
            }
        }
        (end, fired)
    }

    /// Tells sources whose wake-up was not used (I2); `took` says whether the winners were committed.
    fn decline(&self, fired: &[bool], took: bool) {
        if mutant!("frame.decline") {
            return;
        }
        match &self.wanted {
            Wanted::One(leaf) if fired[0] && !took => _ = guard(|| leaf.source.decline()),
            Wanted::Several(tree) => {
                let winners = if took { winners(&tree.branches) } else { SmallVec::default() };
                for (me, branch) in tree.branches.iter().enumerate() {
                    let is_unused = fired[me] && !winners.get(me).copied().unwrap_or(false);
                    if let Some(source) = branch.source().filter(|_| is_unused) {
                        let _ = guard(|| source.decline());
                    }
                }
            }
            _ => {}
        }
    }

    /// The failure behind a status number: our own, or what a source says when it is asked.
    fn failure_of(&mut self, code: u32) -> Error {
        let code = Code::from_number(code).unwrap_or(Code::Unknown);
        let own = match &mut self.wanted {
            Wanted::Several(tree) => tree.failure.take(),
            _ => None,
        };
        if let Some(error) = own.filter(|error| error.code() == code) {
            return error;
        }
        let told = self.sources().find_map(|source| match guard(|| source.query()) {
            Ok(Readiness::Failed(error)) if error.code() == code => Some(error),
            _ => None,
        });
        told.unwrap_or_else(|| Error::new(code, "a wait source failed"))
    }
}

/// Fires a slot of a tree that could not be armed.
fn fail<S>(tree: &mut Tree<S>, node: Node, error: Error) {
    let code = error.code().number();
    tree.failure = Some(error);
    fire_failed(node, code);
}
