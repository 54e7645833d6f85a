//! Which processor features the code of a file needs: every instruction is decoded, none is executed.
//!
//! A file does not say for which processor it was compiled, and an instruction that is missing ends the process. So all
//! bytes of all executable segments are decoded at load. A linear sweep is right for what the compilers of these files
//! make: jump tables are in read-only data, padding is made of instructions. The sweep starts anew at every section and at
//! every function that the file names. It finds files of another machine, not code that hides.
//!
//! Not here: what this processor has (`features.rs`); which files were seen before (`cache.rs`).
//!
//! # Known exceptions
//! - `tzcnt` counts as there: older processors run its bytes as `bsf`, and compilers write `rep bsf` in code for any
//!   processor since both give the same for every number but 0.
//! - The landing pads of indirect branches (`endbr64`) and hints count as there: elsewhere they do nothing.

use crate::features::{Features, ROWS, position};
use iced_x86::{Code as Opcode, CpuidFeature, Decoder, DecoderOptions, Instruction};
use raddle_status::{Code, Error};
use std::fmt;

/// Bytes that a message shows of what can't be decoded. Unit: bytes.
const SHOWN_BYTES: usize = 8;
const X86_BITS: u32 = 64;

/// Code at an address of the file.
pub(crate) struct Piece<'a> {
    pub(crate) address: u64,
    pub(crate) bytes: &'a [u8],
}

/// What a file's code needs: each requirement once, with the first instruction that has it.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    list: Vec<Need>,
}

#[derive(Debug)]
struct Need {
    requirement: Requirement,
    address: u64,
    /// The instruction, or the bytes that are none.
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Requirement {
    /// A row of the table of features.
    Feature(usize),
    /// Something that no host is known to have.
    Other(CpuidFeature),
    /// Bytes that are no instruction known to the decoder.
    Unknown,
}

/// Decodes everything.
pub(crate) fn survey(pieces: &[Piece<'_>]) -> Needs {
    let mut needs = Needs::default();
    let mut seen = vec![false; Opcode::values().len()];
    let mut instruction = Instruction::default();
    for piece in pieces {
        let mut decoder = Decoder::with_ip(X86_BITS, piece.bytes, piece.address, DecoderOptions::NONE);
        while decoder.can_decode() {
            decoder.decode_out(&mut instruction);
            if !std::mem::replace(&mut seen[instruction.code() as usize], true) {
                needs.note(&instruction, piece);
            }
        }
    }
    needs
}

impl Needs {
    /// Adds what the instruction needs and nothing before it did.
    fn note(&mut self, instruction: &Instruction, piece: &Piece<'_>) {
        let address = instruction.ip();
        if instruction.is_invalid() {
            let rest = &piece.bytes[(address - piece.address) as usize..];
            let shown = &rest[..rest.len().min(SHOWN_BYTES)];
            return self.add(Requirement::Unknown, address, || format!("{shown:02x?}"));
        }
        if matches!(
            instruction.code(),
            Opcode::Tzcnt_r16_rm16 | Opcode::Tzcnt_r32_rm32 | Opcode::Tzcnt_r64_rm64
        ) {
            return;
        }
        for &feature in instruction.cpuid_features() {
            if let Some(requirement) = requirement(feature) {
                self.add(requirement, address, || format!("{:?}", instruction.mnemonic()).to_lowercase());
            }
        }
    }

    fn add(&mut self, requirement: Requirement, address: u64, text: impl FnOnce() -> String) {
        if self.list.iter().all(|need| need.requirement != requirement) {
            self.list.push(Need { requirement, address, text: text() });
        }
    }

    /// The features, as far as they have names.
    #[cfg(test)]
    pub(crate) fn features(&self) -> Features {
        self.list.iter().fold(Features::BASELINE, |set, need| match need.requirement {
            Requirement::Feature(row) => set.union(Features::of_row(row)),
            _ => set,
        })
    }

    /// Compares with a processor. `kernel` names the function that an address is in.
    ///
    /// # Errors
    /// INCOMPATIBLE, with the first instruction in the file that is missing.
    pub(crate) fn check(
        &self,
        have: Features,
        kernel: impl FnOnce(u64) -> Option<String>,
    ) -> raddle_status::Result {
        let is_missing = |need: &&Need| match need.requirement {
            Requirement::Feature(row) => !have.includes(row),
            Requirement::Other(_) | Requirement::Unknown => true,
        };
        let missing: Vec<&Need> = self.list.iter().filter(is_missing).collect();
        let Some(first) = missing.iter().min_by_key(|need| need.address) else { return Ok(()) };
        let place = match kernel(first.address) {
            Some(name) => format!("kernel {name}, at {:#x}", first.address),
            None => format!("the code at {:#x}", first.address),
        };
        let text = &first.text;
        let message = if first.requirement == Requirement::Unknown {
            format!("{place}: the bytes {text} are no known instruction")
        } else {
            let here = names(missing.iter().filter(|need| need.address == first.address));
            let all = names(missing.iter().filter(|need| need.requirement != Requirement::Unknown));
            let more = if all == here { String::new() } else { format!("; all of the file needs {all}") };
            format!(
                "{place}: '{text}' needs {here}, which this processor lacks{more}: compile for this processor"
            )
        };
        Err(Error::new(Code::Incompatible, format!("{message}, or turn the instruction check off")))
    }
}

/// What they require, in the order of the table.
fn names<'a>(needs: impl Iterator<Item = &'a &'a Need>) -> String {
    let mut list: Vec<&Requirement> = needs.map(|need| &need.requirement).collect();
    list.sort_by_key(|requirement| match requirement {
        Requirement::Feature(row) => *row,
        _ => usize::MAX,
    });
    list.iter().map(|requirement| requirement.to_string()).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Requirement::Feature(row) => f.write_str(ROWS[*row].name),
            Requirement::Other(feature) => write!(f, "{feature:?}"),
            Requirement::Unknown => f.write_str("an unknown instruction"),
        }
    }
}

/// What a feature of the decoder's means here; nothing if every x86-64 processor has it.
fn requirement(feature: CpuidFeature) -> Option<Requirement> {
    use CpuidFeature::*;
    let name = match feature {
        INTEL8086 | INTEL186 | INTEL286 | INTEL386 | INTEL486 | X64 | FPU | FPU287 | FPU387 | CMOV
        | CPUID | CX8 | FXSR | MMX | SSE | SSE2 | MULTIBYTENOP | PAUSE | CLFSH | TSC | SYSCALL | MSR => {
            return None;
        }
        // Hints, and instructions that do nothing where they are not known.
        CET_IBT | PREFETCHW | PREFETCHWT1 | CLDEMOTE | PREFETCHITI | HLE => return None,
        SSE3 => "sse3",
        SSSE3 => "ssse3",
        SSE4_1 => "sse4.1",
        SSE4_2 => "sse4.2",
        SSE4A => "sse4a",
        AVX => "avx",
        FMA => "fma",
        FMA4 => "fma4",
        CpuidFeature::XOP => "xop",
        F16C => "f16c",
        AVX2 => "avx2",
        AVX512F => "avx512f",
        AVX512CD => "avx512cd",
        AVX512VL => "avx512vl",
        AVX512DQ => "avx512dq",
        AVX512BW => "avx512bw",
        AVX512_IFMA => "avx512ifma",
        AVX512_VBMI => "avx512vbmi",
        AVX512_VPOPCNTDQ => "avx512vpopcntdq",
        AVX512_VNNI => "avx512vnni",
        AVX512_VBMI2 => "avx512vbmi2",
        AVX512_BITALG => "avx512bitalg",
        AVX512_BF16 => "avx512bf16",
        AVX512_FP16 => "avx512fp16",
        AVX512_VP2INTERSECT => "avx512vp2intersect",
        AMX_TILE => "amx-tile",
        AMX_INT8 => "amx-int8",
        AMX_BF16 => "amx-bf16",
        AMX_FP16 => "amx-fp16",
        AMX_COMPLEX => "amx-complex",
        AVX_VNNI => "avxvnni",
        AVX_VNNI_INT8 => "avxvnniint8",
        AVX_VNNI_INT16 => "avxvnniint16",
        AVX_IFMA => "avxifma",
        AVX_NE_CONVERT => "avxneconvert",
        POPCNT => "popcnt",
        LZCNT => "lzcnt",
        BMI1 => "bmi",
        BMI2 => "bmi2",
        TBM => "tbm",
        ADX => "adx",
        MOVBE => "movbe",
        CMPXCHG16B => "cx16",
        AES => "aes",
        PCLMULQDQ => "pclmul",
        VAES => "vaes",
        VPCLMULQDQ => "vpclmulqdq",
        GFNI => "gfni",
        SHA => "sha",
        RDRAND => "rdrnd",
        RDSEED => "rdseed",
        RDPID => "rdpid",
        RDTSCP => "rdtscp",
        CLFLUSHOPT => "clflushopt",
        CLWB => "clwb",
        MOVDIRI => "movdiri",
        other => return Some(Requirement::Other(other)),
    };
    position(name).map(Requirement::Feature)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(code: &[u8]) -> Needs {
        survey(&[Piece { address: 0x1000, bytes: code }])
    }

    fn check(code: &[u8], expected: &[&str]) {
        assert_eq!(needs(code).features().names().collect::<Vec<_>>(), expected, "{code:02x?}");
    }

    #[test]
    fn features_are_those_of_the_instructions() {
        check(&[0xC3], &[]);
        // movaps; pause; endbr64; nop word; rep bsf.
        check(&[0x0F, 0x28, 0x00, 0xF3, 0x90, 0xF3, 0x0F, 0x1E, 0xFA, 0x66, 0x90], &[]);
        check(&[0xF3, 0x0F, 0xBC, 0xC0], &[]);
        check(&[0xF3, 0x0F, 0xBD, 0xC0], &["lzcnt"]);
        check(&[0xF3, 0x0F, 0xB8, 0xC0], &["popcnt"]);
        // vaddps xmm; vpaddd ymm; vfmadd213ps; vaddps zmm; vaddps xmm with EVEX; vpdpbusd zmm.
        check(&[0xC5, 0xF0, 0x58, 0xC2], &["avx"]);
        check(&[0xC5, 0xF5, 0xFE, 0xC2], &["avx2"]);
        check(&[0xC4, 0xE2, 0x71, 0xA8, 0xC2], &["fma"]);
        check(&[0x62, 0xF1, 0x74, 0x48, 0x58, 0xC2], &["avx512f"]);
        check(&[0x62, 0xF1, 0x74, 0x08, 0x58, 0xC2], &["avx512f", "avx512vl"]);
        check(&[0x62, 0xF2, 0x75, 0x48, 0x50, 0xC2], &["avx512vnni"]);
    }

    #[test]
    fn every_name_is_a_row() {
        for feature in CpuidFeature::values() {
            if let Some(Requirement::Feature(row)) = requirement(feature) {
                assert!(row < ROWS.len(), "{feature:?}");
            }
        }
        // A name that is no row would make its feature one that everybody has.
        assert!(matches!(requirement(CpuidFeature::MOVDIRI), Some(Requirement::Feature(_))));
        assert!(matches!(requirement(CpuidFeature::VMX), Some(Requirement::Other(_))));
    }

    #[test]
    fn the_first_missing_instruction_is_named() {
        // ret; vaddps xmm; vaddps zmm.
        let code = [0xC3, 0xC5, 0xF0, 0x58, 0xC2, 0x62, 0xF1, 0x74, 0x48, 0x58, 0xC2];
        let needs = needs(&code);
        let message = |have: Features, name: Option<&str>| {
            needs.check(have, |_| name.map(str::to_owned)).map_err(|error| error.to_string())
        };
        let avx = Features::BASELINE.with("avx").unwrap();
        assert_eq!(message(avx.with("avx512f").unwrap(), None), Ok(()));
        let text = message(avx, Some("k")).unwrap_err();
        assert!(text.starts_with("INCOMPATIBLE: kernel k, at 0x1005: 'vaddps' needs avx512f"), "{text}");
        let text = message(Features::BASELINE, None).unwrap_err();
        assert!(
            text.contains("the code at 0x1001: 'vaddps' needs avx, which")
                && text.contains("needs avx, avx512f:"),
            "{text}"
        );
    }

    #[test]
    fn bytes_that_are_no_instruction_are_shown() {
        let error = needs(&[0xC3, 0x06, 0x07]).check(Features::host(), |_| None).unwrap_err();
        assert!(error.message().contains("0x1001: the bytes [06, 07]"), "{error}");
    }
}
