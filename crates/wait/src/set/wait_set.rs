//! The wait set: one look at the kernel, and the stage of frames that wait on descriptors and moments.
//!
//! Not here: timers and registrations (`timers.rs`, `descriptors.rs`), who looks at the kernel and when.
//!
//! # Invariants
//! - I1: after `wake`, a present or later `turn` returns with `woken`; several wakes may end one turn. [mutants: set.clear]
//! - I2: what was written before `wake` is visible after the `turn` that returned `woken` for it, also if the wake was
//!   merged with an earlier one. [mutants: set.wake, set.woken]
//! - I3: duties are paid after every lock is released.
//!   (by construction: `turn` pays when `report` and `fire` have returned, and their guards with them)
//! - I4: while a wake is pending, no turn sleeps and the descriptor is readable, if anybody has it: whoever comes second, the
//!   wake or the one that needs the kernel to tell it, sees the other. [mutants: set.sleeper, set.doze, set.show]
//!
//! # State: the word of wakes
//! | bits | meaning | set by | cleared by |
//! |---|---|---|---|
//! | WOKEN | a wake is pending | `wake` | `turn` |
//! | SHOWN | the descriptor was handed out, and may be polled | `fd` | nobody |
//! | the rest | how many turns sleep, or are about to | `turn` | the same `turn` |
//!
//! A wake writes to the kernel only if somebody hears it there. A host that never asks for the descriptor, and turns when it
//! pleases, pays for no system call: neither to be woken, nor to look where nothing is outstanding.
//!
//! # Orderings
//! All changes of the word are read-modify-writes, so that of a wake and a sleeper (or `fd`) one sees the other (I4).
//! `wake` releases, the `turn` that takes WOKEN away acquires: a merged wake stands earlier in the history of that word than
//! the change of the turn that it was merged into (I2).
//! Models: `tests/loom_set.rs`.

#![allow(unsafe_code)]

use super::descriptors::{Descriptors, Wanted};
use super::drained::{Cell, DrainHome, Drained};
use super::kernel::{Events, Kernel, Sleep};
use super::os::OsKernel;
use super::places::{Fired, Limits, Places};
use super::timers::Timers;
use crate::condition::SharedSource;
use crate::listed::Node;
use crate::resume::OwedList;
use crate::slot;
use crate::source::{Home, Interest, Watch};
use crate::stage::sealed::{Armed, Sealed};
use crate::stage::{Due, Moment, NEVER, Stage};
use crate::waker::{SourceWaker, WakerId};
use raddle_status::Result;
use raddle_sync::atomic::{AtomicU32, Ordering::*};
use raddle_sync::{mutant, ord};
use std::fmt;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::{Arc, Weak};

/// What one look at the kernel did.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[must_use]
pub struct Turn {
    /// Waits that were resolved.
    pub fired: usize,
    /// Somebody called [`WaitSet::wake`]. A thread that can't serve the reason passes the wake-up on.
    pub woken: bool,
}

/// Timers and descriptors, and the threads that sleep until one of them is ready. Thread-safe; cheap to clone.
///
/// A set runs nothing by itself: waits fire when a thread is in [`turn`](WaitSet::turn).
pub struct WaitSet<K: Kernel = OsKernel> {
    core: Arc<Core<K>>,
}

struct Core<K> {
    kernel: K,
    timers: Timers,
    descriptors: Descriptors,
    places: Places,
    /// See the head of this file.
    wakes: AtomicU32,
}

/// A wake is pending.
const WOKEN: u32 = 1;
/// Somebody may poll the descriptor.
const SHOWN: u32 = 2;
/// A turn that sleeps.
const SLEEPER: u32 = 4;

impl WaitSet<OsKernel> {
    /// A set on the operating system: three descriptors.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED when the process has no descriptors left.
    pub fn new(limits: Limits) -> Result<WaitSet> {
        WaitSet::with_kernel(OsKernel::new()?, limits)
    }
}

impl<K: Kernel> WaitSet<K> {
    /// A set on this kernel.
    ///
    /// # Errors
    /// None so far.
    pub fn with_kernel(kernel: K, limits: Limits) -> Result<WaitSet<K>> {
        let core = Core {
            kernel,
            timers: Timers::new(),
            descriptors: Descriptors::new(),
            places: Places::new(limits),
            wakes: AtomicU32::new(0),
        };
        Ok(WaitSet { core: Arc::new(core) })
    }

    /// One look at the kernel: collects what it reports, resolves the waits that this and the clock resolve, and
    /// resumes their programs (their headers are scheduled, on this thread, before it returns).
    ///
    /// Blocks: with [`Sleep::UntilEvent`] until something is reported, which may be for another thread or nothing.
    /// Any number of threads may be in it at once. A bounded number of waits is resolved; the rest is reported again.
    ///
    /// # Errors
    /// INTERNAL when the system refuses.
    /// # Source
    /// epoll_wait(2)
    pub fn turn(&self, events: &mut Events, sleep: Sleep) -> Result<Turn> {
        let core = &*self.core;
        let mut sleep = sleep;
        if sleep == Sleep::UntilEvent && events.has_put_off {
            // What has come by now needs no ring.
            match core.timers.is_due(&core.kernel) {
                true => sleep = Sleep::Never,
                false => core.timers.make_up(&core.kernel),
            }
            events.has_put_off = sleep == Sleep::Never;
        }
        let woken = core.look(events, sleep)?;
        let (mut fired, mut owed) = (Fired::default(), OwedList::default());
        for &report in &events.ready {
            fired.merge(core.descriptors.report(&core.kernel, report, &mut owed));
        }
        if events.rang || core.timers.is_due(&core.kernel) {
            fired.merge(core.timers.fire(&core.kernel, events.rang, events.looks_again, &mut owed));
            events.has_put_off |= events.looks_again;
        }
        core.places.give(fired);
        owed.pay();
        Ok(Turn { fired: fired.counted, woken })
    }

    /// Makes one sleeper return, or the next turn. Blocks: never. Thread-safe. Several wakes may be reported as one.
    ///
    /// Ordering: a release; pairs with the turn that returns `woken`.
    pub fn wake(&self) {
        let before = self.core.wakes.fetch_or(WOKEN, ord!("set.wake", Release));
        if before & WOKEN == 0 && before != 0 {
            self.core.kernel.wake();
        }
    }

    /// Has the kernel ring for the first moment: for a thread that has looked with [`Events::looks_again`] and sleeps now in
    /// another way than in [`turn`](WaitSet::turn). Blocks: never.
    pub fn make_up(&self) {
        self.core.timers.make_up(&self.core.kernel);
    }

    /// The first moment at which something is due, or [`NEVER`]: a racy read.
    pub fn next_deadline(&self) -> Moment {
        self.core.timers.earliest()
    }

    /// Waits on descriptors and moments that are armed: a racy read of one word. A drained descriptor that is waited for again and
    /// again counts between its waits too.
    pub fn outstanding(&self) -> usize {
        self.core.places.count()
    }

    /// A descriptor that is readable while a turn would find something: for a loop of the host's own. From the first call
    /// on, each wake is a system call.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.core.show();
        self.core.kernel.fd()
    }

    /// The kernel of this set. Its descriptor is to be polled only after [`fd`](WaitSet::fd) was called.
    pub fn kernel(&self) -> &K {
        &self.core.kernel
    }

    /// Reports so far that named a registration which was gone: harmless, and rare.
    pub fn stale_reports(&self) -> u64 {
        self.core.descriptors.stale()
    }

    /// Has `f` called after [`outstanding`](WaitSet::outstanding) has left zero, on the thread that armed, with no
    /// lock held. Call it once, at construction.
    ///
    /// Ordering: the count was raised and a sequentially consistent fence passed before the call.
    ///
    /// # Panics
    /// When it is called twice.
    pub fn on_first(&self, f: impl Fn() + Send + Sync + 'static) {
        self.core.places.set_on_first(Box::new(f));
    }

    /// Has `f` called when a place is given back after a wait was refused for want of one ([`Limits::armed_max`]), on
    /// the thread that gave it back, with no lock held. Call it once, at construction.
    ///
    /// # Panics
    /// When it is called twice.
    pub fn on_place(&self, f: impl Fn() + Send + Sync + 'static) {
        self.core.places.set_on_place(Box::new(f));
    }

    /// A source that is ready when it is worth trying to arm a wait: unless all places are taken
    /// ([`Limits::armed_max`]), and then once one has been given back. Waiting for it takes no place.
    ///
    /// The end of such a wait is a hint: all that waited try again, and some may be refused again.
    pub fn place(&self) -> SharedSource {
        self.core.places.vacancy()
    }

    /// Registers a non-blocking descriptor that its only user reads, or writes, until it would block.
    ///
    /// # Errors
    /// INVALID_ARGUMENT when it can't be waited for; RESOURCE_EXHAUSTED when the system has no room.
    pub fn drained(&self, fd: impl Into<OwnedFd>) -> Result<Drained> {
        let fd = fd.into();
        let cell = Arc::new(Cell::new());
        self.core.descriptors.add_drained(&self.core.kernel, fd.as_raw_fd(), cell.clone())?;
        Ok(Drained::new(fd, cell, self.core.clone()))
    }
}

impl<K: Kernel> Clone for WaitSet<K> {
    fn clone(&self) -> WaitSet<K> {
        WaitSet { core: self.core.clone() }
    }
}

impl<K: Kernel> fmt::Debug for WaitSet<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (waits, next) = (self.outstanding(), self.next_deadline());
        write!(f, "WaitSet({waits} armed, next deadline {next})")
    }
}

impl<K: Kernel> Stage for WaitSet<K> {
    fn now(&self) -> Moment {
        self.core.kernel.now()
    }
}

impl<K: Kernel> Sealed for WaitSet<K> {
    unsafe fn add_timer(&self, armed: Armed, moment: Moment, seen: Moment) -> Result {
        if moment == NEVER {
            return Ok(());
        }
        let core = &*self.core;
        let taken = match armed.due {
            Due::Fire => core.places.take()?,
            Due::TimeOut => core.places.take_always(),
        };
        // SAFETY: the caller's promise.
        unsafe { core.timers.insert(&core.kernel, armed, moment, seen) };
        core.places.tell(taken);
        Ok(())
    }

    unsafe fn remove_timer(&self, armed: Armed) {
        // SAFETY: the caller's promise.
        let gone = unsafe { self.core.timers.remove(armed.node.slot) };
        self.core.places.give(gone);
    }

    unsafe fn add_descriptor(&self, armed: Armed, watch: Watch<'_>) -> Result {
        let number = watch.fd.as_raw_fd();
        let wanted = Wanted { number, interest: watch.interest, is_owned: watch.owner.is_some() };
        // SAFETY: the caller's promise.
        let is_news = unsafe { self.core.add(armed.node, wanted) }?;
        if let (true, Some(owner)) = (is_news, watch.owner) {
            let home: Weak<dyn Home> = Arc::downgrade(&self.core) as Weak<dyn Home>;
            owner.remember(home);
        }
        Ok(())
    }

    unsafe fn remove_descriptor(&self, armed: Armed, watch: Watch<'_>) {
        let number = watch.fd.as_raw_fd();
        let wanted = Wanted { number, interest: watch.interest, is_owned: watch.owner.is_some() };
        // SAFETY: the caller's promise.
        unsafe { self.core.remove(armed.node, wanted) };
    }
}

impl<K: Kernel> Core<K> {
    /// One look at the kernel, if anything can be found there; says whether it took a wake (I4).
    fn look(&self, events: &mut Events, sleep: Sleep) -> Result<bool> {
        let may_sleep = sleep == Sleep::UntilEvent;
        let is_counted = may_sleep && !mutant!("set.sleeper");
        let before =
            if is_counted { self.wakes.fetch_add(SLEEPER, Relaxed) } else { self.wakes.load(Relaxed) };
        let sleeps = may_sleep && (before & WOKEN == 0 || mutant!("set.doze"));
        let looked = if sleeps || before & !WOKEN != 0 || self.places.count() > 0 {
            self.kernel.sleep(events, if sleeps { Sleep::UntilEvent } else { Sleep::Never })
        } else {
            // No wake was written down, and nothing waits to be reported.
            events.clear();
            Ok(())
        };
        let after =
            if is_counted { self.wakes.fetch_sub(SLEEPER, Relaxed) } else { self.wakes.load(Relaxed) };
        looked?;
        let woken = events.woken || after & WOKEN != 0;
        if woken && !mutant!("set.clear") {
            self.wakes.fetch_and(!WOKEN, ord!("set.woken", Acquire));
        }
        Ok(woken)
    }

    /// From now on somebody may poll the descriptor; a wake that is pending is written down for it (I4).
    fn show(&self) {
        if self.wakes.load(Relaxed) & SHOWN != 0 {
            return;
        }
        let before = self.wakes.fetch_or(SHOWN, Relaxed);
        if before & WOKEN != 0 && !mutant!("set.show") {
            self.kernel.wake();
        }
    }

    /// Arms a wait; says whether the descriptor's owner must be told where it is registered.
    ///
    /// # Safety
    /// The slot is armed, on no list, and its memory lives until `remove` has returned.
    unsafe fn add(&self, node: Node, wanted: Wanted) -> Result<bool> {
        let taken = self.places.take()?;
        let mut owed = OwedList::default();
        // SAFETY: the caller's promise.
        let added = unsafe { self.descriptors.add(&self.kernel, node.slot, wanted, &mut owed) };
        self.places.tell(taken);
        self.places.give(added.as_ref().map_or(Fired::REMOVED, |added| added.fired));
        owed.pay();
        added.map(|added| added.is_news)
    }

    /// # Safety
    /// The slot was given to `add` for this number and interest, or is on no list at all.
    unsafe fn remove(&self, node: Node, wanted: Wanted) {
        // SAFETY: the caller's promise.
        if unsafe { self.descriptors.remove(&self.kernel, node.slot, wanted) } {
            self.places.give(Fired::REMOVED);
        }
    }
}

impl<K: Kernel> Home for Core<K> {
    fn forget(&self, number: RawFd) {
        let mut owed = OwedList::default();
        let fired = self.descriptors.forget(&self.kernel, number, &mut owed);
        self.places.give(fired);
        owed.pay();
    }
}

impl<K: Kernel> DrainHome for Core<K> {
    unsafe fn link(&self, node: Node, number: RawFd, interest: Interest) {
        let wanted = Wanted { number, interest, is_owned: true };
        // SAFETY: the caller's promise.
        if let Err(error) = unsafe { self.add(node, wanted) } {
            // SAFETY: the slot's memory is alive until `unlink`, and on no list.
            let moved = unsafe { slot::fire(node.slot, node.generation, error.code().number()) };
            moved.pay();
        }
    }

    fn offers_at_once(&self) -> bool {
        !self.places.are_limited()
    }

    unsafe fn link_at_once(&self, number: RawFd, open: &mut dyn FnMut() -> Option<Node>) -> bool {
        let mut owed = OwedList::default();
        let mut add = |brings_place| {
            // SAFETY: the caller's promise.
            unsafe { self.descriptors.add_at_once(&self.kernel, (number, brings_place), open, &mut owed) }
        };
        let linked = add(false).unwrap_or_else(|| {
            // Before the wait is armed: afterwards it may be over, and the set gone. Who is told of it finds the place taken.
            self.places.tell(self.places.take_always());
            add(true).expect("it brings a place")
        });
        owed.pay();
        linked
    }

    unsafe fn unlink(&self, node: Node, number: RawFd, interest: Interest) {
        // SAFETY: the caller's promise.
        unsafe { self.remove(node, Wanted { number, interest, is_owned: true }) };
    }

    fn listen(&self, waker: SourceWaker, number: RawFd, interest: Interest) {
        let taken = match self.places.take() {
            Ok(taken) => taken,
            Err(error) => {
                waker.fail(error.code());
                return;
            }
        };
        let mut owed = OwedList::default();
        let own = waker.clone();
        let added = self.descriptors.add_waker(&self.kernel, (number, interest), own, &mut owed);
        self.places.tell(taken);
        self.places.give(added.as_ref().map_or(Fired::REMOVED, |fired| *fired));
        owed.pay();
        if let Err(error) = added {
            waker.fail(error.code());
        }
    }

    fn unlisten(&self, waker: WakerId, number: RawFd) {
        let gone = self.descriptors.remove_waker(number, waker);
        self.places.give(Fired { gone, ..Fired::default() });
    }
}
