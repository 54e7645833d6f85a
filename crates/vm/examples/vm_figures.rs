//! The VM's own figures, for one engine: nanoseconds of loop, call, import, suspension and warm call.
//!
//! Run: `cargo run --release -p raddle-vm --example vm_figures`. Prints minimum and median of eleven rounds.
//! With a function and a number, calls it once with that argument (`empty`: that often), for a profiler that counts.

use raddle_vm::*;
use raddle_wait::SourceWaker;
use std::sync::Arc;
use std::time::Instant;

const TEXT: &str = r#"
vm.module @figures
vm.import @host.inc cconv "0i_i"
vm.import @host.wait cconv "0i_i"
vm.export @shape1
vm.export @shape2
vm.export @fib
vm.export @imports
vm.export @waits
vm.export @empty
vm.func @shape1(%i0: i32) -> (i32) {
  %i1 = vm.const.i32.zero
  %i2 = vm.const.i32 1
  %i3 = vm.const.i32.zero
  vm.br ^bb1()
^bb1:
  %i4 = vm.mul.i32 %i1, %i1
  %i3 = vm.add.i32 %i3, %i4
  %i1 = vm.add.i32 %i1, %i2
  %i4 = vm.cmp.lt.i32.s %i1, %i0
  vm.cond_br %i4, ^bb1(), ^bb2()
^bb2:
  vm.return %i3
}
vm.func @shape2(%i0: i32) -> (i32) {
  %i1 = vm.const.i32.zero
  %i2 = vm.const.i32 1
  vm.br ^bb1(%i1->%i3)
^bb1:
  %i3 = vm.fma.i32 %i1, %i1, %i3
  %i1 = vm.add.i32 %i1, %i2
  %i4 = vm.cmp.lt.i32.s %i1, %i0
  vm.cond_br %i4, ^bb1(), ^bb2()
^bb2:
  vm.return %i3
}
vm.func @fib(%i0: i32) -> (i32) {
  %i1 = vm.const.i32 2
  %i2 = vm.cmp.lt.i32.s %i0, %i1
  vm.cond_br %i2, ^bb1(), ^bb2()
^bb1:
  vm.return %i0
^bb2:
  %i2 = vm.const.i32 1
  %i3 = vm.sub.i32 %i0, %i2
  %i3 = vm.call @fib(%i3)
  %i4 = vm.sub.i32 %i0, %i1
  %i4 = vm.call @fib(%i4)
  %i3 = vm.add.i32 %i3, %i4
  vm.return %i3
}
vm.func @imports(%i0: i32) -> (i32) {
  %i1 = vm.const.i32.zero
  %i2 = vm.const.i32 1
  %i3 = vm.const.i32.zero
  vm.br ^bb1()
^bb1:
  %i3 = vm.call @host.inc(%i3)
  %i1 = vm.add.i32 %i1, %i2
  %i4 = vm.cmp.lt.i32.s %i1, %i0
  vm.cond_br %i4, ^bb1(), ^bb2()
^bb2:
  vm.return %i3
}
vm.func @waits(%i0: i32) -> (i32) {
  %i1 = vm.const.i32.zero
  %i2 = vm.const.i32 1
  %i3 = vm.const.i32.zero
  vm.br ^bb1()
^bb1:
  vm.call.yieldable @host.wait(%i3) -> ^bb2(%i3)
^bb2:
  %i1 = vm.add.i32 %i1, %i2
  %i4 = vm.cmp.lt.i32.s %i1, %i0
  vm.cond_br %i4, ^bb1(), ^bb3()
^bb3:
  vm.return %i3
}
vm.func @empty() -> () {
  vm.return
}
"#;

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

fn measure(name: &str, per: f64, unit: &str, mut round: impl FnMut()) {
    let mut times: Vec<f64> = (0..11)
        .map(|_| {
            let start = Instant::now();
            round();
            start.elapsed().as_nanos() as f64 / per
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{name:34} {:8.3} / {:8.3} {unit}", times[0], times[5]);
}

fn finish(mut outcome: Outcome) -> Finished {
    let slice = Slice::steps(u64::MAX);
    loop {
        outcome = match outcome {
            Outcome::Finished(finished) => return finished,
            Outcome::Waiting(suspended, _) => suspended.resume(WaitOutcome::Ready { index: 0 }, &slice),
            other => panic!("{other:?}"),
        };
    }
}

/// One call of a function, or many of `empty`: the difference of two lengths is what a profiler is asked for.
fn once(module: Module, name: &str, number: i32) -> raddle_status::Result {
    let program = Program::new(module, &Registry::new())?;
    let context = Context::builder().native(host()).program(program).build()?;
    let slice = Slice::steps(u64::MAX);
    let mut idle = Idle::new(&context.function(name)?, &Storage::default())?;
    if name != "empty" {
        drop(finish(idle.begin(&[Value::I32(number)], &slice)));
        return Ok(());
    }
    for _ in 0..number {
        idle = finish(idle.begin(&[], &slice)).again();
    }
    Ok(())
}

fn main() -> raddle_status::Result {
    let module = Module::load(assemble(TEXT)?.build())?;
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [name, number] = &words[..] {
        return once(module, name, number.parse().unwrap_or(0));
    }
    for engine in Engine::ALL {
        let program = Program::for_engine(module.clone(), &Registry::new(), *engine)?;
        let context = Context::builder().native(host()).program(program).build()?;
        println!("{engine:?}, {context:?}: minimum / median");
        let slice = Slice::steps(u64::MAX);
        let run =
            |name: &str, title: &str, argument: Option<i32>, per: f64, unit: &str| -> raddle_status::Result {
                let mut idle = Some(Idle::new(&context.function(name)?, &Storage::default())?);
                let arguments: Vec<Value> = argument.into_iter().map(Value::I32).collect();
                measure(title, per, unit, || {
                    let outcome = idle.take().expect("put back below").begin(&arguments, &slice);
                    idle = Some(finish(outcome).again());
                });
                Ok(())
            };
        run("shape1", "loop: mul add add cmp br", Some(10_000_000), 1e7, "ns/iteration")?;
        run("shape2", "loop: fma add cmp br (compiled)", Some(10_000_000), 1e7, "ns/iteration")?;
        run("fib", "fib(27)", Some(27), 1e6, "ms")?;
        run("imports", "import call (loop included)", Some(2_000_000), 2e6, "ns/call")?;
        run("waits", "suspend and resume", Some(1_000_000), 1e6, "ns")?;
        let mut idle = Some(Idle::new(&context.function("empty")?, &Storage::default())?);
        measure("warm empty call", 1e6, "ns", || {
            for _ in 0..1_000_000 {
                let outcome = idle.take().expect("put back below").begin(&[], &slice);
                idle = Some(finish(outcome).again());
            }
        });
    }
    Ok(())
}
