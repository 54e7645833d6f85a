//! The memory of a loaded library: what may be read in it, and what is code.
//!
//! # Invariants
//! - I1: `parts` are addresses of memory that stays mapped, with at least these rights, until `keep` is dropped. (`new`'s
//!   callers: a mapping after `protect`; a shared object that the system's loader has mapped)
//! - I2: nobody writes to the bytes while they are read: reads happen while a library is loaded, before any kernel of it
//!   runs. (`Library::load`)

#![allow(unsafe_code)]

use crate::elf::Access;
use crate::elf::bytes::{invalid, u32_at, u64_at};
use crate::mapping::Mapping;
use crate::tuning::NAME_BYTES_MAX;
use raddle_status::Result;
use std::ops::Range;

/// What holds the memory.
#[derive(Debug)]
#[allow(dead_code)] // Held, never looked at.
pub(crate) enum Keep {
    Mapped(Mapping),
}

/// Memory of a library. Addresses are those of this process.
#[derive(Debug)]
pub(crate) struct Image {
    parts: Vec<(Range<u64>, Access)>,
    #[allow(dead_code)] // Held, never looked at.
    keep: Keep,
}

impl Image {
    /// I1 is the caller's promise.
    pub(crate) unsafe fn new(parts: Vec<(Range<u64>, Access)>, keep: Keep) -> Image {
        Image { parts, keep }
    }

    /// So many bytes at an address that came from the library; `what` is for the message.
    pub(crate) fn bytes(&self, address: u64, bytes: u64, what: &str) -> Result<&[u8]> {
        let holds = |part: &&(Range<u64>, Access)| {
            part.1 != Access::None && part.0.contains(&address) && bytes <= part.0.end - address
        };
        if !self.parts.iter().any(|part| holds(&part)) {
            return Err(invalid(format!("the {what} at {address:#x}, {bytes} bytes, are outside the image")));
        }
        let start = std::ptr::with_exposed_provenance(address as usize);
        // SAFETY: I1 and I2, for a range inside a part.
        Ok(unsafe { std::slice::from_raw_parts(start, bytes as usize) })
    }

    /// A number at an address.
    pub(crate) fn u64(&self, address: u64, what: &str) -> Result<u64> {
        Ok(u64_at(self.bytes(address, 8, what)?, 0).unwrap_or_default())
    }

    /// Number `index` of a table of addresses.
    pub(crate) fn pointer(&self, table: u64, index: usize, what: &str) -> Result<u64> {
        let address = table.saturating_add(8 * index as u64);
        self.u64(address, what)
    }

    /// A text that ends with a null byte.
    pub(crate) fn text(&self, address: u64, what: &str) -> Result<String> {
        let part = self.parts.iter().find(|part| part.0.contains(&address));
        let have = part.map_or(1, |part| part.0.end - address).min(NAME_BYTES_MAX as u64);
        let bytes = self.bytes(address, have, what)?;
        let end = bytes
            .iter()
            .position(|&byte| byte == 0)
            .ok_or_else(|| invalid(format!("the {what} at {address:#x} has no end within {have} bytes")))?;
        String::from_utf8(bytes[..end].to_vec())
            .map_err(|_| invalid(format!("the {what} at {address:#x} is no text")))
    }

    /// Whether functions may be called there.
    pub(crate) fn is_code(&self, address: u64) -> bool {
        self.parts.iter().any(|part| part.1 == Access::ReadExecute && part.0.contains(&address))
    }
}

/// Fields of one structure of the library.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl Fields<'_> {
    pub(crate) fn u8(&self, at: usize) -> u8 {
        self.0[at]
    }

    pub(crate) fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.0[at], self.0[at + 1]])
    }

    pub(crate) fn u32(&self, at: usize) -> u32 {
        u32_at(self.0, at).expect("offsets lie inside their structure")
    }

    pub(crate) fn u64(&self, at: usize) -> u64 {
        u64_at(self.0, at).expect("offsets lie inside their structure")
    }
}
