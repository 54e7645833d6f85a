//! `device.queue.*` and the files that its operations read.

use super::{Builder, Hal, invalid, unimplemented};
use crate::buffer::{Buffer, BufferParams};
use crate::command_buffer::{CommandBuffer, Table, TableEntry, check_pattern};
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

fn go(device: &Device, wait: Loose<'_>, signal: Loose<'_>, work: Work) -> Result<()> {
    submit(&device.0, fence(wait), fence(signal).cloned(), work)
}

/// A range of a buffer that may be used so.
fn place(buffer: RefOf<Buffer>, range: (u64, u64), use_as: u32, access: u32) -> Result<Place> {
    buffer.check_use(use_as, access)?;
    let (offset, length) = range;
    let length = buffer.check_range(offset, length)?;
    Ok(Place { buffer, offset, length })
}

fn source(buffer: RefOf<Buffer>, range: (u64, u64)) -> Result<Place> {
    place(buffer, range, usage::TRANSFER_SOURCE, access::READ)
}

fn target(buffer: RefOf<Buffer>, range: (u64, u64)) -> Result<Place> {
    place(buffer, range, usage::TRANSFER_TARGET, access::WRITE)
}

const INDETERMINATE_LIFETIME: u64 = 1;

#[allow(clippy::too_many_arguments)]
fn alloca(
    _: &Hal,
    device: &Device,
    _affinity: i64,
    wait: Loose<'_>,
    signal: Loose<'_>,
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
    let buffer = Buffer::transient(device.allocator(), length, params, is_pinned);
    go(device, wait, signal, Work::Alloca(buffer.clone()))?;
    Ok(buffer)
}

fn dealloca(
    _: &Hal,
    device: &Device,
    _affinity: i64,
    wait: Loose<'_>,
    signal: Loose<'_>,
    buffer: RefOf<Buffer>,
    _flags: i64,
) -> Result<()> {
    go(device, wait, signal, Work::Dealloca(buffer))
}

#[allow(clippy::too_many_arguments)]
fn fill(
    _: &Hal,
    device: &Device,
    _affinity: i64,
    wait: Loose<'_>,
    signal: Loose<'_>,
    buffer: RefOf<Buffer>,
    offset: u64,
    length: u64,
    pattern: u64,
    pattern_bytes: u32,
    _flags: i64,
) -> Result<()> {
    let target = target(buffer, (offset, length))?;
    check_pattern(pattern_bytes, target.offset, target.length)?;
    let pattern = (pattern as u32).to_le_bytes();
    go(device, wait, signal, Work::Fill { target, pattern, pattern_bytes: pattern_bytes as usize })
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

#[allow(clippy::too_many_arguments)]
fn update(
    _: &Hal,
    device: &Device,
    _affinity: i64,
    wait: Loose<'_>,
    signal: Loose<'_>,
    bytes: &Bytes,
    source_offset: u64,
    buffer: RefOf<Buffer>,
    offset: u64,
    length: u64,
    _flags: i64,
) -> Result<()> {
    let bytes = captured(bytes, source_offset, length)?;
    go(device, wait, signal, Work::Update { bytes, target: target(buffer, (offset, length))? })
}

#[allow(clippy::too_many_arguments)]
fn copy(
    _: &Hal,
    device: &Device,
    _affinity: i64,
    wait: Loose<'_>,
    signal: Loose<'_>,
    from: RefOf<Buffer>,
    from_offset: u64,
    to: RefOf<Buffer>,
    to_offset: u64,
    length: u64,
    _flags: i64,
) -> Result<()> {
    let source = source(from, (from_offset, length))?;
    let target = target(to, (to_offset, source.length))?;
    go(device, wait, signal, Work::Copy { source, target })
}

#[allow(clippy::too_many_arguments)]
fn read(
    _: &Hal,
    device: &Device,
    _affinity: i64,
    wait: Loose<'_>,
    signal: Loose<'_>,
    file: RefOf<File>,
    offset: u64,
    buffer: RefOf<Buffer>,
    to_offset: u64,
    length: u64,
    _flags: i64,
) -> Result<()> {
    if length == 0 {
        return go(device, wait, signal, Work::Barrier);
    }
    let target = target(buffer, (to_offset, length))?;
    file.check_range(offset, target.length)?;
    go(device, wait, signal, Work::Read { file, offset, target })
}

#[allow(clippy::too_many_arguments)]
fn write(
    _: &Hal,
    device: &Device,
    _affinity: i64,
    wait: Loose<'_>,
    signal: Loose<'_>,
    buffer: RefOf<Buffer>,
    from_offset: u64,
    file: RefOf<File>,
    offset: u64,
    length: u64,
    _flags: i64,
) -> Result<()> {
    if length == 0 {
        return go(device, wait, signal, Work::Barrier);
    }
    file.check_writable()?;
    let source = source(buffer, (from_offset, length))?;
    go(device, wait, signal, Work::Write { source, file, offset })
}

fn barrier(
    _: &Hal,
    device: &Device,
    _affinity: i64,
    wait: Loose<'_>,
    signal: Loose<'_>,
    _flags: i64,
) -> Result<()> {
    go(device, wait, signal, Work::Barrier)
}

type Commands<'a> = Option<&'a RefOf<CommandBuffer>>;

fn execute(
    _: &Hal,
    device: &Device,
    _affinity: i64,
    wait: Loose<'_>,
    signal: Loose<'_>,
    commands: Commands<'_>,
    _flags: i64,
) -> Result<()> {
    run(device, (wait, signal), commands, Table::new())
}

#[allow(clippy::too_many_arguments)]
fn execute_indirect(
    _: &Hal,
    device: &Device,
    _affinity: i64,
    wait: Loose<'_>,
    signal: Loose<'_>,
    commands: Commands<'_>,
    _flags: i64,
    table: Variadic<'_, (Option<&RefOf<Buffer>>, u64, u64)>,
) -> Result<()> {
    let entry = |(buffer, offset, length): (Option<&RefOf<Buffer>>, u64, u64)| TableEntry {
        buffer: buffer.cloned(),
        offset,
        length,
    };
    run(device, (wait, signal), commands, table.iter().map(entry).collect())
}

/// Without commands it is a barrier.
fn run(
    device: &Device,
    (wait, signal): (Loose<'_>, Loose<'_>),
    commands: Commands<'_>,
    table: Table,
) -> Result<()> {
    let Some(commands) = commands else { return go(device, wait, signal, Work::Barrier) };
    commands.check_table(&table)?;
    go(device, wait, signal, Work::Execute { commands: commands.clone(), table })
}

#[allow(clippy::too_many_arguments)]
fn from_memory(
    _: &Hal,
    _device: &Device,
    _affinity: i64,
    wanted: u32,
    bytes: RefOf<Bytes>,
    offset: u64,
    length: u64,
    _flags: i32,
) -> Result<RefOf<File>> {
    if wanted & !access::READ != 0 {
        return Err(Error::new(Code::PermissionDenied, "a file of a program's memory can only be read"));
    }
    Ok(RefOf::new(File::memory(bytes, offset, length)?))
}
