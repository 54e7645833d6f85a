//! Arguments and results of invocations, dynamic and typed.
//!
//! Not here: what a value is ([`Value`]), how it is checked against a signature (the VM).

use crate::tuning::VALUES_INLINE;
use raddle_status::{Code, Error, Result};
use raddle_vm::{Primitive, Ref, Value};
use smallvec::SmallVec;
use std::ops::{Deref, DerefMut};

pub(crate) type Values = SmallVec<[Value; VALUES_INLINE]>;

mod sealed {
    pub trait Sealed {}
}

/// What a function can be called with: a tuple of numbers and references, or values in a slice, vector or array.
pub trait Arguments: sealed::Sealed {
    /// Adds the arguments, in order.
    #[doc(hidden)]
    fn put(self, add: &mut dyn FnMut(Value));
}

impl sealed::Sealed for &[Value] {}
impl Arguments for &[Value] {
    fn put(self, add: &mut dyn FnMut(Value)) {
        self.iter().cloned().for_each(add);
    }
}

impl sealed::Sealed for Vec<Value> {}
impl Arguments for Vec<Value> {
    fn put(self, add: &mut dyn FnMut(Value)) {
        self.into_iter().for_each(add);
    }
}

impl<const N: usize> sealed::Sealed for [Value; N] {}
impl<const N: usize> Arguments for [Value; N] {
    fn put(self, add: &mut dyn FnMut(Value)) {
        self.into_iter().for_each(add);
    }
}

/// Arguments that are made one by one, in place: for hosts in other languages, whose values are no [`Value`]s yet.
pub struct Each<F>(pub F);

impl<F: FnOnce(&mut dyn FnMut(Value))> sealed::Sealed for Each<F> {}
impl<F: FnOnce(&mut dyn FnMut(Value))> Arguments for Each<F> {
    #[inline]
    fn put(self, add: &mut dyn FnMut(Value)) {
        (self.0)(add);
    }
}

/// The results of an invocation, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outputs(Values);

impl Outputs {
    pub(crate) fn new(values: impl IntoIterator<Item = Value>) -> Outputs {
        Outputs(values.into_iter().collect())
    }

    /// The results as Rust values: one of them, or a tuple.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: there are more or fewer results, or they are of another kind.
    pub fn to<T: FromOutputs>(&self) -> Result<T> {
        T::from_outputs(self)
    }

    fn expect_count(&self, count: usize) -> Result {
        match self.len() == count {
            true => Ok(()),
            false => {
                let text = format!("expected {count} results, the function has {}", self.len());
                Err(Error::new(Code::InvalidArgument, text))
            }
        }
    }
}

impl Deref for Outputs {
    type Target = [Value];
    #[inline]
    fn deref(&self) -> &[Value] {
        &self.0
    }
}

impl DerefMut for Outputs {
    #[inline]
    fn deref_mut(&mut self) -> &mut [Value] {
        &mut self.0
    }
}

/// One result as a Rust value.
pub trait FromValue: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: it is of another kind.
    fn from_value(value: &Value) -> Result<Self>;
}

macro_rules! numbers {
    ($($type:ty: $variant:ident),*) => { $(impl FromValue for $type {
        fn from_value(value: &Value) -> Result<$type> {
            match value {
                Value::$variant(value) => Ok(*value),
                other => Err(mismatch(stringify!($type), other)),
            }
        }
    })* };
}
numbers!(i32: I32, i64: I64, f32: F32, f64: F64);

impl FromValue for Option<Ref> {
    fn from_value(value: &Value) -> Result<Option<Ref>> {
        match value {
            Value::Ref(reference) => Ok(reference.clone()),
            other => Err(mismatch("a reference", other)),
        }
    }
}

impl FromValue for Ref {
    fn from_value(value: &Value) -> Result<Ref> {
        Option::<Ref>::from_value(value)?.ok_or_else(|| mismatch("a reference", value))
    }
}

fn mismatch(wanted: &str, value: &Value) -> Error {
    debug_assert!(value.convert(Primitive::I32).is_some() || matches!(value, Value::Ref(_) | Value::Empty));
    Error::new(Code::InvalidArgument, format!("expected {wanted}, the result is {value}"))
}

/// The results as Rust values.
pub trait FromOutputs: Sized {
    /// Reads them.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: there are more or fewer, or they are of another kind.
    fn from_outputs(outputs: &Outputs) -> Result<Self>;
}

impl<T: FromValue> FromOutputs for T {
    fn from_outputs(outputs: &Outputs) -> Result<T> {
        outputs.expect_count(1)?;
        T::from_value(&outputs[0])
    }
}

macro_rules! tuples {
    ($($count:literal: $($name:ident $index:tt)*;)*) => { $(
        impl<$($name: Into<Value>),*> sealed::Sealed for ($($name,)*) {}
        impl<$($name: Into<Value>),*> Arguments for ($($name,)*) {
            fn put(self, add: &mut dyn FnMut(Value)) {
                $(add(self.$index.into());)*
                let _ = add;
            }
        }

        impl<$($name: FromValue),*> FromOutputs for ($($name,)*) {
            fn from_outputs(outputs: &Outputs) -> Result<Self> {
                outputs.expect_count($count)?;
                Ok(($($name::from_value(&outputs[$index])?,)*))
            }
        }
    )* };
}

tuples! {
    0: ;
    1: A 0;
    2: A 0 B 1;
    3: A 0 B 1 C 2;
    4: A 0 B 1 C 2 D 3;
    5: A 0 B 1 C 2 D 3 E 4;
    6: A 0 B 1 C 2 D 3 E 4 F 5;
    7: A 0 B 1 C 2 D 3 E 4 F 5 G 6;
    8: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_typed_and_counted() {
        let outputs = Outputs::new([Value::I32(1), Value::F64(2.0)]);
        assert_eq!(outputs.to::<(i32, f64)>().unwrap(), (1, 2.0));
        for error in [outputs.to::<i32>().unwrap_err(), outputs.to::<(i64, f64)>().unwrap_err()] {
            assert_eq!(error.code(), Code::InvalidArgument, "{error}");
        }
        Outputs::default().to::<()>().unwrap();
        let mut outputs = outputs;
        assert_eq!(std::mem::take(&mut outputs[0]), Value::I32(1));
        assert_eq!(outputs[..], [Value::Empty, Value::F64(2.0)]);
    }
}
