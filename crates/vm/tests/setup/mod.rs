//! What tests of programs and their hosts begin and end with.
#![allow(dead_code, reason = "each of them uses a part")]

use raddle_status::Error;
use raddle_vm::{
    Condition, Context, Engine, Idle, Module, Outcome, Program, Registry, Slice, Storage, Value, WaitOutcome,
    assemble,
};
use raddle_wait::Event;
use std::sync::Arc;

/// How a wait for one source ends, and how a host goes on after a yield.
pub const READY: WaitOutcome = WaitOutcome::Ready { index: 0 };

/// Waits for something that does not come.
pub fn never() -> Condition {
    Arc::new(Event::manual()).into()
}

/// A program from text, with these types of its host.
pub fn program(text: &str, types: &Registry, engine: Engine) -> Arc<Program> {
    let module = Module::load(assemble(text).unwrap().build()).unwrap();
    Program::for_engine(module, types, engine).unwrap()
}

/// Calls a function for a slice.
pub fn begin(context: &Context, name: &str, arguments: &[Value]) -> Outcome {
    let function = context.function(name).unwrap();
    Idle::new(&function, &Storage::default()).unwrap().begin(arguments, &Slice::default())
}

/// What a function that returned has given.
pub fn results(outcome: Outcome) -> Vec<Value> {
    match outcome {
        Outcome::Finished(finished) => finished.results(),
        other => panic!("{other:?}"),
    }
}

/// Why a function failed.
pub fn failure(outcome: Outcome) -> Error {
    match outcome {
        Outcome::Failed(_, error) => error,
        other => panic!("{other:?}"),
    }
}
