//! What the C interface costs beside the Rust one, in alternation in one process: a call, a completion, and an idle loop.
//!
//! The C side is the shared library as it is installed, loaded at run time: a copy of its own beside the Rust side.
//!
//! `cargo run --release -p raddle-capi --example c_figures [-- libraddle.so]`

use raddle::wait::Event;
use raddle::{EventObject, Runtime, Session, TurnBudget};
use std::ffi::{c_char, c_int, c_void};
use std::future::Future;
use std::hint::black_box;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::Command;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Wake, Waker};
use std::time::Instant;

const WAITS: &[u8] = include_bytes!("../../../tests/programs/runtime/waits.vmfb");
const SOURCES: &[u8] = include_bytes!("../../../tests/programs/runtime/sources.vmfb");

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

macro_rules! functions {
    ($($name:ident: ($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// The functions of the library that are used here, without their prefix.
        #[derive(Clone, Copy)]
        struct Library { $($name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)* }

        impl Library {
            fn load(path: &std::path::Path) -> Result<Library, libloading::Error> {
                // SAFETY: libraddle's initialisers do nothing.
                let library = Box::leak(Box::new(unsafe { libloading::Library::new(path) }?));
                Ok(Library { $(
                    // SAFETY: it has this type, as the header says.
                    $name: *unsafe { library.get(concat!("raddle_", stringify!($name)).as_bytes()) }?,
                )* })
            }
        }
    };
}

functions! {
    runtime_create: (*const Options, *mut *mut c_void) -> Status;
    runtime_turn: (*const c_void, u32, *mut u32, *mut bool) -> Status;
    runtime_fd: (*const c_void) -> c_int;
    module_from_memory: (*const c_void, usize, *const c_void, *mut c_void, *mut *mut c_void) -> Status;
    session_create: (*const c_void, *const *mut c_void, usize, *const c_void, *mut *mut c_void) -> Status;
    session_function: (*const c_void, *const c_char, *mut *mut c_void) -> Status;
    invoke: (*const c_void, *const Value, usize, *const c_void, *mut Value, usize, *mut usize) -> Status;
    invoke_async: (*const c_void, *const Value, usize, *const c_void, Completed, *mut c_void, *mut *mut c_void) -> Status;
    ref_release: (*const c_void);
    event_create: (bool, *mut *mut c_void) -> Status;
    event_ref: (*const c_void, *mut *mut c_void) -> Status;
    event_set: (*const c_void);
    event_reset: (*const c_void) -> bool;
}

unsafe extern "C" {
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
    library: Library,
    runtime: *mut c_void,
    session: *mut c_void,
}

impl C {
    fn new(library: Library) -> C {
        let options = Options {
            struct_size: size_of::<Options>(),
            driver: 3,
            workers: 0,
            name: null(),
            stack_bytes: 0,
        };
        // SAFETY: arguments as the header says, here and below.
        let runtime = made(|out| unsafe { (library.runtime_create)(&options, out) });
        let modules = [WAITS, SOURCES].map(|bytes| {
            let (data, size) = (bytes.as_ptr().cast(), bytes.len());
            // SAFETY: as above.
            made(|out| unsafe { (library.module_from_memory)(data, size, null(), null_mut(), out) })
        });
        let first = modules.as_ptr();
        // SAFETY: as above.
        let session = made(|out| unsafe { (library.session_create)(runtime, first, 2, null(), out) });
        C { library, runtime, session }
    }

    fn function(&self, name: &std::ffi::CStr) -> *mut c_void {
        // SAFETY: as above.
        made(|out| unsafe { (self.library.session_function)(self.session, name.as_ptr(), out) })
    }

    fn turn(&self) {
        // SAFETY: as above.
        ok(unsafe { (self.library.runtime_turn)(self.runtime, 0, null_mut(), null_mut()) });
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
/// A multiple of `TOGETHER`.
const BATCH: u32 = 1024;
/// Calls that are under way at the same time.
const TOGETHER: u32 = 16;

/// Both sides in alternation; each makes so many `calls` at a time.
fn alternate(what: &str, calls: u32, rust: impl Fn() -> raddle::Result, c: impl Fn()) -> raddle::Result {
    let (mut rust_times, mut c_times) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..BATCH / calls {
            rust()?;
        }
        rust_times.push(start.elapsed().as_nanos() as f64 / f64::from(BATCH));
        let start = Instant::now();
        for _ in 0..BATCH / calls {
            c();
        }
        c_times.push(start.elapsed().as_nanos() as f64 / f64::from(BATCH));
    }
    print(what, "ns", &mut rust_times, &mut c_times);
    Ok(())
}

fn calls(runtime: &Runtime, session: &Session, c: &C) -> raddle::Result {
    let (add, c_add) = (session.function("waits.add")?, c.function(c"waits.add"));
    let rust = || {
        black_box(add.invoke(black_box((3, 4))).wait()?.to::<i32>()?);
        Ok(())
    };
    alternate("a call of two numbers, blocking", 1, rust, || {
        let arguments = black_box([Value { kind: 1, bits: 3 }, Value { kind: 1, bits: 4 }]);
        let mut result = Value { kind: 0, bits: 0 };
        // SAFETY: as above.
        ok(unsafe { (c.library.invoke)(c_add, arguments.as_ptr(), 2, null(), &mut result, 1, null_mut()) });
        assert_eq!(black_box(result.bits) as u32, 7);
    })?;

    // Both callbacks carry two words, which are allocated.
    let rust = || {
        for _ in 0..TOGETHER {
            let words = black_box((1_usize, 2_usize));
            add.invoke(black_box((3, 4))).on_complete(move |result| {
                black_box((words, result.and_then(|outputs| outputs.to::<i32>()).ok()));
            });
        }
        runtime.turn(TurnBudget::default()).map(drop)
    };
    alternate("with a callback, 16 in one turn", TOGETHER, rust, || {
        for _ in 0..TOGETHER {
            let arguments = black_box([Value { kind: 1, bits: 3 }, Value { kind: 1, bits: 4 }]);
            let first = arguments.as_ptr();
            // SAFETY: as above.
            ok(unsafe { (c.library.invoke_async)(c_add, first, 2, null(), seven, null_mut(), null_mut()) });
        }
        c.turn();
    })?;

    let (echo, c_echo) = (session.function("sources.echo")?, c.function(c"sources.echo"));
    let object = match EventObject::value(&Arc::new(Event::manual())) {
        raddle::Value::Ref(Some(object)) => object,
        other => unreachable!("{other} is no reference"),
    };
    // SAFETY: as above.
    let event = made(|out| unsafe { (c.library.event_create)(false, out) });
    // SAFETY: as above.
    let reference = made(|out| unsafe { (c.library.event_ref)(event, out) });
    let rust = || {
        let results = echo.invoke(black_box((object.clone(), 2_i64, 0.5_f32, 0.25_f64))).wait()?;
        black_box(results.to::<(raddle::vm::Ref, i64, f32, f64)>()?);
        Ok(())
    };
    alternate("of a reference and three numbers", 1, rust, || {
        let arguments = black_box([
            Value { kind: 5, bits: reference.expose_provenance() as u64 },
            Value { kind: 2, bits: 2 },
            Value { kind: 3, bits: u64::from(0.5_f32.to_bits()) },
            Value { kind: 4, bits: 0.25_f64.to_bits() },
        ]);
        let mut results = [Value { kind: 0, bits: 0 }; 4];
        // SAFETY: as above.
        ok(unsafe {
            (c.library.invoke)(c_echo, arguments.as_ptr(), 4, null(), results.as_mut_ptr(), 4, null_mut())
        });
        let result = std::ptr::with_exposed_provenance(black_box(results[0].bits) as usize);
        // SAFETY: as above.
        unsafe { (c.library.ref_release)(result) };
    })
}

extern "C" fn seven(_: *mut c_void, status: *const c_void, results: *const Value, count: usize) {
    assert!(status.is_null() && count == 1);
    // SAFETY: there is one result.
    black_box(unsafe { *results }.bits);
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
    let (rust_until, c_until) = (session.function("waits.until")?, c.function(c"waits.until"));
    let event = Arc::new(Event::manual());
    // SAFETY: as above.
    let c_event = made(|out| unsafe { (c.library.event_create)(false, out) });
    // SAFETY: as above.
    let reference = made(|out| unsafe { (c.library.event_ref)(c_event, out) });
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
            (c.library.invoke_async)(c_until, arguments.as_ptr(), 2, null(), tell, null_mut(), null_mut())
        });
        c.turn();
        let start = now();
        // SAFETY: as above.
        unsafe { (c.library.event_set)(c_event) };
        c.turn();
        foreign.push((TOLD.load(Relaxed) - start) as f64);
        // SAFETY: as above.
        unsafe { (c.library.event_reset)(c_event) };
    }
    print("signal to future, to callback", "ns", &mut rust, &mut foreign);
    Ok(())
}

/// A thousand invocations wait; the host polls for a while.
fn idle(c: &C) {
    let (until, delay) = (c.function(c"waits.until"), c.function(c"waits.delay"));
    // SAFETY: as above.
    let event = made(|out| unsafe { (c.library.event_create)(false, out) });
    // SAFETY: as above.
    let reference = made(|out| unsafe { (c.library.event_ref)(event, out) });
    for number in 0..1000_u64 {
        let (function, first) = match number % 2 {
            0 => (until, Value { kind: 5, bits: reference.expose_provenance() as u64 }),
            _ => (delay, Value { kind: 2, bits: 3_600_000_000_000 + number }),
        };
        let arguments = [first, Value { kind: 1, bits: number }];
        // SAFETY: as above.
        ok(unsafe {
            (c.library.invoke_async)(function, arguments.as_ptr(), 2, null(), never, null_mut(), null_mut())
        });
    }
    for _ in 0..10 {
        c.turn();
    }
    // SAFETY: as above.
    let mut fd = PollFd { fd: unsafe { (c.library.runtime_fd)(c.runtime) }, events: 1, revents: 0 };
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

/// The library that was named, or one that is linked from the archive that was built along with this program.
fn library() -> PathBuf {
    if let Some(path) = std::env::args_os().nth(1) {
        return path.into();
    }
    let program = std::env::current_exe().expect("a program has a path");
    let profile = program.ancestors().nth(2).expect("examples lie in a folder of a profile");
    let built = profile.join("deps").read_dir().expect("what was built is there").flatten();
    let archives = built.filter(|entry| {
        let name = entry.file_name();
        name.to_string_lossy().starts_with("libraddle_capi-") && name.to_string_lossy().ends_with(".a")
    });
    let newest = archives.max_by_key(|entry| entry.metadata().and_then(|file| file.modified()).ok());
    let prefix = profile.join("figures");
    let mut command = Command::new(option_env!("CARGO").unwrap_or("cargo"));
    command.args(["xtask", "install-capi"]).arg(&prefix);
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    command.env("RADDLE_ARCHIVE", newest.expect("an archive is built with the examples").path());
    assert!(command.status().is_ok_and(|status| status.success()), "{command:?} failed");
    prefix.join("lib/libraddle.so")
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let library = Library::load(&library())?;
    let runtime = Runtime::builder().workers(0).build()?;
    let session = runtime.session().bytes(WAITS)?.bytes(SOURCES)?.build()?;
    let c = C::new(library);
    calls(&runtime, &session, &c)?;
    completions(&runtime, &session, &c)?;
    idle(&c);
    Ok(())
}
