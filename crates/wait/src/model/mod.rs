//! A kit for those who write a wait source, or drive a wait set from a loop of their own: feature `model`.
//!
//! A model is a test that is run in every order in which its threads can step, under the memory model of the language.
//! What is to be checked is built as always: with this feature, the types of [`sync`](crate::sync) are the checker's inside
//! [`check`] and std's everywhere else, so no cfg is needed, in no crate. How to write one, from a lost wake-up to its
//! repair: `docs/model-checking.md`.
//!
//! ```
//! use raddle_wait::model::{check, spawn, wait};
//! use raddle_wait::Event;
//! use std::sync::Arc;
//!
//! check(|| {
//!     let event = Arc::new(Event::manual());
//!     let setter = spawn("setter", { let event = event.clone(); move || event.set() });
//!     wait(event).unwrap();
//!     setter.join().unwrap();
//! });
//! ```
//!
//! | you want | use |
//! |---|---|
//! | every order of a few threads | [`check`], [`Check`] |
//! | a program that waits | [`wait`], [`Pending`] |
//! | what every source must survive, as it is and in a model | [`Conformance`] |
//! | to know that something is dropped in every order | [`must_drop`] |
//! | a host's loop over a wait set | `WaitSet::with_kernel` with a [`Standin`](crate::Standin) |
//!
//! Not here: the models of this crate's own protocols (`tests/loom_*.rs`).

mod conform;
mod explore;
mod program;

pub use conform::Conformance;
pub use explore::{Check, Failure, check};
pub use program::{Pending, wait};
pub use raddle_sync::thread::JoinHandle;
pub use raddle_sync::{Explored, must_drop};

/// Starts a thread with a name, for traces: one of the model's inside a model, and one of the system outside.
pub fn spawn<T: Send + 'static>(name: &str, body: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    raddle_sync::thread::spawn_named(name, body)
}
