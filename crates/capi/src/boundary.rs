//! The edge between C and Rust: panics, null pointers, results.
//!
//! Not here: handles (`handle.rs`), options (`options.rs`).
#![allow(unsafe_code)]

use crate::handle::Kind;
use crate::log;
use crate::status::Status;
use raddle::{Code, Error, Result};
use std::borrow::Cow;
use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

/// What C gave along with a callback, and gets back.
#[derive(Clone, Copy)]
pub(crate) struct UserData(pub(crate) *mut c_void);

// SAFETY: it is not read here; C is told (B1) that its callbacks run on any thread.
unsafe impl Send for UserData {}
// SAFETY: as above.
unsafe impl Sync for UserData {}

/// Ends the user data of a callback or a source.
pub type Destroy = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void)>;

/// User data with its end, which comes once.
pub(crate) struct Owned {
    pub(crate) data: UserData,
    /// Empty while it is not ours to end.
    destroy: OnceLock<Destroy>,
}

impl Owned {
    pub(crate) fn new(data: *mut c_void, destroy: Destroy) -> Owned {
        let owned = Owned::borrowed(data);
        owned.adopt(destroy);
        owned
    }

    /// User data that is not ours yet.
    pub(crate) fn borrowed(data: *mut c_void) -> Owned {
        Owned { data: UserData(data), destroy: OnceLock::new() }
    }

    /// From here on the user data is ours to end. Once.
    pub(crate) fn adopt(&self, destroy: Destroy) {
        // A second one would be a mistake of this crate's; the first stays.
        let _ = self.destroy.set(destroy);
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(Some(destroy)) = self.destroy.get() {
            // SAFETY: B1: the function takes what it was given with.
            foreign("a destroy function", || unsafe { destroy(self.data.0) });
        }
    }
}

/// Runs the body of a fallible function: a failure, or a panic, becomes a status.
#[inline]
pub(crate) fn fallible(body: impl FnOnce() -> Result) -> *mut Status {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => std::ptr::null_mut(),
        Ok(Err(error)) => Status::new(error),
        Err(payload) => Status::new(panicked(&*payload)),
    }
}

#[cold]
fn panicked(payload: &(dyn std::any::Any + Send)) -> Error {
    let error = Error::new(Code::Internal, "a panic inside raddle: please report it");
    match payload.downcast_ref::<&'static str>() {
        Some(text) => error.within(*text),
        None => error.within(payload.downcast_ref::<String>().cloned().unwrap_or_default()),
    }
}

/// Runs the body of a function that can't fail.
#[inline]
pub(crate) fn infallible<R>(function: &str, body: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(body))
        .unwrap_or_else(|payload| die(function, panicked(&*payload).context().next().unwrap_or_default()))
}

/// Runs a function of C's. An exception of C++ that comes out of it ends the process, and says so.
#[inline]
pub(crate) fn foreign<R>(what: &str, body: impl FnOnce() -> R) -> R {
    // Rust's runtime itself ends the process on an exception that is not a panic; a panic of another copy of Rust
    // comes out as `Err`.
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| die(what, "an exception came out of a callback"))
}

/// Ends the process with a message.
#[cold]
#[inline(never)]
pub(crate) fn die(function: &str, text: &str) -> ! {
    let text = format!("raddle: fatal: {function}: {text}");
    log::say(log::Severity::Fatal, &text);
    eprintln!("{text}");
    std::process::abort()
}

#[cold]
pub(crate) fn invalid(text: impl Into<Cow<'static, str>>) -> Error {
    Error::new(Code::InvalidArgument, text)
}

/// An array of C's; null is an empty one.
#[inline]
pub(crate) fn array<'a, T>(start: *const T, count: usize, what: &str) -> Result<&'a [T]> {
    match (start.is_null(), count) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(invalid(format!("`{what}` is null and has {count} elements"))),
        // SAFETY: B1.
        _ => Ok(unsafe { std::slice::from_raw_parts(start, count) }),
    }
}

/// A place that C has for `count` results.
#[inline]
pub(crate) fn places<'a, T>(start: *mut T, count: usize, what: &str) -> Result<&'a mut [T]> {
    match (start.is_null(), count) {
        (_, 0) => Ok(&mut []),
        (true, _) => Err(invalid(format!("`{what}` is null and has room for {count} elements"))),
        // SAFETY: B1.
        _ => Ok(unsafe { std::slice::from_raw_parts_mut(start, count) }),
    }
}

/// A text of C's.
pub(crate) fn text<'a>(start: *const c_char, what: &str) -> Result<&'a str> {
    let text = text_or_none(start, what)?;
    text.ok_or_else(|| invalid(format!("`{what}` is null, a text is needed")))
}

/// A text of C's, or null.
pub(crate) fn text_or_none<'a>(start: *const c_char, what: &str) -> Result<Option<&'a str>> {
    if start.is_null() {
        return Ok(None);
    }
    // SAFETY: B1.
    let text = unsafe { CStr::from_ptr(start) };
    text.to_str().map(Some).map_err(|_| invalid(format!("`{what}` is no UTF-8")))
}

/// Where C wants a result; a result that nobody takes is not made.
pub(crate) struct Out<T>(*mut T);

impl<T> Out<T> {
    /// The place, which must be there.
    #[inline]
    pub(crate) fn new(place: *mut T, what: &str) -> Result<Out<T>> {
        match place.is_null() {
            true => Err(invalid(format!("`{what}` is null: there is no place for the result"))),
            false => Ok(Out(place)),
        }
    }

    #[inline]
    pub(crate) fn put(&self, value: T) {
        // SAFETY: B1.
        unsafe { self.0.write(value) };
    }
}

impl<K: Kind> Out<*mut K> {
    /// A place for a handle, which is null until there is one.
    pub(crate) fn handle(place: *mut *mut K, what: &str) -> Result<Out<*mut K>> {
        let out = Out::new(place, what)?;
        out.put(std::ptr::null_mut());
        Ok(out)
    }
}

/// Writes where there is a place.
#[inline]
pub(crate) fn put_if<T>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: B1.
        unsafe { place.write(value) };
    }
}
