//! `hal.buffer_view`: a buffer with a shape and an element type, and the assertions that programs make of it.
//!
//! Not here: reading tensors from text and printing them.

use crate::allocator::Allocator;
use crate::buffer::{Buffer, BufferParams};
use crate::element::{ENCODING_DENSE, ENCODING_OPAQUE, Element, ElementType};
use crate::flags::WHOLE_BUFFER;
use raddle_status::{Code, Error, Result};
use raddle_vm::{Object, RefOf, Released, Value};
use smallvec::SmallVec;
use std::fmt::{self, Write};

/// Extents of a tensor.
pub type Shape = SmallVec<[u64; 4]>;

/// A tensor: a buffer, a shape, an element type. Programs never change a view, only what its buffer holds.
pub struct BufferView {
    /// `None` only while it ends.
    buffer: Option<RefOf<Buffer>>,
    element: ElementType,
    encoding: u32,
    shape: Shape,
}

impl Object for BufferView {
    const NAME: &'static str = "hal.buffer_view";

    fn children(&mut self, dead: &mut Released) {
        if let Some(buffer) = self.buffer.take() {
            dead.push(buffer.into_ref());
        }
    }
}

impl BufferView {
    /// A view of a whole buffer. Whether the tensor fits into it is not looked at: programs assert it.
    pub fn new(
        buffer: RefOf<Buffer>,
        element: ElementType,
        encoding: u32,
        shape: impl Into<Shape>,
    ) -> BufferView {
        BufferView { buffer: Some(buffer), element, encoding, shape: shape.into() }
    }

    /// A dense tensor with a copy of these elements.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: the shape has another number of elements. RESOURCE_EXHAUSTED: no memory.
    pub fn dense<T: Element>(allocator: &Allocator, shape: &[u64], elements: &[T]) -> Result<BufferView> {
        let count = shape.iter().try_fold(1u64, |count, dim| count.checked_mul(*dim));
        if count != Some(elements.len() as u64) {
            let text = format!("{} elements for a tensor of shape {}", elements.len(), ShapeText(shape));
            return Err(Error::new(Code::InvalidArgument, text));
        }
        let mut bytes = Vec::with_capacity(size_of_val(elements));
        elements.iter().for_each(|element| element.put(&mut bytes));
        BufferView::from_bytes(allocator, T::TYPE, shape, &bytes)
    }

    /// A dense tensor with a copy of these bytes.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: the tensor has another length. RESOURCE_EXHAUSTED: no memory.
    pub fn from_bytes(
        allocator: &Allocator,
        element: ElementType,
        shape: &[u64],
        bytes: &[u8],
    ) -> Result<BufferView> {
        let length = element.dense_bytes(shape);
        if length != Some(bytes.len() as u64) {
            let (got, shape) = (bytes.len(), ShapeText(shape));
            let text = format!("{got} bytes for a tensor {shape}x{element}, which has {length:?}");
            return Err(Error::new(Code::InvalidArgument, text));
        }
        let buffer = Buffer::allocate(allocator, bytes.len() as u64, BufferParams::default())?;
        buffer.write(0, bytes)?;
        Ok(BufferView::new(RefOf::new(buffer), element, ENCODING_DENSE, shape))
    }

    /// The buffer.
    pub fn buffer(&self) -> &RefOf<Buffer> {
        self.buffer.as_ref().expect("a live view has its buffer")
    }

    /// The element type.
    pub fn element_type(&self) -> ElementType {
        self.element
    }

    /// The layout: [`ENCODING_DENSE`] or another.
    pub fn encoding(&self) -> u32 {
        self.encoding
    }

    /// The extents.
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// The view as an argument.
    pub fn into_value(self) -> Value {
        Value::object(self)
    }

    /// The elements, copied.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: they are of another type. FAILED_PRECONDITION: the tensor does not exist yet.
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        if !T::TYPE.admits(self.element) {
            let text = format!("the tensor has elements {}, not {}", self.element, T::TYPE);
            return Err(Error::new(Code::InvalidArgument, text));
        }
        let bytes = self.to_bytes()?;
        Ok(bytes.chunks_exact(size_of::<T>()).map(T::get).collect())
    }

    /// The bytes of the tensor, copied: as many as its shape says, or as the buffer has.
    ///
    /// # Errors
    /// FAILED_PRECONDITION: the tensor does not exist yet.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let length =
            self.element.dense_bytes(&self.shape).unwrap_or(WHOLE_BUFFER).min(self.buffer().length());
        let mut bytes = vec![0; length as usize];
        self.buffer().read(0, &mut bytes)?;
        Ok(bytes)
    }

    /// Whether the tensor is as the program expects it: what nearly always holds, in a few instructions, and without the name
    /// that an error would have.
    #[inline]
    pub(crate) fn is_fit(
        &self,
        element: ElementType,
        encoding: u32,
        shape: impl ExactSizeIterator<Item = u64>,
    ) -> bool {
        let has_encoding = self.encoding == encoding || self.encoding == ENCODING_OPAQUE;
        let has_element = self.element == element || element.admits(self.element);
        has_encoding && has_element && shape.eq(self.shape.iter().copied())
    }

    /// Fails unless the tensor is as the program expects it.
    ///
    /// # Errors
    /// INVALID_ARGUMENT, saying what differs; `name` is what the program calls the tensor.
    pub(crate) fn check(&self, name: &str, element: ElementType, encoding: u32, shape: &[u64]) -> Result {
        if self.encoding != ENCODING_OPAQUE && self.encoding != encoding {
            let (want, got) = (encoding, self.encoding);
            return Err(mismatch(format!(
                "{name} encoding mismatch; expected {want:08x} but have {got:08x}"
            )));
        }
        if !element.admits(self.element) {
            let (want, got) = (element, self.element);
            return Err(mismatch(format!(
                "{name} element type mismatch; expected {want:?} but have {got:?}"
            )));
        }
        let (want, got) = (shape, &self.shape[..]);
        let shapes = || format!("expected shape `{}`, actual shape `{}`", ShapeText(want), ShapeText(got));
        if want.len() != got.len() {
            let (want, got) = (want.len(), got.len());
            let text = format!("{name} shape rank mismatch; expected {want} but have {got}; {}", shapes());
            return Err(mismatch(text));
        }
        match (0..want.len()).find(|index| want[*index] != got[*index]) {
            None => Ok(()),
            Some(index) => {
                let (want, got) = (want[index], got[index]);
                let what = format!("{name} shape dimension {index} mismatch; expected {want} but have {got}");
                Err(mismatch(format!("{what}; {}", shapes())))
            }
        }
    }
}

fn mismatch(text: String) -> Error {
    Error::new(Code::InvalidArgument, text)
}

/// Whether a buffer is as the program expects it.
#[inline]
pub(crate) fn is_fit(buffer: &Buffer, length: u64, memory_type: u32, usage: u32) -> bool {
    let params = buffer.params();
    buffer.length() >= length
        && params.memory_type & memory_type == memory_type
        && params.usage & usage == usage
}

/// Fails unless a buffer is as the program expects it.
///
/// # Errors
/// INVALID_ARGUMENT: too short. PERMISSION_DENIED: other memory, or not to be used as the program will.
pub(crate) fn check_buffer(buffer: &Buffer, name: &str, length: u64, memory_type: u32, usage: u32) -> Result {
    if buffer.length() < length {
        let got = buffer.length();
        let text = format!("{name} byte length less than expected; at least {length} but have {got}");
        return Err(mismatch(text));
    }
    let params = buffer.params();
    for (what, want, got) in
        [("memory type", memory_type, params.memory_type), ("usage", usage, params.usage)]
    {
        if got & want != want {
            let text = format!("{name} {what} is not compatible; expected {want:#x} but have {got:#x}");
            return Err(Error::new(Code::PermissionDenied, text));
        }
    }
    Ok(())
}

/// `4x8`; nothing for a scalar.
pub(crate) struct ShapeText<'a>(pub(crate) &'a [u64]);

impl fmt::Display for ShapeText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, extent) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_char('x')?;
            }
            write!(f, "{extent}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for BufferView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BufferView({}x{})", ShapeText(&self.shape), self.element)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(want: (&str, &[u64]), got: (&str, &[u64])) -> String {
        let ty = |name| ElementType::from_name(name).unwrap();
        let allocator = Allocator::new(1 << 20);
        let length = ty(got.0).dense_bytes(got.1).unwrap();
        let buffer = RefOf::new(Buffer::allocate(&allocator, length, BufferParams::default()).unwrap());
        let view = BufferView::new(buffer, ty(got.0), ENCODING_DENSE, got.1);
        let checked = view.check("input0", ty(want.0), ENCODING_DENSE, want.1);
        checked.map_or_else(|error| error.message().to_owned(), |()| String::new())
    }

    #[test]
    fn mismatches_are_told_as_stock_tells_them() {
        let want = ("f32", &[4, 8][..]);
        assert_eq!(message(want, want), "");
        assert_eq!(
            message(want, ("f32", &[4, 7])),
            "input0 shape dimension 1 mismatch; expected 8 but have 7; expected shape `4x8`, actual shape `4x7`"
        );
        assert_eq!(
            message(want, ("i32", &[4, 8])),
            "input0 element type mismatch; expected f32 (21000020) but have i32 (10000020)"
        );
        assert_eq!(
            message(want, ("f32", &[32])),
            "input0 shape rank mismatch; expected 2 but have 1; expected shape `4x8`, actual shape `32`"
        );
    }

    #[test]
    fn elements_go_in_and_out() {
        let allocator = Allocator::new(1 << 20);
        let view = BufferView::dense(&allocator, &[2, 2], &[1.5f32, -2.0, 3.0, 4.0]).unwrap();
        assert_eq!(view.to_vec::<f32>().unwrap(), [1.5, -2.0, 3.0, 4.0]);
        assert_eq!(view.to_vec::<i32>().unwrap_err().code(), Code::InvalidArgument);
        assert_eq!(BufferView::dense(&allocator, &[3], &[1i8]).unwrap_err().code(), Code::InvalidArgument);
        let opaque = BufferView::from_bytes(&allocator, ElementType::OPAQUE_32, &[1], &[0; 4]).unwrap();
        assert_eq!(opaque.to_vec::<f32>().unwrap(), [0.0]);
    }
}
