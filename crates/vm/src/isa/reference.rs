//! The reference page of the instruction set, written from the table.

use super::{Kind, Op, Page, table::TABLE};
use std::fmt::Write;

const HEAD: &str = "# The instruction set, bytecode 17.0\n\n\
Generated from `crates/vm/src/isa/table.rs`; `RADDLE_BLESS=1 cargo test -p raddle-vm isa` writes it anew.\n\n\
An instruction is its opcode, behind a prefix byte on the f32 (`E0`) and f64 (`E1`) pages, and its operands in the \
order given. Everything is little-endian and unaligned but lists and remaps, which start at an even address counted \
from the start of the function (the pad byte is 0).\n\n## Operands\n\n| token | operand |\n|---|---|\n";

/// The text of `docs/isa.md`.
pub fn reference_page() -> String {
    let mut page = HEAD.to_owned();
    for (kind, token) in Kind::ALL {
        let _ = writeln!(page, "| `{token}` | {} |", describe(*kind));
    }
    page.push_str("| `.` | (last) the instruction is a terminator |\n");
    for (part, title) in [(Page::Core, "Core"), (Page::F32, "F32, prefix E0"), (Page::F64, "F64, prefix E1")]
    {
        let _ = write!(
            page,
            "\n## {title}\n\n| op | mnemonic | operands | text | fails | effect |\n|---|---|---|---|---|---|\n"
        );
        for info in TABLE.iter().filter(|info| info.page == part) {
            let form = info.form.split(" || ").next().unwrap_or("").replace('|', "\\|");
            let fails: Vec<_> = info.fails.iter().map(|fail| format!("{fail:?}")).collect();
            let effect = info.effect.replace('|', "\\|").replace('*', "\\*").replace('<', "&lt;");
            let _ = writeln!(
                page,
                "| {:02X} | `{}` | `{}` | {} | {} | {effect} |",
                info.opcode,
                info.mnemonic,
                info.notation,
                if form.is_empty() { String::new() } else { format!("`{form}`") },
                fails.join(" ")
            );
        }
    }
    let terminators: Vec<_> =
        Op::ALL.iter().filter(|op| op.is_terminator()).map(|op| op.mnemonic()).collect();
    let _ = writeln!(page, "\nTerminators: {}.", terminators.join(", "));
    page
}

fn describe(kind: Kind) -> &'static str {
    use Kind::*;
    match kind {
        I32 => "register, 32-bit integer",
        I64 => "even register of a pair, 64-bit integer",
        F32 => "register, f32",
        F64 => "even register of a pair, f64",
        Ref => "ref register, no MOVE bit",
        RefMove => "ref register, MOVE empties it",
        OutI32 | OutI64 | OutF32 | OutF64 => "result register, as without `>`",
        OutRef => "result ref register, no MOVE bit",
        OutRefTake => "result ref register; MOVE means: take out of the container",
        ImmI32 | ImmF32 => "4 bytes",
        ImmI64 | ImmF64 => "8 bytes",
        Global4 => "u32, byte offset of a 4-byte global",
        Global8 => "u32, byte offset of an 8-byte global",
        GlobalRef => "u32, ordinal of a ref global",
        Rodata => "u32, ordinal of a rodata segment",
        Type => "u32, ordinal of a type of the module",
        Callee => "u32, function ordinal; bit 31: of an import",
        Import => "u32, ordinal of an import with bit 31 set",
        Block => "u32, address of a block marker",
        Remap => "aligned; u16 count; pairs of source and destination, moved one after the other",
        Cases => "u16 count, not aligned; for each case `B M`",
        Values => "aligned; u16 count; registers, MOVE allowed on refs; a 64-bit value is one entry",
        Results => "as `L`, result registers, no MOVE",
        Segments => "as `L`, but u16 counts: how often each repeated parameter group occurs",
        ListI32 | ListI64 | ListF32 | ListF64 => "as `L`, all of this kind",
        ListRef => "as `L`, refs, MOVE allowed",
        Discards => "as `L`, refs, no MOVE bit",
        Text => "u16 byte count, not aligned; bytes",
    }
}
