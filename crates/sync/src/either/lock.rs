//! A lock with parking_lot's signature.

use super::trace::note;
use super::{Either, either, inside, step};
use std::fmt;
use std::ops::{Deref, DerefMut};

/// A mutual exclusion lock, without poisoning.
pub struct Mutex<T>(Either<parking_lot::Mutex<T>, loom::sync::Mutex<T>>);

/// Unlocks when it is dropped.
#[derive(Debug)]
pub struct MutexGuard<'a, T>(Guard<'a, T>);

type Guard<'a, T> = Either<parking_lot::MutexGuard<'a, T>, loom::sync::MutexGuard<'a, T>>;

impl<T> Mutex<T> {
    /// An unlocked mutex.
    pub fn new(value: T) -> Mutex<T> {
        let value = std::cell::Cell::new(Some(value));
        let take = || value.take().expect("made once");
        Mutex(either(|| parking_lot::Mutex::new(take()), || loom::sync::Mutex::new(take())))
    }

    /// Locks. Blocks: until the holder unlocks.
    ///
    /// # Panics
    /// In a model, when a holder panicked: the model has failed already.
    #[track_caller]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        match &self.0 {
            // All threads of a model are one of the system: to block it would block the holder too.
            Either::Native(lock) if inside() => loop {
                match lock.try_lock() {
                    Some(guard) => return MutexGuard(Either::Native(guard)),
                    None => loom::thread::yield_now(),
                }
            },
            Either::Native(lock) => MutexGuard(Either::Native(lock.lock())),
            Either::Model(lock) => {
                step();
                let guard = lock.lock().expect("a model panicked while it held this lock");
                note(format_args!("locks"));
                MutexGuard(Either::Model(guard))
            }
        }
    }

    /// Locks if nobody holds the lock. Blocks: never.
    #[track_caller]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match &self.0 {
            Either::Native(lock) => Some(MutexGuard(Either::Native(lock.try_lock()?))),
            Either::Model(lock) => {
                step();
                let guard = lock.try_lock().ok();
                note(format_args!("{}", if guard.is_some() { "locks" } else { "finds a lock held" }));
                Some(MutexGuard(Either::Model(guard?)))
            }
        }
    }

    /// The value in place; the borrow proves that nobody holds the lock.
    ///
    /// # Panics
    /// In a model, when a holder panicked.
    pub fn get_mut(&mut self) -> &mut T {
        match &mut self.0 {
            Either::Native(lock) => lock.get_mut(),
            Either::Model(lock) => {
                step();
                lock.get_mut().expect("a model panicked while it held this lock")
            }
        }
    }

    /// The value; owning the lock proves that nobody holds it.
    ///
    /// # Panics
    /// In a model, when a holder panicked.
    pub fn into_inner(self) -> T {
        match self.0 {
            Either::Native(lock) => lock.into_inner(),
            Either::Model(lock) => {
                step();
                lock.into_inner().expect("a model panicked while it held this lock")
            }
        }
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Mutex<T> {
        Mutex::new(T::default())
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mutex")
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        if let Either::Model(_) = self.0 {
            // An unlock is an access too.
            step();
        }
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.0 {
            Either::Native(guard) => guard,
            Either::Model(guard) => guard,
        }
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.0 {
            Either::Native(guard) => guard,
            Either::Model(guard) => guard,
        }
    }
}
