//! How numbers, strings, symbols and types are spelled.
//!
//! Not here: reading them ([`scan`](super::scan)), except for floats, whose two directions belong together.

use std::fmt::Write;

/// A string: plain if it can be, otherwise with escapes.
pub(super) fn string(bytes: &[u8]) -> String {
    let plain = |byte: &u8| *byte != b'"' && (*byte >= b' ' || *byte == b'\t') && *byte != 0x7F;
    match std::str::from_utf8(bytes) {
        Ok(text) if bytes.iter().all(plain) => format!("\"{text}\""),
        _ => {
            let mut out = String::from("e\"");
            for byte in bytes {
                let _ = match byte {
                    b'"' | b'\\' => write!(out, "\\{}", *byte as char),
                    b'\n' => out.write_str("\\n"),
                    b' '..=b'~' => out.write_char(*byte as char),
                    _ => write!(out, "\\x{byte:02X}"),
                };
            }
            out.push('"');
            out
        }
    }
}

/// Whether a byte can stand in a plain symbol.
pub(super) fn in_symbol(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.')
}

/// `@name`.
pub(super) fn symbol(name: &str) -> String {
    if !name.is_empty() && name.bytes().all(in_symbol) {
        return format!("@{name}");
    }
    format!("@{}", string(name.as_bytes()))
}

/// A type's name, in quotes if it would not be read back whole.
pub(super) fn type_name(name: &str) -> String {
    let mut depth = 0i32;
    let plain = name.bytes().all(|byte| {
        depth += i32::from(byte == b'<') - i32::from(byte == b'>');
        depth >= 0 && (in_symbol(byte) || matches!(byte, b'!' | b'<' | b'>' | b'?' | b'*' | b'-' | b':'))
    });
    if plain && depth == 0 && !name.is_empty() { name.to_owned() } else { string(name.as_bytes()) }
}

/// An f32 as C's `%.9g` writes it, a NaN with unusual bits with them.
pub(super) fn f32_text(bits: u32) -> String {
    let value = f32::from_bits(bits);
    if value.is_nan() && bits != f32::NAN.to_bits() {
        return format!("nan:0x{bits:08X}");
    }
    general(f64::from(value), 9)
}

/// An f64 as C's `%.17g` writes it, a NaN with unusual bits with them.
pub(super) fn f64_text(bits: u64) -> String {
    let value = f64::from_bits(bits);
    if value.is_nan() && bits != f64::NAN.to_bits() {
        return format!("nan:0x{bits:016X}");
    }
    general(value, 17)
}

/// C's `%.{digits}g`.
fn general(value: f64, digits: i32) -> String {
    if !value.is_finite() {
        return if value.is_nan() {
            "nan"
        } else if value > 0.0 {
            "inf"
        } else {
            "-inf"
        }
        .to_owned();
    }
    let scientific = format!("{value:.*e}", digits as usize - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if exponent < -4 || exponent >= digits {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", trimmed(mantissa), exponent.abs());
    }
    trimmed(&format!("{value:.*}", (digits - 1 - exponent) as usize)).to_owned()
}

fn trimmed(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

/// The bits of an f32 in text.
pub(super) fn f32_bits(text: &str) -> Option<u32> {
    match text.strip_prefix("nan:0x") {
        Some(bits) => u32::from_str_radix(bits, 16).ok().filter(|bits| f32::from_bits(*bits).is_nan()),
        None => {
            let value: f32 = text.parse().ok()?;
            (value.is_finite() || says_infinite(text)).then_some(value.to_bits())
        }
    }
}

/// The bits of an f64 in text.
pub(super) fn f64_bits(text: &str) -> Option<u64> {
    match text.strip_prefix("nan:0x") {
        Some(bits) => u64::from_str_radix(bits, 16).ok().filter(|bits| f64::from_bits(*bits).is_nan()),
        None => {
            let value: f64 = text.parse().ok()?;
            (value.is_finite() || says_infinite(text)).then_some(value.to_bits())
        }
    }
}

/// Whether the text names a value that is not finite, rather than being too large.
fn says_infinite(text: &str) -> bool {
    !text.bytes().any(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_c_does_and_read_back() {
        for (value, text) in [
            (3.0f32, "3"),
            (0.1, "0.100000001"),
            (-0.0, "-0"),
            (1e-5, "9.99999975e-06"),
            (123_456_792.0, "123456792"),
            (1e20, "1.00000002e+20"),
            (f32::INFINITY, "inf"),
            (f32::NEG_INFINITY, "-inf"),
            (f32::NAN, "nan"),
            (f32::MIN_POSITIVE, "1.17549435e-38"),
            (f32::from_bits(1), "1.40129846e-45"),
            (f32::from_bits(0x7FC0_0001), "nan:0x7FC00001"),
        ] {
            assert_eq!(f32_text(value.to_bits()), text);
            assert_eq!(f32_bits(text), Some(value.to_bits()), "{text}");
        }
        for value in [0.1f64, 1e300, -2.5e-310, 1.0 / 3.0, f64::MAX, f64::from_bits(0xFFF8_0000_0000_0001)] {
            assert_eq!(f64_bits(&f64_text(value.to_bits())), Some(value.to_bits()));
        }
        assert_eq!(f64_text(0.1f64.to_bits()), "0.10000000000000001");
        for text in ["1e39", "nan:0x1", "x", ""] {
            assert_eq!(f32_bits(text), None, "{text}");
        }
    }
}
