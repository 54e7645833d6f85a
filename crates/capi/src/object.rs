//! References to objects that programs hold, and objects that belong to the host.
//!
//! Not here: buffers, lists, events, semaphores and sources, which have files of their own.
#![allow(unsafe_code)]

use crate::boundary::{Destroy, Out, Owned, fallible, infallible, invalid, text};
use crate::handle::{Handle, Kind, kind};
use crate::status::Status;
use raddle::vm;
use std::collections::BTreeMap;
use std::ffi::{c_char, c_void};
use std::sync::{PoisonError, RwLock};

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
        Ref::object_ref::<T>(this, what).map(|object| &**object)
    }

    /// The same as a reference, to be kept.
    ///
    /// # Errors
    /// As for `object`.
    pub(crate) fn object_ref<'a, T: vm::Object>(
        this: Option<&'a Ref>,
        what: &str,
    ) -> raddle::Result<&'a vm::RefOf<T>> {
        let reference = Ref::get(this, what)?;
        reference.downcast_ref::<T>().ok_or_else(|| {
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

/// An object of the host's that programs hold and pass around, of a type that has a name.
struct HostObject(Owned);

impl vm::Object for HostObject {
    const NAME: &'static str = "raddle.object";
}

/// The type of the host's objects of this name.
///
/// # Errors
/// INVALID_ARGUMENT: it is no name.
pub(crate) fn host_type(name: &str) -> raddle::Result<vm::Type> {
    /// For the whole process and for ever, as types are: once each.
    static TYPES: RwLock<BTreeMap<&str, vm::Type>> = RwLock::new(BTreeMap::new());
    if let Some(known) = TYPES.read().unwrap_or_else(PoisonError::into_inner).get(name) {
        return Ok(*known);
    }
    if name.is_empty() || name.starts_with('!') {
        return Err(invalid(format!("`{name}` is no name of a type: write it as `app.thing`")));
    }
    let mut types = TYPES.write().unwrap_or_else(PoisonError::into_inner);
    let name: &'static str = name.to_owned().leak();
    Ok(*types.entry(name).or_insert_with(|| vm::Type::named::<HostObject>(name)))
}

/// Makes an object of `data`, which `destroy` ends when nobody holds the object any more, on any thread. `type_name` says
/// what it is ("app.thing"): the name that `raddle_ref_object` and `raddle_ref_type_name` know it by, and that programs
/// write as `!vm.ref<!app.thing>` if a module of the host's has it among its `types`. Names are kept for the life of the
/// process: don't make one for each object. On failure `destroy` is not called.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_object_create(
    type_name: *const c_char,
    data: *mut c_void,
    destroy: Destroy,
    out_reference: *mut *mut Ref,
) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_reference, "out_reference")?;
        let ty = host_type(text(type_name, "type_name")?)?;
        out.put(Ref::create(vm::Ref::of_type(ty, HostObject(Owned::new(data, destroy)))));
        Ok(())
    })
}

/// The data of an object of the host's of this type.
///
/// INVALID_ARGUMENT: the reference is null, or leads to something else.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_ref_object(
    reference: Option<&Ref>,
    type_name: *const c_char,
    out_data: *mut *mut c_void,
) -> *mut Status {
    fallible(|| {
        let out = Out::new(out_data, "out_data")?;
        out.put(std::ptr::null_mut());
        let (reference, wanted) = (Ref::get(reference, "reference")?, text(type_name, "type_name")?);
        let known = reference.ty().name();
        match reference.get::<HostObject>() {
            Some(object) if known == wanted => out.put(object.0.data.0),
            _ => return Err(invalid(format!("`reference` leads to a {known}, a {wanted} is needed"))),
        }
        Ok(())
    })
}
