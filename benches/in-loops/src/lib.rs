//! What both loops share: a runtime without threads, and a program that waits for an event and for a while.

use raddle::wait::Event;
use raddle::{EventObject, Function, Invocation, Result, Runtime};
use std::sync::Arc;

const WAITS: &[u8] = include_bytes!("../../../tests/programs/runtime/waits.vmfb");

/// A runtime that its host drives, and its functions.
pub struct Guest {
    pub runtime: Runtime,
    until: Function,
    delay: Function,
}

impl Guest {
    /// Starts nothing: no worker, no thread.
    pub fn new() -> Result<Guest> {
        let runtime = Runtime::builder().workers(0).build()?;
        let session = runtime.session().bytes(WAITS)?.build()?;
        let (until, delay) = (session.function("until")?, session.function("delay")?);
        Ok(Guest { runtime, until, delay })
    }

    /// A call that waits for the event.
    pub fn until(&self, event: &Arc<Event>, value: i32) -> Invocation {
        self.until.invoke((EventObject::value(event), value))
    }

    /// Calls that wait for 0 to 9 ms.
    pub fn delays(&self, count: i32) -> Vec<Invocation> {
        (0..count).map(|value| self.delay.invoke((i64::from(value % 10) * 1_000_000, value))).collect()
    }
}

/// How many threads the process has.
pub fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}
