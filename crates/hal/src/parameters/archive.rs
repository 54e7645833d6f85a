//! An archive of parameters in memory.
//!
//! # Invariants
//! - I1: the bytes behind `bytes` are kept by its owner and never written. (by construction: they are `Bytes`)
#![allow(unsafe_code)]

use super::irpa::{Entry, read_index};
use crate::allocator::Allocator;
use crate::buffer::{Buffer, BufferParams};
use crate::flags::{access, memory_type, usage};
use crate::map::map_file;
use raddle_status::{Code, Error, Result, ResultExt};
use raddle_vm::{Bytes, RefOf};
use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::ptr::NonNull;

/// What a whole archive may be used for.
pub(super) const ARCHIVE_PARAMS: BufferParams = BufferParams {
    memory_type: memory_type::DEVICE_LOCAL | memory_type::HOST_LOCAL,
    usage: usage::DEFAULT | usage::HOST | usage::SHARING_IMMUTABLE,
    access: access::READ,
};

/// Named bytes. Thread-safe; cheap to share in an `Arc`.
pub struct ParameterArchive {
    pub(super) index: HashMap<String, Entry>,
    /// All of it, as a buffer for devices.
    pub(super) buffer: RefOf<Buffer>,
}

impl ParameterArchive {
    /// Maps a file. It must not be changed while the result, or a buffer that a program has loaded of it, is alive.
    ///
    /// Blocks until the index is read.
    ///
    /// # Errors
    /// NOT_FOUND, PERMISSION_DENIED, UNAVAILABLE: the file can't be read. Those of [`from_bytes`](Self::from_bytes).
    pub fn open(path: &Path) -> Result<ParameterArchive> {
        let place = || format!("in the parameter archive '{}'", path.display());
        let failed = |error: std::io::Error| {
            let code = match error.kind() {
                std::io::ErrorKind::NotFound => Code::NotFound,
                std::io::ErrorKind::PermissionDenied => Code::PermissionDenied,
                _ => Code::Unavailable,
            };
            Error::new(code, format!("the file can't be mapped: {error}"))
        };
        let bytes = map_file(path).map_err(failed).within(place)?;
        ParameterArchive::from_bytes(bytes).within(place)
    }

    /// An archive that is in memory. The bytes are used where they are, or copied once if they begin at no multiple of 64.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: this is no archive, or it is damaged. UNIMPLEMENTED: a version or part that is not known.
    pub fn from_bytes(bytes: Bytes) -> Result<ParameterArchive> {
        let index = read_index(&bytes)?;
        let (start, length) = (NonNull::from(&bytes[..]).cast::<u8>(), bytes.len());
        // SAFETY: I1.
        let borrowed = unsafe { Buffer::borrowed(start, length, Box::new(bytes.clone()), ARCHIVE_PARAMS) };
        let buffer = match borrowed {
            Ok(buffer) => buffer,
            Err(_) => {
                let copy = Buffer::allocate(&Allocator::new(u64::MAX), length as u64, ARCHIVE_PARAMS)?;
                // Nobody writes it after this: programs share it.
                copy.span()?.write(&bytes);
                copy
            }
        };
        Ok(ParameterArchive { index, buffer: RefOf::new(buffer) })
    }

    /// The names of its parameters, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.index.keys().map(String::as_str)
    }
}

impl fmt::Debug for ParameterArchive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ParameterArchive({} parameters)", self.index.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_not_written_wherever_it_lies() {
        let file = include_bytes!("../../../../tests/programs/hal/inputs/p18.irpa");
        for shift in 0..2 {
            let mut memory = vec![0; file.len() + 64];
            let start = shift + memory.as_ptr().align_offset(64);
            memory[start..start + file.len()].copy_from_slice(file);
            let bytes = Bytes::from(memory).slice(start..start + file.len());
            let place = bytes.as_ptr();
            let archive = ParameterArchive::from_bytes(bytes).unwrap();
            let buffer = &archive.buffer;
            let is_copied = buffer.span().unwrap().address().as_ptr().cast_const() != place;
            assert_eq!(is_copied, shift == 1, "only what can't be used in place is copied");
            assert_eq!(buffer.write(0, &[0]).unwrap_err().code(), Code::PermissionDenied);
            let mut read = vec![0; file.len()];
            buffer.read(0, &mut read).unwrap();
            assert_eq!(read, file);
        }
    }
}
