//! raddle for C and C++: the functions of `include/raddle.h`.
//!
//! Each file has the functions of one noun. What a call may do, who owns what, and which thread calls back is told in
//! `docs/embedding.md`; the header repeats it function by function and is generated from these files.
//!
//! Not here: anything that Rust can't do as well; these files translate.
//!
//! # Invariants
//! - B1: C passes pointers that are null or valid as the header says, for as long as it says. Nobody else calls these
//!   functions. (by construction: it is what C's side of a call promises)
//! - B2: no panic leaves a function: it becomes a status, or ends the process with a message. (by construction: `boundary`)
//! - B3: what is read of a struct of options or a table ends at the `struct_size` that its author knew.
//!   (by construction: `options::read`)

#![deny(unsafe_code)]

mod allocator;
mod boundary;
mod buffer;
mod device;
mod dlpack;
mod event;
mod fence;
mod frame;
mod function;
mod handle;
mod invocation;
mod list;
mod log;
mod module;
mod native;
mod object;
mod options;
mod report;
mod runtime;
mod semaphore;
mod session;
mod source;
mod state;
mod status;
mod value;
mod version;
mod view;
mod waker;

#[cfg(raddle_loom)]
#[doc(hidden)]
pub mod internals;

pub use invocation::InvokePriority;
pub use log::Severity;
pub use native::ConditionKind;
pub use runtime::{Driver, DumpFormat, RADDLE_NEVER};
pub use source::Interest;
pub use status::Code;
pub use version::RADDLE_VERSION;
