//! Reading FlatBuffer tables that may be hostile: every access is checked, none needs alignment.
//!
//! `planus` reads vtables and scalars; what it follows offsets with works on one table at a time, so positions are
//! kept absolute here and a table may lie anywhere in the buffer, in front of its parent too.
//!
//! Not here: which fields there are ([`parse`](super::parse)).
//!
//! # Invariants
//! - I1: every slice handed out lies inside the buffer.
//! - I2: a vector's elements are counted against its bytes before anything is allocated for them.
//! - I3: [`Budget`] bounds the sum of what is read, so that vectors and strings which many tables share, or which
//!   overlap, can't make a small file cost more than a multiple of its size.
//!
//! # Sources
//! The FlatBuffers binary format page.

use planus::{SliceWithStartOffset, TableRead, errors::ErrorKind, table_reader::Table};
use raddle_status::{Code, Error, Result};

/// What one element of a vector of tables is charged: the size of the largest model type.
const TABLE_BYTES: usize = 128;

/// How much memory the model of one module may still take, in bytes.
#[derive(Debug)]
pub(crate) struct Budget(usize);

impl Budget {
    /// Sixteen times the tables. A table in the model costs [`TABLE_BYTES`], real ones take 24 and more in a file.
    pub(crate) fn for_tables(bytes: usize) -> Budget {
        Budget(bytes.saturating_mul(16).saturating_add(64 << 10))
    }

    pub(crate) fn charge(&mut self, bytes: usize) -> Result {
        self.0 = self.0.checked_sub(bytes).ok_or_else(|| {
            let message =
                "the tables describe many times the bytes they consist of; do their vectors overlap?";
            Error::new(Code::ResourceExhausted, message)
        })?;
        Ok(())
    }
}

/// The absolute position that an offset field names.
struct Target(usize);

impl<'buf> TableRead<'buf> for Target {
    fn from_buffer(buffer: SliceWithStartOffset<'buf>, offset: usize) -> Result<Target, ErrorKind> {
        let distance = u32::from_buffer(buffer, offset)? as usize;
        let position = buffer.offset_from_start.checked_add(offset).and_then(|at| at.checked_add(distance));
        position.map(Target).ok_or(ErrorKind::InvalidOffset)
    }
}

/// One table.
#[derive(Clone, Copy)]
pub(crate) struct TableRef<'a> {
    buffer: &'a [u8],
    table: Table<'a>,
    name: &'static str,
}

impl<'a> TableRef<'a> {
    pub(crate) fn root(buffer: &'a [u8], name: &'static str) -> Result<TableRef<'a>> {
        TableRef::at(buffer, 0, name)
    }

    /// The table that the offset at this position names.
    fn at(buffer: &'a [u8], position: usize, name: &'static str) -> Result<TableRef<'a>> {
        let whole = SliceWithStartOffset { buffer, offset_from_start: 0 };
        let table = Table::from_buffer(whole, position).map_err(|kind| broken(name, "table", &kind))?;
        Ok(TableRef { buffer, table, name })
    }

    fn field<T: TableRead<'a>>(&self, slot: usize, field: &'static str) -> Result<Option<T>> {
        self.table.access(slot, self.name, field).map_err(|error| broken(self.name, field, &error.error_kind))
    }

    pub(crate) fn u32(&self, slot: usize, field: &'static str, default: u32) -> Result<u32> {
        Ok(self.field(slot, field)?.unwrap_or(default))
    }

    pub(crate) fn i32(&self, slot: usize, field: &'static str) -> Result<i32> {
        Ok(self.field(slot, field)?.unwrap_or(0))
    }

    pub(crate) fn u64(&self, slot: usize, field: &'static str) -> Result<u64> {
        Ok(self.field(slot, field)?.unwrap_or(0))
    }

    pub(crate) fn table(&self, slot: usize, field: &'static str) -> Result<Option<TableRef<'a>>> {
        let Some(Place(place)) = self.field(slot, field)? else { return Ok(None) };
        TableRef::at(self.buffer, place, field).map(Some)
    }

    /// The elements of a vector of `stride` bytes each; `None` if the vector is absent.
    pub(crate) fn vector(
        &self,
        slot: usize,
        field: &'static str,
        stride: usize,
    ) -> Result<Option<Vector<'a>>> {
        let Some(Target(position)) = self.field(slot, field)? else { return Ok(None) };
        let elements = (|| {
            let start = position.checked_add(4)?;
            let count = u32::from_le_bytes(self.buffer.get(position..start)?.try_into().ok()?);
            self.buffer.get(start..start.checked_add((count as usize).checked_mul(stride)?)?)
        })();
        let elements = elements.ok_or_else(|| broken(self.name, field, &ErrorKind::InvalidLength))?;
        Ok(Some(Vector { buffer: self.buffer, start: position + 4, elements, stride, name: field }))
    }

    /// The string, checked to be UTF-8 and closed by a NUL; `None` if it is absent.
    pub(crate) fn text(
        &self,
        slot: usize,
        field: &'static str,
        budget: &mut Budget,
    ) -> Result<Option<&'a str>> {
        let Some(vector) = self.vector(slot, field, 1)? else { return Ok(None) };
        budget.charge(vector.elements.len() + 1)?;
        if self.buffer.get(vector.start + vector.elements.len()) != Some(&0) {
            return Err(broken(self.name, field, &ErrorKind::MissingNullTerminator));
        }
        let text = std::str::from_utf8(vector.elements)
            .map_err(|source| broken(self.name, field, &ErrorKind::InvalidUtf8 { source }))?;
        Ok(Some(text))
    }

    /// As [`text`](Self::text), but there must be one and it must not be empty.
    pub(crate) fn name(&self, slot: usize, field: &'static str, budget: &mut Budget) -> Result<&'a str> {
        match self.text(slot, field, budget)? {
            None => Err(broken(self.name, field, &ErrorKind::MissingRequired)),
            Some("") => Err(Error::new(Code::InvalidArgument, format!("{}.{field} is empty", self.name))),
            Some(text) => Ok(text),
        }
    }

    /// A vector of tables; empty if it is absent.
    pub(crate) fn tables(
        &self,
        slot: usize,
        field: &'static str,
        budget: &mut Budget,
    ) -> Result<impl ExactSizeIterator<Item = Result<TableRef<'a>>> + use<'a>> {
        let absent = Vector { buffer: self.buffer, start: 0, elements: &[], stride: 4, name: field };
        let vector = self.vector(slot, field, 4)?.unwrap_or(absent);
        budget.charge(vector.len().saturating_mul(TABLE_BYTES))?;
        Ok((0..vector.len()).map(move |index| vector.table(index)))
    }
}

/// The absolute position of a field itself.
struct Place(usize);

impl<'buf> TableRead<'buf> for Place {
    fn from_buffer(buffer: SliceWithStartOffset<'buf>, offset: usize) -> Result<Place, ErrorKind> {
        Ok(Place(buffer.offset_from_start + offset))
    }
}

/// A vector whose bytes are known to be there.
#[derive(Clone, Copy)]
pub(crate) struct Vector<'a> {
    buffer: &'a [u8],
    start: usize,
    elements: &'a [u8],
    stride: usize,
    name: &'static str,
}

impl<'a> Vector<'a> {
    pub(crate) fn len(self) -> usize {
        self.elements.len() / self.stride
    }

    /// The bytes of all elements.
    pub(crate) fn bytes(self) -> &'a [u8] {
        self.elements
    }

    /// The table at this index of a vector of offsets.
    pub(crate) fn table(self, index: usize) -> Result<TableRef<'a>> {
        TableRef::at(self.buffer, self.start + 4 * index, self.name)
    }
}

fn broken(table: &str, field: &str, kind: &ErrorKind) -> Error {
    Error::new(Code::InvalidArgument, format!("{table}.{field} is damaged: {kind}"))
}
