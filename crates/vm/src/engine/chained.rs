//! The fast engine: a handler for each operation, each ending in a jump to the next handler.
//!
//! Not here: what the operations do ([`super::table`]).
//!
//! # Invariants
//! - C1: the `run` of every instruction that this engine meets is one of the handlers below (made by `run`).
//! - C2: a handler keeps nothing with an address on the machine stack when it calls the next, so that the call
//!   becomes a jump. `tests/tail_jumps.rs` looks at the machine code.
#![allow(unsafe_code)]

use super::state::{Exit, State, Step, Window};
use super::table::{Opcode, operations};
use super::{Run, ops};
use crate::machine::Core;
use crate::translate::code::{Inst, Word};

type Handler = unsafe fn(*const Inst, Window, i64, *mut Core, Word) -> Exit;

/// Goes on with the instruction at `pc`.
///
/// # Safety
/// S1 to S4 hold for the arguments.
#[inline(always)]
unsafe fn next(pc: *const Inst, window: Window, fuel: i64, core: *mut Core) -> Exit {
    // SAFETY: S4.
    let inst = unsafe { &*pc };
    // SAFETY: C1: the pointer was made from a `Handler`.
    let handler = unsafe { std::mem::transmute::<*const (), Handler>(inst.run.0) };
    // SAFETY: the caller's word; the arguments are passed on.
    unsafe { handler(pc, window, fuel, core, inst.word) }
}

macro_rules! handlers {
    ($($shape:ident $name:ident $action:expr;)*) => {
        /// One function for each operation. Their names start with `raddle_vm_op_`, for the test of C2.
        #[allow(non_snake_case)]
        mod handler {
            use super::*;
            use ops::*;
            $(
                /// # Safety
                /// S1 to S4 hold for the arguments.
                pub(super) unsafe fn $name(
                    pc: *const Inst, window: Window, fuel: i64, core: *mut Core, word: Word,
                ) -> Exit {
                    let mut state = State { pc: pc.wrapping_add(1), window, fuel, core };
                    match $shape(&mut state, word, $action) {
                        // SAFETY: operations keep S1 to S4.
                        Step::Next => unsafe { next(state.pc, state.window, state.fuel, state.core) },
                        Step::Jump(bytes) => {
                            let pc = pc.wrapping_byte_offset(bytes);
                            // SAFETY: as above.
                            unsafe { next(pc, state.window, state.fuel, state.core) }
                        }
                        Step::Exit(exit) => {
                            state.save();
                            exit
                        }
                    }
                }
            )*
        }

        /// The handler of an operation.
        pub(super) fn run(op: Opcode) -> Run {
            let handler: Handler = match op { $(Opcode::$name => handler::$name,)* };
            Run(handler as *const ())
        }
    };
}

operations!(handlers);

/// See [`super::Engine::enter`].
#[inline(never)]
pub(super) fn enter(core: &mut Core) -> Exit {
    let (pc, window, fuel) = (core.pc, core.window, core.fuel);
    // SAFETY: S1 to S4 hold between runs: the driver set program counter and window from a frame of this engine's code.
    unsafe { next(pc, window, fuel, core) }
}
