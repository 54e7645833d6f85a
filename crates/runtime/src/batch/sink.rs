//! A file of results that survives a crash: written beside its final place, with a log, and renamed when it is complete.
//!
//! Not here: what results look like in it (`format/`), the log (`log.rs`).
//!
//! | file | holds | exists |
//! |---|---|---|
//! | `OUT.part` | results so far | until the batch is complete |
//! | `OUT.part.log` | which items they are of, with checksums | the same |
//! | `OUT.part.new` | all results in a form that can't be written piece by piece (`.npz`) | at the end, for a moment |
//! | `OUT` | all results | from then on |
//!
//! # Invariants
//! - S1: an item counts as finished when its line is in the log; its bytes were written before (L1).
//!   (by construction: `write` before `note`)
//! - S2: `OUT` is complete, or it is what it was before. (by construction: one rename, after everything was synced)

use super::engine::Sink;
use super::item::Done;
use super::log::{self, Fingerprint};
use crate::files::failed;
use crate::tuning::{RESULTS_BUFFERED_BYTES, RESULTS_SYNC};
use raddle_status::{Code, Error, Result};
use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Which items are finished: a bit for each.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Finished {
    bits: Vec<u64>,
    count: u64,
    failed: u64,
}

impl Finished {
    /// Whether the item with this place is.
    pub fn has(&self, index: u64) -> bool {
        let word = usize::try_from(index / 64).ok().and_then(|at| self.bits.get(at));
        word.is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    /// How many are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many of these had failed.
    pub fn failed(&self) -> u64 {
        self.failed
    }

    /// Notes that one of them had failed.
    pub(super) fn note_failure(&mut self) {
        self.failed += 1;
    }

    /// Notes that it is.
    pub fn insert(&mut self, index: u64) {
        if self.has(index) {
            return;
        }
        let at = (index / 64) as usize;
        if self.bits.len() <= at {
            self.bits.resize(at + 1, 0);
        }
        self.bits[at] |= 1 << (index % 64);
        self.count += 1;
    }
}

impl fmt::Debug for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Finished({})", self.count)
    }
}

/// How results look in a file.
pub trait Encode {
    /// What the file begins with.
    fn head(&self) -> Vec<u8> {
        Vec::new()
    }

    /// No results of a former run are kept: nor is what it left elsewhere.
    ///
    /// # Errors
    /// Failures of files.
    fn start_anew(&mut self) -> Result {
        Ok(())
    }

    /// Adds the result of an item. One that the format has no form for is replaced by a failure.
    ///
    /// # Errors
    /// What makes the whole file impossible; what is wrong with one result is no error.
    fn put(&mut self, done: &mut Done, out: &mut Vec<u8>) -> Result;

    /// The file is complete but for its head: the final one, of the same length. `bytes` follow it.
    fn final_head(&self, bytes: u64) -> Vec<u8> {
        let _ = bytes;
        Vec::new()
    }

    /// The file is complete: writes it to `path` in another form, if the format has one. `bytes` follow the head.
    ///
    /// # Errors
    /// Failures of files; what was made is thrown away the next time.
    fn package(&self, results: &File, bytes: u64, path: &Path) -> Result<bool> {
        let _ = (results, bytes, path);
        Ok(false)
    }
}

/// What to do about the results of a former run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Opening {
    /// There must be none that are not complete.
    New,
    /// They are thrown away.
    Anew,
    /// They are kept, and what is in them is not run again. There may be none.
    Resume,
}

/// See the head of this file.
pub struct ResultFile<E> {
    path: PathBuf,
    encode: E,
    results: File,
    log: File,
    buffer: Vec<u8>,
    lines: String,
    head_bytes: u64,
    end: u64,
    synced: Instant,
}

impl<E: Encode> ResultFile<E> {
    /// Opens the files for the results at `path`, and says which items are in them already.
    ///
    /// # Errors
    /// ALREADY_EXISTS: an interrupted run left results, and nobody said what to do about them. FAILED_PRECONDITION: they are of
    /// another batch. UNAVAILABLE: somebody else writes them. Failures of files.
    pub fn open(
        path: impl Into<PathBuf>,
        encode: E,
        fingerprint: &Fingerprint,
        opening: Opening,
    ) -> Result<(ResultFile<E>, Finished)> {
        let path = path.into();
        if path.is_dir() {
            let text = format!("{} is a folder, results go to a file", path.display());
            return Err(Error::new(Code::InvalidArgument, text));
        }
        let (part, log_path) = (beside(&path, ".part"), beside(&path, ".part.log"));
        let is_interrupted = log_path.exists();
        if opening == Opening::New && is_interrupted {
            let text = format!(
                "{} has results of a run that was interrupted: resume it, or start anew",
                part.display()
            );
            return Err(Error::new(Code::AlreadyExists, text));
        }
        let open = |path: &Path| {
            let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
            options.map_err(|error| failed("write", path, &error))
        };
        let log = open(&log_path)?;
        match log.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let text = format!("another process writes {}", part.display());
                return Err(Error::new(Code::Unavailable, text));
            }
            Err(TryLockError::Error(error)) => return Err(failed("lock", &log_path, &error)),
        }
        let results = open(&part)?;
        let head = encode.head();
        let head_bytes = head.len() as u64;
        let mut file = ResultFile {
            path,
            encode,
            results,
            log,
            buffer: Vec::new(),
            lines: String::new(),
            head_bytes,
            end: head_bytes,
            synced: Instant::now(),
        };
        let has_log = file.log.metadata().is_ok_and(|data| data.len() > 0);
        if opening == Opening::Resume && has_log {
            let held = log::read(&file.log, &file.results, &log_path, fingerprint, head_bytes)?;
            file.end = held.result_bytes;
            file.cut(held.result_bytes, held.log_bytes)?;
            return Ok((file, held.finished));
        }
        file.encode.start_anew()?;
        file.cut(0, 0)?;
        file.buffer = head;
        log::put_head(fingerprint, &mut file.lines);
        file.write_out()?;
        Ok((file, Finished::default()))
    }

    /// Ends both files here, and goes on from there.
    fn cut(&mut self, result_bytes: u64, log_bytes: u64) -> Result {
        for (file, bytes, name) in
            [(&mut self.results, result_bytes, ".part"), (&mut self.log, log_bytes, ".part.log")]
        {
            let done = file.set_len(bytes).and_then(|()| file.seek(SeekFrom::Start(bytes)));
            done.map_err(|error| failed("cut", &beside(&self.path, name), &error))?;
        }
        Ok(())
    }

    /// Writes what is buffered: results first, then their lines (L1).
    fn write_out(&mut self) -> Result {
        let is_due = self.synced.elapsed() >= RESULTS_SYNC;
        for (file, bytes, name) in [
            (&mut self.results, self.buffer.as_slice(), ".part"),
            (&mut self.log, self.lines.as_bytes(), ".part.log"),
        ] {
            let written = file.write_all(bytes).and_then(|()| if is_due { file.sync_data() } else { Ok(()) });
            written.map_err(|error| failed("write", &beside(&self.path, name), &error))?;
        }
        if is_due {
            self.synced = Instant::now();
        }
        self.buffer.clear();
        self.lines.clear();
        Ok(())
    }

    /// The results are complete: they are put in their place, and the log goes.
    ///
    /// # Errors
    /// Failures of files; nothing is lost, and the batch can be resumed.
    pub fn finish(mut self) -> Result {
        self.write_out()?;
        let (part, log) = (beside(&self.path, ".part"), beside(&self.path, ".part.log"));
        let broken = |error: std::io::Error| failed("complete", &part, &error);
        let head = self.encode.final_head(self.end - self.head_bytes);
        if !head.is_empty() {
            self.results.seek(SeekFrom::Start(0)).map_err(broken)?;
            self.results.write_all(&head).map_err(broken)?;
        }
        self.results.sync_all().map_err(broken)?;
        let (new, remove) = (beside(&self.path, ".part.new"), |path: &Path| {
            std::fs::remove_file(path).map_err(|error| failed("remove", path, &error))
        });
        match self.encode.package(&self.results, self.end - self.head_bytes, &new)? {
            true => {
                std::fs::rename(&new, &self.path).map_err(broken)?;
                remove(&part)?;
            }
            false => std::fs::rename(&part, &self.path).map_err(broken)?,
        }
        remove(&log)?;
        // So that the new name outlives an outage, where folders can be synced.
        let folder =
            self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
        Ok(())
    }

    /// Where the results will be.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl<E: Encode> Sink for ResultFile<E> {
    fn put(&mut self, done: &mut Done) -> Result {
        let start = self.buffer.len();
        self.encode.put(done, &mut self.buffer)?;
        let bytes = &self.buffer[start..];
        self.end += bytes.len() as u64;
        let status = raddle_status::number(&done.result);
        let (count, crc) = (bytes.len(), crc32fast::hash(bytes));
        log::put_line(format_args!("{} {status} {count} {crc:08x}", done.index), &mut self.lines);
        match self.buffer.len() + self.lines.len() >= RESULTS_BUFFERED_BYTES {
            true => self.write_out(),
            false => Ok(()),
        }
    }

    fn pause(&mut self) -> Result {
        match self.lines.is_empty() {
            true => Ok(()),
            false => self.write_out(),
        }
    }
}

impl<E> fmt::Debug for ResultFile<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResultFile({})", self.path.display())
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
