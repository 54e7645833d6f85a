//! An event: set and reset, waited for by any number of programs.
//!
//! # State
//! | bit | meaning | set by | cleared by |
//! |---|---|---|---|
//! | SIGNALLED | waits end | `set` | `reset`; an auto-reset event: `commit` |
//! | LISTED | slots may be on the list | `add`, under the lock | `wake` that finds the list empty, under the lock |
//! | EXPORTED | an outlet shows the signal | `export_to`, under the lock | nobody |
//!
//! # Invariants
//! - I1: a wait that is linked while the event is signalled, or on the list when it is set, fires,
//!   and sees what the setter wrote. [mutants: event.wake, event.recheck, event.at_once, event.set, event.query, event.link]
//! - I2: an auto-reset event hands one signal to one wait. [mutants: event.commit, event.take]
//! - I3: while an auto-reset event is signalled and has waits on its list, at least one fired wait has not yet
//!   committed or declined. [mutants: event.decline]
//! - I4: when no call is under way, the outlet is raised if and only if the event is signalled: whoever changes SIGNALLED
//!   then takes the lock, and brings the outlet to what the word says by then. [mutants: event.export, event.level]
//!
//! # Orderings
//! `set` and `add` are read-modify-writes of one word, so one of them sees the other: `add` sets LISTED and finds
//! SIGNALLED, or `set` sets SIGNALLED and finds LISTED. `set` releases; whoever acts on SIGNALLED acquires: a query, `add`
//! before it fires others, and `reset`, since the signal that is taken may be a later one than that which was seen.
//! LISTED outlasts the waits that it was raised for, so that an event that is waited for again and again pays for it once: an
//! `add` that finds it raised needs no read-modify-write, since it stays raised while the lock is held and the list is not
//! empty, and a `set` that `add` does not see comes later in the word's history, and finds it.
//! Models: `tests/loom_event.rs`.

#![allow(unsafe_code)]

use crate::listed::{ListedSource, Node, Waits};
use crate::resume::OwedList;
use crate::source::{Commit, Listed, Readiness, Route, WaitSource};
use crate::waker::{SourceWaker, WakerId};
use raddle_sync::atomic::{AtomicU32, Ordering::*};
use raddle_sync::{Mutex, mutant, ord};

const SIGNALLED: u32 = 1;
const LISTED: u32 = 2;
const EXPORTED: u32 = 4;

/// Something that outsiders can poll, such as an eventfd: it shows whether an event is set.
///
/// Its calls must not block, and must not call the event; they come one at a time.
pub trait Outlet: Send {
    /// Becomes readable.
    fn raise(&mut self);
    /// Stops being readable.
    fn lower(&mut self);
}

/// An in-process event. Thread-safe.
pub struct Event {
    state: AtomicU32,
    is_auto: bool,
    waits: Mutex<Waits<Shown>>,
}

struct Shown {
    outlet: Box<dyn Outlet>,
    /// Whether the outlet was raised.
    is_raised: bool,
}

const _: () = assert!(size_of::<Event>() <= 32 || !raddle_sync::IS_NATIVE, "programs have many events");

impl Event {
    /// An event that stays set until [`reset`](Event::reset), and ends every wait meanwhile.
    pub fn manual() -> Event {
        Event::new(false)
    }

    /// An event that one wait resets as it ends: each [`set`](Event::set) ends at most one wait.
    pub fn auto() -> Event {
        Event::new(true)
    }

    fn new(is_auto: bool) -> Event {
        Event { state: AtomicU32::new(0), is_auto, waits: Mutex::new(Waits::default()) }
    }

    /// Signals the event. Signals don't add up. Never blocks; wakes by enqueueing only.
    ///
    /// Ordering: a release; pairs with the end of a wait.
    pub fn set(&self) {
        let before = self.state.fetch_or(SIGNALLED, ord!("event.set", Release));
        if before & LISTED != 0 && !mutant!("event.wake") {
            self.wake();
        }
        if before & EXPORTED != 0 {
            self.show();
        }
    }

    /// Signals a manual event as the last thing that the caller does to whatever the event lies in: with the lock held,
    /// `let_go` gives the caller's hold up and says whether others have one, without whom nothing is signalled.
    ///
    /// Whoever sees the signal and has the last hold calls [`pass`](Event::pass) before the memory is used for anything else.
    /// So who waited finds it free, however long the signaller is kept from its processor after that. Says what `let_go` said.
    #[doc(hidden)]
    pub fn set_and_leave(&self, let_go: impl FnOnce() -> bool) -> bool {
        debug_assert!(!self.is_auto);
        let mut owed = OwedList::default();
        let mut waits = self.waits.lock();
        if !let_go() {
            return false;
        }
        let before = self.state.fetch_or(SIGNALLED, ord!("event.set", Release));
        debug_assert_eq!(before & EXPORTED, 0, "whoever shows an event outlives it");
        if before & LISTED != 0 {
            waits.fire_all(0, &mut owed);
        }
        drop(waits);
        owed.pay();
        true
    }

    /// Returns when a [`set_and_leave`](Event::set_and_leave) whose `let_go` has begun has left the event.
    #[doc(hidden)]
    pub fn pass(&self) {
        drop(self.waits.lock());
    }

    /// Takes the signal back; says whether there was one. Waits that have fired are not affected.
    ///
    /// Ordering: an acquire of what was written before the signal.
    pub fn reset(&self) -> bool {
        let before = self.state.fetch_and(!SIGNALLED, ord!("event.take", Acquire));
        if before & EXPORTED != 0 {
            self.show();
        }
        before & SIGNALLED != 0
    }

    /// Shows the signal through `outlet` from now on, for outsiders that can only poll. Waits of this crate don't need it,
    /// and an event that is not exported does not pay for it. Says whether the event had no outlet before.
    ///
    /// Between a change of the event and its showing, the outlet may be behind; it is never left behind.
    pub fn export_to(&self, outlet: Box<dyn Outlet>) -> bool {
        let mut waits = self.waits.lock();
        if waits.extra().is_some() {
            return false;
        }
        waits.set_extra(Shown { outlet, is_raised: false });
        drop(waits);
        self.state.fetch_or(EXPORTED, Relaxed);
        if !mutant!("event.export") {
            self.show();
        }
        true
    }

    /// Brings the outlet to what the word says (I4).
    #[cold]
    fn show(&self) {
        let mut waits = self.waits.lock();
        // A read-modify-write, to see the last change.
        let is_set = self.state.fetch_or(0, Relaxed) & SIGNALLED != 0;
        let Some(shown) = waits.extra() else { return };
        let is_set = if mutant!("event.level") { !shown.is_raised } else { is_set };
        if is_set == shown.is_raised {
            return;
        }
        shown.is_raised = is_set;
        match is_set {
            true => shown.outlet.raise(),
            false => shown.outlet.lower(),
        }
    }

    /// Whether the event is signalled now.
    pub fn is_set(&self) -> bool {
        self.state.load(ord!("event.query", Acquire)) & SIGNALLED != 0
    }

    /// Adds a wait, and fires if the event is signalled (I1).
    fn add(&self, add: impl FnOnce(&mut Waits<Shown>)) {
        let mut waits = self.waits.lock();
        add(&mut waits);
        let before = self.mark_listed();
        drop(waits);
        if before & SIGNALLED != 0 && !mutant!("event.recheck") {
            self.wake();
        }
    }

    /// Raises LISTED, under the lock; returns the word.
    fn mark_listed(&self) -> u32 {
        let before = self.state.load(ord!("event.link", Acquire));
        if before & LISTED != 0 { before } else { self.state.fetch_or(LISTED, ord!("event.link", Acquire)) }
    }

    fn remove(&self, remove: impl FnOnce(&mut Waits<Shown>)) {
        remove(&mut self.waits.lock());
    }

    /// Fires everything on the list, or for an auto-reset event the first slot that takes it.
    #[cold]
    fn wake(&self) {
        let mut owed = OwedList::default();
        let mut waits = self.waits.lock();
        if waits.is_empty() {
            self.state.fetch_and(!LISTED, Relaxed);
        }
        match self.is_auto {
            false => waits.fire_all(0, &mut owed),
            true => while waits.fire_first(0, &mut owed) == Some(false) {},
        }
        if mutant!("event.locked") {
            return owed.pay();
        }
        drop(waits);
        owed.pay();
    }
}

impl ListedSource for Event {
    fn offers_at_once(&self) -> bool {
        true
    }

    unsafe fn link_at_once(&self, open: &mut dyn FnMut() -> Option<Node>) -> bool {
        let mut waits = self.waits.lock();
        if self.mark_listed() & SIGNALLED != 0 && !mutant!("event.at_once") {
            return false;
        }
        if let Some(node) = open() {
            // SAFETY: the caller's promise; the lock is held.
            unsafe { waits.link(node.slot) };
        }
        true
    }

    unsafe fn link(&self, node: Node) {
        // SAFETY: the slot is on no list, and its memory lives until `unlink`; the lock is held.
        self.add(|waits| unsafe { waits.link(node.slot) });
    }

    unsafe fn unlink(&self, node: Node) {
        // SAFETY: `link` linked it; the lock is held.
        self.remove(|waits| unsafe { waits.unlink(node.slot) });
    }
}

impl WaitSource for Event {
    fn arm(&self, waker: SourceWaker) {
        self.add(|waits| waits.add_waker(waker));
    }

    fn disarm(&self, waker: WakerId) {
        self.remove(|waits| waits.remove_waker(waker));
    }

    fn query(&self) -> Readiness {
        if self.is_set() { Readiness::Ready } else { Readiness::Pending }
    }

    fn commit(&self) -> Commit {
        if !self.is_auto || self.reset() || mutant!("event.commit") { Commit::Taken } else { Commit::Lost }
    }

    fn give_back(&self) {
        if self.is_auto {
            self.set();
        }
    }

    fn decline(&self) {
        if self.is_auto && self.is_set() && !mutant!("event.decline") {
            self.wake();
        }
    }

    fn route(&self) -> Route<'_> {
        Route::Listed(Listed(self))
    }

    fn as_any(&self) -> Option<&dyn std::any::Any> {
        Some(self)
    }
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if self.is_auto { "auto" } else { "manual" };
        write!(f, "Event({kind}, set {})", self.is_set())
    }
}
