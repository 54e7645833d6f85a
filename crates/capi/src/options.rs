//! Structs of options and tables: what older and newer headers have in common is read.
//!
//! # Invariants
//! - O1: an options struct is plain data for which zero bytes are valid and mean the default. (by construction: `Options`)
#![allow(unsafe_code)]

use crate::boundary::invalid;
use raddle::{Code, Error, Result};
use std::mem::MaybeUninit;

/// A struct whose first field is the size that its author knew.
///
/// # Safety
/// `repr(C)`; begins with `struct_size: usize`; zero bytes are a valid value (O1).
pub(crate) unsafe trait Options: Copy {
    const NAME: &'static str;
}

/// Reads as much of the struct as its author and we know; the rest is default. Null is all default.
///
/// # Errors
/// INVALID_ARGUMENT: `struct_size` is not set. UNIMPLEMENTED: it comes from a newer header and asks for what is not known here.
pub(crate) fn read<T: Options>(place: *const T) -> Result<T> {
    let mut options = MaybeUninit::<T>::zeroed();
    let known = size_of::<T>();
    if !place.is_null() {
        // SAFETY: B1: it begins with its size.
        let given = unsafe { place.cast::<usize>().read() };
        if given < size_of::<usize>() {
            let name = T::NAME;
            return Err(invalid(format!("struct_size of a {name} is {given}: set it to sizeof({name})")));
        }
        let common = given.min(known);
        // SAFETY: B3: both are at least `common` bytes long.
        unsafe { place.cast::<u8>().copy_to_nonoverlapping(options.as_mut_ptr().cast(), common) };
        for offset in known..given {
            // SAFETY: B3.
            if unsafe { place.cast::<u8>().wrapping_add(offset).read() } != 0 {
                let text =
                    format!("the {} asks for something that this version of raddle does not know", T::NAME);
                return Err(Error::new(Code::Unimplemented, text));
            }
        }
    }
    // SAFETY: O1.
    Ok(unsafe { options.assume_init() })
}

/// Writes as much of the struct as its reader knows.
///
/// # Errors
/// INVALID_ARGUMENT: `struct_size` is not set.
pub(crate) fn write<T: Options>(place: *mut T, value: T) -> Result {
    if place.is_null() {
        return Ok(());
    }
    // SAFETY: B1: it begins with its size.
    let given = unsafe { place.cast::<usize>().read() };
    if given < size_of::<usize>() {
        let name = T::NAME;
        return Err(invalid(format!("struct_size of a {name} is {given}: set it to sizeof({name})")));
    }
    let (head, common) = (size_of::<usize>(), given.min(size_of::<T>()));
    let from = (&raw const value).cast::<u8>().wrapping_add(head);
    let to = place.cast::<u8>().wrapping_add(head);
    // SAFETY: B3: both are at least `common` bytes long.
    unsafe { from.copy_to_nonoverlapping(to, common - head) };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Sample {
        struct_size: usize,
        first: u64,
        second: u64,
    }
    // SAFETY: O1.
    unsafe impl Options for Sample {
        const NAME: &'static str = "sample";
    }

    #[test]
    fn older_and_newer_structs_are_read_as_far_as_both_know() {
        let sample = |struct_size| Sample { struct_size, first: 1, second: 2 };
        let old = read(&sample(16)).unwrap();
        assert_eq!((old.first, old.second), (1, 0));
        let newer = |tail: u64| [size_of::<Sample>() as u64 + 8, 1, 2, tail];
        assert_eq!(read(newer(0).as_ptr().cast::<Sample>()).unwrap().second, 2);
        assert_eq!(read(newer(9).as_ptr().cast::<Sample>()).err().unwrap().code(), Code::Unimplemented);
        assert_eq!(read(&sample(0)).err().unwrap().code(), Code::InvalidArgument);
        assert_eq!(read::<Sample>(std::ptr::null()).unwrap().first, 0);
        let mut place = Sample { struct_size: 16, first: 0, second: 7 };
        write(&mut place, sample(24)).unwrap();
        assert_eq!((place.struct_size, place.first, place.second), (16, 1, 7));
    }
}
