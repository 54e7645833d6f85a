//! Handles: what C holds pointers to, counted, and known for what they are.
//!
//! Not here: the single kinds; each file of a noun has its own.
//!
//! # State
//! | tag | meaning | set by |
//! |---|---|---|
//! | the kind's own | live: `count` holders | `create` |
//! | `DEAD` | the last holder has released it; the content is gone | `release` |
//!
//! # Invariants
//! - I1: the content is initialised while the tag is the kind's own, and `count` is the number of holders.
//!   (by construction: `create`, `retain`, `release`)
//! - I2: the holder that takes the count to 0 is the only one, and drops the content.
//!   [mutants: handle.release, handle.acquire]
//! - I3: with debug assertions the memory of a dead handle is kept among the last `GRAVES_MAX`, so that whoever uses it
//!   finds the tag. Without them it is given back at once, and a use after release is the caller's error (B1).
//!   (by construction: `bury`)
//!
//! # Orderings
//! `release`'s decrement (Release) <-> the fence before the content is dropped (Acquire).
//! Models: `tests/loom_handle.rs`.
#![allow(unsafe_code)]

use crate::boundary::die;
use raddle::{Code, Error, Result};
use raddle_sync::atomic::{AtomicU32, AtomicUsize, Ordering::*};
use raddle_sync::{fence, ord};
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;

const DEAD: u32 = 0xDEAD_DEAD;

/// The head of every handle, and its content. The tag comes first, so that a handle of another kind shows its own.
#[repr(C)]
pub struct Handle<T> {
    tag: AtomicU32,
    count: AtomicUsize,
    content: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: I1, I2: the content is shared between holders, and dropped by the last.
unsafe impl<T: Send + Sync> Sync for Handle<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Send for Handle<T> {}

impl<T> Handle<T> {
    pub(crate) fn new(tag: u32, content: T) -> Handle<T> {
        Handle {
            tag: AtomicU32::new(tag),
            count: AtomicUsize::new(1),
            content: UnsafeCell::new(MaybeUninit::new(content)),
        }
    }
}

/// A kind of handle. `kind!` implements it.
pub(crate) trait Kind: Sized + 'static {
    type Content: Send + Sync;
    /// As in the header: `raddle_event_t`.
    const NAME: &'static str;
    const TAG: u32;
    fn wrap(handle: Handle<Self::Content>) -> Self;
    fn handle(&self) -> &Handle<Self::Content>;

    /// A new handle with one holder.
    fn create(content: Self::Content) -> *mut Self {
        Box::into_raw(Box::new(Self::wrap(Handle::new(Self::TAG, content))))
    }

    /// What the handle holds; `what` is the name of the parameter.
    ///
    /// # Errors
    /// INVALID_ARGUMENT: null, another kind, or released before.
    #[inline]
    fn get<'a>(this: Option<&'a Self>, what: &str) -> Result<&'a Self::Content> {
        match this {
            Some(this) if this.handle().tag.load(Relaxed) == Self::TAG => {
                let content = this.handle().content.get().cast::<Self::Content>();
                // SAFETY: I1.
                Ok(unsafe { &*content })
            }
            _ => Err(Self::refuse(this, what)),
        }
    }

    #[cold]
    #[inline(never)]
    fn refuse(this: Option<&Self>, what: &str) -> Error {
        let name = Self::NAME;
        let text = match this.map(|this| this.handle().tag.load(Relaxed)) {
            None => format!("`{what}` is null, a {name} is needed"),
            Some(DEAD) => format!("`{what}` is a {name} that was released before"),
            Some(_) => format!("`{what}` is not a {name}"),
        };
        Error::new(Code::InvalidArgument, text)
    }

    /// As `get`, for functions that can't fail: a misuse ends the process.
    #[inline]
    fn demand<'a>(this: Option<&'a Self>, function: &str) -> &'a Self::Content {
        Self::get(this, "the handle").unwrap_or_else(|error| die(function, error.message()))
    }

    /// One holder more. Null is nothing.
    fn retain(this: Option<&Self>, function: &str) {
        let Some(this) = this else { return };
        Self::demand(Some(this), function);
        this.handle().count.fetch_add(1, Relaxed);
    }

    /// One holder less. Null is nothing.
    fn release(this: Option<&Self>, function: &str) {
        let Some(this) = this else { return };
        Self::demand(Some(this), function);
        if this.handle().count.fetch_sub(1, ord!("handle.release", Release)) != 1 {
            return;
        }
        fence!("handle.acquire", Acquire);
        let handle = this.handle();
        handle.tag.store(DEAD, Relaxed);
        let content = handle.content.get().cast::<Self::Content>();
        // SAFETY: I2.
        unsafe { content.drop_in_place() };
        bury(std::ptr::from_ref(this).cast_mut());
    }
}

/// Implements [`Kind`] for a struct of one handle.
macro_rules! kind {
    ($kind:ident: $content:ty, $name:literal, $tag:literal) => {
        const _: () = assert!(std::mem::offset_of!($kind, 0) == 0);

        impl crate::handle::Kind for $kind {
            type Content = $content;
            const NAME: &'static str = $name;
            const TAG: u32 = u32::from_le_bytes(*$tag);
            fn wrap(handle: crate::handle::Handle<$content>) -> $kind {
                $kind(handle)
            }
            fn handle(&self) -> &crate::handle::Handle<$content> {
                &self.0
            }
        }
    };
}
pub(crate) use kind;

#[cfg(not(debug_assertions))]
fn bury<K>(dead: *mut K) {
    // SAFETY: I2: it came from a box in `create`.
    drop(unsafe { Box::from_raw(dead) });
}

/// Dead handles that are kept. Unit: handles of about 50 bytes. Guess: a misuse shows itself within so many.
#[cfg(debug_assertions)]
const GRAVES_MAX: usize = 1 << 14;

/// Keeps a dead handle, and gives back the oldest one.
#[cfg(debug_assertions)]
fn bury<K: 'static>(dead: *mut K) {
    use std::collections::VecDeque;
    use std::sync::{Mutex, PoisonError};
    struct Grave(*mut (), fn(*mut ()));
    // SAFETY: I2: nobody else has the handle.
    unsafe impl Send for Grave {}
    static GRAVES: Mutex<VecDeque<Grave>> = Mutex::new(VecDeque::new());
    fn end<K>(dead: *mut ()) {
        // SAFETY: I2: it came from a box of this type in `create`.
        drop(unsafe { Box::from_raw(dead.cast::<K>()) });
    }
    let mut graves = GRAVES.lock().unwrap_or_else(PoisonError::into_inner);
    graves.push_back(Grave(dead.cast(), end::<K>));
    let oldest = if graves.len() > GRAVES_MAX { graves.pop_front() } else { None };
    drop(graves);
    if let Some(Grave(dead, end)) = oldest {
        end(dead);
    }
}

/// A holder of a handle, in Rust.
pub(crate) struct Held<K: Kind>(*const K);

// SAFETY: the content of a handle is `Send` and `Sync` (`Kind::Content`).
unsafe impl<K: Kind> Send for Held<K> {}
// SAFETY: as above.
unsafe impl<K: Kind> Sync for Held<K> {}

impl<K: Kind> Held<K> {
    /// Another holder of a live handle.
    pub(crate) fn new(this: &K) -> Held<K> {
        K::retain(Some(this), "a callback");
        Held(this)
    }

    pub(crate) fn kind(&self) -> &K {
        // SAFETY: I1: this holder keeps it.
        unsafe { &*self.0 }
    }

    pub(crate) fn content(&self) -> &K::Content {
        K::demand(Some(self.kind()), "a callback")
    }

    pub(crate) fn as_mut(&self) -> *mut K {
        self.0.cast_mut()
    }
}

impl<K: Kind> Drop for Held<K> {
    fn drop(&mut self) {
        K::release(Some(self.kind()), "a callback");
    }
}
