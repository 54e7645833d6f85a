//! NumPy's `.npy` files: one array after the other, each with a header of text.
//!
//! # Sources
//! NumPy, `numpy.lib.format`: versions 1.0 to 3.0

use crate::element::ElementType;
use crate::view::{BufferView, Shape};
use raddle_status::{Code, Error, Result};
use std::fmt::Write as _;
use std::io::{Read, Write};

const MAGIC: &[u8] = b"\x93NUMPY";
/// Headers end at a multiple of this. Unit: bytes.
const ALIGNMENT: usize = 64;
/// The longest header that is read. Unit: bytes. Guess: they have about 100.
const HEADER_BYTES_MAX: usize = 1 << 16;
/// The most extents that an array has. From NumPy.
const RANK_MAX: usize = 64;

/// What a header says.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Header {
    pub(super) element: ElementType,
    pub(super) shape: Shape,
}

/// Reads one header; the array's bytes come next. `None` at the end of the file.
pub(super) fn read_header(file: &mut impl Read) -> Result<Option<Header>> {
    let mut start = [0; 8];
    match file.read(&mut start[..1]) {
        Ok(0) => return Ok(None),
        result => result.map_err(unreadable)?,
    };
    file.read_exact(&mut start[1..]).map_err(unreadable)?;
    if start[..6] != *MAGIC {
        return Err(invalid("this is no .npy file: its first bytes are not \\x93NUMPY"));
    }
    let mut length = [0; 4];
    let bytes = match start[6] {
        1 => 2,
        2 | 3 => 4,
        other => return Err(unimplemented(format!(".npy version {other}.{}; 1 to 3 are known", start[7]))),
    };
    file.read_exact(&mut length[..bytes]).map_err(unreadable)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > HEADER_BYTES_MAX {
        return Err(invalid(format!("a .npy header of {length} bytes; at most {HEADER_BYTES_MAX}")));
    }
    let mut text = vec![0; length];
    file.read_exact(&mut text).map_err(unreadable)?;
    let text = String::from_utf8(text).map_err(|_| invalid("the .npy header is no text"))?;
    parse_header(&text).map(Some)
}

/// `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`
fn parse_header(text: &str) -> Result<Header> {
    let wrong = |what: &str| invalid(format!("the .npy header has no {what}: {}", text.trim()));
    let value = |key: &str| {
        let after = ['\'', '"'].iter().find_map(|quote| text.split_once(&format!("{quote}{key}{quote}")));
        after.and_then(|(_, rest)| rest.trim_start().strip_prefix(':')).map(str::trim_start)
    };
    let descr = value("descr").ok_or_else(|| wrong("'descr'"))?;
    let quote = descr.chars().next().filter(|c| matches!(c, '\'' | '"'));
    let quote = quote.ok_or_else(|| unimplemented("arrays of structures are not tensors".to_owned()))?;
    let descr = descr[1..].split(quote).next().unwrap_or_default();
    let order = value("fortran_order").ok_or_else(|| wrong("'fortran_order'"))?;
    if !order.starts_with("False") {
        let text = "the array is in column-major order; save numpy.ascontiguousarray of it";
        return Err(unimplemented(text.to_owned()));
    }
    let shape = value("shape").and_then(|rest| rest.strip_prefix('(')?.split_once(')'));
    let (shape, _) = shape.ok_or_else(|| wrong("'shape'"))?;
    let extents = shape.split(',').map(str::trim).filter(|extent| !extent.is_empty());
    let shape: Option<Shape> = extents.map(|extent| extent.trim_end_matches('L').parse().ok()).collect();
    let shape = shape.filter(|shape| shape.len() <= RANK_MAX).ok_or_else(|| wrong("'shape' of numbers"))?;
    Ok(Header { element: element_of(descr)?, shape })
}

/// The element type of `<f4`.
fn element_of(descr: &str) -> Result<ElementType> {
    let unknown = || unimplemented(format!("arrays of '{descr}' are not tensors"));
    let mut chars = descr.chars();
    let (order, kind) = match chars.next() {
        Some(order @ ('<' | '>' | '|' | '=')) => (order, chars.next()),
        kind => ('=', kind),
    };
    let bytes: u32 = chars.as_str().parse().map_err(|_| unknown())?;
    if order == '>' && bytes > 1 {
        return Err(unimplemented(format!(
            "the array is big-endian ('{descr}'); save it with newbyteorder('<')"
        )));
    }
    let bits = bytes.checked_mul(8).filter(|bits| (8..=128).contains(bits)).ok_or_else(unknown)?;
    match kind {
        Some('b') if bytes == 1 => Ok(ElementType::BOOL_8),
        Some('i') => Ok(ElementType(0x1100_0000 | bits)),
        Some('u') => Ok(ElementType(0x1200_0000 | bits)),
        Some('f') => Ok(ElementType(0x2100_0000 | bits)),
        Some('c') => Ok(ElementType(0x2300_0000 | bits)),
        Some('V') => Ok(ElementType(bits)),
        _ => Err(unknown()),
    }
}

fn descr_of(ty: ElementType) -> Option<String> {
    let (bits, bytes) = (ty.bits(), ty.bits() / 8);
    let kind = match ty.0 >> 24 {
        0x13 if bits == 8 => 'b',
        0x10 | 0x11 => 'i',
        0x12 => 'u',
        0x21 => 'f',
        0x23 => 'c',
        0 => 'V',
        _ => return None,
    };
    let order = if bytes == 1 { '|' } else { '<' };
    (bits % 8 == 0 && bits > 0).then(|| format!("{order}{kind}{bytes}"))
}

/// Writes the tensor as one array; the file may go on with others.
///
/// # Errors
/// UNIMPLEMENTED: NumPy has no such elements. UNAVAILABLE: the file can't be written. FAILED_PRECONDITION: the tensor does
/// not exist yet.
pub fn write_npy(view: &BufferView, file: &mut impl Write) -> Result {
    let ty = view.element_type();
    let Some(descr) = descr_of(ty) else {
        return Err(unimplemented(format!(
            "NumPy has no elements of type {ty}; write a raw file (`@file.bin`)"
        )));
    };
    let header = npy_header(&descr, view.shape())?;
    let bytes = view.to_bytes()?;
    [header, bytes]
        .iter()
        .try_for_each(|part| file.write_all(part))
        .map_err(|error| Error::new(Code::Unavailable, format!("the .npy file can't be written: {error}")))
}

/// What precedes the elements in a `.npy` file: of this shape, and of a type as NumPy writes it, `<f4`.
///
/// # Errors
/// INVALID_ARGUMENT: the shape is too long.
pub fn npy_header(descr: &str, shape: &[u64]) -> Result<Vec<u8>> {
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (");
    for (index, extent) in shape.iter().enumerate() {
        // Writing to a string can't fail.
        let _ = write!(text, "{}{extent}", if index > 0 { ", " } else { "" });
    }
    text.push_str(if shape.len() == 1 { ",), }" } else { "), }" });
    let before = MAGIC.len() + 4;
    let total = (before + text.len() + 1).next_multiple_of(ALIGNMENT);
    text.extend(std::iter::repeat_n(' ', total - before - text.len() - 1));
    text.push('\n');
    let length = u16::try_from(text.len()).map_err(|_| invalid("the shape is too long for a .npy header"))?;
    Ok([MAGIC, &[1, 0], &length.to_le_bytes(), text.as_bytes()].concat())
}

/// A file that ends too early, or that the system does not read.
pub(super) fn unreadable(error: std::io::Error) -> Error {
    if error.kind() == std::io::ErrorKind::UnexpectedEof {
        return Error::new(Code::OutOfRange, "the file ends before what is read from it: it is cut short");
    }
    Error::new(Code::Unavailable, format!("the file can't be read: {error}"))
}

fn invalid(text: impl Into<String>) -> Error {
    Error::new(Code::InvalidArgument, text.into())
}

fn unimplemented(text: String) -> Error {
    Error::new(Code::Unimplemented, text)
}
