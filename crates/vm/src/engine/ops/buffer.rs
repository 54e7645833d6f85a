//! Operations of `vm.buffer`. Those on many bytes work in pieces and charge the budget by size.

use super::{Slow, fail_with, list::charge, refs::next_slot};
use crate::buffer::{Buffer, Making, Quiet, copies_backward};
use crate::engine::state::{Exit, State, Step, Window};
use crate::machine::{Bulk, Core};
use crate::object::Ref;
use crate::translate::code::Word;
use crate::tuning::BULK_BYTES;
use raddle_status::{Code, Error, Result};
use std::hash::Hasher;

/// The buffer in a register.
#[inline(always)]
pub(super) fn of<'a>(window: Window, cell: u16) -> Option<&'a Buffer> {
    (*window.reference(cell)).as_ref()?.get::<Buffer>()
}

fn need<'a>(core: &Core, cell: u16, role: &str) -> Result<&'a Buffer> {
    of(core.window, cell).ok_or_else(|| {
        let what = if core.window.reference(cell).is_none() { "null" } else { "no buffer" };
        Error::new(Code::InvalidArgument, format!("the {role} is {what}"))
    })
}

macro_rules! loads {
    ($($name:ident -> $type:ty, $bytes:literal, $through:ty;)*) => { $(
        #[inline(always)]
        pub(in crate::engine) fn $name(buffer: &Buffer, element: u64) -> Option<$type> {
            buffer.load::<$bytes>(element).map(|bits| bits as $through as $type)
        }
    )* };
}

loads! {
    u8 -> u32, 1, u8; i8 -> i32, 1, i8; u16 -> u32, 2, u16; i16 -> i32, 2, i16; u32 -> u32, 4, u32; u64 -> u64, 8, u64;
}

/// Says why a load of element `b` of buffer `a` failed.
#[cold]
#[inline(never)]
pub(super) fn load_failed(core: &mut Core, word: Word) -> Exit {
    let error = need(core, word.a(), "buffer").map(|buffer| {
        let text =
            format!("element {} of a buffer of {} bytes", core.window.get::<i64>(word.b()), buffer.len());
        Error::new(Code::OutOfRange, text)
    });
    core.leave_error(error.unwrap_or_else(|error| error));
    Exit::Failed
}

/// `element b of buffer a = c`, `W` bytes.
#[inline(always)]
pub(in crate::engine) fn store<const W: usize>(state: &mut State, word: Word) -> Step {
    let element: u64 = state.get(word.b());
    let value = if W == 8 { state.get::<u64>(word.c()) } else { state.get::<u32>(word.c()).into() };
    if let Some(buffer) = of(state.window, word.a())
        && buffer.is_mutable()
        && buffer.store::<W>(element, value)
    {
        return Step::Next;
    }
    state.save();
    Step::Exit(store_failed(state.core(), word))
}

#[cold]
#[inline(never)]
fn store_failed(core: &mut Core, word: Word) -> Exit {
    let checked = need(core, word.a(), "buffer").and_then(Buffer::check_mutable);
    let Exit::Failed = load_failed(core, word) else { unreachable!() };
    if let Err(error) = checked {
        core.leave_error(error);
    }
    Exit::Failed
}

/// `d = length of buffer a`.
#[inline(always)]
pub(in crate::engine) fn length(state: &mut State, word: Word) -> Step {
    let Some(buffer) = of(state.window, word.a()) else {
        return fail_with(state, || Error::new(Code::InvalidArgument, "the buffer is null or no buffer"));
    };
    let length = buffer.len() as u64;
    state.set(word.d(), length);
    Step::Next
}

/// `d = new buffer, a bytes, alignment b`.
pub(in crate::engine) fn alloc(core: &mut Core, word: Word) -> Result<Slow> {
    let (total, alignment): (u64, u32) = (core.window.get(word.a()), core.window.get(word.b()));
    if total <= BULK_BYTES as u64 {
        let buffer = Buffer::zeroed(total, alignment, Some(core.context().quota()))?;
        charge(core, total);
        core.window.put(word.d(), Some(Ref::new(buffer)));
        return Ok(Slow::Done);
    }
    make(core, word.d(), (total, alignment), Making::zeros)
}

/// `cell = new buffer, bytes and alignment as in layout`, made by `more`, which is called with how many bytes come next.
fn make(
    core: &mut Core,
    cell: u16,
    (total, alignment): (u64, u32),
    mut more: impl FnMut(&mut Making, usize),
) -> Result<Slow> {
    let mut bulk = progress(core);
    let mut making = match bulk.making.take() {
        Some(making) => making,
        None => Making::new(total, alignment, Some(core.context().quota()))?,
    };
    while (making.done() as u64) < total {
        if core.fuel < 0 {
            bulk.making = Some(making);
            return Ok(pause(core, bulk));
        }
        let bytes = piece(core, making.done() as u64, total);
        more(&mut making, bytes);
    }
    core.window.put(cell, Some(Ref::new(making.finish())));
    Ok(Slow::Done)
}

/// Where a bulk operation is: at its start, or where it was interrupted.
pub(super) fn progress(core: &mut Core) -> Bulk {
    core.rare.as_mut().and_then(|rare| rare.bulk.take()).unwrap_or_default()
}

/// The next piece of `total` bytes; charges for it.
fn piece(core: &mut Core, done: u64, total: u64) -> usize {
    let bytes = (total - done).min(BULK_BYTES as u64);
    charge(core, bytes);
    bytes as usize
}

/// Stops before the next piece if the budget is used up.
pub(super) fn pause(core: &mut Core, bulk: Bulk) -> Slow {
    core.rare().bulk = Some(bulk);
    Slow::Again(Exit::Budget)
}

/// `copy from a, offset b, to c`; next slot: `d` target offset, `a` length.
pub(in crate::engine) fn copy(core: &mut Core, word: Word) -> Result<Slow> {
    let more = next_slot(core);
    let (from, to) = (need(core, word.a(), "source")?, need(core, word.c(), "target")?);
    let window = core.window;
    let (from_at, to_at): (u64, u64) = (window.get(word.b()), window.get(more.d()));
    let total: u64 = window.get(more.a());
    from.check_range(from_at, total)?;
    to.check_mutable()?;
    to.check_range(to_at, total)?;
    let quiet = quiet_pair(window, word.a(), word.c());
    let backward = copies_backward((from, from_at as usize), (to, to_at as usize));
    let mut bulk = progress(core);
    while bulk.done < total {
        if core.fuel < 0 {
            return Ok(pause(core, bulk));
        }
        let bytes = piece(core, bulk.done, total);
        let at = if backward { (total - bulk.done) as usize - bytes } else { bulk.done as usize };
        Buffer::copy_piece((from, from_at as usize + at), (to, to_at as usize + at), bytes, quiet);
        bulk.done += bytes as u64;
    }
    Ok(Slow::Done)
}

/// Two registers may hold the same buffer: then neither is the only way to it, but this program may still be alone.
fn quiet_pair(window: Window, from: u16, to: u16) -> Quiet {
    let quiet = |cell| window.reference(cell).as_mut().map_or(Quiet::SHARED, Quiet::of);
    let first = quiet(from);
    first.and(quiet(to))
}

/// `d = a at b equals c at d', length a'`; primes: next slot.
pub(in crate::engine) fn compare(core: &mut Core, word: Word) -> Result<Slow> {
    let more = next_slot(core);
    let (left, right) = (need(core, word.a(), "left buffer")?, need(core, word.c(), "right buffer")?);
    let window = core.window;
    let (left_at, right_at): (u64, u64) = (window.get(word.b()), window.get(more.d()));
    let total: u64 = window.get(more.a());
    left.check_range(left_at, total)?;
    right.check_range(right_at, total)?;
    let mut bulk = progress(core);
    let mut same = true;
    while same && bulk.done < total {
        if core.fuel < 0 {
            return Ok(pause(core, bulk));
        }
        let bytes = piece(core, bulk.done, total);
        let at = bulk.done as usize;
        same = Buffer::equal_piece((left, left_at as usize + at), (right, right_at as usize + at), bytes);
        bulk.done += bytes as u64;
    }
    core.window.set(word.d(), u32::from(same));
    Ok(Slow::Done)
}

/// `fill elements b.. of a, c of them`, value in `d` of the next slot.
pub(in crate::engine) fn fill<const W: usize>(core: &mut Core, word: Word) -> Result<Slow> {
    let more = next_slot(core);
    let window = core.window;
    let buffer = need(core, word.a(), "buffer")?;
    let (from, count): (u64, u64) = (window.get(word.b()), window.get(word.c()));
    let value = if W == 8 { window.get::<u64>(more.d()) } else { window.get::<u32>(more.d()).into() };
    buffer.check_mutable()?;
    buffer.check_elements(from, count, W as u64)?;
    let mut bulk = progress(core);
    while bulk.done < count {
        if core.fuel < 0 {
            return Ok(pause(core, bulk));
        }
        let elements = piece(core, bulk.done * W as u64, count * W as u64) / W;
        buffer.fill_piece::<W>(from + bulk.done, elements as u64, value);
        bulk.done += elements as u64;
    }
    Ok(Slow::Done)
}

/// `d = copy of a from b, c bytes`; next slot: `d` alignment.
pub(in crate::engine) fn clone(core: &mut Core, word: Word) -> Result<Slow> {
    let more = next_slot(core);
    let window = core.window;
    let source = need(core, word.a(), "source")?;
    let (from, total): (u64, u64) = (window.get(word.b()), window.get(word.c()));
    source.check_range(from, total)?;
    let quiet = window.reference(word.a()).as_mut().map_or(Quiet::SHARED, Quiet::of);
    let copy = |making: &mut Making, bytes| making.copy(source, from as usize, bytes, quiet);
    make(core, word.d(), (total, window.get(more.d())), copy)
}

/// `d = SipHash-2-4 of a from b, c bytes`, key bytes 00 to 0F.
pub(in crate::engine) fn hash(core: &mut Core, word: Word) -> Result<Slow> {
    let window = core.window;
    let buffer = need(core, word.a(), "buffer")?;
    let (from, total): (u64, u64) = (window.get(word.b()), window.get(word.c()));
    buffer.check_range(from, total)?;
    let mut bulk = progress(core);
    let mut hasher = bulk.hasher.take().unwrap_or_else(Bulk::hasher);
    let mut bytes = [0; 1024];
    while bulk.done < total {
        if core.fuel < 0 {
            bulk.hasher = Some(hasher);
            return Ok(pause(core, bulk));
        }
        let bytes = &mut bytes[..(total - bulk.done).min(1024) as usize];
        charge(core, bytes.len() as u64);
        buffer.read((from + bulk.done) as usize, bytes)?;
        hasher.write(bytes);
        bulk.done += bytes.len() as u64;
    }
    core.window.set(word.d(), hasher.finish());
    Ok(Slow::Done)
}
