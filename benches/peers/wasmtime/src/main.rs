//! wasmtime, which compiles to machine code: what an interpreter gives up, and what suspension costs with a stack for each
//! program.

#![forbid(unsafe_code)]

use bench_harness::{Answer, Counting, serve};
use bench_machines::{Function, Machine, WASM, wasm_of};
use std::any::Any;
use std::pin::Pin;
use std::process::ExitCode;
use std::task::{Context, Poll, Waker};
use wasmtime::{Caller, Engine, Instance, Linker, Module, Store, TypedFunc};

#[global_allocator]
static MEMORY: Counting = Counting;

/// Pending once.
struct Once {
    value: i32,
    is_over: bool,
}

impl Future for Once {
    type Output = i32;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<i32> {
        match std::mem::replace(&mut self.is_over, true) {
            true => Poll::Ready(self.value + 1),
            false => Poll::Pending,
        }
    }
}

struct Machinery {
    engine: Engine,
    module: Module,
    store: Store<()>,
    instance: Instance,
}

fn linker(engine: &Engine, is_async: bool) -> Linker<()> {
    let mut linker = Linker::new(engine);
    linker.func_wrap("host", "inc", |value: i32| value.wrapping_add(1)).expect("a new name");
    if is_async {
        let wait = |_: Caller<'_, ()>, (value,): (i32,)| Box::new(Once { value, is_over: false });
        linker
            .func_wrap_async("host", "wait", move |caller, arguments| wait(caller, arguments))
            .expect("a new name");
    } else {
        linker.func_wrap("host", "wait", |value: i32| value.wrapping_add(1)).expect("a new name");
    }
    linker
}

/// Polls to the end; says how often it was pending.
fn finish<F: Future>(future: F) -> (F::Output, usize) {
    let mut future = std::pin::pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    let mut pending = 0;
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return (output, pending),
            Poll::Pending => pending += 1,
        }
    }
}

impl Machinery {
    fn new() -> Machinery {
        let engine = Engine::default();
        let module = Module::new(&engine, WASM).expect("it loads");
        let mut store = Store::new(&engine, ());
        let instance = linker(&engine, false).instantiate(&mut store, &module).expect("it links");
        Machinery { engine, module, store, instance }
    }
}

impl Machine for Machinery {
    fn call(&mut self, which: Function, argument: i32) -> Option<i32> {
        (which != Function::FusedLoop).then_some(())?;
        let function: TypedFunc<i32, i32> =
            self.instance.get_typed_func(&mut self.store, which.name()).expect("it is exported");
        Some(function.call(&mut self.store, argument).expect("it does not trap"))
    }

    fn empty(&mut self, calls: usize) -> Option<()> {
        let function: TypedFunc<(), ()> =
            self.instance.get_typed_func(&mut self.store, "empty").expect("it is exported");
        for _ in 0..calls {
            function.call(&mut self.store, ()).expect("it does not trap");
        }
        Some(())
    }

    fn suspend(&mut self, times: usize) -> Option<(i32, usize)> {
        let mut store = Store::new(&self.engine, ());
        let linker = linker(&self.engine, true);
        let instance = finish(linker.instantiate_async(&mut store, &self.module)).0.expect("it links");
        let function: TypedFunc<i32, i32> =
            instance.get_typed_func(&mut store, "waits").expect("it is exported");
        let (result, pending) = finish(function.call_async(&mut store, times as i32));
        Some((result.expect("it does not trap"), pending))
    }

    fn suspended(&mut self, programs: usize) -> Option<Box<dyn Any>> {
        type Program = Pin<Box<dyn Future<Output = i32>>>;
        let linker = linker(&self.engine, true).instantiate_pre(&self.module).expect("it links");
        let mut all: Vec<Program> = Vec::with_capacity(programs);
        for _ in 0..programs {
            let (engine, linker) = (self.engine.clone(), linker.clone());
            let mut program: Program = Box::pin(async move {
                let mut store = Store::new(&engine, ());
                let instance = linker.instantiate_async(&mut store).await.expect("it links");
                let function: TypedFunc<i32, i32> =
                    instance.get_typed_func(&mut store, "large").expect("it is exported");
                function.call_async(&mut store, 1).await.expect("it does not trap")
            });
            assert!(program.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            all.push(program);
        }
        Some(Box::new(all))
    }

    fn loader(&mut self, functions: usize) -> Option<Box<dyn FnMut()>> {
        let (text, engine) = (wasm_of(functions), self.engine.clone());
        Some(Box::new(move || {
            let module = Module::new(&engine, &text).expect("it loads");
            let mut store = Store::new(&engine, ());
            let instance = Linker::new(&engine).instantiate(&mut store, &module).expect("it links");
            instance.get_typed_func::<i32, i32>(&mut store, "f0").expect("it is exported");
        }))
    }
}

fn main() -> ExitCode {
    serve("48", |request| match request.parts().0 {
        "machines" => bench_machines::answer(request, &mut Machinery::new()),
        other => Answer::absent(format!("nothing for `{other}`")),
    })
}
