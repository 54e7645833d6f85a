//! Constants, moves, jumps and tables.

use crate::engine::state::{Bits, Exit, State, Step};
use crate::translate::code::Word;

/// `d = high half`.
#[inline(always)]
pub(in crate::engine) fn const32(state: &mut State, word: Word) -> Step {
    state.set(word.d(), word.high());
    Step::Next
}

/// `d = the high 48 bits, sign-extended`.
#[inline(always)]
pub(in crate::engine) fn const64(state: &mut State, word: Word) -> Step {
    state.set(word.d(), word.0 as i64 >> 16);
    Step::Next
}

/// `d = the next slot`.
#[inline(always)]
pub(in crate::engine) fn const_wide(state: &mut State, word: Word) -> Step {
    let value = state.more().0;
    state.set(word.d(), value);
    Step::Next
}

/// `d = a`.
#[inline(always)]
pub(in crate::engine) fn move32(state: &mut State, word: Word) -> Step {
    state.set::<u32>(word.d(), state.get(word.a()));
    Step::Next
}

/// `d = a`, then `b = c`.
#[inline(always)]
pub(in crate::engine) fn move32_twice(state: &mut State, word: Word) -> Step {
    state.set::<u32>(word.d(), state.get(word.a()));
    state.set::<u32>(word.b(), state.get(word.c()));
    Step::Next
}

/// `d = a`, two cells.
#[inline(always)]
pub(in crate::engine) fn move64(state: &mut State, word: Word) -> Step {
    state.set::<u64>(word.d(), state.get(word.a()));
    Step::Next
}

/// `d = index a < count c ? entry[a] : b`; the entries are cells, four in a slot, in the slots behind.
#[inline(always)]
pub(in crate::engine) fn switch<T: Bits>(state: &mut State, word: Word) -> Step {
    let index: u32 = state.get(word.a());
    let count = u32::from(word.c());
    let cell = if index < count {
        (state.peek(index as usize / 4).0 >> (16 * (index % 4))) as u16
    } else {
        word.b()
    };
    state.set::<T>(word.d(), state.get(cell));
    state.pc = state.pc.wrapping_add(count.div_ceil(4) as usize);
    Step::Next
}

/// Jumps by the high half.
#[inline(always)]
pub(in crate::engine) fn jump(_: &mut State, word: Word) -> Step {
    Step::Jump(word.high() as i32 as isize)
}

/// Jumps backwards by the high half, for one step of the budget.
#[inline(always)]
pub(in crate::engine) fn jump_loop(state: &mut State, word: Word) -> Step {
    state.fuel -= 1;
    if state.fuel < 0 {
        return state.again(Exit::Budget);
    }
    Step::Jump(word.high() as i32 as isize)
}

/// `d = a`, then jumps by the high half.
#[inline(always)]
pub(in crate::engine) fn move_jump(state: &mut State, word: Word) -> Step {
    state.set::<u32>(word.d(), state.get(word.a()));
    jump(state, word)
}

/// As `move_jump`, backwards, for one step of the budget.
#[inline(always)]
pub(in crate::engine) fn move_jump_loop(state: &mut State, word: Word) -> Step {
    state.fuel -= 1;
    if state.fuel < 0 {
        return state.again(Exit::Budget);
    }
    move_jump(state, word)
}

/// `d = a`, then `b = c`, then jumps by the high half of the next slot.
#[inline(always)]
pub(in crate::engine) fn move_twice_jump(state: &mut State, word: Word) -> Step {
    let distance = state.more();
    let _ = move32_twice(state, word);
    jump(state, distance)
}

/// As `move_twice_jump`, backwards, for one step of the budget.
#[inline(always)]
pub(in crate::engine) fn move_twice_jump_loop(state: &mut State, word: Word) -> Step {
    state.fuel -= 1;
    if state.fuel < 0 {
        return state.again(Exit::Budget);
    }
    move_twice_jump(state, word)
}

/// One step of the budget: before a table that may lead backwards.
#[inline(always)]
pub(in crate::engine) fn tick(state: &mut State, _: Word) -> Step {
    state.fuel -= 1;
    if state.fuel < 0 {
        return state.again(Exit::Budget);
    }
    Step::Next
}

/// Jumps by the slot number `min(a, high half)` behind; each slot holds a distance.
#[inline(always)]
pub(in crate::engine) fn table(state: &mut State, word: Word) -> Step {
    let index: u32 = state.get(word.a());
    let distance = state.peek(index.min(word.high()) as usize).0;
    Step::Jump(distance as i32 as isize)
}
