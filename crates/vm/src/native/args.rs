//! Arguments and results of native functions: which Rust types go with which letters of a calling convention.
//!
//! Not here: the calls ([`super`]), references ([`super::refs`]), repeated groups ([`super::variadic`]).
//!
//! | Rust | letters |
//! |---|---|
//! | `i32`, `u32`, `bool` | `i` |
//! | `i64`, `u64` | `I` |
//! | `f32`, `f64` | `f`, `F` |
//! | `&T`, `&RefOf<T>`, `RefOf<T>` of an object type `T` | `r`; null fails |
//! | `Option` of one of these, `Option<&Ref>`, `Option<Ref>` | `r`; null is `None` |
//! | a tuple of up to eight of these | their letters |
//! | `Variadic<'_, E>` of one of these or a tuple, only as argument | `C`…`D` |
//! | `Vec<E>`, the same | `C`…`D` |
//!
//! What begins with `&`, and a [`Variadic`](super::Variadic), lies in the caller's registers: it costs no count and no
//! allocation, and ends with the call. A function that keeps a reference clones a `&RefOf<T>`, or takes a `RefOf<T>`.
//!
//! # Invariants
//! - A1: while a function runs that borrows from the caller's registers, nothing changes these: its reader clones where
//!   bytecode says *move*, and releases what was moved when the function has returned, before results are written.

use super::flow::{Progress, Task};
use crate::engine::state::Window;
use crate::machine::Core;
use crate::module::Scalar;
use crate::object::Ref;
use crate::translate::code::{Carry, Site, Transfer};
use crate::value::Value;
use crate::wait::Wait;
use raddle_status::{Error, Result};
use std::slice::Iter;

/// Reads the arguments of one call, in order, from the caller's registers.
#[derive(Clone)]
pub struct Reader<'a> {
    window: Window,
    arguments: Iter<'a, Transfer>,
    segments: &'a [u16],
    position: usize,
    /// Whether the function borrows from the registers; see A1.
    borrows: bool,
}

impl<'a> Reader<'a> {
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
    pub(super) fn take_ref(&mut self) -> Option<Ref> {
        let next = self.next();
        if next.carry == Carry::Take && !self.borrows {
            return self.window.reference(next.from).take();
        }
        self.window.borrowed(next.from).cloned()
    }

    /// A reference that stays where it is. Only for functions that borrow.
    #[inline(always)]
    pub(super) fn borrow_ref(&mut self) -> Option<&'a Ref> {
        debug_assert!(self.borrows, "A1: nobody may take a reference that is borrowed");
        let cell = self.next().from;
        self.window.borrowed(cell)
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

    /// How often the group at the current position occurs.
    pub(super) fn repetitions(&self) -> usize {
        self.segments.get(self.position).copied().unwrap_or(0).into()
    }

    /// Splits off the next `count` letters, and goes on behind them.
    pub(super) fn split(&mut self, count: usize) -> Reader<'a> {
        let (first, rest) = self.arguments.as_slice().split_at(count);
        self.arguments = rest.iter();
        Reader { arguments: first.iter(), ..self.clone() }
    }

    /// Leaves out `count` letters.
    pub(super) fn skip(&mut self, count: usize) {
        self.arguments = self.arguments.as_slice()[count..].iter();
    }

    /// The next argument of the convention is a letter or a group further on.
    #[inline(always)]
    pub(super) fn advance(&mut self) {
        self.position += 1;
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

    /// The arguments of the call. `borrows`: A1.
    #[inline(always)]
    pub(super) fn reader(&self, borrows: bool) -> Reader<'a> {
        let Site { arguments, segments, .. } = self.site;
        Reader { window: self.core.window, arguments: arguments.iter(), segments, position: 0, borrows }
    }

    /// Releases the references that a function which borrows was given to keep (A1).
    #[inline]
    pub(super) fn release_moved(&mut self) {
        for argument in &self.site.arguments {
            if argument.carry == Carry::Take {
                drop(self.core.window.reference(argument.from).take());
            }
        }
    }

    /// Keeps what a suspended call needs to go on (F2).
    #[inline(always)]
    pub(super) fn suspend(&mut self, task: Task, wait: Option<Wait>) -> Progress {
        let progress = if wait.is_some() { Progress::Waiting } else { Progress::Yielded };
        self.core.suspend(task, wait);
        progress
    }

    /// Leaves the failure of the call.
    #[cold]
    pub(super) fn fail(&mut self, error: Error) -> Progress {
        self.core.leave_error(error);
        Progress::Failed
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
    pub(super) fn put_ref(&mut self, reference: Option<Ref>) {
        let cell = self.next();
        self.core.window.put(cell, reference);
    }
}

pub(super) mod sealed {
    pub trait Sealed {}
}

/// One value of a call: a letter; or several of them, as a tuple.
pub trait Element: sealed::Sealed + Sized {
    /// What a function gets: this type, with the lifetime of the call where it borrows.
    type Item<'a>;

    /// The letters of this value.
    const LETTERS: &'static [&'static str];

    /// Whether it lies in the caller's registers.
    #[doc(hidden)]
    const BORROWS: bool = false;

    /// Reads it.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`: a reference is null or of another type.
    #[doc(hidden)]
    fn read<'a>(reader: &mut Reader<'a>) -> Result<Self::Item<'a>>;
}

/// An argument of a native function.
pub trait Arg: Sized {
    /// What the function gets; see [`Element::Item`].
    type Item<'a>;

    /// Whether it lies in the caller's registers.
    #[doc(hidden)]
    const BORROWS: bool;

    /// Adds the letters of this argument.
    #[doc(hidden)]
    fn letters(text: &mut String);

    /// Reads it.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`: a reference is null or of another type.
    #[doc(hidden)]
    fn read<'a>(reader: &mut Reader<'a>) -> Result<Self::Item<'a>>;
}

impl<E: Element> Arg for E {
    type Item<'a> = E::Item<'a>;
    const BORROWS: bool = E::BORROWS;

    fn letters(text: &mut String) {
        E::LETTERS.iter().for_each(|letters| text.push_str(letters));
    }

    #[inline(always)]
    fn read<'a>(reader: &mut Reader<'a>) -> Result<E::Item<'a>> {
        let value = E::read(reader)?;
        E::LETTERS.iter().for_each(|_| reader.advance());
        Ok(value)
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
            type Item<'a> = $type;
            const LETTERS: &'static [&'static str] = &[$letter];
            #[inline(always)]
            fn read<'a>(reader: &mut Reader<'a>) -> Result<$type> {
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

tuples! { A; A B; A B C; A B C D; A B C D E; A B C D E F; A B C D E F G; A B C D E F G H; }

macro_rules! groups {
    ($($($name:ident)*;)*) => { $(
        impl<$($name: Element),*> sealed::Sealed for ($($name,)*) {}
        impl<$($name: Single),*> Element for ($($name,)*) {
            type Item<'a> = ($($name::Item<'a>,)*);
            const LETTERS: &'static [&'static str] = &[$($name::LETTER),*];
            const BORROWS: bool = $($name::BORROWS)||*;
            #[inline]
            fn read<'a>(reader: &mut Reader<'a>) -> Result<Self::Item<'a>> {
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

singles! { i32 u32 bool i64 u64 f32 f64 }

groups! { A B; A B C; A B C D; A B C D E; A B C D E F; A B C D E F G; A B C D E F G H; }
