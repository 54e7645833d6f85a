//! Floats of 8 and 16 bits: from `f32` and back.
//!
//! Rounding is to the nearest, ties to even. As in stock IREE, what is smaller than the smallest number becomes zero, however
//! near it is; not so in bf16, which has the exponents of `f32`.
//!
//! # Sources
//! IEEE 754-2019 (binary16); OCP 8-bit floating point specification (E5M2, E4M3); OCP microscaling formats (E8M0).

use crate::element::ElementType;

/// What the largest codes mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Specials {
    /// The largest exponent holds infinity and NaNs.
    Ieee,
    /// Only the largest code is a NaN; there is no infinity.
    LargestIsNan,
    /// Only what would be minus zero is a NaN; there is no infinity.
    MinusZeroIsNan,
    /// A power of two without a sign; only the largest code is a NaN.
    Power,
}

/// A format of small floats.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SmallFloat {
    pub(super) bytes: usize,
    mantissa_bits: u32,
    /// Of the smallest normal number.
    exponent_min: i32,
    specials: Specials,
}

impl SmallFloat {
    /// The format of elements of this type, if it is one of these.
    pub(super) fn of(ty: ElementType) -> Option<SmallFloat> {
        let format = |bytes, mantissa_bits, exponent_min, specials| {
            Some(SmallFloat { bytes, mantissa_bits, exponent_min, specials })
        };
        match ty {
            ElementType::FLOAT_16 => format(2, 10, -14, Specials::Ieee),
            ElementType::BFLOAT_16 => format(2, 7, -126, Specials::Ieee),
            ElementType::FLOAT_8_E5M2 => format(1, 2, -14, Specials::Ieee),
            ElementType::FLOAT_8_E4M3_FN => format(1, 3, -6, Specials::LargestIsNan),
            ElementType::FLOAT_8_E5M2_FNUZ => format(1, 2, -15, Specials::MinusZeroIsNan),
            ElementType::FLOAT_8_E4M3_FNUZ => format(1, 3, -7, Specials::MinusZeroIsNan),
            ElementType::FLOAT_8_E8M0_FNU => format(1, 0, -127, Specials::Power),
            _ => None,
        }
    }

    fn bits(self) -> u32 {
        8 * self.bytes as u32
    }

    /// The largest code without its sign.
    fn magnitude_max(self) -> u32 {
        (1 << (self.bits() - 1)) - 1
    }

    fn infinity(self) -> u32 {
        self.magnitude_max() & !((1 << self.mantissa_bits) - 1)
    }

    /// The code of a value.
    pub(super) fn encode(self, value: f32) -> u32 {
        let sign = u32::from(value.is_sign_negative()) << (self.bits() - 1);
        match self.specials {
            Specials::Power => return encode_power(value),
            Specials::MinusZeroIsNan if !value.is_finite() => return 1 << (self.bits() - 1),
            Specials::Ieee if value.is_infinite() => return sign | self.infinity(),
            _ if !value.is_finite() => return sign | self.magnitude_max(),
            _ => {}
        }
        // In f64 nothing of an f32 is subnormal, and scaling by powers of two is exact.
        let magnitude = f64::from(value).abs();
        let exponent = exponent_of(magnitude).max(self.exponent_min);
        let unit = power(exponent - self.mantissa_bits as i32);
        let smallest = power(self.exponent_min - self.mantissa_bits as i32);
        let is_lost = magnitude < smallest && self.exponent_min > f32::MIN_EXP - 1;
        let count = if is_lost { 0.0 } else { (magnitude / unit).round_ties_even() };
        // The implicit bit of a normal number is the carry into its exponent.
        let code = (((exponent - self.exponent_min) as u32) << self.mantissa_bits) + count as u32;
        match self.specials {
            Specials::Ieee => sign | code.min(self.infinity()),
            Specials::LargestIsNan => sign | code.min(self.magnitude_max()),
            _ if code > self.magnitude_max() => 1 << (self.bits() - 1),
            _ if code == 0 => 0,
            _ => sign | code,
        }
    }

    /// The value of a code.
    pub(super) fn decode(self, code: u32) -> f32 {
        let (sign, magnitude) = (code >> (self.bits() - 1), code & self.magnitude_max());
        let is_nan = match self.specials {
            Specials::Power if code == 0xFF => true,
            Specials::Power => return power(code as i32 - 127) as f32,
            Specials::Ieee => magnitude > self.infinity(),
            Specials::LargestIsNan => magnitude == self.magnitude_max(),
            Specials::MinusZeroIsNan => sign == 1 && magnitude == 0,
        };
        if is_nan {
            return f32::NAN;
        }
        let value = if self.specials == Specials::Ieee && magnitude == self.infinity() {
            f64::INFINITY
        } else {
            let (field, fraction) =
                (magnitude >> self.mantissa_bits, magnitude & ((1 << self.mantissa_bits) - 1));
            let implicit = u32::from(field > 0) << self.mantissa_bits;
            let exponent = self.exponent_min + field.max(1) as i32 - 1 - self.mantissa_bits as i32;
            f64::from(fraction | implicit) * power(exponent)
        };
        if sign == 1 { -value as f32 } else { value as f32 }
    }
}

/// The nearest power of two, halves up; what is not positive becomes the smallest.
fn encode_power(value: f32) -> u32 {
    if !value.is_finite() {
        return 0xFF;
    }
    if value <= 0.0 {
        return 0;
    }
    let exponent = exponent_of(f64::from(value));
    let is_up = f64::from(value) / power(exponent) >= 1.5;
    (exponent + 127 + i32::from(is_up)).clamp(0, 0xFF) as u32
}

/// The exponent of a number that is normal in `f64`; far below everything for zero.
fn exponent_of(magnitude: f64) -> i32 {
    (magnitude.to_bits() >> 52) as i32 - 1023
}

/// A power of two that is normal in `f64`.
fn power(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stock IREE made of these numbers: type, number, code, and the code printed.
    const STOCK: &str = include_str!("../../tests/tensors/small_floats.txt");

    #[test]
    fn codes_are_those_of_stock() {
        let mut count = 0;
        for line in STOCK.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split(' ').collect();
            let format = SmallFloat::of(ElementType::from_name(words[0]).unwrap()).unwrap();
            let code = u32::from_str_radix(words[2], 16).unwrap();
            assert_eq!(format.encode(words[1].parse().unwrap()), code, "{line}");
            let text = super::super::number::general(format.decode(code).into()).to_uppercase();
            assert_eq!(text, words[3], "{line}");
            count += 1;
        }
        assert!(count > 1000);
    }

    #[test]
    fn every_code_survives_the_way_there_and_back() {
        for name in ["f16", "bf16", "f8E5M2", "f8E4M3FN", "f8E5M2FNUZ", "f8E4M3FNUZ", "f8E8M0FNU"] {
            let format = SmallFloat::of(ElementType::from_name(name).unwrap()).unwrap();
            for code in 0..1 << format.bits() {
                let value = format.decode(code);
                if !value.is_nan() {
                    assert_eq!(format.encode(value), code, "{name} {code:x} {value}");
                }
            }
        }
    }
}
