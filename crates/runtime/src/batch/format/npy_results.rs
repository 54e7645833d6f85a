//! Results as an `.npy` file: a row for each item, in the order of the items.

use super::super::item::Done;
use super::super::sink::Encode;
use super::interface::Interface;
use super::npy::HEADER_BYTES;
use super::rows::Rows;
use raddle_status::{Code, Error, Result};
use std::path::PathBuf;

/// See the head of this file. It wants the results in order. An item that failed has NaN there, or 0 where numbers have none,
/// and a line in the file of failures.
#[derive(Debug)]
pub struct NpyResults(Rows);

impl NpyResults {
    /// Results of a function with this interface; failures go to the file `failures`, which is made when there is one.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: it is not exactly one number, or tensor of a declared shape.
    pub fn new(interface: &Interface, failures: impl Into<PathBuf>) -> Result<NpyResults> {
        if interface.results.len() != 1 {
            let text = format!(
                "an .npy file takes one result, the function has {}; use .npz",
                interface.results.len()
            );
            return Err(Error::new(Code::InvalidArgument, text));
        }
        let rows = Rows::new(interface, failures)?;
        rows.columns[0].header(u64::MAX).to_bytes()?;
        Ok(NpyResults(rows))
    }

    fn header(&self, rows: u64) -> Vec<u8> {
        // `new` has seen that it is not too long.
        self.0.columns[0].header(rows).to_bytes().unwrap_or([b' '; HEADER_BYTES]).into()
    }
}

impl Encode for NpyResults {
    fn head(&self) -> Vec<u8> {
        self.header(0)
    }

    fn start_anew(&mut self) -> Result {
        self.0.start_anew()
    }

    fn put(&mut self, done: &mut Done, out: &mut Vec<u8>) -> Result {
        self.0.put(done, out)
    }

    fn final_head(&self, bytes: u64) -> Vec<u8> {
        // Rows of no bytes can't be counted.
        self.header(bytes.checked_div(self.0.bytes() as u64).unwrap_or(0))
    }
}
