//! References in registers and globals: copying, moving, checking types.
//!
//! Types travel as ordinals of the program's type table. In an operand, bit 31 of a type or a further slot says
//! that the source is moved.

use super::Slow;
use crate::engine::state::{State, Step};
use crate::machine::Core;
use crate::object::Ref;
use crate::translate::code::Word;
use raddle_status::{Code, Error, Result};

/// Marks a source that is moved, beside the ordinal of a type.
pub(crate) const TAKE: u32 = 1 << 31;

/// `d = a and b are the same object`.
#[inline(always)]
pub(in crate::engine) fn eq(state: &mut State, word: Word) -> Step {
    let same = address(state, word.a()) == address(state, word.b());
    state.set(word.d(), u32::from(same));
    Step::Next
}

/// `d = a and b are different objects`.
#[inline(always)]
pub(in crate::engine) fn ne(state: &mut State, word: Word) -> Step {
    let same = address(state, word.a()) == address(state, word.b());
    state.set(word.d(), u32::from(!same));
    Step::Next
}

/// `d = a is not null`.
#[inline(always)]
pub(in crate::engine) fn nz(state: &mut State, word: Word) -> Step {
    state.set(word.d(), u32::from(address(state, word.a()) != 0));
    Step::Next
}

#[inline(always)]
fn address(state: &State, cell: u16) -> usize {
    state.window.reference(cell).as_ref().map_or(0, Ref::address)
}

/// `d = null`.
#[inline(always)]
pub(in crate::engine) fn zero(state: &mut State, word: Word) -> Step {
    state.window.put(word.d(), None);
    Step::Next
}

/// `d = a`.
#[inline(always)]
pub(in crate::engine) fn copy(state: &mut State, word: Word) -> Step {
    let copy = state.window.reference(word.a()).clone();
    state.window.put(word.d(), copy);
    Step::Next
}

/// `d = a; a = null`; nothing if they are one register.
#[inline(always)]
pub(in crate::engine) fn take(state: &mut State, word: Word) -> Step {
    let taken = state.window.reference(word.a()).take();
    state.window.put(word.d(), taken);
    Step::Next
}

/// `d = the buffer of segment (high half)`.
pub(in crate::engine) fn rodata(core: &mut Core, word: Word) -> Result<Slow> {
    let buffer = core.module().program().rodata(word.high());
    core.window.put(word.d(), Some(buffer));
    Ok(Slow::Done)
}

/// Copies or moves `from` to `to` if it is null or of the type.
fn checked(core: &mut Core, from: u16, to: u16, ty: u32, take: bool) -> Result<Slow> {
    let window = core.window;
    check(core, window.reference(from).as_ref(), ty)?;
    let source = window.reference(from);
    let value = if take { source.take() } else { source.clone() };
    window.put(to, value);
    Ok(Slow::Done)
}

fn check(core: &Core, reference: Option<&Ref>, ty: u32) -> Result {
    let Some(object) = reference else { return Ok(()) };
    let expected = core.module().program().types()[ty as usize];
    if expected.object() == Some(object.ty()) {
        return Ok(());
    }
    let text = format!("expected a reference to {expected}, got one to {:?}", object.ty());
    Err(Error::new(Code::InvalidArgument, text))
}

/// `d = checked a`; the high half is type and TAKE.
pub(in crate::engine) fn cast(core: &mut Core, word: Word) -> Result<Slow> {
    let (ty, take) = split(word.high());
    checked(core, word.a(), word.d(), ty, take)
}

fn split(bits: u32) -> (u32, bool) {
    (bits & !TAKE, bits & TAKE != 0)
}

/// `d = checked (a ? b : c)`; next slot: low half type and TAKE of `b`, high half TAKE of `c`.
pub(in crate::engine) fn select(core: &mut Core, word: Word) -> Result<Slow> {
    let more = next_slot(core);
    let ((ty, take_yes), take_no) = (split(more.0 as u32), split(more.high()).1);
    let yes = core.window.get::<u32>(word.a()) != 0;
    let (chosen, take, other, take_other) =
        if yes { (word.b(), take_yes, word.c(), take_no) } else { (word.c(), take_no, word.b(), take_yes) };
    checked(core, chosen, word.d(), ty, take)?;
    if take_other && other != word.d() && other != chosen {
        core.window.put(other, None);
    }
    Ok(Slow::Done)
}

/// `d = checked (index a < count c ? entry[a] : b)`; next slot: type and TAKE of `b`; then entries, two in a slot, each a
/// cell and TAKE.
pub(in crate::engine) fn switch(core: &mut Core, word: Word) -> Result<Slow> {
    let (ty, take_default) = split(next_slot(core).0 as u32);
    let index: u32 = core.window.get(word.a());
    let (mut from, mut take) = (word.b(), take_default);
    for slot in 0..u32::from(word.c()).div_ceil(2) {
        let pair = next_slot(core).0;
        if index < u32::from(word.c()) && index / 2 == slot {
            let entry = (pair >> (32 * (index % 2))) as u32;
            (from, take) = (entry as u16, entry & TAKE != 0);
        }
    }
    checked(core, from, word.d(), ty, take)
}

/// The slot behind the instruction of a slow operation.
pub(super) fn next_slot(core: &mut Core) -> Word {
    let mut state = State { pc: core.pc, window: core.window, fuel: core.fuel, core };
    let word = state.more();
    core.pc = core.pc.wrapping_add(1);
    word
}

/// `d = checked ref global (high half)`; `a`: take it out; next slot: type.
pub(in crate::engine) fn load(core: &mut Core, word: Word) -> Result<Slow> {
    let ty = next_slot(core).0 as u32;
    load_at(core, word.d(), word.high(), ty, word.a() != 0)
}

/// `ref global (high half) = checked a`; `d`: move it; next slot: type.
pub(in crate::engine) fn store(core: &mut Core, word: Word) -> Result<Slow> {
    let ty = next_slot(core).0 as u32;
    store_at(core, word.a(), word.high(), ty, word.d() != 0)
}

/// As `load`, the ordinal in register `b`.
pub(in crate::engine) fn load_indirect(core: &mut Core, word: Word) -> Result<Slow> {
    let ty = next_slot(core).0 as u32;
    let ordinal = core.window.get(word.b());
    load_at(core, word.d(), ordinal, ty, word.a() != 0)
}

/// As `store`, the ordinal in register `b`.
pub(in crate::engine) fn store_indirect(core: &mut Core, word: Word) -> Result<Slow> {
    let ty = next_slot(core).0 as u32;
    let ordinal = core.window.get(word.b());
    store_at(core, word.a(), ordinal, ty, word.d() != 0)
}

fn load_at(core: &mut Core, to: u16, ordinal: u32, ty: u32, take: bool) -> Result<Slow> {
    let value = core.module().ref_global(ordinal)?;
    check(core, value.as_ref(), ty)?;
    if take {
        drop(core.module().swap_ref_global(ordinal, None)?);
    }
    core.window.put(to, value);
    Ok(Slow::Done)
}

fn store_at(core: &mut Core, from: u16, ordinal: u32, ty: u32, take: bool) -> Result<Slow> {
    let window = core.window;
    check(core, window.reference(from).as_ref(), ty)?;
    core.module().ref_global(ordinal)?;
    let value = if take { window.reference(from).take() } else { window.reference(from).clone() };
    drop(core.module().swap_ref_global(ordinal, value)?);
    Ok(Slow::Done)
}
