//! Atomic integers, pointers and fences.

use super::trace::note;
use super::{Either, either, inside, step};
use std::fmt;

pub use std::sync::atomic::Ordering;

/// Orders accesses around it; see [`std::sync::atomic::fence`].
#[track_caller]
pub fn fence(order: Ordering) {
    if inside() {
        loom::sync::atomic::fence(order);
        note(format_args!("fence({order:?})"));
    } else {
        std::sync::atomic::fence(order);
    }
}

macro_rules! call {
    ($self:ident, $atomic:ident => $call:expr, $($words:tt)*) => {
        match &$self.0 {
            Either::Native($atomic) => $call,
            Either::Model($atomic) => {
                step();
                let result = $call;
                note(format_args!($($words)*, shown = Shown(&result)));
                result
            }
        }
    };
}

/// A result in a trace: `true`, `7`, `Ok(0)`.
struct Shown<'a, T>(&'a T);

impl<T: fmt::Debug> fmt::Display for Shown<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

macro_rules! atomic {
    ($name:ident $(<$param:ident>)?, $value:ty) => {
        #[doc = concat!("See [`std::sync::atomic::", stringify!($name), "`].")]
        pub struct $name $(<$param>)? (
            Either<std::sync::atomic::$name $(<$param>)?, loom::sync::atomic::$name $(<$param>)?>
        );

        impl $(<$param>)? $name $(<$param>)? {
            /// One that holds `value`.
            pub fn new(value: $value) -> Self {
                $name(either(
                    || std::sync::atomic::$name::new(value),
                    || loom::sync::atomic::$name::new(value),
                ))
            }

            /// Reads.
            #[track_caller]
            pub fn load(&self, order: Ordering) -> $value {
                call!(self, it => it.load(order), "load({order:?}) -> {shown}")
            }

            /// Writes.
            #[track_caller]
            pub fn store(&self, value: $value, order: Ordering) {
                call!(self, it => it.store(value, order), "store({value:?}, {order:?}) -> {shown}")
            }

            /// Writes, and returns what was there.
            #[track_caller]
            pub fn swap(&self, value: $value, order: Ordering) -> $value {
                call!(self, it => it.swap(value, order), "swap({value:?}, {order:?}) -> {shown}")
            }

            /// Writes if `current` is there.
            ///
            /// # Errors
            /// What is there instead.
            #[track_caller]
            pub fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                call!(
                    self,
                    it => it.compare_exchange(current, new, success, failure),
                    "compare_exchange({current:?}, {new:?}, {success:?}) -> {shown}"
                )
            }

            /// The same; may fail for no reason.
            ///
            /// # Errors
            /// What is there instead.
            #[track_caller]
            pub fn compare_exchange_weak(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                call!(
                    self,
                    it => it.compare_exchange_weak(current, new, success, failure),
                    "compare_exchange({current:?}, {new:?}, {success:?}) -> {shown}"
                )
            }
        }

        impl $(<$param>)? fmt::Debug for $name $(<$param>)? {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match &self.0 {
                    Either::Native(it) => it.fmt(f),
                    Either::Model(_) => f.write_str(stringify!($name)),
                }
            }
        }
    };
}

macro_rules! fetch {
    ($name:ident, $value:ty, $($method:ident),*) => {
        impl $name {
            $(
                #[doc = concat!("See [`std::sync::atomic::", stringify!($name), "::", stringify!($method), "`].")]
                #[track_caller]
                pub fn $method(&self, value: $value, order: Ordering) -> $value {
                    call!(
                        self,
                        it => it.$method(value, order),
                        "{}({value:?}, {order:?}) -> {shown}",
                        stringify!($method)
                    )
                }
            )*

            #[doc = concat!("See [`std::sync::atomic::", stringify!($name), "::fetch_update`].")]
            ///
            /// # Errors
            /// What is there, when `f` gives nothing for it.
            #[track_caller]
            pub fn fetch_update(
                &self,
                success: Ordering,
                failure: Ordering,
                mut f: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                let mut seen = self.load(failure);
                while let Some(next) = f(seen) {
                    match self.compare_exchange_weak(seen, next, success, failure) {
                        Ok(before) => return Ok(before),
                        Err(now) => seen = now,
                    }
                }
                Err(seen)
            }
        }

        impl Default for $name {
            fn default() -> $name {
                $name::new(<$value>::default())
            }
        }
    };
}

macro_rules! integers {
    ($($name:ident: $value:ty),*) => {$(
        atomic!($name, $value);
        fetch!($name, $value, fetch_add, fetch_sub, fetch_or, fetch_and, fetch_xor, fetch_max, fetch_min);
    )*};
}

integers!(AtomicU8: u8, AtomicU32: u32, AtomicU64: u64, AtomicUsize: usize);
atomic!(AtomicBool, bool);
fetch!(AtomicBool, bool, fetch_or, fetch_and, fetch_xor);
atomic!(AtomicPtr<T>, *mut T);
