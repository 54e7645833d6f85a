//! Buffer views: tensors as programs take and return them.
//!
//! Not here: bytes without a shape (`buffer.rs`).
#![allow(unsafe_code)]

use crate::boundary::{Destroy, Out, Owned, array, fallible, invalid, places, put_if};
use crate::device::Device;
use crate::handle::Kind;
use crate::object::Ref;
use crate::options::{self, Options};
use crate::status::Status;
use raddle::hal::{Buffer, BufferParams, BufferView, ENCODING_DENSE, ElementType};
use raddle::vm::RefOf;
use std::ffi::c_void;
use std::ptr::NonNull;

/// A dense tensor with a copy of `size` bytes. `element_type` is IREE's number: `kind << 24 | bits` (0x21000020 is f32,
/// 0x10000020 i32).
///
/// INVALID_ARGUMENT: a tensor of this shape has another size. RESOURCE_EXHAUSTED: no memory.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_buffer_view_create(
    device: Option<&Device>,
    element_type: u32,
    shape: *const u64,
    rank: usize,
    data: *const c_void,
    size: usize,
    out_view: *mut *mut Ref,
) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_view, "out_view")?;
        let allocator = Device::get(device, "device")?.allocator();
        let (shape, bytes) = (array(shape, rank, "shape")?, array(data.cast(), size, "data")?);
        out.put(Ref::of(BufferView::from_bytes(allocator, ElementType(element_type), shape, bytes)?));
        Ok(())
    })
}

/// A dense tensor over `size` bytes of the host's, without a copy: programs may read and write them until
/// `destroy(user_data)` is called, once, on any thread, when nobody holds them any more. On failure it is not called.
///
/// INVALID_ARGUMENT: a tensor of this shape has another size. OUT_OF_RANGE: `data` is no multiple of 64.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_buffer_view_wrap(
    element_type: u32,
    shape: *const u64,
    rank: usize,
    data: *mut c_void,
    size: usize,
    destroy: Destroy,
    user_data: *mut c_void,
    out_view: *mut *mut Ref,
) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_view, "out_view")?;
        let (shape, element) = (array(shape, rank, "shape")?, ElementType(element_type));
        let data = NonNull::new(data.cast::<u8>()).ok_or_else(|| invalid("`data` is null"))?;
        if element.dense_bytes(shape) != Some(size as u64) {
            return Err(invalid(format!("{size} bytes for a tensor {shape:?} of {element}")));
        }
        let owned = Box::new(std::sync::Arc::new(Owned::borrowed(user_data)));
        let keeper = std::sync::Arc::clone(&owned);
        // SAFETY: B1: the bytes stay until `destroy`, and are the programs' meanwhile.
        let buffer = unsafe { Buffer::borrowed(data, size, owned, BufferParams::default()) }?;
        keeper.adopt(destroy);
        out.put(Ref::of(BufferView::new(RefOf::new(buffer), element, ENCODING_DENSE, shape)));
        Ok(())
    })
}

/// What is known of a tensor.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct BufferViewInfo {
    /// `sizeof(raddle_buffer_view_info_t)`, set by the caller.
    pub struct_size: usize,
    /// IREE's number of the element type.
    pub element_type: u32,
    /// IREE's number of the layout; 1 is dense, row by row.
    pub encoding: u32,
    /// How many extents the shape has.
    pub rank: usize,
    /// The length of its buffer, in bytes.
    pub size: u64,
}

// SAFETY: O1.
unsafe impl Options for BufferViewInfo {
    const NAME: &'static str = "raddle_buffer_view_info_t";
}

/// What is known of a tensor. The first `shape_capacity` extents are written to `shape`, which may be null.
///
/// INVALID_ARGUMENT: the reference leads to something else.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_buffer_view_info(
    view: Option<&Ref>,
    out_info: *mut BufferViewInfo,
    shape: *mut u64,
    shape_capacity: usize,
) -> *mut Status {
    fallible(|| {
        let view = Ref::object::<BufferView>(view, "view")?;
        for (place, extent) in places(shape, shape_capacity, "shape")?.iter_mut().zip(view.shape()) {
            *place = *extent;
        }
        let info = BufferViewInfo {
            struct_size: 0,
            element_type: view.element_type().0,
            encoding: view.encoding(),
            rank: view.shape().len(),
            size: view.buffer().length(),
        };
        options::write(out_info, info)
    })
}

/// Copies `size` bytes out, from `offset` on. What is read is settled only behind the fence of whoever wrote it; results of
/// programs without fences are settled.
///
/// OUT_OF_RANGE: the tensor ends before. FAILED_PRECONDITION: it does not exist yet.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_buffer_view_read(
    view: Option<&Ref>,
    offset: u64,
    target: *mut c_void,
    size: usize,
    out_left: *mut u64,
) -> *mut Status {
    fallible(|| {
        let buffer = Ref::object::<BufferView>(view, "view")?.buffer();
        buffer.read(offset, places(target.cast(), size, "target")?)?;
        put_if(out_left, buffer.length() - offset - size as u64);
        Ok(())
    })
}
