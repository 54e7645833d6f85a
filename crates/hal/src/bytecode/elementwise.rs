//! The functions of the module `vmvx` that treat elements one by one.

use super::plane::{Place, Plane, words};
use raddle_status::{Code, Error, Result};

/// A function of two elements.
pub(super) type Binary = fn(u32, u32) -> Result<u32>;
/// A function of one element.
pub(super) type Unary = fn(u64) -> u64;

/// Computes each element of `out` from those of `left` and `right` at its place.
///
/// # Errors
/// Those of [`Plane`]; what `op` fails with.
pub(super) fn binary(
    left: Place<'_>,
    right: Place<'_>,
    out: Place<'_>,
    sizes: [i64; 2],
    op: Binary,
) -> Result {
    let sizes = words(sizes)?;
    let (left, right) = (Plane::<4>::source(left, sizes)?, Plane::<4>::source(right, sizes)?);
    let out = Plane::<4>::target(out, sizes)?;
    each(sizes, |row, column| {
        let value = op(left.get(row, column) as u32, right.get(row, column) as u32)?;
        out.set(row, column, value.into());
        Ok(())
    })
}

/// Computes each element of `out` from that of `source` at its place.
///
/// # Errors
/// Those of [`Plane`].
pub(super) fn unary<const W: usize>(source: Place<'_>, out: Place<'_>, sizes: [i64; 2], op: Unary) -> Result {
    let sizes = words(sizes)?;
    let (source, out) = (Plane::<W>::source(source, sizes)?, Plane::<W>::target(out, sizes)?);
    each(sizes, |row, column| {
        out.set(row, column, op(source.get(row, column)));
        Ok(())
    })
}

/// Writes one value to all elements.
///
/// # Errors
/// Those of [`Plane`].
pub(super) fn fill(out: Place<'_>, sizes: [i64; 2], value: u32) -> Result {
    let sizes = words(sizes)?;
    let out = Plane::<4>::target(out, sizes)?;
    each(sizes, |row, column| {
        out.set(row, column, value.into());
        Ok(())
    })
}

fn each(sizes: [u64; 2], mut element: impl FnMut(u64, u64) -> Result) -> Result {
    (0..sizes[0]).try_for_each(|row| (0..sizes[1]).try_for_each(|column| element(row, column)))
}

/// A function of two floats, over their bits.
macro_rules! floats {
    ($op:expr) => {
        |left, right| {
            let op: fn(f32, f32) -> f32 = $op;
            Ok(op(f32::from_bits(left), f32::from_bits(right)).to_bits())
        }
    };
}

/// A function of one float, over its bits.
macro_rules! float {
    ($op:expr) => {
        |bits| {
            let op: fn(f32) -> f32 = $op;
            op(f32::from_bits(bits as u32)).to_bits().into()
        }
    };
}

/// By name: functions of two elements. What C leaves open is as in the VM: shifts count modulo 32, the smallest number
/// divided by -1 is itself, division by zero fails.
pub(super) const BINARY: [(&str, Binary); 15] = [
    ("add.2d.f32", floats!(|a, b| a + b)),
    ("add.2d.i32", |a, b| Ok(a.wrapping_add(b))),
    ("and.2d.i32", |a, b| Ok(a & b)),
    ("div.2d.f32", floats!(|a, b| a / b)),
    ("divs.2d.i32", |a, b| {
        let (a, b) = (a.cast_signed(), b.cast_signed());
        if b == 0 { Err(by_zero()) } else { Ok(a.wrapping_div(b).cast_unsigned()) }
    }),
    ("divu.2d.i32", |a, b| a.checked_div(b).ok_or_else(by_zero)),
    ("mul.2d.f32", floats!(|a, b| a * b)),
    ("mul.2d.i32", |a, b| Ok(a.wrapping_mul(b))),
    ("or.2d.i32", |a, b| Ok(a | b)),
    ("shl.2d.i32", |a, b| Ok(a.wrapping_shl(b))),
    ("shrs.2d.i32", |a, b| Ok(a.cast_signed().wrapping_shr(b).cast_unsigned())),
    ("shru.2d.i32", |a, b| Ok(a.wrapping_shr(b))),
    ("sub.2d.f32", floats!(|a, b| a - b)),
    ("sub.2d.i32", |a, b| Ok(a.wrapping_sub(b))),
    ("xor.2d.i32", |a, b| Ok(a ^ b)),
];

/// By name: functions of one element of 4 bytes.
pub(super) const UNARY: [(&str, Unary); 8] = [
    ("abs.2d.f32", float!(f32::abs)),
    ("ceil.2d.f32", float!(f32::ceil)),
    ("ctlz.2d.i32", |bits| (bits as u32).leading_zeros().into()),
    ("exp.2d.f32", float!(f32::exp)),
    ("floor.2d.f32", float!(f32::floor)),
    ("log.2d.f32", float!(f32::ln)),
    ("neg.2d.f32", float!(|x| -x)),
    ("rsqrt.2d.f32", float!(|x| 1.0 / x.sqrt())),
];

#[cold]
fn by_zero() -> Error {
    Error::new(Code::InvalidArgument, "division by zero")
}
