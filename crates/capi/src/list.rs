//! Lists: values that programs hold.
#![allow(unsafe_code)]

use crate::boundary::{Out, fallible};
use crate::object::Ref;
use crate::status::Status;
use crate::value::Value;
use raddle::vm;

/// An empty list of anything.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_list_create(out_list: *mut *mut Ref) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_list, "out_list")?;
        out.put(Ref::of(vm::List::from_values([])));
        Ok(())
    })
}

/// Adds a copy of `value`, converted to the list's type; a reference is retained.
///
/// UNAVAILABLE: a program is changing the list at this moment.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_list_push(list: Option<&Ref>, value: Value) -> *mut Status {
    fallible(|| Ref::object::<vm::List>(list, "list")?.push(value.to_rust()?))
}

/// How many elements there are.
///
/// UNAVAILABLE: see `raddle_list_push`.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_list_size(list: Option<&Ref>, out_size: *mut usize) -> *mut Status {
    fallible(|| {
        let out = Out::new(out_size, "out_size")?;
        out.put(Ref::object::<vm::List>(list, "list")?.len()?);
        Ok(())
    })
}

/// The element at `index`; a reference is the caller's to release.
///
/// OUT_OF_RANGE: there is none. UNAVAILABLE: see `raddle_list_push`.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_list_get(list: Option<&Ref>, index: usize, out_value: *mut Value) -> *mut Status {
    fallible(|| {
        let out = Out::new(out_value, "out_value")?;
        out.put(Value::EMPTY);
        out.put(Value::of_rust(Ref::object::<vm::List>(list, "list")?.get(index)?));
        Ok(())
    })
}
