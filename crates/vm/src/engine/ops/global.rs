//! Primitive globals: bytes of the module's state.

use crate::engine::ops::{Step, fail_with};
use crate::engine::state::{Bits, State};
use crate::translate::code::Word;
use raddle_status::{Code, Error};

/// `d = bytes at the high half` (bounds: verified).
#[inline(always)]
pub(in crate::engine) fn load<T: Bits>(state: &mut State, word: Word) -> Step {
    load_at::<T>(state, word.d(), word.high())
}

/// `bytes at the high half = a` (bounds: verified).
#[inline(always)]
pub(in crate::engine) fn store<T: Bits>(state: &mut State, word: Word) -> Step {
    store_at::<T>(state, word.a(), word.high())
}

/// `d = bytes at register a`.
#[inline(always)]
pub(in crate::engine) fn load_indirect<T: Bits>(state: &mut State, word: Word) -> Step {
    let offset = state.get(word.a());
    load_at::<T>(state, word.d(), offset)
}

/// `bytes at register a = b`.
#[inline(always)]
pub(in crate::engine) fn store_indirect<T: Bits>(state: &mut State, word: Word) -> Step {
    let offset = state.get(word.a());
    store_at::<T>(state, word.b(), offset)
}

#[inline(always)]
fn load_at<T: Bits>(state: &mut State, to: u16, offset: u32) -> Step {
    match state.core().module().global::<T>(offset) {
        Some(value) => {
            state.set(to, value);
            Step::Next
        }
        None => fail_with(state, outside),
    }
}

#[inline(always)]
fn store_at<T: Bits>(state: &mut State, from: u16, offset: u32) -> Step {
    let value = state.get::<T>(from);
    if state.core().module().set_global(offset, value) { Step::Next } else { fail_with(state, outside) }
}

fn outside() -> Error {
    Error::new(Code::OutOfRange, "a global's offset lies outside the module's state")
}
