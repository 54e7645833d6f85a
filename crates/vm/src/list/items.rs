//! The elements of a list, which only who has the list locked can reach.
//!
//! Not here: the lock (`../list.rs`).

use super::{ElementType, List};
use crate::object::Ref;
use crate::quota::Charge;
use crate::tuning::LIST_CAPACITY_STEP;
use crate::value::{Primitive, Value};
use raddle_status::{Code, Error, Result};

pub(super) struct Items {
    pub(super) store: Store,
    pub(super) charge: Charge,
}

pub(super) enum Store {
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    Ref(Vec<Option<Ref>>),
    Variant(Vec<Value>),
}

macro_rules! each {
    ($store:expr, $items:ident => $body:expr) => {
        match $store {
            Store::I8($items) => $body,
            Store::I16($items) => $body,
            Store::I32($items) => $body,
            Store::I64($items) => $body,
            Store::F32($items) => $body,
            Store::F64($items) => $body,
            Store::Ref($items) => $body,
            Store::Variant($items) => $body,
        }
    };
}

pub(super) fn mismatch(text: &str) -> Error {
    Error::new(Code::FailedPrecondition, text.to_owned())
}

fn no_element(index: usize, length: usize) -> Error {
    Error::new(Code::OutOfRange, format!("element {index} of a list of {length}"))
}

impl Items {
    pub(super) fn len(&self) -> usize {
        each!(&self.store, items => items.len())
    }

    pub(super) fn capacity(&self) -> usize {
        each!(&self.store, items => items.capacity())
    }

    pub(super) fn get(&self, index: usize) -> Result<Value> {
        let value = match &self.store {
            Store::I8(items) => items.get(index).map(|value| Value::I8(*value)),
            Store::I16(items) => items.get(index).map(|value| Value::I16(*value)),
            Store::I32(items) => items.get(index).map(|value| Value::I32(*value)),
            Store::I64(items) => items.get(index).map(|value| Value::I64(*value)),
            Store::F32(items) => items.get(index).map(|value| Value::F32(*value)),
            Store::F64(items) => items.get(index).map(|value| Value::F64(*value)),
            Store::Ref(items) => items.get(index).map(|value| Value::Ref(value.clone())),
            Store::Variant(items) => items.get(index).cloned(),
        };
        value.ok_or_else(|| no_element(index, self.len()))
    }

    pub(super) fn set(&mut self, index: usize, value: Value) -> Result<Value> {
        let length = self.len();
        let element = |kind| value.convert(kind).ok_or_else(|| mismatch("only primitive values fit here"));
        macro_rules! put {
            ($items:expr, $kind:ident) => {{
                let place = $items.get_mut(index).ok_or_else(|| no_element(index, length))?;
                if let Value::$kind(value) = element(Primitive::$kind)? {
                    *place = value;
                }
                Ok(Value::Empty)
            }};
        }
        match &mut self.store {
            Store::I8(items) => put!(items, I8),
            Store::I16(items) => put!(items, I16),
            Store::I32(items) => put!(items, I32),
            Store::I64(items) => put!(items, I64),
            Store::F32(items) => put!(items, F32),
            Store::F64(items) => put!(items, F64),
            Store::Ref(_) => Err(mismatch("a list of references holds no values")),
            Store::Variant(items) => {
                let place = items.get_mut(index).ok_or_else(|| no_element(index, length))?;
                Ok(std::mem::replace(place, value))
            }
        }
    }

    /// Adds an element; the list is as it was if that fails.
    pub(super) fn push(&mut self, value: &mut Value, element: ElementType, length_max: u32) -> Result {
        let index = self.len();
        let length = u32::try_from(index + 1).map_err(|_| Error::from(Code::ResourceExhausted))?;
        self.resize(length, length_max, 1)?;
        // What was there is the element that was just made: to drop it drops no ref.
        let added = match value {
            Value::Ref(reference) => self.set_ref(index, reference, element).map(drop),
            Value::Empty => Ok(()),
            value => self.set(index, value.clone()).map(drop),
        };
        if added.is_err() {
            each!(&mut self.store, items => items.truncate(index));
        }
        added
    }

    pub(super) fn get_ref(&mut self, index: usize, take: bool) -> Result<Option<Ref>> {
        let length = self.len();
        match &mut self.store {
            Store::Ref(items) => {
                let place = items.get_mut(index).ok_or_else(|| no_element(index, length))?;
                Ok(if take { place.take() } else { place.clone() })
            }
            Store::Variant(items) => {
                let place = items.get_mut(index).ok_or_else(|| no_element(index, length))?;
                match place {
                    Value::Empty => Ok(None),
                    Value::Ref(reference) if !take => Ok(reference.clone()),
                    Value::Ref(reference) => {
                        let taken = reference.take();
                        *place = Value::Empty;
                        Ok(taken)
                    }
                    _ => Err(mismatch(&format!("element {index} holds a primitive value, no reference"))),
                }
            }
            _ => Err(mismatch("a list of primitive values holds no references")),
        }
    }

    /// Takes the reference, unless it fails: so that it is not dropped here (I2).
    pub(super) fn set_ref(
        &mut self,
        index: usize,
        reference: &mut Option<Ref>,
        element: ElementType,
    ) -> Result<Value> {
        let length = self.len();
        match &mut self.store {
            Store::Ref(items) => {
                let place = items.get_mut(index).ok_or_else(|| no_element(index, length))?;
                match (&*reference, element) {
                    (Some(object), ElementType::Ref(ty)) if object.ty() != ty => {
                        let text = format!("{:?} does not fit into a list of {ty:?}", object.ty());
                        Err(Error::new(Code::InvalidArgument, text))
                    }
                    _ => Ok(Value::Ref(std::mem::replace(place, reference.take()))),
                }
            }
            Store::Variant(items) => {
                let place = items.get_mut(index).ok_or_else(|| no_element(index, length))?;
                Ok(std::mem::replace(place, Value::Ref(reference.take())))
            }
            _ => Err(mismatch("a list of primitive values holds no references")),
        }
    }

    pub(super) fn reserve(&mut self, capacity: u32, length_max: u32, rounded: bool) -> Result {
        if capacity > length_max {
            let text = format!("a list of {capacity} elements; the limit is {length_max}");
            return Err(Error::new(Code::ResourceExhausted, text));
        }
        let wanted = if rounded {
            (capacity as usize).next_multiple_of(LIST_CAPACITY_STEP)
        } else {
            capacity as usize
        };
        each!(&mut self.store, items => {
            if wanted > items.capacity() {
                self.charge.grow_to(size_of::<List>() as u64 + (wanted * size_of_val_of(items)) as u64)?;
                let more = wanted - items.len();
                let text = "no memory for the elements of a list";
                items.try_reserve_exact(more).map_err(|_| Error::new(Code::ResourceExhausted, text))?;
            }
            Ok(())
        })
    }

    /// At most `most` elements of the way to `length`; the first part of it makes room for all.
    pub(super) fn resize(&mut self, length: u32, length_max: u32, most: usize) -> Result<Vec<Value>> {
        if length as usize > self.capacity() {
            let amortised =
                (self.len() as u64 * 2).clamp(length.into(), length_max.max(length).into()) as u32;
            if self.reserve(amortised, length_max, true).is_err() {
                self.reserve(length, length_max, true)?;
            }
        }
        let near = (self.len().saturating_sub(most), self.len().saturating_add(most));
        let length = (length as usize).clamp(near.0, near.1);
        Ok(match &mut self.store {
            Store::Ref(items) if length < items.len() => items.drain(length..).map(Value::Ref).collect(),
            Store::Variant(items) if length < items.len() => items.drain(length..).collect(),
            store => {
                each!(store, items => items.resize_with(length, Default::default));
                Vec::new()
            }
        })
    }
}

fn size_of_val_of<T>(_: &Vec<T>) -> usize {
    size_of::<T>()
}
