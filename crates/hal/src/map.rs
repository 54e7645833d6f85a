//! Files as memory: modules and parameters are used where they lie, without a copy.
//!
//! # Invariants
//! - I1: nobody changes or shortens a file while it is mapped; whoever does has all who map it read something else, or die.
//!   (`map_file`'s callers, as with every program that maps its input)
#![allow(unsafe_code)]

use raddle_vm::Bytes;
use std::fs::File;
use std::io;
use std::path::Path;

/// The bytes of a file, mapped: they begin at a page, so that the constants of a module need no copy. It must not be changed
/// while the result, or what was loaded of it, is alive.
///
/// # Errors
/// Those of the system. An empty file and what is no regular file can't be mapped.
pub fn map_file(path: &Path) -> io::Result<Bytes> {
    let file = File::open(path)?;
    // SAFETY: I1.
    let map = unsafe { memmap2::Mmap::map(&file)? };
    Ok(Bytes::from_owner(map))
}
