//! What the count tests count with: allocations, system calls of the wait set, context switches, instructions.
//!
//! Each file of count tests is one process with one test, so that nobody else's work is counted.
#![allow(dead_code, reason = "each test uses a part of it")]

use raddle_status::Result;
use raddle_task::{Executor, ExecutorBuilder};
use raddle_wait::{Events, Kernel, Moment, OsKernel, Registration, Sleep};
use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::Cell;
use std::fs::{read_dir, read_to_string};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::*};
use std::time::{Duration, Instant};

/// The system's allocator, with a count of its calls.
pub struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
/// Whether allocations are printed.
static ARE_SHOWN: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Whether this thread is printing one.
    static IS_SHOWING: Cell<bool> = const { Cell::new(false) };
}

/// Counts the allocations in `work`; prints where each is made, if `RADDLE_SHOW_ALLOCATIONS` is set.
pub fn allocations_in(work: impl FnOnce()) -> u64 {
    ARE_SHOWN.store(std::env::var_os("RADDLE_SHOW_ALLOCATIONS").is_some(), Relaxed);
    let before = allocations();
    work();
    let after = allocations();
    ARE_SHOWN.store(false, Relaxed);
    after - before
}

/// Allocations so far.
pub fn allocations() -> u64 {
    ALLOCATIONS.load(Relaxed)
}

fn count_allocation() {
    let is_shown = ARE_SHOWN.load(Relaxed);
    if is_shown && IS_SHOWING.get() {
        return;
    }
    ALLOCATIONS.fetch_add(1, Relaxed);
    if is_shown && !IS_SHOWING.replace(true) {
        println!("an allocation: {}", Backtrace::force_capture());
        IS_SHOWING.set(false);
    }
}

// SAFETY: every call is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_allocation();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count_allocation();
        // SAFETY: the caller's promise.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// Calls of a wait set's kernel so far; each is one system call.
#[derive(Default, Debug)]
pub struct Calls {
    pub sleeps: AtomicU64,
    pub looks: AtomicU64,
    pub watches: AtomicU64,
    pub forgets: AtomicU64,
    pub timers: AtomicU64,
    pub wakes: AtomicU64,
}

/// How many calls, by kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CallCounts {
    /// Turns that may sleep.
    pub sleeps: u64,
    /// Turns that don't: those of a worker that is busy.
    pub looks: u64,
    pub watches: u64,
    pub forgets: u64,
    pub timers: u64,
    pub wakes: u64,
}

impl CallCounts {
    pub fn sum(self) -> u64 {
        self.sleeps + self.looks + self.watches + self.forgets + self.timers + self.wakes
    }

    pub fn since(self, before: CallCounts) -> CallCounts {
        CallCounts {
            sleeps: self.sleeps - before.sleeps,
            looks: self.looks - before.looks,
            watches: self.watches - before.watches,
            forgets: self.forgets - before.forgets,
            timers: self.timers - before.timers,
            wakes: self.wakes - before.wakes,
        }
    }
}

impl Calls {
    pub fn read(&self) -> CallCounts {
        CallCounts {
            sleeps: self.sleeps.load(Relaxed),
            looks: self.looks.load(Relaxed),
            watches: self.watches.load(Acquire),
            forgets: self.forgets.load(Relaxed),
            timers: self.timers.load(Relaxed),
            wakes: self.wakes.load(Relaxed),
        }
    }
}

/// The real kernel, with a count of its calls.
struct CountingKernel {
    kernel: OsKernel,
    calls: Arc<Calls>,
    /// The only moment that there is.
    now: Option<Moment>,
}

impl Kernel for CountingKernel {
    fn now(&self) -> Moment {
        self.now.unwrap_or_else(|| self.kernel.now())
    }

    fn watch(&self, number: RawFd, registration: Registration) -> Result {
        let result = self.kernel.watch(number, registration);
        // Counted behind the call: who sees the count knows that the descriptor is watched.
        self.calls.watches.fetch_add(1, Release);
        result
    }

    fn forget(&self, number: RawFd) {
        self.calls.forgets.fetch_add(1, Relaxed);
        self.kernel.forget(number);
    }

    fn set_timer(&self, moment: Moment) {
        self.calls.timers.fetch_add(1, Relaxed);
        self.kernel.set_timer(moment);
    }

    fn sleep(&self, events: &mut Events, sleep: Sleep) -> Result {
        let turns = if let Sleep::Never = sleep { &self.calls.looks } else { &self.calls.sleeps };
        turns.fetch_add(1, Relaxed);
        self.kernel.sleep(events, sleep)
    }

    fn wake(&self) {
        self.calls.wakes.fetch_add(1, Relaxed);
        self.kernel.wake();
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.kernel.fd()
    }

    fn is_readable(&self) -> bool {
        self.kernel.is_readable()
    }
}

/// The name of the executors here, by which their threads are found.
const NAME: &str = "counted";

/// An executor on a kernel whose calls are counted.
pub fn counted(workers: usize) -> (Executor, Arc<Calls>) {
    on_clock(workers, |_| None)
}

/// The same on a clock that stands still. A worker that is kept from its processor in the middle of a task has then not
/// worked for longer than 200 us, as far as it can tell, and does not look at the kernel for that: what is counted does not
/// depend on what else the machine does.
pub fn timeless(workers: usize) -> (Executor, Arc<Calls>) {
    on_clock(workers, |kernel| Some(kernel.now()))
}

fn on_clock(workers: usize, now: impl FnOnce(&OsKernel) -> Option<Moment>) -> (Executor, Arc<Calls>) {
    let calls = Arc::new(Calls::default());
    let kernel = OsKernel::new().expect("descriptors are left");
    let kernel = CountingKernel { now: now(&kernel), kernel, calls: calls.clone() };
    let builder: ExecutorBuilder = Executor::builder().workers(workers).name(NAME).kernel(Box::new(kernel));
    (builder.build().expect("an executor"), calls)
}

/// Times that a worker has gone to sleep so far: its voluntary context switches.
pub fn switches() -> u64 {
    look_at_threads().switches
}

/// The threads of the executors here.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Threads {
    switches: u64,
    /// Whether all of them sleep: none runs, or could run if a processor were free.
    are_asleep: bool,
}

fn look_at_threads() -> Threads {
    let mut threads = Threads { switches: 0, are_asleep: true };
    for task in read_dir("/proc/self/task").expect("Linux") {
        let status = read_to_string(task.expect("a thread").path().join("status")).unwrap_or_default();
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
        if field("Name").is_some_and(|name| name.starts_with(NAME)) {
            let count = field("voluntary_ctxt_switches").and_then(|count| count.parse::<u64>().ok());
            threads.switches += count.expect("a count");
            threads.are_asleep &= field("State").is_some_and(|state| state.starts_with('S'));
        }
    }
    threads
}

/// Lets a period pass in which nothing is to happen: there is nothing to wait for.
pub fn pause(period: Duration) {
    // sleep: what is observed is that nothing happens in it.
    std::thread::sleep(period);
}

/// Waits for something that others bring about, for a minute at most.
pub fn until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(60), "it did not come about: {what}");
        std::thread::yield_now();
    }
}

/// Waits until every worker has gone to sleep, and stays so for a while.
pub fn settle() {
    let mut before = look_at_threads();
    loop {
        pause(Duration::from_millis(50));
        let now = look_at_threads();
        if now.are_asleep && now == before {
            return;
        }
        before = now;
    }
}

/// Raises the limit on descriptors as far as it goes; returns it.
pub fn raise_descriptor_limit() -> usize {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum.or(limit.current);
    let _ = setrlimit(Resource::Nofile, limit);
    getrlimit(Resource::Nofile).current.unwrap_or(1024) as usize
}

/// Counts instructions of this process in user mode, where the machine can.
pub struct Instructions(OwnedFd);

impl Instructions {
    /// Counts those of the calling thread and of all that it starts from here on; `None` with a note where the
    /// machine does not count.
    pub fn start() -> Option<Instructions> {
        /// perf_event_attr: hardware, 64 bytes; instructions; inherited, without kernel and hypervisor.
        static ATTRIBUTES: [u64; 8] = [64 << 32, 1, 0, 0, 0, 1 << 1 | 1 << 5 | 1 << 6, 0, 0];
        const CLOSE_ON_EXEC: usize = 8;
        // SAFETY: the attributes are as long as they say, and outlive the call.
        let number = unsafe {
            libc::syscall(libc::SYS_perf_event_open, &raw const ATTRIBUTES, 0, -1, -1, CLOSE_ON_EXEC)
        };
        if number < 0 {
            println!("NOT COUNTED: instructions ({})", std::io::Error::last_os_error());
            return None;
        }
        // SAFETY: the call has just made it.
        Some(Instructions(unsafe { OwnedFd::from_raw_fd(number as RawFd) }))
    }

    /// So far.
    pub fn read(&self) -> u64 {
        let mut count = [0; 8];
        let read = rustix::io::read(&self.0, &mut count);
        assert_eq!(read, Ok(8), "descriptor {} is a counter", self.0.as_raw_fd());
        u64::from_ne_bytes(count)
    }
}
