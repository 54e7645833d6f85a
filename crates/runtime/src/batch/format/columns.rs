//! Items whose arguments come from `.npy` files, split along their leading axis, and from constants.
//!
//! Each column gives one argument of every item: a number, or a tensor of the other axes; or as many numbers as its second
//! axis is long. All arrays have the same length. They are read as they are asked for: arrays may be larger than memory.

use super::super::item::Item;
use super::interface::{Interface, Kind, TensorKind};
use super::npy::{Dtype, Header};
use crate::files::failed;
use crate::tuning::ITEM_BYTES_MAX;
use raddle_hal::{Allocator, BufferView, ElementType};
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
        /// What a row becomes, if not numbers.
        tensor: Option<Tensor>,
    },
}

/// How a row becomes a tensor.
struct Tensor {
    element: ElementType,
    shape: Vec<u64>,
    allocator: Allocator,
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
        if header.shape.is_empty() {
            return refused("a single number has no leading axis to split".to_owned());
        }
        if header.is_fortran && header.shape.len() > 1 {
            return refused(
                "a Fortran-ordered array can't be split along its leading axis as it is read".to_owned(),
            );
        }
        let bytes =
            header.shape[1..].iter().try_fold(header.dtype.bytes() as u64, |all, one| all.checked_mul(*one));
        let Some(bytes) = bytes.filter(|bytes| *bytes <= ITEM_BYTES_MAX) else {
            return refused(format!("a row of {bytes:?} bytes; at most {ITEM_BYTES_MAX}"));
        };
        let row = vec![0; bytes as usize];
        Ok(Column(Inner::Array { reader: Box::new(reader), row, path, header, tensor: None }))
    }

    /// How many arguments it gives, if the first of them is of this kind.
    pub fn width(&self, kind: Option<&Kind>) -> usize {
        match (&self.0, kind) {
            (Inner::Array { header, .. }, Some(Kind::Plain(kind))) if *kind != Scalar::Ref => {
                header.shape.get(1).map_or(1, |width| usize::try_from(*width).unwrap_or(usize::MAX))
            }
            _ => 1,
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

    /// Bytes that it takes from its file for an item.
    fn row_bytes(&self) -> usize {
        match &self.0 {
            Inner::Constant(_) => 0,
            Inner::Array { row, .. } => row.len(),
        }
    }

    /// # Errors
    /// INVALID_ARGUMENT: its rows can't become arguments of these kinds.
    fn check(&mut self, kinds: &[Kind], interface: &Interface) -> Result {
        let invalid = |text: String| Err(Error::new(Code::InvalidArgument, text));
        match &mut self.0 {
            Inner::Constant(Value::Ref(Some(_))) if interface.writes_arguments => invalid(
                "the function writes its results into an argument, which can't be a constant".to_owned(),
            ),
            Inner::Constant(value) => match kinds {
                [Kind::Plain(kind)] => value.for_letter(kind.letter() as u8).map(|same| *value = same),
                _ => Ok(()),
            },
            Inner::Array { header, path, tensor, .. } => {
                let (path, dtype) = (path.display(), header.dtype);
                match kinds {
                    [Kind::Plain(Scalar::Ref)] => *tensor = Some(Tensor::of(header, None, interface)?),
                    [Kind::Tensor(kind)] => {
                        *tensor =
                            Some(Tensor::of(header, Some(kind), interface).within(|| format!("in {path}"))?)
                    }
                    _ if header.shape.len() > 2 => {
                        return invalid(format!(
                            "{path} has {} axes, the function takes numbers there",
                            header.shape.len()
                        ));
                    }
                    _ => {}
                }
                let misfit = kinds.iter().find(
                    |kind| matches!(kind, Kind::Plain(kind) if *kind != Scalar::Ref && !fits(dtype, *kind)),
                );
                match misfit {
                    Some(Kind::Plain(kind)) => invalid(format!(
                        "{path} has elements of type {dtype}, the function takes '{}' there",
                        name(*kind)
                    )),
                    _ => Ok(()),
                }
            }
        }
    }

    /// Adds the arguments of the next item.
    fn put(&mut self, kinds: &[Kind], arguments: &mut Vec<Value>) -> Result {
        let Inner::Array { reader, path, header, row, tensor } = &mut self.0 else {
            let Inner::Constant(value) = &self.0 else { return Ok(()) };
            arguments.push(value.clone());
            return Ok(());
        };
        reader.read_exact(row).map_err(|error| failed("read", path, &error))?;
        if let Some(tensor) = tensor {
            if header.is_swapped {
                row.chunks_exact_mut(header.dtype.bytes()).for_each(<[u8]>::reverse);
            }
            let view = BufferView::from_bytes(&tensor.allocator, tensor.element, &tensor.shape, row)?;
            arguments.push(view.into_value());
            return Ok(());
        }
        for (bytes, kind) in row.chunks_exact(header.dtype.bytes()).zip(kinds) {
            if let Kind::Plain(kind) = kind {
                arguments.push(element(bytes, header, *kind));
            }
        }
        Ok(())
    }

    /// Looks behind the last row, where readers that check what they gave say so.
    fn end(&mut self) -> Result {
        match &mut self.0 {
            Inner::Constant(_) => Ok(()),
            Inner::Array { reader, path, .. } => {
                reader.read(&mut [0]).map(drop).map_err(|error| failed("read", path, &error))
            }
        }
    }
}

impl Tensor {
    /// # Errors
    /// INVALID_ARGUMENT: rows of the array are other tensors. FAILED_PRECONDITION: there is no memory for them.
    fn of(header: &Header, kind: Option<&TensorKind>, interface: &Interface) -> Result<Tensor> {
        let Some(allocator) = interface.allocator.clone() else {
            return Err(Error::new(Code::FailedPrecondition, "there is no device for tensors"));
        };
        let (found, row) = (header.dtype.element(), &header.shape[1..]);
        let (element, shape) = match kind {
            None => (found, Some(row.to_vec())),
            Some(kind) => (kind.element, kind.admit(row)),
        };
        match shape {
            Some(shape) if element.admits(found) => Ok(Tensor { element, shape, allocator }),
            _ => {
                let (wanted, dtype) = (kind.map(TensorKind::to_string).unwrap_or_default(), header.dtype);
                let text = format!(
                    "its rows are tensors of shape {row:?} and type {dtype}, the function takes {wanted} there"
                );
                Err(Error::new(Code::InvalidArgument, text))
            }
        }
    }
}

impl fmt::Debug for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Column({})", self.name())
    }
}

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
    /// With the number of arguments that each gives.
    columns: Vec<(Column, usize)>,
    kinds: Vec<Kind>,
    next: u64,
    length: u64,
    has_failed: bool,
}

impl Columns {
    /// The items that these columns make, for a function with this interface.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: they are too few or too many, of other types or shapes, of different lengths, or all constant.
    pub fn new(columns: Vec<Column>, interface: &Interface) -> Result<Columns> {
        let kinds = interface.arguments.clone();
        let invalid = |text: String| Err(Error::new(Code::InvalidArgument, text));
        let mut width = 0_usize;
        let with_widths = columns.into_iter().map(|column| {
            let own = column.width(kinds.get(width));
            width = width.saturating_add(own);
            (column, own)
        });
        let mut columns: Vec<(Column, usize)> = with_widths.collect();
        if width != kinds.len() {
            return invalid(format!("the inputs give {width} arguments, the function takes {}", kinds.len()));
        }
        let mut length: Option<(u64, String)> = None;
        for (column, _) in &columns {
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
        for (column, width) in &mut columns {
            let own = &kinds[first..first + *width];
            column.check(own, interface).within(|| format!("in the input for argument {first}"))?;
            first += own.len();
        }
        Ok(Columns { columns, kinds, next: 0, length, has_failed: false })
    }

    /// Bytes that an item takes from the files.
    pub fn item_bytes(&self) -> usize {
        self.columns.iter().map(|(column, _)| column.row_bytes()).sum()
    }

    fn item(&mut self) -> Result<Item> {
        let mut arguments = Vec::with_capacity(self.kinds.len());
        let is_last = self.next + 1 == self.length;
        for (column, width) in &mut self.columns {
            let first = arguments.len();
            let place = || format!("in item {}", self.next);
            column.put(&self.kinds[first..first + *width], &mut arguments).within(place)?;
            if is_last {
                column.end().within(|| "behind the last item")?;
            }
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
