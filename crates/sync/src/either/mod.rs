//! The arm of the feature `model`: std's types outside a model, loom's inside, chosen when a value is made.
//!
//! So a crate and everything above it is built once, and the same code is what runs and what is explored. Outside a model
//! each access costs one more branch: the feature is for tests, not for what is shipped or measured.
//!
//! Not here: the arm of this repository's own models (`checked.rs`), which also changes capacities.
//!
//! # Invariants
//! - I1: a value that was made inside a model is loom's, and is used only inside that schedule; one that was made outside
//!   is std's everywhere. (by construction: the constructors ask `inside`, and nothing converts)
//! - I2: when a schedule has failed, or its time is up, no thread of the model touches loom any more. (by construction:
//!   every access goes through `inside` or `step`, which don't return then)

pub mod atomic;
pub mod cell;
mod explore;
mod lock;
pub mod thread;
pub(crate) mod trace;

pub use lock::{Mutex, MutexGuard};
pub use std::sync::Arc;

use std::cell::Cell;

std::thread_local! {
    /// Whether this thread of the system explores a model: all threads of a model are this one.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

pub(crate) fn inside() -> bool {
    INSIDE.get() && {
        step();
        true
    }
}

/// Before each access to what is loom's: I2.
pub(crate) fn step() {
    explore::stop_if_over();
}

/// Whether the caller is inside a model.
pub fn is_model() -> bool {
    INSIDE.get()
}

/// What is std's or loom's.
#[derive(Debug)]
pub(crate) enum Either<N, M> {
    Native(N),
    Model(M),
}

/// Makes one or the other.
pub(crate) fn either<N, M>(native: impl FnOnce() -> N, model: impl FnOnce() -> M) -> Either<N, M> {
    if inside() { Either::Model(model()) } else { Either::Native(native()) }
}

/// As in the product; here nobody counts.
pub fn warm_up() {}

/// A hint that the caller spins.
pub fn spin_loop() {
    if inside() { loom::hint::spin_loop() } else { std::hint::spin_loop() }
}

pub use explore::{Explored, Failed, explore, must_drop};
pub use trace::{Trace, note};
