//! The wait slot: the slot, not the source, decides who resumes a wait.
//!
//! A frame holds one slot for each leaf and each group of its condition. The root's slot stands for
//! the frame: fire, cancel and deadline race for it by one compare-exchange, and the winner owes the resume.
//!
//! Not here: what a frame waits for (`frame.rs`), where slots live (`pool.rs`), the word's bits (`word.rs`).
//!
//! # States
//! | state | meaning | set by |
//! |---|---|---|
//! | free | belongs to its frame or the pool | [`Slot::close`] |
//! | arming | a root whose leaves are being armed | [`Slot::open`] |
//! | armed | waits | [`Slot::open`] (leaf, group), [`Slot::settle`] (root), [`Slot::open_armed`] (lone root) |
//! | fired | resolved, by a child or by its source | [`fire`] |
//! | cancelled, timed out | a root given up | [`resolve`] |
//!
//! ```text
//!            open(root)            settle
//!   free ───────────────► arming ─────────► armed ◄─ open(leaf, group), open_armed ─ free
//!                           │  fire: the armer sees it   │ fire: the firer owes
//!                           │  resolve: likewise         │ resolve: the caller owes
//!                           ▼                            ▼
//!                       fired | cancelled | timed out ──── close ────► free, next generation
//! ```
//!
//! # Invariants
//! - I1: each use of a root (a generation) is moved out of arming/armed exactly once, and exactly one party
//!   acts on it: whoever moved it out of armed, or the armer, if it was moved out of arming. [mutants: slot.arming]
//! - I2: a fire with another generation than the slot's changes nothing. [mutants: slot.generation]
//! - I3: above and place, read before the compare-exchange that wins, are those of the generation
//!   that was won.
//!   (by construction: the compare-exchange is of the whole word, generation included, as it was read before the
//!   fields)
//! - I4: what a firer wrote before firing is visible to the party that acts, also when other children fired before
//!   the last one. [mutants: slot.fire, slot.act]
//!   What the armer wrote into the frame is visible to it too. [mutants: slot.settle]
//! - I5: a slot's memory stays a slot for as long as anybody can name it (see `pool.rs` and, for roots that only locks lead
//!   to, `cancel.rs`), so that a stale fire reads a word and nothing else. [mutants: pool.memory, cancel.lasting]
//! - I6: a group is open before any of its children can fire.
//!   (by construction: `flatten` puts groups before their children, and `arm` opens in that order)
//! - I7: a slot whose generation is spent is never opened again. [mutants: slot.spent]
//!
//! # Fields
//! | field | read by | written by | when |
//! |---|---|---|---|
//! | above, place | firers, before they win (I3) | the frame | free |
//! | link, rank | the source | the source, under its lock | linked |
//! | timer | the timers | the timers, under their lock | linked |
//!
//! # Orderings
//! Whoever names a use of a slot has the name from its opener, by a hand-over that is a happens-before (a lock, a
//! channel), so a firer sees that use or a later one; a compare-exchange sees the last. A canceller has a root and no name of
//! a use: `cancel.rs` says why that is enough.
//! Hence `open`, `close` and the loads need no order (I3). `fire` is AcqRel: it releases what the firer wrote and acquires
//! the frame, which `settle` released, and what the children before it released; every transition of an open slot
//! is a read-modify-write, so that they are one release sequence (I4). The armer that finds its root resolved, and whoever
//! concludes it, acquire in `see`. Models: `tests/loom_slot.rs`.

#![allow(unsafe_code)]

use crate::resume::{Owed, Resume};
use crate::stage::Moment;
use crate::tuning::SEAT_NONE;
use crate::word::{GENERATION_LAST, State, Word};
use raddle_sync::atomic::{AtomicPtr, AtomicU64, Ordering::Relaxed};
use raddle_sync::cell::UnsafeCell;
use raddle_sync::{mutant, ord};
use std::ptr::{NonNull, null_mut};

/// What a source keeps in a slot that is on its list; guarded by the source's lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Link {
    pub(crate) previous: Option<NonNull<Slot>>,
    pub(crate) next: Option<NonNull<Slot>>,
}

impl Link {
    /// What stands in the link of a slot that is on no list.
    pub(crate) const DETACHED: Link =
        Link { previous: Some(NonNull::dangling()), next: Some(NonNull::dangling()) };
}

/// One slot; see the head of this file.
pub(crate) struct Slot {
    word: AtomicU64,
    /// The parent; of a root the target, with the lowest bit set.
    above: AtomicPtr<Slot>,
    /// Generation of the parent << 20 | index in the parent: the layout of a word without code and state. Of a root: when its
    /// wait began.
    place: AtomicU64,
    pub(crate) link: UnsafeCell<Link>,
    /// Position in the timers' heap; guarded by the timers' lock.
    pub(crate) timer: UnsafeCell<u32>,
    /// Position in a source's heap; guarded by the source's lock.
    pub(crate) rank: UnsafeCell<u32>,
}

const _: () = assert!(size_of::<Slot>() == 48 || !raddle_sync::IS_NATIVE, "each program has one");
const _: () = assert!(align_of::<Slot>() > TARGET && align_of::<Resume>() > TARGET);

/// The bit of what stands above a root.
const TARGET: usize = 1;

// SAFETY: shared fields are atomics or guarded as the table says.
unsafe impl Send for Slot {}
// SAFETY: as above.
unsafe impl Sync for Slot {}

/// Where in its frame a slot stands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Above {
    /// The frame itself; the target is resumed.
    Target(NonNull<Resume>),
    /// A group: the parent, in this generation, and the child's index in it.
    Group(NonNull<Slot>, u64, u32),
}

/// What a transition leaves to its caller.
#[must_use = "a duty that is dropped is a lost wake-up"]
#[derive(Debug)]
pub(crate) enum Moved {
    /// Too late, or stale: nothing changed.
    Lost,
    /// Counted, or left to the armer: nothing is owed.
    Taken,
    /// The frame is resolved and the caller must resume it.
    Owed(Owed),
}

impl Moved {
    /// Resumes, if that is owed. Call it with no lock held. Says whether the call changed anything.
    pub(crate) fn pay(self) -> bool {
        match self {
            Moved::Lost => false,
            Moved::Taken => true,
            Moved::Owed(owed) => {
                owed.pay();
                true
            }
        }
    }
}

impl Slot {
    pub(crate) fn new() -> Slot {
        Slot {
            word: AtomicU64::new(Word::free(0).0),
            above: AtomicPtr::new(null_mut()),
            place: AtomicU64::new(0),
            link: UnsafeCell::new(Link::DETACHED),
            timer: UnsafeCell::new(SEAT_NONE),
            rank: UnsafeCell::new(SEAT_NONE),
        }
    }

    /// The word as it is, for its owner and for dumps.
    pub(crate) fn peek(&self) -> Word {
        Word(self.word.load(Relaxed))
    }

    /// The word, with everything that whoever moved it there wrote before.
    pub(crate) fn see(&self) -> Word {
        Word(self.word.load(ord!("slot.act", Acquire)))
    }

    /// The word, with what its opener wrote before, if that was `open_armed`.
    pub(crate) fn look(&self) -> Word {
        Word(self.word.load(ord!("lone.open", Acquire)))
    }

    /// When the wait began whose root this is, for delays that count from there; [`NEVER`](crate::NEVER) if no delay has asked.
    pub(crate) fn begun(&self) -> Moment {
        self.place.load(Relaxed)
    }

    /// Notes that. Owner only.
    pub(crate) fn set_begun(&self, moment: Moment) {
        self.place.store(moment, Relaxed);
    }

    /// Opens a free slot for its next use, which `children` fires resolve. Owner only.
    /// Returns the generation.
    pub(crate) fn open(&self, above: Above, children: u64) -> u64 {
        let free = self.peek();
        assert!(free.state() == State::Free, "opening a slot that is {free:?}");
        let state = match above {
            Above::Target(target) => {
                self.set_target(target);
                State::Arming
            }
            Above::Group(parent, generation, index) => {
                let place = Word::open(generation, State::Armed, u64::from(index) + 1);
                self.above.store(parent.as_ptr(), Relaxed);
                self.place.store(place.0, Relaxed);
                State::Armed
            }
        };
        let word = Word::open(free.generation(), state, children);
        self.word.store(word.0, Relaxed);
        word.generation()
    }

    /// Opens a free slot as a root that waits at once, for one fire. Owner only; returns the generation. The caller gives the
    /// frame away by this, but holds the lock of the only source that will know of the slot (see `lone.rs`).
    pub(crate) fn open_armed(&self, target: NonNull<Resume>) -> u64 {
        let free = self.peek();
        assert!(free.state() == State::Free, "opening a slot that is {free:?}");
        self.set_target(target);
        let word = Word::open(free.generation(), State::Armed, 1);
        // For a canceller, who has the name from nobody and owes the resume.
        self.word.store(word.0, ord!("lone.open", Release));
        word.generation()
    }

    fn set_target(&self, target: NonNull<Resume>) {
        self.above.store(target.as_ptr().cast::<Slot>().map_addr(|addr| addr | TARGET), Relaxed);
    }

    /// Ends the arming of a root: `true` if it now waits, `false` if it was resolved meanwhile and the caller acts.
    /// After `true` the frame may be resumed by another thread at any moment.
    pub(crate) fn settle(&self) -> bool {
        let mut seen = self.peek();
        loop {
            if seen.state() != State::Arming {
                // Pairs with the firer's release: the armer acts on what it sees (I4).
                self.see();
                return false;
            }
            let armed = seen.with_state(State::Armed);
            match self.word.compare_exchange_weak(seen.0, armed.0, ord!("slot.settle", Release), Relaxed) {
                Ok(_) => return true,
                Err(word) => seen = Word(word),
            }
        }
    }

    /// Ends this use of the slot and returns how it ended. Owner only. Later fires of this use change nothing.
    pub(crate) fn close(&self) -> Word {
        let last = self.peek();
        let generation = last.generation();
        let next = Word::free(if mutant!("slot.generation") { generation } else { generation + 1 });
        if last.is_open(generation) {
            return Word(self.word.swap(next.0, Relaxed));
        }
        // What is resolved stays as it is: nobody else writes the word.
        self.word.store(next.0, Relaxed);
        last
    }

    /// Makes every later use fail loudly: the memory goes.
    pub(crate) fn poison(&self) {
        self.word.store(Word::POISON.0, Relaxed);
    }

    /// Looks, in debug builds, that no source has the slot any more, which is closed. Owner only, who gives it up.
    pub(crate) fn check_left(&self) {
        // SAFETY: I1: nobody has it but its owner; a source that still had it would use it under another lock.
        let link = self.link.with(|link| unsafe { *link });
        debug_assert_eq!(link, Link::DETACHED, "giving back a slot that is on a list");
        // SAFETY: as above.
        let rank = self.rank.with(|rank| unsafe { *rank });
        debug_assert_eq!(rank, SEAT_NONE, "giving back a slot that is in a heap");
    }

    /// Whether the slot must never be opened again (I7).
    pub(crate) fn is_spent(&self) -> bool {
        !mutant!("slot.spent") && self.peek().generation() >= GENERATION_LAST
    }

    /// Moves one use of this slot on and reads what stands above it (I3); `None` when it was too late.
    #[inline]
    fn advance(&self, generation: u64, next: impl Fn(Word) -> Word) -> Option<(Word, Word, Up)> {
        let mut seen = self.peek();
        loop {
            if !seen.is_open(generation) {
                return None;
            }
            let up = Up { above: self.above.load(Relaxed), place: Word(self.place.load(Relaxed)) };
            let after = next(seen);
            match self.word.compare_exchange_weak(seen.0, after.0, ord!("slot.fire", AcqRel), Relaxed) {
                Ok(_) => return Some((seen, after, up)),
                Err(word) => seen = Word(word),
            }
        }
    }
}

/// What stands above a slot, as read before a win.
struct Up {
    above: *mut Slot,
    place: Word,
}

impl Up {
    /// The group above; `None` for a root.
    fn parent(&self) -> Option<NonNull<Slot>> {
        NonNull::new(self.above).filter(|above| above.addr().get() & TARGET == 0)
    }

    /// What moving a root out of `from` leaves to the mover (I1).
    fn owed(&self, from: Word) -> Moved {
        if from.state() == State::Arming && !mutant!("slot.arming") {
            return Moved::Taken;
        }
        debug_assert!(self.parent().is_none(), "only a root is owed");
        let target = self.above.map_addr(|addr| addr & !TARGET).cast::<Resume>();
        let target = NonNull::new(target).expect("a root has a target");
        // SAFETY: this thread moved the root on, and only one can (I1).
        Moved::Owed(unsafe { Owed::new(target) })
    }
}

/// Fires one use of a slot with a status number (0 is success), and through it the groups above it.
///
/// Blocks: never. Takes no lock and calls no foreign code: what is owed is returned.
///
/// # Safety
/// The memory of `slot`, and of the slots above it, outlives the call (I5): the caller holds the memory, or the
/// lock of a source on whose list the slot stands, which its frame takes before it lets the memory go.
pub(crate) unsafe fn fire(slot: NonNull<Slot>, generation: u64, code: u32) -> Moved {
    let (mut at, mut generation, mut child) = (slot, generation, 0);
    loop {
        // SAFETY: the caller's promise.
        let slot = unsafe { at.as_ref() };
        let Some((before, after, up)) = slot.advance(generation, |word| word.after_fire(child, code)) else {
            return Moved::Lost;
        };
        if after.state() != State::Fired {
            return Moved::Taken;
        }
        let Some(parent) = up.parent() else {
            return up.owed(before);
        };
        (at, generation, child) = (parent, up.place.generation(), up.place.field() - 1);
    }
}

/// Cancels or times out one use of a root.
///
/// Blocks: never. Takes no lock and calls no foreign code: what is owed is returned.
///
/// # Safety
/// The memory of `root` outlives the call (I5), and `root` is the root of a frame.
pub(crate) unsafe fn resolve(root: NonNull<Slot>, generation: u64, state: State) -> Moved {
    debug_assert!(matches!(state, State::Cancelled | State::TimedOut));
    // SAFETY: the caller's promise.
    let slot = unsafe { root.as_ref() };
    match slot.advance(generation, |word| word.with_state(state)) {
        None => Moved::Lost,
        Some((before, _, up)) => up.owed(before),
    }
}
