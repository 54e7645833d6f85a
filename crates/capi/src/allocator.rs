//! The allocator hook: memory of raddle's from functions of the host's.
//!
//! # State
//! | `HOOKS` | meaning | set by |
//! |---|---|---|
//! | `UNTOUCHED` | nothing was allocated yet | the start |
//! | null | the system's allocator | the first allocation |
//! | a table | the host's | `raddle_set_allocator`, before the first allocation |
//!
//! # Invariants
//! - A1: the word changes once, so memory goes back where it came from. (by construction: each exchange expects
//!   `UNTOUCHED`)
//!
//! # Orderings
//! The exchange of `raddle_set_allocator` (Release) <-> the load of each allocation (Acquire): the table is written.
#![allow(unsafe_code)]

use crate::boundary::{fallible, invalid};
use crate::options::{self, Options};
use crate::status::Status;
use raddle::{Code, Error};
use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::c_void;
// std atomics: a static of the process, decided once; a model can't begin with a fresh one.
use std::sync::atomic::{AtomicPtr, Ordering::*};

/// Functions that raddle allocates with. They are called from any thread, must not call raddle, and must not throw.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Allocator {
    /// `sizeof(raddle_allocator_t)`.
    pub struct_size: usize,
    /// Passed to the functions.
    pub user_data: *mut c_void,
    /// `size` bytes at a multiple of `alignment`, a power of two; null if there are none.
    pub allocate:
        Option<unsafe extern "C" fn(user_data: *mut c_void, size: usize, alignment: usize) -> *mut c_void>,
    /// Takes back what `allocate` gave for this size and alignment.
    pub deallocate: Option<
        unsafe extern "C" fn(user_data: *mut c_void, memory: *mut c_void, size: usize, alignment: usize),
    >,
}

// SAFETY: O1.
unsafe impl Options for Allocator {
    const NAME: &'static str = "raddle_allocator_t";
}

const UNTOUCHED: *mut Allocator = std::ptr::without_provenance_mut(1);

static HOOKS: AtomicPtr<Allocator> = AtomicPtr::new(UNTOUCHED);

/// Makes raddle allocate with these functions, for the whole process and for good. `allocator` is copied. Call it before
/// anything else of raddle's.
///
/// FAILED_PRECONDITION: something was allocated before. INVALID_ARGUMENT: a function is missing.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_set_allocator(allocator: *const Allocator) -> *mut Status {
    if HOOKS.load(Acquire) != UNTOUCHED {
        let text = "raddle has allocated memory already: set the allocator before any other call";
        return Status::new(Error::new(Code::FailedPrecondition, text));
    }
    let checked = options::read(allocator).and_then(|table| match (table.allocate, table.deallocate) {
        (Some(_), Some(_)) => Ok(table),
        _ => Err(invalid("an allocator needs both functions")),
    });
    let table = match checked {
        Ok(table) => table,
        Err(error) => return Status::new(error),
    };
    // SAFETY: the layout is not empty.
    let place = unsafe { System.alloc(Layout::new::<Allocator>()) }.cast::<Allocator>();
    if place.is_null() {
        return Status::new(Code::ResourceExhausted.into());
    }
    // SAFETY: fresh memory of this layout; it lives for ever.
    unsafe { place.write(table) };
    fallible(|| match HOOKS.compare_exchange(UNTOUCHED, place, Release, Relaxed) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::new(Code::FailedPrecondition, "another thread uses raddle already")),
    })
}

struct Hooked;

/// The host's table, if there is one.
#[inline]
fn hooks() -> Option<&'static Allocator> {
    let mut hooks = HOOKS.load(Acquire);
    if hooks == UNTOUCHED {
        hooks = match HOOKS.compare_exchange(UNTOUCHED, std::ptr::null_mut(), Acquire, Acquire) {
            Ok(_) => std::ptr::null_mut(),
            Err(hooks) => hooks,
        };
    }
    // SAFETY: A1: null, or a table that lives for ever.
    unsafe { hooks.as_ref() }
}

// SAFETY: A1: either the system's allocator, or functions that keep the same contract (B1).
unsafe impl GlobalAlloc for Hooked {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match hooks() {
            // SAFETY: the caller's promise.
            None => unsafe { System.alloc(layout) },
            Some(Allocator { allocate: Some(allocate), user_data, .. }) => {
                // SAFETY: B1.
                unsafe { allocate(*user_data, layout.size(), layout.align()) }.cast()
            }
            Some(_) => std::ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        match hooks() {
            // SAFETY: A1 and the caller's promise.
            None => unsafe { System.dealloc(memory, layout) },
            Some(Allocator { deallocate: Some(deallocate), user_data, .. }) => {
                // SAFETY: A1, B1.
                unsafe { deallocate(*user_data, memory.cast(), layout.size(), layout.align()) }
            }
            Some(_) => {}
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if hooks().is_none() {
            // SAFETY: the caller's promise.
            return unsafe { System.alloc_zeroed(layout) };
        }
        // SAFETY: the caller's promise.
        let memory = unsafe { self.alloc(layout) };
        if !memory.is_null() {
            // SAFETY: it has this size.
            unsafe { memory.write_bytes(0, layout.size()) };
        }
        memory
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if hooks().is_none() {
            // SAFETY: A1 and the caller's promise.
            return unsafe { System.realloc(memory, layout, size) };
        }
        // SAFETY: the caller's promise: size and alignment make a layout.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: the caller's promise.
        let fresh = unsafe { self.alloc(wanted) };
        if !fresh.is_null() {
            // SAFETY: both are at least this long.
            unsafe { memory.copy_to_nonoverlapping(fresh, layout.size().min(size)) };
            // SAFETY: the caller's promise.
            unsafe { self.dealloc(memory, layout) };
        }
        fresh
    }
}

#[global_allocator]
static ALLOCATOR: Hooked = Hooked;
