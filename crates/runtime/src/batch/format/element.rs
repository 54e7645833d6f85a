//! Elements of arrays in files as arguments: which become which, and how.
//!
//! Not here: where the elements come from (`array.rs`, `table/cells.rs`).

use super::interface::TensorKind;
use super::npy::Dtype;
use raddle_hal::ElementType;
use raddle_status::{Code, Error, Result};
use raddle_vm::{Scalar, Value};

/// How a row becomes a tensor.
pub(super) struct Tensor {
    pub(super) element: ElementType,
    pub(super) shape: Vec<u64>,
}

impl Tensor {
    /// For rows of these extents, if they are what is declared.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: they are other tensors.
    pub(super) fn of(dtype: Dtype, row: &[u64], kind: Option<&TensorKind>) -> Result<Tensor> {
        let found = dtype.element();
        let (element, shape) = match kind {
            None => (found, Some(row.to_vec())),
            Some(kind) => (kind.element, kind.admit(row)),
        };
        match shape {
            Some(shape) if element.admits(found) => Ok(Tensor { element, shape }),
            _ => {
                let wanted = kind.map(TensorKind::to_string).unwrap_or_default();
                let text = format!(
                    "its rows are tensors of shape {row:?} and type {dtype}, the function takes {wanted} there"
                );
                Err(Error::new(Code::InvalidArgument, text))
            }
        }
    }
}

/// Whether each number of the type is one of the kind, in value, or for i32 and i64 in bits.
pub(super) fn fits(dtype: Dtype, kind: Scalar) -> bool {
    match kind {
        Scalar::I32 => matches!(dtype, Dtype::Bool | Dtype::Int(1..=4) | Dtype::Uint(1..=4)),
        Scalar::I64 => matches!(dtype, Dtype::Bool | Dtype::Int(_) | Dtype::Uint(_)),
        Scalar::F32 => dtype == Dtype::Float(4),
        Scalar::F64 => matches!(dtype, Dtype::Float(4 | 8)),
        Scalar::Ref => false,
    }
}

/// The kind, for messages.
pub(super) fn name(kind: Scalar) -> &'static str {
    match kind {
        Scalar::I32 => "i32",
        Scalar::I64 => "i64",
        Scalar::F32 => "f32",
        Scalar::F64 => "f64",
        Scalar::Ref => "a reference",
    }
}

/// The number in these little-endian bytes, of a type that [`fits`] the kind.
pub(super) fn number(bytes: &[u8], dtype: Dtype, kind: Scalar) -> Value {
    let mut wide = [0; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    let bits = u64::from_le_bytes(wide);
    let shift = 64 - 8 * bytes.len() as u32;
    match (dtype, kind) {
        (Dtype::Float(4), Scalar::F64) => Value::F64(f32::from_bits(bits as u32).into()),
        (Dtype::Float(4), _) => Value::F32(f32::from_bits(bits as u32)),
        (Dtype::Float(_), _) => Value::F64(f64::from_bits(bits)),
        (Dtype::Int(_), Scalar::I32) => Value::I32(((bits << shift) as i64 >> shift) as i32),
        (Dtype::Int(_), _) => Value::I64((bits << shift) as i64 >> shift),
        (_, Scalar::I32) => Value::I32(bits as i32),
        (_, _) => Value::I64(bits as i64),
    }
}
