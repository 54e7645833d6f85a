//! The version of the library.
#![allow(unsafe_code)]

/// The version that this header belongs to: `major << 16 | minor << 8 | patch`.
pub const RADDLE_VERSION: u32 = 0x00_01_00;

/// The version of the library that is linked, as `RADDLE_VERSION`. Libraries of one soname accept programs of older
/// headers.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_version() -> u32 {
    RADDLE_VERSION
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_package_s() {
        let [major, minor, patch] = [16, 8, 0].map(|shift| RADDLE_VERSION >> shift & 0xff);
        assert_eq!(format!("{major}.{minor}.{patch}"), env!("CARGO_PKG_VERSION"));
    }
}
