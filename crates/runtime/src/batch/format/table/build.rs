//! Columns of results, row by row, as arrays.
//!
//! Not here: what a result is before (`record.rs`), the file (`results.rs`).

use super::super::npy::Dtype;
use super::record::{Id, Record, Shape};
use arrow_array::builder::StringBuilder;
use arrow_array::{
    ArrayRef, FixedSizeListArray, Int64Array, ListArray, RecordBatch, UInt32Array, make_array,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_data::ArrayData;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use std::sync::Arc;

type Result<T> = std::result::Result<T, ArrowError>;

/// Rows of a table in the making.
pub(super) struct Part {
    schema: SchemaRef,
    ids: Ids,
    statuses: StringBuilder,
    messages: StringBuilder,
    attempts: Vec<u32>,
    columns: Vec<Column>,
    bytes: usize,
}

enum Ids {
    Numbers(Vec<i64>),
    Texts(StringBuilder),
}

impl Part {
    pub(super) fn new(shapes: &[Shape], has_texts: bool) -> Part {
        let ids = match has_texts {
            true => Ids::Texts(StringBuilder::new()),
            false => Ids::Numbers(Vec::new()),
        };
        Part {
            schema: Arc::new(schema(shapes, has_texts)),
            ids,
            statuses: StringBuilder::new(),
            messages: StringBuilder::new(),
            attempts: Vec::new(),
            columns: shapes.iter().map(Column::new).collect(),
            bytes: 0,
        }
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Roughly.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn put(&mut self, record: &Record<'_>) -> Result<()> {
        match (&mut self.ids, &record.id) {
            (Ids::Numbers(ids), Id::Number(id)) => ids.push(*id),
            (Ids::Texts(ids), Id::Text(id)) => ids.append_value(id),
            _ => return Err(ArrowError::SchemaError("an id of another type".to_owned())),
        }
        self.attempts.push(record.attempts);
        match &record.results {
            Ok(results) => {
                self.statuses.append_value("OK");
                self.messages.append_null();
                for (column, (extents, bytes)) in self.columns.iter_mut().zip(results) {
                    column.put(extents, bytes)?;
                    self.bytes += bytes.len();
                }
            }
            Err((code, message)) => {
                self.statuses.append_value(code.name());
                self.messages.append_value(message);
                self.columns.iter_mut().try_for_each(Column::put_null)?;
                self.bytes += message.len();
            }
        }
        self.bytes += 32;
        Ok(())
    }

    /// The rows so far; from here on there are none.
    pub(super) fn take(&mut self) -> Result<RecordBatch> {
        self.bytes = 0;
        let ids: ArrayRef = match &mut self.ids {
            Ids::Numbers(ids) => Arc::new(Int64Array::from(std::mem::take(ids))),
            Ids::Texts(ids) => Arc::new(ids.finish()),
        };
        let mut arrays: Vec<ArrayRef> = vec![
            ids,
            Arc::new(self.statuses.finish()),
            Arc::new(self.messages.finish()),
            Arc::new(UInt32Array::from(std::mem::take(&mut self.attempts))),
        ];
        for column in &mut self.columns {
            let empty = Column::new(&column.shape);
            arrays.push(std::mem::replace(column, empty).array()?);
        }
        RecordBatch::try_new(self.schema.clone(), arrays)
    }
}

fn schema(shapes: &[Shape], has_texts: bool) -> Schema {
    let id = if has_texts { DataType::Utf8 } else { DataType::Int64 };
    let mut fields = vec![
        Field::new("id", id, false),
        Field::new("status", DataType::Utf8, false),
        Field::new("message", DataType::Utf8, true),
        Field::new("attempts", DataType::UInt32, false),
    ];
    for (at, shape) in shapes.iter().enumerate() {
        fields.push(Field::new(format!("output_{at}"), shape.types().swap_remove(0), true));
    }
    Schema::new(fields)
}

impl Shape {
    /// The type of a row, of what is in its lists, and so on to the numbers.
    fn types(&self) -> Vec<DataType> {
        let mut types = vec![number(self.dtype)];
        for extent in self.extents.iter().rev() {
            let item = Arc::new(Field::new_list_field(types[0].clone(), true));
            types.insert(
                0,
                match extent.map(i32::try_from) {
                    Some(Ok(length)) => DataType::FixedSizeList(item, length),
                    _ => DataType::List(item),
                },
            );
        }
        types
    }
}

fn number(dtype: Dtype) -> DataType {
    match dtype {
        Dtype::Bool => DataType::Boolean,
        Dtype::Int(1) => DataType::Int8,
        Dtype::Int(2) => DataType::Int16,
        Dtype::Int(4) => DataType::Int32,
        Dtype::Int(_) => DataType::Int64,
        Dtype::Uint(1) => DataType::UInt8,
        Dtype::Uint(2) => DataType::UInt16,
        Dtype::Uint(4) => DataType::UInt32,
        Dtype::Uint(_) => DataType::UInt64,
        Dtype::Float(2) => DataType::Float16,
        Dtype::Float(4) => DataType::Float32,
        Dtype::Float(_) => DataType::Float64,
    }
}

/// The rows of one result.
struct Column {
    shape: Shape,
    rows: Vec<bool>,
    /// For each depth, how many lists there are, and where they end if their lengths differ from row to row.
    depths: Vec<(usize, Vec<i32>)>,
    /// Elements, one behind the other.
    values: Vec<u8>,
}

impl Column {
    fn new(shape: &Shape) -> Column {
        let depths = vec![(0, vec![0]); shape.extents.len()];
        Column { shape: shape.clone(), rows: Vec::new(), depths, values: Vec::new() }
    }

    fn put(&mut self, extents: &[u64], bytes: &[u8]) -> Result<()> {
        self.rows.push(true);
        self.values.extend_from_slice(bytes);
        self.put_lengths(extents)
    }

    /// A row without a result has the lists that it must have, and zeros in them.
    fn put_null(&mut self) -> Result<()> {
        self.rows.push(false);
        let extents: Vec<u64> = self.shape.extents.iter().map(|extent| extent.unwrap_or(0)).collect();
        let count: u64 = extents.iter().product();
        self.values.resize(self.values.len() + count as usize * self.shape.dtype.bytes(), 0);
        self.put_lengths(&extents)
    }

    fn put_lengths(&mut self, extents: &[u64]) -> Result<()> {
        let mut lists = 1_usize;
        let depths = self.depths.iter_mut().zip(&self.shape.extents).zip(extents);
        for (((count, ends), declared), extent) in depths {
            let too_long = || ArrowError::OffsetOverflowError(*extent as usize);
            let length = i32::try_from(*extent).map_err(|_| too_long())?;
            *count += lists;
            if declared.is_none() {
                for _ in 0..lists {
                    let last = ends.last().copied().unwrap_or(0);
                    ends.push(last.checked_add(length).ok_or_else(too_long)?);
                }
            }
            lists = lists.saturating_mul(length as usize);
        }
        Ok(())
    }

    fn array(self) -> Result<ArrayRef> {
        let Column { shape, rows, depths, values } = self;
        let (types, count) = (shape.types(), values.len() / shape.dtype.bytes());
        let values = match shape.dtype {
            Dtype::Bool => values.iter().map(|byte| *byte != 0).collect::<BooleanBuffer>().into_inner(),
            _ => Buffer::from_vec(values),
        };
        let nulls = |depth: usize| (depth == 0).then(|| NullBuffer::from(rows.as_slice()));
        let leaf = ArrayData::builder(types[depths.len()].clone()).len(count).add_buffer(values);
        let mut array = make_array(leaf.nulls(nulls(depths.len())).align_buffers(true).build()?);
        for (depth, (lists, ends)) in depths.into_iter().enumerate().rev() {
            let nulls = nulls(depth);
            array = match &types[depth] {
                DataType::FixedSizeList(item, length) => {
                    let item = item.clone();
                    Arc::new(FixedSizeListArray::try_new_with_length(item, *length, array, nulls, lists)?)
                }
                DataType::List(item) => {
                    let ends = OffsetBuffer::new(ScalarBuffer::from(ends));
                    Arc::new(ListArray::try_new(item.clone(), ends, array, nulls)?)
                }
                _ => return Err(ArrowError::SchemaError("a list is expected".to_owned())),
            };
        }
        Ok(array)
    }
}
