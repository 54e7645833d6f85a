//! What workers hand to the thread that runs a batch: results, and the wish to stop.
//!
//! A wake-up costs more than a short call, so that thread is woken once for many results: it sleeps until the first comes, and
//! then a moment more, until there are many.
//!
//! # Invariants
//! - M1: who finds less than it wants says so under the lock before it sleeps, and whoever adds looks under the same
//!   lock: no wake-up is lost. (by construction: std's lock and condition variable, which take part in no other protocol)

use crate::values::Outputs;
use raddle_status::Result;
use raddle_wait::{Kernel, WaitSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::Wake;
use std::time::Duration;

/// A call that has ended: its number among those in flight, and its result.
pub(super) type Letter = (usize, Result<Outputs>);

/// See the head of this file.
#[derive(Default)]
pub(super) struct Mailbox {
    state: Mutex<State>,
    signal: Condvar,
}

#[derive(Default)]
struct State {
    letters: Vec<Letter>,
    /// Who reads sleeps until there are so many; 0 while it is awake.
    wanted: usize,
    is_stopped: bool,
    /// The input may have an item again.
    is_nudged: bool,
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Adds a result.
    pub(super) fn put(&self, slot: usize, result: Result<Outputs>) {
        let mut state = self.lock();
        state.letters.push((slot, result));
        if state.wanted != 0 && state.letters.len() >= state.wanted {
            state.wanted = 0;
            drop(state);
            self.signal.notify_one();
        }
    }

    /// Asks the reader to stop.
    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.is_stopped = true;
        state.wanted = 0;
        drop(state);
        self.signal.notify_one();
    }

    /// Wakes the reader: the input may have an item.
    fn nudge(&self) {
        let mut state = self.lock();
        state.is_nudged = true;
        state.wanted = 0;
        drop(state);
        self.signal.notify_one();
    }

    /// The reader looks at the input now: what comes later is a new reason to wake it.
    pub(super) fn look(&self) {
        self.lock().is_nudged = false;
    }

    /// Whether there is a reason to wake the reader.
    pub(super) fn has_news(&self, has_seen_stop: bool) -> bool {
        let state = self.lock();
        !state.letters.is_empty() || state.is_nudged || (state.is_stopped && !has_seen_stop)
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.lock().is_stopped
    }

    /// Moves what there is into `into`, which is empty; false if there is nothing.
    pub(super) fn take(&self, into: &mut Vec<Letter>) -> bool {
        std::mem::swap(&mut self.lock().letters, into);
        !into.is_empty()
    }

    /// Sleeps until there are so many letters, or a stop is wanted that this reader has not seen; at most so long.
    pub(super) fn sleep(&self, wanted: usize, has_seen_stop: bool, at_most: Option<Duration>) {
        let mut state = self.lock();
        let is_pending = |state: &mut State| {
            let is_told = state.is_nudged || (state.is_stopped && !has_seen_stop);
            state.letters.len() < wanted && !is_told
        };
        if !is_pending(&mut state) {
            return;
        }
        state.wanted = wanted;
        state = match at_most {
            None => {
                self.signal.wait_while(state, is_pending).unwrap_or_else(|poisoned| poisoned.into_inner())
            }
            Some(time) => {
                let waited = self.signal.wait_timeout_while(state, time, is_pending);
                waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0
            }
        };
        state.wanted = 0;
    }
}

/// Wakes the thread that runs a batch when its input goes on.
pub(super) struct Nudge {
    pub(super) mailbox: Arc<Mailbox>,
    /// Where that thread sleeps if it turns the runtime itself.
    pub(super) stage: Option<Arc<WaitSet<Box<dyn Kernel>>>>,
}

impl Wake for Nudge {
    fn wake(self: Arc<Self>) {
        self.mailbox.nudge();
        if let Some(stage) = &self.stage {
            stage.wake();
        }
    }
}
