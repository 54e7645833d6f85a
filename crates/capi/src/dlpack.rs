//! DLPack: tensors from other libraries and for them, without a copy.
//!
//! Not here: tensors over bytes that have no such description (`view.rs`).
//!
//! The structs are those of DLPack's `dlpack.h`, version 1.1, which C includes for itself. A tensor's deleter is called once:
//! when nobody holds what was imported any more, or by whoever holds what was exported.
//!
//! # Invariants
//! - D1: what is exported begins a box of `Exported`, which only its deleter ends. (by construction: `export`)
#![allow(unsafe_code)]

use crate::boundary::{Destroy, Out, array, fallible, infallible, invalid};
use crate::object::Ref;
use crate::status::Status;
use crate::view::{Wrapping, wrap};
use raddle::hal::{BufferView, ENCODING_DENSE, ElementType, flags::access};
use raddle::vm::RefOf;
use raddle::{Code, Error, Result};
use std::ffi::c_void;

/// `DLTensor`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct DLTensor {
    data: *mut c_void,
    /// `DLDevice`.
    device_type: i32,
    device_id: i32,
    ndim: i32,
    dtype: DLDataType,
    shape: *mut i64,
    /// Unit: elements. Null: dense, row by row.
    strides: *mut i64,
    byte_offset: u64,
}

/// `DLDataType`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct DLDataType {
    code: u8,
    bits: u8,
    lanes: u16,
}

/// `DLManagedTensor`.
#[repr(C)]
pub struct DLManagedTensor {
    tensor: DLTensor,
    context: *mut c_void,
    /// Gets the struct.
    deleter: Destroy,
}

/// `DLManagedTensorVersioned`.
#[repr(C)]
pub struct DLManagedTensorVersioned {
    /// `DLPackVersion`.
    major: u32,
    minor: u32,
    context: *mut c_void,
    /// Gets the struct.
    deleter: Destroy,
    flags: u64,
    tensor: DLTensor,
}

const _: () = assert!(size_of::<DLTensor>() == 48);
const _: () = assert!(size_of::<DLManagedTensor>() == 64);
const _: () = assert!(size_of::<DLManagedTensorVersioned>() == 80);

const VERSION: (u32, u32) = (1, 1);
/// `kDLCPU`.
const CPU: i32 = 1;
/// `DLPACK_FLAG_BITMASK_READ_ONLY`.
const READ_ONLY: u64 = 1;

/// DLPack's codes of kinds of elements, and IREE's. The first of a code is what it is imported as.
const KINDS: [(u8, u32); 12] = [
    (0, 0x10),
    (0, 0x11),
    (1, 0x12),
    (2, 0x21),
    (4, 0x22),
    (5, 0x23),
    (6, 0x13),
    // Of eight bits: e4m3fn, e4m3fnuz, e5m2, e5m2fnuz, e8m0fnu.
    (10, 0x25),
    (11, 0x27),
    (12, 0x24),
    (13, 0x26),
    (14, 0x28),
];

fn unsupported(text: String) -> Error {
    Error::new(Code::Unimplemented, text)
}

/// The element type of imported tensors.
fn import_type(of: DLDataType) -> Result<ElementType> {
    let DLDataType { code, bits, lanes } = of;
    if lanes != 1 {
        return Err(unsupported(format!("elements of {lanes} lanes: a vector is a dimension here")));
    }
    let known = KINDS.iter().find(|(known, _)| *known == code);
    match known {
        Some((_, kind)) if bits.is_power_of_two() && bits >= 8 => {
            Ok(ElementType(kind << 24 | u32::from(bits)))
        }
        _ => Err(unsupported(format!("elements of DLPack's type code {code} with {bits} bits"))),
    }
}

/// The element type of exported tensors.
fn export_type(of: ElementType) -> Result<DLDataType> {
    let (kind, bits) = (of.0 >> 24, of.0 as u8);
    match KINDS.iter().find(|(_, known)| *known == kind) {
        Some((code, _)) if bits.is_multiple_of(8) => Ok(DLDataType { code: *code, bits, lanes: 1 }),
        _ => Err(unsupported(format!("DLPack has no elements of type {of}"))),
    }
}

/// The extents.
fn shape_of(tensor: &DLTensor) -> Result<Vec<u64>> {
    let rank = usize::try_from(tensor.ndim).map_err(|_| invalid(format!("ndim is {}", tensor.ndim)))?;
    let extents = array(tensor.shape.cast_const(), rank, "shape")?.iter();
    extents
        .map(|n| u64::try_from(*n).map_err(|_| invalid(format!("the shape has an extent of {n}"))))
        .collect()
}

/// Fails unless the elements lie row by row, without gaps.
fn check_strides(tensor: &DLTensor, shape: &[u64]) -> Result {
    if tensor.strides.is_null() || shape.contains(&0) {
        return Ok(());
    }
    let strides = array(tensor.strides.cast_const(), shape.len(), "strides")?;
    let mut wanted = 1_u64;
    for (extent, stride) in shape.iter().zip(strides).rev() {
        // Nobody steps along an extent of one.
        if *extent > 1 && *stride != wanted as i64 {
            let text =
                format!("strides {strides:?} of a shape {shape:?} are not dense, row by row: copy it first");
            return Err(invalid(text));
        }
        wanted = wanted.saturating_mul(*extent);
    }
    Ok(())
}

/// A view of a foreign tensor, which `managed` is the struct of.
fn import(tensor: &DLTensor, is_read_only: bool, managed: *mut c_void, deleter: Destroy) -> Result<*mut Ref> {
    if tensor.device_type != CPU {
        return Err(unsupported(format!(
            "memory of DLPack's device type {}, not of the CPU",
            tensor.device_type
        )));
    }
    let (element, shape) = (import_type(tensor.dtype)?, shape_of(tensor)?);
    check_strides(tensor, &shape)?;
    let too_large = || invalid(format!("a tensor {shape:?} of {element} is larger than memory"));
    let size =
        element.dense_bytes(&shape).and_then(|size| usize::try_from(size).ok()).ok_or_else(too_large)?;
    let offset =
        usize::try_from(tensor.byte_offset).map_err(|_| invalid("byte_offset is larger than memory"))?;
    let data = match tensor.data.is_null() {
        true => tensor.data,
        false => tensor.data.wrapping_byte_add(offset),
    };
    let access = if is_read_only { access::READ } else { access::ALL };
    wrap(Wrapping { data, size, element, shape: &shape, access, user_data: managed, destroy: deleter })
}

/// Makes a tensor of a struct of DLPack's, without a copy: programs may read its bytes and, unless it is flagged as
/// read-only, write them. On success it belongs to the tensor, whose last holder has its deleter called, once, on any
/// thread; on failure it stays the caller's.
///
/// A tensor that is flagged as read-only is not written by transfers, which fail with PERMISSION_DENIED; kernels of compiled
/// programs write no arguments but those that are declared as storage for results.
///
/// INCOMPATIBLE: another major version than 1. UNIMPLEMENTED: memory of another device than the CPU, elements of several
/// lanes, or of a type that IREE does not have. INVALID_ARGUMENT: it is not dense, row by row, or is malformed.
/// OUT_OF_RANGE: data and `byte_offset` make no multiple of 64.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_dlpack_import(
    tensor: *mut DLManagedTensorVersioned,
    out_view: *mut *mut Ref,
) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_view, "out_view")?;
        // SAFETY: B1.
        let managed = unsafe { tensor.as_ref() }.ok_or_else(|| invalid("`tensor` is null"))?;
        if managed.major != VERSION.0 {
            let text =
                format!("a tensor of DLPack {}.{}, {}.x is known", managed.major, managed.minor, VERSION.0);
            return Err(Error::new(Code::Incompatible, text));
        }
        let is_read_only = managed.flags & READ_ONLY != 0;
        out.put(import(&managed.tensor, is_read_only, tensor.cast(), managed.deleter)?);
        Ok(())
    })
}

/// The same for the struct of libraries from before DLPack 1.0, which has neither version nor flags: programs may write it.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_dlpack_import_legacy(
    tensor: *mut DLManagedTensor,
    out_view: *mut *mut Ref,
) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_view, "out_view")?;
        // SAFETY: B1.
        let managed = unsafe { tensor.as_ref() }.ok_or_else(|| invalid("`tensor` is null"))?;
        out.put(import(&managed.tensor, false, tensor.cast(), managed.deleter)?);
        Ok(())
    })
}

/// A struct of DLPack's with what it points to.
#[repr(C)]
struct Exported<T> {
    managed: T,
    shape: Vec<i64>,
    strides: Vec<i64>,
    _view: RefOf<BufferView>,
}

/// Ends what was exported.
unsafe extern "C-unwind" fn delete<T>(managed: *mut c_void) {
    infallible("the deleter of an exported tensor", || {
        if !managed.is_null() {
            // SAFETY: D1, and B1: the holder of the struct calls its deleter once.
            drop(unsafe { Box::from_raw(managed.cast::<Exported<T>>()) });
        }
    });
}

/// Describes a tensor; `make` puts the description into a struct, and says where it is in there.
fn export<T>(
    view: Option<&Ref>,
    can_be_read_only: bool,
    make: impl FnOnce(DLTensor, u64, Destroy) -> T,
    tensor_of: impl FnOnce(&mut T) -> &mut DLTensor,
) -> Result<*mut T> {
    let view = Ref::object_ref::<BufferView>(view, "view")?.clone();
    let (element, buffer) = (view.element_type(), view.buffer());
    let dtype = export_type(element)?;
    if view.encoding() != ENCODING_DENSE {
        return Err(unsupported(format!("a layout of encoding {:#x}, which is not dense", view.encoding())));
    }
    let size = element.dense_bytes(view.shape()).filter(|size| *size <= buffer.length());
    let size = size.ok_or_else(|| {
        let (shape, bytes) = (view.shape(), buffer.length());
        Error::new(Code::OutOfRange, format!("a tensor {shape:?} of {element} in a buffer of {bytes} bytes"))
    })?;
    let is_read_only = buffer.params().access & access::WRITE == 0;
    if is_read_only && !can_be_read_only {
        let text = "the tensor is read-only, which the struct from before DLPack 1.0 can't say";
        return Err(Error::new(Code::PermissionDenied, text));
    }
    let data = if size == 0 { std::ptr::null_mut() } else { buffer.data()?.as_ptr().cast() };
    let shape: Vec<i64> = view.shape().iter().map(|extent| *extent as i64).collect();
    let mut strides = vec![1_i64; shape.len()];
    for dim in (1..shape.len()).rev() {
        strides[dim - 1] = strides[dim].saturating_mul(shape[dim]);
    }
    let tensor = DLTensor {
        data,
        device_type: CPU,
        device_id: 0,
        ndim: i32::try_from(shape.len()).map_err(|_| unsupported("too many dimensions".to_owned()))?,
        dtype,
        shape: std::ptr::null_mut(),
        strides: std::ptr::null_mut(),
        byte_offset: 0,
    };
    let managed = make(tensor, if is_read_only { READ_ONLY } else { 0 }, Some(delete::<T>));
    let mut exported = Box::new(Exported { managed, shape, strides, _view: view });
    let (shape, strides) = (exported.shape.as_mut_ptr(), exported.strides.as_mut_ptr());
    let tensor = tensor_of(&mut exported.managed);
    (tensor.shape, tensor.strides) = (shape, strides);
    Ok(Box::into_raw(exported).cast())
}

/// Describes a tensor by a struct of DLPack's, version 1.1, without a copy. Its bytes stay until the struct's deleter is
/// called, which its holder does once, on any thread; view, session, device and runtime may be gone by then. What is read
/// is settled only behind the fence of whoever wrote it; results of programs without fences are settled. It is flagged as
/// read-only if it was imported so.
///
/// UNIMPLEMENTED: elements that DLPack does not have, or a layout that is not dense. FAILED_PRECONDITION: the tensor does
/// not exist yet.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_dlpack_export(
    view: Option<&Ref>,
    out_tensor: *mut *mut DLManagedTensorVersioned,
) -> *mut Status {
    fallible(|| {
        let out = Out::new(out_tensor, "out_tensor")?;
        out.put(std::ptr::null_mut());
        let (major, minor) = VERSION;
        let context = std::ptr::null_mut();
        let make = |tensor, flags, deleter| DLManagedTensorVersioned {
            major,
            minor,
            context,
            deleter,
            flags,
            tensor,
        };
        out.put(export(view, true, make, |managed| &mut managed.tensor)?);
        Ok(())
    })
}

/// The same with the struct of libraries from before DLPack 1.0.
///
/// PERMISSION_DENIED: the tensor is read-only, which that struct can't say. Otherwise as `raddle_dlpack_export`.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_dlpack_export_legacy(
    view: Option<&Ref>,
    out_tensor: *mut *mut DLManagedTensor,
) -> *mut Status {
    fallible(|| {
        let out = Out::new(out_tensor, "out_tensor")?;
        out.put(std::ptr::null_mut());
        let context = std::ptr::null_mut();
        let make = |tensor, _, deleter| DLManagedTensor { tensor, context, deleter };
        out.put(export(view, false, make, |managed| &mut managed.tensor)?);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_dlpack_s_go_there_and_back() {
        for code in [0, 1, 2, 4, 5, 6, 10, 11, 12, 13, 14] {
            for bits in [8, 16, 32, 64, 128] {
                let back = export_type(import_type(DLDataType { code, bits, lanes: 1 }).unwrap()).unwrap();
                assert_eq!((back.code, back.bits, back.lanes), (code, bits, 1));
            }
        }
        assert_eq!(import_type(DLDataType { code: 2, bits: 32, lanes: 1 }).unwrap(), ElementType::FLOAT_32);
        assert_eq!(export_type(ElementType::SINT_16).unwrap().code, 0);
        for (code, bits, lanes) in
            [(2, 32, 4), (2, 4, 1), (3, 64, 1), (17, 8, 1), (0, 12, 1), (u8::MAX, 8, 1)]
        {
            assert_eq!(
                import_type(DLDataType { code, bits, lanes }).unwrap_err().code(),
                Code::Unimplemented
            );
        }
        for element in [ElementType::INT_4, ElementType::OPAQUE_32] {
            assert_eq!(export_type(element).unwrap_err().code(), Code::Unimplemented);
        }
    }
}
