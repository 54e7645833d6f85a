//! The machine alone.

use bench_machines::{Function, Machine, WASM, wasm_of};
use std::any::Any;
use std::fmt;
use wasmi::errors::HostError;
use wasmi::{Caller, Engine, Error, Instance, Linker, Module, Store, TypedFunc, TypedResumableCall, Val};

/// Why a program was suspended: it waits.
#[derive(Debug)]
struct Suspend;

impl fmt::Display for Suspend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the program waits")
    }
}

impl HostError for Suspend {}

/// What programs are made of: the module, linked with the host's functions. A store's data is the argument of its last
/// wait.
#[derive(Clone)]
pub struct Linked {
    engine: Engine,
    module: Module,
    linker: Linker<i32>,
}

impl Linked {
    pub fn new() -> Linked {
        let engine = Engine::default();
        let module =
            Module::new(&engine, wat::parse_str(WASM).expect("the text is right")).expect("it loads");
        let mut linker = Linker::<i32>::new(&engine);
        linker.func_wrap("host", "inc", |value: i32| value.wrapping_add(1)).expect("a new name");
        let wait = |mut caller: Caller<'_, i32>, value: i32| -> Result<i32, Error> {
            *caller.data_mut() = value;
            Err(Error::host(Suspend))
        };
        linker.func_wrap("host", "wait", wait).expect("a new name");
        Linked { engine, module, linker }
    }

    /// A store with an instance of its own.
    pub fn instance(&self) -> (Store<i32>, Instance) {
        let mut store = Store::new(&self.engine, 0);
        let instance = self.linker.instantiate_and_start(&mut store, &self.module).expect("it links");
        (store, instance)
    }
}

/// One of its functions.
pub fn function(store: &Store<i32>, instance: &Instance, name: &str) -> TypedFunc<i32, i32> {
    instance.get_typed_func(store, name).expect("it is exported")
}

/// A store and an instance.
pub struct Wasmi {
    linked: Linked,
    store: Store<i32>,
    instance: Instance,
}

impl Wasmi {
    pub fn new() -> Wasmi {
        let linked = Linked::new();
        let (store, instance) = linked.instance();
        Wasmi { linked, store, instance }
    }
}

impl Machine for Wasmi {
    fn call(&mut self, which: Function, argument: i32) -> Option<i32> {
        (which != Function::FusedLoop).then_some(())?;
        let function = function(&self.store, &self.instance, which.name());
        Some(function.call(&mut self.store, argument).expect("it does not trap"))
    }

    fn empty(&mut self, calls: usize) -> Option<()> {
        let function: TypedFunc<(), ()> =
            self.instance.get_typed_func(&self.store, "empty").expect("it is exported");
        for _ in 0..calls {
            function.call(&mut self.store, ()).expect("it does not trap");
        }
        Some(())
    }

    fn suspend(&mut self, times: usize) -> Option<(i32, usize)> {
        let function = function(&self.store, &self.instance, "waits");
        let mut suspensions = 0;
        let mut call = function.call_resumable(&mut self.store, times as i32).expect("it does not trap");
        loop {
            match call {
                TypedResumableCall::Finished(result) => return Some((result, suspensions)),
                TypedResumableCall::HostTrap(suspended) => {
                    suspensions += 1;
                    let value = Val::I32(self.store.data() + 1);
                    call = suspended.resume(&mut self.store, &[value]).expect("it does not trap");
                }
                TypedResumableCall::OutOfFuel(_) => unreachable!("fuel is off"),
            }
        }
    }

    /// One store for all of them: the least that it can take.
    fn suspended(&mut self, programs: usize) -> Option<Box<dyn Any>> {
        let (mut store, instance) = self.linked.instance();
        let function = function(&store, &instance, "large");
        let mut all = Vec::with_capacity(programs);
        for _ in 0..programs {
            match function.call_resumable(&mut store, 1).expect("it does not trap") {
                TypedResumableCall::HostTrap(suspended) => all.push(suspended),
                _ => unreachable!("it waits"),
            }
        }
        Some(Box::new((store, all)))
    }

    fn loader(&mut self, functions: usize) -> Option<Box<dyn FnMut()>> {
        let bytes = wat::parse_str(wasm_of(functions)).expect("the text is right");
        let engine = Engine::default();
        Some(Box::new(move || {
            let module = Module::new(&engine, &bytes).expect("it loads");
            let mut store = Store::new(&engine, 0);
            let instance = Linker::new(&engine).instantiate_and_start(&mut store, &module).expect("it links");
            function(&store, &instance, "f0");
        }))
    }
}
