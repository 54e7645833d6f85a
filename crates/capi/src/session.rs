//! Sessions: modules that see each other, and their state.
#![allow(unsafe_code)]

use crate::boundary::{Out, array, fallible, infallible, text};
use crate::device::Device;
use crate::function::{Function, Target};
use crate::handle::{Handle, Kind, kind};
use crate::module::{Module, Part};
use crate::options::{self, Options};
use crate::report::copy_text;
use crate::runtime::Runtime;
use crate::status::Status;
use raddle::vm::Limits;
use raddle::{Moment, Result};
use std::ffi::c_char;

/// Linked modules with their state. Thread-safe. If its programs change globals, one invocation runs at a time; the others
/// wait without a thread. It does not keep the runtime; what came out of it outlives it.
pub struct Session(Handle<raddle::Session>);

kind!(Session: raddle::Session, "raddle_session_t", b"SESS");

/// What the programs of a session may use. Zero is the default of every field but `struct_size`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SessionOptions {
    /// `sizeof(raddle_session_options_t)`.
    pub struct_size: usize,
    /// The stack of one invocation, in bytes.
    pub stack_bytes_max: usize,
    /// Elements of one list.
    pub list_length_max: u32,
    /// Memory of all objects that its programs have made, in bytes.
    pub allocation_bytes_max: u64,
    /// How many devices.
    pub device_count: usize,
    /// The devices that programs of tensors find through the module `hal`: the first that suits a program is the one it uses.
    /// Borrowed.
    pub devices: *const *const Device,
}

// SAFETY: O1.
unsafe impl Options for SessionOptions {
    const NAME: &'static str = "raddle_session_options_t";
}

/// Links modules, in order of dependency, and runs their `__init` functions on this thread. The module `raddle` is there from
/// the start. The modules are borrowed; `options` may be null.
///
/// NOT_FOUND: an import or a dependency is missing; otherwise what linking or an `__init` function fails with.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_session_create(
    runtime: Option<&Runtime>,
    modules: *const *const Module,
    module_count: usize,
    options: *const SessionOptions,
    out_session: *mut *mut Session,
) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_session, "out_session")?;
        let mut builder = Runtime::get(runtime, "runtime")?.session().limits(limits(options)?);
        let options = options::read(options)?;
        for device in array(options.devices, options.device_count, "devices")? {
            // SAFETY: B1.
            builder = builder.device(Device::get(unsafe { device.as_ref() }, "a device")?);
        }
        for module in array(modules, module_count, "modules")? {
            // SAFETY: B1.
            let module = unsafe { module.as_ref() };
            builder = match Module::get(module, "a module")? {
                Part::Bytecode(module) => builder.module(module.clone()),
                Part::Native(module) => builder.native(module.clone()),
            };
        }
        out.put(Session::create(builder.build()?));
        Ok(())
    })
}

fn limits(options: *const SessionOptions) -> Result<Limits> {
    let (options, mut limits) = (options::read(options)?, Limits::default());
    if options.stack_bytes_max > 0 {
        limits.stack_bytes_max = options.stack_bytes_max;
    }
    if options.list_length_max > 0 {
        limits.list_length_max = options.list_length_max;
    }
    if options.allocation_bytes_max > 0 {
        limits.allocation_bytes_max = options.allocation_bytes_max;
    }
    Ok(limits)
}

/// The function with this name: "module.function", or an export of the last module. Look it up once and call it often.
///
/// NOT_FOUND: there is none.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_session_function(
    session: Option<&Session>,
    name: *const c_char,
    out_function: *mut *mut Function,
) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_function, "out_function")?;
        let session = Session::get(session, "session")?;
        out.put(Function::create(Target::new(session, text(name, "name")?)?));
        Ok(())
    })
}

/// How many functions the last compiled module exports.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_session_export_count(session: Option<&Session>) -> usize {
    infallible("raddle_session_export_count", || {
        Session::demand(session, "raddle_session_export_count").exports().count()
    })
}

/// Writes the name of the export with this index, with a final 0, cut to `capacity` bytes, and returns its length without
/// the 0; 0 if there is none.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_session_export_name(
    session: Option<&Session>,
    index: usize,
    buffer: *mut c_char,
    capacity: usize,
) -> usize {
    infallible("raddle_session_export_name", || {
        let session = Session::demand(session, "raddle_session_export_name");
        copy_text(session.exports().nth(index).unwrap_or_default(), buffer, capacity)
    })
}

/// A session of the same modules with a copy of the state as it is now: the invocations of each see nothing of the other's.
/// Objects that globals refer to are shared; modules of the host's make a new state. A few microseconds.
///
/// UNAVAILABLE: the session is stateful, and an invocation is under way. Otherwise what `create_state` of a module fails with.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_session_fork(
    session: Option<&Session>,
    out_session: *mut *mut Session,
) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_session, "out_session")?;
        out.put(Session::create(Session::get(session, "session")?.fork()?));
        Ok(())
    })
}

/// Whether invocations run one at a time.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_session_is_stateful(session: Option<&Session>) -> bool {
    infallible("raddle_session_is_stateful", || {
        Session::demand(session, "raddle_session_is_stateful").is_stateful()
    })
}

/// How many invocations of the session have begun and not ended.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_session_pending(session: Option<&Session>) -> usize {
    infallible("raddle_session_pending", || {
        Session::demand(session, "raddle_session_pending").scope().pending()
    })
}

/// Cancels all invocations of the session, for good: later ones end as cancelled too.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_session_cancel(session: Option<&Session>) {
    infallible("raddle_session_cancel", || {
        Session::demand(session, "raddle_session_cancel").scope().cancel()
    });
}

/// Waits until no invocation of the session runs or waits. Blocks: so long, at most until `deadline`; on a runtime that the
/// host drives it turns meanwhile.
///
/// DEADLINE_EXCEEDED; FAILED_PRECONDITION: the wait would put the last worker to sleep.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_session_wait_idle(session: Option<&Session>, deadline: Moment) -> *mut Status {
    fallible(|| Session::get(session, "session")?.scope().wait_idle(deadline))
}

/// One holder more. Null is nothing.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_session_retain(session: Option<&Session>) {
    Session::retain(session, "raddle_session_retain");
}

/// One holder less. Null is nothing. Functions and invocations keep what they need of it.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_session_release(session: Option<&Session>) {
    Session::release(session, "raddle_session_release");
}
