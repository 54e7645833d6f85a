//! What the workers of one executor share.
//!
//! Not here: what one worker does (`worker.rs`), how an executor is built and ended (`executor.rs`).
//!
//! # Invariants
//! - I1: work that is enqueued is run by somebody: the enqueuer is a worker and has it in its own deque, or it is in a
//!   list that every sleeper looks at after announcing itself, and `notify` follows (I1 of `idle.rs`).
//!   (by construction: `enqueue` and `spill` are the only ways in)

#![allow(unsafe_code)]

use crate::counters::{Counter, Counters, Counts, Tally};
use crate::deque::Thief;
use crate::drivers::Drivers;
use crate::executor::Driver;
use crate::graph::Graph;
use crate::header::{Task, TaskRef};
use crate::idle::{Claim, Idle, Place};
use crate::jobs::Jobs;
use crate::local::Local;
use crate::outside::Outside;
use crate::priority::{PRIORITIES, Priority};
use crate::room::Room;
use crate::scope::Registry;
use crate::tuning::SPILLED_ROOM;
use crate::worker::Worker;
use crossbeam_utils::CachePadded;
use raddle_status::{Code, Error, Result};
use raddle_sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::*};
use raddle_sync::{Mutex, Parker, fence};
use raddle_wait::{Event, SlotPool, Stage, WaitSet};
use std::collections::VecDeque;
use std::ptr::NonNull;
use std::sync::{Arc, OnceLock};
use std::thread::ThreadId;

/// The wait set of an executor; the kernel under it can be a stand-in.
pub(crate) type Set = WaitSet<Box<dyn raddle_wait::Kernel>>;

/// One worker, or one guest, as the others see it.
pub(crate) struct Remote {
    pub(crate) own: Thief,
    pub(crate) resumed: [Thief; PRIORITIES],
    pub(crate) parker: OnceLock<Parker>,
    pub(crate) counters: Counters,
    /// Where the thread sleeps, for dumps: see [`Remote::sleeps_at`].
    sleeps_at: AtomicUsize,
}

impl Remote {
    pub(crate) fn new(own: Thief, resumed: [Thief; PRIORITIES]) -> Remote {
        let counters = Counters::default();
        Remote { own, resumed, parker: OnceLock::new(), counters, sleeps_at: AtomicUsize::new(0) }
    }

    /// Says where the thread is about to sleep; `None` when it is back. Relaxed: only dumps read it.
    pub(crate) fn note_sleep(&self, place: Option<Place>) {
        let number = match place {
            None => 0,
            Some(Place::Parker) => 1,
            Some(Place::Kernel) => 2,
        };
        self.sleeps_at.store(number, Relaxed);
    }

    /// Where the thread sleeps, racily.
    pub(crate) fn sleeps_at(&self) -> Option<Place> {
        [None, Some(Place::Parker), Some(Place::Kernel)][self.sleeps_at.load(Relaxed)]
    }

    /// Tasks in its deques, racily.
    pub(crate) fn task_count(&self) -> usize {
        self.own.len() + self.resumed.iter().map(Thief::len).sum::<usize>()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.own.is_empty() && self.resumed.iter().all(Thief::is_empty)
    }
}

/// See the head of this file.
pub(crate) struct Core {
    pub(crate) name: String,
    pub(crate) driver: Driver,
    pub(crate) worker_count: usize,
    pub(crate) idle: CachePadded<Idle>,
    pub(crate) outside: CachePadded<[Outside; PRIORITIES]>,
    spilled: Mutex<VecDeque<TaskRef>>,
    spilled_count: AtomicUsize,
    /// Workers, then guests.
    pub(crate) remotes: Box<[CachePadded<Remote>]>,
    guests: Mutex<Vec<Box<Local>>>,
    /// How many of them are in use; the deques of the others are empty. Raised before a guest runs anything, so that who looks
    /// for what it pushed after the fences of `idle.rs` finds it raised.
    lent: AtomicUsize,
    /// The worker inside the host's turns.
    pub(crate) host: Mutex<Option<Worker>>,
    /// The only thread that may turn and run tasks, of a local executor.
    pub(crate) home: OnceLock<ThreadId>,
    /// Threads that wait and would turn if nobody else did.
    pub(crate) drivers: Drivers,
    pub(crate) set: Arc<Set>,
    pub(crate) slots: SlotPool,
    pub(crate) scopes: Registry,
    pub(crate) room: Room,
    /// Workers leave when they see it.
    pub(crate) is_leaving: AtomicBool,
    /// New work is refused when it is set.
    pub(crate) is_closed: AtomicBool,
    /// Workers inside a wait that blocks.
    pub(crate) blocked: AtomicUsize,
    /// Workers inside a section that blocks: for dumps.
    pub(crate) in_sections: AtomicUsize,
    /// How long a worker searches before it sleeps. Unit: ns.
    pub(crate) spin_ns: AtomicU64,
    /// Limit of a tile's local memory. Unit: bytes.
    pub(crate) local_memory_max: AtomicUsize,
    pub(crate) foreign: Counters,
    /// The graph of runs that bring their function along.
    pub(crate) once: Arc<Graph>,
    pub(crate) jobs: Jobs,
    /// Set when new work is refused, for futures that wait on our stage.
    pub(crate) closing: Arc<Event>,
}

pub(crate) struct Parts {
    pub(crate) name: String,
    pub(crate) driver: Driver,
    pub(crate) worker_count: usize,
    pub(crate) remotes: Vec<CachePadded<Remote>>,
    pub(crate) set: Arc<Set>,
}

impl Core {
    pub(crate) fn new(parts: Parts) -> Core {
        Core {
            name: parts.name,
            driver: parts.driver,
            worker_count: parts.worker_count,
            idle: CachePadded::new(Idle::new(parts.worker_count)),
            outside: CachePadded::new([Outside::new(), Outside::new(), Outside::new()]),
            spilled: Mutex::new(VecDeque::with_capacity(SPILLED_ROOM)),
            spilled_count: AtomicUsize::new(0),
            remotes: parts.remotes.into(),
            guests: Mutex::new(Vec::new()),
            lent: AtomicUsize::new(0),
            host: Mutex::new(None),
            home: OnceLock::new(),
            drivers: Drivers::default(),
            set: parts.set,
            slots: SlotPool::new(),
            scopes: Registry::default(),
            room: Room::default(),
            is_leaving: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            blocked: AtomicUsize::new(0),
            spin_ns: AtomicU64::new(0),
            in_sections: AtomicUsize::new(0),
            local_memory_max: AtomicUsize::new(crate::tuning::LOCAL_MEMORY_BYTES_MAX),
            foreign: Counters::default(),
            once: crate::once::graph(),
            jobs: Jobs::default(),
            closing: Arc::new(Event::manual()),
        }
    }

    /// Makes a task run: on this thread if it is one of ours, otherwise by waking somebody. Blocks: never.
    ///
    /// # Safety
    /// The caller holds the duty to run `task`, and gives it away.
    pub(crate) unsafe fn enqueue(this: &Arc<Core>, task: NonNull<Task>) {
        // SAFETY: the caller's duty.
        if !unsafe { this.enqueue_here(task) } {
            // What keeps the core may be gone as soon as somebody runs the task.
            let this = this.clone();
            // SAFETY: as above; the duty is still the caller's.
            unsafe { this.enqueue_outside(task) };
        }
    }

    /// Makes the entry of a run run on some worker; on a worker it goes behind what is there, and another is woken for
    /// it if that is worth it. The caller keeps the core.
    ///
    /// # Safety
    /// As for `enqueue`.
    pub(crate) unsafe fn enqueue_entry(&self, entry: NonNull<Task>) {
        // SAFETY: the caller's duty.
        if !unsafe { self.enqueue_here(entry) } {
            // SAFETY: as above; the duty is still the caller's.
            unsafe { self.enqueue_outside(entry) };
        }
        Local::with_current(self, |local| local.share(self));
    }

    /// Puts a task into this thread's own deque, if it has one of ours with room; says whether it did.
    ///
    /// # Safety
    /// As for `enqueue`.
    unsafe fn enqueue_here(&self, task: NonNull<Task>) -> bool {
        // SAFETY: the caller's duty.
        let priority = Priority::from_level(unsafe { task.as_ref() }.priority.load(Relaxed));
        let is_ours = Local::with_current(self, |local| {
            let has_room = local.has_room(priority);
            if has_room {
                // SAFETY: the caller's duty.
                local.push_resumed(unsafe { Task::task_ref(task) }, priority);
            }
            has_room
        });
        is_ours == Some(true)
    }

    /// # Safety
    /// As for `enqueue`.
    unsafe fn enqueue_outside(&self, task: NonNull<Task>) {
        // SAFETY: the caller's duty.
        let level = usize::from(unsafe { task.as_ref() }.priority.load(Relaxed));
        // SAFETY: the caller's duty. The resume is the task's own.
        unsafe { self.outside[level].push(Task::resume_of(task)) };
        self.notify();
    }

    /// Keeps tasks for which a worker's own deque has no room.
    #[cold]
    pub(crate) fn spill(&self, task: TaskRef) {
        let mut spilled = self.spilled.lock();
        spilled.push_back(task);
        self.spilled_count.store(spilled.len(), Relaxed);
        drop(spilled);
        self.notify();
    }

    pub(crate) fn take_spilled(&self) -> Option<TaskRef> {
        if self.spilled_count.load(Relaxed) == 0 {
            return None;
        }
        let mut spilled = self.spilled.lock();
        let task = spilled.pop_front();
        self.spilled_count.store(spilled.len(), Relaxed);
        task
    }

    /// Takes the first spilled task of a scope.
    pub(crate) fn take_spilled_of(&self, scope: &crate::scope::Inner) -> Option<TaskRef> {
        if self.spilled_count.load(Relaxed) == 0 {
            return None;
        }
        let mut spilled = self.spilled.lock();
        let at = spilled.iter().position(|task| task.is_of(scope))?;
        let task = spilled.remove(at);
        self.spilled_count.store(spilled.len(), Relaxed);
        task
    }

    /// Takes up to so many tasks of one priority from outside; says how many. `count` is asked if there are any.
    pub(crate) fn take_outside(
        &self,
        priority: usize,
        count: impl FnOnce() -> usize,
        mut take: impl FnMut(TaskRef),
    ) -> usize {
        self.outside[priority].take(count, |resume| {
            // SAFETY: the list gave us the duty.
            take(unsafe { Task::task_ref(Task::of_resume(resume)) });
        })
    }

    /// The places for threads that lend themselves, before any is lent.
    pub(crate) fn set_guests(&self, guests: Vec<Box<Local>>) {
        *self.guests.lock() = guests;
    }

    /// A place for a thread that lends itself, until [`give_guest`](Core::give_guest).
    pub(crate) fn take_guest(&self) -> Option<Box<Local>> {
        let guest = self.guests.lock().pop()?;
        self.lent.fetch_add(1, Relaxed);
        Some(guest)
    }

    /// Takes a place back; its deques are empty.
    pub(crate) fn give_guest(&self, guest: Box<Local>) {
        debug_assert!(guest.is_empty());
        self.lent.fetch_sub(1, Relaxed);
        self.guests.lock().push(guest);
    }

    /// Whose deques may hold something, by number.
    #[inline]
    pub(crate) fn active(&self) -> impl Fn(usize) -> bool {
        let (workers, last, has_host) =
            (self.worker_count, self.remotes.len() - 1, self.driver == Driver::Host);
        let has_guests = self.lent.load(Relaxed) > 0;
        move |index| index < workers || if index == last { has_host } else { has_guests }
    }

    /// Whether there is something in a deque, but in that of `own`.
    fn has_work_in_deques(&self, own: Option<usize>) -> bool {
        let is_active = self.active();
        let has_some = |(index, remote): (usize, &CachePadded<Remote>)| {
            is_active(index) && Some(index) != own && !remote.is_empty()
        };
        self.remotes.iter().enumerate().any(has_some)
    }

    /// Whether no deques but those of one may hold something.
    #[inline]
    pub(crate) fn is_alone(&self) -> bool {
        let hosts = usize::from(self.driver == Driver::Host);
        self.worker_count + hosts == 1 && self.lent.load(Relaxed) == 0
    }

    /// Whether there is something to run that is in no sleeper's own hands. Takes no lock.
    pub(crate) fn has_work(&self) -> bool {
        self.has_shared_work() || self.has_work_in_deques(None)
    }

    /// The same without the deques of one of us.
    pub(crate) fn has_work_beside(&self, own: usize) -> bool {
        self.has_shared_work() || !self.is_alone() && self.has_work_in_deques(Some(own))
    }

    fn has_shared_work(&self) -> bool {
        self.outside.iter().any(|list| !list.is_empty()) || self.spilled_count.load(Relaxed) > 0
    }

    /// Wakes a sleeper for work that was just pushed, unless somebody is searching.
    #[inline]
    pub(crate) fn notify(&self) {
        self.pay(self.idle.notify());
    }

    /// The same without a fence: a sleeper that announces itself at this moment may be missed.
    #[inline]
    pub(crate) fn notify_loosely(&self) {
        self.pay(self.idle.notify_loosely());
    }

    /// Makes sure that somebody watches the wait set while waits are outstanding (I2 of `idle.rs`).
    pub(crate) fn watch(&self) {
        if self.driver == Driver::Workers {
            self.pay(self.idle.claim_watcher());
        }
    }

    /// Wakes whom a claim names.
    #[inline]
    pub(crate) fn pay(&self, claim: Claim) {
        match claim {
            Claim::Nobody => {}
            Claim::Worker(index) => {
                self.count_wake();
                if let Some(parker) = self.remotes[index].parker.get() {
                    parker.unpark();
                }
            }
            Claim::Kernel => {
                self.count_wake();
                self.set.wake();
            }
        }
    }

    fn count_wake(&self) {
        self.count(|counters| &counters.wakes);
    }

    /// Counts one of something that any thread may do.
    pub(crate) fn count(&self, of: impl Fn(&Counters) -> &Counter) {
        self.tally().count(of);
    }

    /// The counters of this thread.
    pub(crate) fn tally(&self) -> Tally<'_> {
        Local::with_current(self, |local| Tally::Own(local.counters(self)))
            .unwrap_or(Tally::Foreign(&self.foreign))
    }

    pub(crate) fn spilled_count(&self) -> usize {
        self.spilled_count.load(Relaxed)
    }

    /// How many tasks are known to lie in the outside list of a priority, and whether there are more.
    pub(crate) fn outside_glance(&self, priority: usize) -> (usize, bool) {
        self.outside[priority].glance()
    }

    /// Whether a worker that has nothing may leave, once it was told to.
    pub(crate) fn may_leave(&self) -> bool {
        !self.jobs.are_underway() && !self.has_work()
    }

    /// Wakes everybody, for the end. Pairs with the look of a worker that has announced its sleep.
    pub(crate) fn wake_all(&self) {
        fence!("threads.wake_all");
        for _ in 0..self.worker_count + 1 {
            self.pay(self.idle.claim());
        }
        self.set.wake();
    }

    /// What all workers counted.
    pub(crate) fn counts(&self) -> Counts {
        self.remotes
            .iter()
            .map(|remote| remote.counters.read())
            .fold(self.foreign.read(), |sum, one| sum + one)
    }

    /// Whether this thread may run tasks that are bound to one.
    pub(crate) fn is_home(&self) -> bool {
        self.home.get().is_none_or(|home| *home == std::thread::current().id())
    }

    /// Whether this process is a fork of the one that built the executor.
    pub(crate) fn is_forked(&self) -> bool {
        self.set.kernel().is_forked()
    }

    /// # Errors
    /// FAILED_PRECONDITION in a fork, which has none of the executor's threads and must not touch what it shares with its
    /// parent.
    #[inline]
    pub(crate) fn check_fork(&self) -> Result {
        if self.is_forked() { Err(forked()) } else { Ok(()) }
    }

    pub(crate) fn now(&self) -> raddle_wait::Moment {
        self.set.now()
    }
}

#[cold]
fn forked() -> Error {
    let text = "this process is a fork of the one that built the executor, without its threads: build a new one here";
    Error::new(Code::FailedPrecondition, text)
}
