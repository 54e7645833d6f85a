//! The VM's own figures, for one engine: nanoseconds of loop, call, import, suspension and warm call.
//!
//! Run: `cargo run --release -p raddle-vm --example vm_figures`. Prints minimum and median of eleven rounds.
//! With a function and a number, calls it once with that argument (`empty`: that often), for a profiler that counts.

use raddle_vm::*;
use raddle_wait::Event;
use std::sync::Arc;
use std::time::Instant;

/// The programs, which raddle is measured on beside its peers, too.
const TEXT: &str = include_str!("programs.vmasm");

fn host() -> NativeModule {
    let source: SharedSource = Arc::new(Event::manual());
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
        run("loop", "loop: mul add add cmp br", Some(10_000_000), 1e7, "ns/iteration")?;
        run("fused_loop", "loop: fma add cmp br (compiled)", Some(10_000_000), 1e7, "ns/iteration")?;
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
