// Integers and floats, 64-bit values across blocks and calls.
vm.module @arith {
  vm.export @gcd
  vm.func @gcd(%a: i32, %b: i32) -> i32 {
    vm.br ^loop(%a, %b : i32, i32)
  ^loop(%x: i32, %y: i32):
    vm.cond_br %y, ^body, ^done
  ^body:
    %r = vm.rem.i32.u %x, %y : i32
    vm.br ^loop(%y, %r : i32, i32)
  ^done:
    vm.return %x : i32
  }
  vm.export @sum64
  vm.func @sum64(%n: i64) -> i64 {
    %zero = vm.const.i64 0
    %one = vm.const.i64 1
    vm.br ^loop(%zero, %n : i64, i64)
  ^loop(%sum: i64, %left: i64):
    %more = vm.cmp.nz.i64 %left : i64
    vm.cond_br %more, ^body, ^done
  ^body:
    %next = vm.add.i64 %sum, %left : i64
    %less = vm.sub.i64 %left, %one : i64
    vm.br ^loop(%next, %less : i64, i64)
  ^done:
    vm.return %sum : i64
  }
  vm.func private @mix(%a: i32, %b: i64, %c: f32, %d: f64) -> (f64, i64) attributes {noinline} {
    %0 = vm.ext.i32.i64.s %a : i32 -> i64
    %1 = vm.mul.i64 %0, %b : i64
    %2 = vm.ext.f32.f64 %c : f32 -> f64
    %3 = vm.mul.f64 %2, %d : f64
    vm.return %3, %1 : f64, i64
  }
  vm.export @call_mix
  vm.func @call_mix(%a: i32, %b: i64, %c: f32, %d: f64) -> (f64, i64) {
    %0:2 = vm.call @mix(%a, %b, %c, %d) : (i32, i64, f32, f64) -> (f64, i64)
    %1:2 = vm.call @mix(%a, %0#1, %c, %0#0) : (i32, i64, f32, f64) -> (f64, i64)
    vm.return %1#0, %1#1 : f64, i64
  }
  vm.export @poly
  vm.func @poly(%x: f32) -> f32 {
    %a = vm.const.f32 1.5
    %b = vm.const.f32 -0.25
    %0 = vm.fma.f32 %x, %a, %b : f32
    %1 = vm.sqrt.f32 %0 : f32
    %2 = vm.max.f32 %1, %a : f32
    vm.return %2 : f32
  }
}
