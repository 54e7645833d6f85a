//! Every number of this crate that could have been another.

/// The largest image, from its first to its last page. Unit: bytes. Guess: constants live outside executables, and the
/// largest seen takes 200 KiB.
pub(crate) const IMAGE_BYTES_MAX: u64 = 1 << 30;
/// Program headers of a file. Guess: files have 7.
pub(crate) const PROGRAM_HEADERS_MAX: usize = 64;
/// Exports of a library. Guess: a module of a few thousand layers is one executable.
pub(crate) const EXPORTS_MAX: usize = 1 << 20;
/// A name in a library's tables. Unit: bytes. Guess.
pub(crate) const NAME_BYTES_MAX: usize = 1 << 16;
/// Files whose instructions are remembered; beyond, all are forgotten. Guess: some hundred bytes each.
pub(crate) const SURVEYS_MAX: usize = 1024;
/// Host functions that a library imports. Guess.
pub(crate) const IMPORTS_MAX: usize = 4096;
