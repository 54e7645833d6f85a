//! What workers hand to the thread that runs a batch: results, and the wish to stop.
//!
//! A wake-up costs more than a short call, so that thread is woken once for many results: it sleeps until the first comes, and
//! then a moment more, until there are many.
//!
//! # Invariants
//! - M1: who finds less than it wants says so under the lock before it sleeps, and whoever adds or tells something looks for
//!   a sleeper under the same lock: no wake-up is lost. [mutants: mailbox.sleeper, mailbox.told]
//!
//! Models: `tests/loom_mailbox.rs`.

use crate::values::Outputs;
use raddle_status::Result;
use raddle_sync::{Mutex, MutexGuard, Parker, mutant};
use raddle_wait::{Kernel, WaitSet};
use std::sync::Arc;
use std::task::Wake;
use std::time::{Duration, Instant};

/// A call that has ended: its number among those in flight, and its result.
pub(crate) type Letter = (usize, Result<Outputs>);

/// See the head of this file.
#[derive(Default)]
pub(crate) struct Mailbox(Mutex<State>);

#[derive(Default)]
struct State {
    letters: Vec<Letter>,
    /// Who reads, while it sleeps until there are so many.
    sleeper: Option<(Arc<Parker>, usize)>,
    is_stopped: bool,
    /// The input may have an item again.
    is_nudged: bool,
}

impl State {
    fn is_enough(&self, wanted: usize, has_seen_stop: bool) -> bool {
        let is_told = self.is_nudged || (self.is_stopped && !has_seen_stop);
        self.letters.len() >= wanted || (is_told && !mutant!("mailbox.told"))
    }
}

/// Wakes the sleeper, if there is one, when the lock is free again.
fn wake(mut state: MutexGuard<'_, State>) {
    let sleeper = state.sleeper.take();
    drop(state);
    if let Some((parker, _)) = sleeper {
        parker.unpark();
    }
}

impl Mailbox {
    /// Adds a result.
    pub(crate) fn put(&self, slot: usize, result: Result<Outputs>) {
        self.add(|letters| letters.push((slot, result)));
    }

    /// Adds some results.
    pub(crate) fn put_all(&self, results: &mut Vec<Letter>) {
        if !results.is_empty() {
            self.add(|letters| letters.append(results));
        }
    }

    fn add(&self, add: impl FnOnce(&mut Vec<Letter>)) {
        let mut state = self.0.lock();
        add(&mut state.letters);
        let count = state.letters.len();
        if state.sleeper.as_ref().is_some_and(|(_, wanted)| count >= *wanted) {
            wake(state);
        }
    }

    /// Asks the reader to stop.
    pub(crate) fn stop(&self) {
        let mut state = self.0.lock();
        state.is_stopped = true;
        wake(state);
    }

    /// Wakes the reader: the input may have an item.
    pub(crate) fn nudge(&self) {
        let mut state = self.0.lock();
        state.is_nudged = true;
        wake(state);
    }

    /// The reader looks at the input now: what comes later is a new reason to wake it.
    pub(crate) fn look(&self) {
        self.0.lock().is_nudged = false;
    }

    /// Whether there is a reason to wake the reader.
    pub(crate) fn has_news(&self, has_seen_stop: bool) -> bool {
        let state = self.0.lock();
        !state.letters.is_empty() || state.is_nudged || (state.is_stopped && !has_seen_stop)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.0.lock().is_stopped
    }

    /// Moves what there is into `into`, which is empty; false if there is nothing.
    pub(crate) fn take(&self, into: &mut Vec<Letter>) -> bool {
        std::mem::swap(&mut self.0.lock().letters, into);
        !into.is_empty()
    }

    /// Sleeps until there are so many letters, or a stop is wanted that this reader has not seen; at most so long.
    pub(crate) fn sleep(&self, wanted: usize, has_seen_stop: bool, at_most: Option<Duration>) {
        let mut state = self.0.lock();
        if state.is_enough(wanted, has_seen_stop) {
            return;
        }
        let (parker, end) = (Arc::new(Parker::new()), at_most.map(|time| Instant::now() + time));
        while !state.is_enough(wanted, has_seen_stop) {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                break;
            }
            if !mutant!("mailbox.sleeper") {
                state.sleeper = Some((parker.clone(), wanted));
            }
            drop(state);
            match left {
                None => parker.park(),
                Some(left) => _ = parker.park_timeout(left),
            }
            state = self.0.lock();
        }
        state.sleeper = None;
    }
}

/// Wakes the thread that runs a batch when its input goes on.
pub(crate) struct Nudge {
    pub(crate) mailbox: Arc<Mailbox>,
    /// Where that thread sleeps if it turns the runtime itself.
    pub(crate) stage: Option<Arc<WaitSet<Box<dyn Kernel>>>>,
}

impl Wake for Nudge {
    fn wake(self: Arc<Self>) {
        self.mailbox.nudge();
        if let Some(stage) = &self.stage {
            stage.wake();
        }
    }
}
