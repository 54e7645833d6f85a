//! `device.queue.*` and the files that its operations read.

use super::{Builder, Hal, invalid, unimplemented};
use crate::buffer::{Buffer, BufferParams};
use crate::command_buffer::{CommandBuffer, TableEntry, check_pattern};
use crate::device::Device;
use crate::fence::Fence;
use crate::file::File;
use crate::flags::{access, usage};
use crate::queue::{Place, Work, submit};
use crate::tuning::UPDATE_BYTES_MAX;
use raddle_status::{Code, Error, Result};
use raddle_vm::{Buffer as Bytes, Ref, RefOf, Variadic};

/// What may be a fence.
type Loose<'a> = Option<&'a Ref>;

pub(super) fn add(builder: Builder) -> Builder {
    builder
        .function("device.queue.alloca", alloca)
        .function("device.queue.dealloca", dealloca)
        .function("device.queue.fill", fill)
        .function("device.queue.update", update)
        .function("device.queue.copy", copy)
        .function("device.queue.read", read)
        .function("device.queue.write", write)
        .function("device.queue.barrier", barrier)
        .function("device.queue.execute", execute)
        .function("device.queue.execute.indirect", execute_indirect)
        .function("device.queue.flush", |_: &Hal, _: &Device, _affinity: i64| Ok(()))
        .function("ex.file.from_memory", from_memory)
}

/// The fence, if it is one.
fn fence(loose: Loose<'_>) -> Option<&RefOf<Fence>> {
    loose.and_then(Ref::downcast_ref)
}

/// What every operation begins with: a device, an affinity, what it waits for and what it signals.
type Queue<'a> = (&'a Device, i64, Loose<'a>, Loose<'a>);

fn go((device, _affinity, wait, signal): Queue<'_>, work: Work) -> Result<()> {
    submit(&device.0, fence(wait), fence(signal).cloned(), work)
}

/// A buffer, offset and length of a range of it.
type Range = (RefOf<Buffer>, u64, u64);

/// A range of a buffer that may be used so.
fn place((buffer, offset, length): Range, use_as: u32, access: u32) -> Result<Place> {
    buffer.check_use(use_as, access)?;
    let length = buffer.check_range(offset, length)?;
    Ok(Place { buffer, offset, length })
}

fn source(range: Range) -> Result<Place> {
    place(range, usage::TRANSFER_SOURCE, access::READ)
}

fn target(range: Range) -> Result<Place> {
    place(range, usage::TRANSFER_TARGET, access::WRITE)
}

const INDETERMINATE_LIFETIME: u64 = 1;

fn alloca(
    _: &Hal,
    queue: Queue<'_>,
    pool: i64,
    memory_type: u32,
    usage: u32,
    length: u64,
    flags: u64,
) -> Result<RefOf<Buffer>> {
    if pool != 0 {
        return Err(unimplemented(&format!("memory pool {pool}")));
    }
    let params = BufferParams { memory_type, usage, access: access::ALL };
    let is_pinned = flags & INDETERMINATE_LIFETIME != 0;
    let buffer = Buffer::transient(queue.0.allocator(), length, params, is_pinned);
    go(queue, Work::Alloca(buffer.clone()))?;
    Ok(buffer)
}

fn dealloca(_: &Hal, queue: Queue<'_>, buffer: RefOf<Buffer>, _flags: i64) -> Result<()> {
    go(queue, Work::Dealloca(buffer))
}

fn fill(_: &Hal, queue: Queue<'_>, to: Range, pattern: u64, pattern_bytes: u32, _flags: i64) -> Result<()> {
    let target = target(to)?;
    check_pattern(pattern_bytes, target.offset, target.length)?;
    let pattern = (pattern as u32).to_le_bytes();
    go(queue, Work::Fill { target, pattern, pattern_bytes: pattern_bytes as usize })
}

/// The bytes of an update, as they are now.
pub(super) fn captured(source: &Bytes, offset: u64, length: u64) -> Result<Vec<u8>> {
    if length > UPDATE_BYTES_MAX {
        return Err(invalid(format!("an update of {length} bytes; at most {UPDATE_BYTES_MAX}")));
    }
    let mut bytes = vec![0; length as usize];
    let offset = usize::try_from(offset).map_err(|_| Error::from(Code::OutOfRange))?;
    source.read(offset, &mut bytes)?;
    Ok(bytes)
}

fn update(_: &Hal, queue: Queue<'_>, (bytes, offset): (&Bytes, u64), to: Range, _flags: i64) -> Result<()> {
    let bytes = captured(bytes, offset, to.2)?;
    go(queue, Work::Update { bytes, target: target(to)? })
}

fn copy(
    _: &Hal,
    queue: Queue<'_>,
    (from, offset): (RefOf<Buffer>, u64),
    (to, to_offset): (RefOf<Buffer>, u64),
    length: u64,
    _flags: i64,
) -> Result<()> {
    let source = source((from, offset, length))?;
    let target = target((to, to_offset, source.length))?;
    go(queue, Work::Copy { source, target })
}

fn read(_: &Hal, queue: Queue<'_>, (file, offset): (RefOf<File>, u64), to: Range, _flags: i64) -> Result<()> {
    if to.2 == 0 {
        return go(queue, Work::Barrier);
    }
    let target = target(to)?;
    file.check_range(offset, target.length)?;
    go(queue, Work::Read { file, offset, target })
}

fn write(
    _: &Hal,
    queue: Queue<'_>,
    (from, from_offset): (RefOf<Buffer>, u64),
    (file, offset): (RefOf<File>, u64),
    length: u64,
    _flags: i64,
) -> Result<()> {
    if length == 0 {
        return go(queue, Work::Barrier);
    }
    file.check_writable()?;
    let source = source((from, from_offset, length))?;
    go(queue, Work::Write { source, file, offset })
}

fn barrier(_: &Hal, queue: Queue<'_>, _flags: i64) -> Result<()> {
    go(queue, Work::Barrier)
}

type Commands<'a> = Option<&'a RefOf<CommandBuffer>>;

fn execute(_: &Hal, queue: Queue<'_>, commands: Commands<'_>, _flags: i64) -> Result<()> {
    run(queue, commands, std::iter::empty())
}

fn execute_indirect(
    _: &Hal,
    queue: Queue<'_>,
    commands: Commands<'_>,
    _flags: i64,
    table: Variadic<'_, (Option<&RefOf<Buffer>>, u64, u64)>,
) -> Result<()> {
    let entry = |(buffer, offset, length): (Option<&RefOf<Buffer>>, u64, u64)| TableEntry {
        buffer: buffer.cloned(),
        offset,
        length,
    };
    run(queue, commands, table.iter().map(entry))
}

/// Without commands it is a barrier.
fn run(queue: Queue<'_>, commands: Commands<'_>, table: impl Iterator<Item = TableEntry>) -> Result<()> {
    let Some(commands) = commands else { return go(queue, Work::Barrier) };
    let mut scratch = queue.0.0.scratches.take();
    scratch.table.extend(table);
    commands.check_table(&scratch.table)?;
    go(queue, Work::Execute { commands: commands.clone(), scratch })
}

fn from_memory(
    _: &Hal,
    _device: &Device,
    _affinity: i64,
    wanted: u32,
    (bytes, offset, length): (RefOf<Bytes>, u64, u64),
    _flags: i32,
) -> Result<RefOf<File>> {
    if wanted & !access::READ != 0 {
        return Err(Error::new(Code::PermissionDenied, "a file of a program's memory can only be read"));
    }
    Ok(RefOf::new(File::memory(bytes, offset, length)?))
}
