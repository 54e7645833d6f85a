//! From instructions to bytes: the inverse of the decoder, for builders and assemblers.
//!
//! Not here: whether operands make sense together (the verifier decides when the module is loaded).
//!
//! # Invariants
//! - I1: what is written decodes to the same instruction with the same operands.

use super::{Callee, Kind, Op, Reg};
use raddle_status::{Code, Error, Result};

/// What a branch moves: source, destination.
pub type Moves = Vec<(Reg, Reg)>;

/// An operand to encode. Blocks are labels; a label gets its address from [`Encoder::bind`].
#[derive(Clone, Debug)]
pub enum Arg {
    /// A register of any kind.
    Reg(Reg),
    /// The bits of a 32-bit immediate.
    Imm32(u32),
    /// The bits of a 64-bit immediate.
    Imm64(u64),
    /// A global's offset or ordinal, a rodata segment's or a type's ordinal.
    Index(u32),
    /// What is called.
    Callee(Callee),
    /// A label.
    Block(u32),
    /// Registers, or segment sizes as they are.
    List(Vec<Reg>),
    /// Moves: source, destination.
    Remap(Moves),
    /// Labels with the moves on the way there.
    Cases(Vec<(u32, Moves)>),
    /// Bytes of a message or name.
    Text(Vec<u8>),
}

impl From<Reg> for Arg {
    fn from(reg: Reg) -> Arg {
        Arg::Reg(reg)
    }
}

/// Writes the code of one function.
#[derive(Debug, Default)]
pub struct Encoder {
    code: Vec<u8>,
    /// Label to address of its marker.
    labels: Vec<Option<u32>>,
    /// Address of a field and the label whose address goes there.
    fixups: Vec<(usize, u32)>,
    blocks: u32,
    requirements: u32,
}

/// What an [`Encoder`] has written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionCode {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// How many block markers there are.
    pub blocks: u32,
    /// EXT_F32 and EXT_F64 as used.
    pub requirements: u32,
    /// How many value and ref registers there are; `None` for as many as code and arguments use.
    pub registers: Option<(u16, u16)>,
}

impl Encoder {
    /// An empty function.
    pub fn new() -> Encoder {
        Encoder::default()
    }

    /// A new label without an address.
    pub fn label(&mut self) -> u32 {
        self.labels.push(None);
        self.labels.len() as u32 - 1
    }

    /// The address of the next byte.
    pub fn pc(&self) -> u32 {
        self.code.len() as u32
    }

    /// Writes a block marker and, if there is a label, gives it this address.
    ///
    /// # Errors
    /// ALREADY_EXISTS if the label has an address, NOT_FOUND if it is not of this encoder.
    pub fn bind(&mut self, label: Option<u32>) -> Result {
        if let Some(label) = label {
            let pc = self.pc();
            match self.labels.get_mut(label as usize) {
                None => return Err(Error::new(Code::NotFound, format!("there is no label {label}"))),
                Some(Some(_)) => {
                    return Err(Error::new(Code::AlreadyExists, format!("label {label} is bound twice")));
                }
                Some(address) => *address = Some(pc),
            }
        }
        self.blocks += 1;
        self.code.push(Op::Block.info().opcode);
        Ok(())
    }

    /// Writes an instruction with these operands, in encoding order.
    ///
    /// # Errors
    /// INVALID_ARGUMENT if an operand is missing, is of another kind or too long for its count.
    pub fn inst(&mut self, op: Op, args: &[Arg]) -> Result {
        let kinds = op.kinds();
        if kinds.len() != args.len() {
            let (want, got) = (kinds.len(), args.len());
            return Err(invalid(format!("{} takes {want} operands, not {got}", op.mnemonic())));
        }
        self.requirements |= op.info().page.requirement();
        self.code.extend(op.info().page.prefix());
        self.code.push(op.info().opcode);
        for (kind, arg) in kinds.iter().zip(args) {
            self.operand(op, *kind, arg)?;
        }
        Ok(())
    }

    /// The code, with all labels resolved.
    ///
    /// # Errors
    /// NOT_FOUND if a branch names a label without an address, INVALID_ARGUMENT if the code is too large.
    pub fn finish(mut self) -> Result<FunctionCode> {
        for (at, label) in self.fixups {
            let address = self.labels.get(label as usize).copied().flatten();
            let Some(address) = address else {
                return Err(Error::new(
                    Code::NotFound,
                    format!("a branch goes to label {label}, which is nowhere"),
                ));
            };
            self.code[at..at + 4].copy_from_slice(&address.to_le_bytes());
        }
        if self.code.len() >= 0x00FF_FFFF {
            return Err(invalid("a function's code must stay below 0x00FFFFFF bytes".to_owned()));
        }
        Ok(FunctionCode {
            bytes: self.code,
            blocks: self.blocks,
            requirements: self.requirements,
            registers: None,
        })
    }

    fn operand(&mut self, op: Op, kind: Kind, arg: &Arg) -> Result {
        use Kind::*;
        match (kind, arg) {
            (_, Arg::Reg(reg)) if kind.is_reg() => {
                self.u16(reg.0);
            }
            (ImmI32 | ImmF32, Arg::Imm32(bits)) => self.u32(*bits),
            (ImmI64 | ImmF64, Arg::Imm64(bits)) => self.code.extend(bits.to_le_bytes()),
            (Global4 | Global8 | GlobalRef | Rodata | Type, Arg::Index(index)) => self.u32(*index),
            (Callee | Import, Arg::Callee(callee)) => self.u32(callee.bits()),
            (Block, Arg::Block(label)) => self.block(*label),
            (Remap, Arg::Remap(moves)) => self.remap(moves)?,
            (Cases, Arg::Cases(cases)) => {
                self.count(cases.len())?;
                for (label, moves) in cases {
                    self.block(*label);
                    self.remap(moves)?;
                }
            }
            (Text, Arg::Text(bytes)) => {
                self.count(bytes.len())?;
                self.code.extend_from_slice(bytes);
            }
            (_, Arg::List(entries)) if kind.is_list() => {
                self.align();
                self.count(entries.len())?;
                entries.iter().for_each(|entry| self.u16(entry.0));
            }
            _ => {
                let (mnemonic, token) = (op.mnemonic(), kind.token());
                return Err(invalid(format!("{mnemonic} takes an operand '{token}', not {arg:?}")));
            }
        }
        Ok(())
    }

    fn remap(&mut self, moves: &[(Reg, Reg)]) -> Result {
        self.align();
        self.count(moves.len())?;
        for (source, destination) in moves {
            self.u16(source.0);
            self.u16(destination.0);
        }
        Ok(())
    }

    fn block(&mut self, label: u32) {
        self.fixups.push((self.code.len(), label));
        self.u32(0);
    }

    fn align(&mut self) {
        if !self.code.len().is_multiple_of(2) {
            self.code.push(0);
        }
    }

    fn count(&mut self, count: usize) -> Result {
        let count = u16::try_from(count)
            .map_err(|_| invalid(format!("{count} entries are more than a u16 can count")))?;
        self.u16(count);
        Ok(())
    }

    fn u16(&mut self, value: u16) {
        self.code.extend(value.to_le_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.code.extend(value.to_le_bytes());
    }
}

fn invalid(message: String) -> Error {
    Error::new(Code::InvalidArgument, message)
}
