//! Results as a table: a row for each item, with its id, status, message and attempts, and a column `output_0`, `output_1`, …
//! for each result. What an item that failed does not have is null.
//!
//! Not here: its columns (`build.rs`), results while the batch runs (`record.rs`).
//!
//! While the batch runs the results lie in records (`record.rs`), one behind the other, as in every file that can be resumed; the
//! table is made of them at the end, a part at a time.

use super::super::super::item::Done;
use super::super::super::sink::Encode;
use super::super::columns::Names;
use super::super::interface::Interface;
use super::TableForm;
use super::build::Part;
use super::record::{self, Shape};
use crate::files::failed;
use crate::tuning::{TABLE_GROUP_BYTES, TABLE_PART_BYTES};
use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::Compression;
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use arrow_array::RecordBatch;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, Schema};
use raddle_status::Result;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

/// See the head of this file.
#[derive(Debug)]
pub struct TableResults {
    form: TableForm,
    shapes: Vec<Shape>,
    has_texts: bool,
}

impl TableResults {
    /// Results of a function with this interface, of items with such names: a column of integers, or of texts.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: a result is neither a number nor a declared tensor, or has elements that tables do not have.
    pub fn new(form: TableForm, interface: &Interface, names: Names) -> Result<TableResults> {
        Ok(TableResults { form, shapes: Shape::of(interface)?, has_texts: names == Names::Texts })
    }

    fn write(&self, results: &File, mut left: u64, into: File) -> io::Result<()> {
        let mut results = BufReader::with_capacity(1 << 20, results);
        results.seek(SeekFrom::Start(0))?;
        let mut part = Part::new(&self.shapes, self.has_texts);
        let mut writer = Writer::new(self.form, into, part.schema())?;
        let mut bytes = Vec::new();
        while record::read(&mut results, &mut left, &mut bytes)? {
            part.put(&record::decode(&self.shapes, self.has_texts, &bytes)?).map_err(of_arrow)?;
            if part.bytes() >= TABLE_PART_BYTES {
                writer.write(&part.take().map_err(of_arrow)?)?;
            }
        }
        writer.write(&part.take().map_err(of_arrow)?)?;
        writer.finish()?.sync_all()
    }
}

impl Encode for TableResults {
    fn put(&mut self, done: &mut Done, out: &mut Vec<u8>) -> Result {
        record::encode(&self.shapes, self.has_texts, done, out)
    }

    fn package(&self, results: &File, bytes: u64, path: &Path) -> Result<bool> {
        let made = File::create(path).and_then(|into| self.write(results, bytes, into));
        made.map(|()| true).map_err(|error| failed("write", path, &error))
    }
}

enum Writer {
    Parquet(Box<ArrowWriter<File>>),
    Arrow(Box<FileWriter<BufWriter<File>>>),
}

impl Writer {
    fn new(form: TableForm, into: File, schema: &Arc<Schema>) -> io::Result<Writer> {
        match form {
            TableForm::Parquet => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::SNAPPY)
                    .set_max_row_group_bytes(Some(TABLE_GROUP_BYTES))
                    .build();
                let writer = ArrowWriter::try_new(into, schema.clone(), Some(properties));
                writer.map(|writer| Writer::Parquet(Box::new(writer))).map_err(of_parquet)
            }
            TableForm::Arrow => {
                let into = BufWriter::with_capacity(1 << 20, into);
                FileWriter::try_new(into, schema)
                    .map(|writer| Writer::Arrow(Box::new(writer)))
                    .map_err(of_arrow)
            }
        }
    }

    fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        match self {
            _ if batch.num_rows() == 0 => Ok(()),
            Writer::Parquet(writer) => writer.write(batch).map_err(of_parquet),
            Writer::Arrow(writer) => writer.write(batch).map_err(of_arrow),
        }
    }

    fn finish(self) -> io::Result<File> {
        match self {
            Writer::Parquet(writer) => writer.into_inner().map_err(of_parquet),
            // It writes the footer, too.
            Writer::Arrow(writer) => {
                let into = writer.into_inner().map_err(of_arrow)?;
                into.into_inner().map_err(io::IntoInnerError::into_error)
            }
        }
    }
}

fn of_arrow(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, cause) => cause,
        other => io::Error::other(other),
    }
}

fn of_parquet(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(cause) => *cause,
            Err(cause) => io::Error::other(cause),
        },
        other => io::Error::other(other),
    }
}
