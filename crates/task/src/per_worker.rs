//! A value for each worker, so that threads that do the same at a time share no cache line.
//!
//! Not here: what a worker has for its own work (`local.rs`).

use crate::local::Local;
use crate::scope::Scope;
use crossbeam_utils::CachePadded;
use std::fmt;

/// One value for each worker of an executor, and one for all other threads together.
pub struct PerWorker<T>(Box<[CachePadded<T>]>);

impl<T> PerWorker<T> {
    /// Values for the threads of the executor of this scope.
    pub fn new(scope: &Scope, mut make: impl FnMut() -> T) -> PerWorker<T> {
        let others = 1;
        let count = scope.core().worker_count.max(1) + others;
        PerWorker((0..count).map(|_| CachePadded::new(make())).collect())
    }

    /// All of them, this thread's first. `scope`: of the same executor.
    pub fn from_here(&self, scope: &Scope) -> impl Iterator<Item = &T> {
        let last = self.0.len() - 1;
        let own =
            Local::with_current(scope.core(), |local| local.index).map_or(last, |index| index.min(last));
        let (before, from) = self.0.split_at(own);
        from.iter().chain(before).map(|value| &**value)
    }
}

impl<T> fmt::Debug for PerWorker<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PerWorker({})", self.0.len())
    }
}
