//! aarch64: FPCR, under the procedure call standard. Compiled, never run.
//!
//! # Invariants
//! As in `mod.rs`. FPCR is kept in registers that calls preserve.

#![allow(unsafe_code)]

use super::Claim;
use std::arch::naked_asm;
use std::ffi::c_void;

/// FPCR for kernels: flush to zero, for half precision too (bits 24 and 19); no traps, round to nearest.
const KERNEL_MODES: u64 = 1 << 24 | 1 << 19;

/// See I1 and I2 of `mod.rs`.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn run(claim: *mut Claim) -> u32 {
    naked_asm!(
        "stp x29, x30, [sp, #-32]!",
        "mov x29, sp",
        "stp x19, x20, [sp, #16]",
        "mov x19, x0",
        "mrs x20, fpcr",
        "mov x9, {modes}",
        "msr fpcr, x9",
        "2:",
        "ldr x9, [x19, #32]",
        "ldp x0, x1, [x19, #40]",
        "mov x2, x19",
        "blr x9",
        "cbnz w0, 3f",
        "ldr x9, [x19, #56]",
        "subs x9, x9, #1",
        "str x9, [x19, #56]",
        "b.eq 3f",
        // The next workgroup: x, then y, then z.
        "ldp w9, w10, [x19]",
        "ldp w11, w12, [x19, #64]",
        "add w9, w9, #1",
        "str w9, [x19]",
        "cmp w9, w11",
        "b.lo 2b",
        "str wzr, [x19]",
        "add w10, w10, #1",
        "str w10, [x19, #4]",
        "cmp w10, w12",
        "b.lo 2b",
        "str wzr, [x19, #4]",
        "ldrh w9, [x19, #8]",
        "add w9, w9, #1",
        "strh w9, [x19, #8]",
        "b 2b",
        "3:",
        "msr fpcr, x20",
        "ldp x19, x20, [sp, #16]",
        "ldp x29, x30, [sp], #32",
        "ret",
        modes = const KERNEL_MODES,
    )
}

/// See I1 and I3 of `mod.rs`: forwards (parameters, context, reserved) to the function.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn import(
    function: *const c_void,
    parameters: *mut c_void,
    context: *mut c_void,
    reserved: *mut c_void,
) -> u32 {
    naked_asm!(
        "stp x29, x30, [sp, #-32]!",
        "mov x29, sp",
        "str x19, [sp, #16]",
        "mrs x19, fpcr",
        "msr fpcr, xzr",
        "mov x9, x0",
        "mov x0, x1",
        "mov x1, x2",
        "mov x2, x3",
        "blr x9",
        "msr fpcr, x19",
        "ldr x19, [sp, #16]",
        "ldp x29, x30, [sp], #32",
        "ret",
    )
}
