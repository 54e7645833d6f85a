//! Streams: the ends of pipes and sockets, read and written by chunk or line. All of it suspends, none of it blocks.
//!
//! Several programs may use one stream: each chunk and each line goes to one reader; what two write at a time may be mixed.
//!
//! Not here: listeners (`listener.rs`), regular files, which can't be waited for (`file.rs`).

use super::{CHUNK_BYTES_MAX, Clock, buffer, io_error, unsigned};
use crate::tuning::{STREAM_LINE_BYTES_MAX, STREAM_TURN_BYTES};
use raddle_status::{Code, Error, Result};
use raddle_vm::{Buffer, Flow, Object, RefOf, Resume, Value, Wait, WaitOutcome};
use raddle_wait::{Condition, Drained, Interest, NEVER};
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType};
use rustix::pipe::PipeFlags;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A stream as programs hold it: `raddle.stream`.
pub struct StreamObject {
    /// `None` once it is closed. std's locks: they take part in no protocol.
    drained: Mutex<Option<Drained>>,
    is_socket: bool,
    reading: Mutex<Reading>,
}

#[derive(Default)]
struct Reading {
    /// What was read and not given out.
    bytes: Vec<u8>,
    /// How much of it is known to hold no line end.
    searched: usize,
    is_at_end: bool,
}

impl Object for StreamObject {
    const NAME: &'static str = "raddle.stream";
}

impl std::fmt::Debug for StreamObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StreamObject({:?})", self.drained.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl StreamObject {
    /// A stream over a pipe end or a socket, as an argument. The descriptor must be non-blocking, and nobody else may use it.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: it is blocking, or can't be waited for. RESOURCE_EXHAUSTED: the system has no room.
    pub fn value(runtime: &crate::Runtime, fd: impl Into<OwnedFd>) -> Result<Value> {
        let fd = fd.into();
        let flags = fcntl_getfl(&fd).map_err(|error| io_error("look at", &error.into()))?;
        if !flags.contains(OFlags::NONBLOCK) {
            let text =
                "a stream needs a non-blocking descriptor: it is not made so here, since others may share it";
            return Err(Error::new(Code::InvalidArgument, text));
        }
        Ok(Value::object(StreamObject::new(&runtime.executor().stage(), fd)?))
    }

    pub(super) fn new(clock: &Clock, fd: OwnedFd) -> Result<StreamObject> {
        let is_socket = rustix::net::sockopt::socket_type(&fd).is_ok();
        let drained = Mutex::new(Some(clock.drained(fd)?));
        Ok(StreamObject { drained, is_socket, reading: Mutex::default() })
    }

    fn drained(&self) -> Result<Drained> {
        let drained = self.drained.lock().unwrap_or_else(PoisonError::into_inner).clone();
        drained.ok_or_else(|| Error::new(Code::FailedPrecondition, "the stream was closed"))
    }

    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes it, once the calls that use it have let go.
    pub(super) fn close(&self) {
        let drained = self.drained.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(drained);
    }

    fn write(&self, drained: &Drained, bytes: &[u8]) -> io::Result<usize> {
        drained.try_io(Interest::Write, |fd| match self.is_socket {
            // Without a signal, whoever is at the other end.
            true => Ok(rustix::net::send(fd, bytes, SendFlags::NOSIGNAL)?),
            false => Ok(rustix::io::write(fd, bytes)?),
        })
    }
}

/// A wait for one direction of a stream.
pub(super) fn until(drained: &Drained, interest: Interest) -> Wait {
    let source = match interest {
        Interest::Read => drained.readable(),
        Interest::Write => drained.writable(),
    };
    Wait { condition: Condition::from(Arc::new(source)), deadline_ns: NEVER }
}

/// What a reader wants.
#[derive(Clone, Copy)]
pub(super) enum Wanted {
    /// A chunk of at most so many bytes.
    Chunk(usize),
    Line,
}

impl Reading {
    /// Gives out what is wanted, if it is there.
    fn take(&mut self, wanted: Wanted) -> Result<Option<Vec<u8>>> {
        let end = match wanted {
            Wanted::Chunk(max) if !self.bytes.is_empty() => max.min(self.bytes.len()),
            Wanted::Chunk(_) => return Ok(None),
            Wanted::Line => match self.bytes[self.searched..].iter().position(|byte| *byte == b'\n') {
                Some(at) => self.searched + at + 1,
                None if self.is_at_end && !self.bytes.is_empty() => self.bytes.len(),
                None if self.bytes.len() > STREAM_LINE_BYTES_MAX => {
                    let text =
                        format!("a line of more than {STREAM_LINE_BYTES_MAX} bytes; read chunks instead");
                    return Err(Error::new(Code::ResourceExhausted, text));
                }
                None => {
                    self.searched = self.bytes.len();
                    return Ok(None);
                }
            },
        };
        let mut taken: Vec<u8> = self.bytes.drain(..end).collect();
        self.searched = 0;
        if matches!(wanted, Wanted::Line) && taken.last() == Some(&b'\n') {
            taken.pop();
        }
        Ok(Some(taken))
    }
}

pub(super) struct Read {
    stream: RefOf<StreamObject>,
    wanted: Wanted,
}

pub(super) type ReadFlow = Flow<Option<RefOf<Buffer>>, Read>;

impl Read {
    fn go(self) -> Result<ReadFlow> {
        let drained = self.stream.drained()?;
        let mut reading = self.stream.reading();
        loop {
            if let Some(bytes) = reading.take(self.wanted)? {
                return Ok(Flow::Ready(Some(buffer(bytes))));
            }
            if reading.is_at_end {
                return Ok(Flow::Ready(None));
            }
            let mut chunk = [0; CHUNK_BYTES_MAX];
            match drained.try_io(Interest::Read, |fd| Ok(rustix::io::read(fd, &mut chunk)?)) {
                Ok(0) => reading.is_at_end = true,
                Ok(count) => reading.bytes.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    drop(reading);
                    return Ok(Flow::Wait(until(&drained, Interest::Read), self));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(io_error("read", &error)),
            }
        }
    }
}

impl Resume for Read {
    type Output = Option<RefOf<Buffer>>;
    fn resume(self, outcome: WaitOutcome) -> Result<ReadFlow> {
        outcome.into_result()?;
        self.go()
    }
}

pub(super) struct Write {
    stream: RefOf<StreamObject>,
    bytes: RefOf<Buffer>,
    at: usize,
}

impl Write {
    fn go(mut self) -> Result<Flow<(), Write>> {
        let drained = self.stream.drained()?;
        let turn_ends = self.at.saturating_add(STREAM_TURN_BYTES);
        while self.at < self.bytes.len() {
            if self.at >= turn_ends {
                return Ok(Flow::Yield(self));
            }
            let count = CHUNK_BYTES_MAX.min(self.bytes.len() - self.at);
            let mut copy = [0; CHUNK_BYTES_MAX];
            let chunk = match self.bytes.as_constant() {
                Some(bytes) => &bytes[self.at..self.at + count],
                None => {
                    self.bytes.read(self.at, &mut copy[..count])?;
                    &copy[..count]
                }
            };
            match self.stream.write(&drained, chunk) {
                Ok(count) => self.at += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Flow::Wait(until(&drained, Interest::Write), self));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(io_error("write", &error)),
            }
        }
        Ok(Flow::Ready(()))
    }
}

impl Resume for Write {
    type Output = ();
    fn resume(self, outcome: WaitOutcome) -> Result<Flow<(), Write>> {
        outcome.into_result()?;
        self.go()
    }
}

pub(super) fn read(stream: RefOf<StreamObject>, bytes_max: i64) -> Result<ReadFlow> {
    let max = usize::try_from(unsigned(bytes_max)).unwrap_or(usize::MAX).clamp(1, CHUNK_BYTES_MAX);
    Read { stream, wanted: Wanted::Chunk(max) }.go()
}

pub(super) fn read_line(stream: RefOf<StreamObject>) -> Result<ReadFlow> {
    Read { stream, wanted: Wanted::Line }.go()
}

pub(super) fn write(stream: RefOf<StreamObject>, bytes: RefOf<Buffer>) -> Result<Flow<(), Write>> {
    Write { stream, bytes, at: 0 }.go()
}

/// The end to read from, and the end to write to.
pub(super) fn pipe(clock: &Clock) -> Result<(RefOf<StreamObject>, RefOf<StreamObject>)> {
    let ends = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK);
    let (reader, writer) = ends.map_err(|error| io_error("make a pipe", &error.into()))?;
    Ok((RefOf::new(StreamObject::new(clock, reader)?), RefOf::new(StreamObject::new(clock, writer)?)))
}

pub(super) struct Connecting(RefOf<StreamObject>);

impl Resume for Connecting {
    type Output = RefOf<StreamObject>;
    fn resume(self, outcome: WaitOutcome) -> Result<Flow<RefOf<StreamObject>, Connecting>> {
        outcome.into_result()?;
        let drained = self.0.drained()?;
        let error = rustix::net::sockopt::socket_error(&drained);
        match error.and_then(|outcome| outcome) {
            Ok(()) => Ok(Flow::Ready(self.0)),
            Err(error) => Err(io_error("connect", &error.into())),
        }
    }
}

/// A stream to a port of this machine.
pub(super) fn connect(clock: &Clock, port: i32) -> Result<Flow<RefOf<StreamObject>, Connecting>> {
    let address = loopback(port)?;
    let socket = tcp_socket()?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
        Err(error) => return Err(io_error("connect", &error.into())),
    }
    let stream = RefOf::new(StreamObject::new(clock, socket)?);
    let wait = until(&stream.drained()?, Interest::Write);
    Ok(Flow::Wait(wait, Connecting(stream)))
}

pub(super) fn tcp_socket() -> Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None);
    socket.map_err(|error| io_error("make a socket", &error.into()))
}

pub(super) fn loopback(port: i32) -> Result<SocketAddrV4> {
    let invalid = |_| Error::new(Code::InvalidArgument, format!("{port} is no port"));
    Ok(SocketAddrV4::new(Ipv4Addr::LOCALHOST, u16::try_from(port).map_err(invalid)?))
}
