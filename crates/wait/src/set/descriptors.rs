//! Registrations of descriptors: one for each number, shared by all its waits.
//!
//! The kernel reports edges, waits are for levels. So arming asks the kernel to look again (one system call, which is the
//! query too), and a report is a hint: it fires the waits of its directions and is forgotten.
//!
//! Not here: the readiness of drained descriptors (`drained.rs`), the system calls (`os.rs`).
//!
//! # State: one entry for each number, under a lock of its own
//! | part | meaning |
//! |---|---|
//! | interests | what the kernel looks for; empty: not registered |
//! | generation | counts registrations; part of the token |
//! | is_kept | an owner forgets the number before it closes it, so the registration may outlast its waits |
//! | drain | a drained descriptor's readiness, and the wakers of sources that pass their `arm` on |
//! | read, write | the slots that wait |
//!
//! ```text
//!   not registered ── add ──► registered ── add to an empty direction (MOD) ──┐
//!         ▲                      │   ▲───────────────────────────────────────┘
//!         │                      │ report: waits of its directions fire
//!         └── forget ◄───────────┤ report that finds no wait (DEL)
//!                                └ last wait gone and not kept (DEL)
//! ```
//!
//! # Invariants
//! - I1: a direction with waits is registered, and its descriptor was not ready when the kernel last looked, or a
//!   report with this generation is under way. [mutants: descriptors.rearm]
//! - I2: a slot is fired with the lock held, after it left its list; `remove` takes the lock. So after `remove` nobody
//!   touches the slot. [mutants: descriptors.remove]
//! - I3: a report fires nobody unless its generation is that of the present registration.
//!   [mutants: descriptors.generation]
//! - I4: a drained direction with waits is not ready: a report and an arming see each other under the lock.
//!   [mutants: descriptors.look, descriptors.at_once]
//! - I5: an entry that is not kept and has no waits is not registered.
//!   [tests: a_lent_descriptor_leaves_no_registration]
//! - I6: a drained descriptor that is waited for in one step keeps the place of a wait that fired, for the next: threads would
//!   else raise and lower one count for each. It gives it back when a report finds no wait, and when it is forgotten.
//!   [mutants: descriptors.places]
//!
//! # Orderings
//! Everything is under the lock of the number, the system calls too.
//! Models: `tests/loom_set.rs`.

#![allow(unsafe_code)]

use super::drained::Cell;
use super::kernel::{Interests, Kernel, Ready, Registration, Token};
use super::places::Fired;
use crate::listed::{Node, SlotList, gather};
use crate::resume::OwedList;
use crate::slot::{self, Slot};
use crate::source::Interest;
use crate::tuning::DESCRIPTORS_FIRST;
use crate::waker::{SourceWaker, WakerId};
use raddle_status::{Code, Result};
use raddle_sync::atomic::{AtomicU64, Ordering::Relaxed};
use raddle_sync::{Mutex, MutexGuard, mutant};
use std::os::fd::RawFd;
use std::ptr::NonNull;
use std::sync::{Arc, OnceLock};

/// The table: an entry takes 64 bytes, with its lock, for each number up to the highest that was used, and as many again.
pub(super) struct Descriptors {
    /// Entries never move, so each has a lock of its own and a processor's cache line; each part is twice as large as the last.
    parts: [OnceLock<Box<[Seat]>>; PARTS],
    stale: AtomicU64,
}

const PARTS: usize = (u32::BITS - DESCRIPTORS_FIRST.ilog2()) as usize;

#[derive(Default)]
#[cfg_attr(not(raddle_loom), repr(align(64)))]
struct Seat(Mutex<Entry>);

const _: () = assert!(size_of::<Seat>() == 64 || !raddle_sync::IS_NATIVE);

#[derive(Default)]
struct Entry {
    generation: u32,
    interests: Interests,
    is_kept: bool,
    /// Places that it keeps for its next wait (I6), from the first that was armed in one step on. Several if as many began at
    /// once.
    places: Option<u32>,
    drain: Option<Box<Drain>>,
    read: SlotList,
    write: SlotList,
}

/// What a drained descriptor has besides.
struct Drain {
    cell: Arc<Cell>,
    wakers: Vec<(Interest, SourceWaker)>,
}

/// One direction of one descriptor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) number: RawFd,
    pub(super) interest: Interest,
    /// Somebody forgets the number before it is closed.
    pub(super) is_owned: bool,
}

/// What an arming did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Added {
    pub(super) fired: Fired,
    /// The owner must be told that the number is registered here.
    pub(super) is_news: bool,
}

impl Descriptors {
    pub(super) fn new() -> Descriptors {
        Descriptors { parts: std::array::from_fn(|_| OnceLock::new()), stale: AtomicU64::new(0) }
    }

    /// Reports so far that named a registration which was gone.
    pub(super) fn stale(&self) -> u64 {
        self.stale.load(Relaxed)
    }

    /// Adds a wait; fires it at once if a drained descriptor is ready. Says what fired.
    ///
    /// # Errors
    /// Those of [`Kernel::watch`]; nothing was added.
    ///
    /// # Safety
    /// The slot is armed, on no list, and its memory lives until `remove` has returned.
    pub(super) unsafe fn add(
        &self,
        kernel: &impl Kernel,
        slot: NonNull<Slot>,
        wanted: Wanted,
        owed: &mut OwedList,
    ) -> Result<Added> {
        let Wanted { number, interest, is_owned } = wanted;
        let mut guard = self.entry(number);
        let entry = &mut *guard;
        let is_watched = !entry.list(interest).is_empty() || entry.drain.is_some();
        if !(is_watched || mutant!("descriptors.rearm")) || !entry.interests.contains(interest) {
            entry.look(kernel, number, interest)?;
        }
        // SAFETY: the caller's promise; the lock is held.
        unsafe { entry.list(interest).push(slot) };
        let is_news = is_owned && !std::mem::replace(&mut entry.is_kept, true);
        Ok(Added { fired: entry.fire_if_ready(interest, owed), is_news })
    }

    /// Adds a wait for reading to a drained descriptor, which `open` opens, unless that is ready; says whether it had it opened.
    /// `None` if the caller must bring a place. After `true` the wait may be over, and the table gone.
    ///
    /// # Safety
    /// What `open` returns is a slot that is armed, on no list, and whose memory lives until `remove` has returned.
    pub(super) unsafe fn add_at_once(
        &self,
        kernel: &impl Kernel,
        (number, brings_place): (RawFd, bool),
        open: &mut dyn FnMut() -> Option<Node>,
        owed: &mut OwedList,
    ) -> Option<bool> {
        let mut entry = self.entry(number);
        let places = entry.places.unwrap_or(0) + u32::from(brings_place);
        if places == 0 {
            return None;
        }
        entry.places = Some(places);
        if entry.is_ready(Interest::Read) && !mutant!("descriptors.at_once") {
            return Some(false);
        }
        let Some(node) = open() else { return Some(true) };
        // A report that nobody waited for has ended the registration.
        if !entry.interests.contains(Interest::Read)
            && let Err(error) = entry.look(kernel, number, Interest::Read)
        {
            // SAFETY: the caller's promise; it is closed by who passes the lock.
            gather(unsafe { slot::fire(node.slot, node.generation, error.code().number()) }, owed);
            return Some(true);
        }
        entry.places = Some(places - 1);
        // SAFETY: the caller's promise; the lock is held.
        unsafe { entry.read.push(node.slot) };
        Some(true)
    }

    /// Takes a wait off; says whether it was still there. Afterwards nobody fires the slot for us (I2).
    ///
    /// # Safety
    /// The slot was given to `add` for this number and interest, or is on no list at all.
    pub(super) unsafe fn remove(&self, kernel: &impl Kernel, slot: NonNull<Slot>, wanted: Wanted) -> bool {
        let entry = self.existing(wanted.number);
        if mutant!("descriptors.remove") {
            return false;
        }
        let Some(mut entry) = entry else { return false };
        // SAFETY: the caller's promise; the lock is held.
        let was_there = unsafe { entry.list(wanted.interest).remove(slot) };
        entry.release(kernel, wanted.number);
        was_there
    }

    /// Registers a drained descriptor for reading; writing joins with the first wait for it. A direction that nobody
    /// asked for would report too (reading an eventfd makes it writable), and wake a thread for nothing.
    ///
    /// # Errors
    /// Those of [`Kernel::watch`].
    pub(super) fn add_drained(&self, kernel: &impl Kernel, number: RawFd, cell: Arc<Cell>) -> Result {
        let mut entry = self.entry(number);
        entry.register(kernel, number, Interests::READ)?;
        (entry.drain, entry.is_kept) = (Some(Box::new(Drain { cell, wakers: Vec::new() })), true);
        Ok(())
    }

    /// Adds a waker to a drained descriptor; fires it at once if that is ready. Says what fired.
    ///
    /// # Errors
    /// Those of [`Kernel::watch`]; nothing was added.
    pub(super) fn add_waker(
        &self,
        kernel: &impl Kernel,
        (number, interest): (RawFd, Interest),
        waker: SourceWaker,
        owed: &mut OwedList,
    ) -> Result<Fired> {
        let mut entry = self.entry(number);
        if !entry.interests.contains(interest) {
            entry.look(kernel, number, interest)?;
        }
        let drain = entry.drain.as_mut().expect("a drained descriptor, until it is forgotten");
        drain.wakers.push((interest, waker));
        Ok(entry.fire_if_ready(interest, owed))
    }

    /// Takes a waker off a drained descriptor; says how many were there.
    pub(super) fn remove_waker(&self, number: RawFd, waker: WakerId) -> usize {
        let Some(mut entry) = self.existing(number) else { return 0 };
        let Some(drain) = entry.drain.as_mut() else { return 0 };
        let before = drain.wakers.len();
        drain.wakers.retain(|(_, kept)| kept.id() != waker);
        before - drain.wakers.len()
    }

    /// Ends the registration of a number that is about to be closed. Waits that are left end as failed.
    pub(super) fn forget(&self, kernel: &impl Kernel, number: RawFd, owed: &mut OwedList) -> Fired {
        let mut fired = Fired::default();
        let Some(mut entry) = self.existing(number) else { return fired };
        for interest in [Interest::Read, Interest::Write] {
            entry.fire(interest, Code::FailedPrecondition.number(), &mut fired, owed);
        }
        let kept = entry.places.take().filter(|_| !mutant!("descriptors.places"));
        fired.gone += kept.unwrap_or(0) as usize;
        (entry.drain, entry.is_kept) = (None, false);
        entry.release(kernel, number);
        fired
    }

    /// Fires the waits that a report is for.
    pub(super) fn report(&self, kernel: &impl Kernel, report: Ready, owed: &mut OwedList) -> Fired {
        let (number, generation) = parts(report.token);
        let mut fired = Fired::default();
        let mut entry = match self.existing(number) {
            Some(entry) if is_present(&entry, generation) => entry,
            _ => {
                self.stale.fetch_add(1, Relaxed);
                return fired;
            }
        };
        let interests = report.interests.and(entry.interests);
        let is_news = entry.drain.as_ref().is_some_and(|drain| drain.cell.report(interests));
        for interest in [Interest::Read, Interest::Write] {
            if interests.contains(interest) {
                entry.fire(interest, 0, &mut fired, owed);
            }
        }
        if fired.gone > 0 {
            entry.release(kernel, number);
        } else if !is_news {
            entry.narrow(kernel, number);
        }
        entry.settle_places(&mut fired);
        fired
    }

    /// The entry of a number.
    fn entry(&self, number: RawFd) -> EntryGuard<'_> {
        let (part, index) = place(number);
        let seats = || (0..DESCRIPTORS_FIRST << part).map(|_| Seat::default()).collect();
        self.parts[part].get_or_init(seats)[index].0.lock()
    }

    /// The same, if there is one.
    fn existing(&self, number: RawFd) -> Option<EntryGuard<'_>> {
        let (part, index) = place(number);
        Some(self.parts[part].get()?[index].0.lock())
    }
}

/// Which part of the table has a number, and where.
fn place(number: RawFd) -> (usize, usize) {
    let number = number as u32 as usize + DESCRIPTORS_FIRST;
    let part = (number / DESCRIPTORS_FIRST).ilog2() as usize;
    (part, number - (DESCRIPTORS_FIRST << part))
}

/// Whether a report with this generation is for the present registration (I3).
fn is_present(entry: &Entry, generation: u32) -> bool {
    (entry.generation == generation || mutant!("descriptors.generation")) && !entry.interests.is_empty()
}

type EntryGuard<'a> = MutexGuard<'a, Entry>;

impl Entry {
    fn list(&mut self, interest: Interest) -> &mut SlotList {
        match interest {
            Interest::Read => &mut self.read,
            Interest::Write => &mut self.write,
        }
    }

    /// The directions with waits.
    fn armed(&self) -> Interests {
        let mut armed = Interests::NONE;
        if !self.read.is_empty() {
            armed = armed.or(Interests::READ);
        }
        if !self.write.is_empty() {
            armed = armed.or(Interests::WRITE);
        }
        let wakers = self.drain.iter().flat_map(|drain| &drain.wakers);
        wakers.fold(armed, |armed, (interest, _)| armed.or(*interest))
    }

    /// Has the kernel look at the descriptor, for one more direction than have waits.
    fn look(&mut self, kernel: &impl Kernel, number: RawFd, interest: Interest) -> Result {
        let interests = match self.drain {
            Some(_) => self.interests.or(interest),
            None => self.armed().or(interest),
        };
        let result = self.register(kernel, number, interests);
        if result.is_err() && self.armed().is_empty() {
            self.end(kernel, number);
        }
        result
    }

    fn register(&mut self, kernel: &impl Kernel, number: RawFd, interests: Interests) -> Result {
        let is_known = !self.interests.is_empty();
        // The kernel looks anew: a report that somebody has collected and not yet handed in is of the past.
        let generation = self.generation.wrapping_add(1);
        let token = token(number, generation);
        kernel.watch(number, Registration { token, interests, is_known })?;
        (self.generation, self.interests) = (generation, interests);
        Ok(())
    }

    /// Takes every wait of one direction off and fires it.
    fn fire(&mut self, interest: Interest, code: u32, fired: &mut Fired, owed: &mut OwedList) {
        while let Some(counted) = self.list(interest).fire_first(code, owed) {
            fired.add(counted);
        }
        let Some(drain) = self.drain.as_mut().filter(|drain| !drain.wakers.is_empty()) else { return };
        for (_, waker) in drain.wakers.extract_if(.., |(other, _)| *other == interest) {
            fired.add(gather(waker.fire_quietly(code), owed));
        }
    }

    /// Fires the waits of a drained descriptor that is ready (I4).
    fn fire_if_ready(&mut self, interest: Interest, owed: &mut OwedList) -> Fired {
        let mut fired = Fired::default();
        if self.is_ready(interest) && !mutant!("descriptors.look") {
            self.fire(interest, 0, &mut fired, owed);
        }
        fired
    }

    /// Whether this is a drained descriptor that is ready.
    fn is_ready(&self, interest: Interest) -> bool {
        self.drain.as_ref().is_some_and(|drain| drain.cell.is_ready(interest))
    }

    /// Ends the registration if nothing needs it (I5).
    fn release(&mut self, kernel: &impl Kernel, number: RawFd) {
        if !self.is_kept && self.armed().is_empty() {
            self.end(kernel, number);
        }
    }

    /// After a report: keeps one of the places of the waits that fired, or gives back what is kept if there was none (I6).
    fn settle_places(&mut self, fired: &mut Fired) {
        match self.places {
            None => {}
            Some(0) if fired.gone > 0 => {
                self.places = Some(1);
                fired.gone -= 1;
            }
            Some(kept) if fired.gone == 0 => {
                self.places = Some(0);
                fired.gone = kept as usize;
            }
            Some(_) => {}
        }
    }

    /// After a report that found no wait: ends the registration, or what of it nobody waits for.
    fn narrow(&mut self, kernel: &impl Kernel, number: RawFd) {
        let armed = self.armed();
        if armed.is_empty() {
            self.end(kernel, number);
        } else if self.drain.is_none() && armed != self.interests {
            // The descriptor was registered before; if that fails, reports that find no wait go on.
            let _ = self.register(kernel, number, armed);
        }
    }

    fn end(&mut self, kernel: &impl Kernel, number: RawFd) {
        if !self.interests.is_empty() {
            self.interests = Interests::NONE;
            kernel.forget(number);
        }
    }
}

/// number | generation << 32.
fn token(number: RawFd, generation: u32) -> Token {
    debug_assert!(number >= 0);
    Token(u64::from(generation) << 32 | number as u64)
}

fn parts(token: Token) -> (RawFd, u32) {
    ((token.0 & 0x7fff_ffff) as RawFd, (token.0 >> 32) as u32)
}
