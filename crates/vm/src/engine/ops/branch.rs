//! Conditions of branches: cells `d` and `a`, or cell `d` and `a` as a signed 16-bit number.

use super::int;
use crate::engine::state::{Apart, Exit, State, Step};
use crate::translate::code::{HALF_SLOT, Word};

macro_rules! conditions {
    ($($name:ident($left:ident: $type:ty, $right:ident = $fetch:ident) $body:expr;)*) => { $(
        #[inline(always)]
        pub(in crate::engine) fn $name(state: &State, word: Word) -> bool {
            let $left: $type = state.get(word.d());
            let $right = $fetch!(state, word, $type);
            $body
        }
    )* };
}

macro_rules! cell {
    ($state:expr, $word:expr, $type:ty) => {
        $state.get::<$type>($word.a())
    };
}

macro_rules! number {
    ($state:expr, $word:expr, $type:ty) => {
        $word.a() as i16 as $type
    };
}

macro_rules! nothing {
    ($state:expr, $word:expr, $type:ty) => {
        ()
    };
}

conditions! {
    nz(left: u32, _right = nothing) left != 0;
    z(left: u32, _right = nothing) left == 0;
    eq32(left: u32, right = cell) left == right;
    ne32(left: u32, right = cell) left != right;
    lts32(left: i32, right = cell) left < right;
    ges32(left: i32, right = cell) left >= right;
    ltu32(left: u32, right = cell) left < right;
    geu32(left: u32, right = cell) left >= right;
    eq64(left: u64, right = cell) left == right;
    ne64(left: u64, right = cell) left != right;
    lts64(left: i64, right = cell) left < right;
    ges64(left: i64, right = cell) left >= right;
    ltu64(left: u64, right = cell) left < right;
    geu64(left: u64, right = cell) left >= right;
    eqi(left: i32, right = number) left == right;
    nei(left: i32, right = number) left != right;
    ltsi(left: i32, right = number) left < right;
    gesi(left: i32, right = number) left >= right;
    ltui(left: u32, right = number) left < right;
    geui(left: u32, right = number) left >= right;
}

/// `d += a as i16; if f(d, b) jump by c half slots`: the end of a counted loop.
#[inline(always)]
fn add_then(state: &mut State, end: Apart<'_>, f: impl FnOnce(u32, u32) -> bool) -> Step {
    let sum = state.get::<u32>(end.d()).wrapping_add(end.a() as i16 as u32);
    state.set(end.d(), sum);
    if f(sum, state.get(end.b())) {
        return Step::Jump(isize::from(end.c() as i16) * HALF_SLOT);
    }
    Step::Next
}

macro_rules! counted {
    ($($name:ident $with_fma:ident($sum:ident, $limit:ident) $body:expr;)*) => { $(
        /// The end of a counted loop, for one step of the budget.
        #[inline(always)]
        pub(in crate::engine) fn $name(state: &mut State, _: Word) -> Step {
            state.fuel -= 1;
            if state.fuel < 0 {
                return state.again(Exit::Budget);
            }
            add_then(state, state.apart(0), |$sum, $limit| $body)
        }

        /// `d = a * b + c`, then the end of a counted loop in the next slot.
        #[inline(always)]
        pub(in crate::engine) fn $with_fma(state: &mut State, word: Word) -> Step {
            state.fuel -= 1;
            if state.fuel < 0 {
                return state.again(Exit::Budget);
            }
            let end = state.apart(1);
            state.pc = state.pc.wrapping_add(1);
            let sum = int::fma_u32(state.get(word.a()), state.get(word.b()), state.get(word.c()));
            state.set(word.d(), sum);
            add_then(state, end, |$sum, $limit| $body)
        }
    )* };
}

counted! {
    add_ne fma_add_ne(sum, limit) sum != limit;
    add_lts fma_add_lts(sum, limit) (sum as i32) < limit as i32;
    add_ltu fma_add_ltu(sum, limit) sum < limit;
    add_nz fma_add_nz(sum, _limit) sum != 0;
}
