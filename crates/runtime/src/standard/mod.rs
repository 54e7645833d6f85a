//! The native module `raddle`: what programs can wait for without any device.
//!
//! | function | signature | suspends |
//! |---|---|---|
//! | `delay` | `(ns: i64)` | yes |
//! | `fence.delay` | `(ns: i64, wait: fence, signal: fence)`: the second is reached so long after the first | |
//! | `event.create` | `(auto: i32) -> event` | |
//! | `event.set`, `event.reset` | `(event)` | |
//! | `event.wait` | `(event)` | yes |
//! | `event.any` | `(event, event) -> i32`: which was first | yes |
//! | `event.all` | `(event, event)` | yes |
//! | `semaphore.create` | `(value: i64) -> semaphore` | |
//! | `semaphore.signal` | `(semaphore, value: i64)` | |
//! | `semaphore.value` | `(semaphore) -> i64` | |
//! | `semaphore.wait` | `(semaphore, value: i64)` | yes |
//! | `source.wait` | `(source)`: a wait source of the host's | yes |
//! | `source.any` | `(source, source) -> i32`: which was first | yes |
//! | `source.all` | `(source, source)` | yes |
//! | `pipe.create` | `() -> (stream to read, stream to write)` | |
//! | `stream.read` | `(stream, bytes at most: i64) -> buffer`, null at the end | yes |
//! | `stream.read_line` | `(stream) -> buffer` without its line end, null at the end | yes |
//! | `stream.write` | `(stream, buffer)`: all of it | yes |
//! | `stream.close` | `(stream)` | |
//! | `stream.connect` | `(port: i32) -> stream` to this machine; needs access to the loopback | yes |
//! | `listener.bind` | `(port: i32) -> listener` on this machine, 0 for any port; the same | |
//! | `listener.port` | `(listener) -> i32` | |
//! | `listener.accept` | `(listener) -> stream` | yes |
//! | `file.open` | `(path: buffer, mode: i32) -> file`: 0 read, 1 write, 2 append; needs access to files | blocks |
//! | `file.read` | `(file, bytes at most: i64) -> buffer`, null at the end | blocks, or yes with a pool |
//! | `file.write` | `(file, buffer)`: all of it | blocks for each chunk, or yes with a pool |
//!
//! A chunk is 16 KiB at most. Modules are not trusted: what reaches beyond their session ([`Access`]) is refused with
//! PERMISSION_DENIED unless the host grants it.
//!
//! Not here: the sources (`raddle-wait`), other native modules.

mod file;
mod listener;
mod stream;

pub use file::{FileObject, FilePool};
pub use listener::ListenerObject;
pub use stream::StreamObject;

use file::Hands;
use raddle_hal::Fence;
use raddle_status::{Code, Error, Result};
use raddle_task::{Executor, Scope};
use raddle_vm::{Buffer, Flow, NativeModule, Object, RefOf, Value, WaitOutcome};
use raddle_wait::{Condition, Event, Kernel, Semaphore, SharedSource, Stage, Until, WaitSet, after};
use std::sync::Arc;
use std::time::Duration;

/// An event as programs hold it: `raddle.event`. A host makes one to be waited for, or to be told.
#[derive(Debug)]
pub struct EventObject(Arc<Event>);

impl EventObject {
    /// The event as an argument.
    pub fn value(event: &Arc<Event>) -> Value {
        Value::object(EventObject(event.clone()))
    }

    /// The event.
    pub fn event(&self) -> &Arc<Event> {
        &self.0
    }
}

impl Object for EventObject {
    const NAME: &'static str = "raddle.event";
}

/// A timeline semaphore as programs hold it: `raddle.semaphore`.
#[derive(Debug)]
pub struct SemaphoreObject(Arc<Semaphore>);

impl SemaphoreObject {
    /// The semaphore as an argument.
    pub fn value(semaphore: &Arc<Semaphore>) -> Value {
        Value::object(SemaphoreObject(semaphore.clone()))
    }

    /// The semaphore.
    pub fn semaphore(&self) -> &Arc<Semaphore> {
        &self.0
    }
}

impl Object for SemaphoreObject {
    const NAME: &'static str = "raddle.semaphore";
}

/// Any wait source as programs hold it: `raddle.source`. A host makes one of what it alone knows how to wait for.
#[derive(Debug)]
pub struct SourceObject(SharedSource);

impl SourceObject {
    /// The source as an argument.
    pub fn value(source: &SharedSource) -> Value {
        Value::object(SourceObject(source.clone()))
    }

    /// The source.
    pub fn source(&self) -> &SharedSource {
        &self.0
    }
}

impl Object for SourceObject {
    const NAME: &'static str = "raddle.source";
}

type Clock = Arc<WaitSet<Box<dyn Kernel>>>;

/// A wait whose success has no result.
fn nothing(outcome: WaitOutcome) -> Result<()> {
    outcome.into_result().map(|_| ())
}

/// A wait whose result says which child was first.
fn index(outcome: WaitOutcome) -> Result<i32> {
    outcome.into_result().map(|index| index as i32)
}

/// Negative delays and values are none.
fn unsigned(number: i64) -> u64 {
    number.max(0) as u64
}

fn both(first: &EventObject, second: &EventObject) -> [Arc<Event>; 2] {
    [first.0.clone(), second.0.clone()]
}

/// A chunk of a stream or file at most. Unit: bytes. Guess: few calls, small stacks.
const CHUNK_BYTES_MAX: usize = 1 << 14;

/// What programs of a session may reach beyond it. Nothing, unless somebody says so.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Access {
    files: bool,
    loopback: bool,
}

impl Access {
    /// Every file that the process may open.
    pub fn files(self) -> Access {
        Access { files: true, ..self }
    }

    /// Every port of this machine's loopback address.
    pub fn loopback(self) -> Access {
        Access { loopback: true, ..self }
    }
}

/// What the functions of the module use.
pub(crate) struct Standard {
    clock: Clock,
    /// Of fences that are reached later.
    scope: Scope,
    access: Access,
    hands: Hands,
}

impl Standard {
    fn need(&self, is_granted: bool, what: &str) -> Result {
        match is_granted {
            true => Ok(()),
            false => {
                let text = format!("the session has no access to {what}; its host can grant it");
                Err(Error::new(Code::PermissionDenied, text))
            }
        }
    }

    fn need_files(&self) -> Result {
        self.need(self.access.files, "files")
    }

    fn need_loopback(&self) -> Result {
        self.need(self.access.loopback, "the loopback address")
    }
}

/// Bytes as programs hold them.
fn buffer(bytes: Vec<u8>) -> RefOf<Buffer> {
    RefOf::new(Buffer::constant(Arc::new(bytes)))
}

fn io_error(verb: &str, error: &std::io::Error) -> Error {
    Error::new(crate::files::code(error), format!("can't {verb}: {error}"))
}

pub(crate) fn module(executor: &Executor, access: Access, pool: Option<FilePool>) -> NativeModule {
    let clock = executor.stage();
    let scope = executor.scope("fences that are reached later");
    let state =
        move || Ok(Standard { clock: clock.clone(), scope: scope.clone(), access, hands: pool.clone() });
    let builder = NativeModule::with_state("raddle", state);
    let builder = files(streams(sources(semaphores(events(builder)))));
    builder.build().expect("the functions have names of their own")
}

fn fence_delay(
    own: &Standard,
    ns: i64,
    wait: Option<RefOf<Fence>>,
    signal: Option<RefOf<Fence>>,
) -> Result<()> {
    Fence::delay(&own.scope, wait, signal, Duration::from_nanos(unsigned(ns)))
}

type Builder = raddle_vm::NativeBuilder<Standard>;

fn events(builder: Builder) -> Builder {
    builder
        .object::<EventObject>()
        .function("delay", |own: &Standard, ns: i64| {
            let moment = Until(after(own.clock.now(), Duration::from_nanos(unsigned(ns))));
            Ok(Flow::wait(moment, nothing))
        })
        // What the compiler makes of an import `fence.delay(ns)` in the asynchronous interface.
        .function("fence.delay", fence_delay)
        .function("event.create", |_: &Standard, auto: bool| {
            let event = if auto { Event::auto() } else { Event::manual() };
            Ok(RefOf::new(EventObject(Arc::new(event))))
        })
        .function("event.set", |_: &Standard, event: RefOf<EventObject>| {
            event.0.set();
            Ok(())
        })
        .function("event.reset", |_: &Standard, event: RefOf<EventObject>| {
            event.0.reset();
            Ok(())
        })
        .function("event.wait", |_: &Standard, event: RefOf<EventObject>| {
            Ok(Flow::wait(event.0.clone(), nothing))
        })
        .function("event.any", |_: &Standard, first: RefOf<EventObject>, second: RefOf<EventObject>| {
            let [first, second] = both(&first, &second);
            Ok(Flow::wait(raddle_wait::any![first, second] as Condition, index))
        })
        .function("event.all", |_: &Standard, first: RefOf<EventObject>, second: RefOf<EventObject>| {
            let [first, second] = both(&first, &second);
            Ok(Flow::wait(raddle_wait::all![first, second] as Condition, nothing))
        })
}

fn semaphores(builder: Builder) -> Builder {
    builder
        .object::<SemaphoreObject>()
        .function("semaphore.create", |_: &Standard, value: i64| {
            Ok(RefOf::new(SemaphoreObject(Arc::new(Semaphore::new(unsigned(value))))))
        })
        .function("semaphore.signal", |_: &Standard, semaphore: RefOf<SemaphoreObject>, value: i64| {
            semaphore.0.signal(unsigned(value))
        })
        .function("semaphore.value", |_: &Standard, semaphore: RefOf<SemaphoreObject>| {
            Ok(semaphore.0.value()? as i64)
        })
        .function("semaphore.wait", |_: &Standard, semaphore: RefOf<SemaphoreObject>, value: i64| {
            // A wait that is satisfied needs no source, and so no allocation.
            match semaphore.0.value()? >= unsigned(value) {
                true => Ok(Flow::Ready(())),
                false => Ok(Flow::wait(Arc::new(semaphore.0.at(unsigned(value))), nothing)),
            }
        })
}

fn sources(builder: Builder) -> Builder {
    builder
        .object::<SourceObject>()
        .function("source.wait", |_: &Standard, source: RefOf<SourceObject>| {
            Ok(Flow::wait(source.0.clone(), nothing))
        })
        .function("source.any", |_: &Standard, first: RefOf<SourceObject>, second: RefOf<SourceObject>| {
            Ok(Flow::wait(Condition::any([first.0.clone(), second.0.clone()]), index))
        })
        .function("source.all", |_: &Standard, first: RefOf<SourceObject>, second: RefOf<SourceObject>| {
            Ok(Flow::wait(Condition::all([first.0.clone(), second.0.clone()]), nothing))
        })
}

fn streams(builder: Builder) -> Builder {
    builder
        .object::<StreamObject>()
        .object::<ListenerObject>()
        .function("pipe.create", |own: &Standard| stream::pipe(&own.clock))
        .function("stream.read", |_: &Standard, from: RefOf<StreamObject>, max: i64| stream::read(from, max))
        .function("stream.read_line", |_: &Standard, from: RefOf<StreamObject>| stream::read_line(from))
        .function("stream.write", |_: &Standard, to: RefOf<StreamObject>, bytes: RefOf<Buffer>| {
            stream::write(to, bytes)
        })
        .function("stream.close", |_: &Standard, stream: RefOf<StreamObject>| {
            stream.close();
            Ok(())
        })
        .function("stream.connect", |own: &Standard, port: i32| {
            own.need_loopback()?;
            stream::connect(&own.clock, port)
        })
        .function("listener.bind", |own: &Standard, port: i32| {
            own.need_loopback()?;
            listener::bind(&own.clock, port)
        })
        .function("listener.port", |_: &Standard, listener: RefOf<ListenerObject>| Ok(listener.port()))
        .function("listener.accept", |_: &Standard, listener: RefOf<ListenerObject>| {
            listener::accept(listener)
        })
}

fn files(builder: Builder) -> Builder {
    builder
        .object::<FileObject>()
        .function("file.open", |own: &Standard, path: RefOf<Buffer>, mode: i32| {
            own.need_files()?;
            file::open(&path, mode)
        })
        .function("file.read", |own: &Standard, from: RefOf<FileObject>, max: i64| {
            file::read(&own.hands, from, max)
        })
        .function("file.write", |own: &Standard, to: RefOf<FileObject>, bytes: RefOf<Buffer>| {
            file::write(&own.hands, to, bytes)
        })
}
