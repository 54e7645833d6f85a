//! Embedded ELF files: found, checked and relocated as bytes. Safe code only; nothing here is executed.

pub(crate) mod bytes;
mod dynamic;
mod file;
mod relocate;

pub use file::{Access, ElfFile, Machine};
pub(crate) use file::{Loader, Segment, page_down};
pub use relocate::Relocated;
