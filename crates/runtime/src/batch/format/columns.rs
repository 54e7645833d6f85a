//! Items whose arguments come from files with a row for each item, and from constants.
//!
//! Each column gives one argument of every item or several: a number, or a tensor. All files have the same number of rows. They
//! are read as they are asked for, and may be larger than memory.
//!
//! Not here: what is in the files (`array.rs`, `npz.rs`, `table/`).

use super::super::item::{Item, ItemId};
use super::interface::{Interface, Kind};
use raddle_status::{Code, Error, Result, ResultExt};
use raddle_vm::Value;
use std::fmt;

/// Where one argument of every item comes from, or several.
pub struct Column(Inner);

enum Inner {
    /// The same for every item.
    Constant(Value),
    Rows(Box<dyn Rows>),
}

/// A file with a row for each item.
pub(super) trait Rows {
    /// For messages.
    fn name(&self) -> String;

    /// How many rows there are.
    fn length(&self) -> u64;

    /// How many arguments a row gives, if the first of them is of this kind.
    fn width(&self, first: Option<&Kind>) -> usize;

    /// What a row takes from the file, roughly. Unit: bytes.
    fn row_bytes(&self) -> usize;

    /// What a row has as the name of an item, if it has one.
    fn names(&self) -> Names {
        Names::None
    }

    /// # Errors
    /// INVALID_ARGUMENT: a row can't become arguments of these kinds.
    fn check(&mut self, kinds: &[Kind], interface: &Interface) -> Result;

    /// Adds what the next row gives.
    ///
    /// # Errors
    /// What ends the input; what is wrong with one row is put into it.
    fn put(&mut self, kinds: &[Kind], row: &mut Row) -> Result;

    /// Looks behind the last row, where readers that check what they gave say so.
    fn end(&mut self) -> Result {
        Ok(())
    }
}

/// What files have as names of items.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Names {
    /// Nothing: items are named by their places.
    None,
    /// Integers.
    Numbers,
    /// Texts, or texts and integers.
    Texts,
}

/// An item in the making.
#[derive(Default)]
pub(super) struct Row {
    pub(super) id: Option<ItemId>,
    pub(super) arguments: Vec<Value>,
    /// Why it can't be run.
    pub(super) refusal: Option<Error>,
}

impl Column {
    /// The same argument for every item.
    pub fn constant(value: Value) -> Column {
        Column(Inner::Constant(value))
    }

    pub(super) fn of(rows: impl Rows + 'static) -> Column {
        Column(Inner::Rows(Box::new(rows)))
    }

    /// How many arguments it gives, if the first of them is of this kind.
    pub fn width(&self, kind: Option<&Kind>) -> usize {
        match &self.0 {
            Inner::Constant(_) => 1,
            Inner::Rows(rows) => rows.width(kind),
        }
    }

    fn rows(&self) -> Option<&dyn Rows> {
        match &self.0 {
            Inner::Constant(_) => None,
            Inner::Rows(rows) => Some(&**rows),
        }
    }

    /// # Errors
    /// INVALID_ARGUMENT: its rows can't become arguments of these kinds.
    fn check(&mut self, kinds: &[Kind], interface: &Interface) -> Result {
        match &mut self.0 {
            Inner::Constant(Value::Ref(Some(_))) if interface.writes_arguments => {
                let text = "the function writes its results into an argument, which can't be a constant";
                Err(Error::new(Code::InvalidArgument, text))
            }
            Inner::Constant(value) => match kinds {
                [Kind::Plain(kind)] => value.for_letter(kind.letter() as u8).map(|same| *value = same),
                _ => Ok(()),
            },
            Inner::Rows(rows) => rows.check(kinds, interface),
        }
    }

    /// Adds the arguments of the next item.
    fn put(&mut self, kinds: &[Kind], row: &mut Row) -> Result {
        match &mut self.0 {
            Inner::Constant(value) => row.arguments.push(value.clone()),
            Inner::Rows(rows) => rows.put(kinds, row)?,
        }
        Ok(())
    }

    fn end(&mut self) -> Result {
        match &mut self.0 {
            Inner::Constant(_) => Ok(()),
            Inner::Rows(rows) => rows.end(),
        }
    }
}

impl fmt::Debug for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Inner::Constant(value) => write!(f, "Column({value})"),
            Inner::Rows(rows) => write!(f, "Column({})", rows.name()),
        }
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
    /// INVALID_ARGUMENT: they are too few or too many, of other types or shapes, of different lengths, all constant, or several
    /// name the items.
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
        let length = common_length(columns.iter().filter_map(|(column, _)| column.rows()))?;
        let naming = columns.iter().filter_map(|(column, _)| column.rows()).map(|rows| rows.names());
        if naming.filter(|names| *names != Names::None).count() > 1 {
            return invalid("several inputs have a column 'id' to name the items".to_owned());
        }
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
        self.columns.iter().filter_map(|(column, _)| column.rows()).map(Rows::row_bytes).sum()
    }

    /// What names the items.
    pub fn names(&self) -> Names {
        let mut all = self.columns.iter().filter_map(|(column, _)| column.rows()).map(Rows::names);
        all.find(|names| *names != Names::None).unwrap_or(Names::None)
    }

    fn item(&mut self) -> Result<Item> {
        let mut row = Row { arguments: Vec::with_capacity(self.kinds.len()), ..Row::default() };
        let is_last = self.next + 1 == self.length;
        let mut first = 0;
        for (column, width) in &mut self.columns {
            let place = || format!("in item {}", self.next);
            column.put(&self.kinds[first..first + *width], &mut row).within(place)?;
            first += *width;
            if is_last {
                column.end().within(|| "behind the last item")?;
            }
        }
        self.next += 1;
        Ok(Item { id: row.id, arguments: row.refusal.map_or(Ok(row.arguments), Err) })
    }
}

/// # Errors
/// INVALID_ARGUMENT: they differ, or there is no file.
fn common_length<'a>(files: impl Iterator<Item = &'a dyn Rows>) -> Result<u64> {
    let mut first: Option<&dyn Rows> = None;
    for rows in files {
        match first {
            None => first = Some(rows),
            Some(other) if other.length() == rows.length() => {}
            Some(other) => {
                let ((one, two), (name, own)) =
                    ((other.name(), other.length()), (rows.name(), rows.length()));
                let text = format!("{one} has {two} items, {name} has {own}");
                return Err(Error::new(Code::InvalidArgument, text));
            }
        }
    }
    let none = || Error::new(Code::InvalidArgument, "all inputs are constants: one has to be a file");
    first.map(Rows::length).ok_or_else(none)
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
