//! Batches of rows from a Parquet file, read page by page.
//!
//! Not here: Arrow files (`arrow.rs`), arguments (`rows.rs`).

use super::choice::Choice;
use super::rows::Opened;
use crate::files::{code, failed};
use crate::tuning::TABLE_BATCH_BYTES;
use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use ::parquet::basic::Compression;
use ::parquet::errors::ParquetError;
use arrow_schema::Schema;
use raddle_status::{Code, Error, Result};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

const MAGIC: &[u8; 4] = b"PAR1";

/// Rows of a batch at most. Guess: more is faster no longer.
const BATCH_ROWS_MAX: usize = 8192;

/// # Errors
/// As for [`open_table`](super::super::Column::open_table).
pub(super) fn open(path: &Path, choose: impl FnOnce(&Schema) -> Result<Choice>) -> Result<(Choice, Opened)> {
    let mut file = File::open(path).map_err(|error| failed("read", path, &error))?;
    check_magic(&mut file, path)?;
    let damaged = |error: ParquetError| damaged(path, error);
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(damaged)?;
    let choice = choose(builder.schema())?;
    let mask = ProjectionMask::roots(builder.parquet_schema(), choice.places.iter().copied());
    let metadata = builder.metadata();
    let mut bytes = 0_u64;
    for column in metadata.row_groups().iter().flat_map(|group| group.columns().iter().enumerate()) {
        let (leaf, column) = column;
        if mask.leaf_included(leaf) {
            check_compression(column.compression(), path)?;
            bytes = bytes.saturating_add(u64::try_from(column.uncompressed_size()).unwrap_or(0));
        }
    }
    let length = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
    let row_bytes = usize::try_from(bytes / length.max(1)).unwrap_or(usize::MAX);
    let rows = (TABLE_BATCH_BYTES / row_bytes.max(1)).clamp(1, BATCH_ROWS_MAX);
    let reader = builder.with_projection(mask).with_batch_size(rows).build().map_err(damaged)?;
    let broken = |error| Error::new(Code::DataLoss, format!("it is damaged: {error}"));
    let batches = Box::new(reader.map(move |batch| batch.map_err(broken)));
    Ok((choice, Opened { length, bytes, batches }))
}

/// # Errors
/// INVALID_ARGUMENT: it is no Parquet file.
fn check_magic(file: &mut File, path: &Path) -> Result {
    let mut start = [0; 4];
    let read = file.read_exact(&mut start).and_then(|()| file.rewind());
    match read {
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(failed("read", path, &error)),
        Ok(()) if start == *MAGIC => Ok(()),
        _ => {
            let text = format!("{} does not begin as a Parquet file does", path.display());
            Err(Error::new(Code::InvalidArgument, text))
        }
    }
}

/// # Errors
/// UNIMPLEMENTED: nothing here reads it.
fn check_compression(compression: Compression, path: &Path) -> Result {
    let name = match compression {
        Compression::BROTLI(_) => "Brotli",
        Compression::LZO => "LZO",
        _ => return Ok(()),
    };
    let text = format!(
        "{} is compressed with {name}; files without compression or with Snappy, GZip, LZ4 or Zstd are read",
        path.display()
    );
    Err(Error::new(Code::Unimplemented, text))
}

fn damaged(path: &Path, error: ParquetError) -> Error {
    let code = match &error {
        ParquetError::External(cause) => cause.downcast_ref::<io::Error>().map_or(Code::DataLoss, code),
        ParquetError::NYI(_) => Code::Unimplemented,
        _ => Code::DataLoss,
    };
    Error::new(code, format!("{} is no whole Parquet file: {error}", path.display()))
}
