//! Items from files, and results to files.
//!
//! | file | owns |
//! |---|---|
//! | `interface.rs` | what a function takes and returns |
//! | `json.rs` | values as JSON |
//! | `json_tensor.rs` | tensors as JSON |
//! | `json_lines.rs` | items and results as JSON Lines |
//! | `npy.rs` | the header and the numbers of an `.npy` file |
//! | `npz.rs` | the arrays of an `.npz` file |
//! | `columns.rs` | items whose arguments come from files and constants |
//! | `array.rs` | the rows of an array |
//! | `element.rs` | elements of arrays as numbers and tensors |
//! | `rows.rs` | results as rows of a fixed length |
//! | `npy_results.rs`, `npz_results.rs` | the same as `.npy` and `.npz` files |
//! | `table/` | items and results as Parquet and Arrow files |

mod array;
mod columns;
mod element;
mod interface;
mod json;
mod json_lines;
mod json_tensor;
pub mod npy;
mod npy_results;
mod npz;
mod npz_results;
mod rows;
mod table;

pub use columns::{Column, Columns, Names};
pub use interface::{Interface, Kind, TensorKind};
pub use json::{to_json, value_from_json};
pub use json_lines::{JsonLines, JsonResults};
pub use npy_results::NpyResults;
pub use npz_results::NpzResults;
pub use table::{TableForm, TableResults};
