//! References to objects that programs hold, and objects that belong to the host.
//!
//! Not here: buffers, lists, events, semaphores and sources, which have files of their own.
#![allow(unsafe_code)]

use crate::boundary::{Destroy, Out, Owned, fallible, infallible, invalid, text};
use crate::handle::{Handle, Kind, kind};
use crate::status::Status;
use raddle::vm;
use std::ffi::{CString, c_char, c_void};

/// A reference to an object that programs can hold: a buffer, a list, an event, something of the host's.
pub struct Ref(Handle<vm::Ref>);

kind!(Ref: vm::Ref, "raddle_ref_t", b"REF.");

impl Ref {
    pub(crate) fn of<T: vm::Object>(object: T) -> *mut Ref {
        Ref::create(vm::Ref::new(object))
    }

    /// The object behind a reference.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: it is of another type.
    pub(crate) fn object<'a, T: vm::Object>(this: Option<&'a Ref>, what: &str) -> raddle::Result<&'a T> {
        let reference = Ref::get(this, what)?;
        reference.get::<T>().ok_or_else(|| {
            invalid(format!("`{what}` leads to a {}, a {} is needed", reference.ty().name(), T::NAME))
        })
    }
}

/// One holder more. Null is nothing.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_ref_retain(reference: Option<&Ref>) {
    Ref::retain(reference, "raddle_ref_retain");
}

/// One holder less. Null is nothing.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_ref_release(reference: Option<&Ref>) {
    Ref::release(reference, "raddle_ref_release");
}

/// Whether both lead to the same object; null equals null.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_ref_equal(a: Option<&Ref>, b: Option<&Ref>) -> bool {
    infallible("raddle_ref_equal", || match (a, b) {
        (None, None) => true,
        (Some(_), Some(_)) => Ref::demand(a, "raddle_ref_equal") == Ref::demand(b, "raddle_ref_equal"),
        _ => false,
    })
}

/// Writes the name of the object's type ("vm.buffer") with a final 0, cut to `capacity` bytes, and returns its length
/// without the 0.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_ref_type_name(
    reference: Option<&Ref>,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    infallible("raddle_ref_type_name", || {
        let name = Ref::demand(reference, "raddle_ref_type_name").ty().name();
        crate::report::copy_text(name, buffer, capacity)
    })
}

/// An object of the host's that programs hold and pass around.
struct HostObject {
    owned: Owned,
    tag: CString,
}

impl vm::Object for HostObject {
    const NAME: &'static str = "raddle.object";
}

/// Makes an object of `data`, which `destroy` ends when nobody holds the object any more, on any thread. `tag` says what it
/// is, and is compared by `raddle_ref_object`. On failure `destroy` is not called.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_object_create(
    tag: *const c_char,
    data: *mut c_void,
    destroy: Destroy,
    out_reference: *mut *mut Ref,
) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_reference, "out_reference")?;
        let tag = CString::new(text(tag, "tag")?).unwrap_or_default();
        out.put(Ref::of(HostObject { owned: Owned::new(data, destroy), tag }));
        Ok(())
    })
}

/// The data of an object of the host's with this tag.
///
/// INVALID_ARGUMENT: the reference is null, or leads to something else.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_ref_object(
    reference: Option<&Ref>,
    tag: *const c_char,
    out_data: *mut *mut c_void,
) -> *mut Status {
    fallible(|| {
        let out = Out::new(out_data, "out_data")?;
        out.put(std::ptr::null_mut());
        let (object, tag) = (Ref::object::<HostObject>(reference, "reference")?, text(tag, "tag")?);
        if object.tag.as_bytes() != tag.as_bytes() {
            let known = object.tag.to_string_lossy();
            return Err(invalid(format!("`reference` leads to an object `{known}`, `{tag}` is needed")));
        }
        out.put(object.owned.data.0);
        Ok(())
    })
}
