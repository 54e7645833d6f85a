//! The product's arm: std atomics, parking_lot locks, std threads.

/// Atomic integers, pointers and fences.
pub mod atomic {
    pub use std::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };
}

/// Threads, as far as protocols need them.
pub mod thread {
    pub use std::thread::{JoinHandle, spawn, yield_now};
}

/// Interior mutability whose every access is a closure, so that the model checker can watch it.
pub mod cell {
    /// A cell; see [`std::cell::UnsafeCell`]. Dereferencing the pointer is the caller's proof.
    #[derive(Debug, Default)]
    #[repr(transparent)]
    pub struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        /// A cell that holds `value`.
        pub const fn new(value: T) -> UnsafeCell<T> {
            UnsafeCell(std::cell::UnsafeCell::new(value))
        }

        /// Reads through a pointer; no write may happen at the same time.
        #[inline(always)]
        pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }

        /// Writes through a pointer; no other access may happen at the same time.
        #[inline(always)]
        pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }
}

/// Prepares the calling thread to wait for a lock: the first time in a thread's life allocates.
pub fn warm_up() {
    let lock = Mutex::new(());
    let _ = parking_lot::Condvar::new().wait_for(&mut lock.lock(), std::time::Duration::ZERO);
}

pub use parking_lot::{Mutex, MutexGuard};
pub use std::hint::spin_loop;
pub use std::sync::Arc;
