//! A kernel in memory, for models and seeded simulations.
//!
//! It keeps the contract of `kernel.rs` as the real one does, edges and all, with a clock that stands still until it is
//! told to move. Descriptors are real numbers (each is an open `/dev/null`), so that numbers are reused as they are
//! on a real machine; what can be read from them is kept here.
//!
//! Not here: the real kernel (`os.rs`). One script checks both (`tests/set_contract.rs`).
//!
//! # Invariants
//! - I1: nothing here orders the product's memory accesses but what the contract promises (C7): the state is under
//!   std's lock, which the model checker does not see, so that it hides no missing fence. What a checker may
//!   interleave are the calls: each begins with a relaxed step.
//!   (by construction: but for `step` and `edge` there is no atomic, and std's lock is not the checker's)
//! - I2: a sleeper is asleep only while nothing is pending. [tests: both_kernels_keep_the_contract]
//!
//! # Sources
//! epoll(7): a registration belongs to a number *and* the open file behind it, and lives as long as the file.

// orderings: they are the kernel's, by its contract (C7).

use super::kernel::{Events, Interests, Kernel, Ready, Registration, Sleep, Token};
use crate::stage::{Moment, NEVER};
use raddle_status::{Code, Error, Result};
use raddle_sync::atomic::{AtomicU64, Ordering::*};
use raddle_sync::{Arc as ModelArc, Parker};
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::{Mutex, MutexGuard};

/// The largest count of a counter: with it, a counter takes no more.
pub const COUNTER_MAX: u64 = u64::MAX - 1;

/// A kernel in memory. Thread-safe.
#[derive(Debug)]
pub struct Standin {
    state: Mutex<State>,
    /// Where calls interleave (I1).
    step: AtomicU64,
    /// What wakers and writers did before is visible to those who collect (C7).
    edge: AtomicU64,
    fd: OwnedFd,
}

/// How often the kernel was called.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Calls {
    /// `watch`
    pub watch: u64,
    /// `forget`
    pub forget: u64,
    /// `set_timer`
    pub set_timer: u64,
    /// `sleep`
    pub sleep: u64,
    /// `wake`
    pub wake: u64,
}

#[derive(Default)]
struct State {
    now: Moment,
    timer: Timer,
    /// By number.
    files: BTreeMap<RawFd, FileId>,
    counters: BTreeMap<FileId, Counter>,
    registrations: BTreeMap<(FileId, RawFd), Registered>,
    pending: VecDeque<Item>,
    sleepers: VecDeque<ModelArc<Parker>>,
    next_file: FileId,
    calls: Calls,
}

type FileId = u64;

#[derive(Default, Debug)]
struct Timer {
    at: Option<Moment>,
    has_expired: bool,
}

/// An eventfd, or something that can't be polled.
#[derive(Debug)]
struct Counter {
    count: u64,
    can_poll: bool,
}

impl Counter {
    fn ready(&self) -> Interests {
        let read = if self.count > 0 { Interests::READ } else { Interests::NONE };
        let write = if self.count < COUNTER_MAX { Interests::WRITE } else { Interests::NONE };
        read.or(write)
    }
}

#[derive(Clone, Copy, Debug)]
struct Registered {
    token: Token,
    interests: Interests,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Item {
    Waker,
    Timer,
    Registration(FileId, RawFd),
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sleepers = self.sleepers.len();
        write!(f, "now {}, pending {:?}, {sleepers} asleep, {:?}", self.now, self.pending, self.timer)
    }
}

impl Standin {
    /// A kernel at moment 0 without descriptors.
    ///
    /// # Panics
    /// When `/dev/null` can't be opened.
    pub fn new() -> Standin {
        Standin { state: Mutex::default(), step: AtomicU64::new(0), edge: AtomicU64::new(0), fd: number() }
    }

    /// A new counter: an eventfd, non-blocking.
    pub fn counter(&self) -> OwnedFd {
        self.open(true)
    }

    /// Something that can't be waited for.
    pub fn regular_file(&self) -> OwnedFd {
        self.open(false)
    }

    fn open(&self, can_poll: bool) -> OwnedFd {
        let fd = number();
        let mut state = self.enter();
        let file = state.next_file;
        state.next_file += 1;
        state.counters.insert(file, Counter { count: 0, can_poll });
        state.name(fd.as_raw_fd(), file);
        fd
    }

    /// Another number for the same open file.
    ///
    /// # Panics
    /// When the descriptor is not of this kernel.
    pub fn duplicate(&self, fd: impl AsFd) -> OwnedFd {
        let again = number();
        let mut state = self.enter();
        let file = state.files[&fd.as_fd().as_raw_fd()];
        state.name(again.as_raw_fd(), file);
        again
    }

    /// Closes a number that nobody else closes.
    pub fn close(&self, fd: OwnedFd) {
        let mut state = self.enter();
        state.unname(fd.as_raw_fd());
    }

    /// Adds to a counter: an edge for readers. Acts as a release; pairs with the report.
    ///
    /// # Panics
    /// When the descriptor is not a counter of this kernel, or would block.
    pub fn add(&self, fd: impl AsFd, amount: u64) {
        self.edge.fetch_add(1, Release);
        let mut state = self.enter();
        let file = state.files[&fd.as_fd().as_raw_fd()];
        let counter = state.counters.get_mut(&file).expect("a counter");
        assert!(amount <= COUNTER_MAX - counter.count, "adding {amount} would block");
        counter.count += amount;
        state.edge(file, Interests::READ);
        self.rouse(state);
    }

    /// Takes all of a counter, an edge for writers; `None` if there is nothing.
    ///
    /// # Panics
    /// When the descriptor is not a counter of this kernel.
    pub fn take(&self, fd: impl AsFd) -> Option<u64> {
        let mut state = self.enter();
        let file = state.files[&fd.as_fd().as_raw_fd()];
        let counter = state.counters.get_mut(&file).expect("a counter");
        let count = std::mem::take(&mut counter.count);
        if count > 0 {
            state.edge(file, Interests::WRITE);
        }
        self.rouse(state);
        (count > 0).then_some(count)
    }

    /// Moves the clock, never back.
    pub fn advance_to(&self, moment: Moment) {
        let mut state = self.enter();
        state.now = state.now.max(moment);
        state.expire();
        self.rouse(state);
    }

    /// The moment at which the timer rings, if it is set and has not rung.
    pub fn timer(&self) -> Option<Moment> {
        let state = self.enter();
        state.timer.at.filter(|_| !state.timer.has_expired)
    }

    /// Descriptors that are registered.
    pub fn registered(&self) -> usize {
        self.enter().registrations.len()
    }

    /// Threads that are asleep.
    pub fn sleepers(&self) -> usize {
        self.enter().sleepers.len()
    }

    /// How often each call was made.
    pub fn calls(&self) -> Calls {
        self.enter().calls
    }

    /// A call begins (I1).
    fn enter(&self) -> MutexGuard<'_, State> {
        self.step.fetch_add(1, Relaxed);
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// A call ends: if something is pending, one sleeper looks (I2).
    fn rouse(&self, mut state: MutexGuard<'_, State>) {
        let sleeper = if state.pending.is_empty() { None } else { state.sleepers.pop_front() };
        drop(state);
        if let Some(sleeper) = sleeper {
            sleeper.unpark();
        }
    }
}

impl Default for Standin {
    fn default() -> Standin {
        Standin::new()
    }
}

fn number() -> OwnedFd {
    File::open("/dev/null").expect("/dev/null").into()
}

impl State {
    fn name(&mut self, number: RawFd, file: FileId) {
        // A number that is given out again was closed before, by whoever owned it.
        self.unname(number);
        self.files.insert(number, file);
    }

    fn unname(&mut self, number: RawFd) {
        let Some(file) = self.files.remove(&number) else { return };
        if !self.files.values().any(|other| *other == file) {
            self.counters.remove(&file);
            self.registrations.retain(|(of, _), _| *of != file);
            self.pending.retain(|item| !matches!(item, Item::Registration(of, _) if *of == file));
        }
    }

    /// Something happened to a file: its registrations are looked at when events are collected.
    fn edge(&mut self, file: FileId, interests: Interests) {
        let hit = self.registrations.range((file, RawFd::MIN)..=(file, RawFd::MAX));
        let hit: Vec<_> =
            hit.filter(|(_, it)| !it.interests.and(interests).is_empty()).map(|(key, _)| *key).collect();
        for (file, number) in hit {
            self.pend(Item::Registration(file, number));
        }
    }

    fn pend(&mut self, item: Item) {
        if !self.pending.contains(&item) {
            self.pending.push_back(item);
        }
    }

    fn expire(&mut self) {
        if self.timer.at.is_some_and(|at| at <= self.now) && !self.timer.has_expired {
            self.timer.has_expired = true;
            self.pend(Item::Timer);
        }
    }

    /// What a pending item has to report now.
    fn poll(&self, item: Item) -> Option<Ready> {
        let none = Ready { token: Token(0), interests: Interests::NONE };
        match item {
            Item::Waker => Some(none),
            Item::Timer => self.timer.has_expired.then_some(none),
            Item::Registration(file, number) => {
                let registered = self.registrations.get(&(file, number))?;
                let interests = self.counters[&file].ready().and(registered.interests);
                (!interests.is_empty()).then_some(Ready { token: registered.token, interests })
            }
        }
    }

    fn collect(&mut self, events: &mut Events) {
        let mut room = events.capacity().max(1);
        while room > 0 {
            let Some(item) = self.pending.pop_front() else { return };
            let Some(ready) = self.poll(item) else { continue };
            room -= 1;
            match item {
                Item::Waker => events.woken = true,
                Item::Timer => events.rang = true,
                Item::Registration(..) => events.ready.push(ready),
            }
        }
    }
}

impl Kernel for Standin {
    fn now(&self) -> Moment {
        self.enter().now
    }

    fn watch(&self, number: RawFd, registration: Registration) -> Result {
        let mut state = self.enter();
        state.calls.watch += 1;
        let Some(&file) = state.files.get(&number) else {
            return Err(Error::new(Code::FailedPrecondition, format!("descriptor {number} is closed")));
        };
        if !state.counters[&file].can_poll {
            return Err(Error::new(Code::InvalidArgument, format!("descriptor {number} is a regular file")));
        }
        let Registration { token, interests, .. } = registration;
        state.registrations.insert((file, number), Registered { token, interests });
        let item = Item::Registration(file, number);
        if state.poll(item).is_some() {
            state.pend(item);
        }
        self.rouse(state);
        Ok(())
    }

    fn forget(&self, number: RawFd) {
        let mut state = self.enter();
        state.calls.forget += 1;
        if let Some(&file) = state.files.get(&number) {
            state.registrations.remove(&(file, number));
            state.pending.retain(|item| *item != Item::Registration(file, number));
        }
    }

    fn set_timer(&self, moment: Moment) {
        let mut state = self.enter();
        state.calls.set_timer += 1;
        state.timer = Timer { at: (moment != NEVER).then_some(moment), has_expired: false };
        state.expire();
        self.rouse(state);
    }

    fn sleep(&self, events: &mut Events, sleep: Sleep) -> Result {
        events.clear();
        loop {
            let mut state = self.enter();
            state.collect(events);
            if !events.is_empty() || sleep == Sleep::Never {
                state.calls.sleep += 1;
                self.rouse(state);
                self.edge.load(Acquire);
                return Ok(());
            }
            let parker = ModelArc::new(Parker::new());
            state.sleepers.push_back(parker.clone());
            drop(state);
            parker.park();
        }
    }

    fn wake(&self) {
        self.edge.fetch_add(1, Release);
        let mut state = self.enter();
        state.calls.wake += 1;
        state.pend(Item::Waker);
        self.rouse(state);
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    fn is_readable(&self) -> bool {
        let state = self.enter();
        state.pending.iter().any(|item| state.poll(*item).is_some())
    }
}
