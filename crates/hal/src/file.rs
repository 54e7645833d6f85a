//! `hal.file`: bytes that are read and written by operations of a queue.
//!
//! Not here: parameter archives.

use crate::memory::Span;
use raddle_status::{Code, Error, Result};
use raddle_vm::{Buffer as Bytes, Object, RefOf};
use std::fmt;
use std::os::unix::fs::FileExt;

/// Bytes of a file that are moved at a time. Unit: bytes.
const PIECE_BYTES: usize = 64 << 10;

/// A file. Thread-safe; reads and writes at stated places, without a position of its own.
pub struct File(Source);

enum Source {
    /// A part of a program's constants.
    Memory {
        bytes: RefOf<Bytes>,
        offset: usize,
        length: usize,
    },
    Host {
        file: std::fs::File,
        writable: bool,
    },
}

impl Object for File {
    const NAME: &'static str = "hal.file";
}

impl File {
    /// A file of the host. An operation on it takes as long as the system's call does.
    pub fn host(file: std::fs::File, writable: bool) -> File {
        File(Source::Host { file, writable })
    }

    /// A part of a program's bytes, to be read.
    ///
    /// # Errors
    /// OUT_OF_RANGE.
    pub(crate) fn memory(bytes: RefOf<Bytes>, offset: u64, length: u64) -> Result<File> {
        let end = offset.checked_add(length).filter(|end| *end <= bytes.len() as u64);
        if end.is_none() {
            let text = format!("{length} bytes at {offset} lie outside a buffer of {}", bytes.len());
            return Err(Error::new(Code::OutOfRange, text));
        }
        Ok(File(Source::Memory { bytes, offset: offset as usize, length: length as usize }))
    }

    /// Its length. Unit: bytes.
    ///
    /// # Errors
    /// The system's.
    pub fn length(&self) -> Result<u64> {
        match &self.0 {
            Source::Memory { length, .. } => Ok(*length as u64),
            Source::Host { file, .. } => Ok(file.metadata().map_err(failed)?.len()),
        }
    }

    /// Fails unless the file has this range.
    pub(crate) fn check_range(&self, offset: u64, length: u64) -> Result {
        let all = self.length()?;
        match offset.checked_add(length) {
            Some(end) if end <= all => Ok(()),
            _ => {
                let text = format!("{length} bytes at {offset} lie outside a file of {all} bytes");
                Err(Error::new(Code::OutOfRange, text))
            }
        }
    }

    /// Fills the target.
    pub(crate) fn read(&self, offset: u64, target: Span<'_>) -> Result {
        self.check_range(offset, target.bytes() as u64)?;
        match &self.0 {
            Source::Memory { bytes, offset: start, .. } => {
                let start = start + offset as usize;
                match bytes.as_constant() {
                    Some(constant) => target.write(&constant[start..start + target.bytes()]),
                    None => pieces(target, |at, piece| bytes.read(start + at as usize, piece))?,
                }
                Ok(())
            }
            Source::Host { file, .. } => {
                pieces(target, |at, piece| file.read_exact_at(piece, offset + at).map_err(failed))
            }
        }
    }

    /// Writes all of the source.
    pub(crate) fn write(&self, offset: u64, source: Span<'_>) -> Result {
        self.check_writable()?;
        let Source::Host { file, .. } = &self.0 else { return Ok(()) };
        let mut piece = vec![0; PIECE_BYTES.min(source.bytes())];
        for at in (0..source.bytes()).step_by(PIECE_BYTES) {
            let length = PIECE_BYTES.min(source.bytes() - at);
            if let Some(part) = source.part(at as u64, length as u64) {
                part.read(&mut piece[..length]);
                file.write_all_at(&piece[..length], offset + at as u64).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// # Errors
    /// PERMISSION_DENIED: it can only be read.
    pub(crate) fn check_writable(&self) -> Result {
        match self.0 {
            Source::Host { writable: true, .. } => Ok(()),
            _ => Err(Error::new(Code::PermissionDenied, "the file can only be read")),
        }
    }
}

/// Fills the target piece by piece, through memory of the host.
fn pieces(target: Span<'_>, mut read: impl FnMut(u64, &mut [u8]) -> Result) -> Result {
    let mut piece = vec![0; PIECE_BYTES.min(target.bytes())];
    for at in (0..target.bytes()).step_by(PIECE_BYTES) {
        let length = PIECE_BYTES.min(target.bytes() - at);
        if let Some(part) = target.part(at as u64, length as u64) {
            read(at as u64, &mut piece[..length])?;
            part.write(&piece[..length]);
        }
    }
    Ok(())
}

fn failed(error: std::io::Error) -> Error {
    Error::new(Code::Unavailable, format!("the file can't be read or written: {error}"))
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Memory { length, .. } => write!(f, "File({length} bytes of constants)"),
            Source::Host { file, .. } => write!(f, "File({file:?})"),
        }
    }
}
