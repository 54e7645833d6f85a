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
use raddle::Result;
use raddle::hal::flags::access;
use raddle::hal::{Buffer, BufferParams, BufferView, ENCODING_DENSE, ElementType, MEMORY_ALIGN};
use raddle::vm::RefOf;
use std::ffi::c_void;
use std::num::NonZero;
use std::ptr::NonNull;
use std::sync::Arc;

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
        if element.dense_bytes(shape) != Some(size as u64) {
            return Err(invalid(format!("{size} bytes for a tensor {shape:?} of {element}")));
        }
        out.put(wrap(Wrapping { data, size, element, shape, access: access::ALL, user_data, destroy })?);
        Ok(())
    })
}

/// Bytes of somebody else's that are to be a tensor's, which they fit.
pub(crate) struct Wrapping<'a> {
    pub(crate) data: *mut c_void,
    pub(crate) size: usize,
    pub(crate) element: ElementType,
    pub(crate) shape: &'a [u64],
    pub(crate) access: u32,
    /// Taken over on success.
    pub(crate) user_data: *mut c_void,
    pub(crate) destroy: Destroy,
}

/// A dense tensor over such bytes.
///
/// # Errors
/// INVALID_ARGUMENT: no bytes. OUT_OF_RANGE: they begin at no multiple of 64.
pub(crate) fn wrap(wrapping: Wrapping<'_>) -> Result<*mut Ref> {
    let Wrapping { data, size, element, shape, access, user_data, destroy } = wrapping;
    // A tensor without elements needs no bytes.
    let nowhere = NonNull::without_provenance(NonZero::new(MEMORY_ALIGN).expect("an alignment"));
    let data = match NonNull::new(data.cast::<u8>()) {
        None if size == 0 => nowhere,
        data => data.ok_or_else(|| invalid("`data` is null"))?,
    };
    let owned = Arc::new(Owned::borrowed(user_data));
    let params = BufferParams { access, ..BufferParams::default() };
    // SAFETY: B1: the bytes stay until `destroy`, and are the programs' meanwhile.
    let buffer = unsafe { Buffer::borrowed(data, size, Box::new(Arc::clone(&owned)), params) }
        .map_err(|error| error.within("copy them with raddle_buffer_view_create, or have them aligned"))?;
    owned.adopt(destroy);
    Ok(Ref::of(BufferView::new(RefOf::new(buffer), element, ENCODING_DENSE, shape)))
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

/// The address of the first byte, without a copy: the bytes are the tensor's own and stay as long as the reference,
/// whatever becomes of session, device and runtime. They may be changed if `out_is_mutable` says so and no program uses the
/// tensor meanwhile. What is read is settled only behind the fence of whoever wrote it. `out_size` (in bytes) and
/// `out_is_mutable` may be null.
///
/// FAILED_PRECONDITION: the tensor does not exist yet.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_buffer_view_data(
    view: Option<&Ref>,
    out_data: *mut *mut c_void,
    out_size: *mut u64,
    out_is_mutable: *mut bool,
) -> *mut Status {
    fallible(|| {
        let out = Out::new(out_data, "out_data")?;
        out.put(std::ptr::null_mut());
        let view = Ref::object::<BufferView>(view, "view")?;
        let buffer = view.buffer();
        out.put(buffer.data()?.as_ptr().cast());
        put_if(
            out_size,
            view.element_type().dense_bytes(view.shape()).unwrap_or(u64::MAX).min(buffer.length()),
        );
        put_if(out_is_mutable, buffer.params().access & access::WRITE != 0);
        Ok(())
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
