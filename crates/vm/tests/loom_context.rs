//! Models of the turn of a stateful context (`src/context.rs`): one invocation at a time, each sees what the one before left.
//!
//! # Models
//! - `context_turn_is_exclusive`: of two threads that want the turn at once one has it, or one after the other, which
//!   sees what the first has done. 2 threads, exhaustive: 10 schedules, 0.00 s. Fails under context.take_turn,
//!   context.give_turn.

#![cfg(raddle_loom)]

use raddle_sync::cell::UnsafeCell;
use raddle_sync::model::Model;
use raddle_sync::thread;
use raddle_vm::{Context, Module, Program, Registry, assemble};
use std::sync::{Arc, OnceLock};

/// Something that only the holder of the turn touches.
struct Globals(UnsafeCell<u32>);

// SAFETY: the claim of the models.
unsafe impl Send for Globals {}
// SAFETY: as above.
unsafe impl Sync for Globals {}

const STATEFUL: &str = r#"
vm.module @state
vm.global.i32 private mutable @count
vm.export @next
vm.func @next() -> (i32) {
  %i0 = vm.global.load.i32 @count
  %i1 = vm.const.i32 1
  %i0 = vm.add.i32 %i0, %i1
  vm.global.store.i32 %i0, @count
  vm.return %i0
}
"#;

fn context() -> Context {
    static PROGRAM: OnceLock<Arc<Program>> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let module = Module::load(assemble(STATEFUL).unwrap().build()).unwrap();
        Program::new(module, &Registry::new()).unwrap()
    });
    Context::builder().program(program.clone()).build().unwrap()
}

fn run(context: &Context, globals: &Globals) -> bool {
    let turn = context.try_turn();
    if turn.is_some() {
        // SAFETY: the claim of the model.
        globals.0.with_mut(|count| unsafe { *count += 1 });
    }
    turn.is_some()
}

#[test]
fn context_turn_is_exclusive() {
    Model::new(
        "context_turn_is_exclusive",
        "of two threads that want the turn at once one has it, or one after the other, which sees what the first has done",
    )
    .kills("context.take_turn", "Causality violation")
    .kills("context.give_turn", "Causality violation")
    .check(|| {
        let (context, globals) = (context(), Arc::new(Globals(UnsafeCell::new(0))));
        assert!(context.is_stateful());
        let other = {
            let (context, globals) = (context.clone(), globals.clone());
            thread::spawn(move || run(&context, &globals))
        };
        let count = u32::from(run(&context, &globals)) + u32::from(other.join().unwrap());
        assert!(count > 0, "nobody has the turn");
        // SAFETY: the other thread has ended.
        globals.0.with(|sum| assert_eq!(unsafe { *sum }, count));
    });
}
