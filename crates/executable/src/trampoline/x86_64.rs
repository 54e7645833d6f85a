//! x86-64: MXCSR, under the System V calling convention.
//!
//! # Invariants
//! As in `mod.rs`. MXCSR is kept in memory of this thread (`Claim`, stack), since no register survives a call.

#![allow(unsafe_code)]

use super::Claim;
use std::arch::naked_asm;
use std::ffi::c_void;

/// MXCSR for kernels: flush results to zero (bit 15), read subnormals as zero (bit 6), no traps, round to nearest.
const KERNEL_MODES: u32 = 0x9FC0;
/// MXCSR as Rust code expects it.
const HOST_MODES: u32 = 0x1F80;

/// See I1 and I2 of `mod.rs`.
#[unsafe(naked)]
pub(super) unsafe extern "C" fn run(claim: *mut Claim) -> u32 {
    naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "push rbx",
        "sub rsp, 8",
        "mov rbx, rdi",
        "stmxcsr dword ptr [rbx + 72]",
        "mov dword ptr [rbx + 76], {modes}",
        "ldmxcsr dword ptr [rbx + 76]",
        "2:",
        "mov rdi, qword ptr [rbx + 40]",
        "mov rsi, qword ptr [rbx + 48]",
        "mov rdx, rbx",
        "call qword ptr [rbx + 32]",
        "test eax, eax",
        "jne 3f",
        "dec qword ptr [rbx + 56]",
        "je 3f",
        // The next workgroup: x, then y, then z.
        "mov ecx, dword ptr [rbx]",
        "inc ecx",
        "mov dword ptr [rbx], ecx",
        "cmp ecx, dword ptr [rbx + 64]",
        "jb 2b",
        "mov dword ptr [rbx], 0",
        "mov ecx, dword ptr [rbx + 4]",
        "inc ecx",
        "mov dword ptr [rbx + 4], ecx",
        "cmp ecx, dword ptr [rbx + 68]",
        "jb 2b",
        "mov dword ptr [rbx + 4], 0",
        "inc word ptr [rbx + 8]",
        "jmp 2b",
        "3:",
        "ldmxcsr dword ptr [rbx + 72]",
        "add rsp, 8",
        "pop rbx",
        "pop rbp",
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
        "push rbp",
        "mov rbp, rsp",
        "sub rsp, 16",
        "stmxcsr dword ptr [rsp]",
        "mov dword ptr [rsp + 4], {modes}",
        "ldmxcsr dword ptr [rsp + 4]",
        "mov rax, rdi",
        "mov rdi, rsi",
        "mov rsi, rdx",
        "mov rdx, rcx",
        "call rax",
        "ldmxcsr dword ptr [rsp]",
        "leave",
        "ret",
        modes = const HOST_MODES,
    )
}
