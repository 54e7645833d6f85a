//! Scopes: what fails together, is cancelled together, and becomes idle together.
//!
//! # Invariants
//! - I1: the first failure wins and is never replaced. [mutants: scope.first]
//! - I2: a scope is idle when every run that was submitted to it has ended, its last cleanup returned; the runs of one busy
//!   period share a number, and idleness is announced per number, so that a late announcement of an earlier period ends
//!   no wait for a later one. [mutants: scope.period, scope.tell]
//! - I3: a run that registers in a failed scope, or is registered when it fails, sees the failure or is cancelled.
//!   [mutants: scope.fail, scope.enter]
//! - I4: a member is touched by `fail` and `describe` only while it is registered, under the lock.
//!   (by construction: the list is inside the lock, and `leave` clears the place before it returns)
//! - I5: once a shutdown has closed a scope, no run enters it: what it cancels and waits for is all there is.
//!   [mutants: scope.closed]
//! - I6: a callback may use the scope: it is called after the lock is released. [mutants: scope.locked]
//!
//! # Orderings
//! The failed flag is raised under the lock that registration takes, which orders all that must be ordered; whoever wants
//! the error takes the lock. Elsewhere the flag is a hint that saves work, and Relaxed.
//! Models: `tests/loom_scope.rs`.

#![allow(unsafe_code)]

use crate::blocking;
use crate::core::Core;
use crate::dump_scope::RunFacts;
use crate::executor::SubmitOptions;
use crate::graph::Graph;
use crate::header::Task;
use crate::run_handle::Run;
use crate::tuning::SCOPE_ROOM;
use crossbeam_utils::CachePadded;
use raddle_status::{Code, Error, Result, panic_message};
use raddle_sync::atomic::{AtomicBool, Ordering::*};
use raddle_sync::counter::AtomicPtr;
use raddle_sync::{Mutex, mutant};
use raddle_wait::{Moment, Semaphore, SemaphoreValue, SharedSource};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{NonNull, null_mut, without_provenance_mut};
use std::sync::{Arc, Weak};

/// What a scope holds of each run.
pub(crate) trait Member: Sync {
    /// Stops the run, unless nothing can.
    fn cancel_waits(&self);
    /// What the run does and waits on.
    fn describe(&self) -> RunFacts;
}

/// A member's place in its scope.
pub(crate) type Place = u32;

type IdleCallback = Box<dyn FnOnce() + Send>;

/// What stands at a place: the task of a member, or, with the lowest bit set, the next vacant place.
#[derive(Clone, Copy)]
struct Seat(*mut Task);

const _: () = assert!(size_of::<Seat>() == 8 && align_of::<Task>() > 1, "each run in flight has one");

impl Seat {
    fn taken(member: NonNull<Task>) -> Seat {
        Seat(member.as_ptr())
    }

    fn vacant(next: Option<Place>) -> Seat {
        Seat(without_provenance_mut(next.map_or(0, |next| next as usize + 1) << 1 | 1))
    }

    fn is_vacant(self) -> bool {
        self.0.addr() & 1 != 0
    }

    /// The next vacant place.
    fn next(self) -> Option<Place> {
        debug_assert!(self.is_vacant(), "the place of a member is not vacant");
        (self.0.addr() >> 1).checked_sub(1).map(|next| next as Place)
    }

    /// The member of a place that is taken.
    ///
    /// # Safety
    /// Under the lock (I4).
    unsafe fn member<'a>(&self) -> Option<&'a dyn Member> {
        let task = NonNull::new(self.0).filter(|_| !self.is_vacant())?;
        // SAFETY: I4.
        let owner = unsafe { task.as_ref() }.header.owner;
        // SAFETY: an owner outlives its things.
        let member = unsafe { owner.as_ref() }.member;
        // SAFETY: I4.
        Some(unsafe { member(task).as_ref() })
    }
}

struct Members {
    list: Vec<Seat>,
    /// The first vacant place.
    vacant: Option<Place>,
    count: usize,
    /// The number of the present busy period, or of the last one.
    period: u64,
    /// No run enters any more (I5).
    is_closed: bool,
    on_idle: Vec<IdleCallback>,
    failure: Option<Error>,
}

impl Members {
    /// All members.
    fn all(&self) -> impl Iterator<Item = &dyn Member> {
        // SAFETY: I4: it is inside the lock.
        self.list.iter().filter_map(|seat| unsafe { seat.member() })
    }
}

// SAFETY: members are Sync, and only used under the lock (I4).
unsafe impl Send for Members {}

/// What a scope is; shared by its handles and its runs.
pub(crate) struct Inner {
    core: Arc<Core>,
    name: String,
    has_failed: AtomicBool,
    /// Where the list of members begins, for those who want a place of it fetched: a hint.
    seats: AtomicPtr<Seat>,
    idle: Arc<Semaphore>,
    /// Apart from what every program that is resumed reads here.
    members: CachePadded<Mutex<Members>>,
}

/// A domain of errors and cancellation. Cheap to clone; thread-safe.
///
/// The first failure of a task fails the scope: its other tasks are discarded when they are met, its waits end,
/// and it still becomes idle.
#[derive(Clone)]
pub struct Scope(Arc<Inner>);

impl Scope {
    pub(crate) fn new(core: &Arc<Core>, name: String) -> Scope {
        let inner = Arc::new(Inner::new(core, name));
        core.scopes.add(&inner);
        Scope(inner)
    }

    /// The name that dumps and reports use.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The failure, if there is one.
    pub fn failure(&self) -> Option<Error> {
        self.0.failure()
    }

    /// Fails the scope with CANCELLED: tasks that have not started are discarded, waits end.
    /// Says whether this call was the one that ended it.
    ///
    /// Blocks: never. Tasks that run go on to their end; they see it in [`TaskCx::is_cancelled`](crate::TaskCx::is_cancelled).
    pub fn cancel(&self) -> bool {
        self.0.fail(Error::new(Code::Cancelled, format!("scope {} was cancelled", self.name())))
    }

    /// Fails the scope with this error. Says whether it is the scope's failure now.
    pub fn fail(&self, error: Error) -> bool {
        self.0.fail(error)
    }

    /// Submits a run of `graph` in this scope; see [`Executor::submit`](crate::Executor::submit).
    ///
    /// Blocks: never.
    ///
    /// # Errors
    /// FAILED_PRECONDITION when the executor is shutting down; RESOURCE_EXHAUSTED when as many runs are under way as it has
    /// places for ([`ExecutorBuilder::runs_max`](crate::ExecutorBuilder::runs_max)).
    pub fn submit(&self, graph: &Arc<Graph>) -> Result<Run> {
        crate::executor::submit(graph, self, SubmitOptions::default())
    }

    /// Submits a run of `graph` and lends this thread to it: runs what of it is at hand and returns when nothing is,
    /// although other threads may still be busy with the rest. For who has begun the work and must not wait for it.
    ///
    /// Blocks: never; takes as long as the tasks that it runs.
    ///
    /// # Errors
    /// As for [`submit`](Scope::submit).
    pub fn lend(&self, graph: &Arc<Graph>) -> Result<Run> {
        blocking::begin(graph, self)
    }

    /// Runs submitted and not ended.
    pub fn pending(&self) -> usize {
        self.0.members.lock().count
    }

    /// A source that is ready once every run submitted so far, and all that overlap with them, have ended.
    pub fn idle(&self) -> SharedSource {
        Arc::new(self.0.idle_source())
    }

    /// Waits until the scope is idle and returns its failure, if it has one.
    ///
    /// Blocks: until idle, or `deadline` ([`NEVER`](raddle_wait::NEVER) for none). On a worker it runs other
    /// tasks of this scope meanwhile.
    ///
    /// # Errors
    /// The scope's failure; DEADLINE_EXCEEDED; FAILED_PRECONDITION where the wait would block the last worker.
    pub fn wait_idle(&self, deadline: Moment) -> Result {
        blocking::wait(self.core(), &self.0, &*self.idle(), deadline)?;
        self.failure().map_or(Ok(()), Err)
    }

    /// Calls `callback` once the scope is idle: at once if it is, otherwise on the worker that ends the last run.
    pub fn on_idle(&self, callback: impl FnOnce() + Send + 'static) {
        self.0.on_idle(Box::new(callback));
    }

    /// The present moment of its executor's clock.
    pub fn now(&self) -> Moment {
        self.core().now()
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.0
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.0.core
    }

    /// The stage of the frames of this scope's programs.
    pub(crate) fn stage(&self) -> &Arc<crate::core::Set> {
        &self.core().set
    }
}

impl Inner {
    pub(crate) fn new(core: &Arc<Core>, name: String) -> Inner {
        let members = Members {
            list: Vec::new(),
            vacant: None,
            count: 0,
            period: 0,
            is_closed: false,
            on_idle: Vec::new(),
            failure: None,
        };
        Inner {
            core: core.clone(),
            name,
            has_failed: AtomicBool::new(false),
            seats: AtomicPtr::new(null_mut()),
            members: CachePadded::new(Mutex::new(members)),
            idle: Arc::new(Semaphore::new(0)),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn pending(&self) -> usize {
        self.members.lock().count
    }

    pub(crate) fn idle_source(&self) -> SemaphoreValue {
        let period = self.members.lock().period;
        self.idle.at(period)
    }

    /// Closes the scope, and cancels it if it is busy; says whether it was (I5).
    pub(crate) fn close(&self) -> bool {
        let mut members = self.members.lock();
        members.is_closed = true;
        let is_busy = members.count > 0;
        if is_busy {
            self.fail_locked(&mut members, Error::new(Code::Cancelled, "the executor is shutting down"));
        }
        is_busy
    }

    /// As [`Scope::on_idle`].
    pub(crate) fn on_idle(&self, callback: IdleCallback) {
        let mut members = self.members.lock();
        if members.count > 0 && !mutant!("scope.tell") {
            members.on_idle.push(callback);
            return;
        }
        drop(members);
        self.call(callback);
    }

    /// Whether the scope has failed; one relaxed load, for the path of every task.
    #[inline]
    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed.load(Relaxed)
    }

    pub(crate) fn failure(&self) -> Option<Error> {
        if !self.has_failed.load(Relaxed) {
            return None;
        }
        self.members.lock().failure.clone()
    }

    pub(crate) fn fail(&self, error: Error) -> bool {
        self.fail_locked(&mut self.members.lock(), error)
    }

    fn fail_locked(&self, members: &mut Members, error: Error) -> bool {
        if members.failure.is_some() && !mutant!("scope.first") {
            return false;
        }
        members.failure = Some(error);
        self.has_failed.store(true, Relaxed);
        members.all().filter(|_| !mutant!("scope.fail")).for_each(Member::cancel_waits);
        true
    }

    /// Enters a run; `None` when the scope is closed.
    ///
    /// # Safety
    /// The task is that of a member, which stays in place until `leave` returned.
    pub(crate) unsafe fn enter(&self, member: NonNull<Task>) -> Option<Place> {
        let mut members = self.members.lock();
        if members.is_closed && !mutant!("scope.closed") {
            return None;
        }
        if members.count == 0 && !mutant!("scope.period") {
            members.period += 1;
        }
        members.count += 1;
        let Some(place) = members.vacant else {
            if members.list.len() == members.list.capacity() {
                members.list.reserve(SCOPE_ROOM);
                self.seats.store(members.list.as_mut_ptr(), Relaxed);
            }
            members.list.push(Seat::taken(member));
            return Some(
                Place::try_from(members.list.len() - 1).expect("fewer runs than memory has room for"),
            );
        };
        members.vacant = std::mem::replace(&mut members.list[place as usize], Seat::taken(member)).next();
        Some(place)
    }

    /// A run is about to leave this place: whoever has the lock then is not to wait for the memory.
    #[inline]
    pub(crate) fn fetch(&self, place: Place) {
        raddle_sync::prefetch(self.seats.load(Relaxed).wrapping_add(place as usize));
    }

    /// A run has ended; its cleanups have returned.
    pub(crate) fn leave(&self, place: Place) {
        let mut members = self.members.lock();
        let next = members.vacant.replace(place);
        members.list[place as usize] = Seat::vacant(next);
        members.count -= 1;
        if members.count > 0 {
            return;
        }
        let (period, callbacks) = (members.period, std::mem::take(&mut members.on_idle));
        let _held = mutant!("scope.locked").then_some(members);
        // An announcement that another has overtaken is refused, and not needed.
        let _ = self.idle.signal(period);
        callbacks.into_iter().for_each(|callback| self.call(callback));
    }

    /// A panic is the scope's failure, whoever's thread this is.
    fn call(&self, callback: IdleCallback) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(callback)) {
            self.fail(panic_message(&*payload).within("in an idle callback"));
        }
    }

    /// What is in the scope, without a call of foreign code.
    pub(crate) fn describe(&self) -> (Option<Error>, Vec<RunFacts>) {
        let members = self.members.lock();
        (members.failure.clone(), members.all().map(Member::describe).collect())
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({}, pending {})", self.name(), self.pending())
    }
}

/// The scopes of an executor, for dumps and shutdown.
#[derive(Default)]
pub(crate) struct Registry(Mutex<Scopes>);

#[derive(Default)]
struct Scopes {
    list: Vec<Weak<Inner>>,
    is_closed: bool,
}

impl Registry {
    fn add(&self, scope: &Arc<Inner>) {
        let mut scopes = self.0.lock();
        // Amortised: the list is swept when it would grow.
        if scopes.list.len() == scopes.list.capacity() {
            scopes.list.retain(|scope| scope.strong_count() > 0);
        }
        scopes.list.push(Arc::downgrade(scope));
        if scopes.is_closed {
            scope.close();
        }
    }

    pub(crate) fn all(&self) -> Vec<Arc<Inner>> {
        self.0.lock().list.iter().filter_map(Weak::upgrade).collect()
    }

    /// Closes every scope, those that are still to be made too; says which there are, and which were busy (I5).
    pub(crate) fn close(&self) -> Vec<(Arc<Inner>, bool)> {
        self.0.lock().is_closed = true;
        let mut scopes = Vec::new();
        for scope in self.all() {
            let is_busy = scope.close();
            scopes.push((scope, is_busy));
        }
        scopes
    }
}
