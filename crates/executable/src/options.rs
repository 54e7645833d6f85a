//! How executables are loaded.

#![allow(unsafe_code)]

use crate::{Features, Imports, InstructionCache};

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
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LoadOptions {
    /// Whether native code may run.
    pub native: NativeCode,
    /// What the processor has: the host's, unless a test makes it up. Libraries are told as well.
    pub features: Features,
    /// Whether every instruction of a file is compared with `features` before any of it runs. Off, a file for another
    /// processor ends the process when it comes to an instruction that is missing.
    pub check_instructions: bool,
    /// What is known about the instructions of files. Share one between loads.
    pub cache: InstructionCache,
    /// Host functions for kernels.
    pub imports: Imports,
}

impl LoadOptions {
    /// This right, the host's features, the check turned on, no imports. Asks the processor for its features: make one,
    /// and use it for many loads.
    pub fn new(native: NativeCode) -> LoadOptions {
        LoadOptions {
            native,
            features: Features::host(),
            check_instructions: true,
            cache: InstructionCache::default(),
            imports: Imports::default(),
        }
    }
}

/// As [`LoadOptions::new`], with native code refused.
impl Default for LoadOptions {
    fn default() -> LoadOptions {
        LoadOptions::new(NativeCode::REFUSED)
    }
}
