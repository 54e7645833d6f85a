//! Translation: a function's bytecode becomes a form made for speed, when it is first called.
//!
//! Not here: running it ([`crate::engine`]); checking it (the verifier has done that).

mod calls;
pub(crate) mod code;
mod constants;
mod flow;
mod fuse;
mod lower;
mod names;
mod need;
mod program;

pub use program::Program;
