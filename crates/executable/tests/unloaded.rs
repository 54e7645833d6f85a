//! The last clone of a library gives its memory back.
#![cfg(target_arch = "x86_64")]

mod support;

use raddle_executable::Library;
use support::{kernel, options};

/// Mappings of this process.
fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").unwrap().lines().count()
}

// The only test of this file: it counts what its process has.
#[test]
fn a_thousand_libraries_leave_nothing() {
    let load = |format, name| Library::load(format, &kernel(name), &[], &options()).unwrap();
    let cycle = || {
        let library = load("embedded-elf-x86_64", "matmul.so");
        let clone = library.clone();
        drop(library);
        assert_eq!(clone.exports().len(), 1);
        let mut bad = kernel("matmul.so");
        // The library's kernel: no code.
        bad[0x238 + 24 + 16] = 0;
        let _ = Library::load("embedded-elf-x86_64", &bad, &[], &options());
        load("system-elf-x86_64", "sine.so");
    };
    cycle();
    let before = mappings();
    for _ in 0..1000 {
        cycle();
    }
    // The allocator may have taken some for itself.
    let after = mappings();
    assert!(after < before + 50, "{before} mappings became {after}");
}
