//! Rectangles of elements in a buffer, with a stride for each of their two directions.

use raddle_status::{Code, Error, Result};
use raddle_vm::Buffer as Bytes;

/// Elements of `W` bytes that all lie in their buffer.
#[derive(Clone, Copy)]
pub(super) struct Plane<'a, const W: usize> {
    buffer: &'a Bytes,
    first: u64,
    strides: [u64; 2],
}

/// What a function is given for a rectangle: buffer, first element, strides.
pub(super) type Place<'a> = (&'a Bytes, i64, [i64; 2]);

impl<'a, const W: usize> Plane<'a, W> {
    /// A rectangle to be read. Unit of all numbers: elements.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: a number is negative or does not fit 32 bits. OUT_OF_RANGE: it leaves the buffer.
    pub(super) fn source((buffer, first, strides): Place<'a>, sizes: [u64; 2]) -> Result<Plane<'a, W>> {
        let first = number(first)?;
        let strides = [word(strides[0])?, word(strides[1])?];
        let plane = Plane { buffer, first, strides };
        if sizes.contains(&0) {
            return Ok(plane);
        }
        let steps = sizes.map(|size| size - 1);
        let last = steps[0].checked_mul(strides[0]).zip(steps[1].checked_mul(strides[1]));
        let last = last.and_then(|(down, along)| down.checked_add(along)?.checked_add(first));
        let elements = (buffer.len() / W) as u64;
        match last {
            Some(last) if last < elements => Ok(plane),
            _ => {
                let text = format!(
                    "{sizes:?} elements at {first} with strides {strides:?} leave a buffer of {elements} elements"
                );
                Err(Error::new(Code::OutOfRange, text))
            }
        }
    }

    /// A rectangle to be written, whose elements are different ones.
    ///
    /// # Errors
    /// As [`source`](Plane::source). PERMISSION_DENIED: the buffer is constant.
    pub(super) fn target(place: Place<'a>, sizes: [u64; 2]) -> Result<Plane<'a, W>> {
        let plane = Plane::source(place, sizes)?;
        if !plane.buffer.is_mutable() {
            return Err(Error::new(Code::PermissionDenied, "the buffer is constant and can't be written"));
        }
        // Otherwise a few bytes could cost any amount of time.
        let elements = (plane.buffer.len() / W) as u64;
        if sizes[0].checked_mul(sizes[1]).is_none_or(|count| count > elements) {
            let text = format!("{sizes:?} elements are written to a buffer of {elements}");
            return Err(Error::new(Code::InvalidArgument, text));
        }
        Ok(plane)
    }

    pub(super) fn get(&self, row: u64, column: u64) -> u64 {
        self.buffer.load::<W>(self.index(row, column)).expect("the rectangle lies in its buffer")
    }

    pub(super) fn set(&self, row: u64, column: u64, value: u64) {
        let is_inside = self.buffer.store::<W>(self.index(row, column), value);
        debug_assert!(is_inside, "the rectangle lies in its buffer");
    }

    fn index(&self, row: u64, column: u64) -> u64 {
        self.first + row * self.strides[0] + column * self.strides[1]
    }
}

/// A count or offset.
pub(super) fn number(value: i64) -> Result<u64> {
    u64::try_from(value).map_err(|_| Error::new(Code::InvalidArgument, format!("{value} is negative")))
}

/// A size or stride, whose products with others fit.
pub(super) fn word(value: i64) -> Result<u64> {
    let word = u32::try_from(value);
    word.map(u64::from).map_err(|_| {
        Error::new(
            Code::InvalidArgument,
            format!("a size or stride of {value}; it has 32 bits, without a sign"),
        )
    })
}

/// The same for both directions.
pub(super) fn words(sizes: [i64; 2]) -> Result<[u64; 2]> {
    Ok([word(sizes[0])?, word(sizes[1])?])
}
