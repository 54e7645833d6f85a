//! Files as memory maps, so that a large module is not copied.
//!
//! # Invariants
//! - I1: nobody changes or shortens a module file while it runs. As with every program that maps its input, doing so
//!   is an error of whoever does it; `--module_mode=preload` reads the file instead.
#![allow(unsafe_code)]

use raddle_vm::Bytes;
use std::fs::File;
use std::io;

/// The bytes of a file, mapped.
///
/// # Errors
/// Those of the system. An empty file can't be mapped.
pub fn map(file: &File) -> io::Result<Bytes> {
    // SAFETY: I1.
    let map = unsafe { memmap2::Mmap::map(file)? };
    Ok(Bytes::from_owner(map))
}
