//! Statuses: what every fallible function returns.
//!
//! Not here: what the numbers mean (`raddle-status`).
#![allow(unsafe_code)]

use crate::boundary::{Out, fallible, text};
use crate::handle::{Handle, Kind, kind};
use raddle::{Code as Number, Error, Result};
use std::ffi::{CStr, CString, c_char};

/// A failure with its message. Success is a null pointer. Whoever gets one from a function owns it and releases it;
/// a callback borrows the one that it is given.
pub struct Status(Handle<Failure>);

pub struct Failure {
    error: Error,
    text: CString,
}

kind!(Status: Failure, "raddle_status_t", b"STAT");

impl Status {
    #[cold]
    #[inline(never)]
    pub(crate) fn new(error: Error) -> *mut Status {
        let text = error.to_string().replace('\0', "\u{fffd}");
        Status::create(Failure { error, text: CString::new(text).unwrap_or_default() })
    }

    /// The failure as Rust has it; `None` for success.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: it is no live status.
    pub(crate) fn error(this: Option<&Status>) -> Result<Option<Error>> {
        this.map(|this| Status::get(Some(this), "status").map(|failure| failure.error.clone())).transpose()
    }

    /// Takes over a status that a callback returned.
    pub(crate) fn take(returned: *mut Status) -> Result {
        // SAFETY: B1: a callback returns null or a status that it owns.
        let Some(status) = (unsafe { returned.as_ref() }) else { return Ok(()) };
        let error = Status::error(Some(status))?;
        Status::release(Some(status), "the status of a callback");
        error.map_or(Ok(()), Err)
    }
}

/// The kind of a failure. The numbers are IREE's and never change.
#[repr(u32)]
pub enum Code {
    /// Success: not a failure.
    Ok = 0,
    /// The caller, or the owner of its session, asked for the work to stop.
    Cancelled = 1,
    /// A failure whose kind is not known, such as a panic in foreign code.
    Unknown = 2,
    /// An argument is wrong whatever the state of the system.
    InvalidArgument = 3,
    /// A deadline passed before the work was done.
    DeadlineExceeded = 4,
    /// A named thing does not exist.
    NotFound = 5,
    /// A thing that was to be made exists already.
    AlreadyExists = 6,
    /// The thing exists but may not be used in this way by this caller.
    PermissionDenied = 7,
    /// A limit was reached: memory, slots, descriptors, stack.
    ResourceExhausted = 8,
    /// The system is not in the state that the call needs.
    FailedPrecondition = 9,
    /// The work was given up because something that it depends on failed.
    Aborted = 10,
    /// An index, offset or length lies outside what exists now.
    OutOfRange = 11,
    /// The operation is not supported here.
    Unimplemented = 12,
    /// An invariant of raddle's is broken: please report it.
    Internal = 13,
    /// The service can't be had at the moment. Retry with a pause.
    Unavailable = 14,
    /// Data was lost or damaged beyond repair.
    DataLoss = 15,
    /// The caller did not say who it is.
    Unauthenticated = 16,
    /// The work is suspended and will be resumed; never the final status of anything.
    Deferred = 17,
    /// Two parts don't fit together: a version, a calling convention, a processor feature.
    Incompatible = 18,
}

/// A failure of this code with this message, for callbacks that fail. Code 0 and unknown codes become `UNKNOWN`;
/// a message that is null is empty. Thread-safe; blocks never.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_status_create(code: u32, message: *const c_char) -> *mut Status {
    let code = Number::from_number(code).unwrap_or(Number::Unknown);
    let message = if message.is_null() { Ok("") } else { text(message, "message") };
    Status::new(Error::new(code, message.unwrap_or("(a message that is no UTF-8)").to_owned()))
}

/// The number of a status (`raddle_code_t`); 0 for null.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_status_code(status: Option<&Status>) -> u32 {
    status.map_or(0, |status| Status::demand(Some(status), "raddle_status_code").error.code().number())
}

/// What happened and where, as one line of text; "OK" for null. It lives as long as the status.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_status_message(status: Option<&Status>) -> *const c_char {
    match status {
        None => c"OK".as_ptr(),
        Some(status) => Status::demand(Some(status), "raddle_status_message").text.as_ptr(),
    }
}

/// The name of a code: "NOT_FOUND"; "OK" for 0, "UNKNOWN" for what is no code. It lives for ever.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_code_name(code: u32) -> *const c_char {
    const NAMES: [&CStr; 19] = [
        c"OK",
        c"CANCELLED",
        c"UNKNOWN",
        c"INVALID_ARGUMENT",
        c"DEADLINE_EXCEEDED",
        c"NOT_FOUND",
        c"ALREADY_EXISTS",
        c"PERMISSION_DENIED",
        c"RESOURCE_EXHAUSTED",
        c"FAILED_PRECONDITION",
        c"ABORTED",
        c"OUT_OF_RANGE",
        c"UNIMPLEMENTED",
        c"INTERNAL",
        c"UNAVAILABLE",
        c"DATA_LOSS",
        c"UNAUTHENTICATED",
        c"DEFERRED",
        c"INCOMPATIBLE",
    ];
    NAMES.get(code as usize).unwrap_or(&c"UNKNOWN").as_ptr()
}

/// One holder more. Null is nothing.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_status_retain(status: Option<&Status>) {
    Status::retain(status, "raddle_status_retain");
}

/// One holder less. Null is nothing.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_status_release(status: Option<&Status>) {
    Status::release(status, "raddle_status_release");
}

/// The same failure, seen one level further out: `place` is added to its message. `status` is not changed; null gives null.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_status_within(
    status: Option<&Status>,
    place: *const c_char,
    out_status: *mut *mut Status,
) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_status, "out_status")?;
        let place = text(place, "place")?;
        if let Some(error) = Status::error(status)? {
            out.put(Status::new(error.within(place.to_owned())));
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_those_of_the_vocabulary() {
        for code in Number::ALL {
            // SAFETY: a static text.
            let name = unsafe { CStr::from_ptr(raddle_code_name(code.number())) };
            assert_eq!(name.to_str().unwrap(), code.name());
        }
        assert_eq!(Code::Incompatible as u32, Number::Incompatible.number());
        assert_eq!(Code::Unavailable as u32, Number::Unavailable.number());
    }
}
