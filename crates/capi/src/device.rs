//! Devices: where programs compute on tensors.
//!
//! Not here: tensors (`view.rs`), fences (`fence.rs`).
#![allow(unsafe_code)]

use crate::boundary::{Out, fallible, infallible, text_or_none};
use crate::handle::{Handle, Kind, kind};
use crate::options::{self, Options};
use crate::runtime::Runtime;
use crate::status::Status;
use raddle::hal::{self, NativeCode};
use std::ffi::c_char;

/// A device on this processor, for the programs of one runtime. Thread-safe.
pub struct Device(Handle<hal::Device>);

kind!(Device: hal::Device, "raddle_device_t", b"DEVI");

/// How a device is made. Zero is the default of every field but `struct_size`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct DeviceOptions {
    /// `sizeof(raddle_device_options_t)`.
    pub struct_size: usize,
    /// What programs ask for with patterns such as `local*`; null for "local-task". Copied.
    pub id: *const c_char,
    /// 1: executables of machine code are loaded. They run with the rights of the process: only for modules whose makers you
    /// would run a program of.
    pub is_native_code_run: u32,
    /// 1: everything runs on the thread that makes it ready, however large it is.
    pub is_inline_only: u32,
    /// The memory that its buffers may take at a time, in bytes; 0 for what the machine has.
    pub memory_bytes_max: u64,
}

// SAFETY: O1.
unsafe impl Options for DeviceOptions {
    const NAME: &'static str = "raddle_device_options_t";
}

/// A device whose waits and large work are carried by this runtime. `options` may be null: such a device runs no machine code.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_device_create(
    runtime: Option<&Runtime>,
    options: *const DeviceOptions,
    out_device: *mut *mut Device,
) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_device, "out_device")?;
        let mut builder = hal::Device::builder(Runtime::get(runtime, "runtime")?.executor());
        let options = options::read(options)?;
        if let Some(id) = text_or_none(options.id, "id")? {
            builder = builder.id(id);
        }
        if options.is_native_code_run != 0 {
            // SAFETY: B1: the host vouches for the modules that it loads.
            builder = builder.native_code(unsafe { NativeCode::run() });
        }
        if options.is_inline_only != 0 {
            builder = builder.inline_only();
        }
        if options.memory_bytes_max > 0 {
            builder = builder.memory_bytes_max(options.memory_bytes_max);
        }
        out.put(Device::create(builder.build()?));
        Ok(())
    })
}

/// One holder more. Null is nothing.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_device_retain(device: Option<&Device>) {
    Device::retain(device, "raddle_device_retain");
}

/// One holder less. Null is nothing. Sessions and tensors keep what they need of it.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_device_release(device: Option<&Device>) {
    infallible("raddle_device_release", || Device::release(device, "raddle_device_release"));
}
