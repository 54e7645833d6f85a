//! What a wait waits for: one source, or a condition that is flattened in pre-order; what they say, and the commit of those
//! that won.
//!
//! Not here: how they are armed and closed (`body.rs`).
//!
//! # Invariants
//! - I1: a leaf is disarmed in the way in which it was armed, whatever its source answers meanwhile: [`Via`] keeps it.
//!   [tests: a_route_that_changes_leaves_no_slot_behind]
//! - I2: what a commit took is given back when another source of the same wait was lost. [mutants: commit.give_back]
//!
//! Models: `tests/loom_commit.rs`.

#![allow(unsafe_code)]

use crate::condition::Condition;
use crate::delay::{Time, after};
use crate::listed::{ListedSource, Node};
use crate::pool::SlotPool;
use crate::slot::Slot;
use crate::source::{Commit, Interest, Owner, Readiness, Route, WaitSource};
use crate::stage::{Glance, Moment, NEVER};
use crate::word::CHILDREN_MAX;
use raddle_status::{Code, Error, Result, panic_message};
use raddle_sync::mutant;
use smallvec::SmallVec;
use std::ops::Deref;
use std::os::fd::RawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

/// A wait for one source, the most common by far.
pub(crate) struct Leaf<S> {
    pub(crate) source: S,
    pub(crate) via: Via,
}

/// A wait for a moment alone.
pub(crate) struct Timed {
    nanos: u64,
    is_delay: bool,
    stand: Stand,
}

/// How its slot was armed (I1): what [`Via`] is for a source.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stand {
    Closed,
    Nobody,
    Timer,
}

impl Timed {
    pub(crate) fn new(Time { nanos, is_delay }: Time) -> Timed {
        Timed { nanos, is_delay, stand: Stand::Closed }
    }

    pub(crate) fn time(&self) -> Time {
        Time { nanos: self.nanos, is_delay: self.is_delay }
    }

    pub(crate) fn via(&self) -> Via {
        match self.stand {
            Stand::Closed => Via::Closed,
            Stand::Nobody => Via::Nobody,
            Stand::Timer => Via::Timer,
        }
    }

    pub(crate) fn set_via(&mut self, via: Via) {
        self.stand = match via {
            Via::Closed => Stand::Closed,
            Via::Nobody => Stand::Nobody,
            Via::Timer => Stand::Timer,
            Via::Listed(_) | Via::Waker | Via::Descriptor(..) => unreachable!("a moment has a timer"),
        };
    }
}

/// Any other.
pub(crate) struct Tree<S> {
    /// In pre-order.
    pub(crate) branches: Branches<S>,
    /// Where the slots come from, those of the root aside; since the first was taken.
    pub(crate) pool: Option<SlotPool>,
    /// A failure that a status number can't carry.
    pub(crate) failure: Option<Error>,
}

/// One leaf or group of a tree.
pub(crate) struct Branch<S> {
    pub(crate) kind: Kind<S>,
    /// Node of the group above; the root's own number for the root.
    pub(crate) above: u32,
    /// Index among the children of the group above.
    pub(crate) index: u32,
    /// Of the root: the cancel point's, while it is open.
    pub(crate) slot: Option<NonNull<Slot>>,
    /// Groups: the child that resolved it.
    pub(crate) winner: u32,
    pub(crate) via: Via,
}

/// How the slot of a branch was armed (I1).
#[derive(Clone, Copy)]
pub(crate) enum Via {
    /// The slot is not open.
    Closed,
    /// Open, and no source knows it: a group, or a leaf that could not be armed.
    Nobody,
    /// On the list of this source, which lives as long as the branch's own.
    Listed(NonNull<dyn ListedSource>),
    /// A waker was given away.
    Waker,
    /// A timer of the stage.
    Timer,
    /// A watch of the stage on this descriptor, which stays open as long as the branch's source.
    Descriptor(RawFd, Interest, Option<NonNull<dyn Owner>>),
}

pub(crate) enum Kind<S> {
    Leaf(S),
    Time(Time),
    Group(Group),
}

#[derive(Clone, Copy)]
pub(crate) enum Group {
    Any,
    All { children: u32 },
}

pub(crate) type Branches<S> = Vec<Branch<S>>;

impl<S> Branch<S> {
    fn new(kind: Kind<S>, above: usize, index: usize) -> Branch<S> {
        Branch { kind, above: above as u32, index: index as u32, slot: None, winner: 0, via: Via::Closed }
    }

    /// The open slot and its generation. Owner only.
    pub(crate) fn node(&self) -> Node {
        let slot = self.slot.expect("an open slot");
        // SAFETY: the frame's pool keeps the memory.
        let generation = unsafe { slot.as_ref() }.peek().generation();
        Node { slot, generation }
    }

    /// How many fires of children resolve it.
    pub(crate) fn children_to_fire(&self) -> u64 {
        match self.kind {
            Kind::Leaf(_) | Kind::Time(_) | Kind::Group(Group::Any) => 1,
            Kind::Group(Group::All { children }) => u64::from(children),
        }
    }
}

/// Flattens a condition of several sources, without recursion.
///
/// # Errors
/// INVALID_ARGUMENT for a group without children; RESOURCE_EXHAUSTED for one with more than [`CHILDREN_MAX`].
pub(crate) fn flatten<S>(condition: Condition<S>) -> Result<Box<Tree<S>>> {
    let mut branches = Vec::new();
    flatten_group(condition, &mut branches)?;
    Ok(Box::new(Tree { branches, pool: None, failure: None }))
}

impl<S> Tree<S> {
    /// A wait for one source that could not be armed.
    pub(crate) fn of_failed(kind: Kind<S>, via: Via, slot: NonNull<Slot>, failure: Error) -> Box<Tree<S>> {
        let branch = Branch { via, slot: Some(slot), ..Branch::new(kind, 0, 0) };
        Box::new(Tree { branches: vec![branch], pool: None, failure: Some(failure) })
    }

    /// A slot for a branch that is not the root.
    pub(crate) fn slot(&mut self, me: usize, root: NonNull<Slot>) -> NonNull<Slot> {
        // SAFETY: the root's point keeps the memory.
        let pool = self.pool.get_or_insert_with(|| unsafe { SlotPool::of(root) });
        *self.branches[me].slot.get_or_insert_with(|| pool.take())
    }
}

impl<S> Drop for Tree<S> {
    fn drop(&mut self) {
        for branch in &mut self.branches {
            debug_assert!(
                matches!(branch.via, Via::Closed) || std::thread::panicking(),
                "a frame was dropped while it waits"
            );
        }
        let Some(pool) = &self.pool else { return };
        for slot in self.branches.iter_mut().skip(1).filter_map(|branch| branch.slot.take()) {
            // SAFETY: closed by `disband` or `abandon`, and forgotten here.
            unsafe { pool.give(slot) };
        }
    }
}

fn flatten_group<S>(condition: Condition<S>, branches: &mut Branches<S>) -> Result {
    let mut rest = vec![];
    let mut next = Some((condition, 0, 0));
    while let Some((condition, above, index)) = next.take().or_else(|| rest.pop()) {
        let me = branches.len();
        let children = match condition {
            Condition::Until(source) => {
                branches.push(Branch::new(Kind::Leaf(source), above, index));
                continue;
            }
            Condition::At(moment) => {
                branches.push(Branch::new(Kind::Time(Time::at(moment)), above, index));
                continue;
            }
            Condition::After(duration) => {
                branches.push(Branch::new(Kind::Time(Time::after(duration)), above, index));
                continue;
            }
            Condition::Any(children) => {
                branches.push(Branch::new(Kind::Group(Group::Any), above, index));
                children
            }
            Condition::All(children) => {
                let group = Group::All { children: children.len() as u32 };
                branches.push(Branch::new(Kind::Group(group), above, index));
                children
            }
        };
        if children.is_empty() {
            return Err(Error::new(Code::InvalidArgument, "a wait for any or all of no source never ends"));
        }
        if children.len() > CHILDREN_MAX {
            let message = format!("a wait on {} sources; at most {CHILDREN_MAX}", children.len());
            return Err(Error::new(Code::ResourceExhausted, message));
        }
        rest.extend(children.into_iter().enumerate().rev().map(|(index, child)| (child, me, index)));
    }
    Ok(())
}

impl<S: Deref<Target: WaitSource>> Branch<S> {
    /// The source of a leaf; a moment has none that could be asked, or told of anything.
    pub(crate) fn source(&self) -> Option<&S::Target> {
        match &self.kind {
            Kind::Leaf(source) => Some(source),
            _ => None,
        }
    }
}

/// Runs foreign code; a panic in it becomes a failure.
pub(crate) fn guard<R>(foreign: impl FnOnce() -> R) -> Result<R> {
    catch_unwind(AssertUnwindSafe(foreign))
        .map_err(|payload| panic_message(&*payload).within("in a wait source"))
}

/// The moment of a route that has one. Delays count from the first look at the clock of a wait for one, which its root keeps:
/// a wait that is begun again after a loss does not begin its delays again.
pub(crate) fn moment_of(route: &Route<'_>, glance: &Glance<'_>, root: &Slot) -> Option<Moment> {
    match *route {
        Route::Moment(moment) => Some(moment),
        Route::Delay(delay) => {
            if root.begun() == NEVER {
                root.set_begun(glance.now());
            }
            Some(after(root.begun(), delay))
        }
        _ => None,
    }
}

/// Asks one source; a moment is ready when it has come.
pub(crate) fn ask(source: &(impl WaitSource + ?Sized), glance: &Glance<'_>, root: &Slot) -> Readiness {
    let answer = guard(|| match source.query() {
        Readiness::Pending => match moment_of(&source.route(), glance, root) {
            Some(moment) if moment != NEVER && moment <= glance.now() => Readiness::Ready,
            _ => Readiness::Pending,
        },
        answer => answer,
    });
    answer.unwrap_or_else(Readiness::Failed)
}

/// Asks every leaf: `Ready` and `Failed` speak for the whole condition, and the groups know their winners.
pub(crate) fn evaluate<S>(branches: &mut [Branch<S>], glance: &Glance<'_>, root: &Slot) -> Readiness
where
    S: Deref<Target: WaitSource>,
{
    let mut errors: SmallVec<[Error; 1]> = SmallVec::new();
    let mut tallies: SmallVec<[Tally; 8]> = SmallVec::from_elem(Tally::default(), branches.len());
    // Pre-order backwards: children before their group, and the first child last, so that it wins.
    for me in (0..branches.len()).rev() {
        let tally = tallies[me];
        let mut judge = |answer| match answer {
            Readiness::Pending => Verdict::Pending,
            Readiness::Ready => Verdict::Ready,
            Readiness::Failed(error) => {
                errors.push(error);
                Verdict::Failed(errors.len() - 1)
            }
        };
        let verdict = match &branches[me].kind {
            Kind::Leaf(source) => judge(ask(&**source, glance, root)),
            Kind::Time(time) => judge(ask(time, glance, root)),
            Kind::Group(Group::Any) => tally.first,
            Kind::Group(Group::All { children }) => match tally.failed {
                Some(error) => Verdict::Failed(error),
                None if tally.ready == *children => Verdict::Ready,
                None => Verdict::Pending,
            },
        };
        if me == 0 {
            return match verdict {
                Verdict::Pending => Readiness::Pending,
                Verdict::Ready => Readiness::Ready,
                Verdict::Failed(error) => Readiness::Failed(errors.swap_remove(error)),
            };
        }
        let (above, index) = (branches[me].above as usize, branches[me].index);
        if tallies[above].count(verdict) {
            branches[above].winner = index;
        }
    }
    unreachable!("a condition has a root")
}

#[derive(Clone, Copy, Default)]
enum Verdict {
    #[default]
    Pending,
    Ready,
    Failed(usize),
}

/// What the children of a group that were asked so far said.
#[derive(Clone, Copy, Default)]
struct Tally {
    ready: u32,
    failed: Option<usize>,
    /// The verdict of the resolved child with the lowest index.
    first: Verdict,
}

impl Tally {
    /// Counts a child in front of all that were counted; says whether it is resolved.
    fn count(&mut self, child: Verdict) -> bool {
        match child {
            Verdict::Pending => return false,
            Verdict::Ready => self.ready += 1,
            Verdict::Failed(error) => self.failed = Some(error),
        }
        self.first = child;
        true
    }
}

/// Commits the sources that resolved the condition, all or none; `Taken` is final.
///
/// Sources are committed in the order of their addresses, so that two waits on the same sources can't each take the
/// other's half for ever.
pub(crate) fn commit<S: Deref<Target: WaitSource>>(branches: &[Branch<S>]) -> Result<Commit> {
    let resolved_it = winners(branches);
    let mut winners: SmallVec<[&S::Target; 4]> = SmallVec::new();
    winners
        .extend(branches.iter().zip(resolved_it).filter_map(|(branch, won)| branch.source().filter(|_| won)));
    if winners.len() > 1 {
        winners.sort_unstable_by_key(|source| std::ptr::from_ref(*source).cast::<()>().addr());
    }
    for (count, source) in winners.iter().enumerate() {
        let committed = guard(|| source.commit());
        if !matches!(committed, Ok(Commit::Taken)) {
            let mut result = committed;
            for earlier in winners[..count].iter().filter(|_| !mutant!("commit.give_back")) {
                if let Err(error) = guard(|| earlier.give_back()) {
                    result = Err(error);
                }
            }
            return result;
        }
    }
    Ok(Commit::Taken)
}

/// Which branches resolved the condition: from the root down, all children of a wait for all, the winner of one for any.
pub(crate) fn winners<S>(branches: &[Branch<S>]) -> SmallVec<[bool; 8]> {
    let mut won: SmallVec<[bool; 8]> = SmallVec::from_elem(false, branches.len());
    won[0] = true;
    for (me, branch) in branches.iter().enumerate().skip(1) {
        let above = &branches[branch.above as usize];
        won[me] = won[branch.above as usize]
            && (matches!(above.kind, Kind::Group(Group::All { .. })) || above.winner == branch.index);
    }
    won
}
