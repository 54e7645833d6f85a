//! Which columns of a table are read: those that are named, or all but `id`, which names the items.
//!
//! Not here: their rows (`cells.rs`).

use super::super::columns::Names;
use super::super::npy::Dtype;
use arrow_schema::{DataType, Schema};
use raddle_status::{Code, Error, Result};
use std::fmt;
use std::path::Path;

/// The column that names the items.
const ID: &str = "id";

/// How deep lists in lists are read. Unit: lists.
const DEPTH_MAX: usize = 32;

/// What the cells of a column are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Type {
    /// Numbers, in lists of these lengths, where they are the same for all.
    Numbers { extents: Vec<Option<u64>>, dtype: Dtype },
    /// Texts or bytes.
    Bytes,
}

impl Type {
    /// `None` for what has no form here.
    pub(super) fn of(mut ty: &DataType) -> Option<Type> {
        let mut extents = Vec::new();
        loop {
            let (item, extent) = match ty {
                DataType::FixedSizeList(item, length) => (item, Some(u64::try_from(*length).ok()?)),
                DataType::List(item) | DataType::LargeList(item) => (item, None),
                _ if extents.is_empty() && is_bytes(ty) => return Some(Type::Bytes),
                _ => return Some(Type::Numbers { extents, dtype: dtype(ty)? }),
            };
            if extents.len() == DEPTH_MAX {
                return None;
            }
            extents.push(extent);
            ty = item.data_type();
        }
    }
}

pub(super) fn dtype(ty: &DataType) -> Option<Dtype> {
    Some(match ty {
        DataType::Boolean => Dtype::Bool,
        DataType::Int8 => Dtype::Int(1),
        DataType::Int16 => Dtype::Int(2),
        DataType::Int32 => Dtype::Int(4),
        DataType::Int64 => Dtype::Int(8),
        DataType::UInt8 => Dtype::Uint(1),
        DataType::UInt16 => Dtype::Uint(2),
        DataType::UInt32 => Dtype::Uint(4),
        DataType::UInt64 => Dtype::Uint(8),
        DataType::Float16 => Dtype::Float(2),
        DataType::Float32 => Dtype::Float(4),
        DataType::Float64 => Dtype::Float(8),
        _ => return None,
    })
}

fn is_text(ty: &DataType) -> bool {
    matches!(ty, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

fn is_bytes(ty: &DataType) -> bool {
    is_text(ty) || matches!(ty, DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
}

/// A column that gives an argument.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) name: String,
    /// Its place among those that are read.
    pub(super) at: usize,
    pub(super) ty: Type,
    /// The type, for messages.
    declared: DataType,
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column '{}' of type {}", self.name, self.declared)
    }
}

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Choice {
    /// The columns that are read, by their places in the file, ascending.
    pub(super) places: Vec<usize>,
    /// Those that give arguments, in the order of these.
    pub(super) columns: Vec<Chosen>,
    /// The place of the names among those that are read.
    pub(super) id: Option<usize>,
    pub(super) names: Names,
}

impl Choice {
    /// `names`: the columns that are wanted, with commas between them.
    ///
    /// # Errors
    /// NOT_FOUND: there is no such column. INVALID_ARGUMENT: one has a type that is not read, or an `id` that names nothing.
    pub(super) fn of(schema: &Schema, names: Option<&str>, path: &Path) -> Result<Choice> {
        let fields = schema.fields();
        let find = |name: &str| {
            let place = fields.iter().position(|field| field.name() == name);
            place.ok_or_else(|| {
                let all: Vec<&str> = fields.iter().map(|field| &**field.name()).collect();
                let text = format!("{} has no column '{name}'; it has: {}", path.display(), all.join(", "));
                Error::new(Code::NotFound, text)
            })
        };
        let wanted: Vec<usize> = match names {
            Some(names) => names.split(',').map(find).collect::<Result<_>>()?,
            None => (0..fields.len()).filter(|place| fields[*place].name() != ID).collect(),
        };
        let id = fields.iter().position(|field| field.name() == ID);
        let mut places: Vec<usize> = wanted.iter().copied().chain(id).collect();
        places.sort_unstable();
        places.dedup();
        let among = |place: usize| places.binary_search(&place).unwrap_or_default();
        let refused = |place: usize, hint: &str| {
            let (name, ty, path) = (fields[place].name(), fields[place].data_type(), path.display());
            Error::new(Code::InvalidArgument, format!("column '{name}' of {path} has the type {ty}: {hint}"))
        };
        let column = |place: usize| {
            let declared = fields[place].data_type().clone();
            let hint = "only numbers, lists of numbers, texts and bytes become arguments; \
                        name the others after the file: FILE:a,b";
            let ty = Type::of(&declared).ok_or_else(|| refused(place, hint))?;
            Ok(Chosen { name: fields[place].name().clone(), at: among(place), ty, declared })
        };
        let columns = wanted.iter().map(|place| column(*place)).collect::<Result<_>>()?;
        let names = match id.map(|place| (place, fields[place].data_type())) {
            None => Names::None,
            Some((_, ty)) if is_text(ty) => Names::Texts,
            Some((_, ty)) if matches!(dtype(ty), Some(Dtype::Int(_) | Dtype::Uint(_))) => Names::Numbers,
            Some((place, _)) => return Err(refused(place, "an id is a text or an integer")),
        };
        let id = id.map(among);
        Ok(Choice { columns, id, names, places })
    }
}
