//! The header and the numbers of an `.npy` file.
//!
//! Not here: which argument a number becomes (`element.rs`).
//!
//! # Sources
//! NEP 1, "A Simple File Format for NumPy Arrays": magic, version, length of the header, a dictionary in Python's notation.

use raddle_hal::ElementType;
use raddle_status::{Code, Error, Result};
use raddle_vm::Scalar;
use std::fmt;
use std::io::Read;

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// A header at most. Unit: bytes. NumPy itself refuses longer ones unless told otherwise: 10,000.
const HEADER_BYTES_MAX: usize = 1 << 16;

/// Axes at most, as in NumPy 2.
const AXES_MAX: usize = 64;

/// The bytes of a header that this module writes.
pub const HEADER_BYTES: usize = 256;

/// The type of an element.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dtype {
    /// A byte, zero or one.
    Bool,
    /// Signed integers of so many bytes.
    Int(u8),
    /// Unsigned integers of so many bytes.
    Uint(u8),
    /// Floats of so many bytes.
    Float(u8),
}

impl Dtype {
    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        match self {
            Dtype::Bool => 1,
            Dtype::Int(bytes) | Dtype::Uint(bytes) | Dtype::Float(bytes) => bytes.into(),
        }
    }

    /// The same as the type of a tensor's elements.
    pub fn element(self) -> ElementType {
        let bits = 8 * self.bytes() as u32;
        match self {
            Dtype::Bool => ElementType::BOOL_8,
            Dtype::Int(_) => ElementType(ElementType::SINT_8.0 & !0xff | bits),
            Dtype::Uint(_) => ElementType(ElementType::UINT_8.0 & !0xff | bits),
            Dtype::Float(_) => ElementType(ElementType::FLOAT_32.0 & !0xff | bits),
        }
    }

    /// The type that a number has in a file; `None` for a reference.
    pub fn of_scalar(scalar: Scalar) -> Option<Dtype> {
        match scalar {
            Scalar::I32 => Some(Dtype::Int(4)),
            Scalar::I64 => Some(Dtype::Int(8)),
            Scalar::F32 => Some(Dtype::Float(4)),
            Scalar::F64 => Some(Dtype::Float(8)),
            Scalar::Ref => None,
        }
    }

    /// The type that a tensor's elements have in a file, if there is one.
    pub fn of_element(element: ElementType) -> Option<Dtype> {
        let bytes =
            u8::try_from(element.bits() / 8).ok().filter(|bytes| element.bits() == 8 * u64::from(*bytes))?;
        match (element.0 >> 24, bytes) {
            (0x13, 1) => Some(Dtype::Bool),
            (0x10 | 0x11, 1 | 2 | 4 | 8) => Some(Dtype::Int(bytes)),
            (0x12, 1 | 2 | 4 | 8) => Some(Dtype::Uint(bytes)),
            (0x21, 2 | 4 | 8) => Some(Dtype::Float(bytes)),
            _ => None,
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dtype::Bool => f.write_str("|b1"),
            Dtype::Int(1) => f.write_str("|i1"),
            Dtype::Uint(1) => f.write_str("|u1"),
            Dtype::Int(bytes) => write!(f, "<i{bytes}"),
            Dtype::Uint(bytes) => write!(f, "<u{bytes}"),
            Dtype::Float(bytes) => write!(f, "<f{bytes}"),
        }
    }
}

/// What a header says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// The type of the elements.
    pub dtype: Dtype,
    /// Whether the bytes of an element are in big-endian order.
    pub is_swapped: bool,
    /// Whether the first axis is the one that moves fastest.
    pub is_fortran: bool,
    /// The length of each axis.
    pub shape: Vec<u64>,
}

impl Header {
    /// Reads a header; the elements follow it.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: it is no `.npy` file, or one with elements that are not known here. Failures of reading.
    pub fn read(reader: &mut impl Read) -> Result<Header> {
        let mut start = [0; 8];
        take(reader, &mut start)?;
        if !start.starts_with(MAGIC) {
            return Err(invalid("it does not begin as an .npy file does"));
        }
        let length = match start[6] {
            1 => {
                let mut bytes = [0; 2];
                take(reader, &mut bytes)?;
                u16::from_le_bytes(bytes).into()
            }
            2 | 3 => {
                let mut bytes = [0; 4];
                take(reader, &mut bytes)?;
                u32::from_le_bytes(bytes) as usize
            }
            version => return Err(invalid(format!("version {version} of the .npy format is not known"))),
        };
        if length > HEADER_BYTES_MAX {
            return Err(invalid(format!("a header of {length} bytes; at most {HEADER_BYTES_MAX}")));
        }
        let mut text = vec![0; length];
        take(reader, &mut text)?;
        Header::parse(std::str::from_utf8(&text).map_err(|_| invalid("the header is not text"))?)
    }

    fn parse(text: &str) -> Result<Header> {
        let field = |name: &str| {
            let quoted = [format!("'{name}'"), format!("\"{name}\"")];
            let rest = quoted.iter().find_map(|key| text.split_once(key.as_str()))?.1;
            Some(rest.trim_start().strip_prefix(':')?.trim_start())
        };
        let broken =
            |name: &str| invalid(format!("the header has no {name} that can be read: {}", text.trim()));
        let descr = field("descr").ok_or_else(|| broken("descr"))?;
        let quote = descr.chars().next().filter(|quote| matches!(quote, '\'' | '"'));
        let descr = quote.and_then(|quote| descr[1..].split_once(quote)).ok_or_else(|| broken("descr"))?.0;
        let is_fortran = match field("fortran_order").ok_or_else(|| broken("fortran_order"))? {
            rest if rest.starts_with("True") => true,
            rest if rest.starts_with("False") => false,
            _ => return Err(broken("fortran_order")),
        };
        let shape = field("shape").and_then(|rest| Some(rest.strip_prefix('(')?.split_once(')')?.0));
        let axes =
            shape.ok_or_else(|| broken("shape"))?.split(',').map(str::trim).filter(|axis| !axis.is_empty());
        let shape: Option<Vec<u64>> = axes.map(|axis| axis.trim_end_matches('L').parse().ok()).collect();
        let shape = shape.filter(|shape| shape.len() <= AXES_MAX).ok_or_else(|| broken("shape"))?;
        let (dtype, is_swapped) =
            dtype(descr).ok_or_else(|| invalid(format!("elements of type '{descr}' are not known")))?;
        Ok(Header { dtype, is_swapped, is_fortran, shape })
    }

    /// The header as [`HEADER_BYTES`] bytes.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: the shape is too long for that.
    pub fn to_bytes(&self) -> Result<[u8; HEADER_BYTES]> {
        let order = if self.is_fortran { "True" } else { "False" };
        let axes: String = self.shape.iter().map(|axis| format!("{axis},")).collect();
        let dictionary =
            format!("{{'descr': '{}', 'fortran_order': {order}, 'shape': ({axes}), }}", self.dtype);
        let mut bytes = [b' '; HEADER_BYTES];
        bytes[..6].copy_from_slice(MAGIC);
        bytes[6..8].copy_from_slice(&[1, 0]);
        bytes[8..10].copy_from_slice(&(HEADER_BYTES as u16 - 10).to_le_bytes());
        if dictionary.len() >= HEADER_BYTES - 10 {
            return Err(invalid(format!("the shape ({axes}) is too long for a header")));
        }
        bytes[10..10 + dictionary.len()].copy_from_slice(dictionary.as_bytes());
        bytes[HEADER_BYTES - 1] = b'\n';
        Ok(bytes)
    }
}

fn take(reader: &mut impl Read, bytes: &mut [u8]) -> Result {
    reader.read_exact(bytes).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => invalid("the file ends in its header"),
        _ => Error::new(crate::files::code(&error), error.to_string()),
    })
}

fn dtype(descr: &str) -> Option<(Dtype, bool)> {
    let (order, rest) = match descr.as_bytes().first()? {
        b'<' | b'=' | b'|' => (false, &descr[1..]),
        b'>' => (true, &descr[1..]),
        _ => (false, descr),
    };
    let (kind, bytes) = rest.split_at_checked(1)?;
    let bytes: u8 = bytes.parse().ok()?;
    let dtype = match (kind, bytes) {
        ("b", 1) => Dtype::Bool,
        ("i", 1 | 2 | 4 | 8) => Dtype::Int(bytes),
        ("u", 1 | 2 | 4 | 8) => Dtype::Uint(bytes),
        ("f", 2 | 4 | 8) => Dtype::Float(bytes),
        _ => return None,
    };
    Some((dtype, order && bytes > 1))
}

fn invalid(text: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(Code::InvalidArgument, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_go_there_and_back() {
        for (dtype, shape) in
            [(Dtype::Int(4), vec![7]), (Dtype::Float(8), vec![0]), (Dtype::Bool, vec![2, 3])]
        {
            let header = Header { dtype, is_swapped: false, is_fortran: false, shape };
            assert_eq!(Header::read(&mut &header.to_bytes().unwrap()[..]).unwrap(), header);
        }
    }

    #[test]
    fn other_writers_are_understood() {
        let text = "{\"descr\": '>i2', 'fortran_order': True, 'shape': (3L, 4), }";
        let header = Header::parse(text).unwrap();
        assert_eq!((header.dtype, header.is_swapped, header.is_fortran), (Dtype::Int(2), true, true));
        assert_eq!(header.shape, [3, 4]);
        assert_eq!(
            Header::parse("{'descr': 'f4', 'fortran_order': False, 'shape': ()}").unwrap().shape,
            Vec::<u64>::new()
        );
    }

    #[test]
    fn what_is_no_npy_file_is_refused() {
        let good = Header { dtype: Dtype::Int(4), is_swapped: false, is_fortran: false, shape: vec![1] }
            .to_bytes()
            .unwrap();
        for length in 0..HEADER_BYTES {
            assert!(Header::read(&mut &good[..length]).is_err(), "{length}");
        }
        for text in [
            "",
            "{'descr': '<i4', 'fortran_order': False}",
            "{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}",
            "{'descr': '<i4', 'fortran_order': Maybe, 'shape': (1,)}",
            "{'descr': '<i4', 'fortran_order': False, 'shape': (-1,)}",
            "{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (1,)}",
        ] {
            assert_eq!(Header::parse(text).unwrap_err().code(), Code::InvalidArgument, "{text}");
        }
    }
}
