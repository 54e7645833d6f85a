//! Buffers: bytes that programs hold.
#![allow(unsafe_code)]

use crate::boundary::{Destroy, Out, Owned, array, fallible, places};
use crate::object::Ref;
use crate::status::Status;
use raddle::vm;
use std::ffi::c_void;
use std::sync::Arc;

/// A changeable buffer of `size` zeros.
///
/// RESOURCE_EXHAUSTED: no memory.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_buffer_create(size: u64, out_buffer: *mut *mut Ref) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_buffer, "out_buffer")?;
        out.put(Ref::of(vm::Buffer::zeroed(size, 0, None)?));
        Ok(())
    })
}

/// Bytes of the host's, which live until `destroy`.
struct Wrapped {
    bytes: (*const u8, usize),
    _owned: Owned,
}

// SAFETY: B1: the bytes don't change and may be read from any thread until `destroy`.
unsafe impl Send for Wrapped {}
// SAFETY: as above.
unsafe impl Sync for Wrapped {}

impl AsRef<[u8]> for Wrapped {
    fn as_ref(&self) -> &[u8] {
        array(self.bytes.0, self.bytes.1, "data").unwrap_or_default()
    }
}

/// A constant buffer over `size` bytes of the host's; nothing is copied. The bytes must not change until `destroy(user_data)`
/// is called, once, on any thread, when nobody holds the buffer any more. On failure `destroy` is not called.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_buffer_wrap(
    data: *const c_void,
    size: usize,
    destroy: Destroy,
    user_data: *mut c_void,
    out_buffer: *mut *mut Ref,
) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_buffer, "out_buffer")?;
        array(data.cast::<u8>(), size, "data")?;
        let wrapped = Wrapped { bytes: (data.cast(), size), _owned: Owned::new(user_data, destroy) };
        out.put(Ref::of(vm::Buffer::constant(Arc::new(wrapped))));
        Ok(())
    })
}

/// The size in bytes.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_buffer_size(buffer: Option<&Ref>, out_size: *mut usize) -> *mut Status {
    fallible(|| {
        let out = Out::new(out_size, "out_size")?;
        out.put(Ref::object::<vm::Buffer>(buffer, "buffer")?.len());
        Ok(())
    })
}

/// Copies `size` bytes out, from `offset` on.
///
/// OUT_OF_RANGE: the buffer ends before.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_buffer_read(
    buffer: Option<&Ref>,
    offset: usize,
    target: *mut c_void,
    size: usize,
) -> *mut Status {
    fallible(|| {
        let buffer = Ref::object::<vm::Buffer>(buffer, "buffer")?;
        buffer.read(offset, places(target.cast(), size, "target")?)
    })
}

/// Copies `size` bytes in, from `offset` on.
///
/// OUT_OF_RANGE: the buffer ends before. PERMISSION_DENIED: it is constant.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_buffer_write(
    buffer: Option<&Ref>,
    offset: usize,
    source: *const c_void,
    size: usize,
) -> *mut Status {
    fallible(|| {
        let buffer = Ref::object::<vm::Buffer>(buffer, "buffer")?;
        buffer.write(offset, array(source.cast(), size, "source")?)
    })
}

/// The address of the first byte, as long as the buffer lives: for bytes that no program changes meanwhile, and, if
/// `out_is_mutable` says so, for changing them.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_buffer_data(
    buffer: Option<&Ref>,
    out_data: *mut *mut c_void,
    out_is_mutable: *mut bool,
) -> *mut Status {
    fallible(|| {
        let out = Out::new(out_data, "out_data")?;
        let buffer = Ref::object::<vm::Buffer>(buffer, "buffer")?;
        out.put(buffer.as_ptr().as_ptr().cast());
        crate::boundary::put_if(out_is_mutable, buffer.is_mutable());
        Ok(())
    })
}
