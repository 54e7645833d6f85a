//! Timeline semaphores: a value that only grows.
#![allow(unsafe_code)]

use crate::boundary::{Out, fallible, invalid};
use crate::handle::{Handle, Kind, kind};
use crate::object::Ref;
use crate::source::Source;
use crate::status::Status;
use raddle::SemaphoreObject;
use raddle::vm;
use raddle::wait;
use std::sync::Arc;

/// A timeline semaphore. Thread-safe.
pub struct Semaphore(Handle<Arc<wait::Semaphore>>);

kind!(Semaphore: Arc<wait::Semaphore>, "raddle_semaphore_t", b"SEMA");

/// A semaphore that stands at `value`.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_semaphore_create(value: u64, out_semaphore: *mut *mut Semaphore) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_semaphore, "out_semaphore")?;
        out.put(Semaphore::create(Arc::new(wait::Semaphore::new(value))));
        Ok(())
    })
}

/// One holder more. Null is nothing.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_semaphore_retain(semaphore: Option<&Semaphore>) {
    Semaphore::retain(semaphore, "raddle_semaphore_retain");
}

/// One holder less. Null is nothing.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_semaphore_release(semaphore: Option<&Semaphore>) {
    Semaphore::release(semaphore, "raddle_semaphore_release");
}

/// Raises the value: ends the waits up to it. Nothing that waited runs inside this call.
///
/// INVALID_ARGUMENT: `value` is not above the present one; otherwise the failure of a semaphore that has failed.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_semaphore_signal(semaphore: Option<&Semaphore>, value: u64) -> *mut Status {
    fallible(|| Semaphore::get(semaphore, "semaphore")?.signal(value))
}

/// Fails the semaphore for good: its waits, present and later, end with a copy of `status`, which is borrowed. The first
/// failure stays.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_semaphore_fail(
    semaphore: Option<&Semaphore>,
    status: Option<&Status>,
) -> *mut Status {
    fallible(|| {
        let error =
            Status::error(status)?.ok_or_else(|| invalid("`status` is null: success is no failure"))?;
        Semaphore::get(semaphore, "semaphore")?.fail(error);
        Ok(())
    })
}

/// The value that was signalled last, or the failure.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_semaphore_value(semaphore: Option<&Semaphore>, out_value: *mut u64) -> *mut Status {
    fallible(|| {
        let out = Out::new(out_value, "out_value")?;
        out.put(Semaphore::get(semaphore, "semaphore")?.value()?);
        Ok(())
    })
}

/// The semaphore as an argument of a program.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_semaphore_ref(
    semaphore: Option<&Semaphore>,
    out_reference: *mut *mut Ref,
) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_reference, "out_reference")?;
        let value = SemaphoreObject::value(Semaphore::get(semaphore, "semaphore")?);
        if let vm::Value::Ref(Some(reference)) = value {
            out.put(Ref::create(reference));
        }
        Ok(())
    })
}

/// The semaphore that a program's reference leads to.
///
/// INVALID_ARGUMENT: it leads to something else.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_ref_semaphore(
    reference: Option<&Ref>,
    out_semaphore: *mut *mut Semaphore,
) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_semaphore, "out_semaphore")?;
        let object = Ref::object::<SemaphoreObject>(reference, "reference")?;
        out.put(Semaphore::create(object.semaphore().clone()));
        Ok(())
    })
}

/// A wait source: ready when the semaphore has reached `value`.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_semaphore_source(
    semaphore: Option<&Semaphore>,
    value: u64,
    out_source: *mut *mut Source,
) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_source, "out_source")?;
        out.put(Source::create(Arc::new(Semaphore::get(semaphore, "semaphore")?.at(value))));
        Ok(())
    })
}
