//! The index of an `.irpa` archive, version 0.
//!
//! # Layout
//! ```text
//! header   magic u32, major u16, minor u16, bytes u64, next u64, flags u64, count u64,
//!          (offset, bytes) of entries, of metadata, of storage
//! entry    bytes u64, kind u32, flags u64, (offset, bytes) of name and of metadata in the metadata, alignment u64,
//!          splat: length u64, pattern [u8; 16], pattern bytes u8
//!          data: (offset, bytes) in the storage
//! ```
//! Numbers are little-endian and packed; entries begin at multiples of 16.

use raddle_status::{Code, Error, Result};
use std::collections::HashMap;
use std::ops::Range;

const MAGIC: &[u8] = b"IRPA";
const HEADER_BYTES: u64 = 0x58;
const ENTRY_BYTES: usize = 60;
const ENTRY_ALIGNMENT: usize = 16;

/// What an archive has under a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Entry {
    /// A pattern that is repeated.
    Splat { length: u64, pattern: Vec<u8> },
    /// Bytes of the archive.
    Data(Range<u64>),
    /// Bytes of another file.
    External,
}

/// Reads the index.
///
/// # Errors
/// INVALID_ARGUMENT: this is no archive, or it is damaged. UNIMPLEMENTED: a version or a part that is not known.
pub(super) fn read_index(archive: &[u8]) -> Result<HashMap<String, Entry>> {
    if !archive.starts_with(MAGIC) {
        return Err(invalid("this is no .irpa archive: its first bytes are not 'IRPA'"));
    }
    let word = |at| number(archive, at).ok_or_else(|| invalid("the archive is cut short in its header"));
    let version = word(4)? as u32;
    if version & 0xFFFF != 0 {
        let text = format!(".irpa version {}.{}; 0 is known", version & 0xFFFF, version >> 16);
        return Err(unimplemented(text));
    }
    if word(8)? < HEADER_BYTES {
        return Err(invalid(format!("a header of {} bytes; {HEADER_BYTES} are the least", word(8)?)));
    }
    if word(16)? != 0 {
        return Err(unimplemented("archives that go on in another one"));
    }
    let count = word(32)?;
    let segment = |at, what: &str| {
        let (offset, bytes) = (word(at)?, word(at + 8)?);
        part(0..archive.len() as u64, offset, bytes).ok_or_else(|| {
            invalid(format!("the {what} at {offset}, {bytes} bytes, leave the archive: it is cut short"))
        })
    };
    let entries = segment(40, "entries")?;
    let (names, storage) = (segment(56, "metadata")?, segment(72, "stored bytes")?);
    let names = &archive[names.start as usize..names.end as usize];
    let mut rest = &archive[entries.start as usize..entries.end as usize];
    let mut index = HashMap::new();
    for number in 0..count {
        let wrong = |what: &str| invalid(format!("entry {number} of {count}: {what}"));
        let (read, left) = read_entry(rest, names, &storage).map_err(|error| wrong(error.message()))?;
        rest = left;
        if let Some((name, entry)) = read
            && index.insert(name, entry).is_some()
        {
            return Err(wrong("its name is that of another"));
        }
    }
    Ok(index)
}

type Named = (String, Entry);

/// The first entry, nothing for a gap, and what comes after it.
fn read_entry<'a>(rest: &'a [u8], names: &[u8], storage: &Range<u64>) -> Result<(Option<Named>, &'a [u8])> {
    let short = || invalid("the archive is cut short");
    let bytes = number(rest, 0).and_then(|bytes| usize::try_from(bytes).ok()).ok_or_else(short)?;
    let entry = rest.get(..bytes).ok_or_else(short)?;
    // The last one is not padded.
    let next = bytes.checked_next_multiple_of(ENTRY_ALIGNMENT).and_then(|next| rest.get(next..));
    let next = next.unwrap_or_default();
    if bytes < ENTRY_BYTES {
        return Err(invalid(format!("{bytes} bytes; {ENTRY_BYTES} are the least")));
    }
    let word = |at| number(entry, at).ok_or_else(short);
    let name = || {
        let name = part(0..names.len() as u64, word(20)?, word(28)?)
            .ok_or_else(|| invalid("its name is outside"))?;
        let name = &names[name.start as usize..name.end as usize];
        String::from_utf8(name.to_vec()).map_err(|_| invalid("its name is no text"))
    };
    let entry = match word(8)? as u32 {
        0 => return Ok((None, next)),
        1 => {
            let bytes = usize::from(*entry.get(84).ok_or_else(short)?);
            let pattern = entry.get(68..68 + bytes).filter(|_| (1..=16).contains(&bytes));
            let pattern =
                pattern.ok_or_else(|| invalid(format!("a pattern of {bytes} bytes; 1 to 16 are right")))?;
            Entry::Splat { length: word(60)?, pattern: pattern.to_vec() }
        }
        2 => {
            let data = part(storage.clone(), word(60)?, word(68)?);
            Entry::Data(data.ok_or_else(|| invalid("its bytes lie outside the archive"))?)
        }
        3 => Entry::External,
        kind => return Err(unimplemented(format!("kind {kind} is not known"))),
    };
    Ok((Some((name()?, entry)), next))
}

/// A part of a range.
pub(super) fn part(all: Range<u64>, offset: u64, bytes: u64) -> Option<Range<u64>> {
    let start = all.start.checked_add(offset)?;
    let end = start.checked_add(bytes)?;
    (end <= all.end).then_some(start..end)
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

fn invalid(text: impl Into<String>) -> Error {
    Error::new(Code::InvalidArgument, text.into())
}

fn unimplemented(text: impl Into<String>) -> Error {
    Error::new(Code::Unimplemented, text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARCHIVE: &[u8] = include_bytes!("../../../../tests/programs/hal/inputs/p18.irpa");

    #[test]
    fn entries_are_found_by_name() {
        let index = read_index(ARCHIVE).unwrap();
        let pattern = 1.25_f32.to_le_bytes().to_vec();
        assert_eq!(index["b"], Entry::Splat { length: 32, pattern });
        assert_eq!(index["w"], Entry::Data(0x140..0x240));
        assert_eq!(index.len(), 2);
    }

    #[test]
    fn damage_is_told() {
        let check = |at: usize, byte: u8, code, text: &str| {
            let mut bytes = ARCHIVE.to_vec();
            bytes[at] = byte;
            let error = read_index(&bytes).unwrap_err();
            assert!(error.code() == code && error.message().contains(text), "{at}: {error}");
        };
        check(0, 0, Code::InvalidArgument, "IRPA");
        check(4, 1, Code::Unimplemented, "version 1.0");
        check(8, 1, Code::InvalidArgument, "header of 1 bytes");
        check(16, 1, Code::Unimplemented, "another one");
        check(32, 3, Code::InvalidArgument, "entry 2 of 3: the archive is cut short");
        check(47, 1, Code::InvalidArgument, "entries at");
        check(63, 1, Code::InvalidArgument, "metadata at");
        check(79, 1, Code::InvalidArgument, "stored bytes at");
        check(0x60, 10, Code::InvalidArgument, "10 bytes; 60");
        check(0x68, 9, Code::InvalidArgument, "kind 9");
        check(0x60 + 20, 9, Code::InvalidArgument, "name is outside");
        check(0x60 + 84, 17, Code::InvalidArgument, "pattern of 17");
        check(0xC0 + 60, 1, Code::InvalidArgument, "bytes lie outside");
        check(0xC0 + 67, 0xFF, Code::InvalidArgument, "bytes lie outside");
        check(0x10C, b'w', Code::InvalidArgument, "entry 1 of 2: its name is that of another");
        check(0x10C, 0xFF, Code::InvalidArgument, "no text");
    }

    #[test]
    fn no_length_and_no_byte_of_an_archive_is_trusted() {
        for length in 0..0x240 {
            assert!(read_index(&ARCHIVE[..length]).is_err(), "{length}");
        }
        for at in 0..0x140 {
            for byte in [0, 0x7F, 0xFF] {
                let mut bytes = ARCHIVE.to_vec();
                bytes[at] = byte;
                let _ = read_index(&bytes);
            }
        }
    }
}
