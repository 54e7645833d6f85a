//! Floating point as stock IREE behaves on x86-64, which is where its out-of-range conversions come from.
//!
//! # Sources
//! The fact sheet `iree-vm.md`, section 4.7; C's `remainder`, `erf` (Rust's standard library has neither).
#![allow(unsafe_code)]

// SAFETY: plain functions of the C library, which the standard library links; no preconditions.
unsafe extern "C" {
    safe fn remainderf(x: f32, y: f32) -> f32;
    safe fn remainder(x: f64, y: f64) -> f64;
    safe fn erff(x: f32) -> f32;
    safe fn erf(x: f64) -> f64;
}

/// Half away from zero to 64 bits; NaN and what does not fit become the smallest integer.
#[inline(always)]
fn round_i64(x: f64) -> i64 {
    cut_i64(x.round())
}

/// A rounded number as an integer; what does not fit becomes the smallest one.
#[inline(always)]
fn cut_i64(rounded: f64) -> i64 {
    let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&rounded);
    if fits { rounded as i64 } else { i64::MIN }
}

/// What a C conversion to u64 gives on x86-64: exact where it is defined, wrapped where it is not.
#[inline(always)]
fn wrapped_u64(rounded: f64) -> u64 {
    let low = cut_i64(rounded);
    let high = cut_i64(rounded - 9_223_372_036_854_775_808.0);
    (low | (high & (low >> 63))) as u64
}

macro_rules! functions {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty = $body:expr;)*) => { $(
        #[inline(always)]
        pub(in crate::engine) fn $name($($argument: $type),*) -> $result { $body }
    )* };
}

functions! {
    add32(a: f32, b: f32) -> f32 = a + b;
    sub32(a: f32, b: f32) -> f32 = a - b;
    mul32(a: f32, b: f32) -> f32 = a * b;
    div32(a: f32, b: f32) -> f32 = a / b;
    fma32(a: f32, b: f32, c: f32) -> f32 = a * b + c;
    rem32(a: f32, b: f32) -> f32 = remainderf(a, b);
    erf32(a: f32) -> f32 = erff(a);
    neg32(a: f32) -> f32 = -a;
    even32(a: f32) -> f32 = if a == -0.5 { 0.0 } else { a.round_ties_even() };
    rsqrt32(a: f32) -> f32 = 1.0 / a.sqrt();
    eq_u32(a: &f32, b: &f32) -> bool = a == b || a.is_nan() || b.is_nan();
    lt_u32(a: &f32, b: &f32) -> bool = a < b || a.is_nan() || b.is_nan();
    le_u32(a: &f32, b: &f32) -> bool = a <= b || a.is_nan() || b.is_nan();
    nan32(a: f32) -> u32 = u32::from(a.is_nan());
    min32(left: f32, right: f32) -> f32 = if right < left { right } else { left };
    max32(left: f32, right: f32) -> f32 = if left < right { right } else { left };
    i32_f32(a: i32) -> f32 = a as f32;
    u32_f32(a: u32) -> f32 = a as f32;
    i64_f32(a: i64) -> f32 = a as f32;
    u64_f32(a: u64) -> f32 = a as f32;
    f32_i32(a: f32) -> u32 = round_i64(a.into()) as u32;
    f32_i64(a: f32) -> i64 = round_i64(a.into());
    f32_u64(a: f32) -> u64 = wrapped_u64(a.round().into());
    add64(a: f64, b: f64) -> f64 = a + b;
    sub64(a: f64, b: f64) -> f64 = a - b;
    mul64(a: f64, b: f64) -> f64 = a * b;
    div64(a: f64, b: f64) -> f64 = a / b;
    fma64(a: f64, b: f64, c: f64) -> f64 = a * b + c;
    rem64(a: f64, b: f64) -> f64 = remainder(a, b);
    erf64(a: f64) -> f64 = erf(a);
    neg64(a: f64) -> f64 = -a;
    even64(a: f64) -> f64 = if a == -0.5 { 0.0 } else { a.round_ties_even() };
    rsqrt64(a: f64) -> f64 = 1.0 / a.sqrt();
    eq_u64(a: &f64, b: &f64) -> bool = a == b || a.is_nan() || b.is_nan();
    lt_u64(a: &f64, b: &f64) -> bool = a < b || a.is_nan() || b.is_nan();
    le_u64(a: &f64, b: &f64) -> bool = a <= b || a.is_nan() || b.is_nan();
    nan64(a: f64) -> u32 = u32::from(a.is_nan());
    min64(left: f64, right: f64) -> f64 = if right < left { right } else { left };
    max64(left: f64, right: f64) -> f64 = if left < right { right } else { left };
    i32_f64(a: i32) -> f64 = a.into();
    u32_f64(a: u32) -> f64 = a.into();
    i64_f64(a: i64) -> f64 = a as f64;
    u64_f64(a: u64) -> f64 = a as f64;
    f64_i32(a: f64) -> u32 = f32_i32(a as f32);
    f64_i64(a: f64) -> i64 = round_i64(a);
    f64_f32(a: f64) -> f32 = a as f32;
    f32_f64(a: f32) -> f64 = a.into();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_do_what_x86_does() {
        assert_eq!(f32_i32(3e9) as i32, -1_294_967_296);
        assert_eq!([f32_i32(f32::NAN), f32_i32(f32::INFINITY), f32_i32(1e20)], [0, 0, 0]);
        assert_eq!(f32_i32(-1.0), u32::MAX);
        assert_eq!(f64_i32(16_777_217.0), 16_777_216);
        assert_eq!(f64_i64(1e19), i64::MIN);
        assert_eq!(f32_u64(1e19), 9_999_999_980_506_447_872);
        assert_eq!(f32_u64(-5.0) as i64, -5);
        assert_eq!([f32_i64(2.5), f32_i64(-2.5)], [3, -3]);
    }

    #[test]
    fn minimum_returns_the_left_operand_on_ties_and_nan() {
        assert!(min32(f32::NAN, 1.0).is_nan());
        assert_eq!(min32(1.0, f32::NAN), 1.0);
        assert!(min64(-0.0, 0.0).is_sign_negative() && max64(-0.0, 0.0).is_sign_negative());
        assert_eq!(remainderf(5.0, 3.0), -1.0);
        assert!(even32(-0.5).is_sign_positive() && even64(-0.25).is_sign_negative());
    }
}
