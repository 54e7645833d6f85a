//! The elements of a tensor as numbers, none of them rounded.
//!
//! Not here: their text (`print.rs`).

use super::element::Form;
use crate::element::ElementType;
use crate::view::BufferView;
use raddle_status::{Code, Error, Result};
use std::fmt;

/// An element.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Number {
    /// A truth value.
    Truth(bool),
    /// An integer that may be negative, or that has no sign of its own.
    Signed(i64),
    /// An integer that has none.
    Unsigned(u64),
    /// A float of 32 bits or fewer.
    Float32(f32),
    /// A float of 64 bits.
    Float64(f64),
}

/// Makes a number of the bytes of an element.
type Read = dyn Fn(&[u8]) -> Number;

/// The elements of a dense tensor, in order.
///
/// # Errors
/// UNIMPLEMENTED: they are no numbers, or share bytes. FAILED_PRECONDITION: the tensor does not exist yet.
pub fn numbers(view: &BufferView) -> Result<Vec<Number>> {
    let ty = view.element_type();
    let size = (ty.bits() / 8) as usize;
    let read: Box<Read> = match (ty, Form::of(ty)) {
        (ElementType::BOOL_8, _) => Box::new(|bytes| Number::Truth(bytes[0] != 0)),
        (_, Ok(Form::Integer { is_signed: true, .. })) => Box::new(move |bytes| {
            let unused = 64 - 8 * size as u32;
            Number::Signed((word(bytes) << unused).cast_signed() >> unused)
        }),
        (_, Ok(Form::Integer { .. })) => Box::new(|bytes| Number::Unsigned(word(bytes))),
        (_, Ok(Form::Small(small))) => {
            Box::new(move |bytes| Number::Float32(small.decode(word(bytes) as u32)))
        }
        (_, Ok(Form::Float32)) => Box::new(|bytes| Number::Float32(f32::from_bits(word(bytes) as u32))),
        (_, Ok(Form::Float64)) => Box::new(|bytes| Number::Float64(f64::from_bits(word(bytes)))),
        _ => return Err(no_numbers(ty)),
    };
    Ok(view.to_bytes()?.chunks_exact(size).map(read).collect())
}

/// Appends the bytes of an element of this type.
///
/// # Errors
/// INVALID_ARGUMENT: the type has no such number. UNIMPLEMENTED: its elements are no numbers, or share bytes.
pub fn put_number(number: Number, ty: ElementType, bytes: &mut Vec<u8>) -> Result {
    let refused = || Error::new(Code::InvalidArgument, format!("{number} is no element of type {ty}"));
    let whole = match number {
        Number::Truth(value) if ty == ElementType::BOOL_8 => Some(value.into()),
        Number::Signed(value) => Some(i128::from(value)),
        Number::Unsigned(value) => Some(i128::from(value)),
        _ => None,
    };
    let float = || match number {
        Number::Truth(_) => Err(refused()),
        Number::Signed(value) => Ok(value as f64),
        Number::Unsigned(value) => Ok(value as f64),
        Number::Float32(value) => Ok(value.into()),
        Number::Float64(value) => Ok(value),
    };
    let least_and_most = match (ty, Form::of(ty)) {
        (ElementType::BOOL_8, _) => (0, 1),
        (_, Ok(Form::Integer { .. })) => {
            let (top, kind) = (1 << (ty.bits() - 1), ty.0 >> 24);
            (if kind == 0x12 { 0 } else { -top }, if kind == 0x11 { top - 1 } else { 2 * top - 1 })
        }
        (_, Ok(Form::Small(small))) => {
            bytes.extend_from_slice(&small.encode(float()? as f32).to_le_bytes()[..small.bytes]);
            return Ok(());
        }
        (_, Ok(Form::Float32)) => {
            bytes.extend_from_slice(&(float()? as f32).to_le_bytes());
            return Ok(());
        }
        (_, Ok(Form::Float64)) => {
            bytes.extend_from_slice(&float()?.to_le_bytes());
            return Ok(());
        }
        _ => return Err(no_numbers(ty)),
    };
    let whole =
        whole.filter(|whole| (least_and_most.0..=least_and_most.1).contains(whole)).ok_or_else(refused)?;
    bytes.extend_from_slice(&whole.to_le_bytes()[..(ty.bits() / 8) as usize]);
    Ok(())
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Truth(value) => value.fmt(f),
            Number::Signed(value) => value.fmt(f),
            Number::Unsigned(value) => value.fmt(f),
            Number::Float32(value) => value.fmt(f),
            Number::Float64(value) => value.fmt(f),
        }
    }
}

#[cold]
fn no_numbers(ty: ElementType) -> Error {
    Error::new(Code::Unimplemented, format!("elements of type {ty} are no numbers"))
}

/// Up to eight bytes, the least significant first.
fn word(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allocator::Allocator;

    #[test]
    fn elements_are_the_numbers_that_they_mean() {
        let allocator = Allocator::new(1 << 20);
        let read = |ty, bytes: &[u8]| {
            let count = 8 * bytes.len() as u64 / ElementType(ty).bits();
            numbers(&BufferView::from_bytes(&allocator, ElementType(ty), &[count], bytes).unwrap())
        };
        assert_eq!(read(ElementType::SINT_8.0, &[255]).unwrap(), [Number::Signed(-1)]);
        assert_eq!(read(ElementType::UINT_16.0, &[255, 255]).unwrap(), [Number::Unsigned(65535)]);
        assert_eq!(
            read(ElementType::BOOL_8.0, &[0, 1]).unwrap(),
            [Number::Truth(false), Number::Truth(true)]
        );
        assert_eq!(read(ElementType::FLOAT_16.0, &[0, 0x3c]).unwrap(), [Number::Float32(1.0)]);
        assert_eq!(read(ElementType::FLOAT_32.0, &0.1f32.to_le_bytes()).unwrap(), [Number::Float32(0.1)]);
        assert_eq!(read(ElementType::FLOAT_64.0, &0.1f64.to_le_bytes()).unwrap(), [Number::Float64(0.1)]);
        assert_eq!(read(ElementType::COMPLEX_64.0, &[0; 8]).unwrap_err().code(), Code::Unimplemented);
        assert_eq!(read(ElementType::INT_4.0, &[0]).unwrap_err().code(), Code::Unimplemented);
    }

    #[test]
    fn numbers_are_put_as_they_are_read() {
        let allocator = Allocator::new(1 << 20);
        for (ty, number) in [
            (ElementType::SINT_8, Number::Signed(-128)),
            (ElementType::INT_8, Number::Signed(-128)),
            (ElementType::UINT_64, Number::Unsigned(u64::MAX)),
            (ElementType::BOOL_8, Number::Truth(true)),
            (ElementType::FLOAT_16, Number::Float32(-1.5)),
            (ElementType::BFLOAT_16, Number::Float32(3.0)),
            (ElementType::FLOAT_32, Number::Float32(0.1)),
            (ElementType::FLOAT_64, Number::Float64(0.1)),
        ] {
            let mut bytes = Vec::new();
            put_number(number, ty, &mut bytes).unwrap();
            let view = BufferView::from_bytes(&allocator, ty, &[1], &bytes).unwrap();
            assert_eq!(numbers(&view).unwrap(), [number], "{ty}");
        }
        for (ty, number) in [
            (ElementType::SINT_8, Number::Signed(128)),
            (ElementType::INT_8, Number::Signed(256)),
            (ElementType::UINT_8, Number::Signed(-1)),
            (ElementType::INT_32, Number::Float64(1.0)),
            (ElementType::BOOL_8, Number::Signed(2)),
            (ElementType::FLOAT_32, Number::Truth(true)),
        ] {
            let error = put_number(number, ty, &mut Vec::new()).unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument, "{ty}: {error}");
        }
    }
}
