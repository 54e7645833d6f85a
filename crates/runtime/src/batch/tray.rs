//! Items on their way to the workers: the thread of a batch lays them down, launchers take them.
//!
//! Not here: what a launcher does with an item (`launcher.rs`).
//!
//! ```text
//!  empty, nobody under way ── lay ──► items, launchers under way ── take ──► … ── take finds nothing ──► that launcher is gone
//! ```
//!
//! # Invariants
//! - T1: while items lie here, a launcher is under way that will look again, or `lay` has just asked for one: the items and
//!   the number of launchers are under one lock. [mutants: tray.leave]
//! - T2: an item is taken once, and in the order in which items were laid. (by construction: the queue is under the lock)
//!
//! Models: `tests/loom_tray.rs`.

use raddle_sync::{Mutex, mutant};
use std::collections::VecDeque;

/// See the head of this file.
pub(crate) struct Tray<T> {
    state: Mutex<State<T>>,
    /// How many launchers there may be at a time.
    launchers_max: usize,
}

struct State<T> {
    items: VecDeque<T>,
    launchers: usize,
}

impl<T> Tray<T> {
    pub(crate) fn new(launchers_max: usize) -> Tray<T> {
        Tray { state: Mutex::new(State { items: VecDeque::new(), launchers: 0 }), launchers_max }
    }

    /// Lays an item down; says whether one more launcher is to be started.
    #[must_use = "nobody may be there to take the item"]
    pub(crate) fn lay(&self, item: T) -> bool {
        let mut state = self.state.lock();
        state.items.push_back(item);
        let is_wanted = state.launchers < self.launchers_max;
        state.launchers += usize::from(is_wanted);
        is_wanted
    }

    /// Takes some items, at most so many, and leaves enough for the other launchers; false if there are none: then the
    /// launcher counts as gone.
    pub(crate) fn take(&self, into: &mut Vec<T>, most: usize) -> bool {
        let mut state = self.state.lock();
        if state.items.is_empty() {
            if mutant!("tray.leave") {
                drop(state);
                state = self.state.lock();
            }
            state.launchers -= 1;
            return false;
        }
        let fair = state.items.len() / (2 * self.launchers_max);
        let count = fair.clamp(1, most);
        into.extend(state.items.drain(..count));
        true
    }

    /// Everything, for who asked for a launcher and got none: it does not count any more.
    pub(crate) fn clear(&self) -> Vec<T> {
        let mut state = self.state.lock();
        state.launchers -= 1;
        state.items.drain(..).collect()
    }
}
