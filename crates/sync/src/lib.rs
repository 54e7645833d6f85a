//! The one place where a type changes under `cfg(raddle_loom)`.
//!
//! Everything that takes part in a protocol (atomics, fences, cells, locks, threads, the parker) is
//! imported from here. In the product these are std's and parking_lot's types, at no cost; under
//! `--cfg raddle_loom` they are loom's, and [`ord!`], [`fence!`] and [`mutant!`] can weaken one named
//! ordering, fence or check at a time, so that every model can be seen failing.
//!
//! With the feature `model` every value is std's outside a model and loom's inside, without a cfg: for those who check their
//! own code (`raddle-wait`'s `model`).
//!
//! Not here: any protocol. Types that only carry data to users (`Arc` in a public signature) stay std's.

#![deny(unsafe_code)]

mod local;
mod mutant;
mod parker;
mod prefetch;
mod try_lock;

/// Atomics that only count, or that one thread has at a time: no protocol reads them, so the model checker need not see them.
pub mod counter {
    pub use std::sync::atomic::Ordering::Relaxed;
    pub use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64};
}

/// Memory that programs share and may race on: each access is whole, and orders nothing.
pub mod memory {
    pub use std::sync::atomic::Ordering::Relaxed;
    pub use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64};
}

#[cfg(all(not(raddle_loom), not(feature = "model")))]
mod native;
#[cfg(all(not(raddle_loom), not(feature = "model")))]
pub use native::*;

#[cfg(all(not(raddle_loom), feature = "model"))]
mod either;
#[cfg(all(not(raddle_loom), feature = "model"))]
pub use either::*;

#[cfg(raddle_loom)]
mod checked;
#[cfg(raddle_loom)]
pub use checked::*;
#[cfg(raddle_loom)]
pub mod model;
#[cfg(raddle_loom)]
mod steps;

/// Whether a model checker explores the schedules.
pub const IS_EXPLORED: bool = cfg!(raddle_loom);

/// Whether these are the types of a product: then they have the sizes that a product has.
pub const IS_NATIVE: bool = cfg!(all(not(raddle_loom), not(feature = "model")));

#[doc(hidden)]
pub use mutant::{is_active, weakened};
pub use parker::Parker;
#[cfg(raddle_loom)]
#[doc(hidden)]
pub use parker::TokenParker;
pub use prefetch::prefetch;
pub use try_lock::TryLock;
