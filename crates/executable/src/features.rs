//! What a processor can do: asked of it, or made up for a test.
//!
//! Names are LLVM's, the ones that compilers take and that programs ask for. A feature counts as there only if the
//! operating system saves the registers that it needs.
//!
//! Not here: which instruction needs which feature (`instructions.rs`).
//!
//! # Sources
//! CPUID in the manuals of Intel (volume 2) and AMD (volume 3, appendix E). Bits of word 0 of the processor data: library
//! interface, version 6.

use raddle_status::{Code, Error, Result};
use std::fmt;

/// Which register of CPUID holds a bit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Register {
    Eax,
    Ebx,
    Ecx,
    Edx,
}

/// What the operating system must have switched on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Gate {
    Open,
    Avx,
    Avx512,
    /// Tile registers: Linux hands them out on request only, and this crate does not ask.
    Shut,
}

/// One feature beyond what every x86-64 processor has.
#[derive(Debug)]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // Nobody can be asked there.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    leaf: u32,
    subleaf: u32,
    register: Register,
    bit: u32,
    gate: Gate,
    /// Bit of word 0 of the processor data.
    processor_bit: Option<u32>,
}

const fn row(name: &'static str, leaf: u32, subleaf: u32, register: Register, bit: u32) -> Row {
    Row { name, leaf, subleaf, register, bit, gate: Gate::Open, processor_bit: None }
}

impl Row {
    const fn gate(mut self, gate: Gate) -> Row {
        self.gate = gate;
        self
    }

    const fn word(mut self, bit: u32) -> Row {
        self.processor_bit = Some(bit);
        self
    }
}

use Gate::{Avx, Avx512, Shut};
use Register::{Eax, Ebx, Ecx, Edx};

/// All that are told apart. The position is the feature's bit in [`Features`].
pub(crate) const ROWS: [Row; 56] = [
    row("sse3", 1, 0, Ecx, 0).word(0),
    row("ssse3", 1, 0, Ecx, 9).word(1),
    row("sse4.1", 1, 0, Ecx, 19).word(2),
    row("sse4.2", 1, 0, Ecx, 20).word(3),
    row("sse4a", 0x8000_0001, 0, Ecx, 6).word(4),
    row("avx", 1, 0, Ecx, 28).gate(Avx).word(10),
    row("fma", 1, 0, Ecx, 12).gate(Avx).word(11),
    row("fma4", 0x8000_0001, 0, Ecx, 16).gate(Avx).word(12),
    row("xop", 0x8000_0001, 0, Ecx, 11).gate(Avx).word(13),
    row("f16c", 1, 0, Ecx, 29).gate(Avx).word(14),
    row("avx2", 7, 0, Ebx, 5).gate(Avx).word(15),
    row("avx512f", 7, 0, Ebx, 16).gate(Avx512).word(20),
    row("avx512cd", 7, 0, Ebx, 28).gate(Avx512).word(21),
    row("avx512vl", 7, 0, Ebx, 31).gate(Avx512).word(22),
    row("avx512dq", 7, 0, Ebx, 17).gate(Avx512).word(23),
    row("avx512bw", 7, 0, Ebx, 30).gate(Avx512).word(24),
    row("avx512ifma", 7, 0, Ebx, 21).gate(Avx512).word(25),
    row("avx512vbmi", 7, 0, Ecx, 1).gate(Avx512).word(26),
    row("avx512vpopcntdq", 7, 0, Ecx, 14).gate(Avx512).word(27),
    row("avx512vnni", 7, 0, Ecx, 11).gate(Avx512).word(28),
    row("avx512vbmi2", 7, 0, Ecx, 6).gate(Avx512).word(29),
    row("avx512bitalg", 7, 0, Ecx, 12).gate(Avx512).word(30),
    row("avx512bf16", 7, 1, Eax, 5).gate(Avx512).word(31),
    row("avx512fp16", 7, 0, Edx, 23).gate(Avx512).word(32),
    row("avx512vp2intersect", 7, 0, Edx, 8).gate(Avx512),
    row("amx-tile", 7, 0, Edx, 24).gate(Shut).word(50),
    row("amx-int8", 7, 0, Edx, 25).gate(Shut).word(51),
    row("amx-bf16", 7, 0, Edx, 22).gate(Shut).word(52),
    row("amx-fp16", 7, 1, Eax, 21).gate(Shut),
    row("amx-complex", 7, 1, Edx, 8).gate(Shut),
    row("avxvnni", 7, 1, Eax, 4).gate(Avx),
    row("avxvnniint8", 7, 1, Edx, 4).gate(Avx),
    row("avxvnniint16", 7, 1, Edx, 10).gate(Avx),
    row("avxifma", 7, 1, Eax, 23).gate(Avx),
    row("avxneconvert", 7, 1, Edx, 5).gate(Avx),
    row("popcnt", 1, 0, Ecx, 23),
    row("lzcnt", 0x8000_0001, 0, Ecx, 5),
    row("bmi", 7, 0, Ebx, 3),
    row("bmi2", 7, 0, Ebx, 8),
    row("tbm", 0x8000_0001, 0, Ecx, 21),
    row("adx", 7, 0, Ebx, 19),
    row("movbe", 1, 0, Ecx, 22),
    row("cx16", 1, 0, Ecx, 13),
    row("aes", 1, 0, Ecx, 25),
    row("pclmul", 1, 0, Ecx, 1),
    row("vaes", 7, 0, Ecx, 9).gate(Avx),
    row("vpclmulqdq", 7, 0, Ecx, 10).gate(Avx),
    row("gfni", 7, 0, Ecx, 8),
    row("sha", 7, 0, Ebx, 29),
    row("rdrnd", 1, 0, Ecx, 30),
    row("rdseed", 7, 0, Ebx, 18),
    row("rdpid", 7, 0, Ecx, 22),
    row("clflushopt", 7, 0, Ebx, 23),
    row("clwb", 7, 0, Ebx, 24),
    row("movdiri", 7, 0, Ecx, 27),
    row("rdtscp", 0x8000_0001, 0, Edx, 27),
];

/// A set of processor features.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Features {
    bits: u64,
}

const _: () = assert!(ROWS.len() <= 64);

impl Features {
    /// What every processor of this kind has, and nothing else.
    pub const BASELINE: Features = Features { bits: 0 };

    /// What the processor and the operating system that run this have. Asks the processor: 4 times, which takes some
    /// microseconds each in a virtual machine.
    pub fn host() -> Features {
        host()
    }

    /// Whether the feature of this name is there; `None` if the name is not known.
    pub fn has(self, name: &str) -> Option<bool> {
        position(name).map(|index| self.bits >> index & 1 != 0)
    }

    /// The same with one more.
    ///
    /// # Errors
    /// INVALID_ARGUMENT if the name is not known.
    pub fn with(self, name: &str) -> Result<Features> {
        Ok(Features { bits: self.bits | 1 << known(name)? })
    }

    /// The same with one less.
    ///
    /// # Errors
    /// INVALID_ARGUMENT if the name is not known.
    pub fn without(self, name: &str) -> Result<Features> {
        Ok(Features { bits: self.bits & !(1 << known(name)?) })
    }

    /// The names, in a fixed order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        ROWS.iter().enumerate().filter(move |(index, _)| self.bits >> index & 1 != 0).map(|(_, row)| row.name)
    }

    /// What libraries are told about the processor.
    pub fn processor_data(self) -> [u64; 8] {
        let bits = ROWS.iter().enumerate().filter(|(index, _)| self.bits >> index & 1 != 0);
        let word = bits.filter_map(|(_, row)| row.processor_bit).fold(0, |word, bit| word | 1 << bit);
        [word, 0, 0, 0, 0, 0, 0, 0]
    }

    /// Whether the feature of this row is there.
    pub(crate) fn includes(self, row: usize) -> bool {
        self.bits >> row & 1 != 0
    }

    #[cfg(test)]
    pub(crate) fn of_row(index: usize) -> Features {
        Features { bits: 1 << index }
    }

    #[cfg(test)]
    pub(crate) fn union(self, other: Features) -> Features {
        Features { bits: self.bits | other.bits }
    }
}

impl fmt::Debug for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// The row of a feature.
pub(crate) fn position(name: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.name == name)
}

fn known(name: &str) -> Result<usize> {
    position(name)
        .ok_or_else(|| Error::new(Code::InvalidArgument, format!("'{name}' is no known processor feature")))
}

#[cfg(target_arch = "x86_64")]
fn host() -> Features {
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    let max = __cpuid(0).eax;
    let max_extended = __cpuid(0x8000_0000).eax;
    let has_avx = std::arch::is_x86_feature_detected!("avx");
    let has_avx512 = std::arch::is_x86_feature_detected!("avx512f");
    let mut asked = Vec::new();
    let mut bits = 0;
    for (index, row) in ROWS.iter().enumerate() {
        let limit = if row.leaf >= 0x8000_0000 { max_extended } else { max };
        let is_open = match row.gate {
            Gate::Open => true,
            Avx => has_avx,
            Avx512 => has_avx512,
            Shut => false,
        };
        if row.leaf > limit || !is_open {
            continue;
        }
        let key = (row.leaf, row.subleaf);
        let found = asked.iter().find(|(known, _)| *known == key).map(|&(_, answer)| answer);
        let answer = found.unwrap_or_else(|| {
            let answer = __cpuid_count(row.leaf, row.subleaf);
            asked.push((key, answer));
            answer
        });
        let register = match row.register {
            Eax => answer.eax,
            Ebx => answer.ebx,
            Ecx => answer.ecx,
            Edx => answer.edx,
        };
        bits |= u64::from(register >> row.bit & 1) << index;
    }
    Features { bits }
}

#[cfg(not(target_arch = "x86_64"))]
fn host() -> Features {
    Features::BASELINE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_words_have_their_bits() {
        for (index, row) in ROWS.iter().enumerate() {
            assert_eq!(position(row.name), Some(index), "{}", row.name);
        }
        let all = ["sse3", "avx", "avx512f", "avx512fp16", "amx-bf16"];
        let set = all.iter().fold(Features::BASELINE, |set, name| set.with(name).unwrap());
        assert_eq!(set.processor_data(), [1 | 1 << 10 | 1 << 20 | 1 << 32 | 1 << 52, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(Features::BASELINE.processor_data(), [0; 8]);
    }

    #[test]
    fn sets_are_changed_by_name() {
        let set = Features::BASELINE.with("avx2").unwrap();
        assert_eq!((set.has("avx2"), set.has("avx"), set.has("avx3")), (Some(true), Some(false), None));
        assert_eq!(set.without("avx2").unwrap(), Features::BASELINE);
        assert_eq!(set.with("avx3").unwrap_err().code(), Code::InvalidArgument);
        assert_eq!(format!("{set:?}"), "{\"avx2\"}");
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_host_is_what_the_standard_library_says() {
        let host = Features::host();
        macro_rules! check {
            ($($name:tt $ours:literal)*) => { $(
                assert_eq!(host.has($ours), Some(std::arch::is_x86_feature_detected!($name)), "{}", $ours);
            )* };
        }
        check!("sse3" "sse3" "ssse3" "ssse3" "sse4.1" "sse4.1" "sse4.2" "sse4.2" "sse4a" "sse4a" "avx" "avx");
        check!("fma" "fma" "f16c" "f16c" "avx2" "avx2" "avx512f" "avx512f" "avx512cd" "avx512cd");
        check!("avx512vl" "avx512vl" "avx512dq" "avx512dq" "avx512bw" "avx512bw" "avx512ifma" "avx512ifma");
        check!("avx512vbmi" "avx512vbmi" "avx512vpopcntdq" "avx512vpopcntdq" "avx512vnni" "avx512vnni");
        check!("avx512vbmi2" "avx512vbmi2" "avx512bitalg" "avx512bitalg" "avx512bf16" "avx512bf16");
        check!("avx512fp16" "avx512fp16" "popcnt" "popcnt" "lzcnt" "lzcnt" "bmi1" "bmi" "bmi2" "bmi2");
        check!("adx" "adx" "movbe" "movbe" "cmpxchg16b" "cx16" "aes" "aes" "pclmulqdq" "pclmul" "sha" "sha");
        check!("vaes" "vaes" "vpclmulqdq" "vpclmulqdq" "gfni" "gfni" "rdrand" "rdrnd" "rdseed" "rdseed");
        check!("tbm" "tbm" "avxvnni" "avxvnni" "avxifma" "avxifma" "avxneconvert" "avxneconvert");
        check!("avxvnniint8" "avxvnniint8" "avxvnniint16" "avxvnniint16");
        check!("avx512vp2intersect" "avx512vp2intersect");
        assert_eq!(host.has("amx-tile"), Some(false), "tiles are not asked for");
    }
}
