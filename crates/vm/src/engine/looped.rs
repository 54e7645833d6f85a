//! The portable engine: one `match` in a loop.
//!
//! Not here: what the operations do ([`super::table`]).
#![allow(unsafe_code)]

use super::ops::*;
use super::state::{Exit, State, Step};
use super::table::{Opcode, operations};
use crate::machine::Core;

macro_rules! arms {
    ($($shape:ident $name:ident $action:expr;)*) => {
        #[allow(non_upper_case_globals)]
        mod number {
            use super::Opcode;
            $(pub(super) const $name: usize = Opcode::$name as usize;)*
        }

        fn step(state: &mut State) -> Step {
            // SAFETY: S4.
            let inst = unsafe { &*state.pc };
            state.pc = state.pc.wrapping_add(1);
            match inst.run.0.addr() {
                $(number::$name => $shape(state, inst.word, $action),)*
                number => unreachable!("opcode {number} was never written"),
            }
        }
    };
}

operations!(arms);

/// See [`super::Engine::enter`].
#[inline(never)]
pub(super) fn enter(core: &mut Core) -> Exit {
    let mut state = State { pc: core.pc, window: core.window, fuel: core.fuel, core };
    loop {
        let start = state.pc;
        match step(&mut state) {
            Step::Next => {}
            Step::Jump(bytes) => state.pc = start.wrapping_byte_offset(bytes),
            Step::Exit(exit) => {
                state.save();
                return exit;
            }
        }
    }
}
