// What a batch is for: each item waits on the world twice, and computes in between.
vm.module @visits {
  vm.import private @raddle.delay(%ns: i64) attributes {vm.yield}

  // Waits, counts the steps by which a number comes down to 1 (halved if even, else tripled plus one), waits again.
  // A number below 1 never does: OUT_OF_RANGE.
  vm.export @steps
  vm.func @steps(%number: i64, %pause_ns: i64) -> i32 {
    %zero = vm.const.i64 0
    %good = vm.cmp.lt.i64.s %zero, %number : i64
    vm.cond_br %good, ^arrive, ^bad
  ^bad:
    %code = vm.const.i32 11
    vm.fail %code, "a number below 1"
  ^arrive:
    vm.call.yieldable @raddle.delay(%pause_ns) : (i64) -> ^count()
  ^count:
    %none = vm.const.i32 0
    vm.br ^loop(%number, %none : i64, i32)
  ^loop(%n: i64, %steps: i32):
    %one = vm.const.i64 1
    %more = vm.cmp.lt.i64.s %one, %n : i64
    vm.cond_br %more, ^step, ^leave(%steps : i32)
  ^step:
    %odd = vm.and.i64 %n, %one : i64
    %is_odd = vm.cmp.eq.i64 %odd, %one : i64
    %half_shift = vm.const.i32 1
    %half = vm.shr.i64.s %n, %half_shift : i64
    %three = vm.const.i64 3
    %tripled = vm.mul.i64 %n, %three : i64
    %up = vm.add.i64 %tripled, %one : i64
    %next = vm.select.i64 %is_odd, %up, %half : i64
    %step = vm.const.i32 1
    %counted = vm.add.i32 %steps, %step : i32
    vm.br ^loop(%next, %counted : i64, i32)
  ^leave(%total: i32):
    vm.call.yieldable @raddle.delay(%pause_ns) : (i64) -> ^done()
  ^done:
    vm.return %total : i32
  }
}
