//! What a native library and its host hand each other: library interface, version 6.
//!
//! Structures that the host makes are Rust structures with checked offsets; those that the library makes are read field
//! by field from its image, so that only their offsets stand here.
//!
//! # Sources
//! Offsets were checked against compiled executables of iree-compile 3.13.

use std::ffi::{c_char, c_void};
use std::mem::offset_of;

/// The only version that is asked for: generated code compares for equality.
pub(crate) const VERSION: u32 = 6;
/// The one symbol that a library has.
pub(crate) const QUERY_SYMBOL: &str = "iree_hal_executable_library_query";
/// Constants, and bindings, that one dispatch can have.
pub(crate) const DISPATCH_ARGUMENTS_MAX: usize = 64;
/// Unit of `local_memory_pages`. Unit: bytes.
pub(crate) const LOCAL_MEMORY_PAGE_BYTES: usize = 4096;

/// The function behind [`QUERY_SYMBOL`]: (newest version that the host knows, environment) to header.
pub(crate) type Query = unsafe extern "C" fn(u32, *const Environment) -> *const c_void;
/// A workgroup function: 0, or any other number for a failure that ends the dispatch.
pub(crate) type Kernel =
    unsafe extern "C" fn(*const Environment, *const DispatchState, *const WorkgroupState) -> u32;
/// (function, parameters, context, reserved) to status.
pub(crate) type ImportThunk =
    unsafe extern "C" fn(*const c_void, *mut c_void, *mut c_void, *mut c_void) -> u32;

/// Offsets in the header, which the query function returns the address of.
pub(crate) mod header {
    pub(crate) const BYTES: u64 = 24;
    pub(crate) const VERSION: usize = 0;
    pub(crate) const SANITIZER: usize = 20;
}

/// Offsets in the library, whose first field is the address of the header.
pub(crate) mod library {
    pub(crate) const BYTES: u64 = 128;
    pub(crate) const HEADER: usize = 0;
    pub(crate) const IMPORT_COUNT: usize = 8;
    pub(crate) const IMPORT_SYMBOLS: usize = 16;
    pub(crate) const EXPORT_COUNT: usize = 24;
    pub(crate) const EXPORT_FUNCTIONS: usize = 32;
    pub(crate) const EXPORT_ATTRIBUTES: usize = 40;
    pub(crate) const EXPORT_NAMES: usize = 64;
    pub(crate) const CONSTANT_COUNT: usize = 104;
}

/// Offsets in the attributes of one export.
pub(crate) mod attributes {
    pub(crate) const BYTES: u64 = 64;
    pub(crate) const FLAGS: usize = 0;
    pub(crate) const LOCAL_MEMORY_PAGES: usize = 8;
    pub(crate) const CONSTANT_COUNT: usize = 10;
    pub(crate) const BINDING_COUNT: usize = 11;
    pub(crate) const WORKGROUP_SIZE_X: usize = 12;
    pub(crate) const WORKGROUP_SIZE_Y: usize = 16;
    pub(crate) const WORKGROUP_SIZE_Z: usize = 20;
    /// Bit of `FLAGS`: neighbouring workgroups share data.
    pub(crate) const SEQUENTIAL: u64 = 1;
    /// Bit of `FLAGS`: the dispatch, not the export, says how large a workgroup is.
    pub(crate) const WORKGROUP_SIZE_DYNAMIC: u64 = 2;
}

/// What all calls into one library share.
#[repr(C, align(16))]
#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) constants: *const u32,
    pub(crate) import_thunk: Option<ImportThunk>,
    pub(crate) import_functions: *const *const c_void,
    pub(crate) import_contexts: *const *mut c_void,
    pub(crate) processor: [u64; 8],
}

/// What all workgroups of one dispatch share.
#[repr(C, align(16))]
#[derive(Debug)]
pub(crate) struct DispatchState {
    pub(crate) workgroup_size_x: u32,
    pub(crate) workgroup_size_y: u32,
    pub(crate) workgroup_size_z: u16,
    pub(crate) constant_count: u16,
    pub(crate) workgroup_count_x: u32,
    pub(crate) workgroup_count_y: u32,
    pub(crate) workgroup_count_z: u16,
    pub(crate) concurrency_max: u8,
    pub(crate) binding_count: u8,
    pub(crate) constants: *const u32,
    pub(crate) binding_pointers: *const *mut u8,
    pub(crate) binding_lengths: *const usize,
}

/// One workgroup.
#[repr(C, align(16))]
#[derive(Debug)]
pub(crate) struct WorkgroupState {
    pub(crate) x: u32,
    pub(crate) y: u32,
    pub(crate) z: u16,
    pub(crate) reserved: u16,
    pub(crate) processor: u32,
    pub(crate) local_memory: *mut c_void,
    pub(crate) local_memory_bytes: u32,
}

const _: () = {
    assert!(size_of::<*const c_char>() == 8);
    assert!(size_of::<Environment>() == 96 && offset_of!(Environment, processor) == 32);
    assert!(offset_of!(Environment, import_thunk) == 8 && offset_of!(Environment, import_contexts) == 24);
    assert!(size_of::<DispatchState>() == 48);
    assert!(offset_of!(DispatchState, constant_count) == 10);
    assert!(offset_of!(DispatchState, workgroup_count_z) == 20);
    assert!(offset_of!(DispatchState, concurrency_max) == 22);
    assert!(offset_of!(DispatchState, constants) == 24 && offset_of!(DispatchState, binding_lengths) == 40);
    assert!(size_of::<WorkgroupState>() == 32);
    assert!(offset_of!(WorkgroupState, processor) == 12 && offset_of!(WorkgroupState, local_memory) == 16);
};
