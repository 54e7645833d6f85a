//! The one place where a type changes under `cfg(raddle_loom)`.
//!
//! Everything that takes part in a protocol (atomics, fences, cells, locks, threads, the parker) is
//! imported from here. In the product these are std's and parking_lot's types, at no cost; under
//! `--cfg raddle_loom` they are loom's, and [`ord!`], [`fence!`] and [`mutant!`] can weaken one named
//! ordering, fence or check at a time, so that every model can be seen failing.
//!
//! Not here: any protocol. Types that only carry data to users (`Arc` in a public signature) stay std's.

#![deny(unsafe_code)]

mod local;
mod mutant;
mod parker;

/// Atomics that only count: no protocol reads them, so the model checker need not see them.
pub mod counter {
    pub use std::sync::atomic::Ordering::Relaxed;
    pub use std::sync::atomic::{AtomicU8, AtomicU64};
}

/// Memory that programs share and may race on: each access is whole, and orders nothing.
pub mod memory {
    pub use std::sync::atomic::Ordering::Relaxed;
    pub use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64};
}

#[cfg(not(raddle_loom))]
mod native;
#[cfg(not(raddle_loom))]
pub use native::*;

#[cfg(raddle_loom)]
mod checked;
#[cfg(raddle_loom)]
pub use checked::*;
#[cfg(raddle_loom)]
pub mod model;

#[doc(hidden)]
pub use mutant::{is_active, weakened};
pub use parker::Parker;
