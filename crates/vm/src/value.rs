//! Values as a host and a list see them.
//!
//! Not here: values in registers, which are bare bits ([`crate::engine`]).

use crate::object::{Object, Ref};
use raddle_status::{Code, Error, Result};
use std::fmt;

/// The types of values that are no references.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Primitive {
    /// 8-bit integer, i32 in registers.
    I8,
    /// 16-bit integer, i32 in registers.
    I16,
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
    /// Single precision.
    F32,
    /// Double precision.
    F64,
}

impl Primitive {
    /// The type of this name: `"i8"` to `"f64"`.
    pub fn from_name(name: &str) -> Option<Primitive> {
        Some(match name {
            "i8" => Primitive::I8,
            "i16" => Primitive::I16,
            "i32" => Primitive::I32,
            "i64" => Primitive::I64,
            "f32" => Primitive::F32,
            "f64" => Primitive::F64,
            _ => return None,
        })
    }

    /// The size in bytes.
    pub fn bytes(self) -> usize {
        match self {
            Primitive::I8 => 1,
            Primitive::I16 => 2,
            Primitive::I32 | Primitive::F32 => 4,
            Primitive::I64 | Primitive::F64 => 8,
        }
    }
}

/// A value: an argument, a result, or an element of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// No value: an element of a list that was never set.
    #[default]
    Empty,
    /// 8-bit integer.
    I8(i8),
    /// 16-bit integer.
    I16(i16),
    /// 32-bit integer.
    I32(i32),
    /// 64-bit integer.
    I64(i64),
    /// Single precision.
    F32(f32),
    /// Double precision.
    F64(f64),
    /// A reference, or null.
    Ref(Option<Ref>),
}

impl Value {
    /// A reference to a new object.
    pub fn object<T: Object>(object: T) -> Value {
        Value::Ref(Some(Ref::new(object)))
    }

    /// The value as `to`: integers are cut or sign-extended, floats rounded; between integer and float it is 0.
    /// `None` if this is no primitive value.
    pub fn convert(&self, to: Primitive) -> Option<Value> {
        let (integer, float) = match *self {
            Value::I8(value) => (Some(i64::from(value)), None),
            Value::I16(value) => (Some(i64::from(value)), None),
            Value::I32(value) => (Some(i64::from(value)), None),
            Value::I64(value) => (Some(value), None),
            Value::F32(value) => (None, Some(f64::from(value))),
            Value::F64(value) => (None, Some(value)),
            Value::Empty | Value::Ref(_) => return None,
        };
        let (integer, float) = (integer.unwrap_or(0), float.unwrap_or(0.0));
        Some(match to {
            Primitive::I8 => Value::I8(integer as i8),
            Primitive::I16 => Value::I16(integer as i16),
            Primitive::I32 => Value::I32(integer as i32),
            Primitive::I64 => Value::I64(integer),
            Primitive::F32 => Value::F32(float as f32),
            Primitive::F64 => Value::F64(float),
        })
    }

    /// The bits of a primitive value, sign-extended where narrower than 64 bits; 0 for others.
    pub fn bits(&self) -> u64 {
        match *self {
            Value::I8(value) => value as i64 as u64,
            Value::I16(value) => value as i64 as u64,
            Value::I32(value) => value as i64 as u64,
            Value::I64(value) => value as u64,
            Value::F32(value) => value.to_bits().into(),
            Value::F64(value) => value.to_bits(),
            Value::Empty | Value::Ref(_) => 0,
        }
    }

    /// The primitive value with these low bits.
    pub fn from_bits(kind: Primitive, bits: u64) -> Value {
        match kind {
            Primitive::I8 => Value::I8(bits as i8),
            Primitive::I16 => Value::I16(bits as i16),
            Primitive::I32 => Value::I32(bits as i32),
            Primitive::I64 => Value::I64(bits as i64),
            Primitive::F32 => Value::F32(f32::from_bits(bits as u32)),
            Primitive::F64 => Value::F64(f64::from_bits(bits)),
        }
    }

    /// The value as an argument of the kind that a calling convention's letter names.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`: it is of another kind (a reference for a number, or the reverse).
    pub fn for_letter(&self, letter: u8) -> Result<Value> {
        let converted = match (letter, self) {
            (b'r', Value::Ref(reference)) => Some(Value::Ref(reference.clone())),
            (b'r', Value::Empty) => Some(Value::Ref(None)),
            (b'i', _) => self.convert(Primitive::I32),
            (b'I', _) => self.convert(Primitive::I64),
            (b'f', _) => self.convert(Primitive::F32),
            (b'F', _) => self.convert(Primitive::F64),
            _ => None,
        };
        converted.ok_or_else(|| {
            let text = format!("expected {}, got {self}", letter_name(letter));
            Error::new(Code::InvalidArgument, text)
        })
    }
}

/// What a letter of a calling convention stands for.
pub(crate) fn letter_name(letter: u8) -> &'static str {
    match letter {
        b'i' => "i32",
        b'I' => "i64",
        b'f' => "f32",
        b'F' => "f64",
        b'r' => "a reference",
        _ => "nothing",
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Empty => f.write_str("empty"),
            Value::I8(value) => write!(f, "i8={value}"),
            Value::I16(value) => write!(f, "i16={value}"),
            Value::I32(value) => write!(f, "i32={value}"),
            Value::I64(value) => write!(f, "i64={value}"),
            Value::F32(value) => write!(f, "f32={value}"),
            Value::F64(value) => write!(f, "f64={value}"),
            Value::Ref(None) => f.write_str("(null)"),
            Value::Ref(Some(reference)) => f.write_str(reference.ty().name()),
        }
    }
}

macro_rules! from {
    ($($type:ty => $variant:ident),*) => { $(impl From<$type> for Value {
        fn from(value: $type) -> Value { Value::$variant(value) }
    })* };
}

from!(i8 => I8, i16 => I16, i32 => I32, i64 => I64, f32 => F32, f64 => F64, Option<Ref> => Ref);

impl From<Ref> for Value {
    fn from(reference: Ref) -> Value {
        Value::Ref(Some(reference))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_cut_extend_round_or_give_zero() {
        assert_eq!(Value::I64(0x1_0000_00FF).convert(Primitive::I8), Some(Value::I8(-1)));
        assert_eq!(Value::I8(-1).convert(Primitive::I64), Some(Value::I64(-1)));
        assert_eq!(Value::F64(0.1).convert(Primitive::F32), Some(Value::F32(0.1)));
        assert_eq!(Value::F32(2.5).convert(Primitive::I32), Some(Value::I32(0)));
        assert_eq!(Value::I32(2).convert(Primitive::F64), Some(Value::F64(0.0)));
        assert_eq!(Value::Empty.convert(Primitive::I32), None);
        assert_eq!(
            Value::Ref(None).for_letter(b'i').unwrap_err().to_string(),
            "INVALID_ARGUMENT: expected i32, got (null)"
        );
    }
}
