//! Items from files, and results to files.
//!
//! | file | owns |
//! |---|---|
//! | `json.rs` | values as JSON |
//! | `json_lines.rs` | items and results as JSON Lines |
//! | `npy.rs` | the header and the numbers of an `.npy` file |
//! | `columns.rs` | items whose arguments come from `.npy` files and constants |
//! | `npy_results.rs` | results as an `.npy` file |

mod columns;
mod json;
mod json_lines;
pub mod npy;
mod npy_results;

pub use columns::{Column, Columns};
pub use json::{to_json, value_from_json};
pub use json_lines::{JsonLines, JsonResults};
pub use npy_results::NpyResults;
