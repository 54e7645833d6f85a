//! Files and standard streams.

use raddle_status::{Code, Error, Result};
use raddle_vm::Bytes;
use std::ffi::OsStr;
use std::io::{self, Read, Write};

/// The bytes of a file; of standard input if it is named `-`.
pub fn read(path: &OsStr) -> Result<Bytes> {
    let mut bytes = Vec::new();
    let result = match path == "-" {
        true => io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes),
        false => std::fs::read(path),
    };
    result.map(Bytes::from).map_err(|error| failed("read", path, &error))
}

/// The bytes of a module file, mapped where the system can; of standard input if it is named `-`.
pub fn open(path: &OsStr, preload: bool) -> Result<Bytes> {
    if preload || path == "-" {
        return read(path);
    }
    raddle_hal::map_file(path.as_ref()).or_else(|_| read(path))
}

/// Writes a file; standard output if it is named `-`.
pub fn write(path: &OsStr, bytes: &[u8]) -> Result {
    let result = match path == "-" {
        true => io::stdout().lock().write_all(bytes),
        false => std::fs::write(path, bytes),
    };
    result.map_err(|error| failed("write", path, &error))
}

/// What a failure to `verb` this file is.
pub fn failed(verb: &str, path: &OsStr, error: &io::Error) -> Error {
    let code = match error.kind() {
        io::ErrorKind::NotFound => Code::NotFound,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Code::PermissionDenied,
        io::ErrorKind::StorageFull | io::ErrorKind::OutOfMemory => Code::ResourceExhausted,
        _ => Code::Unknown,
    };
    Error::new(code, format!("can't {verb} {}: {error}", path.to_string_lossy()))
}
