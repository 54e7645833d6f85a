//! Integer arithmetic as the bytecode defines it: everything wraps; only a zero divisor fails.

use raddle_status::{Code, Error};

macro_rules! divisions {
    ($($type:ty: $div:ident $rem:ident;)*) => { $(
        #[inline(always)]
        pub(in crate::engine) fn $div(left: $type, right: $type) -> Option<$type> {
            (right != 0).then(|| left.wrapping_div(right))
        }

        #[inline(always)]
        pub(in crate::engine) fn $rem(left: $type, right: $type) -> Option<$type> {
            (right != 0).then(|| left.wrapping_rem(right))
        }
    )* };
}

divisions! { i32: div_i32 rem_i32; u32: div_u32 rem_u32; i64: div_i64 rem_i64; u64: div_u64 rem_u64; }

/// The failure of a division by zero.
pub(in crate::engine) fn division_by_zero() -> Error {
    Error::new(Code::InvalidArgument, "division by zero")
}

macro_rules! functions {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty = $body:expr;)*) => { $(
        #[inline(always)]
        pub(in crate::engine) fn $name($($argument: $type),*) -> $result { $body }
    )* };
}

functions! {
    fma_u32(a: u32, b: u32, c: u32) -> u32 = a.wrapping_mul(b).wrapping_add(c);
    fma_u64(a: u64, b: u64, c: u64) -> u64 = a.wrapping_mul(b).wrapping_add(c);
    not_u32(a: u32) -> u32 = !a;
    and_u32(a: u32, b: u32) -> u32 = a & b;
    or_u32(a: u32, b: u32) -> u32 = a | b;
    xor_u32(a: u32, b: u32) -> u32 = a ^ b;
    not_u64(a: u64) -> u64 = !a;
    and_u64(a: u64, b: u64) -> u64 = a & b;
    or_u64(a: u64, b: u64) -> u64 = a | b;
    xor_u64(a: u64, b: u64) -> u64 = a ^ b;
    low8(a: u32) -> u32 = a & 0xFF;
    low16(a: u32) -> u32 = a & 0xFFFF;
    low32(a: u64) -> u32 = a as u32;
    ext8s(a: u32) -> i32 = i32::from(a as i8);
    ext16s(a: u32) -> i32 = i32::from(a as i16);
    ext32s(a: i32) -> i64 = i64::from(a);
    ext32u(a: u32) -> u64 = u64::from(a);
    nz_u32(a: u32) -> u32 = u32::from(a != 0);
    nz_u64(a: u64) -> u32 = u32::from(a != 0);
    ctlz_u64(a: u64) -> u64 = u64::from(a.leading_zeros());
    select_u32(condition: u32, yes: u32, no: u32) -> u32 = if condition != 0 { yes } else { no };
    select_u64(condition: u32, yes: u64, no: u64) -> u64 = if condition != 0 { yes } else { no };
    shr_i32_bits(a: u32, by: u32) -> u32 = (a as i32).wrapping_shr(by) as u32;
}
