//! Items whose arguments come from `.npy` files, split along their leading axis, and from constants.
//!
//! Each column gives one argument of every item, or as many as the second axis of its array is long. All arrays have the
//! same length. They are read as they are asked for: arrays may be larger than memory.

use super::super::item::Item;
use super::npy::{Dtype, Header};
use crate::files::failed;
use raddle_status::{Code, Error, Result, ResultExt};
use raddle_vm::{Scalar, Value};
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// Where an argument of every item comes from.
pub struct Column(Inner);

enum Inner {
    /// The same for every item.
    Constant(Value),
    Array {
        reader: Box<dyn Read>,
        path: PathBuf,
        header: Header,
        row: Vec<u8>,
    },
}

impl Column {
    /// The same argument for every item.
    pub fn constant(value: Value) -> Column {
        Column(Inner::Constant(value))
    }

    /// The numbers in an `.npy` file.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: it is none, or has no leading axis, more than two axes, or elements that are not known here. Failures of
    /// reading.
    pub fn open(path: impl AsRef<Path>) -> Result<Column> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|error| failed("read", path, &error))?;
        Column::read(BufReader::with_capacity(1 << 16, file), path)
    }

    /// The same from any reader; `path` is for messages.
    ///
    /// # Errors
    /// As for [`open`](Column::open).
    pub fn read(mut reader: impl Read + 'static, path: impl Into<PathBuf>) -> Result<Column> {
        let path = path.into();
        let place = || format!("in {}", path.display());
        let header = Header::read(&mut reader).within(place)?;
        let refused = |text: String| Err(Error::new(Code::InvalidArgument, text).within(place()));
        match header.shape.len() {
            1 | 2 => {}
            0 => return refused("a single number has no leading axis to split".to_owned()),
            axes => {
                return refused(format!("{axes} axes: tensors are not supported as arguments of an item"));
            }
        }
        if header.is_fortran && header.shape.len() > 1 {
            return refused(
                "a Fortran-ordered array can't be split along its leading axis as it is read".to_owned(),
            );
        }
        if header.dtype == Dtype::Float(2) {
            return refused("16-bit floats are not supported".to_owned());
        }
        let width = header.shape.get(1).copied().unwrap_or(1);
        let bytes =
            width.checked_mul(header.dtype.bytes() as u64).and_then(|bytes| usize::try_from(bytes).ok());
        let Some(bytes) = bytes.filter(|bytes| *bytes <= ROW_BYTES_MAX) else {
            return refused(format!("a row of {width} numbers is more arguments than a function has"));
        };
        Ok(Column(Inner::Array { reader: Box::new(reader), row: vec![0; bytes], path, header }))
    }

    /// How many arguments it gives.
    pub fn width(&self) -> usize {
        match &self.0 {
            Inner::Constant(_) => 1,
            Inner::Array { header, .. } => header.shape.get(1).map_or(1, |width| *width as usize),
        }
    }

    fn length(&self) -> Option<u64> {
        match &self.0 {
            Inner::Constant(_) => None,
            Inner::Array { header, .. } => header.shape.first().copied(),
        }
    }

    fn name(&self) -> String {
        match &self.0 {
            Inner::Constant(value) => format!("the constant {value}"),
            Inner::Array { path, .. } => path.display().to_string(),
        }
    }

    /// # Errors
    /// INVALID_ARGUMENT: its numbers can't become arguments of these kinds.
    fn check(&mut self, kinds: &[Scalar]) -> Result {
        match &mut self.0 {
            Inner::Constant(value) => *value = value.for_letter(kinds[0].letter() as u8)?,
            Inner::Array { header, path, .. } => {
                if let Some(kind) = kinds.iter().find(|kind| !fits(header.dtype, **kind)) {
                    let text = format!(
                        "{} has elements of type {}, the function takes '{}' there",
                        path.display(),
                        header.dtype,
                        name(*kind)
                    );
                    return Err(Error::new(Code::InvalidArgument, text));
                }
            }
        }
        Ok(())
    }

    /// Adds the arguments of the next item.
    fn put(&mut self, kinds: &[Scalar], arguments: &mut Vec<Value>) -> Result {
        match &mut self.0 {
            Inner::Constant(value) => arguments.push(value.clone()),
            Inner::Array { reader, path, header, row } => {
                reader.read_exact(row).map_err(|error| failed("read", path, &error))?;
                let elements = row.chunks_exact(header.dtype.bytes()).zip(kinds);
                arguments.extend(elements.map(|(bytes, kind)| element(bytes, header, *kind)));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Column({})", self.name())
    }
}

/// Arguments of an item from one array at most. Unit: bytes. Calling conventions are shorter.
const ROW_BYTES_MAX: usize = 1 << 16;

/// Whether each number of the type is one of the kind, in value, or for i32 and i64 in bits.
fn fits(dtype: Dtype, kind: Scalar) -> bool {
    match kind {
        Scalar::I32 => matches!(dtype, Dtype::Bool | Dtype::Int(1..=4) | Dtype::Uint(1..=4)),
        Scalar::I64 => matches!(dtype, Dtype::Bool | Dtype::Int(_) | Dtype::Uint(_)),
        Scalar::F32 => dtype == Dtype::Float(4),
        Scalar::F64 => matches!(dtype, Dtype::Float(4 | 8)),
        Scalar::Ref => false,
    }
}

fn name(kind: Scalar) -> &'static str {
    match kind {
        Scalar::I32 => "i32",
        Scalar::I64 => "i64",
        Scalar::F32 => "f32",
        Scalar::F64 => "f64",
        Scalar::Ref => "a reference",
    }
}

fn element(bytes: &[u8], header: &Header, kind: Scalar) -> Value {
    let mut wide = [0; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    if header.is_swapped {
        wide[..bytes.len()].reverse();
    }
    let bits = u64::from_le_bytes(wide);
    let shift = 64 - 8 * bytes.len() as u32;
    match (header.dtype, kind) {
        (Dtype::Float(4), Scalar::F64) => Value::F64(f32::from_bits(bits as u32).into()),
        (Dtype::Float(4), _) => Value::F32(f32::from_bits(bits as u32)),
        (Dtype::Float(_), _) => Value::F64(f64::from_bits(bits)),
        (Dtype::Int(_), Scalar::I32) => Value::I32(((bits << shift) as i64 >> shift) as i32),
        (Dtype::Int(_), _) => Value::I64((bits << shift) as i64 >> shift),
        (_, Scalar::I32) => Value::I32(bits as i32),
        (_, _) => Value::I64(bits as i64),
    }
}

/// Items from columns.
#[derive(Debug)]
pub struct Columns {
    columns: Vec<Column>,
    kinds: Vec<Scalar>,
    next: u64,
    length: u64,
    has_failed: bool,
}

impl Columns {
    /// The items that these columns make, for a function that takes arguments of these kinds.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: they are too few or too many, of other types, of different lengths, or all constant.
    pub fn new(mut columns: Vec<Column>, kinds: impl IntoIterator<Item = Scalar>) -> Result<Columns> {
        let kinds: Vec<Scalar> = kinds.into_iter().collect();
        let invalid = |text: String| Err(Error::new(Code::InvalidArgument, text));
        let width: usize = columns.iter().map(Column::width).sum();
        if width != kinds.len() {
            return invalid(format!("the inputs give {width} arguments, the function takes {}", kinds.len()));
        }
        let mut length: Option<(u64, String)> = None;
        for column in &columns {
            match (&length, column.length()) {
                (_, None) => {}
                (None, Some(own)) => length = Some((own, column.name())),
                (Some((other, _)), Some(own)) if *other == own => {}
                (Some((other, name)), Some(own)) => {
                    return invalid(format!("{name} has {other} items, {} has {own}", column.name()));
                }
            }
        }
        let Some((length, _)) = length else {
            return invalid("all inputs are constants: one has to be a file".to_owned());
        };
        let mut first = 0;
        for column in &mut columns {
            let own = &kinds[first..first + column.width()];
            column.check(own).within(|| format!("in the input for argument {first}"))?;
            first += own.len();
        }
        Ok(Columns { columns, kinds, next: 0, length, has_failed: false })
    }

    fn item(&mut self) -> Result<Item> {
        let mut arguments = Vec::with_capacity(self.kinds.len());
        for column in &mut self.columns {
            let first = arguments.len();
            let own = &self.kinds[first..first + column.width()];
            column.put(own, &mut arguments).within(|| format!("in item {}", self.next))?;
        }
        self.next += 1;
        Ok(Item::new(arguments))
    }
}

impl Iterator for Columns {
    type Item = Result<Item>;

    fn next(&mut self) -> Option<Result<Item>> {
        if self.next == self.length || self.has_failed {
            return None;
        }
        let item = self.item();
        self.has_failed = item.is_err();
        Some(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.length - self.next).unwrap_or(usize::MAX);
        (left, Some(left))
    }
}
