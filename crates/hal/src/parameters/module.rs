//! `io_parameters.*`.
//!
//! Several spans of one call are carried out one after the other: each operation waits for the one before.

use super::archive::{ARCHIVE_PARAMS, ParameterArchive};
use super::irpa::{Entry, part};
use crate::buffer::{Buffer, BufferParams};
use crate::device::Device;
use crate::fence::Fence;
use crate::flags::{access, usage};
use crate::queue::{Place, Work, submit};
use crate::tuning::{MEMORY_ALIGN, SPANS_MAX};
use raddle_status::{Code, Error, Result};
use raddle_vm::{Buffer as Bytes, List, NativeModule, Ref, RefOf, Value};
use std::ops::Range;
use std::sync::Arc;

/// Archives by the scope under which programs know them; the module `io_parameters` is made of them.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    scopes: Vec<(String, Arc<ParameterArchive>)>,
}

impl Parameters {
    /// None.
    pub fn new() -> Parameters {
        Parameters::default()
    }

    /// Adds an archive; a program that names no scope means the empty one. Several of one scope are searched in order.
    pub fn add(&mut self, scope: impl Into<String>, archive: Arc<ParameterArchive>) {
        self.scopes.push((scope.into(), archive));
    }

    /// The native module.
    ///
    /// # Errors
    /// Those of building a module.
    pub fn module(&self) -> Result<NativeModule> {
        let shared = self.clone();
        NativeModule::with_state("io_parameters", move || Ok(shared.clone()))
            .object::<Buffer>()
            .object::<Device>()
            .object::<Fence>()
            .function("load", load)
            .function("gather", gather)
            .function("scatter", scatter)
            .build()
    }

    fn find(&self, scope: &str, key: &str) -> Result<(&ParameterArchive, &Entry)> {
        let mut archives = self.scopes.iter().filter(|(known, _)| known == scope).peekable();
        if archives.peek().is_none() {
            let text = format!(
                "no parameters are given for the scope '{scope}': add `--parameters={scope}=file.irpa`"
            );
            return Err(Error::new(Code::NotFound, text));
        }
        let found = archives.find_map(|(_, archive)| archive.index.get(key).map(|entry| (&**archive, entry)));
        found
            .ok_or_else(|| Error::new(Code::NotFound, format!("no parameter '{key}' in the scope '{scope}'")))
    }
}

/// One row of a program's tables.
struct Span {
    key: String,
    parameter_offset: u64,
    buffer_offset: u64,
    length: u64,
}

/// The tables that programs pass: 24 bytes for each span, and 8 for its key.
fn spans(keys: &Bytes, names: &Bytes, spans: &Bytes) -> Result<Vec<Span>> {
    let (keys, names, spans) = (keys.to_vec(), names.to_vec(), spans.to_vec());
    if !spans.len().is_multiple_of(24) {
        return Err(invalid(format!("a table of spans of {} bytes; a span takes 24", spans.len())));
    }
    let count = spans.len() / 24;
    if count > SPANS_MAX {
        return Err(invalid(format!("{count} spans in one call; at most {SPANS_MAX}")));
    }
    if keys.len() < 8 * count {
        return Err(invalid(format!("a table of keys of {} bytes for {count} spans", keys.len())));
    }
    let word = |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap_or_default());
    let read = |index: usize| {
        let key = word(&keys, 8 * index);
        let (offset, length) = (key & 0xFFFF_FFFF, key >> 32);
        let range = part(0..names.len() as u64, offset, length).ok_or_else(|| {
            let text = format!("the key of span {index}, {length} bytes at {offset}, leaves its table");
            Error::new(Code::OutOfRange, text)
        })?;
        let key = names[range.start as usize..range.end as usize].to_vec();
        Ok(Span {
            key: String::from_utf8(key)
                .map_err(|_| invalid(format!("the key of span {index} is not UTF-8")))?,
            parameter_offset: word(&spans, 24 * index),
            buffer_offset: word(&spans, 24 * index + 8),
            length: word(&spans, 24 * index + 16),
        })
    };
    (0..count).map(read).collect()
}

/// The scope that a program names; none is the empty one.
fn scope(name: Option<RefOf<Bytes>>) -> Result<String> {
    let name = name.map(|name| name.to_vec()).unwrap_or_default();
    String::from_utf8(name).map_err(|_| invalid("a scope of parameters is not UTF-8"))
}

/// Where the bytes of a span come from.
enum Source {
    Archive(RefOf<Buffer>, Range<u64>),
    Bytes(Vec<u8>),
}

fn source(parameters: &Parameters, scope: &str, span: &Span) -> Result<Source> {
    let (archive, entry) = parameters.find(scope, &span.key)?;
    let outside = |have: u64| {
        let Span { key, parameter_offset, length, .. } = span;
        let text = format!("{length} bytes at {parameter_offset} of parameter '{key}', which has {have}");
        Error::new(Code::OutOfRange, text)
    };
    match entry {
        Entry::Data(range) => {
            let wanted = part(range.clone(), span.parameter_offset, span.length);
            let wanted = wanted.ok_or_else(|| outside(range.end - range.start))?;
            Ok(Source::Archive(archive.buffer.clone(), wanted))
        }
        Entry::Splat { length, pattern } => {
            part(0..*length, span.parameter_offset, span.length).ok_or_else(|| outside(*length))?;
            let skip = (span.parameter_offset % pattern.len() as u64) as usize;
            let count = usize::try_from(span.length).map_err(|_| Error::from(Code::ResourceExhausted))?;
            let mut bytes = Vec::new();
            bytes.try_reserve_exact(count).map_err(|_| Error::from(Code::ResourceExhausted))?;
            bytes.extend(pattern.iter().cycle().skip(skip).take(count));
            Ok(Source::Bytes(bytes))
        }
        Entry::External => {
            let text = format!("parameter '{}' is in another file: make an archive that holds it", span.key);
            Err(Error::new(Code::Unimplemented, text))
        }
    }
}

type Loose = Option<Ref>;

fn fence(loose: Loose) -> Option<RefOf<Fence>> {
    loose.and_then(|reference| reference.downcast().ok())
}

/// Submits operations in a row: the first waits, the last signals.
fn submit_all(device: &Device, wait: Loose, signal: Loose, work: Vec<Work>) -> Result {
    let (mut wait, signal) = (fence(wait), fence(signal));
    let mut work = work.into_iter().peekable();
    loop {
        let next = work.next().unwrap_or(Work::Barrier);
        let is_last = work.peek().is_none();
        let after = if is_last { signal.clone() } else { Some(Fence::create(&device.0.fences)) };
        submit(&device.0, wait.as_ref(), after.clone(), next)?;
        if is_last {
            return Ok(());
        }
        wait = after;
    }
}

/// The bytes of the archive as a buffer of their own, if the program can use it as it is.
fn shared(archive: &RefOf<Buffer>, range: &Range<u64>, params: BufferParams) -> Option<RefOf<Buffer>> {
    let is_aligned = range.start.is_multiple_of(MEMORY_ALIGN as u64);
    let is_usable = params.usage & usage::SHARING_IMMUTABLE != 0 && params.usage & !ARCHIVE_PARAMS.usage == 0;
    (is_aligned && is_usable).then(|| Buffer::subspan(archive, range.start, range.end - range.start).ok())?
}

#[allow(clippy::too_many_arguments)]
fn load(
    parameters: &Parameters,
    device: RefOf<Device>,
    _affinity: i64,
    wait: Loose,
    signal: Loose,
    scope_name: Option<RefOf<Bytes>>,
    _target_affinity: i64,
    memory_type: u32,
    usage: u32,
    keys: RefOf<Bytes>,
    names: RefOf<Bytes>,
    table: RefOf<Bytes>,
) -> Result<RefOf<List>> {
    let scope = scope(scope_name)?;
    let params = BufferParams { memory_type, usage, access: access::ALL };
    let (mut buffers, mut work) = (Vec::new(), Vec::new());
    for span in spans(&keys, &names, &table)? {
        let source = source(parameters, &scope, &span)?;
        if let Source::Archive(archive, range) = &source
            && span.buffer_offset == 0
            && let Some(buffer) = shared(archive, range, params)
        {
            buffers.push(buffer);
            continue;
        }
        let length =
            span.buffer_offset.checked_add(span.length).ok_or_else(|| Error::from(Code::OutOfRange))?;
        let buffer = RefOf::new(Buffer::allocate(device.allocator(), length, params)?);
        match source {
            Source::Archive(archive, range) => {
                work.push(copy(archive, &range, buffer.clone(), span.buffer_offset))
            }
            // Nobody else knows the buffer yet.
            Source::Bytes(bytes) => buffer.write(span.buffer_offset, &bytes)?,
        }
        buffers.push(buffer);
    }
    submit_all(&device, wait, signal, work)?;
    Ok(RefOf::new(List::from_values(buffers.into_iter().map(|buffer| Value::from(buffer.into_ref())))))
}

fn copy(archive: RefOf<Buffer>, range: &Range<u64>, target: RefOf<Buffer>, offset: u64) -> Work {
    let length = range.end - range.start;
    Work::Copy {
        source: Place { buffer: archive, offset: range.start, length },
        target: Place { buffer: target, offset, length },
    }
}

#[allow(clippy::too_many_arguments)]
fn gather(
    parameters: &Parameters,
    device: RefOf<Device>,
    _affinity: i64,
    wait: Loose,
    signal: Loose,
    scope_name: Option<RefOf<Bytes>>,
    target: RefOf<Buffer>,
    keys: RefOf<Bytes>,
    names: RefOf<Bytes>,
    table: RefOf<Bytes>,
) -> Result<()> {
    let scope = scope(scope_name)?;
    target.check_use(usage::TRANSFER_TARGET, access::WRITE)?;
    let mut work = Vec::new();
    for span in spans(&keys, &names, &table)? {
        let offset = span.buffer_offset;
        let length = target.check_range(offset, span.length)?;
        work.push(match source(parameters, &scope, &span)? {
            Source::Archive(archive, range) => copy(archive, &range, target.clone(), offset),
            Source::Bytes(bytes) => {
                Work::Update { bytes, target: Place { buffer: target.clone(), offset, length } }
            }
        });
    }
    submit_all(&device, wait, signal, work)
}

#[allow(clippy::too_many_arguments)]
fn scatter(
    parameters: &Parameters,
    device: RefOf<Device>,
    _affinity: i64,
    wait: Loose,
    signal: Loose,
    source_buffer: RefOf<Buffer>,
    scope_name: Option<RefOf<Bytes>>,
    keys: RefOf<Bytes>,
    names: RefOf<Bytes>,
    table: RefOf<Bytes>,
) -> Result<()> {
    let (scope, spans) = (scope(scope_name)?, spans(&keys, &names, &table)?);
    for span in &spans {
        source_buffer.check_range(span.buffer_offset, span.length)?;
        source(parameters, &scope, span)?;
    }
    let Some(first) = spans.first() else { return submit_all(&device, wait, signal, Vec::new()) };
    let text = format!("parameter '{}' can't be written: archives are mapped to be read", first.key);
    Err(Error::new(Code::PermissionDenied, text))
}

fn invalid(text: impl Into<String>) -> Error {
    Error::new(Code::InvalidArgument, text.into())
}
