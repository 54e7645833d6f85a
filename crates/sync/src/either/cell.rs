//! Interior mutability whose every access is a closure, so that the model checker can watch it.

use super::{Either, either, step};

/// A cell; see [`std::cell::UnsafeCell`]. Dereferencing the pointer is the caller's proof.
#[derive(Debug)]
pub struct UnsafeCell<T>(Either<std::cell::UnsafeCell<T>, loom::cell::UnsafeCell<T>>);

impl<T> UnsafeCell<T> {
    /// A cell that holds `value`.
    #[track_caller]
    pub fn new(value: T) -> UnsafeCell<T> {
        // Only one of the closures is called.
        let value = std::cell::Cell::new(Some(value));
        let take = || value.take().expect("made once");
        UnsafeCell(either(|| std::cell::UnsafeCell::new(take()), || loom::cell::UnsafeCell::new(take())))
    }

    /// Reads through a pointer; no write may happen at the same time.
    #[track_caller]
    pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        match &self.0 {
            Either::Native(cell) => f(cell.get()),
            Either::Model(cell) => {
                step();
                cell.with(f)
            }
        }
    }

    /// Writes through a pointer; no other access may happen at the same time.
    #[track_caller]
    pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        match &self.0 {
            Either::Native(cell) => f(cell.get()),
            Either::Model(cell) => {
                step();
                cell.with_mut(f)
            }
        }
    }
}

impl<T: Default> Default for UnsafeCell<T> {
    fn default() -> UnsafeCell<T> {
        UnsafeCell::new(T::default())
    }
}
