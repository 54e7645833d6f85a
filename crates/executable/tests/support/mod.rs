//! Kernels of `tests/kernels`, and memory as kernels want it.

#![allow(dead_code)] // Not every test binary uses everything.

use raddle_executable::{LoadOptions, NativeCode};
use std::path::Path;

/// The bytes of an executable.
pub fn kernel(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernels").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Options under which native code runs.
pub fn options() -> LoadOptions {
    // SAFETY: only the committed kernels are loaded with these.
    LoadOptions::new(unsafe { NativeCode::run() })
}

/// Numbers at an address that is a multiple of 64.
#[derive(Clone)]
#[repr(C, align(64))]
pub struct Aligned<T, const N: usize>(pub [T; N]);

impl<T, const N: usize> Aligned<T, N> {
    pub fn pointer(&mut self) -> *mut u8 {
        self.0.as_mut_ptr().cast()
    }
}
