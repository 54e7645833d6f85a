//! Runs functions on our engines.

use crate::host;
use raddle_status::Result;
use raddle_vm::{
    Context, Engine, Idle, Module, Outcome, Program, Registry, Slice, Storage, Value, WaitOutcome,
};
use std::sync::Arc;

/// A module, prepared for each engine of this build.
pub struct Ours(Vec<Arc<Program>>);

impl Ours {
    /// Prepares a module.
    ///
    /// # Errors
    /// Those of loading.
    pub fn load(bytes: Vec<u8>) -> Result<Ours> {
        let module = Module::load(bytes)?;
        let prepare = |engine: &Engine| Program::for_engine(module.clone(), &Registry::new(), *engine);
        Engine::ALL.iter().map(prepare).collect::<Result<_>>().map(Ours)
    }

    /// The module.
    pub fn module(&self) -> &Module {
        self.0[0].module()
    }

    /// Calls a function in a new context of each engine, in one go and in slices of `steps`.
    ///
    /// # Panics
    /// If they do not agree.
    pub fn run(&self, function: &str, arguments: &[Value], steps: u64) -> Result<Vec<Value>> {
        let mut runs = Vec::new();
        for program in &self.0 {
            for steps in [u64::MAX, steps] {
                runs.push((program.engine(), steps, call(program, function, arguments, steps)));
            }
        }
        let (_, _, first) = &runs[0];
        for (engine, steps, other) in &runs[1..] {
            assert_eq!(key(first), key(other), "{engine:?} in slices of {steps} runs {function} otherwise");
        }
        runs.swap_remove(0).2
    }
}

/// What must be equal: floats by their bits, objects by their type.
fn key(result: &Result<Vec<Value>>) -> String {
    match result {
        Ok(values) => values.iter().map(|value| format!("{value}/{:x} ", value.bits())).collect(),
        Err(error) => error.to_string(),
    }
}

fn call(program: &Arc<Program>, function: &str, arguments: &[Value], steps: u64) -> Result<Vec<Value>> {
    let context = Context::builder().native(host::module()?).program(program.clone()).build()?;
    let slice = Slice::steps(steps);
    let mut outcome = Idle::new(&context.function(function)?, &Storage::default())?.begin(arguments, &slice);
    loop {
        outcome = match outcome {
            Outcome::Finished(finished) => return Ok(finished.results()),
            Outcome::Failed(_, error) => return Err(error),
            Outcome::Yielded(suspended) | Outcome::OutOfBudget(suspended) => {
                suspended.resume(WaitOutcome::Ready { index: 0 }, &slice)
            }
            other => panic!("{other:?}"),
        };
    }
}
