//! Memory of an image: reserved between two guard pages, filled, and only then given its rights.
//!
//! Not here: what goes where (`elf`); reads of what is there (`image.rs`).
//!
//! # Life
//! ```text
//! reserve ──► fill (read, write) ──► protect ──► dropped
//!                                      │ the system refuses to make filled memory executable
//!                                      └─► the same bytes, mapped from a sealed memory file
//! ```
//!
//! # Invariants
//! - I1: `start` is the first byte of a private mapping of `bytes` bytes, made by `reserve` and unmapped by `drop` alone;
//!   the pages before and after it are mapped without any right, to the same end.
//! - I2: until `protect`, the bytes are readable and writable, and only `&mut self` reaches them. (by construction)
//! - I3: no page is writable and executable at the same time. (`protect`; E3 of `elf/file.rs`)
//!
//! # Sources
//! mmap(2), mprotect(2), memfd_create(2); `PR_SET_MDWE` in prctl(2) is one of the things that refuse

#![allow(unsafe_code)]

use crate::elf::{Access, ElfFile, Segment, page_down};
use crate::memory_file::memory_file;
use raddle_status::{Code, Error, Result};
use rustix::io::Errno;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap, mmap_anonymous, mprotect, munmap};
use std::ops::Range;
use std::os::fd::AsFd;
use std::ptr::{NonNull, null_mut};

/// See I1.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    bytes: usize,
    /// On each side. The kernel's page, which may be larger than the files'.
    guard_bytes: usize,
}

// SAFETY: I1: the memory belongs to this value, wherever it is.
unsafe impl Send for Mapping {}
// SAFETY: as above; `&self` gives out an address only.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// So many bytes, zeroed and writable; a multiple of the files' page.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED if there is no room.
    pub(crate) fn reserve(bytes: usize) -> Result<Mapping> {
        let guard_bytes = rustix::param::page_size();
        let bytes = bytes.next_multiple_of(guard_bytes);
        let total = bytes + 2 * guard_bytes;
        let exhausted = |errno: Errno| {
            Error::new(Code::ResourceExhausted, format!("no room for an image of {bytes} bytes: {errno}"))
        };
        // SAFETY: a new mapping, anywhere.
        let first = unsafe { mmap_anonymous(null_mut(), total, ProtFlags::empty(), MapFlags::PRIVATE) };
        let first =
            NonNull::new(first.map_err(exhausted)?.cast::<u8>()).expect("a mapping is not at address 0");
        // SAFETY: the mapping is larger than a guard.
        let start = unsafe { first.add(guard_bytes) };
        let this = Mapping { start, bytes, guard_bytes };
        this.set(0..bytes, Access::ReadWrite).map_err(exhausted)?;
        Ok(this)
    }

    /// Where it begins.
    pub(crate) fn address(&self) -> u64 {
        self.start.as_ptr().expose_provenance() as u64
    }

    /// The bytes, before they are protected.
    pub(crate) fn writable(&mut self) -> &mut [u8] {
        // SAFETY: I1 and I2.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.bytes) }
    }

    /// Gives each segment its rights, the RELRO range none to write, and everything between none at all. From here on
    /// the bytes are reached through `Image`.
    ///
    /// # Errors
    /// PERMISSION_DENIED if the system lets this process have no new executable memory.
    pub(crate) fn protect(mut self, file: &ElfFile<'_>) -> Result<Mapping> {
        flush_instructions(self.writable());
        let first = file.span().start;
        let offsets = |range: Range<u64>| (range.start - first) as usize..(range.end - first) as usize;
        match self.protect_in_place(file, &offsets) {
            Err(Errno::ACCESS | Errno::PERM) => self.protect_from_file(file, &offsets)?,
            result => result.map_err(|errno| protect_error(errno, "mprotect"))?,
        }
        if let Some(relro) = &file.relro {
            let sealed = page_down(relro.start)..page_down(relro.end);
            if !sealed.is_empty() {
                self.set(offsets(sealed), Access::Read)
                    .map_err(|errno| protect_error(errno, "mprotect of RELRO"))?;
            }
        }
        Ok(self)
    }

    /// Executable segments first: where the system refuses, nothing else has changed.
    fn protect_in_place(
        &self,
        file: &ElfFile<'_>,
        offsets: &dyn Fn(Range<u64>) -> Range<usize>,
    ) -> std::result::Result<(), Errno> {
        let is_code = |segment: &&Segment| segment.access == Access::ReadExecute;
        for segment in file.segments.iter().filter(is_code) {
            self.set(offsets(segment.pages()), Access::ReadExecute)?;
        }
        for segment in file.segments.iter().filter(|segment| !is_code(segment)) {
            self.set(offsets(segment.pages()), segment.access)?;
        }
        self.close_gaps(file, offsets)
    }

    /// Maps the same bytes again from a file in memory that nobody can change any more.
    fn protect_from_file(
        &mut self,
        file: &ElfFile<'_>,
        offsets: &dyn Fn(Range<u64>) -> Range<usize>,
    ) -> Result {
        let fail = |what: &'static str| move |errno: Errno| protect_error(errno, what);
        let memory = memory_file(self.writable())?;
        for segment in &file.segments {
            let range = offsets(segment.pages());
            let flags = MapFlags::PRIVATE | MapFlags::FIXED;
            let at = self.start.as_ptr().wrapping_add(range.start).cast();
            let (protection, offset) = (protection(segment.access), range.start as u64);
            // SAFETY: I1: the range is ours, and I2: nothing refers to what was there.
            unsafe { mmap(at, range.len(), protection, flags, memory.as_fd(), offset) }
                .map_err(fail("mmap of the memory file"))?;
        }
        self.close_gaps(file, offsets).map_err(fail("mprotect"))
    }

    fn close_gaps(
        &self,
        file: &ElfFile<'_>,
        offsets: &dyn Fn(Range<u64>) -> Range<usize>,
    ) -> std::result::Result<(), Errno> {
        for pair in file.segments.windows(2) {
            let gap = offsets(pair[0].pages().end..pair[1].pages().start);
            if !gap.is_empty() {
                self.set(gap, Access::None)?;
            }
        }
        Ok(())
    }

    /// I3: there is no access that is both.
    fn set(&self, range: Range<usize>, access: Access) -> std::result::Result<(), Errno> {
        let protection = MprotectFlags::from_bits_retain(protection(access).bits());
        let at = self.start.as_ptr().wrapping_add(range.start).cast();
        // SAFETY: I1: the range is ours.
        unsafe { mprotect(at, range.len(), protection) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let total = self.bytes + 2 * self.guard_bytes;
        let first = self.start.as_ptr().wrapping_sub(self.guard_bytes).cast();
        // SAFETY: I1: this is the whole mapping, and nobody can name it any more. It can't fail for that reason.
        let _ = unsafe { munmap(first, total) };
    }
}

fn protection(access: Access) -> ProtFlags {
    match access {
        Access::None => ProtFlags::empty(),
        Access::Read => ProtFlags::READ,
        Access::ReadWrite => ProtFlags::READ | ProtFlags::WRITE,
        Access::ReadExecute => ProtFlags::READ | ProtFlags::EXEC,
    }
}

fn protect_error(errno: Errno, what: &str) -> Error {
    let code = if errno == Errno::NOMEM { Code::ResourceExhausted } else { Code::PermissionDenied };
    Error::new(
        code,
        format!(
            "the system gives this process no executable memory ({what}: {errno}); allow it, or use bytecode (vmvx)"
        ),
    )
}

/// Makes what was written visible to the fetching of instructions.
#[cfg(target_arch = "x86_64")]
fn flush_instructions(_bytes: &[u8]) {
    // The processor does it.
}

/// Makes what was written visible to the fetching of instructions.
#[cfg(target_arch = "aarch64")]
fn flush_instructions(bytes: &[u8]) {
    unsafe extern "C" {
        fn __clear_cache(start: *const u8, end: *const u8);
    }
    let range = bytes.as_ptr_range();
    // SAFETY: the range is readable.
    unsafe { __clear_cache(range.start, range.end) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KERNEL: &[u8] = include_bytes!("../tests/kernels/matmul.so");

    /// Rights of the pages from this address on, as the kernel tells them.
    fn rights(start: u64, end: u64) -> Vec<(u64, String)> {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let mut pages = Vec::new();
        for line in maps.lines() {
            let (range, rest) = line.split_once(' ').unwrap();
            let (first, last) = range.split_once('-').unwrap();
            let [first, last] = [first, last].map(|text| u64::from_str_radix(text, 16).unwrap());
            for page in (first.max(start)..last.min(end)).step_by(4096) {
                pages.push((page - start, rest[..3].to_owned()));
            }
        }
        pages
    }

    fn filled() -> (ElfFile<'static>, Mapping) {
        let file = ElfFile::parse(KERNEL).unwrap();
        let mut mapping = Mapping::reserve(file.image_bytes()).unwrap();
        let base = mapping.address();
        file.relocate_into(&mut mapping.writable()[..file.image_bytes()], base).unwrap();
        (file, mapping)
    }

    /// A guard, constants, code, sealed data, a guard.
    fn check(mapping: &Mapping) {
        let guard = mapping.guard_bytes as u64;
        let start = mapping.address() - guard;
        let pages = rights(start, mapping.address() + mapping.bytes as u64 + guard);
        let expected = [(0, "---"), (0x1000, "r--"), (0x2000, "r-x"), (0x3000, "r--"), (0x4000, "---")];
        assert_eq!(pages, expected.map(|(at, rights)| (at, rights.to_owned())));
    }

    #[test]
    fn pages_have_the_rights_of_their_segments_and_no_more() {
        let (file, mapping) = filled();
        let mapping = mapping.protect(&file).unwrap();
        check(&mapping);
    }

    #[test]
    fn pages_of_a_memory_file_have_the_same_rights_and_bytes() {
        let (file, mut mapping) = filled();
        let before = mapping.writable().to_vec();
        let first = file.span().start;
        let offsets = |range: Range<u64>| (range.start - first) as usize..(range.end - first) as usize;
        mapping.protect_from_file(&file, &offsets).unwrap();
        // SAFETY: every segment of this file may be read, and nobody writes.
        let bytes = unsafe { std::slice::from_raw_parts(mapping.start.as_ptr(), mapping.bytes) };
        assert_eq!(bytes, before);
        let mapping = mapping.protect(&file).unwrap();
        check(&mapping);
    }
}
