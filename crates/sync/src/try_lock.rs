//! A lock that nobody waits for: who finds it taken goes on without.
//!
//! For what is only a convenience, such as a shelf of memory to be used again. Nobody waits, so nobody need be woken, and letting
//! go is a store: a visit has one read-modify-write, where a lock that is waited for has two.
//!
//! # State
//! | is_taken | meaning | set by |
//! |---|---|---|
//! | false | nobody visits the value | the end of a visit |
//! | true | one thread visits it | `try_with` that found it false |
//!
//! # Invariants
//! - I1: the value is touched during visits only, of which there is one at a time, and each sees what the last one wrote.
//!   [mutants: try_lock.take, try_lock.leave, try_lock.taken]
//!
//! # Orderings
//! The end of a visit (Release) <-> the exchange that begins the next (Acquire).
//! Models: `tests/loom_try_lock.rs`.
#![allow(unsafe_code)]

use crate::atomic::{AtomicBool, Ordering::Relaxed};
use crate::cell::UnsafeCell;
use crate::{mutant, ord};

/// See the head of this file. Thread-safe.
#[derive(Default)]
pub struct TryLock<T> {
    is_taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: I1: one thread at a time has the value, whichever it is.
unsafe impl<T: Send> Sync for TryLock<T> {}

/// Ends a visit, also one that panics.
struct Leave<'a>(&'a AtomicBool);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.store(false, ord!("try_lock.leave", Release));
    }
}

impl<T> TryLock<T> {
    /// One that holds `value`.
    pub fn new(value: T) -> TryLock<T> {
        TryLock { is_taken: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    /// Lends the value to `visit`; `None` if it is lent already, to another thread or to this one.
    ///
    /// Blocks: never.
    #[inline]
    pub fn try_with<R>(&self, visit: impl FnOnce(&mut T) -> R) -> Option<R> {
        let taken = self.is_taken.compare_exchange(false, true, ord!("try_lock.take", Acquire), Relaxed);
        if taken.is_err() && !mutant!("try_lock.taken") {
            return None;
        }
        let _leave = Leave(&self.is_taken);
        // SAFETY: I1: it was not taken, and is until `_leave` goes.
        Some(self.value.with_mut(|value| visit(unsafe { &mut *value })))
    }
}

/// A shelf of things to be used again.
impl<T> TryLock<Vec<T>> {
    /// Keeps a thing, unless there are `most` or the shelf is lent: then it is dropped, after the visit.
    pub fn keep(&self, thing: T, most: usize) {
        let mut thing = Some(thing);
        self.try_with(|things| {
            if things.len() < most {
                things.extend(thing.take());
            }
        });
    }

    /// What was kept last; `None` also if the shelf is lent.
    pub fn pop(&self) -> Option<T> {
        self.try_with(Vec::pop)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_visit_at_a_time() {
        let lock = TryLock::new(1);
        assert_eq!(lock.try_with(|value| (*value, lock.try_with(|_| ()))), Some((1, None)));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            lock.try_with(|_| panic!("in a visit"))
        }));
        assert!(panicked.is_err());
        assert_eq!(lock.try_with(|value| std::mem::replace(value, 2)), Some(1));
    }

    #[test]
    fn a_shelf_keeps_so_many() {
        let shelf = TryLock::new(Vec::new());
        (1..4).for_each(|thing| shelf.keep(thing, 2));
        shelf.try_with(|_| shelf.keep(4, 9));
        assert_eq!([(); 3].map(|()| shelf.pop()), [Some(2), Some(1), None]);
    }
}
