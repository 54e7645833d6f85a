//! Events: set by one side, waited for by the other.
#![allow(unsafe_code)]

use crate::boundary::{Out, fallible, infallible};
use crate::handle::{Handle, Kind, kind};
use crate::object::Ref;
use crate::source::Source;
use crate::status::Status;
use raddle::EventObject;
use raddle::vm;
use raddle::wait;
use std::os::fd::IntoRawFd;
use std::sync::Arc;

/// An event. Thread-safe.
pub struct Event(Handle<Arc<wait::Event>>);

kind!(Event: Arc<wait::Event>, "raddle_event_t", b"EVNT");

/// An event that is not set. One that resets itself (`is_auto`) ends at most one wait for each time it is set; the other
/// stays set until it is reset.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_event_create(is_auto: bool, out_event: *mut *mut Event) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_event, "out_event")?;
        let event = if is_auto { wait::Event::auto() } else { wait::Event::manual() };
        out.put(Event::create(Arc::new(event)));
        Ok(())
    })
}

/// One holder more. Null is nothing.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_event_retain(event: Option<&Event>) {
    Event::retain(event, "raddle_event_retain");
}

/// One holder less. Null is nothing.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_event_release(event: Option<&Event>) {
    Event::release(event, "raddle_event_release");
}

/// Sets the event: ends the waits for it. Blocks never; nothing that waited runs inside this call.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_event_set(event: Option<&Event>) {
    infallible("raddle_event_set", || Event::demand(event, "raddle_event_set").set());
}

/// Takes the signal back; says whether there was one.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_event_reset(event: Option<&Event>) -> bool {
    infallible("raddle_event_reset", || Event::demand(event, "raddle_event_reset").reset())
}

/// Whether the event is set now.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_event_is_set(event: Option<&Event>) -> bool {
    infallible("raddle_event_is_set", || Event::demand(event, "raddle_event_is_set").is_set())
}

/// A descriptor that is readable while the event is set, for a foreign loop. Poll it, don't read it. The caller closes it.
///
/// ALREADY_EXISTS: the event was exported before.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_event_export(event: Option<&Event>, out_fd: *mut i32) -> *mut Status {
    fallible(|| {
        let out = Out::new(out_fd, "out_fd")?;
        out.put(-1);
        out.put(Event::get(event, "event")?.export()?.into_raw_fd());
        Ok(())
    })
}

/// The event as an argument of a program.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_event_ref(event: Option<&Event>, out_reference: *mut *mut Ref) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_reference, "out_reference")?;
        if let vm::Value::Ref(Some(reference)) = EventObject::value(Event::get(event, "event")?) {
            out.put(Ref::create(reference));
        }
        Ok(())
    })
}

/// The event that a program's reference leads to.
///
/// INVALID_ARGUMENT: it leads to something else.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_ref_event(reference: Option<&Ref>, out_event: *mut *mut Event) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_event, "out_event")?;
        out.put(Event::create(Ref::object::<EventObject>(reference, "reference")?.event().clone()));
        Ok(())
    })
}

/// The event as a wait source.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_event_source(event: Option<&Event>, out_source: *mut *mut Source) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_source, "out_source")?;
        out.put(Source::create(Event::get(event, "event")?.clone()));
        Ok(())
    })
}
