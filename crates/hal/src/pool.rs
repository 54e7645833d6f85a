//! A shelf of objects that are used again.

use crate::tuning::POOLED_OBJECTS_MAX;
use raddle_sync::Mutex;

/// Keeps a bounded number of objects; thread-safe. What does not fit is dropped, without the lock.
pub(crate) struct Pool<T>(Mutex<Vec<T>>);

impl<T> Default for Pool<T> {
    fn default() -> Pool<T> {
        Pool(Mutex::new(Vec::new()))
    }
}

impl<T> Pool<T> {
    /// One that was kept.
    pub(crate) fn pop(&self) -> Option<T> {
        self.0.lock().pop()
    }

    /// Keeps one for the next.
    pub(crate) fn keep(&self, object: T) {
        let mut objects = self.0.lock();
        let surplus = if objects.len() < POOLED_OBJECTS_MAX {
            objects.push(object);
            None
        } else {
            Some(object)
        };
        drop(objects);
        drop(surplus);
    }

    /// Drops what was kept.
    pub(crate) fn clear(&self) {
        let objects = std::mem::take(&mut *self.0.lock());
        drop(objects);
    }
}

impl<T: Default> Pool<T> {
    /// One that was kept, or a new one.
    pub(crate) fn take(&self) -> T {
        self.pop().unwrap_or_default()
    }
}
