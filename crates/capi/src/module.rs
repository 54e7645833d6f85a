//! Modules: compiled ones, from a file or from memory, and those of the host's.
//!
//! Not here: what is in a module of the host's (`native.rs`).
#![allow(unsafe_code)]

use crate::boundary::{Destroy, Out, Owned, array, fallible, infallible, text};
use crate::handle::{Handle, Kind, kind};
use crate::report::copy_text;
use crate::status::Status;
use raddle::vm::{self, Bytes, NativeModule};
use raddle::{Code, Error, Result};
use std::ffi::{c_char, c_void};

/// A module, to be linked into any number of sessions. Thread-safe.
pub struct Module(Handle<Part>);

pub enum Part {
    Bytecode(vm::Module),
    Native(NativeModule),
}

kind!(Module: Part, "raddle_module_t", b"MODU");

/// Loads and verifies a compiled module (`.vmfb`). Blocks: for reading it.
///
/// NOT_FOUND, PERMISSION_DENIED: the file; otherwise what is wrong with the module.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_module_from_file(path: *const c_char, out_module: *mut *mut Module) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_module, "out_module")?;
        let path = text(path, "path")?;
        let load = || -> Result<vm::Module> {
            let bytes = std::fs::read(path).map_err(|error| {
                let code = match error.kind() {
                    std::io::ErrorKind::NotFound => Code::NotFound,
                    std::io::ErrorKind::PermissionDenied => Code::PermissionDenied,
                    _ => Code::Unavailable,
                };
                Error::new(code, error.to_string())
            })?;
            vm::Module::load(bytes)
        };
        let module = load().map_err(|error| error.within(format!("in {path}")))?;
        out.put(Module::create(Part::Bytecode(module)));
        Ok(())
    })
}

/// Bytes of the host's, which live until `destroy`.
struct Lent {
    bytes: (*const u8, usize),
    _owned: Owned,
}

// SAFETY: B1: the bytes don't change and may be read from any thread until `destroy`.
unsafe impl Send for Lent {}
// SAFETY: as above.
unsafe impl Sync for Lent {}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        array(self.bytes.0, self.bytes.1, "data").unwrap_or_default()
    }
}

/// Verifies a compiled module in memory. With `destroy` the constants are used in place: the bytes must not change until
/// `destroy(user_data)` is called, once, when nobody needs them any more, on failure too. Without it the bytes are copied.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_module_from_memory(
    data: *const c_void,
    size: usize,
    destroy: Destroy,
    user_data: *mut c_void,
    out_module: *mut *mut Module,
) -> *mut Status {
    fallible(|| {
        let owned = destroy.map(|_| Owned::new(user_data, destroy));
        let out = Out::handle(out_module, "out_module")?;
        let bytes = array(data.cast::<u8>(), size, "data")?;
        let bytes = match owned {
            Some(owned) => Bytes::from_owner(Lent { bytes: (data.cast(), size), _owned: owned }),
            None => Bytes::copy_from_slice(bytes),
        };
        out.put(Module::create(Part::Bytecode(vm::Module::load(bytes)?)));
        Ok(())
    })
}

/// Writes the name by which others import from the module, with a final 0, cut to `capacity` bytes, and returns its length
/// without the 0.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_module_name(module: Option<&Module>, buffer: *mut c_char, capacity: usize) -> usize {
    infallible("raddle_module_name", || match Module::demand(module, "raddle_module_name") {
        Part::Bytecode(module) => copy_text(module.name(), buffer, capacity),
        Part::Native(module) => copy_text(module.name(), buffer, capacity),
    })
}

/// One holder more. Null is nothing.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_module_retain(module: Option<&Module>) {
    Module::retain(module, "raddle_module_retain");
}

/// One holder less. Null is nothing. Sessions keep what they need of it.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_module_release(module: Option<&Module>) {
    Module::release(module, "raddle_module_release");
}
