//! Arguments and results of native functions: which Rust types go with which letters of a calling convention.
//!
//! Not here: the calls ([`super`]).
//!
//! | Rust | letters |
//! |---|---|
//! | `i32`, `u32`, `bool` | `i` |
//! | `i64`, `u64` | `I` |
//! | `f32`, `f64` | `f`, `F` |
//! | `RefOf<T>`, `Option<RefOf<T>>`, `Option<Ref>` | `r` (the first fails on null) |
//! | `Vec<E>` of one of these or a tuple, only as argument | `C`…`D` |

use super::Pending;
use super::flow::Task;
use crate::engine::state::Window;
use crate::machine::Core;
use crate::module::Scalar;
use crate::object::{Object, Ref, RefOf};
use crate::translate::code::{Carry, Site, Transfer};
use crate::value::Value;
use crate::wait::Wait;
use raddle_status::{Code, Error, Result};
use std::slice::Iter;

/// Reads the arguments of one call, in order, from the caller's registers.
pub struct Reader<'a> {
    window: Window,
    arguments: Iter<'a, Transfer>,
    segments: &'a [u16],
    position: usize,
}

impl<'a> Reader<'a> {
    #[inline(always)]
    pub(crate) fn new(window: Window, site: &'a Site) -> Reader<'a> {
        Reader { window, arguments: site.arguments.iter(), segments: &site.segments, position: 0 }
    }

    #[inline(always)]
    fn next(&mut self) -> Transfer {
        let next = self.arguments.next();
        *next.unwrap_or_else(|| unreachable!("T4: a site has the arguments of its convention"))
    }

    #[inline(always)]
    fn half(&mut self) -> u32 {
        let cell = self.next().from;
        self.window.get(cell)
    }

    #[inline(always)]
    fn whole(&mut self) -> u64 {
        let cell = self.next().from;
        self.window.get(cell)
    }

    #[inline(always)]
    fn take_ref(&mut self) -> Option<Ref> {
        let next = self.next();
        let place = self.window.reference(next.from);
        if next.carry == Carry::Take { place.take() } else { place.clone() }
    }

    /// The next value, as its letter says.
    pub(super) fn value(&mut self, scalar: Scalar) -> Value {
        match scalar {
            Scalar::I32 => Value::I32(self.half() as i32),
            Scalar::I64 => Value::I64(self.whole() as i64),
            Scalar::F32 => Value::F32(f32::from_bits(self.half())),
            Scalar::F64 => Value::F64(f64::from_bits(self.whole())),
            Scalar::Ref => Value::Ref(self.take_ref()),
        }
    }

    /// A parameter has been read, or all repetitions of a group.
    pub(super) fn next_param(&mut self) {
        self.position += 1;
    }

    /// How often the group at the current position occurs.
    pub(super) fn repetitions(&self) -> usize {
        self.segments.get(self.position).copied().unwrap_or(0).into()
    }
}

/// Writes the results of one call, in order, into the caller's registers; or keeps the rest of a call that suspends.
pub struct Writer<'a> {
    core: &'a mut Core,
    site: &'a Site,
    results: Iter<'a, u16>,
}

impl<'a> Writer<'a> {
    #[inline(always)]
    pub(crate) fn new(core: &'a mut Core, site: &'a Site) -> Writer<'a> {
        Writer { core, site, results: site.results.iter() }
    }

    /// Keeps what a suspended call needs to go on.
    #[inline]
    pub(super) fn suspend(&mut self, task: Task, wait: Option<Wait>) {
        self.core.wait = wait;
        self.core.native = Some(Pending { task, site: self.site });
    }

    #[inline(always)]
    fn next(&mut self) -> u16 {
        let next = self.results.next();
        *next.unwrap_or_else(|| unreachable!("T4: a site has the results of its convention"))
    }

    #[inline(always)]
    fn half(&mut self, bits: u32) {
        let cell = self.next();
        self.core.window.set(cell, bits);
    }

    #[inline(always)]
    fn whole(&mut self, bits: u64) {
        let cell = self.next();
        self.core.window.set(cell, bits);
    }

    /// The next result, which has the type of its letter.
    pub(super) fn put(&mut self, value: Value) {
        match value {
            Value::I64(_) | Value::F64(_) => self.whole(value.bits()),
            Value::Ref(reference) => self.put_ref(reference),
            value => self.half(value.bits() as u32),
        }
    }

    #[inline(always)]
    fn put_ref(&mut self, reference: Option<Ref>) {
        let cell = self.next();
        self.core.window.put(cell, reference);
    }
}

mod sealed {
    pub trait Sealed {}
}

/// One value of a call: a letter.
pub trait Element: sealed::Sealed + Sized {
    /// The letters of this value.
    const LETTERS: &'static [&'static str];

    /// Reads it.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`: a reference is null or of another type.
    #[doc(hidden)]
    fn read(reader: &mut Reader<'_>) -> Result<Self>;
}

/// An argument of a native function.
pub trait Arg: Sized {
    /// Adds the letters of this argument.
    #[doc(hidden)]
    fn letters(text: &mut String);

    /// Reads it.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`: a reference is null or of another type.
    #[doc(hidden)]
    fn read(reader: &mut Reader<'_>) -> Result<Self>;
}

impl<E: Element> Arg for E {
    fn letters(text: &mut String) {
        E::LETTERS.iter().for_each(|letters| text.push_str(letters));
    }

    #[inline(always)]
    fn read(reader: &mut Reader<'_>) -> Result<E> {
        let value = E::read(reader)?;
        reader.position += 1;
        Ok(value)
    }
}

impl<E: Element> Arg for Vec<E> {
    fn letters(text: &mut String) {
        text.push('C');
        E::LETTERS.iter().for_each(|letters| text.push_str(letters));
        text.push('D');
    }

    fn read(reader: &mut Reader<'_>) -> Result<Vec<E>> {
        let items = (0..reader.repetitions()).map(|_| E::read(reader)).collect::<Result<_>>()?;
        reader.position += 1;
        Ok(items)
    }
}

/// What a native function returns.
pub trait Results: Sized {
    /// The letters.
    #[doc(hidden)]
    fn letters(text: &mut String);

    /// Writes them.
    #[doc(hidden)]
    fn write(self, writer: &mut Writer<'_>);
}

macro_rules! scalars {
    ($($type:ty: $letter:literal $read:ident $write:ident, |$in:ident| $from:expr, |$out:ident| $to:expr;)*) => { $(
        impl sealed::Sealed for $type {}

        impl Element for $type {
            const LETTERS: &'static [&'static str] = &[$letter];
            #[inline(always)]
            fn read(reader: &mut Reader<'_>) -> Result<$type> {
                let $in = reader.$read();
                Ok($from)
            }
        }

        impl Results for $type {
            fn letters(text: &mut String) { text.push_str($letter); }
            #[inline(always)]
            fn write(self, writer: &mut Writer<'_>) {
                let $out = self;
                writer.$write($to);
            }
        }
    )* };
}

scalars! {
    i32: "i" half half, |bits| bits as i32, |value| value as u32;
    u32: "i" half half, |bits| bits, |value| value;
    bool: "i" half half, |bits| bits != 0, |value| u32::from(value);
    i64: "I" whole whole, |bits| bits as i64, |value| value as u64;
    u64: "I" whole whole, |bits| bits, |value| value;
    f32: "f" half half, |bits| f32::from_bits(bits), |value| value.to_bits();
    f64: "F" whole whole, |bits| f64::from_bits(bits), |value| value.to_bits();
    Option<Ref>: "r" take_ref put_ref, |reference| reference, |reference| reference;
}

fn typed<T: Object>(reference: Ref) -> Result<RefOf<T>> {
    reference.downcast().map_err(|other| {
        let text = format!("expected a reference to {}, got one to {}", T::NAME, other.ty().name());
        Error::new(Code::InvalidArgument, text)
    })
}

impl<T: Object> sealed::Sealed for RefOf<T> {}

impl<T: Object> Element for RefOf<T> {
    const LETTERS: &'static [&'static str] = &["r"];
    #[inline]
    fn read(reader: &mut Reader<'_>) -> Result<RefOf<T>> {
        let null =
            || Error::new(Code::InvalidArgument, format!("expected a reference to {}, got null", T::NAME));
        typed(reader.take_ref().ok_or_else(null)?)
    }
}

impl<T: Object> sealed::Sealed for Option<RefOf<T>> {}

impl<T: Object> Element for Option<RefOf<T>> {
    const LETTERS: &'static [&'static str] = &["r"];
    #[inline]
    fn read(reader: &mut Reader<'_>) -> Result<Option<RefOf<T>>> {
        reader.take_ref().map(typed).transpose()
    }
}

impl<T: Object> Results for RefOf<T> {
    fn letters(text: &mut String) {
        text.push('r');
    }
    fn write(self, writer: &mut Writer<'_>) {
        writer.put_ref(Some(self.into_ref()));
    }
}

impl<T: Object> Results for Option<RefOf<T>> {
    fn letters(text: &mut String) {
        text.push('r');
    }
    fn write(self, writer: &mut Writer<'_>) {
        writer.put_ref(self.map(RefOf::into_ref));
    }
}

impl Results for () {
    fn letters(_: &mut String) {}
    fn write(self, _: &mut Writer<'_>) {}
}

macro_rules! tuples {
    ($($($name:ident)*;)*) => { $(
        impl<$($name: Results),*> Results for ($($name,)*) {
            fn letters(text: &mut String) { $($name::letters(text);)* }
            #[allow(non_snake_case)]
            fn write(self, writer: &mut Writer<'_>) {
                let ($($name,)*) = self;
                $($name.write(writer);)*
            }
        }
    )* };
}

tuples! { A; A B; A B C; A B C D; }

macro_rules! groups {
    ($($($name:ident)*;)*) => { $(
        impl<$($name: Element),*> sealed::Sealed for ($($name,)*) {}
        impl<$($name: Single),*> Element for ($($name,)*) {
            const LETTERS: &'static [&'static str] = &[$($name::LETTER),*];
            fn read(reader: &mut Reader<'_>) -> Result<Self> {
                Ok(($($name::read(reader)?,)*))
            }
        }
    )* };
}

/// An element of one letter.
pub trait Single: Element {
    /// The letter.
    const LETTER: &'static str;
}

macro_rules! singles {
    ($($type:ty)*) => { $(impl Single for $type {
        const LETTER: &'static str = <$type as Element>::LETTERS[0];
    })* };
}

singles! { i32 u32 bool i64 u64 f32 f64 Option<Ref> }

impl<T: Object> Single for RefOf<T> {
    const LETTER: &'static str = "r";
}

impl<T: Object> Single for Option<RefOf<T>> {
    const LETTER: &'static str = "r";
}

groups! { A B; A B C; A B C D; A B C D E; }
