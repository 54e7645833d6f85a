//! The most common wait by far: one source of this crate that keeps slots itself, and no deadline. It is asked, armed and given
//! away in one step.
//!
//! Not here: every other wait (`body.rs`).
//!
//! # Invariants
//! - I1: the slot waits from the moment at which it is opened, with the source's lock held. Whoever moves it on owes the resume,
//!   and who is resumed passes that lock, or was fired with it held, before the frame, the source or the cancel point can go:
//!   so the armer may touch the source and the cancel point until it lets go of the lock, and nothing after that.
//!   [mutants: lone.resolve, lone.open]
//! - I2: the turn stays the armer's if the source is ready, or if the armer itself resolves the slot for a request that it sees.
//!   (by construction: `give_away` says so in these cases)
//!
//! # Orderings
//! `open_armed` releases what the armer wrote; a firer has it by the source's lock, a canceller by the acquire of `look`.
//! Models: `tests/loom_frame.rs`, `tests/loom_event.rs`, `tests/loom_cancel.rs`.

#![allow(unsafe_code)]

use crate::cancel::CancelPoint;
use crate::listed::{ListedSource, Node};
use crate::resume::Resume;
use crate::slot::{self, Moved, Slot};
use crate::word::State;
use raddle_sync::mutant;
use std::ptr::NonNull;

/// See the head of this file.
pub(crate) struct Lone {
    pub(crate) listed: NonNull<dyn ListedSource>,
    pub(crate) slot: NonNull<Slot>,
}

/// Whose the frame's turn is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Given {
    /// Whoever ends the wait has it.
    Away,
    /// The armer's: the source is ready, and nothing was opened.
    Ready,
    /// The armer's: a request came, and the slot is open and cancelled.
    Cancelled,
}

impl Lone {
    /// Opens the slot and gives the frame away.
    ///
    /// # Safety
    /// Source and slot are those of a frame whose turn the caller has, the slot is free, and it is the root of `point`. After `Away`
    /// the caller touches neither frame, source nor cancel point.
    pub(crate) unsafe fn give_away(self, resume: NonNull<Resume>, point: &CancelPoint) -> Given {
        let mut is_cancelled = false;
        let mut open = || {
            // SAFETY: the point keeps the memory.
            let generation = unsafe { self.slot.as_ref() }.open_armed(resume);
            let node = Node { slot: self.slot, generation };
            if !point.publish_armed() {
                return Some(node);
            }
            if mutant!("lone.resolve") {
                is_cancelled = true;
                return None;
            }
            // SAFETY: the point keeps the memory; the slot is a root.
            match unsafe { slot::resolve(node.slot, node.generation, State::Cancelled) } {
                Moved::Owed(owed) => {
                    owed.waive();
                    is_cancelled = true;
                }
                // The one who asked was faster, and owes the resume.
                Moved::Lost => {}
                Moved::Taken => unreachable!("it waits since it was opened"),
            }
            None
        };
        // SAFETY: the frame keeps its source (I1).
        let listed = unsafe { self.listed.as_ref() };
        // SAFETY: `open` opens a slot of the frame's pool, which closing takes off the list.
        match unsafe { listed.link_at_once(&mut open) } {
            false => Given::Ready,
            true if is_cancelled => Given::Cancelled,
            true => Given::Away,
        }
    }
}
