//! A worker: a step function that never blocks. Threads, simulations and host loops are thin loops around it.
//!
//! Not here: the queues (`deque.rs`, `outside.rs`), who sleeps where (`idle.rs`), the threads (`executor.rs`).
//!
//! # One step
//! ```text
//!  look around if due ──► own deques ──► search: outside lists, spilled, victims ──► announce ──► look once more ──► sleep
//!     (outside lists,        │              │                                             │
//!      wait set, no sleep)   └── run ◄──────┘◄──────────────── retract ◄──────────────────┘
//! ```
//!
//! # Invariants
//! - I1: a worker that sleeps has nothing in its own deques and has looked at everything else after announcing itself.
//!   [mutants: idle.look]
//! - I3: a worker leaves only when it has searched and found nothing. (by construction: `step` asks after `search`)
//! - I2: a busy worker looks at the outside lists and the wait set after at most 61 tasks, fewer if those since its last
//!   look say that so many take longer than 200 us; in a range or a dispatch after the batch in which 200 us have passed.
//!   [mutants: worker.look] [tests: a_busy_worker_looks_around_in_time]

use crate::core::Core;
use crate::executor::Driver;
use crate::header::TaskRef;
use crate::idle::Place;
use crate::local::{Local, level_order};
use crate::priority::PRIORITIES;
use crate::tuning::{EVENTS_MAX, OUTSIDE_BATCH, POLLS_MAX, STEAL_ROUNDS};
use raddle_status::Result;
use raddle_sync::atomic::Ordering::Relaxed;
use raddle_sync::mutant;
use raddle_wait::{Events, Moment, Sleep};

/// Where a task runs: what a running task can reach.
#[derive(Clone, Copy)]
pub(crate) struct Cx<'a> {
    pub(crate) core: &'a Core,
    pub(crate) local: &'a Local,
}

/// What a step came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Step {
    /// A task ran, or something was found.
    Ran,
    /// There is nothing to do: block there, then call `woke`.
    Sleep(Place),
    /// The executor is ending.
    Leave,
}

/// See the head of this file. The core is an argument of every step, so that the host's worker can live inside it.
pub(crate) struct Worker {
    pub(crate) local: Box<Local>,
    events: Events,
    is_searching: bool,
    /// Looks at the wait set that come before the next search.
    polls_left: u32,
    /// The worker inside the host's turns: it sleeps between them.
    is_host: bool,
    /// When it began to look for work in vain.
    spins_since: Option<Moment>,
}

impl Worker {
    pub(crate) fn new(local: Box<Local>) -> Worker {
        let events = Events::with_capacity(EVENTS_MAX);
        Worker { local, events, is_searching: false, polls_left: 0, is_host: false, spins_since: None }
    }

    /// The worker of a host, asleep until the first turn.
    pub(crate) fn for_host(core: &Core, local: Box<Local>) -> Worker {
        core.idle.host_sleeps(false);
        Worker { is_host: true, ..Worker::new(local) }
    }

    /// Prepares the calling thread to steal and to wait for locks: crossbeam and parking_lot register a thread at its first
    /// attempt, which allocates.
    pub(crate) fn warm_up(&self, core: &Core) {
        raddle_sync::warm_up();
        debug_assert!(self.local.is_empty());
        // From another deque than it goes to: crossbeam sees through a theft from oneself.
        if let Some(task) = core.remotes[self.local.index].resumed[0].steal_into(self.local.own()) {
            self.local.push(core, task);
        }
    }

    /// Runs one task, or finds out where to sleep. Blocks: never, beyond what a task does.
    pub(crate) fn step(&mut self, core: &Core) -> Step {
        if let Some(task) = self.local.take() {
            self.run(core, task);
            return Step::Ran;
        }
        if self.polls_on(core) {
            return Step::Ran;
        }
        if !self.is_searching {
            self.is_searching = true;
            core.idle.start_search();
        }
        if let Some(task) = search(Cx { core, local: &self.local }) {
            self.run(core, task);
            return Step::Ran;
        }
        if core.is_leaving.load(Relaxed) && !self.is_host && core.may_leave() {
            self.is_searching = false;
            core.set.make_up();
            core.pay(core.idle.leave());
            return Step::Leave;
        }
        if self.spins_on(core) {
            return Step::Ran;
        }
        if core.is_leaving.load(Relaxed) {
            // Something is on its way to a queue.
            raddle_sync::thread::yield_now();
        }
        self.go_to_sleep(core)
    }

    /// Whether a worker that has run what the wait set gave it found more there. Where several came at once, others follow: that
    /// spares the search and the announcement of a sleep, which all workers hear of. Every few times it searches all the same: what
    /// others have in hand, or was spilled, waits for that.
    fn polls_on(&mut self, core: &Core) -> bool {
        if self.polls_left == 0 || core.is_leaving.load(Relaxed) {
            return false;
        }
        self.polls_left -= 1;
        self.glance(core);
        !self.local.is_empty()
    }

    /// Whether a worker that found nothing is to look again before it sleeps.
    fn spins_on(&mut self, core: &Core) -> bool {
        let bound = core.spin_ns.load(Relaxed);
        if bound == 0 || self.is_host {
            return false;
        }
        let now = core.now();
        let since = *self.spins_since.get_or_insert(now);
        if now.saturating_sub(since) >= bound {
            return false;
        }
        // Nobody else may be there to look at the kernel.
        if core.driver == Driver::Workers && core.set.outstanding() > 0 && core.idle.counts().kernel() == 0 {
            let _ = self.turn(core, Sleep::Never);
        }
        raddle_sync::spin_loop();
        true
    }

    fn run(&mut self, core: &Core, task: TaskRef) {
        // A host is the only one that its executor could wake: it counts as searching for as long as it turns.
        if self.is_searching && !self.is_host {
            self.stop_search(core, |core| core.has_work());
        }
        if run_chain(Cx { core, local: &self.local }, task) && !mutant!("worker.look") {
            self.look_around(core);
        }
    }

    /// This thread is about to run something, for as long as that takes: others see to what is left.
    fn stop_search(&mut self, core: &Core, is_more: impl FnOnce(&Core) -> bool) {
        self.is_searching = false;
        self.spins_since = None;
        let was_last = core.idle.stop_search();
        if was_last && !mutant!("idle.hand_on") && is_more(core) {
            core.notify();
        }
        if core.set.outstanding() > 0 && !mutant!("idle.leave") {
            core.watch();
        }
    }

    /// Takes work from outside and events from the wait set although there is work of our own (I2).
    fn look_around(&mut self, core: &Core) {
        for level in 0..PRIORITIES {
            let local = &*self.local;
            take_outside(Cx { core, local }, level, |task| local.resumed(level).push(task));
        }
        if (core.driver == Driver::Workers || self.is_host) && core.set.outstanding() > 0 {
            self.glance(core);
        }
        self.local.looked(core.now());
        self.local.share(core);
    }

    /// A look at the wait set by a thread that has not announced a sleep there.
    fn glance(&mut self, core: &Core) {
        let is_woken = self.turn(core, Sleep::Never).unwrap_or(false);
        if is_woken && core.idle.counts().has_claims() {
            // It was for a sleeper (I3 of `idle.rs`).
            core.set.wake();
        }
    }

    fn go_to_sleep(&mut self, core: &Core) -> Step {
        self.is_searching = false;
        self.spins_since = None;
        if self.is_host {
            core.idle.host_sleeps(true);
            if core.has_work_beside(self.local.index) && !mutant!("idle.look") {
                self.leave_kernel(core, false);
                return Step::Ran;
            }
            return Step::Sleep(Place::Kernel);
        }
        let has_waits = || core.driver == Driver::Workers && core.set.outstanding() > 0;
        let place = core.idle.announce(self.local.index, has_waits());
        let is_watched = place == Place::Kernel || core.idle.counts().kernel() > 0 || mutant!("idle.watch");
        let must_watch = !is_watched && has_waits();
        let has_work = core.has_work() && !mutant!("idle.look");
        if has_work || must_watch || core.is_leaving.load(Relaxed) {
            match place {
                Place::Parker => self.is_searching = core.idle.retract(self.local.index),
                Place::Kernel => self.leave_kernel(core, false),
            }
        }
        if self.is_searching {
            return Step::Ran;
        }
        if place == Place::Parker {
            core.set.make_up();
            self.local.counters(core).parks.add(1);
        }
        Step::Sleep(place)
    }

    /// Sleeps on the wait set and fires what is ready. Blocks: until an event, a deadline, or a wake-up; never with
    /// [`Sleep::Never`], as if the kernel had returned for no reason.
    pub(crate) fn sleep_in_kernel(&mut self, core: &Core, sleep: Sleep) {
        self.local.counters(core).kernel_sleeps.add(1);
        // A set that can't be slept on is one that reports at once; the worker goes on.
        let is_claimed = self.turn(core, sleep).unwrap_or(false);
        self.leave_kernel(core, is_claimed);
        self.woke(core);
    }

    /// Counts this worker as searching, not asleep.
    fn leave_kernel(&mut self, core: &Core, is_claimed: bool) {
        self.is_searching = true;
        if core.idle.leave_kernel(is_claimed) {
            core.set.wake();
        }
    }

    /// Continues after a sleep: somebody counted us as searching.
    pub(crate) fn woke(&mut self, core: &Core) {
        core.remotes[self.local.index].note_sleep(None);
        self.local.woke(core.now());
        self.is_searching = true;
        if !self.is_host && !self.local.is_empty() {
            // Woken with work in hand: this is no search, and nobody is woken for it unless there is much of it.
            let own = self.local.index;
            self.stop_search(core, |core| core.has_work_beside(own));
            // But of several that became ready at once, none waits for the end of another.
            if self.local.task_count() > 1 {
                core.notify();
            }
        }
    }

    /// The host is back: one look at the kernel, as the sleeper that it was.
    pub(crate) fn return_from_host(&mut self, core: &Core, sleep: Sleep) -> Result {
        let is_claimed = self.turn(core, sleep)?;
        self.leave_kernel(core, is_claimed);
        self.woke(core);
        Ok(())
    }

    /// The host leaves although there is work.
    pub(crate) fn leave_to_host(&mut self, core: &Core) {
        core.idle.host_sleeps(std::mem::take(&mut self.is_searching));
    }

    /// One turn of the poller stage; says whether it took the wait set's wake-up.
    fn turn(&mut self, core: &Core, sleep: Sleep) -> Result<bool> {
        self.local.counters(core).poller_turns.add(1);
        self.events.looks_again = !self.is_host;
        let turn = core.set.turn(&mut self.events, sleep)?;
        if turn.fired < 2 {
            self.polls_left = 0;
        } else if sleep == Sleep::UntilEvent && !self.is_host {
            self.polls_left = POLLS_MAX;
        }
        Ok(turn.woken)
    }
}

/// Runs a task and what it makes ready, up to a bound; says whether it is time to look around.
pub(crate) fn run_chain(cx: Cx<'_>, task: TaskRef) -> bool {
    let mut next = Some(task);
    while let Some(task) = next {
        next = task.run(cx);
        if cx.local.ran(1) {
            if let Some(rest) = next {
                cx.local.push(cx.core, rest);
            }
            return true;
        }
    }
    false
}

/// Looks for work beyond the thread's own: in the outside lists, among what was spilled, in the deques of others.
pub(crate) fn search(cx: Cx<'_>) -> Option<TaskRef> {
    // Where there is nobody to steal from, a second look finds what the first one did.
    let is_alone = cx.core.is_alone();
    let rounds = if is_alone { 1 } else { STEAL_ROUNDS };
    for round in 0..rounds {
        for level in level_order(cx.local.random_below(64) as u32) {
            // None of ours is in front of it: who has any does not search.
            let mut first = None;
            take_outside(cx, level, |task| match first {
                None => first = Some(task),
                Some(_) => cx.local.resumed(level).push(task),
            });
            if first.is_some() {
                return first;
            }
        }
        let found = cx.core.take_spilled().or_else(|| if is_alone { None } else { steal(cx) });
        if found.is_some() {
            return found;
        }
        if round > 0 {
            raddle_sync::spin_loop();
        }
    }
    None
}

/// Takes a batch from an outside list, for which there is room in the thread's own deque.
fn take_outside(Cx { core, local }: Cx<'_>, level: usize, take: impl FnMut(TaskRef)) {
    let room = || OUTSIDE_BATCH.saturating_sub(local.resumed(level).len());
    let taken = core.take_outside(level, room, take);
    if taken > 0 {
        local.counters(core).tasks_from_outside.add(taken as u64);
    }
}

fn steal(Cx { core, local }: Cx<'_>) -> Option<TaskRef> {
    let count = core.remotes.len();
    let (first, is_active) = (local.random_below(count), core.active());
    for offset in 0..count {
        let victim = (first + offset) % count;
        if victim == local.index || !is_active(victim) {
            continue;
        }
        let remote = &core.remotes[victim];
        // Most have nothing, and crossbeam pins an epoch before it looks.
        if remote.is_empty() {
            continue;
        }
        let found = (0..PRIORITIES)
            .find_map(|level| remote.resumed[level].steal_into(local.resumed(level)))
            .or_else(|| remote.own.steal_into(local.own()));
        if found.is_some() {
            local.counters(core).tasks_stolen.add(1);
            return found;
        }
    }
    None
}
