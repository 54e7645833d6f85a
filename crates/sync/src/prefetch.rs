//! Fetching memory into the cache before it is used.
//!
//! Not here: who knows what will be used soon.

#![allow(unsafe_code)]

/// Bytes that one prefetch fetches, or more. Unit: bytes.
const LINE: usize = 64;

/// Begins to fetch everything that `at` points to, and does not wait for it. It reads nothing: any address will do.
#[inline]
pub fn prefetch<T>(at: *const T) {
    for line in 0..size_of::<T>().div_ceil(LINE) {
        fetch_line(at.cast::<u8>().wrapping_add(line * LINE));
    }
}

#[inline]
fn fetch_line(at: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch is a hint: it neither faults nor changes anything, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
    }
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    // SAFETY: as above.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{at}]", at = in(reg) at, options(nostack, preserves_flags, readonly));
    }
    let _ = at;
}
