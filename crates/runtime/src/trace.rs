//! A trace of invocations: which thread ran which step, who waited how long, and whose signal ended the wait.
//!
//! The file is in the JSON form of trace events, which <https://ui.perfetto.dev> loads: a slice for each step, on the track
//! of its thread; a span for each wait; an arrow from the signal that ended a wait to the step that it caused. It can be
//! loaded even if the process died.
//!
//! While a trace is written, each step and each signal takes a lock for a moment; the file is written by workers.
//!
//! # Sources
//! The document "Trace Event Format" of the Chromium project.

use raddle_status::{Code, Error, Result};
use raddle_task::Step;
use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use std::thread::ThreadId;
use std::time::Instant;

/// Events that are kept before they are written. Unit: bytes of text. Guess: few writes, little memory.
const BUFFERED_BYTES: usize = 1 << 16;

/// A file that a runtime writes its trace to. Thread-safe; complete once it is dropped, with the runtime's sessions.
pub struct Trace {
    start: Instant,
    /// std's lock: it takes part in no protocol.
    inner: Mutex<Inner>,
}

struct Inner {
    file: File,
    text: String,
    threads: HashMap<ThreadId, u32>,
    calls: HashMap<usize, Phase>,
    arrows: u64,
    failure: Option<std::io::Error>,
}

/// What the trace knows of a call between two steps.
enum Phase {
    /// It waits, if it was suspended at all, since this moment. Unit: ns.
    Waits(u64),
    /// It was woken, from the tail of this arrow.
    Woken(u64),
}

impl Trace {
    /// A trace into a new file.
    ///
    /// # Errors
    /// UNAVAILABLE: the file can't be made.
    pub fn create(path: impl AsRef<Path>) -> Result<Trace> {
        let failed = |error: std::io::Error| {
            Error::new(
                Code::Unavailable,
                format!("can't write the trace {}: {error}", path.as_ref().display()),
            )
        };
        let mut file = File::create(&path).map_err(failed)?;
        file.write_all(b"[\n").map_err(failed)?;
        let (threads, calls) = Default::default();
        let inner = Inner { file, text: String::new(), threads, calls, arrows: 0, failure: None };
        Ok(Trace { start: Instant::now(), inner: Mutex::new(inner) })
    }

    /// Writes what is buffered.
    ///
    /// # Errors
    /// UNAVAILABLE: a write has failed, now or before; the file ends there.
    pub fn flush(&self) -> Result {
        let mut inner = self.lock();
        inner.write_out();
        match &inner.failure {
            None => Ok(()),
            Some(error) => Err(Error::new(Code::Unavailable, format!("the trace is not complete: {error}"))),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Runs a step of a call and records it.
    pub(crate) fn step(&self, call: usize, name: &str, step: impl FnOnce() -> Step) -> Step {
        let begin = self.now_ns();
        let arrow = {
            let mut inner = self.lock();
            match inner.calls.remove(&call) {
                Some(Phase::Woken(arrow)) => Some(arrow),
                _ => None,
            }
        };
        let step = step();
        let end = self.now_ns();
        let then = match &step {
            Step::Done => "ends",
            Step::Yield => "yields",
            Step::OutOfBudget => "has used its slice",
            Step::Wait(..) | Step::WaitAgain(_) => "waits",
        };
        let mut inner = self.lock();
        let thread = inner.thread();
        let (name, us, took) = (Escaped(name), Us(begin), Us(end - begin));
        inner.event(format_args!(
            r#""ph":"X","tid":{thread},"ts":{us},"dur":{took},"name":"{name}","args":{{"then":"{then}"}}"#
        ));
        if let Some(arrow) = arrow {
            inner.event(format_args!(
                r#""ph":"f","bp":"e","id":{arrow},"tid":{thread},"ts":{us},"cat":"wake","name":"wake""#
            ));
        }
        if matches!(step, Step::Wait(..) | Step::WaitAgain(_)) {
            inner.calls.insert(call, Phase::Waits(end));
        }
        if inner.text.len() > BUFFERED_BYTES {
            inner.write_out();
        }
        step
    }

    /// The wait of a call has ended, by the doing of this thread.
    pub(crate) fn woken(&self, call: usize, name: &str) {
        let now = self.now_ns();
        let mut inner = self.lock();
        // A step that has not returned yet was overtaken by its signal.
        let since = match inner.calls.get(&call) {
            Some(Phase::Waits(since)) => *since,
            _ => now,
        };
        inner.arrows += 1;
        let (arrow, thread, name) = (inner.arrows, inner.thread(), Escaped(name));
        let (begin, end) = (Us(since), Us(now));
        inner.event(format_args!(
            r#""ph":"b","cat":"wait","id":{arrow},"tid":{thread},"ts":{begin},"name":"{name} waits""#
        ));
        inner.event(format_args!(
            r#""ph":"e","cat":"wait","id":{arrow},"tid":{thread},"ts":{end},"name":"{name} waits""#
        ));
        inner.event(format_args!(r#""ph":"X","tid":{thread},"ts":{end},"dur":0.5,"name":"wakes {name}""#));
        inner.event(format_args!(
            r#""ph":"s","id":{arrow},"tid":{thread},"ts":{end},"cat":"wake","name":"wake""#
        ));
        inner.calls.insert(call, Phase::Woken(arrow));
    }
}

impl Inner {
    /// The number of this thread; its name goes to the file when it is new.
    fn thread(&mut self) -> u32 {
        let thread = std::thread::current();
        if let Some(number) = self.threads.get(&thread.id()) {
            return *number;
        }
        let number = self.threads.len() as u32 + 1;
        self.threads.insert(thread.id(), number);
        let name = Escaped(thread.name().unwrap_or("a thread"));
        self.event(format_args!(
            r#""ph":"M","tid":{number},"name":"thread_name","args":{{"name":"{name}"}}"#
        ));
        number
    }

    fn event(&mut self, parts: fmt::Arguments<'_>) {
        // A string takes any text.
        let _ = writeln!(self.text, "{{\"pid\":1,{parts}}},");
    }

    fn write_out(&mut self) {
        let text = std::mem::take(&mut self.text);
        if self.failure.is_none() {
            self.failure = self.file.write_all(text.as_bytes()).err();
        }
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let inner = self.inner.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner());
        inner.text.push_str(
            "{\"ph\":\"M\",\"pid\":1,\"name\":\"process_name\",\"args\":{\"name\":\"raddle\"}}\n]\n",
        );
        inner.write_out();
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trace")
    }
}

/// Nanoseconds as microseconds with fractions.
struct Us(u64);

impl fmt::Display for Us {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// Text inside a JSON string.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '"' | '\\' => write!(f, "\\{letter}")?,
                letter if letter < ' ' => write!(f, "\\u{:04x}", letter as u32)?,
                letter => f.write_char(letter)?,
            }
        }
        Ok(())
    }
}
