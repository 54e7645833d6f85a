//! The log hook: one function of the host's that is told of what nobody else is told.
//!
//! A hook is asked for by the host, and the only thing of this crate that is one for the whole process, beside the
//! allocator's.
#![allow(unsafe_code)]

use crate::boundary::{UserData, foreign};
use std::ffi::{CString, c_char, c_void};
use std::sync::{PoisonError, RwLock};

/// How bad a message of the log is.
#[repr(u32)]
#[derive(Clone, Copy)]
pub enum Severity {
    /// Something is done wrong, at no harm: a wait source was completed twice.
    Warning = 1,
    /// The process ends after this message.
    Fatal = 2,
}

/// Gets the messages. `severity` is a `raddle_severity_t`. The text lives for the call. It may be called from any thread,
/// with no lock of raddle's held, and must not call raddle.
pub type LogCallback =
    Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, severity: u32, message: *const c_char)>;

static HOOK: RwLock<(LogCallback, UserData)> = RwLock::new((None, UserData(std::ptr::null_mut())));

/// Has messages sent to `callback` from now on, in place of the one before; null for nobody. A call that is under way may
/// still reach the one before. Thread-safe.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_set_log(callback: LogCallback, user_data: *mut c_void) {
    *HOOK.write().unwrap_or_else(PoisonError::into_inner) = (callback, UserData(user_data));
}

#[cold]
pub(crate) fn say(severity: Severity, text: &str) {
    let (callback, data) = *HOOK.read().unwrap_or_else(PoisonError::into_inner);
    let Some(callback) = callback else { return };
    let text = CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default();
    // SAFETY: B1: the host's function takes these.
    foreign("the log hook", || unsafe { callback(data.0, severity as u32, text.as_ptr()) });
}
