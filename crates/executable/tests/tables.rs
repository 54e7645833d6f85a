//! What a library says about itself is checked: files whose tables lie, loaded as far as their query function.
#![cfg(target_arch = "x86_64")]

mod support;

use raddle_executable::{Features, Library};
use raddle_status::Code;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use support::{kernel, options};

/// Addresses in `matmul.so`; file offsets of its data are 0x2000 below.
const HEADER: u64 = 0x2760;
const FUNCTIONS: u64 = 0x2778;
const NAMES: u64 = 0x2780;
const LIBRARY: u64 = 0x27C0;
const ATTRIBUTES: usize = 0x370;
const QUERY: usize = 0x740;

struct Edit(Vec<u8>);

impl Edit {
    fn new() -> Edit {
        Edit(kernel("matmul.so"))
    }

    fn put(mut self, at: usize, bytes: &[u8]) -> Edit {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    /// Four bytes at an address of the data.
    fn number(self, address: u64, number: u32) -> Edit {
        self.put(address as usize - 0x2000, &number.to_le_bytes())
    }

    /// Makes the pointer at this address lead elsewhere.
    fn pointer(self, address: u64, target: u64) -> Edit {
        let rows = (0..12).map(|index| 0x238 + 24 * index);
        let is_row = |at: &usize| self.0[*at..*at + 8] == address.to_le_bytes();
        let at = rows.into_iter().find(is_row).expect("a relocation of this place");
        self.put(at + 16, &target.to_le_bytes())
    }
}

fn check(what: &str, edit: Edit, code: Code, text: &str) {
    let error = Library::load("embedded-elf-x86_64", &edit.0, &[], &options()).unwrap_err();
    assert_eq!(error.code(), code, "{what}: {error}");
    assert!(error.message().contains(text), "{what}: {error}");
}

#[test]
fn pointers_stay_inside() {
    use Code::InvalidArgument;
    // 0x800 is between segments: its pages can't even be read.
    let edit = |at, target| Edit::new().pointer(at, target);
    check("header", edit(LIBRARY, 0x800), InvalidArgument, "library header");
    check("header at the end", edit(LIBRARY, 0x3000), InvalidArgument, "library header");
    check("functions", edit(LIBRARY + 32, 0x800), InvalidArgument, "table of kernels");
    check("function", edit(FUNCTIONS, 0x360), InvalidArgument, "no code of the image");
    check("function in a gap", edit(FUNCTIONS, 0x1800), InvalidArgument, "no code of the image");
    check("attributes", edit(LIBRARY + 40, 0x3F8), InvalidArgument, "attributes");
    check("names", edit(LIBRARY + 64, 0x2FFC), InvalidArgument, "table of kernel names");
    check("name", edit(NAMES, 0x800), InvalidArgument, "name of a kernel");
    check("name without end", edit(NAMES, 0x1750), InvalidArgument, "no end");
    check("name is no text", edit(NAMES, 0x1434), InvalidArgument, "no ");
}

#[test]
fn numbers_are_bounded() {
    use Code::{FailedPrecondition, Incompatible, InvalidArgument, Unavailable};
    let number = |address, number| Edit::new().number(address, number);
    check("version", number(HEADER, 5), Incompatible, "version 5");
    check("sanitizer", number(HEADER + 20, 1), Unavailable, "sanitizer 1");
    check("kernels", number(LIBRARY + 24, u32::MAX), InvalidArgument, "promises 4294967295");
    check("more kernels than bytes", number(LIBRARY + 24, 1000), InvalidArgument, "table of kernels");
    check("imports", number(LIBRARY + 8, u32::MAX), InvalidArgument, "wants 4294967295");
    check("imports at nothing", number(LIBRARY + 8, 1), InvalidArgument, "table of imports");
    check("constants", number(LIBRARY + 104, 3), FailedPrecondition, "has 3 constants");
    check("bindings", Edit::new().put(ATTRIBUTES + 11, &[65]), InvalidArgument, "wants 65");
}

#[test]
fn what_the_query_function_returns_is_checked() {
    // cmp edi, 6 and the displacement of the lea.
    let edit = Edit::new().put(QUERY + 4, &[5]);
    check("another version", edit, Code::Incompatible, "lacks interface version 6");
    for displacement in [0x7FFF_FFFF_u32, 0x0000_00B0, 0x0000_18B3] {
        let edit = Edit::new().put(QUERY + 8, &displacement.to_le_bytes());
        check("an address outside", edit, Code::InvalidArgument, "library at");
    }
}

#[test]
fn no_kernels_and_local_memory_are_read() {
    let load = |edit: Edit| Library::load("embedded-elf-x86_64", &edit.0, &[], &options()).unwrap();
    assert!(load(Edit::new().number(LIBRARY + 24, 0)).exports().is_empty());
    let edit =
        Edit::new().put(ATTRIBUTES, &[3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 3, 4, 0, 0, 0, 5, 0, 0, 0, 6, 0]);
    let library = load(edit);
    let export = &library.exports()[0];
    assert!(export.is_sequential && export.is_size_dynamic);
    assert_eq!((export.local_memory_bytes, export.workgroup_size), (8192, [4, 5, 6]));
}

/// What the initialiser of `with_initialiser` has written.
static RUNS: AtomicU32 = AtomicU32::new(0);

/// Puts an initialiser in the place of the kernel: it adds 1 to `RUNS`, then does this.
fn with_initialiser(then: &[u8]) -> Edit {
    let place = RUNS.as_ptr().expose_provenance().to_le_bytes();
    // mov rax, place; lock inc dword [rax]
    let code = [&[0x48, 0xB8], &place[..], &[0xF0, 0xFF, 0x00], then, &[0xC3]].concat();
    // An entry of the dynamic section that nothing needs becomes DT_INIT.
    let spare = 0x840 + 16;
    Edit::new().put(0x430, &code).put(spare, &12_u64.to_le_bytes()).put(spare + 8, &0x1430_u64.to_le_bytes())
}

#[test]
fn initialisers_run_once_and_only_in_files_for_this_processor() {
    let mut options = options();
    let mut load = |edit: Edit, features| {
        options.features = features;
        Library::load("embedded-elf-x86_64", &edit.0, &[], &options)
    };
    // vaddps zmm0, zmm0, zmm1, behind what would be noticed.
    let vector = [0x62, 0xF1, 0x7C, 0x48, 0x58, 0xC1];
    let error = load(with_initialiser(&vector), Features::BASELINE).unwrap_err();
    assert_eq!((error.code(), RUNS.load(Relaxed)), (Code::Incompatible, 0), "{error}");
    let text = error.to_string();
    assert!(text.contains("vaddps") && text.contains("needs avx512f,"), "{text}");
    load(with_initialiser(&[]), Features::BASELINE).unwrap();
    assert_eq!(RUNS.load(Relaxed), 1);
}
