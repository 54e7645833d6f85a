//! Arrays in an `.npz` file: a zip archive of `.npy` files, stored or deflated. Each is read as it is asked for, and its
//! checksum looked at behind its last row.
//!
//! Not here: the structure of a zip archive (rawzip), deflate (flate2).

use super::columns::Column;
use crate::files::failed;
use flate2::bufread::DeflateDecoder;
use raddle_status::{Code, Error, Result, ResultExt};
use rawzip::{CompressionMethod, RECOMMENDED_BUFFER_SIZE, ZipArchive, ZipArchiveEntryWayfinder};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// An array of the archive, as its directory has it.
struct Entry {
    name: String,
    place: ZipArchiveEntryWayfinder,
    method: CompressionMethod,
    is_encrypted: bool,
    crc: u32,
    bytes: u64,
}

impl Column {
    /// The arrays in an `.npz` file, in the order of the archive; or the one with this name alone.
    ///
    /// # Errors
    /// NOT_FOUND: there is no such array. UNIMPLEMENTED: it is compressed or encrypted in a way that is not known here.
    /// DATA_LOSS: the archive is damaged. As for [`open`](Column::open).
    pub fn open_all(path: impl AsRef<Path>, name: Option<&str>) -> Result<Vec<Column>> {
        let path = path.as_ref();
        let open = || File::open(path).map_err(|error| failed("read", path, &error));
        let file = Arc::new(open()?);
        let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
        let damaged = |error: rawzip::Error| {
            Error::new(Code::DataLoss, format!("{} is no whole .npz file: {error}", path.display()))
        };
        let archive = ZipArchive::from_file(open()?, &mut buffer).map_err(damaged)?;
        let mut entries = Vec::new();
        let mut listed = archive.entries(&mut buffer);
        while let Some(entry) = listed.next_entry().map_err(damaged)? {
            let name = String::from_utf8_lossy(entry.file_path().as_bytes()).into_owned();
            entries.push(Entry {
                name: name.strip_suffix(".npy").unwrap_or(&name).to_owned(),
                place: entry.wayfinder(),
                method: entry.compression_method(),
                is_encrypted: entry.flags().is_encrypted(),
                crc: entry.crc32(),
                bytes: entry.uncompressed_size_hint(),
            });
        }
        if let Some(name) = name {
            let names: Vec<&str> = entries.iter().map(|entry| &*entry.name).collect();
            let text = || format!("{} has no array '{name}'; it has: {}", path.display(), names.join(", "));
            let at = names.iter().position(|other| *other == name);
            let at = at.ok_or_else(|| Error::new(Code::NotFound, text()))?;
            entries = vec![entries.swap_remove(at)];
        }
        let columns = entries.into_iter().map(|entry| {
            let span = archive.get_entry(entry.place).map_err(damaged)?.compressed_data_range();
            let place = format!("{}:{}", path.display(), entry.name);
            entry
                .column(Span { file: file.clone(), at: span.0, end: span.1 })
                .within(|| format!("in {place}"))
        });
        columns.collect()
    }
}

impl Entry {
    fn column(self, span: Span) -> Result<Column> {
        let span = BufReader::with_capacity(1 << 16, span);
        let reader: Box<dyn Read> = match self.method {
            CompressionMethod::STORE if !self.is_encrypted => Box::new(span),
            CompressionMethod::DEFLATE if !self.is_encrypted => {
                Box::new(BufReader::with_capacity(1 << 16, DeflateDecoder::new(span)))
            }
            method => {
                let how = if self.is_encrypted {
                    "encrypted".to_owned()
                } else {
                    format!("compressed with {method}")
                };
                let text = format!("it is {how}; stored and deflated arrays are read");
                return Err(Error::new(Code::Unimplemented, text));
            }
        };
        let (hasher, crc, left) = (crc32fast::Hasher::new(), self.crc, self.bytes);
        Column::read(Checked { reader, hasher, crc, left }, self.name)
    }
}

/// A part of a file.
struct Span {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for Span {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let most = into.len().min(left);
        let count = self.file.read_at(&mut into[..most], self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// Says at the end whether what was read is what the archive's directory promises.
struct Checked<R> {
    reader: R,
    hasher: crc32fast::Hasher,
    crc: u32,
    left: u64,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(into)?;
        let damaged = |text| Err(io::Error::new(io::ErrorKind::InvalidData, text));
        let Some(left) = self.left.checked_sub(count as u64) else {
            return damaged("there is more than the archive says");
        };
        self.left = left;
        self.hasher.update(&into[..count]);
        if count == 0 && !into.is_empty() {
            if left > 0 {
                return damaged("there is less than the archive says");
            }
            if self.hasher.clone().finalize() != self.crc {
                return damaged("the checksum of the array is wrong");
            }
        }
        Ok(count)
    }
}
