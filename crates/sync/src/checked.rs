//! The model checker's arm: loom's types behind the product's signatures. Each notes where it is used (`steps.rs`).

/// Atomic integers, pointers and fences.
pub mod atomic {
    use crate::steps::note;
    pub use loom::sync::atomic::Ordering;
    use std::fmt;
    use std::ops::{Deref, DerefMut};

    macro_rules! atomic {
        ($($name:ident $(<$param:ident>)?: $value:ty),*) => {$(
            #[doc = concat!("See [`std::sync::atomic::", stringify!($name), "`].")]
            pub struct $name $(<$param>)? (loom::sync::atomic::$name $(<$param>)?);

            impl $(<$param>)? $name $(<$param>)? {
                /// One that holds `value`.
                #[track_caller]
                pub fn new(value: $value) -> Self {
                    $name(loom::sync::atomic::$name::new(value))
                }
            }

            impl $(<$param>)? fmt::Debug for $name $(<$param>)? {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(stringify!($name))
                }
            }

            impl $(<$param>)? Deref for $name $(<$param>)? {
                type Target = loom::sync::atomic::$name $(<$param>)?;

                #[track_caller]
                fn deref(&self) -> &Self::Target {
                    note("accesses");
                    &self.0
                }
            }

            impl $(<$param>)? DerefMut for $name $(<$param>)? {
                #[track_caller]
                fn deref_mut(&mut self) -> &mut Self::Target {
                    note("accesses");
                    &mut self.0
                }
            }
        )*};
    }

    macro_rules! default {
        ($($name:ident: $value:ty),*) => {$(
            impl Default for $name {
                fn default() -> $name {
                    $name::new(<$value>::default())
                }
            }
        )*};
    }

    atomic!(AtomicBool: bool, AtomicU8: u8, AtomicU32: u32, AtomicU64: u64, AtomicUsize: usize, AtomicPtr<T>: *mut T);
    default!(AtomicBool: bool, AtomicU8: u8, AtomicU32: u32, AtomicU64: u64, AtomicUsize: usize);

    /// Orders accesses around it.
    #[track_caller]
    pub fn fence(order: Ordering) {
        note("fences");
        loom::sync::atomic::fence(order);
    }
}

/// Threads, as far as protocols need them.
pub mod thread {
    use crate::steps::note;

    /// A thread of the model.
    #[derive(Debug)]
    pub struct JoinHandle<T>(loom::thread::JoinHandle<T>);

    impl<T> JoinHandle<T> {
        /// Waits for the thread's end.
        ///
        /// # Errors
        /// None: a panic fails the model.
        #[track_caller]
        pub fn join(self) -> std::thread::Result<T> {
            note("joins");
            self.0.join()
        }
    }

    /// A thread of the model; counted for [`Model`](crate::model::Model)'s report.
    pub fn spawn<F, T>(body: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + 'static,
        T: 'static,
    {
        let number = crate::model::note_thread();
        JoinHandle(loom::thread::spawn(move || {
            crate::model::set_thread_number(number);
            body()
        }))
    }

    /// Lets others run.
    #[track_caller]
    pub fn yield_now() {
        note("yields");
        loom::thread::yield_now();
    }
}

/// Interior mutability whose every access is watched.
pub mod cell {
    use crate::steps::note;

    /// See [`std::cell::UnsafeCell`].
    #[derive(Debug)]
    pub struct UnsafeCell<T>(loom::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        /// A cell that holds `value`.
        #[track_caller]
        pub fn new(value: T) -> UnsafeCell<T> {
            UnsafeCell(loom::cell::UnsafeCell::new(value))
        }

        /// Reads through a pointer; no write may happen at the same time.
        #[track_caller]
        pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            note("reads");
            self.0.with(f)
        }

        /// Writes through a pointer; no other access may happen at the same time.
        #[track_caller]
        pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            note("writes");
            self.0.with_mut(f)
        }
    }

    impl<T: Default> Default for UnsafeCell<T> {
        fn default() -> UnsafeCell<T> {
            UnsafeCell::new(T::default())
        }
    }
}

pub use loom::sync::{Arc, MutexGuard};
#[doc(hidden)]
pub use loom::thread_local as model_local;

use crate::steps::note;

/// A hint that the caller spins.
#[track_caller]
pub fn spin_loop() {
    note("spins");
    loom::hint::spin_loop();
}

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
    #[track_caller]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        note("locks");
        self.0.lock().expect("a model panicked while it held this lock")
    }

    /// Locks if nobody holds the lock. Blocks: never.
    #[track_caller]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        note("locks");
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
