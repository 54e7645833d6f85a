//! Regular files. No kernel says when they are ready: a read or write *blocks* its worker for one chunk, unless the session
//! has a [`FilePool`], whose threads do that instead while the program is suspended.
//!
//! Not here: pipes and sockets (`stream.rs`).

use super::{CHUNK_BYTES_MAX, buffer, io_error, unsigned};
use raddle_status::{Code, Error, Result};
use raddle_vm::{Buffer, Flow, Object, RefOf, Resume, Wait, WaitOutcome};
use raddle_wait::{Condition, Event, NEVER};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

/// A file as programs hold it: `raddle.file`.
#[derive(Debug)]
pub struct FileObject(Mutex<File>);

impl Object for FileObject {
    const NAME: &'static str = "raddle.file";
}

type Job = Box<dyn FnOnce() + Send>;

/// Threads that read and write regular files for programs. Cheap to clone; its threads end with its last clone.
#[derive(Clone)]
pub struct FilePool(Arc<Mutex<Sender<Job>>>);

impl FilePool {
    /// So many threads.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: none. RESOURCE_EXHAUSTED: the system refuses threads.
    pub fn new(threads: usize) -> Result<FilePool> {
        if threads == 0 {
            return Err(Error::new(Code::InvalidArgument, "a pool needs at least one thread"));
        }
        let (sender, receiver) = channel::<Job>();
        let receiver = Arc::new(Mutex::new(receiver));
        for index in 0..threads {
            let receiver = receiver.clone();
            let work = move || {
                loop {
                    let job = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    match job {
                        Ok(job) => job(),
                        Err(_) => return,
                    }
                }
            };
            let started = std::thread::Builder::new().name(format!("raddle-file-{index}")).spawn(work);
            started.map_err(|error| {
                Error::new(Code::ResourceExhausted, format!("no thread for files: {error}"))
            })?;
        }
        Ok(FilePool(Arc::new(Mutex::new(sender))))
    }

    fn give(&self, job: Job) {
        // The threads live as long as the sender.
        let _ = self.0.lock().unwrap_or_else(PoisonError::into_inner).send(job);
    }
}

impl std::fmt::Debug for FilePool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FilePool")
    }
}

/// What reads and writes chunks: the worker, or a pool.
pub(super) type Hands = Option<FilePool>;

/// One chunk, read or written; how many bytes there were.
type Chunk = Result<Vec<u8>>;

/// Something that blocks for one chunk.
fn read_chunk(file: &FileObject, bytes_max: usize) -> Chunk {
    let mut chunk = vec![0; bytes_max];
    let mut file = file.0.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        match file.read(&mut chunk) {
            Ok(count) => {
                chunk.truncate(count);
                return Ok(chunk);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(io_error("read", &error)),
        }
    }
}

fn write_chunk(file: &FileObject, chunk: &[u8]) -> Result {
    let mut file = file.0.lock().unwrap_or_else(PoisonError::into_inner);
    file.write_all(chunk).map_err(|error| io_error("write", &error))
}

/// A chunk that a pool works on.
struct Pending {
    done: Arc<Event>,
    result: Arc<Mutex<Option<Chunk>>>,
}

impl Pending {
    fn start(pool: &FilePool, work: impl FnOnce() -> Chunk + Send + 'static) -> Pending {
        let pending = Pending { done: Arc::new(Event::manual()), result: Arc::default() };
        let (done, result) = (pending.done.clone(), pending.result.clone());
        pool.give(Box::new(move || {
            *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(work());
            done.set();
        }));
        pending
    }

    fn wait(&self) -> Wait {
        Wait { condition: Condition::from(self.done.clone()), deadline_ns: NEVER }
    }

    fn take(&self) -> Chunk {
        let result = self.result.lock().unwrap_or_else(PoisonError::into_inner).take();
        result.unwrap_or_else(|| Err(Error::new(Code::Internal, "a chunk of a file was lost")))
    }
}

pub(super) struct Reading(Pending);

fn chunk_or_end(chunk: Vec<u8>) -> Option<RefOf<Buffer>> {
    (!chunk.is_empty()).then(|| buffer(chunk))
}

impl Resume for Reading {
    type Output = Option<RefOf<Buffer>>;
    fn resume(self, outcome: WaitOutcome) -> Result<Flow<Option<RefOf<Buffer>>, Reading>> {
        outcome.into_result()?;
        Ok(Flow::Ready(chunk_or_end(self.0.take()?)))
    }
}

pub(super) struct Writing {
    file: RefOf<FileObject>,
    bytes: RefOf<Buffer>,
    at: usize,
    hands: Hands,
    pending: Option<Pending>,
}

impl Writing {
    /// Writes chunk by chunk; others have their turn in between.
    fn go(mut self) -> Result<Flow<(), Writing>> {
        let count = CHUNK_BYTES_MAX.min(self.bytes.len() - self.at);
        if count == 0 {
            return Ok(Flow::Ready(()));
        }
        let mut chunk = vec![0; count];
        self.bytes.read(self.at, &mut chunk)?;
        self.at += count;
        match &self.hands {
            None => {
                write_chunk(&self.file, &chunk)?;
                if self.at == self.bytes.len() { Ok(Flow::Ready(())) } else { Ok(Flow::Yield(self)) }
            }
            Some(pool) => {
                let file = self.file.clone();
                let pending = Pending::start(pool, move || write_chunk(&file, &chunk).map(|()| Vec::new()));
                let wait = pending.wait();
                self.pending = Some(pending);
                Ok(Flow::Wait(wait, self))
            }
        }
    }
}

impl Resume for Writing {
    type Output = ();
    fn resume(mut self, outcome: WaitOutcome) -> Result<Flow<(), Writing>> {
        outcome.into_result()?;
        if let Some(pending) = self.pending.take() {
            pending.take()?;
        }
        self.go()
    }
}

/// Opens a file: mode 0 to read it, 1 to write it anew, 2 to write at its end. Blocks: for the opening.
pub(super) fn open(path: &RefOf<Buffer>, mode: i32) -> Result<RefOf<FileObject>> {
    let invalid = |text: &'static str| Error::new(Code::InvalidArgument, text);
    let path = String::from_utf8(path.to_vec()).map_err(|_| invalid("the path of a file is not UTF-8"))?;
    let mut options = OpenOptions::new();
    let opened = match mode {
        0 => options.read(true).open(&path),
        1 => options.write(true).create(true).truncate(true).open(&path),
        2 => options.append(true).create(true).open(&path),
        _ => return Err(invalid("the mode of a file is 0 (read), 1 (write) or 2 (append)")),
    };
    let file = opened.map_err(|error| crate::files::failed("open", path.as_ref(), &error))?;
    Ok(RefOf::new(FileObject(Mutex::new(file))))
}

pub(super) fn read(
    hands: &Hands,
    file: RefOf<FileObject>,
    bytes_max: i64,
) -> Result<Flow<Option<RefOf<Buffer>>, Reading>> {
    let max = usize::try_from(unsigned(bytes_max)).unwrap_or(usize::MAX).clamp(1, CHUNK_BYTES_MAX);
    match hands {
        None => Ok(Flow::Ready(chunk_or_end(read_chunk(&file, max)?))),
        Some(pool) => {
            let pending = Pending::start(pool, move || read_chunk(&file, max));
            Ok(Flow::Wait(pending.wait(), Reading(pending)))
        }
    }
}

pub(super) fn write(
    hands: &Hands,
    file: RefOf<FileObject>,
    bytes: RefOf<Buffer>,
) -> Result<Flow<(), Writing>> {
    Writing { file, bytes, at: 0, hands: hands.clone(), pending: None }.go()
}
