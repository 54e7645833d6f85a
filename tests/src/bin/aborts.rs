//! A process whose panics abort: `aborts` runs a graph with a wait and ends as any other; `aborts panic` runs a task that panics.
//!
//! `cargo xtask ci panic` builds it with `panic = "abort"` and runs both. There a panic can't become a status of its scope: it
//! ends the process, after the panic hook has said where. Built as usual, the second ends with the status.

#![forbid(unsafe_code)]

use raddle::wait::{Event, NEVER};
use raddle_status::{Code, Error, Result};
use raddle_task::{Executor, GraphBuilder};
use std::sync::Arc;
use std::time::Duration;

fn main() -> Result {
    let panics = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("panic") => true,
        Some(word) => {
            return Err(Error::new(Code::InvalidArgument, format!("`{word}`: usage: aborts [panic]")));
        }
    };
    let executor = Executor::builder().workers(2).build()?;
    let (scope, event) = (executor.scope("aborts"), Arc::new(Event::manual()));
    let mut builder = GraphBuilder::new();
    let (wait, delay) = (builder.wait(event.clone()), builder.delay(Duration::from_millis(1)));
    let last = builder.call(move |_| assert!(!panics, "a task that panics"));
    builder.chain([wait, delay, last])?;
    let fails = builder.call(|_| -> Result { Err(Error::new(Code::DataLoss, "planned")) });
    builder.edge(last, fails)?;
    let run = executor.submit(&builder.build()?, &scope)?;
    event.set();
    let error = run.wait().expect_err("its last task fails");
    let report = executor.shutdown(NEVER)?;
    let strategy = if cfg!(panic = "abort") { "abort" } else { "unwind" };
    println!(
        "panic = {strategy}: a wait, a delay and a failure ({error}); done at the end: {:?}",
        report.done
    );
    Ok(())
}
