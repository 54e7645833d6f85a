//! Whether this process is a fork of the one that made something.
//!
//! # Invariants
//! - I1: the page is mapped while its owner lives, and holds 1 in the process that made it and 0 in every fork: the kernel
//!   wipes it. (by construction: `new`, `drop`; MADV_WIPEONFORK)
//!
//! # Sources
//! madvise(2): MADV_WIPEONFORK, since Linux 4.14

#![allow(unsafe_code)]

use raddle_sync::counter::{AtomicU64, Relaxed};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
use std::ptr::{NonNull, null_mut};

/// Bytes that are mapped; the kernel rounds up to its own page. Unit: bytes.
const PAGE_BYTES: usize = 4096;

/// A page that a fork finds wiped. Asking costs one load.
#[derive(Debug)]
pub(super) struct ForkPage {
    page: NonNull<AtomicU64>,
}

// SAFETY: an atomic, mapped for as long as this lives (I1).
unsafe impl Send for ForkPage {}
// SAFETY: as above.
unsafe impl Sync for ForkPage {}

impl ForkPage {
    /// Maps a page.
    pub(super) fn new() -> std::io::Result<ForkPage> {
        let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
        // SAFETY: a new mapping, anywhere.
        let page = unsafe { mmap_anonymous(null_mut(), PAGE_BYTES, protection, flags) }?;
        let page = NonNull::new(page).expect("a mapping is not at address 0").cast::<AtomicU64>();
        let this = ForkPage { page };
        // SAFETY: the mapping is ours (I1).
        unsafe { madvise(page.as_ptr().cast(), PAGE_BYTES, Advice::LinuxWipeOnFork) }?;
        this.word().store(1, Relaxed);
        Ok(this)
    }

    /// Whether this process is a fork of the maker's.
    #[inline]
    pub(super) fn is_forked(&self) -> bool {
        self.word().load(Relaxed) == 0
    }

    fn word(&self) -> &AtomicU64 {
        // SAFETY: I1; zeroes are an atomic number.
        unsafe { self.page.as_ref() }
    }
}

impl Drop for ForkPage {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nobody can name it any more (I1). It can't fail: the range is a mapping.
        let _ = unsafe { munmap(self.page.as_ptr().cast(), PAGE_BYTES) };
    }
}
