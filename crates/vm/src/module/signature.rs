//! Calling conventions: the short text that says what a function takes and returns.
//!
//! ```text
//! cconv := "" | "0" arguments [ "_" results ]
//! part  := "" | "v" | item+          item := i I f F r, or in the arguments of imports C item+ D: repeated
//! ```
//! Not here: where values lie in a call's buffers (the engine).

use raddle_status::{Code, Error, Result};
use std::fmt;

/// What one register operand of a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scalar {
    /// `i`: 32-bit integer, or narrower.
    I32,
    /// `I`: 64-bit integer, in a pair.
    I64,
    /// `f`: f32, or narrower.
    F32,
    /// `F`: f64, in a pair.
    F64,
    /// `r`: a ref.
    Ref,
}

impl Scalar {
    /// The letter that stands for it.
    pub const fn letter(self) -> char {
        match self {
            Scalar::I32 => 'i',
            Scalar::I64 => 'I',
            Scalar::F32 => 'f',
            Scalar::F64 => 'F',
            Scalar::Ref => 'r',
        }
    }

    /// What this letter stands for.
    pub const fn from_letter(letter: u8) -> Option<Scalar> {
        Some(match letter {
            b'i' => Scalar::I32,
            b'I' => Scalar::I64,
            b'f' => Scalar::F32,
            b'F' => Scalar::F64,
            b'r' => Scalar::Ref,
            _ => return None,
        })
    }

    /// Whether it takes a pair of value registers.
    pub const fn is_wide(self) -> bool {
        matches!(self, Scalar::I64 | Scalar::F64)
    }
}

/// One parameter position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Param {
    /// One value.
    One(Scalar),
    /// A tuple that occurs as often as the call says.
    Repeated(Box<[Scalar]>),
}

/// A parsed calling convention. The default takes and returns nothing.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Signature {
    text: Box<str>,
    arguments: Box<[Param]>,
    results: Box<[Scalar]>,
}

impl Signature {
    /// Parses the text.
    ///
    /// # Errors
    /// UNIMPLEMENTED for a version other than 0, INVALID_ARGUMENT for anything else that is not in the grammar.
    pub fn parse(text: &str) -> Result<Signature> {
        let mut signature =
            Signature { text: text.into(), arguments: Box::default(), results: Box::default() };
        let Some(rest) = text.strip_prefix('0') else {
            if text.is_empty() {
                return Ok(signature);
            }
            let message = format!("calling convention '{text}' is not of version 0");
            return Err(Error::new(Code::Unimplemented, message));
        };
        let wrong = || Error::new(Code::InvalidArgument, format!("calling convention '{text}' is malformed"));
        let (arguments, results) = rest.split_once('_').unwrap_or((rest, ""));
        signature.arguments = parse_params(arguments).ok_or_else(wrong)?;
        signature.results = parse_params(results)
            .ok_or_else(wrong)?
            .iter()
            .map(|param| match param {
                Param::One(scalar) => Some(*scalar),
                Param::Repeated(_) => None,
            })
            .collect::<Option<_>>()
            .ok_or_else(wrong)?;
        Ok(signature)
    }

    /// The text as the module has it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The parameters; a repeated group is one.
    pub fn arguments(&self) -> &[Param] {
        &self.arguments
    }

    /// The results.
    pub fn results(&self) -> &[Scalar] {
        &self.results
    }

    /// Whether a parameter is repeated.
    pub fn is_variadic(&self) -> bool {
        self.arguments.iter().any(|param| matches!(param, Param::Repeated(_)))
    }

    /// The arguments of a function that has no repeated ones.
    pub fn scalars(&self) -> impl Iterator<Item = Scalar> + Clone + '_ {
        self.arguments.iter().filter_map(|param| match param {
            Param::One(scalar) => Some(*scalar),
            Param::Repeated(_) => None,
        })
    }

    /// The registers in which the arguments arrive: each bank counts from 0, pairs start at even ordinals.
    pub fn entry_regs(&self) -> impl Iterator<Item = (Scalar, u32)> + '_ {
        let (mut values, mut refs) = (0u32, 0u32);
        self.scalars().map(move |scalar| {
            let next = if scalar == Scalar::Ref { &mut refs } else { &mut values };
            if scalar.is_wide() {
                *next = next.next_multiple_of(2);
            }
            let at = *next;
            *next += 1 + u32::from(scalar.is_wide());
            (scalar, at)
        })
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

fn parse_params(part: &str) -> Option<Box<[Param]>> {
    if part == "v" {
        return Some(Box::default());
    }
    let mut params = Vec::new();
    let mut letters = part.bytes();
    while let Some(letter) = letters.next() {
        if letter != b'C' {
            params.push(Param::One(Scalar::from_letter(letter)?));
            continue;
        }
        let mut tuple = Vec::new();
        loop {
            match letters.next()? {
                b'D' => break,
                letter => tuple.push(Scalar::from_letter(letter)?),
            }
        }
        if tuple.is_empty() {
            return None;
        }
        params.push(Param::Repeated(tuple.into()));
    }
    Some(params.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, arguments: usize, results: usize, variadic: bool) {
        let signature = Signature::parse(text).unwrap();
        let found = (signature.arguments().len(), signature.results().len(), signature.is_variadic());
        assert_eq!(found, (arguments, results, variadic), "{text}");
    }

    #[test]
    fn texts_of_real_modules_parse() {
        check("", 0, 0, false);
        check("0", 0, 0, false);
        check("0v_v", 0, 0, false);
        check("0ii_i", 2, 1, false);
        check("0r", 1, 0, false);
        check("0rrIiiiICiDCiirIID_v", 9, 0, true);
        let regs: Vec<_> = Signature::parse("0iIrf_v").unwrap().entry_regs().map(|(_, at)| at).collect();
        assert_eq!(regs, [0, 2, 0, 4]);
    }

    #[test]
    fn malformed_texts_are_refused() {
        for text in ["0x", "0iv", "0vi", "0CD", "0Ci", "0CCiDD", "0D", "0_CiD", "0i_i_i", "0é"] {
            assert_eq!(Signature::parse(text).unwrap_err().code(), Code::InvalidArgument, "{text}");
        }
        assert_eq!(Signature::parse("1v_v").unwrap_err().code(), Code::Unimplemented);
    }
}
