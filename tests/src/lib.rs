//! Our engines and `iree-run-module` run the same programs: tools for tests that compare them.
//!
//! [`generate`] makes random modules, [`ours`] (with the module [`host`]) and [`stock`] run functions, [`differential`] compares, [`scripts`]
//! reads the checks in `.vmasm` files, [`page`] makes `docs/opcodes.md` of them.

#![forbid(unsafe_code)]

pub mod differential;
pub mod generate;
pub mod host;
pub mod ours;
pub mod page;
mod random;
pub mod scripts;
pub mod stock;
