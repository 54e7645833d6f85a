//! `vm.list`: a growable array of primitive values of one type, of references, or of anything.
//!
//! Not here: finding lists that hold each other in a circle ([`crate::cycles`]).
//!
//! # Invariants
//! - I1: the elements are reached only by the holder of `locked`, or by the exclusive borrower of the only ref.
//!   So two invocations that were given one list take turns at it, one operation each. [mutants: list.lock, list.unlock]
//! - I2: nobody keeps the lock longer than one operation, and no operation drops a ref, runs foreign code or
//!   waits while it holds the lock: what falls out of the list is returned and dropped afterwards.
//!   (by construction: `Access::with` takes and gives the lock around one closure, which returns what it drops)
//! - I3: a list of references holds null or objects of its type only. [tests: references_are_checked_and_limits_hold]
//!
//! # Orderings
//! `lock`'s exchange (Acquire) <-> `unlock`'s store (Release): each operation sees the ones before it.
//! Models: `tests/loom_list.rs`.
#![allow(unsafe_code)]

mod items;

use self::items::{Items, Store, mismatch};
use crate::object::{Object, Ref, Released, Type};
use crate::quota::{Charge, Quota};
use crate::tuning::LIST_SPINS_MAX;
use crate::value::{Primitive, Value};
use raddle_status::{Code, Error, Result};
use raddle_sync::atomic::AtomicBool;
use raddle_sync::cell::UnsafeCell;
use raddle_sync::ord;
use std::sync::Arc;

/// What the elements of a list are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ElementType {
    /// Values of one primitive type.
    Primitive(Primitive),
    /// References to objects of one type.
    Ref(Type),
    /// Any value or reference.
    Variant,
}

/// A growable array that programs share by reference.
pub struct List {
    element: ElementType,
    length_max: u32,
    locked: AtomicBool,
    items: UnsafeCell<Items>,
}

// SAFETY: I1: the cell is reached by one thread at a time; its content (values and refs) may change threads.
unsafe impl Send for List {}
// SAFETY: I1.
unsafe impl Sync for List {}

impl Object for List {
    const NAME: &'static str = "vm.list";
    const SHAREABLE: bool = false;

    fn children(&mut self, dead: &mut Released) {
        self.items.with_mut(|items| {
            // SAFETY: I1: the list is borrowed exclusively.
            match &mut unsafe { &mut *items }.store {
                Store::Ref(items) => items.drain(..).flatten().for_each(|item| dead.push(item)),
                Store::Variant(items) => items.drain(..).for_each(|item| {
                    if let Value::Ref(Some(item)) = item {
                        dead.push(item);
                    }
                }),
                _ => {}
            }
        });
    }
}

/// How an operation gets at the elements.
pub(crate) enum Access<'a> {
    /// Others may hold the list: lock it.
    Shared(&'a List),
    /// The only ref to the list, borrowed exclusively.
    Only(&'a List),
}

impl<'a> Access<'a> {
    /// The list behind a register, which the running program alone can reach; `None` if it is no list.
    #[inline]
    pub(crate) fn of(register: &'a mut Ref) -> Option<Access<'a>> {
        let only = register.is_unique();
        let list = register.get::<List>()?;
        Some(if only { Access::Only(list) } else { Access::Shared(list) })
    }
}

/// Another program has the list at the moment.
#[derive(Debug)]
pub(crate) struct Busy;

impl From<Busy> for Error {
    fn from(_: Busy) -> Error {
        Error::new(Code::Unavailable, "the list is being changed by another program; try again")
    }
}

impl List {
    /// An empty list with room for `capacity` elements and at most `length_max` of them.
    ///
    /// # Errors
    /// `RESOURCE_EXHAUSTED`: the capacity exceeds `length_max`, memory or the quota.
    pub fn new(
        element: ElementType,
        capacity: u32,
        length_max: u32,
        quota: Option<&Arc<Quota>>,
    ) -> Result<List> {
        let store = match element {
            ElementType::Primitive(Primitive::I8) => Store::I8(Vec::new()),
            ElementType::Primitive(Primitive::I16) => Store::I16(Vec::new()),
            ElementType::Primitive(Primitive::I32) => Store::I32(Vec::new()),
            ElementType::Primitive(Primitive::I64) => Store::I64(Vec::new()),
            ElementType::Primitive(Primitive::F32) => Store::F32(Vec::new()),
            ElementType::Primitive(Primitive::F64) => Store::F64(Vec::new()),
            ElementType::Ref(_) => Store::Ref(Vec::new()),
            ElementType::Variant => Store::Variant(Vec::new()),
        };
        let charge = Charge::new(quota, size_of::<List>() as u64)?;
        let mut items = Items { store, charge };
        items.reserve(capacity, length_max, false)?;
        Ok(List { element, length_max, locked: AtomicBool::new(false), items: UnsafeCell::new(items) })
    }

    /// A list of anything with these elements.
    pub fn from_values(values: impl IntoIterator<Item = Value>) -> List {
        let store = Store::Variant(values.into_iter().collect());
        let items = UnsafeCell::new(Items { store, charge: Charge::default() });
        List { element: ElementType::Variant, length_max: u32::MAX, locked: AtomicBool::new(false), items }
    }

    /// The elements of a list of anything.
    pub fn variants_mut(&mut self) -> Option<&mut [Value]> {
        // SAFETY: I1: the list is borrowed exclusively.
        match &mut unsafe { &mut *self.items.with_mut(|items| items) }.store {
            Store::Variant(items) => Some(items),
            _ => None,
        }
    }

    /// What the elements are.
    pub fn element(&self) -> ElementType {
        self.element
    }

    /// How many elements there are.
    ///
    /// # Errors
    /// `UNAVAILABLE`: a program is changing the list at this moment.
    pub fn len(&self) -> Result<usize> {
        Ok(Access::Shared(self).len()? as usize)
    }

    /// Whether there are no elements. Errors: see [`len`](Self::len).
    ///
    /// # Errors
    /// `UNAVAILABLE`: see [`len`](Self::len).
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// The element at `index`.
    ///
    /// # Errors
    /// `OUT_OF_RANGE`: there is none. `UNAVAILABLE`: see [`len`](Self::len).
    pub fn get(&self, index: usize) -> Result<Value> {
        Access::Shared(self).with(|items| items.get(index))?
    }

    /// All elements.
    ///
    /// # Errors
    /// `UNAVAILABLE`: see [`len`](Self::len).
    pub fn values(&self) -> Result<Vec<Value>> {
        Access::Shared(self).with(|items| (0..items.len()).map(|index| items.get(index)).collect())?
    }

    /// Adds an element, converted to the list's type.
    ///
    /// # Errors
    /// As an assignment in a program; `UNAVAILABLE`: see [`len`](Self::len).
    pub fn push(&self, mut value: Value) -> Result {
        Access::Shared(self).with(|items| items.push(&mut value, self.element, self.length_max))?
    }
}

impl Access<'_> {
    fn list(&self) -> &List {
        match self {
            Access::Shared(list) | Access::Only(list) => list,
        }
    }

    fn with<R>(&mut self, action: impl FnOnce(&mut Items) -> R) -> Result<R, Busy> {
        let list = self.list();
        if matches!(self, Access::Only(_)) {
            // SAFETY: I1: the ref is the only one and exclusively borrowed (`Access::of`).
            return Ok(list.items.with_mut(|items| action(unsafe { &mut *items })));
        }
        let mut spins = 0;
        while list.locked.swap(true, ord!("list.lock", Acquire)) {
            spins += 1;
            if spins > LIST_SPINS_MAX {
                return Err(Busy);
            }
            std::hint::spin_loop();
        }
        let _unlock = Unlock(&list.locked);
        // SAFETY: I1: we hold the lock until `_unlock` is dropped, after `action`.
        Ok(list.items.with_mut(|items| action(unsafe { &mut *items })))
    }

    pub(crate) fn len(&mut self) -> Result<u32, Busy> {
        self.with(|items| items.len() as u32)
    }

    pub(crate) fn reserve(&mut self, capacity: u32) -> Result<Result, Busy> {
        let length_max = self.list().length_max;
        self.with(|items| items.reserve(capacity, length_max, true))
    }

    /// Changes the number of elements; the dropped ones are returned, to be dropped without the lock.
    pub(crate) fn resize(&mut self, length: u32) -> Result<Result<Vec<Value>>, Busy> {
        self.resize_by(length, u32::MAX)
    }

    /// As `resize`, by at most `most` elements: a part of the way.
    pub(crate) fn resize_by(&mut self, length: u32, most: u32) -> Result<Result<Vec<Value>>, Busy> {
        let length_max = self.list().length_max;
        self.with(|items| items.resize(length, length_max, most as usize))
    }

    /// The value at `index` as `to`.
    pub(crate) fn get(&mut self, index: u32, to: Primitive) -> Result<Result<Value>, Busy> {
        self.with(|items| {
            if matches!(items.store, Store::Ref(_)) {
                return Err(mismatch("a list of references holds no values"));
            }
            let value = items.get(index as usize)?;
            value
                .convert(to)
                .ok_or_else(|| mismatch(&format!("element {index} holds no primitive value ({value})")))
        })
    }

    /// Sets the value at `index`, converted to the element type; returns what was there.
    pub(crate) fn set(&mut self, index: u32, value: Value) -> Result<Result<Value>, Busy> {
        self.with(|items| items.set(index as usize, value))
    }

    /// The reference at `index`; `take` leaves null there.
    pub(crate) fn get_ref(&mut self, index: u32, take: bool) -> Result<Result<Option<Ref>>, Busy> {
        self.with(|items| items.get_ref(index as usize, take))
    }

    /// Sets the reference at `index`; returns what was there, or fails and leaves `reference` undropped in the list's stead.
    pub(crate) fn set_ref(&mut self, index: u32, mut reference: Option<Ref>) -> Result<Result<Value>, Busy> {
        let element = self.list().element;
        self.with(|items| items.set_ref(index as usize, &mut reference, element))
    }
}

/// A list that is locked for as long as this exists.
pub(crate) struct Held(Ref);

impl Held {
    /// Locks the list; `None` if another program has it, or if the object is no list.
    pub(crate) fn lock(list: Ref) -> Option<Held> {
        let locked = !list.get::<List>()?.locked.swap(true, ord!("list.lock", Acquire));
        // Made only now: to drop a `Held` unlocks, which would break the lock of the other program.
        locked.then(|| Held(list))
    }

    /// Calls `visit` with every reference in the list.
    pub(crate) fn for_each_ref(&self, mut visit: impl FnMut(&Ref)) {
        let Some(list) = self.0.get::<List>() else { return };
        list.items.with(|items| {
            // SAFETY: I1: we hold the lock.
            match &unsafe { &*items }.store {
                Store::Ref(items) => items.iter().flatten().for_each(visit),
                Store::Variant(items) => items.iter().for_each(|item| {
                    if let Value::Ref(Some(item)) = item {
                        visit(item);
                    }
                }),
                _ => {}
            }
        });
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(list) = self.0.get::<List>() {
            list.locked.store(false, ord!("list.unlock", Release));
        }
    }
}

struct Unlock<'a>(&'a AtomicBool);

impl Drop for Unlock<'_> {
    fn drop(&mut self) {
        self.0.store(false, ord!("list.unlock", Release));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffer::Buffer;

    fn list(element: ElementType, length: u32) -> List {
        let list = List::new(element, 0, 1 << 20, None).unwrap();
        Access::Shared(&list).resize(length).unwrap().unwrap();
        list
    }

    #[test]
    fn values_are_converted_to_the_element_type() {
        let bytes = list(ElementType::Primitive(Primitive::I8), 2);
        let mut access = Access::Shared(&bytes);
        access.set(1, Value::I32(0x1FF)).unwrap().unwrap();
        assert_eq!(access.get(1, Primitive::I64).unwrap().unwrap(), Value::I64(-1));
        assert_eq!(access.get(1, Primitive::F32).unwrap().unwrap(), Value::F32(0.0));
        assert_eq!(access.get(2, Primitive::I32).unwrap().unwrap_err().code(), Code::OutOfRange);
        assert_eq!(access.get_ref(0, false).unwrap().unwrap_err().code(), Code::FailedPrecondition);
    }

    #[test]
    fn who_fails_to_lock_a_list_leaves_it_locked() {
        let list = Ref::new(list(ElementType::Variant, 2));
        let held = Held::lock(list.clone()).expect("nobody has it");
        for _ in 0..2 {
            assert!(Held::lock(list.clone()).is_none());
            assert!(list.get::<List>().unwrap().len().is_err());
        }
        drop(held);
        assert_eq!(list.get::<List>().unwrap().len().unwrap(), 2);
        assert!(list.is_unique());
    }

    #[test]
    fn a_push_that_fails_adds_nothing() {
        let numbers = list(ElementType::Primitive(Primitive::I32), 0);
        numbers.push(Value::I64(7)).unwrap();
        let buffer = Ref::new(Buffer::copied(b"x").unwrap());
        let refused = numbers.push(Value::Ref(Some(buffer.clone())));
        assert_eq!(refused.unwrap_err().code(), Code::FailedPrecondition);
        assert_eq!(numbers.values().unwrap(), [Value::I32(7)]);
        assert!(buffer.is_unique());
    }

    #[test]
    fn variants_hold_anything_and_say_what_they_hold() {
        let any = list(ElementType::Variant, 2);
        let mut access = Access::Shared(&any);
        assert_eq!(access.get(0, Primitive::I32).unwrap().unwrap_err().code(), Code::FailedPrecondition);
        assert_eq!(access.get_ref(0, false).unwrap().unwrap(), None);
        access.set_ref(0, Some(Ref::new(Buffer::copied(b"x").unwrap()))).unwrap().unwrap();
        assert!(access.get_ref(0, true).unwrap().unwrap().unwrap().is_unique());
        assert_eq!(any.get(0).unwrap(), Value::Empty);
        access.set(1, Value::F64(1.5)).unwrap().unwrap();
        assert_eq!(access.get_ref(1, false).unwrap().unwrap_err().code(), Code::FailedPrecondition);
    }

    #[test]
    fn references_are_checked_and_limits_hold() {
        let lists = list(ElementType::Ref(Type::of::<List>()), 1);
        let buffer = Ref::new(Buffer::copied(b"x").unwrap());
        let mut access = Access::Shared(&lists);
        assert_eq!(access.set_ref(0, Some(buffer)).unwrap().unwrap_err().code(), Code::InvalidArgument);
        assert_eq!(access.resize(1 << 21).unwrap().unwrap_err().code(), Code::ResourceExhausted);
        let quota = Quota::new(1000);
        let small = List::new(ElementType::Variant, 0, u32::MAX, Some(&quota)).unwrap();
        assert_eq!(
            Access::Shared(&small).reserve(1000).unwrap().unwrap_err().code(),
            Code::ResourceExhausted
        );
        drop(small);
        assert_eq!(quota.used(), 0);
    }
}
