//! What the tests of the runtime have in common.
#![allow(dead_code, reason = "each test uses a part of it")]

use raddle::wait::Event;
use raddle::*;
use std::sync::Arc;
use std::time::Duration;

pub const WAITS: &[u8] = include_bytes!("../../../../tests/programs/runtime/waits.vmfb");
pub const COUNTER: &[u8] = include_bytes!("../../../../tests/programs/runtime/counter.vmfb");
/// An hour. Unit: ns.
pub const LONG: i64 = 3_600_000_000_000;

pub fn runtime(workers: usize) -> Runtime {
    Runtime::builder().workers(workers).build().unwrap()
}

pub fn session(runtime: &Runtime) -> Session {
    runtime.session().bytes(WAITS).unwrap().build().unwrap()
}

pub fn event() -> (Arc<Event>, Value) {
    let event = Arc::new(Event::manual());
    (event.clone(), EventObject::value(&event))
}

pub fn until_waiting(invocation: &Invocation) {
    while !invocation.is_waiting() {
        std::thread::yield_now();
    }
}

pub fn turn_until_idle(runtime: &Runtime) {
    while runtime.turn(TurnBudget::default()).unwrap().is_more {}
}

pub fn code(result: Result<Outputs>) -> Code {
    result.expect_err("the invocation fails").code()
}

pub fn soon(runtime: &Runtime) -> Moment {
    raddle::wait::after(runtime.now(), Duration::from_millis(2))
}
