//! Reference-counted objects and the one-word references to them.
//!
//! Not here: what the built-in objects hold ([`Buffer`](crate::Buffer), [`List`](crate::List)), and which type
//! names a module may use ([`Registry`](crate::Registry)).
//!
//! # State
//! | count | meaning | set by |
//! |---|---|---|
//! | n > 0 | n [`Ref`]s exist | `Ref::new`, `clone`, `drop` |
//! | 0 | dead: owned by a [`Released`] list or a [`Dead`] | the `drop` that took it from 1 |
//!
//! # Invariants
//! - I1: a `Ref` points to a live `Cell<T>` whose header names `T`'s type. (by construction: `Ref::new`)
//! - I2: the count is the number of `Ref`s; the drop that takes it to 0 is the only owner from then on, and so is who finds
//!   it to be 1. [mutants: object.release, object.acquire, object.unique]
//! - I3: `next` is touched only by the owner of a dead object. (by construction: `push`, `run`, `bury`)
//! - I4: objects die one after another, never inside each other: `children` hands refs to the list
//!   of the dead instead of dropping them. A chain of any length needs constant stack.
//!   [tests: a_chain_of_a_million_objects_ends_without_recursion]
//! - I5: every `Object` is `Send + Sync`, so a `Ref` is. (by construction: the trait's bounds)
//!
//! # Orderings
//! `drop`'s decrement (Release) <-> the fence before the object dies (Acquire): all uses happen before the end.
//! `is_unique` (Acquire) <-> the same decrement: who sees 1 sees what the others did.
//! `clone` is Relaxed: the ref that is cloned keeps the object alive.
//! Models: `tests/loom_object.rs`.
#![allow(unsafe_code)]

use raddle_sync::atomic::{AtomicUsize, Ordering};
use raddle_sync::{fence, ord};
use std::any::TypeId;
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// A Rust type that programs hold references to.
///
/// Objects are shared by everything that holds a reference, on any thread: what can change inside must synchronise itself.
pub trait Object: Send + Sync + Sized + 'static {
    /// The name that modules use, without the exclamation mark: `"hal.fence"`.
    const NAME: &'static str;

    /// Whether several invocations may hold the object without seeing each other through it: it is immutable, or
    /// its changes are meant to be shared. A global that reaches an object without this makes its module stateful.
    const SHAREABLE: bool = true;

    /// Hands the refs that the object owns to `dead`, so that long chains die without recursion.
    fn children(&mut self, dead: &mut Released) {
        let _ = dead;
    }

    /// Takes the object whose last ref is gone; the default drops it. A pool keeps it and [revives](Dead::revive) it later.
    fn recycle(dead: Dead<Self>) {
        drop(dead);
    }
}

/// What is known of a type of objects. Lives forever; compared by [`Type`].
pub struct TypeInfo {
    name: &'static str,
    id: TypeId,
    shareable: bool,
    end: unsafe fn(NonNull<Header>, &mut Released),
}

/// The identity of an object type.
#[derive(Clone, Copy)]
pub struct Type(&'static TypeInfo);

impl Type {
    /// The type of `T`'s objects.
    pub fn of<T: Object>() -> Type {
        Type(Cell::<T>::INFO)
    }

    /// A type of its own for objects that are `T`s, with a name that is known only at run time: for hosts in other languages.
    /// Two types of one name are the same type. What describes it is never freed.
    pub fn named<T: Object>(name: &'static str) -> Type {
        Type(Box::leak(Box::new(TypeInfo { name, ..*Cell::<T>::INFO })))
    }

    /// Whether its objects are `T`s, whatever it is called.
    #[inline]
    fn holds<T: Object>(self) -> bool {
        std::ptr::eq(self.0, Cell::<T>::INFO) || self.0.id == TypeId::of::<T>()
    }

    /// The name that modules use, without the exclamation mark.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// See [`Object::SHAREABLE`].
    pub fn shareable(self) -> bool {
        self.0.shareable
    }
}

impl PartialEq for Type {
    fn eq(&self, other: &Type) -> bool {
        // The same static can exist twice (one per code generation unit), so the address alone does not decide.
        std::ptr::eq(self.0, other.0) || (self.0.id == other.0.id && self.0.name == other.0.name)
    }
}

impl Eq for Type {}

impl fmt::Debug for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "!{}", self.name())
    }
}

/// What every object starts with.
#[repr(C)]
pub(crate) struct Header {
    info: &'static TypeInfo,
    count: AtomicUsize,
    next: std::cell::UnsafeCell<Option<NonNull<Header>>>,
}

#[repr(C)]
struct Cell<T> {
    header: Header,
    object: T,
}

impl<T: Object> Cell<T> {
    const INFO: &'static TypeInfo =
        &TypeInfo { name: T::NAME, id: TypeId::of::<T>(), shareable: T::SHAREABLE, end: end::<T> };
}

/// Ends one dead object of type `T`.
///
/// # Safety
/// `header` starts a `Cell<T>` whose count is 0 and which the caller owns.
unsafe fn end<T: Object>(header: NonNull<Header>, dead: &mut Released) {
    let mut object = Dead::<T>(header.cast());
    object.children(dead);
    T::recycle(object);
}

/// An object whose last ref is gone, owned again as a value.
pub struct Dead<T: Object>(NonNull<Cell<T>>);

impl<T: Object> Dead<T> {
    /// Makes the object live again, with one ref.
    pub fn revive(self) -> RefOf<T> {
        let cell = ManuallyDrop::new(self).0;
        // SAFETY: I2 (we own the dead object); the cell is initialised until `Dead` drops it.
        unsafe { cell.as_ref() }.header.count.store(1, Ordering::Relaxed);
        RefOf(Ref(cell.cast()), PhantomData)
    }
}

impl<T: Object> Deref for Dead<T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: I2: a dead object is owned by this value and stays initialised until its drop.
        &unsafe { self.0.as_ref() }.object
    }
}

impl<T: Object> DerefMut for Dead<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: I2: a dead object is owned by this value alone.
        &mut unsafe { self.0.as_mut() }.object
    }
}

impl<T: Object> Drop for Dead<T> {
    fn drop(&mut self) {
        // SAFETY: the cell came from `Box::into_raw` in `Ref::new`, and I2: nobody else has it.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

// SAFETY: I5: a dead object is a `T` in a box.
unsafe impl<T: Object> Send for Dead<T> {}
// SAFETY: I5.
unsafe impl<T: Object> Sync for Dead<T> {}

/// A list of refs that are being given up; see [`Object::children`].
pub struct Released {
    first: Option<NonNull<Header>>,
}

impl Released {
    /// Gives up one ref. If it was the last, its object ends when the current one has ended.
    pub fn push(&mut self, reference: Ref) {
        let header = ManuallyDrop::new(reference).0;
        // SAFETY: I1: the ref that we were given keeps the header alive.
        let alive = unsafe { header.as_ref() };
        if alive.count.fetch_sub(1, ord!("object.release", Release)) == 1 {
            fence!("object.acquire", Acquire);
            // SAFETY: I3: the count is 0, so we own the object.
            unsafe { *alive.next.get() = self.first };
            self.first = Some(header);
        }
    }

    fn run(&mut self) {
        while let Some(header) = self.first {
            // SAFETY: I2: objects on the list are dead and ours.
            let dead = unsafe { header.as_ref() };
            // SAFETY: I3.
            self.first = unsafe { *dead.next.get() };
            let end = dead.info.end;
            // SAFETY: I1: the header's type made `end` for exactly this kind of cell; I2: we own it.
            unsafe { end(header, self) };
        }
    }
}

/// A reference to an object of some type: one word, counted. Cloning retains, moving costs nothing.
pub struct Ref(NonNull<Header>);

// SAFETY: I5.
unsafe impl Send for Ref {}
// SAFETY: I5.
unsafe impl Sync for Ref {}

impl Ref {
    /// A new object with one reference.
    pub fn new<T: Object>(object: T) -> Ref {
        Ref::of_type(Type::of::<T>(), object)
    }

    /// A new object of a type that was [named](Type::named), with one reference.
    ///
    /// # Panics
    /// The type was named for objects of another Rust type.
    pub fn of_type<T: Object>(ty: Type, object: T) -> Ref {
        assert!(ty.holds::<T>(), "{ty:?} holds no {}", T::NAME);
        let header = Header { info: ty.0, count: AtomicUsize::new(1), next: None.into() };
        let cell = Box::into_raw(Box::new(Cell { header, object }));
        // SAFETY: `Box::into_raw` never gives null.
        Ref(unsafe { NonNull::new_unchecked(cell) }.cast())
    }

    fn header(&self) -> &Header {
        // SAFETY: I1.
        unsafe { self.0.as_ref() }
    }

    /// The type of the object.
    pub fn ty(&self) -> Type {
        Type(self.header().info)
    }

    /// Whether the object is a `T`.
    #[inline]
    pub fn is<T: Object>(&self) -> bool {
        self.ty().holds::<T>()
    }

    /// The object, if it is a `T`.
    #[inline]
    pub fn get<T: Object>(&self) -> Option<&T> {
        if !self.is::<T>() {
            return None;
        }
        // SAFETY: I1, and the type was compared.
        Some(&unsafe { self.0.cast::<Cell<T>>().as_ref() }.object)
    }

    /// The object, if it is a `T` and nobody else has a reference to it.
    #[inline]
    pub fn get_mut<T: Object>(&mut self) -> Option<&mut T> {
        if !self.is::<T>() || !self.is_unique() {
            return None;
        }
        // SAFETY: I1, and the type was compared; I2: this is the only reference, and it is borrowed exclusively.
        Some(&mut unsafe { self.0.cast::<Cell<T>>().as_mut() }.object)
    }

    /// The same reference, typed; the reference itself if the object is no `T`.
    ///
    /// # Errors
    /// The untouched reference.
    pub fn downcast<T: Object>(self) -> Result<RefOf<T>, Ref> {
        if self.is::<T>() { Ok(RefOf(self, PhantomData)) } else { Err(self) }
    }

    /// The same reference, typed, if the object is a `T`.
    #[inline]
    pub fn downcast_ref<T: Object>(&self) -> Option<&RefOf<T>> {
        // SAFETY: `RefOf` is a `Ref` by another name (`repr(transparent)`), and the type was compared.
        self.is::<T>().then(|| unsafe { &*std::ptr::from_ref(self).cast::<RefOf<T>>() })
    }

    /// Whether no other reference to the object exists.
    #[inline]
    pub fn is_unique(&self) -> bool {
        self.header().count.load(ord!("object.unique", Acquire)) == 1
    }

    /// How many references exist; others may change it at any time.
    pub fn count(&self) -> usize {
        self.header().count.load(ord!("object.unique", Acquire))
    }

    /// The address, the identity of the object.
    pub fn address(&self) -> usize {
        self.0.addr().get()
    }
}

impl Clone for Ref {
    #[inline]
    fn clone(&self) -> Ref {
        self.header().count.fetch_add(1, Ordering::Relaxed);
        Ref(self.0)
    }
}

impl Drop for Ref {
    #[inline]
    fn drop(&mut self) {
        if self.header().count.fetch_sub(1, ord!("object.release", Release)) == 1 {
            fence!("object.acquire", Acquire);
            bury(self.0);
        }
    }
}

/// Ends a dead object and everything that dies with it.
#[cold]
#[inline(never)]
fn bury(header: NonNull<Header>) {
    // SAFETY: I2: the caller took the count to 0.
    let next = unsafe { header.as_ref() }.next.get();
    // SAFETY: I3.
    unsafe { *next = None };
    Released { first: Some(header) }.run();
}

impl PartialEq for Ref {
    /// Identity: the same object.
    fn eq(&self, other: &Ref) -> bool {
        self.0 == other.0
    }
}

impl Eq for Ref {}

impl fmt::Debug for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}@{:#x}", self.ty(), self.address())
    }
}

/// A reference to an object that is known to be a `T`.
#[repr(transparent)]
pub struct RefOf<T: Object>(Ref, PhantomData<fn() -> T>);

impl<T: Object> RefOf<T> {
    /// A new object with one reference.
    pub fn new(object: T) -> RefOf<T> {
        RefOf(Ref::new(object), PhantomData)
    }

    /// The same reference without its type.
    pub fn into_ref(self) -> Ref {
        self.0
    }

    /// The same reference without its type.
    pub fn untyped(&self) -> &Ref {
        &self.0
    }
}

impl<T: Object> Deref for RefOf<T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: I1; `RefOf` is made only from a ref whose object is a `T`.
        &unsafe { self.0.0.cast::<Cell<T>>().as_ref() }.object
    }
}

impl<T: Object> Clone for RefOf<T> {
    fn clone(&self) -> RefOf<T> {
        RefOf(self.0.clone(), PhantomData)
    }
}

impl<T: Object> From<RefOf<T>> for Ref {
    fn from(typed: RefOf<T>) -> Ref {
        typed.0
    }
}

impl<T: Object> fmt::Debug for RefOf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

const _: () = assert!(size_of::<Option<Ref>>() == 8, "a ref register is one word, null is zero");

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    struct Link(Option<Ref>, Arc<AtomicUsize>);

    impl Object for Link {
        const NAME: &'static str = "test.link";
        fn children(&mut self, dead: &mut Released) {
            if let Some(next) = self.0.take() {
                dead.push(next);
            }
        }
    }

    impl Drop for Link {
        fn drop(&mut self) {
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn the_only_reference_can_change_its_object() {
        let ended = Arc::new(AtomicUsize::new(0));
        let mut link = Ref::new(Link(None, ended.clone()));
        let other = link.clone();
        assert!(link.get_mut::<Link>().is_none(), "another reference leads to it");
        drop(other);
        link.get_mut::<Link>().unwrap().0 = Some(Ref::new(Link(None, ended.clone())));
        assert!(link.get_mut::<crate::Buffer>().is_none(), "it is no buffer");
        drop(link);
        assert_eq!(ended.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_chain_of_a_million_objects_ends_without_recursion() {
        let ended = Arc::new(AtomicUsize::new(0));
        let length = if cfg!(miri) { 1_000 } else { 1_000_000 };
        let mut head = None;
        for _ in 0..length {
            head = Some(Ref::new(Link(head, ended.clone())));
        }
        drop(head);
        assert_eq!(ended.load(Ordering::Relaxed), length);
    }

    #[test]
    fn types_are_told_apart() {
        struct Other;
        impl Object for Other {
            const NAME: &'static str = "test.other";
        }
        let other = Ref::new(Other);
        assert!(other.is::<Other>() && !other.is::<Link>());
        assert!(other.get::<Link>().is_none());
        assert_eq!(other.ty().name(), "test.other");
        let copy = other.clone();
        assert!(!other.is_unique() && copy == other);
        assert!(other.downcast::<Link>().is_err());
        assert!(copy.is_unique());
    }

    #[test]
    fn a_type_of_the_host_s_is_known_by_its_name() {
        struct Thing(u32);
        impl Object for Thing {
            const NAME: &'static str = "test.thing";
        }
        let (one, other) = (Type::named::<Thing>("app.one"), Type::named::<Thing>("app.other"));
        let object = Ref::of_type(one, Thing(7));
        assert!(object.ty() == Type::named::<Thing>("app.one") && object.ty() != other);
        assert!(object.ty() != Type::of::<Thing>() && object.ty() != Type::named::<Link>("app.one"));
        assert_eq!((object.ty().name(), object.get::<Thing>().map(|thing| thing.0)), ("app.one", Some(7)));
        let refused = std::panic::catch_unwind(|| Ref::of_type(other, Link(None, Arc::default())));
        assert!(refused.is_err());
    }

    static POOL: Mutex<Vec<Dead<Pooled>>> = Mutex::new(Vec::new());

    struct Pooled(u32);

    impl Object for Pooled {
        const NAME: &'static str = "test.pooled";
        fn recycle(dead: Dead<Pooled>) {
            POOL.lock().unwrap().push(dead);
        }
    }

    #[test]
    fn a_pool_takes_an_object_back() {
        let first = RefOf::new(Pooled(7));
        let address = first.untyped().address();
        drop(first);
        let again = POOL.lock().unwrap().pop().unwrap().revive();
        assert_eq!((again.untyped().address(), again.0.count(), again.deref().0), (address, 1, 7));
    }
}
