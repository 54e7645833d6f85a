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

/// The number in this variable of the environment, or else `default`.
///
/// # Panics
/// If it is no number.
pub fn count_from(variable: &str, default: usize) -> usize {
    std::env::var(variable).ok().map_or(default, |text| text.parse().expect("a number"))
}
