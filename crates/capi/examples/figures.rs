//! What the C interface costs beside the Rust one, in alternation: a call, a completion, and an idle loop.
//!
//! `cargo run --release -p raddle-capi --example figures`

use raddle::wait::Event;
use raddle::{EventObject, Runtime, Session, TurnBudget};
use std::ffi::{c_char, c_int, c_void};
use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Wake, Waker};
use std::time::Instant;

// Linked for its functions.
use raddle_capi as _;

const WAITS: &[u8] = include_bytes!("../../../tests/programs/runtime/waits.vmfb");

/// `raddle_value_t` with a number or a reference.
#[repr(C)]
#[derive(Clone, Copy)]
struct Value {
    kind: u32,
    bits: u64,
}

/// `raddle_runtime_options_t`.
#[repr(C)]
struct Options {
    struct_size: usize,
    driver: u32,
    workers: u32,
    name: *const c_char,
    stack_bytes: usize,
}

type Completed = extern "C" fn(*mut c_void, *const c_void, *const Value, usize);
type Status = *mut c_void;

unsafe extern "C" {
    fn raddle_runtime_create(options: *const Options, out: *mut *mut c_void) -> Status;
    fn raddle_runtime_turn(runtime: *const c_void, max: u32, tasks: *mut u32, more: *mut bool) -> Status;
    fn raddle_runtime_fd(runtime: *const c_void) -> c_int;
    fn raddle_module_from_memory(
        data: *const c_void,
        size: usize,
        destroy: *const c_void,
        user_data: *mut c_void,
        out: *mut *mut c_void,
    ) -> Status;
    fn raddle_session_create(
        runtime: *const c_void,
        modules: *const *mut c_void,
        count: usize,
        options: *const c_void,
        out: *mut *mut c_void,
    ) -> Status;
    fn raddle_session_function(session: *const c_void, name: *const c_char, out: *mut *mut c_void) -> Status;
    fn raddle_invoke(
        function: *const c_void,
        arguments: *const Value,
        count: usize,
        options: *const c_void,
        results: *mut Value,
        capacity: usize,
        out_count: *mut usize,
    ) -> Status;
    fn raddle_invoke_async(
        function: *const c_void,
        arguments: *const Value,
        count: usize,
        options: *const c_void,
        callback: Completed,
        user_data: *mut c_void,
        out: *mut *mut c_void,
    ) -> Status;
    fn raddle_event_create(is_auto: bool, out: *mut *mut c_void) -> Status;
    fn raddle_event_ref(event: *const c_void, out: *mut *mut c_void) -> Status;
    fn raddle_event_set(event: *const c_void);
    fn raddle_event_reset(event: *const c_void) -> bool;
    fn poll(fds: *mut PollFd, count: u64, timeout_ms: c_int) -> c_int;
}

/// `struct pollfd`.
#[repr(C)]
struct PollFd {
    fd: c_int,
    events: i16,
    revents: i16,
}

fn ok(status: Status) {
    assert!(status.is_null(), "a call of the C interface failed");
}

/// What a function of the C interface gives.
fn made(make: impl FnOnce(*mut *mut c_void) -> Status) -> *mut c_void {
    let mut out = null_mut();
    ok(make(&mut out));
    out
}

/// The C side: a runtime that the host drives, and a session.
struct C {
    runtime: *mut c_void,
    session: *mut c_void,
}

impl C {
    fn new() -> C {
        let options = Options {
            struct_size: size_of::<Options>(),
            driver: 3,
            workers: 0,
            name: null(),
            stack_bytes: 0,
        };
        // SAFETY: arguments as the header says, here and below.
        let runtime = made(|out| unsafe { raddle_runtime_create(&options, out) });
        let (data, size) = (WAITS.as_ptr().cast(), WAITS.len());
        // SAFETY: as above.
        let module = made(|out| unsafe { raddle_module_from_memory(data, size, null(), null_mut(), out) });
        // SAFETY: as above.
        let session = made(|out| unsafe { raddle_session_create(runtime, &module, 1, null(), out) });
        C { runtime, session }
    }

    fn function(&self, name: &std::ffi::CStr) -> *mut c_void {
        // SAFETY: as above.
        made(|out| unsafe { raddle_session_function(self.session, name.as_ptr(), out) })
    }

    fn turn(&self) {
        // SAFETY: as above.
        ok(unsafe { raddle_runtime_turn(self.runtime, 0, null_mut(), null_mut()) });
    }
}

/// Least and median of both sides, and by how much the second is above the first.
fn print(what: &str, unit: &str, rust: &mut [f64], c: &mut [f64]) {
    for times in [&mut *rust, &mut *c] {
        times.sort_unstable_by(f64::total_cmp);
    }
    let of = |times: &[f64]| (times[0], times[times.len() / 2]);
    let ((rust_least, rust_median), (c_least, c_median)) = (of(rust), of(c));
    println!(
        "{what:<34} Rust {rust_least:>7.1} / {rust_median:>7.1}   C {c_least:>7.1} / {c_median:>7.1}   \
         above: {:>6.1} / {:>6.1} {unit} (min / median of {})",
        c_least - rust_least,
        c_median - rust_median,
        rust.len()
    );
}

const ROUNDS: usize = 400;
const BATCH: u32 = 1000;

fn calls(session: &Session, c: &C) -> raddle::Result {
    let rust_add = session.function("add")?;
    let c_add = c.function(c"add");
    let (mut rust, mut foreign) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..BATCH {
            black_box(rust_add.invoke(black_box((3, 4))).wait()?.to::<i32>()?);
        }
        rust.push(start.elapsed().as_nanos() as f64 / f64::from(BATCH));
        let start = Instant::now();
        for _ in 0..BATCH {
            let arguments = black_box([Value { kind: 1, bits: 3 }, Value { kind: 1, bits: 4 }]);
            let mut result = Value { kind: 0, bits: 0 };
            // SAFETY: as above.
            ok(unsafe { raddle_invoke(c_add, arguments.as_ptr(), 2, null(), &mut result, 1, null_mut()) });
            assert_eq!(black_box(result.bits) as u32, 7);
        }
        foreign.push(start.elapsed().as_nanos() as f64 / f64::from(BATCH));
    }
    print("a call of two numbers, blocking", "ns", &mut rust, &mut foreign);
    Ok(())
}

/// When the last completion was told, in ns since `epoch`.
static TOLD: AtomicU64 = AtomicU64::new(0);

fn now() -> u64 {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    EPOCH.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

struct Tell;
impl Wake for Tell {
    fn wake(self: Arc<Self>) {
        TOLD.store(now(), Relaxed);
    }
}

extern "C" fn tell(_: *mut c_void, status: *const c_void, _: *const Value, _: usize) {
    TOLD.store(now(), Relaxed);
    assert!(status.is_null());
}

/// From the signal to the waker of a future, and to a callback of C's, each inside a turn of its host.
fn completions(runtime: &Runtime, session: &Session, c: &C) -> raddle::Result {
    let turn = || runtime.turn(TurnBudget::default());
    let (rust_until, c_until) = (session.function("until")?, c.function(c"until"));
    let event = Arc::new(Event::manual());
    // SAFETY: as above.
    let c_event = made(|out| unsafe { raddle_event_create(false, out) });
    // SAFETY: as above.
    let reference = made(|out| unsafe { raddle_event_ref(c_event, out) });
    let waker = Waker::from(Arc::new(Tell));
    let (mut rust, mut foreign) = (Vec::new(), Vec::new());
    for _ in 0..20 * ROUNDS {
        let mut invocation = rust_until.invoke((EventObject::value(&event), 1));
        assert!(Pin::new(&mut invocation).poll(&mut Context::from_waker(&waker)).is_pending());
        turn()?;
        let start = now();
        event.set();
        turn()?;
        rust.push((TOLD.load(Relaxed) - start) as f64);
        event.reset();
        assert!(Pin::new(&mut invocation).poll(&mut Context::from_waker(&waker)).is_ready());

        let arguments =
            [Value { kind: 5, bits: reference.expose_provenance() as u64 }, Value { kind: 1, bits: 1 }];
        // SAFETY: as above.
        ok(unsafe {
            raddle_invoke_async(c_until, arguments.as_ptr(), 2, null(), tell, null_mut(), null_mut())
        });
        c.turn();
        let start = now();
        // SAFETY: as above.
        unsafe { raddle_event_set(c_event) };
        c.turn();
        foreign.push((TOLD.load(Relaxed) - start) as f64);
        // SAFETY: as above.
        unsafe { raddle_event_reset(c_event) };
    }
    print("signal to future, to callback", "ns", &mut rust, &mut foreign);
    Ok(())
}

/// A thousand invocations wait; the host polls for a while.
fn idle(c: &C) {
    let (until, delay) = (c.function(c"until"), c.function(c"delay"));
    // SAFETY: as above.
    let event = made(|out| unsafe { raddle_event_create(false, out) });
    // SAFETY: as above.
    let reference = made(|out| unsafe { raddle_event_ref(event, out) });
    for number in 0..1000_u64 {
        let (function, first) = match number % 2 {
            0 => (until, Value { kind: 5, bits: reference.expose_provenance() as u64 }),
            _ => (delay, Value { kind: 2, bits: 3_600_000_000_000 + number }),
        };
        let arguments = [first, Value { kind: 1, bits: number }];
        // SAFETY: as above.
        ok(unsafe {
            raddle_invoke_async(function, arguments.as_ptr(), 2, null(), never, null_mut(), null_mut())
        });
    }
    for _ in 0..10 {
        c.turn();
    }
    // SAFETY: as above.
    let mut fd = PollFd { fd: unsafe { raddle_runtime_fd(c.runtime) }, events: 1, revents: 0 };
    let wakes: c_int = (0..10)
        // SAFETY: one descriptor.
        .map(|_| unsafe { poll(&mut fd, 1, 50) })
        .sum();
    println!(
        "an idle host loop, 1000 invocations waiting, 500 of them for deadlines: {wakes} wake-ups in 0.5 s"
    );
    assert_eq!(wakes, 0);
}

extern "C" fn never(_: *mut c_void, _: *const c_void, _: *const Value, _: usize) {}

fn main() -> raddle::Result {
    let runtime = Runtime::builder().workers(0).build()?;
    let session = runtime.session().bytes(WAITS)?.build()?;
    let c = C::new();
    calls(&session, &c)?;
    completions(&runtime, &session, &c)?;
    idle(&c);
    Ok(())
}
