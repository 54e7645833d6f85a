//! Bytes of a library by address, before or after it got its rights: every read is checked.
//!
//! Not here: memory that is mapped (`image.rs`).

use crate::elf::bytes::{invalid, u32_at, u64_at};
use crate::elf::{Access, ElfFile};
use crate::tuning::NAME_BYTES_MAX;
use raddle_status::Result;

/// One segment.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    pub(crate) start: u64,
    pub(crate) bytes: &'a [u8],
    pub(crate) access: Access,
}

/// The segments of a library that may be read. Addresses are those of this process.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) parts: Vec<Part<'a>>,
}

impl<'a> View<'a> {
    /// What an image will be at the address `base`, while it is still bytes.
    pub(crate) fn of_image(file: &ElfFile<'_>, image: &'a [u8], base: u64) -> View<'a> {
        let first = file.span().start;
        let parts = file.segments.iter().map(|segment| {
            let at = (segment.address - first) as usize;
            let bytes = &image[at..at + segment.bytes as usize];
            Part { start: base + at as u64, bytes, access: segment.access }
        });
        View { parts: parts.collect() }
    }

    fn part(&self, address: u64) -> Option<&Part<'a>> {
        let holds = |part: &&Part<'_>| {
            part.access != Access::None
                && address >= part.start
                && address - part.start < part.bytes.len() as u64
        };
        self.parts.iter().find(holds)
    }

    /// So many bytes at an address that came from the library; `what` is for the message.
    pub(crate) fn bytes(&self, address: u64, bytes: u64, what: &str) -> Result<&'a [u8]> {
        let found = self.part(address).and_then(|part| {
            let start = (address - part.start) as usize;
            part.bytes.get(start..start.checked_add(usize::try_from(bytes).ok()?)?)
        });
        found.ok_or_else(|| {
            invalid(format!("the {what} at {address:#x}, {bytes} bytes, lies outside the image"))
        })
    }

    /// Number `index` of a table of addresses.
    pub(crate) fn pointer(&self, table: u64, index: usize, what: &str) -> Result<u64> {
        let address = table.saturating_add(8 * index as u64);
        Ok(u64_at(self.bytes(address, 8, what)?, 0).unwrap_or_default())
    }

    /// A text that ends with a null byte.
    pub(crate) fn text(&self, address: u64, what: &str) -> Result<&'a str> {
        let have = self.part(address).map_or(1, |part| part.start + part.bytes.len() as u64 - address);
        let bytes = self.bytes(address, have.min(NAME_BYTES_MAX as u64), what)?;
        let Some(end) = bytes.iter().position(|&byte| byte == 0) else {
            return Err(invalid(format!("the {what} at {address:#x} has no end")));
        };
        std::str::from_utf8(&bytes[..end])
            .map_err(|_| invalid(format!("the {what} at {address:#x} is no text")))
    }

    /// Whether functions may be called there.
    pub(crate) fn is_code(&self, address: u64) -> bool {
        self.part(address).is_some_and(|part| part.access == Access::ReadExecute)
    }
}

/// Fields of one structure of the library.
#[derive(Clone, Copy)]
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
