//! The runtime: workers or none, the host's loop, the dump, the end.
//!
//! Not here: sessions (`session.rs`), calls (`invocation.rs`, `state.rs`).
#![allow(unsafe_code)]

use crate::boundary::{Out, UserData, fallible, infallible, invalid, put_if, text_or_none};
use crate::handle::{Handle, Kind, kind};
use crate::options::{self, Options};
use crate::report::{WriteCallback, write_text};
use crate::status::Status;
use raddle::{Driver as RustDriver, Moment, TurnBudget};
use std::ffi::{c_char, c_void};
use std::os::fd::AsRawFd;

/// No moment: wait for ever.
pub const RADDLE_NEVER: u64 = u64::MAX;

/// Workers and a poller stage. Thread-safe.
///
/// Releasing the last handle ends it: invocations in flight end as cancelled, and the workers are joined, unless that
/// happens on one of them. Sessions and functions don't keep it: calls after its end fail.
pub struct Runtime(Handle<raddle::Runtime>);

kind!(Runtime: raddle::Runtime, "raddle_runtime_t", b"RUNT");

/// Who looks at descriptors and deadlines.
#[repr(u32)]
pub enum Driver {
    /// Idle workers.
    Default = 0,
    /// Idle workers; busy ones now and then.
    Workers = 1,
    /// A thread that does nothing else.
    Thread = 2,
    /// The host, in `raddle_runtime_turn`. The only one that needs no worker.
    Host = 3,
}

/// How a runtime is made. Zero is the default of every field but `struct_size`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct RuntimeOptions {
    /// `sizeof(raddle_runtime_options_t)`.
    pub struct_size: usize,
    /// A `raddle_driver_t`.
    pub driver: u32,
    /// How many workers. 0: none, if the host drives; otherwise as many as the process may use at once.
    pub workers: u32,
    /// A name for threads, dumps and reports; null for "raddle". Copied.
    pub name: *const c_char,
    /// The stack of each worker, in bytes; 0 for 2 MiB.
    pub stack_bytes: usize,
}

// SAFETY: O1.
unsafe impl Options for RuntimeOptions {
    const NAME: &'static str = "raddle_runtime_options_t";
}

/// Starts a runtime. `options` may be null.
///
/// INVALID_ARGUMENT: a driver that does not fit the workers, or too many of them. RESOURCE_EXHAUSTED: the system refuses
/// threads or descriptors.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_runtime_create(
    options: *const RuntimeOptions,
    out_runtime: *mut *mut Runtime,
) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_runtime, "out_runtime")?;
        let options = options::read(options)?;
        let driver = match options.driver {
            0 => None,
            1 => Some(RustDriver::Workers),
            2 => Some(RustDriver::Thread),
            3 => Some(RustDriver::Host),
            other => return Err(invalid(format!("{other} is no raddle_driver_t"))),
        };
        let mut builder = raddle::Runtime::builder();
        if options.workers > 0 || driver == Some(RustDriver::Host) {
            builder = builder.workers(options.workers as usize);
        }
        if let Some(driver) = driver {
            builder = builder.driver(driver);
        }
        if let Some(name) = text_or_none(options.name, "name")? {
            builder = builder.name(name);
        }
        if options.stack_bytes > 0 {
            builder = builder.executor(|executor| executor.stack_bytes(options.stack_bytes));
        }
        out.put(Runtime::create(builder.build()?));
        Ok(())
    })
}

/// One holder more. Null is nothing.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_runtime_retain(runtime: Option<&Runtime>) {
    Runtime::retain(runtime, "raddle_runtime_retain");
}

/// One holder less. Null is nothing. The last one ends the runtime. Blocks: until the workers have ended, unless this is one
/// of them.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_runtime_release(runtime: Option<&Runtime>) {
    infallible("raddle_runtime_release", || Runtime::release(runtime, "raddle_runtime_release"));
}

/// The present moment of the runtime's clock, in nanoseconds: what deadlines are compared with.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_runtime_now(runtime: Option<&Runtime>) -> Moment {
    infallible("raddle_runtime_now", || Runtime::demand(runtime, "raddle_runtime_now").now())
}

/// A descriptor that is readable when `raddle_runtime_turn` would make progress, and now and then when it would not. Poll it;
/// don't read, write or close it. It lives as long as the runtime. For `RADDLE_DRIVER_HOST`.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_runtime_fd(runtime: Option<&Runtime>) -> i32 {
    infallible("raddle_runtime_fd", || Runtime::demand(runtime, "raddle_runtime_fd").fd().as_raw_fd())
}

/// How long until the next deadline, in nanoseconds, for a host that can't poll the descriptor, which becomes readable by
/// itself then; -1 for no deadline.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_runtime_next_timeout(runtime: Option<&Runtime>) -> i64 {
    infallible("raddle_runtime_next_timeout", || {
        let next = Runtime::demand(runtime, "raddle_runtime_next_timeout").next_timeout();
        next.map_or(-1, |left| i64::try_from(left.as_nanos()).unwrap_or(i64::MAX))
    })
}

/// Runs what is ready, on this thread: invocations, callbacks, waits that have ended; at most `tasks_max` tasks, or a default
/// number for 0. `out_tasks` gets how many were run, `out_is_more` whether some were left (the descriptor stays readable
/// then). Both may be null.
///
/// Blocks never, beyond what the tasks do. FAILED_PRECONDITION: the host does not drive this runtime. UNAVAILABLE: a turn is
/// under way, on another thread or on this one.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_runtime_turn(
    runtime: Option<&Runtime>,
    tasks_max: u32,
    out_tasks: *mut u32,
    out_is_more: *mut bool,
) -> *mut Status {
    fallible(|| {
        let runtime = Runtime::get(runtime, "runtime")?;
        let budget = if tasks_max == 0 { TurnBudget::default() } else { TurnBudget { tasks_max } };
        let turned = runtime.turn(budget)?;
        put_if(out_tasks, turned.tasks);
        put_if(out_is_more, turned.is_more);
        Ok(())
    })
}

/// How a dump is written.
#[repr(u32)]
pub enum DumpFormat {
    /// A page of text.
    Text = 0,
    /// JSON.
    Json = 1,
}

/// What the runtime does and waits on at this moment: workers, queues, scopes, outstanding waits. `write` gets it.
/// `format` is a `raddle_dump_format_t`. Thread-safe.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_runtime_dump(
    runtime: Option<&Runtime>,
    format: u32,
    write: WriteCallback,
    user_data: *mut c_void,
) -> *mut Status {
    fallible(|| {
        let dump = Runtime::get(runtime, "runtime")?.executor().dump();
        let text = match format {
            0 => dump.to_string(),
            1 => dump.to_json(),
            other => return Err(invalid(format!("{other} is no raddle_dump_format_t"))),
        };
        if write.is_none() {
            return Err(invalid("`write` is null"));
        }
        write_text(&text, write, UserData(user_data));
        Ok(())
    })
}

/// What was counted since the runtime was made.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct RuntimeCounts {
    /// `sizeof(raddle_runtime_counts_t)`, set by the caller.
    pub struct_size: usize,
    /// Tasks run.
    pub tasks_run: u64,
    /// Waits that were begun.
    pub waits_begun: u64,
    /// Waits that ended without waiting.
    pub waits_inline: u64,
    /// Sleepers that were woken.
    pub wakes: u64,
    /// Looks at descriptors and deadlines.
    pub poller_turns: u64,
}

// SAFETY: O1.
unsafe impl Options for RuntimeCounts {
    const NAME: &'static str = "raddle_runtime_counts_t";
}

/// What was counted since the runtime was made. Thread-safe.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_runtime_counts(
    runtime: Option<&Runtime>,
    out_counts: *mut RuntimeCounts,
) -> *mut Status {
    fallible(|| {
        let counts = Runtime::get(runtime, "runtime")?.executor().counts();
        Out::new(out_counts, "out_counts")?;
        let counts = RuntimeCounts {
            struct_size: 0,
            tasks_run: counts.tasks_run,
            waits_begun: counts.waits_begun,
            waits_inline: counts.waits_inline,
            wakes: counts.wakes,
            poller_turns: counts.poller_turns,
        };
        options::write(out_counts, counts)
    })
}

/// How a runtime ended. Unit: scopes; each session is one.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ShutdownReport {
    /// `sizeof(raddle_shutdown_report_t)`, set by the caller.
    pub struct_size: usize,
    /// Were idle.
    pub scopes_done: usize,
    /// Had work, which was cancelled and has ended.
    pub scopes_cancelled: usize,
    /// Have work that did not end in time.
    pub scopes_leaked: usize,
    /// Invocations in those.
    pub invocations_leaked: usize,
    /// Threads that were inside a task when the deadline passed. They end when it returns.
    pub threads_left: usize,
}

// SAFETY: O1.
unsafe impl Options for ShutdownReport {
    const NAME: &'static str = "raddle_shutdown_report_t";
}

/// Ends the runtime: refuses new calls, cancels those in flight, joins the workers. `out_report` may be null.
///
/// Blocks: until all has ended, at most until `deadline` on the runtime's clock. Callbacks of what is cancelled run before it
/// returns. FAILED_PRECONDITION: in a forked child.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_runtime_shutdown(
    runtime: Option<&Runtime>,
    deadline: Moment,
    out_report: *mut ShutdownReport,
) -> *mut Status {
    fallible(|| {
        let report = Runtime::get(runtime, "runtime")?.shutdown(deadline)?;
        let report = ShutdownReport {
            struct_size: 0,
            scopes_done: report.done.len(),
            scopes_cancelled: report.cancelled.len(),
            scopes_leaked: report.leaked.len(),
            invocations_leaked: report.leaked.iter().map(|(_, count)| count).sum(),
            threads_left: report.threads_left,
        };
        options::write(out_report, report)
    })
}
