//! Whether a tensor is what was expected: exactly, or each float within a tolerance.

use super::element::Form;
use super::print::{ELEMENTS_MAX, head, to_text};
use crate::element::ElementType;
use crate::view::BufferView;
use raddle_status::Result;

/// How far a float may be from what was expected: `absolute + relative * |expected|`. NaNs equal each other.
///
/// Integers, truth values and floats of 8 bits must be equal.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Tolerance {
    /// Bytes are compared, and what follows is not looked at.
    pub is_exact: bool,
    /// Absolute, of `f16`.
    pub f16: f64,
    /// Absolute, of `bf16`.
    pub bf16: f64,
    /// Absolute, of `f32`.
    pub f32: f64,
    /// Absolute, of `f64`.
    pub f64: f64,
    /// Relative, of all of them.
    pub relative: f64,
}

/// Stock IREE's.
impl Default for Tolerance {
    fn default() -> Tolerance {
        Tolerance { is_exact: false, f16: 1e-3, bf16: 1e-2, f32: 1e-4, f64: 1e-4, relative: 1e-5 }
    }
}

impl Tolerance {
    fn absolute(&self, ty: ElementType) -> Option<f64> {
        match ty {
            _ if self.is_exact => None,
            ElementType::FLOAT_16 => Some(self.f16),
            ElementType::BFLOAT_16 => Some(self.bf16),
            ElementType::FLOAT_32 => Some(self.f32),
            ElementType::FLOAT_64 => Some(self.f64),
            _ => None,
        }
    }
}

/// What differs, as stock IREE tells it after `result[0]: `; `None` if the tensors are equal within the tolerance.
///
/// # Errors
/// Those of [`to_text`], and of reading the tensors.
pub fn compare(expected: &BufferView, actual: &BufferView, tolerance: &Tolerance) -> Result<Option<String>> {
    let wanted = head(expected);
    let different = if expected.element_type() != actual.element_type() || expected.shape() != actual.shape()
    {
        Some(format!("metadata is {}; expected that the view matches {wanted}", head(actual)))
    } else {
        first_difference(expected, actual, tolerance)?
    };
    let Some(different) = different else { return Ok(None) };
    let (expected, actual) = (to_text(expected, ELEMENTS_MAX)?, to_text(actual, ELEMENTS_MAX)?);
    Ok(Some(format!(
        "{different}; expected that the view is equal to contents of a view of {wanted}\n  expected:\n{expected}\n  \
         actual:\n{actual}"
    )))
}

fn first_difference(
    expected: &BufferView,
    actual: &BufferView,
    tolerance: &Tolerance,
) -> Result<Option<String>> {
    let (wanted, found) = (expected.to_bytes()?, actual.to_bytes()?);
    if wanted == found {
        return Ok(None);
    }
    let ty = expected.element_type();
    let (form, absolute) = (Form::of(ty)?, tolerance.absolute(ty));
    let pairs = wanted.chunks_exact(form.bytes()).zip(found.chunks_exact(form.bytes()));
    for (index, (wanted, found)) in pairs.enumerate() {
        let is_near = || {
            let (wanted, found) = (form.value(wanted)?, form.value(found)?);
            let is_same = wanted == found || (wanted.is_nan() && found.is_nan());
            let limit = absolute? + tolerance.relative * wanted.abs();
            // Infinities are near nothing.
            Some(is_same || (wanted.is_finite() && (wanted - found).abs() <= limit))
        };
        if wanted != found && !(absolute.is_some() && is_near() == Some(true)) {
            let (mut is, mut should) = (String::new(), String::new());
            form.show(found, &mut is);
            form.show(wanted, &mut should);
            return Ok(Some(format!(
                "element at index {index} ({is}) does not match the expected ({should})"
            )));
        }
    }
    Ok(None)
}
