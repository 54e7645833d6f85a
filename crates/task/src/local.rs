//! What belongs to one thread that runs tasks: its deques, its pace, its guess of what a task costs.
//!
//! Not here: the loop of a worker (`worker.rs`).
//!
//! # Invariants
//! - I1: only its own thread touches a `Local`; the current one is found through a thread-local pointer that
//!   [`Local::enter`] sets and its guard restores. (by construction: it is not `Sync`)
//! - I2: a deque of ours never grows: what would not fit goes to a shared list, so that crossbeam's buffers
//!   neither grow nor shrink, which would allocate. (by construction: `push` looks at the length)

#![allow(unsafe_code)]

use crate::core::Core;
use crate::counters::Counters;
use crate::deque::Deque;
use crate::header::TaskRef;
use crate::local_memory::Scratch;
use crate::priority::{PRIORITIES, Priority};
use crate::tuning::{DEQUE_TASKS_MAX, FAIR_EVERY, LOOK_NS, LOOK_TASKS_FIRST, LOOK_TASKS_MAX, WAKE_WORTH_NS};
use std::cell::Cell;
use std::ptr;

/// See the head of this file.
pub(crate) struct Local {
    /// Worker or guest number: the place in the core's remotes.
    pub(crate) index: usize,
    own: Deque,
    resumed: [Deque; PRIORITIES],
    tick: Cell<u32>,
    /// Tasks until the next look around.
    look_left: Cell<u32>,
    ran_since_look: Cell<u32>,
    looked_at_ns: Cell<u64>,
    /// What a task costs, as a slowly forgotten maximum. Unit: ns.
    cost_ns: Cell<u64>,
    random: Cell<u64>,
    /// How many blocking waits this thread is inside of.
    pub(crate) depth: Cell<u32>,
    /// A guest runs what it came for and leaves what it resumes to the workers.
    is_guest: bool,
    /// What this thread resumes goes to the shared lists: it is a guest, or inside a section that blocks.
    pub(crate) gives_all_away: Cell<bool>,
    /// Memory for tiles.
    pub(crate) scratch: Scratch,
}

raddle_sync::local!(CURRENT: Cell<(*const Core, *const Local)> = Cell::new((ptr::null(), ptr::null())));

/// Restores the thread's former local.
pub(crate) struct Entered((*const Core, *const Local));

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.with(|current| current.set(self.0));
    }
}

impl Local {
    pub(crate) fn new(index: usize, seed: u64, is_guest: bool) -> Local {
        Local {
            index,
            own: Deque::last_in_first_out(),
            resumed: std::array::from_fn(|_| Deque::first_in_first_out()),
            tick: Cell::new(0),
            look_left: Cell::new(LOOK_TASKS_FIRST),
            ran_since_look: Cell::new(0),
            looked_at_ns: Cell::new(0),
            cost_ns: Cell::new(WAKE_WORTH_NS),
            random: Cell::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            depth: Cell::new(0),
            is_guest,
            gives_all_away: Cell::new(is_guest),
            scratch: Scratch::default(),
        }
    }

    /// Whether this is the place of a thread that lends itself.
    pub(crate) fn is_guest(&self) -> bool {
        self.is_guest
    }

    pub(crate) fn remote(&self) -> crate::core::Remote {
        let resumed = std::array::from_fn(|level| self.resumed[level].thief());
        crate::core::Remote::new(self.own.thief(), resumed)
    }

    /// Makes this the current local of the thread, for `core`, until the guard drops.
    pub(crate) fn enter(&self, core: &Core) -> Entered {
        Entered(CURRENT.with(|current| current.replace((core, self))))
    }

    /// Calls `f` with the thread's local if it is one of `core`.
    #[inline]
    pub(crate) fn with_current<R>(core: &Core, f: impl FnOnce(&Local) -> R) -> Option<R> {
        let (current_core, local) = CURRENT.with(Cell::get);
        if !ptr::eq(current_core, core) {
            return None;
        }
        // SAFETY: I1: set by `enter`, whose guard holds the local.
        Some(f(unsafe { &*local }))
    }

    pub(crate) fn counters<'a>(&self, core: &'a Core) -> &'a Counters {
        &core.remotes[self.index].counters
    }

    /// Pushes a task that the running one made ready.
    #[inline]
    pub(crate) fn push(&self, core: &Core, task: TaskRef) {
        if self.own.len() < DEQUE_TASKS_MAX { self.own.push(task) } else { core.spill(task) }
    }

    /// Whether the deque for resumed tasks of this priority takes one more (I2).
    #[inline]
    pub(crate) fn has_room(&self, priority: Priority) -> bool {
        !self.gives_all_away.get() && self.resumed[priority as usize].len() < DEQUE_TASKS_MAX
    }

    /// Pushes a task that was resumed or yielded; there must be room.
    #[inline]
    pub(crate) fn push_resumed(&self, task: TaskRef, priority: Priority) {
        self.resumed[priority as usize].push(task);
    }

    /// The deque for tasks of a priority, to steal into.
    pub(crate) fn resumed(&self, level: usize) -> &Deque {
        &self.resumed[level]
    }

    pub(crate) fn own(&self) -> &Deque {
        &self.own
    }

    /// The next of our own tasks. Resumed ones come first every fourth time, urgent ones always, and of eight
    /// times once the normal, of sixty-four once the low ones come before the urgent.
    #[inline]
    pub(crate) fn take(&self) -> Option<TaskRef> {
        let tick = self.tick.get().wrapping_add(1);
        self.tick.set(tick);
        let [urgent, normal, low] = &self.resumed;
        if self.own.is_empty() && urgent.is_empty() && low.is_empty() {
            return normal.pop();
        }
        if tick.is_multiple_of(FAIR_EVERY) {
            return self.take_resumed(tick / FAIR_EVERY).or_else(|| self.own.pop());
        }
        if !urgent.is_empty() {
            return urgent.pop().or_else(|| self.own.pop());
        }
        self.own.pop().or_else(|| self.take_resumed(tick))
    }

    #[inline]
    fn take_resumed(&self, turn: u32) -> Option<TaskRef> {
        level_order(turn).into_iter().find_map(|level| self.resumed[level].pop())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.own.is_empty() && self.resumed.iter().all(Deque::is_empty)
    }

    pub(crate) fn task_count(&self) -> usize {
        self.own.len() + self.resumed.iter().map(Deque::len).sum::<usize>()
    }

    /// Wakes another worker if what lies in our deques is worth it.
    ///
    /// Nothing is lost when a worker that goes to sleep at this moment is missed, since this thread is awake and runs
    /// what it has; so only tasks that are long in themselves pay for the fence.
    #[inline]
    pub(crate) fn share(&self, core: &Core) {
        let (count, cost) = (self.task_count() as u64, self.cost_ns.get());
        if count == 0 || count.saturating_mul(cost) < WAKE_WORTH_NS {
            return;
        }
        if cost >= WAKE_WORTH_NS { core.notify() } else { core.notify_loosely() }
    }

    /// Makes sure that somebody else looks at what lies in our deques: this thread is about to block.
    pub(crate) fn hand_over(&self, core: &Core) {
        if !self.is_empty() || core.has_work() {
            core.notify();
        }
        if core.set.outstanding() > 0 {
            core.set.make_up();
            core.watch();
        }
    }

    /// Counts tasks that ran.
    #[inline]
    pub(crate) fn count(&self, core: &Core, tasks: u32) {
        self.counters(core).tasks_run.add(u64::from(tasks));
    }

    /// Takes note of things that ran; says whether it is time to look around.
    #[inline]
    pub(crate) fn ran(&self, tasks: u32) -> bool {
        self.ran_since_look.set(self.ran_since_look.get() + tasks);
        let left = self.look_left.get().saturating_sub(tasks);
        self.look_left.set(left);
        left == 0
    }

    /// Tasks that may run in a row before it is time to look around.
    #[inline]
    pub(crate) fn tasks_until_look(&self) -> u32 {
        self.look_left.get()
    }

    /// Whether it is time to look around at this moment, whatever was planned: then [`ran`](Local::ran) says so too.
    #[inline]
    pub(crate) fn is_look_due(&self, now_ns: u64) -> bool {
        let is_due = now_ns.saturating_sub(self.looked_at_ns.get()) >= LOOK_NS;
        if is_due {
            self.look_left.set(0);
        }
        is_due
    }

    /// Notes that this thread looks around now, and learns what a task costs.
    pub(crate) fn looked(&self, now_ns: u64) {
        let ran = u64::from(self.ran_since_look.replace(0)).max(1);
        let before = self.looked_at_ns.replace(now_ns);
        // Before its first look a thread has measured nothing.
        let each = if before == 0 { WAKE_WORTH_NS } else { now_ns.saturating_sub(before) / ran };
        let remembered = self.cost_ns.get();
        self.cost_ns.set(each.max(remembered - remembered / 8));
        self.plan_look(each);
    }

    /// Begins to measure anew, after a sleep.
    pub(crate) fn woke(&self, now_ns: u64) {
        self.ran_since_look.set(0);
        self.looked_at_ns.set(now_ns);
        self.plan_look(self.cost_ns.get());
    }

    /// Sets how many tasks of this cost may run until the next look.
    fn plan_look(&self, each_ns: u64) {
        let fitting = LOOK_NS / each_ns.max(1);
        self.look_left.set(fitting.clamp(1, u64::from(LOOK_TASKS_MAX)) as u32);
    }

    /// A number below `bound`, for the choice of a victim (xorshift).
    pub(crate) fn random_below(&self, bound: usize) -> usize {
        let mut x = self.random.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.random.set(x);
        (x % bound.max(1) as u64) as usize
    }
}

/// In which order the levels are looked at in this turn.
pub(crate) fn level_order(turn: u32) -> [usize; PRIORITIES] {
    match turn {
        turn if turn.is_multiple_of(64) => [2, 1, 0],
        turn if turn.is_multiple_of(8) => [1, 0, 2],
        _ => [0, 1, 2],
    }
}
