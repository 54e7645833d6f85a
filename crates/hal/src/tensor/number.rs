//! Numbers as C reads and prints them: `strtol` with base 0, `strtod`, `%g`.
//!
//! Not here: which text is read as what.
//!
//! Sources: C17, 7.22.1.3 (strtod), 7.22.1.4 (strtol), 7.21.6.1 (`%g`).

/// The integer at the start of the text, if there is one: sign, `0x` or `0` for other bases; what follows is ignored. Too
/// large ones saturate at the limits of i64.
pub fn integer(text: &str) -> Option<i64> {
    wide(text).map(|value| value.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
}

/// As [`integer`]; too large ones saturate beyond the limits of u64.
pub fn wide(text: &str) -> Option<i128> {
    let text = text.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
    let (negative, digits) = signed(text);
    let hex = digits.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("0x"))
        && digits[2..].starts_with(|c: char| c.is_ascii_hexdigit());
    let (base, digits) = match hex {
        true => (16, &digits[2..]),
        false if digits.starts_with('0') => (8, digits),
        false => (10, digits),
    };
    let mut value: i128 = 0;
    let mut count = 0;
    for digit in digits.chars().map_while(|c| c.to_digit(base)) {
        value = (value * i128::from(base) + i128::from(digit)).min(1 << 64);
        count += 1;
    }
    let value = if negative { -value } else { value };
    (count > 0).then_some(value)
}

fn signed(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// A float that is read by [`float`].
pub trait Float: Copy + std::ops::Neg<Output = Self> + std::str::FromStr {
    /// A NaN without a sign.
    const NAN: Self;
    /// Positive infinity.
    const INFINITY: Self;
    /// The value rounded to this type.
    fn of(value: f64) -> Self;
    /// Whether it is zero, of whatever sign.
    fn is_zero(self) -> bool;
}

macro_rules! float {
    ($($type:ident),*) => { $(impl Float for $type {
        const NAN: Self = $type::NAN;
        const INFINITY: Self = $type::INFINITY;
        fn of(value: f64) -> Self { value as $type }
        fn is_zero(self) -> bool { self == 0.0 }
    })* };
}

float!(f32, f64);

/// The float at the start of the text, if there is one; what follows is ignored.
pub fn float<T: Float>(text: &str) -> Option<T> {
    let text = text.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
    let (negative, digits) = signed(text);
    let starts = |word: &str| digits.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    let value = if starts("inf") {
        T::INFINITY
    } else if starts("nan") {
        T::NAN
    } else if starts("0x") {
        T::of(hexadecimal(&digits[2..]))
    } else {
        decimal(digits).parse().ok()?
    };
    Some(if negative { -value } else { value })
}

/// The longest start of the text that is a decimal number.
fn decimal(text: &str) -> &str {
    let digits = |from: usize| text[from..].bytes().take_while(u8::is_ascii_digit).count();
    let mut end = digits(0);
    let mut count = end;
    if text[end..].starts_with('.') {
        let fraction = digits(end + 1);
        count += fraction;
        end += 1 + fraction;
    }
    if count == 0 {
        return "";
    }
    if text[end..].starts_with(['e', 'E']) {
        let sign = usize::from(text[end + 1..].starts_with(['-', '+']));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    &text[..end]
}

/// The hexadecimal float behind `0x`; zero if there are no digits. Digits beyond the 15th are dropped.
fn hexadecimal(text: &str) -> f64 {
    let (mut mantissa, mut exponent, mut seen_point, mut used) = (0u64, 0i32, false, 0);
    for (at, c) in text.char_indices() {
        used = at + 1;
        match c.to_digit(16) {
            Some(digit) if mantissa < 1 << 56 => {
                mantissa = mantissa * 16 + u64::from(digit);
                exponent -= if seen_point { 4 } else { 0 };
            }
            Some(_) => exponent += if seen_point { 0 } else { 4 },
            None if c == '.' && !seen_point => seen_point = true,
            None => {
                used = at;
                break;
            }
        }
    }
    if text[used..].starts_with(['p', 'P']) {
        let (negative, digits) = signed(&text[used + 1..]);
        let digits: String = digits.chars().take_while(char::is_ascii_digit).collect();
        let power = digits.parse::<i32>().unwrap_or(if digits.is_empty() { 0 } else { 100_000 }).min(100_000);
        exponent += if negative { -power } else { power };
    }
    let half = exponent / 2;
    mantissa as f64 * 2f64.powi(half) * 2f64.powi(exponent - half)
}

/// The value as `%g` prints it: six digits, no trailing zeros.
pub fn general(value: f64) -> String {
    if value.is_nan() {
        return if value.is_sign_negative() { "-nan" } else { "nan" }.to_owned();
    }
    if value.is_infinite() {
        return if value < 0.0 { "-inf" } else { "inf" }.to_owned();
    }
    let scientific = format!("{value:.5e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", trimmed(mantissa), exponent.abs());
    }
    trimmed(&format!("{value:.*}", (5 - exponent) as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_the_bases_of_c() {
        for (text, value) in [
            ("12", Some(12)),
            ("-3x", Some(-3)),
            (" +0x10", Some(16)),
            ("010", Some(8)),
            ("09", Some(0)),
            ("0x", Some(0)),
            ("-0X7f", Some(-127)),
            ("99999999999999999999", Some(i64::MAX)),
            ("-99999999999999999999", Some(i64::MIN)),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(integer(text), value, "{text}");
        }
    }

    #[test]
    fn floats_have_the_forms_of_c() {
        for (text, value) in [
            ("1.5", Some(1.5)),
            ("-.5e1rest", Some(-5.0)),
            ("1e", Some(1.0)),
            ("5.", Some(5.0)),
            ("1e39", Some(f32::INFINITY)),
            ("-infinity", Some(f32::NEG_INFINITY)),
            ("0x1.8p1", Some(3.0)),
            ("0x10", Some(16.0)),
            ("0x1p-149", Some(f32::from_bits(1))),
            (".", None),
            ("e5", None),
        ] {
            assert_eq!(float::<f32>(text), value, "{text}");
        }
        assert!(float::<f64>("nan(1)").unwrap().is_nan());
    }

    #[test]
    fn floats_print_with_six_digits() {
        for (value, text) in [
            (3.75, "3.75"),
            (0.0, "0"),
            (-0.0, "-0"),
            (1.5e10, "1.5e+10"),
            (123_456.0, "123456"),
            (999_999.5, "1e+06"),
            (0.0001, "0.0001"),
            (0.000_012_345_67, "1.23457e-05"),
            (1e300, "1e+300"),
            (f64::INFINITY, "inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(general(value), text);
        }
    }
}
