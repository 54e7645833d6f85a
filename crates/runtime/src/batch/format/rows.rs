//! Results as rows of a fixed number of bytes, for files of arrays, and the file of failures beside them.
//!
//! An item that failed has NaN in its row, or 0 where numbers have none, and a line in the file of failures.

use super::super::item::Done;
use super::super::sink::Encode;
use super::interface::{Interface, Kind};
use super::json_lines::JsonResults;
use super::npy::{Dtype, Header};
use crate::files::failed;
use raddle_hal::{BufferView, ElementType};
use raddle_status::{Code, Error, Result, ResultExt};
use raddle_vm::Value;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) columns: Vec<RowColumn>,
    failures: PathBuf,
    file: Option<File>,
}

/// A result of every item.
#[derive(Debug)]
pub(super) struct RowColumn {
    dtype: Dtype,
    /// Of a tensor.
    element: Option<ElementType>,
    shape: Vec<u64>,
    bytes: usize,
}

impl Rows {
    /// Rows for these results; failures go to the file `failures`, which is made when there is one.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: there are none, or one is neither a number nor a tensor of a declared shape.
    pub(super) fn new(interface: &Interface, failures: impl Into<PathBuf>) -> Result<Rows> {
        let each = interface.results.iter().enumerate();
        let columns = each.map(|(at, kind)| RowColumn::new(kind).within(|| format!("in result {at}")));
        let columns: Vec<RowColumn> = columns.collect::<Result<_>>()?;
        if columns.is_empty() {
            return Err(invalid("the function has no results to be put into arrays; use .jsonl".to_owned()));
        }
        Ok(Rows { columns, failures: failures.into(), file: None })
    }

    /// Bytes of a row.
    pub(super) fn bytes(&self) -> usize {
        self.columns.iter().map(|column| column.bytes).sum()
    }

    /// Removes what a former run has left.
    pub(super) fn start_anew(&self) -> Result {
        match std::fs::remove_file(&self.failures) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(failed("remove", &self.failures, &error))
            }
            _ => Ok(()),
        }
    }

    /// Adds a row. Results that do not fit make it one of a failure.
    pub(super) fn put(&mut self, done: &mut Done, out: &mut Vec<u8>) -> Result {
        let start = out.len();
        if let Ok(outputs) = &done.result {
            let mut pairs = self.columns.iter().zip(outputs.iter()).enumerate();
            match pairs.try_for_each(|(at, (column, value))| {
                column.put(value, out).within(|| format!("in result {at}"))
            }) {
                Ok(()) => return Ok(()),
                Err(error) => done.result = Err(error),
            }
        }
        out.truncate(start);
        self.columns.iter().for_each(|column| column.fill(out));
        self.note_failure(done)
    }

    fn note_failure(&mut self, done: &Done) -> Result {
        let broken = |error: std::io::Error| failed("write", &self.failures, &error);
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let file =
                    OpenOptions::new().create(true).append(true).open(&self.failures).map_err(broken)?;
                none.insert(file)
            }
        };
        let mut line = Vec::new();
        JsonResults.put(&mut done.clone(), &mut line)?;
        file.write_all(&line).map_err(broken)
    }
}

impl RowColumn {
    fn new(kind: &Kind) -> Result<RowColumn> {
        let tensor = match kind {
            Kind::Plain(scalar) => {
                let text = "it is neither a number nor a declared tensor, and goes into no array; use .jsonl";
                let dtype = Dtype::of_scalar(*scalar).ok_or_else(|| invalid(text.to_owned()))?;
                return Ok(RowColumn { dtype, element: None, shape: Vec::new(), bytes: dtype.bytes() });
            }
            Kind::Tensor(tensor) => tensor,
        };
        let refused = |why: &str| Err(invalid(format!("{tensor} {why}; use .jsonl")));
        let Some(shape) = tensor.fixed() else { return refused("has no fixed shape") };
        let Some(dtype) = Dtype::of_element(tensor.element) else {
            return refused("has elements that arrays in files do not have");
        };
        match tensor.element.dense_bytes(&shape).and_then(|bytes| usize::try_from(bytes).ok()) {
            Some(bytes) => Ok(RowColumn { dtype, element: Some(tensor.element), shape, bytes }),
            None => refused("is too large"),
        }
    }

    fn put(&self, value: &Value, out: &mut Vec<u8>) -> Result {
        let Some(element) = self.element else {
            out.extend_from_slice(&value.bits().to_le_bytes()[..self.bytes]);
            return Ok(());
        };
        let view = match value {
            Value::Ref(Some(object)) => object.get::<BufferView>(),
            _ => None,
        };
        let view = view.ok_or_else(|| invalid("it is no tensor".to_owned()))?;
        let bytes = view.to_bytes()?;
        if view.shape() != self.shape || !element.admits(view.element_type()) || bytes.len() != self.bytes {
            return Err(invalid(format!("{view:?} is not what the function declares")));
        }
        out.extend_from_slice(&bytes);
        Ok(())
    }

    /// Adds the row of an item that failed.
    fn fill(&self, out: &mut Vec<u8>) {
        let element: &[u8] = match self.dtype {
            Dtype::Float(2) => &0x7e00_u16.to_le_bytes(),
            Dtype::Float(4) => &f32::NAN.to_le_bytes(),
            Dtype::Float(_) => &f64::NAN.to_le_bytes(),
            _ => &[0],
        };
        out.extend(element.iter().copied().cycle().take(self.bytes));
    }

    /// Bytes of a row.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The header of an array of so many rows.
    pub(super) fn header(&self, rows: u64) -> Header {
        let shape = std::iter::once(rows).chain(self.shape.iter().copied()).collect();
        Header { dtype: self.dtype, is_swapped: false, is_fortran: false, shape }
    }
}

fn invalid(text: String) -> Error {
    Error::new(Code::InvalidArgument, text)
}
