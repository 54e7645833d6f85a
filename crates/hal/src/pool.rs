//! A shelf of objects that are used again.

use crate::tuning::POOLED_OBJECTS_MAX;
use raddle_sync::TryLock;

/// Keeps a bounded number of objects; thread-safe. Nobody waits for it: what another thread is just looking at counts as empty, and
/// as full.
pub(crate) struct Pool<T>(TryLock<Vec<T>>);

impl<T> Default for Pool<T> {
    fn default() -> Pool<T> {
        Pool(TryLock::new(Vec::new()))
    }
}

impl<T> Pool<T> {
    /// One that was kept.
    pub(crate) fn pop(&self) -> Option<T> {
        self.0.pop()
    }

    /// Keeps one for the next.
    pub(crate) fn keep(&self, object: T) {
        self.0.keep(object, POOLED_OBJECTS_MAX);
    }

    /// Drops what was kept.
    pub(crate) fn clear(&self) {
        let objects = self.0.try_with(std::mem::take);
        drop(objects);
    }
}

impl<T: Default> Pool<T> {
    /// One that was kept, or a new one.
    pub(crate) fn take(&self) -> T {
        self.pop().unwrap_or_default()
    }
}
