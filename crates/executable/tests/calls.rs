//! Kernels of real executables give the results that stock IREE prints.
#![cfg(target_arch = "x86_64")]

mod support;

use raddle_executable::{Dispatch, Library, Worker};
use raddle_status::Code;
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
    Worker { processor: 0, local_memory: &mut [] }
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
