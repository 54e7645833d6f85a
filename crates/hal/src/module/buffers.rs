//! `buffer.*`.

use super::{Builder, Hal, invalid, text};
use crate::allocator::Allocator;
use crate::buffer::Buffer;
use crate::flags::{access, usage};
use crate::view::check_buffer;
use raddle_status::Result;
use raddle_vm::{Buffer as Bytes, RefOf};

pub(super) fn add(builder: Builder) -> Builder {
    builder
        .function("buffer.allocation.preserve", |_: &Hal, buffer: &Buffer| {
            buffer.preserve();
            Ok(())
        })
        .function("buffer.allocation.discard", |_: &Hal, buffer: &Buffer| Ok(buffer.discard()))
        .function("buffer.allocation.is_terminal", |_: &Hal, buffer: &Buffer| Ok(buffer.is_terminal()))
        .function("buffer.assert", assert)
        .function("buffer.length", |_: &Hal, buffer: &Buffer| Ok(buffer.length()))
        .function("buffer.load", load)
        .function("buffer.store", store)
        .function("buffer.subspan", |_: &Hal, buffer: &RefOf<Buffer>, offset: u64, length: u64| {
            Buffer::subspan(buffer, offset, length)
        })
}

fn assert(
    _: &Hal,
    buffer: &Buffer,
    message: &Bytes,
    _allocator: &Allocator,
    length: u64,
    memory_type: u32,
    usage: u32,
) -> Result<()> {
    if crate::view::is_fit(buffer, length, memory_type, usage) {
        return Ok(());
    }
    check_buffer(buffer, &text(message)?, length, memory_type, usage)
}

fn count(bytes: u32) -> Result<usize> {
    match bytes {
        1..=4 => Ok(bytes as usize),
        _ => Err(invalid(format!("a value of {bytes} bytes can't be loaded or stored; it has 1 to 4"))),
    }
}

fn load(_: &Hal, buffer: &Buffer, offset: u64, bytes: u32) -> Result<u32> {
    let mut value = [0; 4];
    buffer.check_use(usage::MAPPING_SCOPED, access::READ)?;
    buffer.read(offset, &mut value[..count(bytes)?])?;
    Ok(u32::from_le_bytes(value))
}

fn store(_: &Hal, value: u32, buffer: &Buffer, offset: u64, bytes: u32) -> Result<()> {
    buffer.check_use(usage::MAPPING_SCOPED, access::WRITE)?;
    buffer.write(offset, &value.to_le_bytes()[..count(bytes)?])
}
