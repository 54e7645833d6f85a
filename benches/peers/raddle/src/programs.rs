//! Compiled programs on a device of the turn-key runtime.
//!
//! Alone in this peer it allows unsafe code: that a program's native code is run is the host's promise.
#![allow(unsafe_code)]

use bench_programs::{Program, Programs};
use raddle::hal::{BufferView, Device, Fence, NativeCode};
use raddle::vm::RefOf;
use raddle::{Function, Invocation, Outputs, Runtime, Session, Value};

/// A runtime, and which of a program's builds is called.
pub struct Ours {
    runtime: Runtime,
    is_coarse: bool,
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
        let runtime = Runtime::builder().workers(workers).build().expect("threads start");
        Ours { runtime, is_coarse: form == "async" }
    }

    fn load(&self, program: &Program) -> Loaded {
        // SAFETY: the programs are those of this repository, and their kernels touch what they are handed.
        let native = unsafe { NativeCode::run() };
        let device = Device::builder(self.runtime.executor()).native_code(native).build().expect("a device");
        let bytes = if self.is_coarse { program.coarse } else { program.sync };
        let session = self.runtime.session().device(&device).bytes(bytes).expect("it loads");
        let session = session.build().expect("it links");
        let function = session.function(program.function).expect("it is exported");
        let input = |&(shape, number): &(&[u64], f32)| {
            let elements = vec![number; shape.iter().product::<u64>() as usize];
            BufferView::dense(device.allocator(), shape, &elements).expect("memory is left").into_value()
        };
        let arguments = program.inputs.iter().map(input).collect();
        Loaded { _session: session, function, arguments, is_coarse: self.is_coarse }
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
        Some(Box::new(move || first(&loaded.invoke().wait().expect(NO_FAILURE))))
    }

    fn at_once(&self, program: &Program, calls: usize) -> Option<Box<dyn FnMut() -> f32 + '_>> {
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
}
