//! Tables in files: Parquet, and Arrow's file format. Behind the feature `parquet`, for its dependencies take longer to build than
//! all the rest.
//!
//! | file | owns |
//! |---|---|
//! | `choice.rs` | which columns of a table are read, and as what |
//! | `parquet.rs`, `arrow.rs` | batches of rows from a file |
//! | `cells.rs` | the rows of a column within a batch |
//! | `rows.rs` | arguments from rows |
//! | `record.rs` | a result while the batch runs |
//! | `build.rs` | columns of results |
//! | `results.rs` | results as a file |
//! | `absent.rs` | what is there without the feature: errors that name it |
//!
//! Not here: the formats themselves (the crates parquet and arrow).

#[cfg(not(feature = "parquet"))]
mod absent;
#[cfg(feature = "parquet")]
mod arrow;
#[cfg(feature = "parquet")]
mod build;
#[cfg(feature = "parquet")]
mod cells;
#[cfg(feature = "parquet")]
mod choice;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(feature = "parquet")]
mod record;
#[cfg(feature = "parquet")]
mod results;
#[cfg(feature = "parquet")]
mod rows;

#[cfg(not(feature = "parquet"))]
pub use absent::TableResults;
#[cfg(feature = "parquet")]
pub use results::TableResults;

use std::path::Path;

/// The form of a file that holds a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TableForm {
    /// Apache Parquet: `.parquet`.
    Parquet,
    /// The file format of Apache Arrow's IPC, version 2 of Feather: `.arrow`, `.feather`.
    Arrow,
}

impl TableForm {
    /// What files of this name hold, if they hold tables.
    pub fn of(path: impl AsRef<Path>) -> Option<TableForm> {
        match path.as_ref().extension()?.to_str()? {
            "parquet" => Some(TableForm::Parquet),
            "arrow" | "feather" => Some(TableForm::Arrow),
            _ => None,
        }
    }
}
