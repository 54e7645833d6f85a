//! Counts: what a warm call of a program of static shape allocates: its results, and nothing else.

#[path = "../../task/tests/counting/mod.rs"]
mod counting;
mod support;

use raddle::{Session, Value};
use support::*;

#[global_allocator]
static MEMORY: counting::Counting = counting::Counting;

/// A result is a view; its buffer comes from the device's pool.
const ALLOCATIONS_OF_A_RESULT: u64 = 1;

/// What a call of this program allocates in all. Programs that compute sizes, or hand numbers to kernels, record their
/// commands anew in each call.
fn check(session: &Session, call: &Call, inputs: &[Value], least: &mut u64) {
    let function = session.function(&call.function).unwrap();
    let results = call.lines.iter().filter(|line| line.ends_with("hal.buffer_view")).count() as u64;
    let once = || drop(function.invoke(inputs.to_vec()).wait().unwrap());
    (0..10).for_each(|_| once());
    let calls = 50;
    let counted = counting::allocations_in(|| (0..calls).for_each(|_| once()));
    // The arguments of the call, which this test copies.
    let counted = counted - calls * u64::from(!inputs.is_empty());
    println!("{} {}: {counted} in {calls} calls with {results} results", call.module, call.function);
    *least += u64::from(counted <= calls * results * ALLOCATIONS_OF_A_RESULT);
}

#[test]
fn a_warm_call_allocates_its_results_alone() {
    let runtime = runtime(0);
    let device = device(&runtime);
    let mut least = 0;
    for call in plain_calls() {
        let session =
            runtime.session().device(&device).bytes(program(&call.module)).unwrap().build().unwrap();
        let inputs: Vec<Value> = call.inputs.iter().map(|text| input(&device, text)).collect();
        check(&session, &call, &inputs, &mut least);
    }
    assert!(least > 1000);
}
