//! Contexts whose `__init` functions wait, yield, take long or fail: built by a host that resumes them.

mod setup;

use raddle_status::{Code, Error};
use raddle_vm::*;
use setup::{READY, begin, never, results};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// `__init` waits, then gives up its turn, then spins; `__deinit` is counted.
const FIRST: &str = r#"
vm.module @first
vm.global.i32 private mutable @sum
vm.import @host.wait cconv "0i_i"
vm.import @host.end cconv "0i_v"
vm.export @__init
vm.export @__deinit
vm.export @sum
vm.func @__init() -> () {
  %i0 = vm.const.i32 40
  vm.call.yieldable @host.wait(%i0) -> ^bb1(%i0)
^bb1:
  vm.yield ^bb2()
^bb2:
  vm.global.store.i32 %i0, @sum
  %i1 = vm.const.i32 1000
  %i2 = vm.const.i32 1
  vm.br ^bb3()
^bb3:
  %i1 = vm.sub.i32 %i1, %i2
  vm.cond_br %i1, ^bb3(), ^bb4()
^bb4:
  vm.return
}
vm.func @__deinit() -> () {
  %i0 = vm.const.i32 1
  vm.call @host.end(%i0)
  vm.return
}
vm.func @sum() -> (i32) {
  %i0 = vm.global.load.i32 @sum
  vm.return %i0
}
"#;

/// Its `__init` fails if the global of the first module is not what it should be by then.
const SECOND: &str = r#"
vm.module @second
vm.import @first.sum cconv "0v_i"
vm.import @host.end cconv "0i_v"
vm.export @__init
vm.export @__deinit
vm.export @twice
vm.func @__init() -> () {
  %i0 = vm.call @first.sum()
  %i1 = vm.const.i32 41
  %i0 = vm.cmp.ne.i32 %i0, %i1
  %i1 = vm.const.i32 3
  vm.cond_br %i0, ^bb1(), ^bb2()
^bb1:
  vm.fail %i1, "the first module is not ready"
^bb2:
  vm.return
}
vm.func @__deinit() -> () {
  %i0 = vm.const.i32 100
  vm.call @host.end(%i0)
  vm.return
}
vm.func @twice() -> (i32) {
  %i0 = vm.call @first.sum()
  %i0 = vm.add.i32 %i0, %i0
  vm.return %i0
}
"#;

const YIELDS_FOREVER: &str = r#"
vm.module @yields
vm.export @__init
vm.export @__deinit
vm.func @__init() -> () {
  vm.br ^bb1()
^bb1:
  vm.yield ^bb1()
}
vm.func @__deinit() -> () {
  vm.br ^bb1()
^bb1:
  vm.yield ^bb1()
}
"#;

fn program(text: &str, engine: Engine) -> Arc<Program> {
    setup::program(text, &Registry::new(), engine)
}

/// A builder, and the sum of what ended modules have reported.
fn builder(engine: Engine) -> (ContextBuilder, Arc<AtomicUsize>) {
    let ended = Arc::new(AtomicUsize::new(0));
    let state = ended.clone();
    let host = NativeModule::with_state("host", move || Ok(state.clone()))
        .function("wait", |_: &Arc<AtomicUsize>, value: i32| {
            Ok(Flow::wait_until(never(), 9, move |outcome| {
                outcome.into_result()?;
                Ok(value + 1)
            }))
        })
        .function("end", |ended: &Arc<AtomicUsize>, value: i32| {
            ended.fetch_add(value as usize, Ordering::Relaxed);
            Ok(())
        })
        .build()
        .unwrap();
    let builder = Context::builder().native(host);
    (builder.program(program(FIRST, engine)).program(program(SECOND, engine)), ended)
}

fn waiting(building: Building) -> Initialising {
    match building {
        Building::Waiting(initialising, wait) => {
            assert!(matches!(wait.condition, Condition::Until(_)) && wait.deadline_ns == 9);
            initialising
        }
        other => panic!("{other:?}"),
    }
}

fn failed(building: Building) -> Error {
    match building {
        Building::Failed(error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_init_waits_yields_and_runs_in_slices() {
    for engine in Engine::ALL {
        let (builder, ended) = builder(*engine);
        let initialising = waiting(builder.begin(&Slice::default()));
        let building = initialising.resume(READY, &Slice::default());
        let Building::Yielded(mut again) = building else { panic!("{building:?}") };
        let mut slices = 0;
        let context = loop {
            match again.resume(READY, &Slice::steps(100)) {
                Building::Ready(context) => break context,
                Building::OutOfBudget(next) => again = next,
                other => panic!("{other:?}"),
            }
            slices += 1;
        };
        assert!((9..=12).contains(&slices), "{slices} slices of 100 for 1000 steps");
        assert!(!context.is_stateful(), "only an `__init` stores");
        assert_eq!(results(begin(&context, "twice", &[])), [Value::I32(82)]);
        drop(context);
        assert_eq!(ended.load(Ordering::Relaxed), 101);
    }
}

#[test]
fn an_init_that_fails_ends_what_was_begun() {
    for engine in Engine::ALL {
        let (builder, ended) = builder(*engine);
        let error = failed(
            waiting(builder.begin(&Slice::default())).resume(WaitOutcome::TimedOut, &Slice::default()),
        );
        assert!(error.is_deadline_exceeded(), "{error}");
        for part in ["host.wait", "first.__init", "in __init of module first"] {
            assert!(error.to_string().contains(part), "{error}");
        }
        assert_eq!(ended.load(Ordering::Relaxed), 1, "the second module had not begun");
    }
}

/// Modules that are linked one by one would have begun before the one that fails: here none begins before all are linked.
#[test]
fn what_can_not_be_linked_begins_and_ends_nothing() {
    for engine in Engine::ALL {
        let (builder, ended) = builder(*engine);
        let text = "vm.module @third\nvm.import @second.nothing cconv \"0v_v\"\nvm.export @__deinit\n\
                    vm.func @__deinit() -> () {\n  vm.fail %i0, \"never begun\"\n}\n";
        let error = failed(builder.program(program(text, *engine)).begin(&Slice::default()));
        assert!(error.code() == Code::NotFound && error.to_string().contains("second.nothing"), "{error}");
        assert_eq!(ended.load(Ordering::Relaxed), 0);
    }
}

#[test]
fn a_context_can_be_given_up_while_its_init_waits() {
    for engine in Engine::ALL {
        let (first, ended) = builder(*engine);
        let error = waiting(first.begin(&Slice::default())).cancel(Code::Cancelled.into());
        assert!(error.is_cancelled() && error.to_string().contains("first.__init"), "{error}");
        assert_eq!(ended.load(Ordering::Relaxed), 1);
        let (second, ended) = builder(*engine);
        drop(waiting(second.begin(&Slice::default())));
        assert_eq!(ended.load(Ordering::Relaxed), 1);
    }
}

#[test]
fn build_says_what_it_cannot_do() {
    for engine in Engine::ALL {
        let error = builder(*engine).0.build().unwrap_err();
        assert_eq!(error.code(), Code::FailedPrecondition);
        assert!(error.to_string().contains("begin"), "{error}");
        let limits = Limits { init_steps_max: 1000, ..Limits::default() };
        let endless = Context::builder().limits(limits).program(program(YIELDS_FOREVER, *engine));
        let error = endless.build().unwrap_err();
        assert_eq!(error.code(), Code::ResourceExhausted, "{error}");
    }
}

#[test]
fn the_hooks_belong_to_the_context() {
    let engine = Engine::default();
    let (builder, _) = builder(engine);
    let import = "vm.module @third\nvm.import @first.__init cconv \"0v_v\"\n";
    let error = failed(builder.program(program(import, engine)).begin(&Slice::default()));
    assert_eq!(error.code(), Code::PermissionDenied, "{error}");
    let alone = "vm.module @m\nvm.export @__init\nvm.func @__init() -> () {\n  vm.return\n}\n";
    let context = Context::builder().program(program(alone, engine)).build().unwrap();
    for name in ["__init", "m.__init"] {
        assert_eq!(context.function(name).unwrap_err().code(), Code::PermissionDenied);
    }
}
