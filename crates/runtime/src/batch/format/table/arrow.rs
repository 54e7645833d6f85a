//! Batches of rows from an Arrow file, as its writer has cut them.
//!
//! Not here: Parquet files (`parquet.rs`), arguments (`rows.rs`).
//!
//! # Sources
//! The Arrow columnar format, IPC file format: magic, padding, blocks, footer, its length, magic. A block is a message, whose
//! length may be preceded by four bytes of ones, and a body.

use super::choice::Choice;
use super::rows::Opened;
use crate::files::failed;
use arrow_array::RecordBatch;
use arrow_buffer::{Buffer, MutableBuffer};
use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::reader::FileDecoder;
use arrow_ipc::{Block, root_as_footer, root_as_message};
use arrow_schema::Schema;
use raddle_status::{Code, Error, Result};
use std::fmt::Display;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const MAGIC: &[u8; 6] = b"ARROW1";

/// The length of the footer, and the magic.
const TAIL_BYTES: u64 = 10;

/// An open file.
struct Blocks {
    file: File,
    path: PathBuf,
    bytes: u64,
}

/// # Errors
/// As for [`open_table`](super::super::Column::open_table).
pub(super) fn open(path: &Path, choose: impl FnOnce(&Schema) -> Result<Choice>) -> Result<(Choice, Opened)> {
    let blocks = Blocks::open(path)?;
    let footer = blocks.footer()?;
    let footer = root_as_footer(&footer).map_err(|error| blocks.damaged(&error))?;
    let schema = footer.schema().ok_or_else(|| blocks.damaged(&"it has no schema"))?;
    let schema = try_fb_to_schema(schema).map_err(|error| blocks.damaged(&error))?;
    let choice = choose(&schema)?;
    let own: Vec<Block> = footer.recordBatches().iter().flatten().copied().collect();
    let (mut length, mut bytes) = (0_u64, 0_u64);
    for block in &own {
        length = length.saturating_add(blocks.rows(block)?);
        bytes = bytes.saturating_add(u64::try_from(block.bodyLength()).unwrap_or(0));
    }
    let decoder = FileDecoder::new(Arc::new(schema), footer.version()).with_projection(choice.places.clone());
    let batches = own.into_iter().filter_map(move |block| blocks.batch(&decoder, &block).transpose());
    Ok((choice, Opened { length, bytes, batches: Box::new(batches) }))
}

impl Blocks {
    /// # Errors
    /// INVALID_ARGUMENT: it is no Arrow file. Failures of files.
    fn open(path: &Path) -> Result<Blocks> {
        let file = File::open(path).map_err(|error| failed("read", path, &error))?;
        let bytes = file.metadata().map_err(|error| failed("read", path, &error))?.len();
        let blocks = Blocks { file, path: path.to_owned(), bytes };
        if !blocks.read(0, 6).is_ok_and(|start| *start == *MAGIC) {
            let text =
                format!("{} does not begin as an Arrow file does (streams are not read)", path.display());
            return Err(Error::new(Code::InvalidArgument, text));
        }
        Ok(blocks)
    }

    fn footer(&self) -> Result<Buffer> {
        let end = self.bytes.saturating_sub(TAIL_BYTES);
        let tail = self.read(end, TAIL_BYTES)?;
        let (length, magic) = tail.split_at(4);
        let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
        match end.checked_sub(length.into()) {
            Some(start) if magic == MAGIC => self.read(start, length.into()),
            _ => Err(self.damaged(&"it has no footer")),
        }
    }

    /// # Errors
    /// DATA_LOSS: they are not there. Failures of files.
    fn read(&self, at: u64, count: u64) -> Result<Buffer> {
        if at.checked_add(count).is_none_or(|end| end > self.bytes) {
            return Err(self.damaged(&"it ends too early"));
        }
        // Aligned, as numbers have to be.
        let mut buffer = MutableBuffer::from_len_zeroed(count as usize);
        self.file.read_exact_at(&mut buffer, at).map_err(|error| failed("read", &self.path, &error))?;
        Ok(buffer.into())
    }

    /// How many rows a block has, as its message says.
    fn rows(&self, block: &Block) -> Result<u64> {
        let (at, head, _) = self.place(block)?;
        let head = self.read(at, head)?;
        let prefix = if head.starts_with(&[0xff; 4]) { 8 } else { 4 };
        let message = head.get(prefix..).ok_or_else(|| self.damaged(&"a block has no message"))?;
        let message = root_as_message(message).map_err(|error| self.damaged(&error))?;
        let batch = message.header_as_record_batch();
        let rows = batch.and_then(|batch| u64::try_from(batch.length()).ok());
        rows.ok_or_else(|| self.damaged(&"a block has no rows"))
    }

    /// Where a block is, and the lengths of its message and body.
    fn place(&self, block: &Block) -> Result<(u64, u64, u64)> {
        let place = (|| {
            let place = (block.offset().try_into().ok()?, block.metaDataLength().try_into().ok()?);
            Some((place.0, place.1, block.bodyLength().try_into().ok()?))
        })();
        place.ok_or_else(|| self.damaged(&"a block has a negative length"))
    }

    fn batch(&self, decoder: &FileDecoder, block: &Block) -> Result<Option<RecordBatch>> {
        let (at, head, body) = self.place(block)?;
        let bytes = self.read(at, head.saturating_add(body))?;
        decoder.read_record_batch(block, &bytes).map_err(|error| self.damaged(&error))
    }

    fn damaged(&self, why: &dyn Display) -> Error {
        Error::new(Code::DataLoss, format!("{} is no whole Arrow file: {why}", self.path.display()))
    }
}
