//! The instruction set of bytecode 17.0, one row an instruction.
//!
//! A row: opcode, variant, mnemonic, operands in encoding order, text form, ways to fail, effect.
//! The operands are in the notation of [`Kind`](super::Kind); a closing `.` marks a terminator. The text form
//! names operands by position (`$0`); empty means "all that are not results, in order"; ` || ` separates forms:
//! the first is printed, all are read. Results that the form does not name stand left of the `=`.
//!
//! Everything that knows the instruction set is made from these rows: [`Op`], decoding, encoding, the verifier's
//! operand rules, assembler, disassembler and `docs/isa.md`.
//!
//! # Invariants
//! - I1: the rows of a page are in the order of their opcodes, without gaps, from 0.

use super::{Fail, Info, Kinds, Page};

macro_rules! instructions {
    ($($page:ident { $($opcode:literal $variant:ident $mnemonic:literal $kinds:literal $form:literal
        [$($fail:ident)*] $effect:literal;)* })*) => {
        /// An instruction of bytecode 17.0. The number is the row of the table, not the opcode.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        #[allow(missing_docs, reason = "each row has its own description: Info::effect and docs/isa.md")]
        pub enum Op { $($($variant,)*)* }

        /// The rows, indexed by `Op as usize`.
        pub(super) static TABLE: [Info; Op::COUNT] = [$($(Info {
            op: Op::$variant,
            page: instructions!(@page $page),
            opcode: $opcode,
            mnemonic: $mnemonic,
            kinds: const { Kinds::parse($kinds) },
            notation: $kinds,
            form: $form,
            fails: &[$(Fail::$fail),*],
            effect: $effect,
        },)*)*];

        impl Op {
            /// Every instruction, in the order of the table.
            pub const ALL: &[Op] = &[$($(Op::$variant),*),*];

            /// Their names in this program.
            pub(crate) const NAMES: [&str; Op::COUNT] = [$($(stringify!($variant)),*),*];
        }
    };
    (@page core) => { Page::Core };
    (@page f32) => { Page::F32 };
    (@page f64) => { Page::F64 };
}

impl Op {
    /// How many instructions there are, the block marker included.
    pub const COUNT: usize = Op::ALL.len();
}

instructions! {
    core {
    0x00 GlobalLoadI32 "global.load.i32" "G4 >i" "$0" [] "result = globals[G]";
    0x01 GlobalStoreI32 "global.store.i32" "G4 i" "$1, $0" [] "globals[G] = value";
    0x02 GlobalLoadIndirectI32 "global.load.indirect.i32" "i >i" "$0 || .rwdata[$0]" [Range] "result = globals[offset as u32]";
    0x03 GlobalStoreIndirectI32 "global.store.indirect.i32" "i i" "$0, $1 || $1, .rwdata[$0]" [Range] "globals[offset as u32] = value; the offset comes first";
    0x04 GlobalLoadI64 "global.load.i64" "G8 >I" "$0" [] "result = globals[G]";
    0x05 GlobalStoreI64 "global.store.i64" "G8 I" "$1, $0" [] "globals[G] = value";
    0x06 GlobalLoadIndirectI64 "global.load.indirect.i64" "i >I" "$0 || .rwdata[$0]" [Range] "result = globals[offset as u32]";
    0x07 GlobalStoreIndirectI64 "global.store.indirect.i64" "i I" "$0, $1 || $1, .rwdata[$0]" [Range] "globals[offset as u32] = value; the offset comes first";
    0x08 GlobalLoadRef "global.load.ref" "Gr T >r*" "$0 : $1" [Ref] "result = checked copy of ref_globals[G]; a MOVE bit on the result takes it out";
    0x09 GlobalStoreRef "global.store.ref" "Gr T r*" "$2, $0 : $1" [Ref] "ref_globals[G] = checked copy or move of the value";
    0x0A GlobalLoadIndirectRef "global.load.indirect.ref" "i T >r*" "$0 : $1 || .refs[$0] : $1" [Range Ref] "as global.load.ref, the ordinal from a register";
    0x0B GlobalStoreIndirectRef "global.store.indirect.ref" "i T r*" "$0 : $1, $2 || $2, .refs[$0] : $1" [Range Ref] "as global.store.ref, the ordinal from a register";
    0x0C ConstI32Zero "const.i32.zero" ">i" "" [] "result = 0";
    0x0D ConstI32 "const.i32" "#i32 >i" "" [] "result = immediate";
    0x0E ConstI64Zero "const.i64.zero" ">I" "" [] "result = 0";
    0x0F ConstI64 "const.i64" "#i64 >I" "" [] "result = immediate";
    0x10 ConstRefZero "const.ref.zero" ">r" "" [] "result = null";
    0x11 ConstRefRodata "const.ref.rodata" "D >r" "" [] "result = the module's one read-only buffer of segment D";
    0x12 ListAlloc "list.alloc" "T i >r" "$1 : !vm.list<$0>" [Memory] "result = new empty list of ELEMENT type T with this capacity (u32)";
    0x13 ListReserve "list.reserve" "r i" "" [Ref Memory] "ensure capacity >= u32 register";
    0x14 ListSize "list.size" "r >i" "" [Ref] "result = element count";
    0x15 ListResize "list.resize" "r i" "" [Ref Memory] "set count to u32 register; new elements zero/null; dropped refs released";
    0x16 ListGetI32 "list.get.i32" "r i >i" "" [Ref Range State] "list, index(u32); value converted to op type";
    0x17 ListSetI32 "list.set.i32" "r i i" "" [Ref Range State] "list, index(u32), value";
    0x18 ListGetI64 "list.get.i64" "r i >I" "" [Ref Range State] "list, index(u32); value converted to op type";
    0x19 ListSetI64 "list.set.i64" "r i I" "" [Ref Range State] "list, index(u32), value";
    0x1A ListGetRef "list.get.ref" "r i T >r*" "$0, $1 : $2" [Ref Range State] "result = list[index], or null if its type is not T; a MOVE bit on the result takes it out";
    0x1B ListSetRef "list.set.ref" "r i r*" "" [Ref Range State] "list[index] = copy or move of the value";
    0x1C SelectI32 "select.i32" "i i i >i" "$0 ? $1 : $2" [] "result = cond!=0 ? a : b";
    0x1D SelectI64 "select.i64" "i I I >I" "$0 ? $1 : $2" [] "result = cond!=0 ? a : b";
    0x1E SelectRef "select.ref" "i T r* r* >r" "$0 ? $2 : $3 -> $1" [Ref] "result = checked copy or move of the chosen value; an unchosen operand with MOVE is released";
    0x1F SwitchI32 "switch.i32" "i i Li >i" "$0[$2] else $1" [] "result = 0 <= index < count ? list[index] : default";
    0x20 SwitchI64 "switch.i64" "i I LI >I" "$0[$2] else $1" [] "as switch.i32, all 64 bits of the chosen value";
    0x21 SwitchRef "switch.ref" "i T r* Lr >r" "$0[$3] else $2 -> $1" [Ref] "as switch.i32, checked copy or move; only the chosen entry's MOVE counts";
    0x22 AddI32 "add.i32" "i i >i" "" [] "wrapping a + b";
    0x23 SubI32 "sub.i32" "i i >i" "" [] "wrapping a - b";
    0x24 MulI32 "mul.i32" "i i >i" "" [] "wrapping a * b";
    0x25 DivI32S "div.i32.s" "i i >i" "" [Zero] "truncating signed division; MIN / -1 wraps";
    0x26 DivI32U "div.i32.u" "i i >i" "" [Zero] "unsigned division";
    0x27 RemI32S "rem.i32.s" "i i >i" "" [Zero] "signed remainder, sign of the dividend; MIN rem -1 is 0";
    0x28 RemI32U "rem.i32.u" "i i >i" "" [Zero] "unsigned remainder";
    0x29 FmaI32 "fma.i32" "i i i >i" "" [] "wrapping a * b + c";
    0x2A AddI64 "add.i64" "I I >I" "" [] "wrapping a + b";
    0x2B SubI64 "sub.i64" "I I >I" "" [] "wrapping a - b";
    0x2C MulI64 "mul.i64" "I I >I" "" [] "wrapping a * b";
    0x2D DivI64S "div.i64.s" "I I >I" "" [Zero] "truncating signed division; MIN / -1 wraps";
    0x2E DivI64U "div.i64.u" "I I >I" "" [Zero] "unsigned division";
    0x2F RemI64S "rem.i64.s" "I I >I" "" [Zero] "signed remainder, sign of the dividend; MIN rem -1 is 0";
    0x30 RemI64U "rem.i64.u" "I I >I" "" [Zero] "unsigned remainder";
    0x31 FmaI64 "fma.i64" "I I I >I" "" [] "wrapping a * b + c";
    0x32 NotI32 "not.i32" "i >i" "" [] "bitwise not";
    0x33 AndI32 "and.i32" "i i >i" "" [] "bitwise and";
    0x34 OrI32 "or.i32" "i i >i" "" [] "bitwise or";
    0x35 XorI32 "xor.i32" "i i >i" "" [] "bitwise xor";
    0x36 NotI64 "not.i64" "I >I" "" [] "bitwise not";
    0x37 AndI64 "and.i64" "I I >I" "" [] "bitwise and";
    0x38 OrI64 "or.i64" "I I >I" "" [] "bitwise or";
    0x39 XorI64 "xor.i64" "I I >I" "" [] "bitwise xor";
    0x3A ShlI32 "shl.i32" "i i >i" "" [] "left shift by (amount & 31); amount is an i32 register";
    0x3B ShrI32S "shr.i32.s" "i i >i" "" [] "arithmetic right shift by (amount & 31)";
    0x3C ShrI32U "shr.i32.u" "i i >i" "" [] "logical right shift by (amount & 31)";
    0x3D ShlI64 "shl.i64" "I i >I" "" [] "left shift by (amount & 63); amount is an i32 register";
    0x3E ShrI64S "shr.i64.s" "I i >I" "" [] "arithmetic right shift by (amount & 63)";
    0x3F ShrI64U "shr.i64.u" "I i >I" "" [] "logical right shift by (amount & 63)";
    0x40 TruncI32I8 "trunc.i32.i8" "i >i" "" [] "result = zero-extended low 8 bits (x & 0xFF)";
    0x41 TruncI32I16 "trunc.i32.i16" "i >i" "" [] "result = zero-extended low 16 bits";
    0x42 TruncI64I32 "trunc.i64.i32" "I >i" "" [] "low 32 bits";
    0x43 ExtI8I32S "ext.i8.i32.s" "i >i" "" [] "sign-extend low 8 bits";
    0x44 ExtI8I32U "ext.i8.i32.u" "i >i" "" [] "zero-extend low 8 bits";
    0x45 ExtI16I32S "ext.i16.i32.s" "i >i" "" [] "sign-extend low 16 bits";
    0x46 ExtI16I32U "ext.i16.i32.u" "i >i" "" [] "zero-extend low 16 bits";
    0x47 ExtI32I64S "ext.i32.i64.s" "i >I" "" [] "sign-extend";
    0x48 ExtI32I64U "ext.i32.i64.u" "i >I" "" [] "zero-extend";
    0x49 CmpEqI32 "cmp.eq.i32" "i i >i" "" [] "a == b";
    0x4A CmpNeI32 "cmp.ne.i32" "i i >i" "" [] "a != b";
    0x4B CmpLtI32S "cmp.lt.i32.s" "i i >i" "" [] "signed <";
    0x4C CmpLtI32U "cmp.lt.i32.u" "i i >i" "" [] "unsigned <";
    0x4D CmpNzI32 "cmp.nz.i32" "i >i" "" [] "operand != 0";
    0x4E CmpEqI64 "cmp.eq.i64" "I I >i" "" [] "a == b";
    0x4F CmpNeI64 "cmp.ne.i64" "I I >i" "" [] "a != b";
    0x50 CmpLtI64S "cmp.lt.i64.s" "I I >i" "" [] "signed <";
    0x51 CmpLtI64U "cmp.lt.i64.u" "I I >i" "" [] "unsigned <";
    0x52 CmpNzI64 "cmp.nz.i64" "I >i" "" [] "operand != 0";
    0x53 CmpEqRef "cmp.eq.ref" "r r >i" "" [] "1 if same object pointer AND same type word (two nulls equal)";
    0x54 CmpNeRef "cmp.ne.ref" "r r >i" "" [] "negation of cmp.eq.ref";
    0x55 CmpNzRef "cmp.nz.ref" "r >i" "" [] "1 if object pointer non-null";
    0x56 Br "br" "B M ." "$0$1" [] "remap, go on at B + 1";
    0x57 CondBr "cond_br" "i B M B M ." "$0, $1$2, $3$4" [] "condition != 0 ? first target : second target";
    0x58 Call "call" "Fn L >L" "$0($1)" [Callee] "call Fn with the operands, put its results into the result registers";
    0x59 CallVariadic "call.variadic" "Fi Ls L >L" "$0 segments[$1]($2)" [Callee] "as call; segment sizes say how often each repeated parameter group occurs";
    0x5A Return "return" "L ." "" [] "leave the function with these results";
    0x5B Fail "fail" "i S ." "" [Status] "leave the function with this status and message";
    0x5C ImportResolved "import.resolved" "Fi >i" "" [] "1 if the import is bound, else 0";
    0x5D Yield "yield" "B M ." "$0$1" [] "remap, suspend, go on at B + 1";
    0x5E Trace "trace" "S L" "$0, $1 || $0($1)" [] "no effect but the release of refs with MOVE";
    0x5F Print "print" "S L" "$0, $1 || $0($1)" [] "as trace";
    0x60 CondBreak "cond_break" "i B M ." "$0, $1$2" [] "remap, go on at B + 1 (the condition is ignored)";
    0x61 Break "break" "B M ." "$0$1" [] "remap, go on at the marker B";
    0x62 BufferLoadI8U "buffer.load.i8.u" "r I >i" "" [Ref Range] "buffer, ELEMENT offset; 1 byte zero-extended";
    0x63 BufferLoadI8S "buffer.load.i8.s" "r I >i" "" [Ref Range] "buffer, ELEMENT offset; 1 byte sign-extended";
    0x64 BufferLoadI16U "buffer.load.i16.u" "r I >i" "" [Ref Range] "buffer, ELEMENT offset; 2 bytes zero-extended";
    0x65 BufferLoadI16S "buffer.load.i16.s" "r I >i" "" [Ref Range] "buffer, ELEMENT offset; 2 bytes sign-extended";
    0x66 BufferLoadI32 "buffer.load.i32" "r I >i" "" [Ref Range] "buffer, ELEMENT offset; 4 bytes";
    0x67 BufferLoadI64 "buffer.load.i64" "r I >I" "" [Ref Range] "buffer, ELEMENT offset; 8 bytes";
    0x68 BufferStoreI8 "buffer.store.i8" "r I i" "$2, $0, $1" [Ref Range Permission] "buffer, ELEMENT offset, value; writes low byte";
    0x69 BufferStoreI16 "buffer.store.i16" "r I i" "$2, $0, $1" [Ref Range Permission] "buffer, ELEMENT offset, value; writes low 2 bytes";
    0x6A BufferStoreI32 "buffer.store.i32" "r I i" "$2, $0, $1" [Ref Range Permission] "buffer, ELEMENT offset, value; writes low 4 bytes";
    0x6B BufferStoreI64 "buffer.store.i64" "r I I" "$2, $0, $1" [Ref Range Permission] "buffer, ELEMENT offset, value; writes low 8 bytes";
    0x6C BufferAlloc "buffer.alloc" "I i >r" "" [Memory Argument] "result = new zeroed mutable buffer: byte length, alignment";
    0x6D BufferClone "buffer.clone" "r I I i >r" "" [Memory Argument Ref Range] "result = new mutable copy: source, byte offset, byte length, alignment";
    0x6E BufferLength "buffer.length" "r >I" "" [Ref] "length in bytes";
    0x6F BufferCopy "buffer.copy" "r I r I I" "" [Ref Range Permission] "source, src byte off, target, dst byte off, byte length";
    0x70 BufferCompare "buffer.compare" "r I r I I >i" "" [Ref Range] "lhs, lhs off, rhs, rhs off, byte length; 1 if equal";
    0x71 BufferFillI8 "buffer.fill.i8" "r I I i" "" [Ref Range Permission] "buffer, ELEMENT offset, ELEMENT count, value (1-byte elements)";
    0x72 BufferFillI16 "buffer.fill.i16" "r I I i" "" [Ref Range Permission] "buffer, ELEMENT offset, ELEMENT count, value (2-byte elements)";
    0x73 BufferFillI32 "buffer.fill.i32" "r I I i" "" [Ref Range Permission] "buffer, ELEMENT offset, ELEMENT count, value (4-byte elements)";
    0x74 BufferFillI64 "buffer.fill.i64" "r I I I" "" [Ref Range Permission] "buffer, ELEMENT offset, ELEMENT count, value (8-byte elements)";
    0x75 CtlzI32 "ctlz.i32" "i >i" "" [] "leading zeros; ctlz(0) = 32";
    0x76 CtlzI64 "ctlz.i64" "I >I" "" [] "leading zeros; ctlz(0) = 64";
    0x77 AbsI32 "abs.i32" "i >i" "" [] "absolute value; abs(MIN) = MIN";
    0x78 AbsI64 "abs.i64" "I >I" "" [] "absolute value; abs(MIN) = MIN";
    0x79 Block "block" "" "" [] "block marker: where branches land; no effect";
    0x7A MinI32S "min.i32.s" "i i >i" "" [] "signed min";
    0x7B MinI32U "min.i32.u" "i i >i" "" [] "unsigned min";
    0x7C MaxI32S "max.i32.s" "i i >i" "" [] "signed max";
    0x7D MaxI32U "max.i32.u" "i i >i" "" [] "unsigned max";
    0x7E MinI64S "min.i64.s" "I I >I" "" [] "signed min";
    0x7F MinI64U "min.i64.u" "I I >I" "" [] "unsigned min";
    0x80 MaxI64S "max.i64.s" "I I >I" "" [] "signed max";
    0x81 MaxI64U "max.i64.u" "I I >I" "" [] "unsigned max";
    0x82 CastAnyRef "cast.any.ref" "r* T >r" "$0 : !vm.ref<?> -> $1" [Ref] "result = checked copy or move; null passes";
    0x83 BrTable "br_table" "i B M C ." "$0 { default: $1$2$3 }" [] "0 <= index < count ? case[index] : default";
    0x84 BufferHash "buffer.hash" "r I I >I" "" [Ref Range] "SipHash-2-4 of the byte range: buffer, byte offset, byte length";
    0x85 DiscardRefs "discard.refs" "Ld" "" [] "release each listed ref";
    0x86 AssignRef "assign.ref" "r* >r" "" [] "result = copy or move, no type check";
    0x87 CallYieldable "call.yieldable" "Fn L B >L ." "$0($1) -> $2($3)" [Callee] "as call; may suspend; goes on at B + 1";
    0x88 CallVariadicYieldable "call.variadic.yieldable" "Fi Ls L B >L ." "$0 segments[$1]($2) -> $3($4)" [Callee] "as call.variadic; may suspend; goes on at B + 1";
    }
    f32 {
    0x00 GlobalLoadF32 "global.load.f32" "G4 >f" "$0" [] "result = globals[G]";
    0x01 GlobalStoreF32 "global.store.f32" "G4 f" "$1, $0" [] "globals[G] = value";
    0x02 GlobalLoadIndirectF32 "global.load.indirect.f32" "i >f" "$0 || .rwdata[$0]" [Range] "result = globals[offset as u32]";
    0x03 GlobalStoreIndirectF32 "global.store.indirect.f32" "i f" "$0, $1 || $1, .rwdata[$0]" [Range] "globals[offset as u32] = value; the offset comes first";
    0x04 ConstF32Zero "const.f32.zero" ">f" "" [] "result = 0";
    0x05 ConstF32 "const.f32" "#f32 >f" "" [] "result = immediate bits";
    0x06 ListGetF32 "list.get.f32" "r i >f" "" [Ref Range State] "list, index(u32); value converted to op type";
    0x07 ListSetF32 "list.set.f32" "r i f" "" [Ref Range State] "list, index(u32), value";
    0x08 SelectF32 "select.f32" "i f f >f" "$0 ? $1 : $2" [] "result = cond!=0 ? a : b";
    0x09 SwitchF32 "switch.f32" "i f Lf >f" "$0[$2] else $1" [] "as switch.i32";
    0x0A AddF32 "add.f32" "f f >f" "" [] "IEEE a + b";
    0x0B SubF32 "sub.f32" "f f >f" "" [] "IEEE a - b";
    0x0C MulF32 "mul.f32" "f f >f" "" [] "IEEE a * b";
    0x0D DivF32 "div.f32" "f f >f" "" [] "IEEE a / b";
    0x0E RemF32 "rem.f32" "f f >f" "" [] "IEEE remainder (quotient rounded to nearest even), not fmod";
    0x0F FmaF32 "fma.f32" "f f f >f" "" [] "a * b + c";
    0x10 AbsF32 "abs.f32" "f >f" "" [] "clear sign";
    0x11 NegF32 "neg.f32" "f >f" "" [] "flip sign";
    0x12 CeilF32 "ceil.f32" "f >f" "" [] "toward +inf";
    0x13 FloorF32 "floor.f32" "f >f" "" [] "toward -inf";
    0x14 CastSi32F32 "cast.si32.f32" "i >f" "" [] "int -> float, nearest-even";
    0x15 CastUi32F32 "cast.ui32.f32" "i >f" "" [] "int -> float, nearest-even";
    0x16 CastF32Si32 "cast.f32.si32" "f >i" "" [] "round half away to 64 bits, keep the low 32";
    0x17 CastF32Ui32 "cast.f32.ui32" "f >i" "" [] "round half away to 64 bits, keep the low 32";
    0x18 BitcastI32F32 "bitcast.i32.f32" "i >f" "" [] "same bits";
    0x19 BitcastF32I32 "bitcast.f32.i32" "f >i" "" [] "same bits";
    0x1A AtanF32 "atan.f32" "f >f" "" [] "atan(a)";
    0x1B Atan2F32 "atan2.f32" "f f >f" "" [] "atan2(a, b)";
    0x1C CosF32 "cos.f32" "f >f" "" [] "cos(a)";
    0x1D SinF32 "sin.f32" "f >f" "" [] "sin(a)";
    0x1E ExpF32 "exp.f32" "f >f" "" [] "exp(a)";
    0x1F Exp2F32 "exp2.f32" "f >f" "" [] "exp2(a)";
    0x20 Expm1F32 "expm1.f32" "f >f" "" [] "expm1(a)";
    0x21 LogF32 "log.f32" "f >f" "" [] "log(a)";
    0x22 Log10F32 "log10.f32" "f >f" "" [] "log10(a)";
    0x23 Log1pF32 "log1p.f32" "f >f" "" [] "log1p(a)";
    0x24 Log2F32 "log2.f32" "f >f" "" [] "log2(a)";
    0x25 PowF32 "pow.f32" "f f >f" "" [] "pow(a, b)";
    0x26 RsqrtF32 "rsqrt.f32" "f >f" "" [] "1/sqrt(x), two roundings";
    0x27 SqrtF32 "sqrt.f32" "f >f" "" [] "square root";
    0x28 TanhF32 "tanh.f32" "f >f" "" [] "tanh(a)";
    0x29 ErfF32 "erf.f32" "f >f" "" [] "erf(a)";
    0x2A CmpEqF32O "cmp.eq.f32.o" "f f >i" "" [] "a==b (NaN -> 0)";
    0x2B CmpEqF32U "cmp.eq.f32.u" "f f >i" "" [] "a==b or either NaN";
    0x2C CmpNeF32O "cmp.ne.f32.o" "f f >i" "" [] "a != b; 1 when a NaN is present";
    0x2D CmpNeF32U "cmp.ne.f32.u" "f f >i" "" [] "a!=b or either NaN";
    0x2E CmpLtF32O "cmp.lt.f32.o" "f f >i" "" [] "a<b";
    0x2F CmpLtF32U "cmp.lt.f32.u" "f f >i" "" [] "a<b or either NaN";
    0x30 CmpLteF32O "cmp.lte.f32.o" "f f >i" "" [] "a<=b";
    0x31 CmpLteF32U "cmp.lte.f32.u" "f f >i" "" [] "a<=b or either NaN";
    0x32 CmpNanF32 "cmp.nan.f32" "f >i" "" [] "1 if NaN";
    0x33 BufferLoadF32 "buffer.load.f32" "r I >f" "" [Ref Range] "buffer, ELEMENT offset; 4 bytes";
    0x34 BufferStoreF32 "buffer.store.f32" "r I f" "$2, $0, $1" [Ref Range Permission] "buffer, ELEMENT offset, value; writes low 4 bytes";
    0x35 BufferFillF32 "buffer.fill.f32" "r I I f" "" [Ref Range Permission] "buffer, ELEMENT offset, ELEMENT count, value (4-byte elements)";
    0x36 RoundF32 "round.f32" "f >f" "" [] "half away from zero";
    0x37 MinF32 "min.f32" "f f >f" "" [] "right < left ? right : left (NaN or tie -> left)";
    0x38 MaxF32 "max.f32" "f f >f" "" [] "left < right ? right : left (NaN or tie -> left)";
    0x39 RoundF32Even "round.f32.even" "f >f" "" [] "half to even; -0.5 gives +0";
    0x3A CastF32Si64 "cast.f32.si64" "f >I" "" [] "round half away from zero";
    0x3B CastF32Ui64 "cast.f32.ui64" "f >I" "" [] "round half away from zero";
    0x3C CastSi64F32 "cast.si64.f32" "I >f" "" [] "int -> float, nearest-even";
    0x3D CastUi64F32 "cast.ui64.f32" "I >f" "" [] "int -> float, nearest-even";
    }
    f64 {
    0x00 GlobalLoadF64 "global.load.f64" "G8 >F" "$0" [] "result = globals[G]";
    0x01 GlobalStoreF64 "global.store.f64" "G8 F" "$1, $0" [] "globals[G] = value";
    0x02 GlobalLoadIndirectF64 "global.load.indirect.f64" "i >F" "$0 || .rwdata[$0]" [Range] "result = globals[offset as u32]";
    0x03 GlobalStoreIndirectF64 "global.store.indirect.f64" "i F" "$0, $1 || $1, .rwdata[$0]" [Range] "globals[offset as u32] = value; the offset comes first";
    0x04 ConstF64Zero "const.f64.zero" ">F" "" [] "result = 0";
    0x05 ConstF64 "const.f64" "#f64 >F" "" [] "result = immediate bits";
    0x06 ListGetF64 "list.get.f64" "r i >F" "" [Ref Range State] "list, index(u32); value converted to op type";
    0x07 ListSetF64 "list.set.f64" "r i F" "" [Ref Range State] "list, index(u32), value";
    0x08 SelectF64 "select.f64" "i F F >F" "$0 ? $1 : $2" [] "result = cond!=0 ? a : b";
    0x09 SwitchF64 "switch.f64" "i F LF >F" "$0[$2] else $1" [] "as switch.i32";
    0x0A AddF64 "add.f64" "F F >F" "" [] "IEEE a + b";
    0x0B SubF64 "sub.f64" "F F >F" "" [] "IEEE a - b";
    0x0C MulF64 "mul.f64" "F F >F" "" [] "IEEE a * b";
    0x0D DivF64 "div.f64" "F F >F" "" [] "IEEE a / b";
    0x0E RemF64 "rem.f64" "F F >F" "" [] "IEEE remainder (quotient rounded to nearest even), not fmod";
    0x0F FmaF64 "fma.f64" "F F F >F" "" [] "a * b + c";
    0x10 AbsF64 "abs.f64" "F >F" "" [] "clear sign";
    0x11 NegF64 "neg.f64" "F >F" "" [] "flip sign";
    0x12 CeilF64 "ceil.f64" "F >F" "" [] "toward +inf";
    0x13 FloorF64 "floor.f64" "F >F" "" [] "toward -inf";
    0x14 TruncF64F32 "trunc.f64.f32" "F >f" "" [] "f64 -> f32 nearest-even";
    0x15 ExtF32F64 "ext.f32.f64" "f >F" "" [] "f32 -> f64 exact";
    0x16 CastSi32F64 "cast.si32.f64" "i >F" "" [] "int -> float, nearest-even";
    0x17 CastUi32F64 "cast.ui32.f64" "i >F" "" [] "int -> float, nearest-even";
    0x18 CastF64Si32 "cast.f64.si32" "F >i" "" [] "narrowed to f32 first, then as cast.f32.si32";
    0x19 CastF64Ui32 "cast.f64.ui32" "F >i" "" [] "narrowed to f32 first, then as cast.f32.ui32";
    0x1A CastSi64F64 "cast.si64.f64" "I >F" "" [] "int -> float, nearest-even";
    0x1B CastUi64F64 "cast.ui64.f64" "I >F" "" [] "int -> float, nearest-even";
    0x1C CastF64Si64 "cast.f64.si64" "F >I" "" [] "round half away from zero";
    0x1D CastF64Ui64 "cast.f64.ui64" "F >I" "" [] "round half away from zero";
    0x1E BitcastI64F64 "bitcast.i64.f64" "I >F" "" [] "same bits";
    0x1F BitcastF64I64 "bitcast.f64.i64" "F >I" "" [] "same bits";
    0x20 AtanF64 "atan.f64" "F >F" "" [] "atan(a)";
    0x21 Atan2F64 "atan2.f64" "F F >F" "" [] "atan2(a, b)";
    0x22 CosF64 "cos.f64" "F >F" "" [] "cos(a)";
    0x23 SinF64 "sin.f64" "F >F" "" [] "sin(a)";
    0x24 ExpF64 "exp.f64" "F >F" "" [] "exp(a)";
    0x25 Exp2F64 "exp2.f64" "F >F" "" [] "exp2(a)";
    0x26 Expm1F64 "expm1.f64" "F >F" "" [] "expm1(a)";
    0x27 LogF64 "log.f64" "F >F" "" [] "log(a)";
    0x28 Log10F64 "log10.f64" "F >F" "" [] "log10(a)";
    0x29 Log1pF64 "log1p.f64" "F >F" "" [] "log1p(a)";
    0x2A Log2F64 "log2.f64" "F >F" "" [] "log2(a)";
    0x2B PowF64 "pow.f64" "F F >F" "" [] "pow(a, b)";
    0x2C RsqrtF64 "rsqrt.f64" "F >F" "" [] "1/sqrt(x), two roundings";
    0x2D SqrtF64 "sqrt.f64" "F >F" "" [] "square root";
    0x2E TanhF64 "tanh.f64" "F >F" "" [] "tanh(a)";
    0x2F ErfF64 "erf.f64" "F >F" "" [] "erf(a)";
    0x30 CmpEqF64O "cmp.eq.f64.o" "F F >i" "" [] "a==b (NaN -> 0)";
    0x31 CmpEqF64U "cmp.eq.f64.u" "F F >i" "" [] "a==b or either NaN";
    0x32 CmpNeF64O "cmp.ne.f64.o" "F F >i" "" [] "a != b; 1 when a NaN is present";
    0x33 CmpNeF64U "cmp.ne.f64.u" "F F >i" "" [] "a!=b or either NaN";
    0x34 CmpLtF64O "cmp.lt.f64.o" "F F >i" "" [] "a<b";
    0x35 CmpLtF64U "cmp.lt.f64.u" "F F >i" "" [] "a<b or either NaN";
    0x36 CmpLteF64O "cmp.lte.f64.o" "F F >i" "" [] "a<=b";
    0x37 CmpLteF64U "cmp.lte.f64.u" "F F >i" "" [] "a<=b or either NaN";
    0x38 CmpNanF64 "cmp.nan.f64" "F >i" "" [] "1 if NaN";
    0x39 BufferLoadF64 "buffer.load.f64" "r I >F" "" [Ref Range] "buffer, ELEMENT offset; 8 bytes";
    0x3A BufferStoreF64 "buffer.store.f64" "r I F" "$2, $0, $1" [Ref Range Permission] "buffer, ELEMENT offset, value; writes low 8 bytes";
    0x3B BufferFillF64 "buffer.fill.f64" "r I I F" "" [Ref Range Permission] "buffer, ELEMENT offset, ELEMENT count, value (8-byte elements)";
    0x3C RoundF64 "round.f64" "F >F" "" [] "half away from zero";
    0x3D MinF64 "min.f64" "F F >F" "" [] "right < left ? right : left (NaN or tie -> left)";
    0x3E MaxF64 "max.f64" "F F >F" "" [] "left < right ? right : left (NaN or tie -> left)";
    0x3F RoundF64Even "round.f64.even" "F >F" "" [] "half to even; -0.5 gives +0";
    }
}
