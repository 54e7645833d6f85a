//! One numbered status vocabulary, the same in Rust, in C and in exit codes.
//!
//! A [`Code`] says what kind of failure happened, an [`Error`] adds a message and the context through
//! which it travelled. Success is not a code here: it is `Ok`, and [`number`] writes it as 0.
//!
//! Not here: how a VM program raises or masks codes (that is bytecode semantics, in `raddle-vm`).

#![forbid(unsafe_code)]

mod code;
mod error;

pub use code::{Code, number};
pub use error::{Error, Result, ResultExt, panic_message};
