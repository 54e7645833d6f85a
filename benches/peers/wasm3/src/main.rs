//! wasm3: an interpreter of WebAssembly in C. Its programs can't be suspended: a host function returns or traps.

#![forbid(unsafe_code)]

use bench_harness::{Counting, serve};
use bench_machines::{Function, Machine, WASM, wasm_of};
use std::process::ExitCode;
use wasm3::{Environment, Module, Runtime};

#[global_allocator]
static MEMORY: Counting = Counting;

/// Bytes of stack: enough for every program here.
const STACK: u32 = 64 << 10;

struct Wasm3 {
    runtime: Runtime,
}

impl Wasm3 {
    fn new() -> Wasm3 {
        let environment = Environment::new().expect("memory is left");
        let runtime = environment.create_runtime(STACK).expect("memory is left");
        let bytes = wat::parse_str(WASM).expect("the text is right");
        let module = Module::parse(&environment, bytes).expect("it parses");
        let mut module = runtime.load_module(module).expect("it loads");
        module
            .link_closure("host", "inc", |_, value: i32| Ok(value.wrapping_add(1)))
            .expect("it is imported");
        Wasm3 { runtime }
    }
}

impl Machine for Wasm3 {
    fn call(&mut self, which: Function, argument: i32) -> Option<i32> {
        (which != Function::FusedLoop).then_some(())?;
        let function = self.runtime.find_function::<i32, i32>(which.name()).expect("it is exported");
        Some(function.call(argument).expect("it does not trap"))
    }

    fn empty(&mut self, calls: usize) -> Option<()> {
        let function = self.runtime.find_function::<(), ()>("empty").expect("it is exported");
        for _ in 0..calls {
            function.call().expect("it does not trap");
        }
        Some(())
    }

    fn loader(&mut self, functions: usize) -> Option<Box<dyn FnMut()>> {
        let bytes = wat::parse_str(wasm_of(functions)).expect("the text is right");
        let environment = Environment::new().expect("memory is left");
        Some(Box::new(move || {
            let runtime = environment.create_runtime(STACK).expect("memory is left");
            let module = Module::parse(&environment, bytes.clone()).expect("it parses");
            runtime.load_module(module).expect("it loads");
            // A function is compiled when it is looked up; the other peers compile all of them, or each when it is called.
            runtime.find_function::<i32, i32>("f0").expect("it is exported");
        }))
    }
}

fn main() -> ExitCode {
    serve("0.5", |request| bench_machines::answer(request, &mut Wasm3::new()))
}
