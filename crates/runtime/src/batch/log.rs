//! The log beside a file of results: which items are in it, and checksums of what was written.
//!
//! Text, a line for each thing, each with the CRC-32 of what follows it:
//!
//! ```text
//! 5f1d0c2a raddle batch log 1; function=waits.delay; modules=1c291ca3; shard=0/1
//! 0b1f9c6e 17 0 43 9a3cbb01
//!          |  | |  └ CRC-32 of the bytes in the file of results
//!          |  | └ how many bytes they are; they follow those of the line before
//!          |  └ the number of the item's status, 0 for success
//!          └ the item's place in the input
//! ```
//!
//! # Invariants
//! - L1: a line is written after the bytes that it speaks of. (by construction: `ResultFile::write_out`)
//! - L2: what is read back ends at the first line that is torn or wrong, or speaks of bytes that are missing or wrong.
//!   (by construction: `read`)

use super::sink::Finished;
use crate::files::failed;
use raddle_status::{Code, Error, Result};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

const HEAD: &str = "raddle batch log 1";

/// What must be the same for a batch to go on: names and values.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Fingerprint(Vec<(String, String)>);

impl Fingerprint {
    /// One that admits everything.
    pub fn new() -> Fingerprint {
        Fingerprint::default()
    }

    /// The same with one more value.
    pub fn with(mut self, name: &str, value: impl ToString) -> Fingerprint {
        let clean = |text: &str| text.replace([';', '=', '\n', '\r'], "_");
        self.0.push((clean(name), clean(&value.to_string())));
        self
    }

    /// The same with the checksum of these bytes.
    pub fn with_bytes(self, name: &str, bytes: &[u8]) -> Fingerprint {
        self.with(name, format_args!("{:08x}-{}", crc32fast::hash(bytes), bytes.len()))
    }

    fn line(&self) -> String {
        self.0.iter().fold(HEAD.to_owned(), |mut line, (name, value)| {
            // A string takes any text.
            let _ = write!(line, "; {name}={value}");
            line
        })
    }

    /// # Errors
    /// FAILED_PRECONDITION: the head of a log says something else.
    fn check(&self, head: &str, path: &Path) -> Result {
        let mut parts = head.split("; ");
        let foreign = |what: String| {
            let text =
                format!("{} is the log of another batch: {what}; start anew to replace it", path.display());
            Err(Error::new(Code::FailedPrecondition, text))
        };
        if parts.next() != Some(HEAD) {
            return foreign("it is of no version that is known here".to_owned());
        }
        let theirs: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
        for (name, value) in &self.0 {
            match theirs.iter().find(|(other, _)| other == name) {
                Some((_, other)) if other == value => {}
                Some((_, other)) => return foreign(format!("its {name} is {other}, here it is {value}")),
                None => return foreign(format!("it says nothing of {name}")),
            }
        }
        Ok(())
    }
}

/// What a log holds that can be relied on.
pub(super) struct Held {
    pub(super) finished: Finished,
    /// Bytes of results.
    pub(super) result_bytes: u64,
    /// Bytes of the log.
    pub(super) log_bytes: u64,
}

/// One line for these words.
pub(super) fn put_line(words: std::fmt::Arguments<'_>, text: &mut String) {
    let start = text.len();
    // A string takes any text.
    let _ = write!(text, "00000000 {words}");
    let crc = format!("{:08x}", crc32fast::hash(&text.as_bytes()[start + 9..]));
    text.replace_range(start..start + 8, &crc);
    text.push('\n');
}

/// The first line of a log.
pub(super) fn put_head(fingerprint: &Fingerprint, text: &mut String) {
    put_line(format_args!("{}", fingerprint.line()), text);
}

/// The words of a line whose checksum is right.
fn words(line: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
    let (crc, words) = line.split_at_checked(9)?;
    let crc = u32::from_str_radix(crc.strip_suffix(' ')?, 16).ok()?;
    (crc == crc32fast::hash(words.as_bytes())).then_some(words)
}

/// Item, status, bytes, checksum.
fn record(words: &str) -> Option<(u64, u32, u64, u32)> {
    let mut words = words.split(' ');
    let index = words.next()?.parse().ok()?;
    let status = words.next()?.parse().ok()?;
    let bytes = words.next()?.parse().ok()?;
    let crc = u32::from_str_radix(words.next()?, 16).ok()?;
    words.next().is_none().then_some((index, status, bytes, crc))
}

/// Reads a log and checks the results that it speaks of, which begin behind `skipped` bytes.
///
/// # Errors
/// FAILED_PRECONDITION: it belongs to another batch. DATA_LOSS: it has no head. Failures of reading.
pub(super) fn read(
    log: &File,
    results: &File,
    path: &Path,
    fingerprint: &Fingerprint,
    skipped: u64,
) -> Result<Held> {
    let broken = |error: std::io::Error| failed("read", path, &error);
    let mut log = BufReader::new(log);
    let mut results = BufReader::with_capacity(1 << 16, results);
    let mut line = Vec::new();
    let mut next = |line: &mut Vec<u8>| {
        line.clear();
        // A line of ours is short: what is longer is damage.
        log.by_ref().take(1 << 16).read_until(b'\n', line).map_err(broken)
    };
    let mut held = Held { finished: Finished::default(), result_bytes: skipped, log_bytes: 0 };
    held.log_bytes += next(&mut line)? as u64;
    let Some(head) = words(&line) else {
        let text = format!("{} has no head that can be read; start anew to replace it", path.display());
        return Err(Error::new(Code::DataLoss, text));
    };
    fingerprint.check(head, path)?;
    let mut bytes_left_out = skipped;
    while next(&mut line)? > 0 {
        let Some((index, status, bytes, crc)) = words(&line).and_then(record) else { break };
        let mut hasher = crc32fast::Hasher::new();
        let whole = bytes + std::mem::take(&mut bytes_left_out);
        let mut skip = whole - bytes;
        let mut left = whole;
        while left > 0 {
            let chunk = results.fill_buf().map_err(broken)?;
            let count = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if count == 0 {
                break;
            }
            let from = count.min(usize::try_from(skip).unwrap_or(usize::MAX));
            hasher.update(&chunk[from..count]);
            skip -= from as u64;
            left -= count as u64;
            results.consume(count);
        }
        if left > 0 || hasher.finalize() != crc {
            break;
        }
        held.finished.insert(index);
        if status != 0 {
            held.finished.note_failure();
        }
        held.result_bytes += bytes;
        held.log_bytes += line.len() as u64;
    }
    Ok(held)
}
