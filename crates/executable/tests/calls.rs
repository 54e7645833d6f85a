//! Kernels of real executables give the results that stock IREE prints.
#![cfg(target_arch = "x86_64")]

mod support;

use raddle_executable::{Dispatch, Library, LoadOptions, Worker};
use raddle_status::{Code, Error};
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use support::{Aligned, kernel, options};

const EMBEDDED: &str = "embedded-elf-x86_64";

fn load(name: &str) -> Library {
    Library::load(EMBEDDED, &kernel(name), &[], &options()).unwrap()
}

fn dispatch<'a>(
    grid: [u32; 3],
    constants: &'a [u32],
    bindings: &'a [*mut u8],
    lengths: &'a [usize],
) -> Dispatch<'a> {
    Dispatch { grid, workgroup_size: [1; 3], constants, bindings, lengths, concurrency: 1 }
}

fn worker() -> Worker<'static> {
    Worker { processor: 7, local_memory: &mut [] }
}

fn check_matmul(library: &Library) {
    let mut a = Aligned(std::array::from_fn::<f32, 32, _>(|i| 0.25 * i as f32 - 3.0));
    let mut b = Aligned(std::array::from_fn::<f32, 40, _>(|i| 0.125 * i as f32 - 2.0));
    let mut c = Aligned([f32::NAN; 20]);
    let bindings = [a.pointer(), b.pointer(), c.pointer()];
    let dispatch = dispatch([1; 3], &[], &bindings, &[128, 160, 80]);
    // SAFETY: the bindings are alive and large enough.
    unsafe { library.call(0, &dispatch, 0..1, worker()) }.unwrap();
    assert_eq!(c.0[..5], [3.375, 1.25, -0.875, -3.0, -5.125]);
    assert_eq!(c.0[15..], [12.375, 16.25, 20.125, 24.0, 27.875]);
}

#[test]
fn a_matrix_product() {
    let library = load("matmul.so");
    let export = &library.exports()[0];
    assert_eq!(export.name, "mm_dispatch_0_matmul_4x5x8_f32");
    assert_eq!((export.constant_count, export.binding_count, export.local_memory_bytes), (0, 3, 0));
    assert_eq!(library.lookup("mm_dispatch_0_matmul_4x5x8_f32").unwrap(), 0);
    assert_eq!(library.lookup("mm").unwrap_err().code(), Code::NotFound);
    check_matmul(&library);
}

#[test]
fn subnormals_are_flushed_in_kernels_and_nowhere_else() {
    let library = load("denormal.so");
    let mut x = Aligned([1e-40_f32, 1e-38, -1e-39, 1.0]);
    let mut y = Aligned([f32::NAN; 4]);
    let bindings = [x.pointer(), y.pointer()];
    let dispatch = dispatch([1; 3], &[], &bindings, &[16, 16]);
    // SAFETY: the bindings are alive and large enough.
    unsafe { library.call(0, &dispatch, 0..1, worker()) }.unwrap();
    assert_eq!(y.0.map(f32::to_bits), [0.0, 0.0, -0.0, 2.0].map(f32::to_bits));
    let tiny = std::hint::black_box(1e-40_f32);
    assert_eq!((tiny + tiny).to_bits(), 2 * tiny.to_bits(), "the caller's modes are as before");
}

#[test]
fn every_workgroup_of_a_claim_runs_and_no_other() {
    let library = load("grid.so");
    for start in 0..=24 {
        for end in start..=24 {
            let mut out = Aligned([-1_i32; 24]);
            let bindings = [out.pointer()];
            let dispatch = dispatch([2, 3, 4], &[], &bindings, &[96]);
            // SAFETY: the binding is alive and large enough.
            unsafe { library.call(0, &dispatch, start..end, worker()) }.unwrap();
            let expected =
                std::array::from_fn(|i| if (start..end).contains(&(i as u64)) { i as i32 } else { -1 });
            assert_eq!(out.0, expected, "{start}..{end}");
        }
    }
}

#[test]
fn a_grid_is_run_in_claims() {
    // 8 numbers, 4 for each of 2 workgroups.
    let library = load_with_scale();
    for claims in [vec![0..1, 1..2], vec![1..2, 0..1], vec![0..0, 0..2, 2..2]] {
        let (mut x, mut y) = (Aligned([1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]), Aligned([0.0_f32; 8]));
        let bindings = [x.pointer(), y.pointer()];
        let dispatch = dispatch([2, 1, 1], &[], &bindings, &[32, 32]);
        for claim in &claims {
            // SAFETY: the bindings are alive and large enough.
            unsafe { library.call(0, &dispatch, claim.clone(), worker()) }.unwrap();
        }
        assert_eq!(y.0, [2.5, 5.0, 7.5, 10.0, 12.5, 15.0, 17.5, 20.0], "{claims:?}");
    }
}

/// The parameters of `ext_scale`, as its declaration lays them out.
#[repr(C)]
struct Scale {
    base: *mut f32,
    aligned: *mut f32,
    memref_offset: i64,
    offset: i64,
    count: i64,
    factor: f32,
    processor: u32,
}

fn scale(parameters: *mut c_void) -> raddle_status::Result {
    // SAFETY: this is how the kernel calls it.
    let scale = unsafe { &*parameters.cast::<Scale>() };
    assert_eq!((scale.processor, scale.memref_offset), (7, 0));
    let first = scale.aligned.wrapping_offset(scale.offset as isize);
    // SAFETY: as above.
    let numbers = unsafe { std::slice::from_raw_parts_mut(first, scale.count as usize) };
    for number in numbers {
        *number *= scale.factor;
    }
    let tiny = std::hint::black_box(1e-40_f32);
    assert_eq!(
        (tiny + tiny).to_bits(),
        2 * tiny.to_bits(),
        "host functions run under the modes of Rust code"
    );
    Ok(())
}

fn load_import(provide: impl Fn(*mut c_void) -> raddle_status::Result + Send + Sync + 'static) -> Library {
    let mut options = options();
    options.imports.provide("ext_scale", provide);
    Library::load(EMBEDDED, &kernel("import.so"), &[], &options).unwrap()
}

fn load_with_scale() -> Library {
    load_import(scale)
}

fn call_import(library: &Library) -> raddle_status::Result {
    let (mut x, mut y) = (Aligned([1.0_f32; 8]), Aligned([0.0_f32; 8]));
    let bindings = [x.pointer(), y.pointer()];
    let dispatch = dispatch([2, 1, 1], &[], &bindings, &[32, 32]);
    // SAFETY: the bindings are alive and large enough.
    unsafe { library.call(0, &dispatch, 0..2, worker()) }
}

#[test]
fn a_missing_import_is_named() {
    let error = Library::load(EMBEDDED, &kernel("import.so"), &[], &options()).unwrap_err();
    assert!(error.code() == Code::NotFound && error.message().contains("'ext_scale'"), "{error}");
}

#[test]
fn a_host_function_that_fails_ends_the_dispatch_with_its_status() {
    let fails = load_import(|_| Err(Error::new(Code::DataLoss, "no scale")));
    let error = call_import(&fails).unwrap_err();
    assert!(error.code() == Code::DataLoss && error.message() == "no scale", "{error}");
    assert!(error.to_string().contains("workgroup (0, 0, 0)"), "{error}");
    let panics = load_import(|_| panic!("off the scale"));
    let error = call_import(&panics).unwrap_err();
    assert!(error.code() == Code::Unknown && error.message().contains("off the scale"), "{error}");
    // The library and the thread go on.
    call_import(&load_with_scale()).unwrap();
    let is_first = AtomicBool::new(true);
    let second =
        load_import(move |_| if is_first.swap(false, Relaxed) { Ok(()) } else { Err(Code::Aborted.into()) });
    let error = call_import(&second).unwrap_err();
    assert!(error.code() == Code::Aborted && error.to_string().contains("workgroup (1, 0, 0)"), "{error}");
}

#[test]
fn a_kernel_that_returns_an_error_ends_its_claim_and_nothing_else() {
    let mut data = kernel("matmul.so");
    // The kernel: `mov eax, 5`, `ret`.
    data[0x430..0x436].copy_from_slice(&[0xB8, 5, 0, 0, 0, 0xC3]);
    let fails = Library::load(EMBEDDED, &data, &[], &options()).unwrap();
    let mut memory = Aligned([0.0_f32; 64]);
    let bindings = [memory.pointer(); 3];
    let dispatch = dispatch([2, 1, 1], &[], &bindings, &[128, 160, 80]);
    // SAFETY: the kernel touches nothing.
    let error = unsafe { fails.call(0, &dispatch, 1..2, worker()) }.unwrap_err();
    assert_eq!(error.code(), Code::Internal, "{error}");
    assert!(error.message().contains("workgroup (1, 0, 0) failed with status 5"), "{error}");
    check_matmul(&load("matmul.so"));
}

#[test]
fn wrong_arguments_are_refused_before_the_kernel_runs() {
    let library = load("matmul.so");
    let mut memory = Aligned([0.0_f32; 64]);
    let good = [memory.pointer(); 3];
    let off = [good[0], good[1], good[2].wrapping_add(4)];
    let call = |constants: &[u32], bindings: &[*mut u8], lengths: &[usize], grid, tiles| {
        let dispatch = dispatch(grid, constants, bindings, lengths);
        // SAFETY: nothing runs, or with good bindings.
        unsafe { library.call(0, &dispatch, tiles, worker()) }.map_err(|error| error.code())
    };
    let invalid = Err(Code::InvalidArgument);
    let lengths = [128, 160, 80];
    assert_eq!(call(&[1], &good, &lengths, [1; 3], 0..1), invalid);
    assert_eq!(call(&[], &good[1..], &lengths, [1; 3], 0..1), invalid);
    assert_eq!(call(&[], &good, &lengths[1..], [1; 3], 0..1), invalid);
    assert_eq!(call(&[], &off, &lengths, [1; 3], 0..1), invalid);
    assert_eq!(call(&[], &good, &lengths, [1, 1, 65536], 0..1), invalid);
    assert_eq!(call(&[], &good, &lengths, [u32::MAX, u32::MAX, 2], 0..1), invalid);
    assert_eq!(call(&[], &good, &lengths, [1; 3], 0..2), Err(Code::OutOfRange));
    assert_eq!(call(&[], &good, &lengths, [0, 1, 1], 0..1), Err(Code::OutOfRange));
    assert_eq!(call(&[], &good, &lengths, [0, 1, 1], 0..0), Ok(()));
    assert_eq!(call(&[], &off, &lengths, [1; 3], 3..3), Ok(()));
}

#[test]
fn constants_reach_the_kernel() {
    let library = load("constants.so");
    assert_eq!((library.exports()[0].constant_count, library.exports()[0].binding_count), (1, 3));
    // Sixteen sums over 256 rows of ones, and the constant.
    let mut w = Aligned([1_i8; 4096]);
    let mut x = Aligned(std::array::from_fn::<i32, 16, _>(|i| i as i32));
    let mut y = Aligned([0_i32; 16]);
    let bindings = [w.pointer(), x.pointer(), y.pointer()];
    // Two numbers for each workgroup.
    let dispatch = dispatch([8, 1, 1], &[1000], &bindings, &[4096, 64, 64]);
    // SAFETY: the bindings are alive and large enough.
    unsafe { library.call(0, &dispatch, 0..8, worker()) }.unwrap();
    assert_eq!(y.0, std::array::from_fn(|i| 1256 + i as i32));
}

#[test]
fn a_system_library_calls_what_it_is_linked_with() {
    let library = Library::load("system-elf-x86_64", &kernel("sine.so"), &[], &options()).unwrap();
    let mut x = Aligned([0.0_f64, 1.0, 4.0, 0.5, 2.0, 10.0]);
    let mut y = Aligned([f64::NAN; 6]);
    let bindings = [x.pointer(), y.pointer()];
    let dispatch = dispatch([1; 3], &[], &bindings, &[48, 48]);
    // SAFETY: the bindings are alive and large enough.
    unsafe { library.call(0, &dispatch, 0..1, worker()) }.unwrap();
    for (x, y) in x.0.iter().zip(y.0) {
        assert!((x.sin() - y).abs() < 1e-15, "sin {x} = {y}");
    }
    let clone = library.clone();
    drop(library);
    assert_eq!(clone.exports().len(), 1);
}

#[test]
fn libraries_of_the_system_are_told_apart() {
    let load = |name: &str| Library::load("system-elf-x86_64", &kernel(name), &[], &options()).unwrap();
    let names = |library: &Library| library.exports()[0].name.clone();
    let libraries = ["sine.so", "matmul.so", "grid.so", "sine.so"].map(load);
    let found: Vec<String> = libraries.iter().map(names).collect();
    for (name, part) in found.iter().zip(["f64_", "mm_", "number", "f64_"]) {
        assert!(name.contains(part), "{found:?}");
    }
}

#[test]
fn transcendental_functions_are_inside() {
    let library = load("math.so");
    let names: Vec<_> = library.exports().iter().map(|export| export.name.as_str()).collect();
    assert!(!names.is_empty() && names.iter().all(|name| name.starts_with("math_dispatch_")), "{names:?}");
}

#[test]
fn native_code_is_opted_into() {
    let refused = LoadOptions::default();
    let error = Library::load(EMBEDDED, &kernel("matmul.so"), &[], &refused).unwrap_err();
    assert!(error.code() == Code::PermissionDenied && error.message().contains("vmvx"), "{error}");
}

#[test]
fn formats_and_constants_are_compared() {
    let load = |format, constants: &[u32]| Library::load(format, &kernel("matmul.so"), constants, &options());
    assert_eq!(load("vmvx-bytecode-fb", &[]).unwrap_err().code(), Code::NotFound);
    assert_eq!(load("embedded-elf-arm_64", &[]).unwrap_err().code(), Code::Incompatible);
    assert_eq!(load(EMBEDDED, &[1]).unwrap_err().code(), Code::FailedPrecondition);
    assert!(load("embedded-elf-x86_64-and-more", &[]).is_ok());
}
