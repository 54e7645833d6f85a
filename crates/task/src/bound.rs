//! A value that one thread alone may touch, in a handle that any thread may hold.
//!
//! # Invariants
//! - I1: the value is borrowed and dropped on its own thread only; a last handle that is dropped elsewhere leaks it.
//!   (by construction: `with` and `drop` compare the thread, whose number is never reused)

#![allow(unsafe_code)]

use raddle_status::{Code, Error, Result};
use std::fmt;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::thread::ThreadId;

/// A value of one thread; see [`LocalExecutor::bind`](crate::LocalExecutor::bind). Cheap to clone.
///
/// Dropping the last handle drops the value if that happens on the value's thread; elsewhere it is leaked.
pub struct Bound<T> {
    cell: Arc<Cell<T>>,
}

struct Cell<T> {
    home: ThreadId,
    value: ManuallyDrop<T>,
}

// SAFETY: I1: handles may go anywhere, the value is touched at home.
unsafe impl<T> Send for Bound<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Bound<T> {}

impl<T> Bound<T> {
    /// Binds a value to the calling thread.
    pub(crate) fn new(value: T) -> Bound<T> {
        let cell = Cell { home: std::thread::current().id(), value: ManuallyDrop::new(value) };
        // Handles are made Send and Sync above, by the check of the thread.
        let cell = Arc::new(cell);
        Bound { cell }
    }

    /// Calls `f` with the value.
    ///
    /// # Errors
    /// FAILED_PRECONDITION on another thread than the value's.
    pub fn with<R>(&self, f: impl FnOnce(&T) -> R) -> Result<R> {
        if !self.cell.is_home() {
            let text = "a value that is bound to the thread of its executor was used on another one";
            return Err(Error::new(Code::FailedPrecondition, text));
        }
        Ok(f(&self.cell.value))
    }
}

impl<T> Cell<T> {
    fn is_home(&self) -> bool {
        std::thread::current().id() == self.home
    }
}

impl<T> Drop for Cell<T> {
    fn drop(&mut self) {
        if self.is_home() {
            // SAFETY: it is dropped once, at home (I1).
            unsafe { ManuallyDrop::drop(&mut self.value) };
        }
    }
}

impl<T> Clone for Bound<T> {
    fn clone(&self) -> Bound<T> {
        Bound { cell: self.cell.clone() }
    }
}

impl<T> fmt::Debug for Bound<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bound({:?})", self.cell.home)
    }
}
