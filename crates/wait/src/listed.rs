//! Lists of slots, kept by the sources of this crate under their own lock, without a waker or an allocation.
//!
//! # Invariants
//! - I1: a slot is on the list of one source at most, and only from `link` to `unlink` or the fire that took it off.
//!   [mutants: listed.unlink]
//! - I2: a source fires a slot of its list with its lock held, after taking it off; `unlink` takes the same lock.
//!   So when `unlink` has returned, no fire by this source is still under way, and the memory may go.
//!   [mutants: listed.unlink]
//! - I3: duties are paid after the lock is released. [mutants: event.locked]

#![allow(unsafe_code)]

use crate::resume::OwedList;
use crate::slot::{self, Link, Moved, Slot};
use crate::waker::{SourceWaker, WakerId};
use raddle_sync::mutant;
use std::ptr::NonNull;

/// One armed use of a slot, for a source to link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    pub(crate) slot: NonNull<Slot>,
    pub(crate) generation: u64,
}

/// A source that keeps slots themselves.
pub(crate) trait ListedSource {
    /// Whether it offers [`link_at_once`](ListedSource::link_at_once).
    fn offers_at_once(&self) -> bool {
        false
    }

    /// With its lock held, and unless it is ready, has a slot opened that waits at once, and links it if one is returned; says
    /// whether it had. The lock is the last that the caller touches of the source: from the opening on, somebody else may have
    /// the frame.
    ///
    /// # Safety
    /// What `open` returns is a slot that is on no list, and whose memory lives until `unlink` has returned.
    unsafe fn link_at_once(&self, open: &mut dyn FnMut() -> Option<Node>) -> bool {
        let _ = open;
        false
    }

    /// Links an armed slot, or fires it at once.
    ///
    /// # Safety
    /// The slot is armed, on no list, and its memory lives until `unlink` has returned.
    unsafe fn link(&self, node: Node);

    /// Takes the slot off the list if it is on it.
    ///
    /// # Safety
    /// `node` was given to `link` of this source.
    unsafe fn unlink(&self, node: Node);
}

/// Everything that waits on one source: linked slots, and wakers of sources that pass their `arm` on to this one.
/// Lives inside the source's lock. `X` is what few sources of the kind have besides.
pub(crate) struct Waits<X = ()> {
    slots: SlotList,
    /// Apart, since few sources have any of it.
    rare: Option<Box<Rare<X>>>,
}

struct Rare<X> {
    wakers: Vec<SourceWaker>,
    extra: Option<X>,
}

impl<X> Default for Waits<X> {
    fn default() -> Waits<X> {
        Waits { slots: SlotList::default(), rare: None }
    }
}

impl<X> Waits<X> {
    /// What few sources have besides.
    pub(crate) fn extra(&mut self) -> Option<&mut X> {
        self.rare.as_mut()?.extra.as_mut()
    }

    pub(crate) fn set_extra(&mut self, extra: X) {
        self.rare().extra = Some(extra);
    }

    fn rare(&mut self) -> &mut Rare<X> {
        self.rare.get_or_insert_with(|| Box::new(Rare { wakers: Vec::new(), extra: None }))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty() && self.rare.as_ref().is_none_or(|rare| rare.wakers.is_empty())
    }

    /// Adds a linked slot.
    ///
    /// # Safety
    /// As for [`SlotList::push`].
    pub(crate) unsafe fn link(&mut self, slot: NonNull<Slot>) {
        // SAFETY: the caller's promise.
        unsafe { self.slots.push(slot) };
    }

    /// Takes a linked slot off.
    ///
    /// # Safety
    /// As for [`SlotList::remove`].
    pub(crate) unsafe fn unlink(&mut self, slot: NonNull<Slot>) {
        if !mutant!("listed.unlink") {
            // SAFETY: the caller's promise.
            unsafe { self.slots.remove(slot) };
        }
    }

    pub(crate) fn add_waker(&mut self, waker: SourceWaker) {
        self.rare().wakers.push(waker);
    }

    /// Forgets a waker. Cost: linear in the number of wakers, not of slots.
    pub(crate) fn remove_waker(&mut self, id: WakerId) {
        if let Some(rare) = &mut self.rare {
            rare.wakers.retain(|waker| waker.id() != id);
        }
    }

    /// Takes everything off and fires it.
    pub(crate) fn fire_all(&mut self, code: u32, owed: &mut OwedList) {
        while self.fire_first(code, owed).is_some() {}
    }

    /// Takes the first wait off and fires it: `None` when nothing waits, otherwise whether the fire counted.
    pub(crate) fn fire_first(&mut self, code: u32, owed: &mut OwedList) -> Option<bool> {
        if let Some(counted) = self.slots.fire_first(code, owed) {
            return Some(counted);
        }
        let waker = self.rare.as_mut()?.wakers.pop()?;
        Some(gather(waker.fire_quietly(code), owed))
    }
}

/// A first-in first-out list of slots. The first's link names the last in front of it, so that a list is one word.
#[derive(Default)]
pub(crate) struct SlotList {
    first: Option<NonNull<Slot>>,
}

// SAFETY: slots are Send; the list is only used under its source's lock (I2).
unsafe impl Send for SlotList {}

impl SlotList {
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Appends a slot.
    ///
    /// # Safety
    /// The slot is on no list; its memory lives until it is taken off; the source's lock is held.
    pub(crate) unsafe fn push(&mut self, slot: NonNull<Slot>) {
        // SAFETY: the caller's promise.
        let link = unsafe { read_link(slot) };
        debug_assert_eq!(link, Link::DETACHED, "linking a slot that is on a list");
        let Some(first) = self.first else {
            // SAFETY: the caller's promise.
            unsafe { set_link(slot, Link { previous: Some(slot), next: None }) };
            self.first = Some(slot);
            return;
        };
        // SAFETY: a slot on the list is alive and its link is ours (I1).
        let last = unsafe { read_link(first) }.previous.expect("the first names the last");
        // SAFETY: as above.
        unsafe { edit_link(last, |link| link.next = Some(slot)) };
        // SAFETY: the caller's promise.
        unsafe { set_link(slot, Link { previous: Some(last), next: None }) };
        // SAFETY: as for `last`.
        unsafe { edit_link(first, |link| link.previous = Some(slot)) };
    }

    /// Takes the first slot off.
    pub(crate) fn pop(&mut self) -> Option<NonNull<Slot>> {
        let slot = self.first?;
        // SAFETY: it is on the list.
        unsafe { self.remove(slot) };
        Some(slot)
    }

    /// Takes a slot off if it is on this list; says whether it was.
    ///
    /// # Safety
    /// The slot is on this list or on none; the source's lock is held.
    pub(crate) unsafe fn remove(&mut self, slot: NonNull<Slot>) -> bool {
        // SAFETY: the link is ours under the lock (I1).
        let link = unsafe { read_link(slot) };
        if link == Link::DETACHED {
            return false;
        }
        let first = self.first.expect("a list with a slot on it");
        let before = link.previous.expect("the first names the last");
        if slot == first {
            self.first = link.next;
        } else {
            // SAFETY: a neighbour is on the list.
            unsafe { edit_link(before, |other| other.next = link.next) };
        }
        // Behind the last stands the first, whose link names the last.
        let after = link.next.or(self.first);
        if let Some(after) = after {
            // SAFETY: as above.
            unsafe { edit_link(after, |other| other.previous = link.previous) };
        }
        // SAFETY: as above.
        unsafe { set_link(slot, Link::DETACHED) };
        true
    }

    /// Takes the first slot off and fires it in its present generation: `None` on an empty list, otherwise whether
    /// the fire counted.
    pub(crate) fn fire_first(&mut self, code: u32, owed: &mut OwedList) -> Option<bool> {
        let slot = self.pop()?;
        // SAFETY: it was on the list, so its memory is alive until its frame has our lock (I2).
        let generation = unsafe { slot.as_ref() }.peek().generation();
        // SAFETY: as above.
        let moved = unsafe { slot::fire(slot, generation, code) };
        Some(gather(moved, owed))
    }
}

/// Keeps a duty for after the unlock (I3); says whether the fire counted.
pub(crate) fn gather(moved: Moved, owed: &mut OwedList) -> bool {
    match moved {
        Moved::Lost => false,
        Moved::Taken => true,
        Moved::Owed(duty) => {
            owed.push(duty);
            true
        }
    }
}

/// # Safety
/// The slot is alive and its link is the caller's.
unsafe fn read_link(slot: NonNull<Slot>) -> Link {
    // SAFETY: the caller's promise.
    let slot = unsafe { slot.as_ref() };
    slot.link.with(|link| {
        // SAFETY: the caller's promise.
        unsafe { *link }
    })
}

/// # Safety
/// The slot is alive and its link is the caller's.
unsafe fn set_link(slot: NonNull<Slot>, value: Link) {
    // SAFETY: the caller's promise.
    unsafe { edit_link(slot, |link| *link = value) };
}

/// # Safety
/// The slot is alive and its link is the caller's.
unsafe fn edit_link(slot: NonNull<Slot>, edit: impl FnOnce(&mut Link)) {
    // SAFETY: the caller's promise.
    let slot = unsafe { slot.as_ref() };
    slot.link.with_mut(|link| {
        // SAFETY: the caller's promise.
        edit(unsafe { &mut *link })
    });
}
