//! `command_buffer.*`.

use super::channels::Channel;
use super::{Builder, Hal, unimplemented};
use crate::buffer::Buffer;
use crate::command_buffer::{BufferRef, CommandBuffer};
use crate::device::Device;
use crate::executable::Executable;
use raddle_status::{Code, Error, Result};
use raddle_vm::{Buffer as Bytes, RefOf, Variadic};

type Commands = RefOf<CommandBuffer>;
type Target = Option<RefOf<Buffer>>;
/// Reserved word, slot, buffer, offset, length.
type Binding<'a> = (i32, u32, Option<&'a RefOf<Buffer>>, u64, u64);

pub(super) fn add(builder: Builder) -> Builder {
    builder
        .function("command_buffer.create", create)
        .function("command_buffer.finalize", |_: &Hal, commands: Commands| commands.finalize())
        .function("command_buffer.begin_debug_group", |_: &Hal, commands: Commands, _: RefOf<Bytes>| {
            commands.debug_group(1)
        })
        .function("command_buffer.end_debug_group", |_: &Hal, commands: Commands| commands.debug_group(-1))
        .function(
            "command_buffer.execution_barrier",
            |_: &Hal, commands: Commands, _source: i32, _target: i32, _flags: i64| commands.barrier(),
        )
        .function("command_buffer.advise_buffer", advise)
        .function("command_buffer.fill_buffer", fill)
        .function("command_buffer.update_buffer", update)
        .function("command_buffer.copy_buffer", copy)
        .function("command_buffer.collective", collective)
        .function("command_buffer.dispatch", dispatch)
        .function("command_buffer.dispatch.indirect", dispatch_indirect)
}

/// Mode, categories, affinity and capacity say what a device could prepare for; this one needs only the mode.
fn create(
    _: &Hal,
    device: &Device,
    mode: u32,
    _categories: u32,
    _affinity: i64,
    _capacity: u32,
) -> Result<Commands> {
    Ok(CommandBuffer::new(&device.0.commands, mode))
}

/// A hint about how a buffer will be used, which changes nothing here.
fn advise(
    _: &Hal,
    _commands: Commands,
    _buffer: Target,
    _flags: i64,
    _first: i64,
    _second: i64,
    _slot: i32,
) -> Result<()> {
    Ok(())
}

#[allow(clippy::too_many_arguments)]
fn fill(
    _: &Hal,
    commands: Commands,
    buffer: Target,
    offset: u64,
    length: u64,
    slot: u32,
    pattern: u64,
    pattern_bytes: u32,
    _flags: i64,
) -> Result<()> {
    commands.fill(BufferRef::new(buffer, slot, offset, length), pattern, pattern_bytes)
}

#[allow(clippy::too_many_arguments)]
fn update(
    _: &Hal,
    commands: Commands,
    source: RefOf<Bytes>,
    source_offset: u64,
    buffer: Target,
    offset: u64,
    length: u64,
    slot: u32,
    _flags: i64,
) -> Result<()> {
    let bytes = super::queues::captured(&source, source_offset, length)?;
    commands.update(&bytes, BufferRef::new(buffer, slot, offset, length))
}

#[allow(clippy::too_many_arguments)]
fn copy(
    _: &Hal,
    commands: Commands,
    source_slot: u32,
    target_slot: u32,
    source: Target,
    source_offset: u64,
    target: Target,
    target_offset: u64,
    length: u64,
    _flags: i64,
) -> Result<()> {
    let source = BufferRef::new(source, source_slot, source_offset, length);
    commands.copy(source, BufferRef::new(target, target_slot, target_offset, length))
}

#[allow(clippy::too_many_arguments)]
fn collective(
    _: &Hal,
    _commands: Commands,
    _channel: Option<RefOf<Channel>>,
    _op: i32,
    _param: i32,
    _send_slot: i32,
    _recv_slot: i32,
    _send: Target,
    _recv: Target,
    _send_offset: i64,
    _send_length: i64,
    _recv_offset: i64,
    _recv_length: i64,
    _count: i64,
) -> Result<()> {
    Err(unimplemented("command_buffer.collective"))
}

fn reference((_, slot, buffer, offset, length): Binding<'_>) -> BufferRef {
    BufferRef::new(buffer.cloned(), slot, offset, length)
}

/// Arguments that only other kinds of devices could take.
fn check_flags(flags: u64) -> Result {
    const CUSTOM_ARGUMENTS: u64 = 4 | 8 | 16;
    match flags & CUSTOM_ARGUMENTS {
        0 => Ok(()),
        _ => Err(Error::new(Code::Unimplemented, format!("dispatch flags {flags:#x} are not supported"))),
    }
}

#[allow(clippy::too_many_arguments)]
fn dispatch(
    _: &Hal,
    commands: &CommandBuffer,
    kernel: (&RefOf<Executable>, u64),
    (x, y, z): (u32, u32, u32),
    flags: u64,
    constants: Variadic<'_, u32>,
    bindings: Variadic<'_, Binding<'_>>,
) -> Result<()> {
    check_flags(flags)?;
    let kernel = (kernel.0.clone(), kernel.1);
    commands.dispatch(kernel, Ok([x, y, z]), constants.iter(), bindings.iter().map(reference))
}

#[allow(clippy::too_many_arguments)]
fn dispatch_indirect(
    _: &Hal,
    commands: &CommandBuffer,
    kernel: (&RefOf<Executable>, u64),
    (slot, buffer, offset): (u32, Target, u64),
    flags: u64,
    constants: Variadic<'_, u32>,
    bindings: Variadic<'_, Binding<'_>>,
) -> Result<()> {
    check_flags(flags)?;
    let counts = BufferRef::new(buffer, slot, offset, 12);
    let kernel = (kernel.0.clone(), kernel.1);
    commands.dispatch(kernel, Err(counts), constants.iter(), bindings.iter().map(reference))
}
