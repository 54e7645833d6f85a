//! The inside of a frame: how its slots are armed.
//!
//! Not here: when (`series.rs`), how they are closed again (`ending.rs`), what the sources say (`branch.rs`).
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

use crate::arm::{arm, arm_in, fire_failed, lasting};
use crate::branch::{Branch, Group, Kind, Leaf, Timed, Tree, Via, ask, commit, evaluate, flatten, guard};
use crate::cancel::CancelPoint;
use crate::condition::{Condition, SharedSource};
use crate::delay::Time;
use crate::frame::Outcome;
use crate::listed::Node;
use crate::lone::Lone;
use crate::resume::Resume;
use crate::slot::{Above, Slot};
use crate::source::{Commit, Readiness, Route, WaitSource};
use crate::stage::sealed::Armed;
use crate::stage::{Due, Glance, Moment, NEVER, Stage};
use crate::word::State;
use raddle_status::{Error, Result};
use std::ops::Deref;
use std::ptr::NonNull;

pub(crate) struct Body<S> {
    pub(crate) wanted: Wanted<S>,
    pub(crate) deadline: Moment,
}

/// What is waited for, or what came of it.
pub(crate) enum Wanted<S> {
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

    pub(crate) fn commit(&self) -> Result<Commit> {
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
        let node = open(point.lasting_root(), resume, point);
        match &mut self.wanted {
            Wanted::One(leaf) => leaf.via = Via::Nobody,
            Wanted::Moment(timed) => timed.set_via(Via::Nobody),
            Wanted::Several(tree) => {
                (tree.branches[0].slot, tree.branches[0].via) = (Some(node.slot), Via::Nobody)
            }
            Wanted::Nothing | Wanted::Kept(_) => {}
        }
        node
    }

    pub(crate) fn ready(&self) -> Outcome {
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
        let node = open(root, resume, point);
        leaf.via = Via::Nobody;
        point.publish(node);
        let armed = route
            .and_then(|route| arm(&*leaf.source, route, &mut leaf.via, node, self.deadline, glance, point));
        self.armed(armed, node, glance, point)
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
        let (node, mut via) = (open(root, resume, point), Via::Nobody);
        point.publish(node);
        let armed = arm(&time, time.route(), &mut via, node, self.deadline, glance, point);
        timed.set_via(via);
        self.armed(armed, node, glance, point)
    }

    /// What follows the arming of a root that is a leaf.
    #[inline]
    fn armed(
        &mut self,
        armed: Result,
        root: Node,
        glance: &Glance<'_>,
        point: &CancelPoint,
    ) -> NonNull<Slot> {
        if let Err(error) = armed {
            self.fail_one(root, error);
        } else if self.deadline != NEVER {
            self.arm_deadline(root, glance, point);
        }
        root.slot
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
}

/// Opens a root that one fire resolves.
#[inline]
fn open(root: NonNull<Slot>, resume: NonNull<Resume>, _kept_by: &CancelPoint) -> Node {
    // SAFETY: the point keeps the memory.
    let generation = unsafe { root.as_ref() }.open(Above::Target(resume), 1);
    Node { slot: root, generation }
}

/// Fires a slot of a tree that could not be armed.
fn fail<S>(tree: &mut Tree<S>, node: Node, error: Error) {
    let code = error.code().number();
    tree.failure = Some(error);
    fire_failed(node, code);
}
