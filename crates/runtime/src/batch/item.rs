//! Items of a batch: what a function is called with, and what became of it.

use crate::values::Outputs;
use raddle_status::Result;
use raddle_vm::Value;
use std::fmt;

/// What names an item in results, logs and shards.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ItemId {
    /// Its place in the input, from 0.
    Index(u64),
    /// A number of its own.
    Number(i64),
    /// A name of its own.
    Text(Box<str>),
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ItemId::Index(index) => write!(f, "{index}"),
            ItemId::Number(number) => write!(f, "{number}"),
            ItemId::Text(text) => f.write_str(text),
        }
    }
}

impl From<&str> for ItemId {
    fn from(text: &str) -> ItemId {
        ItemId::Text(text.into())
    }
}

/// One item of a batch.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its name; without one it is named by its place in the input.
    pub id: Option<ItemId>,
    /// The arguments of the call, or why there are none: then the item fails with this, and no other is harmed.
    pub arguments: Result<Vec<Value>>,
}

impl Item {
    /// An item that is named by its place.
    pub fn new(arguments: impl Into<Vec<Value>>) -> Item {
        Item { id: None, arguments: Ok(arguments.into()) }
    }

    /// The same with a name of its own.
    pub fn id(mut self, id: impl Into<ItemId>) -> Item {
        self.id = Some(id.into());
        self
    }
}

/// What became of an item.
#[derive(Clone, Debug)]
pub struct Done {
    /// Its place in the input, from 0.
    pub index: u64,
    /// Its name.
    pub id: ItemId,
    /// How often it was tried.
    pub attempts: u32,
    /// The results of the call, or why it failed, the last time it was tried.
    pub result: Result<Outputs>,
}
