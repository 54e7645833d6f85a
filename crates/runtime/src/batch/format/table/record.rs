//! A result while the batch runs: a table is made at its end, of records that lie one behind the other.
//!
//! Not here: the table (`results.rs`).
//!
//! ```text
//! length of what follows (8 bytes) │ id: 8 bytes, or length (8) and text │ attempts (4) │ status (4) │ results, or length (8) and message
//! a result: the extents that the function does not declare (8 each), then elements; little-endian
//! ```

use super::super::super::item::{Done, ItemId};
use super::super::interface::{Interface, Kind};
use super::super::json_lines::message;
use super::super::npy::Dtype;
use raddle_hal::{BufferView, ElementType};
use raddle_status::{Code, Error, Result, ResultExt};
use raddle_vm::Value;
use std::io::{self, Read};

/// What a column of results holds.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) dtype: Dtype,
    /// Of a tensor.
    element: Option<ElementType>,
    pub(super) extents: Vec<Option<u64>>,
}

impl Shape {
    /// Of each result of a function.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: one has no form in a table.
    pub(super) fn of(interface: &Interface) -> Result<Vec<Shape>> {
        let each = interface.results.iter().enumerate();
        each.map(|(at, kind)| Shape::new(kind).within(|| format!("in result {at}"))).collect()
    }

    fn new(kind: &Kind) -> Result<Shape> {
        let tensor = match kind {
            Kind::Plain(scalar) => {
                let text = "it is neither a number nor a declared tensor; use .jsonl";
                let dtype = Dtype::of_scalar(*scalar).ok_or_else(|| invalid(text))?;
                return Ok(Shape { dtype, element: None, extents: Vec::new() });
            }
            Kind::Tensor(tensor) => tensor,
        };
        match Dtype::of_element(tensor.element) {
            Some(dtype) => Ok(Shape { dtype, element: Some(tensor.element), extents: tensor.shape.clone() }),
            None => Err(invalid(format!("{tensor} has elements that tables do not have; use .jsonl"))),
        }
    }

    /// # Errors
    /// INVALID_ARGUMENT: the value is not what the function declares. Failures of devices.
    fn put(&self, value: &Value, out: &mut Vec<u8>) -> Result {
        let Some(element) = self.element else {
            out.extend_from_slice(&value.bits().to_le_bytes()[..self.dtype.bytes()]);
            return Ok(());
        };
        let view = match value {
            Value::Ref(Some(object)) => object.get::<BufferView>(),
            _ => None,
        };
        let view = view.ok_or_else(|| invalid("it is no tensor"))?;
        let (shape, bytes) = (view.shape(), view.to_bytes()?);
        let is_declared = shape.len() == self.extents.len()
            && shape.iter().zip(&self.extents).all(|(own, declared)| declared.is_none_or(|one| one == *own));
        let is_dense = view.element_type().dense_bytes(shape) == Some(bytes.len() as u64);
        if !is_declared || !is_dense || !element.admits(view.element_type()) {
            return Err(invalid(format!("{view:?} is not what the function declares")));
        }
        for (extent, _) in shape.iter().zip(&self.extents).filter(|(_, declared)| declared.is_none()) {
            put(*extent, out);
        }
        out.extend_from_slice(&bytes);
        Ok(())
    }

    /// The extents of a result, and its elements.
    fn take<'a>(&self, bytes: &mut &'a [u8]) -> io::Result<(Vec<u64>, &'a [u8])> {
        let extents = self.extents.iter().map(|declared| declared.map_or_else(|| take_u64(bytes), Ok));
        let extents: Vec<u64> = extents.collect::<io::Result<_>>()?;
        let count = extents.iter().try_fold(self.dtype.bytes() as u64, |all, one| all.checked_mul(*one));
        let count = count.and_then(|count| usize::try_from(count).ok()).ok_or_else(torn)?;
        Ok((extents, take(bytes, count)?))
    }
}

/// Adds the record of an item; results that do not fit make it one of a failure.
///
/// # Errors
/// INVALID_ARGUMENT: an id that is no number, where they have to be.
pub(super) fn encode(shapes: &[Shape], has_texts: bool, done: &mut Done, out: &mut Vec<u8>) -> Result {
    let start = out.len();
    put(0, out);
    match &done.id {
        id if has_texts => put_text(&id.to_string(), out),
        ItemId::Number(number) => out.extend_from_slice(&number.to_le_bytes()),
        ItemId::Index(index) => put(*index, out),
        ItemId::Text(text) => return Err(invalid(format!("the id '{text}' is no number"))),
    }
    out.extend_from_slice(&done.attempts.to_le_bytes());
    let status = out.len();
    out.extend_from_slice(&[0; 4]);
    if let Ok(outputs) = &done.result {
        let mut pairs = shapes.iter().zip(outputs.iter()).enumerate();
        let all = pairs
            .try_for_each(|(at, (shape, value))| shape.put(value, out).within(|| format!("in result {at}")));
        if let Err(error) = all {
            out.truncate(status + 4);
            done.result = Err(error);
        }
    }
    if let Err(error) = &done.result {
        out[status..].copy_from_slice(&error.code().number().to_le_bytes());
        put_text(&message(error), out);
    }
    let length = (out.len() - start - 8) as u64;
    out[start..start + 8].copy_from_slice(&length.to_le_bytes());
    Ok(())
}

/// A record that was read back.
pub(super) struct Record<'a> {
    pub(super) id: Id<'a>,
    pub(super) attempts: u32,
    /// Extents and elements of each result, or a status and a message.
    pub(super) results: Results<'a>,
}

pub(super) enum Id<'a> {
    Number(i64),
    Text(&'a str),
}

pub(super) type Results<'a> = std::result::Result<Vec<(Vec<u64>, &'a [u8])>, (Code, &'a str)>;

/// Reads the bytes of the next record, without their length, into `record`; false at the end.
pub(super) fn read(reader: &mut impl Read, left: &mut u64, record: &mut Vec<u8>) -> io::Result<bool> {
    if *left == 0 {
        return Ok(false);
    }
    let mut length = [0; 8];
    reader.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    *left = left.checked_sub(8).and_then(|left| left.checked_sub(length)).ok_or_else(torn)?;
    record.resize(usize::try_from(length).map_err(|_| torn())?, 0);
    reader.read_exact(record)?;
    Ok(true)
}

/// The inverse of [`encode`].
pub(super) fn decode<'a>(shapes: &[Shape], has_texts: bool, mut bytes: &'a [u8]) -> io::Result<Record<'a>> {
    let bytes = &mut bytes;
    let id = match has_texts {
        true => Id::Text(take_text(bytes)?),
        false => Id::Number(take_u64(bytes)? as i64),
    };
    let (attempts, status) = (take_u32(bytes)?, take_u32(bytes)?);
    let results = match (status, Code::from_number(status)) {
        (0, _) => Ok(shapes.iter().map(|shape| shape.take(bytes)).collect::<io::Result<_>>()?),
        (_, Some(code)) => Err((code, take_text(bytes)?)),
        (_, None) => return Err(torn()),
    };
    Ok(Record { id, attempts, results })
}

fn put(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    put(text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> io::Result<&'a [u8]> {
    let (own, rest) = bytes.split_at_checked(count).ok_or_else(torn)?;
    *bytes = rest;
    Ok(own)
}

fn take_u64(bytes: &mut &[u8]) -> io::Result<u64> {
    Ok(u64::from_le_bytes(take(bytes, 8)?.try_into().map_err(|_| torn())?))
}

fn take_u32(bytes: &mut &[u8]) -> io::Result<u32> {
    Ok(u32::from_le_bytes(take(bytes, 4)?.try_into().map_err(|_| torn())?))
}

fn take_text<'a>(bytes: &mut &'a [u8]) -> io::Result<&'a str> {
    let length = usize::try_from(take_u64(bytes)?).map_err(|_| torn())?;
    std::str::from_utf8(take(bytes, length)?).map_err(|_| torn())
}

fn torn() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a record of results is damaged")
}

fn invalid(text: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(Code::InvalidArgument, text)
}
