//! The container: where in a `.vmfb` file the module tables are and where its external data starts.
//!
//! Not here: the tables themselves ([`Module`](crate::Module)); writing archives ([`ModuleBuilder`](crate::ModuleBuilder)).
//!
//! # Layout
//! ```text
//! raw   | u32 size S | S bytes of FlatBuffer | pad to 64 | external data
//! ZIP   | local header, 30 + name + extra | as raw, the pad counted from the start of the file
//! ```
//! Of the ZIP only the first local header is read: the sizes and the directory of a polyglot say nothing.
//! Alignment of the tables counts from the size prefix, so that the FlatBuffer proper lies at 4 modulo 64.

use bytes::Bytes;
use raddle_status::{Code, Error, Result};

const ZIP_MAGIC: u32 = 0x0403_4B50;
const ZIP_HEADER_BYTES: usize = 30;
/// Size prefix, root offset, identifier and at least a vtable's size.
const BLOB_BYTES_MIN: usize = 16;
const IDENTIFIER: &[u8; 4] = b"IREE";
/// External data starts at a multiple of this.
pub(crate) const DATA_ALIGNMENT: usize = 64;

/// A `.vmfb` file with its parts located.
#[derive(Clone, Debug)]
pub struct Archive {
    bytes: Bytes,
    tables: std::ops::Range<usize>,
    data_start: usize,
}

impl Archive {
    /// Finds the parts.
    ///
    /// # Errors
    /// INVALID_ARGUMENT if this is no archive of a bytecode module or if it is cut short.
    pub fn parse(bytes: impl Into<Bytes>) -> Result<Archive> {
        let bytes = bytes.into();
        let start = blob_start(&bytes)?;
        let have = bytes.len() - start;
        if have < BLOB_BYTES_MIN {
            return Err(invalid(format!(
                "the module starts at byte {start} and has {have} bytes; its header alone takes {BLOB_BYTES_MIN}"
            )));
        }
        if bytes.get(start + 8..start + 12) != Some(IDENTIFIER) {
            return Err(invalid("the identifier 'IREE' is missing: not a bytecode module".to_owned()));
        }
        let size = u32_at(&bytes, start) as usize;
        if !(BLOB_BYTES_MIN - 4..=have - 4).contains(&size) {
            return Err(invalid(format!(
                "the size prefix promises {size} bytes of module tables, the file has {}: it is cut short or damaged",
                have - 4
            )));
        }
        let tables = start + 4..start + 4 + size;
        let data_start = tables.end.next_multiple_of(DATA_ALIGNMENT);
        Ok(Archive { bytes, tables, data_start })
    }

    /// The whole file.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The FlatBuffer, without its size prefix.
    pub fn tables(&self) -> Bytes {
        self.bytes.slice(self.tables.clone())
    }

    /// External data at this offset from the end of the tables; shares the file's memory.
    ///
    /// # Errors
    /// INVALID_ARGUMENT if the range leaves the file.
    pub fn external(&self, offset: u64, bytes: u64) -> Result<Bytes> {
        let range = (|| {
            let start = self.data_start.checked_add(usize::try_from(offset).ok()?)?;
            let end = start.checked_add(usize::try_from(bytes).ok()?)?;
            (end <= self.bytes.len()).then_some(start..end)
        })();
        let range = range.ok_or_else(|| {
            let (start, have) = (self.data_start, self.bytes.len());
            invalid(format!(
                "external data at {start} + {offset}, {bytes} bytes, leaves the file of {have} bytes: it is cut short"
            ))
        })?;
        Ok(self.bytes.slice(range))
    }
}

fn blob_start(bytes: &[u8]) -> Result<usize> {
    if bytes.len() < ZIP_HEADER_BYTES || u32_at(bytes, 0) != ZIP_MAGIC {
        return Ok(0);
    }
    let length_at = |at| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let start = ZIP_HEADER_BYTES + length_at(26) + length_at(28);
    if start > bytes.len() {
        return Err(invalid(format!("the ZIP header ends at byte {start}, past the end of the file")));
    }
    Ok(start)
}

/// The caller has checked that four bytes are there.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn invalid(message: String) -> Error {
    Error::new(Code::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8]) -> Result<(usize, usize)> {
        Archive::parse(bytes.to_vec()).map(|archive| (archive.tables.start, archive.data_start))
    }

    fn raw(size: u32, total: usize) -> Vec<u8> {
        let mut bytes = size.to_le_bytes().to_vec();
        bytes.extend([8, 0, 0, 0]);
        bytes.extend(b"IREE");
        bytes.resize(total, 0);
        bytes
    }

    #[test]
    fn parts_are_found_in_both_containers() {
        assert_eq!(check(&raw(100, 104)).unwrap(), (4, 128));
        let mut zip = b"PK\x03\x04".to_vec();
        zip.resize(30, 0);
        (zip[26], zip[28]) = (9, 25);
        zip.resize(64, b'x');
        zip.extend(raw(60, 64));
        assert_eq!(check(&zip).unwrap(), (68, 128));
    }

    #[test]
    fn wrong_files_say_why() {
        for (bytes, text) in [
            (raw(101, 104), "promises 101 bytes"),
            (raw(u32::MAX, 104), "cut short"),
            (raw(4, 104), "damaged"),
            (b"PK\x03\x04".repeat(8), "ZIP header ends"),
            (vec![0; 104], "identifier"),
            (vec![], "0 bytes"),
        ] {
            let error = check(&bytes).unwrap_err();
            assert!(error.code() == Code::InvalidArgument && error.message().contains(text), "{error}");
        }
        let archive = Archive::parse(raw(100, 200)).unwrap();
        assert_eq!(archive.external(0, 72).unwrap().len(), 72);
        for (offset, bytes) in [(0, 73), (73, 0), (u64::MAX, 1), (1, u64::MAX), (u64::MAX, u64::MAX)] {
            assert!(archive.external(offset, bytes).is_err());
        }
    }
}
