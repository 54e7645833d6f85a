//! The finished invocations of a function, kept for the next: their memory, and that of the VM behind them.
//!
//! Each worker has a shelf of its own. An invocation that is made where the last one ended finds its memory in that
//! processor's caches, and nobody ever waits for another's visit to a shelf.
//!
//! Not here: what is emptied before it is kept (`call.rs`), whose thread is whose (`PerWorker` of `raddle-task`).
//!
//! # Invariants
//! - F1: what lies in the pool holds no function, so that the pool ends with its function.
//!   (by construction: `Call::retire`)

use crate::call::Call;
use crate::tuning::POOLED_CALLS_MAX;
use raddle_sync::TryLock;
use raddle_task::{PerWorker, Scope, Spent};

type Shelf = Vec<Spent<Call>>;

/// See the head of this file.
pub(crate) struct Pool(PerWorker<TryLock<Shelf>>);

impl Pool {
    pub(crate) fn new(scope: &Scope) -> Pool {
        Pool(PerWorker::new(scope, TryLock::default))
    }

    /// Keeps an invocation, unless there are enough.
    pub(crate) fn keep(&self, scope: &Scope, spent: Spent<Call>) {
        if let Some(own) = self.0.from_here(scope).next() {
            own.keep(spent, POOLED_CALLS_MAX);
        }
    }

    /// An invocation of this worker's; if it has none, half of what another has becomes its.
    pub(crate) fn take(&self, scope: &Scope) -> Option<Spent<Call>> {
        let mut shelves = self.0.from_here(scope);
        let own = shelves.next()?;
        if let Some(spent) = own.pop() {
            return Some(spent);
        }
        let mut found = shelves.find_map(|shelf| shelf.try_with(half)?)?;
        let spent = found.pop();
        own.try_with(|shelf| shelf.append(&mut found));
        spent
    }
}

/// The greater half of a shelf; `None` if it is empty.
fn half(shelf: &mut Shelf) -> Option<Shelf> {
    (!shelf.is_empty()).then(|| shelf.split_off(shelf.len() / 2))
}
