//! `allocator.*`.

use super::{Builder, Hal, invalid};
use crate::allocator::Allocator;
use crate::buffer::{Buffer, BufferParams};
use crate::device::Device;
use crate::flags::{WHOLE_BUFFER, access, usage};
use raddle_status::{Code, Error, Result};
use raddle_vm::{Buffer as Bytes, RefOf, Variadic};

pub(super) fn add(builder: Builder) -> Builder {
    builder
        .function("allocator.allocate", allocate)
        .function("allocator.import", import)
        .function("allocator.select", select)
}

fn allocate(
    _: &Hal,
    allocator: &Allocator,
    _affinity: i64,
    memory_type: u32,
    usage: u32,
    length: u64,
) -> Result<RefOf<Buffer>> {
    let params = BufferParams { memory_type, usage, access: access::ALL };
    Ok(RefOf::new(Buffer::allocate(allocator, length, params)?))
}

#[allow(clippy::too_many_arguments)]
fn import(
    hal: &Hal,
    allocator: RefOf<Allocator>,
    is_try: bool,
    _affinity: i64,
    memory_type: u32,
    usage: u32,
    source: RefOf<Bytes>,
    offset: u64,
    length: u64,
) -> Result<Option<RefOf<Buffer>>> {
    let all = source.len() as u64;
    let length = match length {
        WHOLE_BUFFER if offset == 0 => all,
        length => length,
    };
    if offset.checked_add(length).is_none_or(|end| end > all) {
        return Err(invalid(format!("{} bytes at {offset} of {all} can't be imported", length as i64)));
    }
    let is_immutable = usage & usage::SHARING_IMMUTABLE != 0;
    if !source.is_mutable() && !is_immutable {
        let text = "constants can only be imported for usage SHARING_IMMUTABLE";
        return Err(Error::new(Code::PermissionDenied, text));
    }
    let access = if is_immutable { access::READ } else { access::READ | access::WRITE };
    let params = BufferParams { memory_type, usage, access };
    let is_allowed = hal.devices.iter().all(|device| device.0.imports || !is_same(device, &allocator));
    let imported = match is_allowed {
        true => Buffer::borrow_bytes(source, offset as usize, length as usize, params),
        false => Err(Error::new(Code::Unavailable, "the device takes no foreign memory")),
    };
    match imported {
        Ok(buffer) => Ok(Some(RefOf::new(buffer))),
        Err(_) if is_try => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_same(device: &Device, allocator: &RefOf<Allocator>) -> bool {
    device.0.allocator_object.untyped() == allocator.untyped()
}

/// The policy: the first device will do.
fn select(
    _: &Hal,
    _memory_type: u32,
    _usage: u32,
    _flags: i64,
    choices: Variadic<'_, (&RefOf<Device>, i64)>,
) -> Result<(RefOf<Device>, i64)> {
    let first = choices.iter().next().map(|(device, affinity)| (device.clone(), affinity));
    first.ok_or_else(|| invalid("a device is to be selected from none"))
}
