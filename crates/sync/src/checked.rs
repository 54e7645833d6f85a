//! The model checker's arm: loom's types behind the product's signatures.

/// Atomic integers, pointers and fences.
pub mod atomic {
    pub use loom::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };
}

/// Threads, as far as protocols need them.
pub mod thread {
    pub use loom::thread::{JoinHandle, yield_now};

    /// A thread of the model; counted for [`Model`](crate::model::Model)'s report.
    pub fn spawn<F, T>(body: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + 'static,
        T: 'static,
    {
        crate::model::note_thread();
        loom::thread::spawn(body)
    }
}

/// Interior mutability whose every access is watched.
pub mod cell {
    pub use loom::cell::UnsafeCell;
}

pub use loom::hint::spin_loop;
pub use loom::sync::{Arc, MutexGuard};
#[doc(hidden)]
pub use loom::thread_local as model_local;

/// loom's lock with parking_lot's signature.
#[derive(Debug, Default)]
pub struct Mutex<T>(loom::sync::Mutex<T>);

impl<T> Mutex<T> {
    /// An unlocked mutex.
    pub fn new(value: T) -> Mutex<T> {
        Mutex(loom::sync::Mutex::new(value))
    }

    /// Locks. Blocks: until the holder unlocks.
    ///
    /// # Panics
    /// When a holder panicked: a model has failed already.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().expect("a model panicked while it held this lock")
    }

    /// Locks if nobody holds the lock. Blocks: never.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock().ok()
    }

    /// The value in place; the borrow proves that nobody holds the lock.
    ///
    /// # Panics
    /// When a holder panicked.
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().expect("a model panicked while it held this lock")
    }

    /// The value; the borrow proves that nobody holds the lock.
    ///
    /// # Panics
    /// When a holder panicked.
    pub fn into_inner(self) -> T {
        self.0.into_inner().expect("a model panicked while it held this lock")
    }
}

/// As in the product, where it has something to do.
pub fn warm_up() {}
