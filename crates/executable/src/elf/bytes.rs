//! Reads of little-endian numbers, and the errors of this folder.

use raddle_status::{Code, Error};

/// Two bytes, if they are there.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(array_at(bytes, at)?))
}

/// Four bytes, if they are there.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(array_at(bytes, at)?))
}

/// Eight bytes, if they are there.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(array_at(bytes, at)?))
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

pub(crate) fn invalid(message: impl Into<String>) -> Error {
    Error::new(Code::InvalidArgument, message.into())
}

pub(crate) fn unimplemented(message: impl Into<String>) -> Error {
    Error::new(Code::Unimplemented, message.into())
}

pub(crate) fn denied(message: impl Into<String>) -> Error {
    Error::new(Code::PermissionDenied, message.into())
}
