//! The rows of a column within a batch: a number, a list of them, or bytes.
//!
//! Not here: which columns there are (`choice.rs`), what a row becomes (`rows.rs`).

use super::super::npy::Dtype;
use super::choice::dtype;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_buffer::{Buffer, NullBuffer};
use arrow_schema::DataType;
use std::ops::Range;

/// See the head of this file.
pub(super) enum Cells {
    Numbers { lists: Vec<Lists>, leaf: Leaf },
    Bytes(ArrayRef),
}

/// Lists, one behind the other.
pub(super) struct Lists {
    nulls: Option<NullBuffer>,
    bounds: Bounds,
}

enum Bounds {
    Length(usize),
    /// Where each begins, and the last ends.
    Offsets(Vec<usize>),
}

/// The numbers that all lists are made of.
pub(super) struct Leaf {
    pub(super) dtype: Dtype,
    bytes: Buffer,
    nulls: Option<NullBuffer>,
}

/// Why a row has no value.
pub(super) type Refusal = &'static str;

pub(super) const NULL: Refusal = "it is null";
const NULL_WITHIN: Refusal = "it has a null in it";
const RAGGED: Refusal = "its lists have different lengths";
const TORN: Refusal = "it reaches beyond its numbers";

impl Cells {
    /// `None` for what has no form here.
    pub(super) fn of(array: &ArrayRef) -> Option<Cells> {
        let mut lists = Vec::new();
        let mut array = array.clone();
        loop {
            let nulls = nulls(&array);
            let (bounds, inner) = match array.data_type() {
                DataType::FixedSizeList(_, length) => (
                    Bounds::Length(usize::try_from(*length).ok()?),
                    array.as_fixed_size_list().values().clone(),
                ),
                DataType::List(_) => {
                    let list = array.as_list::<i32>();
                    let offsets = list.offsets().iter().map(|offset| *offset as usize).collect();
                    (Bounds::Offsets(offsets), list.values().clone())
                }
                DataType::LargeList(_) => {
                    let list = array.as_list::<i64>();
                    let offsets = list.offsets().iter().map(|offset| *offset as usize).collect();
                    (Bounds::Offsets(offsets), list.values().clone())
                }
                ty => {
                    return match dtype(ty) {
                        Some(dtype) => {
                            let bytes = numbers(&array, dtype);
                            Some(Cells::Numbers { lists, leaf: Leaf { dtype, bytes, nulls } })
                        }
                        None if lists.is_empty() => Some(Cells::Bytes(array)),
                        None => None,
                    };
                }
            };
            lists.push(Lists { nulls, bounds });
            array = inner;
        }
    }
}

/// The nulls of an array, if there are any.
fn nulls(array: &ArrayRef) -> Option<NullBuffer> {
    array.nulls().filter(|nulls| nulls.null_count() > 0).cloned()
}

/// The numbers of an array, little-endian, one behind the other; truths as bytes.
fn numbers(array: &ArrayRef, dtype: Dtype) -> Buffer {
    if let Some(truths) = array.as_boolean_opt() {
        return truths.values().iter().map(u8::from).collect::<Vec<u8>>().into();
    }
    let data = array.to_data();
    let width = dtype.bytes();
    data.buffers()[0].slice_with_length(data.offset() * width, data.len() * width)
}

/// The lists and the numbers of a row: lengths of the lists, and bytes.
///
/// # Errors
/// The row has none.
pub(super) fn tensor<'a>(
    lists: &[Lists],
    leaf: &'a Leaf,
    row: usize,
    extents: &mut Vec<u64>,
) -> Result<&'a [u8], Refusal> {
    extents.clear();
    let mut range = row..row + 1;
    for (depth, lists) in lists.iter().enumerate() {
        has_all(lists.nulls.as_ref(), &range, depth)?;
        let length = lists.bounds.narrow(&mut range)?;
        extents.push(length as u64);
    }
    has_all(leaf.nulls.as_ref(), &range, extents.len())?;
    let width = leaf.dtype.bytes();
    leaf.bytes.get(range.start * width..range.end * width).ok_or(TORN)
}

fn has_all(nulls: Option<&NullBuffer>, range: &Range<usize>, depth: usize) -> Result<(), Refusal> {
    let is_null = |nulls: &NullBuffer| range.clone().any(|at| nulls.is_null(at));
    match (nulls.is_some_and(is_null), depth) {
        (false, _) => Ok(()),
        (true, 0) => Err(NULL),
        (true, _) => Err(NULL_WITHIN),
    }
}

impl Bounds {
    /// Makes a range of lists one of what is in them; their length.
    fn narrow(&self, range: &mut Range<usize>) -> Result<usize, Refusal> {
        match self {
            Bounds::Length(length) => {
                *range = range.start * length..range.end * length;
                Ok(*length)
            }
            Bounds::Offsets(offsets) => {
                let own = offsets.get(range.start..=range.end).ok_or(TORN)?;
                let length = own.get(1).map_or(0, |second| second - own[0]);
                if own.windows(2).any(|pair| pair[1] - pair[0] != length) {
                    return Err(RAGGED);
                }
                *range = own[0]..own[own.len() - 1];
                Ok(length)
            }
        }
    }
}

/// The text or the bytes of a row; `None` if it is null.
pub(super) fn bytes(array: &ArrayRef, row: usize) -> Option<&[u8]> {
    if array.is_null(row) {
        return None;
    }
    match array.data_type() {
        DataType::Utf8 => Some(array.as_string::<i32>().value(row).as_bytes()),
        DataType::LargeUtf8 => Some(array.as_string::<i64>().value(row).as_bytes()),
        DataType::Utf8View => Some(array.as_string_view().value(row).as_bytes()),
        DataType::Binary => Some(array.as_binary::<i32>().value(row)),
        DataType::LargeBinary => Some(array.as_binary::<i64>().value(row)),
        DataType::BinaryView => Some(array.as_binary_view().value(row)),
        _ => None,
    }
}
