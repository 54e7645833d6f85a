//! Tensors from text and files.
//!
//! Not here: which argument of a function is a tensor; plain numbers.

use super::element::Form;
use super::npy::{read_header, unreadable};
use crate::allocator::Allocator;
use crate::buffer::{Buffer, BufferParams};
use crate::element::{ENCODING_DENSE, ElementType};
use crate::view::{BufferView, Shape};
use raddle_status::{Code, Error, Result, ResultExt};
use raddle_vm::RefOf;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};

/// Bytes that are moved from a file at a time. Unit: bytes.
const PIECE_BYTES: usize = 256 << 10;

/// Reads tensors, and remembers where it is in files: `+file` goes on where the last one ended.
#[derive(Debug)]
pub struct TensorReader {
    allocator: Allocator,
    files: HashMap<PathBuf, BufReader<File>>,
}

impl TensorReader {
    /// A reader whose tensors live in this memory.
    pub fn new(allocator: &Allocator) -> TensorReader {
        TensorReader { allocator: allocator.clone(), files: HashMap::new() }
    }

    /// The tensors that a text means:
    ///
    /// | text | tensor |
    /// |---|---|
    /// | `2x3xf32=1 2 3 4 5 6` | these elements; commas, brackets and white space separate them |
    /// | `2x3xf32=7` | one element everywhere |
    /// | `2x3xf32`, `2x3xf32=` | zeros |
    /// | `2x3xf32=@file.bin` | raw bytes from the start of a file |
    /// | `2x3xf32=+file.bin` | raw bytes from where this file was left |
    /// | `@file.npy`, `+file.npy`, `*file.npy` | the first array of a file, the next one, all of them |
    ///
    /// Blocks while files are read.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: the text is wrong, and where. OUT_OF_RANGE: too few or too many elements, or a file that is too
    /// short. NOT_FOUND, UNAVAILABLE: a file can't be read. UNIMPLEMENTED: a file's form is not known.
    /// RESOURCE_EXHAUSTED: no memory.
    pub fn read(&mut self, text: &str) -> Result<Vec<BufferView>> {
        let text = text.trim();
        let place = || format!("in the input `{text}`");
        match text.as_bytes().first() {
            Some(b'@' | b'+' | b'*') => self.read_npy(text),
            _ => self.read_one(text).map(|view| vec![view]),
        }
        .within(place)
    }

    fn read_one(&mut self, text: &str) -> Result<BufferView> {
        let (head, contents) = text.split_once('=').unwrap_or((text, ""));
        if !text.contains(['=', 'x']) {
            let text = "a tensor is written with at least its shape and type: `4x2xf32=...`";
            return Err(invalid(text));
        }
        let (shape, element) = parse_head(head.trim())?;
        let length = byte_length(element, &shape)?;
        if contents.starts_with(['@', '+']) {
            let allocator = self.allocator.clone();
            return fill(&allocator, self.open(contents)?, element, &shape, length);
        }
        let bytes = parse_elements(contents.trim(), element, length)?;
        BufferView::from_bytes(&self.allocator, element, &shape, &bytes)
    }

    fn read_npy(&mut self, text: &str) -> Result<Vec<BufferView>> {
        let allocator = self.allocator.clone();
        if Path::new(&text[1..]).extension().is_none_or(|extension| extension != "npy") {
            let text = "only .npy files say what they hold; write shape and type in front of others: `4xf32=@file.bin`";
            return Err(Error::new(Code::Unimplemented, text));
        }
        let file = self.open(text)?;
        let mut views = Vec::new();
        while let Some(header) = read_header(file)? {
            let length = byte_length(header.element, &header.shape)?;
            views.push(fill(&allocator, file, header.element, &header.shape, length)?);
            if !text.starts_with('*') {
                return Ok(views);
            }
        }
        if views.is_empty() {
            return Err(Error::new(Code::OutOfRange, "the file has no further array"));
        }
        Ok(views)
    }

    /// The file behind `@`, `*` (from its start) or `+` (from where it is).
    fn open(&mut self, text: &str) -> Result<&mut BufReader<File>> {
        let path = PathBuf::from(&text[1..]);
        let is_new = !text.starts_with('+');
        match self.files.entry(path) {
            std::collections::hash_map::Entry::Occupied(entry) => {
                let file = entry.into_mut();
                if is_new {
                    file.rewind().map_err(unreadable)?;
                }
                Ok(file)
            }
            std::collections::hash_map::Entry::Vacant(entry) => {
                let file = File::open(entry.key()).map_err(|error| {
                    let code = match error.kind() {
                        std::io::ErrorKind::NotFound => Code::NotFound,
                        std::io::ErrorKind::PermissionDenied => Code::PermissionDenied,
                        _ => Code::Unavailable,
                    };
                    Error::new(code, format!("the file '{}' can't be opened: {error}", entry.key().display()))
                })?;
                Ok(entry.insert(BufReader::new(file)))
            }
        }
    }
}

/// Shape and element type of `2x3xf32`.
fn parse_head(head: &str) -> Result<(Shape, ElementType)> {
    let (extents, name) = head.rsplit_once('x').unwrap_or(("", head));
    let element = ElementType::from_name(name).ok_or_else(|| {
        invalid(format!("'{name}' is no element type; `f32`, `si8`, `bf16`, `*32` are some"))
    })?;
    let mut shape = Shape::new();
    if !extents.is_empty() {
        for extent in extents.split('x') {
            let is_number = !extent.is_empty() && extent.bytes().all(|byte| byte.is_ascii_digit());
            let number = if is_number { extent.parse().ok() } else { None };
            shape.push(
                number.ok_or_else(|| invalid(format!("'{extent}' in the shape '{extents}' is no number")))?,
            );
        }
    }
    Ok((shape, element))
}

fn byte_length(element: ElementType, shape: &[u64]) -> Result<usize> {
    let length = element.dense_bytes(shape).and_then(|bytes| usize::try_from(bytes).ok());
    length.ok_or_else(|| Error::new(Code::OutOfRange, "the tensor has more bytes than can be counted"))
}

/// The bytes of the elements that are written: all, one for all, or none for zeros.
fn parse_elements(contents: &str, element: ElementType, length: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length).map_err(|error| {
        Error::new(Code::ResourceExhausted, format!("no memory for a tensor of {length} bytes: {error}"))
    })?;
    if contents.is_empty() {
        bytes.resize(length, 0);
        return Ok(bytes);
    }
    let form = Form::of(element)?;
    let is_between = |c: char| c.is_ascii_whitespace() || matches!(c, ',' | '[' | ']');
    let capacity = length / form.bytes();
    let mut count = 0;
    for word in contents.split(is_between).filter(|word| !word.is_empty()) {
        if count == capacity {
            return Err(Error::new(
                Code::OutOfRange,
                format!("more than the {capacity} elements of the shape"),
            ));
        }
        form.put(word, &mut bytes).within(|| format!("element {count}"))?;
        count += 1;
    }
    if count == 1 {
        bytes = bytes.repeat(capacity);
    } else if count < capacity {
        return Err(Error::new(Code::OutOfRange, format!("{count} elements; the shape has {capacity}")));
    }
    Ok(bytes)
}

/// A tensor whose bytes come from here on in a file.
fn fill(
    allocator: &Allocator,
    file: &mut impl Read,
    element: ElementType,
    shape: &[u64],
    length: usize,
) -> Result<BufferView> {
    let buffer = Buffer::allocate(allocator, length as u64, BufferParams::default())?;
    let mut piece = vec![0; length.min(PIECE_BYTES)];
    for at in (0..length).step_by(PIECE_BYTES) {
        let piece = &mut piece[..(length - at).min(PIECE_BYTES)];
        file.read_exact(piece).map_err(unreadable)?;
        buffer.write(at as u64, piece)?;
    }
    Ok(BufferView::new(RefOf::new(buffer), element, ENCODING_DENSE, shape))
}

fn invalid(text: impl Into<String>) -> Error {
    Error::new(Code::InvalidArgument, text.into())
}
