//! The way into kernels and back out of them: the only code that runs under other floating-point modes.
//!
//! # Invariants
//! - I1: modes that flush subnormals are set from after `run` was entered until before it returns, and not while a host
//!   function runs that a kernel called through `import`. (the assembly of each processor)
//! - I2: `run` calls the kernel once for each of `remaining` workgroups, x fastest, and stops at the first number other
//!   than 0; `workgroup` then names that workgroup. `remaining` is at least 1.
//! - I3: host functions run under the modes that Rust code expects: round to nearest, nothing flushed, no traps.

#![allow(unsafe_code)]

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
use aarch64 as arch;
#[cfg(target_arch = "x86_64")]
use x86_64 as arch;

use crate::abi::{DispatchState, Environment, ImportThunk, Kernel, WorkgroupState};
use std::mem::offset_of;

/// A claim on its way through `run`; the assembly knows the offsets.
#[repr(C, align(16))]
#[derive(Debug)]
pub(crate) struct Claim {
    /// The next workgroup; its address is what kernels are given.
    pub(crate) workgroup: WorkgroupState,
    pub(crate) kernel: Kernel,
    pub(crate) environment: *const Environment,
    pub(crate) dispatch: *const DispatchState,
    pub(crate) remaining: u64,
    pub(crate) count_x: u32,
    pub(crate) count_y: u32,
    /// The caller's modes, kept by `run`.
    pub(crate) host_modes: u64,
}

const _: () = {
    assert!(offset_of!(Claim, workgroup) == 0 && offset_of!(Claim, kernel) == 32);
    assert!(offset_of!(Claim, environment) == 40 && offset_of!(Claim, dispatch) == 48);
    assert!(offset_of!(Claim, remaining) == 56 && offset_of!(Claim, host_modes) == 72);
    assert!(offset_of!(Claim, count_x) == 64 && offset_of!(Claim, count_y) == 68);
};

/// What kernels call host functions through.
pub(crate) const IMPORT: ImportThunk = arch::import;

/// Runs a claim; the kernel's status.
///
/// # Safety
/// `claim` holds the address of a kernel, with an environment, a dispatch state and a workgroup state that are right for
/// it, and `remaining` is at least 1 and leads to no workgroup outside the grid.
pub(crate) unsafe fn run(claim: &mut Claim) -> u32 {
    debug_assert!(claim.remaining > 0);
    // SAFETY: the caller's promise.
    unsafe { arch::run(claim) }
}
