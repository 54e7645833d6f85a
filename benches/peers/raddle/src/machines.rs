//! The VM alone: no executor, no threads.

use bench_machines::{Function, Machine, RADDLE, raddle_of};
use raddle_vm::{
    Bytes, Context, Engine, Finished, Flow, Idle, Module, NativeModule, Outcome, Program, Registry, Slice,
    Storage, Value, WaitOutcome, assemble,
};
use raddle_wait::{Condition, SharedSource, SourceWaker, WaitSource};
use std::any::Any;
use std::sync::Arc;

/// A linked context, and an invocation of each function that is kept warm.
pub struct Ours {
    engine: Engine,
    context: Context,
    warm: Vec<(&'static str, Idle)>,
}

struct Never;

impl WaitSource for Never {
    fn arm(&self, _: SourceWaker) {}
}

fn host() -> NativeModule {
    let source: SharedSource = Arc::new(Never);
    NativeModule::builder("host")
        .function("inc", |_: &(), value: i32| Ok(value.wrapping_add(1)))
        .function("wait", move |_: &(), value: i32| {
            Ok(Flow::wait(Condition::Until(source.clone()), move |outcome| {
                outcome.into_result()?;
                Ok(value.wrapping_add(1))
            }))
        })
        .build()
        .expect("two functions with different names")
}

fn bytes(text: &str) -> Bytes {
    assemble(text).expect("the programs are right").build().into()
}

/// A bound that no program here reaches: what is measured has the check, as every invocation has.
fn unbounded() -> Slice<'static> {
    Slice::steps(u64::MAX)
}

fn finished(outcome: Outcome) -> Finished {
    match outcome {
        Outcome::Finished(finished) => finished,
        other => panic!("{other:?}"),
    }
}

impl Ours {
    /// A machine with the engine that is the default, or the one that `form` names.
    pub fn new(form: &str) -> Ours {
        let named = Engine::ALL.iter().copied().find(|engine| format!("{engine:?}").to_lowercase() == form);
        let engine = named.unwrap_or_default();
        let module = Module::load(bytes(RADDLE)).expect("it loads");
        let program = Program::for_engine(module, &Registry::new(), engine).expect("it translates");
        let context = Context::builder().native(host()).program(program).build().expect("it links");
        Ours { engine, context, warm: Vec::new() }
    }

    fn idle(&self, name: &str) -> Idle {
        Idle::new(&self.context.function(name).expect("it is exported"), &Storage::default())
            .expect("memory is left")
    }

    fn take(&mut self, name: &'static str) -> Idle {
        match self.warm.iter().position(|(warm, _)| *warm == name) {
            Some(at) => self.warm.swap_remove(at).1,
            None => self.idle(name),
        }
    }

    fn put(&mut self, name: &'static str, finished: Finished) -> i32 {
        let Ok(Value::I32(result)) = finished.result(0) else { panic!("{name} returns a number") };
        self.warm.push((name, finished.again()));
        result
    }
}

impl Machine for Ours {
    fn call(&mut self, function: Function, argument: i32) -> Option<i32> {
        let name = function.name();
        let idle = self.take(name);
        let finished = finished(idle.begin(&[Value::I32(argument)], &unbounded()));
        Some(self.put(name, finished))
    }

    fn empty(&mut self, calls: usize) -> Option<()> {
        let mut idle = self.take("empty");
        for _ in 0..calls {
            idle = finished(idle.begin(&[], &unbounded())).again();
        }
        self.warm.push(("empty", idle));
        Some(())
    }

    fn suspend(&mut self, times: usize) -> Option<(i32, usize)> {
        let (mut outcome, mut suspensions) =
            (self.take("waits").begin(&[Value::I32(times as i32)], &unbounded()), 0);
        while let Outcome::Waiting(suspended, _) = outcome {
            suspensions += 1;
            outcome = suspended.resume(WaitOutcome::Ready { index: 0 }, &unbounded());
        }
        Some((self.put("waits", finished(outcome)), suspensions))
    }

    fn suspended(&mut self, programs: usize) -> Option<Box<dyn Any>> {
        let begin = || match self.idle("large").begin(&[Value::I32(1)], &unbounded()) {
            Outcome::Waiting(suspended, _) => suspended,
            other => panic!("{other:?}"),
        };
        let mut all = Vec::with_capacity(programs);
        all.extend((0..programs).map(|_| begin()));
        Some(Box::new(all))
    }

    fn loader(&mut self, functions: usize) -> Option<Box<dyn FnMut()>> {
        let (bytes, engine) = (bytes(&raddle_of(functions)), self.engine);
        Some(Box::new(move || {
            let module = Module::load(bytes.clone()).expect("it loads");
            let program = Program::for_engine(module, &Registry::new(), engine).expect("it translates");
            let context = Context::builder().program(program).build().expect("it links");
            assert!(context.function("f0").is_ok());
        }))
    }
}
