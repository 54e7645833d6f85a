//! Tensors as users write and keep them: text, `.npy` and raw files, and comparison within tolerances. Texts are those of
//! stock IREE's tools, to the letter.
//!
//! | you want | start at |
//! |---|---|
//! | `4xf32=1 2 3 4`, `@file.npy`, `2x2xi8=@file.bin` to a tensor | [`TensorReader`] |
//! | a tensor as text | [`to_text`] |
//! | its elements as numbers | [`numbers()`] |
//! | whether a result is what was expected | [`compare()`] |
//! | a tensor in a file | [`write_npy`], [`BufferView::to_bytes`](crate::BufferView::to_bytes) |

mod compare;
mod element;
mod npy;
pub mod number;
mod numbers;
mod print;
mod read;
mod small_float;

pub use compare::{Tolerance, compare};
pub use npy::{npy_header, write_npy};
pub use numbers::{Number, numbers, put_number};
pub use print::{ELEMENTS_MAX, to_text};
pub use read::TensorReader;
