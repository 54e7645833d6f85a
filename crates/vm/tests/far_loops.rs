//! Loops of every length come back to where they began, whichever way their distance is written.

mod setup;

use raddle_vm::{Context, Engine, Registry, Value};
use setup::{begin, program, results};

/// Adds 1 to a sum so often in each of the rounds that it gets.
fn counting(body: usize) -> String {
    let head = "vm.module @far\nvm.export @count\nvm.func @count(%i0: i32) -> (i32) {
  %i1 = vm.const.i32.zero
  %i2 = vm.const.i32 1
  %i3 = vm.const.i32.zero
  vm.br ^bb1()
^bb1:\n";
    let tail = "  %i1 = vm.add.i32 %i1, %i2
  %i4 = vm.cmp.lt.i32.s %i1, %i0
  vm.cond_br %i4, ^bb1(), ^bb2()
^bb2:
  vm.return %i3
}\n";
    head.to_owned() + &"  %i3 = vm.add.i32 %i3, %i2\n".repeat(body) + tail
}

#[test]
fn loops_of_every_length_count_right() {
    // 16,383 slots are the longest way back that fits into an instruction beside everything else.
    for body in [1, 16_381, 16_382, 16_383, 16_384, 16_385, 32_767, 32_768, 40_000] {
        for engine in Engine::ALL {
            let program = program(&counting(body), &Registry::new(), *engine);
            let context = Context::builder().program(program).build().unwrap();
            let sum = results(begin(&context, "count", &[Value::I32(5)]));
            assert!(
                matches!(sum[..], [Value::I32(sum)] if sum == 5 * body as i32),
                "{body}, {engine:?}: {sum:?}"
            );
        }
    }
}
