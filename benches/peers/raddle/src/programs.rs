//! Compiled programs on a device of the turn-key runtime.
//!
//! Alone in this peer it allows unsafe code: that a program's native code is run is the host's promise.
#![allow(unsafe_code)]

use bench_programs::{Program, Programs, Start};
use raddle::hal::{BufferView, Device, Fence, NativeCode};
use raddle::task::TurnBudget;
use raddle::vm::RefOf;
use raddle::{Function, Invocation, Outputs, Runtime, Session, Value};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::channel;

/// A runtime, and how programs are called.
pub struct Ours {
    runtime: Runtime,
    form: Form,
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// The caller waits, and lends its thread.
    Waits,
    /// The same, with a program that is compiled for fences.
    Async,
    /// No workers: the caller turns until it is done.
    Turns,
    /// The caller sleeps until a worker calls back.
    CalledBack,
}

impl Form {
    fn parse(form: &str) -> Form {
        match form {
            "async" => Form::Async,
            "turned" => Form::Turns,
            "callback" => Form::CalledBack,
            _ => Form::Waits,
        }
    }
}

/// A program that is loaded.
struct Loaded {
    _session: Session,
    function: Function,
    arguments: Vec<Value>,
    is_coarse: bool,
}

const NO_FAILURE: &str = "no program fails";

fn first(outputs: &Outputs) -> f32 {
    let Some(Value::Ref(Some(result))) = outputs.first() else { panic!("a result") };
    let view = result.get::<BufferView>().expect("a tensor");
    let bytes = view.buffer();
    let mut number = [0; 4];
    // Where the program is built for fences, its fence has been reached: the call has ended.
    bytes.read(0, &mut number).expect("it has an element");
    f32::from_ne_bytes(number)
}

impl Ours {
    pub fn new(workers: usize, form: &str) -> Ours {
        let form = Form::parse(form);
        let workers = if form == Form::Turns { 0 } else { workers };
        let runtime = Runtime::builder().workers(workers).build().expect("threads start");
        Ours { runtime, form }
    }

    fn load(&self, program: &Program) -> Loaded {
        let is_coarse = self.form == Form::Async;
        // SAFETY: the programs are those of this repository, and their kernels touch what they are handed.
        let native = unsafe { NativeCode::run() };
        let device = Device::builder(self.runtime.executor()).native_code(native).build().expect("a device");
        let bytes = if is_coarse { program.coarse } else { program.sync };
        let session = self.runtime.session().device(&device).bytes(bytes).expect("it loads");
        let session = session.build().expect("it links");
        let function = session.function(program.function).expect("it is exported");
        let input = |&(shape, number): &(&[u64], f32)| {
            let elements = vec![number; shape.iter().product::<u64>() as usize];
            BufferView::dense(device.allocator(), shape, &elements).expect("memory is left").into_value()
        };
        let arguments = program.inputs.iter().map(input).collect();
        Loaded { _session: session, function, arguments, is_coarse }
    }
}

impl Loaded {
    fn invoke(&self) -> Invocation {
        let mut arguments = self.arguments.clone();
        if self.is_coarse {
            let signal = RefOf::new(Fence::new());
            arguments.extend([Value::Ref(None), Value::Ref(Some(signal.into_ref()))]);
        }
        self.function.invoke(arguments)
    }
}

impl Programs for Ours {
    fn call(&self, program: &Program) -> Option<Box<dyn FnMut() -> f32 + '_>> {
        let loaded = self.load(program);
        Some(match self.form {
            Form::Waits | Form::Async => Box::new(move || first(&loaded.invoke().wait().expect(NO_FAILURE))),
            Form::Turns => Box::new(move || {
                let mut invocation = loaded.invoke();
                invocation.start().expect("the runtime is open");
                while !invocation.is_done() {
                    self.runtime.turn(TurnBudget::default()).expect("nobody else turns");
                }
                first(&invocation.wait().expect(NO_FAILURE))
            }),
            Form::CalledBack => {
                let (done, is_done) = channel();
                Box::new(move || {
                    let done = done.clone();
                    loaded.invoke().on_complete(move |result| {
                        done.send(first(&result.expect(NO_FAILURE))).expect("somebody waits for it");
                    });
                    is_done.recv().expect("it is called")
                })
            }
        })
    }

    fn at_once(&self, program: &Program, calls: usize) -> Option<Box<dyn FnMut() -> f32 + '_>> {
        matches!(self.form, Form::Waits | Form::Async).then_some(())?;
        let loaded = self.load(program);
        let mut flight = Vec::with_capacity(calls);
        Some(Box::new(move || {
            for _ in 0..calls {
                let mut invocation = loaded.invoke();
                invocation.start().expect("the runtime is open");
                flight.push(invocation);
            }
            flight.drain(..).map(|invocation| first(&invocation.wait().expect(NO_FAILURE))).sum()
        }))
    }

    /// This program again, with other words: [`first_call`] reads them.
    fn start(&self, start: &Start) -> Option<Command> {
        (self.form == Form::Waits).then_some(())?;
        let mut command = Command::new(std::env::current_exe().ok()?);
        command.arg(FIRST_CALL).arg(&start.path).arg(&start.function);
        command.args(start.shape.iter().map(u64::to_string));
        Some(command)
    }
}

/// The first word of a process that makes one call.
pub const FIRST_CALL: &str = "first-call";

/// Loads a module from a file, calls it once and prints the first number of its result: what an application does.
/// The words are path, function and shape.
pub fn first_call(words: &[String]) {
    let [path, function, shape @ ..] = words else { panic!("path, function and shape") };
    let shape: Vec<u64> = shape.iter().map(|word| word.parse().expect("a number")).collect();
    let runtime = Runtime::builder().workers(0).build().expect("nothing is started");
    // SAFETY: the modules are those of this repository.
    let native = unsafe { NativeCode::run() };
    let device = Device::builder(runtime.executor()).native_code(native).build().expect("a device");
    let session = runtime.session().device(&device).path(Path::new(path)).expect("it loads");
    let session = session.build().expect("it links");
    let elements = vec![0.5_f32; shape.iter().product::<u64>() as usize];
    let input = BufferView::dense(device.allocator(), &shape, &elements).expect("memory is left");
    let arguments = vec![input.into_value()];
    let outputs = session.function(function).expect("it is exported").invoke(arguments).wait();
    println!("{}", first(&outputs.expect(NO_FAILURE)));
}
