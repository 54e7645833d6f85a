//! The memory of a loaded library.
//!
//! # Invariants
//! - I1: `parts` are addresses of memory that stays mapped, with at least these rights, until `keep` is dropped. (`new`'s
//!   callers: a mapping after `protect`; a shared object that the system's loader has mapped)
//! - I2: nobody writes to the bytes while they are read: reads happen while a library is loaded, before any kernel of it
//!   runs. (`view`'s callers)

#![allow(unsafe_code)]

use crate::elf::Access;
use crate::mapping::Mapping;
use crate::view::{Part, View};
use libloading::os::unix;
use std::fs::File;
use std::ops::Range;

/// What holds the memory.
#[derive(Debug)]
#[allow(dead_code)] // Held, never looked at.
pub(crate) enum Keep {
    Mapped(Mapping),
    /// The system's loader takes a file of the same name for the one that it has loaded, and the name is the descriptor's
    /// number: it stays open until the library is closed, so that no other file gets it. (dropped in this order)
    System {
        library: unix::Library,
        math: Option<unix::Library>,
        file: File,
    },
}

/// Memory of a library. Addresses are those of this process.
#[derive(Debug)]
pub(crate) struct Image {
    parts: Vec<(Range<u64>, Access)>,
    #[allow(dead_code)] // Held, never looked at.
    keep: Keep,
}

impl Image {
    /// Takes the memory.
    ///
    /// # Safety
    /// I1.
    pub(crate) unsafe fn new(parts: Vec<(Range<u64>, Access)>, keep: Keep) -> Image {
        Image { parts, keep }
    }

    /// Its bytes.
    ///
    /// # Safety
    /// I2, for as long as the result is used.
    pub(crate) unsafe fn view(&self) -> View<'_> {
        let readable = self.parts.iter().filter(|part| part.1 != Access::None);
        let parts = readable.map(|(range, access)| {
            let start = std::ptr::with_exposed_provenance(range.start as usize);
            // SAFETY: I1, and I2 by the caller's promise.
            let bytes = unsafe { std::slice::from_raw_parts(start, (range.end - range.start) as usize) };
            Part { start: range.start, bytes, access: *access }
        });
        View { parts: parts.collect() }
    }
}
