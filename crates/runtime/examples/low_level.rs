//! The low level: begin a call, look at what it waits for, wait in a way of one's own or hand the wait over, resume.

use raddle::vm::{Outcome, Slice};
use raddle::wait::{Condition, Event};
use raddle::{Code, Error, EventObject, NEVER, Result, Runtime, WaitFrame};
use std::sync::{Arc, mpsc};

const WAITS: &[u8] = include_bytes!("../../../tests/programs/runtime/waits.vmfb");

fn main() -> Result {
    let runtime = Runtime::builder().workers(1).build()?;
    let session = runtime.session().bytes(WAITS)?.build()?;
    let until = session.function("waits.until")?;
    let gate = Arc::new(Event::manual());

    let Outcome::Waiting(call, wait) = until.begin((EventObject::value(&gate), 7))? else {
        return Err(Error::new(Code::Internal, "the gate is closed: it waits"));
    };
    if let Condition::Until(source) = &wait.condition {
        println!("it waits, and its source says {:?}", source.query());
    }
    // The runtime waits, without a thread. The callback has the call again, and resumes it.
    let (sender, receiver) = mpsc::channel();
    runtime.wait_invoke_async(WaitFrame { call, wait }, NEVER, move |call, outcome| {
        if let Outcome::Finished(finished) = call.resume(outcome, &Slice::default()) {
            let _ = sender.send(finished.results());
        }
    })?;
    gate.set();
    let results = receiver.recv().map_err(|_| Error::new(Code::Internal, "it was not resumed"))?;
    println!("resumed: {results:?}");
    Ok(())
}
