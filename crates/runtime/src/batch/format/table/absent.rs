//! Tables in a build without them: each call says how to build one with them.
//!
//! Not here: the tables themselves, which stand beside this file and are built in its place.

use super::super::super::item::Done;
use super::super::super::sink::Encode;
use super::super::columns::{Column, Names};
use super::super::interface::Interface;
use super::TableForm;
use raddle_status::{Code, Error, Result};
use std::convert::Infallible;
use std::path::Path;

fn absent() -> Error {
    let text = "this build has no Parquet and Arrow files: they need the feature `parquet` \
                (cargo build --release --package raddle-cli --features parquet)";
    Error::new(Code::Unimplemented, text)
}

impl Column {
    /// The columns of a table in a Parquet or an Arrow file; in builds with the feature `parquet`.
    ///
    /// # Errors
    /// UNIMPLEMENTED: this is none.
    pub fn open_table(path: impl AsRef<Path>, names: Option<&str>) -> Result<Column> {
        let _ = names;
        Err(absent().within(format!("in {}", path.as_ref().display())))
    }
}

/// Results as a Parquet or an Arrow file; in builds with the feature `parquet`.
#[derive(Debug)]
pub struct TableResults(Infallible);

impl TableResults {
    /// # Errors
    /// UNIMPLEMENTED: this is no such build.
    pub fn new(form: TableForm, interface: &Interface, names: Names) -> Result<TableResults> {
        let _ = (form, interface, names);
        Err(absent())
    }
}

impl Encode for TableResults {
    fn put(&mut self, _: &mut Done, _: &mut Vec<u8>) -> Result {
        match self.0 {}
    }
}
