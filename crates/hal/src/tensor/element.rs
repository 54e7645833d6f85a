//! One element as text and as bytes.
//!
//! Not here: shapes and brackets (`read.rs`, `print.rs`).

use super::number::{Float, float, general, wide};
use super::small_float::SmallFloat;
use crate::element::ElementType;
use raddle_status::{Code, Error, Result};
use std::fmt::Write;

/// How elements of a type are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// A number in two's complement. `least` and `most` bound what may be written for it.
    Integer {
        bytes: usize,
        least: i128,
        most: i128,
        is_signed: bool,
    },
    Small(SmallFloat),
    Float32,
    Float64,
    /// The bytes as they lie in memory, two digits each.
    Hex {
        bytes: usize,
    },
}

impl Form {
    /// The form of a type.
    ///
    /// # Errors
    /// OUT_OF_RANGE for elements that are no whole bytes.
    pub(super) fn of(ty: ElementType) -> Result<Form> {
        if let Some(small) = SmallFloat::of(ty) {
            return Ok(Form::Small(small));
        }
        match ty {
            ElementType::FLOAT_32 => return Ok(Form::Float32),
            ElementType::FLOAT_64 => return Ok(Form::Float64),
            _ => {}
        }
        let bits = ty.bits();
        if !bits.is_multiple_of(8) || bits == 0 {
            let text =
                format!("elements of type {ty} share bytes and have no text; use a raw file (`=@file.bin`)");
            return Err(Error::new(Code::OutOfRange, text));
        }
        let bytes = (bits / 8) as usize;
        let form = |least, most, is_signed| Form::Integer { bytes, least, most, is_signed };
        let top = 1_i128 << (bits - 1).min(100);
        Ok(match (ty.0 >> 24, bytes) {
            // Words wrap around, as they do in C; shorter numbers do not.
            (0x10 | 0x11, 4) => form(i64::MIN.into(), i64::MAX.into(), true),
            (0x12, 4) => form(i64::MIN.into(), u64::MAX.into(), false),
            (0x10 | 0x11, 8) => form(i64::MIN.into(), i64::MAX.into(), true),
            (0x12, 8) => form(-i128::from(u64::MAX), u64::MAX.into(), false),
            (0x10, 1 | 2) => form(-top, 2 * top - 1, true),
            (0x11, 1 | 2) => form(-top, top - 1, true),
            (0x12, 1 | 2) => form(0, 2 * top - 1, false),
            _ => Form::Hex { bytes },
        })
    }

    /// The bytes of an element.
    pub(super) fn bytes(self) -> usize {
        match self {
            Form::Integer { bytes, .. } | Form::Hex { bytes } => bytes,
            Form::Small(small) => small.bytes,
            Form::Float32 => 4,
            Form::Float64 => 8,
        }
    }

    /// Appends the element that a text means.
    ///
    /// # Errors
    /// INVALID_ARGUMENT if it means none.
    pub(super) fn put(self, text: &str, bytes: &mut Vec<u8>) -> Result {
        match self {
            Form::Integer { bytes: size, least, most, .. } => {
                let value = wide(text).filter(|value| (least..=most).contains(value));
                let value = value.ok_or_else(|| wrong(text, self))?;
                bytes.extend_from_slice(&value.to_le_bytes()[..size]);
            }
            Form::Small(small) => {
                let code = small.encode(number(text, self)?);
                bytes.extend_from_slice(&code.to_le_bytes()[..small.bytes]);
            }
            Form::Float32 => bytes.extend_from_slice(&number::<f32>(text, self)?.to_le_bytes()),
            Form::Float64 => bytes.extend_from_slice(&number::<f64>(text, self)?.to_le_bytes()),
            Form::Hex { bytes: size } => {
                let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
                let digits =
                    digits.filter(|digits| digits.len() == 2 * size).ok_or_else(|| wrong(text, self))?;
                bytes.extend(digits.chunks_exact(2).map(|pair| (pair[0] * 16 + pair[1]) as u8));
            }
        }
        Ok(())
    }

    /// Appends the text of an element.
    pub(super) fn show(self, bytes: &[u8], text: &mut String) {
        let mut word = [0; 8];
        if let Some(start) = word.get_mut(..bytes.len()) {
            start.copy_from_slice(bytes);
        }
        let word = u64::from_le_bytes(word);
        // Writing to a string can't fail.
        let _ = match self {
            Form::Integer { bytes, is_signed: true, .. } => {
                let unused = 64 - 8 * bytes as u32;
                write!(text, "{}", (word << unused).cast_signed() >> unused)
            }
            Form::Integer { .. } => write!(text, "{word}"),
            Form::Hex { .. } => bytes.iter().try_for_each(|byte| write!(text, "{byte:02X}")),
            _ => {
                text.push_str(&general(self.value(bytes).unwrap_or_default()).to_uppercase());
                Ok(())
            }
        };
    }

    /// The number that an element of a float type is.
    pub(super) fn value(self, bytes: &[u8]) -> Option<f64> {
        let code = || bytes.iter().rev().fold(0, |code, &byte| code << 8 | u32::from(byte));
        match self {
            Form::Small(small) => Some(small.decode(code()).into()),
            Form::Float32 => Some(f32::from_bits(code()).into()),
            Form::Float64 => Some(f64::from_le_bytes(bytes.try_into().ok()?)),
            _ => None,
        }
    }
}

/// A float; one that is too small for its type is refused rather than read as zero.
fn number<T: Float>(text: &str, form: Form) -> Result<T> {
    let value = float::<T>(text).ok_or_else(|| wrong(text, form))?;
    if value.is_zero() && has_digits(text) {
        return Err(Error::new(Code::InvalidArgument, format!("'{text}' is too small for its element type")));
    }
    Ok(value)
}

/// Whether a number that was read as zero has a digit other than zero in front of its exponent.
fn has_digits(text: &str) -> bool {
    let text = text.trim_start_matches(['-', '+']);
    let (text, is_digit, end): (_, fn(&char) -> bool, [char; 2]) = match text.get(..2) {
        Some("0x" | "0X") => (&text[2..], char::is_ascii_hexdigit, ['p', 'P']),
        _ => (text, char::is_ascii_digit, ['e', 'E']),
    };
    let mantissa = text.split(end).next().unwrap_or_default();
    mantissa.chars().take_while(|c| is_digit(c) || *c == '.').any(|c| !matches!(c, '0' | '.'))
}

#[cold]
fn wrong(text: &str, form: Form) -> Error {
    let what = match form {
        Form::Integer { least, most, .. } => format!("an integer from {least} to {most}"),
        Form::Hex { bytes } => format!("{} hexadecimal digits", 2 * bytes),
        _ => "a number".to_owned(),
    };
    Error::new(Code::InvalidArgument, format!("'{text}' is not {what}"))
}
