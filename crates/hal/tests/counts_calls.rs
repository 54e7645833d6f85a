//! Counts: what a warm call of a program of static shape allocates: its results, and nothing else.

#[path = "../../task/tests/counting/mod.rs"]
mod counting;
mod support;

use raddle::{Session, Value};
use support::*;

#[global_allocator]
static MEMORY: counting::Counting = counting::Counting;

/// A result is a view, and a buffer of its own if several lie in one allocation, which comes from the device's pool.
const ALLOCATIONS_OF_A_RESULT: u64 = 2;
/// What lists of more arguments or results than usual take.
const ALLOCATIONS_OF_LONG_LISTS: u64 = 1;

/// Buffers that kernels of bytecode make themselves (`vm.buffer.alloc`), each an object and its bytes.
const BUFFERS_OF_KERNELS: [(&str, u64); 5] = [
    ("p03_softmax.vmvx.vmfb", 2),
    ("p03_softmax.ukernel.vmfb", 4),
    ("p12_consts.vmvx.vmfb", 1),
    ("p12_consts.ukernel.vmfb", 1),
    ("vmvx_tiles.ukernel.vmfb", 1),
];

/// Checks what a warm call of this program allocates.
fn check(session: &Session, call: &Call, inputs: &[Value]) {
    let function = session.function(&call.function).unwrap();
    let results = call.lines.iter().filter(|line| line.ends_with("hal.buffer_view")).count() as u64;
    let once = || drop(function.invoke(inputs.to_vec()).wait().unwrap());
    (0..10).for_each(|_| once());
    let calls = 50;
    let counted = counting::allocations_in(|| (0..calls).for_each(|_| once()));
    // The arguments of the call, which this test copies.
    let counted = counted - calls * u64::from(!inputs.is_empty());
    println!("{} {}: {counted} in {calls} calls with {results} results", call.module, call.function);
    // The asynchronous interface has two fences besides.
    let fences = if call.module.ends_with(".async.vmfb") { 2 } else { 0 };
    let lists = [results, inputs.len() as u64 + fences];
    let long_lists = lists.iter().filter(|length| **length > 4).count() as u64 * ALLOCATIONS_OF_LONG_LISTS;
    let own = BUFFERS_OF_KERNELS.iter().find(|(module, _)| *module == call.module);
    let own = own.map_or(0, |(_, buffers)| 2 * buffers);
    let most = own + if results == 1 { 1 } else { results * ALLOCATIONS_OF_A_RESULT + long_lists };
    assert!(counted <= calls * most, "{}: {counted} in {calls} calls", call.module);
}

#[test]
fn a_warm_call_allocates_its_results_alone() {
    let runtime = runtime(0);
    let device = device(&runtime);
    for call in plain_calls() {
        let session =
            runtime.session().device(&device).bytes(program(&call.module)).unwrap().build().unwrap();
        let inputs: Vec<Value> = call.inputs.iter().map(|text| input(&device, text)).collect();
        check(&session, &call, &inputs);
    }
}
