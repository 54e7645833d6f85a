//! Results as an `.npz` file: `index` and `status` of each item, and an array `arr_0`, `arr_1`, … for each result.
//!
//! While the batch runs the results lie in rows, one behind the other, as in every file that can be resumed; the archive is
//! made of them at the end.

use super::super::item::Done;
use super::super::sink::Encode;
use super::interface::Interface;
use super::npy::{Dtype, Header};
use super::rows::Rows;
use crate::files::failed;
use raddle_status::Result;
use rawzip::ZipArchiveWriter;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// In front of each row: the item's place, and the number of its status.
const PREFIX_BYTES: usize = 12;

/// See the head of this file. An item that failed has NaN in its rows, or 0 where numbers have none, and a line in the file of
/// failures.
#[derive(Debug)]
pub struct NpzResults(Rows);

impl NpzResults {
    /// Results of a function with this interface; failures go to the file `failures`, which is made when there is one.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: one of them is neither a number nor a tensor of a declared shape.
    pub fn new(interface: &Interface, failures: impl Into<PathBuf>) -> Result<NpzResults> {
        let rows = Rows::new(interface, failures)?;
        rows.columns.iter().try_for_each(|column| column.header(u64::MAX).to_bytes().map(drop))?;
        Ok(NpzResults(rows))
    }

    fn row_bytes(&self) -> usize {
        PREFIX_BYTES + self.0.bytes()
    }

    /// The arrays: name, header, and where in a row they are.
    fn arrays(&self, rows: u64) -> Vec<(String, Header, usize, usize)> {
        let plain = |dtype| Header { dtype, is_swapped: false, is_fortran: false, shape: vec![rows] };
        let mut arrays = vec![
            ("index".to_owned(), plain(Dtype::Uint(8)), 0, 8),
            ("status".to_owned(), plain(Dtype::Uint(4)), 8, 4),
        ];
        let mut at = PREFIX_BYTES;
        for (number, column) in self.0.columns.iter().enumerate() {
            arrays.push((format!("arr_{number}"), column.header(rows), at, column.bytes()));
            at += column.bytes();
        }
        arrays
    }

    fn write(&self, results: &File, bytes: u64, into: File) -> io::Result<File> {
        let rows = bytes / self.row_bytes() as u64;
        let mut row = vec![0; self.row_bytes()];
        let mut archive = ZipArchiveWriter::new(BufWriter::with_capacity(1 << 20, into));
        for (name, header, at, length) in self.arrays(rows) {
            let (mut entry, config) =
                archive.new_file(format!("{name}.npy")).start().map_err(io::Error::other)?;
            let mut array = config.wrap(&mut entry);
            array.write_all(&header.to_bytes().map_err(io::Error::other)?)?;
            let mut file = results;
            file.seek(SeekFrom::Start(0))?;
            let mut reader = BufReader::with_capacity(1 << 20, file);
            for _ in 0..rows {
                reader.read_exact(&mut row)?;
                array.write_all(&row[at..at + length])?;
            }
            let (_, descriptor) = array.finish().map_err(io::Error::other)?;
            entry.finish(descriptor).map_err(io::Error::other)?;
        }
        let file = archive.finish().map_err(io::Error::other)?;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        Ok(file)
    }
}

impl Encode for NpzResults {
    fn start_anew(&mut self) -> Result {
        self.0.start_anew()
    }

    fn put(&mut self, done: &mut Done, out: &mut Vec<u8>) -> Result {
        let start = out.len();
        out.extend_from_slice(&done.index.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        self.0.put(done, out)?;
        // Known only now: a result that does not fit is a failure.
        let status = raddle_status::number(&done.result);
        out[start + 8..start + PREFIX_BYTES].copy_from_slice(&status.to_le_bytes());
        Ok(())
    }

    fn package(&self, results: &File, bytes: u64, path: &Path) -> Result<bool> {
        let made = File::create(path).and_then(|into| self.write(results, bytes, into));
        made.map(|_| true).map_err(|error| failed("write", path, &error))
    }
}
