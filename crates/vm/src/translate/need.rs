//! What stack a function needs: known beforehand where it and what it calls are few and small.
//!
//! Not here: the stack ([`crate::stack`]), which grows when the need is not known.

use super::program::Program;
use crate::engine::state::FRAME_BYTES;
use crate::isa::{Callee, Op};
use crate::tuning::{CALLEES_LOOKED_AT_MAX, STACK_BYTES_KNOWN_MAX};

/// What the deepest chain of calls from a function takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    /// Frames of this program, and the window of the results. Unit: bytes.
    pub(crate) bytes: usize,
    /// Whether an import is called, whose frames are not counted: a native function has none.
    pub(crate) calls_imports: bool,
}

/// The need of a function; `None` where it recurs, or where finding out is not worth it.
pub(super) fn need(program: &Program, ordinal: u32) -> Option<Need> {
    let outermost = program.outermost(ordinal).ok()?;
    let mut search = Search { program, path: Vec::new(), known: Vec::new(), calls_imports: false };
    let bytes = outermost.result_bytes as usize + search.bytes_of(ordinal)?;
    (bytes <= STACK_BYTES_KNOWN_MAX).then_some(Need { bytes, calls_imports: search.calls_imports })
}

struct Search<'a> {
    program: &'a Program,
    /// The calls that led here: a function that is called again on the way recurs.
    path: Vec<u32>,
    known: Vec<(u32, usize)>,
    calls_imports: bool,
}

impl Search<'_> {
    fn bytes_of(&mut self, ordinal: u32) -> Option<usize> {
        if let Some((_, bytes)) = self.known.iter().find(|(known, _)| *known == ordinal) {
            return Some(*bytes);
        }
        if self.path.contains(&ordinal) || self.path.len() + self.known.len() >= CALLEES_LOOKED_AT_MAX {
            return None;
        }
        self.path.push(ordinal);
        let function = self.program.module().function(ordinal)?;
        let mut deepest = 0;
        for inst in function.instructions() {
            if !matches!(inst.op, Op::Call | Op::CallYieldable | Op::CallVariadic | Op::CallVariadicYieldable)
            {
                continue;
            }
            match inst.callee(0) {
                Callee::Internal(callee) => deepest = deepest.max(self.bytes_of(callee)?),
                Callee::Import(_) => self.calls_imports = true,
            }
        }
        self.path.pop();
        let bytes = FRAME_BYTES + self.program.frame_bytes(ordinal) + deepest;
        self.known.push((ordinal, bytes));
        (bytes <= STACK_BYTES_KNOWN_MAX).then_some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Module, Registry, assemble};

    const PROGRAM: &str = "
vm.module @m
vm.import @host.f cconv \"0v_v\"
vm.export @leaf
vm.export @outer
vm.export @recurs
vm.export @imports
vm.func @leaf(%i0: i32) -> (i32) {
  vm.return %i0
}
vm.func @inner(%i0: i32) -> (i32) {
  %i1 = vm.call @leaf(%i0)
  vm.return %i1
}
vm.func @outer(%i0: i32) -> (i32) {
  %i1 = vm.call @leaf(%i0)
  %i2 = vm.call @inner(%i1)
  vm.return %i2
}
vm.func @recurs(%i0: i32) -> (i32) {
  %i1 = vm.call @recurs(%i0)
  vm.return %i1
}
vm.func @imports() -> () {
  vm.call @host.f()
  vm.return
}
";

    #[test]
    fn the_deepest_chain_counts_and_recursion_has_no_bound() {
        let module = Module::load(assemble(PROGRAM).unwrap().build()).unwrap();
        let ordinal = |name: &str| module.find(name).unwrap().ordinal();
        let [leaf, outer, recurs, imports] = ["leaf", "outer", "recurs", "imports"].map(ordinal);
        let program = Program::new(module, &Registry::new()).unwrap();
        let frame = |function| FRAME_BYTES + program.frame_bytes(function);
        let results = |function| program.outermost(function).unwrap().result_bytes as usize;
        assert_eq!(
            program.need(leaf),
            Some(Need { bytes: results(leaf) + frame(leaf), calls_imports: false })
        );
        // Its callee `inner` is the function before it.
        let chain = results(outer) + frame(outer) + frame(outer - 1) + frame(leaf);
        assert_eq!(program.need(outer), Some(Need { bytes: chain, calls_imports: false }));
        assert_eq!(program.need(recurs), None);
        assert!(program.need(imports).unwrap().calls_imports);
    }
}
