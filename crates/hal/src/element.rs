//! Element types of tensors: a kind and a number of bits in one word.
//!
//! Not here: reading and printing elements.

use std::fmt;

/// An element type: `kind << 24 | bits`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ElementType(pub u32);

macro_rules! types {
    ($($name:ident $text:literal $value:literal;)*) => {
        impl ElementType {
            $(#[doc = concat!("`", $text, "`")] pub const $name: ElementType = ElementType($value);)*
        }
        const NAMES: &[(&str, ElementType)] = &[$(($text, ElementType::$name)),*];
    };
}

types! {
    BOOL_8 "i1" 0x1300_0008;
    INT_4 "i4" 0x1000_0004;
    SINT_4 "si4" 0x1100_0004;
    UINT_4 "ui4" 0x1200_0004;
    INT_8 "i8" 0x1000_0008;
    SINT_8 "si8" 0x1100_0008;
    UINT_8 "ui8" 0x1200_0008;
    INT_16 "i16" 0x1000_0010;
    SINT_16 "si16" 0x1100_0010;
    UINT_16 "ui16" 0x1200_0010;
    INT_32 "i32" 0x1000_0020;
    SINT_32 "si32" 0x1100_0020;
    UINT_32 "ui32" 0x1200_0020;
    INT_64 "i64" 0x1000_0040;
    SINT_64 "si64" 0x1100_0040;
    UINT_64 "ui64" 0x1200_0040;
    FLOAT_16 "f16" 0x2100_0010;
    FLOAT_32 "f32" 0x2100_0020;
    FLOAT_64 "f64" 0x2100_0040;
    BFLOAT_16 "bf16" 0x2200_0010;
    COMPLEX_64 "cf64" 0x2300_0040;
    COMPLEX_128 "cf128" 0x2300_0080;
    FLOAT_8_E5M2 "f8E5M2" 0x2400_0008;
    FLOAT_8_E4M3_FN "f8E4M3FN" 0x2500_0008;
    FLOAT_8_E5M2_FNUZ "f8E5M2FNUZ" 0x2600_0008;
    FLOAT_8_E4M3_FNUZ "f8E4M3FNUZ" 0x2700_0008;
    FLOAT_8_E8M0_FNU "f8E8M0FNU" 0x2800_0008;
    OPAQUE_8 "*8" 0x0000_0008;
    OPAQUE_16 "*16" 0x0000_0010;
    OPAQUE_32 "*32" 0x0000_0020;
    OPAQUE_64 "*64" 0x0000_0040;
}

/// Kinds whose types are named by a prefix and the number of bits.
const KINDS: &[(&str, u32)] =
    &[("i", 0x10), ("si", 0x11), ("ui", 0x12), ("f", 0x21), ("bf", 0x22), ("cf", 0x23), ("*", 0x00)];

/// Dense and row-major: the only layout that programs of a processor use.
pub const ENCODING_DENSE: u32 = 1;
/// A layout that only its maker knows.
pub const ENCODING_OPAQUE: u32 = 0;

impl ElementType {
    /// The type of this name: `"f32"`, `"si8"`, `"*64"`, or a kind and any other number of bits, such as `"i12"`.
    pub fn from_name(name: &str) -> Option<ElementType> {
        let named = NAMES.iter().find(|(text, _)| *text == name).map(|(_, ty)| *ty);
        named.or_else(|| {
            KINDS.iter().find_map(|(prefix, kind)| {
                let bits = name.strip_prefix(prefix)?;
                let bits: u8 = if bits.starts_with('+') { None } else { bits.parse().ok() }?;
                (bits > 0).then_some(ElementType(kind << 24 | u32::from(bits)))
            })
        })
    }

    /// The bits of an element.
    pub fn bits(self) -> u64 {
        (self.0 & 0xff).into()
    }

    /// Whether only the size is known.
    pub fn is_opaque(self) -> bool {
        self.0 >> 24 == 0
    }

    /// Whether it is an integer, of whatever signedness, or a truth value.
    pub fn is_integer(self) -> bool {
        self.0 >> 28 == 1
    }

    /// Whether a tensor of type `found` passes where this one is expected: opaque ones do, and integers of equal width.
    pub fn admits(self, found: ElementType) -> bool {
        self == found
            || found.is_opaque()
            || (self.is_integer() && found.is_integer() && self.bits() == found.bits())
    }

    /// The length of a dense tensor; `None` if it is beyond 64 bits. Unit: bytes.
    pub fn dense_bytes(self, dimensions: &[u64]) -> Option<u64> {
        let count = dimensions.iter().try_fold(1u64, |count, dim| count.checked_mul(*dim))?;
        Some(count.checked_mul(self.bits())?.div_ceil(8))
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(_, ty)| ty == self) {
            Some((name, _)) => f.write_str(name),
            None => {
                let prefix =
                    KINDS.iter().find(|(_, kind)| *kind == self.0 >> 24).map_or("*", |(prefix, _)| prefix);
                write!(f, "{prefix}{}", self.bits())
            }
        }
    }
}

impl fmt::Debug for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} ({:08x})", self.0)
    }
}

/// A Rust type that is an element as it lies in memory.
pub trait Element: Copy + Send + Sync + 'static {
    /// The type of the tensor.
    const TYPE: ElementType;
    /// Appends the bytes.
    fn put(self, bytes: &mut Vec<u8>);
    /// Reads the bytes of one element.
    fn get(bytes: &[u8]) -> Self;
}

macro_rules! elements {
    ($($type:ty: $name:ident;)*) => { $(
        impl Element for $type {
            const TYPE: ElementType = ElementType::$name;
            fn put(self, bytes: &mut Vec<u8>) { bytes.extend_from_slice(&self.to_le_bytes()); }
            fn get(bytes: &[u8]) -> $type {
                <$type>::from_le_bytes(bytes.try_into().unwrap_or_default())
            }
        }
    )* };
}

elements! {
    i8: INT_8; u8: UINT_8; i16: INT_16; u16: UINT_16; i32: INT_32; u32: UINT_32; i64: INT_64; u64: UINT_64;
    f32: FLOAT_32; f64: FLOAT_64;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_belong_together() {
        for (name, ty) in NAMES {
            assert_eq!(ElementType::from_name(name), Some(*ty));
            assert_eq!(ty.to_string(), *name);
        }
        assert_eq!(ElementType(0x2100_0020), ElementType::FLOAT_32);
        assert_eq!(ElementType(0x9900_0018).to_string(), "*24");
    }

    #[test]
    fn integers_of_one_width_pass_for_each_other() {
        let admits = |want: &str, found: &str| {
            ElementType::from_name(want).unwrap().admits(ElementType::from_name(found).unwrap())
        };
        assert!(admits("i32", "si32") && admits("i1", "i8") && admits("f32", "*32") && admits("ui8", "i1"));
        assert!(
            !admits("i32", "i64") && !admits("f32", "i32") && !admits("*32", "f32") && !admits("f16", "bf16")
        );
    }

    #[test]
    fn lengths_are_rounded_up_and_bounded() {
        assert_eq!(ElementType::INT_4.dense_bytes(&[3]), Some(2));
        assert_eq!(ElementType::FLOAT_32.dense_bytes(&[]), Some(4));
        assert_eq!(ElementType::FLOAT_64.dense_bytes(&[1 << 40, 1 << 40]), None);
    }
}
