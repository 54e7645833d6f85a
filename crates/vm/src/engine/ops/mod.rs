//! What the operations do, by family, and the shapes that fetch their operands.
//!
//! Not here: which operation has which opcode ([`super::table`]).

pub(super) mod branch;
pub(super) mod buffer;
pub(super) mod call;
pub(super) mod control;
pub(super) mod float;
pub(super) mod global;
pub(super) mod int;
pub(super) mod list;
pub(super) mod refs;

pub(crate) use call::text_at;
pub(crate) use refs::TAKE;

use super::state::{Bits, Exit, State, Step};
use crate::machine::Core;
use crate::translate::code::Word;
use raddle_status::Result;

/// `d = f(a)`.
#[inline(always)]
pub(super) fn un<A: Bits, R: Bits>(state: &mut State, word: Word, f: impl FnOnce(A) -> R) -> Step {
    state.set(word.d(), f(state.get(word.a())));
    Step::Next
}

/// `d = f(a, b)`.
#[inline(always)]
pub(super) fn bin<A: Bits, B: Bits, R: Bits>(
    state: &mut State,
    word: Word,
    f: impl FnOnce(A, B) -> R,
) -> Step {
    state.set(word.d(), f(state.get(word.a()), state.get(word.b())));
    Step::Next
}

/// `d = f(a, b, c)`.
#[inline(always)]
pub(super) fn ter<A: Bits, B: Bits, C: Bits, R: Bits>(
    state: &mut State,
    word: Word,
    f: impl FnOnce(A, B, C) -> R,
) -> Step {
    state.set(word.d(), f(state.get(word.a()), state.get(word.b()), state.get(word.c())));
    Step::Next
}

/// `d = f(a, b) ? 1 : 0`.
#[inline(always)]
pub(super) fn cmp<A: Bits>(state: &mut State, word: Word, f: impl FnOnce(&A, &A) -> bool) -> Step {
    let (left, right) = (state.get(word.a()), state.get(word.b()));
    state.set(word.d(), u32::from(f(&left, &right)));
    Step::Next
}

/// `d = f(a, b)`, or a failure where the divisor is zero.
#[inline(always)]
pub(super) fn div<A: Bits>(state: &mut State, word: Word, f: impl FnOnce(A, A) -> Option<A>) -> Step {
    match f(state.get(word.a()), state.get(word.b())) {
        Some(result) => {
            state.set(word.d(), result);
            Step::Next
        }
        None => fail_with(state, int::division_by_zero),
    }
}

/// `d = f(a, immediate)`.
#[inline(always)]
pub(super) fn imm(state: &mut State, word: Word, f: impl FnOnce(u32, u32) -> u32) -> Step {
    state.set(word.d(), f(state.get(word.a()), word.high()));
    Step::Next
}

/// `d = f(a, sign-extended immediate)`.
#[inline(always)]
pub(super) fn imm64(state: &mut State, word: Word, f: impl FnOnce(u64, u64) -> u64) -> Step {
    state.set(word.d(), f(state.get(word.a()), word.high() as i32 as i64 as u64));
    Step::Next
}

/// An operation that fetches its own operands.
#[inline(always)]
pub(super) fn op(state: &mut State, word: Word, f: impl FnOnce(&mut State, Word) -> Step) -> Step {
    f(state, word)
}

/// `if f(a, b) jump by the high half`.
#[inline(always)]
pub(super) fn br(state: &mut State, word: Word, f: impl FnOnce(&State, Word) -> bool) -> Step {
    if f(state, word) { Step::Jump(word.high() as i32 as isize) } else { Step::Next }
}

/// As `br`, backwards: costs one step of the budget.
#[inline(always)]
pub(super) fn br_loop(state: &mut State, word: Word, f: impl FnOnce(&State, Word) -> bool) -> Step {
    state.fuel -= 1;
    if state.fuel < 0 {
        return state.again(Exit::Budget);
    }
    br(state, word, f)
}

/// `d = f(buffer a, element b)`.
#[inline(always)]
pub(super) fn load<R: Bits>(
    state: &mut State,
    word: Word,
    f: impl FnOnce(&crate::buffer::Buffer, u64) -> Option<R>,
) -> Step {
    let element = state.get(word.b());
    if let Some(buffer) = buffer::of(state.window, word.a())
        && let Some(value) = f(buffer, element)
    {
        state.set(word.d(), value);
        return Step::Next;
    }
    state.save();
    Step::Exit(buffer::load_failed(state.core(), word))
}

/// What an operation outside the handlers says.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Slow {
    /// Done; go on at the core's program counter.
    Done,
    /// The operation runs again after the driver has dealt with this: too much bulk work, or a busy list.
    Again(Exit),
    /// Return to the driver.
    Exit(Exit),
}

/// An operation that is called, not inlined: it finds everything in the core. The action's failure becomes the
/// invocation's.
#[inline(always)]
pub(super) fn slow(state: &mut State, word: Word, f: fn(&mut Core, Word) -> Result<Slow>) -> Step {
    state.save();
    let exit = call_slow(state.core(), word, f);
    state.load();
    exit.map_or(Step::Next, Step::Exit)
}

#[inline(never)]
fn call_slow(core: &mut Core, word: Word, f: fn(&mut Core, Word) -> Result<Slow>) -> Option<Exit> {
    let pc = core.pc;
    match f(core, word) {
        Ok(Slow::Done) => None,
        Ok(Slow::Again(exit)) => {
            core.pc = pc.wrapping_sub(1);
            Some(exit)
        }
        Ok(Slow::Exit(exit)) => Some(exit),
        Err(error) => {
            core.pc = pc;
            core.leave_error(error);
            Some(Exit::Failed)
        }
    }
}

/// Fails with the error that `make` makes, out of line.
#[inline(always)]
pub(super) fn fail_with(state: &mut State, make: fn() -> raddle_status::Error) -> Step {
    state.save();
    store_error(state.core(), make);
    Step::Exit(Exit::Failed)
}

#[cold]
#[inline(never)]
fn store_error(core: &mut Core, make: fn() -> raddle_status::Error) {
    core.leave_error(make());
}
