//! Counts: what a warm call of a program of static shape allocates: its results, and nothing else.

#[path = "../../task/tests/counting/mod.rs"]
mod counting;
mod support;

use raddle::Value;
use support::*;

#[global_allocator]
static MEMORY: counting::Counting = counting::Counting;

/// A result is a view; its buffer comes from the device's pool.
const ALLOCATIONS_OF_A_RESULT: u64 = 1;

#[test]
fn a_warm_call_allocates_its_results_alone() {
    let runtime = runtime(0);
    let device = device(&runtime);
    for (module, function, argument) in [
        ("abs.sync.vmfb", "abs", "f32=-1"),
        ("abs.async.vmfb", "abs", "f32=-1"),
        ("perceptron.sync.vmfb", "predict", "1x28x28x1xf32=0.5"),
        ("perceptron.async.vmfb", "predict", "1x28x28x1xf32=0.5"),
    ] {
        let session = runtime.session().device(&device).bytes(program(module)).unwrap().build().unwrap();
        let call = session.function(function).unwrap();
        let arguments: [Value; 1] = [input(&device, argument)];
        let once = || drop(call.invoke(arguments.clone()).wait().unwrap());
        (0..10).for_each(|_| once());
        let calls = 100;
        let counted = counting::allocations_in(|| (0..calls).for_each(|_| once()));
        println!("{module}: {counted} allocations in {calls} calls");
        assert!(counted <= calls * ALLOCATIONS_OF_A_RESULT, "{module}: {counted} in {calls} calls");
    }
}
