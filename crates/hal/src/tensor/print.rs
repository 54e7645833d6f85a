//! A tensor as text: `2x3xf32=[1 2 3][4 5 6]`.

use super::element::Form;
use crate::view::{BufferView, ShapeText};
use raddle_status::{Code, Error, Result};
use std::fmt::Write;

/// Elements that stock IREE's tools print of a tensor unless they are told otherwise.
pub const ELEMENTS_MAX: usize = 1024;

/// The tensor as text, with at most so many elements; `...` stands for others.
///
/// # Errors
/// OUT_OF_RANGE: its elements share bytes, or its buffer is shorter than its shape. FAILED_PRECONDITION: the tensor does not
/// exist yet.
pub fn to_text(view: &BufferView, elements_max: usize) -> Result<String> {
    let form = Form::of(view.element_type())?;
    let shape = view.shape();
    let count = shape.iter().try_fold(1_u64, |count, extent| count.checked_mul(*extent));
    let shown = count.unwrap_or(u64::MAX).min(elements_max as u64) as usize;
    let mut bytes = vec![0; shown.saturating_mul(form.bytes())];
    view.buffer().read(0, &mut bytes).map_err(|error| {
        let text = format!("the buffer of a tensor {view:?} is too short to print it");
        if error.code() == Code::OutOfRange { Error::new(Code::OutOfRange, text) } else { error }
    })?;
    let mut text = head(view);
    text.push('=');
    let mut printer = Printer { form, rest: bytes.chunks_exact(form.bytes()), groups: elements_max, text };
    if count == Some(0) {
        printer.empty(shape);
    } else {
        printer.group(shape);
    }
    Ok(printer.text)
}

/// Shape and type: `2x3xf32`.
pub(super) fn head(view: &BufferView) -> String {
    let mut text = ShapeText(view.shape()).to_string();
    if !view.shape().is_empty() {
        text.push('x');
    }
    // Writing to a string can't fail.
    let _ = write!(text, "{}", view.element_type());
    text
}

struct Printer<'a> {
    form: Form,
    /// The elements that are still to be printed.
    rest: std::slice::ChunksExact<'a, u8>,
    /// Pairs of brackets that are still to be printed around nothing.
    groups: usize,
    text: String,
}

impl Printer<'_> {
    /// The elements of the innermost extent, inside brackets for all others.
    fn group(&mut self, shape: &[u64]) {
        if let [outer, inner @ ..] = shape
            && !inner.is_empty()
        {
            for _ in 0..*outer {
                self.text.push('[');
                self.group(inner);
                self.text.push(']');
            }
            return;
        }
        for index in 0..shape.first().copied().unwrap_or(1) {
            let Some(element) = self.rest.next() else {
                self.text.push_str("...");
                return;
            };
            if index > 0 {
                self.text.push(' ');
            }
            self.form.show(element, &mut self.text);
        }
    }

    /// Brackets around nothing, but not without end.
    fn empty(&mut self, shape: &[u64]) {
        let [outer, inner @ ..] = shape else { return };
        for _ in 0..if inner.is_empty() { 0 } else { *outer } {
            if self.groups == 0 {
                self.text.push_str("...");
                return;
            }
            self.groups -= 1;
            self.text.push('[');
            self.empty(inner);
            self.text.push(']');
        }
    }
}
