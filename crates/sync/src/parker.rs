//! A token that one thread sleeps on.
//!
//! # States
//! | token | meaning | set by |
//! |---|---|---|
//! | false | nobody has unparked since the last `park` returned | `park` |
//! | true | the next `park` returns at once | `unpark` |
//!
//! # Invariants
//! - I1: after `unpark`, the owner's current or next `park` returns; tokens do not add up.
//! - I2: what was written before `unpark` is visible after the `park` that it ended.
//!
//! # Orderings
//! `unpark` swaps with Release, `park` with Acquire: I2. The wake-up itself is std's park token, a
//! futex, which the model checker can't see: its arm is a mutex and a condition variable.

#[cfg(not(raddle_loom))]
pub use native::Parker;

#[cfg(raddle_loom)]
pub use checked::Parker;

#[cfg(not(raddle_loom))]
mod native {
    use crate::atomic::{AtomicBool, Ordering::*};
    use crate::thread::Thread;
    use std::time::Duration;

    /// A token that one thread sleeps on.
    #[derive(Debug)]
    pub struct Parker {
        token: AtomicBool,
        owner: Thread,
    }

    impl Parker {
        /// A parker for the calling thread, the only one that may park on it.
        pub fn new() -> Parker {
            Parker { token: AtomicBool::new(false), owner: crate::thread::current() }
        }

        /// Blocks until [`unpark`](Parker::unpark). Owner only. Acts as an acquire.
        pub fn park(&self) {
            while !self.token.swap(false, Acquire) {
                crate::thread::park();
            }
        }

        /// Blocks until [`unpark`](Parker::unpark), at most `timeout`; says whether it was unparked. Owner only.
        pub fn park_timeout(&self, timeout: Duration) -> bool {
            if !self.token.swap(false, Acquire) {
                std::thread::park_timeout(timeout);
                return self.token.swap(false, Acquire);
            }
            true
        }

        /// Ends the owner's current or next park. Blocks: never. Thread-safe. Acts as a release.
        pub fn unpark(&self) {
            if !self.token.swap(true, Release) {
                self.owner.unpark();
            }
        }
    }

    impl Default for Parker {
        fn default() -> Parker {
            Parker::new()
        }
    }
}

#[cfg(raddle_loom)]
mod checked {
    use loom::sync::{Condvar, Mutex};

    /// A token that one thread sleeps on.
    #[derive(Debug, Default)]
    pub struct Parker {
        token: Mutex<bool>,
        changed: Condvar,
    }

    impl Parker {
        /// A parker for one thread.
        pub fn new() -> Parker {
            Parker::default()
        }

        /// Blocks until [`unpark`](Parker::unpark).
        pub fn park(&self) {
            let mut token = self.token.lock().expect("a model panicked");
            while !*token {
                token = self.changed.wait(token).expect("a model panicked");
            }
            *token = false;
        }

        /// Time does not pass in a model: the same as [`park`](Parker::park).
        pub fn park_timeout(&self, _timeout: std::time::Duration) -> bool {
            self.park();
            true
        }

        /// Ends the owner's current or next park.
        pub fn unpark(&self) {
            *self.token.lock().expect("a model panicked") = true;
            self.changed.notify_one();
        }
    }
}
