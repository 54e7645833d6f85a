//! One slot and one source: how the slot is armed there, and taken back.
//!
//! Not here: which slots, and when (`body.rs`).

#![allow(unsafe_code)]

use crate::branch::{Branch, Kind, Leaf, Timed, Via, guard, moment_of};
use crate::cancel::CancelPoint;
use crate::listed::{ListedSource, Node};
use crate::slot;
use crate::source::{Owner, Route, WaitSource, Watch};
use crate::stage::sealed::Armed;
use crate::stage::{Due, Glance, Moment, Stage};
use crate::waker::{SourceWaker, WakerId};
use crate::word::{State, Word};
use raddle_status::Result;
use raddle_sync::mutant;
use std::ops::Deref;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;

/// What a body is to do about the slots that it closes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closing {
    /// The root's winner has been heard of: nobody else touches a lone slot any more.
    Settled,
    /// The root's winner may still be on its way out of the source.
    Hasty,
}

/// Arms the source of a root that is a leaf. A function of its own: as a part of its caller it takes 30 instructions more.
pub(crate) fn arm<'a>(
    source: &'a (impl WaitSource + ?Sized),
    route: Route<'a>,
    via: &mut Via,
    node: Node,
    deadline: Moment,
    glance: &Glance<'_>,
    point: &CancelPoint,
) -> Result {
    arm_in(&source, route, via, node, deadline, glance, point)
}

/// Arms one source by its route; `deadline`: the moment that comes first if it is earlier than the source's.
#[inline]
pub(crate) fn arm_in<'a, S: Deref<Target: WaitSource>>(
    source: &'a S,
    route: Route<'a>,
    via: &mut Via,
    node: Node,
    deadline: Moment,
    glance: &Glance<'_>,
    point: &CancelPoint,
) -> Result {
    let (stage, armed) = (glance.stage, Armed { node, due: Due::Fire });
    match route {
        Route::Listed(listed) => {
            *via = Via::Listed(lasting(listed.0));
            // SAFETY: `close` unlinks before the slot is closed (I1 of `body.rs`); the pool keeps the memory.
            guard(|| unsafe { listed.0.link(node) })
        }
        Route::Source => {
            assert!(point.is_lasting(), "a waker that leads to a slot outside the pool");
            *via = Via::Waker;
            guard(|| {
                // SAFETY: the pool keeps the memory.
                source.arm(unsafe { SourceWaker::new(node.slot, node.generation) });
            })
        }
        Route::Moment(_) | Route::Delay(_) => {
            // SAFETY: the point keeps the memory.
            match moment_of(&route, glance, unsafe { point.root().as_ref() }) {
                Some(moment) if deadline < moment => Ok(()),
                Some(moment) => {
                    // SAFETY: `close` removes the timer before the slot is closed (I1 of `body.rs`).
                    let added = unsafe { stage.add_timer(armed, moment, glance.seen()) };
                    added.map(|()| *via = Via::Timer)
                }
                None => unreachable!("these routes have a moment"),
            }
        }
        Route::Descriptor(fd, interest) => watch(stage, armed, Watch::lent(fd, interest), via),
        Route::Watch(wanted) => watch(stage, armed, wanted, via),
    }
}

/// Fires a slot that could not be armed.
pub(crate) fn fire_failed(node: Node, code: u32) {
    if mutant!("frame.refused") {
        return;
    }
    // SAFETY: the pool keeps the memory. The root is arming, so nothing can be owed.
    let moved = unsafe { slot::fire(node.slot, node.generation, code) };
    moved.pay();
}

/// Takes the root back from the one source: how it ended, and whether it was open and had fired.
#[inline]
pub(crate) fn close_one<S: Deref<Target: WaitSource>>(
    leaf: &mut Leaf<S>,
    stage: &dyn Stage,
    point: &CancelPoint,
    closing: Closing,
) -> (Word, bool) {
    close_root(&*leaf.source, &mut leaf.via, stage, point, closing)
}

/// The same for a wait for a moment.
pub(crate) fn close_timed(
    timed: &mut Timed,
    stage: &dyn Stage,
    point: &CancelPoint,
    closing: Closing,
) -> (Word, bool) {
    let mut via = timed.via();
    timed.set_via(Via::Closed);
    close_root(&timed.time(), &mut via, stage, point, closing)
}

#[inline]
fn close_root(
    source: &(impl WaitSource + ?Sized),
    via: &mut Via,
    stage: &dyn Stage,
    point: &CancelPoint,
    closing: Closing,
) -> (Word, bool) {
    let slot = point.root();
    // SAFETY: the point keeps the memory.
    let root = unsafe { slot.as_ref() };
    let end = root.see();
    let via = std::mem::replace(via, Via::Closed);
    if matches!(via, Via::Closed) {
        return (end, false);
    }
    // A lone slot that fired was fired by its own source, which took it off its list before.
    if closing == Closing::Hasty || end.state() != State::Fired {
        disarm(source, via, Node { slot, generation: end.generation() }, stage);
    }
    let last = root.close();
    if root.is_spent() {
        point.replace_root();
    }
    (end, last.state() == State::Fired)
}

/// Takes one slot back from its source and closes it; `None` if it was not open.
pub(crate) fn close_branch<S: Deref<Target: WaitSource>>(
    branch: &mut Branch<S>,
    stage: &dyn Stage,
) -> Option<Word> {
    let via = std::mem::replace(&mut branch.via, Via::Closed);
    if matches!(via, Via::Closed) {
        return None;
    }
    let node = branch.node();
    match &branch.kind {
        Kind::Leaf(source) => disarm(&**source, via, node, stage),
        Kind::Time(time) => disarm(time, via, node, stage),
        Kind::Group(_) => {}
    }
    // SAFETY: the pool keeps the memory.
    let last = unsafe { node.slot.as_ref() }.close();
    branch.winner = last.field() as u32;
    Some(last)
}

/// Takes a slot back from a source in the way in which it was armed.
fn disarm(source: &(impl WaitSource + ?Sized), via: Via, node: Node, stage: &dyn Stage) {
    let armed = Armed { node, due: Due::Fire };
    let _ = guard(|| match via {
        Via::Closed | Via::Nobody => {}
        // SAFETY: linked in `arm_in`; the source keeps it (I1 of `branch.rs`).
        Via::Listed(listed) => unsafe { unlink(listed, node) },
        Via::Waker => source.disarm(WakerId::new(node.slot, node.generation)),
        // SAFETY: added in `arm_in`.
        Via::Timer => unsafe { stage.remove_timer(armed) },
        Via::Descriptor(fd, interest, owner) => {
            // SAFETY: the source keeps it open (I1 of `branch.rs`).
            let fd = unsafe { BorrowedFd::borrow_raw(fd) };
            // SAFETY: the source is, or has, the owner (I1 of `branch.rs`).
            let owner = owner.map(|owner| unsafe { owner.as_ref() });
            // SAFETY: added in `arm_in`.
            unsafe { stage.remove_descriptor(armed, Watch { fd, interest, owner }) }
        }
    });
}

/// Has the stage watch a descriptor for a leaf.
fn watch(stage: &dyn Stage, armed: Armed, wanted: Watch<'_>, via: &mut Via) -> Result {
    let owner = wanted.owner.map(|owner| {
        let owner: NonNull<dyn Owner + '_> = NonNull::from(owner);
        // SAFETY: only the lifetime changes; whoever dereferences it answers for it.
        unsafe { std::mem::transmute::<NonNull<dyn Owner + '_>, NonNull<dyn Owner + 'static>>(owner) }
    });
    // SAFETY: `close` removes the watch before the slot is closed (I1 of `body.rs`).
    unsafe { stage.add_descriptor(armed, wanted) }?;
    *via = Via::Descriptor(wanted.fd.as_raw_fd(), wanted.interest, owner);
    Ok(())
}

/// The source that a leaf is linked to, for as long as the leaf's own lives: that is what it was borrowed from.
pub(crate) fn lasting(listed: &dyn ListedSource) -> NonNull<dyn ListedSource + 'static> {
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
