//! Texts on their way to C.
#![allow(unsafe_code)]

use crate::boundary::{UserData, foreign};
use std::ffi::{c_char, c_void};

/// Takes one part of a text: `size` bytes of UTF-8, without a final 0, for the time of the call.
pub type WriteCallback =
    Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, text: *const c_char, size: usize)>;

/// Hands a text over.
pub(crate) fn write_text(text: &str, callback: WriteCallback, data: UserData) {
    if let Some(callback) = callback {
        // SAFETY: B1.
        foreign("a write callback", || unsafe { callback(data.0, text.as_ptr().cast(), text.len()) });
    }
}

/// Copies a text with a final 0, as far as it fits; returns its length.
pub(crate) fn copy_text(text: &str, buffer: *mut c_char, capacity: usize) -> usize {
    if capacity > 0 && !buffer.is_null() {
        let count = text.len().min(capacity - 1);
        // SAFETY: B1: the buffer has this capacity.
        unsafe { buffer.cast::<u8>().copy_from_nonoverlapping(text.as_ptr(), count) };
        // SAFETY: as above.
        unsafe { buffer.wrapping_add(count).write(0) };
    }
    text.len()
}
