//! Cancelling a wait from outside while it is begun, armed or waits.
//!
//! A point has the slot that is the root of its waits, one after another: so who cancels needs no name of a use, and can
//! never touch somebody else's wait.
//!
//! The root lies in the point itself while only locks lead to it: a source's list, the timers, the descriptors, which a wait
//! passes before its point can go. Before the first wait to which a waker or another slot leads, a slot of the pool takes its
//! place, whose memory outlives whoever can name it.
//!
//! # State
//! | `root` | the root is |
//! |---|---|
//! | a handle of the pool, with the lowest bit set | the point's own slot |
//! | the same, with the second bit set too | the same; the handle is somebody else's, who keeps it |
//! | a slot | that slot of the pool, whose memory the point's handle keeps |
//!
//! # Invariants
//! - I1: after `request` returned, a wait that was begun before or is begun later ends as cancelled, unless it
//!   was resolved otherwise before the request. [mutants: cancel.request, cancel.publish]
//! - I2: a request resolves a wait of its own point, or nothing. (by construction: the slot is the point's until nobody
//!   can request there; one that is worn out is never opened again)
//! - I3: a request sees a slot that was put in the place of another as its maker left it. [mutants: cancel.root]
//! - I4: a waker or another slot leads only to a root of the pool. [mutants: cancel.lasting]
//! - I5: the point's own slot is not opened again after a slot of the pool took its place. (by construction: `root` is the
//!   only way to it)
//!
//! # Orderings
//! A wait opens its root and then looks for a request; `request` sets the flag and then looks at the root. Both
//! have a sequentially consistent fence between the two steps (Dekker), so at least one sees the other. The flag itself
//! carries nothing: a cancellation is no signal.
//! So a request that reads an armed root comes after the fence of who opened it, and sees what that wrote into the slot before; of
//! one that is arming it needs nothing but the word.
//! Models: `tests/loom_cancel.rs`.

#![allow(unsafe_code)]

use crate::listed::Node;
use crate::pool::{Memory, SlotPool};
use crate::slot::{self, Slot};
use crate::word::State;
use raddle_sync::atomic::{AtomicBool, AtomicPtr, Ordering::*};
use raddle_sync::{counter, fence, mutant, ord};
use std::fmt;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

/// Where waits can be cancelled, one after another; shared by their host and everybody who may cancel them.
pub struct CancelPoint {
    /// Where the root is; written by the owner of the waits.
    root: AtomicPtr<Slot>,
    requested: AtomicBool,
    /// Whether anybody can request.
    is_shared: bool,
    /// The owner's notes, for which there is room here: whether the root has a timer for the deadline;
    has_timer: counter::AtomicBool,
    /// how many waits have waited and ended.
    waited: counter::AtomicU32,
    own: Slot,
}

/// The bit of `root` that says that the root is the point's own.
const OWN: usize = 1;
/// The bit that says besides that the handle is not.
const LENT: usize = 2;

const _: () = assert!(align_of::<Memory>() > LENT);
const _: () = assert!(size_of::<CancelPoint>() == 64 || !raddle_sync::IS_NATIVE, "each program has one");

/// A handle of the pool, as a pointer.
struct Handle {
    memory: *const Memory,
    is_lent: bool,
}

impl CancelPoint {
    /// A point for waits whose slots come from `pool`.
    pub fn new(pool: &SlotPool) -> CancelPoint {
        CancelPoint::make(pool.clone().into_raw(), OWN, true)
    }

    /// The same without a handle of its own: hosts of many programs have one for all of them.
    ///
    /// # Safety
    /// A handle of this pool outlives the point.
    pub unsafe fn lent(pool: &SlotPool) -> CancelPoint {
        CancelPoint::make(pool.as_raw(), OWN | LENT, true)
    }

    /// A point where nobody cancels.
    pub(crate) fn alone(pool: &SlotPool) -> CancelPoint {
        CancelPoint::make(pool.clone().into_raw(), OWN, false)
    }

    fn make(memory: *const Memory, bits: usize, is_shared: bool) -> CancelPoint {
        CancelPoint {
            root: AtomicPtr::new(memory.cast_mut().cast::<Slot>().map_addr(|addr| addr | bits)),
            requested: AtomicBool::new(false),
            is_shared,
            has_timer: counter::AtomicBool::new(false),
            waited: counter::AtomicU32::new(0),
            own: Slot::new(),
        }
    }

    /// Asks the wait to end; says whether this call ended one.
    ///
    /// Blocks: never. Thread-safe. `false` means that nothing waited: the host sees the
    /// request at its next look ([`is_requested`](CancelPoint::is_requested)) or its next wait.
    pub fn request(&self) -> bool {
        self.requested.store(true, Relaxed);
        fence!("cancel.request");
        let root = self.root();
        // SAFETY: the point keeps the memory.
        let word = unsafe { root.as_ref() }.look();
        if !word.is_open(word.generation()) {
            return false;
        }
        // SAFETY: the point keeps the memory; it is a root.
        unsafe { slot::resolve(root, word.generation(), State::Cancelled) }.pay()
    }

    /// Whether somebody asked for the waits to end.
    pub fn is_requested(&self) -> bool {
        self.requested.load(Relaxed)
    }

    /// The flag behind [`is_requested`](CancelPoint::is_requested), for those who look at it themselves.
    pub fn flag(&self) -> &AtomicBool {
        &self.requested
    }

    /// Whether a wait is under way: a racy read, for dumps.
    pub fn is_waiting(&self) -> bool {
        // SAFETY: the point keeps the memory.
        let word = unsafe { self.root().as_ref() }.peek();
        word.is_open(word.generation())
    }

    /// How many waits have waited and ended.
    pub fn waited(&self) -> u32 {
        self.waited.load(Relaxed)
    }

    /// Makes the point usable again for another program in the same place. Owner only, while nothing waits and nobody can
    /// request.
    pub fn reset(&self) {
        self.requested.store(false, Relaxed);
        self.waited.store(0, Relaxed);
    }

    /// The slot of the root.
    pub(crate) fn root(&self) -> NonNull<Slot> {
        let root = self.root.load(ord!("cancel.root", Acquire));
        match root.addr() & OWN {
            0 => NonNull::new(root).expect("a point has a slot"),
            _ => NonNull::from(&self.own),
        }
    }

    /// The slot of the root, whose memory outlives whoever can name it (I4). Owner only, while it is closed.
    pub(crate) fn lasting_root(&self) -> NonNull<Slot> {
        match self.handle() {
            Some(handle) if !mutant!("cancel.lasting") => self.leave_own(handle),
            _ => self.root(),
        }
    }

    /// Whether a waker or another slot may lead to the root (I4). Owner only.
    pub(crate) fn is_lasting(&self) -> bool {
        self.handle().is_none()
    }

    /// Puts another slot in the place of one that is worn out. Owner only, while it is closed.
    #[cold]
    pub(crate) fn replace_root(&self) {
        match self.handle() {
            Some(handle) => _ = self.leave_own(handle),
            // SAFETY: the point keeps the memory; the slot is closed, and forgotten by all but late requests, which only read it.
            None => self.set_root(unsafe { SlotPool::replace(self.root()) }),
        }
    }

    #[cold]
    fn leave_own(&self, handle: Handle) -> NonNull<Slot> {
        // SAFETY: the handle is the point's, or outlives it.
        let pool = ManuallyDrop::new(unsafe { SlotPool::from_raw(handle.memory) });
        if handle.is_lent {
            // From here on it is the slot's.
            std::mem::forget(SlotPool::clone(&pool));
        }
        let fresh = pool.take();
        // SAFETY: the point keeps the memory. A wait whose delays have begun goes on.
        unsafe { fresh.as_ref() }.set_begun(self.own.begun());
        self.set_root(fresh);
        fresh
    }

    fn set_root(&self, fresh: NonNull<Slot>) {
        self.root.store(fresh.as_ptr(), ord!("cancel.root", Release));
    }

    /// The handle of the pool, while the root is the point's own. Owner only.
    fn handle(&self) -> Option<Handle> {
        let root = self.root.load(Relaxed);
        (root.addr() & OWN != 0).then(|| Handle {
            memory: root.map_addr(|addr| addr & !(OWN | LENT)).cast::<Memory>().cast_const(),
            is_lent: root.addr() & LENT != 0,
        })
    }

    /// After the root was opened: a request that came before resolves it at once.
    #[inline]
    pub(crate) fn publish(&self, root: Node) {
        if self.publish_armed() {
            // SAFETY: the point keeps the memory. The root is arming, so nothing can be owed.
            let moved = unsafe { slot::resolve(root.slot, root.generation, State::Cancelled) };
            moved.pay();
        }
    }

    /// After the root was opened, which may wait already: says whether a request came before, or comes just now. Then the
    /// caller resolves it.
    #[inline]
    #[must_use]
    pub(crate) fn publish_armed(&self) -> bool {
        if !self.is_shared {
            return false;
        }
        fence!("cancel.publish");
        self.requested.load(Relaxed)
    }

    /// A wait that waited has ended. Owner only.
    pub(crate) fn count(&self) {
        self.waited.store(self.waited.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// Whether the root has a timer for the deadline. Owner only.
    pub(crate) fn has_timer(&self) -> bool {
        self.has_timer.load(Relaxed)
    }

    /// Notes that. Owner only.
    pub(crate) fn set_has_timer(&self, has_timer: bool) {
        self.has_timer.store(has_timer, Relaxed);
    }
}

impl fmt::Debug for CancelPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CancelPoint(requested {}, waits {})", self.is_requested(), self.is_waiting())
    }
}

impl Drop for CancelPoint {
    fn drop(&mut self) {
        self.own.check_left();
        match self.handle() {
            Some(Handle { is_lent: true, .. }) => {}
            // SAFETY: made in `make`, and not taken up yet.
            Some(handle) => drop(unsafe { SlotPool::from_raw(handle.memory) }),
            // SAFETY: nothing waits, and nobody can request any more; the handle goes with the slot.
            None => unsafe { SlotPool::give_back(self.root()) },
        }
    }
}
