//! Failures of files as statuses.

use raddle_status::{Code, Error};
use std::io;
use std::path::Path;

/// What a failure to `verb` this file is.
pub(crate) fn failed(verb: &str, path: &Path, error: &io::Error) -> Error {
    Error::new(code(error), format!("can't {verb} {}: {error}", path.display()))
}

/// The status of a failure of the operating system.
pub(crate) fn code(error: &io::Error) -> Code {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::NotFound => Code::NotFound,
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem => Code::PermissionDenied,
        Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge | Kind::OutOfMemory => {
            Code::ResourceExhausted
        }
        Kind::AlreadyExists => Code::AlreadyExists,
        Kind::InvalidInput | Kind::IsADirectory | Kind::NotADirectory | Kind::InvalidFilename => {
            Code::InvalidArgument
        }
        Kind::InvalidData | Kind::UnexpectedEof => Code::DataLoss,
        Kind::TimedOut => Code::DeadlineExceeded,
        _ => Code::Unavailable,
    }
}
