//! How executables are loaded.

#![allow(unsafe_code)]

/// Whether native code may run at all.
///
/// The checks of this crate find files that are damaged or foreign; they contain nothing. So the right to run native
/// code is a value that only unsafe code can make.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NativeCode {
    is_run: bool,
}

impl NativeCode {
    /// Loads fail with PERMISSION_DENIED. The default.
    pub const REFUSED: NativeCode = NativeCode { is_run: false };

    /// Loads run code of the file, and calls run the rest.
    ///
    /// # Safety
    /// Every file that is loaded with the result is one that the caller would run as a program in this process, and its
    /// kernels touch only what they are handed.
    pub const unsafe fn run() -> NativeCode {
        NativeCode { is_run: true }
    }

    /// Whether it may run.
    pub fn is_run(self) -> bool {
        self.is_run
    }
}

/// How a [`Library`](crate::Library) is loaded.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LoadOptions {
    /// Whether native code may run; by default it may not.
    pub native: NativeCode,
}

impl LoadOptions {
    /// The defaults, with this right.
    pub fn new(native: NativeCode) -> LoadOptions {
        LoadOptions { native }
    }
}
