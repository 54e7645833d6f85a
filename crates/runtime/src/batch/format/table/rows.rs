//! Arguments from the rows of a table.
//!
//! Not here: reading the file (`parquet.rs`, `arrow.rs`).
//!
//! | column | argument |
//! |---|---|
//! | a number | a number of the same kind; integers may be narrower, an f32 may become an f64 |
//! | a number, lists of numbers | a tensor; all lists of a depth have the same length in a row; one list may have all elements |
//! | a text, bytes | a buffer; null is no buffer |
//!
//! A row with a null or with other lists is an item that fails, and harms no other.

use super::super::super::item::ItemId;
use super::super::columns::{Column, Names, Row, Rows};
use super::super::element::{Tensor, fits, name, number};
use super::super::interface::{Interface, Kind, TensorKind};
use super::super::npy::Dtype;
use super::TableForm;
use super::cells::{self, Cells};
use super::choice::{Choice, Chosen, Type};
use super::{arrow, parquet};
use arrow_array::RecordBatch;
use raddle_hal::{Allocator, BufferView};
use raddle_status::{Code, Error, Result, ResultExt};
use raddle_vm::{Buffer, Ref, Scalar, Value};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A table whose batches can be asked for.
pub(super) struct Opened {
    pub(super) length: u64,
    /// Of all columns that are read.
    pub(super) bytes: u64,
    pub(super) batches: Box<dyn Iterator<Item = Result<RecordBatch>>>,
}

/// See the head of this file.
struct Table {
    path: PathBuf,
    choice: Choice,
    opened: Opened,
    becomes: Vec<Becomes>,
    cells: Vec<Cells>,
    /// Of the batch that is open.
    ids: Option<Cells>,
    rows: usize,
    at: usize,
    /// Rows that were given.
    given: u64,
}

/// What a column becomes.
enum Becomes {
    Number(Scalar),
    /// `fixed`, if it is the same for all rows.
    Tensor {
        kind: Option<TensorKind>,
        allocator: Allocator,
        fixed: Option<Tensor>,
    },
    Buffer,
}

impl Column {
    /// The columns of a table in a Parquet or an Arrow file, an argument from each: those that `names` has, with commas between
    /// them, or all but `id`. A column `id` of texts or integers names the items.
    ///
    /// Parquet is read page by page, Arrow batch by batch, as its writer has cut it.
    ///
    /// # Errors
    /// NOT_FOUND: there is no such file or column. INVALID_ARGUMENT: it is no such file, or a column has a type that is not read.
    /// UNIMPLEMENTED: it is compressed in a way that is not read. DATA_LOSS: it is damaged.
    pub fn open_table(path: impl AsRef<Path>, names: Option<&str>) -> Result<Column> {
        let path = path.as_ref();
        let choose = |schema: &_| Choice::of(schema, names, path);
        let (choice, opened) = fenced(|| match TableForm::of(path) {
            Some(TableForm::Parquet) => parquet::open(path, choose),
            Some(TableForm::Arrow) => arrow::open(path, choose),
            None => {
                let text = format!("{} ends in none of .parquet, .arrow, .feather", path.display());
                Err(Error::new(Code::InvalidArgument, text))
            }
        })?;
        Ok(Column::of(Table {
            path: path.to_owned(),
            choice,
            opened,
            becomes: Vec::new(),
            cells: Vec::new(),
            ids: None,
            rows: 0,
            at: 0,
            given: 0,
        }))
    }
}

/// Calls code of others on bytes that nobody has checked: a panic in it is damage in the file.
fn fenced<T>(read: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|payload| {
        let text = raddle_status::panic_message(&*payload);
        Err(Error::new(Code::DataLoss, format!("it can't be read: {text}")))
    })
}

impl Table {
    /// Opens the next batch.
    fn load(&mut self) -> Result {
        let (path, given, length) = (self.path.display(), self.given, self.opened.length);
        let batch = fenced(|| self.opened.batches.next().transpose()).within(|| format!("in {path}"))?;
        let batch = batch.ok_or_else(|| {
            Error::new(Code::DataLoss, format!("{path} ends after {given} rows of {length}"))
        })?;
        let open = |at: usize| {
            let cells = Cells::of(batch.column(at));
            cells
                .ok_or_else(|| Error::new(Code::Internal, format!("a column of {path} has changed its type")))
        };
        self.ids = self.choice.id.map(open).transpose()?;
        self.cells = self.choice.columns.iter().map(|column| open(column.at)).collect::<Result<_>>()?;
        (self.rows, self.at) = (batch.num_rows(), 0);
        Ok(())
    }
}

impl Rows for Table {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn length(&self) -> u64 {
        self.opened.length
    }

    fn width(&self, _: Option<&Kind>) -> usize {
        self.choice.columns.len()
    }

    fn row_bytes(&self) -> usize {
        usize::try_from(self.opened.bytes / self.opened.length.max(1)).unwrap_or(usize::MAX)
    }

    fn names(&self) -> Names {
        self.choice.names
    }

    fn check(&mut self, kinds: &[Kind], interface: &Interface) -> Result {
        let each = self.choice.columns.iter().zip(kinds);
        let becomes = each.map(|(column, kind)| Becomes::of(column, kind, interface));
        self.becomes = becomes.collect::<Result<_>>().within(|| format!("in {}", self.path.display()))?;
        Ok(())
    }

    fn put(&mut self, _: &[Kind], row: &mut Row) -> Result {
        while self.at == self.rows {
            self.load()?;
        }
        let mut refuse = |what: &str, error: Error| {
            let place = || format!("in row {} of {}", self.given, self.path.display());
            row.refusal.get_or_insert_with(|| error.within(format!("in column '{what}'")).within(place()));
        };
        if let Some(ids) = &self.ids {
            match id(ids, self.at) {
                Ok(id) => row.id = Some(id),
                Err(error) => refuse("id", error),
            }
        }
        let each = self.choice.columns.iter().zip(&self.cells).zip(&mut self.becomes);
        for ((column, cells), becomes) in each {
            match becomes.value(cells, self.at) {
                Ok(value) => row.arguments.push(value),
                Err(error) => refuse(&column.name, error),
            }
        }
        self.at += 1;
        self.given += 1;
        Ok(())
    }
}

impl Becomes {
    /// # Errors
    /// INVALID_ARGUMENT: the column is none of this kind. FAILED_PRECONDITION: there is no memory for tensors.
    fn of(column: &Chosen, kind: &Kind, interface: &Interface) -> Result<Becomes> {
        let wanted = match (&column.ty, kind) {
            (Type::Bytes, Kind::Plain(Scalar::Ref)) => return Ok(Becomes::Buffer),
            (Type::Numbers { extents, dtype }, Kind::Plain(scalar)) if *scalar != Scalar::Ref => {
                if extents.is_empty() && fits(*dtype, *scalar) {
                    return Ok(Becomes::Number(*scalar));
                }
                format!("'{}'", name(*scalar))
            }
            (Type::Numbers { extents, dtype }, _) => {
                let allocator = interface.allocator()?.clone();
                let kind = match kind {
                    Kind::Tensor(kind) => Some(kind.clone()),
                    Kind::Plain(_) => None,
                };
                let fixed: Option<Vec<u64>> = extents.iter().copied().collect();
                let fixed = fixed.map(|row| tensor(*dtype, row, kind.as_ref()));
                let fixed = fixed.transpose().within(|| column.to_string())?;
                match &kind {
                    Some(kind) if !kind.element.admits(dtype.element()) => kind.to_string(),
                    _ => return Ok(Becomes::Tensor { kind, allocator, fixed }),
                }
            }
            (Type::Bytes, Kind::Plain(scalar)) => format!("'{}'", name(*scalar)),
            (Type::Bytes, Kind::Tensor(tensor)) => tensor.to_string(),
        };
        let text = format!("{column}: the function takes {wanted} there");
        Err(Error::new(Code::InvalidArgument, text))
    }

    /// # Errors
    /// INVALID_ARGUMENT: the row has no such value.
    fn value(&self, cells: &Cells, row: usize) -> Result<Value> {
        let mut extents = Vec::new();
        match (self, cells) {
            (Becomes::Number(kind), Cells::Numbers { lists, leaf }) => {
                let bytes = cells::tensor(lists, leaf, row, &mut extents).map_err(invalid)?;
                Ok(number(bytes, leaf.dtype, *kind))
            }
            (Becomes::Tensor { kind, allocator, fixed }, Cells::Numbers { lists, leaf }) => {
                let bytes = cells::tensor(lists, leaf, row, &mut extents).map_err(invalid)?;
                let own;
                let Tensor { element, shape } = match fixed {
                    Some(tensor) => tensor,
                    None => {
                        own = tensor(leaf.dtype, extents, kind.as_ref())?;
                        &own
                    }
                };
                Ok(BufferView::from_bytes(allocator, *element, shape, bytes)?.into_value())
            }
            (Becomes::Buffer, Cells::Bytes(array)) => {
                let bytes = cells::bytes(array, row).map(|bytes| Arc::new(bytes.to_vec()));
                Ok(Value::Ref(bytes.map(|bytes| Ref::new(Buffer::constant(bytes)))))
            }
            _ => Err(Error::new(Code::Internal, "the column has changed its type")),
        }
    }
}

/// The tensor of a row: a single list may have the elements of all extents, one behind the other.
///
/// # Errors
/// INVALID_ARGUMENT: it is another than is declared.
fn tensor(dtype: Dtype, row: Vec<u64>, kind: Option<&TensorKind>) -> Result<Tensor> {
    let count = |extents: &[u64]| extents.iter().try_fold(1_u64, |all, one| all.checked_mul(*one));
    let whole =
        kind.and_then(TensorKind::fixed).filter(|fixed| row.len() == 1 && count(fixed) == Some(row[0]));
    Tensor::of(dtype, &whole.unwrap_or(row), kind)
}

/// # Errors
/// INVALID_ARGUMENT: the row has none that is known here.
fn id(cells: &Cells, row: usize) -> Result<ItemId> {
    match cells {
        Cells::Bytes(array) => {
            let text = cells::bytes(array, row).and_then(|bytes| std::str::from_utf8(bytes).ok());
            text.map(ItemId::from).ok_or_else(|| invalid(cells::NULL))
        }
        Cells::Numbers { lists, leaf } => {
            let bytes = cells::tensor(lists, leaf, row, &mut Vec::new()).map_err(invalid)?;
            match number(bytes, leaf.dtype, Scalar::I64) {
                Value::I64(id) if id >= 0 || !matches!(leaf.dtype, Dtype::Uint(_)) => Ok(ItemId::Number(id)),
                _ => Err(invalid("it is beyond 63 bits: such ids have to be texts")),
            }
        }
    }
}

fn invalid(text: &'static str) -> Error {
    Error::new(Code::InvalidArgument, text)
}
