//! A token that one thread sleeps on.
//!
//! # States
//! | token | meaning | set by |
//! |---|---|---|
//! | false | nobody has unparked since the last `park` returned | `park` |
//! | true | the next `park` returns at once | `unpark` |
//!
//! # Invariants
//! - I1: after `unpark`, the owner's current or next `park` returns; tokens do not add up. [mutants: parker.token]
//! - I2: what was written before `unpark` is visible after the `park` that it ended.
//!   [mutants: parker.unpark, parker.park]
//!
//! # Orderings
//! `unpark` swaps with Release, `park` with Acquire: I2. The wake-up itself is std's park token, a futex, which the model
//! checker can't see. It knows `park` of its own threads, on which this file's code is checked (`tests/loom_parker.rs`);
//! the models of everything else sleep on a mutex and a condition variable, which hide nothing and are cheaper.

#[cfg(all(not(raddle_loom), feature = "model"))]
pub use either::Parker;
#[cfg(all(not(raddle_loom), not(feature = "model")))]
pub use native::Parker;
#[cfg(raddle_loom)]
#[doc(hidden)]
pub use native::Parker as TokenParker;

#[cfg(raddle_loom)]
pub use checked::Parker;

mod native {
    use crate::atomic::{AtomicBool, Ordering::*};
    use crate::{mutant, ord};
    #[cfg(raddle_loom)]
    use loom::thread::{Thread, current, park};
    #[cfg(not(raddle_loom))]
    use std::thread::{Thread, current, park};
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
            Parker { token: AtomicBool::new(false), owner: current() }
        }

        /// Blocks until [`unpark`](Parker::unpark). Owner only. Acts as an acquire.
        pub fn park(&self) {
            while !self.token.swap(false, ord!("parker.park", Acquire)) {
                park();
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
            if !self.token.swap(true, ord!("parker.unpark", Release)) && !mutant!("parker.token") {
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

/// The one outside a model; inside, the same on the checker's threads.
#[cfg(all(not(raddle_loom), feature = "model"))]
mod either {
    use super::native;
    use crate::either::{Either, either, step, trace::note};
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::time::Duration;

    /// A token that one thread sleeps on.
    #[derive(Debug)]
    pub struct Parker(Either<native::Parker, Model>);

    /// The token is under a lock: a sleeper may make its parker as it goes to sleep, and a host hand it over in ways that
    /// the checker does not see, for which it would take an atomic's making and its first use for a race.
    ///
    /// The checker takes an unpark of a thread that waits for something else for that something, so it gets
    /// one only while the owner sleeps here: `is_asleep` is std's, and a model changes threads at accesses of loom's alone.
    #[derive(Debug)]
    struct Model {
        token: loom::sync::Mutex<bool>,
        owner: loom::thread::Thread,
        is_asleep: AtomicBool,
    }

    impl Model {
        fn new() -> Model {
            let token = loom::sync::Mutex::new(false);
            Model { token, owner: loom::thread::current(), is_asleep: AtomicBool::new(false) }
        }

        /// What the token was.
        fn set(&self, token: bool) -> bool {
            step();
            std::mem::replace(&mut *self.token.lock().expect("a model panicked"), token)
        }

        fn park(&self) {
            while !self.set(false) {
                self.is_asleep.store(true, Relaxed);
                loom::thread::park();
                self.is_asleep.store(false, Relaxed);
            }
        }

        fn unpark(&self) {
            if !self.set(true) && self.is_asleep.load(Relaxed) {
                self.owner.unpark();
            }
        }
    }

    impl Parker {
        /// A parker for the calling thread, the only one that may park on it.
        pub fn new() -> Parker {
            Parker(either(native::Parker::new, Model::new))
        }

        /// Blocks until [`unpark`](Parker::unpark). Owner only. Acts as an acquire.
        #[track_caller]
        pub fn park(&self) {
            note(format_args!("sleeps until it is woken"));
            match &self.0 {
                Either::Native(parker) => parker.park(),
                Either::Model(parker) => parker.park(),
            }
            note(format_args!("is awake"));
        }

        /// The same, at most `timeout`; says whether it was unparked. Time does not pass in a model.
        pub fn park_timeout(&self, timeout: Duration) -> bool {
            match &self.0 {
                Either::Native(parker) => parker.park_timeout(timeout),
                Either::Model(parker) => {
                    parker.park();
                    true
                }
            }
        }

        /// Ends the owner's current or next park. Blocks: never. Thread-safe. Acts as a release.
        pub fn unpark(&self) {
            match &self.0 {
                Either::Native(parker) => parker.unpark(),
                Either::Model(parker) => parker.unpark(),
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
    use crate::steps::note;
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
        #[track_caller]
        pub fn park(&self) {
            note("sleeps");
            let mut token = self.token.lock().expect("a model panicked");
            while !*token {
                token = self.changed.wait(token).expect("a model panicked");
            }
            *token = false;
        }

        /// Time does not pass in a model: the same as [`park`](Parker::park).
        #[track_caller]
        pub fn park_timeout(&self, _timeout: std::time::Duration) -> bool {
            self.park();
            true
        }

        /// Ends the owner's current or next park.
        #[track_caller]
        pub fn unpark(&self) {
            note("unparks");
            *self.token.lock().expect("a model panicked") = true;
            self.changed.notify_one();
        }
    }
}
