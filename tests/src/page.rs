//! `docs/opcodes.md`: each instruction with the checks that show its normal, edge and failing cases.
//!
//! A failing check belongs to the instruction at which it fails. Another belongs to each instruction that its function
//! or what that calls contains; the one whose function is named after the instruction is preferred.

use crate::ours::Ours;
use crate::scripts::{self, Check, Expected};
use raddle_vm::isa::{Callee, Op};
use raddle_vm::{Module, Value};
use std::collections::{BTreeMap, BTreeSet};

const HEAD: &str = "\
# The instructions and their tests

Generated from the checks in `crates/vm/tests/scripts` and `tests/programs/asm`;
`RADDLE_BLESS=1 cargo test -p raddle-tests --test page` writes it anew. Every check runs on both engines, whole and in
slices, and on `iree-run-module` where that is installed.

*Normal* and *edge*: a check whose function contains the instruction; an edge has among its arguments (or
results, if it takes none) a NaN, an infinity, the least or greatest value of a type, -1, 0, a bit count, or null. *Error*: a check that
fails at the instruction; `-` for those that can't fail.

";

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Case {
    Normal,
    Edge,
    Error,
}

/// Makes the page.
///
/// # Panics
/// If a script does not load.
pub fn page() -> String {
    let mut cells: BTreeMap<(Op, Case), (bool, String)> = BTreeMap::new();
    for (name, text) in scripts::all() {
        let bytes = raddle_vm::assemble(&text).unwrap_or_else(|error| panic!("{name}: {error}")).build();
        let ours = Ours::load(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let file = name.rsplit('/').next().unwrap_or(&name).to_owned();
        for check in scripts::checks(&text) {
            for (op, case) in shown(&ours, &check) {
                let exact = op.mnemonic().replace('.', "_") == check.function;
                let cell =
                    cells.entry((op, case)).or_insert((exact, format!("`{file}` `{}`", short(&check.line))));
                if exact && !cell.0 {
                    *cell = (true, format!("`{file}` `{}`", short(&check.line)));
                }
            }
        }
    }
    render(&cells)
}

fn render(cells: &BTreeMap<(Op, Case), (bool, String)>) -> String {
    let mut rows = String::new();
    let mut missing = [0; 3];
    for op in Op::ALL.iter().copied() {
        rows.push_str(&format!("| `{}` |", op.mnemonic()));
        for (index, case) in [Case::Normal, Case::Edge, Case::Error].into_iter().enumerate() {
            let text = match cells.get(&(op, case)) {
                Some((_, text)) => text.as_str(),
                None if case == Case::Error && op.info().fails.is_empty() => "-",
                // Without values there is nothing at an edge.
                None if case == Case::Edge && op.kinds().is_empty() => "-",
                None => {
                    missing[index] += 1;
                    "**missing**"
                }
            };
            rows.push_str(&format!(" {text} |"));
        }
        rows.push('\n');
    }
    let [normal, edge, error] = missing;
    let count = Op::COUNT;
    format!(
        "{HEAD}{count} instructions; missing: {normal} normal, {edge} edge, {error} error.\n\n\
         | mnemonic | normal | edge | error |\n|---|---|---|---|\n{rows}"
    )
}

fn short(line: &str) -> String {
    let line = line.split(": ").next().unwrap_or(line);
    line.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// What a check shows.
fn shown(ours: &Ours, check: &Check) -> Vec<(Op, Case)> {
    match &check.expected {
        Expected::Failure(..) => {
            let failed = ours.run(&check.function, &check.arguments, u64::MAX).err();
            let place = failed.and_then(|error| error.context().find_map(|text| at(ours.module(), text)));
            place.map(|op| (op, Case::Error)).into_iter().collect()
        }
        Expected::Results(results) => {
            let values = if check.arguments.is_empty() { results } else { &check.arguments };
            let edge = values.iter().any(is_edge);
            let case = if edge { Case::Edge } else { Case::Normal };
            contained(ours.module(), &check.function).into_iter().map(|op| (op, case)).collect()
        }
    }
}

/// The instruction that the text `at module.function+pc` names.
fn at(module: &Module, text: &str) -> Option<Op> {
    let (place, pc) = text.strip_prefix("at ")?.rsplit_once('+')?;
    let name = place.strip_prefix(module.name())?.strip_prefix('.')?;
    let pc = u32::from_str_radix(pc, 16).ok()?;
    let function = module.functions().find(|function| function.display_name() == name)?;
    function.instructions().find(|inst| inst.pc == pc).map(|inst| inst.op)
}

fn contained(module: &Module, function: &str) -> BTreeSet<Op> {
    let mut ops = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut open: Vec<u32> = module.find(function).map(|function| function.ordinal()).into_iter().collect();
    while let Some(ordinal) = open.pop() {
        let Some(function) = module.function(ordinal).filter(|_| seen.insert(ordinal)) else { continue };
        for inst in function.instructions() {
            ops.insert(inst.op);
            if let Op::Call | Op::CallYieldable = inst.op
                && let Callee::Internal(callee) = inst.callee(0)
            {
                open.push(callee);
            }
        }
    }
    ops
}

fn is_edge(value: &Value) -> bool {
    let counts = [-1, 0, 8, 16, 31, 32, 33, 63, 64, 65, 255, 65535];
    let limits = [i64::from(i32::MIN), i32::MAX.into(), i64::MIN, i64::MAX, u32::MAX.into(), 1 << 32];
    let is_float_edge = |value: f64| value.is_nan() || value.is_infinite() || value == 0.0;
    match value {
        Value::F32(value) => is_float_edge((*value).into()),
        Value::F64(value) => is_float_edge(*value),
        Value::Ref(None) => true,
        other => {
            let value = other.bits() as i64;
            counts.contains(&value) || limits.contains(&value) || i32::try_from(value).is_err()
        }
    }
}
