//! Values: arguments, results, elements of lists.
//!
//! Not here: what references lead to (`object.rs`).
//!
//! # Invariants
//! - L1: of lent values the first `count` places of `few` are initialised, or `many` has all. (by construction: `Lent::new`)
#![allow(unsafe_code)]

use crate::boundary::{invalid, put_if};
use crate::handle::Kind;
use crate::object::Ref;
use raddle::vm;
use raddle::{Code, Error, Outputs, Result};
use std::mem::MaybeUninit;

/// What a `raddle_value_t` holds.
#[repr(u32)]
pub enum ValueKind {
    /// Nothing: an element of a list that was never set.
    Empty = 0,
    /// `i32`; narrower integers too.
    I32 = 1,
    /// `i64`.
    I64 = 2,
    /// `f32`.
    F32 = 3,
    /// `f64`.
    F64 = 4,
    /// `ref`, which may be null.
    Ref = 5,
}

/// The content of a value.
#[repr(C)]
#[derive(Clone, Copy)]
pub union ValueContent {
    /// Of `RADDLE_VALUE_KIND_I32`.
    pub i32: i32,
    /// Of `RADDLE_VALUE_KIND_I64`.
    pub i64: i64,
    /// Of `RADDLE_VALUE_KIND_F32`.
    pub f32: f32,
    /// Of `RADDLE_VALUE_KIND_F64`.
    pub f64: f64,
    /// Of `RADDLE_VALUE_KIND_REF`.
    pub r#ref: *mut Ref,
}

/// A value. Whoever owns a value that holds a reference releases the reference.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Value {
    /// A `raddle_value_kind_t`.
    pub kind: u32,
    /// By kind.
    pub of: ValueContent,
}

impl Value {
    pub(crate) const EMPTY: Value = Value { kind: ValueKind::Empty as u32, of: ValueContent { i64: 0 } };

    /// The value as Rust has it; a reference is retained.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: an unknown kind, or a dead reference.
    #[inline(always)]
    pub(crate) fn to_rust(self) -> Result<vm::Value> {
        const EMPTY: u32 = ValueKind::Empty as u32;
        const I32: u32 = ValueKind::I32 as u32;
        const I64: u32 = ValueKind::I64 as u32;
        const F32: u32 = ValueKind::F32 as u32;
        const F64: u32 = ValueKind::F64 as u32;
        const REF: u32 = ValueKind::Ref as u32;
        Ok(match self.kind {
            EMPTY => vm::Value::Empty,
            // SAFETY: B1: the kind says what was written; every pattern of bits is a number.
            I32 => vm::Value::I32(unsafe { self.of.i32 }),
            // SAFETY: as above.
            I64 => vm::Value::I64(unsafe { self.of.i64 }),
            // SAFETY: as above.
            F32 => vm::Value::F32(unsafe { self.of.f32 }),
            // SAFETY: as above.
            F64 => vm::Value::F64(unsafe { self.of.f64 }),
            REF => vm::Value::Ref(
                self.reference().map(|held| Ref::get(Some(held), "a value's ref").cloned()).transpose()?,
            ),
            other => return Err(no_kind(other)),
        })
    }

    fn reference<'a>(self) -> Option<&'a Ref> {
        // SAFETY: B1: the kind says that a reference was written.
        let reference = unsafe { self.of.r#ref };
        // SAFETY: B1.
        unsafe { reference.as_ref() }
    }

    /// The value as C has it; a reference is C's to release.
    #[inline(always)]
    pub(crate) fn of_rust(value: vm::Value) -> Value {
        let (kind, of) = match value {
            vm::Value::Empty => return Value::EMPTY,
            vm::Value::I8(value) => (ValueKind::I32, ValueContent { i32: value.into() }),
            vm::Value::I16(value) => (ValueKind::I32, ValueContent { i32: value.into() }),
            vm::Value::I32(value) => (ValueKind::I32, ValueContent { i32: value }),
            vm::Value::I64(value) => (ValueKind::I64, ValueContent { i64: value }),
            vm::Value::F32(value) => (ValueKind::F32, ValueContent { f32: value }),
            vm::Value::F64(value) => (ValueKind::F64, ValueContent { f64: value }),
            vm::Value::Ref(reference) => {
                let r#ref = reference.map_or(std::ptr::null_mut(), Ref::create);
                (ValueKind::Ref, ValueContent { r#ref })
            }
        };
        Value { kind: kind as u32, of }
    }

    /// Takes over a value that a callback wrote.
    pub(crate) fn take(self) -> Result<vm::Value> {
        let value = self.to_rust();
        if self.kind == ValueKind::Ref as u32 && value.is_ok() {
            Ref::release(self.reference(), "a callback's result");
        }
        value
    }
}

#[cold]
fn no_kind(kind: u32) -> Error {
    invalid(format!("{kind} is no kind of a value"))
}

/// Says which argument it was.
#[cold]
pub(crate) fn in_argument(error: Error, index: usize) -> Error {
    error.within(format!("in argument {index}"))
}

/// All of them.
///
/// # Errors
/// As for `to_rust`.
pub(crate) fn all_arguments(values: &[Value]) -> Result<Vec<vm::Value>> {
    let convert =
        |(index, value): (usize, &Value)| value.to_rust().map_err(|error| in_argument(error, index));
    values.iter().enumerate().map(convert).collect()
}

/// Fails unless `results` has room for what the function returns.
#[inline]
pub(crate) fn check_room(wanted: usize, room: usize) -> Result {
    if wanted <= room { Ok(()) } else { Err(no_room(wanted, room)) }
}

#[cold]
fn no_room(wanted: usize, room: usize) -> Error {
    let text = format!("the function has {wanted} results, there is room for {room}");
    Error::new(Code::InvalidArgument, text)
}

/// Hands results to C; there is room.
#[inline(always)]
pub(crate) fn give(outputs: &mut Outputs, results: &mut [Value], out_count: *mut usize) {
    put_if(out_count, outputs.len());
    for (place, value) in results.iter_mut().zip(outputs.iter_mut()) {
        *place = Value::of_rust(std::mem::take(value));
    }
}

/// Values that are lent to a callback, and released after it.
pub(crate) struct Lent {
    few: [MaybeUninit<Value>; VALUES_INLINE],
    count: usize,
    many: Vec<Value>,
}

/// Values that are lent without an allocation. Guess: most functions have fewer.
const VALUES_INLINE: usize = 8;

impl Lent {
    #[inline(always)]
    pub(crate) fn new(values: impl ExactSizeIterator<Item = vm::Value>) -> Lent {
        let (mut few, mut many) = ([MaybeUninit::uninit(); VALUES_INLINE], Vec::new());
        let count = values.len();
        let as_c = values.map(Value::of_rust);
        match count <= VALUES_INLINE {
            true => few.iter_mut().zip(as_c).for_each(|(place, value)| *place = MaybeUninit::new(value)),
            false => many.extend(as_c),
        }
        Lent { few, count, many }
    }

    #[inline(always)]
    pub(crate) fn values(&self) -> &[Value] {
        if self.count > VALUES_INLINE {
            return &self.many;
        }
        // SAFETY: L1.
        unsafe { std::slice::from_raw_parts(self.few.as_ptr().cast(), self.count) }
    }
}

impl Drop for Lent {
    #[inline(always)]
    fn drop(&mut self) {
        for value in self.values().iter().filter(|value| value.kind == ValueKind::Ref as u32) {
            Ref::release(value.reference(), "a lent value");
        }
    }
}
