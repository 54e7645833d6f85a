//! What a call costs, counted: allocations and system calls of satisfied waits and of reused invocations; memory of those
//! that are suspended. One process, one test, so that nobody else's work is counted.

mod support;

use raddle::vm::assemble;
use raddle::wait::{Event, Events, Kernel, Moment, OsKernel, Registration, Semaphore, Sleep};
use raddle::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use support::*;

/// What was reached, and a little more: slots are made by the chunk, and lists grow by doubling.
const SUSPENDED_BYTES_MAX: u64 = 916;

/// Shared with the example `memory`.
const LARGE: &str = include_str!("large.vmasm");

struct Counting;
static BYTES: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Of this thread: that of the test harness allocates when it likes, and this runtime has no other thread.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        BYTES.fetch_add(layout.size() as u64, Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size() as u64, Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static GLOBAL: Counting = Counting;

static KERNEL_CALLS: AtomicU64 = AtomicU64::new(0);

/// The real kernel, counted: but for the clock, each call is a system call.
struct Counted(OsKernel);

impl Kernel for Counted {
    fn now(&self) -> Moment {
        self.0.now()
    }
    fn watch(&self, number: RawFd, registration: Registration) -> Result {
        KERNEL_CALLS.fetch_add(1, Relaxed);
        self.0.watch(number, registration)
    }
    fn forget(&self, number: RawFd) {
        KERNEL_CALLS.fetch_add(1, Relaxed);
        self.0.forget(number);
    }
    fn set_timer(&self, moment: Moment) {
        KERNEL_CALLS.fetch_add(1, Relaxed);
        self.0.set_timer(moment);
    }
    fn sleep(&self, events: &mut Events, sleep: Sleep) -> Result {
        KERNEL_CALLS.fetch_add(1, Relaxed);
        self.0.sleep(events, sleep)
    }
    fn wake(&self) {
        KERNEL_CALLS.fetch_add(1, Relaxed);
        self.0.wake();
    }
    fn fd(&self) -> BorrowedFd<'_> {
        self.0.fd()
    }
    fn is_readable(&self) -> bool {
        KERNEL_CALLS.fetch_add(1, Relaxed);
        self.0.is_readable()
    }
}

/// Allocations and kernel calls of `work`.
fn counts(work: impl FnOnce()) -> (u64, u64) {
    let before = (ALLOCATIONS.get(), KERNEL_CALLS.load(Relaxed));
    work();
    (ALLOCATIONS.get() - before.0, KERNEL_CALLS.load(Relaxed) - before.1)
}

#[test]
fn satisfied_waits_and_reused_invocations_cost_nothing() {
    let kernel = Box::new(Counted(OsKernel::new().unwrap()));
    let runtime = Runtime::builder().workers(0).kernel(kernel).build().unwrap();
    let session = session(&runtime);
    let [until, reaches, add] = ["until", "reaches", "add"].map(|name| session.function(name).unwrap());
    let ready = Arc::new(Event::manual());
    ready.set();
    let ready = EventObject::value(&ready);
    let semaphore = SemaphoreObject::value(&Arc::new(Semaphore::new(5)));
    let round = || {
        assert!(add.invoke((3, 4)).wait().is_ok());
        assert!(until.invoke((ready.clone(), 1)).wait().is_ok());
        assert!(reaches.invoke((semaphore.clone(), 5_i64)).wait().is_ok());
    };
    // Pools fill.
    round();
    assert_eq!(counts(|| (0..1000).for_each(|_| round())), (0, 0), "allocations, kernel calls");

    suspended(&runtime);
}

/// Memory of what is suspended on one source, with the invocation's handle: a function with twelve numbers and six references,
/// in an import. `cargo run --release --package raddle --example memory` says what it consists of.
fn suspended(runtime: &Runtime) {
    let program = assemble(LARGE).unwrap().build();
    let session = runtime.session().bytes(program).unwrap().build().unwrap();
    let large = session.function("large").unwrap();
    let (gate, gate_value) = event();
    let count = 16_000_u64;
    let mut all = Vec::with_capacity(count as usize);
    let before = BYTES.load(Relaxed);
    all.extend((0..count).map(|_| large.invoke((gate_value.clone(), 1))));
    all.iter_mut().for_each(|call| call.start().unwrap());
    turn_until_idle(runtime);
    assert!(all.iter().all(Invocation::is_waiting));
    let each = (BYTES.load(Relaxed) - before) / count + size_of::<Invocation>() as u64;
    println!("{each} bytes for each suspended invocation");
    assert!(each <= SUSPENDED_BYTES_MAX, "{each} bytes for each suspended invocation");
    gate.set();
    turn_until_idle(runtime);
    assert!(all.into_iter().all(|call| call.wait().is_ok()));
}
