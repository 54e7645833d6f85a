//! What an operand is: the vocabulary of the table's operand column.
//!
//! Not here: the operands of one instruction ([`Operand`](super::Operand)).

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $token:literal;)*) => {
        /// What an operand is and how it is encoded, little-endian and unaligned unless it says otherwise.
        ///
        /// Registers are a u16 each: see [`Reg`](super::Reg).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Kind { $($(#[$doc])* $variant,)* }

        impl Kind {
            /// Every kind with its token in the notation.
            pub const ALL: &[(Kind, &str)] = &[$((Kind::$variant, $token)),*];
        }
    };
}

kinds! {
    /// Register read as a 32-bit integer.
    I32 = "i";
    /// Even register of a pair read as a 64-bit integer.
    I64 = "I";
    /// Register read as the bits of an f32.
    F32 = "f";
    /// Even register of a pair read as the bits of an f64.
    F64 = "F";
    /// Ref register, read only: no MOVE bit.
    Ref = "r";
    /// Ref register that MOVE empties.
    RefMove = "r*";
    /// Result register of a 32-bit integer.
    OutI32 = ">i";
    /// Even result register of a 64-bit integer.
    OutI64 = ">I";
    /// Result register of an f32.
    OutF32 = ">f";
    /// Even result register of an f64.
    OutF64 = ">F";
    /// Result ref register: no MOVE bit.
    OutRef = ">r";
    /// Result ref register on which MOVE means "take out of the container".
    OutRefTake = ">r*";
    /// 32-bit integer.
    ImmI32 = "#i32";
    /// 64-bit integer.
    ImmI64 = "#i64";
    /// Bits of an f32.
    ImmF32 = "#f32";
    /// Bits of an f64.
    ImmF64 = "#f64";
    /// u32: byte offset of a 4-byte global.
    Global4 = "G4";
    /// u32: byte offset of an 8-byte global.
    Global8 = "G8";
    /// u32: ordinal of a ref global.
    GlobalRef = "Gr";
    /// u32: ordinal of a rodata segment.
    Rodata = "D";
    /// u32: ordinal in the module's type table.
    Type = "T";
    /// u32: function ordinal; bit 31 selects the import table.
    Callee = "Fn";
    /// u32: function ordinal of an import; bit 31 is set.
    Import = "Fi";
    /// u32: address of a block marker in the function.
    Block = "B";
    /// Branch remap: to an even address; u16 count; pairs of source and destination. MOVE on sources.
    Remap = "M";
    /// u16 count, then for each case a `B` and an `M`.
    Cases = "C";
    /// Operands: to an even address; u16 count; a register each. MOVE on refs.
    Values = "L";
    /// Encoded as `L`: a register for each result, no MOVE.
    Results = ">L";
    /// Encoded as `L`: u16 segment sizes instead of registers.
    Segments = "Ls";
    /// Encoded as `L`: 32-bit integers.
    ListI32 = "Li";
    /// Encoded as `L`: 64-bit integers.
    ListI64 = "LI";
    /// Encoded as `L`: f32s.
    ListF32 = "Lf";
    /// Encoded as `L`: f64s.
    ListF64 = "LF";
    /// Encoded as `L`: refs, MOVE allowed.
    ListRef = "Lr";
    /// Encoded as `L`: refs that are released, no MOVE bit.
    Discards = "Ld";
    /// u16 byte count, then the bytes.
    Text = "S";
}

impl Kind {
    /// The token of this kind in the notation.
    pub fn token(self) -> &'static str {
        Kind::ALL[self as usize].1
    }

    /// Whether the instruction writes the register, or the registers of the list.
    pub const fn is_result(self) -> bool {
        use Kind::*;
        matches!(self, OutI32 | OutI64 | OutF32 | OutF64 | OutRef | OutRefTake | Results)
    }

    /// Whether a register of this kind is the even half of a pair.
    pub const fn is_wide(self) -> bool {
        use Kind::*;
        matches!(self, I64 | F64 | OutI64 | OutF64 | ListI64 | ListF64)
    }

    /// Whether this is a single register.
    pub const fn is_reg(self) -> bool {
        (self as u8) <= Kind::OutRefTake as u8
    }

    /// Whether this is encoded as an aligned list of u16.
    pub const fn is_list(self) -> bool {
        use Kind::*;
        matches!(
            self,
            Values | Results | Segments | ListI32 | ListI64 | ListF32 | ListF64 | ListRef | Discards
        )
    }
}

/// The operand kinds of one instruction, in encoding order.
#[derive(Clone, Copy, Debug)]
pub struct Kinds {
    kinds: [Kind; Kinds::MAX],
    count: u8,
    terminator: bool,
}

impl Kinds {
    /// The most operands of any instruction.
    pub const MAX: usize = 6;

    pub(super) const fn parse(notation: &str) -> Kinds {
        let text = notation.as_bytes();
        let mut parsed = Kinds { kinds: [Kind::I32; Kinds::MAX], count: 0, terminator: false };
        let mut at = 0;
        while at < text.len() {
            let start = at;
            while at < text.len() && text[at] != b' ' {
                at += 1;
            }
            if at - start == 1 && text[start] == b'.' {
                parsed.terminator = true;
            } else {
                parsed.kinds[parsed.count as usize] = Kinds::find(text, start, at);
                parsed.count += 1;
            }
            at += 1;
        }
        parsed
    }

    /// Compile-time search; a wrong token in the table does not compile.
    const fn find(text: &[u8], start: usize, end: usize) -> Kind {
        let mut candidate = 0;
        while candidate < Kind::ALL.len() {
            let token = Kind::ALL[candidate].1.as_bytes();
            let mut same = 0;
            while same < token.len() && start + same < end && token[same] == text[start + same] {
                same += 1;
            }
            if same == token.len() && same == end - start {
                return Kind::ALL[candidate].0;
            }
            candidate += 1;
        }
        panic!("unknown operand token in the instruction table");
    }

    /// The kinds as a slice.
    pub const fn as_slice(&self) -> &[Kind] {
        self.kinds.split_at(self.count as usize).0
    }

    pub(super) const fn is_terminator(&self) -> bool {
        self.terminator
    }
}
