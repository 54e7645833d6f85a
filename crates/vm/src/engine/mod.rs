//! The interpreters: one table of operations, two ways to run it.
//!
//! [`Engine::Chained`]: each handler ends with a jump to the next one, with everything that is hot in machine registers.
//! It needs the compiler to turn calls in tail position into jumps, which optimised builds for x86-64 and aarch64 do
//! (a test looks at the machine code). [`Engine::Loop`]: a plain `match` in a loop, for every other build.
//!
//! Not here: how bytecode becomes [`Inst`](crate::translate::code::Inst)s ([`crate::translate`]); who calls the engines
//! ([`crate::machine`]).

#[cfg(all(raddle_vm_chained, not(debug_assertions)))]
mod chained;
mod looped;
pub(crate) mod ops;
pub(crate) mod state;
mod table;

pub(crate) use table::Opcode;

use crate::machine::Core;
use state::Exit;

/// How a program is run. Both give the same results.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Engine {
    /// Handlers that jump to each other: fast; only in optimised builds for x86-64 and aarch64 ([`Engine::ALL`]).
    Chained,
    /// A `match` in a loop: portable.
    Loop,
}

impl Engine {
    /// The engines of this build, the best one first.
    pub const ALL: &[Engine] = if cfg!(all(raddle_vm_chained, not(debug_assertions))) {
        &[Engine::Chained, Engine::Loop]
    } else {
        &[Engine::Loop]
    };

    /// What an instruction of this engine starts with.
    pub(crate) fn run(self, op: Opcode) -> Run {
        match self {
            #[cfg(all(raddle_vm_chained, not(debug_assertions)))]
            Engine::Chained => chained::run(op),
            _ => Run(std::ptr::without_provenance(op as usize)),
        }
    }

    /// Runs from the core's program counter until something must be decided outside.
    pub(crate) fn enter(self, core: &mut Core) -> Exit {
        match self {
            #[cfg(all(raddle_vm_chained, not(debug_assertions)))]
            Engine::Chained => chained::enter(core),
            _ => looped::enter(core),
        }
    }
}

impl Default for Engine {
    fn default() -> Engine {
        Engine::ALL[0]
    }
}

/// The first word of an instruction: the handler's address (chained) or the opcode (loop).
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Run(*const ());
