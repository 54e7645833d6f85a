//! Results as an `.npy` file: one number for each item, in the order of the items.
//!
//! An item that failed has a NaN there, or 0 where numbers have none, and a line in the file of failures beside it.

use super::super::item::Done;
use super::super::sink::Encode;
use super::json_lines::JsonResults;
use super::npy::{Dtype, Header};
use crate::files::failed;
use raddle_status::{Code, Error, Result};
use raddle_vm::{Scalar, Value};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

/// See the head of this file. It wants the results in order.
#[derive(Debug)]
pub struct NpyResults {
    dtype: Dtype,
    failures: PathBuf,
    file: Option<File>,
}

impl NpyResults {
    /// Results of these kinds; failures go to the file `failures`, which is made when there is one.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: it is not exactly one number.
    pub fn new(results: &[Scalar], failures: impl Into<PathBuf>) -> Result<NpyResults> {
        let dtype = match results {
            [Scalar::I32] => Dtype::Int(4),
            [Scalar::I64] => Dtype::Int(8),
            [Scalar::F32] => Dtype::Float(4),
            [Scalar::F64] => Dtype::Float(8),
            _ => {
                let text = "an .npy file takes the results of a function that returns one number; use .jsonl";
                return Err(Error::new(Code::InvalidArgument, text));
            }
        };
        Ok(NpyResults { dtype, failures: failures.into(), file: None })
    }

    fn note_failure(&mut self, done: &Done) -> Result {
        let broken = |error: std::io::Error| failed("write", &self.failures, &error);
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let file =
                    OpenOptions::new().create(true).append(true).open(&self.failures).map_err(broken)?;
                none.insert(file)
            }
        };
        let mut line = Vec::new();
        JsonResults.put(&mut done.clone(), &mut line)?;
        file.write_all(&line).map_err(broken)
    }

    fn header(&self, length: u64) -> Vec<u8> {
        let shape = vec![length];
        Header { dtype: self.dtype, is_swapped: false, is_fortran: false, shape }.to_bytes().into()
    }
}

impl Encode for NpyResults {
    fn head(&self) -> Vec<u8> {
        self.header(0)
    }

    fn put(&mut self, done: &mut Done, out: &mut Vec<u8>) -> Result {
        let value = match &done.result {
            Ok(outputs) => outputs.first().cloned().unwrap_or_default(),
            Err(_) => {
                self.note_failure(done)?;
                match self.dtype {
                    Dtype::Float(4) => Value::F32(f32::NAN),
                    Dtype::Float(_) => Value::F64(f64::NAN),
                    _ => Value::I64(0),
                }
            }
        };
        out.extend_from_slice(&value.bits().to_le_bytes()[..self.dtype.bytes()]);
        Ok(())
    }

    fn final_head(&self, bytes: u64) -> Vec<u8> {
        self.header(bytes / self.dtype.bytes() as u64)
    }
}
