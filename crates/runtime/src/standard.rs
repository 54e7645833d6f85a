//! The native module `raddle`: what programs can wait for without any device.
//!
//! | function | signature | suspends |
//! |---|---|---|
//! | `delay` | `(ns: i64)` | yes |
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
//!
//! Not here: the sources (`raddle-wait`), other native modules.

use raddle_status::Result;
use raddle_task::Executor;
use raddle_vm::{Flow, NativeModule, Object, RefOf, Value, WaitOutcome};
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

pub(crate) fn module(executor: &Executor) -> NativeModule {
    let stage = executor.stage();
    let builder = NativeModule::with_state("raddle", move || Ok(stage.clone()))
        .object::<EventObject>()
        .object::<SemaphoreObject>()
        .function("delay", |clock: &Clock, ns: i64| {
            let moment = Until(after(clock.now(), Duration::from_nanos(unsigned(ns))));
            Ok(Flow::wait(moment, nothing))
        })
        .function("event.create", |_: &Clock, auto: bool| {
            let event = if auto { Event::auto() } else { Event::manual() };
            Ok(RefOf::new(EventObject(Arc::new(event))))
        })
        .function("event.set", |_: &Clock, event: RefOf<EventObject>| {
            event.0.set();
            Ok(())
        })
        .function("event.reset", |_: &Clock, event: RefOf<EventObject>| {
            event.0.reset();
            Ok(())
        })
        .function("event.wait", |_: &Clock, event: RefOf<EventObject>| {
            Ok(Flow::wait(event.0.clone(), nothing))
        });
    let builder = builder
        .function("event.any", |_: &Clock, first: RefOf<EventObject>, second: RefOf<EventObject>| {
            let [first, second] = both(&first, &second);
            Ok(Flow::wait(raddle_wait::any![first, second] as Condition, index))
        })
        .function("event.all", |_: &Clock, first: RefOf<EventObject>, second: RefOf<EventObject>| {
            let [first, second] = both(&first, &second);
            Ok(Flow::wait(raddle_wait::all![first, second] as Condition, nothing))
        })
        .function("semaphore.create", |_: &Clock, value: i64| {
            Ok(RefOf::new(SemaphoreObject(Arc::new(Semaphore::new(unsigned(value))))))
        })
        .function("semaphore.signal", |_: &Clock, semaphore: RefOf<SemaphoreObject>, value: i64| {
            semaphore.0.signal(unsigned(value))
        })
        .function("semaphore.value", |_: &Clock, semaphore: RefOf<SemaphoreObject>| {
            Ok(semaphore.0.value()? as i64)
        })
        .function("semaphore.wait", |_: &Clock, semaphore: RefOf<SemaphoreObject>, value: i64| {
            Ok(Flow::wait(Arc::new(semaphore.0.at(unsigned(value))), nothing))
        });
    let builder = builder
        .object::<SourceObject>()
        .function("source.wait", |_: &Clock, source: RefOf<SourceObject>| {
            Ok(Flow::wait(source.0.clone(), nothing))
        })
        .function("source.any", |_: &Clock, first: RefOf<SourceObject>, second: RefOf<SourceObject>| {
            Ok(Flow::wait(Condition::any([first.0.clone(), second.0.clone()]), index))
        })
        .function("source.all", |_: &Clock, first: RefOf<SourceObject>, second: RefOf<SourceObject>| {
            Ok(Flow::wait(Condition::all([first.0.clone(), second.0.clone()]), nothing))
        });
    builder.build().expect("the functions have names of their own")
}
